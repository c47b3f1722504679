"""Pre-trained weights of any backbone, with an error where none of them fits."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import CheckpointLoader, Runner

from .loops import unwrap


@HOOKS.register_module()
class PretrainedBackboneHook(Hook):
    """Load a backbone's weights before training.

    MMAction2's 3D backbones load with ``strict=False`` and no prefix: a recognizer's checkpoint,
    whose keys begin with ``backbone.``, then loads nothing and says so only in the log.

    Args:
        module: name of the backbone within the model, such as ``'recognizer.backbone'``.
        checkpoint: URL or local path of a recognizer's or a backbone's checkpoint.
        prefix: what the backbone's keys begin with in the checkpoint, if they do.
        min_share: least share of the backbone's tensors that must be found, 0 to 1.
    """

    def __init__(
        self, module: str, checkpoint: str, prefix: str = 'backbone.', min_share: float = 0.9
    ) -> None:
        self.module, self.checkpoint = module, checkpoint
        self.prefix, self.min_share = prefix, min_share

    def before_train(self, runner: Runner) -> None:
        """Load, unless a checkpoint of the run itself was resumed or loaded."""
        if runner.iter > 0:
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
