"""Export a trained encoder to ONNX, torch.export or C.

    python tools/export.py work_dirs/bdq_kth/encoder.json encoder.onnx            # frame by frame
    python tools/export.py work_dirs/bdq_kth/encoder.json clip.onnx --form clip   # whole clip, soft
    python tools/export.py bdq_hard_ixmas_take3 encoder.pt2                       # of the zoo
    python tools/export.py bdq_hard_ixmas_take3 bdq_form.h                        # for C

``.onnx`` is opset 18, ``.pt2`` is torch.export, sizes are dynamic; ``.h`` is the encoder for
``bdq.h`` and ``bdq.c`` of ``bdq_plugin/deploy/c``. Exit status 1 on any error.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from bdq_plugin.deploy.export import FORMS, export_encoder
from bdq_plugin.encoders import load_encoder


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('encoder', help='file of a trained encoder, or its name in the zoo')
    parser.add_argument('output', help='file to write, .onnx, .pt2 or .h')
    parser.add_argument('--form', choices=FORMS, default='step')
    parser.add_argument(
        '--import', dest='modules', nargs='+', default=[], help='modules of encoders of your own'
    )
    args = parser.parse_args(arguments)
    try:
        for module in args.modules:
            importlib.import_module(module)
        path = export_encoder(load_encoder(args.encoder), args.output, args.form)
    except (OSError, ValueError, ImportError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{path}: {path.stat().st_size:,} bytes')
    return 0


if __name__ == '__main__':
    sys.exit(main())
