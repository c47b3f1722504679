"""Pixels of a frame: upright, 8 bits, RGB or grey.

There is one grey, whatever a video is stored as: the BT.601 luma of its RGB pixels, which for a
frame without colour is its grey value. Stored luma is not that: it has another range, and in BT.709
video other weights.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter


class RGBConverter:
    """From frames of any pixel format to uint8 RGB, (H, W, 3), upright.

    Colour matrix and range are those that the frame names, else BT.601 and the limited range.
    """

    def __init__(self) -> None:
        # Of a frame's own one, each frame would cost the making.
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        # One thread: swscale's own choice spends four times as long on handing rows around.
        rgb = self._reformatter.reformat(frame, format='rgb24', threads=1).to_ndarray()
        return upright(frame, rgb)


def is_grey(frame: av.VideoFrame) -> bool:
    """Whether a frame's pixel format has no colour."""
    return frame.format.name.startswith(('gray', 'mono'))


def luma_of_rgb(rgb: np.ndarray) -> np.ndarray:
    """uint8 (..., H, W, 3) -> (..., H, W): BT.601 luma; of grey, the grey value.

    It is OpenCV's: (9798 R + 19235 G + 3735 B + 2^14) >> 15.
    """
    import cv2

    *others, width, channels = rgb.shape
    rows = np.ascontiguousarray(rgb).reshape(-1, width, channels)
    return cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY).reshape(*others, width)


def upright(frame: av.VideoFrame, pixels: np.ndarray) -> np.ndarray:
    """Turn and mirror pixels, (H, W, ...), as the display matrix says that a phone wrote beside
    them.

    The matrix sends the point (x, y) to (a x + c y, b x + d y). Right angles and mirrors only,
    which are all that cameras write; another angle is taken as the nearest of them.
    """
    data = frame.side_data.get('DISPLAYMATRIX')
    if data is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        pixels = np.swapaxes(pixels, 0, 1)
        a, d = c, b
    pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)
