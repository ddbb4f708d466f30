"""Configs by path or, as ``mim train`` takes them, by their bare name."""

from pathlib import Path

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
