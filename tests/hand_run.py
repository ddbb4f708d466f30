"""Iterations of a model and a hook by hand, without data and loops."""

from types import SimpleNamespace

import torch
from mmengine.optim import OptimWrapper

from xlearner_mm.engine import MultiSourceTrainLoop


class Run:
    """What a hook asks of a runner; scalars and warnings are kept."""

    def __init__(self, model, hook, **kwargs):
        self.model, self.hook, self.iter = model, hook, 0
        self.optim_wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9), **kwargs)
        self.train_loop = object.__new__(MultiSourceTrainLoop)
        self.written, self.warnings = {}, []
        self.visualizer = SimpleNamespace(add_scalars=lambda scalars, step: self.written.update({step: scalars}))
        self.logger = SimpleNamespace(warning=self.warnings.append)
        if hook is not None:
            hook.before_train(self)

    def step(self, data):
        if self.hook is not None:
            self.hook.before_train_iter(self, self.iter, data)
        outputs = self.model.train_step(data, self.optim_wrapper, random_key=(7, self.iter))
        if self.hook is not None:
            self.hook.after_train_iter(self, self.iter, data, outputs)
        self.iter += 1
