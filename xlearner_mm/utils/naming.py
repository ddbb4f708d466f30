"""The rules for names of sources and for the scope of stock configs, used by data, model and loops alike."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from mmengine.model import ModuleDict

from xlearner_mm.registry import SCOPE

_SOURCE_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')


def check_source_name(name: str, kind: str = 'Source') -> str:
    """Refuse a name of a source or task that would break loss keys, metric keys or the state dict.

    Args:
        name (str): Name of a source, a key of the configs' dicts by source; or of a task.
        kind (str): What the error calls it, ``Source`` or ``Task``.

    Returns:
        str: ``name`` itself.

    Raises:
        ValueError: If the name is no identifier of letters, digits and underscores, contains ``loss``
            (``parse_losses`` of mmengine sums every key with "loss" in it) or is an attribute of mmengine's
            ``ModuleDict``.
    """
    if not isinstance(name, str) or not _SOURCE_NAME.fullmatch(name):
        raise ValueError(f'{kind} name {name!r} must start with a letter and hold only letters, digits and "_": it '
                         f'becomes a part of parameter names, loss keys and metric keys. Rename the {kind.lower()}.')
    if 'loss' in name.lower():
        raise ValueError(f'{kind} name {name!r} contains "loss": every value logged under it would be added to the '
                         f'training loss. Rename the {kind.lower()}.')
    if hasattr(ModuleDict(), name):
        raise ValueError(f'{kind} name {name!r} is an attribute of ModuleDict. Rename the {kind.lower()}.')
    return name


def library_of(value: Any) -> str:
    """Name the package that an object's class comes from.

    Args:
        value (Any): A model, a data set, ...

    Returns:
        str: Such as ``mmdet``.
    """
    return type(value).__module__.split('.', 1)[0]


def kind_of(value: Any) -> str:
    """Name an object's class with the package that it comes from, as a config does.

    Args:
        value (Any): A model, a data set, ...

    Returns:
        str: Such as ``mmdet.ResNet``.
    """
    return f'{library_of(value)}.{type(value).__name__}'


def with_scope(cfg: Any) -> Any:
    """Give a stock config the ``_scope_`` that the prefix of its ``type`` names.

    mmengine resolves what a stock model, data set or metric builds inside (its data preprocessor, its pipeline) in
    the default scope; with ``default_scope=None`` an unprefixed ``Resize`` would silently be mmcv's.

    Args:
        cfg (dict or list or object): A config with a prefixed ``type`` such as ``mmdet.CocoDataset``, or a list of
            them. Anything without such a type is returned as it is.

    Returns:
        dict or list or object: A copy with ``_scope_`` set. An existing one is kept, except ours: mmengine puts it on
        whatever a user inherits by ``_base_ = 'xlearner_mm::...'``.
    """
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(with_scope(c) for c in cfg)
    if not isinstance(cfg, Mapping) or not isinstance(cfg.get('type'), str) or '.' not in cfg['type']:
        return cfg
    scoped: Any = copy.copy(cfg)
    if scoped.get('_scope_', SCOPE) == SCOPE:
        scoped['_scope_'] = cfg['type'].split('.', 1)[0]
    return scoped


def as_dict_by_source(cfg: Any, what: str, kind: str = 'Source') -> dict[str, Any]:
    """Check that a setting is a non-empty dict by source (or task) and return it as a plain dict.

    Args:
        cfg (dict): Setting to check.
        what (str): How the error names the setting, e.g. ``train_dataloader.dataset.sources``.
        kind (str): What its keys are, ``Source`` or ``Task``.

    Returns:
        dict: ``cfg`` with its order kept and its names checked.

    Raises:
        TypeError: If ``cfg`` is no dict.
        ValueError: If it is empty or a source's name is not allowed.
    """
    if not isinstance(cfg, Mapping):
        raise TypeError(f'{what} must be a dict with a key for each {kind.lower()}, got {type(cfg).__name__}: {cfg!r}.')
    if not cfg:
        raise ValueError(f'{what} names no {kind.lower()}. Give it at least one, e.g. {what}=dict(coco=...).')
    return {check_source_name(name, kind): value for name, value in cfg.items()}
