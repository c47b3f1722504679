"""The count of the kernels' instructions, by Triton's compiler and without a GPU."""

import pytest

pytest.importorskip('triton')

from bdq_plugin.encoders.backends.triton import kernels as triton_kernels
from bdq_plugin.encoders.backends.triton import parts as triton_parts
from benchmarks import kernels

ROWS = triton_parts.ROWS.value
CODE = """
.text.kernel:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   LDG.E R3, desc[UR4][R2.64] ;
        /*0020*/               @P0 MUFU.RCP R3, R3 ;
        /*0030*/                   STL [R1], R3 ;
        /*0040*/              @!P0 BRA `(.L_x_1) ;
        /*0050*/                   EXIT ;
.L_x_2:
        /*0060*/                   BRA `(.L_x_2);
"""


def test_kernels_compile_for_a_gpu_and_are_counted():
    document = kernels.study(quick=True)
    for name, row in document['kernels'].items():
        assert 5 < row['instructions'] < 1000, name
        # A row of pixels is read and one written; neighbours come with the blur.
        assert 2 <= row['loads_and_stores'] < 30, name
        assert 0 < row['special'] < 16, name
    # Fifteen sigmoids: one exponential, and a division for three of them.
    assert document['kernels']['forward']['special'] < 7.5
    assert f'| forward | {document["kernels"]["forward"]["instructions"]} |' in kernels.table(
        document
    )
    assert 'not measured' in kernels.table(document)


@pytest.mark.parametrize(
    'constants',
    [
        dict(K=4, COUNT=4, HARD=True, ENDS=True, SIGMA=True, NEAR=False, planes_a_range=1),
        # Triton makes a constant of a number that is 1.
        dict(K=34, COUNT=15, HARD=False, ENDS=False, SIGMA=False, NEAR=True, chunks=1),
    ],
)
def test_forms_that_the_interpreter_cannot_vouch_for(constants):
    form = dict(DIFFERENCE=True, HALF=1, ZEROS=True, **kernels.SMALL)
    code, registers = kernels.disassemble(triton_kernels.backward_kernel, {**constants, **form})
    assert 'STG' in code
    assert registers <= 255


def test_count():
    assert kernels.count(CODE, registers=40) == dict(
        instructions=4 / ROWS,
        special=round(1 / ROWS, 2),
        loads_and_stores=2 / ROWS,
        spills=round(1 / ROWS, 2),
        registers=40,
    )


def test_loops_inside_are_refused():
    inner = '.L_x_3:\n        /*0018*/ FADD R1, R1, R1 ;\n        /*001c*/ @P1 BRA `(.L_x_3) ;\n'
    code = CODE.replace('        /*0020*/', f'{inner}        /*0020*/')
    with pytest.raises(ValueError, match='loops inside'):
        kernels.count(code, registers=40)


def test_bound_is_that_of_the_busiest_unit():
    gpu, row = kernels.GPU, dict(instructions=128.0, special=0.0, loads_and_stores=1.0)
    assert kernels.bound(row)['clocks'] == 1.0
    assert kernels.bound({**row, 'special': 32.0})['clocks'] == 2.0
    assert kernels.bound({**row, 'instructions': 1.0})['of_copy_at_most'] == 1.0
    whole = kernels.BYTES * gpu['multiprocessors'] * gpu['ghz'] / gpu['copy_gb_s']
    assert kernels.bound(row)['of_copy_at_most'] == pytest.approx(whole, abs=0.01)
