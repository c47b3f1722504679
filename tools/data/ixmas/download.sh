#!/usr/bin/env bash
# Fetch IXMAS with occlusions, ROI version (Weinland, Ronfard, Boyer, CVIU 2006; EPFL CVLAB), and unpack it.
# usage: tools/data/ixmas/download.sh ARCHIVE_URL [DIR, default data/ixmas]
# The archive's address stands on https://www.epfl.ch/labs/cvlab/data/data-ixmas10/ ("Multi-view action
# recognition"): open that page, accept its terms (research; cite the paper) and copy the link of the ROI videos.
set -euo pipefail

page=https://www.epfl.ch/labs/cvlab/data/data-ixmas10/
if [ $# -lt 1 ]; then
    echo "usage: $0 ARCHIVE_URL [DIR]; take the address from $page" >&2
    exit 2
fi
archive_url=$1
target=${2:-data/ixmas}
mkdir -p "$target/raw"

archive=$target/$(basename "$archive_url")
# --continue-at - resumes a download that was cut off.
curl --fail --location --retry 3 --continue-at - --output "$archive" "$archive_url"
case $archive in
    *.zip) unzip -n -q "$archive" -d "$target/raw" ;;
    *) tar -xf "$archive" -C "$target/raw" ;;
esac

echo "now run: python tools/data/ixmas/prepare.py $target/raw --names selected_720 --out $target/annotations.csv"
