"""The bound of a camera's own stream, attacked by someone who knows everything but its draws."""

from dataclasses import replace

import numpy as np
import pytest

from bdq_plugin.deploy import StreamingEncoder, encode_clip
from bdq_plugin.encoders import build_encoder
from bdq_plugin.evaluation.certification import Use, bound, certify
from bdq_plugin.evaluation.statistics import equal_error_rate, pair_error

STREAMS = 1500


@pytest.mark.parametrize(('levels', 'flip'), [(2, 0.4), (3, 0.55)])
def test_two_given_clips_are_told_apart_as_seldom_as_stated(levels: int, flip: float) -> None:
    form = build_encoder('blocks', num_levels=levels, block=4, flip=flip).integer_form()
    clips = np.random.default_rng(0).integers(0, 256, (2, 5, 12, 12), np.uint8)
    # The same but for two thirds of the rows.
    clips[1, :, 8:] = clips[0, :, 8:]
    first, second = (encode_clip(replace(form, flip=0.0), clip) for clip in clips)
    differing = int((first != second).sum())
    assert 5 < differing < 2 * first.size / 3
    kept, other = np.log(1 - flip), np.log(flip / (levels - 1))
    scores = []
    for clip in clips:
        stream, sent = StreamingEncoder(form, compiled=False), []
        for _ in range(STREAMS):
            stream.reset()
            sent.append([codes for frame in clip if (codes := stream(frame)) is not None])
        sent = np.array(sent)
        ratios = np.where(sent == first, kept, other) - np.where(sent == second, kept, other)
        scores.append(ratios.sum((1, 2, 3)))
    expected = pair_error(differing, flip, levels)
    assert equal_error_rate(*scores) == pytest.approx(expected, abs=0.05)
    # What is printed for clips all of whose codes differ, he cannot fall below.
    use = Use(12, 12, channels=1, frame_rate=1, clip_seconds=4)
    assert use.codes_a_frame(form) * use.frames(4) == first.size
    assert bound('clip', first.size, form, use).pair_error < expected - 0.05


def test_a_frame_is_one_frame_at_any_rate() -> None:
    form = build_encoder('certified').integer_form()
    for rate, every in ((23, 8), (29.97, 7), (12.5, 3)):
        use = Use(48, 64, channels=1, frame_rate=rate, every=every)
        assert certify(form, use)[0].codes == 48
        assert use.frames(every / rate) == 1 and use.frames(1.01 * every / rate) == 2
