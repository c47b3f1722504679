"""The page of the playground in a real browser: its codes are Python's, and nothing leaves it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bdq_plugin.camera_form import (
    CameraForm,
    integer_kernel,
    integer_thresholds,
    load_form,
    streaming_zoo,
)
from bdq_plugin.deploy import StreamingEncoder, streaming
from bdq_plugin.deploy import playground as playground_module
from bdq_plugin.deploy.playground import CORE, CORE_RECORD, playground_page, sources_digest
from bdq_plugin.encoders import build_encoder, save_encoder, zoo_names
from bdq_plugin.geometry import Geometry
from bdq_plugin.geometry import Path as Places
from bdq_plugin.video.pixels import luma_of_rgb
from tests.test_deploy.conftest import moving_frames
from tools import playground as playground_tool
from tools.figures import browser
from tools.figures import playground as playground_recorder
from tools.figures.browser import Page

REPOSITORY = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH = 48, 64
# Each frame, copied as it comes.
LISTEN = """
    window.kept = [];
    const text = (bytes) => btoa(String.fromCharCode(...bytes));
    document.addEventListener('codes', ({detail: d}) => kept.length < 12 && kept.push({
        form: d.form, shape: [d.height, d.width, d.channels],
        clear: text(document.getElementById('clear').getContext('2d')
            .getImageData(0, 0, d.width, d.height).data),
        pixels: text(d.pixels), codes: d.codes && text(d.codes),
        noise: d.codes && d.noise && Array.from(d.noise),
        places: d.places && Array.from(d.places),
        words: d.codes && d.words && Array.from(d.words)}));
"""
SECRET = bytes(range(32))
# Draws are of so many words, and of no other things in tests.
DRAWN = 79
# Gives the words of `given` in place of the browser's, one draw after another and then anew.
GIVE = f"""
    window.drawn = 0;
    window.real ??= crypto.getRandomValues.bind(crypto);
    crypto.getRandomValues = (array) => {{
        if (array.length !== {DRAWN}) return real(array);
        array.set(given[drawn++ % given.length]);
        return array;
    }};
"""
FAKE_CAMERA = ('--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream')


def need_browser() -> None:
    try:
        browser.find_chromium()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def open_browser(*options):
    need_browser()
    return browser.open_browser(*options)


@pytest.fixture(scope='module')
def known() -> np.ndarray:
    """What the camera sees, RGB: a pattern that moves."""
    return moving_frames(30, HEIGHT, WIDTH)


@pytest.fixture(scope='module')
def camera_file(known, tmp_path_factory) -> Path:
    """The same as the raw video that the browser's fake camera plays (Y4M, 4:2:0)."""
    path = tmp_path_factory.mktemp('camera') / 'known.y4m'
    planes = [
        av.VideoFrame.from_ndarray(frame, format='rgb24').reformat(format='yuv420p').to_ndarray()
        for frame in known
    ]
    head = f'YUV4MPEG2 W{WIDTH} H{HEIGHT} F30:1 Ip A1:1 C420jpeg\n'.encode()
    path.write_bytes(head + b''.join(b'FRAME\n' + plane.tobytes() for plane in planes))
    return path


@pytest.fixture(scope='module')
def address(tmp_path_factory) -> str:
    """The page as one file."""
    path = tmp_path_factory.mktemp('page') / 'playground.html'
    assert playground_tool.main(['--out', str(path)]) == 0
    return path.as_uri()


@pytest.fixture(scope='module')
def page(camera_file, tmp_path_factory):
    options = (*FAKE_CAMERA, f'--use-file-for-fake-video-capture={camera_file}')
    with open_browser(tmp_path_factory.mktemp('profile'), options) as page:
        yield page


