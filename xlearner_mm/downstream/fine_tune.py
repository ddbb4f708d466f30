"""A stock training run whose last validation is the figure."""

from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from xlearner_mm.datasets import build_stock


class _LastMetrics(Hook):
    """Keeps the metrics of the latest validation, and when it was."""

    metrics: Optional[dict[str, float]] = None
    iteration = -1

    def after_val_epoch(self, runner: Runner, metrics: Optional[dict[str, float]] = None) -> None:
        """Keep the metrics."""
        self.metrics, self.iteration = metrics, runner.iter


def fine_tune(cfg: Config, work_dir: str) -> dict[str, Any]:
    """Train a stock model, from the beginning if an earlier run was stopped, and validate it.

    mmengine saves no random state: a run that goes on would end with another figure than one that was not stopped.

    Args:
        cfg (Config): Stock config.
        work_dir (str): Folder of the run.

    Returns:
        dict: Metrics of the trained model, by their stock keys.
    """
    _check_data(cfg)
    cfg.work_dir, cfg.resume = work_dir, False
    for left in (Path(work_dir, 'last_checkpoint'), *Path(work_dir).glob('*.pth')):
        left.unlink(missing_ok=True)
    runner = Runner.from_cfg(cfg)
    last = _LastMetrics()
    runner.register_hook(last)
    runner.train()
    if last.metrics is None or last.iteration < runner.max_iters:
        runner.val_loop.run()
    return dict(last.metrics or {})


def _check_data(cfg: Config) -> None:
    """Let the data sets read their annotations: the stock errors name no set, and mmseg's are assertions."""
    for part in ('train', 'val'):
        dataset = dict(cfg[f'{part}_dataloader'].dataset.to_dict(), _scope_=cfg.default_scope)
        build_stock(f'{cfg.job.result.set}_{part}', dataset, f'{part}_dataloader.dataset')
