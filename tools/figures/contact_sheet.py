#!/usr/bin/env python3
"""Draw a clip in clear and after each part of an encoder, as a sheet or in motion.

The picture shows clear frames, and says so; --no-clear leaves them out.

Example:
    python tools/figures/contact_sheet.py clip.avi work_dirs/bdq_kth/encoder.json sheet.png
    python tools/figures/contact_sheet.py clip.avi bdq_hard clip.gif --no-clear
    python tools/figures/contact_sheet.py NAME.avi encoder.json sheet.png --restore ixmas --fold 3
"""

import argparse
import sys

import torch

from bdq_plugin.models.data_preprocessor import build_encoder_from_cfg
from bdq_plugin.visualization import animate, contact_sheet, save_figure
from bdq_plugin.visualization.clips import audit_data, restore_clip, video_clip


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('video')
    parser.add_argument('encoder', help='encoder.json, checkpoint (.pth), zoo name or preset')
    parser.add_argument('out', help='.png, .pdf or .svg; .gif or .mp4 for an animation')
    parser.add_argument('--frames', type=int, default=16, help='frames, spread over the video')
    parser.add_argument('--columns', type=int, default=6, help='frames to show')
    parser.add_argument('--fps', type=int, default=8, help='of an animation')
    parser.add_argument('--height', type=int, default=144, help='of its frames, pixels')
    parser.add_argument('--title', default='')
    parser.add_argument('--no-clear', dest='clear', action='store_false')
    parser.add_argument(
        '--restore', metavar='DATA', help='train the inversion attack on this data (minutes)'
    )
    parser.add_argument('--data-root', help='with --restore: folder of the videos')
    parser.add_argument('--ann-file', help='with --restore: annotation file')
    parser.add_argument('--protocol', default='take', help='with --restore')
    parser.add_argument('--fold', type=int, default=1, help='with --restore')
    parser.add_argument('--restore-epochs', type=int, help="by default the full panel's")
    args = parser.parse_args(argv)
    try:
        draw(args)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def draw(args: argparse.Namespace) -> None:
    encoder = build_encoder_from_cfg(args.encoder)
    frames, restored = load(args, encoder)
    options = dict(clear=args.clear, restored_CTHW=restored)
    if args.out.lower().endswith(('.gif', '.mp4')):
        print(animate(encoder, frames, args.out, args.fps, height=args.height, **options))
    else:
        sheet = contact_sheet(encoder, frames, args.columns, args.title, **options)
        print(save_figure(sheet, args.out))


def load(args: argparse.Namespace, encoder) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The clip, and what the attack restores of it."""
    if not args.restore:
        return video_clip(args.video, args.frames), None
    data = audit_data(args.restore, args.data_root, args.ann_file)
    return restore_clip(
        encoder, args.video, data, args.protocol, args.fold, epochs=args.restore_epochs
    )


if __name__ == '__main__':
    main()
