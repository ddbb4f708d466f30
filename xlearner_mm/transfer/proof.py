"""The proof that a file carries a trained backbone into another library."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from xlearner_mm.models.expansion import StagedBackbone
from xlearner_mm.utils import library_of

from .counterpart import Counterpart

# Of features whose operations are equal in mathematics only: in double precision, relative to their norm. In single
# precision deep networks may amplify rounding beyond any limit that would still tell an eps of 1e-5 from one of 1e-6.
TOLERANCE = 1e-9


def check_keys(counterpart: Counterpart, trained: nn.Module, what: str) -> None:
    """Refuse weights that a network does not take one by one.

    Args:
        counterpart (Counterpart): The network, and the weights.
        trained (nn.Module): The trained backbone.
        what (str): How errors name it.

    Raises:
        ValueError: If a key is missing or unexpected, or a shape does not fit.
    """
    own, state, target = counterpart.build().state_dict(), counterpart.state, counterpart.target
    missing, unexpected = [k for k in own if k not in state], [k for k in state if k not in own]
    shapes = [f'{k} {tuple(state[k].shape)} into {tuple(own[k].shape)}' for k in state
              if k in own and own[k].shape != state[k].shape]
    if missing or unexpected or shapes:
        name = type(trained).__name__
        way = (f" {target} builds mmpretrain's as well: export to mmpretrain and write type='mmpretrain.{name}'."
               if library_of(trained) == 'mmpretrain' and target in ('mmdet', 'mmseg') else '')
        raise ValueError(f'{target} cannot load the {what}. Missing keys: {missing or "none"}. Unexpected keys: '
                         f'{unexpected or "none"}. Other shapes: {shapes or "none"}. Nothing was written.{way}')


def prove(counterpart: Counterpart, path: Path, form: str, staged: StagedBackbone) -> str:
    """Load a file as its user will, and compare every weight and the features with the trained backbone.

    Args:
        counterpart (Counterpart): The network.
        path (Path): The file.
        form (str): Its format.
        staged (StagedBackbone): The trained backbone, in eval mode.

    Returns:
        str: How well features agree.

    Raises:
        ValueError: If a weight or a feature differs, or features prove nothing.
    """
    network, target = counterpart.load(path, form), counterpart.target
    network.eval()
    loaded = network.state_dict()
    other = [key for key, value in counterpart.state.items()
             if not torch.allclose(loaded[key], value, rtol=0, atol=0, equal_nan=True)]
    if other:
        raise ValueError(f'{target} leaves {len(other)} weights of its {type(network).__name__} as they were, or '
                         f'changes them: {", ".join(other[:4])}, ... Nothing was written.')
    errors = judged = _errors(counterpart, network, staged, torch.float)
    if not counterpart.exact:
        judged = _errors(counterpart, network, staged, torch.double)
    limit, worst = 0. if counterpart.exact else TOLERANCE, max(judged.values())
    different = [place for place, error in judged.items() if not error <= limit]
    if different:
        raise ValueError(f'The {type(network).__name__} of {target} loads the weights but gives other features at '
                         f'{", ".join(different)}, with a relative error of up to {worst:.1e}: its blocks differ from '
                         'the trained ones. Nothing was written.')
    if max(errors.values()) == 0:
        return 'equal features, bit for bit'
    return (f'equal features up to rounding: a relative error of {max(errors.values()):.1e} in single precision and '
            f'of {worst:.1e} in double precision (limit {TOLERANCE:.0e})')


def _errors(counterpart: Counterpart, network: nn.Module, staged: StagedBackbone,
            dtype: torch.dtype) -> dict[str, float]:
    """Give the relative error of the features at each place."""
    network.to(dtype)
    staged.backbone.to(dtype)
    errors: dict[str, float] = {}
    for size in counterpart.sizes:
        images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)).to(dtype)
        with torch.no_grad():
            pairs = counterpart.compare(network, staged, images)
        check_alive({place: expected for place, (_, expected) in pairs.items()})
        for place, pair in pairs.items():
            errors[place] = max(errors.get(place, 0.), _error(*pair))
    return errors


def check_alive(features: Mapping[str, Tensor]) -> None:
    """Refuse features that prove nothing.

    Args:
        features (Mapping[str, Tensor]): Features of the trained backbone, by place.

    Raises:
        ValueError: If some are not finite, or nothing but zeros.
    """
    for what, empty in (('not finite', lambda f: not f.isfinite().all()), ('nothing but zeros', lambda f: not f.any())):
        places = [place for place, feature in features.items() if empty(feature)]
        if places:
            raise ValueError(f'The trained backbone gives features at {", ".join(places)} that are {what} on random '
                             'images: it has diverged or died, and equal features would prove nothing. Nothing was '
                             'written. Export an earlier checkpoint.')


def _error(found: Tensor, expected: Tensor) -> float:
    """Relative error; 0 only of equal tensors."""
    if found.shape != expected.shape:
        return float('inf')
    if torch.equal(found, expected):
        return 0.
    return float((found.double() - expected.double()).norm() / expected.double().norm()) or float('inf')
