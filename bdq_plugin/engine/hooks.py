"""Hooks of the game: random state, range, hardness, restarts, label checks and encoder files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dataset import worker_init_fn
from mmengine.device import get_device
from mmengine.dist import all_reduce, broadcast, get_rank, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed
from torch import nn

from ..encoders import save_encoder
from .loops import unwrap
from .recipe import ACTS_AT, idle_switches


def encoder_of(runner: Runner):
    """The encoder of the running model.

    Raises:
        ValueError: the model's data preprocessor has no encoder.
    """
    encoder = getattr(getattr(unwrap(runner.model), 'data_preprocessor', None), 'encoder', None)
    if encoder is None:
        raise ValueError(
            'this hook needs an encoder: model.data_preprocessor must be of type '
            "'BDQDataPreprocessor'"
        )
    return encoder


def innermost(dataset: Any) -> Any:
    """The (first) data set within wrappers, such as ``RepeatDataset``."""
    while hasattr(dataset, 'dataset') or hasattr(dataset, 'datasets'):
        dataset = dataset.dataset if hasattr(dataset, 'dataset') else dataset.datasets[0]
    return dataset


@HOOKS.register_module()
class SeedEpochHook(Hook):
    """Draw the random numbers of an epoch from the run's seed and the epoch's number.

    A run that is resumed at the end of an epoch then continues bit for bit like one that was never
    interrupted. Workers of the data loader are seeded too; MMEngine gives them the same seed in
    every epoch, unless they persist, when a resumed run could not repeat what they drew.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """See that the workers are started anew in every epoch."""
        if runner.train_dataloader.persistent_workers:
            raise ValueError(
                'train_dataloader.persistent_workers=True cannot be resumed exactly; set it to '
                'False, or remove SeedEpochHook'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process and the workers that it is about to start."""
        seed = (runner.seed + 100_003 * (runner.epoch + 1) + 997 * get_rank()) % 2**32
        set_random_seed(seed)
        loader = runner.train_dataloader
        if loader.num_workers:
            loader.worker_init_fn = partial(
                worker_init_fn, num_workers=loader.num_workers, rank=get_rank(), seed=seed
            )


@HOOKS.register_module()
class CalibrateRangeHook(Hook):
    """Set the fixed range of the quantiser from the training set, before training.

    It is measured in the units that the encoder works in: normalised ones where it
    ``expects_normalized``.

    Args:
        quantile: share of the magnitudes that shall lie in range, above 0, at most 1.
        num_batches: batches to look at.
    """

    def __init__(self, quantile: float = 0.999, num_batches: int = 8) -> None:
        if not 0 < quantile <= 1:
            raise ValueError(f'quantile must be above 0 and at most 1, got {quantile}')
        self.quantile, self.num_batches = quantile, num_batches

    @torch.no_grad()
    def before_train(self, runner: Runner) -> None:
        """Look at the first batches; a resumed run keeps its range."""
        encoder = encoder_of(runner)
        if not getattr(encoder, 'quantizes', False):
            raise ValueError('CalibrateRangeHook needs an encoder with quantisation')
        if encoder.quantize.range != 'fixed':
            raise ValueError(
                f"CalibrateRangeHook sets a fixed range, this encoder's is "
                f"'{encoder.quantize.range}'; set range='fixed' or remove the hook"
            )
        if runner.iter > 0:
            return
        limit = torch.stack([self._limit(runner, batch) for batch in self._batches(runner)]).max()
        all_reduce(limit, 'max')
        encoder.set_range_(limit.item())
        runner.logger.info(f'calibrated the range of the encoder to +-{limit.item():.4f}')

    def _batches(self, runner: Runner):
        for index, batch in enumerate(runner.train_dataloader):
            if index == self.num_batches:
                return
            yield batch

    def _limit(self, runner: Runner, batch: dict[str, Any]) -> torch.Tensor:
        preprocessor = unwrap(runner.model).data_preprocessor
        frames = preprocessor.stage(batch).clips.flatten(0, 1)
        values = preprocessor.encoder.motion(preprocessor.prepare(frames)).abs().flatten()
        # A quantile of at most a million values: torch.quantile takes no more than 16 million.
        stride = max(1, values.numel() // 1_000_000)
        return values[::stride].quantile(self.quantile).clamp(min=1e-3).to(get_device())


@HOOKS.register_module()
class HardnessAnnealingHook(Hook):
    """Set how hard an encoder of mode ``'annealed'`` becomes, where it shall not be from 5 to 20.

    The encoder anneals by itself, with or without this hook: geometrically, epoch by epoch.

    Args:
        start, end: hardness in the first and in the last epoch.
    """

    def __init__(self, start: float = 5.0, end: float = 20.0) -> None:
        if not 0 < start <= end:
            raise ValueError(f'hardness must rise from above 0, got start={start}, end={end}')
        self.start, self.end = start, end

    def before_train(self, runner: Runner) -> None:
        """Set both ends."""
        encoder = encoder_of(runner)
        if not getattr(encoder, 'quantizes', False) or encoder.quantize.mode != 'annealed':
            raise ValueError("HardnessAnnealingHook needs an encoder with mode='annealed'")
        encoder.quantize.annealing = self.start, self.end


@HOOKS.register_module()
class RestartPrivacyHook(Hook):
    """Give the privacy networks fresh weights every ``interval`` epochs.

    An encoder that has only learned to fool one network is found out by a new one (Wu et al.).

    Args:
        interval: epochs between restarts, 1 or more.
    """

    def __init__(self, interval: int) -> None:
        if interval < 1:
            raise ValueError(f'interval counts epochs and must be 1 or more, got {interval}')
        self.interval = interval

    def before_train_epoch(self, runner: Runner) -> None:
        """Restart at the head of an epoch, the same weights in every process."""
        if runner.epoch == 0 or runner.epoch % self.interval:
            return
        model = unwrap(runner.model)
        model.restart_privacy()
        for tensor in model.privacy.state_dict().values():
            broadcast(tensor)
        runner.optim_wrapper['privacy'].optimizer.state.clear()
        runner.logger.info(f'restarted the privacy networks at epoch {runner.epoch + 1}')


@HOOKS.register_module()
class SaveEncoderHook(Hook):
    """Write ``encoder.json`` into the work directory after every epoch: 16 numbers, no code.

    It says for which frames it is: their size, and ``every`` n-th where ``frame_interval`` is n.
    """

    def before_train(self, runner: Runner) -> None:
        """Forget the frames of another training."""
        self._clip: torch.Tensor | None = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep a clip of the first batch. It is looked at after the epoch: that waits for a GPU."""
        if self._clip is None and isinstance(data_batch, dict) and 'inputs' in data_batch:
            self._clip = data_batch['inputs'][0]

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Write the encoder of this epoch over that of the last."""
        dataset = innermost(runner.train_dataloader.dataset)
        metadata = dict(
            epoch=runner.epoch + 1,
            max_epochs=runner.max_epochs,
            experiment=runner.cfg.get('experiment_name', runner.experiment_name),
            seed=runner.seed,
            alpha=getattr(unwrap(runner.model), 'alpha', None),
            dataset=type(dataset).__name__,
            protocol=getattr(dataset, 'protocol', None),
            fold=getattr(dataset, 'fold', None),
        )
        if self._clip is not None:
            metadata['frames'] = _describe_frames(self._clip)
        if (every := _interval(dataset)) > 1:
            metadata['every'] = every
        save_encoder(encoder_of(runner), f'{runner.work_dir}/encoder.json', metadata)


def _interval(dataset: Any) -> int:
    """Frames from one that is encoded to the next; 1 where they are spread over a clip."""
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    return max((getattr(step, 'frame_interval', 1) for step in steps), default=1)


def _describe_frames(clip: torch.Tensor) -> dict[str, int]:
    """Size and channels, for whoever encodes with it: of (clips, C, T, H, W) or (T, C, H, W)."""
    height, width = clip.shape[-2:]
    colours = clip.movedim(-4 if clip.dim() == 5 else -3, 0)
    grey = bool((colours == colours[:1]).all())  # luma may come thrice
    return dict(height=height, width=width, channels=1 if grey else 3)


@HOOKS.register_module()
class CheckSwitchesHook(Hook):
    """Refuse a config that sets a switch of the command line as a variable, which nothing reads."""

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Look before anything is trained."""
        for name in idle_switches(runner.cfg):
            raise ValueError(
                f'{name} = {runner.cfg[name]!r} stands at the top of the config, where nothing '
                f'reads it: write it where it acts ({ACTS_AT[name]}), or on the command line '
                f'(--cfg-options {name}=...)'
            )


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Compare the heads' class counts with the data: its names before training, then its labels.

    Labels are looked at before they go to the device, so that no iteration waits for it.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Check the training set."""
        self._check(runner, runner.train_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Check the test set."""
        self._check(runner, runner.test_dataloader.dataset)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Check the labels of a batch."""
        for kind, where, head in _heads(unwrap(runner.model)):
            field = dict(classes='gt_label', subjects='gt_subject')[kind]
            for sample in data_batch['data_samples']:
                labels = sample.get(field)
                if labels is None or labels.shape != (1,) or labels.is_floating_point():
                    continue  # several labels at once, or none: its head says so
                if not 0 <= int(labels) < head.num_classes:
                    raise ValueError(
                        f'a clip has {field} {int(labels)}, outside {where}.num_classes='
                        f'{head.num_classes}; set it to the number of {kind}'
                    )

    def _check(self, runner: Runner, dataset: Any) -> None:
        for kind, where, head in _heads(unwrap(runner.model)):
            if kind not in dataset.metainfo:
                continue
            found, expected = len(dataset.metainfo[kind]), head.num_classes
            if found != expected:
                raise ValueError(
                    f'{where}.num_classes={expected}, but the data set has {found} {kind}: '
                    f'{", ".join(dataset.metainfo[kind])}; set num_classes={found}'
                )


def _heads(model: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    """Heads of one label a sample: what they tell apart, where they stand, and they themselves."""
    head = getattr(getattr(model, 'recognizer', model), 'cls_head', None)
    heads = [] if head is None else [('cls_head', head)]
    heads += [('privacy.cls_head', network.cls_head) for network in getattr(model, 'privacy', ())]
    for where, head in heads:
        if not getattr(head, 'attributes', False):
            people = where.startswith('privacy') or type(head).__name__ == 'PrivacyHead'
            yield 'subjects' if people else 'classes', where, head