def start_camera(page: Page, address: str, prepare: str = '', **settings: str) -> None:
    page.open(address)
    page.wait('core')
    page.run(LISTEN + prepare)
    for name, value in {'side': '0', **settings}.items():
        if name == 'grey':
            page.run("document.getElementById('grey').click()")
            continue
        event = 'onchange' if name == 'side' else 'oninput'
        page.run(f"$('{name}').value = {value!r}; $('{name}').{event}()")
    page.run("document.getElementById('camera').click()")
    page.wait("kept.length >= 6 || !document.getElementById('message').hidden")


def kept_frames(page: Page) -> list[dict]:
    def array(text: str, shape: list[int]) -> np.ndarray:
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)

    def codes(kept: dict) -> np.ndarray | None:
        block, (height, width, channels) = kept['form']['block'], kept['shape']
        return kept['codes'] and array(kept['codes'], [height // block, width // block, channels])

    return [
        dict(
            form=CameraForm.from_dict(kept['form']),
            pixels=array(kept['pixels'], kept['shape']),
            codes=codes(kept),
            noise=kept['noise'],
            places=kept['places'],
            words=kept['words'],
            clear=array(kept['clear'], [*kept['shape'][:2], 4])[..., :3],
        )
        for kept in json.loads(page.run('JSON.stringify(kept)'))
    ]


def words_of(secret: bytes, period: int = 0) -> list[int]:
    """What geometries are drawn from there."""
    stream = hashlib.shake_256(secret + period.to_bytes(8, 'little'))
    return np.frombuffer(stream.digest(4 * DRAWN), '<u4').tolist()


def check_codes(kept: list[dict], form: CameraForm) -> None:
    """Of every frame; a stream begins with one that has none."""
    assert len(kept) >= 6 and kept[0]['codes'] is None
    assert all(frame['form'] == form for frame in kept)
    stream, made = StreamingEncoder(form, compiled=False, secret=SECRET), []
    for frame in kept:
        if frame['codes'] is None:
            stream.reset()
        expected = stream(frame['pixels'])
        assert (expected is None) == (frame['codes'] is None)
        if expected is not None:
            assert np.array_equal(frame['codes'], expected)
            made.append(expected)
    assert len(made) >= 3 and len(np.unique(np.stack(made))) > 1


def distance(frame: np.ndarray, known: np.ndarray) -> float:
    """To the nearest of the known frames, in shades."""
    return min(np.abs(frame.astype(int) - other).mean() for other in known)


def test_codes_of_a_known_camera_are_pythons(page, address, known):
    page.requests.clear()
    start_camera(page, address)
    kept = kept_frames(page)
    check_codes(kept, load_form('bdq_hard_ixmas_take3'))
    # It is the known file that was encoded, whole, as the page shows it.
    assert all(np.array_equal(frame['pixels'], frame['clear']) for frame in kept)
    assert all(distance(frame['pixels'], known) < 8 for frame in kept)
    assert distance(kept[0]['pixels'][:, ::-1], known) > 20, 'a mirror image would be seen'
    assert page.requests == [address], 'the page has asked for something beside itself'


def test_grey_is_the_luma_of_training(page, address):
    start_camera(page, address, grey='1')
    kept = kept_frames(page)
    check_codes(kept, load_form('bdq_hard_ixmas_take3'))
    for frame in kept:
        assert np.array_equal(frame['pixels'][..., 0], luma_of_rgb(frame['clear']))


@pytest.mark.parametrize(
    'encoder', ['blocks', 'blocks_noise', 'blocks_searched_48x64', 'certified_48x64']
)
def test_what_hides_people_runs_in_the_page(page, tmp_path, encoder, monkeypatch):
    out = tmp_path / 'page.html'
    assert playground_tool.main(['--encoder', encoder, '--out', str(out)]) == 0
    start_camera(page, out.as_uri(), f'window.given = [{words_of(SECRET)}];{GIVE}', grey='1')
    kept, form = kept_frames(page), load_form(encoder)
    assert page.run("[$('levels').disabled, $('range').disabled]") == [True, True]
    assert page.run("[$('coded').width, $('coded').height]") == [WIDTH // 8, HEIGHT // 8]
    drawn = [frame['noise'] for frame in kept if frame['codes'] is not None]
    if form.dither:
        # Another draw for each code of each frame, of the right size.
        assert 0.7 < np.std(drawn) / form.dither < 1.3
        assert len({tuple(noise) for noise in drawn}) == len(drawn)
        draws = iter(drawn)
        monkeypatch.setattr(
            streaming,
            'draw_noise',
            lambda generator, form, shape: np.array(next(draws), np.int32).reshape(shape),
        )
    else:
        assert not any(drawn)
    assert all((frame['places'] is not None) == (form.geometry is not None) for frame in kept)
    replaced = [frame['words'] for frame in kept if frame['codes'] is not None]
    if form.flip:
        assert len({tuple(words) for words in replaced}) == len(replaced)
        words = iter(replaced)
        monkeypatch.setattr(
            streaming,
            'draw_words',
            lambda shape: np.array(next(words), np.int64).reshape(shape),
        )
    else:
        assert not any(replaced)
    check_codes(kept, form)


STRONG = Geometry(0.3, 0.25, rotation=170, shift=0.125, mirror=True, warp=0.3)


@pytest.mark.parametrize('size', [(48, 64), (1, 1), (1, 9), (97, 31)])
@pytest.mark.parametrize(
    'geometry',
    [
        STRONG,
        Geometry(),
        Geometry(0.9, 0.9, 180, 1, True, 1),
        replace(STRONG, redraw=2, change=1),
        replace(STRONG, redraw=3, change=3),
    ],
)
def test_a_secret_gives_pythons_places(page, address, geometry, size):
    """Bit for bit, whatever is drawn, of every frame."""
    page.open(address)
    page.wait('core')
    page.run(LISTEN)
    for number in range(4):
        secret = bytes([number]) * 32
        given = [words_of(secret, period) for period in range(4)]
        frames = page.run(
            f"""window.given = {given};{GIVE}
            window.path = new Path({json.dumps(asdict(geometry))}, {size[0]}, {size[1]});
            JSON.stringify(Array.from({{length: 5}}, () => {{
                const places = new Int32Array({2 * size[0] * size[1]});
                path.next(places);
                return text(new Uint8Array(places.buffer));
            }}))"""
        )
        expected = Places(geometry, secret, *size)
        for frame, text in enumerate(json.loads(frames)):
            found = np.frombuffer(base64.b64decode(text), '<i4').reshape(2, *size)
            assert np.array_equal(found, expected.at(frame)), (number, frame)


def test_each_stream_has_a_geometry_of_its_own(page, tmp_path):
    out = tmp_path / 'page.html'
    assert playground_tool.main(['--encoder', 'blocks_geometry', '--out', str(out)]) == 0
    page.open(out.as_uri())
    page.wait('core')
    drawn = json.loads(
        page.run("""JSON.stringify(Array.from({length: 3}, () => {
            const stream = new Stream(data.encoders[0].form, 16, 24, 1);
            return [0, 1].map(() => { stream.encode(); return Array.from(stream.places); });
        }))""")
    )
    assert all(first == second for first, second in drawn), 'one geometry all the way'
    assert len({tuple(first) for first, _ in drawn}) == 3


def test_frames_are_brought_to_whole_blocks(page, tmp_path):
    encoder = save_encoder(build_encoder('blocks', block=7), tmp_path / 'sevens.json')
    out = tmp_path / 'page.html'
    assert playground_tool.main(['--encoder', str(encoder), '--out', str(out)]) == 0
    start_camera(page, out.as_uri())
    kept = kept_frames(page)
    assert kept[0]['pixels'].shape == (49, 63, 3)
    check_codes(kept, load_form(encoder))


@pytest.mark.parametrize(('sigma', 'bits', 'limit'), [(0.3, 1, 0.05), (1.3, 3, 0.4), (4, 8, 1.0)])
def test_sliders_make_the_encoder_that_python_makes(page, address, sigma, bits, limit):
    start_camera(page, address, sigma=str(sigma), levels=str(bits), range=str(limit))
    kept = kept_frames(page)
    form, steps = kept[0]['form'], 2**bits - 1
    low, high = float(-np.float32(limit)), float(np.float32(limit))
    spread = [k + 0.5 for k in range(steps)]
    assert form.kernel == integer_kernel(sigma)
    assert form.thresholds == integer_thresholds(spread, low, high)
    assert (form.low, form.step) == (low, (high - low) / steps)
    check_codes(kept, form)
    assert 'nothing was measured of it' in page.run("$('trained').textContent")
    assert page.run("$('card').textContent") == ''
    page.run("$('reset').click()")
    assert page.run('JSON.stringify(chosenForm())') == json.dumps(
        load_form('bdq_hard_ixmas_take3').to_dict(), separators=(',', ':')
    ).replace('.0,', ',').replace('.0}', '}')


def test_a_video_is_opened_and_what_is_none_is_refused(page, address, known, tmp_path):
    video = tmp_path / 'known.webm'
    with av.open(str(video), 'w') as container:
        # Slow, so that a busy browser passes over few frames before it begins anew.
        stream = container.add_stream('libvpx-vp9', rate=3, options={'crf': '4', 'b': '0'})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        for frame in known:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    page.open(address)
    page.wait('core')
    page.run(LISTEN)
    page.run("$('side').value = '0'")
    page.choose_file('#file', video)
    page.wait("kept.length >= 6 || !$('message').hidden")
    assert page.run("$('message').textContent") == ''
    kept = kept_frames(page)
    check_codes(kept, load_form('bdq_hard_ixmas_take3'))
    assert distance(kept[3]['pixels'], known) < 12
    broken = tmp_path / 'no_video.mp4'
    broken.write_bytes(b'no video at all')
    page.choose_file('#file', broken)
    page.wait("!$('message').hidden")
    assert 'cannot show no_video.mp4' in page.run("$('message').textContent")
    assert page.run("$('stop').disabled")


@pytest.fixture
def listener():
    """A server of this machine, and the addresses that it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}', asked
    server.shutdown()
    server.server_close()


def test_no_connection_is_possible(page, address, listener, tmp_path):
    server, asked = listener
    tries = f"""(async () => {{
        const picture = new Image();
        picture.src = '{server}/picture.png';
        try {{ navigator.sendBeacon('{server}/beacon', 'x'); }} catch {{}}
        try {{ await fetch('{server}/fetch', {{mode: 'no-cors'}}); }} catch {{}}
        try {{ new WebSocket('{server}/socket'.replace('http', 'ws')); }} catch {{}}
        await new Promise((done) => setTimeout(done, 500));
    }})()"""
    page.open(address)
    page.run(tries)
    assert asked == []
    # Without the policy each of them arrives.
    text = playground_page()
    policy = re.search(r'<meta http-equiv="Content-Security-Policy".*?>', text)[0]
    open_page = tmp_path / 'open.html'
    open_page.write_text(text.replace(policy, ''))
    page.open(open_page.as_uri())
    page.run(tries)
    assert {'/picture.png', '/fetch', '/beacon', '/socket'} == set(asked)


@pytest.mark.parametrize('width', [1280, 390])
def test_fits_the_screen(page, address, width):
    page.open(address, width)
    assert page.run('document.documentElement.scrollWidth') <= width
    tops = page.run("['clear', 'coded'].map((id) => $(id).getBoundingClientRect().top)")
    assert (tops[0] == tops[1]) == (width > 600), 'side by side where there is room'
    low = page.run("""[...document.querySelectorAll('button, .button, select')]
        .filter((e) => e.getBoundingClientRect().height < 44).length""")
    assert low == 0, 'fingers need 44 pixels'
    assert page.run('parseFloat(getComputedStyle(document.body).fontSize)') >= 16


def test_without_a_camera_the_page_says_so(address, tmp_path):
    with open_browser(tmp_path / 'profile') as page:
        page.open(address)
        page.run("$('camera').click()")
        page.wait("!$('message').hidden")
        said = page.run("$('message').textContent")
        assert 'no camera was found' in said or 'was not allowed' in said


def test_a_core_of_another_version_says_so(page, address):
    page.open(address)
    page.wait('core')
    page.run(LISTEN)
    page.run("data.version = 1; $('camera').click()")
    page.wait("!$('message').hidden")
    assert 'another version' in page.run("$('message').textContent")


# ---------------------------------------------------------------- the file
def test_the_page_names_every_encoder_of_the_zoo_with_its_card(tmp_path, monkeypatch):
    monkeypatch.setattr(playground_module, 'ZOO', tmp_path)
    (tmp_path / 'cards').mkdir()
    (tmp_path / 'cards' / 'bdq_hard_ixmas_take3.md').write_text('# Measured </script> leakage')
    page = playground_page()
    assert '\\u003c/script> leakage' in page and page.count('</script>') == 2
    assert all(f'"{name}"' in page for name in zoo_names())
    data = json.loads(page.partition('type="application/json">')[2].partition('</script>')[0])
    assert {encoder['name'] for encoder in data['encoders']} == set(streaming_zoo())
    assert set(data['others']) == set(zoo_names()) - set(streaming_zoo())
    said = {encoder['name']: encoder['trained'] for encoder in data['encoders']}
    assert 'It is for one frame of 8; this page encodes each' in said['certified_48x64']
    assert 'one frame of' not in said['blocks_48x64']


def test_an_encoder_that_cannot_stream_is_refused(tmp_path, capsys):
    out = tmp_path / 'page.html'
    assert playground_tool.main(['--encoder', 'bdq_ixmas_take3', '--out', str(out)]) == 1
    assert 'fixed range' in capsys.readouterr().err and not out.exists()
    assert playground_tool.main(['--encoder', 'nowhere.json', '--out', str(out)]) == 1
    assert 'no encoder file nowhere.json' in capsys.readouterr().err
    assert playground_tool.main(['--encoder', 'pass_through', '--out', str(out)]) == 1
    assert 'fixed range' in capsys.readouterr().err and not out.exists()


def test_the_core_was_built_of_these_sources():
    record = json.loads(CORE_RECORD.read_text())
    assert record['sources_sha256'] == sources_digest(), (
        'the C core has changed: python -m bdq_plugin.deploy.playground'
    )
    assert CORE.read_bytes()[:4] == b'\0asm'


def test_it_is_served_to_this_machine_alone():
    command = [sys.executable, '-m', 'bdq_plugin', 'playground', '--no-browser', '--port', '0']
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().split()[0]
        with urllib.request.urlopen(address) as answer:
            assert answer.read().decode() == playground_page()
        with pytest.raises(urllib.error.HTTPError, match='404'):
            urllib.request.urlopen(address + 'etc/passwd')
        port = int(address.rpartition(':')[2].rstrip('/'))
        sockets = Path('/proc/net/tcp').read_text().splitlines()
        listening = [line.split()[1] for line in sockets if f':{port:04X} ' in line]
        assert f'0100007F:{port:04X}' in listening and f'00000000:{port:04X}' not in listening
    finally:
        process.terminate()
        process.wait()


def test_it_is_recorded_in_motion(camera_file, tmp_path):
    """The picture of the documentation: the codes change, and so does the encoder."""
    need_browser()
    out = tmp_path / 'playground.gif'
    playground_recorder.main([str(out), '--video', str(camera_file), '--frames', '2'])
    with Image.open(out) as animation:
        frames = []
        for number in range(animation.n_frames):
            animation.seek(number)
            frames.append(np.asarray(animation.convert('L')).astype(int))
    assert len(frames) == 4
    # The codes stand on the right; of the second encoder they are black, grey and white.
    right = [frame[300:400, 400:600] for frame in frames]
    assert (right[0] != right[1]).mean() > 0.02
    assert np.isin(right[3], np.unique(right[3])[[0, -1]]).mean() > 0.01
