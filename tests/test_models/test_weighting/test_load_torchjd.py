import sys

import numpy as np
import pytest

from xlearner_mm.models.weighting import CAGrad, PCGrad, UPGrad
from xlearner_mm.models.weighting.load_torchjd import load_torchjd

pytestmark = pytest.mark.compat

MEND = 'pip install --upgrade --no-deps torchjd'


@pytest.mark.parametrize('weighting, missing, needs, solvers', [
    (PCGrad, 'torchjd.aggregation', 'torchjd', ''),
    (CAGrad, 'cvxpy', 'torchjd and cvxpy', f' && pip install cvxpy numpy=={np.__version__}'),
    (UPGrad, 'quadprog', 'torchjd and qpsolvers and quadprog',
     f' && pip install qpsolvers quadprog numpy=={np.__version__}'),
])
def test_what_is_missing(monkeypatch, weighting, missing, needs, solvers):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError) as raised:
        weighting(['photos', 'boxes'])
    message = str(raised.value)
    assert message.startswith(f'{weighting.__name__} needs {needs}, missing or too old here (')
    assert message.endswith(f': {MEND}{solvers}') and '\n' not in message


def test_an_old_version():
    with pytest.raises(ImportError, match=rf"X needs torchjd, missing .*no attribute 'Absent'.*: {MEND}$"):
        load_torchjd('X', 'math', 'Absent')
