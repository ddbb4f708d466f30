"""Training on top of a backbone that stays as it is."""

from typing import Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from xlearner_mm.registry import HOOKS

from .model_of import model_of


@HOOKS.register_module()
class FrozenBackboneHook(Hook):
    """Keep a stock model's backbone as it is: no gradients, and no updates of statistics.

    It works for every family, where ``frozen_stages`` of the stock backbones differ in what they freeze. The loops put
    the whole model into training mode again and again, so it is frozen anew before every iteration.
    """

    def before_train(self, runner: Runner) -> None:
        """Take the backbone out of the training.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If the model has no backbone.
        """
        backbone = getattr(model_of(runner), 'backbone', None)
        if backbone is None:
            raise ValueError(f'FrozenBackboneHook: {type(model_of(runner)).__name__} has no backbone.')
        backbone.requires_grad_(False)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Put the backbone into evaluation mode.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            data_batch (dict, optional): The batch.
        """
        model_of(runner).backbone.eval()
