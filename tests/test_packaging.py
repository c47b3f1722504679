"""The wheel and the source distribution: what they hold, and that the wheel works elsewhere."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

import bdq_plugin
from tools import licenses

from .game import REPOSITORY

SOURCES = ('bdq_plugin', 'configs', 'tools', 'requirements', 'tests')
FILES = (
    'setup.py', 'pyproject.toml', 'MANIFEST.in', 'Makefile', 'README.md', 'model-index.yml',
    'mkdocs.yml', 'LICENSE', 'NOTICE', 'CHANGELOG.md', 'CITATION.cff', 'CONTRIBUTING.md',
    '.pre-commit-config.yaml',
)  # fmt: skip
NAME = f'bdq_plugin-{bdq_plugin.__version__}'


@pytest.fixture(scope='module')
def dist(tmp_path_factory) -> Path:
    """Both distributions, built without the network from a copy of the sources."""
    folder = tmp_path_factory.mktemp('package')
    source, out = folder / 'source', folder / 'dist'
    for name in SOURCES:
        # Others may run at the same time and write their caches.
        ignore = shutil.ignore_patterns('__pycache__', '.*')
        shutil.copytree(REPOSITORY / name, source / name, ignore=ignore)
    for name in FILES:
        shutil.copy(REPOSITORY / name, source)
    command = [sys.executable, '-m', 'build', '--no-isolation', '--outdir', str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    assert not (source / 'bdq_plugin' / '.mim').exists(), 'the source tree stays as it was'
    return out


@pytest.fixture(scope='module')
def wheel(dist) -> Path:
    return next(dist.glob('*.whl'))


@pytest.fixture(scope='module')
def site(wheel, tmp_path_factory) -> Path:
    """The wheel alone, installed into a folder."""
    folder = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-index', '--no-deps']
    subprocess.run([*command, '--target', str(folder), str(wheel)], check=True)
    return folder


def _files(folder: str, *suffixes: str) -> set[str]:
    found = (path for path in (REPOSITORY / folder).rglob('*') if path.suffix in suffixes)
    return {str(path.relative_to(REPOSITORY)) for path in found}


def test_contents_of_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    recipes = _files('configs', '.py', '.yml') | {'model-index.yml'}
    tools = {name for name in _files('tools', '.py', '.sh') if '/stress/' not in name}
    assert {f'bdq_plugin/.mim/{name}' for name in recipes | tools} <= names
    assert _files('bdq_plugin', '.py', '.txt', '.json', '.c', '.h') <= names
    for name in ('LICENSE', 'NOTICE'):
        assert f'{NAME}.dist-info/licenses/{name}' in names
    others = {name for name in names if not name.startswith(('bdq_plugin/', f'{NAME}.dist-info/'))}
    assert not others and not any('__pycache__' in name for name in names)


def test_contents_of_the_source_distribution(dist):
    with tarfile.open(next(dist.glob('*.tar.gz'))) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    for folder in SOURCES:
        assert _files(folder, '.py', '.sh', '.yml', '.txt', '.in', '.json', '.c', '.h') <= names
    assert set(FILES) <= names


def test_metadata(wheel):
    text = zipfile.ZipFile(wheel).read(f'{NAME}.dist-info/METADATA').decode()
    metadata = Parser().parsestr(text)
    assert metadata['Version'] == bdq_plugin.__version__
    assert set(metadata['Requires-Python'].split(',')) == {'>=3.10', '<3.15'}
    needs = [line for line in metadata.get_all('Requires-Dist') if 'extra' not in line]
    assert metadata['License'] == 'Apache-2.0'
    assert metadata.get_all('License-File') == ['LICENSE', 'NOTICE']
    assert not [line for line in needs if '==' in line], 'a plug-in must leave room to others'
    # All that the code imports is named, not left to others to bring.
    imported = set()
    for path in (REPOSITORY / 'bdq_plugin').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split('.')[0])
    named = {re.match(r'[\w-]+', line)[0].lower().replace('-', '_') for line in needs}
    packages = dict(
        cv2='opencv_python',
        mmaction='mmaction2',
        PIL='pillow',
        mmcv='mmcv_lite',
        sklearn='scikit_learn',
    )
    by_others = {'google', 'yaml'}  # tensorboard and mmengine read and write with them
    optional = {'numba', 'triton', 'zstandard', 'onnx', 'onnxruntime', 'tqdm', 'paho', 'optuna'}
    own = {'bdq_plugin'}
    external = imported - set(sys.stdlib_module_names) - by_others - optional - own
    assert {packages.get(name, name) for name in external} <= named


def test_metafile_lists_every_recipe():
    index = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())
    (metafile,) = index['Import']
    models = yaml.safe_load((REPOSITORY / metafile).read_text())['Models']
    recipes = {str(p.relative_to(REPOSITORY)) for p in (REPOSITORY / 'configs').glob('*.py')}
    assert {model['Config'] for model in models} == recipes
    assert all(model['Name'] == Path(model['Config']).stem for model in models)


ELSEWHERE = """
import bdq_plugin, sys
from bdq_plugin.__main__ import main
from mmaction.registry import MODELS
from mmengine.config import Config
from bdq_plugin.deploy.recognition import ActionRecognizer
from bdq_plugin.encoders import load_zoo_encoder, zoo_names
from bdq_plugin.engine.launch import load_config
from bdq_plugin.evaluation.comparison import TRAIN_CONFIGS
from bdq_plugin.evaluation.settings import load_data, load_panel
from bdq_plugin.network_file import network_names
from bdq_plugin.paths import CONFIGS, TOOLS

