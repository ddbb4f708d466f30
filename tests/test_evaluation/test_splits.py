import pytest
import torch

from xlearner_mm.evaluation import Features, few_labels, hold_out

pytestmark = pytest.mark.compat
LABELS = torch.tensor([0] * 40 + [1] * 10 + [2] * 3 + [3])
FEATURES = Features(torch.arange(54.)[:, None], LABELS)


def counts(features):
    return torch.bincount(features.labels, minlength=4).tolist()


def test_every_class_is_held_out_in_proportion_and_none_whole():
    kept, held = hold_out(FEATURES)
    assert (counts(kept), counts(held)) == ([32, 8, 2, 1], [8, 2, 1, 0])
    assert sorted(kept.join(held).vectors[:, 0].tolist()) == list(range(54))
    assert all(torch.equal(LABELS[part.vectors[:, 0].long()], part.labels) for part in (kept, held))


def test_a_few_labels_hold_every_class():
    assert counts(few_labels(FEATURES)) == [4, 1, 1, 1]
    assert counts(few_labels(FEATURES, 1.0)) == [40, 10, 3, 1]


@pytest.mark.parametrize('choose', [few_labels, lambda features, seed: hold_out(features, seed=seed)[1]])
def test_the_seed_chooses(choose):
    one, same, other = (choose(FEATURES, seed=seed).vectors.tolist() for seed in (0, 0, 1))
    assert one == same != other


def test_the_same_samples_for_the_same_seed_everywhere():
    assert few_labels(FEATURES, seed=5).vectors[:, 0].tolist() == [6, 11, 14, 25, 44, 51, 53]


@pytest.mark.parametrize('choose, share', [(hold_out, 0.), (hold_out, 1.), (few_labels, 0.), (few_labels, 1.5)])
def test_a_share_that_leaves_nothing_is_refused(choose, share):
    with pytest.raises(ValueError, match=f'The share {share} '):
        choose(FEATURES, share)
