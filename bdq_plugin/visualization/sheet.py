"""A clip after each part of an encoder: as a sheet of frames, and as an animation."""

from __future__ import annotations

import io
import os
from pathlib import Path

import av
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from ..atomic_files import write_bytes
from ..encoders import BDQEncoder
from ..encoders.bdq import to_uint8
from ..models.data_preprocessor import KINETICS_MEAN, KINETICS_STD

CLEAR_STAGES = ('clear', 'B', 'restored')
CLEAR_NOTE = 'The person is to be seen in: {rows}'


def network_input(encoder: BDQEncoder, clips_NCTHW: torch.Tensor) -> torch.Tensor:
    """uint8 clips as an encoder expects them: in [0, 1], normalised for the released code."""
    x_NCTHW = clips_NCTHW.float() / 255
    if not encoder.expects_normalized:
        return x_NCTHW
    mean, std = _statistics(clips_NCTHW.shape[1])
    return (x_NCTHW - mean) / std


def encoding_stages(encoder: BDQEncoder, frames_CTHW: torch.Tensor) -> dict[str, np.ndarray]:
    """What each part of an encoder leaves of a clip.

    Args:
        encoder: with or without each of its parts.
        frames_CTHW: uint8 frames of one clip.

    Returns:
        Name of the stage to its frames (T or T - 1, H, W), the mean over the channels: ``clear``
        and ``B`` in [0, 1], ``D`` and ``Q soft`` signed, ``Q hard`` in whole levels.
    """
    encoder = encoder.eval()
    x_NCTHW = network_input(encoder, frames_CTHW[None])
    with torch.no_grad():
        stages = {'clear': frames_CTHW[None].float() / 255}
        blurred = encoder.blur(x_NCTHW)
        if encoder.blurs:
            stages['B'] = _unnormalized(encoder, blurred)
        if encoder.signed:
            stages['D'] = encoder.difference(blurred)
        if encoder.quantizes:
            mode, encoder.quantize.mode = encoder.quantize.mode, 'soft'
            stages['Q soft'] = encoder(x_NCTHW)
            encoder.quantize.mode = mode
            codes_of = x_NCTHW if encoder.expects_normalized else to_uint8(x_NCTHW)
            stages['Q hard'] = encoder.codes(codes_of).float()
    return {name: stage[0].mean(0).numpy() for name, stage in stages.items()}


def contact_sheet(
    encoder: BDQEncoder,
    frames_CTHW: torch.Tensor,
    columns: int = 6,
    title: str = '',
    *,
    clear: bool = True,
    restored_CTHW: torch.Tensor | None = None,
) -> Figure:
    """Frames of a clip after each part of the encoder, a row a part.

    Args:
        encoder: see :func:`encoding_stages`.
        frames_CTHW: uint8 frames of one clip, at least 2.
        columns: frames to show, spread over the clip.
        title: shown above.
        clear: with the rows that show the person, ``clear`` and ``B``; a line under the sheet then
            says so.
        restored_CTHW: what an inversion attack made of the clip, in [0, 1].
    """
    stages = _shown_stages(encoder, frames_CTHW, clear, restored_CTHW)
    last = frames_CTHW.shape[1] - 1
    shown = np.linspace(1, last, min(columns, last)).round().astype(int)
    height, width = frames_CTHW.shape[2:]
    note = _note(stages, encoder)
    margin = 0.1 + 0.25 * bool(title) + 0.2 * bool(note)
    figure, axes = plt.subplots(
        len(stages),
        1,
        figsize=(1.1 * len(shown) + 0.3, 1.1 * len(stages) * height / width + margin),
        squeeze=False,
        layout='constrained',
    )
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for axis, (name, frames) in zip(axes[:, 0], stages.items(), strict=True):
        # A difference frame t shows the step from t - 1 to t of the clear clip.
        offset = frames_CTHW.shape[1] - len(frames)
        axis.imshow(_side_by_side(frames[shown - offset]), **_scale(name, frames, encoder))
        axis.set(xticks=[], yticks=[], ylabel=name)
        axis.spines[:].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=10)
    if note:
        figure.supxlabel(note, fontsize=8)
    return figure


def animate(
    encoder: BDQEncoder,
    frames_CTHW: torch.Tensor,
    path: str | os.PathLike,
    fps: int = 8,
    *,
    clear: bool = True,
    restored_CTHW: torch.Tensor | None = None,
    height: int = 144,
) -> Path:
    """Write a clip after each part of the encoder side by side, in motion.

    Args:
        encoder, frames_CTHW, clear, restored_CTHW: see :func:`contact_sheet`.
        path: a ``.gif`` or ``.mp4`` file, written to a temporary name and renamed.
        fps: frames a second.
        height: of a frame in the picture, in pixels.

    Raises:
        ValueError: ``path`` ends in something else.
    """
    path = Path(path)
    encode = {'.gif': _gif, '.mp4': _mp4}.get(path.suffix.lower())
    if encode is None:
        raise ValueError(f"cannot animate into '{path.name}': end its name in .gif or .mp4")
    stages = _shown_stages(encoder, frames_CTHW, clear, restored_CTHW)
    return write_bytes(path, encode(_pictures(stages, encoder, height), fps))


