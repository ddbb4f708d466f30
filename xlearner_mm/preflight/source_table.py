"""The table of what will be trained."""

from collections.abc import Mapping
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table

from xlearner_mm.datasets import MultiSourceDataset
from xlearner_mm.models import XLearner

from .stock_sets import classes_of

_TEXT = ('source', 'task', 'library')
_NUMBERS = ('samples', 'images a step', 'epochs', 'loss weight', 'classes')
_WIDTH = 1000  # never reached: a line that is broken in two is hard to find in a log


def source_table(model: XLearner, dataset: MultiSourceDataset, images_a_step: Mapping[str, float],
                 planned_images: Mapping[str, float]) -> str:
    """Draw up a table of the sources (ours).

    Args:
        model (XLearner): The model.
        dataset (MultiSourceDataset): Training data.
        images_a_step (Mapping[str, float]): Images of each source, a step, on all ranks together.
        planned_images (Mapping[str, float]): Images of each source that the whole run draws.

    Returns:
        str: A line a source under a header, without colours.
    """
    table = Table(box=box.SIMPLE_HEAD)
    for name in _TEXT:
        table.add_column(name, no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name, no_wrap=True, justify='right')
    weights = model.loss_weights
    for source, size in dataset.sizes.items():
        classes = classes_of(dataset.sources[source])
        table.add_row(source, dataset.tasks[source], _library_of(model, source), f'{size:,}',
                      _number(images_a_step[source]), _number(planned_images[source] / size), _number(weights[source]),
                      '–' if classes is None else f'{len(classes):,}')
    out = StringIO()
    Console(file=out, width=_WIDTH, color_system=None).print(table)
    return '\n'.join(line.rstrip() for line in out.getvalue().splitlines() if line.strip())


def _library_of(model: XLearner, source: str) -> str:
    """Name the package that a source's model comes from."""
    return type(model.branch(source)).__module__.split('.', 1)[0]


def _number(value: float) -> str:
    """Write whole numbers whole, others with two digits behind the point or, where they are small, two in all."""
    if value == int(value):
        return f'{int(value):,}'
    return f'{value:,.2f}' if value >= 0.1 else f'{value:.2g}'
