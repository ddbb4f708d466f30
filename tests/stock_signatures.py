"""The stock configs of the libraries, one for each distinct kind of model."""

import re
from typing import Any

from mmengine.config import Config

from xlearner_mm.compose.stock_source import stock_configs

# Names of small backbones, the first the smallest: the one of these that a kind has stands for it.
_SMALL = ('r18', 'resnet18', 'tiny', 'swin-t', '-t_', 'nano', '_s_', '-s', 'small', 'r50', 'resnet50', 'w18', 'b0')


def signatures(library: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Give the configs of a library by the tree of types of their model, smallest first; and those that are no configs
    of a model, with the reason."""
    root, found, others = stock_configs(library), {}, {}
    for path in sorted(root.rglob('*.py')):
        name = str(path.relative_to(root))
        if '_base_' in path.parts:
            continue
        try:
            cfg = Config.fromfile(path, import_custom_modules=False)
        except Exception as error:
            others[name] = f'cannot be read: {type(error).__name__}: {str(error)[:100]}'
            continue
        if 'model' in cfg:
            found.setdefault(repr(_types(cfg.model)), []).append(name)
        else:
            others[name] = 'has no model'
    return {key: sorted(names, key=_smallness) for key, names in found.items()}, others


def _smallness(name: str) -> tuple[int, str]:
    base = name.rsplit('/', 1)[-1]
    return next((i for i, part in enumerate(_SMALL) if re.search(rf'{part}', base)), len(_SMALL)), name


def _types(value: Any) -> Any:
    """The tree of types in a config."""
    if isinstance(value, dict):
        kind = value.get('type')
        kind = kind if isinstance(kind, str) else getattr(kind, '__name__', None)
        trees = ((key, _types(value[key])) for key in sorted(value) if key != 'type')
        inside = tuple((key, tree) for key, tree in trees if tree)
        return (kind, inside) if kind or inside else ()
    if isinstance(value, (list, tuple)):
        return tuple(dict.fromkeys(tree for tree in map(_types, value) if tree))
    return ()
