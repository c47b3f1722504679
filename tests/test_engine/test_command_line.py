"""The flags of MMAction2's tools do in ours what they do there."""

import pickle
import re
import runpy
from pathlib import Path

import cv2
import mmaction
import pytest
import torch
from mmengine.config import Config

from bdq_plugin.engine import launch
from bdq_plugin.engine.command_line import config_of, parse_test, parse_training

from ..game import REPOSITORY, game_options

DEMO = str(REPOSITORY / 'configs' / 'bdq_demo.py')


def as_arguments(options):
    return [
        f'{key}=[{",".join(value)}]' if isinstance(value, list) else f'{key}={value}'
        for key, value in options.items()
    ]


@pytest.fixture(scope='module')
def arguments(synthetic_kth):
    """``--cfg-options`` of a tiny game."""
    options = {'default_hooks.encoded_frames.interval': 100, 'train_cfg.val_begin': 1}
    return ['--cfg-options', *as_arguments({**game_options(synthetic_kth), **options})]


@pytest.fixture(scope='module')
def trained(arguments, tmp_path_factory):
    """The checkpoint of a tiny game."""
    folder = tmp_path_factory.mktemp('trained')
    launch.train(config_of(parse_training([DEMO, '--work-dir', str(folder), *arguments])))
    return folder / 'epoch_1.pth'


class TestTraining:
    def config(self, *flags):
        return config_of(parse_training([DEMO, *flags]))

    def test_no_validate(self, arguments, tmp_path):
        cfg = self.config('--no-validate', '--work-dir', str(tmp_path), *arguments)
        runner = launch.build_runner(cfg)
        assert runner.val_loop is None
        runner.train()
        log = next(tmp_path.glob('*/*.log')).read_text()
        assert 'Epoch(train)' in log and 'Epoch(val)' not in log

    def test_auto_scale_lr(self, arguments, tmp_path):
        """A batch of 8 where the recipe's rate is for 16: half the rate, in both phases."""
        cfg = self.config('--auto-scale-lr', '--work-dir', str(tmp_path), *arguments)
        runner = launch.build_runner(cfg)
        runner.train()
        for phase in ('action', 'privacy'):
            groups = runner.optim_wrapper[phase].optimizer.param_groups
            assert {group['initial_lr'] for group in groups} == {1e-3}

    def test_auto_scale_lr_without_a_batch(self, tmp_path):
        path = tmp_path / 'child.py'
        path.write_text(f'_base_ = [{DEMO!r}]\nauto_scale_lr = dict(_delete_=True, enable=False)')
        with pytest.raises(ValueError, match=r'base_batch_size'):
            config_of(parse_training([str(path), '--auto-scale-lr']))

    def test_randomness(self):
        cfg = self.config('--seed', '7', '--diff-rank-seed', '--deterministic')
        assert cfg.randomness == dict(seed=7, diff_rank_seed=True, deterministic=True)

    def test_they_are_all_of_mmaction2s(self):
        """Whatever its own tools list in their help, ours list too."""
        for name, parse in (('train', parse_training), ('test', parse_test)):
            tool = Path(mmaction.__file__).parent / '.mim' / 'tools' / f'{name}.py'
            flags = set(_flags(tool.read_text()))
            ours = REPOSITORY / 'bdq_plugin' / 'engine' / 'command_line.py'
            assert flags <= set(_flags(ours.read_text())), name
            assert parse([DEMO, 'x.pth'] if name == 'test' else [DEMO]).config == DEMO


def _flags(source):
    return re.findall(r"'(--[\w-]+)'", source)


