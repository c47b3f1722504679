"""The game: an action network that must succeed, privacy networks that must fail."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.model import BaseModel, ModuleList
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .losses import EntropyLoss
from .privacy_head import refuse_open_head
from .privacy_recognizer import frames_of, refuse_blending

PHASES = ('action', 'privacy')
HELD_NORMS = ('running', 'batch')


def to_channels_last(*modules: nn.Module) -> None:
    """Put the weights of all 2D and 3D convolutions in channels-last memory, in place.

    A convolution whose weight is channels-last returns channels-last, so what lies between two of
    them follows; ``Module.to`` cannot do it where a network has both kinds.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for module in modules:
        for parameter in module.parameters():
            if parameter.ndim in formats:
                parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])


def hold(networks: nn.Module, norm: str) -> None:
    """Put networks that do not learn in evaluation mode; BatchNorm as ``norm`` says.

    Args:
        networks: changed in place; :func:`release` undoes it.
        norm: ``'running'`` for the running statistics, ``'batch'`` for those of the batch at hand,
            which then move no running statistics and count no batch. Layers that their network
            keeps in evaluation mode in training too (``norm_eval``, ``frozen_stages``) stay there.
    """
    if norm == 'running':
        networks.eval()
        return
    networks.train()
    for module in networks.modules():
        if not isinstance(module, _BatchNorm):
            module.training = False
        elif module.training:
            module.track_running_stats = False


def release(networks: nn.Module) -> None:
    """Put networks in training mode, their running statistics moving again."""
    networks.train()
    for module in networks.modules():
        if isinstance(module, _BatchNorm):
            module.track_running_stats = module.running_mean is not None


