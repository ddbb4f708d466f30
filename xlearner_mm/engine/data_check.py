"""The preflight of a run, done by one process for all."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process

from xlearner_mm.models import XLearner
from xlearner_mm.preflight import preflight

from .multi_source_val_loop import MultiSourceValLoop


def check_data(model: XLearner, dataloader: Any, val_loop: Any, planned: Mapping[str, float], step: int,
               allow: Sequence[str]) -> str:
    """Look for what would fail silently with the data of a phase. All ranks must call it (ours).

    Args:
        model (XLearner): The model.
        dataloader (DataLoader): Loader of the phase.
        val_loop (BaseLoop, optional): Validation of the run.
        planned (Mapping[str, float]): Images of each source that the run will have drawn at its end.
        step (int): Step within the phase.
        allow (Sequence[str]): Checks whose findings are warnings and not errors.

    Returns:
        str: Table of the sources.

    Raises:
        TypeError: If a setting is of another type.
        ValueError: If there is such a thing, or the run would need more of a source than may be drawn.
    """
    table_and_error: list[Any] = [None, None]
    if is_main_process():
        try:
            _check_no_repeat(dataloader.batch_sampler, planned)
            val_sets = val_loop.datasets if isinstance(val_loop, MultiSourceValLoop) else {}
            images_a_step = dataloader.batch_sampler.images_a_step(step)
            table_and_error[0] = preflight(model, dataloader.dataset, val_sets, images_a_step, planned, allow)
        except (TypeError, ValueError) as error:
            table_and_error[1] = error
    broadcast_object_list(table_and_error)  # or the other ranks would wait for one that stopped
    table, found = table_and_error
    if found is not None:
        raise found
    return table


def _check_no_repeat(sampler: Any, planned: Mapping[str, float]) -> None:
    for source in sampler.no_repeat:
        if planned[source] > sampler.sizes[source]:
            raise ValueError(f'This run draws {planned[source]:.0f} samples of source {source!r}, which has '
                             f'{sampler.sizes[source]} and may not repeat. Lower train_cfg.max_iters or its part of a '
                             'step, or let it repeat (train_dataloader.batch_sampler.no_repeat).')
