"""Published practice, as a plain transcription: what the end-to-end study compares ours with.

Each clip is read and decoded each time in MMAction2's way, the encoder runs in its plain form, the
game is the published one, and MMEngine's are the only hooks.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from mmaction.registry import LOOPS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop

from .game import PublishedGame

# Of MMAction2's readers the one for these files: decord reads no frames of 48 pixels a row, and
# OpenCV ends the process.
STOCK = {'ClipInit': dict(type='PyAVInit'), 'ClipDecode': dict(type='OneThreadPyAVDecode')}
STOCK_HOOKS = ('runtime_info', 'timer', 'logger', 'param_scheduler', 'checkpoint', 'sampler_seed')

Steps = list[dict[str, Any]]


@TRANSFORMS.register_module()
class OneThreadPyAVDecode(BaseTransform):
    """MMAction2's ``PyAVDecode``, but for threads: every frame up to the last one that is needed.

    Since 17.0 PyAV converts a frame on several threads, which costs several times the conversion of
    one this small. Published practice had no such PyAV, and shall not pay for it here.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Decode ``results['frame_inds']``."""
        indices = results['frame_inds'].reshape(-1)
        frames = islice(results.pop('video_reader').decode(video=0), int(indices.max()) + 1)
        images = [frame.reformat(format='rgb24', threads=1).to_ndarray() for frame in frames]
        # The container may promise more frames than it has.
        results['imgs'] = [images[i % len(images)] for i in indices]
        results['original_shape'] = results['img_shape'] = images[0].shape[:2]
        return results


@LOOPS.register_module()
class PublishedTrainLoop(EpochBasedTrainLoop):
    """Each iteration: the two full passes of the published game."""

    game: PublishedGame | None = None

    def run_iter(self, idx: int, data_batch: dict[str, Any]) -> None:
        runner = self.runner
        runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        self.game = self.game or PublishedGame(runner.model, runner.optim_wrapper)
        outputs = dict(zip(('loss', 'privacy_loss'), self.game(data_batch), strict=True))
        runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1


def stock_pipeline(pipeline: Steps) -> Steps:
    """The same with MMAction2's reading and decoding."""
    return [STOCK.get(step['type'], step) for step in pipeline]


def as_published(cfg: Config) -> None:
    """Turn a recipe into published practice, in place."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.cache = False
        loader.dataset.pipeline = stock_pipeline(loader.dataset.pipeline)
    cfg.model.data_preprocessor.encoder.backend = 'plain'
    cfg.custom_hooks = []
    cfg.default_hooks = {name: cfg.default_hooks[name] for name in STOCK_HOOKS}
    cfg.default_hooks.runtime_info.type = 'RuntimeInfoHook'
    if cfg.train_cfg.pop('phases', None):
        cfg.train_cfg.type = 'PublishedTrainLoop'