def _shown_stages(
    encoder: BDQEncoder,
    frames_CTHW: torch.Tensor,
    clear: bool,
    restored_CTHW: torch.Tensor | None,
) -> dict[str, np.ndarray]:
    stages = encoding_stages(encoder, frames_CTHW)
    if not clear:
        stages = {name: frames for name, frames in stages.items() if not _is_clear(name, encoder)}
    if restored_CTHW is not None:
        stages['restored'] = restored_CTHW.float().mean(0).numpy()
    if not stages:
        raise ValueError(
            'this encoder leaves only pictures that show the person, and clear=False asks for none'
        )
    return stages


def _is_clear(name: str, encoder: BDQEncoder) -> bool:
    # Without a difference even the last stage shows the person.
    return name in CLEAR_STAGES or not encoder.signed


def _note(stages: dict[str, np.ndarray], encoder: BDQEncoder) -> str:
    """What must be said of a picture that shows somebody."""
    rows = [name for name in stages if _is_clear(name, encoder)]
    return CLEAR_NOTE.format(rows=', '.join(rows)) if rows else ''


def _side_by_side(frames_THW: np.ndarray) -> np.ndarray:
    """Frames as one picture: an axis for each would take seconds. NaN, the gaps, is not drawn."""
    gap = max(1, round(0.03 * frames_THW.shape[2]))
    spaced = np.pad(frames_THW.astype(float), ((0, 0), (0, 0), (0, gap)), constant_values=np.nan)
    return np.hstack(list(spaced))[:, :-gap]


def _statistics(channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (C, 1, 1, 1) on the scale 0 to 1."""
    tensors = (torch.tensor(values[:channels]) for values in (KINETICS_MEAN, KINETICS_STD))
    mean, std = (tensor.view(-1, 1, 1, 1) / 255 for tensor in tensors)
    return mean, std


def _unnormalized(encoder: BDQEncoder, x_NCTHW: torch.Tensor) -> torch.Tensor:
    if not encoder.expects_normalized:
        return x_NCTHW
    mean, std = _statistics(x_NCTHW.shape[1])
    return x_NCTHW * std + mean


def _scale(name: str, frames: np.ndarray, encoder: BDQEncoder) -> dict[str, object]:
    """Grey values for a stage: [0, 1], all levels, or symmetric about no motion."""
    if name in CLEAR_STAGES:
        return dict(cmap='gray', vmin=0, vmax=1)
    if name == 'Q hard':
        return dict(cmap='gray', vmin=0, vmax=encoder.quantize.num_levels - 1)
    limit = float(np.abs(frames).max()) or 1.0
    return dict(cmap='gray', vmin=-limit if encoder.signed else 0, vmax=limit)


def _pictures(stages: dict[str, np.ndarray], encoder: BDQEncoder, height: int) -> list[np.ndarray]:
    """RGB pictures (H, W, 3), one an instant: the stages in a row under their names."""
    count = min(map(len, stages.values()))
    rows, columns = next(iter(stages.values())).shape[1:]
    aspect, dpi = columns / rows, 100
    note = _note(stages, encoder)
    size = (len(stages) * (height * aspect + 6) / dpi, (height + 24 + 20 * bool(note)) / dpi)
    figure, axes = plt.subplots(
        1, len(stages), figsize=size, dpi=dpi, squeeze=False, layout='constrained'
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    images = []
    for axis, (name, frames) in zip(axes[0], stages.items(), strict=True):
        images.append(axis.imshow(frames[0], **_scale(name, frames, encoder)))
        axis.set_title(name, fontsize=9, pad=2)
        axis.set(xticks=[], yticks=[])
    if note:
        figure.supxlabel(note, fontsize=8)
    pictures = []
    for instant in range(count):
        for image, frames in zip(images, stages.values(), strict=True):
            # The last frames of all stages belong together: a difference has no first.
            image.set_data(frames[len(frames) - count + instant])
        figure.canvas.draw()
        figure.set_layout_engine('none')  # all instants have the first one's
        pictures.append(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    plt.close(figure)
    return pictures


def _gif(pictures: list[np.ndarray], fps: int) -> bytes:
    # All of it is grey, and fewer greys make a file that a README can load.
    first, *rest = (Image.fromarray(p).convert('L').quantize(64) for p in pictures)
    stream = io.BytesIO()
    duration = round(1000 / fps)
    first.save(stream, 'gif', save_all=True, append_images=rest, duration=duration, loop=0)
    return stream.getvalue()


def _mp4(pictures: list[np.ndarray], fps: int) -> bytes:
    stream = io.BytesIO()
    # Players want even sides.
    height, width = (side - side % 2 for side in pictures[0].shape[:2])
    with av.open(stream, 'w', format='mp4') as container:
        track = container.add_stream('libx264', rate=fps)
        track.width, track.height, track.pix_fmt = width, height, 'yuv420p'
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(picture[:height, :width]), format='rgb24'
            )
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return stream.getvalue()
