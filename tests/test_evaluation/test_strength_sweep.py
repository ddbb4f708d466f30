from unittest.mock import patch

import pytest
import torch

from test_evaluation.made_features import made_features, split
from xlearner_mm.evaluation.linear_fit import LinearFit
from xlearner_mm.evaluation.strength_sweep import sweep_strength

pytestmark = pytest.mark.compat
MODULE = 'xlearner_mm.evaluation.strength_sweep'
TRAIN, VAL = split(made_features(300, 16, 4), 240)


def sweep(score):
    """A sweep whose scores are a function of the exponent in eighths; and the pairs of strength and start."""
    fits = []

    def fit(problem, strength, start, tolerance):
        fits.append((strength, None if start is None else start.strength))
        exponent = torch.tensor([8.0]) * torch.tensor(strength).log10()
        return LinearFit(torch.tensor([0]), exponent.round()[None], torch.zeros(1), strength, 0, 0, 0, True)

    with patch(f'{MODULE}.fit_linear', fit), patch(f'{MODULE}.accuracy', lambda p, *_: score(p)), \
            patch.object(LinearFit, 'predict', lambda self, _: int(self.weight)):
        return sweep_strength(TRAIN, VAL), fits


@pytest.mark.parametrize('peak', [-47, -20, -1, 0, 21, 48])
def test_it_finds_the_peak_coarse_to_fine(peak):
    swept, fits = sweep(lambda exponent: -abs(exponent - peak))
    assert swept.fit.strength == pytest.approx(10**(peak / 8))
    assert [strength for strength, _ in fits[:7]] == [1e6, 1e4, 1e2, 1, 1e-2, 1e-4, 1e-6]
    assert len(fits) <= 15 and len(swept.scores) == len(fits)
    assert list(swept.scores) == sorted(swept.scores, reverse=True)


def test_each_fit_starts_from_the_next_stronger_one():
    _, fits = sweep(lambda exponent: -abs(exponent - 3))
    for number, (strength, start) in enumerate(fits):
        stronger = [other for other, _ in fits[:number] if other > strength]
        assert start == min(stronger, default=None)


def test_of_equal_strengths_the_strongest_is_taken_and_an_end_is_told():
    with patch(f'{MODULE}.print_log') as log:
        swept, _ = sweep(lambda exponent: min(0, 8 - exponent))
        assert swept.fit.strength == pytest.approx(10) and not log.called
        sweep(lambda exponent: exponent)
    assert log.call_args.args[0].startswith('The best L2 strength in validation, 1e+06, is the last one of those tried')


def test_the_scores_are_those_of_the_validation_set():
    swept = sweep_strength(TRAIN, VAL)
    right = (swept.fit.predict(VAL.vectors) == VAL.labels).double().mean().item()
    assert swept.scores[swept.fit.strength] == max(swept.scores.values()) == pytest.approx(100 * right)
