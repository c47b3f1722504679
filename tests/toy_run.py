"""A run of MMEngine's Runner in a second: one linear layer, the hooks of our recipes."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import DATASETS, HOOKS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch.utils.data import Dataset

LR = 0.1


@DATASETS.register_module(force=True)
class ToyData(Dataset):
    """24 numbers."""

    def __len__(self):
        return 24

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index / 24.0]), data_samples=index)


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=self.layer(torch.stack(list(inputs))).square().mean())


@HOOKS.register_module(force=True)
class RatesHook(Hook):
    """Keeps the learning rate of every iteration as the optimiser meets it."""

    def __init__(self):
        self.rates = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])


def toy_config(work_dir: Any, *, epochs: int = 4, batch: int = 4, **changes: Any) -> Config:
    """24 clips, so six iterations an epoch."""
    cfg = Config(
        dict(
            default_scope='mmaction',
            work_dir=str(work_dir),
            launcher='none',
            model=dict(type='ToyModel'),
            train_dataloader=dict(
                batch_size=batch,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dict(type='ToyData'),
            ),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=LR, momentum=0.9)),
            param_scheduler=[
                dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
            ],
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=epochs),
            default_hooks=dict(
                runtime_info=dict(type='DeferredInfoHook'),
                resume_schedule=dict(type='ResumeScheduleHook'),
                checkpoint=dict(type='CheckpointHook', interval=1),
            ),
            custom_hooks=[dict(type='RatesHook')],
            randomness=dict(seed=0),
            log_level='WARNING',
            resume=False,
        )
    )
    cfg.merge_from_dict(changes)
    return cfg


def rates_of(runner: Any) -> list[float]:
    """What its RatesHook has kept."""
    return next(hook.rates for hook in runner.hooks if isinstance(hook, RatesHook))
