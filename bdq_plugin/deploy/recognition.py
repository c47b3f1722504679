"""Actions from a stream: of clear frames through the encoder, or of codes alone.

Both ways share the test pipeline of the config and the network. With codes there is no clear video
any more: levels become the values that they stand for, in place of the encoder's output.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from torch import nn

from ..camera_form import CameraForm
from ..datasets.video_reader import ArrayReader
from ..safe_load import load_checkpoint
from .streaming import decode

# What a test pipeline does before it has frames; codes begin behind it.
_TEMPORAL = ('ClipInit', 'SampleFrames', 'UniformSample', 'ClipDecode')


class Recognition(NamedTuple):
    """What was seen in one window: its first and last frame, a label, its probability."""

    first: int
    last: int
    label: str
    confidence: float


class ActionRecognizer:
    """A stage-2 recognizer on a sliding window.

    Args:
        config: file of the config, or the config. Its ``model`` has a ``BDQDataPreprocessor``.
        checkpoint: weights, None for those that the model is built with (tests).
        labels: names of the classes. By default those in the checkpoint or of the data set.
        device: where the network runs.

    Raises:
        FileNotFoundError, ValueError: a file is missing or does not fit, with its name.
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike | None = None,
        *,
        labels: Sequence[str] | None = None,
        device: str = 'cpu',
    ) -> None:
        if not isinstance(config, Config):
            if not Path(config).is_file():
                raise FileNotFoundError(f'no config {config}; the recipes are in configs/')
            config = Config.fromfile(config)
        init_default_scope('mmaction')
        self.config = config
        self.model: nn.Module = MODELS.build(config.model)
        self.preprocessor = getattr(self.model, 'data_preprocessor', None)
        if not hasattr(self.preprocessor, 'normalize_encoded'):
            raise ValueError(
                'the config has no BDQDataPreprocessor: name one of stage 2, such as '
                'configs/bdq_kth_action.py'
            )
        meta: dict[str, Any] = {}
        if checkpoint is not None:
            meta = load_weights(self.model, checkpoint)
        self.model.to(device).eval()
        self.pipeline = [dict(step) for step in config.test_pipeline]
        num_classes = self.model.cls_head.num_classes
        self.labels = _labels(labels, meta, config, num_classes)
        self._whole = Compose(self.pipeline)
        self._spatial = Compose([s for s in self.pipeline if s['type'] not in _TEMPORAL])

    @property
    def window(self) -> int:
        """Frames of clear video that one answer needs."""
        for step in self.pipeline:
            if 'clip_len' in step:
                return step['clip_len'] * step.get('frame_interval', 1)
        raise ValueError('no step of the test pipeline has a clip_len: give a window in frames')

    @property
    def code_window(self) -> int:
        """Frames of codes that one answer needs."""
        return self.window - self.preprocessor.encoder.drops_frames

    def on_frames(
        self, frames: Iterable[np.ndarray], *, window: int | None = None, stride: int | None = None
    ) -> Iterator[Recognition]:
        """Label windows of clear frames; the encoder runs inside the model.

        Args:
            frames: uint8, (H, W) or RGB (H, W, 3).
            window: frames an answer, :attr:`window` by default.
            stride: frames from one window to the next, half a window by default.
        """
        yield from _slide(frames, window or self.window, stride, self._label_frames)

    def on_codes(
        self,
        form: CameraForm,
        codes: Iterable[np.ndarray],
        *,
        window: int | None = None,
        stride: int | None = None,
    ) -> Iterator[Recognition]:
        """Label windows of codes; the encoder is not run.

        Args:
            form: what the codes stand for, from the packed file.
            codes: uint8 levels, (H, W) or (H, W, 3), frame after frame.
            window: frames of codes an answer, :attr:`code_window` by default.
            stride: frames from one window to the next, half a window by default.

        Raises:
            ValueError: the codes are of another encoder than the network was trained on.
        """
        self._check_form(form)
        yield from _slide(
            codes,
            window or self.code_window,
            stride,
            lambda clip: self._label_codes(form, clip),
        )

    def _check_form(self, form: CameraForm) -> None:
        encoder = self.preprocessor.encoder
        if not getattr(encoder, 'streamable', False):
            raise ValueError(
                'the network was trained on an encoder that has no codes: train stage 2 on one '
                "with range='fixed'"
            )
        own, given = encoder.integer_form().to_dict(), form.to_dict()
        other = [name for name in own if own[name] != given[name]]
        if other:
            raise ValueError(
                f'the codes come from another encoder than the network was trained on: {other} '
                'differ; encode with the encoder.json of the same work_dir'
            )

    @torch.no_grad()
    def _label_frames(self, clip: np.ndarray) -> tuple[str, float]:
        item = dict(_ITEM, video_reader=ArrayReader(clip), start_index=0, num_frames=len(clip))
        data = pseudo_collate([self._whole(item)])
        return self._best(self.model.test_step(data))

    @torch.no_grad()
    def _label_codes(self, form: CameraForm, clip: np.ndarray) -> tuple[str, float]:
        values = decode(form, clip)
        item = dict(
            _ITEM,
            imgs=list(values),
            img_shape=values.shape[1:3],
            original_shape=values.shape[1:3],
            num_clips=1,
            clip_len=len(values),
            frame_inds=np.arange(len(values)),
        )
        packed = self._spatial(item)
        inputs = packed['inputs'].float().to(next(self.model.parameters()).device)
        if self.preprocessor.format_shape == 'NCTHW':  # (1, C, T, H, W), one view
            x = self.preprocessor.normalize_encoded(inputs)[None]
        else:  # (T, C, H, W)
            x = self.preprocessor.normalize_encoded(inputs.transpose(0, 1)).transpose(0, 1)[None]
        return self._best(self.model(x.contiguous(), [packed['data_samples']], mode='predict'))

    def _best(self, samples: list[Any]) -> tuple[str, float]:
        scores = samples[0].pred_score
        best = int(scores.argmax())
        return self.labels[best], float(scores[best])


