#!/usr/bin/env python3
"""Draw an encoder's thresholds, initial and learned, over the levels that clips use.

Example:
    python tools/figures/staircase.py work_dirs/bdq_kth/encoder.json staircase.pdf --videos a.avi
    python tools/figures/staircase.py work_dirs/bdq_kth/encoder.json staircase.pdf \\
        --run work_dirs/bdq_kth
"""

import argparse
import sys

import torch

from bdq_plugin.models.data_preprocessor import build_encoder_from_cfg
from bdq_plugin.visualization import save_figure, staircase
from bdq_plugin.visualization.clips import run_data, test_clips, video_clip


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('encoder', help='encoder.json, checkpoint (.pth), zoo name or preset')
    parser.add_argument('out', help='a .png, .pdf or .svg file')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--videos', nargs='+', help='of one size')
    source.add_argument('--run', help='a work directory: clips of its test split')
    parser.add_argument('--clips', type=int, default=16, help='number of clips with --run')
    parser.add_argument('--data-root', help="folder of the videos; by default the run's")
    parser.add_argument('--ann-file', help="annotation file; by default the run's")
    args = parser.parse_args(argv)
    try:
        encoder = build_encoder_from_cfg(args.encoder)
        print(save_figure(staircase(encoder, load_clips(args)), args.out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def load_clips(args: argparse.Namespace) -> torch.Tensor | None:
    if args.run:
        return test_clips(*run_data(args.run, args.data_root, args.ann_file), args.clips)[0]
    if not args.videos:
        return None
    clips = [video_clip(path) for path in args.videos]
    if len({clip.shape for clip in clips}) > 1:
        raise ValueError('the videos differ in size: give some of one size, or --run')
    return torch.stack(clips)


if __name__ == '__main__':
    main()
