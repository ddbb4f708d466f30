import pytest

import toy
from xlearner_mm.compose.stock_source import read_source
from xlearner_mm.compose.taken_data import take_data

pytestmark = pytest.mark.compat


def test_data_sets_loader_and_metrics_are_taken_with_their_prefix(stock):
    data, cfg = take_data(read_source('maps', stock['maps'])), toy.Config.fromfile(stock['maps'].partition(':')[2])
    assert data.dataset == dict(cfg.train_dataloader.dataset, type='mmseg.BaseSegDataset')
    assert data.val_dataloader == dict(cfg.val_dataloader, dataset=dict(
        cfg.val_dataloader.dataset, type='mmseg.BaseSegDataset'))
    assert data.val_evaluator == dict(cfg.val_evaluator, type='mmseg.IoUMetric')
    assert data.batch_size == 2


def test_a_batch_sampler_and_what_is_no_data_are_left_out_by_name(write):
    stock = write(boxes=dict(train_dataloader=dict(batch_sampler=dict(type='AspectRatioBatchSampler'))))
    left_out = take_data(read_source('boxes', stock['boxes'])).left_out
    assert left_out == ['train_dataloader.batch_sampler: AspectRatioBatchSampler', 'optim_wrapper: SGD',
                        'custom_hooks: EMAHook']


def test_a_config_without_validation_says_so(write):
    data = take_data(read_source('boxes', write(boxes=dict(val_dataloader=None, val_evaluator=None))['boxes']))
    assert data.val_dataloader is None and data.val_evaluator is None
    assert 'validation: the config has none' in data.left_out


def test_a_config_without_training_data_is_refused(write):
    with pytest.raises(ValueError, match="Source 'boxes': .* has no train_dataloader with a dataset"):
        take_data(read_source('boxes', write(boxes=dict(train_dataloader=None))['boxes']))
