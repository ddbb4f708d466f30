"""Refusing checkpoints that do not fit."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from xlearner_mm.registry import HOOKS

from .model_of import model_of

_SHOWN = 3


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Refuse a checkpoint that is not the whole model (ours).

    mmengine loads what fits and names the rest in the log: a test would go on with weights that are partly random.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare a checkpoint with the model, before its weights enter it.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): What was loaded.

        Raises:
            ValueError: If a weight is missing, unknown or of another shape.
        """
        saved = checkpoint.get('state_dict', checkpoint)
        own = model_of(runner).state_dict()
        misfits = dict(
            missing=[key for key in own if key not in saved],
            unknown=[key for key in saved if key not in own],
            differing=[f'{key}: {tuple(saved[key].shape)} instead of {tuple(own[key].shape)}'
                       for key in own if key in saved and saved[key].shape != own[key].shape])
        told = [f'{len(keys)} {kind} ({"; ".join(keys[:_SHOWN])}{"; ..." if len(keys) > _SHOWN else ""})'
                for kind, keys in misfits.items() if keys]
        if told:
            raise ValueError(f'The checkpoint {runner._load_from} does not fit the model of the config; weights that '
                             f'are {", ".join(told)}. Give the config of its run.')
