"""Clips a second from real videos: our pipeline beside MMAction2's stock one, in turns.

Both read the same frames of the same videos (``$BDQ_TEST_DATA/kth``, by default that of
../shared/data; without them, synthetic ones), crop, resize and flip them alike and end with the
same tensor, but for the luma of videos that carry a little colour (``pixels`` in the result). All
take turns in one process, on one thread, beside whatever else the machine does: once on one core,
which is what a worker has where there are as many workers as cores, and once wherever the system
lets them run, where decord's second thread and our decoding process find a core of their own.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

import bdq_plugin  # noqa: F401  (registers)
from bdq_plugin import markdown
from bdq_plugin.datasets import KTHDataset
from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.video import isolation
from bdq_plugin.video import reader as video_reader

from .harness import compare, machine, one_core, time_in_turns

REPOSITORY = Path(__file__).resolve().parents[1]
STOCK = 'MMAction2 (decord)'
OURS = 'ours'
CLIP_LEN = 32
SAMPLE = dict(type='SampleFrames', clip_len=CLIP_LEN, frame_interval=1, num_clips=1)
AUGMENT = (
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 2**-0.25, 2**-0.75, 0.5),
        random_crop=True,
        max_wh_scale_gap=0,
    ),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
)
FORMAT = (dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs'))

Item = dict[str, Any]


def pipelines() -> dict[str, Compose]:
    """The pipelines of the 224-pixel recipe, and ours with one thing left out at a time."""

    def ours(timeout: float | None = 60.0, grey: bool = True) -> list[dict]:
        decode = (
            dict(type='ClipInit', timeout=timeout),
            SAMPLE,
            dict(type='ClipDecode', grey=grey),
        )
        return [*decode, *AUGMENT, dict(type='GreyToRGB'), *FORMAT]

    steps = {
        STOCK: [
            dict(type='DecordInit', num_threads=1),
            SAMPLE,
            dict(type='DecordDecode'),
            *AUGMENT,
            *FORMAT,
        ],
        OURS: ours(),
        'ours, decoding in the worker itself': ours(timeout=None),
        'ours, three channels': ours(grey=False),
    }
    return {name: Compose(pipeline) for name, pipeline in steps.items()}


def read(pipeline: Compose, item: Item, seed: int) -> torch.Tensor:
    """The tensor of one clip; the seed chooses frames, crop and flip."""
    random.seed(seed)
    np.random.seed(seed)
    return pipeline(dict(item))['inputs']


def time_pipelines(
    built: dict[str, Compose], items: list[Item], rounds: int
) -> dict[str, dict[str, float]]:
    """Clips a second, by the clock and by processor time."""
    cached = [dict(item, video_reader=cached_clip(item)) for item in items]
    cpu: dict[str, list[float]] = {}

    def pass_over(name: str, pipeline: Compose, some: list[Item]) -> Callable[[], None]:
        def step() -> None:
            start = cpu_seconds()
            for seed, item in enumerate(some):
                read(pipeline, item, seed)
            cpu.setdefault(name, []).append(cpu_seconds() - start)

        return step

    isolation._decoder.stop()  # the next one may run where this process may
    steps = {name: pass_over(name, pipeline, items) for name, pipeline in built.items()}
    steps['ours, cached'] = pass_over('ours, cached', built[OURS], cached)
    speeds = compare(time_in_turns(steps, rounds), STOCK)
    processor = compare({name: taken[1:] for name, taken in cpu.items()}, STOCK)  # first: warm-up
    for name, row in speeds.items():
        row['clips_per_second'] = round(1e3 * len(items) / row['median_ms'], 1)
        row['clips_per_cpu_second'] = round(1e3 * len(items) / processor[name]['median_ms'], 1)
        row['speed_up_cpu'] = processor[name]['speed_up']
    return speeds


def cpu_seconds() -> float:
    """Processor time of this process and of its decoding process."""
    child = isolation._decoder._process
    used = 0
    if child is not None:
        used = int(Path(f'/proc/{child.pid}/schedstat').read_text().split()[0])
    return time.process_time() + used / 1e9


def cached_clip(item: Item) -> video_reader.ArrayReader:
    """All frames of a video, as the data set's cache has them."""
    video = video_reader.VideoFile(item['filename'])
    return video_reader.ArrayReader(video.get_batch(range(len(video)), grey=True))


def differences(built: dict[str, Compose], items: list[Item]) -> dict[str, dict[str, float]]:
    """Grey levels by which tensors differ from the stock pipeline's."""
    found = {}
    for name, pipeline in built.items():
        gaps = torch.cat([
            (read(pipeline, item, seed).int() - read(built[STOCK], item, seed).int()).abs().ravel()
            for seed, item in enumerate(items)
        ])  # fmt: skip
        found[name] = dict(
            largest=int(gaps.max()), share_unequal=round(float((gaps > 0).float().mean()), 6)
        )
    return found


def first_clip(item: Item, repeats: int) -> dict[str, float]:
    """Milliseconds that a file costs once in a process, and a decoding process at its start."""
    starts, digests, indices = [], [], []
    for _ in range(repeats):
        isolation._decoder.stop()
        start = time.perf_counter()
        isolation._decoder._restart()
        starts.append(time.perf_counter() - start)
        for function, argument, times in (
            (video_reader._digest, video_reader.file_key(item['filename']), digests),
            (video_reader._read_packets, video_reader.file_key(item['filename']), indices),
        ):
            function.cache_clear()
            start = time.perf_counter()
            function(argument)
            times.append(time.perf_counter() - start)
    return {
        name: round(1e3 * statistics.median(times), 2)
        for name, times in (
            ('start_of_decoding_process', starts),
            ('digest_of_a_file', digests),
            ('packets_of_a_file', indices),
        )
    }


