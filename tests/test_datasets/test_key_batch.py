import pickle

import numpy as np
import pytest

from xlearner_mm.datasets import KeyBatch, SampleKey

pytestmark = pytest.mark.compat

KEYS = [SampleKey('b', 0, 4, 7), SampleKey('b', 1, 2, 7), SampleKey('a', 3, 10**12, 7)]


def make():
    return KeyBatch(7, [('b', np.array([0, 1]), np.array([4, 2])), ('a', np.array([3]), np.array([10**12]))])


def test_is_a_sequence_of_keys():
    batch = make()
    assert len(batch) == 3 and list(batch) == KEYS and list(batch) == KEYS  # and again
    assert batch[0] == KEYS[0] and batch[-1] == KEYS[2] and batch[1:] == KEYS[1:]
    assert KEYS[1] in batch and SampleKey('b', 0, 5, 7) not in batch
    assert batch.index(KEYS[2]) == 2 and list(reversed(batch)) == KEYS[::-1]
    assert all(type(value) is int for key in batch for value in (key.epoch, key.index, key.seed))
    with pytest.raises(IndexError):
        batch[3]
    assert repr(batch) == f'KeyBatch({KEYS})'


def test_empty():
    assert len(KeyBatch(0, [])) == 0 and list(KeyBatch(0, [])) == []


def test_goes_to_a_worker_and_is_small():
    assert list(pickle.loads(pickle.dumps(make()))) == KEYS
    large = KeyBatch(7, [('a', np.zeros(1000, np.int64), np.arange(1000))])
    assert len(pickle.dumps(large)) < 17000 < len(pickle.dumps(list(large)))
