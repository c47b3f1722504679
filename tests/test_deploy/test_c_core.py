"""The C core against the Python one: the same codes, within its memory, for every form and size."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bdq_plugin.camera_form import CameraForm, integer_kernel, load_form, streaming_zoo
from bdq_plugin.deploy import StreamingEncoder, streaming
from bdq_plugin.deploy.c_core import (
    C_FOLDER,
    FORM_VERSION,
    HEAD,
    MAX_TAPS,
    CStream,
    compile_core,
    flat_form,
    form_header,
)
from bdq_plugin.deploy.fastest import Fastest
from bdq_plugin.deploy.streaming import draw_noise
from bdq_plugin.deploy.vectors import SECRET, VECTORS, cases, places_of_stream
from bdq_plugin.encoders import build_encoder, load_encoder, save_encoder, zoo_names
from bdq_plugin.encoders.integer import integer_codes
from bdq_plugin.geometry import PLACE_UNIT, Geometry, mix, resample
from tests.game import REPOSITORY
from tests.test_deploy.conftest import moving_frames
from tests.test_deploy.test_streaming import whole_clip_codes
from tools import export as export_tool

PROGRAMS = Path(__file__).with_name('c_programs')
STRICT = ('-std=c99', '-Wall', '-Wextra', '-Werror', '-pedantic', '-O1', '-g')
SANITIZED = ('-fsanitize=address,undefined', '-fno-sanitize-recover=all')
BAD_FORM, BAD_SIZE = -1, -2
EXTREMES = [-(2**31), -1, 0, 1, 2, 3, 254, 255, 256, 257, 2**31 - 1]
FORM_SIZE = HEAD + 2 * 255


@pytest.fixture(scope='session')
def compiler() -> str:
    found = shutil.which('gcc') or shutil.which('clang')
    if found is None:
        pytest.skip('no C compiler: apt-get install -y gcc')
    return found


def build(compiler: str, program: str, folder: Path) -> Path:
    """One of the programs with the core, warnings being errors and all accesses watched."""
    sources = [PROGRAMS / program, C_FOLDER / 'bdq.c']
    folders = [f'-I{folder}', f'-I{C_FOLDER}']
    command = [compiler, *STRICT, *SANITIZED, *folders, *sources, '-o', folder / 'program']
    subprocess.run(list(map(str, command)), check=True)
    return folder / 'program'


@pytest.fixture(scope='session')
def program(compiler, tmp_path_factory) -> Path:
    return build(compiler, 'cases.c', tmp_path_factory.mktemp('cases'))


@pytest.fixture(scope='session')
def library(compiler, tmp_path_factory) -> Path:
    return compile_core(tmp_path_factory.mktemp('core') / 'bdq.so', compiler)


def as_case(
    flat: np.ndarray,
    size: tuple[int, ...],
    frames: list[np.ndarray],
    noises: list[np.ndarray] | None = None,
    places: list[np.ndarray] | None = None,
) -> bytes:
    numbers = np.array([*size, len(frames)], np.int32)
    columns = [drawn or [np.empty(0, np.int32)] * len(frames) for drawn in (noises, places)]
    parts = [part.tobytes() for row in zip(*columns, frames, strict=True) for part in row]
    return flat.tobytes() + numbers.tobytes() + b''.join(parts)


def run_cases(program: Path, cases: list[bytes], emulator: tuple[str, ...] = ()) -> bytes:
    done = subprocess.run([*emulator, program], input=b''.join(cases), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout


def answer(codes: list[np.ndarray | None]) -> bytes:
    """What the program says of a stream whose frames have these codes."""
    parts = [np.int32(0).tobytes()]
    for made in codes:
        parts.append(
            np.int32(made is not None).tobytes() + (b'' if made is None else made.tobytes())
        )
    return b''.join(parts)


def expected_answer(
    form: CameraForm, frames: list[np.ndarray], places: list[np.ndarray] | None = None
) -> bytes:
    if places:
        form = replace(form, geometry=None)
        last = PLACE_UNIT * (np.array(places[0].shape[1:])[:, None, None] - 1)
        frames = [
            resample(frame, np.clip(at, 0, last)) for frame, at in zip(frames, places, strict=True)
        ]
    stream = StreamingEncoder(form, compiled=False)
    return answer([stream(frame) for frame in frames])


def random_form(rng: np.random.Generator) -> CameraForm:
    kernel = integer_kernel(rng.uniform(0.2, 3), int(rng.choice([1, 3, 5, 5, 5, 7, 9, 21])))
    count = int(rng.choice([1, 2, 7, 8, 15, 15, 16, 30, 31, 255]))
    block = int(rng.choice([1, 1, 2, 3, 5]))
    spread = 10 ** rng.uniform(2, 7.3)
    thresholds = np.sort(np.rint(rng.normal(0, spread, count))).astype(int)
    return CameraForm(
        kernel=kernel,
        padding=str(rng.choice(['replicate', 'zeros'])),
        difference=bool(rng.random() < 0.8),
        thresholds=tuple(map(int, thresholds)),
        dither=0.0,
        low=-0.25,
        step=0.5 / count,
        block=block,
        magnitude=bool(rng.random() < 0.3),
        geometry=Geometry() if rng.random() < 0.4 else None,
    )


def random_case(rng: np.random.Generator) -> tuple[bytes, bytes]:
    """A stream of three frames, and what the program says of it."""
    form = random_form(rng)
    size = random_size(rng, form)
    frames = list(rng.integers(0, 256, (3, *size), dtype=np.uint8))
    places = None
    if form.geometry is not None:
        # Everywhere, beyond every border too.
        reach = PLACE_UNIT * np.array(size[:2])[:, None, None]
        drawn = rng.integers(-reach // 2, reach + reach // 2, (3, 2, *size[:2]))
        places = list(drawn.astype(np.int32))
    return as_case(flat_form(form), size, frames, None, places), expected_answer(
        form, frames, places
    )


def random_size(rng: np.random.Generator, form: CameraForm) -> tuple[int, int, int]:
    height, width, channels = map(int, rng.integers(1, [20, 24, 7]))
    return (
        max(1, height // form.block) * form.block,
        max(1, width // form.block) * form.block,
        channels,
    )


# ---------------------------------------------------------------- the same codes
def draws(form: CameraForm) -> bool:
    """Whether no two streams give the same codes: vectors.json has such forms, undrawn."""
    return form.geometry is not None or form.dither > 0 or form.flip > 0


@pytest.mark.parametrize('name', [k for k, form in streaming_zoo().items() if not draws(form)])
@pytest.mark.parametrize(
    'shape', [(37, 51, 3), (48, 64), (1, 1), (3, 2, 3), (5, 1301), (64, 64, 4)]
)
def test_codes_of_the_zoo_are_those_of_the_whole_clip(name, shape, library, program):
    encoder = load_encoder(name)
    sides = (max(1, side // encoder.block) * encoder.block for side in shape[:2])
    shape = (*sides, *shape[2:])
    frames = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    frames[2] = 255 * (frames[2] > 127)
    frames[4] = frames[3] // 2 + 60
    expected = whole_clip_codes(encoder, frames)
    stream = CStream(encoder.integer_form(), library)
    assert stream(frames[0]) is None
    assert np.array_equal(np.stack([stream(frame) for frame in frames[1:]]), expected)
    size = (*shape, 1) if len(shape) == 2 else shape
    case = as_case(flat_form(encoder.integer_form()), size, list(frames))
    assert run_cases(program, [case]) == answer([None, *expected])


def test_the_zoo_has_a_form_wherever_the_range_is_fixed():
    assert streaming_zoo()
    for name in set(zoo_names()) - set(streaming_zoo()):
        with pytest.raises(ValueError, match='fixed range'):
            load_form(name)


def test_the_core_stays_small():
    lines = [len((C_FOLDER / name).read_text().splitlines()) for name in ('bdq.h', 'bdq.c')]
    assert sum(lines) < 400


def test_random_forms_and_sizes(program):
    rng = np.random.default_rng(1)
    cases, answers = zip(*[random_case(rng) for _ in range(300)], strict=True)
    assert run_cases(program, cases) == b''.join(answers)


@pytest.mark.parametrize(('thresholds', 'level'), [((-1, 0), 1), ((0, 0), 0), ((-1, -1), 2)])
def test_one_unit_at_one_threshold_is_seen(library, thresholds, level):
    stream = CStream(replace(load_form('bdq_hard_ixmas_take3'), thresholds=thresholds), library)
    still = np.full((4, 4), 90, np.uint8)
    stream(still)
    assert (stream(still) == level).all()


def test_vectors_are_right_and_cover_the_zoo(program):
    shipped = json.loads(VECTORS.read_text())['cases']
    forms = {name: form for name, (form, _) in cases().items()}
    assert {case['name']: CameraForm.from_dict(case['form']) for case in shipped} == forms
    for case in shipped:
        form, shape = CameraForm.from_dict(case['form']), tuple(case['shape'])
        frames = [
            np.frombuffer(bytes.fromhex(text), np.uint8).reshape(shape) for text in case['frames']
        ]
        codes = list(map(bytes.fromhex, case['codes']))
        places = [np.array(p, np.int32).reshape(2, *shape[:2]) for p in case.get('places', [])]
        assert np.array_equal(places, places_of_stream(form, shape, len(frames)))
        stream = StreamingEncoder(form, compiled=False, secret=SECRET)
        assert [made.tobytes() for f in frames if (made := stream(f)) is not None] == codes
        said = run_cases(program, [as_case(flat_form(form), shape, frames, None, places)])
        assert said == expected_answer(form, frames, places), case['name']
        assert len({*b''.join(codes)}) > 1, 'codes that are all alike test nothing'


# ---------------------------------------------------------------- what is refused
def is_sound(flat: np.ndarray) -> bool:
    version, num_taps, zeros, difference, num_thresholds, block, *rest = flat[:HEAD].tolist()
    magnitude, dither, geometry = rest
    if version != 3 or {zeros, difference, magnitude, geometry} - {0, 1}:
        return False
    if not 1 <= block <= 128 or dither < 0:
        return False
    if not (1 <= num_taps <= 255 and num_taps % 2 and 1 <= num_thresholds <= 255):
        return False
    taps = flat[HEAD : HEAD + num_taps].tolist()
    thresholds = flat[HEAD + MAX_TAPS :][:num_thresholds].tolist()
    return (
        min(taps) >= 0
        and sum(taps) == 256
        and taps == taps[::-1]
        and thresholds == sorted(thresholds)
    )


def test_damaged_forms_are_refused_or_encoded_in_their_memory(program):
    rng = np.random.default_rng(2)
    cases, sound = [], []
    for _ in range(600):
        flat = flat_form(random_form(rng))
        for _ in range(rng.integers(1, 3)):
            place = rng.integers(HEAD) if rng.random() < 0.5 else rng.integers(flat.size)
            flat[place] = rng.choice(EXTREMES)
        sound.append(is_sound(flat))
        size, frames, noises, places = (4, 4, 1), [], None, None
        if sound[-1]:
            small = tuple(map(int, rng.integers(1, 5, 3)))
            size = tuple(map(int, np.multiply(small, (flat[5], flat[5], 1))))
            frames = list(rng.integers(0, 256, (2, *size), dtype=np.uint8))
            if flat[7]:
                noises = list(rng.choice(EXTREMES, (2, *small)).astype(np.int32))
            if flat[8]:
                places = list(rng.choice(EXTREMES, (2, 2, *size[:2])).astype(np.int32))
        cases.append(as_case(flat, size, frames, noises, places))
    whole = run_cases(program, cases)
    at = 0
    for case, right in zip(cases, sound, strict=True):
        assert np.frombuffer(whole, np.int32, 1, at)[0] == (0 if right else BAD_FORM)
        at += 4
        flat = np.frombuffer(case, np.int32, FORM_SIZE + 4)
        height, width, channels, count = flat[FORM_SIZE:].tolist()
        codes = height * width * channels // max(1, flat[5]) ** 2
        for _ in range(count):
            written = int(np.frombuffer(whole, np.int32, 1, at)[0])
            assert written in (0, 1)
            at += 4 + written * int(codes)
    assert at == len(whole) and 20 < sum(sound) < 580


@pytest.mark.parametrize(
    'size',
    [(0, 4, 1), (4, 0, 1), (4, 4, 0), (-1, 4, 1), (2**31 - 1,) * 3, (2**14, 2**14, 2),
     (2**16, 2**16, 1), (1, 2**31 - 1, 1)],
)  # fmt: skip
def test_sizes_that_no_memory_holds_are_refused(program, size):
    flat = flat_form(load_form('bdq_hard_ixmas_take3'))
    assert run_cases(program, [as_case(flat, size, [])]) == np.int32(BAD_SIZE).tobytes()
    largest = as_case(flat, (2**14, 2**14, 1), [])
    assert run_cases(program, [largest]) == np.int32(0).tobytes()


def test_frames_of_no_whole_number_of_blocks_are_refused(program, library):
    form = build_encoder('blocks').integer_form()
    assert run_cases(program, [as_case(flat_form(form), (8, 12, 1), [])]) == (
        np.int32(BAD_SIZE).tobytes()
    )
    with pytest.raises(ValueError, match='8 x 12 x 1 in blocks of 8'):
        CStream(form, library)(np.zeros((8, 12), np.uint8))


@pytest.mark.parametrize('preset', ['blocks', 'blocks_noise'])
@pytest.mark.parametrize('shape', [(48, 64), (24, 16, 3), (8, 8000)])
def test_codes_of_what_hides_people(preset, shape, library, program):
    form = build_encoder(preset).integer_form()
    frames = moving_frames(5, *shape[:2])
    frames = list(frames if len(shape) == 3 else np.ascontiguousarray(frames[..., :1]))
    plain = StreamingEncoder(form, compiled=False, seed=7)
    expected = [plain(frame) for frame in frames]
    small = shape[0] // 8, shape[1] // 8, frames[0].shape[2]
    generator = np.random.Generator(np.random.Philox(7))
    noises = [np.zeros(small, np.int32)] + [draw_noise(generator, form, small) for _ in frames[1:]]
    stream = CStream(form, library)
    given = [None, *(noises[1:] if form.dither else [None] * 4)]
    made = [stream(frame, noise) for frame, noise in zip(frames, given, strict=True)]
    assert made[0] is None
    assert np.array_equal(made[1:], expected[1:])
    assert len(np.unique(made[1:])) == 3
    case = as_case(flat_form(form), frames[0].shape, frames, noises if form.dither else None)
    assert run_cases(program, [case]) == answer(expected)


def test_no_code_of_an_encoder_with_dither_without_its_noise(library):
    # The least dither that there is, too.
    form = build_encoder('bdq_hard', dither=1e-9).integer_form()
    stream, frame = CStream(form, library), np.zeros((4, 6), np.uint8)
    assert stream(frame) is None
    with pytest.raises(ValueError, match='needs noise'):
        stream(frame)
    with pytest.raises(ValueError, match='does not fit'):
        stream(frame, np.zeros((4, 5), np.int32))
    assert stream(frame, np.zeros((4, 6), np.int32)).shape == (4, 6)


# ---------------------------------------------------------------- a geometry
STRENGTHS = dict(scale=0.1, stretch=0.25, rotation=8, shift=0.125, mirror=True, warp=0.04)


@pytest.mark.parametrize(
    'shape', [(24, 40), (8, 136, 3), (96, 64, 3), (1, 1), (9, 2), (1, 7, 3), (9, 1, 3)]
)
@pytest.mark.parametrize(
    ('preset', 'arguments'),
    [
        ('blocks_geometry', {}),
        ('blocks_noise_geometry', {}),
        ('bdq_hard', dict(geometric_dither=STRENGTHS)),
        ('bdq_hard', dict(geometric_dither=dict(STRENGTHS, redraw=3, change=2), padding='zeros')),
    ],
)
def test_codes_of_a_geometry_are_those_of_the_whole_clip(
    preset, arguments, shape, library, program
):
    encoder = build_encoder(preset, **arguments)
    form, block = encoder.integer_form(), encoder.block
    if block > 1:
        shape = (*(max(1, side // block) * block for side in shape[:2]), *shape[2:])
    frames = moving_frames(7, *shape[:2])[..., : shape[2] if len(shape) == 3 else 1]
    frames = list(np.ascontiguousarray(frames))
    size = frames[0].shape
    places = places_of_stream(form, size, len(frames))
    generator = np.random.Generator(np.random.Philox(5))
    small = size[0] // block, size[1] // block, size[2]
    noises = None
    if form.dither:
        noises = [
            np.zeros(small, np.int32),
            *(draw_noise(generator, form, small) for _ in range(6)),
        ]
    expected = integer_codes(
        form,
        torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)[None],
        noises and torch.from_numpy(np.stack(noises[1:])).permute(3, 0, 1, 2)[None].float(),
        secrets=[SECRET],
    )
    expected = [None, *expected[0].permute(1, 2, 3, 0).numpy()]
    case = as_case(flat_form(form), size, frames, noises, places)
    assert run_cases(program, [case]) == answer(expected)
    stream = CStream(form, library)
    made = [stream(f, n, p) for f, n, p in zip(frames, noises or [None] * 7, places, strict=True)]
    assert made[0] is None and np.array_equal(made[1:], expected[1:])


def test_a_stream_in_python_moves_by_the_core(library, monkeypatch):
    """Its changes from one draw to the next, too; each stream has a geometry of its own."""
    geometry = dict(STRENGTHS, redraw=4, change=2)
    form = build_encoder('blocks_noise_geometry', geometric_dither=geometry).integer_form()
    monkeypatch.setattr(streaming, 'at_hand', lambda: Fastest(library, False))
    frames = moving_frames(9, 24, 40)
    plain = StreamingEncoder(form, compiled=False, seed=3, secret=SECRET)
    stream = StreamingEncoder(form, seed=3, secret=SECRET)
    assert stream._core is not None and stream(frames[0]) is plain(frames[0]) is None
    assert all(np.array_equal(stream(frame), plain(frame)) for frame in frames[1:])
    form, codes = replace(form, dither=0.0), []
    stream = StreamingEncoder(form)
    for _ in range(3):
        stream.reset()
        codes.append([stream(frame) for frame in frames][1:])
    assert not any(np.array_equal(codes[i], codes[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_places_are_mixed_as_in_python(library):
    core = CStream(build_encoder('blocks_geometry').integer_form(), library)
    first, second = np.random.default_rng(0).integers(0, 2**31, (2, 2, 9, 11)).astype(np.int32)
    for share in (0, 1, 12345, 65535, 65536):
        assert np.array_equal(core.mix(first, second, share), mix(first, second, share))
    assert core.mix(first, None, 0) is first


def test_no_code_of_an_encoder_with_a_geometry_without_its_places(library):
    stream = CStream(
        build_encoder('bdq_hard', geometric_dither=dict(mirror=True)).integer_form(), library
    )
    frame, places = np.zeros((4, 6), np.uint8), np.zeros((2, 4, 6), np.int32)
    for _ in range(2):  # the first frame is moved, too
        with pytest.raises(ValueError, match='needs places'):
            stream(frame)
        with pytest.raises(ValueError, match='do not fit frames'):
            stream(frame, None, np.zeros((2, 6, 4), np.int32))
        stream(frame, None, places)
    with pytest.raises(ValueError, match='another takes none'):
        CStream(load_form('bdq_hard_ixmas_take3'), library)(frame, None, places)


def test_a_header_tells_of_the_geometry(compiler, tmp_path):
    encoder = save_encoder(build_encoder('blocks_geometry'), tmp_path / 'moved.json')
    header = tmp_path / 'bdq_form.h'
    assert export_tool.main([str(encoder), str(header)]) == 0
    text = header.read_text()
    assert 'stretch 0.25, shift 0.125, mirror True, warp 0.04' in text
    frames = moving_frames(6, 37, 51)
    # It asks for no places: none of its frames makes a code.
    camera = build(compiler, 'camera.c', tmp_path)
    done = subprocess.run([camera], input=frames.tobytes(), capture_output=True)
    assert done.stdout == b''


# ---------------------------------------------------------------- other processors
ARM = {
    'ARM64': (
        ('aarch64-linux-gnu-gcc',),
        'qemu-aarch64',
        'gcc-aarch64-linux-gnu libc6-dev-arm64-cross',
    ),
    '32-bit ARM': (
        ('arm-linux-gnueabihf-gcc', '-mfpu=neon'),
        'qemu-arm',
        'gcc-arm-linux-gnueabihf libc6-dev-armhf-cross',
    ),
}


@pytest.mark.parametrize('name', ARM)
def test_the_same_codes_on_arm(name, program, tmp_path):
    """Emulated: what the processor computes, not how fast."""
    command, emulator, packages = ARM[name]
    if not shutil.which(command[0]) or not shutil.which(emulator):
        pytest.skip(f'no {name} compiler or emulator: apt-get install -y qemu-user {packages}')
    sources = [PROGRAMS / 'cases.c', C_FOLDER / 'bdq.c']
    flags = ('-std=c99', '-Wall', '-Wextra', '-Werror', '-O3', '-static', f'-I{C_FOLDER}')
    subprocess.run([*command, *flags, *sources, '-o', tmp_path / 'program'], check=True)
    rng = np.random.default_rng(3)
    cases, answers = map(list, zip(*[random_case(rng) for _ in range(60)], strict=True))
    for case in json.loads(VECTORS.read_text())['cases']:
        form, shape = CameraForm.from_dict(case['form']), tuple(case['shape'])
        frames = [np.frombuffer(bytes.fromhex(text), np.uint8) for text in case['frames']]
        places = [np.array(drawn, np.int32) for drawn in case.get('places', [])]
        cases.append(as_case(flat_form(form), shape, frames, None, places))
        codes = [None] * form.difference + list(map(bytes.fromhex, case['codes']))
        answers.append(answer([c and np.frombuffer(c, np.uint8) for c in codes]))
    said = run_cases(tmp_path / 'program', cases, (emulator,))
    assert said == run_cases(program, cases) == b''.join(answers)


def test_a_header_of_another_version_is_refused(program):
    flat = flat_form(load_form('bdq_hard_ixmas_take3'))
    for version in (FORM_VERSION - 1, FORM_VERSION + 1):
        flat[0] = version
        assert run_cases(program, [as_case(flat, (4, 4, 1), [])]) == np.int32(BAD_FORM).tobytes()


def test_randomised_response_has_no_form_in_c():
    form = build_encoder('certified').integer_form()
    with pytest.raises(ValueError, match=r'flip.*StreamingEncoder'):
        flat_form(form)


def test_thresholds_beyond_32_bits_and_zero_taps():
    form = build_encoder('bdq_hard', range_limit=1e6, sigma=0.2, kernel_size=511).integer_form()
    assert len(form.kernel) == 511
    flat = flat_form(form)
    assert flat[1] == 1 and flat[HEAD] == 256 and is_sound(flat)
    assert 'INT32_MIN' in form_header(form)


# ---------------------------------------------------------------- a camera's program
def test_a_camera_with_its_encoder_as_header(compiler, tmp_path, capsys):
    header = tmp_path / 'bdq_form.h'
    assert export_tool.main(['bdq_hard_ixmas_take3', str(header)]) == 0
    assert str(header) in capsys.readouterr().out
    frames = moving_frames(6, 37, 51)
    camera = build(compiler, 'camera.c', tmp_path)
    done = subprocess.run([camera], input=frames.tobytes(), capture_output=True, check=True)
    expected = whole_clip_codes(load_encoder('bdq_hard_ixmas_take3'), frames)
    assert done.stdout == expected.tobytes()


def test_the_program_of_the_page(compiler, tmp_path):
    """That of docs/deploy.md, with a camera that has no frame."""
    page = (REPOSITORY / 'docs' / 'deploy.md').read_text()
    outside, inside = re.search(r'```c\n(.*?)(bdq_stream stream;.*?)```', page, re.DOTALL).groups()
    (tmp_path / 'bdq_form.h').write_text(form_header(load_form('bdq_hard_ixmas_take3')))
    camera = (
        'static uint8_t frame[480 * 640 * 3], codes[480 * 640 * 3];\n'
        'static int read_frame(uint8_t *pixels) { return pixels != frame; }\n'
        'static void send(const uint8_t *levels) { (void)levels; }\n'
    )
    memory, call = re.search(
        r'```c\n(static int32_t places[^\n]*\n)(.*?)```', page, re.DOTALL
    ).groups()
    # The encoder has no geometry, and takes no places.
    drawn = f'if (({call.strip().partition(";")[0]}) != BDQ_BAD_PLACES) return 1;\n'
    noise = 'const int32_t *noise = NULL;\n'
    main = f'int main(void) {{\n{noise}{inside}{drawn}return 0;\n}}\n'
    (tmp_path / 'page.c').write_text(f'{outside}{camera}{memory}{main}')
    done = subprocess.run([build(compiler, tmp_path / 'page.c', tmp_path)])
    assert done.returncode == 0


def test_what_has_no_header(tmp_path, capsys):
    header = str(tmp_path / 'bdq_form.h')
    assert export_tool.main(['bdq_ixmas_take3', header]) == 1
    assert 'fixed range' in capsys.readouterr().err
    assert export_tool.main(['bdq_hard_ixmas_take3', header, '--form', 'clip']) == 1
    assert "'step'" in capsys.readouterr().err
    assert not Path(header).exists()


def test_the_stream_in_python_refuses_what_is_no_frame(library, compiler, tmp_path):
    stream = CStream(load_form('bdq_hard_ixmas_take3'), library)
    with pytest.raises(ValueError, match='float64'):
        stream(np.zeros((4, 4)))
    with pytest.raises(ValueError, match='takes no frame'):
        stream(np.zeros((0, 4), np.uint8))
    stream(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match='changes from'):
        stream(np.zeros((4, 5), np.uint8))
    stream.reset()
    assert stream(np.zeros((4, 5), np.uint8)) is None
    with pytest.raises(ValueError, match='no-such-flag'):
        compile_core(tmp_path / 'x.so', compiler, ['-fno-such-flag'])
