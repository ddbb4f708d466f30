"""What one process of a distributed test does; a module of its own, so that a new process can import it."""

import os

import torch
import torch.distributed as dist
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS

from tiny import batches, two_stage_detector, xlearner
from xlearner_mm.engine import MultiSourceDistributed
from xlearner_mm.setup_env import register_all_modules

RANKS, STEPS = 2, 2


def build(seed=0):
    torch.manual_seed(seed)
    cfg = xlearner(squeeze=False)
    cfg.branches.boxes.model = two_stage_detector()  # FCOS shares its number of positives among the ranks
    cfg.backbone.reconciliation = dict(stages=())  # links read running statistics, which each rank has of its own
    model = MODELS.build(cfg)
    model.init_weights()
    return model.train()


def wrap(model, **kwargs):
    return OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), **kwargs)


def data_of(step, rank):
    # maps at no step: their parameters get no gradient
    return batches('photos', 'boxes', seed=10 * step + rank)


def train_rank(rank, port, folder):
    """One process: two steps, then one with a loss that is not finite on the last rank."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(RANKS), MASTER_ADDR='localhost', MASTER_PORT=str(port))
    dist.init_process_group('gloo')
    register_all_modules()
    model = MultiSourceDistributed(build(seed=rank))
    start = {k: v.clone() for k, v in model.module.state_dict().items()}
    optim = wrap(model)
    for step in range(STEPS):
        model.train_step(data_of(step, rank), optim, random_key=(step, rank))
    trained = {k: v.clone() for k, v in model.module.named_parameters()}
    without = [n for n, p in model.module.named_parameters() if p.grad is None and p not in optim.optimizer.state]
    if rank == RANKS - 1:
        torch.nn.init.constant_(model.module.branches['photos'].head.fc.weight, float('nan'))
    try:
        model.train_step(data_of(STEPS, rank), optim)
        error = 'none'
    except FloatingPointError as raised:
        error = str(raised)
    torch.save(dict(start=start, trained=trained, without=without, error=error), f'{folder}/{rank}.pth')
