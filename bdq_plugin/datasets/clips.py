"""The shared base of the data sets: clips of known people doing known actions."""

from __future__ import annotations

import logging
import os
import pickle
from collections import Counter
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
from .annotations import (
    FILE_COLUMNS,
    Row,
    check_spelling,
    natural_key,
    read_annotations,
    shorten,
)
from .clip_cache import ClipCache, ClipKey
from .protocols import get_protocol, recording_of, split_rows

# Columns that an item has under other names, or does not need.
_NOT_FIELDS = ('video', 'action', 'subject', *FILE_COLUMNS)


# Frames that the cache decodes before it makes them small.
_DECODED_AT_ONCE = 128


class TooManyBadSamples(VideoError):
    """More samples than the data set allows cannot be decoded; the message lists them."""


@DATASETS.register_module()
class SubjectVideoDataset(BaseActionDataset):
    """Clips of videos with an action label and a privacy label, divided by a protocol.

    Classes and people come from the annotation file, in its natural order (``2`` before ``10``).
    :class:`KTHDataset` and :class:`IXMASDataset` name theirs in ``METAINFO``; so may any config, by
    ``metainfo=dict(classes=[...], subjects=[...])``, which several data sets in one
    ``ConcatDataset`` need. Clips of actions or people that are not named there are left out, and
    the log counts and names them.

    Each item has ``filename``, ``label`` and ``subject`` (ints), ``action_name``, ``subject_name``,
    ``start_index`` (first frame, 0-based), ``end_frame`` (exclusive), ``num_frames`` (``end_frame -
    start_index``), ``video_frames`` (frames of the whole video), ``recording`` (id of the
    performance, see :mod:`.protocols`), ``held_out`` (the unit of the protocol that the clip stands
    or falls with: the take where takes are held out) and the annotation's further columns
    (``scenario, sequence`` or ``take, camera``).

    Labels are indices in ``metainfo['classes']`` and ``metainfo['subjects']``. With a subset, both
    hold the subset alone, in the same order, and labels are numbered anew without gaps. Where a
    split holds people whom train does not have, ``metainfo`` also names them, ``unseen_subjects``,
    and the ``protocol``: identity has no figure there.

    Rows are divided by the protocol first, then reduced to ``actions``, ``subjects`` and
    ``min_frames``: which side a clip falls on does not depend on a subset.

    Args:
        ann_file: What ``tools/data/NAME/prepare.py`` writes; relative to ``data_root``.
        pipeline: Transforms, beginning with ``ClipInit``.
        data_root: Root of the data.
        data_prefix: ``dict(video=...)``: folder of the videos; relative to ``data_root``.
        protocol: A protocol of the data set by its name, or a declaration such as
            ``dict(hold_out='take')`` (see :mod:`.protocols`).
        split: ``'train'``, ``'val'`` or ``'test'``.
        fold: Fold of the protocol, from 1; by default the declaration's, or 1.
        privacy: What the privacy network must not learn: the column of the label, ``'subject'`` or
            another one (``'gender'``), whose values take the people's place in ``subject``,
            ``subject_name`` and ``metainfo['subjects']``; or a list of columns of 0 and 1, which
            are ``attributes`` (float32, (K,)) of each item, named by ``metainfo['attributes']``;
            or None, where there is no such label.
        actions: ``None`` or ``'all'``, a name of ``ACTION_SETS``, or a list of actions.
        subjects: ``None`` for all people (or values of ``privacy``), or a list of names.
        min_frames: Shortest clip, in frames. Shorter ones are a ValueError; KTH drops them.
        cache: Decode every clip of the split once, here, and keep its uint8 frames: ``True`` in
            memory that forked workers inherit, ``'shared'`` in shared memory, which spawned ones
            use too. Lossless; grey frames take one byte a pixel. IXMAS's 240 clips of two takes
            need 63 MB; the whole of KTH needs gigabytes. Of large frames, keep what the pipeline
            makes of them anyway: ``dict(scale=(80, 60), grey=True)`` (width and height, with
            ``shared=True`` in shared memory), where it decodes with the same ``grey`` and resizes
            to the same ``scale`` next.
        check_files: Compare each video with the digest in the annotation, where it has one, before
            it is first decoded in a process: a file that has changed since it was prepared is a
            VideoError.
        max_bad_share: Share of the clips that training may lose because they cannot be decoded, 0
            to 1. Each of them is named in the log and replaced by another one, drawn from the
            epoch's seed. Only ``split='train'`` loses any: elsewhere the first is a VideoError.
        test_mode: As in ``BaseActionDataset``.
        metainfo: Further entries of ``metainfo``; names of classes and subjects, see above.
        **kwargs: To ``BaseActionDataset``.

    Raises:
        FileNotFoundError: ``ann_file`` or videos are missing.
        ValueError: An unknown name (the allowed ones are listed), or a malformed annotation.

    Example:
        >>> dict(type='SubjectVideoDataset', ann_file='own.csv', data_prefix=dict(video='videos'),
        ...      protocol=dict(hold_out='take'), fold=3, split='train', pipeline=[...])
    """

    METAINFO: ClassVar[dict] = dict()
    # Whose named protocols there are, and the folder of tools/data/.
    FAMILY: str = ''
    COLUMNS: tuple[str, ...] = ('video', 'action', 'num_frames')
    # Columns copied into each item; None for all that the annotation has.
    PROTOCOL_FIELDS: tuple[str, ...] | None = None
    ACTION_SETS: ClassVar[dict[str, tuple[str, ...]]] = {}
    DROP_SHORT_CLIPS: bool = False

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        data_root: str = '',
        data_prefix: dict | None = None,
        protocol: str | dict = 'take',
        split: str = 'train',
        fold: int | None = None,
        privacy: str | Sequence[str] | None = 'subject',
        actions: str | Sequence[str] | None = None,
        subjects: Sequence[str] | None = None,
        min_frames: int = 1,
        cache: bool | str | dict = False,
        check_files: bool = True,
        max_bad_share: float = 0.05,
        test_mode: bool = False,
        metainfo: dict | None = None,
        **kwargs: Any,
    ) -> None:
        self._protocol = get_protocol(protocol, self.FAMILY)
        if min_frames < 1:
            raise ValueError(f'min_frames must be 1 or more, got {min_frames}')
        if not 0 <= max_bad_share <= 1:
            raise ValueError(f'max_bad_share must be from 0 to 1, got {max_bad_share}')
        self.protocol = protocol if isinstance(protocol, str) else dict(protocol)
        self.split, self.fold = split, self._protocol.choose_fold(fold)
        self.privacy = privacy if isinstance(privacy, str | None) else tuple(privacy)
        self._label = privacy if isinstance(privacy, str) else 'subject'
        self.min_frames, self.max_bad_share = min_frames, max_bad_share
        self.cache, self.check_files = _cache_options(cache), check_files
        self._cached_clips: ClipCache | None = None
        self._rows = self._read_rows(os.path.join(data_root, ann_file) if ann_file else ann_file)
        known = {**self.METAINFO, **(metainfo or {})}
        if self._label != 'subject' and 'subjects' not in (metainfo or {}):
            known.pop('subjects', None)  # names of people, which these labels are not
        names = self._choose_names(known, actions, subjects)
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
        """Divide the annotation's rows and describe the chosen clips."""
        items = self._drop_short([self._describe(row) for row in self._rows_of(self.split)])
        if not items:
            raise ValueError(
                f'{self.ann_file} has no clip for protocol {self._protocol.name}, '
                f'split {self.split!r}, fold {self.fold} and the chosen actions and subjects'
            )
        known = {str(row.get(self._label)) for row in self._rows_of('train')}
        unseen = sorted({item['subject_name'] for item in items if 'subject_name' in item} - known)
        if known and unseen:
            self._metainfo.update(protocol=self.protocol, unseen_subjects=tuple(unseen))
        self._check_files(items)
        return items

    @property
    def hold_out(self) -> str | None:
        """The column whose units the protocol holds out in turn, where it is such a protocol."""
        return self._protocol.hold_out

    @property
    def num_folds(self) -> int:
        """Folds of the protocol on this annotation."""
        return self._protocol.count_folds(self._rows)

    def protocol_rows(self) -> list[Row]:
        """The clips of the split in the form of annotation rows, for ``audit_protocol``."""
        rows = []
        for index in range(len(self)):
            item = self.get_data_info(index)
            row = dict(video=item['filename'], action=item['action_name'])
            row.update({name: item[name] for name in self.PROTOCOL_FIELDS})
            if 'person' in item:
                row['subject'] = item['person']
            if self._label != 'subject':
                row['privacy'] = item['subject_name']
            rows.append(row)
        return rows

    def get_cat_ids(self, idx: int) -> list[int]:
        """The action of a clip, for MMEngine's ``ClassBalancedDataset``."""
        return [self.get_data_info(idx)['label']]

    def full_init(self) -> None:
        """Load the annotation, once, fill the cache, and make room for the count of bad samples."""
        if not self._fully_initialized:
            super().full_init()
            if self.cache is not None:
                # Of `indices` these alone.
                items = [self.get_data_info(index) for index in range(len(self))]
                self._cached_clips = ClipCache(self._decode_all(items), self.cache['shared'])
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

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        """As the base class does, which then collects garbage: that looks through all that the
        process has imported, 0.4 s for each data set."""
        items = [np.frombuffer(pickle.dumps(item, 4), np.uint8) for item in self.data_list]
        self.data_list.clear()
        return np.concatenate(items), np.cumsum([len(item) for item in items])

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

    def _read_rows(self, ann_file: str) -> list[Row]:
        """The annotation's rows, every label that is asked for among their columns."""
        if not os.path.isfile(ann_file):
            raise FileNotFoundError(
                f'no annotation file {ann_file}: write it with '
                f'`python tools/data/{self.FAMILY or "folder"}/prepare.py VIDEO_DIR '
                f'--out {ann_file}`'
            )
        labels = [self.privacy] if isinstance(self.privacy, str) else self.privacy or ()
        optional = None if self.PROTOCOL_FIELDS is None else ('sha256', *labels)
        rows = read_annotations(ann_file, self.COLUMNS, optional)
        for column in labels:
            lacking = [str(row['video']) for row in rows if row.get(column, '') == '']
            if lacking:
                raise ValueError(
                    f'{ann_file}: privacy={self.privacy!r} needs a value of {column} for every '
                    f'clip; there is none for {shorten(lacking)}'
                )
        if isinstance(self.privacy, tuple):
            _check_attributes(rows, self.privacy, ann_file)
        check_spelling(rows, {'action', 'subject', self._label}, ann_file)
        if self.PROTOCOL_FIELDS is None:
            for row in rows:
                row.setdefault('session', '')
            self.PROTOCOL_FIELDS = tuple(k for k in (rows or [{}])[0] if k not in _NOT_FIELDS)
        return rows

    def _choose_names(
        self, known: dict, actions: str | Sequence[str] | None, subjects: Sequence[str] | None
    ) -> dict[str, tuple[str, ...]]:
        """Names of labels: the chosen ones of those that are known, or of the annotation's."""
        names = dict(classes=self._choose_actions(actions, self._names('action', 'classes', known)))
        if isinstance(self.privacy, tuple):
            names['attributes'] = self.privacy
        if self.privacy is not None and all(self._label in row for row in self._rows):
            people = self._names(self._label, 'subjects', known)
            names['subjects'] = _choose(subjects, people, 'subject')
        return names

    def _names(self, column: str, entry: str, known: dict) -> tuple[str, ...]:
        """Values of a column. Rows with a value that no list knows are left out, and named."""
        if entry not in known:
            return tuple(sorted({str(row[column]) for row in self._rows}, key=natural_key))
        names = tuple(known[entry])
        unknown = Counter(str(row[column]) for row in self._rows if str(row[column]) not in names)
        if not unknown:
            return names
        counts = [f'{name} {count}' for name, count in unknown.items()]
        what = f'{unknown.total()} of {len(self._rows)} clips'
        if unknown.total() == len(self._rows):
            raise ValueError(
                f'{type(self).__name__} knows the {column} of none of its {what}: '
                f'{shorten(counts)}; it knows {", ".join(names)}. Data of your own are a '
                'SubjectVideoDataset (configs/bdq_own.py)'
            )
        self._rows = [row for row in self._rows if str(row[column]) in names]
        print_log(
            f'{type(self).__name__}: left {what} out, whose {column} it does not know: '
            f'{shorten(counts)}',
            logger='current',
            level=logging.WARNING,
        )
        return names

    def _choose_actions(
        self, actions: str | Sequence[str] | None, known: tuple[str, ...]
    ) -> tuple[str, ...]:
        if isinstance(actions, str):
            sets = {'all': known, **self.ACTION_SETS}
            if actions not in sets:
                raise ValueError(
                    f'unknown set of actions {actions!r}: choose {", ".join(sets)}, '
                    f'or a list of {", ".join(known)}'
                )
            actions = sets[actions]
        return _choose(actions, known, 'action')

    def _rows_of(self, split: str) -> list[Row]:
        divided = split_rows(self._rows, self._protocol, split, self.fold)
        return [row for row in divided if self._is_chosen(row)]

    def _is_chosen(self, row: Row) -> bool:
        chosen = self._metainfo
        return row['action'] in chosen['classes'] and (
            'subjects' not in chosen or str(row[self._label]) in chosen['subjects']
        )

    def _describe(self, row: Row) -> dict:
        start, end = row.get('start_frame', 0), row.get('end_frame', row['num_frames'])
        item = dict(
            {name: row[name] for name in self.PROTOCOL_FIELDS},
            filename=os.path.join(self.data_prefix.get('video', ''), row['video']),
            label=self._metainfo['classes'].index(row['action']),
            action_name=row['action'],
            start_index=start,
            end_frame=end,
            num_frames=end - start,
            recording=recording_of(row),
            held_out=self._protocol.unit_of(row),
            video_frames=row['num_frames'],
        )
        if 'subject' in row:
            item['person'] = row['subject']
        if 'subjects' in self._metainfo:
            item['subject_name'] = str(row[self._label])
            item['subject'] = self._metainfo['subjects'].index(item['subject_name'])
        if isinstance(self.privacy, tuple):
            item['attributes'] = np.array([row[name] for name in self.privacy], np.float32)
        if self.check_files and 'sha256' in row:
            item['sha256'] = row['sha256']
        return item

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
            raise FileNotFoundError(
                f'of {len(files)} videos, these are missing: {shorten(missing)}; '
                "check data_root and data_prefix=dict(video='...')"
            )

    def _decode_all(self, items: list[dict]) -> dict[ClipKey, ArrayReader]:
        clips = {}
        for item in track(items, f'caching {len(items)} clips'):
            try:
                reader = IsolatedVideo(item['filename'], item['video_frames'], item.get('sha256'))
                frames = self._decode_to_keep(reader, item['start_index'], item['end_frame'])
            except VideoError:
                if not self._may_lose_clips:
                    raise
                continue  # it fails again, and is counted, when it is asked for
            clips[_clip_key(item)] = ArrayReader(frames, item['start_index'], reader.fps)
        return clips

    def _decode_to_keep(self, reader: IsolatedVideo, start: int, end: int) -> np.ndarray:
        """Frames of a clip as the cache keeps them; large ones never all at once."""
        scale, grey = self.cache['scale'], self.cache['grey']
        parts = []
        for first in range(start, end, _DECODED_AT_ONCE):
            frames = reader.get_batch(range(first, min(first + _DECODED_AT_ONCE, end)), grey)
            if scale is not None:
                # As mmaction's Resize does it.
                frames = np.stack([cv2.resize(frame, tuple(scale)) for frame in frames])
                frames = frames[..., None] if frames.ndim == 3 else frames
            parts.append(frames)
        return _pack_grey(np.concatenate(parts))


def _check_attributes(rows: Sequence[Row], attributes: Sequence[str], ann_file: str) -> None:
    if not attributes:
        raise ValueError('privacy is an empty list: name a column, or columns of attributes')
    for name in attributes:
        wrong = {row[name] for row in rows} - {0, 1}
        if wrong:
            raise ValueError(
                f'{ann_file}: the attribute {name} must be 0 or 1, got {sorted(wrong)[0]!r}; one '
                f'label of several values is privacy={name!r}'
            )


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


def _cache_options(cache: bool | str | dict) -> dict[str, Any] | None:
    """``cache`` written out, or None where nothing is kept."""
    options = dict(scale=None, grey=False, shared=False)
    if cache is False or cache is None:
        return None
    if cache is True or cache == 'shared':
        return dict(options, shared=cache == 'shared')
    if not isinstance(cache, dict) or set(cache) - set(options):
        raise ValueError(
            f"cache must be False, True, 'shared' or a dict of {', '.join(options)}, got {cache!r}"
        )
    return {**options, **cache}


def _pack_grey(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) -> (T, H, W, 1) where the three channels are equal, else as it is."""
    is_grey = (frames == frames[..., :1]).all()
    return np.ascontiguousarray(frames[..., :1]) if is_grey else frames
