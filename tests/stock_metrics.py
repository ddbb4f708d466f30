"""Metrics of a run's sources as the stock libraries compute them: ``Runner.test`` of each stock model alone.

As a command it writes them and those of :class:`MultiSourceTestLoop`; start it with torchrun for several processes::

    python tests/stock_metrics.py CONFIG CHECKPOINT OUT.json [--launcher pytorch]
"""

import argparse
import copy
import json
import os
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from toy import managed_classes
from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.tools.test import load_config, test
from xlearner_mm.utils import init_cpu_distributed, with_scope

PORT = 'xlearner_mm.BackbonePort'


def stock_metrics(cfg: Config, state: dict[str, torch.Tensor], source: str, work_dir: Path) -> dict[str, Any]:
    """Test the stock model of a source by its own library, as if X-Learner did not exist.

    Args:
        cfg (Config): Config of a run with test data; its plain backbone (the student, or the shared one) is the stock
            model's. An expansion is no stock backbone; branches must not share parts.
        state (dict[str, Tensor]): State dict of the run.
        source (str): The source.
        work_dir (Path): Folder for its weights and logs.

    Returns:
        dict: Stock metrics.
    """
    in_squeeze = bool(state.get('squeeze.phase', 0))
    backbone, prefix = (cfg.model.squeeze.student, 'squeeze.student.') if in_squeeze else (cfg.model.backbone,
                                                                                          'backbone.')
    model = with_scope(_with_backbone(cfg.model.branches[source].model, backbone))
    weights = {f'backbone.{key.removeprefix(prefix)}': v for key, v in state.items() if key.startswith(prefix)}
    fresh = f'squeeze.branches.{source}.'
    branch = fresh if in_squeeze and any(key.startswith(fresh) for key in state) else f'branches.{source}.'
    weights.update({key.removeprefix(branch): v for key, v in state.items() if key.startswith(branch)})
    path = work_dir / f'{source}.pth'
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_main_process():
        torch.save(dict(state_dict=weights), path)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    loader = cfg.test_dataloader[source]
    runner = Runner.from_cfg(Config(dict(
        model=model,
        work_dir=str(work_dir / source),
        test_dataloader=dict(loader, dataset=with_scope(loader.dataset)),
        test_evaluator=with_scope(cfg.test_evaluator[source]),
        test_cfg=dict(),
        load_from=str(path),
        launcher=cfg.launcher,
        model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None),  # None is right on CPUs, too
        randomness=cfg.randomness,
        experiment_name=f'stock_{source}'), format_python_code=False))
    own = (runner.model.module if hasattr(runner.model, 'module') else runner.model).state_dict()
    assert own.keys() == weights.keys(), set(own) ^ set(weights)
    return runner.test()


def _with_backbone(model: Any, backbone: Any) -> Any:
    """Put a backbone into every place where a branch has a port."""
    if not isinstance(model, dict):
        return [_with_backbone(part, backbone) for part in model] if isinstance(model, list) else model
    if model.get('type') == PORT:
        return ConfigDict(copy.deepcopy(backbone), out_indices=model['out_indices'])
    return ConfigDict({key: _with_backbone(value, backbone) for key, value in model.items()})


def compare(cfg: Config, work_dir: Path, limits: Optional[dict[str, int]] = None) -> dict[str, dict[str, Any]]:
    """Test a run by X-Learner and by the stock libraries.

    Args:
        cfg (Config): Config with test data; ``load_from`` names a checkpoint with a plain backbone.
        work_dir (Path): Folder for what is written.
        limits (dict[str, int], optional): Samples by source of a further test by X-Learner.

    Returns:
        dict[str, dict]: ``xlearner``, ``stock`` and ``limited`` metrics as ``<source>/<stock key>``.
    """
    state = torch.load(cfg.load_from, map_location='cpu', weights_only=False)['state_dict']
    found: dict[str, dict[str, Any]] = dict(xlearner=_test(cfg), stock={}, limited={})
    if limits:
        limited = copy.deepcopy(cfg)
        limited.test_cfg.max_samples = limits
        found['limited'] = _test(limited)
    for source in cfg.test_dataloader:
        _clear()
        metrics = stock_metrics(cfg, state, source, work_dir)
        found['stock'].update({f'{source}/{key}': value for key, value in metrics.items()})
    return {kind: {key: value.tolist() if hasattr(value, 'tolist') else value for key, value in metrics.items()}
            for kind, metrics in found.items()}


def _test(cfg: Config) -> dict[str, Any]:
    _clear()
    return dict(test(copy.deepcopy(cfg)))


def _clear() -> None:
    """Forget mmengine's global instances, but the logs."""
    for instances in managed_classes():
        if instances is not MMLogger:
            instances._instance_dict.clear()


def main() -> None:
    """Write the metrics of a run that the command line names."""
    parser = argparse.ArgumentParser()
    for name in ('config', 'checkpoint', 'out'):
        parser.add_argument(name)
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--limits', type=json.loads, help='samples by source of a further test, as JSON')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', '0')
    torch.set_num_threads(1)
    register_all_modules()
    init_cpu_distributed(args.launcher)
    work_dir = Path(args.out).with_suffix('')
    cfg = load_config(argparse.Namespace(**vars(args), cfg_options={}, work_dir=str(work_dir / 'xlearner')))
    found = compare(cfg, work_dir, args.limits)
    if is_main_process():
        Path(args.out).write_text(json.dumps(found))


if __name__ == '__main__':
    main()
