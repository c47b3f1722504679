"""MMAction2's own configs, with an encoder in place of their data preprocessor."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.apis import MMAction2Inferencer
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from tests.game import REPOSITORY
from tests.stock import LOADERS, make_stock_data, stock_config
from tests.test_video.videos import write_video

TSN = 'tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py'
TSM = 'tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.py'
R18 = dict(model__backbone__depth=18, model__cls_head__in_channels=512)
# The config, what makes its network small, and how many more frames it must ask for.
STOCK = {
    'TSN': (TSN, R18, 0),
    'TSM': (TSM, R18, 1),
    'I3D': (
        'i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py',
        dict(model__backbone__base_channels=8, model__cls_head__in_channels=256),
        0,
    ),
    'SlowFast': (
        'slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb.py',
        dict(
            model__backbone__slow_pathway__base_channels=16,
            model__backbone__fast_pathway__base_channels=2,
            model__cls_head__in_channels=576,
        ),
        1,
    ),
    'C3D': (
        'c3d/c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py',
        dict(model__backbone__out_dim=2048),
        1,
    ),
    'MViT': (
        'mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb.py',
        dict(
            model__backbone__spatial_size=32,
            model__backbone__arch=dict(
                embed_dims=16,
                num_layers=4,
                num_heads=1,
                downscale_indices=[1, 2, 3],
                _delete_=True,
            ),
            model__cls_head__in_channels=128,
        ),
        0,
    ),
    'Swin': (
        'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py',
        dict(
            model__backbone__arch=dict(
                embed_dims=12, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], _delete_=True
            ),
            model__cls_head__in_channels=96,
        ),
        0,
    ),
    'X3D': ('x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py', {}, 0),
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_stock_data(tmp_path_factory.mktemp('stock'))


@pytest.fixture(scope='module')
def still(data, tmp_path_factory):
    """As ``data``, but nothing moves: one picture, stored without loss."""
    root = tmp_path_factory.mktemp('still')
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 80, 3), dtype=np.uint8)
    for name in ('a.avi', 'b.avi'):
        write_video(root / name, picture.repeat(20, 0), 'rawvideo', 'bgr24')
    (root / 'list.txt').write_text('a.avi 0\nb.avi 1\n')
    return data._replace(videos=root, video_list=root / 'list.txt')


@pytest.fixture
def build(data, tmp_path):
    def build(name, data=data, **options):
        path, small, frames = STOCK[name]
        return stock_config(path, data, tmp_path, **{'frames': frames, **small, **options})

    return build


def make_runner(cfg):
    """A runner, and what its network is shown in evaluation, as it comes."""
    torch.manual_seed(0)
    runner, seen = Runner.from_cfg(cfg), []
    runner.model.backbone.register_forward_pre_hook(
        lambda module, inputs: None if module.training else seen.append(inputs[0])
    )
    return runner, seen


def logged(cfg):
    (file,) = Path(cfg.work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.open()]


@pytest.mark.parametrize('name', ['TSN', 'TSM', 'I3D', 'SlowFast', 'MViT', 'Swin'])
def test_it_trains_validates_and_tests(build, name):
    cfg = build(name)
    runner, seen = make_runner(cfg)
    runner.train()
    metrics = runner.test()
    assert {'acc/top1', 'acc/top5', 'acc/mean1'} == set(metrics)
    assert all(np.isfinite(line['loss']) for line in logged(cfg) if 'loss' in line)
    assert len(seen) == 2 * len(runner.val_dataloader)
    # All that the network was shown are the 16 levels of the encoder, in three channels' units.
    for channel in torch.cat([x.transpose(0, 1).flatten(1) for x in seen], 1):
        assert len(channel.unique()) <= 16


@pytest.mark.parametrize(('name', 'frames'), [('X3D', 12), ('C3D', 16)])
def test_it_takes_a_train_step_and_predicts(build, name, frames):
    """X3D's config has no training, C3D's network cannot be made small."""
    cfg = build(name)
    runner, seen = make_runner(cfg)
    model = runner.model
    batch = pseudo_collate([Runner.build_dataloader(cfg.test_dataloader).dataset[0]])
    batch['inputs'] = [batch['inputs'][0][:1]]  # one view
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    logs = model.train().train_step(batch, optimizer)
    assert torch.isfinite(logs['loss'])
    with torch.no_grad():
        (sample,) = model.eval().test_step(batch)
    assert sample.pred_score.sum() == pytest.approx(1, abs=1e-4)
    assert seen[0].shape[:3] == (1, 3, frames)
    if name == 'C3D':
        batch['inputs'] = [batch['inputs'][0][:, :, :16]]
        batch['data_samples'][0].set_metainfo(dict(clip_len=16))
        match = r'C3D takes 16 frames and gets 15: .*15 of 16\. Ask for 1 more: clip_len=17'
        with pytest.raises(ValueError, match=match), torch.no_grad():
            model.test_step(batch)


@pytest.mark.parametrize('name', ['TSN', 'TSM', 'I3D', 'X3D'])
def test_a_still_scene_shows_the_network_nothing(build, still, name):
    """Of ten crops, of three, of several clips."""
    runner, seen = make_runner(build(name, data=still))
    runner.test()
    preprocessor = runner.model.data_preprocessor
    level = preprocessor.encode(torch.zeros(1, 3, 2, 8, 8))[0, :, 0, 0, 0]
    assert seen
    for x in seen:
        for channel, expected in zip(x.transpose(0, 1), level, strict=True):
            assert torch.equal(channel.unique(), expected[None])


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('SlowFast', r'ResNet3dSlowFast takes 32 frames .* 31 of 32\. .*: clip_len=33'),
        ('TSM', r'ResNetTSM takes num_segments=8 .* gets 7: .* 7 of 8\. Ask for num_clips=9'),
    ],
)
def test_a_network_that_lacks_a_frame_names_the_key(build, name, message):
    cfg = build(name, frames=0, default_hooks__checkpoint=None)
    with pytest.raises(ValueError, match=message):
        Runner.from_cfg(cfg).train()


def test_segments_of_two_clips_are_never_mixed(build):
    """Eight samples of seven segments make seven groups of eight, and no shape would complain."""
    cfg = build('TSM', frames=0)
    model = MODELS.build(cfg.model).eval()
    samples = [ActionDataSample(metainfo=dict(clip_len=1, num_clips=8)) for _ in range(8)]
    data = dict(inputs=[torch.zeros(8, 3, 32, 32, dtype=torch.uint8)] * 8, data_samples=samples)
    with pytest.raises(ValueError, match='Ask for num_clips=9'):
        model.test_step(data)


def test_another_fault_keeps_its_own_message(build):
    """A label outside the classes has nothing to do with the number of frames."""
    cfg = build('X3D')
    cfg.model.cls_head.num_classes = 5
    model = MODELS.build(cfg.model)
    sample = ActionDataSample(metainfo=dict(clip_len=13, num_clips=1)).set_gt_label(7)
    data = dict(inputs=[torch.zeros(1, 3, 13, 32, 32, dtype=torch.uint8)], data_samples=[sample])
    with pytest.raises(IndexError, match='Target 7 is out of bounds'):
        model.train_step(data, OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3)))


def test_the_encoder_learns_beside_tsm(build):
    """Of the stock optimisers TSM's alone refuses layers that it does not know."""
    cfg = build('TSM', model__data_preprocessor__frozen=False)
    runner, _ = make_runner(cfg)
    thresholds = runner.model.data_preprocessor.encoder.quantize.thresholds
    before = thresholds.detach().clone()
    runner.train()
    assert not torch.equal(thresholds, before)
    groups = runner.optim_wrapper.optimizer.param_groups
    assert thresholds in set(groups[-1]['params'])
    assert groups[-1]['weight_decay'] == 0
    owned = [p for group in groups for p in group['params']]
    assert len(owned) == len(set(owned)) == len(list(runner.model.parameters()))


