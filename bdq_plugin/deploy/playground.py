"""A page that runs the encoder in a browser: the C core as WebAssembly, in one file of HTML.

    python -m bdq_plugin.deploy.playground      # build web/core.wasm anew, after bdq.c has changed

The page needs no network and may use none: its content security policy forbids every connection.
``web/core.wasm`` comes with the package and ``web/core.json`` says what it was built of; building
it takes clang and wasm-ld, and no run time of emscripten.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..camera_form import load_form, streaming_zoo
from ..encoder_file import ZOO, every_of, read_encoder_file, zoo_names
from .c_core import C_FOLDER, FORM_VERSION, SOURCES

WEB = Path(__file__).with_name('web')
CORE, CORE_RECORD = WEB / 'core.wasm', WEB / 'core.json'
EXPORTS = (
    *('bdq_begin', 'bdq_encode_dithered', 'bdq_state_count', 'bdq_row_count', 'bdq_codes_count'),
    '__heap_base',
)
FLAGS = ('--target=wasm32', '-std=c99', '-O3', '-msimd128', '-ffreestanding', '-nostdlib')
LINKING = ('--no-entry', '--strip-all', *(f'--export={name}' for name in EXPORTS))


def playground_page(encoders: Sequence[str | os.PathLike] = ()) -> str:
    """The whole page, HTML that needs nothing beside it.

    Args:
        encoders: files of encoders, names of the zoo, or presets; by default all of the zoo. Of the
            zoo, those that cannot stream are named with the reason.

    Raises:
        FileNotFoundError, ValueError: no such encoder, or one that cannot run as a stream.
    """
    names = encoders or list(streaming_zoo())
    others = [] if encoders else [name for name in zoo_names() if name not in names]
    data = dict(
        version=FORM_VERSION,
        core=base64.b64encode(CORE.read_bytes()).decode(),
        encoders=[_described(name) for name in names],
        others=dict.fromkeys(others, 'its range is no fixed one'),
    )
    parts = dict(
        style=(WEB / 'page.css').read_text(),
        script=(WEB / 'page.js').read_text(),
        # No text of a file may end the element that it stands in.
        data=json.dumps(data).replace('<', '\\u003c'),
    )
    page = (WEB / 'page.html').read_text()
    for name, text in parts.items():
        page = page.replace(f'{{{{{name}}}}}', text)
    return page


def _described(source: str | os.PathLike) -> dict[str, Any]:
    """What the page knows of an encoder."""
    form, document = load_form(source), read_encoder_file(source)
    state, metadata = document['state'], document['metadata']
    thresholds = state.get('quantize.thresholds')
    in_zoo = os.fspath(source) in zoo_names()
    name = Path(source).stem
    return dict(
        name=name,
        form=form.to_dict(),
        sigma=math.exp(state['blur.log_sigma']) if document['config']['blur'] else None,
        # In units of a level. None about a dead zone, which the page does not change.
        thresholds=None if thresholds is None else sorted(thresholds),
        range=None if thresholds is None else form.low + form.step * len(form.thresholds),
        trained=_training(metadata) + _rate(every_of(metadata, source)),
        card=_card(name) if in_zoo else 'An encoder of your own: audit it with tools/audit.py.',
    )


def _training(metadata: dict[str, Any]) -> str:
    if metadata.get('trained') is False:
        return 'A preset as it is: nothing has trained it.'
    # A search names its data by the config.
    told = {key: metadata.get(key) for key in ('protocol', 'fold')}
    data = metadata.get('dataset', metadata.get('data'))
    if data is None:
        return 'The file does not say what it was trained on.'
    split = ''.join(f', {key} {value}' for key, value in told.items() if value is not None)
    return f'{"Searched" if "search" in metadata else "Trained"} on {data}{split}.'


def _rate(every: int | None) -> str:
    if every in (None, 1):
        return ''
    return (
        f' It is for one frame of {every}; this page encodes each: what that shows of people was '
        'not measured.'
    )


def _card(name: str) -> str:
    card = ZOO / 'cards' / f'{name}.md'
    if card.is_file():
        return card.read_text()
    return (
        'No privacy card comes with this encoder. Codes are not anonymous: they show movement, and '
        'people were recognised by it in audits of encoders of this kind.'
    )


# ---------------------------------------------------------------- the core
def sources_digest() -> str:
    """SHA-256 of all that ``core.wasm`` is built of, the options included."""
    digest = hashlib.sha256(' '.join([*FLAGS, *LINKING]).encode())
    for path in SOURCES:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build_core(path: Path = CORE, compiler: str = 'clang') -> None:
    """Compile ``bdq.c`` to WebAssembly.

    Raises:
        FileNotFoundError: no such compiler.
        subprocess.CalledProcessError: it refuses, and has said why.
    """
    linking = [f'-Wl,{option}' for option in LINKING]
    command = [compiler, *FLAGS, *linking, str(C_FOLDER / 'bdq.c'), '-o', str(path)]
    subprocess.run(command, check=True)


def _record(compiler: str = 'clang') -> None:
    done = subprocess.run([compiler, '--version'], capture_output=True, text=True, check=True)
    said = dict(sources_sha256=sources_digest(), compiler=done.stdout.splitlines()[0])
    CORE_RECORD.write_text(json.dumps(said, indent=2) + '\n')


if __name__ == '__main__':
    build_core()
    _record()
