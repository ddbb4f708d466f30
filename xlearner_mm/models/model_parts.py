"""What an X-Learner model consists of, and what each part costs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, Optional, Union

import torch
from torch import Tensor, nn

from xlearner_mm.utils import kind_of

from .branch import ports_of
from .cost import count_flops, count_parameters
from .expansion import ExpandedBackbone, StagedBackbone, StageShape, build_staged_backbone, plain_pass
from .phase import Phase
from .squeeze import Squeezer
from .xlearner import XLearner

SHARED = 'backbone'  # stands for the task of a backbone that all sources share


class BackbonePart(NamedTuple):
    """A sub-backbone, a shared backbone or the student; ``flops`` of its plain pass, ``all_flops`` with its links.

    ``shapes`` are those of its levels.
    """

    kind: str
    shapes: tuple[StageShape, ...]
    parameters: int
    flops: int
    all_flops: int


class LinkPart(NamedTuple):
    """A link from ``source``'s stage ``read`` into ``receiver``'s stage ``stage``."""

    source: str
    read: int
    receiver: str
    stage: int
    parameters: int
    flops: int


class BranchPart(NamedTuple):
    """A source's stock model without its backbone; ``flops`` is None where it does not run on an image alone.

    ``kind`` says how many parts are another source's; their parameters are not counted here, their operations are.
    """

    kind: str
    task: str
    parameters: int
    flops: Optional[int]


class ConnectorPart(NamedTuple):
    """The connectors from the student to the features of one teacher, at the stages that are compared."""

    stages: tuple[int, ...]
    parameters: int
    flops: int


@dataclass(frozen=True)
class ModelParts:
    """The parts of an X-Learner model (ours). Operations are those of one image, counted by :func:`count_flops`.

    Args:
        size (tuple[int, int]): Height and width of the image.
        parameters (int): Of the whole model.
        trained (dict[str, int]): Parameters that are trained, by phase.
        backbones (dict[str, BackbonePart]): By task; under ``SHARED`` a backbone that all sources share.
        branches (dict[str, BranchPart]): By source.
        links (tuple[LinkPart]): Links of the expansion.
        student (BackbonePart, optional): Student of the squeeze.
        connectors (dict[str, ConnectorPart]): By teacher.
        teachers (dict[str, BackbonePart]): External teachers by name.
        squeeze_branches (dict[str, BranchPart]): By source, those that the squeeze has of its own.
    """

    size: tuple[int, int]
    parameters: int
    trained: dict[str, int]
    backbones: dict[str, BackbonePart]
    branches: dict[str, BranchPart]
    links: tuple[LinkPart, ...] = ()
    student: Optional[BackbonePart] = None
    connectors: dict[str, ConnectorPart] = field(default_factory=dict)
    teachers: dict[str, BackbonePart] = field(default_factory=dict)
    squeeze_branches: dict[str, BranchPart] = field(default_factory=dict)

    @property
    def rows(self) -> list[Union[BackbonePart, LinkPart, BranchPart, ConnectorPart]]:
        """All parts."""
        student = [] if self.student is None else [self.student]
        return [*self.backbones.values(), *self.links, *self.branches.values(), *student, *self.connectors.values(),
                *self.teachers.values(), *self.squeeze_branches.values()]

    @property
    def other_parameters(self) -> int:
        """Parameters that are in no part; negative if parts share some."""
        return self.parameters - sum(row.parameters for row in self.rows)


def model_parts(model: XLearner, size: tuple[int, int] = (224, 224)) -> ModelParts:
    """Take stock of a model; it is left as it was.

    Args:
        model (XLearner): The model.
        size (tuple[int, int]): Height and width of the image whose pass is counted.

    Returns:
        ModelParts: Its parts.

    Raises:
        ValueError: If a backbone cannot be run at this size.
    """
    weight = next(model.parameters())
    image = torch.zeros(1, 3, *size, dtype=weight.dtype, device=weight.device)
    phase = model.phase
    with plain_pass(model):
        try:
            model.set_phase(Phase.EXPANSION)
            trained = dict(expansion=count_parameters(model.backbone, *model.branches.values(), trained=True))
            backbones, links = _backbones(model, image)
            branches = _branches(model, model.branches, image)
            parts = ModelParts(size, count_parameters(model), trained, backbones, branches, links)
            return parts if model.squeeze is None else _with_squeeze(parts, model, model.squeeze, image)
        except (AssertionError, RuntimeError) as error:  # stock backbones assert what they want of a size
            raise ValueError(f'The backbone does not run on an image of {size[0]}×{size[1]} pixels: {error}. Give '
                             'another --size.') from error
        finally:
            model.set_phase(phase)


def _backbones(model: XLearner, image: Tensor) -> tuple[dict[str, BackbonePart], tuple[LinkPart, ...]]:
    """Take stock of the backbone of the expansion and of its links."""
    expanded = model.backbone
    if not isinstance(expanded, ExpandedBackbone):
        return {SHARED: _backbone(build_staged_backbone(expanded), image)}, ()
    backbones, links = {}, []
    for task, staged in expanded.staged.items():
        modules = _links_into(expanded, task)
        flops, of_links = count_flops(partial(expanded.forward, image, task), list(modules.values()))
        backbones[task] = _backbone(staged, image)._replace(all_flops=flops)
        links += [LinkPart(source, read, task, stage, count_parameters(module), of_link)
                  for ((source, read, stage), module), of_link in zip(modules.items(), of_links, strict=True)]
    return backbones, tuple(links)


def _links_into(expanded: ExpandedBackbone, task: str) -> dict[tuple[str, int, int], nn.Module]:
    """Find the links into a task by the task and the stage that they read, and the stage that receives."""
    links = {}
    for source, modules in expanded.reconciliation.links[task].items():
        for name, module in modules.items():
            read, stage = map(int, name.split('_to_'))
            links[source, read, stage] = module
    return links


def _backbone(staged: StagedBackbone, image: Tensor) -> BackbonePart:
    flops, _ = count_flops(lambda: staged.features(image))
    return BackbonePart(kind_of(staged.backbone), tuple(staged.level_shapes()), count_parameters(staged.backbone),
                        flops, flops)


def _branches(model: XLearner, branches: nn.ModuleDict, image: Tensor) -> dict[str, BranchPart]:
    """Take stock of the branches of the present phase; a shared part counts as its owner's."""
    parts = {}
    for source, branch in branches.items():
        borrowed = len(model.shared.borrowed(source, branch))
        more = f' + {borrowed} of {model.shared.owner(source, branches)}' if borrowed else ''
        parts[source] = BranchPart(kind_of(branch) + more, model.tasks[source], count_parameters(branch),
                                   _flops_of(branch, image))
    return parts


