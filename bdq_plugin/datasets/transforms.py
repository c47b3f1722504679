"""Pipeline parts that MMAction2 lacks; its own transforms work between them.

``ClipInit -> SampleFrames | UniformSample -> ClipDecode -> Resize, MultiScaleCrop, Flip, ... ->
FormatShape -> PackSubjectInputs``
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.datasets.transforms import PackActionInputs
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..camera_form import check_block, whole_blocks
from ..video.isolation import IsolatedVideo
from ..video.pixels import luma_of_rgb
from ..video.reader import VideoFile, VideoReader

_META_KEYS = (
    'img_shape',
    'filename',
    'start_index',
    'num_frames',
    'subject_name',
    'action_name',
    'recording',
    'scenario',
    'sequence',
    'take',
    'camera',
    'session',
    'held_out',
)


@TRANSFORMS.register_module()
class ClipInit(BaseTransform):
    """Open the video of a clip.

    Reads ``filename``, and where present ``start_index`` and ``num_frames`` (the clip within its
    video). Adds ``video_reader``, ``total_frames`` (frames of the *clip*) and ``avg_fps``. Stock
    ``SampleFrames``, ``UniformSample`` and ``DenseSampleFrames`` sample in ``[0, total_frames)``
    and then add ``start_index``: they stay within the clip. An item without these fields (the
    inferencer's) is its whole video.

    ``video_frames`` and ``sha256``, where present, say how the file was when it was prepared: it is
    checked against them.

    Args:
        timeout: Seconds that decoding may take, in a process of its own (see
            :mod:`bdq_plugin.video.isolation`): there a decoder that crashes or hangs is a
            VideoError. ``None`` decodes in this process, where it is the end of it.
    """

    def __init__(self, timeout: float | None = 60.0) -> None:
        if timeout is not None and timeout <= 0:
            raise ValueError(f'timeout must be more than 0 seconds, or None, got {timeout}')
        self.timeout = timeout

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']``, unless the data set's cache has set ``video_reader``."""
        reader = results.get('video_reader')
        if reader is None:
            reader = results['video_reader'] = self._open(results)
        start = results.setdefault('start_index', 0)
        results['total_frames'] = results.get('num_frames') or len(reader) - start
        results['avg_fps'] = reader.fps
        return results

    def _open(self, results: dict) -> VideoReader:
        video = (results['filename'], results.get('video_frames'), results.get('sha256'))
        return VideoFile(*video) if self.timeout is None else IsolatedVideo(*video, self.timeout)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(timeout={self.timeout})'


@TRANSFORMS.register_module()
class AllFrames(BaseTransform):
    """Take every frame of a clip, as a camera does.

    Reads ``total_frames`` and ``start_index``. Adds ``frame_inds``, ``clip_len`` and ``num_clips``.

    Args:
        max_frames: of a longer clip its middle; ``None`` for no limit.
    """

    def __init__(self, max_frames: int | None = None) -> None:
        if max_frames is not None and max_frames < 2:
            raise ValueError(f'max_frames must be 2 or more, or None, got {max_frames}')
        self.max_frames = max_frames

    def transform(self, results: dict) -> dict:
        """Set ``results['frame_inds']``."""
        total = results['total_frames']
        frames = min(total, self.max_frames or total)
        first = results['start_index'] + (total - frames) // 2
        results['frame_inds'] = np.arange(first, first + frames)
        results['clip_len'], results['num_clips'] = frames, 1
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_frames={self.max_frames})'


@TRANSFORMS.register_module()
class ClipDecode(BaseTransform):
    """Decode the sampled frames, each once, and release the reader.

    Reads ``video_reader`` and ``frame_inds``. Adds ``imgs`` (list of uint8 RGB frames, (H, W, 3)),
    ``original_shape`` and ``img_shape`` (height, width).

    Args:
        grey: Take luma alone: ``imgs`` are (H, W), on which stock transforms work up to
            ``FormatShape``, at a third of the cost. Put ``GreyToRGB`` or ``ToGray`` before it. For
            videos without colour; of others the colour is lost.
    """

    def __init__(self, grey: bool = False) -> None:
        self.grey = grey

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']``."""
        results['frame_inds'] = np.asarray(results['frame_inds']).reshape(-1)
        indices, places = np.unique(results['frame_inds'], return_inverse=True)
        frames = results.pop('video_reader').get_batch(indices, self.grey)
        if not np.array_equal(indices, results['frame_inds']):
            # A copy: a frame that is used twice must not be one array, for Flip works in place.
            frames = frames[places]
        results['imgs'] = list(frames[..., 0] if self.grey else frames)
        results['original_shape'] = results['img_shape'] = frames.shape[1:3]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(grey={self.grey})'


