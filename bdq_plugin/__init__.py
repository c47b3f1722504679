"""BDQ: a privacy-preserving video encoder as a plug-in for MMAction2.

``import bdq_plugin`` mends the known faults of the stack (:mod:`bdq_plugin.compat`) and registers
every class in MMAction2's registries, so that a config needs one line::

    custom_imports = dict(imports=['bdq_plugin'], allow_failed_imports=False)

Where nothing has imported MMEngine yet, both wait until something does (:mod:`.registration`):
``bdq_plugin.encoders`` needs torch alone, and ``bdq_plugin.deploy`` not even that.
"""

from . import registration
from .version import __version__

__all__ = ['__version__']

if registration.stack_is_installed():
    __all__.extend(registration.PARTS)
    registration.register_in_time()


def __getattr__(name: str) -> object:
    if name in registration.PARTS and registration.stack_is_installed():
        return registration.register()[name]
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
