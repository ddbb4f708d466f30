"""Writing values as a readable config."""

from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

WIDTH = 118


class Name(str):
    """A name of the config that is written, e.g. of a value above; written without quotes."""


def assignment(name: str, value: Any) -> str:
    """Write ``name = value``.

    Args:
        name (str): Name of the value.
        value (Any): Dicts, lists and plain values; a :class:`Name` is written as it is.

    Returns:
        str: Lines, with a line break at the end.
    """
    return f'{name} = {_write(value, 0, len(name) + 3)}\n'


def _write(value: Any, indent: int, used: int) -> str:
    """Write a value on one line if it fits behind ``used`` characters, otherwise an item a line."""
    flat = _flat(value)
    if indent + used + len(flat) <= WIDTH or not isinstance(value, (Mapping, list, tuple)) or not value:
        return flat
    inner = ' ' * (indent + 4)
    if isinstance(value, Mapping):
        items = [f'{head}{_write(item, indent + 4, len(head) + 1)}' for head, item in _heads(value)]
        opening, closing = ('dict(', ')') if _are_names(value) else ('{', '}')
    else:
        items = [_write(item, indent + 4, 1) for item in value]
        opening, closing = ('[', ']') if isinstance(value, list) else ('(', ')')
    body = ''.join(f'{inner}{item},\n' for item in items)
    return f'{opening}\n{body}{" " * indent}{closing}'


def _flat(value: Any) -> str:
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, Mapping):
        inside = ', '.join(f'{head}{_flat(item)}' for head, item in _heads(value))
        return f'dict({inside})' if _are_names(value) else f'{{{inside}}}'
    if isinstance(value, list):
        return f'[{", ".join(map(_flat, value))}]'
    if isinstance(value, tuple):
        return f'({", ".join(map(_flat, value))}{", " if len(value) == 1 else ""})'
    if isinstance(value, float) and not abs(value) < float('inf'):  # inf and nan have no literal
        return f"float('{value}')"
    return repr(value)


def _heads(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = _are_names(value)
    return [(f'{key}=' if names else f'{key!r}: ', item) for key, item in value.items()]


def _are_names(value: Mapping[Any, Any]) -> bool:
    """Whether all keys can be written as keywords."""
    return all(isinstance(key, str) and key.isidentifier() and not iskeyword(key) for key in value)
