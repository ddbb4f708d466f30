"""ConvNeXt V1 and V2 of mmpretrain, which mmdet and mmseg build as well."""

from collections.abc import Mapping
from typing import Any, Optional

from xlearner_mm.utils import library_of

from ..call import Call
from ..library_network import LibraryNetwork
from ..stock_backbone import StockBackbone
from .conv_next_keys import timm_state, torchvision_state
from .family import Family, class_in, settings_of
from .output_norms import last_normed, left_out

_SIZES = {(96, (3, 3, 9, 3)): 'tiny', (96, (3, 3, 27, 3)): 'small', (128, (3, 3, 27, 3)): 'base',
          (192, (3, 3, 27, 3)): 'large'}


def to_stock(trained: Any, cfg: Mapping[str, Any], target: str) -> StockBackbone:
    """Write a ConvNeXt for mmdet, mmseg or mmpretrain.

    Args:
        trained (nn.Module): The trained backbone.
        cfg (Mapping): Its config.
        target (str): The library.

    Returns:
        StockBackbone: The counterpart; for mmdet and mmseg one that returns maps.
    """
    settings = dict(settings_of(cfg), out_indices=tuple(trained.out_indices))
    if target != library_of(trained):
        settings['gap_before_final_norm'] = False
    return StockBackbone(target, dict(type=class_in(target, trained), **settings), trained.state_dict())


def to_torchvision(trained: Any) -> LibraryNetwork:
    """Write a ConvNeXt V1 for torchvision.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.

    Raises:
        ValueError: If it is a V2, or its last stage has no output norm.
    """
    if trained.stages[0][0].grn is not None:
        raise ValueError('torchvision has ConvNeXt V1 only, without use_grn')
    last, size, channels = last_normed(trained.num_stages, trained.out_indices), _size(trained), list(trained.channels)
    if size:
        call = Call(f'torchvision.models.convnext_{size}')
    else:
        settings = zip(channels, [*channels[1:], None], trained.depths, strict=True)
        call = Call('torchvision.models.ConvNeXt',
                    [Call('torchvision.models.convnext.CNBlockConfig', *setting) for setting in settings])
    return LibraryNetwork(call, torchvision_state(trained.state_dict(), last),
                          [f'features.{2 * i + 1}' for i in range(last + 1)], head='classifier.2', exact=False,
                          notes=left_out(trained.num_stages, trained.out_indices))


def to_timm(trained: Any) -> LibraryNetwork:
    """Write a ConvNeXt V1 or V2 for timm.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.

    Raises:
        ValueError: If its last stage has no output norm.
    """
    last, size, block = last_normed(trained.num_stages, trained.out_indices), _size(trained), trained.stages[0][0]
    grn, scaled = block.grn is not None, block.gamma is not None
    if size and block.linear_pw_conv and scaled != grn and block.norm.eps == 1e-6:
        call = Call('timm.create_model', f'convnext{"v2" if grn else ""}_{size}', num_classes=0)
    else:
        call = Call('timm.models.convnext.ConvNeXt', depths=tuple(trained.depths), dims=tuple(trained.channels),
                    patch_size=trained.downsample_layers[0][0].kernel_size[0], conv_mlp=not block.linear_pw_conv,
                    use_grn=grn, ls_init_value=1e-6 if scaled else None, norm_eps=block.norm.eps, num_classes=0)
    return LibraryNetwork(call, timm_state(trained.state_dict(), last), [f'stages.{i}' for i in range(last + 1)],
                          exact=False, notes=left_out(trained.num_stages, trained.out_indices))


def _size(trained: Any) -> Optional[str]:
    """Its usual name in torchvision and timm."""
    channels = tuple(trained.channels)
    usual = channels == tuple(channels[0] * 2**i for i in range(4))
    return _SIZES.get((channels[0], tuple(trained.depths))) if usual else None


CONV_NEXT = Family(to_stock, to_torchvision, to_timm)
