"""Writing values as a readable config."""

from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

from yapf.yapflib.yapf_api import FormatCode

# As OpenMMLab's configs are written: what does not fit on a line begins on the next one.
_STYLE = dict(based_on_style='pep8', column_limit=120, split_before_first_argument=True)


class Expression(str):
    """Python of the config that is written, e.g. the name of a value above; written as it is."""


def assignment(name: str, value: Any) -> str:
    """Write ``name = value``.

    mmengine's own ``pretty_text`` sorts keys, repeats what is used twice and knows no names.

    Args:
        name (str): Name of the value.
        value (Any): Dicts, lists, plain values and expressions.

    Returns:
        str: A line, with its line break.
    """
    return f'{name} = {_write(value)}\n'


def layout(text: str) -> str:
    """Lay out the lines of a config for people.

    Args:
        text (str): The config.

    Returns:
        str: The same, with lines of bearable length.
    """
    return FormatCode(text, style_config=_STYLE)[0]


def _write(value: Any) -> str:
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and key.isidentifier() and not iskeyword(key) for key in value):
            return f'dict({", ".join(f"{key}={_write(item)}" for key, item in value.items())})'
        return f'{{{", ".join(f"{key!r}: {_write(item)}" for key, item in value.items())}}}'
    if isinstance(value, list):
        return f'[{", ".join(map(_write, value))}]'
    if isinstance(value, tuple):
        return f'({", ".join(map(_write, value))}{", " if len(value) == 1 else ""})'
    if isinstance(value, float) and not abs(value) < float('inf'):  # inf and nan have no literal
        return f"float('{value}')"
    return repr(value)
