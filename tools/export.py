"""Export a trained encoder to ONNX, torch.export or C; encoder and action network to the first two.

    python tools/export.py work_dirs/bdq_kth/encoder.json encoder.onnx            # frame by frame
    python tools/export.py work_dirs/bdq_kth/encoder.json clip.onnx --form clip   # whole clip, soft
    python tools/export.py bdq_hard_ixmas_take3 encoder.pt2                       # of the zoo
    python tools/export.py bdq_hard_ixmas_take3 bdq_form.h                        # for C
    python tools/export.py zoo:ixmas_six_blocks actions.onnx                      # with its network

``.onnx`` is opset 18, ``.pt2`` is torch.export, sizes are dynamic; ``.h`` is the encoder for
the sources in ``bdq_plugin/deploy/c``. Exit status 1 on any error.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from bdq_plugin.deploy.export import FORMS, export_encoder, export_network
from bdq_plugin.encoders import load_encoder
from bdq_plugin.network_file import names_network


def export(args: argparse.Namespace) -> Path:
    if not names_network(args.encoder):
        return export_encoder(load_encoder(args.encoder), args.output, args.form or 'step')
    if args.form is not None:
        raise ValueError(f'--form is of an encoder, {args.encoder} is a network: leave it out')
    from bdq_plugin.deploy.recognition import ActionRecognizer  # OpenMMLab is slow to import

    return export_network(ActionRecognizer(args.encoder), args.output)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'encoder', help='encoder.json, checkpoint (.pth), zoo name or preset; zoo:NAME of a network'
    )
    parser.add_argument('output', help='file to write, .onnx, .pt2 or .h')
    parser.add_argument('--form', choices=FORMS, help='of an encoder (step)')
    parser.add_argument(
        '--import', dest='modules', nargs='+', default=[], help='modules of encoders of your own'
    )
    args = parser.parse_args(arguments)
    try:
        for module in args.modules:
            importlib.import_module(module)
        path = export(args)
    except (OSError, ValueError, ImportError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{path}: {path.stat().st_size:,} bytes')
    return 0


if __name__ == '__main__':
    sys.exit(main())
