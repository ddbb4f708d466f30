"""How a stock backbone is run stage by stage."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xlearner_mm.registry import STAGED_BACKBONES


class StageShape(NamedTuple):
    """What a stage gives: its number of channels, and how many input pixels one of its positions stands for."""

    channels: int
    stride: int


class StagedBackbone:
    """Runs a stock backbone stage by stage, so that links can add to a stage's output before the next stage.

    A family is supported by a subclass registered in ``STAGED_BACKBONES`` under ``library:Class``, where ``Class`` is
    the class that defines ``forward``; a subclass of it that defines its own ``forward`` needs its own entry. The
    adapter has no parameters and leaves the backbone's state dict as it is. Stages are counted from 0, as the stock
    ``out_indices`` count them. Origin: ours.

    What a stage gives is its map ``(N, C, H, W)``. A family whose stages give more, such as a class token, keeps what
    it likes and overrides :meth:`map_of` and :meth:`with_map`.

    Args:
        backbone (nn.Module): The stock backbone.
    """

    probe_size: int = 128  # a deformable convolution of stride 32 wants three positions

    def __init__(self, backbone: nn.Module) -> None:
        self.backbone: Any = backbone  # of any library: what it has is the adapter's business

    @property
    def num_stages(self) -> int:
        """Number of stages."""
        raise NotImplementedError(f'{type(self).__name__} must give num_stages.')

    @property
    def levels(self) -> tuple[int, ...]:
        """Stages that links join and hints compare, those of the paper's figure; by default all.

        Level 0 of one backbone is joined to level 0 of another one. Where a stock backbone counts finer, as every block
        of a ViT, or from a larger resolution on, four levels of strides 4 to 32 fit those of a ResNet.
        """
        return tuple(range(self.num_stages))

    def stem(self, x: Tensor) -> Any:
        """Run what comes before the first stage; by default nothing.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: Input of stage 0.
        """
        return x

    def stage(self, index: int, x: Any) -> Any:
        """Run one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, or of the stem.

        Returns:
            Tensor: Output of the stage, ``(N, C_index, H_index, W_index)``.
        """
        raise NotImplementedError(f'{type(self).__name__} must define stage().')

    def map_of(self, x: Any) -> Tensor:
        """Give the map in a stage's output.

        Args:
            x (Tensor): Output of a stage.

        Returns:
            Tensor: ``(N, C, H, W)``.
        """
        return x

    def with_map(self, x: Any, new: Tensor) -> Any:
        """Put another map into a stage's output.

        Args:
            x (Tensor): Output of a stage.
            new (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: The output with that map.
        """
        return new

    def output(self, index: int, x: Any) -> Tensor:
        """Turn a stage's output into what the stock backbone returns for it, e.g. normalise it.

        Args:
            index (int): The stage.
            x (Tensor): Its output, ``(N, C, H, W)``.

        Returns:
            Tensor: What the stock backbone returns, ``(N, C, H, W)``.
        """
        return x

    def dilated(self, output_stride: int) -> 'StagedBackbone':
        """Run the same weights with dilation instead of stride; ResNets can.

        Args:
            output_stride (int): Stride that no stage exceeds.

        Returns:
            StagedBackbone: An adapter of the same backbone that runs it so.

        Raises:
            ValueError: If the family has no such form.
        """
        raise ValueError(f'{type(self.backbone).__name__} cannot be run with output_stride. Take its task out of '
                         'model.output_stride, or use a ResNet.')

    def emits(self) -> tuple[int, ...]:
        """Give the stages that :meth:`emit` can return; some backbones have a norm for their own ``out_indices`` only.

        Returns:
            tuple[int]: Stages, counted from 0.
        """
        return tuple(range(self.num_stages))

    def features(self,
                 x: Tensor,
                 last: Optional[int] = None,
                 reconcile: Optional[Callable[[int, Tensor], Tensor]] = None,
                 plain: Sequence[Any] = ()) -> list[Any]:
        """Run the stem and the stages.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.
            last (int, optional): Last stage to run; all of them by default.
            reconcile (Callable, optional): Called with a level and its map; gives the map that the next stage reads.
            plain (Sequence[Tensor]): Outputs of the first stages on these images without ``reconcile``, where they are
                known already: they spare what they can.

        Returns:
            list[Tensor]: Outputs of the stages 0 to ``last``, each ``(N, C_i, H_i, W_i)``.
        """
        outputs: list[Any] = []
        state: Any = x
        for index in range(self.num_stages if last is None else last + 1):
            # What comes before the first level is not changed by links, nor is that level before they are added.
            if index < len(plain) and index <= self.levels[0]:
                state = plain[index]
            else:
                state = self.stage(index, self.stem(x) if index == 0 else state)
            if reconcile is not None and index in self.levels:
                own = self.map_of(state)
                new = reconcile(self.levels.index(index), own)
                state = state if new is own else self.with_map(state, new)
            outputs.append(state)
        return outputs

    def level_maps(self, features: Sequence[Any]) -> list[Tensor]:
        """Pick the levels out of the outputs of the stages.

        Args:
            features (Sequence[Tensor]): Outputs of the first stages, at best of all.

        Returns:
            list[Tensor]: Map ``(N, C, H, W)`` of each level among them.
        """
        return [self.map_of(features[stage]) for stage in self.levels if stage < len(features)]

    def emit(self, features: Sequence[Any], out_indices: Sequence[int], output: str) -> tuple[Any, ...]:
        """Give features as a stock backbone would return them.

        Args:
            features (Sequence[Tensor]): Outputs of the stages, each ``(N, C_i, H_i, W_i)``.
            out_indices (Sequence[int]): Stages to return.
            output (str): ``maps`` or ``vector`` (each map averaged over its positions).

        Returns:
            tuple[Tensor]: Maps ``(N, C_i, H_i, W_i)`` or vectors ``(N, C_i)``.
        """
        maps = tuple(self.output(i, features[i]) for i in out_indices)
        if output == 'maps':
            return maps
        return tuple(F.adaptive_avg_pool2d(m, 1).flatten(1) for m in maps)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What :meth:`emit` can give for this family."""
        return 'maps', 'vector'

    @property
    def stock_output(self) -> str:
        """Which of :attr:`outputs` the stock backbone itself returns, with its own settings."""
        return 'maps'

    @property
    def image_channels(self) -> int:
        """Number of channels of an image; by default what the first convolution reads."""
        return next(m for m in self.backbone.modules() if isinstance(m, nn.Conv2d)).in_channels

    def shapes(self) -> list[StageShape]:
        """Find channels and stride of every stage by one pass over a black image, without touching any state.

        Returns:
            list[StageShape]: One for each stage.
        """
        image = next(self.backbone.parameters()).new_zeros(1, self.image_channels, self.probe_size, self.probe_size)
        with torch.no_grad(), plain_pass(self.backbone):
            maps = map(self.map_of, self.features(image))
            return [StageShape(m.shape[1], self.probe_size // m.shape[-1]) for m in maps]

    def level_shapes(self) -> list[StageShape]:
        """Give channels and stride of every level.

        Returns:
            list[StageShape]: One for each level.
        """
        shapes = self.shapes()
        return [shapes[stage] for stage in self.levels]


@contextmanager
def plain_pass(module: nn.Module) -> Iterator[None]:
    """Run a block with a module in eval mode, so that the pass leaves no trace in BN statistics.

    The flags are put back one by one: calling ``train()`` would also undo what a user froze by hand.

    Args:
        module (nn.Module): The module.
    """
    training = [m for m in module.modules() if m.training]
    for m in training:
        m.training = False
    try:
        yield
    finally:
        for m in training:
            m.training = True


def build_staged_backbone(backbone: nn.Module) -> StagedBackbone:
    """Find the adapter for a stock backbone.

    Args:
        backbone (nn.Module): The backbone.

    Returns:
        StagedBackbone: Its adapter.

    Raises:
        ValueError: If the family is not supported.
    """
    # The class that defines forward() says which code runs; a subclass that only changes blocks or options shares it.
    owner = next(c for c in type(backbone).__mro__ if 'forward' in vars(c))
    key = f'{owner.__module__.split(".", 1)[0]}:{owner.__name__}'
    adapter = STAGED_BACKBONES.get(key)
    if adapter is None:
        supported = ', '.join(sorted(STAGED_BACKBONES.module_dict))
        raise ValueError(f'Backbone {type(backbone).__name__} (its forward() is that of {key}) is not supported. '
                         f'Supported: {supported}. Register a StagedBackbone for it in STAGED_BACKBONES.')
    return adapter(backbone)
