"""What docs/training.md says of recipes and switches, run: every command, option, protocol."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from bdq_plugin.datasets.preparation import prepare_ixmas, prepare_kth
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.engine.command_line import config_of, parse_test, parse_training
from bdq_plugin.engine.launch import build_runner
from bdq_plugin.engine.loops import unwrap
from bdq_plugin.models import SmallConv2d, SmallConv3d
from tests.game import REPOSITORY, interrupt
from tests.ixmas_data import make_ixmas

PAGE = (REPOSITORY / 'docs' / 'training.md').read_text()
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


# ---------------------------------------------------------------------- where a user would stand
@pytest.fixture(scope='module')
def home(tmp_path_factory) -> Path:
    """A folder with data where the page's commands expect them, and encoders of finished games."""
    root = tmp_path_factory.mktemp('home')
    kth, ixmas = root / 'data' / 'kth', root / 'data' / 'ixmas'
    make_kth(kth, subjects=1, scenarios=2, frames_per_sequence=32, size=(32, 24))
    # The official protocol has one of eleven people in train, others in val and test.
    index = (kth / '00sequences.txt').read_text()
    for person in (f'person{number:02d}' for number in range(2, 12)):
        for path in (kth / 'videos').glob('person01_*'):
            shutil.copy(path, path.with_name(path.name.replace('person01', person)))
        with open(kth / '00sequences.txt', 'a') as file:
            file.write(index.replace('person01', person))
    prepare_kth(kth / 'videos', kth / 'annotations.csv', kth / '00sequences.txt')
    make_ixmas(ixmas)
    prepare_ixmas(ixmas / 'raw', ixmas / 'annotations.csv')
    for game in ('bdq_kth', 'bdq_ixmas', 'bdq_ixmas_cpu', 'demo/bdq'):
        (root / 'work_dirs' / game).mkdir(parents=True)
        save_encoder(build_encoder('bdq'), root / 'work_dirs' / game / 'encoder.json')
    return root


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def shrunk(cfg: Config) -> Config:
    """The same recipe with a few small clips, tiny backbones and no download; not its switches."""
    for name in LOADERS:
        loader = cfg[name]
        loader.update(batch_size=2, num_workers=0)
        loader.dataset.update(indices=4, cache=False)
        for step in loader.dataset.pipeline:
            for key, value in step.items():
                if isinstance(value, list | tuple):
                    step[key] = type(value)(32 if each == 224 else each for each in value)
                elif value == 224:
                    step[key] = 32
    model = cfg.model
    game = model.type == 'AdversarialRecognizer'
    networks = [model.recognizer, model.privacy] if game else [model]
    for network in networks:
        channels = len(model.data_preprocessor.get('mean', 'RGB'))
        if network.type == 'PrivacyRecognizer':
            weights = network.backbone.get('pretrained')
            network.backbone = tiny('SmallConv2d', channels, local(weights))
        elif network.type == 'Recognizer2D':
            network.backbone = tiny('SmallConv2d', channels)
        else:
            network.backbone = tiny('SmallConv3d', channels)
            network.cls_head.update(type='I3DHead')
            network.cls_head.pop('fc1_bias', None)
        network.cls_head.in_channels = 96
    hook = cfg.default_hooks.get('action_weights', {})
    if hook:
        hook.checkpoint = local(hook.checkpoint)
    cfg.default_hooks.encoded_frames.interval = 1000
    return cfg


def tiny(kind: str, channels: int, weights: str | None = None) -> dict[str, Any]:
    backbone = dict(type=kind, in_channels=channels)
    if weights:
        backbone['init_cfg'] = dict(type='Pretrained', checkpoint=weights)
    return backbone


def local(weights: str | None) -> str | None:
    """Weights that can be had without a network."""
    return None if not weights or weights.startswith('http') else weights


class Enough(Exception):
    """One iteration is done."""


class OneIteration(Hook):
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        raise Enough


def one_iteration(cfg: Config) -> Runner:
    """Train for one iteration."""
    runner = build_runner(cfg)
    runner.register_hook(OneIteration())
    with pytest.raises(Enough):
        runner.train()
    return runner


# ---------------------------------------------------------------------- its commands
def commands(program: str) -> list[list[str]]:
    """The arguments of a program in the page's blocks of shell commands."""
    blocks = re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if program in line]
    return [words[words.index(program) + 1 :] for words in found]


