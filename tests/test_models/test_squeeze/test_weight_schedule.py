import pytest

from xlearner_mm.models.squeeze.weight_schedule import WeightSchedule

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('points, expected', [
    (0.5, [0.5, 0.5, 0.5, 0.5]),
    ([(2, 1), (4, 0)], [1, 1, 0.5, 0]),
    ([(0, 0), (1, 4), (3, 0)], [0, 4, 0, 0]),
])
def test_weights(points, expected):
    schedule = WeightSchedule('squeeze.supervised', points)
    assert [schedule.at(step) for step in (0, 1, 3, 9)] == expected


@pytest.mark.parametrize('points, error, message', [
    (-1, ValueError, r'squeeze\.supervised=-1 must have growing steps, and weights that are not negative'),
    ([], ValueError, 'must have growing steps'), ([(3, 1), (3, 0)], ValueError, 'must have growing steps'),
    ([(3, 1), (1, 0)], ValueError, 'must have growing steps'), ([(0, float('nan'))], ValueError, 'not negative'),
    ('on', TypeError, r"squeeze\.supervised='on' must be a number, or a list of \(step, weight\)"),
    ([1, 2], TypeError, 'or a list of'), (None, TypeError, 'or a list of'),
])
def test_wrong_points(points, error, message):
    with pytest.raises(error, match=message):
        WeightSchedule('squeeze.supervised', points)
