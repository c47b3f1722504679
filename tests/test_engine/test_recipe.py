"""A config says what happens: switches act from the command line alone, and overrule nothing."""

import json
from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from bdq_plugin.encoder_file import chosen_every
from bdq_plugin.engine.command_line import parse_training
from bdq_plugin.engine.launch import build_runner, load_config, train
from bdq_plugin.engine.loops import unwrap
from bdq_plugin.models import SmallConv3d

from ..game import REPOSITORY, game_config, game_options
from ..processes import fork, play

CONFIGS = REPOSITORY / 'configs'
RECIPES = sorted(CONFIGS.glob('*.py'))
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@pytest.fixture
def child(tmp_path):
    """Write a config that inherits a recipe; returns its path."""

    def write(text: str, base: str = 'bdq_demo') -> str:
        path = tmp_path / 'child.py'
        path.write_text(f'_base_ = [{str(CONFIGS / base)!r} + ".py"]\n{text}\n')
        return str(path)

    return write


def datasets(cfg):
    return [cfg[loader].dataset for loader in LOADERS]


class TestARecipeMeansTheSame:
    @pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
    def test_to_mmengine_and_to_our_tools(self, path):
        """What MMEngine reads is what our tools train; they add where outputs go."""
        stock, ours = Config.fromfile(path), load_config(str(path))
        ours.pop('launcher')
        ours.pop('work_dir')
        assert ours.to_dict() == stock.to_dict()
        assert stock.train_cfg.max_epochs >= 10
        for dataset in datasets(stock):
            assert dataset.ann_file and dataset.data_prefix.video and dataset.protocol

    def test_mmengines_own_runner_trains_it(self, synthetic_kth, tmp_path, child):
        videos, people = str(synthetic_kth.root / 'videos'), ['person01', 'person02', 'person03']
        data = dict(
            ann_file=str(synthetic_kth.annotation),
            data_prefix=dict(video=videos),
            subjects=people,
            indices=12,
        )
        text = '\n'.join(f'{loader} = dict(batch_size=4, dataset={data})' for loader in LOADERS)
        text += '\nmodel = dict(privacy=dict(cls_head=dict(num_classes=3)))'
        text += '\ntrain_cfg = dict(max_epochs=1)'
        path = child(text)
        cfg = Config.fromfile(path)
        cfg.work_dir = str(tmp_path / 'mmengine')
        runner = Runner.from_cfg(cfg)
        runner.train()
        ours = train(load_config(path, work_dir=str(tmp_path / 'ours')))
        assert runner.test() == pytest.approx(ours)
        stock, own = (
            torch.load(tmp_path / name / 'epoch_1.pth', weights_only=False)['state_dict']
            for name in ('mmengine', 'ours')
        )
        assert all(torch.equal(stock[key], own[key]) for key in stock)
        # What `mim train mmaction CONFIG` starts.
        tool = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'train.py'
        folder = tmp_path / 'mim'
        done = fork(play, tool, path, '--work-dir', folder)
        assert done.returncode == 0, done.stderr
        mim = torch.load(folder / 'epoch_1.pth', weights_only=False)['state_dict']
        assert all(torch.equal(mim[key], own[key]) for key in own)
        assert json.loads((folder / 'encoder.json').read_text())['metadata']['protocol']


class TestAChildIsNotOverruled:
    def test_its_schedule(self, child):
        schedule = [
            dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=2),
            dict(type='CosineAnnealingLR', T_max=18, by_epoch=True, begin=2, end=20),
        ]
        cfg = load_config(child(f'train_cfg = dict(max_epochs=20)\nparam_scheduler = {schedule}'))
        assert cfg.train_cfg.max_epochs == 20
        assert cfg.param_scheduler == schedule

    def test_its_loaders(self, child):
        path = child(
            "test_dataloader = dict(dataset=dict(protocol='scenario', fold=3, ann_file='x.csv',"
            " data_prefix=dict(video='/x')))"
        )
        dataset = load_config(path).test_dataloader.dataset
        assert (dataset.protocol, dataset.fold, dataset.ann_file) == ('scenario', 3, 'x.csv')
        assert dataset.data_prefix == dict(video='/x')

    def test_its_encoder(self, child):
        path = child("model = dict(data_preprocessor=dict(encoder=dict(preset='sign_2')))")
        assert load_config(path).model.data_preprocessor.encoder == dict(preset='sign_2')

    @pytest.mark.parametrize('base', ['bdq_kth', 'bdq_ixmas_cpu'])
    def test_its_weights(self, child, base):
        path = child("model = dict(privacy=dict(backbone=dict(pretrained='/own.pth')))", base)
        assert load_config(path).model.privacy.backbone.pretrained == '/own.pth'

    def test_its_hooks(self, child):
        hook = dict(type='PretrainedBackboneHook', module='recognizer.backbone', checkpoint='/x')
        cfg = load_config(child(f'custom_hooks = [{hook}]'))
        assert cfg.custom_hooks == [hook]
        named = {hook['type'] for hook in cfg.default_hooks.values()}
        assert named >= {
            'SeedEpochHook',
            'CheckLabelsHook',
            'SaveEncoderHook',
            'EncodedFramesHook',
            'ProgressBarHook',
        }


