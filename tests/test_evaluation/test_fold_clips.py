from dataclasses import replace

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS

from bdq_plugin.datasets import audit_protocol
from bdq_plugin.encoders import PassThrough, build_encoder
from bdq_plugin.evaluation.candidates import output_forms
from bdq_plugin.evaluation.clips import (
    ShuffleChunks,
    check_fold,
    encode,
    load_fold,
    shuffled,
)

MEAN, STD = (110.64,), (38.76,)


def test_a_fold_is_decoded_with_names_labels_and_audit(kth_data) -> None:
    fold = load_fold(kth_data.dataset, 'scenario', 1)
    assert fold.train.shape == fold.test.shape == (1, 4, 16, 20)
    assert len(fold.train) == len(fold.test) == 3 * 2 * 4
    assert fold.train.values.dtype == torch.uint8
    assert fold.identities == ('person01', 'person02', 'person03')
    assert fold.names('action') == ('boxing', 'walking')
    assert fold.test.ids[0] == 'person01_boxing_d1_uncomp:0-36'
    assert len(set(fold.test.ids)) == len(fold.test)
    assert len(set(fold.test.groups)) == 6
    assert fold.audit.shared['test']['scenarios'] == []


def row(subject: str, take: int, action: str = 'walk') -> dict:
    return dict(video=f'{subject}{take}.avi', action=action, subject=subject, take=take, camera=0)


def test_a_protocol_without_identity_is_refused_but_for_attributes() -> None:
    audit = audit_protocol(
        dict(
            train=[row('alba', take) for take in (1, 2)],
            test=[row('amel', take) for take in (1, 2)],
        )
    )
    with pytest.raises(ValueError, match="'subject' holds people out of train"):
        check_fold(audit, 'subject', 1)
    check_fold(audit, 'subject', 1, attributes=True)


@pytest.mark.parametrize(('people', 'takes'), [(['alba', 'amel'], [3]), (['alba'], [3, 4])])
def test_too_few_clips_are_refused(people: list[str], takes: list[int]) -> None:
    train = [row(person, take) for person in people for take in (1, 2)]
    test = [row(person, take) for person in people for take in takes]
    with pytest.raises(ValueError, match='two people or more, with two clips each'):
        check_fold(audit_protocol(dict(train=train, test=test)), 'take', 3)


@pytest.mark.parametrize(
    ('step', 'message'),
    [
        (dict(type='FormatShape', input_format='NCHW'), 'NCTHW'),
        (dict(type='PackActionInputs'), 'PackSubjectInputs'),
    ],
)
def test_a_pipeline_that_does_not_fit_is_named(kth_data, step: dict, message: str) -> None:
    pipeline = list(kth_data.dataset['pipeline'])
    pipeline[-2 if step['type'] == 'FormatShape' else -1] = step
    with pytest.raises(ValueError, match=message):
        load_fold(dict(kth_data.dataset, pipeline=pipeline), 'scenario', 1)


def test_encoding_equals_the_training_path(make_clips) -> None:
    clips = make_clips(20)
    clips = replace(clips, values=clips.clear)
    encoded = encode(clips, build_encoder('bdq_hard'), MEAN, STD).values
    with torch.no_grad():
        expected = build_encoder('bdq_hard').eval()(clips.clear.float() / 255) / (38.76 / 255)
    torch.testing.assert_close(encoded, expected)
    assert len(encoded.unique()) <= 16


def test_soft_and_hard_are_two_outputs_of_one_encoder(make_clips) -> None:
    forms = output_forms(build_encoder('bdq'))
    assert list(forms) == ['soft', 'hard']
    assert forms['soft'].quantize.mode == 'soft' and forms['hard'].config['mode'] == 'hard'
    soft, hard = (encode(make_clips(4), forms[name], MEAN, STD).values for name in forms)
    assert all(len(clip.unique()) <= 16 for clip in hard)
    assert len(soft[0].unique()) > 16
    assert list(output_forms(build_encoder('bdq_hard'))) == ['hard']
    assert list(output_forms(PassThrough())) == ['soft']


def test_dither_repeats_with_the_seed(make_clips) -> None:
    encoder = build_encoder('bdq_hard', dither=0.05)
    first, again, other = (encode(make_clips(4), encoder, MEAN, STD, s).values for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_encoder_with_broken_numbers_is_refused(make_clips) -> None:
    encoder = build_encoder('bdq')
    with torch.no_grad():
        encoder.quantize.thresholds.fill_(float('nan'))
    with pytest.raises(ValueError, match='not finite'):
        encode(make_clips(4), encoder, MEAN, STD)


def shuffle(total: int = 37, chunk_len: int = 8, name: str = 'a.avi', start: int = 5) -> np.ndarray:
    results = dict(
        frame_inds=np.arange(total) + start, total_frames=total, start_index=start, filename=name
    )
    return ShuffleChunks(chunk_len).transform(results)['frame_inds'] - start


def test_chunks_are_shuffled_whole_and_each_frame_stays() -> None:
    frames = shuffle()
    assert sorted(frames) == list(range(37))
    assert (frames != np.arange(37)).any()
    jumps = np.flatnonzero(np.diff(frames) != 1)
    assert 1 <= len(jumps) <= 4
    assert all((frames[jump + 1]) % 8 == 0 for jump in jumps)


def test_the_order_is_the_clips_own_and_repeats() -> None:
    assert (shuffle() == shuffle()).all()
    assert len({tuple(shuffle(name=f'{k}.avi')) for k in range(8)}) > 2
    # Two chunks can only change places.
    assert shuffle(total=16).tolist() == [*range(8, 16), *range(8)]


def test_nothing_to_shuffle_is_an_error() -> None:
    with pytest.raises(ValueError, match='single chunk'):
        shuffle(total=8)


def test_the_shuffle_stands_before_the_decoder(kth_data) -> None:
    steps = [step['type'] for step in shuffled(kth_data.dataset)['pipeline']]
    assert steps[1:4] == ['UniformSample', 'ShuffleChunks', 'ClipDecode']
    assert 'ShuffleChunks' not in str(kth_data.dataset)
    assert (
        repr(TRANSFORMS.build(dict(type='ShuffleChunks'))) == 'ShuffleChunks(chunk_len=8, seed=0)'
    )
