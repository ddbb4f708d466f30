import json
import sys
from xml.etree import ElementTree

import matplotlib.colors
import numpy as np
import pytest
from PIL import Image

import tiny
import toy
from xlearner_mm.tools import plot_interference
from xlearner_mm.visualization.interference_picture import interference_picture
from xlearner_mm.visualization.interference_scalars import ordered_parts, read_interference

pytestmark = pytest.mark.compat


def write(run, steps, name='1', more=''):
    """A run's scalars: by step, values by key without their prefix."""
    folder = run / name / 'vis_data'
    folder.mkdir(parents=True)
    lines = []
    for step, values in steps.items():
        lines.append(json.dumps(dict(lr=0.1, loss=2.0, step=step)))
        lines.append(json.dumps({**{f'interference/{key}': value for key, value in values.items()}, 'step': step}))
    (folder / 'scalars.json').write_text(''.join(f'{line}\n' for line in lines) + more)
    return run


def values(ab=0.5, ac=-0.25, bc=-0.75, phase=0, part='all'):
    shares = {f'{part}/share/{source}': share for source, share in dict(aa=0.25, bb=0.5, cc=0.25).items()}
    return {f'{part}/cos/aa-bb': ab, f'{part}/cos/aa-cc': ac, f'{part}/cos/cc-bb': bc, **shares, 'phase': phase}


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['plot_interference.py', *map(str, arguments)])
    plot_interference.main()


def fail(monkeypatch, *arguments):
    with pytest.raises(SystemExit) as stop:
        run_tool(monkeypatch, *arguments)
    assert isinstance(stop.value.code, str)  # python prints it to stderr and exits with 1
    return stop.value.code


def rows_of(printed):
    return [line.split() for line in printed.splitlines() if '%' in line]


@pytest.mark.parametrize('suffix', ['png', 'svg'])
def test_a_run_is_drawn(tmp_path, monkeypatch, capsys, suffix):
    run = write(tmp_path / 'hard', {1: values(), 11: values(ab=0.3, ac=0.05), 21: values(ab=0.1)})
    out = tmp_path / f'new/it.{suffix}'
    run_tool(monkeypatch, run, '--out', out)
    printed = capsys.readouterr().out
    assert rows_of(printed) == [['hard', 'bb', 'cc', '-0.750', '100%', '3'], ['hard', 'aa', 'cc', '-0.150', '67%', '3'],
                                ['hard', 'aa', 'bb', '0.300', '0%', '3']]
    assert printed.splitlines()[-1] == f'wrote {out}'
    if suffix == 'png':
        assert min(Image.open(out).size) > 500
    else:
        assert ElementTree.parse(out).getroot().tag.endswith('svg')


def test_a_real_run_is_drawn(toy_data, tmp_path, monkeypatch, capsys):
    cfg = toy.config(toy_data, tmp_path / 'run', max_iters=2)
    cfg.model = tiny.xlearner(squeeze=False, expanded=False)
    cfg.custom_hooks = [dict(type='xlearner_mm.TaskInterferenceHook', interval=1)]
    toy.train(cfg)
    run_tool(monkeypatch, tmp_path / 'run', '--out', tmp_path / 'it.png')
    rows = rows_of(capsys.readouterr().out)
    assert sorted(row[1:3] for row in rows) == [['boxes', 'maps'], ['boxes', 'photos'], ['maps', 'photos']]
    assert [row[-1] for row in rows] == ['2'] * 3 and (tmp_path / 'it.png').exists()
    (measured, ) = read_interference(tmp_path / 'run')
    assert ordered_parts([measured]) == ['all', 'stem', 'stage1', 'stage2', 'stage3', 'stage4']


def test_phases_and_runs_stand_side_by_side(tmp_path, monkeypatch, capsys):
    steps = {1: {'all/cos/aa-bb': 0.5, 'all/share/aa': 0.5, 'all/share/bb': 0.5, 'phase': 0}, 2: values(phase=1)}
    runs = [write(tmp_path / 'one/run', {1: values()}), write(tmp_path / 'two/run', steps)]
    run_tool(monkeypatch, *runs, '--out', tmp_path / 'it.png')
    assert [row[:-5] for row in rows_of(capsys.readouterr().out)] == (
        [['one/run']] * 3 + [['two/run,', 'expansion']] + [['two/run,', 'squeeze']] * 3)
    run_tool(monkeypatch, *runs, '--out', tmp_path / 'it.png', '--to', 1)
    assert [row[:-5] for row in rows_of(capsys.readouterr().out)] == [['one/run']] * 3 + [['two/run,', 'expansion']]


def test_iterations_are_chosen(tmp_path, monkeypatch, capsys):
    run = write(tmp_path / 'hard', {step: values(ab=step / 100) for step in (1, 11, 21, 31)})
    for place in (run, run / '1', run / '1/vis_data', run / '1/vis_data/scalars.json'):
        run_tool(monkeypatch, place, '--out', tmp_path / 'it.png', '--from', 11, '--to', 21)
        assert rows_of(capsys.readouterr().out)[-1][-5:] == ['aa', 'bb', '0.160', '0%', '2']


