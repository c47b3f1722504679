"""The arguments by which commands are told what they work on."""

from __future__ import annotations

import argparse

from .own_data import own_data
from .settings import Data, load_data


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """``--data``, where its files are, and how its clips are divided."""
    parser.add_argument(
        '--data',
        default='ixmas',
        help='config in configs/audit/data, or its path, or the annotation file (.csv) of your own '
        'videos',
    )
    parser.add_argument('--data-root', help="folder of the videos; by default the config's")
    parser.add_argument('--ann-file', help="annotation file; by default the config's")
    parser.add_argument(
        '--protocol',
        '--hold-out',
        default='take',
        help='how clips are divided; of your own videos the column that is held out',
    )


def add_rate_argument(
    parser: argparse.ArgumentParser, otherwise: str = "the data config's"
) -> None:
    """``--every``; ``otherwise`` says what it is where neither it nor the encoder's file says."""
    parser.add_argument(
        '--every',
        type=int,
        help='of the frames each n-th is encoded, as encode_video.py --every sends; by default '
        f"what the encoder's file is for, else {otherwise}",
    )


def data_of(args: argparse.Namespace) -> Data:
    """The data that the arguments name.

    Raises:
        FileNotFoundError, ValueError: there is none, or the arguments contradict each other.
    """
    if not args.data.lower().endswith(('.csv', '.tsv')):
        return load_data(args.data, args.data_root, args.ann_file)
    if args.ann_file is not None:
        raise ValueError(
            f'--data {args.data} is an annotation file, and --ann-file names another: leave one out'
        )
    return own_data(args.data, args.data_root)


def size(text: str) -> tuple[int, int]:
    """Rows and columns of ``'48x64'``, for ``type`` of an argument."""
    height, _, width = text.partition('x')
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"'{text}' is no size: rows x columns, such as 48x64")
    return int(height), int(width)
