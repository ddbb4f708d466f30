"""The clock of a benchmark."""

from collections.abc import Callable
from typing import Any

from xlearner_mm.utils import device_time


def seconds_of(run: Callable[..., Any], *args: Any) -> float:
    """Measure a call; a GPU has finished before it and after it.

    Args:
        run (Callable): What is called.
        *args: Its arguments.

    Returns:
        float: Seconds.
    """
    begin = device_time()
    run(*args)
    return device_time() - begin
