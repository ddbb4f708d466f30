"""The data of a stock config as a source of an X-Learner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .stock_source import StockSource, plain, with_prefix

_TAKEN = ('batch_size', 'num_workers', 'persistent_workers', 'sampler', 'dataset', 'collate_fn', 'drop_last')
# Keys of a stock config that have no counterpart: the X-Learner has one loop, one optimizer and one schedule.
_LEFT_OUT = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks', 'auto_scale_lr', 'tta_model')


@dataclass
class TakenData:
    """What a stock config gives to the data of an X-Learner.

    Attributes:
        dataset (dict): The stock training data set, pipeline included.
        batch_size (int): Images a step and a process.
        num_workers (int): Processes that load them.
        val_dataloader (dict, optional): The stock loader for validation.
        val_evaluator (dict or list, optional): The stock metrics.
        left_out (list[str]): What was left out.
    """

    dataset: dict[str, Any]
    batch_size: int
    num_workers: int
    val_dataloader: Optional[dict[str, Any]]
    val_evaluator: Any
    left_out: list[str] = field(default_factory=list)


def take_data(source: StockSource) -> TakenData:
    """Take over training and validation data of a stock config.

    Args:
        source (StockSource): The source.

    Returns:
        TakenData: Data set, loader and metrics, their types with the library's prefix.

    Raises:
        ValueError: If the config has no training data.
    """
    cfg, library = source.cfg, source.library
    loader = plain(cfg.get('train_dataloader') or {}, library)
    if not isinstance(loader.get('dataset'), Mapping):
        raise ValueError(f'Source {source.name!r}: {source.config} has no train_dataloader with a dataset. Name a '
                         'config that trains.')
    left_out = [f'train_dataloader.{key}: {_told(loader[key])}' for key in ('batch_sampler', 'sampler') if key in loader
                and _told(loader[key]) not in ('DefaultSampler', 'InfiniteSampler', 'None')]
    left_out += [f'{key}: {_told(cfg[key])}' for key in _LEFT_OUT if cfg.get(key)]
    val, metrics = cfg.get('val_dataloader'), cfg.get('val_evaluator')
    if not val or not metrics:
        left_out.append('validation: the config has none')
        val = metrics = None
    return TakenData(
        with_prefix(loader['dataset'], library), int(loader.get('batch_size', 1)),
        int(loader.get('num_workers', 0)),
        _take_loader(plain(val, library), library) if val else None,
        with_prefix(plain(metrics, library), library) if metrics else None, left_out)


def _take_loader(loader: dict[str, Any], library: str) -> dict[str, Any]:
    taken = {key: loader[key] for key in _TAKEN if key in loader}
    taken['dataset'] = with_prefix(taken['dataset'], library)
    return taken


def _told(value: Any) -> str:
    """Say what a setting is: its type, those of its parts, or what it sets."""
    if isinstance(value, (list, tuple)):
        return ', '.join(_told(item) for item in value)
    if not isinstance(value, Mapping):
        return str(value)
    optimizer = value.get('optimizer')
    kind = (optimizer if isinstance(optimizer, Mapping) else value).get('type') or ', '.join(map(str, value))
    return str(getattr(kind, '__name__', kind))
