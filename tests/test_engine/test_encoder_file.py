"""From the game to stage 2, its test and its use by the tools: one encoder all the way."""

import json
import sys

import pytest
import torch

from bdq_plugin.encoders import load_encoder, read_encoder_file
from tools import recognize
from tools import test as test_tool
from tools import train as train_tool

from ..game import REPOSITORY, game_options

ZOO = 'bdq_hard_ixmas_take3'
SOFT = 'bdq_ixmas_take3'
FEW = dict(indices=8, cache=False)


def command(tool, *arguments, **options):
    """Run a tool as its command line does."""
    values = [
        f'{key}=[{",".join(map(str, value))}]' if isinstance(value, list) else f'{key}={value}'
        for key, value in options.items()
    ]
    before, sys.argv = sys.argv, ['tool', *map(str, arguments), '--cfg-options', *values]
    try:
        tool.main()
    finally:
        sys.argv = before


def small(synthetic_kth):
    """A game of one iteration."""
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    few = {f'{loader}.dataset.{key}': value for loader in loaders for key, value in FEW.items()}
    return game_options(synthetic_kth, **few)


class TestOneEncoder:
    @pytest.fixture(scope='class')
    def options(self, synthetic_kth):
        """What makes stage 2 of the demo small: the game's options without its privacy network."""
        options = small(synthetic_kth)
        return {k: v for k, v in options.items() if not k.startswith('model.')}

    @pytest.fixture(scope='class')
    def game(self, synthetic_kth, tmp_path_factory):
        """README's path: the game with another encoder than that of its config."""
        work_dir = tmp_path_factory.mktemp('game')
        options = {**small(synthetic_kth), 'encoder.preset': 'bdq_hard'}
        command(train_tool, 'configs/bdq_demo.py', '--work-dir', work_dir, **options)
        return work_dir

    @pytest.fixture(scope='class')
    def action(self, game, options, tmp_path_factory):
        """And stage 2, which names nothing but its file."""
        work_dir = tmp_path_factory.mktemp('action')
        file = {'encoder_file': game / 'encoder.json'}
        config = 'configs/bdq_demo_action.py'
        command(train_tool, config, '--work-dir', work_dir, **options, **file)
        return work_dir

    def test_stage_2_trains_on_the_encoder_of_the_file(self, game, action):
        ours, theirs = (read_encoder_file(folder / 'encoder.json') for folder in (action, game))
        assert ours['config'] == theirs['config'] and ours['state'] == theirs['state']
        assert (ours['config']['mode'], ours['config']['range']) == ('hard', 'fixed')
        # What the tools encode with it afterwards has the size of training.
        assert theirs['metadata']['frames'] == dict(height=48, width=64, channels=1)
        assert 'every' not in theirs['metadata'], 'spread over a clip: of no rate'

    def test_the_checkpoint_says_what_encoder_it_has(self, game, action):
        encoder = load_encoder(action / 'epoch_1.pth')
        assert encoder.description() == load_encoder(game / 'encoder.json').description()
        state = torch.load(action / 'epoch_1.pth', weights_only=False)['state_dict']
        assert state._metadata['data_preprocessor.encoder']['encoder']['type'] == 'BDQEncoder'

    def test_the_same_file_or_none_is_tested(self, game, action, options, tmp_path, monkeypatch):
        """Where the file that the config names is not there, the checkpoint stands in for it."""
        monkeypatch.chdir(tmp_path)
        arguments = [REPOSITORY / 'configs/bdq_demo_action.py', action / 'epoch_1.pth', '--out']
        files = dict(same=game / 'encoder.json', itself=action / 'epoch_1.pth', gone='gone.json')
        for name, file in files.items():
            command(test_tool, *arguments, f'{name}.json', **options, encoder_file=file)
        trained = json.loads((action / 'metrics.json').read_text())['metrics']
        for name in files:
            tested = json.loads((tmp_path / f'{name}.json').read_text())
            assert tested['action/top1'] == trained['action/top1']

    @pytest.mark.parametrize(
        ('file', 'match'),
        [
            (ZOO, f"trained on another encoder than {ZOO}: 'blur.log_sigma'"),
            (SOFT, "mode 'hard' there, 'soft' here, range 'fixed' there, 'clip' here"),
        ],
    )
    def test_another_file_is_refused(self, action, options, tmp_path, file, match):
        arguments = ['configs/bdq_demo_action.py', action / 'epoch_1.pth', '--work-dir', tmp_path]
        with pytest.raises(SystemExit, match=match):
            command(test_tool, *arguments, **options, encoder_file=file)

    def test_what_is_named_beside_the_file(self, action, game, options, tmp_path):
        arguments = ['configs/bdq_demo_action.py', action / 'epoch_1.pth', '--work-dir', tmp_path]
        file = {'encoder_file': game / 'encoder.json'}
        with pytest.warns(UserWarning, match="mode 'hard' there, 'soft' here, as was asked for"):
            command(test_tool, *arguments, **options, **file, **{'encoder.mode': 'soft'})
        with pytest.raises(SystemExit, match="mode 'hard' there, 'soft' here"):
            command(test_tool, *arguments, **options, **file, **{'encoder.preset': 'bdq'})

    def test_the_game_with_another_encoder_is_refused(self, game, synthetic_kth, tmp_path):
        arguments = ['configs/bdq_demo.py', game / 'epoch_1.pth', '--work-dir', tmp_path]
        with pytest.raises(SystemExit, match="mode 'hard' there, 'soft' here"):
            command(test_tool, *arguments, **small(synthetic_kth))

    def test_recognition(self, action, game, synthetic_kth, capsys):
        video = next(iter((synthetic_kth.root / 'videos').glob('*')))
        arguments = [REPOSITORY / 'configs/bdq_demo_action.py', action / 'epoch_1.pth', video]
        arguments = [*map(str, arguments), '--cfg-options']
        assert recognize.main([*arguments, f'encoder_file={game / "encoder.json"}']) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1
        assert recognize.main([*arguments, f'encoder_file={ZOO}']) == 1
        assert 'error: the checkpoint was trained on another encoder' in capsys.readouterr().err
