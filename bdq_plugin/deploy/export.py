"""The encoder for other run times: ONNX and ``torch.export``, with dynamic sizes, and C; encoder
and action network together in the first two.

Two forms of one encoder. ``step`` is a camera's: a frame and the state in, codes and the state out,
in whole numbers and so bit for bit those of :class:`StreamingEncoder`. ``clip`` is training's: a
whole clip through the soft quantiser, equal but for float rounding.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..camera_form import CameraForm
from ..encoders import BDQEncoder
from ..encoders.functional import resample, separable_filter
from ..encoders.integer import integer_block_mean
from .c_core import form_header

if TYPE_CHECKING:
    from .recognition import ActionRecognizer

FORMS = ('step', 'clip')
FILE_FORMATS = ('.onnx', '.pt2', '.h')
OPSET = 18


def extra_inputs(form: CameraForm) -> list[str]:
    """What a step takes beyond frame and state, in this order."""
    return [
        name for name, present in dict(noise=form.dither, places=form.geometry).items() if present
    ]


class FrameStep(nn.Module):
    """One frame of a stream, in whole numbers that float32 holds exactly.

    Args:
        form: ``encoder.integer_form()``. The noise of a dither is an input: it belongs to the
            camera, not to a graph whose random numbers every run time draws in its own way. So are
            the places of a geometric dither, whose secret belongs into no file.

    Raises:
        ValueError: an encoder with randomised response.
    """

    def __init__(self, form: CameraForm) -> None:
        super().__init__()
        _refuse_randomized_response(form.flip)
        self.magnitude = form.magnitude
        self.extra_inputs = extra_inputs(form)
        self.difference, self.padding, self.block = form.difference, form.padding, form.block
        self.thresholds = [float(threshold) for threshold in form.thresholds]
        kernel = torch.tensor(form.kernel, dtype=torch.float32)
        self.register_buffer('kernel', kernel, persistent=False)

    def forward(
        self, frame_HWC: Tensor, state_CHW: Tensor, *extra: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Encode a frame.

        Args:
            frame_HWC: uint8, (H, W, C).
            state_CHW: float32, (C, H / block, W / block): what the step before returned. Any
                values, such as zeros, for the first frame, whose codes mean nothing where the
                encoder differences.
            extra: ``noise`` for an encoder with dither: float32, shaped like the state, fresh whole
                numbers for every frame, as :func:`bdq_plugin.deploy.streaming.draw_noise` draws.
                ``places`` for one with geometric dither: int32 (2, H, W), where the pixels of this
                frame are taken from, as :class:`bdq_plugin.geometry.Path` has them.

        Returns:
            uint8 codes (H / block, W / block, C), and the state for the next step.
        """
        inputs = dict(zip(self.extra_inputs, extra, strict=True))
        x_NCTHW = frame_HWC.permute(2, 0, 1)[None, :, None].float()
        if 'places' in inputs:
            x_NCTHW = (resample(x_NCTHW, inputs['places'][None, None]) + 0.5).floor()
        means = self.means(x_NCTHW)[0, :, 0]
        # Without a difference the state is only passed on: the signature stays the same.
        values = means - state_CHW if self.difference else means + 0 * state_CHW
        if 'noise' in inputs:
            values = values + inputs['noise']
        return self.levels(values).to(torch.uint8).permute(1, 2, 0), means

    def means(self, x_NCTHW: Tensor) -> Tensor:
        """Frames on the scale 0 to 255, blurred, and their means of blocks."""
        blurred = separable_filter(x_NCTHW, self.kernel, self.padding)
        return integer_block_mean(blurred, self.block)

    def levels(self, values: Tensor) -> Tensor:
        """Levels of values of any shape, int32."""
        if self.magnitude:
            values = values.abs()
        # One comparison a threshold: `bucketize` has no counterpart in ONNX.
        return sum((values > threshold).to(torch.int32) for threshold in self.thresholds)


def _refuse_randomized_response(flip: float) -> None:
    if flip:
        raise ValueError(
            'an encoder with randomised response (flip) has no export: its bound rests on draws of '
            'the operating system, which a graph cannot make; use '
            'bdq_plugin.deploy.StreamingEncoder'
        )