@TRANSFORMS.register_module()
class RandomShift(BaseTransform):
    """Move all frames of a clip by one random offset; the edge is replicated.

    Args:
        max_shift: Largest offset, in pixels, in each of the four directions.
    """

    def __init__(self, max_shift: int) -> None:
        if max_shift < 0:
            raise ValueError(f'max_shift must be 0 or more pixels, got {max_shift}')
        self.max_shift = max_shift

    def transform(self, results: dict) -> dict:
        """Shift ``results['imgs']``."""
        height, width = results['img_shape']
        dy, dx = np.random.randint(-self.max_shift, self.max_shift + 1, size=2)
        rows = np.clip(np.arange(height) - dy, 0, height - 1)
        columns = np.clip(np.arange(width) - dx, 0, width - 1)
        results['imgs'] = [img[rows[:, None], columns] for img in results['imgs']]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_shift={self.max_shift})'


@TRANSFORMS.register_module()
class WholeBlocks(BaseTransform):
    """Cut frames at their borders, in the middle, to whole blocks, as a camera does for an encoder
    with blocks.

    Args:
        block: Side of the encoder's blocks, in pixels.
    """

    def __init__(self, block: int) -> None:
        check_block(block)
        self.block = block

    def transform(self, results: dict) -> dict:
        """Cut ``results['imgs']``."""
        rows, columns = whole_blocks(*results['img_shape'], self.block)
        results['imgs'] = [img[rows, columns] for img in results['imgs']]
        results['img_shape'] = results['imgs'][0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(block={self.block})'


@TRANSFORMS.register_module()
class ToGray(BaseTransform):
    """Frames (H, W, 3) or (H, W) -> (H, W, 1): the luma that a reader gives too (BT.601), which for
    grey frames is exactly the grey value.

    Put it right before ``FormatShape``: stock ``Resize`` drops a channel axis of length one.
    """

    def transform(self, results: dict) -> dict:
        """Convert ``results['imgs']``."""
        results['imgs'] = [
            (img if img.ndim == 2 else luma_of_rgb(img))[..., None] for img in results['imgs']
        ]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class GreyToRGB(BaseTransform):
    """Grey frames (H, W) -> one array (T, H, W, 3) whose channels share their memory, down to the
    batch. Frames with colour stay as they are.

    Put it right before ``FormatShape``, whose work then costs nothing.
    """

    def transform(self, results: dict) -> dict:
        """Convert ``results['imgs']``."""
        if results['imgs'][0].ndim == 2:
            grey = np.stack(results['imgs'])
            results['imgs'] = np.lib.stride_tricks.as_strided(
                grey, (*grey.shape, 3), (*grey.strides, 0)
            )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class PackSubjectInputs(PackActionInputs):
    """``PackActionInputs`` with the privacy labels: adds ``gt_subject``, a LongTensor (1,), and
    ``gt_attributes``, a FloatTensor (K,) of 0 and 1.

    Each is left out where the item has no ``subject`` or ``attributes`` (the inferencer's).

    Args:
        collect_keys: As in ``PackActionInputs``.
        meta_keys: What the sample's ``metainfo`` carries, where the item has it; by default the
            clip's file, extent, recording, names and protocol fields.
        algorithm_keys: As in ``PackActionInputs``.
    """

    def __init__(
        self,
        collect_keys: tuple[str, ...] | None = None,
        meta_keys: Sequence[str] = _META_KEYS,
        algorithm_keys: Sequence[str] = (),
    ) -> None:
        super().__init__(collect_keys, meta_keys, algorithm_keys)

    def transform(self, results: dict) -> dict:
        """Pack ``results`` into ``inputs`` and ``data_samples``."""
        packed = super().transform(results)
        if 'subject' in results:
            subject = torch.tensor([results['subject']], dtype=torch.long)
            packed['data_samples'].set_field(subject, 'gt_subject')
        if 'attributes' in results:
            attributes = torch.as_tensor(results['attributes'], dtype=torch.float32)
            packed['data_samples'].set_field(attributes, 'gt_attributes')
            if attributes.ndim != 1 or not ((attributes == 0) | (attributes == 1)).all():
                raise ValueError(
                    f'attributes is a list of 0 and 1, one for each, got {results["attributes"]}: '
                    'leave clips out whose attributes are not known'
                )
        return packed
