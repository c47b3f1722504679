"""The encoders need torch alone; MMAction2 is imported when it is wanted, and all registers."""

import pytest

from .processes import REPOSITORY, fresh

RECIPE = REPOSITORY / 'configs' / 'bdq_demo.py'

BLOCK = """
import sys
for name in ('mmengine', 'mmcv', 'mmaction'):
    sys.modules[name] = None
"""


def test_encoders_without_the_stack(tmp_path):
    """Built, trained, saved, loaded and packed where there is no MMEngine, MMCV or MMAction2."""
    code = (
        BLOCK
        + f"""
import torch
from bdq_plugin.encoders import build_encoder, load_encoder, save_encoder

encoder = build_encoder('bdq_hard')
encoder(torch.rand(1, 1, 3, 8, 8)).square().sum().backward()
path = {str(tmp_path)!r} + '/encoder.json'
save_encoder(encoder, path)
assert load_encoder(path).config == encoder.config
torch.save(dict(state_dict=encoder.state_dict(prefix='data_preprocessor.encoder.')), path + '.pth')
assert load_encoder(path + '.pth').config == encoder.config

from bdq_plugin.deploy import StreamingEncoder

assert StreamingEncoder(path).form == encoder.integer_form()
try:
    import bdq_plugin.models
except ImportError as error:
    print(error)
"""
    )
    assert 'mmaction' in fresh(code)


def test_encoders_import_nothing_of_the_stack_and_all_registers_later():
    """Whatever is imported first, MMEngine finds every class, and each module is executed once."""
    code = """
import sys
from bdq_plugin.encoders import BDQEncoder, build_encoder

build_encoder('bdq')
assert not {'mmengine', 'mmcv', 'mmaction'} & set(sys.modules)
from mmengine.config import Config
import mmaction.models
import mmengine
from mmaction.registry import HOOKS, MODELS

assert mmengine.Config is Config is sys.modules['mmengine.config'].Config
assert mmengine.__spec__.loader.__class__.__name__ == 'SourceFileLoader'
assert MODELS.get('BDQEncoder') is BDQEncoder
import bdq_plugin.engine

assert HOOKS.get('SaveEncoderHook') is bdq_plugin.engine.SaveEncoderHook
# Seconds of import, which only some attackers need.
assert not {'sklearn', 'torchvision', 'matplotlib'} & set(sys.modules)
print(MODELS.get('BDQDataPreprocessor').__module__)
"""
    assert fresh(code).split() == ['bdq_plugin.models.data_preprocessor']


@pytest.mark.parametrize(
    'first',
    [
        'import bdq_plugin.engine.launch',
        'import bdq_plugin; bdq_plugin.models.BDQDataPreprocessor',
        # MMAction2's own tools begin so, whatever starts them.
        f'from mmengine.config import Config; Config.fromfile({str(RECIPE)!r})',
    ],
)
def test_what_is_imported_first_does_not_matter(first):
    code = f"""
{first}
from mmaction.registry import HOOKS, LOOPS, MODELS

for registry, name in ((HOOKS, 'SaveEncoderHook'), (LOOPS, 'AdversarialTrainLoop')):
    assert registry.get(name).__module__.startswith('bdq_plugin.'), name
print(MODELS.get('PassThrough').__module__)
"""
    assert fresh(code).split() == ['bdq_plugin.encoders.baselines']
