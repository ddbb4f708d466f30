import logging
from unittest import mock

import pytest
from torch.utils.data import Subset

from xlearner_mm.preflight import CHECKS, preflight

pytestmark = pytest.mark.compat

STEP = dict(photos=4, boxes=2.5, maps=2)
PLANNED = dict(photos=7000, boxes=2, maps=9)


def test_the_toy_run_passes(model, build, toy_data):
    dataset, val = build(toy_data)
    table = preflight(model(), dataset, val, STEP, PLANNED)
    assert table.splitlines()[0].split()[:3] == ['source', 'task', 'library'] and 'photos' in table


def test_a_run_without_validation_passes(model, build, toy_data):
    assert 'photos' in preflight(model(), build(toy_data)[0], {}, STEP, PLANNED)


def test_one_error_names_all_findings_and_how_to_allow_them(model, build, toy_data):
    dataset, val = build(toy_data, val=dict(boxes=dict(ann_file='train.json', data_prefix=dict(img='train'))))
    val['photos'] = Subset(val['photos'], [])
    net = model()
    net.branches['photos'].head.num_classes = 5
    net.branches['maps'].data_preprocessor.mean += 1
    with pytest.raises(ValueError) as error:
        preflight(net, dataset, val, STEP, PLANNED)
    head, *findings = str(error.value).splitlines()
    assert head == 'Preflight found 4 problems that training would not show:'
    starts = ["- Source 'photos': LinearClsHead", '- Sources that share', "- Source 'boxes' is trained on images of",
              "- Source 'photos': its validation data set has 0 samples"]
    assert [f[:len(s)] for f, s in zip(findings, starts)] == starts
    allowed = ['classes', 'normalisation', 'overlap', 'empty_val']
    assert [f"Or set train_cfg.preflight_allow=['{c}'] to train all the same." in f for c, f in zip(allowed, findings)
            ] == [True] * 4

    with mock.patch('xlearner_mm.preflight.checks.print_log') as log:
        with pytest.raises(ValueError, match='found 1 problem that.*\n- Source .photos.: LinearClsHead'):
            preflight(net, dataset, val, STEP, PLANNED, ['normalisation', 'overlap', 'empty_val'])
        assert 'maps' in preflight(net, dataset, val, STEP, PLANNED, allowed)
    texts = [call.args[0] for call in log.call_args_list]
    assert len(texts) == 7 and texts[-2].startswith("Preflight, allowed (overlap): Source 'boxes' is trained on")
    assert all(call.kwargs == dict(logger='current', level=logging.WARNING) for call in log.call_args_list)


def test_annotations_are_checked(model, build, edit_boxes):
    root = edit_boxes(lambda content: content['annotations'][1].update(bbox=[200, 6, 40, 30]))
    with pytest.raises(ValueError, match=r"a box outside of the image.*preflight_allow=\['annotations'\]"):
        preflight(model(), *build(root), STEP, PLANNED)


def test_allow_takes_names_of_checks_only(model, build, toy_data):
    arguments = model(), *build(toy_data), STEP, PLANNED
    with pytest.raises(ValueError, match=r"\['speed'\], which are no checks.*" + ', '.join(CHECKS)):
        preflight(*arguments, allow=['overlap', 'speed'])
    with pytest.raises(TypeError, match="preflight_allow='overlap' must be a list"):
        preflight(*arguments, allow='overlap')
