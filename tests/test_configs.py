"""Every shipped recipe is built and takes one step on the CPU, without downloads."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.runner import Runner

from bdq_plugin.encoders import PRESETS, build_encoder, save_encoder
from bdq_plugin.engine.heads import follow_data
from bdq_plugin.engine.launch import load_config

from .game import REPOSITORY

RECIPES = sorted((REPOSITORY / 'configs').glob('*.py'))
GAMES = [path for path in RECIPES if not path.stem.endswith(('_action', '_privacy'))]
STAGE_2 = [path for path in RECIPES if path.stem.endswith(('_action', '_privacy'))]


def small_batch(cfg: Config) -> dict:
    """Two random clips as the recipe's pipeline would pack them, at 64 pixels."""
    channels = len(cfg.model.data_preprocessor.get('mean', (0, 0, 0)))
    clip_len = next(
        step.clip_len * step.get('num_clips', 1)
        for step in cfg.train_dataloader.dataset.pipeline
        if 'clip_len' in step
    )
    flat = cfg.model.data_preprocessor.format_shape == 'NCHW'
    shape = (clip_len, channels, 64, 64) if flat else (1, channels, clip_len, 64, 64)
    samples = []
    for label in (0, 1):
        layout = dict(clip_len=clip_len, num_clips=1)
        sample = ActionDataSample(metainfo=layout).set_gt_label(label)
        sample.set_field(torch.tensor([label]), 'gt_subject')
        if cfg.model.get('cls_head', {}).get('attributes'):
            ones = torch.full((cfg.model.cls_head.num_classes,), float(label))
            sample.set_field(ones, 'gt_attributes')
        samples.append(sample)
    inputs = [torch.randint(0, 256, shape).to(torch.uint8) for _ in samples]
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_recipe_takes_a_step(path: Path, tmp_path: Path):
    options = dict(pretrained=None)
    if path in STAGE_2:
        trained = build_encoder('bdq')
        with torch.no_grad():
            trained.blur.log_sigma.fill_(0.7)
        options['encoder_file'] = str(save_encoder(trained, tmp_path / 'encoder.json'))
    cfg = load_config(str(path), options=options, work_dir=str(tmp_path))
    # Where a recipe leaves it to the data how many classes there are.
    follow_data(cfg, read=lambda: dict(classes=('hop', 'wave'), subjects=('Anna', 'Ben')))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrappers = Runner.build_optim_wrapper(_Host(model), cfg.optim_wrapper)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.train()
    batch = small_batch(cfg)
    if cfg.train_cfg.type == 'AdversarialTrainLoop':
        logs = {}
        for phase in ('action', 'privacy'):
            model.set_phase(phase)
            logs[phase] = model.train_step(batch, wrappers[phase])
    else:
        logs = {'only': model.train_step(batch, wrappers)}
        assert model.data_preprocessor.encoder.blur.log_sigma.item() == pytest.approx(0.7)
    assert all(torch.isfinite(log['loss']) for log in logs.values())
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    networks = {name for name in before if not name.startswith('data_preprocessor')}
    # SlowOnly and X3D begin with residual branches of weight zero: the first step moves only these.
    assert len(moved & networks) > 0.4 * len(networks)
    assert {name.split('.')[0] for name in moved} >= {name.split('.')[0] for name in networks}
    encoder = {name for name in moved if name.startswith('data_preprocessor')}
    has_numbers = bool(list(model.data_preprocessor.parameters()))
    assert bool(encoder) == (path not in STAGE_2 and has_numbers)
    model.eval()
    predictions = model.val_step(small_batch(cfg))
    fields = {'pred_score', 'pred_subject_score', 'pred_attribute_score'}
    assert any(field in predictions[0] for field in fields)


class _Host:
    """What ``Runner.build_optim_wrapper`` needs of a Runner."""

    def __init__(self, model):
        self.model = model


@pytest.mark.parametrize('name', sorted(PRESETS))
def test_any_preset_by_one_option(name):
    path = REPOSITORY / 'configs' / 'bdq_ixmas_cpu.py'
    cfg = load_config(str(path), options={'encoder.preset': name})
    encoder = MODELS.build(cfg.model).data_preprocessor.encoder
    assert encoder.config == build_encoder(name).config


