import pytest

from rank_group import spawn
from ranks import reduce_cases

pytestmark = pytest.mark.compat

EACH = 12  # bytes of a parameter


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """By rank and step: gradients, bytes. Source ``one`` gives 1 and 2 on the ranks, ``two`` 2 and 3."""
    return spawn(reduce_cases, 2, tmp_path_factory.mktemp('reduce'))


@pytest.mark.parametrize('step, gradients, sent', [
    ('learned', dict(a=1.5, b=4, c=2.5, d=None), 3),
    ('known', dict(a=1.5, b=4, c=2.5, d=None), 3),
    ('missing', dict(a=1.5, b=None, c=2.5, d=None), 3),
    ('missing_here', dict(a=1, b=1.5, c=2.5, d=None), 3),  # one rank sends a before the next forward, the other not
    ('late', dict(a=1.5, b=4, c=2.5, d=1), 3 + 4),  # all of them once more
    ('late_twice', dict(a=1.5, b=4, c=3, d=None), 4 + 3),
    ('again', dict(a=1.5, b=4, c=2.5, d=None), 4),  # the one that came late is expected from now on
    ('piled up', dict(a=1.5, b=3, c=1.5, d=None), 4),  # both are the first source of their iteration
    ('piled up late', dict(a=3, b=None, c=None, d=0.5), 3 + 2),  # nobody expected d, before the iteration that steps
])
def test_gradients_are_averages_whatever_was_expected(found, step, gradients, sent):
    for rank in found:
        assert {name: rank[step][name] for name in 'abcd'} == gradients
        assert rank[step]['bytes'] == sent * EACH


def test_messages_of_forward_passes_do_not_get_between_those_of_gradients(found):
    assert all(set(rank['asked']) == {3.0} and len(rank['asked']) > 20 for rank in found)


def test_what_is_complete_is_sent_before_the_step_is_over(found):
    assert [found[0][step]['overlapped'] for step in ('learned', 'known', 'missing')] == [0, 3, 2]


def test_ranks_with_different_sources_in_an_iteration_before_are_told(found):
    for rank in found:
        assert 'RuntimeError: The ranks have different sources' in rank['differed before']
        assert ': rank 0: one; rank 1: one, two (this is' in rank['differed before']


def test_what_a_rank_lacks_counts_as_zero_and_what_all_lack_stays_so(found):
    assert all(rank['average'] == [[0.5] * 3, [1.0] * 3, None] for rank in found)


def test_an_update_without_averages_is_refused(found):
    message = "RuntimeError: The optimizer would step with gradients that were not averaged"
    assert all(message in rank["no_sync"] for rank in found)