assert bdq_plugin.__file__.startswith(sys.argv[1]), bdq_plugin.__file__
assert str(CONFIGS) == sys.argv[1] + '/bdq_plugin/.mim/configs'
assert MODELS.get('AdversarialRecognizer').__module__.startswith('bdq_plugin')
for name in zoo_names():
    load_zoo_encoder(name)
for name in network_names():
    assert ActionRecognizer(f'zoo:{name}').labels
recipes = sorted(CONFIGS.glob('*.py'))
for recipe in recipes:
    assert Config.fromfile(recipe).model
assert load_config('bdq_demo.py').model.type == load_config('configs/bdq_demo.py').model.type
assert load_panel('quick').networks and load_data('ixmas').dataset
assert all(path.is_file() for path in TRAIN_CONFIGS.values()) and (TOOLS / 'train.py').is_file()

# What `python -m bdq_plugin train --help` runs.
sys.argv = ['bdq_plugin', 'train', '--help']
try:
    main()
except SystemExit as end:
    assert end.code == 0
print(len(recipes), len(zoo_names()), len(network_names()))
"""


def _run(site: Path, folder: Path, *command: str) -> subprocess.CompletedProcess:
    environment = dict(PYTHONPATH=str(site), PATH='/usr/bin:/bin', OMP_NUM_THREADS='1')
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_wheel_works_elsewhere(site, tmp_path):
    done = _run(site, tmp_path, '-c', ELSEWHERE, str(site))
    assert done.returncode == 0, done.stderr
    recipes, encoders, networks = map(int, done.stdout.split('\n')[-2].split())
    assert recipes == len(list((REPOSITORY / 'configs').glob('*.py')))
    assert encoders >= 2 and networks >= 1


def test_a_camera_needs_numpy_alone(site, tmp_path):
    """No torch, no MMEngine: `-S` leaves all packages out but those that are linked here."""
    packages = Path(sys.modules['numpy'].__file__).parents[1]
    for name in ('numpy', 'numpy.libs'):
        (site / name).symlink_to(packages / name)
    code = (
        'from bdq_plugin.deploy import StreamingEncoder, load_form\n'
        'from pathlib import Path\n'
        'import bdq_plugin, numpy, sys\n'
        'zoo = Path(bdq_plugin.__file__).parent / "encoders" / "zoo"\n'
        'stream = StreamingEncoder(load_form(zoo / "bdq_hard_ixmas_take3.json"))\n'
        'frame = numpy.zeros((48, 64), numpy.uint8)\n'
        'stream(frame)\n'
        'assert stream(frame).shape == frame.shape and "torch" not in sys.modules\n'
    )
    done = _run(site, tmp_path, '-S', '-c', code)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- the lock
def _pins(name: str) -> dict[str, list[str]]:
    """Versions of each package in a lock, and a check that each is bound to its files."""
    text = (REPOSITORY / 'requirements' / name).read_text()
    assert '://' not in text and '--index' not in text, 'a lock names packages, not hosts'
    pins: dict[str, list[str]] = {}
    for block in re.split(r'\n(?=[a-z0-9])', text.partition('\n')[2]):
        if match := re.match(r'([a-z0-9-]+)==(\S+)', block):
            assert '--hash=sha256:' in block, f'{match[1]} has no hash'
            pins.setdefault(match[1], []).append(match[2])
    return pins


def test_lock_covers_all_that_is_required(wheel):
    text = zipfile.ZipFile(wheel).read(f'{NAME}.dist-info/METADATA').decode()
    pins = _pins('lock.txt')
    for line in Parser().parsestr(text).get_all('Requires-Dist'):
        name = re.match(r'[\w-]+', line)[0].lower().replace('_', '-')
        assert name in pins, f'{name} is required and not locked: run `make lock`'
    assert pins['torch'] == ['2.11.0'] and pins['torchvision'] == ['0.26.0'], 'they fit each other'


@pytest.mark.parametrize('name', ['deploy.txt', 'tools.txt'])
def test_other_locks(name):
    pins, main = _pins(name), _pins('lock.txt')
    assert pins and 'torch' not in pins
    if name == 'deploy.txt':
        assert all(main[package] == versions for package, versions in pins.items())


def test_licences_are_listed(tmp_path):
    text = (REPOSITORY / 'requirements' / 'LICENSES.md').read_text()
    for package, versions in _pins('lock.txt').items():
        for version in versions:
            assert f'{package} {version} ' in text, f'{package} is not listed: run `make licenses`'
    out = tmp_path / 'out.md'
    (tmp_path / 'lock.txt').write_text('numpy==0.1 ; python_version < "3"\npytest==0.1 \\\n')
    licenses.main([str(tmp_path / 'lock.txt'), str(out)])
    assert '- numpy 0.1 (python_version < "3")' in out.read_text()
    assert licenses.flag('MPL-2.0', []) == licenses.flag('MIT', ['x264']) == 'COPYLEFT'
    assert licenses.flag('NVIDIA Proprietary Software', []) == 'PROPRIETARY'
    assert licenses.flag('BSD-3-Clause', []) == ''
