"""What the commands of the studies share: their arguments, and one encoder for each fold."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import torch

from .candidates import OUTPUTS, Audited, output_forms, resolve_encoder
from .data_arguments import add_data_arguments, add_rate_argument, data_of
from .settings import at_rate
from .studies import Measure, Study, check_study, run_study


def parser_of(
    description: str, kind: str, rate: str = "the data config's"
) -> argparse.ArgumentParser:
    """The arguments that every study takes; for ``rate`` see :func:`add_rate_argument`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--encoder',
        required=True,
        help='encoder.json, checkpoint (.pth), zoo name or preset; {fold} stands for the fold',
    )
    parser.add_argument('--preset', help='what a checkpoint was trained from')
    parser.add_argument(
        '--name',
        help="name in the results; by default the zoo's, the folder's, or PRESET_untrained",
    )
    add_data_arguments(parser)
    add_rate_argument(parser, rate)
    parser.add_argument('--folds', type=int, nargs='+', default=[1, 2, 3])
    parser.add_argument(
        '--output', choices=(*OUTPUTS, 'both'), default='both', help='both: every form it has'
    )
    parser.add_argument('--families', nargs='+', help='of features; by default all')
    parser.add_argument('--results', default=f'results/{kind}')
    parser.add_argument('--work-dir', default=f'work_dirs/{kind}')
    parser.add_argument('--threads', type=int, default=1, help='of torch')
    parser.add_argument(
        '--check', action='store_true', help='measure anew, elsewhere, and fail where it differs'
    )
    return parser


def run_command(
    parser: argparse.ArgumentParser,
    kind: str,
    measure: Callable[[argparse.Namespace], Measure],
    argv: Sequence[str] | None = None,
    rate_is_the_datas: bool = True,
) -> None:
    """Parse, measure every form of the encoder, and end with one line where that fails.

    Args:
        parser: of :func:`parser_of`.
        kind: of the study.
        measure: what the arguments ask for; their ``every`` is that of the encoder's file, where
            the user gave none.
        argv: the arguments.
        rate_is_the_datas: whether the study is of data at that rate; else it takes it itself.
    """
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        _run(args, kind, measure, rate_is_the_datas)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def _run(
    args: argparse.Namespace,
    kind: str,
    measure_of: Callable[[argparse.Namespace], Measure],
    rate_is_the_datas: bool,
) -> None:
    audited = {
        fold: resolve_encoder(args.encoder.replace('{fold}', str(fold)), args.preset)
        for fold in args.folds
    }
    if args.every is None:
        args.every = _rate(args.encoder, list(audited.values()))
    data = at_rate(data_of(args), args.every if rate_is_the_datas else None)
    measure = measure_of(args)
    forms = {fold: output_forms(each.encoder) for fold, each in audited.items()}
    first = args.folds[0]
    for output in forms[first] if args.output == 'both' else [args.output]:
        if any(output not in each for each in forms.values()):
            raise ValueError(f'{args.encoder} has no {output} output')
        name = args.name or audited[first].name
        study = Study(kind, data.name, args.protocol, name, output)
        encoders = {fold: each[output] for fold, each in forms.items()}
        if args.check:
            check_study(study, measure, encoders, data, results=args.results)
        else:
            options = dict(results=args.results, work_dir=args.work_dir)
            run_study(study, measure, encoders, data, **options)


def _rate(name: str, audited: Sequence[Audited]) -> int | None:
    rates = {each.every for each in audited}
    if len(rates) > 1:
        raise ValueError(f'{name}: its folds are for other rates ({rates}): say --every')
    return rates.pop()
