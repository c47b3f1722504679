"""BDQ: a privacy-preserving video encoder as a plug-in for MMAction2.

``import bdq_plugin`` mends the known faults of the stack (:mod:`bdq_plugin.compat`) and registers
every class in MMAction2's registries, so that a config needs one line::

    custom_imports = dict(imports=['bdq_plugin'], allow_failed_imports=False)
"""

from importlib.util import find_spec

from .version import __version__

__all__ = ['__version__']

# A camera installs bdq_plugin.deploy alone, without MMEngine: nothing to register there.
if find_spec('mmengine') is not None:
    from . import compat

    compat.apply()

    from . import datasets, engine, evaluation, models

    __all__ += ['compat', 'datasets', 'engine', 'evaluation', 'models']