TRAININGS = commands('tools/train.py')


def test_there_are_commands():
    assert len(TRAININGS) >= 8


@pytest.mark.parametrize('arguments', TRAININGS, ids=lambda words: Path(words[0]).stem)
def test_a_command_trains(arguments, tmp_path):
    """As it stands: recipe, data and encoder are where the page has put them."""
    cfg = config_of(parse_training([*arguments, '--work-dir', str(tmp_path)]))
    runner = one_iteration(shrunk(cfg))
    assert runner.message_hub.get_info('max_epochs') == cfg.train_cfg.max_epochs


OTHERS = [
    path.stem
    for path in sorted((REPOSITORY / 'configs').glob('*.py'))
    if re.match('bdq_kth|bdq_ixmas|no_encoder', path.stem)
    and [f'configs/{path.name}'] not in TRAININGS
]


@pytest.mark.parametrize('name', OTHERS)
def test_other_recipes_of_these_data_train(name, tmp_path):
    cfg = config_of(parse_training([f'configs/{name}.py', '--work-dir', str(tmp_path)]))
    one_iteration(shrunk(cfg))


@pytest.mark.parametrize('program', ['tools/dist_train.sh', 'tools/dist_test.sh'])
def test_commands_of_several_processes(program):
    for config, *others in commands(program):
        if program == 'tools/dist_test.sh':
            assert parse_test([config, others[0]]).checkpoint == others[0]
        assert config_of(parse_training([config])).model
        assert others[-1] == '4'


def test_kth_is_prepared(tmp_path, monkeypatch):
    ((videos, option, out),) = commands('tools/data/kth/prepare.py')
    assert option == '--out' and Path(out).is_file(), 'the recipes read it there'
    path = tmp_path / 'annotations.csv'
    monkeypatch.setattr('sys.argv', ['prepare.py', videos, option, str(path)])
    runpy.run_path(str(REPOSITORY / 'tools/data/kth/prepare.py'), run_name='__main__')
    # The index of KTH itself has other frames than the synthetic one, of the same videos.
    made, expected = path.read_text().splitlines(), Path(out).read_text().splitlines()
    assert made[0] == expected[0] and videos_of(made) == videos_of(expected)


def videos_of(lines: list[str]) -> set[str]:
    return {line.split(',')[0] for line in lines}


