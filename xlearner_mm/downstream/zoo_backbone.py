"""A backbone of torchvision or timm."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Optional

from xlearner_mm.models.pooled_network import build_classifier, load_strictly
from xlearner_mm.utils import atomic_save

from .backbone import Backbone

_RESNETS = {f'resnet{depth}': depth for depth in (18, 34, 50, 101, 152)}  # the same network in all the libraries


@dataclass(frozen=True)
class ZooBackbone(Backbone):
    """A model of torchvision or timm, with weights from a file or random ones.

    All of them can be probed. The plain ResNets have the same keys and do the same in OpenMMLab, so they can also be
    fine-tuned.

    Attributes:
        library (str): ``torchvision`` or ``timm``.
        model (str): Its model.
        weights (str, optional): File with its weights.
    """

    library: str
    model: str
    weights: Optional[str]

    def probe_config(self, folder: Path) -> dict[str, Any]:
        """Give a config for frozen features, see :class:`Backbone`."""
        return dict(type='xlearner_mm.PooledNetwork', library=self.library, name=self.model, weights=self.weights)

    def stock_config(self, library: str, folder: Path) -> dict[str, Any]:
        """Give the config of a stock backbone, see :class:`Backbone`."""
        if self.model not in _RESNETS:
            raise ValueError(f'{self.name}: {self.library}:{self.model} has no counterpart of the same weights in '
                             f'{library}; of the models of torchvision and timm only {", ".join(_RESNETS)} have one. '
                             'Leave out the sets that are fine-tuned.')
        cfg: dict[str, Any] = dict(type=f'{library}.ResNet', depth=_RESNETS[self.model], style='pytorch')
        if self.weights is None:
            return cfg
        return dict(cfg, init_cfg=dict(type='Pretrained', checkpoint=_without_classifier(self, folder)))


@cache
def _without_classifier(backbone: ZooBackbone, folder: Path) -> str:
    """Write the weights as the stock ResNets name them, once for all sets and seeds."""
    network = build_classifier(backbone.library, backbone.model)
    load_strictly(network, str(backbone.weights), f'{backbone.library}:{backbone.model}')
    path = folder / f'{backbone.name}.pth'
    atomic_save(dict(state_dict={k: v for k, v in network.state_dict().items() if not k.startswith('fc.')}), path)
    return str(path)


def pixels_of_timm(model: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give mean and standard deviation, by channel and for values up to 255, that a model of timm was trained with.

    Args:
        model (str): The model.

    Returns:
        tuple: Mean and standard deviation.
    """
    cfg = build_classifier('timm', model).pretrained_cfg
    return tuple(255 * value for value in cfg['mean']), tuple(255 * value for value in cfg['std'])