# What stock transforms expect of an item of a data set.
_ITEM = dict(filename='stream', modality='RGB', label=-1)


def _slide(
    frames: Iterable[np.ndarray],
    window: int,
    stride: int | None,
    label: Callable[[np.ndarray], tuple[str, float]],
) -> Iterator[Recognition]:
    stride = max(1, window // 2) if stride is None else stride
    if window < 1 or stride < 1:
        raise ValueError(f'window and stride are 1 frame or more, got {window} and {stride}')
    kept: list[np.ndarray] = []
    due = window - 1
    for index, frame in enumerate(frames):
        # The networks read three channels; a pipeline with ToGray makes one of them again.
        frame = frame[..., None] if frame.ndim == 2 else frame
        kept.append(np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame)
        del kept[:-window]
        if index == due:
            yield Recognition(index - window + 1, index, *label(np.stack(kept)))
            due += stride
    if due == window - 1:
        raise ValueError(
            f'the source has {len(kept)} frames, a window needs {window}: give a smaller --window'
        )


def load_weights(model: nn.Module, path: str | os.PathLike) -> dict[str, Any]:
    """Load a checkpoint of stage 2 into its model, all of it; runs no code of the file's.

    Returns:
        The checkpoint's ``meta``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint, or one of another model.
    """
    checkpoint = load_checkpoint(path)
    state = checkpoint.get('state_dict', checkpoint)
    if not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f'{path} holds no state_dict of tensors')
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reasons = [line.strip() for line in str(error).splitlines()[1:3]]
        raise ValueError(
            f'{path} does not fit the config: {" ".join(reasons)[:300]} Name the config that it '
            'was trained with'
        ) from error
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, dict) else {}


def _labels(
    labels: Sequence[str] | None, meta: dict[str, Any], config: Config, num_classes: int
) -> list[str]:
    if labels is not None:
        if len(labels) != num_classes:
            raise ValueError(f'{len(labels)} labels were given, the network has {num_classes}')
        return list(labels)
    kind = config.get('dataset', {}).get('type')
    known = [
        (meta.get('dataset_meta') or {}).get('classes'),
        getattr(DATASETS.get(kind), 'METAINFO', {}).get('classes') if kind else None,
    ]
    fitting = (names for names in known if names and len(names) == num_classes)
    return list(next(fitting, [f'class {i}' for i in range(num_classes)]))
