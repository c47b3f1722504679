"""What the Triton kernels of the encoder cost by count: their machine code, without a GPU.

    python -m benchmarks.run kernels

Triton compiles for a GPU that is not there, the disassembler shows the loop over frames, and its
instructions are counted. What a GPU can do at most in a clock bounds the time from below. That is
an estimate and not a measurement: latencies, stalls and the memory itself are not in it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from bdq_plugin.encoders.backends.triton import kernels as triton_kernels
from bdq_plugin.encoders.backends.triton import parts as triton_parts

from .harness import machine, rows_to_table

# The form of the paper on frames of KTH's recipe.
FORM = dict(DIFFERENCE=True, HALF=2, ZEROS=False)
SIZES = dict(FRAMES=32, HEIGHT=224, WIDTH=224, WHOLE=True)
SMALL = dict(FRAMES=4, HEIGHT=9, WIDTH=7, WHOLE=False)
THRESHOLDS = 15
# Of NVIDIA's data sheet and programming guide; what a copy reaches is a guess from experience.
GPU = dict(
    name='H100 SXM',
    capability=90,
    multiprocessors=132,
    ghz=1.755,
    instructions_a_clock=128,
    special_a_clock=16,
    loads_and_stores_a_clock=32,
    copy_gb_s=3000,
)
# Bytes that must move for each value: it is read, and another written or, backward, read.
BYTES = 8
BYTES_OF = {'range of the clip': 4, 'codes of uint8 frames': 2}
# Of arguments that are not pointers to float32.
TYPES = dict(frames='*u8', codes='*u8', eps='fp32', planes_a_range='i32', chunks='i32')


def kernels() -> dict[str, tuple[Any, dict[str, Any]]]:
    """The kernels that a training step of the paper's encoder launches, and their constants."""
    forward = dict(K=THRESHOLDS, HARD=False)
    backward = dict(**forward, COUNT=THRESHOLDS, SIGMA=True)
    near, apart = dict(NEAR=True), dict(NEAR=False)
    return {
        'forward': (triton_kernels.forward_kernel, {**forward, **near}),
        'forward, hard': (triton_kernels.forward_kernel, {**forward, **apart, 'HARD': True}),
        'backward': (triton_kernels.backward_kernel, {**backward, **near, 'ENDS': False}),
        'backward, sigma frozen': (
            triton_kernels.backward_kernel,
            {**backward, **near, 'ENDS': False, 'SIGMA': False},
        ),
        'backward, range of the clip': (
            triton_kernels.backward_kernel,
            {**backward, **near, 'ENDS': True},
        ),
        'backward, thresholds far apart': (
            triton_kernels.backward_kernel,
            {**backward, **apart, 'ENDS': False},
        ),
        'range of the clip': (triton_kernels.range_kernel, {}),
        'codes of uint8 frames': (triton_kernels.codes_kernel, dict(K=THRESHOLDS)),
    }


def study(quick: bool = False) -> dict[str, Any]:
    """Counts of every kernel.

    Args:
        quick: forward and hard forward of tiny frames, to see that it runs.
    """
    sizes = SMALL if quick else SIZES
    chosen = kernels()
    if quick:
        chosen = {name: chosen[name] for name in ('forward', 'forward, hard')}
    counts = {
        name: count(*disassemble(kernel, {**constants, **FORM, **sizes}))
        for name, (kernel, constants) in chosen.items()
    }
    return {
        'machine': {**machine(), 'triton': triton.__version__},
        'gpu': GPU,
        'sizes': sizes,
        'kernels': {
            name: {**row, **bound(row, BYTES_OF.get(name, BYTES))} for name, row in counts.items()
        },
    }


def disassemble(kernel: Any, constants: dict[str, Any]) -> tuple[str, int]:
    """Machine code of a kernel, as text, and its registers a thread."""
    types = {
        name: 'constexpr' if name in constants else TYPES.get(name, '*fp32')
        for name in kernel.arg_names
    }
    positions = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=types, constexprs=positions)
    target = GPUTarget('cuda', GPU['capability'], 32)
    compiled = triton.compile(source, target=target, options=dict(num_warps=1))
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / 'kernel.cubin'
        binary.write_bytes(compiled.asm['cubin'])
        code = _tool(triton.knobs.nvidia.nvdisasm.path, '-c', binary)
        resources = _tool(triton.knobs.nvidia.cuobjdump.path, '-res-usage', binary)
    return code, int(re.search(r'REG:(\d+)', resources)[1])


