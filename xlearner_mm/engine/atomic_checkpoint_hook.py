"""Checkpoints that a killed run cannot break."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from xlearner_mm.registry import HOOKS
from xlearner_mm.utils import atomic_write

from .atomic_local_backend import ATOMIC_LOCAL


def save_resumable(runner: Runner, folder: str, filename: str, meta: dict[str, Any], **kwargs: Any) -> None:
    """Save a checkpoint in one step, then name it as the one that ``--resume`` takes (ours).

    Args:
        runner (Runner): The runner.
        folder (str): Folder for the checkpoint.
        filename (str): Its name.
        meta (dict): ``epoch`` and ``iter`` that are done.
        **kwargs: Further arguments of ``Runner.save_checkpoint``.
    """
    runner.save_checkpoint(
        folder, filename, meta=meta, by_epoch=False, backend_args=dict(backend=ATOMIC_LOCAL), **kwargs)
    if is_main_process():
        atomic_write(Path(runner.work_dir) / 'last_checkpoint', str(Path(folder) / filename).encode())


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

    _default_greater_keys = [*CheckpointHook._default_greater_keys, 'delta_mtl']

    def __init__(self, interval: int = -1, **kwargs: Any) -> None:
        fixed = {'by_epoch', 'backend_args', 'file_client_args'} & set(kwargs)
        if fixed:
            raise TypeError(f'AtomicCheckpointHook sets {sorted(fixed)} itself: it counts iterations and writes local '
                            "files. Use mmengine's CheckpointHook for anything else.")
        super().__init__(interval=interval, by_epoch=False, backend_args=dict(backend=ATOMIC_LOCAL), **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Check that checkpoints fall between steps of the optimizer, and remove what a killed run left half-written.

        Args:
            runner (Runner): The runner of the training process.

        Raises:
            ValueError: If a checkpoint would fall between two steps of the optimizer.
        """
        super().before_train(runner)
        self.check_boundaries(runner, runner.optim_wrapper._accumulative_counts)
        if is_main_process():
            for leftover in Path(self.out_dir).glob('.*.pth.*.tmp'):
                leftover.unlink()

    def check_boundaries(self, runner: Runner, accumulative_counts: int) -> None:
        """Check that checkpoints fall between steps of an optimizer.

        Args:
            runner (Runner): The runner.
            accumulative_counts (int): Iterations of a step of the optimizer.

        Raises:
            ValueError: If one would not.
        """
        due = dict(interval=self.interval, save_begin=self.save_begin)
        if self.save_best:
            due['val_interval'] = runner.train_loop.val_interval
        for name, iterations in due.items():
            if iterations > 0 and iterations % accumulative_counts:
                raise ValueError(f'Checkpoints with {name}={iterations}, which is no multiple of accumulative_counts='
                                 f'{accumulative_counts}, would lack gradients that wait for the next step. Use a '
                                 'multiple.')

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save the best checkpoint as mmengine does, but delete the old one only when the new one stands."""
        if self.save_best:
            with self.file_backend.removing_later():
                super()._save_best_checkpoint(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save the checkpoint of a step, then delete outdated ones (the order is mmengine's turned round)."""
        outdated = self._register_step(runner, step)
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        save_resumable(runner, self.out_dir, filename, meta, save_optimizer=self.save_optimizer,
                       save_param_scheduler=self.save_param_scheduler, **self.args)
        if is_main_process():
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
