"""The wiring of an expansion as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Optional

from matplotlib.figure import Figure

from xlearner_mm.models.model_parts import SHARED, BackbonePart, BranchPart, LinkPart, ModelParts

from .diagram import Diagram
from .lettering import text_width
from .parts_table import gflops, link_rows, plural

# In pixels: around the picture, between columns, between lanes and rails, from line to line.
_MARGIN, _GUTTER, _LANE, _LINE = 36, 34, 19, 18
# Least width and height of a box, from a box to the next one, and from the top to the columns' titles and first boxes.
_BOX_WIDTH, _BOX, _GAP, _TITLES, _STAGES = 158, 46, 26, 116, 216
_DARK, _GREY, _RAIL = '#1a1a1a', '#666666', '#a6a6a6'
# Told apart by the colour-blind, too (Okabe and Ito).
_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9')


def wiring_picture(parts: ModelParts, heading: str = '') -> Figure:
    """Draw sub-backbones as columns of stages, the links between them, and the student beside them (ours).

    The features of a stage that other tasks read leave it to the right and run down as a grey rail. A lane in the
    receiver's colour crosses the rails that it reads and ends in the sum behind the receiving stage; each crossing with
    a mark is a link. (In the paper's Figure 2a each link is an arrow of its own; three tasks have 36 of them.)

    Args:
        parts (ModelParts): The parts of the model.
        heading (str): Written above.

    Returns:
        Figure: Whose ``savefig`` writes it as PNG or SVG.
    """
    return _Wiring(parts).draw(heading)


@dataclass
class _Column:
    """A sub-backbone or the student: what is written into it, which of its stages are read, and where it stands."""

    title: str
    part: BackbonePart
    colour: str
    notes: list[str]
    branches: list[tuple[list[str], str]]  # lines, colour
    read: list[int] = field(default_factory=list)
    left: int = 0

    @cached_property
    def width(self) -> int:
        bold = [self.title, *(lines[0] for lines, _ in self.branches)]
        texts = [*self.notes, *(line for lines, _ in self.branches for line in lines[1:])]
        return max([text_width(text, 'bold') + 24 for text in bold] + [text_width(text, 'text') + 16 for text in texts]
                   + [_BOX_WIDTH])

    @property
    def centre(self) -> int:
        return self.left + self.width // 2

    @property
    def right(self) -> int:
        """Right end, rails included."""
        return self.left + self.width + _LANE * len(self.read)

    def rail(self, stage: int) -> int:
        """Where the features of a stage run down; those of the first stage outermost, so that rails do not cross."""
        return self.right - _LANE * self.read.index(stage)

    @property
    def branches_height(self) -> int:
        return sum(_branch_height(lines) for lines, _ in self.branches)


class _Wiring:
    """Lays the parts out and draws them."""

    def __init__(self, parts: ModelParts) -> None:
        self.parts = parts
        self.colours = {task: _COLOURS[i % len(_COLOURS)] for i, task in enumerate(parts.backbones)}
        self.columns = {task: self._column(task) for task in parts.backbones}
        left = _MARGIN
        for column in self.columns.values():
            column.left = left
            left = column.right + _GUTTER
        self.student = None if parts.student is None else self._student(parts.student, left + _GUTTER + _LANE)
        self.all = [*self.columns.values(), *([] if self.student is None else [self.student])]
        self.linked = {link.stage for link in parts.links}
        self.tops = [_STAGES]  # of the stages, then of the branches
        for stage in range(max(len(column.part.shapes) for column in self.all)):
            lanes = _LANE * len(self.columns) + 6 if stage in self.linked else 0
            self.tops.append(self.tops[-1] + _BOX + _GAP + lanes)
        self.tops[-1] += _LINE // 2
        self.bottom = self.tops[-1] + max(column.branches_height for column in self.all)

    def _column(self, task: str) -> _Column:
        parts, part = self.parts, self.parts.backbones[task]
        notes = _notes(part)
        if parts.links:
            links = link_rows(parts).get(task, [])
            notes.append(f'+ {plural(len(links), "link")}: {_cost(*_sums(links))}')
        return _Column(
            'shared backbone' if task == SHARED else task, part, self.colours[task], notes,
            [(_branch_lines(source, branch), self.colours[task]) for source, branch in parts.branches.items()
             if task in (branch.task, SHARED)], sorted({link.read for link in parts.links if link.source == task}))

    def _student(self, part: BackbonePart, left: int) -> _Column:
        own, connectors = self.parts.squeeze_branches, self.parts.connectors.values()
        cost = _cost(sum(c.parameters for c in connectors), sum(c.flops for c in connectors))
        branches = [(_branch_lines(source, own[source]) if source in own else [source],
                     self.colours.get(branch.task, _DARK)) for source, branch in self.parts.branches.items()]
        return _Column('student', part, _DARK, [*_notes(part), f'+ connectors: {cost}'], branches, left=left)

    def draw(self, heading: str) -> Figure:
        """Draw everything."""
        legend = self._legend()
        widths = [self.all[-1].right, *(_MARGIN + 34 + text_width(text, 'text') for *_, text in legend),
                  _MARGIN + text_width(self._summary(), 'text')]
        page = Diagram(max(widths) + _MARGIN, self.bottom + (_LINE * (2 + len(legend)) if legend else 0) + _MARGIN)
        page.text(heading or 'Wiring', _MARGIN, _MARGIN - 8, 'title', _DARK)
        page.text(self._summary(), _MARGIN, _MARGIN + 16, 'text', _GREY)
        page.text('hard sharing' if SHARED in self.columns else 'expansion', _MARGIN, _TITLES - 30, 'bold',
                  _GREY)
        for task, column in self.columns.items():
            self._draw_rails(page, task, column)
            self._draw_lanes(page, task, column)
        for column in self.all:
            self._draw_column(page, column)
        if self.student is not None:
            self._draw_squeeze(page, self.student)
        self._draw_legend(page, legend)
        return page.figure

    def _summary(self) -> str:
        height, width = self.parts.size
        links = '' if SHARED in self.columns else f'{plural(len(self.parts.links), "link")} · '
        return (f'{links}{_short(self.parts.parameters)} parameters in all · GFLOPs of one image of {height}×{width}, '
                'a multiply-add is 2')

    def _lane(self, stage: int, task: str) -> int:
        """Height of the lane that brings a task's links to a stage."""
        return self.tops[stage] + _BOX + 18 + _LANE * list(self.columns).index(task)

    def _draw_rails(self, page: Diagram, task: str, column: _Column) -> None:
        for stage in column.read:
            y, x = self.tops[stage] + _BOX // 2, column.rail(stage)
            ends = [self._lane(link.stage, link.receiver) for link in self.parts.links
                    if (link.source, link.read) == (task, stage)]
            page.line([column.left + column.width, x, x], [y, y, max(ends)], _RAIL)

    def _draw_lanes(self, page: Diagram, task: str, column: _Column) -> None:
        own = link_rows(self.parts).get(task, [])
        for stage in sorted({link.stage for link in own}):
            y = self._lane(stage, task)
            marks = {self.columns[link.source].rail(link.read): link for link in own if link.stage == stage}
            for end, side in ((min(marks), -1), (max(marks), 1)):
                if side * (end - column.centre) > 0:
                    page.arrow((end, y), (column.centre + side * page.SUM_RADIUS, y), column.colour)
            for x, link in marks.items():
                page.mark(x, y, column.colour, 'link' if link.read == stage else 'deep_link')
            page.sum(column.centre, y, column.colour)

    def _draw_column(self, page: Diagram, column: _Column) -> None:
        page.text(column.title, column.centre, _TITLES, 'title', column.colour, centred=True)
        for number, note in enumerate(column.notes):
            page.text(note, column.centre, _TITLES + 24 + number * _LINE, 'text', _DARK, centred=True)
        page.arrow((column.centre, self.tops[0] - 20), (column.centre, self.tops[0]), column.colour, main=True)
        shapes = column.part.shapes
        for stage, shape in enumerate(shapes):
            top = self.tops[stage]
            end = self.tops[stage + 1] if stage + 1 < len(shapes) else self.tops[-1]
            if end != self.tops[-1] or column.branches or stage in self.linked:
                page.arrow((column.centre, top + _BOX), (column.centre, end), column.colour, main=True)
            page.box(column.left, top, column.width, _BOX, column.colour, filled=True)
            page.text(f'stage {stage}', column.centre, top + 6, 'bold', column.colour, centred=True)
            page.text(f'{shape.channels} channels · stride {shape.stride}', column.centre, top + 25, 'text', _DARK,
                      centred=True)
        top = self.tops[-1]
        for lines, colour in column.branches:
            height = _branch_height(lines)
            page.box(column.left, top, column.width, height - 6, colour, filled=False)
            for number, line in enumerate(lines):
                page.text(line, column.centre, top + 5 + number * _LINE, 'text' if number else 'bold',
                          _DARK if number else colour, centred=True)
            top += height

    def _draw_squeeze(self, page: Diagram, student: _Column) -> None:
        x = student.left - _GUTTER - _LANE
        page.line([x, x], [_TITLES - 30, self.bottom], _RAIL, dashed=True)
        page.text('squeeze', x + 14, _TITLES - 30, 'bold', _GREY)
        if any(len(lines) == 1 for lines, _ in student.branches):
            page.text('branches carried over', student.left, self.tops[-1] - _LINE, 'text', _GREY)
        for number, (task, part) in enumerate(self.parts.connectors.items(), 1):
            for stage in part.stages:
                y = self.tops[stage] + _BOX * number // (len(self.parts.connectors) + 1)
                page.line([student.left - _LANE, student.left], [y, y], self.colours.get(task, _DARK))
                page.mark(student.left - _LANE, y, self.colours.get(task, _DARK), 'hint')

    def _legend(self) -> list[tuple[str, str]]:
        """Say what the marks mean that are there: kind, words."""
        links = self.parts.links
        entries = [('link', 'cross-task link, from the same stage of another sub-backbone')] * any(
            link.read == link.stage for link in links)
        entries += [('deep_link', 'cross-layer link, from a shallower stage of another sub-backbone')] * any(
            link.read < link.stage for link in links)
        if links:
            entries += [('sum',
                         "sum of a stage's output and its links, in the receiver's colour: what the next stage reads"),
                        ('rail', "a stage's features as other tasks read them: of a plain pass, without links")]
        if self.parts.connectors:
            entries.append(('hint', "features of that task's teacher, compared with the student's at this stage"))
        return entries

    def _draw_legend(self, page: Diagram, entries: Sequence[tuple[str, str]]) -> None:
        for number, (kind, words) in enumerate(entries):
            y = self.bottom + 2 * _LINE + number * _LINE
            if kind == 'rail':
                page.line([_MARGIN + 2, _MARGIN + 22], [y + 8, y + 8], _RAIL)
            elif kind == 'sum':
                page.sum(_MARGIN + 12, y + 8, _GREY)
            else:
                page.mark(_MARGIN + 12, y + 8, _GREY, kind)
            page.text(words, _MARGIN + 34, y, 'text', _DARK)


def _notes(part: BackbonePart) -> list[str]:
    return [part.kind, _cost(part.parameters, part.flops)]


def _branch_lines(source: str, branch: BranchPart) -> list[str]:
    return [source, branch.kind, _cost(branch.parameters, branch.flops)]


def _branch_height(lines: Sequence[str]) -> int:
    """Height of a branch's box and of the gap below it."""
    return 16 + _LINE * len(lines)


def _cost(parameters: int, flops: Optional[int]) -> str:
    return f'{_short(parameters)} param.' + ('' if flops is None else f' · {gflops(flops)} GFLOPs')


def _short(count: int) -> str:
    """Write a large number with three digits and a letter."""
    for unit, letter in ((1e9, ' G'), (1e6, ' M'), (1e3, ' k')):
        if count >= unit:
            return f'{count / unit:.3g}{letter}'
    return str(count)


def _sums(links: Sequence[LinkPart]) -> tuple[int, int]:
    return sum(link.parameters for link in links), sum(link.flops for link in links)
