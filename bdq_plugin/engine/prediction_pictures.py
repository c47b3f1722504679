"""Pictures of a test (``--show``, ``--show-dir``): what the networks saw and what they answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..models.privacy_recognizer import frames_of
from .hooks import encoder_of
from .loops import unwrap
from .visual_hooks import grid_of, to_unit

_LINE = 14  # pixels


@HOOKS.register_module()
class PredictionsHook(Hook):
    """Every ``interval``-th clip of a test as the networks saw it, under their answers.

    MMAction2's ``VisualizationHook`` draws over the clear video. This one shows encoded frames; the
    output of an encoder without a difference shows the person, so it is left out unless clear
    frames are asked for. It is off until ``--show`` or ``--show-dir`` turns it on.

    Args:
        enable: whether to draw.
        interval: draw one clip in so many, 1 or more.
        show: in a window.
        wait_time: seconds that the window stays.
        out_dir: folder for ``NUMBER_VIDEO.png``; None for no files.
        num_frames: frames of each clip.
        clear: also draw where that shows the person.
    """

    def __init__(
        self,
        enable: bool = False,
        interval: int = 1,
        show: bool = False,
        wait_time: float = 2.0,
        out_dir: str | None = None,
        num_frames: int = 6,
        clear: bool = False,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval must be 1 or more, got {interval}')
        self.enable, self.interval, self.num_frames = enable, interval, num_frames
        self.show, self.wait_time, self.clear = show, wait_time, clear
        self.out_dir = Path(out_dir) if out_dir else None

    def before_test(self, runner: Runner) -> None:
        """Refuse, before anything is tested, what would show the person."""
        if self.enable and not (self.clear or encoder_of(runner).signed):
            raise ValueError(
                "this encoder's output shows the person: --show and --show-dir draw it only with "
                '--cfg-options default_hooks.visualization.clear=True'
            )

    @master_only
    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw those of this batch whose turn it is."""
        if not self.enable:
            return
        first = batch_idx * (runner.test_dataloader.batch_size or 1)
        for i, sample in enumerate(outputs):
            if (first + i) % self.interval == 0:
                part = {name: values[i : i + 1] for name, values in data_batch.items()}
                text = answers(sample, runner.test_dataloader.dataset.metainfo)
                self._draw(runner, part, text, first + i, sample)

    def _draw(
        self, runner: Runner, batch: dict[str, Any], text: list[str], number: int, sample: Any
    ) -> None:
        preprocessor = unwrap(runner.model).data_preprocessor
        # Drawing must not change what the test draws next.
        with torch.no_grad(), torch.random.fork_rng():
            frames = frames_of(preprocessor(batch, False)['inputs'])[0].mean(1).float().cpu()
        frames = to_unit(frames.numpy(), preprocessor.encoder.signed)
        picture = with_caption(grid_of(frames[None], self.num_frames), text)
        name = f'{number:05d}_{Path(sample.metainfo.get("filename", "clip")).stem}.png'
        if self.out_dir is not None:
            self.out_dir.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(self.out_dir / name), picture[..., ::-1])
        if self.show:
            runner.visualizer.show(picture, win_name=name, wait_time=self.wait_time)


def answers(sample: Any, names: dict[str, Any]) -> list[str]:
    """What each network answered, how surely, and what is true: a line for each."""
    lines = []
    for task, kind, field, truth in (
        ('action', 'classes', 'pred_score', 'gt_label'),
        ('person', 'subjects', 'pred_subject_score', 'gt_subject'),
    ):
        scores = sample.get(field)
        if scores is None:
            continue
        scores = scores.mean(0) if scores.ndim == 2 else scores
        called = names.get(kind) or list(map(str, range(len(scores))))
        best, true = int(scores.argmax()), sample.get(truth)
        line = f'{task}: {called[best]} ({float(scores[best]):.0%})'
        lines.append(line if true is None else f'{line}, true {called[int(true)]}')
    return lines


def with_caption(picture: np.ndarray, lines: list[str]) -> np.ndarray:
    """A picture (H, W, 3), uint8, under black lines of text on white."""
    widths = [cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, 0.35, 1)[0][0] for line in lines]
    width = max([picture.shape[1], *(each + 4 for each in widths)])
    caption = np.full((_LINE * len(lines), width, 3), 255, np.uint8)
    for i, line in enumerate(lines, start=1):
        place = (2, _LINE * i - 4)
        cv2.putText(caption, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1)
    margin = ((0, 0), (0, width - picture.shape[1]), (0, 0))
    return np.concatenate([caption, np.pad(picture, margin, constant_values=255)])
