"""Configs as command line tools take them: by path or, as ``mim train`` does, by their bare name."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction

import xlearner_mm


def find_config(config: str) -> str:
    """Find a config file: a path, or the name of one that is installed with this package.

    Args:
        config (str): Path or base name.

    Returns:
        str: Path of the file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If several installed ones have that name.
    """
    if Path(config).is_file():
        return config
    installed = sorted(Path(xlearner_mm.__file__).parent.glob(f'.mim/**/{Path(config).name}'))
    if not installed:
        raise FileNotFoundError(f'The config {config} does not exist, and none of that name is installed with '
                                'xlearner_mm. Mend its path.')
    if len(installed) > 1:
        raise ValueError(f'Several configs are called {config}: {", ".join(map(str, installed))}. Give the path of '
                         'one.')
    return str(installed[0])


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a tool take a config and settings that override it.

    Args:
        parser (argparse.ArgumentParser): Parser of the tool.
    """
    parser.add_argument('config', help='config file of an X-Learner run, or the name of one of xlearner_mm')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='settings to override, key=value')


def read_config(args: argparse.Namespace) -> Config:
    """Read the config that a command line names.

    Args:
        args (argparse.Namespace): With what :func:`add_config_arguments` adds.

    Returns:
        Config: The config with its overridden settings.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If several installed ones have that name.
    """
    cfg = Config.fromfile(find_config(args.config))
    cfg.merge_from_dict(args.cfg_options)
    return cfg
