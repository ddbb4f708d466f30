"""The libraries that an exported backbone is for."""

from collections.abc import Mapping
from typing import Any

import torch
import torchvision
from mmengine.registry import MODELS
from torch import Tensor, nn

from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.utils import with_scope

TARGETS = ('mmdet', 'mmseg', 'mmpretrain', 'torchvision')


def build_target(target: str, backbone: Mapping[str, Any]) -> nn.Module:
    """Build the stock network that is to load an exported backbone.

    Args:
        target (str): One of ``TARGETS``.
        backbone (Mapping): Config of the trained backbone.

    Returns:
        nn.Module: The stock network, in eval mode, with random weights.

    Raises:
        ValueError: If the target is unknown or has no counterpart of the backbone.
    """
    if target not in TARGETS:
        raise ValueError(f'Export target {target!r} must be one of {", ".join(TARGETS)}.')
    library, _, name = str(backbone['type']).rpartition('.')
    if library not in TARGETS:
        raise ValueError(f'The type {name!r} of the trained backbone does not name its library. Train with a prefixed '
                         f'type, e.g. mmdet.{name}.')
    if target == 'torchvision':
        depth = backbone.get('depth')
        builder = getattr(torchvision.models, f'resnet{depth}', None)
        if name != 'ResNet' or builder is None:
            raise ValueError(f'torchvision has no counterpart of {name} with depth={depth}; it has plain ResNets of '
                             'depth 18, 34, 50, 101 and 152. Export to mmdet, mmseg or mmpretrain.')
        return _in_eval(builder(weights=None))
    cfg = {k: v for k, v in backbone.items() if k not in ('init_cfg', 'pretrained', 'frozen_stages', '_scope_')}
    try:
        return _in_eval(MODELS.build(with_scope(dict(cfg, type=f'{target}.{name}'))))
    except (KeyError, TypeError) as error:
        raise ValueError(f'{target} has no counterpart of {name} with these settings: {error}. Export to {library}, '
                         'where it was trained.') from error


def _in_eval(network: nn.Module) -> nn.Module:
    network.eval()  # stock backbones' eval() returns None
    return network


@torch.no_grad()
def stage_features(network: Any, images: Tensor) -> list[Tensor]:
    """Run a network as its own library does, as far as its stages.

    Args:
        network (nn.Module): A stock backbone, or a ResNet of torchvision.
        images (Tensor): ``(N, 3, H, W)``.

    Returns:
        list[Tensor]: Outputs of the stages, each ``(N, C_i, H_i, W_i)``.
    """
    if isinstance(network, torchvision.models.ResNet):
        x = network.maxpool(network.relu(network.bn1(network.conv1(images))))
        features = []
        for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
            x = stage(x)
            features.append(x)
        return features
    network.out_indices = tuple(range(build_staged_backbone(network).num_stages))
    return list(network(images))
