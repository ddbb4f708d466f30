from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from tiny import batch, classifier, resnet
from xlearner_mm.engine import FrozenBackboneHook
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat


def test_a_step_changes_the_head_and_nothing_of_the_backbone():
    model = MODELS.build(with_scope(classifier(backbone=resnet('mmpretrain'))))
    runner, hook = SimpleNamespace(model=model), FrozenBackboneHook()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    hook.before_train(runner)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.train()  # as the loops do before every epoch
    hook.before_train_iter(runner, 0)
    data = model.data_preprocessor(batch('photos'), True)
    sum(model(**data, mode='loss').values()).backward()
    optimizer.step()
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {'head.fc.weight', 'head.fc.bias'} and model.head.training


def test_a_model_without_a_backbone():
    with pytest.raises(ValueError, match='FrozenBackboneHook: Linear has no backbone'):
        FrozenBackboneHook().before_train(SimpleNamespace(model=nn.Linear(1, 1)))
