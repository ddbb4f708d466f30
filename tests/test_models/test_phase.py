import pytest

from xlearner_mm.models import Phase

pytestmark = pytest.mark.compat


def test_the_values_are_those_in_checkpoints():
    assert (int(Phase.EXPANSION), int(Phase.SQUEEZE)) == (0, 1)
