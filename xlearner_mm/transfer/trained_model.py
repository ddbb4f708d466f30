"""A trained X-Learner out of its checkpoint, and the data of its run."""

import copy
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Union

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings
from torch import Tensor

from xlearner_mm.models import Phase, XLearner
from xlearner_mm.registry import MODELS
from xlearner_mm.utils import loader_settings

from .literal_config import parse_literal_config
from .registered_types import check_types
from .safe_checkpoint import is_state_dict, read_checkpoint


def read_run(checkpoint: Union[str, Path]) -> tuple[Config, dict[str, Any]]:
    """Read the checkpoint of a run; nothing in it is executed.

    Modules that its config names in ``custom_imports`` are imported as in training: they are the user's own.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.

    Returns:
        tuple[Config, dict]: The config of the run, and what the checkpoint holds.

    Raises:
        ImportError: If a custom module cannot be imported.
        OSError: If the file cannot be read.
        ValueError: If it is no such checkpoint, or names code.
    """
    loaded = read_checkpoint(checkpoint)
    meta = loaded.get('meta')
    text = meta.get('cfg') if isinstance(meta, dict) else None
    if not is_state_dict(loaded.get('state_dict')) or not isinstance(text, str):
        raise ValueError(f'{checkpoint} is no checkpoint of a training run: it needs state_dict and meta.cfg.')
    cfg = Config(parse_literal_config(text, f'meta.cfg of {checkpoint}'))
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(f'{checkpoint} is no checkpoint of a training run: its config has no model.')
    _import_custom_modules(cfg)
    check_types(cfg.model, f'model in meta.cfg of {checkpoint}')
    if cfg.get('default_scope'):
        init_default_scope(cfg.default_scope)
    return cfg, loaded


def load_model(checkpoint: Union[str, Path]) -> tuple[XLearner, Config, dict[str, Any]]:
    """Build the model of a run and load its weights; it is in the phase that it was saved in.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.

    Returns:
        tuple[XLearner, Config, dict]: The model in eval mode, the config of the run, and what the checkpoint holds.

    Raises:
        ValueError: If it is no such checkpoint, or does not fit its own config.
    """
    cfg, loaded = read_run(checkpoint)
    model = MODELS.build(copy.deepcopy(cfg.model))  # stock models write into what they are built from
    if not isinstance(model, XLearner):
        raise ValueError(f'{checkpoint} holds a {type(model).__name__}, no X-Learner.')
    try:
        model.load_state_dict(loaded['state_dict'])
    except RuntimeError as error:
        raise ValueError(f'{checkpoint} does not fit the config that it holds: {error}') from error
    return model.eval(), cfg, loaded


def load_squeezed(checkpoint: Union[str, Path]) -> tuple[XLearner, Config, dict[str, Any]]:
    """Load the model of a run that was saved in its squeeze.

    Args:
        checkpoint (str or Path): Checkpoint of an X-Learner run.

    Returns:
        tuple[XLearner, Config, dict]: As :func:`load_model`; the model is in its squeeze.

    Raises:
        ValueError: If it is no such checkpoint, or does not fit its own config.
    """
    model, cfg, loaded = load_model(checkpoint)
    if model.phase is not Phase.SQUEEZE:
        raise ValueError(f'{checkpoint} was saved before a squeeze: its student is untrained. Take a later checkpoint.')
    return model, cfg, loaded


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
    settings = loader_settings(cfg, 'squeeze')
    check_types(settings, 'train_dataloader')
    loader = Runner.build_dataloader(settings, seed=(cfg.get('randomness') or {}).get('seed'))
    loader.batch_sampler.set_state(loader.batch_sampler.initial_state())
    for batch in islice(loader, steps):
        for source, data in batch.items():
            yield source, model.data_preprocessor({source: data}, True)['inputs'][source]


def _import_custom_modules(cfg: Config) -> None:
    custom = cfg.get('custom_imports')
    if custom:
        try:
            import_modules_from_strings(**custom)
        except ImportError as error:
            raise ImportError(f'Failed to import custom modules from {custom.to_dict()}: {error}. Set `PYTHONPATH` to '
                              'the folder that they are in.') from error
