"""Vision transformers: mmpretrain's, which mmdet builds as well, and mmseg's."""

from collections.abc import Mapping
from typing import Any, Optional

import torchvision
from torch import Tensor

from xlearner_mm.models.expansion import StagedBackbone
from xlearner_mm.utils import library_of, optional

from ..call import Call, Name
from ..library_network import LibraryNetwork
from ..stock_backbone import StockBackbone
from .family import Family, settings_of
from .vit_facts import ViTFacts, mmpretrain_state
from .vit_keys import timm_state, to_mmseg, torchvision_state


def to_stock(trained: Any, cfg: Mapping[str, Any], target: str) -> StockBackbone:
    """Write a vision transformer for mmdet, mmseg or mmpretrain.

    Args:
        trained (nn.Module): The trained backbone.
        cfg (Mapping): Its config.
        target (str): The library.

    Returns:
        StockBackbone: The counterpart; in another library one that returns maps.

    Raises:
        ValueError: If mmseg's has no such form.
    """
    library, size = library_of(trained), trained.img_size[0]
    if library == target:
        return StockBackbone(target, dict(type='VisionTransformer', **settings_of(cfg)), trained.state_dict(),
                             sizes=(size, ))
    facts, state = ViTFacts.of(trained), mmpretrain_state(trained)
    notes = ['ln2 of the trained backbone, the norm of the mean, is left out: a detector or segmentor reads maps.'
             ] if facts.mean_norm else []
    state = {key: value for key, value in state.items() if not (facts.mean_norm and key.startswith('ln2.'))}
    if target == 'mmseg':
        if facts.scaled:
            raise ValueError("the VisionTransformer of mmseg has no layer scale; mmseg builds mmpretrain's: export to "
                             "mmpretrain, and write type='mmpretrain.VisionTransformer'")
        return StockBackbone(target, _for_mmseg(trained, facts), to_mmseg(state), exact=False, sizes=(size, ),
                             notes=notes)
    kind = 'VisionTransformer' if target == 'mmpretrain' else 'mmpretrain.VisionTransformer'
    settings = settings_of(cfg) if library == 'mmpretrain' else _for_mmpretrain(trained, facts)
    return StockBackbone(target, {'type': kind, **settings, 'out_type': 'featmap'}, state,
                         exact=library == 'mmpretrain', sizes=(size, ), notes=notes)


def to_torchvision(trained: Any) -> LibraryNetwork:
    """Write a vision transformer for torchvision.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.

    Raises:
        ValueError: If torchvision's has no such form.
    """
    facts = ViTFacts.of(trained)
    lacks = dict(scaled='layer scale', pre_norm='norm before the layers', mean_norm='norm of the mean')
    needs = dict(class_token='class token', final_norm='norm after the layers', qkv_bias='bias of queries and keys')
    odd = [f'no {text}' for key, text in lacks.items() if getattr(facts, key)]
    odd += [f'a {text}' for key, text in needs.items() if not getattr(facts, key)]
    if odd:
        raise ValueError(f'that of torchvision has {", ".join(odd)}')
    name = f'vit_{(facts.size or "_")[0]}_{facts.patch}'
    if facts.size in ('base', 'large', 'huge') and hasattr(torchvision.models, name):
        call = Call(f'torchvision.models.{name}', **({} if facts.img_size == 224 else dict(image_size=facts.img_size)))
    else:
        call = Call('torchvision.models.VisionTransformer', image_size=facts.img_size, patch_size=facts.patch,
                    num_layers=facts.depth, num_heads=facts.num_heads, hidden_dim=facts.embed_dims,
                    mlp_dim=facts.mlp_dims, **_norm(facts))
    return LibraryNetwork(call, torchvision_state(mmpretrain_state(trained)),
                          [f'encoder.layers.encoder_layer_{i}' for i in range(facts.depth)], _Map(facts), 'heads.head',
                          exact=False, sizes=(facts.img_size, ))


