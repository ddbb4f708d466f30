"""What modules cost: parameters and floating point operations."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(*modules: nn.Module, trained: bool = False) -> int:
    """Count the parameters of some modules, a shared one once (ours).

    Args:
        *modules (nn.Module): The modules.
        trained (bool): Leave out those that need no gradient.

    Returns:
        int: Number of values.
    """
    parameters = {id(p): p for module in modules for p in module.parameters()}
    return sum(p.numel() for p in parameters.values() if p.requires_grad or not trained)


def count_flops(run: Callable[[], Any], inside: Sequence[nn.Module] = ()) -> tuple[int, list[int]]:
    """Count the floating point operations of a pass without gradients (ours).

    Convolutions, matrix products and attention are counted, a multiply-add as two; normalisation, activations, pooling
    and the libraries' own operators are not.

    Args:
        run (Callable): The pass.
        inside (Sequence[nn.Module]): Modules that it calls, none within another.

    Returns:
        tuple[int, list[int]]: All operations, and those within each of ``inside``; 0 where it is not called.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_FUSED)
    within = [0] * len(inside)

    def add(index: int, sign: int) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            within[index] += sign * counter.get_total_flops()

        return hook

    handles = [module.register_forward_pre_hook(add(i, -1)) for i, module in enumerate(inside)]
    handles += [module.register_forward_hook(add(i, 1)) for i, module in enumerate(inside)]
    try:
        with torch.no_grad(), counter:
            run()
    finally:
        for handle in handles:
            handle.remove()
    return counter.get_total_flops(), within


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any) -> int:
    """Of shapes ``(N, heads, L, C)``."""
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _self_attention(query: Sequence[int], *_: Any, **__: Any) -> int:
    """Of a shape ``(N, L, C)``: the projections to queries, keys, values and output, and the attention itself."""
    images, length, channels = query
    return 2 * images * length * channels * (4 * channels + 2 * length)


def _encoder_layer(source: Sequence[int], *weights: Any, **__: Any) -> int:
    """Self-attention and the two linear layers behind it, whose inner width stands in the first one's weight."""
    inner = weights[13][0]
    return _self_attention(source) + 4 * prod(source) * inner


# What torch runs as one operator on a CPU, or without gradients, and counts as nothing.
_FUSED = {
    getattr(torch.ops.aten, name): count
    for name, count in dict(
        _scaled_dot_product_flash_attention_for_cpu=_attention,  # torch 2.1 has another one, which it counts
        _native_multi_head_attention=_self_attention,
        _transformer_encoder_layer_fwd=_encoder_layer).items() if hasattr(torch.ops.aten, name)
}
