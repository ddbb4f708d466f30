"""What stock data sets of the three libraries tell of themselves, inside of their wrappers."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional


def leaves(dataset: Any) -> Iterator[Any]:
    """Give the data sets that read annotations, inside of wrappers such as ``ConcatDataset`` or ``RepeatDataset``.

    Args:
        dataset (Dataset): A stock data set, wrapped or not.

    Yields:
        Dataset: Each one that wraps no other.
    """
    inside = getattr(dataset, 'datasets', None)
    if inside is None:
        inside = getattr(dataset, 'dataset', None)
    if inside is None:
        yield dataset
        return
    if isinstance(inside, Mapping):
        inside = list(inside.values())
    for part in inside if isinstance(inside, (list, tuple)) else [inside]:
        yield from leaves(part)


def metainfo_of(dataset: Any) -> Mapping[str, Any]:
    """Give the metainfo of a data set.

    Args:
        dataset (Dataset): A stock data set.

    Returns:
        Mapping: Its metainfo, empty if it has none.
    """
    metainfo = getattr(dataset, 'metainfo', None)
    return metainfo if isinstance(metainfo, Mapping) else {}


def classes_of(dataset: Any) -> Optional[tuple[str, ...]]:
    """Give the names of a data set's classes.

    Args:
        dataset (Dataset): A stock data set.

    Returns:
        tuple[str] or None: The names in the order of the labels; None if it knows none.
    """
    classes = metainfo_of(dataset).get('classes')
    if isinstance(classes, str):
        return (classes, )
    return tuple(classes) if classes else None
