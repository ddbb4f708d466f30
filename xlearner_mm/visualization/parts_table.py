"""The parts of a model as a table."""

from collections.abc import Sequence
from typing import Optional

from xlearner_mm.models.expansion import StageShape
from xlearner_mm.models.model_parts import SHARED, BackbonePart, BranchPart, LinkPart, ModelParts
from xlearner_mm.utils import text_table


def parts_table(parts: ModelParts) -> str:
    """Draw up the tables of a model: its parts, the passes through its backbone, and totals (ours).

    Args:
        parts (ModelParts): The parts.

    Returns:
        str: The tables, without colours; the first lines say what is counted.
    """
    height, width = parts.size
    lines = [
        f'GFLOPs of one image of {height}×{width} (height × width), forward. Counted: convolutions, matrix products',
        "and attention, but none of mmcv's operators; a multiply-add is 2 operations (in OpenMMLab's own tables 1).",
        'Stages: channels/stride.',
    ]
    if any(branch.flops is None for branch in (*parts.branches.values(), *parts.squeeze_branches.values())):
        lines.append('– : the stock model does not run on an image alone, e.g. a detector that wants proposals.')
    lines += [
        '',
        *text_table(_part_rows(parts), ('part', 'task', 'class or content', 'stages', 'parameters', 'GFLOPs'), 4),
        '',
    ]
    if parts.links:
        header = ('forward of an image in the expansion', 'own', 'links', 'auxiliary passes', 'GFLOPs')
        lines += [*text_table(_pass_rows(parts), header, 1), '']
    return '\n'.join(lines + text_table(_total_rows(parts), ('parameters', ''), 1))


def link_rows(parts: ModelParts) -> dict[str, list[LinkPart]]:
    """Sort the links by their receiver.

    Args:
        parts (ModelParts): The parts.

    Returns:
        dict[str, list[LinkPart]]: Links by receiving task, of those that have any.
    """
    links = {task: [link for link in parts.links if link.receiver == task] for task in parts.backbones}
    return {task: own for task, own in links.items() if own}


def _part_rows(parts: ModelParts) -> list[tuple[str, ...]]:
    name = 'backbone' if SHARED in parts.backbones else 'sub-backbone'
    rows = [_backbone_row(name, 'all' if task == SHARED else task, part) for task, part in parts.backbones.items()]
    for task, links in link_rows(parts).items():
        sources = ', '.join(dict.fromkeys(link.source for link in links))
        rows.append(('links', task, f'{plural(len(links), "link")} from {sources}', '',
                     *_costs(sum(link.parameters for link in links), sum(link.flops for link in links))))
    rows += [_branch_row(source, branch) for source, branch in parts.branches.items()]
    if parts.student is not None:
        rows.append(_backbone_row('student', 'all', parts.student))
    rows += [_backbone_row('teacher', name, part) for name, part in parts.teachers.items()]
    rows += [('connectors', task, f'{plural(len(part.stages), "connector")}, dropped at export',
              f'at {", ".join(map(str, part.stages))}', *_costs(part.parameters, part.flops))
             for task, part in parts.connectors.items()]
    rows += [_branch_row(f'{source} (squeeze)', branch) for source, branch in parts.squeeze_branches.items()]
    if parts.other_parameters:
        rows.append(('other', '', 'in none of the rows above' if parts.other_parameters > 0 else 'shared by rows above',
                     '', f'{parts.other_parameters:,}', ''))
    return rows


def _backbone_row(name: str, task: str, part: BackbonePart) -> tuple[str, ...]:
    return name, task, part.kind, _stages(part.shapes), *_costs(part.parameters, part.flops)


def _branch_row(name: str, branch: BranchPart) -> tuple[str, ...]:
    return f'branch {name}', branch.task, branch.kind, '', *_costs(branch.parameters, branch.flops)


def _pass_rows(parts: ModelParts) -> list[tuple[str, ...]]:
    """Say of what the pass of a task's image consists: its sub-backbone, its links, the others' plain passes."""
    rows = []
    for task, part in parts.backbones.items():
        links = sum(link.flops for link in parts.links if link.receiver == task)
        rows.append((task, *(gflops(flops) for flops in (part.flops, links, part.all_flops - part.flops - links,
                                                         part.all_flops))))
    return rows


def _total_rows(parts: ModelParts) -> list[tuple[str, str]]:
    rows = [('trained' if SHARED in parts.backbones else f'trained in the {phase}', f'{count:,}')
            for phase, count in parts.trained.items()]
    if parts.student is not None:
        rows.append(('of the exported student', f'{parts.student.parameters:,}'))
    return [*rows, ('of the whole model', f'{parts.parameters:,}')]


def _stages(shapes: Sequence[StageShape]) -> str:
    return ' '.join(f'{shape.channels}/{shape.stride}' for shape in shapes)


def _costs(parameters: int, flops: Optional[int]) -> tuple[str, str]:
    return f'{parameters:,}', gflops(flops)


def gflops(flops: Optional[int]) -> str:
    """Write a number of operations in units of 10⁹.

    Args:
        flops (int, optional): Operations; None where they are not known.

    Returns:
        str: With three digits, ``–`` for None.
    """
    if flops is None:
        return '–'
    value = flops / 1e9
    if 0 < value < 1e-4:
        return '<0.0001'
    return f'{value:,.0f}' if value >= 100 else f'{value:.3g}'


def plural(count: int, noun: str) -> str:
    """Write a number with its noun.

    Args:
        count (int): How many.
        noun (str): In the singular; its plural ends in s.

    Returns:
        str: Such as ``1 link`` or ``12 links``.
    """
    return f'{count:,} {noun}{"s" * (count != 1)}'