class TestFlags:
    def load(self, name='bdq_kth', **flags):
        return load_config(str(REPOSITORY / 'configs' / f'{name}.py'), **flags)

    def test_amp_without_a_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(ValueError, match='--amp needs a GPU'):
            self.load(amp=True)

    def test_amp_reaches_both_optimisers(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        wrapper = self.load(amp=True).optim_wrapper
        assert wrapper.action.type == wrapper.privacy.type == 'AmpOptimWrapper'
        assert self.load('bdq_kth_action', amp=True).optim_wrapper.type == 'AmpOptimWrapper'

    def test_amp_of_a_wrapper_of_another_kind(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        with pytest.raises(ValueError, match='ApexOptimWrapper'):
            self.load(amp=True, options={'optim_wrapper.action.type': 'ApexOptimWrapper'})

    def test_seed_and_missing_config(self):
        assert self.load(seed=9).randomness.seed == 9
        with pytest.raises(FileNotFoundError, match='configs/'):
            load_config('configs/none.py')


def test_the_constructor_is_registered():
    assert OPTIM_WRAPPER_CONSTRUCTORS.get('mmaction.PhaseOptimWrapperConstructor') is not None


def test_pretrained_weights_reach_every_privacy_network(tmp_path):
    """A torch ModuleList would not pass ``init_weights`` on, and nothing would say so."""
    weights = torchvision.models.resnet50(weights=None).state_dict()
    torch.save(weights, tmp_path / 'resnet50.pth')
    options = {
        'pretrained.action': None,
        'pretrained.privacy': str(tmp_path / 'resnet50.pth'),
        'model.num_privacy_networks': 2,
    }
    cfg = load_config(str(REPOSITORY / 'configs/bdq_kth.py'), options=options)
    model = MODELS.build(cfg.model)
    model.init_weights()
    for network in model.privacy:
        assert torch.equal(network.backbone.conv1.conv.weight, weights['conv1.weight'])
        last = network.backbone.layer4[2].conv3.conv.weight
        assert torch.equal(last, weights['layer4.2.conv3.weight'])
        assert network.cls_head.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize('path', GAMES, ids=lambda path: path.stem)
def test_deep_games_can_start_from_scratch(path: Path):
    """Small networks need no help, and their recorded results were made without it."""
    cfg = load_config(str(path))
    deep = cfg.model.privacy.backbone.type == 'ResNet'
    assert cfg.model.get('held_norm', 'running') == ('batch' if deep else 'running')
    assert ('clip_grad' in cfg.optim_wrapper.action) == deep


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_training_shuffles_and_testing_does_not(path: Path):
    """Files are sorted: unshuffled, a batch shows one person doing one thing."""
    cfg = load_config(str(path))
    assert cfg.train_dataloader.sampler.shuffle
    assert not cfg.val_dataloader.sampler.shuffle
    assert not cfg.test_dataloader.sampler.shuffle


@pytest.mark.parametrize('size', [(120, 160), (64, 48)], ids=['kth', 'ixmas'])
@pytest.mark.parametrize('name', ['bdq_kth', 'bdq_ixmas', 'bdq_kth_tsm'])
def test_nothing_is_padded_with_zeros(name: str, size: tuple[int, int]):
    """An earlier code padded 160 x 120 frames to 224 at the test, and enlarged them in training."""
    cfg = load_config(str(REPOSITORY / 'configs' / f'{name}.py'))
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        steps = [step for step in loader.dataset.pipeline if step.type not in ('ClipInit',)]
        clip_len = next(s.clip_len * s.num_clips for s in steps if s.type == 'SampleFrames')
        after = [s.type for s in steps].index('ClipDecode') + 1
        pipeline = Compose(steps[after:])
        white = [np.full((*size, 3), 255, np.uint8) for _ in range(clip_len)]
        flat = loader.dataset.pipeline[-2].input_format == 'NCHW'
        shape = (
            dict(clip_len=1, num_clips=clip_len) if flat else dict(clip_len=clip_len, num_clips=1)
        )
        packed = pipeline(
            dict(imgs=white, img_shape=size, original_shape=size, modality='RGB', label=0,
                 subject=0, **shape)
        )  # fmt: skip
        assert packed['inputs'].shape[-2:] == (224, 224)
        assert packed['inputs'].min() == 255