def _flops_of(branch: nn.Module, image: Tensor) -> Optional[int]:
    """Count the operations of a stock model without its backbone."""
    try:
        flops, of_ports = count_flops(lambda: branch(image, None, mode='tensor'), ports_of(branch))
    except Exception:  # whatever a stock model raises that wants annotations or proposals
        return None
    return flops - sum(of_ports)


def _with_squeeze(parts: ModelParts, model: XLearner, squeeze: Squeezer, image: Tensor) -> ModelParts:
    """Add what the squeeze has."""
    model.set_phase(Phase.SQUEEZE)
    own = [module for name, module in squeeze.named_children() if name != 'branches']
    used = [part for source in model.branches for part in
            (model.branch(source), *model.shared.borrowed(source, model.branch(source)))]
    with torch.no_grad():
        features = squeeze.staged.level_maps(squeeze.staged.features(image))
    connectors = {name: _connectors(squeeze, name, features) for name in squeeze.connectors}
    return replace(
        parts,
        trained=dict(parts.trained, squeeze=count_parameters(*own, *used, trained=True)),
        student=_backbone(squeeze.staged, image),
        connectors=connectors,
        teachers={name: _backbone(teacher.staged, image) for name, teacher in squeeze.teachers.external.items()},
        squeeze_branches=_branches(model, squeeze.branches, image))


def _connectors(squeeze: Squeezer, name: str, features: Sequence[Tensor]) -> ConnectorPart:
    modules = squeeze.connectors[name]
    flops = sum(count_flops(partial(modules[pair.key], features[:pair.student + 1]))[0] for pair in squeeze.pairs)
    return ConnectorPart(tuple(pair.student for pair in squeeze.pairs), count_parameters(*modules.values()), flops)
