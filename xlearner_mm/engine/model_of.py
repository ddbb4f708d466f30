"""The model that a runner trains."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def model_of(runner: Runner) -> Any:
    """Give the model of a runner, without its distributed wrapper (ours).

    Args:
        runner (Runner): The runner.

    Returns:
        nn.Module: The model.
    """
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
