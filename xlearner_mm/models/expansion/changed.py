"""Modules with other attributes for the time of a pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

Change = tuple[nn.Module, dict[str, Any]]


@contextmanager
def changed(changes: Sequence[Change]) -> Iterator[None]:
    """Run a block with other attributes of some modules (ours).

    Args:
        changes (Sequence): Modules, and the values of their attributes in the block.
    """
    kept = [{name: vars(module)[name] for name in values} for module, values in changes]
    try:
        for module, values in changes:
            vars(module).update(values)
        yield
    finally:
        for (module, _), values in zip(changes, kept, strict=True):
            vars(module).update(values)
