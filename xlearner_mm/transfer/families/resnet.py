"""ResNets and their variants of mmdet, mmseg and mmpretrain, with those of torchvision and timm."""

from collections.abc import Mapping
from typing import Any

import torchvision
from torch import Tensor

from xlearner_mm.utils import library_of, optional

from ..call import Call, Name
from ..library_network import LibraryNetwork
from ..stock_backbone import StockBackbone
from .family import Family, class_in, settings_of
from .resnet_keys import from_mmpretrain, timm_state, to_mmpretrain

_STAGES = ('layer1', 'layer2', 'layer3', 'layer4')
_WIDTHS = ('base_width', 'width_per_group')  # what mmdet and mmseg, and what mmpretrain calls it


def to_stock(trained: Any, cfg: Mapping[str, Any], target: str) -> StockBackbone:
    """Write a ResNet for mmdet, mmseg or mmpretrain, as the class of the same name.

    Args:
        trained (nn.Module): The trained backbone.
        cfg (Mapping): Its config.
        target (str): The library.

    Returns:
        StockBackbone: The counterpart.
    """
    name, settings = type(trained).__name__, settings_of(cfg)
    settings.pop('out_indices', None)  # which of its stages a model reads is not the backbone's business
    if name == 'ResNetV1c' and target == 'mmdet':
        name = 'ResNet'
        settings['deep_stem'] = True
    if not trained.stem_channels == trained.base_channels == 64:  # mmdet's default is another than that of the others
        settings['stem_channels'] = trained.stem_channels
    if settings.get('contract_dilation') and set(trained.dilations) == {1}:
        settings.pop('contract_dilation')  # mmseg's, and without dilation it does nothing
    kind = class_in(target, trained, name)
    of_mmpretrain = 'mmpretrain' in (target, kind.rpartition('.')[0])
    if hasattr(trained, 'groups'):
        settings = {key: value for key, value in settings.items() if key not in _WIDTHS}
        settings.update({'groups': trained.groups, _WIDTHS[of_mmpretrain]: _width(trained)})
    if kind != name:
        settings.update(out_indices=(0, 1, 2, 3))  # mmpretrain's return the last one only by default
    state = _mmdet_state(trained)
    return StockBackbone(target, dict(type=kind, **settings),
                         to_mmpretrain(state, _unpooled(trained)) if of_mmpretrain else state)


def to_torchvision(trained: Any) -> LibraryNetwork:
    """Write a ResNet or ResNeXt for torchvision.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.
    """
    name = _name(trained)
    if hasattr(torchvision.models, name):
        call = Call(f'torchvision.models.{name}')
    else:
        call = Call('torchvision.models.resnet.ResNet', Name(f'torchvision.models.resnet.{_block(trained)}'),
                    _layers(trained), **_groups(trained, 'groups', 'width_per_group'))
    return LibraryNetwork(call, _mmdet_state(trained), _STAGES, head='fc')


def to_timm(trained: Any) -> LibraryNetwork:
    """Write a ResNet (V1b, V1c, V1d), ResNeXt, SE-ResNet, SE-ResNeXt or Res2Net for timm.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.
    """
    name = _name(trained)
    if trained.stem_channels == trained.base_channels == 64 and optional('timm', 'This export').is_model(name):
        call = Call('timm.create_model', name, num_classes=0)
    else:
        module, options = 'resnet', _groups(trained, 'cardinality', 'base_width')
        if trained.base_channels != 64:
            options.update(channels=tuple(trained.base_channels * 2**i for i in range(4)))
        if trained.deep_stem:
            options.update(stem_type='deep', stem_width=trained.stem_channels // 2)
        if trained.avg_down:
            options.update(avg_down=True)
        if hasattr(trained, 'se_ratio'):
            options.update(block_args=dict(attn_layer='se'))
        if hasattr(trained, 'scales'):
            module = 'res2net'
            options.update(base_width=trained.base_width, block_args=dict(scale=trained.scales))
        call = Call('timm.models.resnet.ResNet', Name(f'timm.models.{module}.{_block(trained)}'), _layers(trained),
                    num_classes=0, **options)
    return LibraryNetwork(call, timm_state(_mmdet_state(trained)), _STAGES)


def _mmdet_state(trained: Any) -> dict[str, Tensor]:
    state = trained.state_dict()
    return from_mmpretrain(state, _unpooled(trained)) if library_of(trained) == 'mmpretrain' else dict(state)


def _unpooled(trained: Any) -> list[int]:
    """Layers whose shortcut pools nothing: mmdet and mmseg have a pooling there nevertheless.

    Res2Nets have it in mmpretrain, too.
    """
    pools = trained.avg_down and not hasattr(trained, 'scales')
    return [i for i, stride in enumerate(trained.strides, 1) if stride == 1] if pools else []


def _name(trained: Any) -> str:
    """Name a ResNet as torchvision and timm do."""
    stem = {(True, True): 'd', (True, False): 'c', (False, False): ''}.get((trained.deep_stem, trained.avg_down), '_')
    if hasattr(trained, 'scales'):
        return f'res2net{trained.depth}{stem}' if (trained.base_width, trained.scales) == (26, 4) else ''
    se = 'se' if hasattr(trained, 'se_ratio') else ''
    if hasattr(trained, 'groups'):
        return f'{se}resnext{trained.depth}{stem}_{trained.groups}x{_width(trained)}d'
    return f'{se}resnet{trained.depth}{stem}'


def _layers(trained: Any) -> list[int]:
    return [len(getattr(trained, name)) for name in trained.res_layers]


def _block(trained: Any) -> str:
    if hasattr(trained, 'scales'):
        return 'Bottle2neck'
    return 'Bottleneck' if hasattr(trained.layer1[0], 'conv3') else 'BasicBlock'


def _groups(trained: Any, groups: str, width: str) -> dict[str, Any]:
    return {groups: trained.groups, width: _width(trained)} if hasattr(trained, 'groups') else {}


def _width(trained: Any) -> int:
    """Channels of a group in the first stage of a ResNeXt."""
    return next(getattr(trained, key) for key in _WIDTHS if hasattr(trained, key))


_FULL, _TIMM = Family(to_stock, to_torchvision, to_timm), Family(to_stock, None, to_timm)
RESNETS = dict(
    ResNet=_FULL, ResNeXt=_FULL, ResNetV1c=_TIMM, ResNetV1d=_TIMM, SEResNet=_TIMM, SEResNeXt=_TIMM, Res2Net=_TIMM,
    ResNeSt=Family(to_stock))
