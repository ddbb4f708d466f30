"""Where a student begins."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def start_state(start: str, sub_backbones: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Give the weights that a student begins with: those of a sub-backbone, or the mean of all (ours).

    Counters, such as the number of batches that a norm has seen, are the largest ones.

    Args:
        start (str): A task, or ``mean``.
        sub_backbones (Mapping[str, nn.Module]): The sub-backbones by task.

    Returns:
        dict[str, Tensor]: State dict for the student.
    """
    if start in sub_backbones:
        return sub_backbones[start].state_dict()
    states = [backbone.state_dict() for backbone in sub_backbones.values()]
    means = {}
    for key, first in states[0].items():
        values = torch.stack([state[key] for state in states])
        means[key] = values.mean(0) if first.is_floating_point() else values.amax(0)
    return means


def check_start(start: str, student: nn.Module, sub_backbones: Mapping[str, nn.Module]) -> None:
    """Refuse a start that the student cannot take.

    Args:
        start (str): ``scratch``, ``mean`` or a task.
        student (nn.Module): The student.
        sub_backbones (Mapping[str, nn.Module]): The sub-backbones by task.

    Raises:
        ValueError: If it is none of these, or keys or shapes of the weights differ.
    """
    if start == 'scratch':
        return
    if start != 'mean' and start not in sub_backbones:
        raise ValueError(f"squeeze.start={start!r} must be 'scratch', 'mean' or a task: {', '.join(sub_backbones)}.")
    own = {key: value.shape for key, value in student.state_dict().items()}
    for task in [start] if start in sub_backbones else sub_backbones:
        found = {key: value.shape for key, value in sub_backbones[task].state_dict().items()}
        if found != own:
            odd = sorted(key for key in {**own, **found} if own.get(key) != found.get(key))
            raise ValueError(f'squeeze.start={start!r} needs a student that is built as the sub-backbone of task '
                             f'{task!r}; they differ in {len(odd)} weights, e.g. {", ".join(odd[:3])}. Give the '
                             "student the same config, or use start='scratch'.")
