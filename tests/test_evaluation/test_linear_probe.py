import pytest
import torch
from sklearn.linear_model import LogisticRegression

from test_evaluation.made_features import made_features, split
from xlearner_mm.evaluation import Features, SoftmaxRegression, accuracy, few_labels, fit_linear, hold_out, linear_probe

pytestmark = pytest.mark.compat
TRAIN, TEST = split(made_features(500, 24, 5), 300)


@pytest.mark.parametrize('given', [True, False])
def test_it_scores_a_fit_to_training_and_validation_set_on_the_test_set(given):
    train, val = split(TRAIN, 200) if given else hold_out(TRAIN, seed=1)
    result = linear_probe(*((train, TEST, val) if given else (TRAIN, TEST)), seed=1)
    assert result.val_scores[result.strength] == max(result.val_scores.values())
    held = LogisticRegression(C=1 / result.strength, max_iter=1000).fit(*train)
    assert abs(result.val_scores[result.strength] - 100 * held.score(*val)) < 100.1 / len(val.labels)  # one sample
    both = LogisticRegression(C=1 / result.strength, max_iter=1000).fit(*TRAIN)
    assert abs(result.percent - 100 * both.score(*TEST)) < 100.1 / len(TEST.labels)


def test_both_sets_are_scored_by_the_metric():
    uneven = torch.cat((torch.arange(3), torch.nonzero(TEST.labels == 1)[:, 0]))
    val, test = TEST.take(uneven), TEST.take(uneven.flip(0))
    result = linear_probe(TRAIN, test, val, metric='mean_per_class')
    held = fit_linear(SoftmaxRegression(TRAIN), result.strength)
    assert accuracy(held.predict(val.vectors), val.labels) != result.val_scores[result.strength]
    assert accuracy(held.predict(val.vectors), val.labels, 'mean_per_class') == result.val_scores[result.strength]
    assert result.percent == accuracy(result.fit.predict(test.vectors), test.labels, 'mean_per_class')


def test_it_is_reproducible_and_the_seed_chooses_what_is_held_out():
    results = [linear_probe(TRAIN, TEST, seed=seed) for seed in (0, 0, 1)]
    assert results[0].percent == results[1].percent and torch.equal(results[0].fit.weight, results[1].fit.weight)
    assert results[0].val_scores == results[1].val_scores != results[2].val_scores


def test_a_validation_set_may_lack_classes_or_have_others():
    few = TRAIN.labels < 2
    result = linear_probe(TRAIN, TEST, TRAIN.take(few))
    assert result.fit.classes.tolist() == [0, 1, 2, 3, 4]
    result = linear_probe(TRAIN.take(few), TEST, TRAIN.take(~few))  # none of them can be right in validation
    assert set(result.val_scores.values()) == {0} and result.strength == 1e6
    assert result.fit.classes.tolist() == [0, 1, 2, 3, 4]  # but all are there in the last fit


def test_a_few_labels_of_every_class():
    result = linear_probe(few_labels(TRAIN, seed=3), TEST)
    assert 20 < result.percent < linear_probe(TRAIN, TEST).percent


@pytest.mark.parametrize('name', ['train', 'test', 'validation'])
def test_features_that_are_not_finite_are_placed(name):
    sets = dict(train=TRAIN, test=TEST, val=split(TEST, 50)[0])
    key = name[:3] if name == 'validation' else name
    broken = sets[key].vectors.clone()
    broken[17, 5] = broken[17, 9] = torch.nan
    sets[key] = sets[key]._replace(vectors=broken)
    with pytest.raises(ValueError, match=f'The {name} features are not finite: sample 17 has nan in channel 5, and 1'):
        linear_probe(**sets)


@pytest.mark.parametrize('change, message', [
    (dict(metric='top5'), "metric 'top5' must be one of top1, mean_per_class"),
    (dict(test=TEST._replace(vectors=TEST.vectors[:, :20])), r"number of channels: \{'train': 24, 'test': 20\}"),
    (dict(train=Features(TRAIN.vectors, TRAIN.labels * 0)), 'samples have the label 0: there is nothing to tell apart'),
    (dict(train=TRAIN.take(torch.arange(0))), r'The train features must be .* neither empty; got \(0, 24\)'),
    (dict(train=Features(TRAIN.vectors[:3], torch.arange(3))), 'Each of the 3 training samples is the only one of its'),
])
def test_what_cannot_be_probed_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        linear_probe(**{**dict(train=TRAIN, test=TEST), **change})


def test_labels_must_be_integers():
    with pytest.raises(TypeError, match='floating point with integer labels, got torch.float32 with torch.float32'):
        linear_probe(Features(TRAIN.vectors, TRAIN.labels.float()), TEST)
