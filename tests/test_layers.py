"""What may import what: docs/architecture.md draws it, this test holds it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / 'bdq_plugin'

# From the ground up: a room may import rooms that stand before it in its list, and no others.
ROOMS = {
    'video': [],
    'encoders': [],
    'datasets': ['video'],
    'models': ['encoders'],
    'engine': ['encoders', 'models', 'datasets'],
    'evaluation': ['encoders', 'models', 'datasets', 'video', 'engine'],
    'deploy': ['encoders', 'models', 'engine', 'video'],
    'visualization': ['encoders', 'models', 'datasets', 'engine', 'evaluation', 'video'],
}
OPENMMLAB = {'mmaction', 'mmengine', 'mmcv'}
# What a camera runs: neither torch nor OpenMMLab at import.
CAMERA = {
    'video': {'torch', *OPENMMLAB},
    'deploy/streaming.py': {'torch', *OPENMMLAB},
    'deploy/moving.py': {'torch', *OPENMMLAB},
    'deploy/fastest.py': {'torch', *OPENMMLAB},
    'deploy/encoding.py': {'torch', *OPENMMLAB},
    'deploy/packed.py': {'torch', *OPENMMLAB},
    'deploy/c_core.py': {'torch', *OPENMMLAB},
    'deploy/vectors.py': {'torch', *OPENMMLAB},
    'deploy/playground.py': {'torch', *OPENMMLAB},
    'deploy/watchdog.py': {'torch', *OPENMMLAB},
    'deploy/sinks.py': {'torch', *OPENMMLAB},
    'deploy/events.py': {'torch', *OPENMMLAB},
    'deploy/mqtt.py': {'torch', *OPENMMLAB},
    'deploy/codes_video.py': {'torch', *OPENMMLAB},
    'camera_form.py': {'torch', *OPENMMLAB},
    'geometry.py': {'torch', *OPENMMLAB},
    'encoder_file.py': {'torch', *OPENMMLAB},
    'network_file.py': {'torch', *OPENMMLAB},
    'encoders': OPENMMLAB,
}


def imported(path: Path) -> set[tuple[str, ...]]:
    """Every module that a file imports, as parts of its absolute name."""
    found = set()
    package = ('bdq_plugin', *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split('.')) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = tuple(node.module.split('.')) if node.module else ()
            found |= {(*base, *module, alias.name) for alias in node.names}
    return found


@pytest.mark.parametrize('room', ROOMS)
def test_rooms_import_only_what_stands_below_them(room):
    wrong = [
        f'{path.relative_to(PACKAGE)} imports {".".join(name)}'
        for path in sorted((PACKAGE / room).rglob('*.py'))
        for name in imported(path)
        if name[0] == 'bdq_plugin'
        and len(name) > 1
        and name[1] in ROOMS
        and name[1] not in (room, *ROOMS[room])
    ]
    assert not wrong


def test_every_room_is_drawn():
    rooms = {p.name for p in PACKAGE.iterdir() if (p / '__init__.py').is_file()}
    assert rooms == set(ROOMS)
    text = (PACKAGE.parent / 'docs' / 'architecture.md').read_text()
    assert all(f'`{room}/`' in text for room in rooms)


@pytest.mark.parametrize('place', CAMERA)
def test_what_a_camera_runs_needs_neither_torch_nor_openmmlab(place):
    path = PACKAGE / place
    files = sorted(path.rglob('*.py')) if path.is_dir() else [path]
    assert files
    wrong = [
        f'{file.name} imports {".".join(name)}'
        for file in files
        for name in imported(file)
        if name[0] in CAMERA[place]
    ]
    assert not wrong
