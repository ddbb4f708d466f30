"""The stand-in for a backbone inside a stock model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from mmengine.model import BaseModule
from torch import Tensor

from xlearner_mm.registry import MODELS

if TYPE_CHECKING:
    from .xlearner import XLearner


@MODELS.register_module()
class BackbonePort(BaseModule):
    """Take the place of the backbone in a stock detector, segmentor or classifier (ours).

    A port has no parameters. It gives what the stock backbone that it replaces would give, computed by the backbone
    of the :class:`XLearner` that it is bound to: the expanded backbone during the expansion, the student during the
    squeeze.

    Args:
        out_indices (Sequence[int]): Stages to return, counted from 0.
        output (str): ``maps``: feature maps ``(N, C_i, H_i, W_i)``; ``vector``: each map averaged, ``(N, C_i)``;
            ``tokens``: token sequences of transformers.

    Raises:
        ValueError: If ``out_indices`` or ``output`` is not valid.
    """

    OUTPUTS = ('maps', 'vector', 'tokens')

    def __init__(self, out_indices: Sequence[int] = (0, 1, 2, 3), output: str = 'maps') -> None:
        super().__init__()
        self.out_indices = tuple(out_indices)
        if not self.out_indices or any(i < 0 for i in self.out_indices):
            raise ValueError(f'BackbonePort.out_indices={out_indices!r} must name at least one stage, counted from 0.')
        if output not in self.OUTPUTS:
            raise ValueError(f'BackbonePort.output={output!r} must be one of {", ".join(self.OUTPUTS)}.')
        self.output = output
        self._owner: Optional[XLearner] = None

    def bind(self, owner: 'XLearner', source: str) -> None:
        """Connect the port to the model whose backbone it reads.

        Args:
            owner (XLearner): The model.
            source (str): The source whose branch the port is in.
        """
        # Past nn.Module's own bookkeeping: registered, the owner would be a child of its own branch.
        object.__setattr__(self, '_owner', owner)
        self._source = source

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Run the owner's backbone of the present phase.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            tuple[Tensor]: One for each of ``out_indices``.

        Raises:
            RuntimeError: If the port is not bound to an XLearner.
        """
        if self._owner is None:
            raise RuntimeError('This BackbonePort is not bound: a port works only inside a branch of an XLearner. To '
                               'use the model alone, export it or give it a real backbone.')
        staged, features = self._owner.extract_features(x, self._source, last=max(self.out_indices))
        return staged.emit(features, self.out_indices, self.output)
