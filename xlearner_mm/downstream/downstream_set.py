"""A data set that pre-trained backbones are compared on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

PROTOCOLS = ('linear_probe', 'fine_tune')
LIBRARIES = ('mmpretrain', 'mmdet', 'mmseg')
_KEYS = {'protocol', 'metric', 'scale', 'channels', 'output_stride', 'val', 'rgb_images'}
_SHIPPED = Path(__file__).resolve().parents[1] / '.mim' / 'configs' / 'transfer'
_IN_TREE = Path(__file__).resolve().parents[2] / 'configs' / 'transfer'


@dataclass(frozen=True)
class DownstreamSet:
    """A stock config, and how backbones are compared on it (ours; the sets and protocols are the paper's).

    The table ``downstream`` in the config says how:

    - ``protocol``: ``linear_probe`` (frozen features of ``train_dataloader`` and ``test_dataloader``, one linear layer)
      or ``fine_tune`` (the stock training run);
    - ``metric``: ``top1`` or ``mean_per_class`` of a probe, or the stock key of a fine-tuned model's metric;
    - ``scale``: what brings the metric to percent, 1 by default;
    - ``channels``: for fine-tuning, config fields that hold numbers of channels of the backbone, with the level that
      each belongs to (a number, or a list of them);
    - ``output_stride``: for fine-tuning, stride that the maps of a ResNet do not exceed;
    - ``rgb_images``: for a probe, whether the pipeline gives RGB; by default BGR, as mmcv loads images;
    - ``val``: for a probe, the data set that the L2 strength is chosen on; by default a part of the training set.

    Attributes:
        name (str): Name of the set, that of its file.
        cfg (Config): What the file holds.
    """

    name: str
    cfg: Config

    @property
    def protocol(self) -> str:
        """``linear_probe`` or ``fine_tune``."""
        return self.cfg.downstream.protocol

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self.cfg.downstream.metric

    @property
    def scale(self) -> float:
        """Factor from the metric to percent."""
        return float(self.cfg.downstream.get('scale', 1))

    @property
    def rgb_images(self) -> bool:
        """Whether the pipeline gives RGB."""
        return bool(self.cfg.downstream.get('rgb_images', False))

    @property
    def library(self) -> str:
        """Library of the stock config."""
        return self.cfg.default_scope


def read_set(name: str) -> DownstreamSet:
    """Read a set.

    Args:
        name (str): One that is shipped, such as ``cifar10``, or a config file.

    Returns:
        DownstreamSet: The set.

    Raises:
        FileNotFoundError: If there is no such set.
        ValueError: If its file does not say how backbones are compared on it.
    """
    path = _find(name)
    if path is None:
        raise FileNotFoundError(f'--sets {name}: neither a config file nor one of {", ".join(shipped_sets())}.')
    cfg = Config.fromfile(path)
    how: Any = cfg.get('downstream')
    if not isinstance(how, dict) or how.get('protocol') not in PROTOCOLS or not how.get('metric'):
        raise ValueError(f'{path} needs downstream=dict(protocol=..., metric=...) with a protocol of '
                         f'{", ".join(PROTOCOLS)}, got {how!r}.')
    if set(how) - _KEYS:
        raise ValueError(f'{path}: downstream has {sorted(set(how) - _KEYS)}; it takes {", ".join(sorted(_KEYS))}.')
    if cfg.get('default_scope') not in LIBRARIES:
        raise ValueError(f'{path} needs default_scope, one of {", ".join(LIBRARIES)}: it is a stock config.')
    return DownstreamSet(path.stem, cfg)


def shipped_sets() -> list[str]:
    """Name the sets of ``configs/transfer``.

    Returns:
        list[str]: Sorted.
    """
    return sorted(path.stem for path in _folder().glob('*.py'))


def _folder() -> Path:
    return _SHIPPED if _SHIPPED.is_dir() else _IN_TREE


def _find(name: str) -> Optional[Path]:
    paths = (Path(name), _folder() / f'{name.removesuffix(".py")}.py')
    return next((path for path in paths if path.is_file()), None)
