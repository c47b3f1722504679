"""Synthetic KTH as the data of an audit, in pictures so small that a test can wait for it."""

from typing import Any


def audit_data(synthetic_kth: Any, width: int = 20) -> str:
    """The text of a config for ``--data``: three people, two actions, clips of four frames."""
    return f"""
dataset = dict(
    type='KTHDataset', ann_file={str(synthetic_kth.annotation)!r},
    data_prefix=dict(video={str(synthetic_kth.root / 'videos')!r}),
    subjects=['person01', 'person02', 'person03'], actions=['boxing', 'walking'],
    pipeline=[
        dict(type='ClipInit'), dict(type='UniformSample', clip_len=4, test_mode=True),
        dict(type='ClipDecode'), dict(type='Resize', scale=({width}, 16), keep_ratio=False),
        dict(type='ToGray'), dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackSubjectInputs')])
mean, std = [110.0], [38.0]
"""