def small_decoding(item: Item, rounds: int, size: tuple[int, int] = (64, 48)) -> dict[str, Any]:
    """Resizing in FFmpeg while decoding, beside decoding and OpenCV's ``Resize``."""
    with av.open(item['filename']) as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = [frame for frame, _ in zip(container.decode(video=0), range(16), strict=False)]
    convert = VideoReformatter().reformat

    def decode_small() -> list[np.ndarray]:
        width, height = size
        return [
            convert(f, width=width, height=height, format='rgb24', threads=1).to_ndarray()
            for f in frames
        ]

    def decode_and_resize() -> list[np.ndarray]:
        return [
            cv2.resize(convert(f, format='rgb24', threads=1).to_ndarray(), size) for f in frames
        ]

    times = time_in_turns(
        {'decode, then resize': decode_and_resize, 'decode small': decode_small}, rounds
    )
    gaps = np.abs(np.stack(decode_small()).astype(int) - np.stack(decode_and_resize()))
    return dict(
        size=size,
        speeds=compare(times, 'decode, then resize'),
        largest_difference=int(gaps.max()),
        mean_difference=round(float(gaps.mean()), 2),
    )


def cache_memory(videos: Path, index: Path, workers: int = 2) -> dict[str, Any]:
    """MiB that each spawned worker holds for itself with either cache."""
    with tempfile.TemporaryDirectory() as folder:
        annotation = Path(folder, 'kth.csv')
        prepare_kth(videos, annotation, index)
        result = {}
        for cache in (True, 'shared'):
            dataset = KTHDataset(
                str(annotation),
                pipeline=[],
                data_prefix=dict(video=str(videos)),
                protocol='subsequence',
                split='train',
                cache=cache,
            )
            own = [_private_mib_of_a_worker(dataset) for _ in range(workers)]
            result['cache_mib'] = round(dataset._cached_clips.nbytes / 2**20, 1)
            result[f'own_mib_of_a_spawned_worker_cache_{cache}'] = statistics.median(own)
    return result


def _private_mib_of_a_worker(dataset: KTHDataset) -> float:
    # From a server that imports everything once; the dataset is pickled as for a spawned one.
    context = get_context('forkserver')
    context.set_forkserver_preload([__name__])
    near, far = context.Pipe(duplex=False)
    process = context.Process(target=_touch_all, args=(dataset, far))
    process.start()
    before, after = near.recv()
    process.join()
    return round(after - before, 1)


def _touch_all(dataset: KTHDataset, pipe: Connection) -> None:
    # The worker's own interpreter and libraries are not the cache's: the least that it holds.
    clips = [dataset[i]['video_reader'].frames for i in range(len(dataset))]
    total = sum(int(frames.sum()) for frames in clips)
    assert total > 0
    own = _private_mib()
    cache = dataset._cached_clips
    dataset._cached_clips = None
    del clips, cache
    pipe.send((_private_mib(), own))


def _private_mib() -> float:
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith('Private_')) / 2**10


def study(quick: bool = False) -> dict[str, Any]:
    """Measure everything; ``quick`` reads fewer clips, fewer times."""
    init_default_scope('mmaction')
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    document = dict(machine=machine(), pyav=av.__version__)
    default = os.environ.get('BDQ_TEST_DATA', REPOSITORY.parent / 'shared' / 'data')
    with tempfile.TemporaryDirectory() as folder:
        videos, index = Path(default, 'kth', 'videos'), Path(default, 'kth', '00sequences.txt')
        document['videos'] = 'real KTH'
        if not videos.is_dir():
            document['videos'] = 'synthetic'
            make_kth(Path(folder), subjects=1, scenarios=1)
            videos, index = Path(folder, 'videos'), Path(folder, '00sequences.txt')
        paths = sorted(path for path in videos.iterdir() if path.suffix in ('.avi', '.mp4'))
        items = [describe(path) for path in paths] * (1 if quick else 3)
        document |= dict(videos_read=len(paths), clips_a_round=len(items), clip_len=CLIP_LEN)
        built, rounds = pipelines(), 1 if quick else 15
        with one_core():
            document['on_one_core'] = time_pipelines(built, items, rounds)
        document['on_any_core'] = time_pipelines(built, items, rounds)
        document['pixels'] = differences(built, items)
        document['once_ms'] = first_clip(items[0], repeats=1 if quick else 5)
        document['resize_while_decoding'] = small_decoding(items[0], rounds=1 if quick else 15)
        document['cache'] = cache_memory(videos, index, workers=1 if quick else 2)
    return document


def describe(path: Path) -> Item:
    """A whole video as an item of the data set; the stock pipeline reads what it knows of it."""
    return dict(
        filename=str(path),
        label=0,
        start_index=0,
        modality='RGB',
        video_frames=video_reader.count_frames(path),
        sha256=video_reader.file_digest(path),
    )


def table(document: dict[str, Any]) -> str:
    """Markdown table of the speeds."""
    one, free = document['on_one_core'], document['on_any_core']
    rows = [
        [
            name,
            row['clips_per_second'],
            row['speed_up'],
            free[name]['clips_per_second'],
            free[name]['speed_up'],
            free[name]['speed_up_cpu'],
        ]
        for name, row in one.items()
    ]
    head = ['pipeline', 'clips/s on one core', 'times stock', 'clips/s on any core']
    head += ['times stock', 'the same by processor time']
    where = document['machine']
    note = (
        f'{where["cpu"]}, {where["cores"]} cores (load {where["load_average_at_start"]}); one '
        f'worker, {document["clips_a_round"]} clips of {document["clip_len"]} frames of '
        f'{document["videos_read"]} {document["videos"]} videos.'
    )
    return f'{markdown.table(head, rows)}\n\n{note}'
