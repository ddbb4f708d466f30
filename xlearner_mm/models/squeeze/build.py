"""Building the squeeze stage of a model."""

from collections.abc import Mapping
from typing import Any, Optional

import torch

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import keyed_rng

from ..expansion import ExpandedBackbone
from ..shared_parts import SharedParts
from .squeezer import Squeezer


def build_squeezer(squeeze: Mapping[str, Any], backbone: Any, models: Mapping[str, Any],
                   shared: Optional[SharedParts] = None) -> Squeezer:
    """Build the squeeze stage from its config.

    Args:
        squeeze (Mapping[str, Any]): Arguments of :class:`Squeezer`, its type optional. ``heads='fresh'`` gives every
            source a new branch, built as that of the expansion; by default (``'carried'``) the branches go on.
        backbone (nn.Module): Backbone of the model.
        models (Mapping[str, Any]): Model config by source.
        shared (SharedParts, optional): What the new branches of a task share among themselves.

    Returns:
        Squeezer: The squeeze stage.

    Raises:
        ValueError: If the backbone is no :class:`ExpandedBackbone`, a branch is given for an unknown source,
            ``heads`` is neither, or new branches cannot share their parts.
    """
    if not isinstance(backbone, ExpandedBackbone):
        raise ValueError(f'model.squeeze needs an ExpandedBackbone as its teacher, got {type(backbone).__name__}. Take '
                         'squeeze out, or use an ExpandedBackbone.')
    squeeze = dict(squeeze)
    heads, branches = squeeze.pop('heads', 'carried'), squeeze.get('branches') or {}
    if heads not in ('carried', 'fresh'):
        raise ValueError(f"model.squeeze.heads={heads!r} must be 'carried' or 'fresh'.")
    unknown = set(branches) - set(models)
    if unknown:
        raise ValueError(f'model.squeeze.branches names {sorted(unknown)}, which are no sources of the model: '
                         f'{", ".join(models)}.')
    if heads == 'fresh':
        squeeze['branches'] = {**models, **branches}
    with keyed_rng(torch.initial_seed(), 'squeeze'):
        squeezer = MODELS.build(
            dict(type='xlearner_mm.Squeezer', **squeeze) if 'type' not in squeeze else squeeze,
            default_args=dict(expanded=backbone))
    if shared is not None:
        shared.share(squeezer.branches, 'model.squeeze.branches')
    return squeezer
