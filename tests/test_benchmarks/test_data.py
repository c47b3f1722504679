"""The data study: all pipelines read the same clips, and the table has every one of them."""

import pytest
import torch

from bdq_plugin.datasets import KTHDataset  # noqa: F401  (registers)
from benchmarks import data


@pytest.fixture
def item(synthetic_kth):
    return data.describe(sorted((synthetic_kth.root / 'videos').iterdir())[0])


def test_all_pipelines_end_in_the_same_tensor(item):
    built = data.pipelines()
    tensors = {name: data.read(pipeline, item, seed=1) for name, pipeline in built.items()}
    stock = tensors.pop(data.STOCK)
    assert stock.shape == (1, 3, data.CLIP_LEN, 224, 224) and stock.dtype == torch.uint8
    for tensor in tensors.values():
        # The stock decoder turns 80 x 60 pixels into RGB along another path: a level or two apart.
        assert (tensor.int() - stock.int()).abs().max() <= 3
    assert not torch.equal(stock, data.read(built[data.STOCK], item, seed=2))


def test_processor_time_counts_the_decoding_process(item):
    pipeline = data.pipelines()[data.OURS]
    before = data.cpu_seconds()
    data.read(pipeline, item, seed=1)
    assert data.cpu_seconds() > before


def test_study_and_its_table(real_data):
    document = data.study(quick=True)
    assert document['videos'] == 'real KTH'
    # A known difference: of videos that carry a little colour, luma alone is read.
    assert document['pixels'][data.OURS]['share_unequal'] < 0.01
    lines = data.table(document).splitlines()
    for name, row in document['on_one_core'].items():
        (line,) = [line for line in lines if line.startswith(f'| {name} |')]
        assert f'| {row["clips_per_second"]} | {row["speed_up"]} |' in line
