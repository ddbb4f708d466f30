"""Swin transformers (V1) of mmdet, mmseg and mmpretrain, with those of torchvision and timm."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from xlearner_mm.utils import library_of

from ..call import Call
from ..library_network import LibraryNetwork
from ..stock_backbone import StockBackbone
from .family import Family, settings_of
from .output_norms import last_normed, left_out
from .swin_facts import SwinFacts
from .swin_keys import timm_state, torchvision_state


def to_stock(trained: Any, cfg: Mapping[str, Any], target: str) -> StockBackbone:
    """Write a Swin transformer for mmdet, mmseg or mmpretrain.

    Args:
        trained (nn.Module): The trained backbone.
        cfg (Mapping): Its config.
        target (str): The library.

    Returns:
        StockBackbone: The counterpart.

    Raises:
        ValueError: If the library cannot load its absolute positions.
    """
    facts, library = SwinFacts.of(trained), library_of(trained)
    if facts.positions and target != 'mmpretrain':
        raise ValueError(f'the SwinTransformer of {target} fails on a file with absolute positions, '
                         'use_abs_pos_embed=True')
    if library == target or 'mmpretrain' not in (library, target):
        settings = settings_of(cfg)
    else:
        settings = _for_mmpretrain(facts) if target == 'mmpretrain' else _from_mmpretrain(facts)
    if target == 'mmdet':
        settings['convert_weights'] = False  # stock configs have it for the weights of the paper's authors
    differs = target != library and not facts.pads
    # mmdet's reads only what is below "backbone." in a file, and says nothing of the rest.
    return StockBackbone(target, dict(type='SwinTransformer', **settings), trained.state_dict(),
                         prefix='backbone.' if target == 'mmdet' else '', sizes=_sizes(facts, facts.pads or differs),
                         notes=[_one_window(facts, target, shifts=True)] if differs else ())


def to_torchvision(trained: Any) -> LibraryNetwork:
    """Write a Swin transformer for torchvision.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.
    """
    facts, last = _normed_once(trained)
    if facts.size in ('tiny', 'small', 'base') and facts.window == 7:
        call = Call(f'torchvision.models.swin_{facts.size[0]}')
    else:
        call = Call('torchvision.models.SwinTransformer', patch_size=[facts.patch] * 2, embed_dim=facts.embed_dims,
                    depths=list(facts.depths), num_heads=list(facts.num_heads), window_size=[facts.window] * 2,
                    mlp_ratio=facts.mlp_ratio)
    notes = left_out(last + 1, facts.out_indices) + (
        [_one_window(facts, 'torchvision', shifts=False)] if facts.pads else [])
    return LibraryNetwork(call, torchvision_state(trained.state_dict(), last),
                          [f'features.{2 * i + 1}' for i in range(last + 1)], _to_map, 'head', exact=False,
                          sizes=_sizes(facts, facts.pads), notes=notes)


def to_timm(trained: Any) -> LibraryNetwork:
    """Write a Swin transformer for timm.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.
    """
    facts, last = _normed_once(trained)
    options: dict[str, Any] = dict(num_classes=0)
    if facts.pads:  # it shifts windows in every map, and takes images of any size
        size, note = facts.one_window, ('timm shifts windows before it pads: features are equal where height and width '
                                        f'are multiples of {facts.one_window} pixels.')
        options.update(always_partition=True, strict_img_size=False)
    else:
        size, note = facts.img_size, f'timm takes images of {facts.img_size}×{facts.img_size} pixels only.'
        options.update(dict(img_size=size) if size != 224 else {})
    if facts.size and facts.window == 7:
        call = Call('timm.create_model', f'swin_{facts.size}_patch4_window7_224', **options)
    else:
        call = Call('timm.models.swin_transformer.SwinTransformer', patch_size=facts.patch, embed_dim=facts.embed_dims,
                    depths=facts.depths, num_heads=facts.num_heads, window_size=facts.window,
                    mlp_ratio=facts.mlp_ratio, qkv_bias=facts.qkv_bias, **options)
    return LibraryNetwork(call, timm_state(trained.state_dict(), last),
                          [f'layers.{i}' for i in range(last + 1)], _to_map, exact=False, sizes=(size, ),
                          notes=[*left_out(last + 1, facts.out_indices), note])


def _normed_once(trained: Any) -> tuple[SwinFacts, int]:
    """Give the facts and the last stage of what torchvision and timm may have."""
    facts = SwinFacts.of(trained)
    if facts.positions:
        raise ValueError('theirs have no absolute positions, use_abs_pos_embed=True')
    return facts, last_normed(len(facts.depths), facts.out_indices)


def _for_mmpretrain(facts: SwinFacts) -> dict[str, Any]:
    settings = dict(
        arch=facts.size or dict(embed_dims=facts.embed_dims, depths=facts.depths, num_heads=facts.num_heads),
        patch_size=facts.patch, window_size=facts.window, pad_small_map=True, out_indices=facts.out_indices)
    if facts.size is None:
        settings['stage_cfgs'] = dict(
            block_cfgs=dict(ffn_ratio=facts.mlp_ratio, attn_cfgs=dict(qkv_bias=facts.qkv_bias)))
    if facts.positions:
        settings.update(use_abs_pos_embed=True, img_size=facts.img_size)
    return settings


def _from_mmpretrain(facts: SwinFacts) -> dict[str, Any]:
    return dict(embed_dims=facts.embed_dims, depths=facts.depths, num_heads=facts.num_heads, patch_size=facts.patch,
                strides=(facts.patch, *(2 for _ in facts.depths[1:])), window_size=facts.window,
                mlp_ratio=facts.mlp_ratio, qkv_bias=facts.qkv_bias, out_indices=facts.out_indices)


def _sizes(facts: SwinFacts, several_windows: bool) -> tuple[int, ...]:
    """Choose images to compare on: of several windows in each map, or of one window in the last map as well."""
    if facts.positions:
        return (facts.img_size, )
    return (facts.more_windows, ) if several_windows else (facts.one_window, facts.more_windows)


def _one_window(facts: SwinFacts, target: str, shifts: bool) -> str:
    does, other = ('shifts', 'does not') if shifts else ('does not shift', 'does')
    return (f'Where one window covers a map, as in images up to {facts.one_window} pixels, {target} {does} windows and '
            f'the trained backbone {other}: features differ there.')


def _to_map(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


SWIN = Family(to_stock, to_torchvision, to_timm, lambda trained: _sizes(SwinFacts.of(trained), True)[0])
