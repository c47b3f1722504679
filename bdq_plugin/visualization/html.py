"""Pieces of a self-contained HTML page: no script, no network, readable on paper and on a phone."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from html import escape

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from .style import look

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: #1a1a1a; background: #fff;
  font: 1rem/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #ccc; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
nav a { margin-right: 1rem; display: inline-block; }
a { color: #0072B2; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; border-bottom: 1px solid #ddd;
  vertical-align: top; }
td { white-space: nowrap; }
td.prose { white-space: normal; min-width: 16rem; overflow-wrap: anywhere; }
th { background: #f2f5f7; }
tr > :first-child { position: sticky; left: 0; background: #fff; }
th:first-child { background: #f2f5f7; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption, .small { font-size: .85rem; color: #444; }
.figures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.note { border-left: 4px solid #D55E00; background: #fdf3ec; padding: .5rem .8rem;
  overflow-wrap: anywhere; }
pre { background: #f6f6f6; padding: .7rem; overflow-x: auto; font-size: .8rem; line-height: 1.4; }
summary { cursor: pointer; font-weight: 600; }
@media print { details > * { display: block; } h2, h3 { break-after: avoid; }
  figure { break-inside: avoid; } }
"""
_SEPARATOR = re.compile(r'^\|( *:?-+:? *\|)+$')


def page(title: str, sections: Sequence[tuple[str, str]]) -> str:
    """A page with a table of contents.

    Args:
        title: plain text.
        sections: heading (plain text) and HTML of each.
    """
    links = ''.join(f'<a href="#s{i}">{escape(name)}</a>' for i, (name, _) in enumerate(sections))
    bodies = ''.join(
        f'<section id="s{i}"><h2>{escape(name)}</h2>\n{body}</section>\n'
        for i, (name, body) in enumerate(sections)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n'
        f'<body><h1>{escape(title)}</h1>\n<nav>{links}</nav>\n{bodies}</body></html>\n'
    )


def note(text: str) -> str:
    """Something that the reader must know, such as what could not be shown."""
    return f'<p class="note">{escape(text)}</p>\n'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways where the screen is narrow; cells are plain text."""
    header = ''.join(f'<th>{escape(cell)}</th>' for cell in head)
    lines = ''.join(f'<tr>{"".join(map(_cell, row))}</tr>\n' for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{header}</tr></thead>\n'
        f'<tbody>{lines}</tbody></table></div>\n'
    )


def markdown_table(text: str) -> str:
    """The Markdown tables and paragraphs that this project writes, as HTML."""
    parts, block = [], []
    for line in [*text.splitlines(), '']:
        if line.startswith('|'):
            block.append([cell.strip() for cell in line.strip('|').split('|')])
            if _SEPARATOR.match(line):
                block.pop()
            continue
        if block:
            parts.append(table(block[0], block[1:]))
            block = []
        if line:
            parts.append(f'<p class="small">{escape(line)}</p>\n')
    return ''.join(parts)


def picture(figure: Figure, caption: str, *, photo: bool = False) -> str:
    """A figure inside the page: SVG, or PNG where it shows frames. The figure is closed.

    Args:
        figure: of this package.
        caption: plain text, also read out in place of the picture.
        photo: whether it consists of pixels.
    """
    stream = io.BytesIO()
    kind = dict(format='png', dpi=110) if photo else dict(format='svg', metadata={'Date': None})
    with look():
        figure.savefig(stream, **kind)
    plt.close(figure)
    return image(stream.getvalue(), 'image/png' if photo else 'image/svg+xml', caption)


def image(content: bytes, kind: str, caption: str) -> str:
    """A picture file inside the page."""
    data = base64.b64encode(content).decode()
    return (
        f'<figure><img alt="{escape(caption)}" src="data:{kind};base64,{data}">'
        f'<figcaption>{escape(caption)}</figcaption></figure>\n'
    )


def details(summary: str, text: str) -> str:
    """Text that is folded away until it is asked for."""
    return f'<details><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>\n'


def _cell(text: str) -> str:
    prose = ' class="prose"' if len(text) > 40 else ''
    return f'<td{prose}>{escape(text)}</td>'
