#!/usr/bin/env python3
"""Draw a clip in clear and after each part of an encoder. The picture shows clear frames."""

import argparse

import numpy as np
import torch

from bdq_plugin.datasets.video_reader import open_video
from bdq_plugin.encoders import build_encoder, load_encoder
from bdq_plugin.visualization import contact_sheet, save_figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('video')
    parser.add_argument('encoder', help='an encoder.json, or the name of a preset')
    parser.add_argument('out', help='a .png or .pdf file')
    parser.add_argument('--frames', type=int, default=16, help='frames, spread over the video')
    parser.add_argument('--columns', type=int, default=6, help='frames to show')
    parser.add_argument('--title', default='')
    args = parser.parse_args()
    named = args.encoder.endswith('.json')
    encoder = load_encoder(args.encoder) if named else build_encoder(args.encoder)
    reader = open_video(args.video)
    indices = np.linspace(0, len(reader) - 1, args.frames).round().astype(int)
    frames = torch.from_numpy(reader.get_batch(indices)).permute(3, 0, 1, 2)
    print(save_figure(contact_sheet(encoder, frames, args.columns, args.title), args.out))


if __name__ == '__main__':
    main()
