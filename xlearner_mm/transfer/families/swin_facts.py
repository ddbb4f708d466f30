"""What a Swin transformer (V1) consists of."""

from typing import Any, NamedTuple, Optional

_SIZES: dict[Any, str] = {(96, (2, 2, 6, 2), (3, 6, 12, 24)): 'tiny', (96, (2, 2, 18, 2), (3, 6, 12, 24)): 'small',
                          (128, (2, 2, 18, 2), (4, 8, 16, 32)): 'base', (192, (2, 2, 18, 2), (6, 12, 24, 48)): 'large'}


class SwinFacts(NamedTuple):
    """What a Swin transformer of mmdet, mmseg or mmpretrain consists of, whatever its config calls it.

    Attributes:
        embed_dims (int): Channels of the first stage.
        depths (tuple[int]): Blocks of each stage.
        num_heads (tuple[int]): Attention heads of each stage.
        window (int): Height and width of a window.
        patch (int): Height and width of a patch.
        mlp_ratio (float): Channels within an MLP by those around it.
        qkv_bias (bool): Whether queries, keys and values have a bias.
        pads (bool): Whether maps smaller than a window are padded, and windows shifted in all of them.
        out_indices (tuple[int]): Stages that have an output norm.
        positions (bool): Whether there are absolute positions.
        img_size (int): Size of the images that it was made for; 0 if it does not know any.
    """

    embed_dims: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    window: int
    patch: int
    mlp_ratio: float
    qkv_bias: bool
    pads: bool
    out_indices: tuple[int, ...]
    positions: bool
    img_size: int

    @classmethod
    def of(cls, trained: Any) -> 'SwinFacts':
        """Read them from a backbone.

        Args:
            trained (nn.Module): The backbone.

        Returns:
            SwinFacts: Its facts.
        """
        blocks, projection = [stage.blocks[0] for stage in trained.stages], trained.patch_embed.projection
        patch, ratio = projection.kernel_size[0], blocks[0].ffn.feedforward_channels / blocks[0].ffn.embed_dims
        side = 0
        if hasattr(trained, 'patch_resolution'):  # mmpretrain
            side = trained.patch_resolution[0]
        elif trained.use_abs_pos_embed:
            side = int(trained.absolute_pos_embed.shape[1]**0.5)
        return cls(
            projection.out_channels, tuple(len(stage.blocks) for stage in trained.stages),
            tuple(block.attn.w_msa.num_heads for block in blocks), blocks[0].attn.window_size, patch,
            int(ratio) if ratio == int(ratio) else ratio, blocks[0].attn.w_msa.qkv.bias is not None,
            getattr(blocks[0].attn, 'pad_small_map', True), tuple(trained.out_indices), trained.use_abs_pos_embed,
            side * patch)

    @property
    def size(self) -> Optional[str]:
        """Its usual name."""
        usual = self.patch == 4 and self.mlp_ratio == 4 and self.qkv_bias
        return _SIZES.get((self.embed_dims, self.depths, self.num_heads)) if usual else None

    @property
    def one_window(self) -> int:
        """Size of images whose last map is one window."""
        return self.window * self.patch * 2**(len(self.depths) - 1)

    @property
    def more_windows(self) -> int:
        """Size of images whose last map is padded to four windows."""
        return self.one_window + self.patch * 2**(len(self.depths) - 1)