def to_timm(trained: Any) -> LibraryNetwork:
    """Write a vision transformer for timm.

    Args:
        trained (nn.Module): The trained backbone.

    Returns:
        LibraryNetwork: The counterpart.

    Raises:
        ValueError: If timm's has no such form.
    """
    facts = ViTFacts.of(trained)
    if facts.mean_norm and facts.final_norm:
        raise ValueError('it norms all tokens and then their mean, that of timm does one of both')
    name = f'vit_{facts.size}_patch{facts.patch}_224'
    if facts.size and optional('timm', 'This export').is_model(name):
        size = {} if facts.img_size == 224 else dict(img_size=facts.img_size)
        call = Call('timm.create_model', name, num_classes=0, **size)
    else:
        mean = facts.mean_norm or not facts.class_token
        call = Call('timm.models.vision_transformer.VisionTransformer', img_size=facts.img_size,
                    patch_size=facts.patch, embed_dim=facts.embed_dims, depth=facts.depth, num_heads=facts.num_heads,
                    mlp_ratio=facts.mlp_dims / facts.embed_dims, qkv_bias=facts.qkv_bias,
                    init_values=1e-5 if facts.scaled else None, class_token=facts.class_token,
                    global_pool='avg' if mean else 'token', pre_norm=facts.pre_norm,
                    final_norm=facts.final_norm or facts.mean_norm, fc_norm=facts.mean_norm, num_classes=0,
                    **_norm(facts))
    return LibraryNetwork(call, timm_state(mmpretrain_state(trained)), [f'blocks.{i}' for i in range(facts.depth)],
                          _Map(facts), pooled=None if facts.class_token else _mean, exact=False,
                          sizes=(facts.img_size, ))


class _Map:
    """Turns the tokens that a layer gives into a map."""

    def __init__(self, facts: ViTFacts) -> None:
        self.extra, self.side = int(facts.class_token), facts.img_size // facts.patch

    def __call__(self, tokens: Tensor) -> Tensor:
        """Give tokens ``(N, E + H * W, C)`` as a map ``(N, C, H, W)``."""
        return tokens[:, self.extra:].transpose(1, 2).unflatten(-1, (self.side, self.side))


def _mean(staged: StagedBackbone, features: list[Any]) -> Tensor:
    """The mean of the normed patches, ``(N, C)``."""
    return staged.emit(features, (staged.num_stages - 1, ), 'maps')[0].mean((2, 3))


def _norm(facts: ViTFacts) -> dict[str, Optional[Call]]:
    """Norms of another eps than is usual for these networks."""
    return {} if facts.eps == 1e-6 else dict(
        norm_layer=Call('functools.partial', Name('torch.nn.LayerNorm'), eps=facts.eps))


def _for_mmseg(trained: Any, facts: ViTFacts) -> dict[str, Any]:
    ratio = facts.mlp_dims / facts.embed_dims
    return dict(
        type='VisionTransformer', img_size=facts.img_size, patch_size=facts.patch, embed_dims=facts.embed_dims,
        num_layers=facts.depth, num_heads=facts.num_heads, mlp_ratio=int(ratio) if ratio == int(ratio) else ratio,
        out_indices=tuple(trained.out_indices), qkv_bias=facts.qkv_bias, with_cls_token=facts.class_token,
        patch_bias=trained.patch_embed.projection.bias is not None, pre_norm=facts.pre_norm,
        final_norm=facts.final_norm, norm_cfg=dict(type='LN', eps=facts.eps))


def _for_mmpretrain(trained: Any, facts: ViTFacts) -> dict[str, Any]:
    arch = dict(embed_dims=facts.embed_dims, num_layers=facts.depth, num_heads=facts.num_heads,
                feedforward_channels=facts.mlp_dims)
    return dict(
        arch=arch, img_size=facts.img_size, patch_size=facts.patch, out_indices=list(trained.out_indices),
        qkv_bias=facts.qkv_bias, with_cls_token=facts.class_token, pre_norm=facts.pre_norm,
        final_norm=facts.final_norm, norm_cfg=dict(type='LN', eps=facts.eps),
        patch_cfg=dict(bias=trained.patch_embed.projection.bias is not None))


VISION_TRANSFORMER = Family(to_stock, to_torchvision, to_timm, lambda trained: trained.img_size[0])
