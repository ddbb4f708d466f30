"""Calls that are both made and printed, so that what a user pastes is what was proved."""

import pkgutil
from collections.abc import Iterator
from typing import Any


class Name:
    """A class or function by its dotted name.

    Args:
        path (str): Such as ``torch.nn.LayerNorm``.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def value(self) -> Any:
        """Import it.

        Returns:
            Any: The object.
        """
        return pkgutil.resolve_name(self.path)

    def __repr__(self) -> str:
        """As a user writes it."""
        return self.path


class Call(Name):
    """A call of what a dotted name stands for.

    Args:
        path (str): Dotted name of the function or class.
        *args: Arguments: plain values, names, calls, or lists and tuples of them.
        **kwargs: Keyword arguments of these kinds.
    """

    def __init__(self, path: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(path)
        self.args, self.kwargs = args, kwargs

    def value(self) -> Any:
        """Make the call.

        Returns:
            Any: What it returns.
        """
        args = [_value(arg) for arg in self.args]
        return super().value()(*args, **{key: _value(arg) for key, arg in self.kwargs.items()})

    @property
    def modules(self) -> list[str]:
        """Names of the packages that the text needs."""
        return sorted({name.path.split('.', 1)[0] for name in _names(self)})

    def __repr__(self) -> str:
        """As a user writes it."""
        arguments = [*map(repr, self.args), *(f'{key}={arg!r}' for key, arg in self.kwargs.items())]
        return f'{self.path}({", ".join(arguments)})'


def _value(arg: Any) -> Any:
    if isinstance(arg, Name):
        return arg.value()
    return type(arg)(map(_value, arg)) if isinstance(arg, (list, tuple)) else arg


def _names(arg: Any) -> Iterator[Name]:
    if isinstance(arg, Name):
        yield arg
    if isinstance(arg, Call):
        arg = [*arg.args, *arg.kwargs.values()]
    if isinstance(arg, (list, tuple)):
        for item in arg:
            yield from _names(item)
