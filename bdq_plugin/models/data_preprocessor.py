"""The encoder as MMAction2's data preprocessor: no network can be handed a clear frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.logging import MessageHub
from mmengine.model import stack_batch
from torch import Tensor

from ..encoders import ClipEncoder
from ..encoders.files import CHECKPOINT_PREFIX
from .encoder_source import build_encoder_from_cfg, load_encoder_checkpoint
from .frame_counts import frames_of_a_view

# Statistics of Kinetics that the released code normalises by, on the scale 0 to 255.
KINETICS_MEAN = (110.64, 103.16, 96.29)
KINETICS_STD = (38.76, 37.88, 40.03)


# Dimensions of a stacked batch, and what one sample of it is.
LAYOUTS = {'NCTHW': (6, '(views, C, T, H, W)'), 'NCHW': (5, '(views * T, C, H, W)')}


@dataclass
class StagedBatch:
    """A batch on the device, made once and then encoded by as many steps as there are.

    Attributes:
        clips: clips as they come from the pipeline, each view of a sample for itself,
            (N, V, C, T, H, W) in either layout.
        data_samples: their labels, on the device.
        encoded: the whole clips, encoded without gradient, kept from the first step that needs them
            while the encoder rests; None makes the next step encode them anew.
    """

    clips: Tensor
    data_samples: SampleList
    encoded: Tensor | None = None


@MODELS.register_module()
class BDQDataPreprocessor(ActionDataPreprocessor):
    """Stack a batch, encode it, and bring it to the networks' range.

    ::

        uint8 (N, V, C, T, H, W)  -> [0, 1] -> encoder -> normalised (N, V, C, T', H, W)
        uint8 (N, V * T, C, H, W) -> [0, 1] -> encoder -> normalised (N, V * T', C, H, W)   2D

    Each of the V views of a sample is encoded for itself: each crop of ``ThreeCrop`` and
    ``TenCrop``, each sampling of ``twice_sample``, each of ``num_clips`` clips. Where
    ``clip_len=1``, as for TSN and TSM, the ``num_clips`` segments are the frames of one view.
    ``'NCHW'`` inputs do not show where a view ends; the samples' ``clip_len`` and ``num_clips``
    say it, which ``PackActionInputs`` packs wherever ``bdq_plugin`` is imported.

    Normalisation by ``mean`` and ``std`` comes after the encoder (before it where the encoder
    ``expects_normalized``). A difference has no mean to subtract, so a ``signed`` encoder's output
    is divided by ``std`` alone: the same as normalising the frames before they are subtracted.

    Args:
        encoder: see :func:`build_encoder_from_cfg`. One of mode ``'annealed'`` grows hard over a
            training by MMEngine's Runner.
        frozen: keep the encoder in evaluation mode and without gradient (re-training, use). If it
            is of a file, a checkpoint with other numbers is refused.
        mean, std: per channel, on the scale 0 to 255; one number each for grey video.
        to_rgb: the pipeline gives BGR, whose channels are put in the order RGB before they are
            encoded. Every stock decoder gives RGB.
        blending: batch augmentation of MMAction2 (``MixupBlending``, ``CutmixBlending``,
            ``RandomBatchAugment``) in training, after the encoder: what is mixed is what the
            network sees, as if two cameras were superposed.
        format_shape: as the pipeline's ``FormatShape``: ``'NCTHW'`` for 3D networks, ``'NCHW'`` for
            2D networks that read T segments.
        to_float32: always true, taken so that a stock ``data_preprocessor`` needs no other change.
        init_cfg: ``dict(type='Pretrained', checkpoint=PATH, prefix=...)`` loads the numbers of a
            trained encoder into this one and fails where they do not fit; ``dict(file=PATH)`` as
            ``encoder`` takes the whole encoder.

    Example:
        >>> model = dict(
        ...     type='Recognizer3D',
        ...     data_preprocessor=dict(
        ...         type='BDQDataPreprocessor', encoder='bdq_hard', frozen=True,
        ...         format_shape='NCTHW'))
    """

    def __init__(
        self,
        encoder: str | dict[str, Any] | ClipEncoder,
        *,
        frozen: bool = False,
        mean: Sequence[float] = KINETICS_MEAN,
        std: Sequence[float] = KINETICS_STD,
        to_rgb: bool = False,
        to_float32: bool = True,
        blending: dict[str, Any] | None = None,
        format_shape: str = 'NCHW',
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if format_shape not in LAYOUTS:
            raise ValueError(f"format_shape is 'NCTHW' or 'NCHW', got '{format_shape}'")
        if len(mean) != len(std):
            raise ValueError(f'mean has {len(mean)} channels, std has {len(std)}')
        if to_rgb and len(mean) != 3:
            raise ValueError(f'to_rgb=True is for three channels, mean has {len(mean)}')
        if not to_float32:
            raise ValueError('an encoder computes in float32: remove to_float32=False')
        if init_cfg is not None and init_cfg.get('type') != 'Pretrained':
            raise ValueError(
                f"init_cfg of the encoder must be of type 'Pretrained', got {init_cfg}"
            )
        super().__init__(to_rgb=to_rgb, blending=blending, format_shape=format_shape)
        self.encoder = build_encoder_from_cfg(encoder)
        self.frozen, self.init_cfg = frozen, init_cfg
        for name, values in (('mean', mean), ('std', std)):
            tensor = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1) / 255
            self.register_buffer(name, tensor, persistent=False)
        self.one_frame = False
        if frozen:
            self.encoder.requires_grad_(False)
            self.encoder.eval()
            self.encoder.pinned = True

    def init_weights(self) -> None:
        """Load the trained encoder that ``init_cfg`` names."""
        if self.init_cfg is not None:
            load_encoder_checkpoint(
                self.encoder,
                self.init_cfg['checkpoint'],
                self.init_cfg.get('prefix', CHECKPOINT_PREFIX),
            )

    def train(self, mode: bool = True) -> BDQDataPreprocessor:
        """A frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def stage(self, data: dict[str, Any]) -> StagedBatch:
        """Stack a batch on the device, for ``forward`` to encode as often as there are steps.

        Raises:
            ValueError: the inputs are not laid out as ``format_shape`` says, or the samples do not
                say how many frames one view has.
        """
        data = self.cast_data(data)
        return self._stage(data['inputs'], data['data_samples'])

    def forward(self, data: dict[str, Any] | StagedBatch, training: bool = False) -> dict[str, Any]:
        """Encode a batch of the data loader, or one that is staged already."""
        if not isinstance(data, StagedBatch):
            return super().forward(data, training)
        inputs, data_samples = self._encode_staged(data, training)
        return dict(inputs=inputs, data_samples=data_samples)

    def preprocess(
        self, inputs: list[Tensor], data_samples: SampleList, training: bool = False
    ) -> tuple[Tensor, SampleList]:
        """Stack and encode; called by ``ActionDataPreprocessor.forward`` on every path."""
        return self._encode_staged(self._stage(inputs, data_samples), training)

    def _stage(self, inputs: list[Tensor], data_samples: SampleList) -> StagedBatch:
        ndim, sample = LAYOUTS[self.format_shape]
        if inputs[0].ndim != ndim - 1:
            raise ValueError(
                f"format_shape='{self.format_shape}' reads samples {sample}, got one of shape "
                f'{tuple(inputs[0].shape)}: set model.data_preprocessor.format_shape to the '
                "input_format of the pipeline's FormatShape, and leave its collapse=False"
            )
        if len({clip.shape[-3 if self.format_shape == 'NCTHW' else 0] for clip in inputs}) > 1:
            # Stacking would fill up with black frames, from which the last one would be subtracted.
            raise ValueError(
                'the samples of a batch differ in their number of frames, got '
                f'{[tuple(clip.shape) for clip in inputs]}: sample a fixed number, or use '
                'batch_size=1'
            )
        clips = stack_batch(inputs)
        if self.format_shape == 'NCHW':
            frames = _frames_of_a_view(clips.shape[1], data_samples)
            clips = clips.unflatten(1, (-1, frames)).transpose(2, 3)
        return StagedBatch(clips[:, :, [2, 1, 0]] if self.to_rgb else clips, data_samples)

    def _encode_staged(self, batch: StagedBatch, training: bool) -> tuple[Tensor, SampleList]:
        """The networks' view of a batch in the layout of the pipeline, and its samples."""
        views = batch.clips.shape[:2]
        inputs = self.encode(batch.clips.flatten(0, 1), training, batch).unflatten(0, views)
        if self.format_shape == 'NCHW':
            # Recognizer2D uses .view, so the frames must be contiguous.
            inputs = inputs.transpose(2, 3).flatten(1, 2).contiguous()
        if training and self.blending is not None:
            return self.blending(inputs, batch.data_samples)
        return inputs, batch.data_samples

    def encode(
        self, frames_NCTHW: Tensor, training: bool = False, staged: StagedBatch | None = None
    ) -> Tensor:
        """Frames on the scale 0 to 255, (N, C, T, H, W), to the networks' view of them.

        In training with ``one_frame`` set, only one random frame is encoded, the same index for the
        whole batch and without gradient: all that the privacy step needs. Where a frame
        depends on the whole clip, that is encoded and the frame chosen, once a staged batch.
        """
        if frames_NCTHW.shape[1] != self.mean.shape[0]:
            raise ValueError(
                f'the clip has {frames_NCTHW.shape[1]} channels, mean and std have '
                f'{self.mean.shape[0]}: give as many numbers as the video has channels'
            )
        if training and not self.frozen:
            self.encoder.anneal_(training_progress())
        if training and self.one_frame:
            return self._encode_one_frame(frames_NCTHW, staged)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self._normalize(self.encoder(self.prepare(frames_NCTHW)))

    @torch.no_grad()
    def _encode_one_frame(self, frames_NCTHW: Tensor, staged: StagedBatch | None) -> Tensor:
        drops = self.encoder.drops_frames
        index = int(torch.randint(frames_NCTHW.shape[2] - drops, ()))
        if not self.encoder.uses_whole_clip:
            part = frames_NCTHW[:, :, index : index + 1 + drops]
            return self._normalize(self.encoder(self.prepare(part)))
        encoded = staged.encoded if staged else None
        if encoded is None:
            encoded = self.encoder(self.prepare(frames_NCTHW))
        if staged:
            staged.encoded = encoded
        return self._normalize(encoded[:, :, index : index + 1])

    def prepare(self, frames_NCTHW: Tensor) -> Tensor:
        """Frames on the scale 0 to 255 to the units that the encoder expects."""
        x_NCTHW = frames_NCTHW.float() / 255
        return (x_NCTHW - self.mean) / self.std if self.encoder.expects_normalized else x_NCTHW

    def _normalize(self, encoded_NCTHW: Tensor) -> Tensor:
        """An encoder's output to the networks' range."""
        if self.encoder.expects_normalized:
            return encoded_NCTHW
        return self.normalize_encoded(encoded_NCTHW)

    def normalize_encoded(self, encoded_NCTHW: Tensor) -> Tensor:
        """An encoder's output in the units of its input, to the networks' range."""
        if self.encoder.signed:
            return encoded_NCTHW / self.std
        return (encoded_NCTHW - self.mean) / self.std


def training_progress() -> float:
    """How much of a training by MMEngine's Runner is done: 0 in its first epoch, 1 in its last.

    By iterations where there are no epochs; 0 outside of a training.
    """
    info = MessageHub.get_current_instance().runtime_info
    for done, whole in (('epoch', 'max_epochs'), ('iter', 'max_iters')):
        if info.get(whole) and info[whole] > 1:
            return info.get(done, 0) / (info[whole] - 1)
    return 0.0


def _frames_of_a_view(frames: int, data_samples: SampleList) -> int:
    """How many of a sample's frames are one view, by what the pipeline has packed with them."""
    layouts = [(sample.get('clip_len'), sample.get('num_clips')) for sample in data_samples]
    layout = layouts[0]
    if layouts.count(layout) < len(layouts) or not all(isinstance(n, int) for n in layout):
        raise ValueError(
            "format_shape='NCHW' tells crops and clips apart by clip_len and num_clips in the "
            f"samples' metainfo, numbers that are the same for the whole batch; got {layouts}. End "
            'the pipeline with PackActionInputs or PackSubjectInputs, built after bdq_plugin was '
            'imported (custom_imports)'
        )
    view = frames_of_a_view(*layout)
    if frames % view:
        raise ValueError(
            f'{frames} frames of a sample are no whole number of views of {view} frames '
            f'(clip_len={layout[0]}, num_clips={layout[1]}): a step of the pipeline changes their '
            'number without saying so'
        )
    return view
