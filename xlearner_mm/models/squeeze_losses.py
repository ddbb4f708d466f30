"""The losses of a source in the squeeze phase."""

from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from .normalisation import Normalisation
from .squeeze import Squeezer
from .weighting import weigh_losses


def squeeze_losses(squeeze: Squeezer, branch: BaseModel, task: str, inputs: Tensor,
                   data_samples: Any) -> dict[str, Any]:
    """Give the losses of a source in the squeeze phase: supervised ones and hints (ours).

    Args:
        squeeze (Squeezer): The squeeze stage.
        branch (BaseModel): The source's stock model.
        task (str): Task of the source.
        inputs (Tensor): Images of shape ``(N, 3, H, W)``.
        data_samples (list): Stock data samples.

    Returns:
        dict[str, Tensor or list[Tensor]]: By key.
    """
    supervised = squeeze.supervised.at(squeeze.step)
    losses: dict[str, Any] = {}
    with squeeze.recording() as passes:
        if supervised > 0:
            losses = weigh_losses(branch(inputs, data_samples, mode='loss'), supervised)
        else:
            squeeze(inputs, task, last=0)
    normalisation = Normalisation.none()
    if squeeze.teachers.external:
        normalisation = normalisation.then_by(branch.data_preprocessor)
    for images, features in passes:
        for key, value in squeeze.hint_losses(images, features, task, normalisation).items():
            losses[key] = losses.get(key, 0) + value / len(passes)
    return losses
