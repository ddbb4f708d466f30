import pytest
import torch
from torch import nn

from xlearner_mm.engine.reduction_plan import make_plan

pytestmark = pytest.mark.compat

MANY = 10**6


def parameters(*sizes, **kwargs):
    return [nn.Parameter(torch.zeros(size, **kwargs)) for size in sizes]


def test_parameters_are_ready_after_their_last_source_and_within_it_in_reverse():
    counts = [[1, 1, 0, 1, 0, 0], [0, 1, 1, 2, 0, 0]]
    plan = make_plan(parameters(*[1] * 6), counts, [], 1)
    assert plan.buckets == [[0], [3], [2], [1]]  # the last two of all are reached by nobody
    assert plan.expected == [1, 2, 1, 3, 0, 0]
    assert plan.bucket_of == {0: 0, 3: 1, 2: 2, 1: 3}


def test_the_order_of_the_sources_decides():
    counts = [[0, 1, 1], [1, 1, 0]]
    assert make_plan(parameters(1, 1, 1), counts, [], 1).buckets == [[2], [1], [0]]
    assert make_plan(parameters(1, 1, 1), counts[::-1], [], 1).buckets == [[0], [2], [1]]


def test_buckets_are_closed_before_they_are_too_large():
    counts = [[1] * 5]
    assert make_plan(parameters(2, 2, 2, 2, 2), counts, [], 16).buckets == [[4, 3], [2, 1], [0]]
    assert make_plan(parameters(1, 1, 9, 1, 1), counts, [], 12).buckets == [[4, 3], [2], [1], [0]]
    assert make_plan(parameters(2, 2, 2, 2, 2), counts, [], MANY).buckets == [[4, 3, 2, 1, 0]]


def test_the_last_bucket_is_small():
    plan = make_plan(parameters(*[25] * 9), [[1] * 9], [], 400)
    assert plan.buckets == [[8, 7, 6, 5], [4, 3, 2, 1], [0]]  # 100 bytes each
    assert make_plan(parameters(25, *[3] * 8), [[1] * 9], [], 400).buckets == [[8, 7, 6, 5, 4, 3, 2, 1], [0]]
    assert make_plan(parameters(*[3] * 8), [[1] * 8], [], 400).buckets == [[7, 6, 5, 4], [3, 2, 1, 0]]  # 12 of 50


def test_a_bucket_holds_one_data_type_and_one_device():
    mixed = [*parameters(1, 1), *parameters(1, dtype=torch.double), *parameters(1, 1, device='meta')]
    assert make_plan(mixed, [[1] * 5], [], MANY).buckets == [[4, 3], [2], [1, 0]]


def test_gradients_that_wait_from_earlier_iterations_come_first_unless_more_is_to_come():
    plan = make_plan(parameters(1, 1, 1, 1), [[0, 1, 0, 0]], [[1, 1, 0, 0], [0, 0, 1, 0]], 1)
    assert plan.buckets == [[2], [0], [1]] and plan.expected == [0, 1, 0, 0]
    plan = make_plan(parameters(1, 1), [], [[1, 0]], 1)
    assert plan.buckets == [[0]] and plan.expected == [0, 0]