class WindowScores(nn.Module):
    """A window of clear frames to what a network says of it: encoder and network as one.

    Args:
        recognizer: one whose network reads clips, (N, C, T, H, W).

    Raises:
        ValueError: the network reads segments, or its encoder has no form in whole numbers or
            draws something at random.
    """

    def __init__(self, recognizer: ActionRecognizer) -> None:
        super().__init__()
        preprocessor, model = recognizer.preprocessor, recognizer.model
        if preprocessor.format_shape != 'NCTHW':
            raise ValueError("a network that reads segments ('NCHW') has no export: use a 3D one")
        form = preprocessor.encoder.integer_form()
        if extra_inputs(form):
            raise ValueError(
                'an encoder with dither has no export together with a network, for what is random '
                "is drawn outside of a graph: export the encoder alone, form 'step'"
            )
        self.difference, self.low, self.step = form.difference, form.low, form.step
        self.encoder = FrameStep(form)
        self.std, self.mean = preprocessor.std, preprocessor.mean
        self.signed = preprocessor.encoder.signed
        self.backbone, self.head = model.backbone, model.cls_head

    def forward(self, frames_THWC: Tensor) -> Tensor:
        """uint8 frames (T, H, W, C) of the size of training to scores, float32 (classes,)."""
        means = self.encoder.means(frames_THWC.permute(3, 0, 1, 2)[None].float())
        values = means[:, :, 1:] - means[:, :, :-1] if self.difference else means
        encoded = self.low + self.encoder.levels(values).float() * self.step
        x_NCTHW = (encoded if self.signed else encoded - self.mean) / self.std
        return self.head.average_clip(self.head(self.backbone(x_NCTHW)), 1)[0]


class SoftClip(nn.Module):
    """A whole clip through the soft form of an encoder.

    Args:
        encoder: an encoder without dither. A hard quantiser is exported as the soft one that its
            gradient comes from.
    """

    def __init__(self, encoder: BDQEncoder) -> None:
        super().__init__()
        _refuse_randomized_response(encoder.flip)
        if encoder.dither or encoder.geometry is not None:
            raise ValueError(
                "an encoder with dither has no form 'clip', for what is random is drawn outside of "
                "a graph: export the form 'step', or build it with dither=0, geometric_dither=None"
            )
        self.encoder = copy.deepcopy(encoder).eval()
        if encoder.quantizes:
            self.encoder.quantize.mode = 'soft'

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        """Floats (N, C, T, H, W), in [0, 1] for most encoders, to the networks' view."""
        return self.encoder.encode(x_NCTHW)


def export_program(encoder: BDQEncoder, form: str) -> torch.export.ExportedProgram:
    """An encoder as a graph of torch operators with dynamic sizes.

    Args:
        encoder: a trained encoder of the BDQ family.
        form: ``'step'``, or ``'clip'`` for clips of 3 frames or more.

    Raises:
        ValueError: no such form, or the encoder cannot take it.
    """
    if form not in FORMS:
        raise ValueError(f"unknown form '{form}': choose one of {FORMS}")
    _check_exportable(encoder)
    Dim = torch.export.Dim
    rows, columns, channels = Dim('rows'), Dim('columns'), Dim('channels', min=1)
    block = encoder.block
    # The sizes of frames are whole numbers of blocks.
    height, width = (rows, columns) if block == 1 else (block * rows, block * columns)
    if form == 'step':
        module = FrameStep(encoder.integer_form())
        frame = torch.zeros(6 * block, 8 * block, 3, dtype=torch.uint8)
        arguments = (frame, torch.zeros(3, 6, 8))
        state = {0: channels, 1: rows, 2: columns}
        dynamic = ({0: height, 1: width, 2: channels}, state)
        places = torch.zeros(2, 6 * block, 8 * block, dtype=torch.int32)
        extra = dict(noise=(torch.zeros(3, 6, 8), state), places=(places, {1: height, 2: width}))
        chosen = [extra[name] for name in module.extra_inputs]
        arguments += tuple(example for example, _ in chosen)
        if chosen:  # one entry for all of `*extra`
            dynamic = (*dynamic, tuple(sizes for _, sizes in chosen))
    else:
        module = SoftClip(encoder)
        arguments = (torch.rand(2, 3, 5, 6 * block, 8 * block),)
        # `torch.export` takes a dimension of 1, here that of the differences, for a special case.
        frames = Dim('frames', min=3)
        dynamic = ({0: Dim('clips'), 1: channels, 2: frames, 3: height, 4: width},)
    with torch.no_grad():
        return torch.export.export(module.eval(), arguments, dynamic_shapes=dynamic)


