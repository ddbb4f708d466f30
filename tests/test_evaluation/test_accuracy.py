import pytest
import torch

from xlearner_mm.evaluation import accuracy

pytestmark = pytest.mark.compat


def test_of_samples_and_of_classes():
    labels = torch.tensor([3, 3, 3, 3, 5, 5, 9])
    predicted = torch.tensor([3, 3, 3, 0, 5, 3, 3])
    assert accuracy(predicted, labels) == pytest.approx(100 * 4 / 7)
    assert accuracy(predicted, labels, 'mean_per_class') == pytest.approx(100 * (3 / 4 + 1 / 2 + 0) / 3)


def test_other_metrics_are_refused():
    with pytest.raises(ValueError, match="metric 'mAP' must be one of top1, mean_per_class"):
        accuracy(torch.zeros(1), torch.zeros(1), 'mAP')
