"""Mistakes of a first day, found before any epoch is spent and said in one sentence.

Each check raises what names the culprit and the mend. What other parts of the package say of their
own arguments stays there.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.conv import _ConvNd

from ..datasets.annotations import shorten
from ..safe_load import load_checkpoint
from .heads import kinds_of
from .loops import unwrap
from .workdir import WorkDirInUse

_PACKAGE = str(Path(__file__).resolve().parents[1])
_PYTHON = sysconfig.get_path('stdlib')
_CHANNELS = re.compile(r'expected input\[.*\] to have (\d+) channels, but got (\d+) channels')


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the process with an error's message alone, where this package has raised it on purpose,
    where the system refuses a file, or where a config gives a class what it does not take.

    Errors that come from elsewhere keep their traceback.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, WorkDirInUse) as error:
        sentence = _sentence_of(error)
        if sentence is None:
            raise
        sys.exit(f'error: {sentence}')


def _sentence_of(error: Exception) -> str | None:
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, OSError):  # which the standard library's own functions raise as well
        files = [file for file in files if not _is_of_python(file)]
    if isinstance(error, TypeError):
        is_of_config = f'{os.sep}mmengine{os.sep}' in files[-1] and ' argument' in str(error)
        return f'{error}: mend the config, or its --cfg-options' if is_of_config else None
    return str(error) if files[-1].startswith(_PACKAGE) else None


def _is_of_python(file: str) -> bool:
    return 'site-packages' not in file and file.startswith((_PYTHON, '<frozen'))


def read_recipe(path: str) -> Config:
    """Read a config, and see that it is one of a model, such as the recipes are."""
    try:
        cfg = Config.fromfile(path)
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise ValueError(
            f'{path} is no config ({error}): name the config first, then its checkpoint'
        ) from error
    if isinstance(cfg.get('model'), dict) and 'type' in cfg.model:
        return cfg
    kind = 'it names no model'
    if 'panel' in cfg:
        kind = 'it is a panel, for `tools/audit.py --panel`'
    elif 'dataset' in cfg:
        kind = 'it is a data set alone'
    raise ValueError(f'{path} is no recipe: {kind}; name one such as configs/bdq_kth.py')


def check_start(cfg: Config) -> None:
    """See that the processes and the work directory are there, and a clip a batch and an epoch."""
    if cfg.get('launcher') == 'pytorch':
        if 'RANK' not in os.environ:
            raise ValueError(
                '--launcher pytorch is for processes that torchrun starts: run '
                '`tools/dist_train.sh CONFIG NUMBER_OF_PROCESSES`, or leave the option out'
            )
        rank, gpus = int(os.environ.get('LOCAL_RANK', 0)), torch.cuda.device_count()
        if gpus and rank >= gpus:
            raise ValueError(
                f'process {rank} has no GPU: this machine has {gpus}; start {gpus} processes'
            )
    work_dir = cfg.get('work_dir')
    if work_dir and os.path.exists(work_dir) and not os.path.isdir(work_dir):
        raise NotADirectoryError(f'{work_dir} is a file: name another folder with --work-dir')
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    numbers = [(loader, 'batch_size') for loader in loaders]
    for part, name in [*numbers, ('train_cfg', 'max_epochs'), ('train_cfg', 'max_iters')]:
        number = (cfg.get(part) or {}).get(name)
        if number is not None and (not isinstance(number, int) or number < 1):
            raise ValueError(f'{part}.{name} is a whole number from 1, got {number!r}')


def check_training(runner: Runner) -> None:
    """See that an epoch has a batch, and that labels fit the heads."""
    if runner.cfg.get('train_dataloader') is None:
        raise ValueError(f'{runner.cfg.filename} has no train_dataloader: it is for testing alone')
    loader = runner.train_loop.dataloader
    if len(loader) == 0:
        batch, clips = loader.batch_size, len(loader.sampler)
        raise ValueError(
            f'train_dataloader.batch_size={batch} is more than the {clips} clips that a process '
            f'has of the data set, and drop_last leaves no batch: set batch_size to {clips} or less'
        )
    check_labels(runner.model, loader.dataset, 'train_dataloader')


def check_testing(runner: Runner, checkpoint: str | os.PathLike) -> None:
    """See that there is something to test on, by a checkpoint of this model and these classes."""
    if runner.cfg.get('test_dataloader') is None:
        raise ValueError(
            f'{runner.cfg.filename} has no test_dataloader, test_cfg and test_evaluator: '
            'there is nothing to test on'
        )
    dataset, document = runner.test_loop.dataloader.dataset, load_checkpoint(checkpoint)
    _check_classes(document, checkpoint, dataset.metainfo, kinds_of(runner.cfg.model))
    check_labels(runner.model, dataset, 'test_dataloader')
    _check_weights(document, checkpoint, runner.model)


def _check_classes(
    document: dict[str, Any],
    checkpoint: str | os.PathLike,
    metainfo: dict[str, Any],
    kinds: Collection[str],
) -> None:
    """See that a checkpoint was trained for the classes of the data.

    MMEngine loads any other and scores it by the places of their names.

    Args:
        document: what the checkpoint holds.
        checkpoint: its file, for messages.
        metainfo: of the data set that is tested.
        kinds: what the model's heads tell apart: ``'classes'``, ``'subjects'``, ``'attributes'``.
    """
    trained = document.get('meta', {}).get('dataset_meta') or {}
    for kind in sorted(kinds):
        known, asked = trained.get(kind), metainfo.get(kind)
        if known and asked and list(known) != list(asked):
            raise ValueError(
                f'{checkpoint} was trained to tell {kind} {shorten(list(known))}, but the data set '
                f'has {shorten(list(asked))}: test it on data of the same {kind}, in the same '
                'order, or train a network for these'
            )


def _check_weights(
    document: dict[str, Any], checkpoint: str | os.PathLike, model: nn.Module
) -> None:
    """See that a checkpoint holds every weight of a model, which MMEngine only warns of.

    Args:
        document: what the checkpoint holds.
        checkpoint: its file, for messages.
        model: in a distributed wrapper or not.
    """
    held = {
        name.removeprefix('module.'): tuple(getattr(value, 'shape', ()))
        for name, value in document.get('state_dict', document).items()
    }
    own = {name: tuple(value.shape) for name, value in unwrap(model).state_dict().items()}
    missing = [name for name in own if name not in held]
    other = [name for name in own if name in held and held[name] != own[name]]
    reasons = []
    if missing:
        reasons.append(f'it lacks {len(missing)} of its {len(own)} weights, such as {missing[0]}')
    if other:
        name = other[0]
        reasons.append(f'{name} is of shape {held[name]}, the model needs {own[name]}')
    if reasons:
        raise ValueError(
            f'{checkpoint} is of another model than the config: {"; ".join(reasons)}. Name the '
            'config, and the options, that it was trained with'
        )


def check_labels(model: nn.Module, dataset: Any, where: str) -> None:
    """See that no action label lies outside the head, where the data set names no classes.

    Where it names them, :class:`~bdq_plugin.engine.hooks.CheckLabelsHook` counts them.
    """
    head = getattr(getattr(unwrap(model), 'recognizer', unwrap(model)), 'cls_head', None)
    classes = getattr(head, 'num_classes', None)
    metainfo = getattr(dataset, 'metainfo', {})
    if classes is None or 'classes' in metainfo or 'subjects' in metainfo:
        return
    for index in range(len(dataset)):
        item = dataset.get_data_info(index)
        label = item.get('label')
        for one in label if isinstance(label, list | tuple) else [label]:
            if isinstance(one, int) and not 0 <= one < classes:
                raise ValueError(
                    f'{where}: {item.get("filename", f"clip {index}")} has the label {one}, but '
                    f'the head has num_classes={classes}, for labels from 0 to {classes - 1}: '
                    'mend the list of clips, or set num_classes'
                )


@contextmanager
def explained(runner: Runner) -> Iterator[None]:
    """Say of which network torch speaks where the channels of a batch do not fit."""
    try:
        yield
    except RuntimeError as error:
        match = _CHANNELS.search(str(error))
        if match is None:
            raise
        needed, given = map(int, match.groups())
        names = [name for name, stem in _stems(unwrap(runner.model)) if stem == needed]
        raise ValueError(
            f'{" and ".join(names) or "a network"} begins with in_channels={needed}, but the clips '
            f'have {given} channels: set in_channels={given}, or make {needed} channels in the '
            'pipeline (ToGray gives 1, without it there are 3) and in the mean and std of '
            'data_preprocessor'
        ) from error


def _stems(model: nn.Module) -> Iterator[tuple[str, int]]:
    """Each backbone's name, and the channels that its first convolution takes."""
    for name, module in model.named_modules():
        if name.endswith('backbone'):
            stem = next((m for m in module.modules() if isinstance(m, _ConvNd)), None)
            if stem is not None:
                yield name, stem.in_channels


def check_device(device: str) -> None:
    """See that a device exists on this machine.

    Raises:
        ValueError: with those that there are.
    """
    gpus = torch.cuda.device_count()
    found = ['cpu', *(['cuda'] if gpus else []), *(f'cuda:{index}' for index in range(gpus))]
    if device not in found:
        raise ValueError(f'this machine has no device {device!r}: choose {" or ".join(found)}')
