"""What kill.py kills: tiny runs of the tools, and what each of them must have made in the end."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.deploy.codes_video import CodesVideoReader
from bdq_plugin.deploy.packed import PackedError, PackedReader
from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.engine.checkpoints import damage_of
from bdq_plugin.engine.launch import write_json
from bdq_plugin.evaluation.results import comparable
from bdq_plugin.video.source import SourceError

PEOPLE = ('person01', 'person02', 'person03')


class Job:
    """Commands that are run one after the other, killed, and run again from the first.

    Args:
        root: a folder for what the commands read.

    Attributes:
        processes: how many run the commands together, as torchrun's workers do.
        temporary: what a file is called while it is written, where that can be seen from outside.
    """

    processes = 1
    temporary: str | None = None

    def __init__(self, root: Path) -> None:
        self.root = root
        make_kth(root / 'data', subjects=3, scenarios=1, frames_per_sequence=20, size=(80, 60))

    def commands(self, folder: Path) -> list[list[str]]:
        """The tools and their arguments; all that they write goes into ``folder``."""
        raise NotImplementedError

    def product(self, folder: Path) -> Any:
        """What must be the same in the end, kills or none; compared bit for bit."""
        raise NotImplementedError

    def faults(self, folder: Path, whole: Any) -> list[str]:
        """What a kill must not leave behind: files that are half written.

        Args:
            folder: as the kill has left it.
            whole: :meth:`product` of an uninterrupted run.
        """
        raise NotImplementedError


class Training(Job):
    """The game, three epochs of two iterations."""

    temporary = '.*.pth.*.tmp'
    epochs = 3

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        prepare_kth(root / 'data' / 'videos', root / 'kth.csv', root / 'data' / '00sequences.txt')

    def options(self) -> dict[str, Any]:
        """``--cfg-options`` that bring the demo's config down to seconds."""
        options = {
            'ann_file': self.root / 'kth.csv',
            'data_root': self.root / 'data' / 'videos',
            'max_epochs': self.epochs,
            'train_cfg.val_interval': self.epochs + 1,
            'model.privacy.cls_head.num_classes': len(PEOPLE),
            'train_dataloader.num_workers': 1,
            'default_hooks.random_state.type': 'RandomStateHook',
        }
        for split in ('train', 'val', 'test'):
            options[f'{split}_dataloader.dataset.subjects'] = f'[{",".join(PEOPLE)}]'
            options[f'{split}_dataloader.dataset.indices'] = 8
            options[f'{split}_dataloader.batch_size'] = 4 // self.processes
        return options

    def commands(self, folder: Path) -> list[list[str]]:
        command = ['tools/train.py', 'configs/bdq_demo.py', '--resume', '--work-dir', str(folder)]
        if self.processes > 1:
            command += ['--launcher', 'pytorch']
        return [[*command, '--cfg-options', *(f'{k}={v}' for k, v in self.options().items())]]

    def product(self, folder: Path) -> Any:
        # Of a run of this script, so its pickle may be read.
        checkpoint = torch.load(folder / f'epoch_{self.epochs}.pth', weights_only=False)
        metrics = json.loads((folder / 'metrics.json').read_text())['metrics']
        states = {path.name: path.read_bytes() for path in folder.glob('random_state_*.json')}
        assert len(states) == self.processes
        kept = {key: checkpoint[key] for key in ('state_dict', 'optimizer', 'param_schedulers')}
        encoder = json.loads((folder / 'encoder.json').read_text())
        del encoder['metadata']['experiment']  # holds the time of the start
        return dict(kept, metrics=metrics, encoder=encoder, random_states=states)

    def faults(self, folder: Path, whole: Any) -> list[str]:
        found = [f'{path.name}: {damage_of(path)}' for path in folder.glob('*.pth')]
        return [text for text in found if not text.endswith(': None')] + broken_json(folder)


class TrainingOfTwo(Training):
    """The same in two gloo processes, of which one or both are killed."""

    processes = 2

    def options(self) -> dict[str, Any]:
        # Above the longest time that one of the two is busy alone on a busy machine.
        return {**super().options(), 'env_cfg.dist_cfg.timeout': 60}


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Write what every process would draw next, at the end of the last epoch."""

    def after_train_epoch(self, runner: Runner) -> None:
        """Write a checksum of each generator's state, before the last checkpoint is written."""
        if runner.epoch + 1 < runner.max_epochs:
            return
        states = dict(
            python=repr(random.getstate()),
            numpy=repr(np.random.get_state()[1].tolist()),
            torch=repr(torch.get_rng_state().tolist()),
        )
        states = {name: sha256(state.encode()).hexdigest() for name, state in states.items()}
        write_json(Path(runner.work_dir, f'random_state_{get_rank()}.json'), states)


class Audit(Job):
    """An audit of a soft and a hard encoder by small networks, templates and controls."""

    temporary = '**/.*.tmp'

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        videos, annotation = root / 'data' / 'videos', root / 'kth.csv'
        prepare_kth(videos, annotation, root / 'data' / '00sequences.txt')
        (root / 'tiny_kth.py').write_text(
            f"""
dataset = dict(
    type='KTHDataset', ann_file={str(annotation)!r}, data_prefix=dict(video={str(videos)!r}),
    subjects={list(PEOPLE)!r}, actions=['boxing', 'walking'], min_frames=8,
    pipeline=[
        dict(type='ClipInit'), dict(type='AllFrames', max_frames=6),
        dict(type='ClipDecode'), dict(type='Resize', scale=(20, 16), keep_ratio=False),
        dict(type='ToGray'), dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs')])
mean, std = [110.0], [38.0]
"""
        )
        (root / 'tiny.py').write_text(
            """
_frames = dict(type='SmallConv2d', in_channels=1, channels=(8,), strides=(2,))
_recipe = dict(first_round=10, max_epochs=30)
panel = dict(
    action=dict(type='ClipAttacker', target='action', recipe=_recipe, clip_len=4,
                backbone=dict(type='SmallConv3d', in_channels=1, channels=(8,), strides=(2,))),
    frame=dict(type='FrameAttacker', recipe=_recipe, backbone=_frames),
    template=dict(type='TemplateAttacker', families=['energy', 'levels']))
controls = ('permuted', 'length')
"""
        )

    def commands(self, folder: Path) -> list[list[str]]:
        command = ['tools/audit.py', '--encoder', 'bdq', '--protocol', 'subsequence']
        inputs = ['--data', self.root / 'tiny_kth.py', '--panel', self.root / 'tiny.py']
        inputs += ['--device', 'cpu', '--no-control']
        outputs = ['--results', folder / 'results', '--work-dir', folder / 'work']
        return [[*command, *map(str, (*inputs, *outputs))]]

    def product(self, folder: Path) -> Any:
        results = {}
        for path in files_of(folder / 'results'):
            results[str(path.relative_to(folder))] = comparable(json.loads(path.read_text()))
        assert len(results) == 2
        return results

    def faults(self, folder: Path, whole: Any) -> list[str]:
        return broken_json(folder)


class Preparation(Job):
    """The annotation of KTH, frames to look through, and copies of the videos."""

    temporary = '**/.*'

    def commands(self, folder: Path) -> list[list[str]]:
        videos, frames = self.root / 'data' / 'videos', folder / 'frames'
        prepare = ['tools/data/kth/prepare.py', videos, '--overwrite', '--out', folder / 'kth.csv']
        prepare += ['--sequences', self.root / 'data' / '00sequences.txt']
        extract = ['tools/data/ixmas/extract_frames.py', videos, frames]
        select = ['tools/data/ixmas/select_videos.py', videos, frames, folder / 'selected']
        return [list(map(str, step)) for step in (prepare, extract, [*select, '--overwrite'])]

    def product(self, folder: Path) -> Any:
        return {str(path.relative_to(folder)): path.read_bytes() for path in files_of(folder)}

    def faults(self, folder: Path, whole: Any) -> list[str]:
        product = self.product(folder)
        return [f'{name} is half written' for name in product if product[name] != whole.get(name)]


class Encoding(Job):
    """A video to packed codes and to lossless video, which cameras write for hours."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        make_kth(root / 'long', subjects=1, scenarios=1, frames_per_sequence=80)
        self.video = sorted((root / 'long' / 'videos').iterdir())[0]
        save_encoder(build_encoder('bdq_hard'), root / 'encoder.json')

    def commands(self, folder: Path) -> list[list[str]]:
        # Killed at any moment, its files stand; only the user knows whether they are worth keeping.
        outputs = [folder / 'out.bdq', folder / 'out.mkv', '--overwrite']
        command = ['tools/encode_video.py', self.root / 'encoder.json', self.video, *outputs]
        folder.mkdir(exist_ok=True)
        return [list(map(str, command))]

    def product(self, folder: Path) -> Any:
        return {
            path.name: dict(bytes=path.read_bytes(), codes=standing(path))
            for path in files_of(folder)
        }

    def faults(self, folder: Path, whole: Any) -> list[str]:
        found = []
        for path in files_of(folder):
            codes, expected = standing(path), whole[path.name]['codes']
            if len(codes) and not np.array_equal(codes, expected[: len(codes)]):
                found.append(f'{path.name} has wrong codes among its first {len(codes)} frames')
        return found


JOBS: dict[str, type[Job]] = dict(
    training=Training,
    training_of_two=TrainingOfTwo,
    audit=Audit,
    preparation=Preparation,
    encoding=Encoding,
)


# ---------------------------------------------------------------------- what the jobs stand on
def files_of(folder: Path) -> list[Path]:
    """Files that are not hidden, as temporary ones are."""
    return sorted(p for p in folder.rglob('[!.]*') if p.is_file())


def broken_json(folder: Path) -> list[str]:
    """JSON documents that do not parse; the log of a training is one a line, and grows."""
    found = []
    for path in files_of(folder):
        if path.suffix == '.json' and 'vis_data' not in path.parts:
            try:
                json.loads(path.read_text())
            except ValueError as error:
                found.append(f'{path.name}: {error}')
    return found


def standing(path: Path) -> np.ndarray:
    """The codes that a file of codes holds before it breaks off."""
    frames = []
    try:
        reader = PackedReader(path) if path.suffix == '.bdq' else CodesVideoReader(path)
        frames.extend(reader)
    except (PackedError, SourceError):
        pass
    return np.stack(frames) if frames else np.empty(0, np.uint8)


def equals(a: Any, b: Any) -> bool:
    """Bit for bit, at any depth."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equals(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equals, a, b))
    return a == b
