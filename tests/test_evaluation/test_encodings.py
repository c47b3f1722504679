"""The codes are those that a camera sends, and nothing but the clip marks them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdq_plugin.encoders import PassThrough, build_encoder
from bdq_plugin.evaluation.candidates import output_forms
from bdq_plugin.evaluation.clips import Clips
from bdq_plugin.evaluation.encodings import Sampling, encode, mixed_batches

MEAN, STD = (110.64,), (38.76,)
FRAMES = torch.Generator().manual_seed(0)


def noise(people: int = 8, each: int = 16) -> Clips:
    """Clips of noise, sorted by person, whose contrast is the clip's own: nothing names anybody."""
    count = people * each
    contrasts = 10 + 80 * torch.rand(count, generator=FRAMES)
    values = [
        (128 + contrast * torch.randn(1, 4, 12, 12, generator=FRAMES)).clamp(0, 255).to(torch.uint8)
        for contrast in contrasts
    ]
    clear = tuple((value,) for value in values)
    persons = tuple(f'p{i // each}' for i in range(count))
    ids = tuple(map(str, range(count)))
    return Clips(
        values=clear,
        clear=clear,
        actions=torch.zeros(count, dtype=torch.long),
        identities=torch.arange(count) // each,
        persons=persons,
        ids=ids,
        groups=ids,
        units=tuple(str(i % 2) for i in range(count)),
        lengths=torch.full((count,), 4),
    )


def one_number_names(clips: Clips) -> float:
    """How often the nearest neighbour in the spread of a clip's code is of the same person."""
    spread = np.array([float(values[0].float().std()) for values in clips.values])
    distance = np.abs(spread[:, None] - spread[None])
    np.fill_diagonal(distance, np.inf)
    persons = np.array(clips.persons)
    return float((persons[distance.argmin(1)] == persons).mean())


def test_the_range_of_a_batch_does_not_mark_who_is_in_it(monkeypatch) -> None:
    clips, encoder = noise(), output_forms(build_encoder('bdq_released'))['soft']
    options = dict(sampling=Sampling(), mean=MEAN, std=STD, training=True)
    encoded = encode(clips, encoder, **options)
    # Chance is 1 / 8, with a deviation of 3 points.
    assert one_number_names(encoded) < 0.25
    batches = mixed_batches(clips.persons, 16)
    assert sorted(np.concatenate(batches)) == list(range(len(clips)))
    assert min(len({clips.persons[i] for i in batch}) for batch in batches) >= 5


def test_whole_clips_by_default_and_spread_frames_by_name(make_clips) -> None:
    clips, encoder = make_clips(6), build_encoder('d')
    whole = encode(clips, encoder, Sampling(), MEAN, STD, training=True)
    assert [x[0].shape[1] for x in whole.values] == [x[0].shape[1] - 1 for x in clips.clear]
    assert whole.num_encodings == 1
    spread = Sampling(kind='spread', frames=3, encodings=4)
    several = encode(clips, encoder, spread, MEAN, STD, training=True)
    assert several.num_encodings == 4
    assert {x.shape[1] for values in several.values for x in values} == {2}
    assert encode(clips, encoder, spread, MEAN, STD, training=False).num_encodings == 1
    third = encode(clips, encoder, Sampling(every=3), MEAN, STD, training=False)
    for (value,), (clear, *_) in zip(third.values, clips.clear, strict=True):
        seen = clear[:, ::3].float() / 255
        torch.testing.assert_close(
            value.float(), (seen[:, 1:] - seen[:, :-1]) / (STD[0] / 255), rtol=1e-2, atol=1e-2
        )
    with pytest.raises(ValueError, match="'consecutive' or 'spread'"):
        Sampling(kind='other')
    with pytest.raises(ValueError, match="every is of kind='consecutive'"):
        Sampling(kind='spread', every=3)
    with pytest.raises(ValueError, match='draws must be 1 or more'):
        Sampling(draws=0)


@pytest.mark.parametrize('part', [dict(dither=0.05), dict(flip=0.2)])
def test_who_draws_is_learned_on_fresh_draws_and_tested_on_one(make_clips, part) -> None:
    clips, encoder = make_clips(4), build_encoder('bdq_hard', **part)
    sampling = Sampling(encodings=3, draws=2)
    state = torch.get_rng_state()
    train = encode(clips, encoder, sampling, MEAN, STD, training=True)
    test = encode(clips, encoder, sampling, MEAN, STD, training=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert (train.num_encodings, test.num_encodings) == (3, 2)
    assert not torch.equal(*train.values[0][:2]) and not torch.equal(*test.values[0])
    again = encode(clips, encoder, sampling, MEAN, STD, training=True)
    other = encode(clips, encoder, sampling, MEAN, STD, training=True, seed=1)
    assert torch.equal(train.values[2][1], again.values[2][1])
    assert not torch.equal(train.values[2][1], other.values[2][1])


def test_where_frames_are_left_out_an_attacker_has_the_others_too(make_clips) -> None:
    clips, sampling = make_clips(9).select([3, 4, 5, 6, 7, 8]), Sampling(every=3, encodings=12)
    several = encode(clips, build_encoder('pass_through'), sampling, MEAN, STD, training=True)
    assert several.num_encodings == 12
    begins = set()
    for whole, encodings in zip(clips.clear, several.clear, strict=True):
        # The first encoding is the one that a camera makes.
        torch.testing.assert_close(encodings[0], whole[0][:, ::3], rtol=0, atol=0)
        for frames in encodings:
            begins |= {start for start in range(3) if torch.equal(frames, whole[0][:, start::3])}
    assert begins == {0, 1, 2}


def test_encoding_equals_the_training_path(make_clips) -> None:
    clips = make_clips(5)
    encoded = encode(clips, build_encoder('bdq_hard'), Sampling(), MEAN, STD, training=False)
    for (value,), (clear, *_) in zip(encoded.values, clips.clear, strict=True):
        with torch.no_grad():
            wanted = build_encoder('bdq_hard').eval()(clear[None].float() / 255) / (38.76 / 255)
        torch.testing.assert_close(value.float(), wanted[0], rtol=1e-3, atol=1e-3)
        assert len(value.unique()) <= 16


def test_soft_and_hard_are_two_outputs_of_one_encoder() -> None:
    forms = output_forms(build_encoder('bdq'))
    assert list(forms) == ['soft', 'hard']
    assert forms['soft'].quantize.mode == 'soft' and forms['hard'].config['mode'] == 'hard'
    assert list(output_forms(build_encoder('bdq_hard'))) == ['hard']
    assert list(output_forms(PassThrough())) == ['soft']


def test_an_encoder_with_broken_numbers_is_refused(make_clips) -> None:
    encoder = build_encoder('bdq')
    with torch.no_grad():
        encoder.quantize.thresholds.fill_(float('nan'))
    with pytest.raises(ValueError, match='not finite'):
        encode(make_clips(4), encoder, Sampling(), MEAN, STD, training=False)
    short = replace(make_clips(4), clear=((torch.zeros(1, 1, 8, 8, dtype=torch.uint8),),) * 4)
    with pytest.raises(ValueError, match='at least 2 frames'):
        encode(short, build_encoder('d'), Sampling(), MEAN, STD, training=False)
