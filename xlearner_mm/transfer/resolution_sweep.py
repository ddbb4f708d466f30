"""How far a student is from its teachers at other image sizes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

import torch
from matplotlib.figure import Figure
from torch import Tensor

from xlearner_mm.models import HintLoss, Normalisation, XLearner
from xlearner_mm.models.squeeze.squeezer import resize_shorter_side
from xlearner_mm.utils import text_table

from .trained_model import load_squeezed, training_images


class HintError(NamedTuple):
    """Hint error of a teacher at a size: the run's criterion, and 1 - cosine of the last compared level."""

    size: int
    teacher: str
    loss: float
    cosine: float


def resolution_sweep(checkpoint: Union[str, Path], sizes: Sequence[int], steps: int = 4) -> list[HintError]:
    """Compare student and teachers on the same images at several sizes (ours).

    A student that was taught at one size by each teacher may become another network at each size (known from training
    with several teachers): then the error of a teacher rises steeply away from the sizes of its own sources.

    Args:
        checkpoint (str or Path): Checkpoint of a squeeze.
        sizes (Sequence[int]): Lengths of the shorter side, in pixels.
        steps (int): Training steps whose images are used.

    Returns:
        list[HintError]: By size, then by teacher.

    Raises:
        ValueError: If the checkpoint is not of a squeeze, or a size is not positive.
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f'--sizes {" ".join(map(str, sizes))} must be numbers of pixels.')
    model, cfg, _ = load_squeezed(checkpoint)
    return sweep(model, list(training_images(model, cfg, steps)), sizes)


@torch.no_grad()
def sweep(model: XLearner, images: Iterable[tuple[str, Tensor]], sizes: Sequence[int]) -> list[HintError]:
    """Compare student and teachers at several sizes.

    Args:
        model (XLearner): The model, in the squeeze phase and in eval mode.
        images (Iterable): Source and images ``(N, 3, H, W)``, for each batch.
        sizes (Sequence[int]): Lengths of the shorter side, in pixels.

    Returns:
        list[HintError]: By size, then by teacher; the mean over the batches.
    """
    squeeze: Any = model.squeeze
    names, images, errors = squeeze.teachers.names, list(images), []
    cosine = HintLoss(dict(cosine=1))
    for size in sizes:
        sums = {name: torch.zeros(2, dtype=torch.double) for name in names}
        for source, batch in images:
            x = resize_shorter_side(batch, size)
            normalisation = Normalisation.none().then_by(model.branch(source).data_preprocessor)
            features = squeeze.level_maps(x, model.tasks[source])
            for name, pairs in squeeze.compared(x, features, names, normalisation).items():
                loss = torch.stack([squeeze.criterion(*pair) for pair in pairs]).mean()
                sums[name] += torch.stack([loss, cosine(*pairs[-1])]).double().cpu()
        errors += [HintError(size, name, *(sums[name] / len(images)).tolist()) for name in names]
    return errors


def sweep_table(errors: Sequence[HintError]) -> str:
    """Write hint errors as a table, a row a size.

    Args:
        errors (Sequence[HintError]): The errors.

    Returns:
        str: The table.
    """
    teachers = list(dict.fromkeys(error.teacher for error in errors))
    found = {(error.size, error.teacher): error for error in errors}
    rows = [(str(size), *(f'{found[size, t].loss:.4f} / {found[size, t].cosine:.3f}' for t in teachers))
            for size in dict.fromkeys(error.size for error in errors)]
    return '\n'.join(text_table(rows, ('size', *teachers), 0))


def sweep_picture(errors: Sequence[HintError]) -> Figure:
    """Draw hint errors against the size, a line a teacher.

    Args:
        errors (Sequence[HintError]): The errors.

    Returns:
        Figure: Whose ``savefig`` writes it.
    """
    figure = Figure(figsize=(9, 4), layout='constrained')
    for axes, what, title in zip(figure.subplots(1, 2), ('loss', 'cosine'), ('hint loss', '1 - cosine, last level'),
                                 strict=True):
        for teacher in dict.fromkeys(error.teacher for error in errors):
            own = [error for error in errors if error.teacher == teacher]
            axes.plot([e.size for e in own], [getattr(e, what) for e in own], marker='o', label=teacher)
        axes.set(title=title, xlabel='shorter side, pixels', ylim=(0, 1.1 * max(getattr(e, what) for e in errors)))
        axes.set_xticks(sorted({error.size for error in errors}))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure
