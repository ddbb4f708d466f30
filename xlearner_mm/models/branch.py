"""A source's branch: a stock model whose backbone is a port."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import torch
from mmengine.model import BaseModel
from torch import nn

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import as_dict_by_source, keyed_rng, with_scope

from .backbone_port import BackbonePort
from .keyed_module_dict import KeyedModuleDict

_CLASS_HEADS = ('head', 'bbox_head', 'roi_head.bbox_head', 'mask_head', 'panoptic_head', 'decode_head')


@dataclass(frozen=True)
class BranchCfg:
    """What a config says of a source's branch.

    Args:
        task (str): Task of the source; names the sub-backbone that it enters.
        model (dict): Config of the stock model, its backbone a :class:`BackbonePort`.
        loss_weight (float): Weight of the source's losses in the total loss.
        checkpoint (str, optional): Checkpoint of the same stock model, backbone included, to start from.
        micro_batches (int): Parts that a batch of the source runs in, one after the other, each with a backward of its
            own: memory of a part, gradients of the whole (BN sees a part).
    """

    task: str
    model: Any
    loss_weight: float = 1.0
    checkpoint: Optional[str] = None
    micro_batches: int = 1


def parse_branches(branches: Any, tasks: Optional[list[str]]) -> dict[str, BranchCfg]:
    """Read and check the configs of all branches.

    Args:
        branches (dict): Entry by source, ``model.branches``.
        tasks (list[str], optional): Tasks that have a sub-backbone; None where all share one backbone.

    Returns:
        dict[str, BranchCfg]: The checked entries.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If a source's name, task or weight is not valid, or two checkpoints are for one backbone.
    """
    cfgs = {source: parse_branch(source, cfg, tasks)
            for source, cfg in as_dict_by_source(branches, 'model.branches').items()}
    check_checkpoints(cfgs, shared=tasks is None)
    return cfgs


def parse_branch(source: str, cfg: Mapping[str, Any], tasks: Optional[list[str]] = None) -> BranchCfg:
    """Read and check the config of a branch.

    Args:
        source (str): Name of the source.
        cfg (dict): Its entry in ``model.branches``.
        tasks (list[str], optional): Tasks that have a sub-backbone; any task is allowed without.

    Returns:
        BranchCfg: The checked entry.

    Raises:
        TypeError: If the entry is no dict, or has a wrong or a missing key.
        ValueError: If the task is unknown or the weight negative.
    """
    if not isinstance(cfg, Mapping):
        raise TypeError(f'model.branches.{source} must be dict(task=..., model=...), got {cfg!r}.')
    try:
        branch = BranchCfg(**cfg)
    except TypeError as error:
        raise TypeError(f'model.branches.{source} takes the keys {", ".join(BranchCfg.__annotations__)}, got '
                        f'{sorted(cfg)}: {error}.') from error
    if tasks is not None and branch.task not in tasks:
        raise ValueError(f'Source {source!r} is of task {branch.task!r}, which has no sub-backbone. Tasks with one: '
                         f'{", ".join(tasks)}. Mend the task, or add it to model.backbone.sub_backbones.')
    if not branch.loss_weight >= 0:
        raise ValueError(f'loss_weight={branch.loss_weight!r} of source {source!r} must not be negative.')
    parts = branch.micro_batches
    if isinstance(parts, bool) or not isinstance(parts, int) or parts < 1:
        raise ValueError(f'micro_batches={branch.micro_batches!r} of source {source!r} must be a positive integer.')
    return branch


def check_checkpoints(branches: Mapping[str, BranchCfg], shared: bool) -> None:
    """Refuse two checkpoints for one backbone.

    Args:
        branches (Mapping[str, BranchCfg]): Branch config by source.
        shared (bool): Whether all tasks share one backbone.

    Raises:
        ValueError: If several sources would load their backbone into the same one.
    """
    taken: dict[str, str] = {}
    for source, cfg in branches.items():
        if cfg.checkpoint is not None:
            backbone = '' if shared else cfg.task
            if backbone in taken:
                raise ValueError(f'model.branches gives {taken[backbone]!r} and {source!r} a checkpoint each, and both '
                                 'would be loaded into the same backbone. Take one of them out.')
            taken[backbone] = source


def build_branches(cfgs: Mapping[str, BranchCfg]) -> KeyedModuleDict:
    """Build all stock models, each from a seed of its own.

    Args:
        cfgs (Mapping[str, BranchCfg]): Branch config by source.

    Returns:
        KeyedModuleDict: Stock model by source.
    """
    branches = KeyedModuleDict()
    for source, cfg in cfgs.items():
        with keyed_rng(torch.initial_seed(), 'branches', source):
            branches[source] = build_branch(source, cfg.model)
    return branches


def build_branch(source: str, model: Any) -> BaseModel:
    """Build a source's stock model.

    Args:
        source (str): Name of the source.
        model (dict or BaseModel): Config with a prefixed type such as ``mmdet.FasterRCNN``, or the model itself.

    Returns:
        BaseModel: The model.

    Raises:
        TypeError: If it is no OpenMMLab model.
        ValueError: If there is no port in it.
    """
    built = model if isinstance(model, nn.Module) else MODELS.build(with_scope(model))
    if not isinstance(built, BaseModel):
        raise TypeError(f'The branch of source {source!r} must be a model of an OpenMMLab library (a BaseModel), got '
                        f'{type(built).__name__}. Write its type with the prefix, e.g. mmdet.FasterRCNN.')
    if not ports_of(built):
        raise ValueError(f'The model of source {source!r} has a backbone of its own and would not train the shared '
                         "one. Set its backbone=dict(type='xlearner_mm.BackbonePort', out_indices=...).")
    return built


def ports_of(model: nn.Module) -> list[BackbonePort]:
    """Find the ports in a model.

    Args:
        model (nn.Module): A branch.

    Returns:
        list[BackbonePort]: The ports.
    """
    return [m for m in model.modules() if isinstance(m, BackbonePort)]


def class_head_of(model: nn.Module) -> Any:
    """Find the head of a stock model that knows its number of classes.

    Args:
        model (nn.Module): A branch.

    Returns:
        nn.Module or None: The head (the last one of a cascade); None if the model has none of the usual ones.
    """
    for path in _CLASS_HEADS:
        head: Any = model
        for name in path.split('.'):
            head = getattr(head, name, None)
        if isinstance(head, nn.ModuleList):
            head = head[-1]
        if isinstance(getattr(head, 'num_classes', None), int):
            return head
    return None
