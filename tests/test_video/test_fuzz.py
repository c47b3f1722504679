"""A fixed sample of the damaged videos that tools/stress/fuzz_videos.py reads by the thousand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

STRESS = Path(__file__).resolve().parents[2] / 'tools' / 'stress'
sys.path.insert(0, str(STRESS))
spec = importlib.util.spec_from_file_location('fuzz_videos', STRESS / 'fuzz_videos.py')
fuzz_videos = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_videos)
sys.path.remove(str(STRESS))

SOURCES = (
    'kth/videos/person03_boxing_d4_uncomp.mp4',
    'kth/videos/person04_running_d1_uncomp.avi',
    'ixmas/original_samples/julien2_11_point_cam3_frames_0800_0831.avi',
    'ixmas/original_samples/nicolas3_10_kick_cam2_frames_0870_0945.avi',
)


@pytest.mark.parametrize('mutation', range(len(fuzz_videos.MUTATIONS)))
def test_damaged_videos_are_read_right_or_refused(real_data, tmp_path, mutation):
    sources = [real_data / name for name in SOURCES]
    for i in range(len(sources)):
        index = mutation + i * len(fuzz_videos.MUTATIONS)
        mutant = fuzz_videos.make_mutant(index, sources, tmp_path, seed=7)
        fuzz_videos.write_mutant(mutant)
        result = fuzz_videos.read(str(mutant['path']), str(mutant['source']))
        assert result['outcome'] in ('read', 'refused'), result
