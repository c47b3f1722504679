"""Actions from a stream: of clear frames through the encoder, or of codes alone.

Both ways share the test pipeline of the config and the network. With codes there is no clear video
any more: levels become the values that they stand for, in place of the encoder's output.

Frames are chosen as the test pipeline chooses them. A recipe with ``SampleFrames`` reads frames at
a fixed distance: such windows slide over any stream. One with ``UniformSample``, or with segments
for a 2D network, spreads its frames over a whole clip: its window is the whole source.

Only frames that the recipe reads are kept. Which ones these are of a whole source depends on its
length: where that is not announced, or wrongly, the source is gone through twice.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from torch import nn

from ..camera_form import CameraForm
from ..encoders.files import CHECKPOINT_PREFIX, build_described
from ..engine.first_checks import check_device, read_recipe
from ..engine.heads import follow_data
from ..models.encoder_source import describe_by_checkpoint
from ..network_file import Network, names_network, read_network
from ..paths import find_config, find_recipe
from ..safe_load import load_checkpoint
from ..video.files import some_names
from ..video.reader import ArrayReader
from .streaming import decode

# What a test pipeline does before it knows which frames to read, and before it has them.
_CHOOSING = ('ClipInit', 'SampleFrames', 'UniformSample')
_TEMPORAL = (*_CHOOSING, 'ClipDecode')
# What gives clear frames the network's size.
_SIZING = ('Resize', 'WholeBlocks')
# Frames of a stream: arrays alone, or each behind its time in ms, as `TimedFrame` is.
Frames = Iterable[np.ndarray] | Iterable[tuple[int, np.ndarray]]


class Recognition(NamedTuple):
    """What was seen in one window: its first and last frame, a label, its probability.

    ``scores`` are the probabilities of all classes, float32 of shape (classes,); ``first_ms`` and
    ``last_ms`` the times of the two frames, None where frames came without; ``step_ms`` from the
    last frame but one to the last, None where there is none.
    """

    first: int
    last: int
    label: str
    confidence: float
    scores: np.ndarray
    first_ms: int | None = None
    last_ms: int | None = None
    step_ms: int | None = None


class Repeatable:
    """Frames that can be gone through again from the first: the whole of a file, for its length.

    Args:
        begin: gives a fresh iterator.
        num_frames: how many frames are announced, 0 where nobody knows.
    """

    def __init__(self, begin: Callable[[], Iterator[Any]], num_frames: int = 0) -> None:
        self._begin, self.num_frames = begin, num_frames

    def __iter__(self) -> Iterator[Any]:
        return self._begin()


class ActionRecognizer:
    """A stage-2 recognizer on a sliding window.

    Args:
        config: file of the config, or the config; its ``model`` has a ``BDQDataPreprocessor``. Or
            a published network, which needs nothing else: ``'zoo:NAME'`` or its file
            (:mod:`bdq_plugin.network_file`).
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
        network, encoder = None, None
        if names_network(config):
            if checkpoint is not None:
                raise ValueError(f'{config} has its weights in it: name no checkpoint')
            network, source = read_network(config), os.fspath(config)
            encoder = build_described(network.encoder, source)
            config = find_recipe(network.recipe)
        if not isinstance(config, Config):
            config = read_recipe(find_config(config))
        check_device(device)
        init_default_scope('mmaction')
        self.config = config
        if checkpoint is not None:
            describe_by_checkpoint(config.model, checkpoint)
        if network is not None:
            config.model.data_preprocessor.encoder = encoder
            config.model.cls_head.num_classes = len(network.classes)
        follow_data(config, None if checkpoint is None else lambda: _names(checkpoint))
        self.model: nn.Module = MODELS.build(config.model)
        self.preprocessor = getattr(self.model, 'data_preprocessor', None)
        if not hasattr(self.preprocessor, 'normalize_encoded'):
            raise ValueError(
                'the config has no BDQDataPreprocessor: name one of stage 2, such as '
                'configs/bdq_kth_action.py'
            )
        if not hasattr(self.model, 'cls_head') or 'test_pipeline' not in config:
            raise ValueError(
                'the config is of the game (stage 1) or has no test_pipeline: name one of stage 2, '
                'such as configs/bdq_kth_action.py, and its checkpoint'
            )
        meta: dict[str, Any] = {}
        if checkpoint is not None:
            meta = load_weights(self.model, checkpoint)
        if network is not None:
            _load_network(self.model, network, source)
            meta = dict(dataset_meta=dict(classes=network.classes))
        self.model.to(device).eval()
        num_classes = self.model.cls_head.num_classes
        self.labels = _labels(labels, meta, config, num_classes)
        self.pipeline = [dict(step) for step in config.test_pipeline]
        self._sampling = next((s for s in self.pipeline if 'clip_len' in s), None)
        if self._sampling is None:
            raise ValueError('no step of the test pipeline has a clip_len: it samples no frames')
        self._segments = self.preprocessor.format_shape == 'NCHW'
        self._decoding = Compose([s for s in self.pipeline if s['type'] not in _CHOOSING])
        # The sizes of a clear frame's pipeline are not those of codes that stand for blocks.
        block = getattr(self.preprocessor.encoder, 'block', 1)
        unwanted = _TEMPORAL if block == 1 else (*_TEMPORAL, *_SIZING)
        self._coded = Compose([s for s in self.pipeline if s['type'] not in unwanted])

    @property
    def reads_whole_clips(self) -> bool:
        """Whether the recipe spreads its frames over a whole clip, however long that is."""
        return self._segments or self._sampling['type'] == 'UniformSample'

    @property
    def interval(self) -> int:
        """Frames from one that the network reads to the next, where it reads no whole clips.

        A camera for this network encodes each ``interval``-th frame alone.
        """
        return self._sampling.get('frame_interval', 1)

    @property
    def frames_read(self) -> int:
        """Clear frames that one answer is made of."""
        clips = self._sampling.get('num_clips', 1) if self._segments else 1
        return clips * self._sampling['clip_len']

    @property
    def codes_read(self) -> int:
        """Frames of codes that one answer is made of."""
        return self.frames_read - self.preprocessor.encoder.drops_frames

    @property
    def window(self) -> int | None:
        """Clear frames from the first to the last that one answer needs; None: the whole source."""
        return None if self.reads_whole_clips else (self.frames_read - 1) * self.interval + 1

    @property
    def code_window(self) -> int | None:
        """Frames of codes that one answer needs; None: the whole source."""
        return None if self.reads_whole_clips else self.codes_read

    def on_frames(
        self, frames: Frames, *, window: int | None = None, stride: int | None = None
    ) -> Iterator[Recognition]:
        """Label windows of clear frames; the encoder runs inside the model.

        Args:
            frames: uint8, (H, W) or RGB (H, W, 3), each alone or behind its time in ms. For a whole
                source: a list, a :class:`Repeatable` or the like, not an iterator.
            window: frames an answer, :attr:`window` by default. A stream without end needs one
                where the recipe reads whole clips.
            stride: frames from one window to the next, half a window by default.

        Raises:
            ValueError: the source is shorter than a window, or an iterator without one.
        """
        plan = partial(self._plan, codes=False)
        window = self.window if window is None else window
        for clip in _clips(frames, window, stride, plan):
            yield self._answer(clip, self._score_frames(clip))

    def on_codes(
        self,
        form: CameraForm,
        codes: Frames,
        *,
        window: int | None = None,
        stride: int | None = None,
    ) -> Iterator[Recognition]:
        """Label windows of codes; the encoder is not run.

        The codes are of frames as far apart as those that the network was trained on:
        :attr:`interval`. A recipe that reads whole clips has no such number, and codes of
        consecutive frames are not what it was trained on; a warning says so.

        Args:
            form: what the codes stand for, from the packed file.
            codes: uint8 levels, (H, W) or (H, W, 3), otherwise as the frames of
                :meth:`on_frames`.
            window: frames of codes an answer, :attr:`code_window` by default.
            stride: frames from one window to the next, half a window by default.

        Raises:
            ValueError: the codes are of another encoder than the network was trained on, or fewer
                than a window.
        """
        self._check_form(form)
        plan = partial(self._plan, codes=True)
        window = self.code_window if window is None else window
        for clip in _clips(codes, window, stride, plan):
            yield self._answer(clip, self._score_codes(form, clip))

    def overall(self, answers: Sequence[Recognition]) -> Recognition:
        """One answer from those of all windows: the mean of their probabilities."""
        scores = np.mean([answer.scores for answer in answers], axis=0)
        times = dict(first=answers[0].first, first_ms=answers[0].first_ms)
        label, confidence = self._best(scores)
        return answers[-1]._replace(label=label, confidence=confidence, scores=scores, **times)

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

    def _plan(self, count: int, *, codes: bool) -> dict[str, Any]:
        """What the sampling step of the test pipeline says of a window of so many frames."""
        step = dict(self._sampling)
        if not self._segments:
            step['num_clips'] = 1  # a window is one view
        if self.reads_whole_clips:
            spread = 'num_clips' if step.get('num_clips', 1) > 1 else 'clip_len'
            step[spread] -= self.frames_read - self.codes_read if codes else 0
        else:
            interval = 1 if codes else self.interval
            step.update(clip_len=1 + (count - 1) // interval, frame_interval=interval)
        return TRANSFORMS.build(step).transform(dict(total_frames=count, start_index=0))

    @torch.no_grad()
    def _score_frames(self, clip: _Clip) -> np.ndarray:
        item = dict(_ITEM, **clip.plan)
        item.update(video_reader=ArrayReader(clip.frames), frame_inds=clip.places)
        samples = self.model.test_step(pseudo_collate([self._decoding(item)]))
        return samples[0].pred_score.cpu().numpy()

    @torch.no_grad()
    def _score_codes(self, form: CameraForm, clip: _Clip) -> np.ndarray:
        count = clip.plan['total_frames']
        if self.reads_whole_clips and count > 2 * self.codes_read:
            warnings.warn(
                f'the network was trained on differences of {self.frames_read} frames spread over '
                f'a clip; these are {count} codes of frames nearer to each other. Encode with '
                '--every, or train on consecutive frames (configs/bdq_ixmas_cpu_stream_action.py)',
                stacklevel=2,
            )
        values = self._as_read(decode(form, clip.frames[clip.places]))
        item = dict(
            _ITEM,
            imgs=list(values),
            img_shape=values.shape[1:3],
            original_shape=values.shape[1:3],
            num_clips=1,
            clip_len=len(values),
            frame_inds=clip.plan['frame_inds'],
        )
        packed = self._coded(item)
        inputs = packed['inputs'].float().to(next(self.model.parameters()).device)
        if self._segments:  # (T, C, H, W)
            x = self.preprocessor.normalize_encoded(inputs.transpose(0, 1)).transpose(0, 1)[None]
        else:  # (1, C, T, H, W), one view
            x = self.preprocessor.normalize_encoded(inputs)[None]
        samples = self.model(x.contiguous(), [packed['data_samples']], mode='predict')
        return samples[0].pred_score.cpu().numpy()

    def _as_read(self, values: np.ndarray) -> np.ndarray:
        """Values of codes, (T, H, W, C), of the size that the network reads, or ValueError."""
        block = getattr(self.preprocessor.encoder, 'block', 1)
        sides = [s['scale'][1] for s in self.pipeline if s['type'] == 'Resize']
        short_side = min(values.shape[1:3]) * block
        if block > 1 and sides and short_side != sides[-1] // block * block:
            raise ValueError(
                f'the codes are of frames of {short_side} pixels on the shorter side, the network '
                f'reads those of {sides[-1]}: encode with --short-side {sides[-1]}'
            )
        return values

    def _best(self, scores: np.ndarray) -> tuple[str, float]:
        best = int(scores.argmax())
        return self.labels[best], float(scores[best])

    def _answer(self, clip: _Clip, scores: np.ndarray) -> Recognition:
        last = clip.first + clip.plan['total_frames'] - 1
        return Recognition(clip.first, last, *self._best(scores), scores, *clip.times)


class _Clip(NamedTuple):
    """The frames of a window that the recipe reads.

    ``frames`` are these, uint8 (T, H, W, 3), each once and in order; ``places`` says which of them
    comes when. ``plan`` is what the sampling step has said of the window, ``first`` the window's
    first frame in the source, ``times`` the last three fields of a :class:`Recognition`.
    """

    frames: np.ndarray
    places: np.ndarray
    plan: dict[str, Any]
    first: int
    times: tuple[int | None, int | None, int | None]


Plan = Callable[[int], dict[str, Any]]


def _clips(frames: Frames, window: int | None, stride: int | None, plan: Plan) -> Iterator[_Clip]:
    stride = max(1, (window or 2) // 2) if stride is None else stride
    if stride < 1 or (window is not None and window < 1):
        raise ValueError(f'window and stride are 1 frame or more, got {window} and {stride}')
    if window is None:
        yield _whole_source(frames, plan)
    else:
        yield from _sliding(frames, window, stride, plan(window))


def _sliding(frames: Frames, window: int, stride: int, plan: dict[str, Any]) -> Iterator[_Clip]:
    wanted, places = np.unique(plan['frame_inds'], return_inverse=True)
    kept: dict[int, np.ndarray] = {}
    begins: dict[int, int | None] = {}
    start = count = 0
    for count, (time_ms, step_ms, pixels) in enumerate(_timed(frames), start=1):
        index = count - 1
        if index >= start and (index - start) % stride == 0:
            begins[index] = time_ms
        # Windows begin at `start` and each `stride` frames later; does one of them want this?
        offsets = index - start - wanted
        if ((offsets >= 0) & (offsets % stride == 0)).any():
            kept[index] = _three_channels(pixels)
        if count == start + window:
            clip = np.stack([kept[start + offset] for offset in wanted.tolist()])
            yield _Clip(clip, places, plan, start, (begins.pop(start), time_ms, step_ms))
            start += stride
            kept = {index: pixels for index, pixels in kept.items() if index >= start}
    if start == 0:
        raise ValueError(
            f'the source has {count} frames, a window needs {window}: give a smaller --window'
        )


def _whole_source(frames: Frames, plan: Plan) -> _Clip:
    if isinstance(frames, Iterator):
        raise ValueError(
            'the recipe spreads its frames over the whole source, which an iterator gives once: '
            'hand over a list or a Repeatable, or give a window'
        )
    count = len(frames) if isinstance(frames, Sized) else getattr(frames, 'num_frames', 0)
    for _ in range(2):
        chosen = plan(count) if count else dict(frame_inds=[])
        wanted, places = np.unique(chosen['frame_inds'], return_inverse=True)
        kept, found, times = _keep(frames, set(wanted.tolist()))
        if found == 0:
            raise ValueError('the source has no frames')
        if found == count:
            clip = np.stack([kept[index] for index in wanted.tolist()])
            return _Clip(clip, places, chosen, 0, times)
        count = found
    raise ValueError(f'the source gave another number of frames when it was read again: {found}')


def _keep(
    frames: Frames, wanted: set[int]
) -> tuple[dict[int, np.ndarray], int, tuple[int | None, int | None, int | None]]:
    kept, found, times = {}, 0, (None, None, None)
    for index, (time_ms, step_ms, pixels) in enumerate(_timed(frames)):
        times = (times[0] if index else time_ms, time_ms, step_ms)
        if index in wanted:
            kept[index] = _three_channels(pixels)
        found = index + 1
    return kept, found, times


def _timed(frames: Frames) -> Iterator[tuple[int | None, int | None, np.ndarray]]:
    """Each frame behind its time and the step to it from the one before, in ms."""
    before = None
    for frame in frames:
        time_ms, pixels = frame if isinstance(frame, tuple) else (None, frame)
        yield time_ms, None if time_ms is None or before is None else time_ms - before, pixels
        before = time_ms


def _three_channels(pixels: np.ndarray) -> np.ndarray:
    # The networks read three channels; a pipeline with ToGray makes one of them again.
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


# What stock transforms expect of an item of a data set.
_ITEM = dict(filename='stream', modality='RGB', label=-1)


def _names(path: str | os.PathLike) -> dict[str, Any]:
    """Names of classes and subjects that a checkpoint was trained on."""
    return (load_checkpoint(path).get('meta') or {}).get('dataset_meta') or {}


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
    mend = 'Name the config that it was trained with'
    _load_state(model, state, f'{path} does not fit the config', mend)
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, dict) else {}


def _load_network(model: nn.Module, network: Network, source: str) -> None:
    """Load a published network into its model, all of it; the encoder has its numbers already."""
    state = model.state_dict()  # which says its encoder, too
    for name in [name for name in state if not name.startswith(CHECKPOINT_PREFIX)]:
        del state[name]
    state.update({name: torch.from_numpy(values) for name, values in network.state.items()})
    mend = 'Use the version of the package that it was published with'
    _load_state(model, state, f'{source} does not fit {network.recipe}', mend)


def _load_state(model: nn.Module, state: dict[str, torch.Tensor], fault: str, mend: str) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reasons = [line.strip() for line in str(error).splitlines()[1:3]]
        raise ValueError(f'{fault}: {" ".join(reasons)[:300]} {mend}') from error


def _labels(
    labels: Sequence[str] | None, meta: dict[str, Any], config: Config, num_classes: int
) -> list[str]:
    if labels is not None:
        if len(labels) != num_classes:
            given = f'{len(labels)} labels were given, the network has {num_classes}'
            raise ValueError(f'{given}: {some_names(labels)}')
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f'two classes have the label {some_names(twice)}: name them apart')
        return list(labels)
    kind = config.get('dataset', {}).get('type')
    known = [
        (meta.get('dataset_meta') or {}).get('classes'),
        getattr(DATASETS.get(kind), 'METAINFO', {}).get('classes') if kind else None,
    ]
    fitting = (names for names in known if names and len(names) == num_classes)
    return list(next(fitting, [f'class {i}' for i in range(num_classes)]))
