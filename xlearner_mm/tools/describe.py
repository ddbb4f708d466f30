"""Look at an expansion before it is trained: ``mim run xlearner_mm describe CONFIG`` runs this file.

It builds the model of the config, prints what its parts cost, and draws how they are wired. No data is read, no weights
are loaded.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from mmengine.config import Config
from mmengine.registry import init_default_scope

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import add_config_arguments, atomic_figure, read_config, user_errors

if TYPE_CHECKING:
    from xlearner_mm.models import XLearner

FORMATS = ('.png', '.svg')
MIN_SIZE = 32


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description='Print and draw the wiring of an X-Learner model and what it costs')
    add_config_arguments(parser)
    parser.add_argument('--out', help='PNG or SVG file to draw the wiring into; none by default')
    parser.add_argument('--size', type=int, nargs='+', default=[224],
                        help='side of the image whose pass is counted, or its height and width; 224 by default')
    return parser.parse_args(arguments)


def check_args(args: argparse.Namespace) -> None:
    """Refuse what cannot be done, before anything is built.

    Args:
        args (argparse.Namespace): The arguments.

    Raises:
        ValueError: If the size is no side or height and width, is too small, or the file is neither PNG nor SVG.
    """
    told = ' '.join(map(str, args.size))
    if len(args.size) > 2:
        raise ValueError(f'--size {told} must be one number, or height and width.')
    if min(args.size) < MIN_SIZE:
        raise ValueError(f'--size {told} is too small for a backbone; give {MIN_SIZE} or more.')
    if args.out is not None and Path(args.out).suffix.lower() not in FORMATS:
        raise ValueError(f'--out {args.out} must end in .png or .svg: a PNG or an SVG is written.')


def build_model(cfg: Config) -> 'XLearner':
    """Build the model of a config as the run would, without loading weights.

    Args:
        cfg (Config): Config of an X-Learner run.

    Returns:
        XLearner: The model.

    Raises:
        TypeError: If it is another model.
        ValueError: If the config has no X-Learner model, or it cannot be built.
    """
    from xlearner_mm.models import XLearner
    from xlearner_mm.registry import MODELS

    settings = cfg.get('model')
    wanted = "Give the config of an X-Learner run, with model=dict(type='xlearner_mm.XLearner', branches=...)."
    if not isinstance(settings, Mapping) or 'branches' not in settings:
        found = f'of type {settings.get("type")!r}' if isinstance(settings, Mapping) else repr(settings)
        raise ValueError(f'{cfg.filename} has no X-Learner model to describe, its model is {found}. {wanted}')
    if cfg.get('default_scope'):
        init_default_scope(cfg.default_scope)
    model = MODELS.build(settings)
    if not isinstance(model, XLearner):
        raise TypeError(f'The model of {cfg.filename} is a {type(model).__name__}. {wanted}')
    return model


def describe(args: argparse.Namespace) -> str:
    """Describe the model of a config, and draw it if a file is asked for.

    Args:
        args (argparse.Namespace): The arguments, checked.

    Returns:
        str: Tables of its parts, and what was written.

    Raises:
        TypeError: If the config's model is no X-Learner model.
        ValueError: If the config has none, it cannot be built, or it cannot be run at this size.
    """
    from xlearner_mm.models.model_parts import model_parts
    from xlearner_mm.visualization.parts_table import parts_table
    from xlearner_mm.visualization.wiring import wiring_picture

    cfg = read_config(args)
    parts = model_parts(build_model(cfg), (args.size[0], args.size[-1]))
    told = parts_table(parts)
    if args.out is None:
        return told
    atomic_figure(wiring_picture(parts, Path(args.config).name), args.out)
    return f'{told}\n\nwrote {args.out}'


def main() -> None:
    """Describe what the command line asks for; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('describe'):
        check_args(args)  # before the libraries, which take seconds
        register_all_modules()
        print(describe(args))


if __name__ == '__main__':
    main()
