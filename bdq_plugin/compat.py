"""Mends for known faults of the pinned stack, one function a fault, each removable on its own."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def apply() -> None:
    """Apply every mend. Safe to call more than once."""
    stub_missing_drn()
    admit_onedl_mmcv()
    silence_known_warnings()
    score_in_float32()
    shift_hue_in_int16()
    pack_clip_layout()
    give_tsm_an_encoder()
    format_a_config_once()


def stub_missing_drn() -> None:
    """Let ``import mmaction.models`` succeed.

    The mmaction2 1.2.0 wheel lacks the package ``mmaction.models.localizers.drn``, which
    ``mmaction.models`` imports (open-mmlab/mmaction2#2714). A stub takes its place, and only where
    the real package is missing.
    """
    name = 'mmaction.models.localizers.drn'
    if name in sys.modules:
        return
    root = importlib.util.find_spec('mmaction')
    if root is None:
        raise ImportError(
            'mmaction2 is not installed: run `make install` or `pip install mmaction2`'
        )
    package_root = next(iter(root.submodule_search_locations))
    folder = os.path.join(package_root, 'models', 'localizers', 'drn')
    if os.path.isfile(os.path.join(folder, 'drn.py')):
        return

    class DRN:
        """Stands in for the temporal localizer that the wheel does not carry."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            raise ImportError(
                'the mmaction2 wheel does not carry DRN; install mmaction2 from source'
            )

    package, module = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    package.__path__, package.drn, module.DRN = [], module, DRN
    sys.modules[name], sys.modules[f'{name}.drn'] = package, module


def admit_onedl_mmcv() -> None:
    """Let ``import mmaction`` succeed beside ``onedl-mmcv``.

    MMAction2 asserts mmcv < 2.2, which was to come when it was last released; ``onedl-mmcv``, which
    carries mmcv on, counts from 2.3. docs/supply_chain.md says what was run with it. Any other mmcv
    is judged as ever.
    """
    try:
        importlib.metadata.version('onedl-mmcv')
    except importlib.metadata.PackageNotFoundError:
        return
    import mmcv

    version, mmcv.__version__ = mmcv.__version__, '2.1.0'
    try:
        import mmaction  # noqa: F401
    finally:
        mmcv.__version__ = version


def silence_known_warnings() -> None:
    """Hide warnings about other packages' code that no user of ours can act upon."""
    warnings.filterwarnings('ignore', message='.*pkg_resources.*')
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``.*')
    warnings.filterwarnings('ignore', message='.*broadcast_buffers.*', category=FutureWarning)


def score_in_float32() -> None:
    """Let MMAction2's heads learn under bfloat16.

    ``BaseHead.loss_by_feat`` counts hits in NumPy, which has no bfloat16 and raises TypeError.
    """
    from mmaction.models.heads.base import BaseHead

    stock = BaseHead.loss_by_feat
    if hasattr(stock, '__wrapped__'):
        return

    @functools.wraps(stock)
    def loss_by_feat(
        self: BaseHead, cls_scores: Tensor, data_samples: list[Any]
    ) -> dict[str, Tensor]:
        return stock(self, cls_scores.float(), data_samples)

    BaseHead.loss_by_feat = loss_by_feat


def shift_hue_in_int16() -> None:
    """Let MMAction2's ``ColorJitter`` work with NumPy 2.

    ``adjust_hue`` adds a whole number between -127 and 127 to a uint8 hue: below zero NumPy 2
    raises OverflowError, and a sum above 255 has always wrapped around.
    """
    import cv2
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)


def pack_clip_layout() -> None:
    """Let every packed sample say in its metainfo how its frames are grouped.

    ``FormatShape(input_format='NCHW')`` lays the frames of all crops and clips in one row, and
    nothing that leaves the pipeline tells where one ends. ``clip_len`` and ``num_clips`` join the
    keys that ``PackActionInputs`` packs, whichever a config names.
    """
    from mmaction.datasets.transforms import PackActionInputs

    stock = PackActionInputs.__init__
    if hasattr(stock, '__wrapped__'):
        return

    @functools.wraps(stock)
    def init(self: PackActionInputs, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        self.meta_keys = (*self.meta_keys, 'clip_len', 'num_clips')

    PackActionInputs.__init__ = init


def give_tsm_an_encoder() -> None:
    """Let the optimiser of the TSM configs take a model whose preprocessor has parameters.

    ``TSMOptimWrapperConstructor`` sorts layers by their type and raises ValueError at any other, of
    a frozen encoder too. The encoder is kept from it; what learns of it gets the base learning rate
    and no weight decay, as in the game.
    """
    from mmaction.engine.optimizers import TSMOptimWrapperConstructor
    from torch import nn

    stock = TSMOptimWrapperConstructor.add_params
    if hasattr(stock, '__wrapped__'):
        return

    @functools.wraps(stock)
    def add_params(
        self: TSMOptimWrapperConstructor, params: list[dict], model: nn.Module, **kwargs: Any
    ) -> None:
        parts = dict(model.named_children())
        preprocessor = parts.pop('data_preprocessor', nn.Identity())
        stock(self, params, nn.ModuleDict(parts), **kwargs)
        learned = [p for p in preprocessor.parameters() if p.requires_grad]
        if learned:
            params.append(dict(params=learned, lr=self.base_lr, weight_decay=0))

    TSMOptimWrapperConstructor.add_params = add_params


def format_a_config_once() -> None:
    """Let a run format its config once.

    ``Config.pretty_text`` runs yapf over the whole config, which takes up to a second, and MMEngine
    asks for it for its log, each back end of the visualiser and every checkpoint.
    """
    from mmengine.config import Config

    stock = Config.pretty_text.fget
    if hasattr(stock, '__wrapped__'):
        return
    formatted: dict[str, str] = {}

    @functools.wraps(stock)
    def pretty_text(self: Config) -> str:
        content = repr((self.to_dict(), self._format_python_code))
        text = formatted.get(content)
        if text is None:
            text = stock(self)
            formatted.clear()  # the last one alone: a run has one config
            formatted[content] = text
        return text

    Config.pretty_text = property(pretty_text)


def prepare_distributed(launcher: str) -> str | None:
    """Start gloo before MMEngine would, where there is no GPU.

    MMEngine's launchers call ``torch.cuda.set_device`` unconditionally, which fails on a machine
    without a GPU. When the process group exists already, the Runner skips that step.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Returns:
        The back end that was started, or None where MMEngine shall do it.
    """
    import torch
    import torch.distributed as dist

    if launcher == 'none' or torch.cuda.is_available() or dist.is_initialized():
        return None
    if launcher != 'pytorch':
        raise ValueError(f"launcher '{launcher}' needs GPUs; on the CPU use --launcher pytorch")
    dist.init_process_group('gloo')
    return 'gloo'
