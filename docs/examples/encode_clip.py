"""Encode a clip as a camera would: read a video, keep its codes, look at what they are.

python docs/examples/encode_clip.py clip.mp4 clip.bdq
"""

import argparse

import numpy as np

from bdq_plugin.deploy import PackedReader, PackedWriter, StreamingEncoder
from bdq_plugin.encoders import load_encoder
from bdq_plugin.video.source import VideoSource


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('video')
    parser.add_argument('out', help='file of codes to write, .bdq')
    parser.add_argument('--encoder', default='bdq_hard', help='preset, zoo name or encoder.json')
    args = parser.parse_args(arguments)

    # An encoder is a torch module; beside a camera it is a few whole numbers.
    form = load_encoder(args.encoder).integer_form()
    print(f'blur {form.kernel}, thresholds {list(form.thresholds)}')

    # One frame in, one frame of codes out; the first only sets the state.
    stream = StreamingEncoder(form)
    with VideoSource(args.video) as source:
        frames = ((frame.time_ms, stream(frame.pixels)) for frame in source)
        sent = [(time, codes) for time, codes in frames if codes is not None]
        shape, rate = sent[0][1].shape, source.frame_rate
    with PackedWriter(args.out, form, shape, frame_rate=rate) as writer:
        for time, codes in sent:
            writer.write(codes, time)

    # Whoever has the file has these levels, and nothing else of the video.
    received = np.stack(list(PackedReader(args.out)))
    shares = np.bincount(received.ravel(), minlength=form.num_levels) / received.size
    print(f'{len(received)} frames of codes, {shape}')
    for level, share in enumerate(shares):
        print(f'level {level:2} {share:6.1%} {"#" * round(50 * share)}')


if __name__ == '__main__':
    main()
