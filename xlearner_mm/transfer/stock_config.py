"""The config of a whole stock model, as its library's own tools read it."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from xlearner_mm.compose.config_text import assignment, layout
from xlearner_mm.registry import SCOPE

from .stock_backbone import STOCK

_VISUALIZERS = dict(mmdet='DetLocalVisualizer', mmseg='SegLocalVisualizer', mmpretrain='UniversalVisualizer')
_WEIGHTS = ('init_cfg', 'pretrained')  # where a config names some; here they come from the file


def stock_config(cfg: Config, source: str, model: Any, backbone: Mapping[str, Any], library: str, origin: str) -> str:
    """Write the config of a source's stock model, with what tests it on the validation data of the run.

    Args:
        cfg (Config): Config of the run.
        source (str): The source.
        model (ConfigDict): Config of its stock model, with a port.
        backbone (Mapping): Config of the backbone in place of the port.
        library (str): Library of the stock model.
        origin (str): Where it comes from, for its first line.

    Returns:
        str: The text.

    Raises:
        ValueError: If it would be more than values to mmengine.
    """
    values = dict(model=dict(unscoped(model, library), backbone=dict(backbone)))
    data, metrics = ((cfg.get(key) or {}).get(source) for key in ('val_dataloader', 'val_evaluator'))
    if data and metrics:
        values.update(test_dataloader=unscoped(data, library), test_evaluator=unscoped(metrics, library),
                      test_cfg=dict(type='TestLoop'))
    visualizer = dict(type=_VISUALIZERS[library], vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
    text = f'# {origin}\n' + assignment('default_scope', library)
    imports = _imports(cfg, values, library)
    if imports:
        text += assignment('custom_imports', dict(imports=imports, allow_failed_imports=False))
    text += ''.join(assignment(key, value) for key, value in dict(values, visualizer=visualizer).items())
    if '{{' in text:  # mmengine puts variables in there before it runs a config
        raise ValueError(f'The config of source {source!r} holds "{{{{", which mmengine would replace. Take it out.')
    return layout(text)


def unscoped(cfg: Any, library: str) -> Any:
    """Write a part of a run's config as a config of its library: without its prefix, and without weights to load.

    Args:
        cfg (Any): The part.
        library (str): The library.

    Returns:
        Any: The same, of builtin types.
    """
    if isinstance(cfg, Mapping):
        kept = {key: unscoped(value, library) for key, value in cfg.items() if key != 'type'
                and not (key == '_scope_' and value in (library, SCOPE)) and not (key in _WEIGHTS and _loads(value))}
        return dict(type=_plain_type(cfg['type'], library), **kept) if 'type' in cfg else kept
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(unscoped(item, library) for item in cfg)
    return cfg


def _plain_type(kind: Any, library: str) -> Any:
    return kind[len(library) + 1:] if isinstance(kind, str) and kind.rpartition('.')[0] == library else kind


def _loads(value: Any) -> bool:
    return isinstance(value, str) or isinstance(value, Mapping) and value.get('type') == 'Pretrained'


def _imports(cfg: Config, values: Any, library: str) -> list[str]:
    """Modules that register what the config names of other packages."""
    packages = {kind.split('.', 1)[0] for kind in _types(values) if '.' in kind}
    own = [name for name in (cfg.get('custom_imports') or {}).get('imports', [])
           if name.split('.', 1)[0] not in (*STOCK, SCOPE)]
    return [f'{package}.models' for package in (*STOCK, SCOPE) if package in packages - {library}] + own


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get('type'), str):
            yield value['type']
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _types(item)
