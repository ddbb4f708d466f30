"""Train and validate recipes: ``python run_recipes.py RESULTS CONFIG...`` in the folder that takes data and results.

The libraries are imported once; every recipe is run by a child of its own.
"""

import gc
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ['CUDA_VISIBLE_DEVICES'] = ''

import tiny_data
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from shrink import by_source, shrink

from xlearner_mm.models import Phase
from xlearner_mm.setup_env import register_all_modules

PREDICTED = ('pred_label', 'pred_instances', 'pred_sem_seg', 'pred_depth_map')


class Predictions(Hook):
    """Notes the sources of which an image was predicted; a stock config's only one has an empty name."""

    def __init__(self) -> None:
        self.sources: set[str] = set()

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note the source of a prediction."""
        self.sources |= {s.get('source', '') for s in outputs if any(name in s for name in PREDICTED)}


def write_data(cfg: Any) -> None:
    """Write what a recipe reads, below the working directory."""
    stock = 'branches' not in cfg.model
    models = {'': cfg.model} if stock else {source: branch.model for source, branch in cfg.model.branches.items()}
    train = cfg.train_dataloader.dataset
    train = {'': train} if stock else {source: part['dataset'] for source, part in train['sources'].items()}
    val = {source: loader.dataset for source, loader in by_source(cfg.val_dataloader, 'dataset').items()}
    for datasets, count in ((train, 2), (val, 1)):
        for source, dataset in datasets.items():
            tiny_data.write(dataset, count, models[source].get('head', {}).get('num_classes'))


def run(name: str, cfg: Any) -> dict:
    """Do a step of each phase and validate every source; what the parent is to know of it."""
    torch.manual_seed(0)
    cfg.work_dir = f'work/{name}'
    runner = Runner.from_cfg(cfg)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    predictions = Predictions()
    runner.register_hook(predictions)
    runner.val_loop.run()
    squeezes = getattr(runner.model, 'phase', None) is Phase.SQUEEZE
    trained = {key.split('.')[0] for key, value in runner.model.state_dict().items()
               if not torch.equal(value, before[key]) and not key.endswith('.phase')}
    return dict(
        predicted=sorted(predictions.sources), squeezes=squeezes, trained=sorted(trained), iterations=runner.iter)


def in_child(path: str) -> dict:
    """Run a recipe in a child; ``error`` where it failed."""
    name = Path(path).stem
    result, log = Path(f'{name}.json'), Path(f'{name}.log')
    pid = os.fork()
    if pid == 0:
        with log.open('w') as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        try:
            cfg = Config(Config.fromfile(path).to_dict(), format_python_code=False)  # formatting takes seconds
            write_data(cfg)
            shrink(cfg)
            told = run(name, cfg)
        except BaseException:
            told = dict(error=traceback.format_exc())
        result.write_text(json.dumps(told))
        os._exit(0)
    os.waitpid(pid, 0)
    return json.loads(result.read_text()) if result.exists() else dict(error=f'died: {log.read_text()[-2000:]}')


def main() -> None:
    """Run the recipes of the command line."""
    torch.set_num_threads(1)
    register_all_modules()
    gc.collect()
    gc.freeze()  # mmengine collects garbage at every data set, 0.4 s with all that was imported
    results = {path: in_child(path) for path in sys.argv[2:]}
    Path(sys.argv[1]).write_text(json.dumps(results))


if __name__ == '__main__':
    main()
