from types import SimpleNamespace

import pytest
import torch

from xlearner_mm.engine.model_of import model_of

pytestmark = pytest.mark.compat


def test_the_model_with_and_without_a_wrapper():
    model = torch.nn.Linear(1, 1)
    assert model_of(SimpleNamespace(model=model)) is model
    assert model_of(SimpleNamespace(model=torch.nn.DataParallel(model))) is model