def test_reproduction_of_ixmas(tmp_path):
    """tools/reproduce_ixmas_cpu.sh, with a Python that only writes down what it is asked."""
    script = tmp_path / 'tools' / 'reproduce_ixmas_cpu.sh'
    script.parent.mkdir()
    shutil.copy(REPOSITORY / 'tools' / script.name, script)
    python = tmp_path / 'python'
    python.write_text(
        '#!/bin/sh\necho "$@" >> asked.txt\n'
        'while [ "$1" != --work-dir ]; do shift; done\n'
        'mkdir -p "$2" && echo {} > "$2/metrics.json"\n'
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    environment = dict(PYTHON=str(python), FOLD='2', PATH='/usr/bin:/bin')
    subprocess.run(['bash', str(script), '--seed', '5'], env=environment, check=True)
    asked = [shlex.split(line) for line in (tmp_path / 'asked.txt').read_text().splitlines()]
    assert len(asked) == 4 and all(words[0] == 'tools/train.py' for words in asked)
    for words in asked:
        cfg = config_of(parse_training(words[1:]))
        assert cfg.randomness.seed == 5 and cfg.resume == 'auto'
        assert {cfg[name].dataset.fold for name in LOADERS} == {2}


# ---------------------------------------------------------------------- its options
def table(heading: str) -> list[list[str]]:
    """The cells of the table whose first column has this heading."""
    lines = PAGE[PAGE.index(f'| {heading} |') :].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith('|'):
            return rows
        rows.append([cell.strip() for cell in line.strip('|').split(' | ')])
    return rows


def options() -> list[str]:
    """Each option of the table, as it is typed."""
    return [text for cells in table('option of `tools/train.py`') for text in
            re.findall(r'`([^`]+)`', cells[0])]  # fmt: skip


def all_data_sets(runner: Runner) -> list[Any]:
    return [runner.train_loop.dataloader.dataset, runner.val_loop.dataloader.dataset,
            runner.test_loop.dataloader.dataset]  # fmt: skip


def check_protocol(runner: Runner) -> None:
    for dataset in all_data_sets(runner):
        assert (dataset.protocol, dataset.fold) == ('scenario', 2)
    scenarios = [{item['scenario'] for item in map(dataset.get_data_info, range(len(dataset)))}
                 for dataset in all_data_sets(runner)]  # fmt: skip
    assert scenarios == [{1}, {2}, {2}]


def check_data(runner: Runner) -> None:
    for dataset in all_data_sets(runner):
        assert dataset.get_data_info(0)['filename'].startswith('elsewhere/')
        assert dataset.ann_file == 'elsewhere/annotations.csv'


def check_no_weights(runner: Runner) -> None:
    text = str([runner.cfg.model, runner.cfg.default_hooks])
    assert 'https://' not in text and '.pth' not in text


def check_weights(runner: Runner) -> None:
    model = unwrap(runner.model)
    for place, name in (('recognizer', 'action'), ('privacy.0', 'privacy')):
        found, named = (
            model.get_submodule(f'{place}.backbone').state_dict(),
            torch.load(f'{name}.pth'),
        )
        for key in (key for key, value in named.items() if value.ndim > 1):
            # A step has been taken since.
            assert (found[key] - named[key]).abs().mean() < 0.2 * named[key].abs().mean()


def check_encoder(runner: Runner) -> None:
    model = unwrap(runner.model)
    assert model.data_preprocessor.encoder.config['mode'] == 'hard' and model.alpha == 2


def check_encoder_file(runner: Runner) -> None:
    sigma = unwrap(runner.model).data_preprocessor.encoder.blur.sigma.item()
    assert sigma == pytest.approx(2.5)


def check_hard_encoder_file(runner: Runner) -> None:
    check_encoder_file(runner)
    assert unwrap(runner.model).data_preprocessor.encoder.quantize.mode == 'hard'


def check_length(runner: Runner) -> None:
    assert runner.max_epochs == 20
    for phase in ('action', 'privacy'):
        (schedule,) = runner.param_schedulers[phase]
        assert (schedule.T_max, schedule.end) == (runner.max_iters, runner.max_iters)


def check_fast(runner: Runner) -> None:
    model = unwrap(runner.model)
    weights = [p for p in model.recognizer.backbone.parameters() if p.ndim == 5]
    assert all(p.is_contiguous(memory_format=torch.channels_last_3d) for p in weights)
    assert model.recognizer.backbone._compiled_call_impl is not None


def check_no_guard(runner: Runner) -> None:
    (guard,) = (hook for hook in runner.hooks if type(hook).__name__ == 'LossGuard')
    assert guard.policy == 'off'


def check_privacy_networks(runner: Runner) -> None:
    assert len(unwrap(runner.model).privacy) == 3


# By the names of what is given.
CHECKS: dict[str, Callable[[Runner], None]] = {
    'protocol fold': check_protocol,
    'data_root ann_file': check_data,
    'pretrained': check_no_weights,
    'pretrained.action pretrained.privacy': check_weights,
    'encoder.preset model.alpha': check_encoder,
    'model.num_privacy_networks': check_privacy_networks,
    'encoder_file': check_encoder_file,
    'encoder_file encoder.mode': check_hard_encoder_file,
    'max_epochs': check_length,
    'model.channels_last model.compile': check_fast,
    'default_hooks.loss_guard.policy': check_no_guard,
}
FLAGS = ('--resume', '--amp', '--seed', '--work-dir', '--no-validate', '--auto-scale-lr')
PLACEHOLDERS = {
    'data_root=DIR': 'data_root=elsewhere/videos',
    'ann_file=FILE': 'ann_file=elsewhere/annotations.csv',
    'pretrained.action=FILE': 'pretrained.action=action.pth',
    'pretrained.privacy=FILE': 'pretrained.privacy=privacy.pth',
    'encoder_file=FILE': 'encoder_file=own.json',
}


def names(words: list[str]) -> str:
    return ' '.join(word.split('=')[0] for word in words)


CFG_OPTIONS = [text.split()[1:] for text in options() if text.startswith('--cfg-options')]


def test_every_option_has_a_test():
    """A new row of the table asks for a new check."""
    assert [names(words) for words in CFG_OPTIONS] == list(CHECKS)
    flags = [text.split()[0] for text in options() if not text.startswith('--cfg-options')]
    assert tuple(flags) == FLAGS


@pytest.fixture
def own_files(home: Path) -> None:
    """What the placeholders of the table stand for."""
    if not (home / 'elsewhere').exists():
        (home / 'elsewhere').symlink_to(home / 'data' / 'kth')
    torch.save(SmallConv3d(3).state_dict(), 'action.pth')
    torch.save(SmallConv2d(3).state_dict(), 'privacy.pth')
    save_encoder(build_encoder('bdq', sigma=2.5), 'own.json')


@pytest.mark.parametrize('words', CFG_OPTIONS, ids=names)
def test_an_option_does_what_it_says(words, own_files, tmp_path):
    check = CHECKS[names(words)]
    recipe = 'bdq_kth_action' if words[0].startswith('encoder_file') else 'bdq_kth'
    words = [PLACEHOLDERS.get(word, word) for word in words]
    arguments = [f'configs/{recipe}.py', '--work-dir', str(tmp_path), '--cfg-options', *words]
    cfg = shrunk(config_of(parse_training(arguments)))
    if 'model.compile=True' in words:
        cfg.model.compile = dict(backend='eager')  # as it is built, without a compiler of C++
    check(one_iteration(cfg))


class TestFlags:
    def config(self, *flags):
        return shrunk(config_of(parse_training(['configs/bdq_kth.py', *flags])))

    def test_resume(self, tmp_path):
        """It goes on after the last whole epoch."""
        folder = ('--work-dir', str(tmp_path))
        interrupt(self.config(*folder), 1)
        runner = one_iteration(self.config(*folder, '--resume'))
        assert runner.epoch == 1 and runner.iter == len(runner.train_dataloader)

    def test_amp(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        wrapper = self.config('--amp').optim_wrapper
        assert {wrapper.action.type, wrapper.privacy.type} == {'AmpOptimWrapper'}

    def test_seed_and_work_dir(self, tmp_path):
        runner = one_iteration(self.config('--seed', '9', '--work-dir', str(tmp_path / 'x')))
        assert runner.seed == 9 and list((tmp_path / 'x').iterdir())

    def test_without_a_work_dir(self, home):
        runner = one_iteration(self.config())
        assert Path(runner.work_dir).resolve() == home / 'work_dirs' / 'bdq_kth'


# ---------------------------------------------------------------------- its protocols
def protocols() -> list[tuple[str, str, int]]:
    """Data set, protocol and fold of each row of the table of protocols."""
    found = []
    for cells in table('protocol'):
        family = cells[0].split()[0]
        folds = int(re.search(r'\((\d+) folds\)|$', cells[0])[1] or 1)
        names = re.findall(r'`(\w+)`', cells[0])
        found += [(family, name, fold) for name in names for fold in range(1, folds + 1)]
    return found


@pytest.mark.parametrize(('family', 'protocol', 'fold'), protocols())
def test_a_protocol_by_switch(family, protocol, fold):
    if (protocol, fold) in (('scenario', 3), ('scenario', 4)):
        fold -= 2  # two scenarios are there
    words = [
        f'configs/bdq_{family}_cpu.py',
        '--cfg-options',
        f'protocol={protocol}',
        f'fold={fold}',
    ]
    cfg = config_of(parse_training(words))
    splits = []
    for name in LOADERS:
        cfg[name].dataset.cache = False
        dataset = DATASETS.build(cfg[name].dataset)
        assert len(dataset) and (dataset.protocol, dataset.fold) == (protocol, fold)
        splits.append(dataset.split)
    has_val = protocol in ('subsequence', 'official', 'seed')
    assert splits == ['train', 'val' if has_val else 'test', 'test']


# ---------------------------------------------------------------------- another backbone
def test_its_recipe_of_another_backbone(tmp_path):
    """The page shows configs/bdq_kth_slowonly.py, and it is what it says."""
    section = PAGE[PAGE.index('## Another backbone') :]
    code = re.search(r'```python\n(.*?)```', section, re.DOTALL)[1]
    path = REPOSITORY / 'configs' / 'shown_on_a_page.py'
    try:
        path.write_text(code)
        shown = Config.fromfile(path)
    finally:
        path.unlink()
    recipe = Config.fromfile(REPOSITORY / 'configs' / 'bdq_kth_slowonly.py')
    assert shown.to_dict() == recipe.to_dict()
