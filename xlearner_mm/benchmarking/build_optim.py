"""The optimizer of a model that is measured."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from torch import nn

from xlearner_mm.engine.param_multipliers import KINDS

OURS = (*KINDS, 'layer_decay')  # only for an XLearner; they change rates, not what is computed


def build_optim(model: nn.Module, cfg: Mapping[str, Any], stock: bool = False) -> OptimWrapper:
    """Build an optimizer as a run does, and set its learning rates to 0.

    It does the same work, but weights stay where they are: all steps do the same, and none diverges for want of the
    schedules, which are not part of a benchmark.

    Args:
        model (nn.Module): The model, on its device.
        cfg (Mapping): Setting ``optim_wrapper`` of the run.
        stock (bool): Whether it is a stock model: settings that only an X-Learner has are left out.

    Returns:
        OptimWrapper: The optimizer wrapper.

    Raises:
        TypeError: If it is an OptimWrapperDict.
        ValueError: If it cannot be built here.
    """
    settings = ConfigDict({'type': 'OptimWrapper', **cfg})
    if stock and settings.get('paramwise_cfg'):
        settings.paramwise_cfg = {k: v for k, v in settings.paramwise_cfg.items() if k not in OURS}
    try:
        wrapper = build_optim_wrapper(model, settings)
    except AssertionError as error:  # such as that of AmpOptimWrapper without a GPU
        raise ValueError(f'optim_wrapper cannot be built here: {error}. Mend it with --cfg-options '
                         'optim_wrapper.type=OptimWrapper, or measure on another machine.') from error
    if isinstance(wrapper, OptimWrapperDict):
        raise TypeError('An X-Learner has one optimizer for all sources, got an OptimWrapperDict. Use paramwise_cfg '
                        'for settings by module.')
    for group in wrapper.optimizer.param_groups:
        group['lr'] = group['lr'] * 0
    wrapper.initialize_count_status(model, 0, -1)
    return wrapper
