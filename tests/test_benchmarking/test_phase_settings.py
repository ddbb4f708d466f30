import pytest

import toy
from xlearner_mm.benchmarking import phase_settings

pytestmark = pytest.mark.compat


def test_each_phase_has_its_own(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path)
    cfg.custom_hooks[0].squeeze.train_dataloader = dict(cfg.train_dataloader, num_workers=1)
    for phase, optimizer, workers in (('expansion', 'SGD', 0), ('squeeze', 'AdamW', 1)):
        loader, optim = phase_settings(cfg, phase)
        assert (optim.optimizer.type, loader.num_workers) == (optimizer, workers)


def test_sources_are_left_out_wherever_a_loader_names_them(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path)
    cfg.train_dataloader.batch_sampler.update(ratios=dict(photos=1, boxes=2, maps=1), no_repeat=['photos', 'maps'])
    loader, _ = phase_settings(cfg, 'expansion', ['boxes', 'maps'])
    assert list(loader.dataset.sources) == list(loader.batch_size) == ['boxes', 'maps']
    assert set(loader.batch_sampler.ratios) == {'boxes', 'maps'} and loader.batch_sampler.no_repeat == ['maps']
    assert len(cfg.train_dataloader.batch_size) == 3  # the config is left as it was
