import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from xlearner_mm.models.cost import count_flops, count_parameters

pytestmark = pytest.mark.compat


def test_a_shared_parameter_counts_once_and_a_frozen_one_only_if_asked():
    one, two = nn.Linear(3, 5), nn.Linear(3, 5)
    two.weight = one.weight
    assert count_parameters(one, two, one) == 15 + 5 + 5
    one.bias.requires_grad_(False)
    assert count_parameters(one, two) == 25 and count_parameters(one, two, trained=True) == 20
    assert count_parameters() == 0


def test_a_multiply_add_is_two_operations():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    total, within = count_flops(lambda: net(torch.zeros(2, 3, 10, 6)), [net[0], net[3]])
    first, last = 2 * 2 * (5 * 3) * 8 * 3 * 9, 2 * 2 * (5 * 3) * 4 * 8
    assert (total, within) == (first + last, [first, last])


def test_a_module_is_counted_at_each_call_and_is_left_without_hooks():
    layer, unused = nn.Linear(4, 4, bias=False), nn.Linear(4, 4)
    total, within = count_flops(lambda: layer(layer(torch.zeros(1, 4)).requires_grad_()), [layer, unused])
    assert (total, within) == (2 * 2 * 16, [64, 0])
    with pytest.raises(RuntimeError):
        count_flops(lambda: layer(torch.zeros(1, 5)), [layer])
    assert not layer._forward_hooks and not layer._forward_pre_hooks


def test_no_graph_is_built():
    layer, kept = nn.Linear(4, 4), []
    count_flops(lambda: kept.append(layer(torch.zeros(1, 4))))
    assert not kept[0].requires_grad


def test_attention_is_counted_however_torch_fuses_it():
    query, key, value = torch.zeros(2, 3, 10, 8), torch.zeros(2, 3, 7, 8), torch.zeros(2, 3, 7, 8)
    attention = 2 * 2 * 3 * 10 * 7 * 8 * 2
    assert count_flops(lambda: functional.scaled_dot_product_attention(query, key, value))[0] == attention
    layer = nn.MultiheadAttention(16, 2, batch_first=True)
    tokens = torch.zeros(2, 10, 16)
    for training in (True, False):  # torch has an operator of its own for the latter
        layer.train(training)
        assert count_flops(lambda: layer(tokens, tokens, tokens))[0] == 2 * 2 * 10 * 16 * 64 + 2 * 2 * 2 * 10 * 10 * 16
    encoder = nn.TransformerEncoderLayer(16, 2, dim_feedforward=24, batch_first=True)
    counts = [count_flops(lambda net=net: net(tokens))[0] for net in (encoder.train(), copy.deepcopy(encoder).eval())]
    assert counts[0] == counts[1] == 2 * 2 * 10 * 16 * (64 + 2 * 24) + 2 * 2 * 2 * 10 * 10 * 16
