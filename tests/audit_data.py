"""Audits in tests: synthetic KTH in pictures so small that a test can wait for it, made results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bdq_plugin.encoders import ClipEncoder, build_encoder
from bdq_plugin.evaluation.candidates import describe
from bdq_plugin.evaluation.results import FORMAT, FORMAT_VERSION


def dataset_config(synthetic_kth: Any, width: int = 20) -> dict[str, Any]:
    """Three people, two actions, clips of six frames; protocol ``subsequence``, 24 and 12 clips."""
    return dict(
        type='KTHDataset',
        ann_file=str(synthetic_kth.annotation),
        data_prefix=dict(video=str(synthetic_kth.root / 'videos')),
        subjects=['person01', 'person02', 'person03'],
        actions=['boxing', 'walking'],
        pipeline=[
            dict(type='ClipInit'),
            dict(type='AllFrames', max_frames=6),
            dict(type='ClipDecode'),
            dict(type='Resize', scale=(width, 16), keep_ratio=False),
            dict(type='ToGray'),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackSubjectInputs'),
        ],
    )


def audit_data(synthetic_kth: Any, width: int = 20) -> str:
    """The text of a config for ``--data``."""
    return f'dataset = {dataset_config(synthetic_kth, width)!r}\nmean, std = [110.0], [38.0]\n'


def made_result(
    right: int | Sequence[int],
    *,
    action: int = 16,
    others: dict[str, int | Sequence[int]] | None = None,
    chosen: str = 'frame',
    clips: int = 20,
    people: int = 5,
    encoder: ClipEncoder | None = None,
    held_out: float = 0.5,
    converged: bool = True,
    controls: dict[str, int] | None = None,
    **cell: Any,
) -> dict[str, Any]:
    """A result as an audit writes it, whose attackers are right on chosen clips.

    Args:
        right: clips that the attacker ``frame`` names rightly, or how many of the first.
        action: clips whose action is told.
        others: the same of further attackers.
        chosen: by the training clips.
        clips, people: of the test; two clips are a performance.
        encoder: whose audit it is.
        held_out: accuracy on held-out training clips.
        converged: of ``frame``.
        controls: clips that each negative control names.
        **cell: names that differ from the usual ones.
    """
    fields = dict(data='ixmas', protocol='take', fold=1, encoder='bdq', output='hard', seed=0)
    fields |= dict(panel='quick') | cell
    fold = fields['fold']
    identity = [i // 2 % people for i in range(clips)]
    labels = [i % 2 for i in range(clips)]

    def record(hits: int | Sequence[int], target: str = 'identity') -> dict[str, Any]:
        truth, count = (identity, people) if target == 'identity' else (labels, 2)
        return {
            'target': target,
            'scores': made_scores(hits, truth, count),
            'held_out_accuracy': held_out,
            'held_out_loss': 1.0,
            'train_accuracy': 0.95,
            'converged': converged,
            'extras': {},
            'notes': {},
            'seconds': 1.0,
        }

    attackers = {'action': record(action, 'action'), 'frame': record(right)}
    attackers |= {name: record(hits) for name, hits in (others or {}).items()}
    return {
        'format': FORMAT,
        'version': FORMAT_VERSION,
        'cell': fields,
        'attackers': attackers,
        'left_out': {},
        'chosen': chosen,
        'controls': {
            name: [made_scores(hits, identity, people)] for name, hits in (controls or {}).items()
        },
        'encoder': describe(encoder or build_encoder('bdq')),
        'notes': ['1 encodings of each training clip, 1 of each test clip'],
        'protocol_audit': dict(
            clips=dict(train=2 * clips, test=clips),
            shared={},
            totals={},
            identity_defined=True,
            findings=['a finding <about> the split'],
        ),
        'panel': {name: {'target': each['target']} for name, each in attackers.items()},
        'control_from': 0.75,
        'versions': {'bdq_plugin': '1.0'},
        'machine': {'cpu_count': 1},
        'date': '2031-07-29',
        'test': {
            'ids': [f'{fold}/{i}' for i in range(clips)],
            'groups': [f'{fold}/{i // 2}' for i in range(clips)],
            'persons': [f'p{k}' for k in identity],
            'action': labels,
            'identity': identity,
            'action_names': ['walk', 'wave'],
            'identity_names': [f'p{k}' for k in range(people)],
        },
        'fingerprint': 'x',
    }


def made_scores(right: int | Sequence[int], truth: Sequence[int], count: int) -> list[list[float]]:
    """Log-probabilities that are right on some clips and wrong on the others."""
    right = range(right) if isinstance(right, int) else right
    scores = []
    for i, label in enumerate(truth):
        answer = label if i in right else (label + 1) % count
        scores.append([0.0 if k == answer else -3.0 for k in range(count)])
    return scores
