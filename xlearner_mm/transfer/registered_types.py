"""Types that configs in checkpoints may name."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from xlearner_mm.setup_env import register_all_modules


def check_types(cfg: Any, name: str) -> None:
    """Refuse a config that names what is in no registry.

    mmengine takes a dotted type that it does not find in its registries for the name of any object of any module, and
    calls it (ours: so ``type='os.system'`` would run a command).

    Args:
        cfg (dict or list): What is to be built.
        name (str): How errors name it.

    Raises:
        ValueError: If a type or a scope is of no registry.
    """
    register_all_modules()
    registries = list(_registries())
    scopes = {registry.scope for registry in registries}
    names = {f'{owner}.{key}' for registry in registries for key, value in registry.module_dict.items()
             for owner in (registry.scope, value.__module__.split('.', 1)[0], value.__module__)}
    for node in _dicts(cfg):
        kind, scope = node.get('type'), node.get('_scope_')
        if isinstance(kind, str) and '.' in kind and kind not in names or scope is not None and scope not in scopes:
            raise ValueError(f'{name} names {kind!r}{"" if scope is None else f" of scope {scope!r}"}, which is in no '
                             'registry: building it could run any code. Nothing was run. If it is a class of yours, '
                             'register it, and name the module that does so in custom_imports.')


def _registries() -> Iterator[Registry]:
    """Give mmengine's registries and those of the libraries below them."""
    waiting = [value for value in vars(mmengine_registry).values() if isinstance(value, Registry)]
    while waiting:
        registry = waiting.pop()
        yield registry
        waiting += registry.children.values()


def _dicts(cfg: Any) -> Iterator[Mapping[str, Any]]:
    """Give all dicts in a config."""
    if isinstance(cfg, Mapping):
        yield cfg
        for value in cfg.values():
            yield from _dicts(value)
    elif isinstance(cfg, (list, tuple, set, frozenset)):
        for value in cfg:
            yield from _dicts(value)
