#!/usr/bin/env bash
# The IXMAS experiment with small networks: clear video, the game, both re-trainings on its encoder.
#   [FOLD=3] tools/reproduce_ixmas_cpu.sh [options for every training, such as --seed 1]
# A run that is there is not repeated; one that was stopped is resumed. Figures: results/ixmas_cpu/.
set -euo pipefail
cd "$(dirname "$0")/.."
fold=${FOLD:-3}
python=${PYTHON:-python}
work=work_dirs/ixmas_cpu/fold$fold
results=results/ixmas_cpu/fold$fold
mkdir -p "$results"

run() { # NAME CONFIG OPTIONS...
    local name=$1 config=$2
    shift 2
    if [ ! -f "$work/$name/metrics.json" ]; then
        "$python" tools/train.py "configs/$config.py" --work-dir "$work/$name" --resume \
            "${extra[@]}" --cfg-options "fold=$fold" "$@"
    fi
    cp "$work/$name/metrics.json" "$results/$name.json"
}

extra=("$@")
run no_encoder no_encoder_ixmas_cpu
run game bdq_ixmas_cpu
run action bdq_ixmas_cpu_action "encoder_file=$work/game/encoder.json"
run privacy bdq_ixmas_cpu_privacy "encoder_file=$work/game/encoder.json"
