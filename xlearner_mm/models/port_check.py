"""What a port may ask of the backbones that it reads."""

from collections.abc import Sequence

from .backbone_port import BackbonePort
from .expansion import StagedBackbone


def check_ports(source: str, ports: Sequence[BackbonePort], backbones: Sequence[StagedBackbone]) -> None:
    """Refuse ports that ask for what a backbone lacks, and a student that a carried-over branch cannot read.

    Args:
        source (str): Name of the source.
        ports (Sequence[BackbonePort]): The ports of its branch.
        backbones (Sequence[StagedBackbone]): The backbones that the ports will read: the sub-backbone of the source's
            task, then the student if the branch is carried over into the squeeze.

    Raises:
        ValueError: If a stage or an output does not exist, or channels or strides of the two backbones differ.
    """
    shapes = [backbone.shapes() for backbone in backbones]
    for port in ports:
        for backbone, own in zip(backbones, shapes, strict=True):
            name = type(backbone.backbone).__name__
            if port.output not in backbone.outputs:
                raise ValueError(f'The port of source {source!r} wants output={port.output!r}, which a {name} does not '
                                 f'give. Use one of {", ".join(backbone.outputs)}.')
            if max(port.out_indices) >= len(own):
                raise ValueError(f'The port of source {source!r} wants out_indices={port.out_indices}, but a {name} '
                                 f'has the stages 0 to {len(own) - 1}.')
            missing = [i for i in port.out_indices if i not in backbone.emits()]
            if missing:
                raise ValueError(f'The port of source {source!r} wants out_indices={port.out_indices}, but its {name} '
                                 f'has no output norm for {missing}. Mend out_indices of that sub-backbone or student '
                                 'so that they name them.')
        for what in ('channels', 'stride'):
            read = [tuple(getattr(own[i], what) for i in port.out_indices) for own in shapes]
            if len(set(read)) > 1 and (what == 'channels' or port.output == 'maps'):
                raise ValueError(f'The branch of source {source!r} reads stages of {what} {read[0]} in the expansion, '
                                 f'but the student gives {read[1]}. Give the squeeze its own head: '
                                 f'model.squeeze.branches=dict({source}=...), or use a student that agrees.')
