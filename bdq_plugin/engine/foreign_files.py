"""MMEngine's readers of checkpoints and YAML, without the code that a stranger's file may carry.

MMEngine loads every checkpoint (``load_from``, ``--resume``, ``init_cfg``, ``pretrained=``) with
``weights_only=False``, and YAML with the loader that builds any Python object. Both can be replaced
by registration, which importing this module does.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import yaml
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import YamlHandler
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_loaders

from ..safe_load import load_checkpoint, weights_only


# With force, because the package may be imported twice under `custom_imports`.
@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a file; see :func:`~bdq_plugin.safe_load.load_checkpoint`."""
    return load_checkpoint(os.path.expanduser(filename), map_location)


def _without_code(load: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(load)
    def load_weights(filename: str, *args: Any, **kwargs: Any) -> Any:
        with weights_only(filename):
            return load(filename, *args, **kwargs)

    return load_weights


for _prefixes, _loader in {
    ('http://', 'https://'): mmengine_loaders.load_from_http,
    ('modelzoo://', 'torchvision://'): mmengine_loaders.load_from_torchvision,
    ('open-mmlab://', 'openmmlab://'): mmengine_loaders.load_from_openmmlab,
    ('mmcls://',): mmengine_loaders.load_from_mmcls,
    ('pavi://',): mmengine_loaders.load_from_pavi,
    (r'(\S+\:)?s3://', r'(\S+\:)?petrel://'): mmengine_loaders.load_from_ceph,
}.items():
    CheckpointLoader.register_scheme(_prefixes, _without_code(_loader), force=True)


@register_handler(['yaml', 'yml'])
class PlainYamlHandler(YamlHandler):
    """YAML as data: a tag that would build a Python object is an error."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Parse an open file."""
        return yaml.load(file, Loader=yaml.SafeLoader)
