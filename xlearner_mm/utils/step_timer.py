"""Where the time of a train step goes."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import torch

_recording: Optional['StepTimer'] = None


class StepTimer:
    """Add up the seconds of the parts of train steps that are done inside of its ``with`` (ours).

    On a GPU every part waits for the device, so what overlaps otherwise does not: use it to measure, not to train.

    Attributes:
        seconds (dict[tuple[str, str], float]): By name of the part and source, '' for what is no source's.
    """

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)

    def __enter__(self) -> 'StepTimer':
        global _recording
        if _recording is not None:
            raise RuntimeError('A StepTimer is running already; leave its with-block first.')
        _recording = self
        return self

    def __exit__(self, *error: Any) -> None:
        global _recording
        _recording = None


@contextmanager
def timed(part: str, source: str = '') -> Iterator[None]:
    """Measure a part of a step, if a :class:`StepTimer` runs.

    Args:
        part (str): Its name.
        source (str): The source that it is done for.

    Yields:
        None: The part is done inside.
    """
    timer = _recording
    if timer is None:
        yield
        return
    begin = device_time()
    try:
        yield
    finally:
        timer.seconds[part, source] += device_time() - begin


def device_time() -> float:
    """Read the clock when a GPU has finished what it was given, if there is one.

    Returns:
        float: Seconds from some moment on.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
