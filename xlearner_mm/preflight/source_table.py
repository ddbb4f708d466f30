"""The table of what will be trained."""

from collections.abc import Mapping

from xlearner_mm.datasets import MultiSourceDataset
from xlearner_mm.datasets.stock_sets import classes_of
from xlearner_mm.models import XLearner
from xlearner_mm.utils import library_of, text_table

_HEADER = ('source', 'task', 'library', 'samples', 'images a step', 'epochs', 'loss weight', 'classes')


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
    weights = model.loss_weights
    rows = []
    for source, size in dataset.sizes.items():
        classes = classes_of(dataset.sources[source])
        rows.append((source, dataset.tasks[source], library_of(model.branch(source)), f'{size:,}',
                     _number(images_a_step[source]), _number(planned_images[source] / size), _number(weights[source]),
                     '–' if classes is None else f'{len(classes):,}'))
    return '\n'.join(text_table(rows, _HEADER, 3))


def _number(value: float) -> str:
    """Write whole numbers whole, others with two digits behind the point or, where they are small, two in all."""
    if value == int(value):
        return f'{int(value):,}'
    return f'{value:,.2f}' if value >= 0.1 else f'{value:.2g}'
