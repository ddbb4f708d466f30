"""The weightings of ``scale.py`` against small references, alone and under two ranks."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from measure import Measure
from torch import Tensor

from rank_group import group, spawn
from ranks import train, train_in_turn
from test_models.test_weighting import (
    test_ca_grad,
    test_dynamic_weight_average,
    test_pc_grad,
    test_uncertainty_weighting,
    test_up_grad,
)

RANKS, STEPS, WINDOW = 2, 6, 2
SETTINGS: dict[str, dict[str, Any]] = dict(StaticWeighting={}, UncertaintyWeighting={}, PCGrad={}, CAGrad={}, UPGrad={},
                                           DynamicWeightAverage=dict(interval=WINDOW))


def weightings() -> Iterator[Measure]:
    """Each plug-in, alone and under ranks."""
    yield from alone()
    yield from under_ranks()


def alone() -> Iterator[Measure]:
    """What each computes of given losses or gradients."""
    def worst(module: Any, reference: Any, number: int, **kwargs: Any) -> float:
        weighting = module.build(**kwargs)
        rows = [module.conflicting(seed) for seed in range(number)]
        return max(_difference(weighting.aggregate(r, module.SOURCES), reference(r, step), r)
                   for step, r in enumerate(rows))

    yield Measure('PCGrad, largest difference to the length of the gradients',
                  worst(test_pc_grad, lambda rows, step: test_pc_grad.algorithm_1(rows, 0, step), 20), 1e-5,
                  'algorithm 1 of the paper with vectors, 20 sets of 3 sources')
    yield Measure('UPGrad, the same', worst(test_up_grad, lambda rows, _: test_up_grad.projections(rows), 20), 1e-5,
                  'projections by non-negative least squares, 20 sets')
    build, dual, gain = test_ca_grad.build(c=0.5), test_ca_grad.dual, test_ca_grad.worst_gain
    pairs = [(build.aggregate(rows, test_ca_grad.SOURCES), dual(rows, 0.5), rows)
             for rows in map(test_ca_grad.conflicting, range(10))]
    yield Measure('CAGrad, difference of the worst gain, which it makes as large as it can',
                  max(abs(gain(mine, rows) - gain(theirs, rows)) for mine, theirs, rows in pairs), 1e-4,
                  'its dual by SLSQP, 10 sets')
    yield Measure('CAGrad, largest difference to the length of the gradients', max(_difference(*p) for p in pairs),
                  1e-4, "as before; torchjd's solver stops at 1e-8 of the dual's objective and has no setting for it")
    yield Measure('UncertaintyWeighting, DynamicWeightAverage: values or gradients other than written out', _failed(
        test_uncertainty_weighting.test_values_and_gradients,
        lambda: test_dynamic_weight_average.test_windows_with_absent_sources(2.0),
        test_dynamic_weight_average.test_gradients_have_the_weights), 0, 'the formulas of the papers, to 1e-5')


def _difference(mine: Tensor, theirs: Tensor, rows: Tensor) -> float:
    return ((mine - theirs).abs().max() / rows.norm()).item()


def _failed(*checks: Any) -> int:
    """Count checks that do not hold."""
    failures = 0
    for check in checks:
        try:
            check()
        except AssertionError as error:
            failures += 1
            print(error)
    return failures


def under_ranks() -> Iterator[Measure]:
    """Ranks with each weighting against their batches in turn on one process."""
    with tempfile.TemporaryDirectory() as folder:
        ranks = spawn(train_weighted, RANKS, Path(folder))
    for name, settings in SETTINGS.items():
        if 'interval' in settings:
            settings = dict(interval=RANKS * WINDOW)  # one process counts the batches of all ranks
        reference = train_in_turn(RANKS, 'joint', STEPS, 1, **_hard_sharing(name, settings))
        worst = max((rank[name][key] - value).abs().max().item() for rank in ranks for key, value in reference.items())
        yield Measure(f'{name}, {RANKS} ranks: largest difference of a parameter', worst, 1e-5,
                      f'one process, the batches in turn, {STEPS} steps, hard sharing')


def train_weighted(rank: int, world: int, port: int, folder: str) -> None:
    """Train with each weighting as one of the ranks."""
    with group(rank, world, port):
        found = {name: train(world, 'joint', STEPS, 1, **_hard_sharing(name, settings))['trained']
                 for name, settings in SETTINGS.items()}
        torch.save(found, f'{folder}/{rank}.pth')


def _hard_sharing(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    return dict(expanded=False, weighting=dict(type=f'xlearner_mm.{name}', **settings))
