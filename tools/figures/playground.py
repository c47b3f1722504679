#!/usr/bin/env python3
"""Record the playground in motion: a headless Chromium whose camera plays a known video.

First bdq_hard of the zoo, then the preset blocks_noise. By default a synthetic person is seen.

Example:
    python tools/figures/playground.py docs/images/playground.gif
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from itertools import islice
from pathlib import Path

import av
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # tools are not installed

from bdq_plugin.atomic_files import write_bytes  # noqa: E402
from bdq_plugin.datasets.synthetic import make_folder  # noqa: E402
from bdq_plugin.deploy.playground import playground_page  # noqa: E402
from bdq_plugin.encoders import build_encoder, save_encoder  # noqa: E402
from tools.figures.browser import Page, open_browser  # noqa: E402

# Of the window, and what of it a page of documentation has room for.
WIDTH, SCALE = 900, 0.72
# Every second frame of a video is shown, so that the animation runs about as fast as it does. The
# camera is slow, so that a browser on a busy machine shows each of them.
EVERY, CAMERA_FPS = 2, 2


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, help='a .gif file')
    parser.add_argument('--video', type=Path, help='what the camera sees')
    parser.add_argument('--frames', type=int, default=24, help='shown of each encoder')
    parser.add_argument('--fps', type=int, default=12, help='of the animation')
    args = parser.parse_args(argv)
    try:
        # Chromium's children may write to its profile for a moment after it has ended.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            pictures = record(Path(folder), args.video, args.frames)
        print(write_bytes(args.out, gif(pictures, args.fps)))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def record(folder: Path, video: Path | None, frames: int) -> list[Image.Image]:
    """The page as its codes change, under one encoder and then the other."""
    if video is None:
        # The camera must not begin anew while it is recorded.
        size, length = (320, 240), 3 * EVERY * frames
        (video,) = make_folder(folder, ['handwaving'], ['anna'], 1, length, size)
    camera = folder / 'camera.y4m'
    write_y4m(video, camera)
    page = folder / 'page.html'
    hides = save_encoder(build_encoder('blocks_noise'), folder / 'blocks_noise.json')
    encoders = ['bdq_hard_ixmas_take3', hides]
    page.write_text(playground_page(encoders), encoding='utf-8')
    options = ('--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
               f'--use-file-for-fake-video-capture={camera}')  # fmt: skip
    pictures = []
    with open_browser(folder / 'profile', options) as browser:
        browser.open(page.as_uri(), width=WIDTH)
        browser.wait('core')
        browser.run("document.addEventListener('codes', (e) => window.coded = e.detail.codes)")
        browser.run("$('side').value = '112'; $('grey').click(); $('camera').click()")
        for number in range(len(encoders)):
            browser.run(f"$('encoder').value = {number}; $('encoder').onchange()")
            for _ in range(frames):
                pictures.append(shot(browser))
    return pictures


def shot(browser: Page) -> Image.Image:
    """The page down to its pictures, when the next frame is coded."""
    browser.run('window.coded = null')
    browser.wait('window.coded', 60)
    bottom = browser.run("document.querySelector('.pictures').getBoundingClientRect().bottom")
    picture = browser.picture(0, 0, WIDTH, bottom + 8, SCALE)
    return Image.open(io.BytesIO(picture)).convert('RGB')


def write_y4m(video: Path, out: Path) -> None:
    """The raw form that the browser's fake camera plays."""
    with av.open(str(video)) as container, out.open('wb') as file:
        for number, frame in enumerate(islice(container.decode(video=0), 0, None, EVERY)):
            if number == 0:
                head = f'W{frame.width} H{frame.height} F{CAMERA_FPS}:1 Ip A1:1 C420jpeg'
                file.write(f'YUV4MPEG2 {head}\n'.encode())
            file.write(b'FRAME\n' + frame.reformat(format='yuvj420p').to_ndarray().tobytes())


def gif(pictures: list[Image.Image], fps: int) -> bytes:
    """All in the colours of the first, so that what stands still costs nothing, and as high."""
    height = max(picture.height for picture in pictures)
    whole = [ImageOps.pad(each, (each.width, height), color='white', centering=(0, 0))
             for each in pictures]  # fmt: skip
    palette = whole[0].quantize(64)
    first, *rest = (each.quantize(palette=palette, dither=Image.Dither.NONE) for each in whole)
    stream = io.BytesIO()
    first.save(stream, 'gif', save_all=True, append_images=rest, duration=1000 // fps, loop=0)
    return stream.getvalue()


if __name__ == '__main__':
    main()
