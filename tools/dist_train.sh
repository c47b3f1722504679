#!/usr/bin/env bash
# Train on several GPUs of one or more machines; without a GPU, in several gloo processes.
#   tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT alike on each of them.
# MAX_RESTARTS=3: where a process is lost, all start again from the last checkpoint, 3 times at most.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,5p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
address=${MASTER_ADDR:-127.0.0.1} port=${PORT:-29500} nodes=${NNODES:-1}
if [ "${MAX_RESTARTS:-0}" -gt 0 ]; then
    # Else the processes would meet in a store that has the addresses of those that died.
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    meeting=(--max-restarts "$MAX_RESTARTS" --rdzv-backend c10d --rdzv-endpoint "$address:$port"
        --rdzv-id "bdq-$port")
    [ "$nodes" != 1 ] || meeting+=(--local-addr "$address")
else
    meeting=(--node-rank "${NODE_RANK:-0}" --master-addr "$address" --master-port "$port")
fi
exec torchrun --nnodes "$nodes" --nproc-per-node "$2" "${meeting[@]}" \
    "$here/train.py" "$1" --launcher pytorch "${@:3}"
