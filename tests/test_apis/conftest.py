"""A run with averaged weights, what its validation predicted in each phase, and its images without the data sets."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

import toy


class Validated(NamedTuple):
    """Checkpoint by phase, images by source in the order of the data set, and predictions by phase and source."""

    checkpoints: dict[str, Path]
    images: dict[str, list[str]]
    predictions: dict[str, dict[str, list[Any]]]


class PredictionsHook(Hook):
    """Keeps the predictions of a validation by source."""

    def __init__(self):
        self.samples = {}

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.samples.setdefault(outputs[0].source, []).extend(outputs)


@pytest.fixture(scope='package')
def validated(tmp_path_factory):
    folder = tmp_path_factory.mktemp('validated')
    root = toy.write_data(folder / 'data')
    cfg = toy.config(root, folder / 'run', 2, 4)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    cfg.model.branches.boxes.model.test_cfg.score_thr = 0.01
    toy.train(cfg)
    checkpoints = dict(expansion=folder / 'run/expansion.pth', squeeze=folder / 'run/iter_4.pth')
    images, predictions = {}, {}
    for phase, path in checkpoints.items():
        toy.clear_mmengine()
        cfg.update(load_from=str(path))
        runner, hook = Runner.from_cfg(cfg), PredictionsHook()
        runner.register_hook(hook)
        runner.val()
        predictions[phase] = hook.samples
    for source, samples in predictions['squeeze'].items():
        (folder / source).mkdir()
        images[source] = [str(shutil.copy(sample.img_path, folder / source)) for sample in samples]
    shutil.rmtree(root)
    return Validated(checkpoints, images, predictions)
