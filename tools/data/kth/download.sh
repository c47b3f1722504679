#!/usr/bin/env bash
# Fetch KTH (Schuldt, Laptev, Caputo, ICPR 2004) from its authors, about 1.2 GB, and unpack it.
# usage: tools/data/kth/download.sh [DIR, default data/kth]
# Source: https://www.csc.kth.se/cvap/actions/ (free for research; cite the paper).
set -euo pipefail

source_url=https://www.csc.kth.se/cvap/actions
target=${1:-data/kth}
mkdir -p "$target/zips" "$target/videos"

for action in boxing handclapping handwaving jogging running walking; do
    # --continue-at - resumes a download that was cut off.
    curl --fail --location --retry 3 --continue-at - \
        --output "$target/zips/$action.zip" "$source_url/$action.zip"
    unzip -n -q "$target/zips/$action.zip" -d "$target/videos"
done
curl --fail --location --output "$target/00sequences.txt" "$source_url/00sequences.txt"

echo "now run: python tools/data/kth/prepare.py $target/videos --out $target/annotations.csv"
