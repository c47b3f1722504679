"""What a report of a fault should say of versions, machine and settings; needs Python alone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path

from .version import __version__

PACKAGE = Path(__file__).resolve().parent
# What each package is for, in other words: what does not work where it is missing.
PACKAGES = {
    'torch': 'encoders, training, audits',
    'torchvision': 'networks of MMAction2',
    'mmengine': 'training, audits',
    'mmcv-lite': 'training, audits',
    'mmaction2': 'training, audits',
    'numpy': 'everything',
    'scipy': 'training, audits',
    'scikit-learn': 'audits',
    'opencv-python': 'reading and encoding video',
    'av': 'reading and writing video',
    'decord': "MMAction2's own reader",
    'pillow': 'figures',
    'matplotlib': 'figures',
    'tensorboard': 'logs of training',
    'numba': 'speed on a CPU',
    'triton': 'speed on a GPU',
    'zstandard': 'smaller .bdq files',
    'onnx': 'export',
    'onnxruntime': 'export',
    'optuna': "search of an encoder's numbers",
    'paho-mqtt': 'events to a broker',
    'safetensors': 'trained networks',
}
# Other distributions of the same modules.
ALSO = {
    'mmengine': ('onedl-mmengine',),
    'mmcv-lite': ('mmcv', 'onedl-mmcv'),
    'opencv-python': (
        'opencv-python-headless',
        'opencv-contrib-python',
        'opencv-contrib-python-headless',
    ),
    'triton': ('pytorch-triton',),
}
VARIABLES = ('OMP_NUM_THREADS', 'CUDA_VISIBLE_DEVICES', 'NUMBA_NUM_THREADS', 'PYTHONPATH')


def describe_environment() -> str:
    """Versions, missing packages, machine and settings, as lines of text for a report.

    The user's home is written ``~``. What cannot be found out is said to be unknown: this never
    fails for want of a package.
    """
    sections = dict(
        bdq_plugin=_project(), packages=_packages(), machine=_machine(), settings=_settings()
    )
    lines = []
    for title, rows in sections.items():
        lines += [title, *(f'  {name:<20} {value}' for name, value in rows)]
    return '\n'.join(lines).replace(str(Path.home()), '~')


def _project() -> Iterator[tuple[str, str]]:
    yield 'version', __version__
    yield 'folder', str(PACKAGE)
    if (PACKAGE.parent / '.git').exists():
        yield 'commit', _output('git', '-C', str(PACKAGE), 'describe', '--always', '--dirty')


def _packages() -> Iterator[tuple[str, str]]:
    yield 'python', f'{platform.python_version()} ({platform.python_implementation()})'
    for name, purpose in PACKAGES.items():
        found = [f'{each} {version}' for each in (name, *ALSO.get(name, ()))
                 if (version := _version(each))]  # fmt: skip
        yield name, ', '.join(found).removeprefix(f'{name} ') or f'missing: {purpose}'


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _machine() -> Iterator[tuple[str, str]]:
    yield 'system', platform.platform()
    yield 'processor', f'{_processor()}, {_known(_cores)} of {os.cpu_count()} cores'
    yield 'memory', _known(_memory)
    yield 'GPU', _known(_gpus)
    yield 'C compiler', shutil.which(os.environ.get('CC', 'cc')) or 'none'


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(names, platform.processor() or platform.machine())


def _cores() -> str:
    return str(len(os.sched_getaffinity(0)))


def _memory() -> str:
    return f'{os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30:.1f} GiB'


def _gpus() -> str:
    cuda = import_module('torch').cuda
    return ', '.join(map(cuda.get_device_name, range(cuda.device_count()))) or 'none'


def _known(find_out: Callable[[], str]) -> str:
    try:
        return find_out()
    except Exception as error:  # an installation that is broken is what a report is about
        return f'unknown: {type(error).__name__}: {error}'


def _settings() -> Iterator[tuple[str, str]]:
    names = [*VARIABLES, *sorted(name for name in os.environ if name.startswith('BDQ_'))]
    for name in names:
        yield name, os.environ.get(name, 'not set')


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return 'unknown'
    return done.stdout.strip()
