from fractions import Fraction

import pytest

from xlearner_mm.datasets.joint_schedule import JointSchedule

pytestmark = pytest.mark.compat

SIZES = dict(a=10, b=1000)


def test_every_source_at_every_step():
    schedule = JointSchedule(dict(b=3, a=2), SIZES)
    for step, world_size in ((0, 1), (7, 4)):
        images, carry = schedule.due(step, {}, 5, world_size)
        assert images == dict(a=2, b=3) and list(images) == ['a', 'b'] and carry == {}
        assert schedule.mean(step) == dict(a=2, b=3)
    assert isinstance(schedule.mean(0)['a'], Fraction)
    assert schedule.most() == dict(a=2, b=3) and schedule.shares_at(9) == {}


@pytest.mark.parametrize('ratios', ['equal', dict(a=1, b=1), [(0, 'equal')]])
def test_ratios_are_refused(ratios):
    with pytest.raises(TypeError, match="are not for schedule='joint', whose batch sizes say all. Take them out"):
        JointSchedule(dict(a=1, b=1), SIZES, ratios)


@pytest.mark.parametrize('batch_size, error, message', [
    (8, TypeError, r'train_dataloader\.batch_size must be a dict.*got int: 8'),
    (dict(a=1), ValueError, r"no value for the sources \['b'\] and one for the unknown \[\].*each of \['a', 'b'\]"),
    (dict(a=1, b=-2), ValueError, r"batch_size\.b=-2 must be at least 1\. To train without source 'b', take it out"),
    (dict(a='1', b=1), TypeError, r"batch_size\.a='1' must be an integer, the images of source 'a' a step and a rank"),
])
def test_wrong_batch_size(batch_size, error, message):
    with pytest.raises(error, match=message):
        JointSchedule(batch_size, SIZES)
