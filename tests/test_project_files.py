"""Licence, citation, forms of reports, the checks before a commit, and what ``env`` prints."""

from __future__ import annotations

import re
import subprocess
import sys

import yaml

import bdq_plugin
from bdq_plugin.encoders import zoo_names
from bdq_plugin.environment import PACKAGES
from bdq_plugin.network_file import network_names

from .game import REPOSITORY
from .test_docs.blocks import commands


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text()


def locked(package: str, lock: str) -> str:
    return re.search(rf'^{package}==(\S+)', text_of(f'requirements/{lock}'), re.MULTILINE)[1]


def test_checks_before_a_commit_are_those_of_the_locks():
    (repository,) = yaml.safe_load(text_of('.pre-commit-config.yaml'))['repos']
    (hook,) = repository['hooks']
    assert (repository['repo'], hook['entry'], hook['language']) == ('local', 'make lint', 'system')
    done = subprocess.run(['make', '-Bn', 'lint'], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for check in ('-m ruff check .', '-m ruff format --check .', 'codespell'):
        assert check in done.stdout
    assert locked('ruff', 'lock.txt') and locked('codespell', 'tools.txt')


def test_citation():
    citation = yaml.safe_load(text_of('CITATION.cff'))
    assert citation['version'] == bdq_plugin.__version__
    assert citation['license'] == 'Apache-2.0' and 'Apache License' in text_of('LICENSE')
    assert citation['references'][0]['url'] in text_of('README.md')


def test_versions_have_their_changes():
    assert f'## {bdq_plugin.__version__}' in text_of('CHANGELOG.md')


def test_notice_names_every_picture_of_recordings_and_the_lists():
    notice = text_of('NOTICE')
    made_by_us = {'accumulation.png', 'learning_curve.png', 'tradeoff.png'}
    pictures = (REPOSITORY / 'docs' / 'images').glob('*.*')
    shown = {path.name for path in pictures if path.suffix != '.svg'}
    lists = {path.name for path in (REPOSITORY / 'bdq_plugin/datasets/index').iterdir()}
    assert not {name for name in (shown - made_by_us) | lists if name not in notice}
    assert zoo_names() and 'bdq_plugin/encoders/zoo/*.json' in notice
    assert network_names() and 'bdq_plugin/models/zoo/*.safetensors' in notice


def test_every_encoder_of_the_zoo_stands_on_its_page():
    page = text_of('docs/encoders.md')
    assert not [name for name in zoo_names() if f'\n| `{name}` | ' not in page]


def test_reports_ask_for_the_environment():
    forms = sorted((REPOSITORY / '.github' / 'ISSUE_TEMPLATE').glob('*.yml'))
    asked = {path.stem: yaml.safe_load(path.read_text()).get('body') for path in forms}
    assert set(asked) == {'bug', 'config', 'leak'} and asked.pop('config') is None
    for fields in asked.values():
        last = fields[-1]
        assert last['id'] == 'environment'
        assert '`python -m bdq_plugin env`' in last['attributes']['description']


def env(*options: str, code: str = '') -> str:
    """What ``python -m bdq_plugin env`` prints, after some code."""
    run = f'{code}\nimport sys; sys.argv[1:] = ["env"]\nimport bdq_plugin.__main__ as m; m.main()'
    command = [sys.executable, *options, '-c', run]
    variables = dict(PYTHONPATH=str(REPOSITORY), PATH='/usr/bin:/bin', BDQ_TEST_DATA='somewhere')
    done = subprocess.run(command, env=variables, capture_output=True, text=True, cwd='/')
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_env():
    assert commands('CONTRIBUTING.md') == [['python', '-m', 'bdq_plugin', 'env']]
    printed = env()
    assert f'version              {bdq_plugin.__version__}' in printed
    assert f'mmaction2            {locked("mmaction2", "lock.txt")}' in printed
    assert re.search(r'\n  GPU +\S', printed) and re.search(r'BDQ_TEST_DATA +somewhere', printed)
    assert all(f'\n  {name} ' in printed for name in PACKAGES)


def test_env_without_any_package():
    """`-S` leaves all of them out."""
    printed = env('-S')
    assert 'mmaction2            missing: training, audits' in printed
    assert 'GPU                  unknown: ModuleNotFoundError' in printed
    assert printed.count('missing: ') == len(PACKAGES)
