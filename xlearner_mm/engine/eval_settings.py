"""Settings by source of validation and test."""

from collections.abc import Collection, Mapping
from typing import Any, Optional

from mmengine.runner import Runner

from xlearner_mm.datasets import CheckedDataset, build_stock
from xlearner_mm.utils import as_dict_by_source

from .first_samples import FirstSamples


def numbers_by_source(setting: str, numbers: Any, sources: Collection[str]) -> dict[str, int]:
    """Check a setting that gives numbers by source.

    Args:
        setting (str): Its name in a config, e.g. ``val_cfg.max_samples``.
        numbers (Mapping[str, int], optional): Its value.
        sources (Collection[str]): Sources that are evaluated.

    Returns:
        dict[str, int]: The numbers; none for None.

    Raises:
        TypeError: If it is no dict.
        ValueError: If it names another source, or a number is not a positive integer.
    """
    if numbers is None:
        return {}
    by_source = as_dict_by_source(numbers, setting)
    for source, number in by_source.items():
        if source not in sources:
            raise ValueError(f'{setting} names the source {source!r}; those with data are {", ".join(sources)}.')
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(f'{setting}.{source}={number!r} must be a positive integer.')
    return by_source


def build_eval_loader(runner: Runner, mode: str, source: str, cfg: Any, limit: Optional[int]) -> Any:
    """Build a source's stock loader, with the errors of :class:`CheckedDataset`.

    Args:
        runner (Runner): The runner.
        mode (str): What it is for, ``val`` or ``test``.
        source (str): The source.
        cfg (dict or DataLoader): Config of its loader, or the loader.
        limit (int, optional): Number of samples to take, the first ones.

    Returns:
        DataLoader: The loader.

    Raises:
        TypeError: If there is a limit for a loader that is built already.
        ValueError: If the data set cannot be built.
    """
    setting = f'{mode}_dataloader.{source}'
    if not isinstance(cfg, Mapping):
        if limit is not None:
            raise TypeError(f'{mode}_cfg.max_samples.{source} needs the config of a loader in {setting}, got a '
                            f'{type(cfg).__name__}.')
        return cfg
    dataset: Any = CheckedDataset(source, build_stock(source, cfg['dataset'], f'{setting}.dataset'))
    if limit is not None:
        dataset = FirstSamples(dataset, limit)
    return runner.build_dataloader(dict(cfg, dataset=dataset), seed=runner.seed)
