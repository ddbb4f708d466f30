"""A source's batch in parts, one backward pass each."""

from collections.abc import Mapping
from typing import Any


def micro_batches(source: str, batch: Mapping[str, Any], number: int) -> list[tuple[dict[str, Any], float]]:
    """Split a batch into parts of about the same size, in order (ours).

    Args:
        source (str): Name of the source.
        batch (Mapping): Stock batch: ``inputs``, images ``(C, H, W)`` or ``(N, C, H, W)``, and ``data_samples``.
        number (int): How many parts.

    Returns:
        list[tuple[dict, float]]: Each part, and its share of the images.

    Raises:
        ValueError: If there are fewer images than parts.
    """
    if number == 1:
        return [(dict(batch), 1.0)]
    images = len(batch['inputs'])
    if images < number:
        raise ValueError(f'Source {source!r} has {images} image(s) in this step, fewer than micro_batches={number}. '
                         f'Lower model.branches.{source}.micro_batches, or raise train_dataloader.batch_size.{source}.')
    edges = [images * i // number for i in range(number + 1)]
    return [({key: value[begin:end] for key, value in batch.items()}, (end - begin) / images)
            for begin, end in zip(edges[:-1], edges[1:], strict=True)]