def test_a_resumed_run_goes_on_and_a_killed_one_is_read(tmp_path):
    run = write(tmp_path / 'run', {step: values(ab=0.1) for step in (1, 11, 21)}, '20260101_000000')
    write(run, {step: values(ab=0.2) for step in (11, 31)}, '20260102_000000', more='{"interference/al')
    (measured, ) = read_interference(run)
    assert measured.cosines('all')['aa', 'bb'] == {1: 0.1, 11: 0.2, 31: 0.2}


def test_parts_in_their_order(tmp_path):
    parts = ('stage10', 'all', 'links', 'det.stage1', 'stage2', 'output', 'stem')
    (measured, ) = read_interference(write(
        tmp_path / 'run', {1: {key: value for part in parts for key, value in values(part=part).items()}}))
    assert ordered_parts([measured]) == ['all', 'stem', 'stage2', 'stage10', 'output', 'links']
    assert measured.parts == list(parts) and measured.sources == ['aa', 'bb', 'cc']


def maps_of(figure):
    return [axes for axes in figure.findobj(lambda artist: hasattr(artist, 'get_images')) if axes.get_images()]


def texts_of(axes):
    """Texts by row and column."""
    return {(text.get_position()[1], text.get_position()[0]): text for text in axes.texts}


def test_cells_show_numbers_and_what_is_negative_without_colours(tmp_path):
    steps = {1: values(ab=-0.3, ac=-0.25), 2: values(ab=0.2, ac=-0.35), 3: values(ab=-0.03, ac=-0.3)}
    for step in steps.values():
        del step['all/cos/cc-bb']
    (measured, ) = read_interference(write(tmp_path / 'run', steps))
    (axes, ) = maps_of(interference_picture([measured], ['all']))
    found = {place: (text.get_text(), text.get_fontweight()) for place, text in texts_of(axes).items()}
    assert found[1, 0] == ('−0.04', 'bold') and found[2, 0] == ('−0.30', 'bold')
    assert found[2, 1] == ('–', 'normal') and [found[i, i][0] for i in range(3)] == ['25%', '50%', '25%']
    frames = [patch.get_xy() for patch in axes.patches if not patch.get_fill()]
    assert frames == [(-0.44, 1.56)]  # -0.04 is within its error
    (image, ) = axes.get_images()
    assert image.get_clim() == (-1, 1) and image.get_cmap().name == 'RdBu'
    np.testing.assert_allclose(image.get_array().filled(9), [[9, 9, 9], [-0.13 / 3, 9, 9], [-0.3, 9, 9]])
    low, high = (matplotlib.colors.rgb_to_hsv(image.get_cmap()(value)[:3])[0] for value in (0.1, 0.9))
    assert min(low, 1 - low) < 0.05 and 0.5 < high < 0.7  # red is negative, blue positive


def test_tiny_numbers_have_no_sign(tmp_path):
    (measured, ) = read_interference(write(tmp_path / 'run', {1: values(ab=-0.004)}))
    (axes, ) = maps_of(interference_picture([measured], ['all']))
    assert texts_of(axes)[1, 0].get_text() == '0.00' and texts_of(axes)[1, 0].get_fontweight() == 'normal'


def test_many_steps_are_averaged_and_pairs_keep_their_colours(tmp_path):
    measured = [read_interference(write(tmp_path / name, {
        step: values(ab=ab + 0.001 * (-1) ** step) for step in range(1, 41)}))[0] for name, ab in
        dict(one=0.5, two=-0.9).items()]
    figure = interference_picture(measured, ['all'])
    plots = [axes for axes in figure.findobj(lambda artist: hasattr(artist, 'get_ylim')) if axes.get_xlabel()]
    lines = [{line.get_label().rsplit(None, 1)[0]: line for line in axes.get_lines()} for axes in plots]
    assert len(plots) == 2
    for own, ab in zip(lines, (0.5, -0.9)):
        np.testing.assert_allclose(own['aa ~ bb'].get_ydata(), [ab] * 20)
        np.testing.assert_allclose(own['aa ~ bb'].get_xdata(), np.arange(1.5, 41, 2))
    assert lines[0]['aa ~ bb'].get_color() == lines[1]['aa ~ bb'].get_color() != lines[0]['bb ~ cc'].get_color()


@pytest.mark.parametrize('arguments, told', [
    (['--out', 'it.jpg'], '--out it.jpg must end in .png or .svg'),
    (['--from', 5, '--to', 4], '--from 5 --to 4 leaves no iterations'),
    (['--from', 5], 'nothing was measured in these iterations, only from 1 to 1. Mend --from and --to.'),
    (['--parts', 'stage9'], '--parts stage9: not among what was measured, all.')])
def test_wrong_arguments(tmp_path, monkeypatch, arguments, told):
    run = write(tmp_path / 'run', {1: values()})
    monkeypatch.chdir(tmp_path)
    assert told in fail(monkeypatch, run, *arguments) and not (tmp_path / 'interference.png').exists()


def test_runs_without_scalars(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert 'nowhere has no vis_data/scalars.json' in fail(monkeypatch, 'nowhere')
    assert 'has no scalars of interference: train with custom_hooks=' in fail(monkeypatch, write(tmp_path / 'run', {}))
    for number, (line, told) in enumerate({'{"a\n{}\n': 'line 1 is no JSON', '[]\n': 'line 1 is no object'}.items()):
        assert told in fail(monkeypatch, write(tmp_path / f'broken{number}', {}, more=line.lstrip()))
