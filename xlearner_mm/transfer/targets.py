"""The libraries that an exported backbone is for."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from xlearner_mm.utils import kind_of, library_of

from .counterpart import Counterpart
from .families import FAMILIES, Family
from .families.family import class_in
from .stock_backbone import STOCK

TARGETS = (*STOCK, 'torchvision', 'timm')


def find_counterpart(target: str, trained: nn.Module, cfg: Mapping[str, Any]) -> Counterpart:
    """Find what a library has in place of a trained backbone.

    Args:
        target (str): One of ``TARGETS``.
        trained (nn.Module): The trained backbone, with its weights.
        cfg (Mapping): Its config.

    Returns:
        Counterpart: The network of the library, and the weights as it names them.

    Raises:
        ImportError: If the library is not installed.
        ValueError: If the target is unknown, or has no counterpart.
    """
    if target not in TARGETS:
        raise ValueError(f'Export target {target!r} must be one of {", ".join(TARGETS)}.')
    if library_of(trained) not in STOCK:
        raise ValueError(f'{kind_of(trained)} is of no library that is exported: its class must be one of '
                         f'{", ".join(STOCK)}.')
    family = FAMILIES.get(type(trained).__name__, Family())
    try:
        if target in STOCK:
            return family.to_stock(trained, cfg, target)
        convert = family.to_torchvision if target == 'torchvision' else family.to_timm
        if convert is None:
            raise ValueError(f'{target} has none that this package knows to be the same')
        return convert(trained)
    except ValueError as error:
        raise ValueError(f'{target} has no counterpart of this {kind_of(trained)}: {error}. Targets that may '
                         f'have one: {", ".join(t for t in _targets_of(trained, family) if t != target)}.') from error


def image_size(trained: nn.Module) -> int:
    """Give a size of images that a trained backbone takes.

    Args:
        trained (nn.Module): The backbone.

    Returns:
        int: Height and width.
    """
    return FAMILIES.get(type(trained).__name__, Family()).image_size(trained)


def _targets_of(trained: nn.Module, family: Family) -> list[str]:
    """Name the libraries that have networks of a family."""
    found = []
    for library in STOCK:
        try:
            class_in(library, trained)
            found.append(library)
        except ValueError:
            continue
    others = dict(torchvision=family.to_torchvision, timm=family.to_timm)
    return found + [library for library, convert in others.items() if convert is not None]
