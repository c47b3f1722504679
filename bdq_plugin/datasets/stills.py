"""Still images as clips, so that an encoder of motion can be asked what it shows of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..video.container import VideoError
from ..video.reader import ArrayReader


@TRANSFORMS.register_module()
class StillInit(BaseTransform):
    """Open a still image as a clip in which a window moves over it, like a camera that pans.

    It stands where ``ClipInit`` stands for videos. A still has no motion, and an encoder of motion
    shows nothing of it: a privacy figure on stills that do not move would flatter every such
    encoder. The window moves at the same speed in each clip, in a direction that depends on the
    file's name alone.

    Reads ``filename``. Adds ``video_reader``, ``total_frames``, ``start_index`` and ``avg_fps``.

    Args:
        clip_len: Frames of the clip.
        pan: How far the window moves from frame to frame, as a share of the picture's shorter side.
    """

    def __init__(self, clip_len: int = 17, pan: float = 0.01) -> None:
        if clip_len < 1:
            raise ValueError(f'clip_len must be 1 or more frames, got {clip_len}')
        if not 0 <= pan * (clip_len - 1) < 0.5:
            raise ValueError(
                f'{clip_len} frames of pan={pan} move over {pan * (clip_len - 1):.2f} of the '
                'picture, which must be from 0 to less than 0.5'
            )
        self.clip_len, self.pan = clip_len, pan

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']``."""
        name = results['filename']
        picture = cv2.imdecode(np.fromfile(name, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise VideoError(f'{name}: not a readable picture')
        frames = self._pan(np.ascontiguousarray(picture[..., ::-1]), Path(name).name)
        results['video_reader'] = ArrayReader(frames)
        results.update(total_frames=self.clip_len, start_index=0, avg_fps=0.0)
        return results

    def _pan(self, picture: np.ndarray, name: str) -> np.ndarray:
        """(H, W, 3) -> (T, h, w, 3): windows of one size along a straight line."""
        height, width = picture.shape[:2]
        reach = int(self.pan * (self.clip_len - 1) * min(height, width))
        rng = np.random.default_rng(list(name.encode('utf-8', 'surrogateescape')))
        down, right = rng.choice([-1, 0, 1], 2)
        if down == right == 0:
            right = 1
        steps = np.linspace(0, reach, self.clip_len).astype(int)
        rows, columns = (
            steps if sign > 0 else reach - steps if sign < 0 else np.full_like(steps, reach // 2)
            for sign in (down, right)
        )
        return np.stack(
            [
                picture[y : y + height - reach, x : x + width - reach]
                for y, x in zip(rows, columns, strict=True)
            ]
        )

    def __repr__(self) -> str:
        return f'{type(self).__name__}(clip_len={self.clip_len}, pan={self.pan})'