class Probe(Hook):
    """Keeps the action network's backbone as training finds it."""

    priority = 'VERY_LOW'

    def before_train_epoch(self, runner):
        backbone = unwrap(runner.model).recognizer.backbone
        self.state = {name: value.clone() for name, value in backbone.state_dict().items()}


class TestLoadFrom:
    @pytest.fixture
    def start(self, synthetic_kth, tmp_path):
        """A checkpoint of the whole game, and other weights of its action network."""
        runner = build_runner(game_config(synthetic_kth, tmp_path / 'start'))
        whole = unwrap(runner.model).state_dict()
        torch.save(dict(state_dict=whole, meta={}), tmp_path / 'whole.pth')
        torch.save(dict(state_dict=SmallConv3d(1).state_dict()), tmp_path / 'weights.pth')
        return tmp_path

    def first_state(self, cfg):
        runner, probe = build_runner(cfg), Probe()
        runner.register_hook(probe)
        runner.train()
        return probe.state

    @pytest.mark.parametrize('resume', [None, 'auto'])
    def test_a_checkpoint_to_start_from_stays(self, synthetic_kth, start, child, resume):
        """Neither the weights of a recipe nor --resume in an empty folder takes its place."""
        path = child(f'load_from = {str(start / "whole.pth")!r}')
        options = game_options(synthetic_kth, **{'pretrained.action': str(start / 'weights.pth')})
        cfg = load_config(path, options=options, work_dir=str(start / 'run'), resume=resume)
        found = self.first_state(cfg)
        whole = torch.load(start / 'whole.pth')['state_dict']
        for name, value in found.items():
            assert torch.equal(value, whole[f'recognizer.backbone.{name}']), name

    def test_a_checkpoint_without_that_network_leaves_it_its_weights(
        self, synthetic_kth, start, child
    ):
        whole = torch.load(start / 'whole.pth')['state_dict']
        encoder = {k: v for k, v in whole.items() if k.startswith('data_preprocessor')}
        torch.save(dict(state_dict=encoder, meta={}), start / 'encoder.pth')
        path = child(f'load_from = {str(start / "encoder.pth")!r}')
        options = game_options(synthetic_kth, **{'pretrained.action': str(start / 'weights.pth')})
        found = self.first_state(load_config(path, options=options, work_dir=str(start / 'run')))
        for name, value in torch.load(start / 'weights.pth')['state_dict'].items():
            assert torch.equal(found[name], value), name


