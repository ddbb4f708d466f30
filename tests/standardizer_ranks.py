"""What one process of the distributed test of the standardizers does; a module of its own for new processes."""

from typing import Any

import torch

from rank_group import group
from xlearner_mm.models.squeeze import PhiS, RunningStandardizer

RANKS, STEPS = 2, 3


def build() -> dict[str, Any]:
    return dict(running=RunningStandardizer(4, momentum=0.3), phi_s=PhiS(4, estimate_steps=2))


def maps(step: int, rank: int) -> torch.Tensor:
    """Features of a rank; of unequal numbers, and with another mean on each."""
    generator = torch.Generator().manual_seed(10 * step + rank)
    return 3 * rank + torch.randn(2 + rank, 4, 5, 5, generator=generator)


def update_rank(rank: int, world: int, port: int, folder: str) -> None:
    with group(rank, world, port):
        standardizers = build()
        for step in range(STEPS):
            for standardizer in standardizers.values():
                standardizer(maps(step, rank))
        torch.save({name: standardizer.state_dict() for name, standardizer in standardizers.items()},
                   f'{folder}/{rank}.pth')
