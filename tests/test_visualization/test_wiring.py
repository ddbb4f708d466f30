import io
from collections import Counter
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from PIL import Image

import parts as made
from xlearner_mm.models.model_parts import BranchPart
from xlearner_mm.visualization.wiring import wiring_picture

pytestmark = pytest.mark.compat

TASKS = ('cls', 'det', 'seg', 'depth')
COLOURS = dict(cls='#0072b2', det='#d55e00', seg='#009e73', depth='#cc79a7')


def artists(figure):
    """By kind."""
    found = {}
    for artist in figure.axes[0].get_children():
        found.setdefault(artist.get_gid(), []).append(artist)
    return found


def marks(figure, kind):
    """Place and colour of the marks of a kind, without those of the legend, which are grey."""
    found = [(*(int(value[0]) for value in mark.get_data()), mark.get_color())
             for mark in artists(figure).get(kind, [])]
    return [mark for mark in found if mark[2] != '#666666']


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def pixels(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    return np.asarray(Image.open(buffer).convert('RGB'))


@pytest.mark.parametrize('tasks', [TASKS[:2], TASKS[:3], TASKS])
def test_every_link_is_a_mark_in_its_receivers_colour(tasks):
    figure = wiring_picture(made.expansion(tasks))
    same, deep = marks(figure, 'link'), marks(figure, 'deep_link')
    others = len(tasks) - 1
    assert Counter(colour for *_, colour in same) == {COLOURS[task]: 3 * others for task in tasks}
    assert Counter(colour for *_, colour in deep) == {COLOURS[task]: 3 * others for task in tasks}
    places = [mark[:2] for mark in same + deep]
    assert all(max(abs(a - c), abs(b - d)) >= 15 for (a, b), (c, d) in combinations(places, 2))


def test_a_mark_stands_where_the_sources_rail_meets_the_receivers_lane():
    parts = made.expansion(('cls', 'det'), stages=(0, 1), squeeze=False)
    figure = wiring_picture(parts)
    rails = sorted(tuple(int(x) for x in line.get_xdata())[1:] + (int(max(line.get_ydata())), )
                   for line in artists(figure)['line'] if len(line.get_xdata()) == 3)
    # Of each column the rail of stage 1, then, outermost, that of stage 0.
    (inner, *_), (outer, *_), (det_inner, *_), (det_outer, *_) = rails
    same, deep = marks(figure, 'link'), marks(figure, 'deep_link')
    assert sorted(x for x, _, colour in same if colour == COLOURS['det']) == [inner, outer]
    assert [x for x, _, colour in deep if colour == COLOURS['det']] == [outer]
    assert [x for x, _, colour in deep if colour == COLOURS['cls']] == [det_outer]
    sums = {(int(c.center[1]), c.get_edgecolor()) for c in artists(figure)['sum']}
    lanes = {y for _, y, _ in same + deep}
    assert lanes == {y for y, _ in sums if y <= max(lanes)} and len(lanes) == 4
    assert {end for *_, end in rails} == {max(y for _, y, c in same if c == COLOURS[t]) for t in ('cls', 'det')}


def test_boxes_do_not_overlap_and_nothing_runs_out_of_the_page():
    branches = {f'a source with a very long name {i}': BranchPart('mmpretrain.ImageClassifier', task, 10 ** 9, 10 ** 13)
                for i, task in enumerate(('cls', 'cls', 'det'))}
    figure = wiring_picture(made.expansion(branches=branches, squeeze_branches={}), 'mine.py')
    boxes = [box.get_bbox() for box in figure.axes[0].patches if isinstance(box, FancyBboxPatch)]
    assert len(boxes) == 4 * 4 + 3 + 3
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    picture = pixels(figure)
    assert (np.concatenate([picture[:16].reshape(-1, 3), picture[-16:].reshape(-1, 3), picture[:, :16].reshape(-1, 3),
                            picture[:, -16:].reshape(-1, 3)]) == 255).all()
    renderer = FigureCanvasAgg(figure).get_renderer()
    spans = [text.get_window_extent(renderer) for text in figure.axes[0].texts if text.get_text()]
    assert not any(a.overlaps(b) for a, b in combinations(spans, 2))


def test_costs_stages_and_branches_are_written():
    written = texts(wiring_picture(made.expansion(), 'mine.py'))
    assert written[:3] == ['mine.py', '36 links · 44.8 M parameters in all · GFLOPs of one image of 224×320, a '
                           'multiply-add is 2', 'expansion']
    assert written.count('11.2 M param. · 3.6 GFLOPs') == 4
    assert written.count('+ 12 links: 12 k param. · 0.024 GFLOPs') == 3
    assert written.count('64 channels · stride 4') == 3 and written.count('96 channels · stride 4') == 1
    assert '+ connectors: 900 param. · 0.003 GFLOPs' in written and 'squeeze' in written
    assert written.count('5 k param. · 0.0004 GFLOPs') == 4  # the first source has a head of its own in the squeeze
    assert written.count('det data') == 2 and 'branches carried over' in written


def test_hints_are_marked_at_the_stages_that_are_compared():
    figure = wiring_picture(made.expansion())
    hints = marks(figure, 'hint')
    assert Counter(colour for *_, colour in hints) == {COLOURS[task]: 2 for task in TASKS[:3]}
    assert len({x for x, *_ in hints}) == 1 and len({y for _, y, _ in hints}) == 6


def test_the_legend_names_only_what_is_there():
    words = ('cross-task', 'cross-layer', 'sum of', 'plain pass', "teacher, compared with the student's")
    cases = [(made.expansion(), 5), (made.expansion(squeeze=False), 4), (made.expansion(stages=(), squeeze=False), 0),
             (made.shared(), 0)]
    for parts, expected in cases:
        written = ' '.join(texts(wiring_picture(parts)))
        assert sum(word in written for word in words) == expected
    one = ' '.join(texts(wiring_picture(made.expansion(stages=(1, ), squeeze=False))))
    assert 'cross-task' in one and 'cross-layer' not in one


def test_hard_sharing_is_a_column_with_all_sources():
    figure = wiring_picture(made.shared())
    written = texts(figure)
    assert 'hard sharing' in written and 'expansion' not in written and 'squeeze' not in written
    assert 'photos' in written and 'boxes' in written and '5 k param.' in written
    assert len(artists(figure)['box']) == 4 + 2 and 'link' not in artists(figure)


def test_sub_backbones_may_have_other_numbers_of_stages():
    parts = made.expansion(('cls', 'det'), backbones=dict(cls=made.backbone(8), det=made.backbone(4)))
    boxes = artists(wiring_picture(parts))['box']
    assert len(boxes) == 8 + 4 + 4 + 2 + 2


def test_a_name_with_dollars_is_no_formula():
    assert '$a_0$' in texts(wiring_picture(made.shared(), '$a_0$'))


def test_it_is_written_as_png_and_as_svg():
    figure = wiring_picture(made.expansion())
    picture = pixels(figure)
    assert picture.shape[:2] == tuple(round(side * 128) for side in figure.get_size_inches()[::-1])
    blue = (picture == [0, 0x72, 0xb2]).all(axis=-1).sum()
    assert blue > 1000
    buffer = io.BytesIO()
    figure.savefig(buffer, format='svg')
    assert ElementTree.fromstring(buffer.getvalue()).tag.endswith('svg')
    assert buffer.getvalue().count(b'#d55e00') > 20
