"""BN statistics of a trained backbone, estimated anew."""

from collections.abc import Iterable
from pathlib import Path
from typing import Optional, Union, cast

import torch
from mmengine.logging import print_log
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from xlearner_mm.models import Squeezer
from xlearner_mm.models.expansion import StagedBackbone
from xlearner_mm.utils import atomic_save

from .trained_model import load_squeezed, training_images


def reestimate_norms(checkpoint: Union[str, Path], out: Union[str, Path], steps: int = 100,
                     task: Optional[str] = None) -> Path:
    """Write a checkpoint whose student has BN statistics of its final weights.

    In training they decay, so they are a mixture of the last weights, and of whatever sources came last. Here they are
    the mean over some steps of training data of all sources, or of one task's, for a student that will serve that task
    only (sibling: what differs between its released backbones of two tasks is BN).

    Args:
        checkpoint (str or Path): Checkpoint of a squeeze.
        out (str or Path): File to write; all but the statistics is as in the checkpoint.
        steps (int): Steps whose data are used.
        task (str, optional): Task whose sources are used; all by default.

    Returns:
        Path: The file that was written.

    Raises:
        ValueError: If the checkpoint is not of a squeeze, the task is unknown, the student has no BN to estimate, or
            the steps give no images.
    """
    model, cfg, loaded = load_squeezed(checkpoint)
    tasks = set(model.tasks.values())
    if task is not None and task not in tasks:
        raise ValueError(f'--task {task} is no task of {checkpoint}; it has {", ".join(sorted(tasks))}.')
    images = (x for source, x in training_images(model, cfg, steps) if task in (None, model.tasks[source]))
    try:
        number = estimate(cast(Squeezer, model.squeeze).staged, images)
    except ValueError as error:
        raise ValueError(f'The student of {checkpoint}: {error}') from error
    print_log(f'BN statistics of the student over {number} images.', 'current')
    atomic_save(dict(loaded, state_dict=model.state_dict()), out)
    return Path(out)


@torch.no_grad()
def estimate(staged: StagedBackbone, images: Iterable[Tensor]) -> int:
    """Estimate the statistics of a backbone's BN as the mean over some batches.

    BN that stays in eval mode in training (``norm_eval``, ``frozen_stages``) keeps its statistics: the weights were
    trained with them.

    Args:
        staged (StagedBackbone): The backbone; it is in eval mode afterwards.
        images (Iterable[Tensor]): Batches of shape ``(N, 3, H, W)``.

    Returns:
        int: Number of images.

    Raises:
        ValueError: If there is no such BN, or there are no images.
    """
    staged.backbone.train()
    norms = [m for m in staged.backbone.modules() if isinstance(m, _BatchNorm) and m.training and m.track_running_stats]
    if not norms:
        raise ValueError('it has no BN whose statistics are trained (norm_eval=True keeps them): there is nothing to '
                         'estimate.')
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch: the mean over all batches
    number = 0
    for batch in images:
        staged.features(batch)
        number += len(batch)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    staged.backbone.eval()
    if number == 0:
        raise ValueError('the steps gave no images of the task. Give more steps.')
    return number
