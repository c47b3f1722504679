"""Switches of a recipe: one key at the top of a config that stands for many inside it."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config, ConfigDict

from ..models.encoder_source import apply_encoder_switches

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_DATA_SWITCHES = ('protocol', 'fold', 'ann_file')
SWITCHES = (*_DATA_SWITCHES, 'data_root', 'max_epochs', 'encoder', 'encoder_file', 'pretrained')


def apply_switches(cfg: Config) -> Config:
    """Carry top-level switches to where they act.

    ===============  ==========================================================================
    ``data_root``    folder of the videos, of every data set
    ``ann_file``     annotation file of every data set
    ``protocol``     protocol of every data set
    ``fold``         fold of every data set
    ``max_epochs``   length of training and of the learning-rate schedule
    ``encoder``      the encoder, as ``model.data_preprocessor.encoder``
    ``encoder_file`` the file of the encoder, a path or a name of the zoo; ``encoder`` then names
                     only what shall differ
    ``pretrained``   ``dict(action=..., privacy=...)``, URLs or local paths; ``None`` turns all off
    ===============  ==========================================================================

    Args:
        cfg: a config of this project; changed in place and returned.
    """
    for loader in filter(None, (cfg.get(name) for name in _LOADERS)):
        for switch in _DATA_SWITCHES:
            if switch in cfg:
                loader.dataset[switch] = cfg[switch]
        if 'data_root' in cfg:
            loader.dataset.data_prefix = dict(video=cfg.data_root)
    if cfg.get('max_epochs') and cfg.get('train_cfg'):
        cfg.train_cfg.max_epochs = cfg.max_epochs
        for scheduler in cfg.get('param_scheduler', []):
            scheduler.T_max = scheduler.end = cfg.max_epochs
    preprocessor = cfg.model.get('data_preprocessor', {})
    if preprocessor.get('type') == 'BDQDataPreprocessor':
        apply_encoder_switches(preprocessor, cfg)
    if 'pretrained' in cfg:
        _apply_pretrained(cfg, cfg.pretrained or {})
    return cfg


def _apply_pretrained(cfg: Config, weights: dict[str, str | None]) -> None:
    unknown = set(weights) - {'action', 'privacy'}
    if unknown:
        raise ValueError(f"pretrained has roles 'action' and 'privacy', not {sorted(unknown)}")
    is_game = cfg.model.type == 'AdversarialRecognizer'
    for backbone in _privacy_backbones(cfg.model):
        backbone.pretrained = weights.get('privacy')
    hooks = [h for h in cfg.get('custom_hooks', []) if h['type'] != 'PretrainedBackboneHook']
    if weights.get('action'):
        module = 'recognizer.backbone' if is_game else 'backbone'
        hooks.append(
            dict(type='PretrainedBackboneHook', module=module, checkpoint=weights['action'])
        )
    cfg.custom_hooks = hooks


def _privacy_backbones(model: ConfigDict) -> list[Any]:
    """The configs of the privacy networks' backbones that take ``pretrained``."""
    networks = [model.privacy] if model.type == 'AdversarialRecognizer' else [model]
    return [
        network.backbone
        for network in networks
        if network.type == 'PrivacyRecognizer' and 'pretrained' in network.backbone
    ]