def test_the_child_config_of_the_page(tmp_path):
    page = (REPOSITORY / 'docs' / 'training.md').read_text()
    (block,) = re.findall(r"```python\n(_base_ = 'mmaction::.*?)```", page, re.DOTALL)
    path = tmp_path / 'child.py'
    path.write_text(block)
    cfg = Config.fromfile(path)
    cfg.model.backbone.update(pretrained=None, pretrained2d=False, base_channels=8)
    cfg.model.cls_head.in_channels = 256
    preprocessor = MODELS.build(cfg.model).data_preprocessor
    assert preprocessor.frozen and preprocessor.format_shape == 'NCTHW'
    statistics = (preprocessor.mean, preprocessor.std)
    for ours, stock in zip(
        statistics, ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]), strict=True
    ):
        assert (255 * ours).flatten().tolist() == pytest.approx(stock)


def test_raw_frames(build, data):
    cfg = build('TSN')
    for loader in (cfg[name] for name in LOADERS):
        loader.dataset.update(
            type='RawframeDataset',
            ann_file=str(data.frame_list),
            data_prefix=dict(img=str(data.frames)),
            pipeline=[
                dict(type='RawFrameDecode') if step['type'] == 'DecordDecode' else step
                for step in loader.dataset.pipeline
                if step['type'] != 'DecordInit'
            ],
        )
    runner, seen = make_runner(cfg)
    runner.train()
    assert seen[0].shape == (4, 3, 32, 32)
    assert [x.shape[0] for x in seen] == [4]
    assert np.isfinite(logged(cfg)[0]['loss'])


def test_a_repeated_data_set(build):
    cfg = build('I3D')
    loader = cfg.train_dataloader
    loader.dataset = dict(type='RepeatDataset', times=3, dataset=loader.dataset)
    runner, _ = make_runner(cfg)
    runner.train()
    assert runner.iter == 3


@pytest.mark.parametrize('name', ['TSN', 'I3D'])
def test_the_inferencer_encodes_too(build, data, still, tmp_path, name):
    cfg = build(name)
    cfg.dump(tmp_path / 'config.py')
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    inferencer = MMAction2Inferencer(
        str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'), device='cpu'
    )
    seen = []
    inferencer.actionrecog_inferencer.model.backbone.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0])
    )
    for videos in (data, still):
        video = videos.videos / videos.video_list.read_text().split()[0]
        (scores,) = [p['rec_scores'][0] for p in inferencer(str(video))['predictions']]
        assert sum(scores) == pytest.approx(1, abs=1e-4)
    moving, nothing = seen
    assert all(1 < len(channel.unique()) <= 16 for channel in moving.transpose(0, 1))
    assert all(len(channel.unique()) == 1 for channel in nothing.transpose(0, 1))
