"""MMAction2's own configs with an encoder before the network, made small enough for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import mmaction
from mmengine.config import Config

from bdq_plugin.datasets.synthetic import make_kth

CONFIGS = Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class StockData(NamedTuple):
    """Videos, the same as folders of frames, and MMAction2's text list of each."""

    videos: Path
    video_list: Path
    frames: Path
    frame_list: Path


def make_stock_data(root: Path) -> StockData:
    """Six short videos of 80 x 60 pixels, one of each action of KTH."""
    make_kth(root, subjects=1, scenarios=1, frames_per_sequence=12, size=(80, 60))
    files = sorted((root / 'videos').rglob('*.avi'))
    data = StockData(root / 'videos', root / 'videos.txt', root / 'frames', root / 'frames.txt')
    names = [path.relative_to(data.videos).as_posix() for path in files]
    data.video_list.write_text(''.join(f'{name} {i}\n' for i, name in enumerate(names)))
    lines = []
    for label, path in enumerate(files):
        (data.frames / path.stem).mkdir(parents=True)
        reader, count = cv2.VideoCapture(str(path)), 0
        while (read := reader.read())[0]:
            count += 1
            cv2.imwrite(str(data.frames / path.stem / f'img_{count:05}.jpg'), read[1])
        lines.append(f'{path.stem} {count} {label}\n')
    data.frame_list.write_text(''.join(lines))
    return data


def stock_config(
    name: str, data: StockData, work_dir: Path, *, size: int = 32, frames: int = 0, **options: Any
) -> Config:
    """A stock config on ``data`` for one epoch on the CPU; of the model, ``data_preprocessor``
    alone is replaced.

    Args:
        name: path of the config below MMAction2's ``configs/recognition``.
        size: side of the square that the networks see, in pixels.
        frames: more frames to ask for than the config does.
        options: as ``--cfg-options``, with ``__`` for ``.``.
    """
    cfg = Config.fromfile(CONFIGS / name)
    cfg.model.data_preprocessor = dict(
        cfg.model.data_preprocessor, type='BDQDataPreprocessor', encoder='bdq_hard', frozen=True
    )
    for key, off in (('pretrained', None), ('pretrained2d', False)):
        if key in cfg.model.backbone or cfg.model.backbone.type == 'ResNetTSM':
            cfg.model.backbone[key] = off
    cfg.load_from = None
    for loader in filter(None, map(cfg.get, LOADERS)):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.update(
            ann_file=str(data.video_list), data_prefix=dict(video=str(data.videos)), indices=2
        )
        loader.dataset.pipeline = shrink_pipeline(loader.dataset.pipeline, size, frames)
    if cfg.get('train_cfg'):
        cfg.train_cfg.update(max_epochs=1, val_begin=1, val_interval=1)
        cfg.optim_wrapper.type = 'OptimWrapper'  # the mixed precision of some needs a GPU
    cfg.work_dir = str(work_dir)
    cfg.default_hooks.logger.interval = 1
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in options.items()})
    return cfg


def shrink_pipeline(pipeline: list[Any], size: int, frames: int = 0) -> list[Any]:
    """Smaller frames, two clips in place of ten, no step that needs a package of its own."""
    keys = {'crop_size': size, 'input_size': size, 'size': size}
    small = []
    for step in pipeline:
        if step.type == 'PytorchVideoWrapper':
            continue
        step = dict(step, **{key: value for key, value in keys.items() if key in step})
        if step['type'] == 'Resize':
            step['scale'] = (-1, size) if -1 in step['scale'] else (size, size)
        if step['type'] == 'SampleFrames':
            if step['clip_len'] > 1:
                step.update(clip_len=step['clip_len'] + frames, num_clips=min(2, step['num_clips']))
            else:
                step['num_clips'] = min(8, step['num_clips']) + frames
        small.append(step)
    return small
