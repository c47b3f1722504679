"""The shared base of the data sets: clips of known people doing known actions."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from ..progress import track
from ..video.container import VideoError
from ..video.isolation import IsolatedVideo
from ..video.reader import ArrayReader
from .annotations import Row, read_annotations
from .clip_cache import ClipCache, ClipKey
from .protocols import get_protocol, recording_of, split_rows

# A missing file is named with its first few fellows, not with all 599.
_NAMED_FILES = 5


class TooManyBadSamples(VideoError):
    """More samples than the data set allows cannot be decoded; the message lists them."""


@DATASETS.register_module()
class SubjectClipDataset(BaseActionDataset):
    """Clips with an action label and a subject label, divided by a protocol.

    Use :class:`KTHDataset` or :class:`IXMASDataset`. A further data set of either's form is a
    subclass with its own ``METAINFO``.

    Each item has ``filename``, ``label`` and ``subject`` (ints), ``action_name``, ``subject_name``,
    ``start_index`` (first frame, 0-based), ``end_frame`` (exclusive), ``num_frames`` (``end_frame -
    start_index``), ``video_frames`` (frames of the whole video), ``recording`` (id of the
    performance, see :mod:`.protocols`) and the annotation's protocol columns (``scenario,
    sequence`` or ``take, camera``).

    Labels are indices in ``metainfo['classes']`` and ``metainfo['subjects']``. With a subset, both
    hold the subset alone, in the order of ``METAINFO``, and labels are numbered anew without gaps.

    Rows are divided by the protocol first, then reduced to ``actions``, ``subjects`` and
    ``min_frames``: which side a clip falls on does not depend on a subset.

    Args:
        ann_file: The CSV that ``tools/data/NAME/prepare.py`` writes; relative to ``data_root``.
        pipeline: Transforms, beginning with ``ClipInit``.
        data_root: Root of the data.
        data_prefix: ``dict(video=...)``: folder of the videos; relative to ``data_root``.
        protocol: Name of a protocol of the data set (see :mod:`.protocols`).
        split: ``'train'``, ``'val'`` or ``'test'``.
        fold: Fold of the protocol, from 1.
        actions: ``None`` or ``'all'``, a name of ``ACTION_SETS``, or a list of actions.
        subjects: ``None`` for all people, or a list of names.
        min_frames: Shortest clip, in frames. Shorter ones are dropped (KTH), or a ValueError
            (IXMAS).
        cache: Decode every clip of the split once, here, and keep its uint8 frames: ``True`` in
            memory that forked workers inherit, ``'shared'`` in shared memory, which spawned ones
            use too. Lossless; grey frames take one byte a pixel. IXMAS's 240 clips of two takes
            need 63 MB; the whole of KTH needs gigabytes.
        check_files: Compare each video with the digest in the annotation, where it has one, before
            it is first decoded in a process: a file that has changed since it was prepared is a
            VideoError.
        max_bad_share: Share of the clips that training may lose because they cannot be decoded, 0
            to 1. Each of them is named in the log and replaced by another one, drawn from the
            epoch's seed. Only ``split='train'`` loses any: elsewhere the first is a VideoError.
        test_mode: As in ``BaseActionDataset``.
        metainfo: Further entries of ``metainfo``.
        **kwargs: To ``BaseActionDataset``.

    Raises:
        FileNotFoundError: ``ann_file`` or videos are missing.
        ValueError: An unknown name (the allowed ones are listed), or a malformed annotation.
    """

    METAINFO: ClassVar[dict] = dict(classes=(), subjects=())
    # The family of protocols and the folder of tools/data/.
    FAMILY: str = ''
    COLUMNS: tuple[str, ...] = ()
    # Columns copied into each item.
    PROTOCOL_FIELDS: tuple[str, ...] = ()
    ACTION_SETS: ClassVar[dict[str, tuple[str, ...]]] = {}
    DROP_SHORT_CLIPS: bool = False

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        data_root: str = '',
        data_prefix: dict | None = None,
        protocol: str = 'take',
        split: str = 'train',
        fold: int = 1,
        actions: str | Sequence[str] | None = None,
        subjects: Sequence[str] | None = None,
        min_frames: int = 1,
        cache: bool | str = False,
        check_files: bool = True,
        max_bad_share: float = 0.05,
        test_mode: bool = False,
        metainfo: dict | None = None,
        **kwargs: Any,
    ) -> None:
        get_protocol(protocol, self.FAMILY or None)
        if min_frames < 1:
            raise ValueError(f'min_frames must be 1 or more, got {min_frames}')
        if not 0 <= max_bad_share <= 1:
            raise ValueError(f'max_bad_share must be from 0 to 1, got {max_bad_share}')
        if cache not in (False, True, 'shared'):
            raise ValueError(f"cache must be False, True or 'shared', got {cache!r}")
        self.protocol, self.split, self.fold = protocol, split, fold
        self.min_frames, self.max_bad_share = min_frames, max_bad_share
        self.cache, self.check_files = cache, check_files
        self._cached_clips: ClipCache | None = None
        names = dict(
            classes=self._choose_actions(actions),
            subjects=_choose(subjects, self.METAINFO['subjects'], 'subject'),
        )
        super().__init__(
            ann_file=ann_file,
            pipeline=pipeline,
            data_root=data_root,
            data_prefix=dict(video='') if data_prefix is None else data_prefix,
            test_mode=test_mode,
            metainfo={**(metainfo or {}), **names},
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read the annotation, divide it, and describe the chosen clips."""
        if not os.path.isfile(self.ann_file):
            raise FileNotFoundError(
                f'no annotation file {self.ann_file}: write it with '
                f'`python tools/data/{self.FAMILY}/prepare.py VIDEO_DIR --out {self.ann_file}`'
            )
        rows = read_annotations(self.ann_file, self.COLUMNS, optional=('sha256',))
        rows = [row for row in rows if self._is_known(row)]
        rows = split_rows(rows, self.protocol, self.split, self.fold)
        rows = [row for row in rows if self._is_chosen(row)]
        items = self._drop_short([self._describe(row) for row in rows])
        if not items:
            raise ValueError(
                f'{self.ann_file} has no clip for protocol {self.protocol!r}, '
                f'split {self.split!r}, fold {self.fold} and the chosen actions and subjects'
            )
        self._check_files(items)
        if self.cache:
            self._cached_clips = ClipCache(self._decode_all(items), shared=self.cache == 'shared')
        return items

    def full_init(self) -> None:
        """Load the annotation, once, and make room for the count of bad samples."""
        if not self._fully_initialized:
            super().full_init()
            # In shared memory: workers come and go with every epoch, the count stays. Each writes
            # nothing but ones, so they need no lock.
            self._bad = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    @property
    def bad_samples(self) -> list[str]:
        """``FILE (frames START to END)`` of each clip that could not be decoded, in any worker."""
        items = (self.get_data_info(int(idx)) for idx in self._bad.nonzero())
        return [
            f'{item["filename"]} (frames {item["start_index"]} to {item["end_frame"] - 1})'
            for item in items
        ]

    def get_data_info(self, idx: int) -> dict:
        """Item ``idx``; unlike the base class's, it keeps the clip's own ``start_index``."""
        item = super().get_data_info(idx)
        item['start_index'] = item['end_frame'] - item['num_frames']
        return item

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline, on frames from the cache where there is one.

        Returns:
            What the pipeline makes, or None for a clip of a training set that cannot be decoded:
            ``BaseDataset`` then draws another one, from the random state that the epoch's seed set.

        Raises:
            VideoError: a clip of a validation or test set cannot be decoded.
            TooManyBadSamples: more than ``max_bad_share`` of the clips cannot.
        """
        _use_one_thread_in_a_worker()
        item = self.get_data_info(idx)
        if self._cached_clips is not None:
            item['video_reader'] = self._cached_clips.get(_clip_key(item))
        try:
            return self.pipeline(item)
        except VideoError as error:
            if not self._may_lose_clips:
                raise
            self._count_bad(idx, error)
            return None

    @property
    def _may_lose_clips(self) -> bool:
        # A figure of a test set that has silently become another one would mean nothing.
        return self.split == 'train' and not self.test_mode

    def _count_bad(self, idx: int, error: VideoError) -> None:
        if self._bad[idx]:
            return
        self._bad[idx] = 1
        bad, total = int(self._bad.sum()), len(self)
        if bad > self.max_bad_share * total:
            raise TooManyBadSamples(
                f'{bad} of {total} clips cannot be decoded, more than '
                f'max_bad_share={self.max_bad_share}: {"; ".join(self.bad_samples)}. '
                f'The last error: {error}'
            ) from error
        print_log(
            f'{type(self).__name__}: left out sample {idx}, bad sample {bad} of {total}: {error}',
            logger='current',
            level=logging.WARNING,
        )

    def _choose_actions(self, actions: str | Sequence[str] | None) -> tuple[str, ...]:
        known = self.METAINFO['classes']
        if isinstance(actions, str):
            sets = {'all': known, **self.ACTION_SETS}
            if actions not in sets:
                raise ValueError(
                    f'unknown set of actions {actions!r}: choose {", ".join(sets)}, '
                    f'or a list of {", ".join(known)}'
                )
            actions = sets[actions]
        return _choose(actions, known, 'action')

    def _is_known(self, row: Row) -> bool:
        # IXMAS has people beyond the ten of METAINFO; they must not shift the protocol's folds.
        known = self.METAINFO
        return row['action'] in known['classes'] and row['subject'] in known['subjects']

    def _is_chosen(self, row: Row) -> bool:
        chosen = self._metainfo
        return row['action'] in chosen['classes'] and row['subject'] in chosen['subjects']

    def _describe(self, row: Row) -> dict:
        start, end = row.get('start_frame', 0), row.get('end_frame', row['num_frames'])
        return dict(
            filename=os.path.join(self.data_prefix.get('video', ''), row['video']),
            label=self._metainfo['classes'].index(row['action']),
            subject=self._metainfo['subjects'].index(row['subject']),
            action_name=row['action'],
            subject_name=row['subject'],
            start_index=start,
            end_frame=end,
            num_frames=end - start,
            recording=recording_of(row),
            video_frames=row['num_frames'],
            **(dict(sha256=row['sha256']) if self.check_files and 'sha256' in row else {}),
            **{name: row[name] for name in self.PROTOCOL_FIELDS},
        )

    def _drop_short(self, items: list[dict]) -> list[dict]:
        kept = [item for item in items if item['num_frames'] >= self.min_frames]
        dropped = len(items) - len(kept)
        if dropped and not self.DROP_SHORT_CLIPS:
            short = next(item for item in items if item['num_frames'] < self.min_frames)
            raise ValueError(
                f'{dropped} clips are shorter than min_frames={self.min_frames}, the first '
                f'{short["filename"]} ({short["num_frames"]} frames); lower min_frames'
            )
        if dropped:
            print_log(
                f'{type(self).__name__}: left {dropped} of {len(items)} clips out that have '
                f'fewer than {self.min_frames} frames',
                logger='current',
            )
        return kept

    def _check_files(self, items: list[dict]) -> None:
        files = dict.fromkeys(item['filename'] for item in items)
        missing = [name for name in files if not os.path.isfile(name)]
        if missing:
            more = '' if len(missing) <= _NAMED_FILES else ', ...'
            raise FileNotFoundError(
                f'{len(missing)} of {len(files)} videos are missing: '
                f'{", ".join(missing[:_NAMED_FILES])}{more}; '
                "check data_root and data_prefix=dict(video='...')"
            )

    def _decode_all(self, items: list[dict]) -> dict[ClipKey, ArrayReader]:
        clips = {}
        for item in track(items, f'caching {len(items)} clips'):
            start = item['start_index']
            try:
                reader = IsolatedVideo(item['filename'], item['video_frames'], item.get('sha256'))
                frames = reader.get_batch(range(start, item['end_frame']))
            except VideoError:
                if not self._may_lose_clips:
                    raise
                continue  # it fails again, and is counted, when it is asked for
            clips[_clip_key(item)] = ArrayReader(_pack_grey(frames), start, reader.fps)
        return clips


def _choose(chosen: Sequence[str] | None, known: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """The chosen names in the order of the known ones."""
    if chosen is None:
        return known
    if isinstance(chosen, str):
        raise ValueError(f'{kind}s must be a list of names, got {chosen!r}')
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        what = ', '.join(map(repr, unknown)) or 'an empty list'
        raise ValueError(f'unknown {kind}s {what}: choose from {", ".join(known)}')
    return tuple(name for name in known if name in chosen)


def _clip_key(item: dict) -> ClipKey:
    return (item['filename'], item['start_index'], item['num_frames'])


def _use_one_thread_in_a_worker() -> None:
    # The workers are the parallelism. torch limits itself there, OpenCV in a spawned one does not.
    if get_worker_info() is not None and cv2.getNumThreads() > 1:
        cv2.setNumThreads(0)


def _pack_grey(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) -> (T, H, W, 1) where the three channels are equal, else as it is."""
    is_grey = (frames[..., 0] == frames[..., 1]).all() and (frames[..., 0] == frames[..., 2]).all()
    return np.ascontiguousarray(frames[..., :1]) if is_grey else frames
