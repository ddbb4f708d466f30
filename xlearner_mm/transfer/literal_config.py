"""Configs in checkpoints, read without running them."""

import ast
from collections.abc import Callable
from typing import Any

_CALLS: dict[str, Callable[..., Any]] = dict(dict=dict, frozenset=frozenset, list=list, set=set, tuple=tuple)
_NUMBERS = ('inf', 'nan')  # as mmengine writes them


def parse_literal_config(text: str, name: str) -> dict[str, Any]:
    """Read the text of a config that mmengine dumped (ours: ``Config.fromstring`` executes it).

    Such a text assigns literals and calls of ``dict`` to names, and that is all that is read.

    Args:
        text (str): The text.
        name (str): How errors name it.

    Returns:
        dict: The values by name.

    Raises:
        ValueError: If the text is no Python, or has anything else in it.
    """
    try:
        statements = ast.parse(text).body
    except (MemoryError, RecursionError, SyntaxError, ValueError) as error:
        raise ValueError(f'{name} is no config: {error}.') from error
    values = {}
    for statement in statements:
        if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1
                and isinstance(statement.targets[0], ast.Name)):
            raise _refused(statement, name)
        try:
            values[statement.targets[0].id] = _value(statement.value, name)
        except (RecursionError, TypeError) as error:
            raise ValueError(f'{name}, line {statement.lineno}: {error}.') from error
    return values


def _value(node: ast.expr, name: str) -> Any:
    """Evaluate a literal."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in _NUMBERS:
        return float(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        number = _value(node.operand, name)
        if isinstance(number, (int, float, complex)):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, (ast.List, ast.Set, ast.Tuple)):
        kind = {ast.List: list, ast.Set: set, ast.Tuple: tuple}[type(node)]
        return kind(_value(item, name) for item in node.elts)
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value(key, name): _value(item, name) for key, item in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, node.func.id, name)
    raise _refused(node, name)


def _call(node: ast.Call, function: str, name: str) -> Any:
    """Evaluate a call of a container, or ``float('inf')``."""
    if function == 'float' and len(node.args) == 1 and not node.keywords:
        text = _value(node.args[0], name)
        if isinstance(text, str) and text.lstrip('+-') in _NUMBERS:
            return float(text)
    if function in _CALLS and all(keyword.arg for keyword in node.keywords):
        return _CALLS[function](*(_value(item, name) for item in node.args),
                                **{str(keyword.arg): _value(keyword.value, name) for keyword in node.keywords})
    raise _refused(node, name)


def _refused(node: ast.AST, name: str) -> ValueError:
    text = ast.unparse(node)
    return ValueError(f'{name}, line {getattr(node, "lineno", 0)}: {text[:80]}{"..." if len(text) > 80 else ""} is no '
                      'value. Configs of checkpoints are read without running them: numbers, texts, dict(...), lists '
                      'and tuples.')
