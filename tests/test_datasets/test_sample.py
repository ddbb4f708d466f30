import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest
from torch._utils import ExceptionWrapper

from xlearner_mm.datasets import SampleError, SampleKey

pytestmark = pytest.mark.compat


def test_key_is_a_value():
    key = SampleKey('coco', 1, 2, 3)
    assert pickle.loads(pickle.dumps(key)) == copy.deepcopy(key) == SampleKey(source='coco', epoch=1, index=2, seed=3)
    assert len({key, SampleKey('coco', 1, 2, 3), SampleKey('coco', 1, 2, 4)}) == 2
    with pytest.raises(FrozenInstanceError):
        key.index = 3


def test_error_comes_back_from_a_worker():
    try:
        raise SampleError('what is wrong')
    except SampleError:
        wrapper = pickle.loads(pickle.dumps(ExceptionWrapper(where='in a worker')))
    with pytest.raises(SampleError, match='in a worker(.|\n)*what is wrong'):
        wrapper.reraise()
