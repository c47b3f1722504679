"""The study of verification says what its matchers found, and what proves nothing."""

import numpy as np

from bdq_plugin.evaluation.verification_study import measure, verification_table, verifications


def planted(people: int = 6, clips: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    """Features whose clear form names the person; codes are another, rotated view of the same."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((people, 12))
    rotation = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    arrays = {}
    for number, split in enumerate(('train', 'test')):
        noise = np.random.default_rng([seed, number])
        owner = np.repeat(np.arange(people), clips)
        clear = centres[owner] + noise.standard_normal((len(owner), 12))
        arrays[f'{split}_clear'] = clear
        arrays[f'{split}_codes'] = clear @ rotation
        arrays[f'{split}_persons'] = np.array([f'p{k}' for k in owner])
        arrays[f'{split}_groups'] = np.array([f'{split}{i}' for i in range(len(owner))])
    return arrays


def test_codes_that_a_matcher_on_clear_video_cannot_read_are_not_private() -> None:
    study = measure(components=8)
    document = dict(
        study.summary({1: planted(), 2: planted(seed=1)}), study=dict(encoder='d', output='soft')
    )
    found = verifications(document)
    lazy = found['trained on clear video (no proof), clear against codes, people in training']
    adapted = found['trained on codes, codes against codes, people in training']
    assert lazy.eer.value > 0.3 and adapted.eer.value < 0.1
    assert adapted.min_cllr.value < lazy.min_cllr.value and adapted.people == 6
    text = verification_table([document])
    assert text.count('| d | soft |') == 5 and 'worthless as a proof' in text
    assert '| trained on clear video (no proof) | clear, codes |' in text
    assert verification_table([]) == 'No results yet.\n'
