import pytest
import torch

from xlearner_mm.transfer.call import Call, Name

pytestmark = pytest.mark.compat


def test_what_is_printed_is_what_is_called():
    call = Call('torch.nn.Sequential', Call('torch.nn.Linear', 2, 3, bias=False),
                Call('torch.nn.ModuleList', [Call('torch.nn.LayerNorm', (3, ), eps=1e-3)]))
    text = ('torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), '
            'torch.nn.ModuleList([torch.nn.LayerNorm((3,), eps=0.001)]))')
    assert repr(call) == text and call.modules == ['torch']
    assert repr(call.value()) == repr(eval(text, dict(torch=torch)))


def test_names_stay_names():
    call = Call('functools.partial', Name('torch.nn.LayerNorm'), eps=0.5)
    assert call.value()(3).eps == 0.5
    assert call.modules == ['functools', 'torch'] and 'torch.nn.LayerNorm' in repr(call)
