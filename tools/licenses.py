#!/usr/bin/env python3
"""List the licence of every locked package: python tools/licenses.py requirements/lock.txt OUT"""

import argparse
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from bdq_plugin.atomic_files import write_text
from bdq_plugin.markdown import table

# Licences that ask more of who passes the package on than to keep the notice.
COPYLEFT = re.compile(r'GPL|MPL|EPL|CDDL|EUPL|Mozilla|Affero|Lesser|GNU', re.IGNORECASE)
PROPRIETARY = re.compile(r'proprietary|NVIDIA', re.IGNORECASE)
# Wheels carry libraries under other licences than their own.
BUNDLED = {
    r'x264': 'x264, GPL-2.0-or-later',
    r'x265': 'x265, GPL-2.0-or-later',
    r'avcodec': 'FFmpeg, LGPL-2.1-or-later; GPL where built with x264 or x265',
    r'Qt[56]Core': 'Qt, LGPL-3.0',
    r'gfortran|quadmath': 'libgfortran, GPL-3.0 with the runtime exception',
}
_PIN = re.compile(r'^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: *; *([^\\\n]+))?', re.MULTILINE)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('lock', type=Path, help='file of pinned packages')
    parser.add_argument('out', type=Path, help='Markdown file to write')
    args = parser.parse_args(argv)
    text = render(args.lock.read_text())
    write_text(args.out, text)
    print(f'{args.out}: {text.count("COPYLEFT")} packages with copyleft parts')


def render(lock: str) -> str:
    """The table, as Markdown; packages of other Pythons and systems are named without licence."""
    rows, elsewhere = [], []
    for name, version, marker in _PIN.findall(lock):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            found = None
        if found is None or found.version != version:
            elsewhere.append(f'{name} {version} ({marker.strip() or "not installed"})')
            continue
        licence, bundled = licence_of(found), list(bundled_in(found))
        rows.append((f'{name} {version}', licence, '; '.join(bundled), flag(licence, bundled)))
    lines = [
        '# Licences of the locked packages',
        '',
        'Made by `make licenses` from what each installed package says of itself; no legal advice.',
        'COPYLEFT and PROPRIETARY ask more of who passes the package on than to keep its notice.',
        '"Bundled" are libraries found inside a wheel whose licence differs from its own.',
        '',
        table(['package', 'licence', 'bundled', 'flag'], rows),
    ]
    if elsewhere:
        lines += ['', 'Not looked at, being for another Python or system than this one:', '']
        lines += [f'- {line}' for line in elsewhere]
    return '\n'.join(lines) + '\n'


def licence_of(package: Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the licence field."""
    metadata = package.metadata
    if expression := metadata.get('License-Expression'):
        return expression
    classifiers = [
        line.rpartition(' :: ')[2]
        for line in metadata.get_all('Classifier', [])
        if line.startswith('License ::') and line != 'License :: OSI Approved'
    ]
    field = (metadata.get('License') or '').strip().partition('\n')[0]
    return ', '.join(classifiers) or field.replace('|', '/')[:80] or 'UNKNOWN'


def bundled_in(package: Distribution) -> Iterator[str]:
    """Licences of known libraries inside a wheel, by the names of its files."""
    names = [path.name for path in package.files or () if '.so' in path.name]
    for pattern, licence in BUNDLED.items():
        if any(re.search(pattern, name) for name in names):
            yield licence


def flag(licence: str, bundled: list[str]) -> str:
    """COPYLEFT, PROPRIETARY, UNKNOWN, or nothing to say."""
    if COPYLEFT.search(licence) or bundled:
        return 'COPYLEFT'
    if PROPRIETARY.search(licence):
        return 'PROPRIETARY'
    return 'UNKNOWN' if licence == 'UNKNOWN' else ''


if __name__ == '__main__':
    main()
