import pytest

from xlearner_mm.datasets import SampleError
from xlearner_mm.utils import user_errors

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('error, message', [
    (ValueError('no such source.'), 'tool failed: no such source.'),
    (KeyError('no such class'), 'tool failed: no such class'),
    (SampleError('sample 3 is broken'), 'tool failed: sample 3 is broken'),
    (FileNotFoundError('no file'), 'tool failed: no file'),
])
def test_a_mistake_of_the_user_is_one_line(error, message):
    with pytest.raises(SystemExit) as end, user_errors('tool'):
        raise error
    assert end.value.code == message


def test_our_own_mistakes_keep_their_traceback():
    with pytest.raises(AssertionError), user_errors('tool'):
        raise AssertionError
    with pytest.raises(RuntimeError), user_errors('tool'):
        raise RuntimeError
