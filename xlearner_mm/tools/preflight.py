"""Check a config before it is trained: ``mim run xlearner_mm preflight CONFIG`` runs this file.

It builds everything and loads a batch of each source, but trains nothing and writes nothing that stays.
"""

import argparse
import tempfile

from mmengine.config import Config
from mmengine.runner import Runner

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import add_config_arguments, read_config, user_errors


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(description='Check an X-Learner config without training it')
    add_config_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Check the config of the command line; exit with 1 if it must be mended."""
    args = parse_args()
    with user_errors('preflight'), tempfile.TemporaryDirectory(prefix='preflight_') as work_dir:
        register_all_modules()
        print(check_config(_quiet_config(args, work_dir)))
    print('preflight passed')


def check_config(cfg: Config) -> str:
    """Build what a config asks for, check it, and load and preprocess a batch of each source.

    Args:
        cfg (Config): Config of an X-Learner run. What is built may write into its ``work_dir``.

    Returns:
        str: Table of the sources. Images a step and epochs are those of a run on one process.

    Raises:
        SampleError: If a training sample cannot be loaded.
        TypeError: If the config is not one of an X-Learner run.
        ValueError: If a check finds something to mend.
    """
    from xlearner_mm.engine import MultiSourceTrainLoop, MultiSourceValLoop
    from xlearner_mm.engine.model_of import model_of
    from xlearner_mm.preflight.first_batches import try_training_batches, try_val_batches

    runner = Runner.from_cfg(cfg)
    if not isinstance(runner.train_loop, MultiSourceTrainLoop):
        raise TypeError('preflight checks X-Learner runs; this config has another train loop. Set '
                        "train_cfg=dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=...).")
    _build_training(runner)
    val_loop = runner.val_loop
    table = runner.train_loop.preflight()
    model = model_of(runner)
    for warning in try_training_batches(model, runner.train_loop.dataloader):
        runner.logger.warning(warning)
    if isinstance(val_loop, MultiSourceValLoop):
        try_val_batches(model, val_loop.dataloader.loaders)
    return table


def _build_training(runner: Runner) -> None:
    """Build optimizer and schedules as ``Runner.train`` does, and let the squeeze be tried as before a training."""
    from xlearner_mm.engine import ExpansionSqueezeHook

    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.train_loop.check_schedules()
    runner.load_or_resume()
    for hook in runner.hooks:
        if isinstance(hook, ExpansionSqueezeHook):
            hook.before_train(runner)


def _quiet_config(args: argparse.Namespace, work_dir: str) -> Config:
    """Read the config; nothing is resumed, written into its own work folder or sent to a logging service."""
    cfg = read_config(args)
    cfg.work_dir = work_dir
    cfg.launcher = 'none'
    object.__setattr__(cfg, '_format_python_code', False)  # mmengine formats it twice by yapf, 10 s each time
    cfg.resume = False
    cfg.log_level = 'WARNING'
    if cfg.get('visualizer') is not None:
        cfg.visualizer.vis_backends = None
    return cfg


if __name__ == '__main__':
    main()
