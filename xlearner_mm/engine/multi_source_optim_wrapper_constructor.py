"""The optimizer of a model of several sources and tasks."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union
from weakref import WeakKeyDictionary

from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIMIZERS
from torch import nn

from xlearner_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS

from .fused_by_default import fused_by_default
from .layer_depth import layer_scales
from .param_groups import group_table, keep_for_resume, merge_groups
from .param_multipliers import KINDS, param_multipliers

# Phases whose groups were logged, by model: the squeeze's optimizer is also built once before the run, as a trial.
_LOGGED: 'WeakKeyDictionary[nn.Module, set[Any]]' = WeakKeyDictionary()


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiSourceOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Build an optimizer whose learning rates and weight decays differ by task, source, part and depth (ours).

    ``paramwise_cfg`` takes what mmengine's constructor takes, with the same effect, and the keys below. All multipliers
    of a parameter are multiplied, those of ``custom_keys`` and the like included.

    - ``tasks`` (dict): ``dict(lr_mult=..., decay_mult=...)`` by task, for its sub-backbone, the links into it and the
      branches of its sources.
    - ``sources`` (dict): The same by source, for its branches; not for what it shares by ``model.shared``.
    - ``parts`` (dict): The same by part: ``sub_backbones``, ``reconciliation``, ``backbone`` (one for all tasks),
      ``branches``, ``student``, ``connectors``, and whatever else the squeeze trains.
    - ``layer_decay`` (float): Scale of the learning rate from a layer of a backbone to the one before, see
      :func:`layer_depths`; 1 for branches, and for a link that of the stage that it feeds.

    Parameters with equal settings are one group. Optimizers of torch that can run fused do so on GPUs, unless a config
    sets ``fused``, ``foreach``, ``capturable`` or ``differentiable``.

    Args:
        optim_wrapper_cfg (dict): Config of the optimizer wrapper with its ``optimizer``.
        paramwise_cfg (dict, optional): Settings by parameter.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If a key is unknown, or a setting needs ``lr`` or ``weight_decay`` of the optimizer.
    """

    STOCK_KEYS = ('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult',
                  'dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate')
    KEYS = (*STOCK_KEYS, *KINDS, 'layer_decay')

    optimizer_cfg: dict[str, Any]

    def _validate_cfg(self) -> None:
        super()._validate_cfg()
        unknown = [key for key in self.paramwise_cfg if key not in self.KEYS]
        if unknown:
            raise ValueError(f'paramwise_cfg has unknown keys {unknown}; it takes {", ".join(self.KEYS)}.')
        decay = self.paramwise_cfg.get('layer_decay', 1.0)
        if isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0 < decay <= 1:
            raise ValueError(f'paramwise_cfg.layer_decay={decay!r} must be a number above 0 and up to 1.')

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper of a model.

        Args:
            model (nn.Module): The model, at its place: on a GPU the optimizer is another one.

        Returns:
            OptimWrapper: Its optimizer wrapper.

        Raises:
            TypeError: If a setting is not for such a model.
            ValueError: If the model has no such task, source or part, or the stages of its backbone cannot be told.
        """
        model = getattr(model, 'module', model)
        names = {parameter: name for name, parameter in model.named_parameters()}
        kept = self.optimizer_cfg
        try:
            if self._runs_fused(names):
                self.optimizer_cfg = dict(kept, fused=True)
            with _without_a_line_a_parameter():
                wrapper = super().__call__(model)
        finally:
            self.optimizer_cfg = kept
        keep_for_resume(wrapper.optimizer, names)
        self._log(model, wrapper, names)
        return wrapper

    def add_params(self,
                   params: list[dict],
                   module: nn.Module,
                   prefix: str = '',
                   is_dcn_module: Optional[Union[int, float]] = None) -> None:
        """Add the groups of a model's parameters: stock settings, multiplied, and merged where they are equal.

        Args:
            params (list[dict]): The groups are added to it.
            module (nn.Module): The model, or a part of it.
            prefix (str): Name of the part; stock settings only where there is one.
            is_dcn_module (int or float, optional): As in mmengine's.
        """
        if prefix:  # mmengine's walk through the model
            super().add_params(params, module, prefix, is_dcn_module)
            return
        groups: list[dict] = []
        super().add_params(groups, module, prefix, is_dcn_module)
        multipliers = param_multipliers(module, self.paramwise_cfg)
        decay = self.paramwise_cfg.get('layer_decay', 1.0)
        scales = {} if decay == 1 else layer_scales(module, decay)
        names = {parameter: name for name, parameter in module.named_parameters()}
        for group in groups:
            name = names[group['params'][0]]
            by_place = multipliers.get(name)
            lr_mult = scales.get(name, 1.0) * (1.0 if by_place is None else by_place.lr_mult)
            decay_mult = 1.0 if by_place is None else by_place.decay_mult
            self._multiply(group, lr_mult, decay_mult)
        params += merge_groups(groups, names)

    def _multiply(self, group: dict[str, Any], lr_mult: float, decay_mult: float) -> None:
        """Write out and multiply learning rate and weight decay of a group."""
        for key, base, mult in (('lr', self.base_lr, lr_mult), ('weight_decay', self.base_wd, decay_mult)):
            value = group.get(key, base)
            if value is not None:
                group[key] = value * mult
            elif mult != 1:
                raise ValueError(f'paramwise_cfg multiplies {key}, which optim_wrapper.optimizer does not set. Set it '
                                 'there.')
        # What custom_keys asked for has been done; the groups would differ for nothing.
        group.pop('lr_mult', None)
        group.pop('decay_mult', None)

    def _runs_fused(self, parameters: Any) -> bool:
        optimizer = self.optimizer_cfg['type']
        if isinstance(optimizer, str):
            with OPTIMIZERS.switch_scope_and_registry(None) as registry:
                optimizer = registry.get(optimizer)
        return isinstance(optimizer, type) and fused_by_default(
            optimizer, self.optimizer_cfg, {parameter.device for parameter in parameters},
            all(parameter.is_floating_point() for parameter in parameters))

    def _log(self, model: nn.Module, wrapper: OptimWrapper, names: dict[nn.Parameter, str]) -> None:
        """Show the groups, once in each phase of a model."""
        phase = getattr(model, 'phase', None)
        if phase in _LOGGED.setdefault(model, set()):
            return
        _LOGGED[model].add(phase)
        optimizer = wrapper.optimizer
        fused = ' (fused)' if optimizer.defaults.get('fused') else ''
        frozen = sum(not parameter.requires_grad for parameter in names)
        lines = [f'Parameter groups of {type(optimizer).__name__}{fused}, {frozen} tensors are frozen:',
                 *group_table(optimizer, names)]
        MMLogger.get_current_instance().info('\n'.join(lines))


@contextmanager
def _without_a_line_a_parameter() -> Iterator[None]:
    """Keep what mmengine logs of single parameters out of the log; the table of the groups says it."""

    def _wanted(record: logging.LogRecord) -> bool:
        told = record.getMessage()
        return not told.startswith('paramwise_options -- ') and 'is skipped since its requires_grad=' not in told

    logger = MMLogger.get_current_instance()
    logger.addFilter(_wanted)
    try:
        yield
    finally:
        logger.removeFilter(_wanted)
