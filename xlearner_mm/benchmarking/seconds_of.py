"""The clock of a benchmark."""

import time
from collections.abc import Callable
from typing import Any

import torch


def seconds_of(run: Callable[..., Any], *args: Any) -> float:
    """Measure a call; a GPU has finished before it and after it.

    Args:
        run (Callable): What is called.
        *args: Its arguments.

    Returns:
        float: Seconds.
    """
    _wait()
    begin = time.perf_counter()
    run(*args)
    _wait()
    return time.perf_counter() - begin


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
