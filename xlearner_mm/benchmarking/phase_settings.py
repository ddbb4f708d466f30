"""What a config sets for a phase."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from xlearner_mm.utils import loader_settings


def phase_settings(cfg: Config, phase: str, sources: Sequence[str] = ()) -> tuple[Any, Any]:
    """Find loader and optimizer of a phase.

    Args:
        cfg (Config): Config of a run.
        phase (str): ``expansion`` or ``squeeze``.
        sources (Sequence[str]): Sources that are left in the loader; all where it is empty.

    Returns:
        tuple[ConfigDict, ConfigDict]: ``train_dataloader`` and ``optim_wrapper``; a squeeze has the expansion's where
            it has none of its own.

    Raises:
        ValueError: If one is missing, or the loader has no such source.
    """
    loader = copy.deepcopy(loader_settings(cfg, phase))
    optim = cfg.get('optim_wrapper')
    for hook in cfg.get('custom_hooks') or ():
        if phase == 'squeeze' and str(hook.get('type', '')).split('.')[-1] == 'ExpansionSqueezeHook':
            optim = (hook.get('squeeze') or {}).get('optim_wrapper', optim)
    if not isinstance(optim, Mapping):
        raise ValueError(f'{cfg.filename} has no optim_wrapper, so there is no train step to measure. Set '
                         'optim_wrapper=dict(optimizer=...).')
    if sources:
        _keep(loader, sources)
    return loader, optim


def _keep(loader: Any, sources: Sequence[str]) -> None:
    """Leave only some sources in a loader."""
    known = loader.dataset.sources
    unknown = [source for source in sources if source not in known]
    if unknown:
        raise ValueError(f'--sources {" ".join(unknown)}: the config has no such source; it has {", ".join(known)}.')
    batch_sampler = loader.get('batch_sampler') or {}
    for owner, key in ((loader.dataset, 'sources'), (loader, 'batch_size'), (batch_sampler, 'batch_size'),
                       (batch_sampler, 'ratios')):
        if isinstance(owner.get(key), Mapping):
            owner[key] = {source: value for source, value in owner[key].items() if source in sources}
    if batch_sampler.get('no_repeat'):
        batch_sampler['no_repeat'] = [source for source in batch_sampler['no_repeat'] if source in sources]
