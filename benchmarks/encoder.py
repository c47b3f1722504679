"""The encoder in training (forward and backward) and in use, against the published form.

Each setting is measured as the preset and the published form of the same kind: sigma frozen, as in
the released code, or learned, as in the paper; both with the range of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bdq_plugin.deploy import encode_clip
from bdq_plugin.encoders import build_encoder

from . import harness
from .published import PublishedEncoder

# 'compile' is the plain form through torch.compile.
BACKENDS = {'cpu': ('plain', 'compile', 'numba'), 'cuda': ('plain', 'compile', 'triton')}
# Bytes that must move for each value of a clip: input and output forward, input and gradient back.
BYTES_A_VALUE = 4 * 4


def study(quick: bool = False, threads: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    """Times, ratios and peak memory of every backend.

    Args:
        quick: a tiny clip and two rounds, to see that it runs; nothing is compiled.
        threads: of torch, on the CPU; more than the machine has are left out.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    shape = (2, 3, 4, 24, 24) if quick else (4, 3, 16, 112, 112)
    rounds = 2 if quick else 3
    backends = backends_of(device, quick)
    document: dict[str, Any] = {
        'machine': harness.machine(device),
        'shape_NCTHW': shape,
        'rounds': rounds,
        'training': {},
    }
    before = torch.get_num_threads()
    for count in threads if device == 'cpu' else (before,):
        if count > (document['machine']['cores'] or count):
            continue
        torch.set_num_threads(count)
        try:
            document['training'][f'{count} threads' if device == 'cpu' else device] = {
                name: _training(shape, rounds, device, backends, learn_sigma)
                for name, learn_sigma in (('sigma frozen', False), ('sigma learned', True))
            }
        finally:
            torch.set_num_threads(before)
    torch.set_num_threads(1)
    try:
        document['codes'] = _codes(shape, rounds, device)
    finally:
        torch.set_num_threads(before)
    return document


def table(document: dict[str, Any]) -> str:
    """The study as a table of Markdown."""
    columns = {
        'median_ms': 'ms, median',
        'best_ms': 'best',
        'speed_up': 'times as fast',
        'peak_mib': 'peak MiB',
        'memory_ratio': 'part',
        'first_s': 'first step, s',
    }
    rows = [
        (where, setting, name, row)
        for where, settings in document['training'].items()
        for setting, forms in settings.items()
        for name, row in forms.items()
    ]
    rows += [('1 thread', 'codes', name, row) for name, row in document['codes'].items()]
    lines = [
        '| ' + ' | '.join(['where', 'setting', 'form', *columns.values()]) + ' |',
        '| --- | --- | --- |' + ' ---: |' * len(columns),
    ]
    for where, setting, name, row in rows:
        cells = [f'{row[column]} |' if column in row else '|' for column in columns]
        lines.append(f'| {where} | {setting} | {name} | ' + ' '.join(cells))
    return '\n'.join(lines)


def backends_of(device: str, quick: bool) -> tuple[str, ...]:
    """The forms that are compared with the published one: those that can run here."""
    without = () if device == 'cuda' or (not quick and harness.has_cpp_compiler()) else ('compile',)
    return tuple(backend for backend in BACKENDS[device] if backend not in without)


def _training(
    shape: tuple[int, ...], rounds: int, device: str, backends: tuple[str, ...], learn_sigma: bool
) -> dict[str, dict[str, float]]:
    x = torch.rand(shape, device=device)
    g = torch.randn((*shape[:2], shape[2] - 1, *shape[3:]), device=device)
    modules: dict[str, nn.Module] = {'published': PublishedEncoder(learn_sigma=learn_sigma)}
    for backend in backends:
        plain_or_own = 'plain' if backend == 'compile' else backend
        encoder = build_encoder('bdq_released', learn_sigma=learn_sigma, backend=plain_or_own)
        if backend == 'compile':
            encoder.compile()
        modules[backend] = encoder
    steps = {name: _step(module.to(device), x, g) for name, module in modules.items()}
    if device == 'cuda':
        steps['copy'] = lambda: (torch.empty_like(x).copy_(x), torch.empty_like(x).copy_(x))
    if 'compile' in backends:
        harness.forget_compiled()
    # The published form is the first: see harness.peak_memory_mib.
    first = {name: harness.seconds_of(step, device) for name, step in steps.items()}
    rows = harness.compare(harness.time_in_turns(steps, rounds, device), 'published')
    for name, row in rows.items():
        row['first_s'] = round(first[name], 1)
        row['peak_mib'] = _peak(steps[name], device)
    for row in rows.values():
        row['memory_ratio'] = round(row['peak_mib'] / max(rows['published']['peak_mib'], 1e-9), 3)
        if device == 'cuda':
            row['gigabytes_s'] = round(BYTES_A_VALUE * x.numel() / row['median_ms'] / 1e6, 1)
    return rows


def _step(module: nn.Module, x: Tensor, g: Tensor) -> Callable[[], None]:
    def step() -> None:
        module.zero_grad()
        module(x).backward(g)

    return step


def _peak(step: Callable[[], object], device: str) -> float:
    if device == 'cpu':
        return _peak_of_one_thread(step)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    return round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)


def _peak_of_one_thread(step: Callable[[], object]) -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads > 1:  # code compiled for several would wait for threads that a fork has not
            harness.forget_compiled()
            step()
        return harness.peak_memory_mib(step)
    finally:
        torch.set_num_threads(threads)


def _codes(shape: tuple[int, ...], rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Levels of uint8 frames: the published form, ours in torch, and by look-up (CPU)."""
    published, encoder = PublishedEncoder().to(device), build_encoder('bdq_hard').to(device)
    frames = (255 * torch.rand(shape, device=device)).to(torch.uint8)
    form = encoder.integer_form()
    # As a camera sends them: (T, H, W, C).
    videos = [clip.permute(1, 2, 3, 0).contiguous().cpu().numpy() for clip in frames]

    @torch.no_grad()
    def publish() -> None:
        published(frames.float() / 255)

    steps = {
        'published': publish,
        'codes()': lambda: encoder.codes(frames),
        'look-up (deploy)': lambda: [encode_clip(form, video) for video in videos],
    }
    if device == 'cuda':
        steps['copy'] = frames.clone
    return harness.compare(harness.time_in_turns(steps, rounds, device), 'published')
