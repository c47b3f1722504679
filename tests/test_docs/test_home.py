"""docs/home.md: its configuration and its commands, run."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from bdq_plugin.deploy import encode_clip
from bdq_plugin.video.source import SourceError, VideoSource
from tests.game import REPOSITORY
from tests.test_deploy.conftest import moving_frames
from tests.test_deploy.rtsp_server import RTSPServer, decode_h264, encode_h264
from tools import encode_video, recognize

PAGE = (REPOSITORY / 'docs' / 'home.md').read_text()
CAMERA = 'rtsp://user:password@192.168.1.20/stream'


def block_with(text: str) -> str:
    """The page's only block of code that holds a text."""
    (block,) = [b for b in re.findall(r'```\w*\n(.*?)```', PAGE, re.DOTALL) if text in b]
    return block


@pytest.fixture
def camera() -> Iterator[RTSPServer]:
    server = RTSPServer(encode_h264(moving_frames(60, 48, 64)), pace=True)
    yield server
    server.close()


def configuration(camera: RTSPServer) -> str:
    """The page's configuration of go2rtc, with this camera and this Python."""
    block = block_with('exec:')
    assert block.count(CAMERA) == 1 and block.count('exec:python ') == 1
    block = block.replace('exec:python ', f'exec:{sys.executable} ')
    return block.replace(CAMERA, camera.url)


def test_the_configuration_as_go2rtc_runs_it(camera):
    """It splits the line into words, starts it, and tells the stream by its first byte."""
    command = re.search(r'exec:(.*)', configuration(camera))[1]
    assert '#' not in command, 'what follows it would be for go2rtc'
    process = subprocess.Popen(
        shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
    )
    try:
        start = process.stdout.read(188)
        assert start[:1] == b'G', 'MPEG-TS'
        data = start + process.stdout.read(188 * 30)
    finally:
        process.kill()
    said = process.stderr.read().decode()
    assert 'as in training' in said and 'password' not in said
    with av.open(io.BytesIO(data), format='mpegts') as container:
        stream = container.streams.video[0]
        picture = next(container.decode(stream))
        assert stream.codec_context.name == 'h264' and (picture.width, picture.height) == (64, 48)
    clear = decode_h264(camera.packets)[1].mean(-1)
    shown = picture.reformat(format='gray').to_ndarray().astype(float)
    assert np.abs(shown - clear).mean() > 30


def test_the_options_of_the_page_exist():
    """Every command line of the page is one that the tools take."""
    lines = re.sub(r'\\\n\s*', '', '\n'.join(re.findall(r'```\w*\n(.*?)```', PAGE, re.DOTALL)))
    commands = re.findall(r'python -m bdq_plugin (\w+) (.*)', lines)
    assert [name for name, _ in commands] == ['encode_video', 'encode_video', 'recognize']
    for name, words in commands:
        {'encode_video': encode_video, 'recognize': recognize}[name].parse_args(shlex.split(words))
    for option in set(re.findall(r'`(--[a-z-]+)', PAGE)):
        texts = [Path(tool.__file__).read_text() for tool in (encode_video, recognize)]
        assert any(f"'{option}'" in text for text in texts), option


GO2RTC = os.environ.get('GO2RTC') or shutil.which('go2rtc')


@pytest.mark.skipif(not GO2RTC, reason='needs the binary go2rtc on the path or in $GO2RTC')
def test_go2rtc_serves_codes(camera, tmp_path):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            ports.append(free.getsockname()[1])
    text = configuration(camera).replace('":8554"', f'"127.0.0.1:{ports[0]}"')
    text += f'api:\n  listen: "127.0.0.1:{ports[1]}"\nwebrtc:\n  listen: ""\n'
    (tmp_path / 'go2rtc.yaml').write_text(text)
    process = subprocess.Popen([GO2RTC, '-config', tmp_path / 'go2rtc.yaml'], cwd=REPOSITORY)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with VideoSource(f'rtsp://127.0.0.1:{ports[0]}/hall', timeout=30) as source:
                    shown = next(iter(source)).pixels
                break
            except SourceError:
                assert time.monotonic() < deadline
                time.sleep(0.5)
    finally:
        process.kill()
    assert shown.shape[:2] == (48, 64)
    grey = decode_h264(camera.packets).mean(-1).astype(np.uint8)
    codes = encode_clip('bdq_hard_ixmas_take3', grey)
    shown = shown.astype(float) if shown.ndim == 2 else shown.mean(-1)
    assert min(np.abs(shown - 17.0 * frame).mean() for frame in codes) < 15
    assert min(np.abs(shown - frame).mean() for frame in grey) > 30
