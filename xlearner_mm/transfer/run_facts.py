"""What a run says of the images that its backbone was trained on."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from mmengine.config import Config

from xlearner_mm.utils import loader_settings

_PIXELS = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr', 'to_rgb')
_SIZES = ('crop_size', 'img_scale', 'img_size', 'output_size', 'scale', 'scales', 'size')


def branch_models(model: Any, squeezed: bool) -> dict[str, Any]:
    """Give the config of each source's stock model.

    Args:
        model (ConfigDict): Config of the X-Learner.
        squeezed (bool): Whether it is in its squeeze, which may have branches of its own.

    Returns:
        dict: By source.
    """
    own = (model.squeeze.get('branches') or {}) if squeezed else {}
    return {source: own.get(source, branch.model) for source, branch in model.branches.items()}


def normalisation_of(models: Mapping[str, Any]) -> str:
    """Say how images were normalised: each kind with its sources, in the words of a config.

    Args:
        models (Mapping): Config of the stock model by source.

    Returns:
        str: The text.
    """
    sources: dict[str, list[str]] = {}
    for source, model in models.items():
        cfg = model.get('data_preprocessor') or {}
        values = {key: cfg.get(key) for key in _PIXELS if key in cfg} or dict(mean=None, std=None)
        sources.setdefault(', '.join(f'{key}={value}' for key, value in values.items()), []).append(source)
    return '; '.join(f'{values} ({", ".join(names)})' for values, names in sources.items())


def unit_normalisation_of(models: Mapping[str, Any]) -> Optional[str]:
    """Say how images were normalised in the words of torchvision and timm, whose pixels are 0 to 1.

    Args:
        models (Mapping): Config of the stock model by source.

    Returns:
        str or None: The text; None where sources differ, or their values are not known.
    """
    found = set()
    for model in models.values():
        cfg = model.get('data_preprocessor') or {}
        if not cfg.get('mean') or not cfg.get('std'):
            return None
        swapped = any(cfg.get(key) for key in _PIXELS[2:])
        mean, std = ([round(value / 255, 4) for value in cfg[key]] for key in ('mean', 'std'))
        found.add(f'{"RGB" if swapped else "BGR"}, pixels from 0 to 1, normalised by mean={mean} and std={std}')
    return found.pop() if len(found) == 1 else None


def input_sizes_of(cfg: Config, models: Mapping[str, Any], squeezed: bool) -> dict[str, str]:
    """Find the sizes of images in the pipelines and data preprocessors of the training.

    Args:
        cfg (Config): Config of the run.
        models (Mapping): Config of the stock model by source.
        squeezed (bool): Whether it is in its squeeze, which may have data of its own.

    Returns:
        dict[str, str]: By source: what names a size, or that nothing does.
    """
    sources: Mapping[str, Any] = {}
    for phase in ('squeeze', 'expansion') if squeezed else ('expansion', ):
        try:
            sources = loader_settings(cfg, phase).dataset.sources
            break
        except ValueError:
            continue
    found = {}
    for source, model in models.items():
        where = [*_pipelines(sources.get(source, {})), model.get('data_preprocessor')]
        sizes = list(dict.fromkeys(_sizes(where)))
        found[source] = ', '.join(sizes) or 'unknown: nothing in its training names one'
    return found


def _pipelines(cfg: Any) -> Iterator[Any]:
    """Give the pipelines of a data set, those of data sets within it included."""
    if isinstance(cfg, Mapping):
        for key, value in cfg.items():
            if key == 'pipeline':
                yield value
            else:
                yield from _pipelines(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from _pipelines(value)


def _sizes(cfg: Any) -> Iterator[str]:
    if isinstance(cfg, Mapping):
        named = {key: value for key, value in cfg.items() if key in _SIZES and _is_size(value)}
        if named and 'type' in cfg:
            name = str(cfg['type']).rpartition('.')[2]
            yield f'{name}({", ".join(f"{key}={value}" for key, value in named.items())})'
        for value in cfg.values():
            yield from _sizes(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from _sizes(value)


def _is_size(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_size, value))
    return isinstance(value, int) and not isinstance(value, bool) and (value > 1 or value == -1)