class TestTest:
    def run(self, trained, tmp_path, *flags):
        args = parse_test([DEMO, str(trained), '--work-dir', str(tmp_path / 'work'), *flags])
        return launch.test(config_of(args), args.checkpoint, args.out)

    def test_dump(self, trained, tmp_path, arguments):
        path = tmp_path / 'predictions.pkl'
        metrics = self.run(trained, tmp_path, '--dump', str(path), *arguments)
        samples = pickle.loads(path.read_bytes())
        assert len(samples) == 24
        hits = [int(s['pred_score'].argmax()) == int(s['gt_label']) for s in samples]
        assert metrics['action/top1'] == pytest.approx(sum(hits) / len(hits))
        assert all('pred_subject_score' in sample for sample in samples)

    def test_dump_is_a_pickle(self):
        with pytest.raises(ValueError, match=r'ends with \.pkl'):
            config_of(parse_test([DEMO, 'x.pth', '--dump', 'predictions.json']))

    def test_pictures_of_what_the_networks_saw(self, trained, tmp_path, arguments):
        folder = tmp_path / 'pictures'
        self.run(trained, tmp_path, '--show-dir', str(folder), '--interval', '10', *arguments)
        names = sorted(path.name for path in folder.iterdir())
        assert [name[:6] for name in names] == ['00000_', '00010_', '00020_']
        assert all(name.startswith('person', 6) for name in names)
        picture = cv2.imread(str(folder / names[0]))
        # Two lines of text, over six frames of 64 x 48 with their margins.
        assert picture.shape == (2 * 14 + 50, 6 * 66, 3)
        frames, caption = picture[28:], picture[:28]
        assert (caption == 255).mean() > 0.5 and caption.min() < 100
        # Where nothing moves, mid grey.
        assert abs(float(cv2.cvtColor(frames, cv2.COLOR_BGR2GRAY)[2:8, 2:8].mean()) - 128) < 20

    def test_a_window(self, trained, tmp_path, arguments, monkeypatch):
        shown = []
        monkeypatch.setattr(
            'mmengine.visualization.Visualizer.show',
            lambda self, image, win_name, wait_time: shown.append((win_name, wait_time)),
        )
        flags = ('--show', '--interval', '20', '--wait-time', '0.5')
        self.run(trained, tmp_path, *flags, *arguments)
        assert [wait for _, wait in shown] == [0.5, 0.5]

    def test_no_picture_of_a_person_unasked(self, tmp_path, arguments):
        folder, of_clear = tmp_path / 'pictures', tmp_path / 'clear.pth'
        flags = ('--show-dir', str(folder), *arguments, 'encoder.preset=pass_through')
        work_dir = ('--work-dir', str(tmp_path / 'work'))
        runner = launch.build_runner(config_of(parse_test([DEMO, 'x.pth', *work_dir, *flags])))
        torch.save(dict(state_dict=runner.model.state_dict()), of_clear)
        with pytest.raises(ValueError, match='shows the person'):
            self.run(of_clear, tmp_path, *flags)
        assert not folder.exists()

    def test_a_config_without_a_hook_that_draws(self, tmp_path):
        path = tmp_path / 'child.py'
        path.write_text(f'_base_ = [{DEMO!r}]')
        cfg = Config.fromfile(path)
        del cfg.default_hooks['visualization']
        cfg.dump(path)
        with pytest.raises(ValueError, match='PredictionsHook'):
            config_of(parse_test([str(path), 'x.pth', '--show']))


def test_mmaction2s_own_tool_tests_our_recipe(trained, tmp_path, arguments, monkeypatch):
    """With its own flags: what they turn on stands in the recipe."""
    tool = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'test.py'
    flags = ['--show-dir', str(tmp_path / 'pictures'), '--interval', '12', '--dump', 'p.pkl']
    places = [a for a in arguments if '.' in a.split('=')[0]]
    options = dict(a.split('=', 1) for a in arguments[1:] if '.' not in a.split('=')[0])
    for split in ('train', 'val', 'test'):
        dataset = f'{split}_dataloader.dataset'
        places += [f'{dataset}.ann_file={options["ann_file"]}']
        places += [f'{dataset}.data_prefix.video={options["data_root"]}']
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')  # else the tool would set it for good
    arguments = [DEMO, str(trained), *flags, '--cfg-options', *places]
    monkeypatch.setattr('sys.argv', [str(tool), *arguments])
    runpy.run_path(str(tool), run_name='__main__')
    assert len(list((tmp_path / 'pictures').iterdir())) == 2 and (tmp_path / 'p.pkl').is_file()


def test_shell_scripts_pass_flags_on():
    """tools/dist_train.sh and the others hand their last arguments to the same programs."""
    for name in ('dist_train', 'dist_test', 'slurm_train'):
        text = (REPOSITORY / 'tools' / f'{name}.sh').read_text()
        assert '"${@:' in text and f'/{name.split("_")[1]}.py"' in text


def test_resume_takes_a_name_or_none():
    assert config_of(parse_training([DEMO, '--resume'])).resume == 'auto'
    cfg = config_of(parse_training([DEMO, '--resume', '/x.pth']))
    assert (cfg.resume, cfg.load_from) == (True, '/x.pth')
    assert config_of(parse_training([DEMO])).resume is False
