"""BDQ: a privacy-preserving video encoder as a plug-in for MMAction2.

``import bdq_plugin`` mends the known faults of the stack (:mod:`bdq_plugin.compat`) and registers
every class in MMAction2's registries, so that a config needs one line::

    custom_imports = dict(imports=['bdq_plugin'], allow_failed_imports=False)
"""

from . import compat

compat.apply()

from . import datasets, engine, evaluation, models  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = ['__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models']
