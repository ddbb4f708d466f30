"""The weighting of a model, from its config."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from xlearner_mm.registry import MODELS

from .loss_weighting import LossWeighting


def build_weighting(cfg: Optional[Mapping[str, Any]], sources: Sequence[str]) -> LossWeighting:
    """Build a weighting.

    Args:
        cfg (Mapping, optional): ``model.weighting``; None for :class:`StaticWeighting`.
        sources (Sequence[str]): All sources, in the order of the config.

    Returns:
        LossWeighting: The weighting.

    Raises:
        TypeError: If the config is of another kind of object.
    """
    if cfg is not None and not isinstance(cfg, Mapping):
        raise TypeError(f"model.weighting must be dict(type='xlearner_mm.UncertaintyWeighting', ...), got {cfg!r}.")
    weighting = MODELS.build(dict(cfg or dict(type='xlearner_mm.StaticWeighting'), sources=list(sources)))
    if not isinstance(weighting, LossWeighting):
        raise TypeError(f'model.weighting builds a {type(weighting).__name__}, which is no weighting of losses: use '
                        'xlearner_mm.StaticWeighting, UncertaintyWeighting, DynamicWeightAverage, PCGrad, CAGrad, '
                        'UPGrad or a subclass of LossWeighting.')
    return weighting
