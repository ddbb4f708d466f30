import time

import numpy as np
import pytest

from xlearner_mm.datasets import permute, shuffled

pytestmark = pytest.mark.compat


def around_powers_of_two():
    return [2**k + d for k in range(9, 18) for d in (-1, 0, 1)]


@pytest.mark.parametrize('sizes', [range(1, 301), around_powers_of_two(), [1000003]])
def test_every_index_once(sizes):
    for size in sizes:
        indices = permute(np.arange(size), size, 0, 'a', 7)
        assert np.array_equal(np.sort(indices), np.arange(size)), size


def test_every_index_once_an_epoch_of_the_endless_order():
    for size in [*range(1, 301), *(2**k + d for k in range(9, 17) for d in (-1, 0, 1))]:
        epochs, indices = shuffled(np.arange(size // 2, 2 * size), size, 5, 'b')
        whole = indices[epochs == 1]
        assert np.array_equal(np.sort(whole), np.arange(size)), size
        assert np.array_equal(shuffled(np.arange(size, 2 * size), size, 5, 'b')[1], whole)


def test_any_part_of_the_order_alone():
    whole = permute(np.arange(1000), 1000, 1, 'a')
    assert whole.dtype == np.int64
    part = np.array([[999, 3], [500, 3]])
    assert np.array_equal(permute(part, 1000, 1, 'a'), whole[part])
    assert permute(np.arange(0), 5, 0).shape == (0, )


def test_keys_give_unlike_orders():
    size = 1000
    orders = [permute(np.arange(size), size, *key) for key in ((0, 'a', 0), (1, 'a', 0), (0, 'b', 0), (0, 'a', 1))]
    for i, one in enumerate(orders):
        assert (one == np.arange(size)).sum() < 12  # 1 is expected
        for other in orders[:i]:
            assert (one == other).sum() < 12


def test_pinned_order():
    # A change here changes what resumed runs see.
    assert permute(np.arange(10), 10, 0, 'a', 0).tolist() == [2, 3, 6, 4, 1, 7, 5, 0, 9, 8]


@pytest.mark.parametrize('size', [2, 3, 4, 5, 7, 10, 16, 37])
def test_small_orders_are_uniform_over_keys(size):
    draws = 4000
    orders = np.stack([permute(np.arange(size), size, 0, 'a', epoch) for epoch in range(draws)])
    counts = np.stack([np.bincount(orders[:, i], minlength=size) for i in range(size)])
    chi2, freedom = ((counts - draws / size)**2 / (draws / size)).sum(), (size - 1)**2
    assert chi2 < freedom + 5 * np.sqrt(2 * freedom)
    steps = np.bincount(((orders[:, 1:] - orders[:, :-1]) % size).ravel(), minlength=size)[1:]
    expected, freedom = steps.sum() / (size - 1), max(size - 2, 1)
    assert ((steps - expected)**2 / expected).sum() < freedom + 5 * np.sqrt(2 * freedom)


def test_large_sizes_are_mixed_and_fast():
    size = 10**9
    positions = np.arange(10**6)
    start = time.process_time()
    indices = permute(positions, size, 0, 'a', 0)
    assert time.process_time() - start < 5  # some 0.2 s; shuffling all 10**9 indices takes far longer
    assert len(np.unique(indices)) == len(indices) and indices.min() >= 0 and indices.max() < size
    assert np.abs(np.histogram(indices, 10, (0, size))[0] - 1e5).max() < 2000
    assert abs(np.corrcoef(indices[1:], indices[:-1])[0, 1]) < 0.01


def test_shuffled_gives_every_index_once_an_epoch():
    epochs, indices = shuffled(np.arange(35).reshape(5, 7), 7, 3, 'a')
    assert epochs.tolist() == [[e] * 7 for e in range(5)]
    assert (np.sort(indices, axis=1) == np.arange(7)).all()
    assert len({tuple(order) for order in indices.tolist()}) == 5
    assert np.array_equal(indices[3], permute(np.arange(7), 7, 3, 'a', 3))


def test_errors():
    with pytest.raises(ValueError, match='size 0 was asked for'):
        permute(np.arange(1), 0, 'a')
    for positions in ([5], [-1, 2]):
        with pytest.raises(ValueError, match=r'are not all in range\(5\)'):
            permute(np.array(positions), 5, 'a')
