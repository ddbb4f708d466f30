from collections import defaultdict
from unittest.mock import patch

import numpy as np
import pytest
import torch

from test_evaluation.made_features import made_features, split
from xlearner_mm.evaluation import Features, knn_probe

pytestmark = pytest.mark.compat
TRAIN, TEST = split(made_features(260, 16, 5), 200)


def by_hand(train, test, k, temperature):
    bank = train.vectors.double().numpy()
    bank /= np.linalg.norm(bank, axis=1, keepdims=True)
    right = 0
    for vector, label in zip(test.vectors.double().numpy(), test.labels.tolist()):
        cosines, votes = bank @ (vector / np.linalg.norm(vector)), defaultdict(float)
        for i in np.argsort(-cosines)[:k]:
            votes[int(train.labels[i])] += np.exp(cosines[i] / temperature)
        right += max(votes, key=votes.get) == label
    return 100 * right / len(test.labels)


@pytest.mark.parametrize('k, temperature', [(1, 0.07), (20, 0.07), (20, 1.0), (500, 0.07)])
@pytest.mark.parametrize('held', [2**24, 900])  # similarities at a time: all, and those of four samples
def test_it_is_the_vote_of_the_nearest(k, temperature, held):
    with patch('xlearner_mm.evaluation.knn_probe._SIMILARITIES', held):
        percent = knn_probe(TRAIN, TEST, k=k, temperature=temperature)
    assert percent == pytest.approx(by_hand(TRAIN, TEST, k, temperature))


def test_lengths_do_not_count_nor_which_numbers_the_labels_are():
    longer = Features(TRAIN.vectors * torch.linspace(0.1, 10, 200)[:, None], TRAIN.labels + 70)
    assert knn_probe(longer, TEST._replace(labels=TEST.labels + 70)) == knn_probe(TRAIN, TEST)


def test_a_small_temperature_does_not_overflow():
    assert knn_probe(TRAIN, TEST, temperature=1e-4) == knn_probe(TRAIN, TEST, k=1)


@pytest.mark.parametrize('settings', [dict(k=0), dict(temperature=0.), dict(temperature=float('nan'))])
def test_other_settings_are_refused(settings):
    with pytest.raises(ValueError, match='of the k-NN probe must be positive'):
        knn_probe(TRAIN, TEST, **settings)
