"""Parts of models, made by hand: pictures and tables need no model."""

from typing import Any

from xlearner_mm.models.expansion import StageShape
from xlearner_mm.models.model_parts import SHARED, BackbonePart, BranchPart, ConnectorPart, LinkPart, ModelParts


def backbone(stages: int = 4, width: int = 64) -> BackbonePart:
    shapes = tuple(StageShape(width * 2 ** i, 4 * 2 ** i) for i in range(stages))
    return BackbonePart('mmdet.ResNet', shapes, 11_176_512, 3_600_000_000, 9_000_000_000)


def links(tasks: tuple[str, ...], stages: tuple[int, ...] = (0, 1, 2)) -> tuple[LinkPart, ...]:
    return tuple(
        LinkPart(source, read, receiver, stage, 1000, 2_000_000) for receiver in tasks for source in tasks
        if source != receiver for stage in stages for read in stages if read <= stage)


def expansion(tasks: tuple[str, ...] = ('cls', 'det', 'seg'), stages: tuple[int, ...] = (0, 1, 2), squeeze: bool = True,
              **changes: Any) -> ModelParts:
    """An expansion with a source a task, called after it; the first one has a head of its own in the squeeze."""
    branches = {f'{task} data': BranchPart('mmdet.FCOS', task, 5_000, 400_000) for task in tasks}
    values: dict[str, Any] = dict(
        size=(224, 320),
        trained=dict(expansion=1),
        backbones={task: backbone() for task in tasks},
        branches=branches,
        links=links(tasks, stages))
    if squeeze:
        values.update(
            trained=dict(expansion=1, squeeze=2),
            student=backbone(width=96),
            connectors={task: ConnectorPart((2, 3), 300, 1_000_000) for task in tasks},
            squeeze_branches=dict([next(iter(branches.items()))]))
    return _with_total(values, changes)


def shared() -> ModelParts:
    """Hard sharing: one backbone, two sources."""
    branches = dict(photos=BranchPart('mmpretrain.ImageClassifier', 'cls', 195, 384),
                    boxes=BranchPart('mmdet.FasterRCNN', 'det', 5_000, None))
    return _with_total(
        dict(size=(224, 224), trained=dict(expansion=7), backbones={SHARED: backbone()}, branches=branches), {})


def _with_total(values: dict[str, Any], changes: dict[str, Any]) -> ModelParts:
    total = sum(row.parameters for row in ModelParts(parameters=0, **values).rows)
    return ModelParts(**{**values, 'parameters': total, **changes})
