"""What sets two modules apart that should be the same, and where a module is held."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, str, type(None))


def first_difference(first: Any, second: Any, where: str) -> str:
    """Compare two modules as they are built: classes, settings, shapes of parameters, values of buffers (ours).

    Settings that no shape shows, such as a stride or the scales of anchors, count: of two modules that are shared only
    one stays, with its own.

    Args:
        first (nn.Module): The one.
        second (nn.Module): The other.
        where (str): How the answer names them.

    Returns:
        str: The first difference; empty if there is none.
    """
    return _compare(first, second, where, set())


def held_inside(value: Any, wanted: set[int], where: str) -> str:
    """Find an object among all that a module holds: its children, and what its attributes refer to (ours).

    Args:
        value (nn.Module): The module.
        wanted (set[int]): Identities of what is looked for.
        where (str): How the answer names the module.

    Returns:
        str: Where the first one is held; empty if none is.
    """
    return _search(value, wanted, where, set())


def _compare(first: Any, second: Any, where: str, seen: set[int]) -> str:
    if isinstance(first, _PLAIN) and isinstance(second, _PLAIN):
        return '' if first == second else f'{where} is {first!r} in the one and {second!r} in the other'
    if first is second or id(first) in seen:
        return ''
    seen.add(id(first))
    if type(first) is not type(second) and not all(isinstance(v, (list, tuple)) for v in (first, second)):
        return f'{where} is a {type(first).__name__} in the one and a {type(second).__name__} in the other'
    if isinstance(first, Tensor):
        return _compare_tensors(first, second, where)
    contents, others = _contents(first), _contents(second)
    for name in {**contents, **others}:
        if name not in contents or name not in others:
            return f'{where}.{name} is in the {"other" if name in others else "one"} only'
        difference = _compare(contents[name], others[name], f'{where}.{name}', seen)
        if difference:
            return difference
    return ''


def _compare_tensors(first: Tensor, second: Tensor, where: str) -> str:
    if first.shape != second.shape:
        return f'{where} has the shape {tuple(first.shape)} in the one and {tuple(second.shape)} in the other'
    equal = isinstance(first, nn.Parameter) or torch.equal(first, second)  # parameters start at random
    return '' if equal else f'{where} has other values in the one than in the other'


def _search(value: Any, wanted: set[int], where: str, seen: set[int]) -> str:
    if id(value) in wanted:
        return where
    if id(value) in seen:
        return ''
    seen.add(id(value))
    for name, content in _contents(value).items():
        found = _search(content, wanted, f'{where}.{name}', seen)
        if found:
            return found
    return ''


def _contents(value: Any) -> Mapping[Any, Any]:
    """Give what an object consists of by name; nothing for functions and classes, and for what has no parts.

    Private attributes are left out: hooks and caches are numbered anew in every module.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    is_module = isinstance(value, nn.Module)
    if isinstance(value, Tensor) or not hasattr(value, '__dict__') or (callable(value) and not is_module):
        return {}
    public = {name: content for name, content in vars(value).items() if not name.startswith('_')}
    return {**public, **value._parameters, **value._buffers, **value._modules} if is_module else public
