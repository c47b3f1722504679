"""Pixels of a frame: upright, 8 bits, RGB or grey.

There is one grey, whatever a video is stored as: the BT.601 luma of its RGB pixels, which for a
frame without colour is its grey value. Stored luma is not that: it has another range, and in BT.709
video other weights.
"""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec

import av
import av.filter
import numpy as np

# Rows and columns change places, then rows are turned about, and columns.
Turn = tuple[bool, bool, bool]
_UPRIGHT = (False, False, False)


class RGBConverter:
    """From the frames of a stream, of any pixel format, to uint8 RGB, (H, W, 3), upright.

    By FFmpeg's own filter, as its command does it: swscale alone does not know where a frame's
    samples of colour lie, and gives other colours for 10 bits, interlaced video and DV. Colour
    matrix and range are those that a frame names, else BT.601 and the limited range.
    """

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._kind: tuple[object, ...] | None = None
        self._turn: Turn | None = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        kind = (
            frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range
        )  # fmt: skip
        if kind != self._kind:
            self._graph, self._kind = _graph_of(frame), kind
        self._graph.push(frame)
        rgb = self._graph.pull().to_ndarray()
        self.see(frame)
        return rgb if self._turn == _UPRIGHT else _turned(rgb, self._turn)

    def see(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Take note of a frame that need not be converted, for a key frame says how those behind it
        lie; its upright (H, W).
        """
        if self._turn is None or frame.key_frame:
            self._turn = _turn_of(frame)
        transposed, *_ = self._turn
        return (frame.width, frame.height) if transposed else (frame.height, frame.width)


def _graph_of(frame: av.VideoFrame) -> av.filter.Graph:
    """A filter from frames like this one to RGB."""
    graph = av.filter.Graph()
    # FFmpeg's own choice spends four times as long on handing rows around.
    graph.threads = 1
    size = dict(width=frame.width, height=frame.height, format=frame.format)
    graph.link_nodes(
        graph.add_buffer(**size, time_base=Fraction(1, 1000)),
        graph.add('format', 'rgb24'),
        graph.add('buffersink'),
    ).configure()
    return graph


def is_grey(frame: av.VideoFrame) -> bool:
    """Whether a frame's pixel format has no colour."""
    return frame.format.name.startswith(('gray', 'mono'))


def luma_of_rgb(rgb: np.ndarray) -> np.ndarray:
    """uint8 (..., H, W, 3) -> (..., H, W): BT.601 luma; of grey, the grey value.

    It is OpenCV's, (9798 R + 19235 G + 3735 B + 2^14) >> 15, and computed by it where it is
    installed, which is faster.
    """
    if find_spec('cv2') is None:
        red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
        return ((9798 * red + 19235 * green + 3735 * blue + (1 << 14)) >> 15).astype(np.uint8)
    import cv2

    *others, width, channels = rgb.shape
    rows = np.ascontiguousarray(rgb).reshape(-1, width, channels)
    return cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY).reshape(*others, width)


def _turn_of(frame: av.VideoFrame) -> Turn:
    """What the display matrix says that a phone wrote beside the pictures.

    The matrix sends the point (x, y) to (a x + c y, b x + d y). Right angles and mirrors only,
    which are all that cameras write; another angle is taken as the nearest of them.
    """
    beside = frame.side_data
    data = beside.get('DISPLAYMATRIX') if len(beside) else None
    if data is None:
        return _UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    is_turned = abs(b) > abs(a)
    return (is_turned, b < 0, c < 0) if is_turned else (is_turned, d < 0, a < 0)


def _turned(pixels: np.ndarray, turn: Turn) -> np.ndarray:
    transposed, upside_down, mirrored = turn
    if transposed:
        pixels = np.swapaxes(pixels, 0, 1)
    pixels = pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
    return np.ascontiguousarray(pixels)
