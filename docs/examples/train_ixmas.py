"""Train on IXMAS with small networks: the game, then fresh networks on its frozen encoder.

python docs/examples/train_ixmas.py data/ixmas/raw
"""

import argparse
from pathlib import Path

from bdq_plugin.datasets.preparation import prepare_ixmas
from bdq_plugin.engine.launch import load_config, train


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('videos', type=Path)
    parser.add_argument('--fold', type=int, default=3, help='the take that tests')
    parser.add_argument('--max-epochs', type=int, help="of each training; the recipes' by default")
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/train_ixmas'))
    args = parser.parse_args(arguments)

    # Who is seen, doing what, in which take: one row a clip.
    args.work_dir.mkdir(parents=True, exist_ok=True)
    annotation = args.work_dir / 'annotations.csv'
    prepare_ixmas(args.videos, annotation, overwrite=True)

    def run(name, recipe, **more):
        options = dict(ann_file=str(annotation), data_root=str(args.videos), fold=args.fold, **more)
        if args.max_epochs is not None:
            options['max_epochs'] = args.max_epochs
        return train(load_config(recipe, options=options, work_dir=str(args.work_dir / name)))

    # The encoder and the action network play against a privacy network.
    game = run('game', 'bdq_ixmas_cpu.py')
    # What counts is what fresh networks make of the encoder, which now rests.
    encoder = str(args.work_dir / 'game' / 'encoder.json')
    action = run('action', 'bdq_ixmas_cpu_action.py', encoder_file=encoder)
    privacy = run('privacy', 'bdq_ixmas_cpu_privacy.py', encoder_file=encoder)

    print(f'action: {game["action/top1"]:.1%} in the game, {action["action/top1"]:.1%} fresh')
    before, after = game['privacy/vote_top1'], privacy['privacy/vote_top1']
    print(f'person: {before:.1%} in the game, {after:.1%} fresh: no evidence of privacy,')
    print(f'audit it: python docs/examples/audit_encoder.py {encoder} ANNOTATIONS')


if __name__ == '__main__':
    main()
