"""What a benchmark is asked to measure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of a benchmark (ours).

    Args:
        steps (int): Steps that are measured.
        warmup (int): Steps before them, of each model.
        phase (str): ``expansion`` or ``squeeze``.
        sources (Sequence[str]): Sources whose data is read; all where it is empty.
        stock (bool): Whether the stock models of the sources are measured, too.

    Raises:
        ValueError: If a number is too small or the phase unknown.
    """

    steps: int = 20
    warmup: int = 3
    phase: str = 'expansion'
    sources: Sequence[str] = ()
    stock: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f'--steps {self.steps} measures nothing; give 1 or more.')
        if self.warmup < 0:
            raise ValueError(f'--warmup {self.warmup} must not be negative.')
        if self.phase not in ('expansion', 'squeeze'):
            raise ValueError(f'--phase {self.phase} must be expansion or squeeze.')
