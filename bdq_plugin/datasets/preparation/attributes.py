"""The attribute world: UCF101 and HMDB51 by MMAction2's lists, PA-HMDB51 and VISPR."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from ...progress import track
from ...text_files import read_text
from ...video.reader import file_digest
from ..annotations import (
    Row,
    check_inside_root,
    check_new_file,
    natural_key,
    write_annotations,
)
from .clips import MEASURED, PreparationReport, find_videos, one_file_a_name, prepare
from .sources import split_missing

# MMAction2's ucf101_train_split_1_videos.txt, and the data set's own trainlist01.txt.
_LIST_NAME = re.compile(r'(?:.*_)?(train|val|test)_?(?:split_|list0)(\d)(?:_videos)?\.txt')
# UCF101's v_Archery_g08_c01: videos of one group show the same people at the same place.
_UCF_GROUP = re.compile(r'v_\w+?_g(\d+)_c\d+')

# The five of PA-HMDB51 (Wu et al., TPAMI 2020): a level of 0 is invisible, or not identifiable.
PA_HMDB51_ATTRIBUTES = ('face', 'gender', 'nudity', 'relationship', 'skin_color')
# The seven of VISPR's 68 (Orekondy, Schiele, Fritz, ICCV 2017) that SPAct (Dave, Chen, Shah, CVPR
# 2022) scores by cMAP.
VISPR_ATTRIBUTES = (
    'a4_gender',
    'a9_face_complete',
    'a10_face_partial',
    'a12_semi_nudity',
    'a17_color',
    'a64_rel_personal',
    'a65_rel_social',
)
_VISPR_SPLIT = re.compile(r'(train|val|test)2017')


def prepare_lists(
    raw_dir: str | Path, list_dir: str | Path, out: str | Path, overwrite: bool = False
) -> PreparationReport:
    """Write the annotation of UCF101 or HMDB51, one row a video, with a column for each split.

    The action is the folder of a video. UCF101's groups are recordings; nobody says who is who.

    Args:
        raw_dir: Folder of the videos, one folder an action.
        list_dir: Folder of the lists: MMAction2's ``ucf101_train_split_1_videos.txt`` (``PATH
            LABEL`` a line) or UCF101's ``trainlist01.txt``.
        out: The CSV to write; its columns ``split1`` to ``split3`` are protocols,
            ``dict(column='split1')``; a video that is in neither list of a split is ``unused``.
            MMAction2 calls the test lists ``val``; here they are test.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: There is no such folder, video or list.
        FileExistsError: ``out`` exists.
        ValueError: A line is malformed, or a video stands in both lists of a split.
    """
    check_new_file(out, overwrite)
    report = PreparationReport()
    clips: dict[str, dict[str, Any]] = {}
    columns = set()
    for path, side, number in _find_lists(list_dir):
        column = f'split{number}'
        columns.add(column)
        for line_number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip():
                continue
            video = PurePosixPath(re.sub(r'\s+\d+$', '', line.strip())).as_posix()
            where = f'{path}:{line_number}'
            check_inside_root(video, where)
            if '/' not in video:
                raise ValueError(f'{where}: expected ACTION/VIDEO, got {line.strip()!r}')
            clip = clips.setdefault(video, _clip_of(video))
            if clip.get(column, side) != side:
                raise ValueError(f'{where}: {video} is in {clip[column]} and in {side}')
            clip[column] = side
    videos = find_videos(raw_dir, report)
    present, report.missing = split_missing(list(clips.values()), raw_dir)
    listed = {clip['video'] for clip in present}
    report.unlisted = [p.as_posix() for p in videos if p.as_posix() not in listed]
    groups = ['recording'] if any('recording' in clip for clip in present) else []
    named = ['video', 'action', *groups, *sorted(columns)]
    # HMDB51's splits use 5,100 of its 6,766 videos, others each time.
    present = [{name: clip.get(name, 'unused') for name in named} for clip in present]
    return prepare(raw_dir, out, present, named, report, overwrite=overwrite)


def prepare_pa_hmdb51(
    raw_dir: str | Path, attribute_dir: str | Path, out: str | Path, overwrite: bool = False
) -> PreparationReport:
    """Write the annotation of PA-HMDB51: HMDB51's videos with five attributes of 0 or 1.

    The data set gives a level for each stretch of frames, and several where people differ. An
    attribute is 1 where in at least half of the frames that are labelled some level is not 0: the
    face is seen at all, the gender, skin colour or relationship can be told, skin is bare.

    Args:
        raw_dir: Folder of HMDB51's videos, one folder an action.
        attribute_dir: Folder of ``ACTION.json``, each ``{VIDEO: {ATTRIBUTE: [[first, last, level],
            ...]}}``.
        out: The CSV to write, for ``privacy=['face', 'gender', ...]``.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: There is no such folder, or no label in it.
        FileExistsError: ``out`` exists.
        ValueError: A file has another form.
    """
    check_new_file(out, overwrite)
    report = PreparationReport()
    files = sorted(Path(attribute_dir).glob('*.json'))
    if not files:
        raise FileNotFoundError(f'{attribute_dir} has no ACTION.json')
    clips = []
    for path in files:
        for name, labels in _read_json(path).items():
            levels = {a: _share_seen(labels, a, f'{path}: {name}') for a in PA_HMDB51_ATTRIBUTES}
            present = {attribute: int(share >= 0.5) for attribute, share in levels.items()}
            clips.append(dict(video=f'{path.stem}/{name}', action=path.stem, **present))
    find_videos(raw_dir, report)
    clips, report.missing = split_missing(clips, raw_dir)
    columns = ('video', 'action', *PA_HMDB51_ATTRIBUTES)
    return prepare(raw_dir, out, clips, columns, report, overwrite=overwrite)


def prepare_vispr(
    raw_dir: str | Path,
    out: str | Path,
    attributes: Sequence[str] = VISPR_ATTRIBUTES,
    overwrite: bool = False,
) -> PreparationReport:
    """Write the annotation of VISPR: still images with attributes of 0 or 1, and their split.

    A pipeline for them begins with ``StillInit``.

    Args:
        raw_dir: Folder of the images and of their labels, one ``NAME.json`` each with ``labels``
            (the attributes that an image has), in folders of ``train2017``, ``val2017`` and
            ``test2017``, beside the images or apart.
        out: The CSV to write, for ``privacy=ATTRIBUTES`` and ``protocol='split'``.
        attributes: Names of attributes; by default the seven that SPAct scores.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: There is no such folder, or no label in it.
        FileExistsError: ``out`` exists.
        ValueError: A file has another form, or no image has one of the attributes.
    """
    check_new_file(out, overwrite)
    root = Path(raw_dir)
    images = one_file_a_name({p.relative_to(root): p.stem for p in sorted(root.rglob('*.jpg'))})
    labelled = sorted(root.rglob('*.json'), key=natural_key)
    if not labelled:
        raise FileNotFoundError(f'{root} has no NAME.json of an image')
    report = PreparationReport(count_by=('split',))
    counts = dict.fromkeys(attributes, 0)
    for path in track(labelled, 'reading images'):
        split = _VISPR_SPLIT.search(path.relative_to(root).as_posix())
        labels = _read_json(path).get('labels')
        if split is None or not isinstance(labels, list):
            report.unrecognised.append(path.relative_to(root).as_posix())
            continue
        if path.stem not in images:
            report.missing.append(path.stem)
            continue
        row = _still(root, images[path.stem], report)
        if row is not None:
            row.update({name: int(name in labels) for name in attributes}, split=split[1])
            report.rows.append(row)
            for name in attributes:
                counts[name] += row[name]
    unseen = [name for name, count in counts.items() if not count]
    if unseen or not report.rows:
        raise ValueError(f'no image has {", ".join(unseen)}; is it one of VISPR?\n{report}')
    columns = ('video', 'action', 'split', *attributes, *MEASURED)
    write_annotations(out, report.rows, columns, overwrite)
    return report


def _find_lists(list_dir: str | Path) -> Iterator[tuple[Path, str, int]]:
    """The lists of a folder, their side and the number of their split."""
    found = []
    for path in sorted(Path(list_dir).glob('*.txt')):
        match = _LIST_NAME.fullmatch(path.name)
        if match and 'rawframes' not in path.name:
            found.append((path, 'train' if match[1] == 'train' else 'test', int(match[2])))
    if not found:
        raise FileNotFoundError(
            f'{list_dir} has no list such as ucf101_train_split_1_videos.txt or trainlist01.txt'
        )
    yield from found


def _clip_of(video: str) -> dict[str, Any]:
    path = PurePosixPath(video)
    group = _UCF_GROUP.fullmatch(path.stem)
    clip = dict(video=video, action=path.parent.name)
    return dict(clip, recording=f'{path.parent.name}_g{group[1]}') if group else clip


def _share_seen(labels: dict[str, Any], attribute: str, where: str) -> float:
    """Share of the labelled frames in which some level of an attribute is not 0."""
    try:
        stretches = [(int(first), int(last), level) for first, last, level in labels[attribute]]
        seen = [np.any(np.asarray(level) != 0) for _, _, level in stretches]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{where}: expected {attribute} as [[first, last, level], ...] ({error!r})'
        ) from error
    lengths = [max(0, last - first + 1) for first, last, _ in stretches]
    return float(np.dot(seen, lengths) / sum(lengths)) if sum(lengths) else 0.0


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}: {error}') from error
    if not isinstance(document, dict):
        raise ValueError(f'{path}: expected an object, got {type(document).__name__}')
    return document


def _still(root: Path, image: Path, report: PreparationReport) -> Row | None:
    """The measures of an image, as those of a video of one frame."""
    picture = cv2.imdecode(np.fromfile(root / image, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        report.unreadable.append(f'{root / image}: not a readable picture')
        return None
    height, width = picture.shape[:2]
    measures = (1, width, height, 0.0, file_digest(root / image))
    return dict(
        video=image.as_posix(), action='still', **dict(zip(MEASURED, measures, strict=True))
    )
