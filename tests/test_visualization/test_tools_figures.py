"""The scripts of tools/figures and tools/report.py as a user calls them."""

import runpy

import matplotlib.image
import pytest

from ..audit_data import audit_data
from ..game import REPOSITORY


def main_of(script: str):
    return runpy.run_path(str(REPOSITORY / 'tools' / script))['main']


@pytest.fixture
def video(synthetic_kth) -> str:
    return str(synthetic_kth.root / 'videos' / 'person01_handwaving_d1_uncomp.avi')


@pytest.mark.parametrize('script', ['accuracy_curves', 'encoder_history'])
def test_figures_of_a_run(script, finished_run, tmp_path, capsys):
    main = main_of(f'figures/{script}.py')
    for ending in ('png', 'pdf'):
        out = tmp_path / f'figure.{ending}'
        main([str(finished_run), str(out), '--source', 'tensorboard'])
        assert capsys.readouterr().out.strip() == str(out)
        assert out.stat().st_size > 5000
    assert matplotlib.image.imread(tmp_path / 'figure.png').std() > 0.05
    with pytest.raises(SystemExit, match='error: .* holds no log of a run'):
        main([str(tmp_path), str(out)])


def test_compare_runs(finished_run, tmp_path):
    main, out = main_of('figures/compare_runs.py'), tmp_path / 'figure.svg'
    main([str(out), str(finished_run), str(finished_run), '--names', 'first', 'second'])
    assert out.stat().st_size > 5000
    with pytest.raises(SystemExit):
        main([str(out), str(finished_run), '--names', 'a', 'b'])


def test_tradeoff(write_audit, tmp_path):
    write_audit('bdq', action=18, subject=8)
    main, out = main_of('figures/tradeoff.py'), tmp_path / 'figure.png'
    results = str(tmp_path / 'results')
    main([str(out), '--results', results])
    assert out.is_file()
    with pytest.raises(SystemExit, match=r'error: no audit result: run tools/audit\.py first'):
        main([str(out), '--results', results, '--encoders', 'other'])


def test_staircase(finished_run, video, tmp_path):
    main, out = main_of('figures/staircase.py'), tmp_path / 'figure.png'
    encoder = str(finished_run / 'encoder.json')
    main([encoder, str(out), '--run', str(finished_run), '--clips', '3'])
    with_clips = out.read_bytes()
    main([encoder, str(out), '--videos', video, video])
    main([encoder, str(out)])
    assert out.read_bytes() != with_clips
    main(['bdq_hard_ixmas_take3', str(out)])
    for name, message in [
        ('pass_through', 'PassThrough does not quantise'),
        ('nobody', r"unknown encoder 'nobody': .* of the zoo \(.*bdq_hard_ixmas_take3"),
    ]:
        with pytest.raises(SystemExit, match=f'error: {message}'):
            main([name, str(out)])


def test_contact_sheet_as_picture_and_in_motion(video, tmp_path):
    main = main_of('figures/contact_sheet.py')
    for name in ('sheet.pdf', 'clip.gif', 'clip.mp4'):
        main([video, 'bdq_hard', str(tmp_path / name), '--frames', '4', '--no-clear'])
        assert (tmp_path / name).stat().st_size > 1000
    with pytest.raises(SystemExit, match='error: a clip needs 2 frames or more, got 1'):
        main([video, 'bdq_hard', str(tmp_path / 'x.png'), '--frames', '1'])


def test_restoration_is_of_a_clip_that_the_attack_has_not_seen(synthetic_kth, tmp_path):
    config = tmp_path / 'tiny.py'
    config.write_text(audit_data(synthetic_kth, width=24))
    main, out = main_of('figures/contact_sheet.py'), tmp_path / 'sheet.png'
    options = ['--restore', str(config), '--protocol', 'subsequence']
    options += ['--restore-epochs', '1']
    # The fourth sub-sequence of each video tests, the first two train.
    main(['person01_boxing_d1_uncomp.avi', 'bdq', str(out), *options])
    assert matplotlib.image.imread(out).std() > 0.05
    with pytest.raises(SystemExit, match='person01_running_d1_uncomp is not in the test split'):
        main(['person01_running_d1_uncomp.avi', 'bdq', str(out), *options])


def test_accumulation(write_audit, tmp_path):
    write_audit('bdq', action=18, subject=8)
    main, out = main_of('figures/accumulation.py'), tmp_path / 'figure.png'
    main([str(out), '--results', str(tmp_path / 'results'), '--output', 'soft'])
    assert out.stat().st_size > 5000
    with pytest.raises(SystemExit, match=r'error: no audit result .* run tools/audit\.py first'):
        main([str(out), '--results', str(tmp_path / 'results'), '--output', 'hard'])


def test_report(finished_run, tmp_path, capsys):
    main, out = main_of('report.py'), tmp_path / 'report.html'
    main([str(finished_run), '--out', str(out), '--clips', '1'])
    assert capsys.readouterr().out.strip() == str(out)
    assert out.read_text().startswith('<!doctype html>')
    empty = tmp_path / 'empty'
    empty.mkdir()
    with pytest.raises(SystemExit, match='error: .* holds neither a run nor an audit result'):
        main([str(empty)])
