"""A hook that kills its process, as a power cut does."""

import os
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """SIGKILL at the start of an iteration, or while its checkpoint is being written but not yet in its place."""

    priority = 'LOWEST'

    def __init__(self, at: int, saving: bool = False) -> None:
        self.at = at
        self.saving = saving

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not self.saving and runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def before_save_checkpoint(self, runner, checkpoint):
        if self.saving and runner.iter == self.at:
            os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
