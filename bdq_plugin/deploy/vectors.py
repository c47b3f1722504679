"""``c/vectors.json``: frames and the codes that any implementation must make of them.

    python -m bdq_plugin.deploy.vectors      # write it anew, after the zoo has changed

``{"cases": [...]}``, each with ``name``, ``form`` (the encoder in whole numbers, as in the header
of ``.bdq``), ``shape`` (height, width, channels), ``frames`` and ``codes``: bytes in hexadecimal,
row by row, channels of a pixel side by side. With ``difference`` the first frame has no codes.
Noise and randomised response, which each stream draws for itself, are left out of the zoo's forms.
Where the form has a ``geometry``, ``places`` are where the pixels of each frame are taken from: the
rows of all pixels and then their columns, in 1/64 pixel.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..camera_form import UNITS, CameraForm, IntegerLevels, integer_kernel, streaming_zoo
from ..geometry import Geometry
from ..geometry import Path as Places
from .c_core import C_FOLDER
from .streaming import StreamingEncoder

VECTORS = C_FOLDER / 'vectors.json'
# Of geometries that hide nobody.
SECRET = bytes(range(32))
_EVENTS = dict(
    kernel=(256,), block=2, **asdict(IntegerLevels.of_dead_zone(2, dead_zone=0.03, step=0.06))
)


def _form(levels: int, *, limit: float = 0.25, **parts: Any) -> CameraForm:
    low = -limit if parts.get('difference', True) else 0.0
    step = (limit - low) / (levels - 1)
    thresholds = tuple(round((low + (k + 0.5) * step) * UNITS) for k in range(levels - 1))
    default = dict(kernel=integer_kernel(1.5), padding='replicate', difference=True)
    default |= dict(thresholds=thresholds, dither=0.0, low=low, step=step)
    return CameraForm(**{**default, **parts})


def cases() -> dict[str, tuple[CameraForm, tuple[int, int, int]]]:
    """Every kind of form, at sizes below, at and above that of its kernel."""
    wide = integer_kernel(2.5, 9)
    made = {
        'sign of the difference': (_form(2), (1, 1, 1)),
        'four levels, a column': (_form(4), (7, 1, 3)),
        'wide kernel, zeros around': (_form(17, kernel=wide, padding='zeros'), (5, 3, 3)),
        'wide kernel, edges repeated': (_form(3, kernel=wide, limit=0.02), (11, 12, 1)),
        'zeros around': (_form(16, padding='zeros', limit=0.05), (6, 7, 1)),
        'no blur': (_form(16, kernel=(256,)), (3, 5, 4)),
        'blocks': (_form(16, block=4, limit=0.02), (8, 12, 3)),
        'blocks, no difference': (_form(4, block=3, difference=False, limit=1.0), (6, 9, 1)),
        'events of blocks': (_form(2, **_EVENTS), (6, 10, 1)),
        'no difference': (_form(256, difference=False, limit=1.0), (6, 5, 1)),
    }
    for name, form in streaming_zoo().items():
        form = replace(form, dither=0.0, flip=0.0)
        grey, colour = ((6, 11), (7, 9)) if form.block == 1 else ((2, 3), (3, 2))
        made[f'{name}, grey'] = (form, (*(form.block * side for side in grey), 1))
        made[f'{name}, colour'] = (form, (*(form.block * side for side in colour), 3))
    strong = Geometry(0.1, 0.25, rotation=8, shift=0.125, mirror=True, warp=0.1)
    made['geometry'] = (_form(16, geometry=strong), (7, 9, 3))
    redrawn = Geometry(shift=0.25, warp=0.1, redraw=2, change=1)
    made['geometry, redrawn'] = (_form(4, block=2, limit=0.1, geometry=redrawn), (8, 6, 1))
    return made


def places_of_stream(form: CameraForm, shape: tuple[int, int, int], count: int) -> list[np.ndarray]:
    """Places of a stream's first frames, int32 (2, H, W) each; none without geometry."""
    if form.geometry is None:
        return []
    path = Places(form.geometry, SECRET, *shape[:2])
    return [path.at(number) for number in range(count)]


def make_vectors() -> dict[str, Any]:
    """The document, its frames noise, extremes, and noise of a few steps."""
    rng = np.random.default_rng(0)
    documents = []
    for name, (form, shape) in cases().items():
        noise = rng.integers(0, 256, shape, dtype=np.uint8)
        frames = [noise, 255 * (noise > 127).astype(np.uint8), noise // 2 + 40]
        frames.append(frames[-1] + rng.integers(0, 9, shape, dtype=np.uint8))
        stream = StreamingEncoder(form, compiled=False, secret=SECRET)
        codes = [made for frame in frames if (made := stream(frame)) is not None]
        texts = {kind: [a.tobytes().hex() for a in arrays] for kind, arrays in
                 [('frames', frames), ('codes', codes)]}  # fmt: skip
        places = [array.ravel().tolist() for array in places_of_stream(form, shape, len(frames))]
        drawn = dict(places=places) if places else {}
        documents.append(dict(name=name, form=form.to_dict(), shape=shape, **drawn, **texts))
    return {'cases': documents}


def write_vectors(path: Path = VECTORS) -> None:
    lines = ',\n'.join(json.dumps(case) for case in make_vectors()['cases'])
    path.write_text(f'{{"cases": [\n{lines}\n]}}\n')


if __name__ == '__main__':
    write_vectors()