def export_encoder(encoder: BDQEncoder, path: str | os.PathLike, form: str = 'step') -> Path:
    """Write an encoder as ``.onnx`` (opset 18), ``.pt2`` (``torch.export``) or ``.h`` (``bdq.h``).

    Inputs and outputs of the ONNX file: ``frame``, ``state`` (and, of an encoder with dither,
    ``noise``, with geometric dither ``places``) to ``codes`` and ``new_state`` (``'step'``),
    ``clip`` to ``encoded`` (``'clip'``). All sizes are dynamic.

    Args:
        encoder: a trained encoder.
        path: file to write; its suffix names the format.
        form: see :func:`export_program`.

    Raises:
        ValueError: another suffix, or see :func:`export_program`.
        ImportError: ONNX needs the packages onnx and onnxscript.
    """
    path = _checked(path, FILE_FORMATS)
    if path.suffix == '.h':
        path.write_text(_header(encoder, form))
        return path
    program = export_program(encoder, form)
    if form == 'clip':
        return _save(program, path, ['clip'], ['encoded'])
    inputs = ['frame', 'state', *extra_inputs(encoder.integer_form())]
    return _save(program, path, inputs, ['codes', 'new_state'])


def export_network(recognizer: ActionRecognizer, path: str | os.PathLike) -> Path:
    """Write encoder and action network together, ``.onnx`` (opset 18) or ``.pt2``.

    ``frames``, uint8 (T, H, W, C), to ``scores``, float32 (classes,), the probabilities of most
    networks. T is the window of the network; H and W are dynamic, and mean what the test pipeline
    makes of a frame. The ONNX file's metadata say ``classes`` (a JSON list), ``interval`` (frames
    from one that is read to the next) and ``pipeline`` (JSON).

    Args:
        recognizer: with its weights.
        path: file to write; its suffix names the format.

    Raises:
        ValueError: another suffix, or see :class:`WindowScores`.
        ImportError: ONNX needs the packages onnx and onnxscript.
    """
    path = _checked(path, ('.onnx', '.pt2'))
    module = WindowScores(recognizer).eval()
    block, Dim = module.encoder.block, torch.export.Dim
    sides = Dim('rows', min=3), Dim('columns', min=3)
    height, width = sides if block == 1 else (block * side for side in sides)
    frames = torch.zeros(
        recognizer.frames_read, 8 * block, 6 * block, len(module.std), dtype=torch.uint8
    )
    with torch.no_grad():
        program = torch.export.export(module, (frames,), dynamic_shapes=({1: height, 2: width},))
    said = dict(
        classes=json.dumps(recognizer.labels),
        interval=str(recognizer.interval),
        pipeline=json.dumps(recognizer.pipeline),
    )
    return _save(program, path, ['frames'], ['scores'], said)


def _checked(path: str | os.PathLike, suffixes: Sequence[str]) -> Path:
    path = Path(path)
    if path.suffix not in suffixes:
        raise ValueError(f'{path}: an export ends in one of {", ".join(suffixes)}')
    if not path.parent.is_dir():
        raise FileNotFoundError(f'no folder {path.parent} to write {path.name} to: make it')
    return path


def _save(
    program: torch.export.ExportedProgram,
    path: Path,
    inputs: list[str],
    outputs: list[str],
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    if path.suffix == '.pt2':
        torch.export.save(program, path)
        return path
    onnx_program = torch.onnx.export(
        program,
        input_names=inputs,
        output_names=outputs,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    onnx_program.model.metadata_props.update(metadata)
    onnx_program.save(path)
    return path


def _check_exportable(encoder: object) -> None:
    if not isinstance(encoder, BDQEncoder):
        raise ValueError(f'{type(encoder).__name__} is a rival for audits and has no export')


def _header(encoder: BDQEncoder, form: str) -> str:
    if form != 'step':
        raise ValueError(f"a header holds the form 'step', which cameras run, not '{form}'")
    _check_exportable(encoder)
    return form_header(encoder.integer_form())
