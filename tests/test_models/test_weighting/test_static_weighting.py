import pytest
import torch

from xlearner_mm.models.weighting import StaticWeighting
from xlearner_mm.registry import MODELS

pytestmark = pytest.mark.compat


def test_it_changes_nothing():
    weighting = MODELS.build(dict(type='xlearner_mm.StaticWeighting', sources=['boxes', 'maps']))
    assert isinstance(weighting, StaticWeighting) and weighting.sources == ['boxes', 'maps']
    losses = dict(loss_cls=torch.tensor(2.), loss_bbox=[torch.tensor(1.), torch.tensor(3.)], acc=torch.tensor(0.5))
    assert weighting.weigh('boxes', losses) is losses
    weighting.after_step(dict(boxes=torch.tensor(6.)))
    assert not weighting.state_dict() and not weighting.needs_gradients
