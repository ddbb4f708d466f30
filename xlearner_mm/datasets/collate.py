"""From samples to the batch by source."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import pseudo_collate

from xlearner_mm.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_by_source(batch: Sequence[dict[str, Any]], _scope_: object = None) -> dict[str, dict[str, list[Any]]]:
    """Group samples by source and collate each group as mmengine does, without stacking (ours).

    Args:
        batch (Sequence[dict]): Samples of :class:`MultiSourceDataset`, the sources in config order.
        _scope_ (object): Ignored; mmengine adds it to what a config inherits by ``xlearner_mm::``.

    Returns:
        dict: ``{source: {'inputs': [Tensor (C, H, W), ...], 'data_samples': [...]}}``, in the order of the batch.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for sample in batch:
        groups.setdefault(sample['data_samples'].source, []).append(sample)
    return {source: pseudo_collate(samples) for source, samples in groups.items()}
