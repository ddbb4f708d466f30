"""Building the squeeze stage of a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import keyed_rng

from ..expansion import ExpandedBackbone
from .squeezer import Squeezer


def build_squeezer(squeeze: Mapping[str, Any], backbone: Any, sources: Sequence[str]) -> Squeezer:
    """Build the squeeze stage from its config.

    Args:
        squeeze (Mapping[str, Any]): Arguments of :class:`Squeezer`, its type optional.
        backbone (nn.Module): Backbone of the model.
        sources (Sequence[str]): Sources of the model.

    Returns:
        Squeezer: The squeeze stage.

    Raises:
        ValueError: If the backbone is no :class:`ExpandedBackbone`, or a branch is given for an unknown source.
    """
    if not isinstance(backbone, ExpandedBackbone):
        raise ValueError(f'model.squeeze needs an ExpandedBackbone as its teacher, got {type(backbone).__name__}. Take '
                         'squeeze out, or use an ExpandedBackbone.')
    unknown = set(squeeze.get('branches') or ()) - set(sources)
    if unknown:
        raise ValueError(f'model.squeeze.branches names {sorted(unknown)}, which are no sources of the model: '
                         f'{", ".join(sources)}.')
    with keyed_rng(torch.initial_seed(), 'squeeze'):
        return MODELS.build(
            dict(type='xlearner_mm.Squeezer', **squeeze) if 'type' not in squeeze else squeeze,
            default_args=dict(expanded=backbone))
