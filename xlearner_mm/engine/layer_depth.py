"""How deep in its backbone a parameter is, for a learning rate that decays by layer."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import nn

from xlearner_mm.models import ExpandedBackbone, StagedBackbone, XLearner
from xlearner_mm.models.expansion import StagedHRNet, build_staged_backbone

from .param_stages import STEM, param_stages


class LayerDepths(NamedTuple):
    """Depths in one backbone, 0 for the stem; what follows the backbone has the depth ``total - 1``, as in mmpretrain.

    ``params`` are those of the parameters by name within the backbone, ``stages`` those of the ends of its stages.
    """

    params: dict[str, int]
    stages: list[int]
    total: int


def layer_scales(model: nn.Module, decay: float) -> dict[str, float]:
    """Give the scale of the learning rate of every parameter in a backbone: ``decay`` to the number of layers above it.

    As in stock layer-wise decay a head has 1, and the stem the smallest scale. Each sub-backbone, the shared backbone
    and the student have depths of their own; a link has the scale of the stage that it feeds (ours).

    Args:
        model (nn.Module): An :class:`XLearner`, or a stock model with a supported ``backbone``.
        decay (float): Scale from a layer to the one before it.

    Returns:
        dict[str, float]: Scale by name of the parameter, for those in backbones and links.

    Raises:
        ValueError: If the model has no backbone, or the stages of one cannot be told.
    """
    scales = {}
    for prefix, staged in _backbones(model).items():
        depths = layer_depths(staged)
        scales.update({prefix + name: _scale(decay, depths, depth) for name, depth in depths.params.items()})
        if prefix.startswith('backbone.sub_backbones.'):
            for level, names in _links_into(model, prefix.split('.')[2]):
                scales.update(dict.fromkeys(names, _scale(decay, depths, depths.stages[staged.levels[level]])))
    return scales


def layer_depths(staged: StagedBackbone) -> LayerDepths:
    """Find the depth of every parameter of a backbone.

    It is what the backbone's own ``get_layer_depth(name, prefix)`` says where it has one, as many of mmpretrain do;
    the number of its stage otherwise. What runs before the first stage has depth 0 in any case: stock forgets some of
    it, such as the distillation token.

    Args:
        staged (StagedBackbone): Adapter of the backbone.

    Returns:
        LayerDepths: The depths.

    Raises:
        ValueError: If its stages cannot be told.
    """
    stages = param_stages(staged)
    side_by_side = isinstance(staged, StagedHRNet)  # what it counts as stages are the branches of its fourth one
    count = 4 if side_by_side else staged.num_stages
    params, total = {name: stage + 1 for name, stage in stages.items()}, count + 2
    own = getattr(staged.backbone, 'get_layer_depth', None)
    if own is not None:
        try:
            told = {name: own(f'backbone.{name}', 'backbone.') for name in stages}  # its ResNet knows no other prefix
        except NotImplementedError:  # as of its ResNet-18
            pass
        else:
            params = {name: 0 if stages[name] == STEM else depth for name, (depth, _) in told.items()}
            total = max(known for _, known in told.values())
    # A module that all layers use, such as BEiT's shared bias, may run first in stage 0 and yet count as the last one.
    ends = [max((params[name] for name, of in stages.items() if of <= stage and params[name] < total - 1), default=0)
            for stage in range(count)]
    return LayerDepths(params, [ends[-1]] * staged.num_stages if side_by_side else ends, total)


def _backbones(model: nn.Module) -> dict[str, StagedBackbone]:
    """Find the backbones, by what the names of their parameters begin with."""
    backbone: Any = getattr(model, 'backbone', None)
    if isinstance(backbone, ExpandedBackbone):
        found = {f'backbone.sub_backbones.{task}.': staged for task, staged in backbone.staged.items()}
    elif isinstance(backbone, nn.Module):
        found = {'backbone.': build_staged_backbone(backbone)}
    else:
        raise ValueError(f'paramwise_cfg.layer_decay: {type(model).__name__} has no backbone. Take layer_decay out.')
    if isinstance(model, XLearner) and model.squeeze is not None:
        found['squeeze.student.'] = model.squeeze.staged
    return found


def _links_into(model: Any, task: str) -> Iterator[tuple[int, list[str]]]:
    """Give the links into a task's sub-backbone: the level that they feed, and the names of their parameters."""
    for other, links in model.backbone.reconciliation.links[task].items():
        for name, link in links.items():
            prefix = f'backbone.reconciliation.links.{task}.{other}.{name}.'
            yield int(name.split('_to_')[1]), [prefix + own for own, _ in link.named_parameters()]


def _scale(decay: float, depths: LayerDepths, depth: int) -> float:
    return decay ** (depths.total - 1 - depth)