def count(code: str, registers: int) -> dict[str, float]:
    """Instructions of the loop over frames, for each value.

    Args:
        code: of a kernel, as ``nvdisasm -c`` shows it.
        registers: a thread.

    Raises:
        ValueError: there are loops within the loop, so that a count would mean nothing.
    """
    operations, loops = _operations(code)
    first, last = max(loops, key=lambda loop: loop[1] - loop[0])
    if any(first < start and end < last for start, end in loops):
        raise ValueError('the loop over frames has loops inside: count those by their own number')
    found = Counter(operations[first : last + 1])
    values = triton_parts.ROWS.value

    def of(*names: str) -> float:
        return round(sum(n for name, n in found.items() if name in names) / values, 2)

    return dict(
        instructions=round(sum(found.values()) / values, 2),
        special=of('MUFU', 'I2F', 'F2I'),
        loads_and_stores=of('LDG', 'STG', 'LDL', 'STL'),
        spills=of('LDL', 'STL'),
        registers=registers,
    )


def bound(found: dict[str, float], bytes_a_value: int = BYTES) -> dict[str, float]:
    """Least clocks a value on a multiprocessor, and the part of a copy's speed that it leaves."""
    clocks = max(
        found['instructions'] / GPU['instructions_a_clock'],
        found['special'] / GPU['special_a_clock'],
        found['loads_and_stores'] / GPU['loads_and_stores_a_clock'],
    )
    gb_s = bytes_a_value * GPU['multiprocessors'] * GPU['ghz'] / clocks
    # Nothing is faster than a copy.
    share = min(gb_s / GPU['copy_gb_s'], 1.0)
    return dict(bytes=bytes_a_value, clocks=round(clocks, 3), of_copy_at_most=round(share, 2))


def both_ways(document: dict[str, Any]) -> float:
    """The same for forward and backward together."""
    shares = [document['kernels'][name]['of_copy_at_most'] for name in ('forward', 'backward')]
    return round(2 / sum(1 / share for share in shares), 2)


def table(document: dict[str, Any]) -> str:
    """The study as a table of Markdown."""
    columns = dict(
        instructions='instructions a value',
        special='special functions',
        loads_and_stores='loads and stores',
        spills='of them spills',
        registers='registers a thread',
        bytes='bytes a value',
        of_copy_at_most='of a copy, at most',
    )
    rows = [
        [name, *(row[column] for column in columns)] for name, row in document['kernels'].items()
    ]
    lines = [rows_to_table(['kernel', *columns.values()], rows), '']
    gpu = document['gpu']
    if {'forward', 'backward'} <= set(document['kernels']):
        lines.append(f'Forward and backward together: {both_ways(document)} of a copy at most.')
    lines.append(
        f'**Counted, not measured**: the loop over frames in the machine code of Triton '
        f'{document["machine"]["triton"]} for compute capability {gpu["capability"] / 10}, '
        f'{THRESHOLDS} thresholds, a blur of {2 * FORM["HALF"] + 1} pixels. The last column '
        f'supposes an {gpu["name"]}: {gpu["multiprocessors"]} multiprocessors at {gpu["ghz"]} GHz, '
        f'each {gpu["instructions_a_clock"]} instructions, {gpu["special_a_clock"]} special '
        f'functions and {gpu["loads_and_stores_a_clock"]} loads or stores a clock, and a copy at '
        f'{gpu["copy_gb_s"]} GB/s.'
    )
    return '\n'.join(lines)


def _operations(code: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Names of all instructions in order, and first and last instruction of each loop."""
    operations: list[str] = []
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for line in code.splitlines():
        if label := re.match(r'\s*(\.L_\w+):', line):
            labels[label[1]] = len(operations)
        elif found := re.match(r'\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(\w+)(.*);', line):
            operations.append(found[1])
            target = re.search(r'`\((\.L_\w+)\)', found[2])
            if found[1] == 'BRA' and target and target[1] in labels:
                loops.append((labels[target[1]], len(operations) - 1))
    return operations, loops


def _tool(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
