"""Dilation instead of stride, with the same weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from .changed import Change
from .staged_backbone import StagedBackbone, StageShape


def dilate_layers(layers: Sequence[nn.Module], shapes: Sequence[StageShape],
                  output_stride: int) -> dict[int, list[Change]]:
    """Plan how the layers of a ResNet run at a smaller output stride (ours, the result is mmseg's).

    It gives what a stock ResNet gives that is built with strides of 1 and growing ``dilations`` in its last stages, and
    with ``contract_dilation=True``: the first block of such a stage keeps the dilation of the stage before it.

    Args:
        layers (Sequence[nn.Module]): The layers, each of residual blocks.
        shapes (Sequence[StageShape]): Their shapes as they are.
        output_stride (int): Stride that none may exceed.

    Returns:
        dict[int, list]: What to change, by layer.

    Raises:
        ValueError: If the stride is none of theirs, or a block cannot be changed.
    """
    strides = [shape.stride for shape in shapes]
    if output_stride not in strides:
        raise ValueError(f'{output_stride!r} is none of the strides of its stages, {", ".join(map(str, strides))}. Use '
                         'one of these')
    plan, before = {}, 1
    for index, (layer, stride) in enumerate(zip(layers, strides, strict=True)):
        factor = max(1, stride // output_stride)
        if factor > 1:
            blocks = list(layer.children())
            plan[index] = [change for position, block in enumerate(blocks)
                           for change in _dilate_block(block, before if position == 0 else factor)]
        before = factor
    return plan


def at_output_stride(staged: Mapping[str, StagedBackbone],
                     output_stride: Mapping[str, int]) -> dict[str, StagedBackbone]:
    """Run the backbones of some tasks at an output stride of their own.

    Args:
        staged (Mapping[str, StagedBackbone]): Backbone by task; tasks may share one.
        output_stride (Mapping[str, int]): By task, for some of them.

    Returns:
        dict[str, StagedBackbone]: By task.

    Raises:
        ValueError: If a task is unknown, or its backbone cannot run so.
    """
    unknown = set(output_stride) - set(staged)
    if unknown:
        raise ValueError(f'model.output_stride names {sorted(unknown)}, which are no tasks of the model: '
                         f'{", ".join(staged)}.')
    return {task: backbone.dilated(output_stride[task]) if task in output_stride else backbone
            for task, backbone in staged.items()}


def _dilate_block(block: Any, factor: int) -> list[Change]:
    """What changes in a residual block whose stride is removed and whose convolution is dilated."""
    convs = [block.conv1, block.conv2]
    dilated = block.conv2 if hasattr(block, 'conv3') else block.conv1
    shortcut = [] if block.downsample is None else list(block.downsample)
    odd = [type(m).__name__ for m in convs if not isinstance(m, nn.Conv2d)] + [
        type(m).__name__ for m in shortcut if isinstance(m, nn.AvgPool2d)] + (
            ['checkpoint (with_cp=True)'] if getattr(block, 'with_cp', False) else [])
    if odd:
        raise ValueError(f'its {type(block).__name__} blocks have a {odd[0]}. Take output_stride out, or use blocks of '
                         'plain convolutions')
    changes = [(m, dict(stride=(1, 1))) for m in [*convs, *shortcut] if getattr(m, 'stride', (1, 1)) != (1, 1)]
    rates = {name: tuple(value * factor for value in getattr(dilated, name)) for name in ('dilation', 'padding')}
    return [*changes, (dilated, rates)]