@MODELS.register_module()
class AdversarialRecognizer(BaseModel):
    """An encoder, an action network and privacy networks in two phases.

    ::

        clip --data_preprocessor--> encoded --+--> recognizer --> action
                                              +--> one frame --> privacy --> subject

    In phase ``'action'`` the encoder and the recognizer minimise
    ``CE(action) - alpha * H(softmax(privacy))`` with the privacy networks held fixed; in phase
    ``'privacy'`` the privacy networks minimise ``CE(subject)`` on one encoded frame (the paper,
    section 4.2). Of attributes, binary entropy and binary cross-entropy take their place.
    :class:`~bdq_plugin.engine.AdversarialTrainLoop` alternates the phases.

    Args:
        recognizer: any recognizer of MMAction2, whole, without a data preprocessor of its own.
        privacy: a ``PrivacyRecognizer``.
        data_preprocessor: a ``BDQDataPreprocessor``.
        alpha: weight of the privacy entropy.
        num_privacy_networks: how many privacy networks play, each built from ``privacy``; the
            entropy is their mean.
        held_norm: what BatchNorm of the held privacy networks normalises by in phase ``'action'``:
            ``'running'``, its running statistics, or ``'batch'``, those of the batch at hand, as in
            the released code, which holds in training mode. Deep networks from scratch need
            ``'batch'``: their running statistics lag behind their weights, and logits of up to 1e7
            leave an entropy of zero, without gradient.
        channels_last: keep the networks' convolutions in channels-last memory.
        compile: compile the backbones with ``torch.compile``; a dict holds its arguments. Names of
            parameters, and so checkpoints, stay the same. (MMEngine's own ``compile`` key would
            compile ``train_step``, both phases and the optimisers included.)
    """

    def __init__(
        self,
        recognizer: dict[str, Any],
        privacy: dict[str, Any],
        data_preprocessor: dict[str, Any],
        alpha: float = 1.0,
        num_privacy_networks: int = 1,
        held_norm: str = 'running',
        channels_last: bool = False,
        compile: bool | dict[str, Any] = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        for name, part in (('recognizer', recognizer), ('privacy', privacy)):
            if part.get('data_preprocessor') is not None:
                raise ValueError(
                    f'{name}.data_preprocessor would never be used: the encoder of the game is '
                    'model.data_preprocessor; remove it'
                )
            refuse_open_head(part.get('cls_head') or {}, f'model.{name}')
        if alpha < 0:
            raise ValueError(f'alpha weighs an entropy and must be 0 or more, got {alpha}')
        if num_privacy_networks < 1:
            raise ValueError(f'num_privacy_networks must be 1 or more, got {num_privacy_networks}')
        if held_norm not in HELD_NORMS:
            raise ValueError(f"held_norm is one of {HELD_NORMS}, got '{held_norm}'")
        super().__init__(data_preprocessor, init_cfg)
        refuse_blending(self.data_preprocessor)
        self.recognizer = MODELS.build(recognizer)
        self._privacy_cfg = deepcopy(privacy)
        # MMEngine's list, which passes init_weights on to its members; torch's does not.
        self.privacy = ModuleList(MODELS.build(privacy) for _ in range(num_privacy_networks))
        self.alpha, self.held_norm = alpha, held_norm
        self.entropy = EntropyLoss(attributes=self._attributes)
        self.phase = 'action'
        self._trainable: dict[str, list[nn.Parameter]] | None = None
        if channels_last:
            to_channels_last(self.recognizer, self.privacy)
        if compile:
            for network in (self.recognizer, *self.privacy):
                network.backbone.compile(**(compile if isinstance(compile, dict) else {}))

    # ------------------------------------------------------------------ phases
    def set_phase(self, phase: str) -> None:
        """Choose who learns. Called by the loop, never before DDP has wrapped the model.

        Only parameters that could be trained at the first call are ever switched, so that a
        backbone's ``frozen_stages`` stay frozen. Networks that do not learn are in evaluation mode
        (but see ``held_norm``): their BatchNorm statistics move once an iteration, not twice.
        """
        if phase not in PHASES:
            raise ValueError(f"phase is one of {PHASES}, got '{phase}'")
        if self._trainable is None:
            players = dict(
                action=(self.data_preprocessor, self.recognizer), privacy=(self.privacy,)
            )
            self._trainable = {
                name: [p for part in parts for p in part.parameters() if p.requires_grad]
                for name, parts in players.items()
            }
        for name, parameters in self._trainable.items():
            for parameter in parameters:
                parameter.requires_grad_(name == phase)
        self.phase = phase
        if phase == 'privacy':
            release(self.privacy)
        else:
            hold(self.privacy, self.held_norm)
        self.recognizer.train(phase == 'action')
        self.data_preprocessor.train(phase == 'action')
        self.data_preprocessor.one_frame = phase == 'privacy'

    def restart_privacy(self) -> None:
        """Replace the weights of every privacy network by fresh ones, in place."""
        for network in self.privacy:
            fresh = MODELS.build(deepcopy(self._privacy_cfg))
            fresh.init_weights()
            network.load_state_dict(fresh.state_dict())

    # ------------------------------------------------------------------ forward
    def forward(
        self, inputs: Tensor, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | SampleList:
        """What the networks make of encoded clips.

        Args:
            inputs: (N, M, C, T, H, W) for 3D recognizers, (N, T, C, H, W) for 2D ones.
            data_samples: carry ``gt_label`` and ``gt_subject`` or ``gt_attributes``.
            mode: ``'loss'`` for the losses of the current phase, ``'predict'`` for both networks'
                predictions in the samples, ``'tensor'`` for the encoded clip itself.
        """
        if mode == 'tensor':
            return inputs
        if mode == 'predict':
            return self._predict(inputs, data_samples)
        if mode != 'loss':
            raise ValueError(f"mode is 'loss', 'predict' or 'tensor', got '{mode}'")
        return getattr(self, f'_{self.phase}_loss')(inputs, data_samples)

    def _action_loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        losses = self.recognizer(inputs, data_samples, mode='loss')
        frames = frames_of(inputs)
        frame = frames[:, int(torch.randint(frames.shape[1], ()))]
        entropy = torch.stack([self.entropy(net.logits(frame)) for net in self.privacy]).mean()
        losses['loss_entropy'] = -self.alpha * entropy
        losses['privacy_entropy'] = entropy.detach()
        return losses

    def _privacy_loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        each = [network(inputs, data_samples, mode='loss') for network in self.privacy]
        return {name: torch.stack([losses[name] for losses in each]).mean(0) for name in each[0]}

    def _predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        self.recognizer(inputs, data_samples, mode='predict')
        scores: list[list[Tensor]] = []
        field = 'pred_attribute_score' if self._attributes else 'pred_subject_score'
        for network in self.privacy:
            network(inputs, data_samples, mode='predict')
            scores.append([sample.get(field) for sample in data_samples])
        for sample, each in zip(data_samples, zip(*scores, strict=True), strict=True):
            sample.set_field(torch.stack(each).mean(0), field)
        return data_samples

    @property
    def _attributes(self) -> bool:
        return self.privacy[0].cls_head.attributes
