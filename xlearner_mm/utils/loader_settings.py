"""The train loader of each phase of a run."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config


def loader_settings(cfg: Config, phase: str) -> Any:
    """Find the train loader of a phase in a config.

    Args:
        cfg (Config): Config of a run.
        phase (str): ``expansion`` or ``squeeze``. A squeeze without its own loader has the expansion's.

    Returns:
        ConfigDict: Its settings.

    Raises:
        ValueError: If there is no train loader of several sources, or no squeeze.
    """
    if not isinstance((cfg.get('train_dataloader') or {}).get('dataset', {}).get('sources'), Mapping):
        raise ValueError(f'{cfg.filename} has no train_dataloader.dataset.sources to draw from. Give the config of an '
                         "X-Learner run, with train_dataloader.dataset=dict(type='xlearner_mm.MultiSourceDataset', "
                         'sources=...).')
    if phase == 'expansion':
        return cfg.train_dataloader
    for hook in cfg.get('custom_hooks') or ():
        if str(hook.get('type', '')).split('.')[-1] == 'ExpansionSqueezeHook':
            return (hook.get('squeeze') or {}).get('train_dataloader', cfg.train_dataloader)
    raise ValueError(f'{cfg.filename} has no ExpansionSqueezeHook in custom_hooks, so there is no squeeze with '
                     'data. Leave --phase out.')
