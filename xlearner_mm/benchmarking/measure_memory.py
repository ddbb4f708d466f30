"""Peak memory of train steps."""

import copy
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Optional

import torch
from torch.profiler import ProfilerActivity, profile


def measure_memory(side: Any, batches: Sequence[Mapping[str, Any]]) -> tuple[Optional[int], str]:
    """Measure the peak of a model's first steps: parameters and buffers, and the most that the steps take besides.

    Memory of tensors, as torch's allocators know it; what a library holds for itself is not in it.

    Args:
        side (JointSide or StockSide): The model with its optimizer; it does the steps.
        batches (Sequence[Mapping]): Batches by source. A single one is trained twice: the second step of an optimizer
            has its state besides.

    Returns:
        tuple[int or None, str]: Bytes, None if it could not be measured; and how, or why not.
    """
    def _run() -> None:
        for batch in batches if len(batches) > 1 else [*batches, *batches]:
            side.step(copy.deepcopy(batch))

    device = next(side.model.parameters()).device
    held = sum(t.numel() * t.element_size() for t in chain(side.model.parameters(), side.model.buffers()))
    if device.type == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _run()
        torch.cuda.synchronize()
        return held + torch.cuda.max_memory_allocated() - before, 'torch.cuda.max_memory_allocated'
    if device.type != 'cpu':
        return None, f'not measured on a device of type {device.type}'
    return held + _most_on_the_cpu(_run), 'tensors on the CPU, torch.profiler'


def _most_on_the_cpu(run: Callable[[], None]) -> int:
    """Give the most bytes of tensors that were there at once, of those that came while it ran."""
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # else builds for GPUs complain on stderr that there is none
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        first = torch.empty(1)  # what earlier profiles counted and is still there is in the total of this one
        run()
        del first
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'trace.json'
        profiler.export_chrome_trace(str(path))
        events = [event for event in json.loads(path.read_text())['traceEvents'] if event.get('name') == '[memory]']
    totals = [event['args']['Total Allocated'] for event in sorted(events, key=lambda event: event['ts'])]
    return max(totals) - totals[0]
