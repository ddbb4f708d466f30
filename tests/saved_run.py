"""Checkpoints of runs that never ran: as mmengine writes them, with weights that are those of no fresh network."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from tiny import classifier, resnet, xlearner
from xlearner_mm.models import Phase, XLearner


def randomise(module: nn.Module) -> nn.Module:
    """Give every weight and BN statistic a value of its own; fresh norms, biases and layer scales hide much."""
    g = torch.Generator().manual_seed(0)
    statistics = {name: value for name, value in module.named_buffers() if 'running_' in name}
    with torch.no_grad():
        for name, value in {**dict(module.named_parameters()), **statistics}.items():
            if 'running_var' in name:
                value.uniform_(0.5, 1.5, generator=g)
            else:
                value.normal_(float(value.ndim == 1 and not name.endswith(('bias', 'mean'))), 0.1, generator=g)
    module.eval()  # a stock backbone's returns None
    return module


def save_run(path: Path, phase: Phase = Phase.SQUEEZE, meta: Any = None, settings: Any = None,
             **model: Any) -> XLearner:
    """Save a model; ``settings`` are what its run has beside it."""
    cfg = Config(dict(model=xlearner(**model), **(settings or {})), format_python_code=False)
    text = cfg.pretty_text
    built = randomise(MODELS.build(cfg.model))
    built.set_phase(phase)
    torch.save(dict(state_dict=built.state_dict(), meta=dict(meta or {}, cfg=text)), path)
    return built


def save_student(path: Path, phase: Phase = Phase.SQUEEZE, **student: Any) -> XLearner:
    """Save a run of one source, whose student is a ResNet with these settings."""
    return save_run(
        path, phase, squeeze=dict(student=resnet(**student), branches=dict(photos=classifier(
            channels=8 * resnet(**student)['base_channels']))),
        branches=dict(photos=dict(task='cls', model=classifier())))
