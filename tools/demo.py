#!/usr/bin/env python3
"""The whole of the project in five minutes on a CPU: synthetic data, the game, its evaluation.

It runs the commands that a user would, and shows them.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.encoders import load_encoder
from bdq_plugin.paths import ROOT as INSTALLED
from bdq_plugin.progress import follow_training
from bdq_plugin.video.reader import open_video
from bdq_plugin.visualization import contact_sheet, save_figure

ROOT = Path('work_dirs/demo')
VIDEOS, ANNOTATIONS = ROOT / 'data' / 'videos', ROOT / 'data' / 'annotations.csv'
PICTURE_OF = 'person01_handwaving_d1_uncomp.avi'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--epochs', type=int, help='shorten every training to this many epochs')
    epochs = parser.parse_args().epochs
    options = [f'max_epochs={epochs}'] if epochs else []
    start = time.time()
    shutil.rmtree(ROOT, ignore_errors=True)
    print(f'1. Writing a synthetic data set in the format of KTH to {ROOT / "data"}', flush=True)
    make_kth(ROOT / 'data', subjects=5, scenarios=4)
    run(
        'tools/data/kth/prepare.py',
        VIDEOS,
        '--sequences',
        VIDEOS.parent / '00sequences.txt',
        '--out',
        ANNOTATIONS,
    )
    print('2. Training both networks on clear video', flush=True)
    clear = train('bdq_demo', 'clear', 'encoder.preset=pass_through', 'model.alpha=0', *options)
    print('3. Playing the game: encoder and action network against the privacy network', flush=True)
    train('bdq_demo', 'bdq', *options)
    print('4. Training fresh networks on the frozen encoder', flush=True)
    action = train('bdq_demo_action', 'bdq_action', *options)
    privacy = train('bdq_demo_privacy', 'bdq_privacy', *options)
    picture = draw()
    print_table(clear, {**action, **privacy})
    print(f'Encoded frames: {picture}')
    print(
        f'Done in {(time.time() - start) / 60:.1f} minutes. The data are synthetic: these figures '
        'show that the parts work, not how well BDQ hides people.'
    )


def run(*command: object) -> None:
    """Run a tool with this Python, its output shown."""
    print('$ python ' + ' '.join(map(str, command)), flush=True)
    subprocess.run([sys.executable, INSTALLED / command[0], *map(str, command[1:])], check=True)


def train(config: str, name: str, *options: str) -> dict[str, float]:
    """Train by config, its progress shown and its log in a file, and return the test metrics."""
    work_dir, command = ROOT / name, ['tools/train.py', f'configs/{config}.py']
    command += ['--work-dir', str(work_dir)] + (['--cfg-options', *options] if options else [])
    print('$ python ' + ' '.join(command), flush=True)
    work_dir.mkdir(parents=True)
    log = work_dir / 'log.txt'
    if follow_training([sys.executable, str(INSTALLED / command[0]), *command[1:]], log, name):
        raise SystemExit(f'training failed; see {log}\n' + log.read_text()[-2000:])
    return json.loads((work_dir / 'metrics.json').read_text())['metrics']


def draw() -> Path:
    """Draw a clip after each part of the trained encoder."""
    reader = open_video(str(VIDEOS / PICTURE_OF))
    frames = torch.from_numpy(reader.get_batch(range(0, 32, 2))).permute(3, 0, 1, 2)
    encoder = load_encoder(ROOT / 'bdq' / 'encoder.json')
    return save_figure(contact_sheet(encoder, frames), ROOT / 'encoded_frames.png')


def print_table(clear: dict[str, float], bdq: dict[str, float]) -> None:
    """Accuracies with and without the encoder, chance beside them."""
    rows = [
        ('action', 'action/top1', 1 / 6),
        ('subject, one frame', 'privacy/frame_top1', clear['privacy/chance']),
        ('subject, frame vote', 'privacy/vote_top1', clear['privacy/chance']),
    ]
    print(f'\n{"accuracy on the test split":28}{"clear video":>12}{"BDQ":>8}{"chance":>8}')
    for label, key, chance in rows:
        print(f'{label:28}{clear[key]:12.1%}{bdq[key]:8.1%}{chance:8.1%}')
    print()


if __name__ == '__main__':
    main()
