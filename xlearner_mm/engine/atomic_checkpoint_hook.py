"""Checkpoints that a killed run cannot break."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from xlearner_mm.registry import HOOKS
from xlearner_mm.utils import atomic_write

from .atomic_local_backend import ATOMIC_LOCAL


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` for iterations, safe against being killed at any moment (ours).

    A checkpoint is written to a temporary file, flushed and renamed; an outdated one is deleted only when the new one
    stands; checkpoints are taken between steps of the optimizer only.

    Args:
        interval (int): Iterations from one checkpoint to the next; -1 for the last iteration only.
        **kwargs: Further arguments of ``CheckpointHook`` except ``by_epoch``, ``backend_args`` and
            ``file_client_args``.

    Raises:
        TypeError: If one of those three is given.
    """

    def __init__(self, interval: int = -1, **kwargs: Any) -> None:
        fixed = {'by_epoch', 'backend_args', 'file_client_args'} & set(kwargs)
        if fixed:
            raise TypeError(f'AtomicCheckpointHook sets {sorted(fixed)} itself: it counts iterations and writes local '
                            "files. Use mmengine's CheckpointHook for anything else.")
        super().__init__(interval=interval, by_epoch=False, backend_args=dict(backend=ATOMIC_LOCAL), **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Check that checkpoints fall between steps of the optimizer.

        Args:
            runner (Runner): The runner of the training process.

        Raises:
            ValueError: If the interval is no multiple of the accumulated iterations.
        """
        super().before_train(runner)
        counts = runner.optim_wrapper._accumulative_counts
        if self.interval > 0 and self.interval % counts:
            raise ValueError(f'Checkpoint interval {self.interval} is no multiple of accumulative_counts={counts}: '
                             'gradients that wait for the next step are not in a checkpoint. Use a multiple.')

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save the checkpoint of a step, then delete outdated ones (the order is mmengine's turned round)."""
        outdated = self._register_step(runner, step)
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=False,
            backend_args=self.backend_args,
            **self.args)
        if is_main_process():
            atomic_write(Path(runner.work_dir) / 'last_checkpoint', self.last_ckpt.encode())
            for old in outdated:
                Path(self.out_dir, self.filename_tmpl.format(old)).unlink(missing_ok=True)

    def _register_step(self, runner: Runner, step: int) -> list[int]:
        """Note a step as kept; the list stands in the checkpoint, so that a resumed run goes on deleting.

        Returns:
            list[int]: Steps whose checkpoints are outdated.
        """
        if self.max_keep_ckpts <= 0:
            return []
        steps = [s for s in self.keep_ckpt_ids if s != step] + [step]
        outdated, kept = steps[:-self.max_keep_ckpts], steps[-self.max_keep_ckpts:]
        self.keep_ckpt_ids.clear()
        self.keep_ckpt_ids.extend(kept)
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        return outdated
