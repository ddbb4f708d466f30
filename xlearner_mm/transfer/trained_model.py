"""A trained X-Learner out of its checkpoint, and the data of its run."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Union

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from xlearner_mm.models import Phase, XLearner
from xlearner_mm.registry import MODELS
from xlearner_mm.utils import loader_settings


def read_run(checkpoint: Union[str, Path]) -> tuple[Config, dict[str, Any]]:
    """Read the checkpoint of a run.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.

    Returns:
        tuple[Config, dict]: The config of the run, and what the checkpoint holds.

    Raises:
        ValueError: If it is no such checkpoint.
    """
    loaded = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    if 'state_dict' not in loaded or 'cfg' not in loaded.get('meta', {}):
        raise ValueError(f'{checkpoint} is no checkpoint of a training run: it needs state_dict and meta.cfg.')
    return Config.fromstring(loaded['meta']['cfg'], file_format='.py'), loaded


def load_squeezed(checkpoint: Union[str, Path]) -> tuple[XLearner, Config, dict[str, Any]]:
    """Build the model of a run that was saved in its squeeze, and load its weights.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.

    Returns:
        tuple[XLearner, Config, dict]: The model in eval mode and in its squeeze, the config of the run, and what the
            checkpoint holds.

    Raises:
        ValueError: If it is no such checkpoint, or does not fit its own config.
    """
    cfg, loaded = read_run(checkpoint)
    if cfg.get('default_scope'):
        init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    if not isinstance(model, XLearner):
        raise ValueError(f'{checkpoint} holds a {type(model).__name__}, no X-Learner.')
    try:
        model.load_state_dict(loaded['state_dict'])
    except RuntimeError as error:
        raise ValueError(f'{checkpoint} does not fit the config that it holds: {error}') from error
    if model.phase is not Phase.SQUEEZE:
        raise ValueError(f'{checkpoint} was saved before a squeeze: its student is untrained. Take a later checkpoint.')
    return model.eval(), cfg, loaded


@torch.no_grad()
def training_images(model: XLearner, cfg: Config, steps: int) -> Iterator[tuple[str, Tensor]]:
    """Give the images of the first steps of a squeeze, as its training sees them.

    Args:
        model (XLearner): The model.
        cfg (Config): Config of its run.
        steps (int): Number of steps.

    Yields:
        tuple[str, Tensor]: Source, and images ``(N, 3, H, W)``, normalised.
    """
    loader = Runner.build_dataloader(loader_settings(cfg, 'squeeze'), seed=(cfg.get('randomness') or {}).get('seed'))
    loader.batch_sampler.set_state(loader.batch_sampler.initial_state())
    for batch in islice(loader, steps):
        for source, data in batch.items():
            yield source, model.data_preprocessor({source: data}, True)['inputs'][source]
