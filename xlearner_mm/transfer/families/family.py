"""What a family of backbones can be exported to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from mmengine.registry import MODELS
from torch import nn

from xlearner_mm.utils import library_of

from ..library_network import LibraryNetwork
from ..stock_backbone import StockBackbone

# What a config says of the training; the weights and what is computed with them do not depend on it.
_OF_TRAINING = ('_scope_', 'attn_drop_rate', 'convert_weights', 'drop_path_rate', 'drop_rate', 'frozen_stages',
                'init_cfg', 'norm_eval', 'pretrained', 'type', 'with_cp', 'zero_init_residual')


def same_class(trained: nn.Module, cfg: Mapping[str, Any], target: str) -> StockBackbone:
    """Take the class of the same name, with the same settings.

    Args:
        trained (nn.Module): The trained backbone.
        cfg (Mapping): Its config.
        target (str): ``mmdet``, ``mmseg`` or ``mmpretrain``.

    Returns:
        StockBackbone: The counterpart; whether it is one is the proof's business.

    Raises:
        ValueError: If the library has none.
    """
    return StockBackbone(target, dict(type=class_in(target, trained), **settings_of(cfg)), trained.state_dict())


@dataclass(frozen=True)
class Family:
    """How the weights of a family are written for each library.

    Attributes:
        to_stock (Callable): For mmdet, mmseg and mmpretrain: called with the trained backbone, its config and the
            library.
        to_torchvision (Callable, optional): For torchvision, where it has such networks.
        to_timm (Callable, optional): For timm, where it has such networks.
        image_size (Callable): Gives height and width of images that the trained backbone takes.
    """

    to_stock: Callable[[Any, Mapping[str, Any], str], StockBackbone] = same_class
    to_torchvision: Optional[Callable[[Any], LibraryNetwork]] = None
    to_timm: Optional[Callable[[Any], LibraryNetwork]] = None
    image_size: Callable[[Any], int] = lambda trained: 64


def settings_of(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings of a backbone without those of its training.

    Args:
        cfg (Mapping): Its config.

    Returns:
        dict: The settings.
    """
    return {key: value for key, value in cfg.items() if key not in _OF_TRAINING}


def class_in(target: str, trained: nn.Module, name: Optional[str] = None) -> str:
    """Name a class as a config of a library does: its own, or mmpretrain's, which mmdet and mmseg build as well.

    Args:
        target (str): The library.
        trained (nn.Module): The trained backbone.
        name (str, optional): Name of the class; by default that of the trained backbone.

    Returns:
        str: Such as ``ResNet`` or ``mmpretrain.ConvNeXt``.

    Raises:
        ValueError: If the library can build no such class.
    """
    name = name or type(trained).__name__
    if has_class(target, name):
        return name
    if has_class('mmpretrain', name) and library_of(trained) == 'mmpretrain':
        return f'mmpretrain.{name}'
    raise ValueError(f'it has no {name}')


def has_class(library: str, name: str) -> bool:
    """Say whether a library has a class.

    Args:
        library (str): ``mmdet``, ``mmseg`` or ``mmpretrain``.
        name (str): Name of the class.

    Returns:
        bool: Whether it has.
    """
    found = MODELS.get(f'{library}.{name}')
    return found is not None and found.__module__.startswith(f'{library}.')
