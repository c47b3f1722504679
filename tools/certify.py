#!/usr/bin/env python
"""Print what the codes of an encoder with randomised response can tell anybody at most.

The bounds follow from the probability with which codes are replaced and from how many leave; no
attack is run. Encoders without randomised response have none, which is said, with exit status 1.

Example:
    python tools/certify.py ENCODER.json --size 48x64 --grey --fps 23 --every 8 --clip-seconds 3
    python tools/certify.py blocks --flip 0.45 --size 48x64 --grey --hours 8 --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from bdq_plugin.camera_form import CameraForm
from bdq_plugin.encoders import ClipEncoder
from bdq_plugin.evaluation.candidates import resolve_encoder
from bdq_plugin.evaluation.certification import (
    Use,
    certificate_document,
    certificate_table,
    certify,
)
from bdq_plugin.evaluation.data_arguments import size
from bdq_plugin.randomized_response import check_flip


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('encoder', help='encoder.json, checkpoint (.pth), zoo name or preset')
    parser.add_argument('--preset', help='what a checkpoint was trained from')
    parser.add_argument('--flip', type=float, help="as if the encoder's probability were this")
    parser.add_argument(
        '--size', type=size, required=True, metavar='HxW', help='of the frames that are encoded'
    )
    parser.add_argument('--grey', action='store_true', help='one channel instead of three')
    parser.add_argument('--fps', type=float, default=25.0, help="the camera's frames a second")
    parser.add_argument(
        '--every',
        type=int,
        help="each n-th of them is encoded alone; by default as the encoder's file says, or each",
    )
    parser.add_argument('--clip-seconds', type=float, default=3.0)
    parser.add_argument('--hours', type=float, default=24.0, help='of use in a day')
    parser.add_argument('--people', type=int, default=10, help='among whom one is to be named')
    parser.add_argument('--actions', type=int, default=6, help='among which one is to be named')
    parser.add_argument('--json', action='store_true', help='the bounds as JSON')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        print_certificate(args)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {args.encoder}: {error}')


def print_certificate(args: argparse.Namespace) -> None:
    audited = resolve_encoder(args.encoder, args.preset)
    form = form_of(audited.encoder, args.flip)
    use = Use(
        *args.size,
        channels=1 if args.grey else 3,
        frame_rate=args.fps,
        every=args.every if args.every is not None else audited.every or 1,
        clip_seconds=args.clip_seconds,
        hours=args.hours,
        people=args.people,
        actions=args.actions,
    )
    bounds = certify(form, use)
    if args.json:
        print(json.dumps(certificate_document(bounds, form, use), indent=2))
    else:
        print(certificate_table(bounds, form, use), end='')


def form_of(encoder: ClipEncoder, flip: float | None) -> CameraForm:
    if not getattr(encoder, 'streamable', False):
        raise ValueError(
            'no bound exists: what it sends are no whole levels in a range that no clip changes'
        )
    form = encoder.integer_form()
    if flip is None:
        return form
    check_flip(flip, form.num_levels)
    return replace(form, flip=flip)


if __name__ == '__main__':
    main()
