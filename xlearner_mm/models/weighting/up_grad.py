"""No source loses, to first order."""

from collections.abc import Sequence

from torch import Tensor

from xlearner_mm.registry import MODELS

from .gradient_weighting import GradientWeighting
from .load_torchjd import load_torchjd


@MODELS.register_module()
class UPGrad(GradientWeighting):
    """Project each gradient to where no source's loss rises, then add them up (arXiv 2406.16232).

    It needs ``torchjd``, ``qpsolvers`` and ``quadprog``.

    Args:
        sources (Sequence[str]): All sources, in the order of the config.

    Raises:
        ImportError: If a package is missing.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(sources)
        solvers = ('qpsolvers', 'quadprog')
        projector = load_torchjd('UPGrad', 'torchjd.linalg', 'QuadprogProjector', *solvers)(reg_eps=1e-8)
        self._weighting = load_torchjd('UPGrad', 'torchjd.aggregation', 'UPGradWeighting')(projector=projector)

    def row_weights(self, gramian: Tensor) -> Tensor:
        """Weigh the gradients.

        Args:
            gramian (Tensor): Inner products ``(S, S)``.

        Returns:
            Tensor: Weights ``(S, )``.
        """
        # In units of the gradients' lengths, or the solver's small constant on the diagonal would outweigh a source
        # whose gradient is short.
        lengths = gramian.diagonal().sqrt()
        self._weighting.pref_vector = lengths
        weights: Tensor = self._weighting(gramian / lengths.outer(lengths)) / lengths
        return weights
