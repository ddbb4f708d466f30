"""Less of everything that costs time in a recipe: data, sizes and iterations; its structure stays."""

from collections.abc import Iterator
from typing import Any

FACTOR = 8
LARGE, SMALLEST = 128, 64  # pixels; what is not above the first stays, as the sizes of projects/earth
SIZES = ('scale', 'crop_size', 'size')
WIDTHS = ('in_channels', 'out_channels', 'channels', 'feat_channels', 'fc_out_channels')
# Stock backbones of an eighth of the width, and of fewer blocks where the widths do not depend on them.
NARROW = {
    'ResNet': dict(base_channels=8, stem_channels=8),
    'SwinTransformer': dict(embed_dims=12, depths=(1, 1, 1, 1)),
    'ConvNeXt': dict(arch=dict(depths=[1, 1, 1, 1], channels=[12, 24, 48, 96]))
}


def shrink(cfg: Any) -> None:
    """Change a recipe so that a step of each phase and a validation take seconds on a CPU."""
    hooks = [hook for hook in cfg.get('custom_hooks', ()) if hook['type'] == 'xlearner_mm.ExpansionSqueezeHook']
    for hook in hooks:
        hook['expansion_iters'] = 1
    cfg.train_cfg.max_iters = 1 + len(hooks)
    cfg.train_cfg.val_begin = cfg.train_cfg.max_iters + 1  # validated by the test itself
    loaders = [cfg.train_dataloader, *by_source(cfg.val_dataloader, 'dataset').values()]
    for loader in loaders:
        loader.update(num_workers=0, persistent_workers=False)
    batch_size = cfg.train_dataloader.batch_size
    cfg.train_dataloader.batch_size = 2 if isinstance(batch_size, int) else dict.fromkeys(batch_size, 2)
    _narrow(cfg.model)
    shrink_images(cfg, FACTOR)
    for part in _dicts(cfg.model):
        if (part.get('norm_cfg') or {}).get('type') == 'SyncBN':  # refuses the CPU
            part['norm_cfg']['type'] = 'BN'


def shrink_images(cfg: Any, factor: int) -> None:
    """Divide the sizes of images in pipelines and data preprocessors."""
    for part in _dicts([cfg.model, cfg.train_dataloader, cfg.val_dataloader]):
        for key in set(SIZES) & set(part):
            part[key] = _change(part[key], lambda size: max(size // factor, SMALLEST) if size > LARGE else size)


def by_source(cfg: Any, key: str) -> dict:
    """Parts by source; of a stock config, which has only one, under an empty name."""
    return {'': cfg} if key in cfg else dict(cfg)


def _narrow(model: Any) -> None:
    """Give full-size backbones of a known kind, and all that reads them, fewer channels."""
    backbones = [part for part in _dicts(model) if _kind(part) in NARROW and 'base_channels' not in part]
    if not backbones:
        return
    for part in _dicts(model):
        for key in set(WIDTHS) & set(part):
            part[key] = _change(part[key], lambda width: width // FACTOR)
    for backbone in backbones:
        backbone.update(NARROW[_kind(backbone)])


def _kind(part: Any) -> str:
    return str(part.get('type', '')).rsplit('.', 1)[-1]


def _change(value: Any, function: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_change(v, function) for v in value)
    return function(value) if isinstance(value, int) else value


def _dicts(value: Any) -> Iterator[Any]:
    """All dicts inside of a config, each once, though several places may share one."""
    seen, stack = set(), [value]
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            yield part
            stack.extend(part.values())
        elif isinstance(part, (list, tuple)):
            stack.extend(part)
