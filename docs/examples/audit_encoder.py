"""Audit an encoder on clips of your own: attackers learn its codes, and clear video beside it.

python docs/examples/audit_encoder.py encoder.json annotations.csv
"""

import argparse

from bdq_plugin.evaluation.audit import run_audit
from bdq_plugin.evaluation.candidates import output_forms, resolve_encoder
from bdq_plugin.evaluation.own_data import own_data
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.results import Cell
from bdq_plugin.evaluation.settings import load_panel
from bdq_plugin.evaluation.tables import audit_table


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('encoder', help='encoder.json, checkpoint, zoo name or preset')
    parser.add_argument('annotations', help='what tools/data/folder/prepare.py wrote')
    parser.add_argument('--data-root', help="folder of the videos; the annotations' by default")
    parser.add_argument('--fold', type=int, nargs='+', default=[1], help='takes to hold out')
    parser.add_argument('--panel', default='templates', help='quick and full find more')
    parser.add_argument('--results', default='results/audit')
    parser.add_argument('--work-dir', default='work_dirs/audit')
    args = parser.parse_args(arguments)

    data, panel = own_data(args.annotations, args.data_root), load_panel(args.panel)
    folders = dict(results=args.results, work_dir=args.work_dir)
    found = []
    # Attackers that fail on clear video say nothing about a code.
    for name in ('pass_through', args.encoder):
        audited = resolve_encoder(name)
        for output, encoder in output_forms(audited.encoder).items():
            for fold in args.fold:
                cell = Cell(data.name, 'take', fold, audited.name, output, 0, panel.name)
                # A finished cell is read, not computed again.
                found.append(run_audit(encoder, cell, data, panel, **folders))
    print(audit_table(pool(found)))


if __name__ == '__main__':
    main()
