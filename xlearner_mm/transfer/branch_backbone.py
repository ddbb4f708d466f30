"""The backbone that stands in a stock model where a source's port was."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor, nn

from xlearner_mm.models import ExpandedBackbone, Phase, XLearner
from xlearner_mm.models.backbone_port import BackbonePort
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.utils import library_of

from .families.family import settings_of
from .stock_backbone import StockBackbone
from .targets import find_counterpart, image_size


def branch_backbone(model: XLearner, cfg: Config, source: str, port: BackbonePort, library: str) -> StockBackbone:
    """Write the backbone that a source's images run through as one of a stock model.

    Args:
        model (XLearner): The trained model.
        cfg (Config): Config of its run.
        source (str): The source.
        port (BackbonePort): Its port.
        library (str): Library of its stock model.

    Returns:
        StockBackbone: The backbone; it returns what the port does.

    Raises:
        ValueError: If no stock backbone does.
    """
    trained, own = _of_source(model, cfg, source)
    stride = (cfg.model.get('output_stride') or {}).get(model.tasks[source])
    found = _exactly(trained, own, library if stride is None else 'mmseg')  # only mmseg's have contract_dilation
    kind = found.cfg['type'] if found.foreign or found.target == library else f'{found.target}.{found.cfg["type"]}'
    settings: dict[str, Any] = dict(found.cfg, type=kind)
    if stride is not None:
        settings.update(dilated(build_staged_backbone(trained).shapes(), stride))
    settings.update(returning(trained, port))
    network = StockBackbone(library, settings, {}).build()
    if build_staged_backbone(network).stock_output != port.output:
        raise ValueError(f'The port of source {source!r} has output={port.output!r}, which no {kind} returns: no stock '
                         'model computes what this branch does.')
    state = _needed(found.state, network.state_dict(), source)
    return StockBackbone(library, settings, state, sizes=(image_size(trained), ))


def returning(backbone: nn.Module, port: BackbonePort) -> dict[str, Any]:
    """Write what a port gives as settings of a stock backbone.

    Args:
        backbone (nn.Module): Such a backbone, for the settings that its class has.
        port (BackbonePort): The port.

    Returns:
        dict: The settings with which it returns the same, where it can.
    """
    settings: dict[str, Any] = {}
    if hasattr(backbone, 'out_indices'):
        settings['out_indices'] = port.out_indices
    if hasattr(backbone, 'gap_before_final_norm'):
        settings['gap_before_final_norm'] = port.output == 'vector'
    if hasattr(backbone, 'out_type'):
        vector = 'avg_featmap' if backbone.out_type == 'avg_featmap' else 'cls_token'
        settings['out_type'] = dict(maps='featmap', tokens='raw', vector=vector)[port.output]
    return settings


def dilated(shapes: Any, output_stride: int) -> dict[str, Any]:
    """Write an output stride as the strides and dilations of a stock ResNet of mmseg.

    Args:
        shapes (Sequence[StageShape]): Shapes of its stages without dilation.
        output_stride (int): Stride that no stage exceeds.

    Returns:
        dict: Settings of the ResNet.
    """
    strides = [shape.stride for shape in shapes]
    steps = [now // before for before, now in zip([strides[0], *strides], strides, strict=False)]
    return dict(
        strides=tuple(1 if stride > output_stride else step for stride, step in zip(strides, steps, strict=True)),
        dilations=tuple(max(1, stride // output_stride) for stride in strides), contract_dilation=True)


def _of_source(model: XLearner, cfg: Config, source: str) -> tuple[Any, Mapping[str, Any]]:
    """Find the backbone of a source's images in the phase of the model, and its config."""
    task = model.tasks[source]
    if model.phase is Phase.SQUEEZE and model.squeeze is not None:
        return model.squeeze.student, cfg.model.squeeze.student
    if not isinstance(model.backbone, ExpandedBackbone):
        return model.backbone, cfg.model.backbone
    others = model.backbone.reconciliation.sources_of(task)
    if others:
        raise ValueError(f'Source {source!r} runs through the sub-backbone of task {task!r}, into which links bring '
                         f'features of {", ".join(others)}: no stock model computes this. Export from a checkpoint of '
                         'the squeeze, whose student is one plain backbone.')
    return model.backbone.sub_backbones[task], cfg.model.backbone.sub_backbones[task]


def _exactly(trained: Any, own: Mapping[str, Any], library: str) -> StockBackbone:
    """Take the class of a library where it does exactly the same, else the trained one."""
    try:
        found = find_counterpart(library, trained, own)
        if found.exact and isinstance(found, StockBackbone):
            return found
    except ValueError as error:
        print_log(f'The trained class is kept: {error}', logger='current', level=logging.DEBUG)
    return StockBackbone(library_of(trained), dict(type=type(trained).__name__, **settings_of(own)),
                         trained.state_dict())


def _needed(state: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Leave out norms of outputs that the port does not read."""
    extra = [key for key in state if key not in own and not key.startswith(('norm', 'ln2.'))]
    missing = [key for key in own if key not in state]
    if extra or missing:
        raise ValueError(f'The backbone of source {source!r} does not fit a stock one. Missing keys: '
                         f'{missing or "none"}. Unexpected keys: {extra or "none"}. Nothing was written.')
    return {key: value for key, value in state.items() if key in own}
