import pytest

from xlearner_mm.preflight.source_table import source_table

pytestmark = pytest.mark.compat


def test_a_line_a_source(model, build, toy_data):
    dataset, _ = build(toy_data, train=dict(maps=dict(metainfo=None)))
    net = model()
    net._cfgs['boxes'] = type(net._cfgs['boxes'])('det', None, 0.25)
    table = source_table(net, dataset, dict(photos=4000, boxes=2.5, maps=1), dict(photos=7000, boxes=2, maps=0.06))
    header, rule, *lines = table.splitlines()
    assert header.split() == [
        'source', 'task', 'library', 'samples', 'images', 'a', 'step', 'epochs', 'loss', 'weight', 'classes'
    ]
    assert [line.split() for line in lines] == [
        ['photos', 'cls', 'mmpretrain', '7', '4,000', '1,000', '1', '3'],
        ['boxes', 'det', 'mmdet', '5', '2.50', '0.40', '0.25', '2'],
        ['maps', 'seg', 'mmseg', '6', '1', '0.01', '1', '–'],
    ]
    assert len({len(line) for line in lines}) == 1 and len(rule.strip()) <= 120


def test_a_long_name_is_not_broken(model, build, toy_data):
    dataset, _ = build(toy_data)
    name = 'a' * 150
    for values in (dataset.sizes, dataset.tasks, dataset.sources):
        values[name] = values.pop('photos')
    net = model()
    net._cfgs[name] = net._cfgs.pop('photos')
    net.branches[name] = net.branches.pop('photos')
    step = dict.fromkeys(dataset.sizes, 1)
    assert len(source_table(net, dataset, step, step).splitlines()) == 5