class TestSwitches:
    def load(self, name='bdq_kth', **options):
        return load_config(str(CONFIGS / f'{name}.py'), options=options)

    def test_data(self):
        cfg = self.load(fold=2, protocol='scenario', data_root='/a', ann_file='/b.csv')
        for dataset in datasets(cfg):
            assert (dataset.fold, dataset.protocol, dataset.ann_file) == (2, 'scenario', '/b.csv')
            assert dataset.data_prefix == dict(video='/a')

    @pytest.mark.parametrize(
        ('name', 'protocol', 'split'),
        [
            ('bdq_kth', 'scenario', 'test'),
            ('bdq_kth', 'official', 'val'),
            ('bdq_ixmas_cpu', 'seed', 'val'),
            ('bdq_ixmas_cpu', 'view', 'test'),
        ],
    )
    def test_validation_has_a_split_that_the_protocol_has(self, name, protocol, split):
        cfg = self.load(name, protocol=protocol)
        assert [dataset.split for dataset in datasets(cfg)] == ['train', split, 'test']

    def test_a_protocol_is_declared_by_its_parts(self):
        words = ['c.py', '--cfg-options', 'protocol.ratio=60,20,20', 'protocol.group=session']
        options = parse_training(words).cfg_options
        cfg = self.load('bdq_own_cpu_action', **options)
        for dataset, split in zip(datasets(cfg), ('train', 'val', 'test'), strict=True):
            assert dataset.protocol == dict(ratio=[60, 20, 20], group='session')
            assert dataset.split == split

    def test_a_dict_is_no_option(self, capsys):
        with pytest.raises(SystemExit):
            parse_training(['c.py', '--cfg-options', "protocol={'ratio':(60,40)}"])
        assert 'reads no {...}: write KEY.PART=VALUE' in capsys.readouterr().err

    def test_they_reach_into_wrappers(self, child):
        path = child(
            'part = dict(type="KTHDataset", ann_file="a.csv", pipeline=[], split="train")\n'
            'train_dataloader = dict(dataset=dict(_delete_=True, type="RepeatDataset", times=2,'
            ' dataset=dict(type="ConcatDataset", datasets=[part, dict(part, fold=4)])))'
        )
        options = dict(fold=2, protocol='scenario', data_root='/a', ann_file='/b.csv')
        cfg = load_config(path, options=options)
        wrapped = cfg.train_dataloader.dataset
        assert set(wrapped) == {'type', 'times', 'dataset'}
        assert set(wrapped.dataset) == {'type', 'datasets'}
        for dataset in wrapped.dataset.datasets:
            assert (dataset.fold, dataset.protocol, dataset.ann_file) == (2, 'scenario', '/b.csv')
            assert dataset.data_prefix == dict(video='/a')

    def test_a_wrapped_training_set_trains(self, synthetic_kth, tmp_path, child):
        path = child(
            'train_dataloader = dict(dataset=dict(_delete_=True, type="RepeatDataset", times=2,'
            ' dataset=dict(_base_.train_dataloader.dataset)))'
        )
        options = game_options(synthetic_kth, fold=1, protocol='subsequence')
        inner = {
            key.replace('train_dataloader.dataset', 'train_dataloader.dataset.dataset'): value
            for key, value in options.items()
        }
        sampling = dict(type='SampleFrames', clip_len=16, frame_interval=2, num_clips=1)
        inner['train_dataloader.dataset.dataset.pipeline.1'] = sampling
        runner = build_runner(load_config(path, options=inner, work_dir=str(tmp_path)))
        runner.train()
        assert runner.iter == 6
        metadata = json.loads((tmp_path / 'encoder.json').read_text())['metadata']
        assert (metadata['dataset'], metadata['fold']) == ('KTHDataset', 1)
        # A camera then encodes frames as far apart.
        assert chosen_every(tmp_path / 'encoder.json') == 2

    def test_an_option_inside_beats_a_switch(self):
        cfg = self.load(**{'fold': 2, 'test_dataloader.dataset.fold': 3})
        assert [dataset.fold for dataset in datasets(cfg)] == [2, 2, 3]

    def test_max_epochs_alone(self):
        """The recipes' schedules are as long as the training."""
        cfg = self.load(max_epochs=7)
        assert cfg.train_cfg.max_epochs == 7
        assert not set(cfg.param_scheduler[0]) & {'end', 'T_max'}

    WARM_UP = (
        dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=5),
        dict(type='CosineAnnealingLR', T_max=45, by_epoch=True, begin=5, end=50),
    )

    @pytest.mark.parametrize('shape', ['list', 'by optimiser'])
    def test_max_epochs_keeps_a_warm_up(self, child, shape):
        schedule = list(self.WARM_UP)
        if shape == 'by optimiser':
            privacy = dict(type='ConstantLR', factor=0.5, end=1)
            schedule = dict(_delete_=True, action=schedule, privacy=privacy)
        path = child(f'param_scheduler = {schedule}', 'bdq_kth')
        cfg = load_config(path, options=dict(max_epochs=20))
        found = cfg.param_scheduler
        if shape == 'by optimiser':
            assert found.privacy == schedule['privacy']
            found = found.action
        assert found[0] == self.WARM_UP[0]
        assert found[1] == dict(self.WARM_UP[1], T_max=15, end=20)

    def test_max_epochs_keeps_the_share_of_milestones(self, child):
        schedule = dict(type='MultiStepLR', milestones=[20, 40], by_epoch=True, begin=0, end=50)
        path = child(f'param_scheduler = [{schedule}]', 'bdq_kth')
        (found,) = load_config(path, options=dict(max_epochs=10)).param_scheduler
        assert found == dict(schedule, milestones=[4, 8], end=10)

    def test_max_epochs_that_leave_nothing_of_a_schedule(self, child):
        path = child(f'param_scheduler = {list(self.WARM_UP)}', 'bdq_kth')
        with pytest.raises(ValueError, match='max_epochs=5 leaves nothing of CosineAnnealingLR'):
            load_config(path, options=dict(max_epochs=5))

    def test_a_warm_up_runs(self, synthetic_kth, tmp_path, child):
        """LinearLR knows no T_max: it must not be given one."""
        schedule = [
            dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1),
            dict(type='CosineAnnealingLR', by_epoch=True, begin=1),
        ]
        schedule = [dict(each, convert_to_iter_based=True) for each in schedule]
        path = child(f'param_scheduler = {schedule}')
        options = game_options(synthetic_kth, max_epochs=2)
        runner = build_runner(load_config(path, options=options, work_dir=str(tmp_path)))
        rates = []

        class Rates(Hook):
            def before_train_iter(self, runner, batch_idx, data_batch=None):
                rates.append(runner.optim_wrapper.get_lr()['action.lr'][0])

        runner.register_hook(Rates())
        runner.train()
        assert rates[0] == pytest.approx(2e-4) and max(rates) == pytest.approx(2e-3)
        assert rates[-1] < rates[-2] < rates[-3] and len(rates) == 6

    def test_weights_by_url_are_the_default(self):
        cfg = self.load()
        assert cfg.model.privacy.backbone.pretrained.startswith('https://')
        hook = cfg.default_hooks.action_weights
        assert hook.checkpoint.startswith('https://') and hook.module == 'recognizer.backbone'

    @pytest.mark.parametrize('name', ['bdq_kth', 'bdq_kth_action', 'bdq_kth_privacy', 'bdq_demo'])
    def test_one_switch_turns_weights_off(self, name):
        assert 'https://' not in json.dumps(
            {k: self.load(name, pretrained=None)[k] for k in ('model', 'default_hooks')}
        )

    def test_it_turns_off_weights_by_any_name(self, child):
        path = child(
            "model = dict(recognizer=dict(backbone=dict(pretrained='/a'), "
            "init_cfg=dict(type='Pretrained', checkpoint='/b')))"
        )
        model = load_config(path, options=dict(pretrained=None)).model
        assert model.recognizer.backbone.pretrained is None and model.recognizer.init_cfg is None

    def test_local_paths(self):
        cfg = self.load(**{'pretrained.action': '/a.pth', 'pretrained.privacy': '/p.pth'})
        assert cfg.model.privacy.backbone.pretrained == '/p.pth'
        assert cfg.default_hooks.action_weights.checkpoint == '/a.pth'

    def test_one_path_leaves_the_other(self):
        cfg = self.load(**{'pretrained.action': '/a.pth'})
        assert cfg.model.privacy.backbone.pretrained.startswith('https://')

    def test_stage_2(self):
        cfg = self.load('bdq_kth_privacy', encoder_file='/e.json', **{'pretrained.privacy': '/p'})
        assert cfg.model.data_preprocessor.encoder == dict(file='/e.json')
        assert cfg.model.backbone.pretrained == '/p'
        assert cfg.model.data_preprocessor.frozen

    def test_parts_of_the_encoder(self, child):
        cfg = self.load(**{'encoder.preset': 'bdq_hard', 'encoder.num_levels': 8})
        assert cfg.model.data_preprocessor.encoder == dict(preset='bdq_hard', num_levels=8)
        path = child("model = dict(data_preprocessor=dict(encoder=dict(_delete_=True, "
                     "type='BDQEncoder', sigma=2.0)))")  # fmt: skip
        cfg = load_config(path, options={'encoder.preset': 'bdq_hard'})
        assert cfg.model.data_preprocessor.encoder == dict(preset='bdq_hard', sigma=2.0)
        cfg = load_config(path, options={'encoder': 'bdq'})
        assert cfg.model.data_preprocessor.encoder == dict(preset='bdq')


