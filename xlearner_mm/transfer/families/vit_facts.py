"""What a vision transformer consists of."""

from typing import Any, NamedTuple, Optional

from torch import Tensor, nn

from xlearner_mm.utils import library_of

from .vit_keys import from_mmseg

_SIZES = {(192, 12, 3): 'tiny', (384, 12, 6): 'small', (768, 12, 12): 'base', (1024, 24, 16): 'large',
          (1280, 32, 16): 'huge'}


class ViTFacts(NamedTuple):
    """What a vision transformer of mmseg or mmpretrain consists of, whatever its config calls it.

    Attributes:
        embed_dims (int): Width of a token.
        depth (int): Number of layers.
        num_heads (int): Attention heads of a layer.
        mlp_dims (int): Channels within an MLP.
        patch (int): Height and width of a patch.
        img_size (int): Height and width of the images that its positions are for.
        eps (float): Of its norms.
        class_token (bool): Whether it has a class token.
        pre_norm (bool): Whether there is a norm before the layers.
        final_norm (bool): Whether there is a norm after the layers.
        mean_norm (bool): Whether it returns the normed mean of the patches.
        qkv_bias (bool): Whether queries, keys and values have a bias.
        scaled (bool): Whether there is a layer scale.
    """

    embed_dims: int
    depth: int
    num_heads: int
    mlp_dims: int
    patch: int
    img_size: int
    eps: float
    class_token: bool
    pre_norm: bool
    final_norm: bool
    mean_norm: bool
    qkv_bias: bool
    scaled: bool

    @classmethod
    def of(cls, trained: Any) -> 'ViTFacts':
        """Read them from a backbone.

        Args:
            trained (nn.Module): The backbone.

        Returns:
            ViTFacts: Its facts.

        Raises:
            ValueError: If its images are not square.
        """
        layer, projection, size = trained.layers[0], trained.patch_embed.projection, tuple(trained.img_size)
        if size[0] != size[1]:
            raise ValueError(f'its img_size={size} is no square')
        attention = getattr(layer.attn, 'attn', layer.attn)  # mmseg's wraps that of torch
        bias = attention.in_proj_bias if isinstance(attention, nn.MultiheadAttention) else attention.qkv.bias
        pre_norm = trained.pre_norm
        return cls(
            projection.out_channels, len(trained.layers), attention.num_heads, layer.ffn.feedforward_channels,
            projection.kernel_size[0], size[0], layer.norm1.eps, trained.with_cls_token,
            pre_norm if isinstance(pre_norm, bool) else not isinstance(pre_norm, nn.Identity), trained.final_norm,
            getattr(trained, 'out_type', '') == 'avg_featmap', bias is not None,
            not isinstance(getattr(layer.attn, 'gamma1', nn.Identity()), nn.Identity))

    @property
    def size(self) -> Optional[str]:
        """Its usual name."""
        usual = self.mlp_dims == 4 * self.embed_dims and self.class_token and self.qkv_bias and self.final_norm
        odd = self.pre_norm or self.mean_norm or self.scaled or self.eps != 1e-6
        return _SIZES.get((self.embed_dims, self.depth, self.num_heads)) if usual and not odd else None


def mmpretrain_state(trained: Any) -> dict[str, Tensor]:
    """Give the weights of a vision transformer as mmpretrain names them.

    Args:
        trained (nn.Module): A backbone of mmseg or mmpretrain.

    Returns:
        dict[str, Tensor]: The weights.
    """
    state = dict(trained.state_dict())
    return from_mmseg(state, trained.with_cls_token) if library_of(trained) == 'mmseg' else state
