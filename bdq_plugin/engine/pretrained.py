"""Pre-trained weights of any backbone, with an error where none of them fits."""

from __future__ import annotations

from typing import Any

from mmaction.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import CheckpointLoader, Runner

from .loops import unwrap

_ROLES = ('action', 'privacy')


@HOOKS.register_module()
class PretrainedBackboneHook(Hook):
    """Load a backbone's weights before training.

    MMAction2's 3D backbones load with ``strict=False`` and no prefix: a recognizer's checkpoint,
    whose keys begin with ``backbone.``, then loads nothing and says so only in the log.

    Args:
        module: name of the backbone within the model, such as ``'recognizer.backbone'``.
        checkpoint: URL or local path of a recognizer's or a backbone's checkpoint; None for none.
        prefix: what the backbone's keys begin with in the checkpoint, if they do.
        min_share: least share of the backbone's tensors that must be found, 0 to 1.
    """

    def __init__(
        self,
        module: str,
        checkpoint: str | None = None,
        prefix: str = 'backbone.',
        min_share: float = 0.9,
    ) -> None:
        self.module, self.checkpoint = module, checkpoint
        self.prefix, self.min_share = prefix, min_share
        self._loaded = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember that ``load_from`` or a resume has brought this backbone."""
        keys = checkpoint.get('state_dict', checkpoint)
        self._loaded = any(key.startswith(f'{self.module}.') for key in keys)

    def before_train(self, runner: Runner) -> None:
        """Load, unless a checkpoint of the whole model has brought the weights."""
        if self.checkpoint is None:
            return
        if self._loaded:
            runner.logger.info(
                f'{self.module}: the weights are those of the checkpoint that was loaded, not of '
                f'{self.checkpoint}'
            )
            return
        backbone = unwrap(runner.model).get_submodule(self.module)
        checkpoint = CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu')
        state = checkpoint.get('state_dict', checkpoint)
        if any(key.startswith(self.prefix) for key in state):
            state = {
                key[len(self.prefix) :]: value
                for key, value in state.items()
                if key.startswith(self.prefix)
            }
        own = backbone.state_dict()
        found = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        share = len(found) / len(own)
        if share < self.min_share:
            raise ValueError(
                f'{self.checkpoint} fits only {len(found)} of {len(own)} tensors of '
                f'{self.module}; give the checkpoint of the same network, or pretrained=None'
            )
        backbone.load_state_dict(found, strict=False)
        runner.logger.info(f'{self.module}: loaded {len(found)} of {len(own)} tensors')


def set_pretrained(cfg: Config, weights: dict[str, str | None] | None) -> None:
    """Name the weights that networks begin with, by role, or turn all of them off.

    Args:
        cfg: changed in place.
        weights: URLs or local paths of the ``'action'`` and the ``'privacy'`` network; None takes
            every pre-trained weight out of the model, whatever the config calls it. The encoder
            stays.

    Raises:
        ValueError: an unknown role, or a network that the config does not have.
    """
    if weights is None:
        for holder, key in weights_in(cfg, 'action'):
            holder[key] = None
        _turn_off(cfg.model)
        return
    unknown = set(weights) - set(_ROLES)
    if unknown:
        raise ValueError(f"pretrained has roles 'action' and 'privacy', not {sorted(unknown)}")
    for role, path in weights.items():
        if role == 'action' and not weights_in(cfg, role):
            _add_hook(cfg)
        places = weights_in(cfg, role)
        if not places:
            raise ValueError(
                f'pretrained.{role}={path} acts nowhere in this config: it has no {role} network '
                'that takes weights'
            )
        for holder, key in places:
            holder[key] = path


def weights_in(cfg: Config, role: str | None = None) -> list[tuple[dict[str, Any], str]]:
    """Where a config names the weights of a role, or of both: dicts, and the keys in them."""
    if role is None:
        return [place for each in _ROLES for place in weights_in(cfg, each)]
    if role == 'action':
        hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
        hooks = [hook for hook in hooks if isinstance(hook, dict)]
        return [(hook, 'checkpoint') for hook in hooks if is_type(hook, 'PretrainedBackboneHook')]
    model = cfg.get('model') or {}
    networks = [network for network in (model, model.get('privacy')) if network]
    return [
        (network['backbone'], 'pretrained')
        for network in networks
        if is_type(network, 'PrivacyRecognizer') and 'pretrained' in network['backbone']
    ]


def is_type(cfg: dict[str, Any], name: str) -> bool:
    """Whether a config builds this class, given by name, with a scope or not, or as a class."""
    kind = cfg.get('type')
    return getattr(kind, '__name__', str(kind)).split('.')[-1] == name


def _add_hook(cfg: Config) -> None:
    model = cfg.model
    network = model.get('recognizer', model)
    if is_type(network, 'PrivacyRecognizer') or 'backbone' not in network:
        return
    module = 'recognizer.backbone' if 'recognizer' in model else 'backbone'
    hook = dict(type='PretrainedBackboneHook', module=module)
    cfg.merge_from_dict(dict(default_hooks=dict(action_weights=hook)))


def _turn_off(part: Any) -> None:
    """Leave no pre-trained weights anywhere in a model but in its encoder."""
    if isinstance(part, list | tuple):
        for each in part:
            _turn_off(each)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key == 'pretrained':
            part[key] = None
        elif key == 'init_cfg' and value:
            steps = value if isinstance(value, list) else [value]
            part[key] = [step for step in steps if not is_type(step, 'Pretrained')] or None
        elif key != 'data_preprocessor':
            _turn_off(value)
