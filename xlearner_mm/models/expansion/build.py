"""Building the backbone of the first phase."""

from collections.abc import Mapping
from typing import Any

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import with_scope

from .expanded_backbone import ExpandedBackbone


def build_backbone(cfg: Any, output_stride: Mapping[str, int]) -> Any:
    """Build an :class:`ExpandedBackbone`, or the stock backbone that all tasks share.

    Args:
        cfg (dict): Its config.
        output_stride (Mapping[str, int]): Output strides by task; the links of an expansion depend on them.

    Returns:
        nn.Module: The backbone.
    """
    cfg = with_scope(cfg)
    if output_stride and isinstance(cfg, Mapping) and MODELS.get(cfg.get('type')) is ExpandedBackbone:
        cfg = dict(cfg, output_stride=output_stride)
    return MODELS.build(cfg)
