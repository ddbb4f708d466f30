import math

import pytest

from xlearner_mm.evaluation import delta_mtl, read_baselines

pytestmark = pytest.mark.compat


def test_it_is_the_mean_relative_change_signed_by_what_is_better():
    metrics = {'seg/mIoU': 66.0, 'depth/rmse': 0.45, 'coco/bbox_mAP': 0.1}
    baselines = {'seg/mIoU': 60.0, 'depth/rmse': 0.50}
    # +10 % of a metric, and 10 % less of an error; what has no baseline does not count.
    assert delta_mtl(metrics, baselines, ['depth/rmse']) == pytest.approx(10.0)
    assert delta_mtl(metrics, baselines) == pytest.approx(0.0)
    assert delta_mtl(metrics, {'depth/rmse': 0.50}, 'depth/rmse') == pytest.approx(10.0)  # not a set of letters
    assert delta_mtl(baselines, baselines, ['depth/rmse']) == 0


@pytest.mark.parametrize('metrics, baselines, lower, message', [
    (dict(a=1.), {}, (), 'baselines is empty'),
    (dict(a=1.), dict(a=1., b=1.), (), 'metrics lack b, .* they have a'),
    (dict(a=1.), dict(a=0.), (), 'baseline of a is 0: '),
    (dict(a=1.), dict(a=-2.), (), 'baseline of a is -2: '),
    (dict(a=1.), dict(a=1.), ('c', ), 'lower_is_better names c, which baselines does not have; it has a'),
    (dict(a=math.nan), dict(a=1.), (), 'metric a is nan'),
    (dict(a=1.), dict(a=math.inf), (), 'baseline a is inf'),
])
def test_what_cannot_be_compared_is_named(metrics, baselines, lower, message):
    with pytest.raises(ValueError, match=message):
        delta_mtl(metrics, baselines, lower)


def test_baselines_come_from_a_file_or_a_dict(tmp_path):
    path = tmp_path / 'baselines.json'
    path.write_text('{"coco/bbox_mAP": 0.38, "seg/mIoU": 40}')
    assert read_baselines(path) == read_baselines(str(path)) == {'coco/bbox_mAP': 0.38, 'seg/mIoU': 40.0}
    assert read_baselines(dict(a=1)) == dict(a=1.0)


@pytest.mark.parametrize('text, message', [
    ('{"a": ', r'baselines.json is no JSON: .* It must hold \{"name of a metric": number, ...\}'),
    ('[1, 2]', 'baselines.json must hold an object .* got list'),
    ('{"a": "0.4"}', "baselines.json: the figure of a is '0.4', no number"),
    ('{"a": true}', 'the figure of a is True, no number'),
])
def test_a_broken_file_is_named(tmp_path, text, message):
    path = tmp_path / 'baselines.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_baselines(path)
