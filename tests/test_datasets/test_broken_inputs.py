import time

import pytest

from broken_edits import data_of
from broken_inputs import CASES, BrokenInput, faults, run_case
from broken_run import HANG, SILENT

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('name', CASES)
def test_is_told(name, tmp_path):
    outcome = run_case(CASES[name], tmp_path)
    assert faults(CASES[name], outcome) == [], f'{outcome.kind} after {outcome.steps} steps: {outcome.message}'


@pytest.mark.parametrize('sources', [('photos', ), ('boxes', ), ('maps', ), ('photos', 'boxes', 'maps')])
def test_nothing_is_told_of_whole_input(sources, tmp_path):
    whole = BrokenInput(sources[0], lambda root, cfg: None, '.', others=sources[1:], validate=True)
    outcome = run_case(whole, tmp_path)
    assert (outcome.kind, outcome.message) == (SILENT, '') and outcome.steps >= 3
    assert faults(whole, outcome) == [SILENT]


def test_a_hang_is_told(tmp_path):

    def never_ends(_):
        time.sleep(60)

    hanging = BrokenInput('maps', lambda _, cfg: data_of(cfg, 'maps').pipeline.insert(0, never_ends), '.')
    outcome = run_case(hanging, tmp_path, limit_s=2)
    assert outcome.kind == HANG and faults(hanging, outcome) == [HANG]


def test_kinds():
    assert len(CASES) >= 34
