"""Hooks that show a run while it trains: encoded frames in TensorBoard, a bar on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dataset import pseudo_collate
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..progress import duration_text
from .hooks import encoder_of
from .loops import unwrap


@HOOKS.register_module()
class EncodedFramesHook(Hook):
    """Every ``interval`` epochs: a grid of encoded frames, and a histogram of the thresholds.

    The grid goes to all backends of the visualizer, a row a clip; the histogram to TensorBoard.
    Clips are the same each time, spread over the validation set (the training set where there is
    none). The output of an encoder without a difference shows the person, so it is drawn only where
    clear frames are asked for.

    Args:
        interval: epochs between grids, 1 or more.
        num_clips: rows of the grid.
        num_frames: frames of each clip.
        clear: also draw the clear frames, as ``clear_frames``. They are then in the log directory.

    Example:
        >>> default_hooks = dict(encoded_frames=dict(type='EncodedFramesHook', interval=5))
    """

    def __init__(
        self, interval: int = 1, num_clips: int = 4, num_frames: int = 6, clear: bool = False
    ) -> None:
        for name, value in (('interval', interval), ('num_clips', num_clips)):
            if value < 1:
                raise ValueError(f'{name} must be 1 or more, got {value}')
        self.interval, self.num_clips, self.num_frames = interval, num_clips, num_frames
        self.clear = clear
        self._frames: torch.Tensor | None = None

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Say once what will not be drawn."""
        if not self._draws(encoder_of(runner)):
            runner.logger.info(
                "this encoder's output shows the person: EncodedFramesHook draws it only with "
                'clear=True'
            )

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Draw, if it is this epoch's turn."""
        epoch = runner.epoch + 1
        if epoch % self.interval and epoch != runner.max_epochs:
            return
        encoder = encoder_of(runner)
        if self._draws(encoder):
            frames = self._clips(runner)
            # Drawing must not change what training draws next.
            with torch.random.fork_rng():
                encoded = self._encoded(runner, frames)
            runner.visualizer.add_image('encoded_frames', _grid(encoded, self.num_frames), epoch)
            if self.clear:
                clear = frames.float().mean(1).cpu().numpy() / 255
                runner.visualizer.add_image('clear_frames', _grid(clear, self.num_frames), epoch)
        self._add_histogram(runner, encoder, epoch)

    def _draws(self, encoder: Any) -> bool:
        return self.clear or encoder.signed

    def _clips(self, runner: Runner) -> torch.Tensor:
        """uint8 clips (N, C, T, H, W), decoded once; of several views the first."""
        if self._frames is None:
            loop = runner.val_loop or runner.train_loop
            dataset = loop.dataloader.dataset
            chosen = np.unique(np.linspace(0, len(dataset) - 1, self.num_clips).round().astype(int))
            stage = unwrap(runner.model).data_preprocessor.stage
            clips = [stage(pseudo_collate([dataset[int(i)]])).clips[0, 0] for i in chosen]
            self._frames = torch.stack([clip for clip in clips if clip.shape == clips[0].shape])
        return self._frames

    @torch.no_grad()
    def _encoded(self, runner: Runner, frames: torch.Tensor) -> np.ndarray:
        """What the networks see, (N, T', H, W), scaled to [0, 1]."""
        preprocessor = unwrap(runner.model).data_preprocessor
        encoder, training = preprocessor.encoder, preprocessor.training
        preprocessor.eval()
        encoded = preprocessor.encode(frames.to(preprocessor.mean.device)).mean(1).cpu().numpy()
        preprocessor.train(training)
        if not encoder.signed:
            low, high = encoded.min(), encoded.max()
            return (encoded - low) / max(high - low, 1e-6)
        # No motion is mid grey.
        return 0.5 + encoded / (2 * max(float(np.abs(encoded).max()), 1e-6))

    def _add_histogram(self, runner: Runner, encoder: Any, epoch: int) -> None:
        thresholds = encoder.extra_state().get('thresholds')
        backend = runner.visualizer.get_backend('TensorboardVisBackend')
        if thresholds and backend is not None:
            backend.experiment.add_histogram('encoder/thresholds', np.array(thresholds), epoch)


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """On a terminal, one line with the rate and the time left; elsewhere the log's own lines do.

    Args:
        interval: seconds between two drawings.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: float = 0.5) -> None:
        self.interval = interval
        self._start = self._shown = 0.0
        self._first = 0

    def before_train(self, runner: Runner) -> None:
        """Start the clock; a resumed run is timed from where it goes on."""
        self._start, self._first = time.monotonic(), runner.iter

    @master_only
    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Draw, unless it was drawn just now."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._shown < self.interval:
            return
        self._shown = now
        done, total = runner.iter + 1, runner.max_iters
        rate = (done - self._first) / max(now - self._start, 1e-6)
        bar = ('#' * round(24 * done / total)).ljust(24)
        left = (total - done) / max(rate, 1e-6)
        # The cursor returns to the start, so that the log's next line takes the bar's place.
        print(
            f'[{bar}] epoch {runner.epoch + 1}/{runner.max_epochs}, {done}/{total}, '
            f'{rate:.1f} it/s, {duration_text(left)} left\033[K',
            end='\r',
            file=sys.stderr,
            flush=True,
        )


def _grid(clips_NTHW: np.ndarray, columns: int) -> np.ndarray:
    """Values in [0, 1] as one RGB picture (uint8), a row a clip, with white lines between."""
    frames = clips_NTHW.shape[1]
    shown = np.linspace(0, frames - 1, min(columns, frames)).round().astype(int)
    tiles = np.pad(clips_NTHW[:, shown], ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1.0)
    clips, count, height, width = tiles.shape
    grey = tiles.transpose(0, 2, 1, 3).reshape(clips * height, count * width)
    return np.repeat((255 * grey.clip(0, 1)).round().astype(np.uint8)[..., None], 3, axis=2)
