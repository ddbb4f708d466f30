"""A process that makes one figure of a suite: ``python -m xlearner_mm.downstream.run_job CONFIG PARENT``."""

import logging
import os
import sys
import threading
import time
from pathlib import Path

from mmengine.config import Config

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import user_errors

from .fine_tune import fine_tune
from .job import write_result
from .probe import probe


def end_with(parent: int, every: float = 1.0) -> None:
    """End this process when its parent has ended, even by a signal that it could not pass on.

    Two processes would write into the folder of a job if the suite is started again.

    Args:
        parent (int): Process id of the parent; it may have ended while this process was starting.
        every (float): Seconds between two looks.
    """
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run(path: Path) -> float:
    """Make a figure and leave it in the job's folder.

    Args:
        path (Path): The job's config.

    Returns:
        float: In percent.

    Raises:
        ValueError: If the set does not give its metric.
    """
    cfg, folder = Config.fromfile(path), path.parent
    how = cfg.downstream
    metrics = fine_tune(cfg, str(folder)) if how.protocol == 'fine_tune' else probe(cfg)
    if how.metric not in metrics:
        raise ValueError(f'downstream.metric={how.metric!r} of the set {cfg.job.result.set} is none of its metrics: '
                         f'{", ".join(metrics) or "it gave none"}.')
    percent = float(metrics[how.metric]) * float(how.get('scale', 1))
    write_result(cfg, folder, percent)
    return percent


def main() -> None:
    """Run the job of the command line."""
    end_with(int(sys.argv[2]))
    logging.captureWarnings(True)
    with user_errors('transfer'):
        register_all_modules()
        run(Path(sys.argv[1]))


if __name__ == '__main__':
    main()