STOCK = 'recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb.py'


class TestASwitchThatCannotAct:
    @pytest.fixture
    def stock(self):
        """A config of MMAction2's own."""
        return str(Path(mmaction.__file__).parent / '.mim' / 'configs' / STOCK)

    @pytest.mark.parametrize(
        'switch', [dict(protocol='take'), dict(fold=2), dict(encoder='bdq'), dict(encoder_file='x')]
    )
    def test_in_a_stock_config(self, stock, switch):
        (name,) = switch
        with pytest.raises(ValueError, match=f'^{name}=.* acts nowhere in this config'):
            load_config(stock, options=switch)

    def test_others_act_there(self, stock):
        options = dict(data_root='/v', ann_file='/l.txt', max_epochs=10, pretrained=None)
        cfg = load_config(stock, options=options)
        for dataset in datasets(cfg):
            assert dataset.data_prefix == dict(video='/v') and dataset.ann_file == '/l.txt'
        assert cfg.train_cfg.max_epochs == 10 and cfg.param_scheduler[0].milestones == [4, 8]
        assert cfg.model.backbone.pretrained is None

    def test_a_stock_config_is_left_as_it_is(self, stock):
        """Its top-level ``data_root`` is a variable, which names the training videos alone."""
        expected, found = Config.fromfile(stock), load_config(stock)
        assert found.val_dataloader.dataset == expected.val_dataloader.dataset
        assert len({dataset.data_prefix.video for dataset in datasets(found)}) == 2

    @pytest.mark.parametrize(
        ('name', 'options', 'message'),
        [
            ('bdq_kth', {'pretrained.actor': '/a'}, 'roles'),
            ('bdq_kth_privacy', {'pretrained.action': '/a'}, 'no action network'),
            ('bdq_kth_action', {'pretrained.privacy': '/a'}, 'no privacy network'),
            ('bdq_ixmas_cpu', {'pretrained.privacy': '/a'}, 'no privacy network that takes'),
            ('bdq_kth', {'max_epochs': 0}, '1 or more'),
            ('bdq_kth', {'fold.x': 1}, 'fold has no parts'),
            ('bdq_kth', {'protocol': 'scenrio'}, 'subsequence'),
            ('bdq_own', {'protocol': 'take', 'protocol.folds': 2}, 'keep one of them'),
            ('bdq_own', {'protocol.column': 'day', 'protocol.test': 3}, r'list of values, \[3\]'),
            ('bdq_own', {'protocol.colum': 'day'}, 'exactly one of hold_out, column'),
            ('bdq_kth', {'max_epoch': 3}, 'max_epochs'),
            ('bdq_kth', {'default_hooks.alpha_guard.policy': 'off'}, 'loss_guard'),
        ],
    )
    def test_mistakes(self, name, options, message):
        with pytest.raises(ValueError, match=message):
            load_config(str(CONFIGS / f'{name}.py'), options=options)

    @pytest.mark.parametrize(
        'line',
        [
            'fold = 2',
            "protocol = 'official'",
            'max_epochs = 3',
            "encoder = dict(preset='bdq_hard')",
            "data_root = '/x'",
            "pretrained = dict(action='/x')",
        ],
    )
    def test_as_a_variable_of_a_config(self, synthetic_kth, tmp_path, child, line):
        """It would act nowhere, in MMEngine's own Runner too."""
        cfg = load_config(child(line), options={'train_dataloader.num_workers': 0})
        for dataset in datasets(cfg):
            dataset.update(ann_file=str(synthetic_kth.annotation), subjects=['person01'])
            dataset.data_prefix = dict(video=str(synthetic_kth.root / 'videos'))
            dataset.cache = False
        cfg.work_dir = str(tmp_path / 'run')
        with pytest.raises(ValueError, match=f'{line.split()[0]} = .* where nothing reads it'):
            Runner.from_cfg(cfg).train()

    def test_a_variable_that_the_config_uses_is_none(self, child):
        path = child(
            'max_epochs = 4\ntrain_cfg = dict(max_epochs=max_epochs)\n'
            "encoder = dict(preset='sign_2')\n"
            'model = dict(data_preprocessor=dict(encoder=encoder))'
        )
        from bdq_plugin.engine.recipe import idle_switches

        assert idle_switches(load_config(path)) == []

    def test_a_hook_is_turned_off_by_none(self):
        options = {'default_hooks.encoded_frames': None, 'default_hooks.timer': None}
        hooks = load_config(str(CONFIGS / 'bdq_demo.py'), options=options).default_hooks
        assert 'encoded_frames' not in hooks and hooks.timer is None
