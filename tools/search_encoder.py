#!/usr/bin/env python
"""Search an encoder's few numbers: the action told as often, the person as seldom as can be.

Everything happens within the training clips of a fold. Run the same command in several shells to
share the work; run it again to continue. What it finds is confirmed by tools/audit.py on the take
that was not opened.

Example:
    python tools/search_encoder.py blocks --fold 3 --trials 60
    python tools/search_encoder.py blocks --fold 3 --trials 60 --least-action 0.7 --out hide.json
    python tools/audit.py --encoder hide.json --fold 3
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from bdq_plugin import markdown
from bdq_plugin.encoders import save_encoder
from bdq_plugin.evaluation.data_arguments import add_data_arguments, data_of
from bdq_plugin.evaluation.search import choose, front, load_space, search, write_search


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('space', help='config in configs/search, or its path')
    add_data_arguments(parser)
    parser.add_argument('--fold', type=int, required=True, help='whose training clips are used')
    parser.add_argument('--trials', type=int, default=60, help='in all, finished ones included')
    parser.add_argument('--seed', type=int, default=0, help='of what encoders draw')
    parser.add_argument('--results', type=Path, default=Path('results/search'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/search'))
    parser.add_argument('--threads', type=int, default=1, help='of torch')
    parser.add_argument(
        '--least-action',
        type=float,
        help='with --out: write the encoder that tells least of the person among those that tell '
        'the action in this share of the clips, such as 0.7',
    )
    parser.add_argument('--out', type=Path, help='encoder file')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        run(args)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def run(args: argparse.Namespace) -> None:
    if (args.out is None) != (args.least_action is None):
        raise ValueError('--out and --least-action say together which encoder is written')
    if args.trials < 1:
        raise ValueError(f'--trials must be 1 or more, got {args.trials}')
    space = load_space(args.space)
    data = data_of(args)
    where = (args.protocol, args.fold)
    found = search(space, data, *where, trials=args.trials, seed=args.seed, work_dir=args.work_dir)
    path = args.results / data.name / args.protocol / f'{space.name}-fold{args.fold}.json'
    write_search(path, space, data, *where, found)
    rows = [
        [
            trial['number'],
            f'{100 * trial["action"]:.1f}',
            f'{100 * trial["identity"]:.1f}',
            f'{trial["bits"]:.2f}',
            _text(trial['values']),
        ]
        for trial in front(found)
    ]
    print(markdown.table(['trial', 'action', 'identity', 'bits', 'values'], rows))
    print(f'wrote {path}: {len(found)} trials, {len(rows)} that no other one beats')
    if args.out is not None:
        chosen = choose(found, args.least_action)
        origin = dict(search=space.name, data=data.name, protocol=args.protocol, fold=args.fold)
        sampling = space.sampled(data, chosen['values']).sampling
        origin |= dict(trial=chosen['number'], every=sampling.every)
        save_encoder(space.build(chosen['values']), args.out, origin)
        print(f'wrote {args.out}: trial {chosen["number"]}')


def _text(values: dict[str, object]) -> str:
    return ', '.join(
        f'{name} {value:.3g}' if isinstance(value, float) else f'{name} {value}'
        for name, value in values.items()
    )


if __name__ == '__main__':
    main()
