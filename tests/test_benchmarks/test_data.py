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


def test_table():
    row = dict(clips_per_second=40.0, speed_up=1.5, speed_up_cpu=1.6)
    lines = data.table(dict(speeds={data.STOCK: row, data.OURS: row})).splitlines()
    assert lines[-1] == '| ours | 40.0 | 1.5 | 1.6 |' and len(lines) == 4
