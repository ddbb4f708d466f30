"""Look at what is trained: ``mim run xlearner_mm browse_sources CONFIG`` runs this file.

It draws the first images that a run of the config sees of each source, augmented and with their labels.
"""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import add_config_arguments, atomic_write, loader_settings, read_config, user_errors

if TYPE_CHECKING:
    from xlearner_mm.datasets import MultiSourceBatchSampler, MultiSourceDataset

HEIGHT = 256
PHASES = ('expansion', 'squeeze')


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description='Draw the first training images of each source with their labels')
    add_config_arguments(parser)
    parser.add_argument('--out', default='browse_sources.png', help='PNG file to write; browse_sources.png by default')
    parser.add_argument('--columns', type=int, default=6, help='images of each source, 6 by default')
    parser.add_argument('--epoch', type=int, default=0, help='how many times each source was gone through before')
    parser.add_argument('--sources', nargs='+', help='sources to draw, in this order; all by default')
    parser.add_argument('--phase', choices=PHASES, default=PHASES[0], help='whose train_dataloader to read')
    return parser.parse_args(arguments)


def check_args(args: argparse.Namespace) -> None:
    """Refuse what cannot be drawn, before any data is read.

    Args:
        args (argparse.Namespace): The arguments.

    Raises:
        ValueError: If there is no column, the epoch is negative or the file is no PNG.
    """
    if args.columns < 1:
        raise ValueError(f'--columns {args.columns} leaves no images; give 1 or more.')
    if args.epoch < 0:
        raise ValueError(f'--epoch {args.epoch} must be 0 or more: epochs count from 0.')
    if Path(args.out).suffix.lower() != '.png':
        raise ValueError(f'--out {args.out} must end in .png: a PNG is written.')


def build_data(cfg: Config, phase: str,
               sources: Optional[Sequence[str]]) -> tuple['MultiSourceDataset', 'MultiSourceBatchSampler']:
    """Build the train loader of a phase as the run would; no model is built.

    Args:
        cfg (Config): Config of a run.
        phase (str): ``expansion`` or ``squeeze``.
        sources (Sequence[str], optional): Sources that it must have.

    Returns:
        tuple[MultiSourceDataset, MultiSourceBatchSampler]: What the loader reads, in which order.

    Raises:
        TypeError: If data set or batch sampler are not those of X-Learner.
        ValueError: If a source is not there, or something cannot be built.
    """
    from xlearner_mm.datasets import MultiSourceBatchSampler, MultiSourceDataset

    settings = loader_settings(cfg, phase)
    known = list(settings.dataset.sources)
    unknown = [source for source in sources or () if source not in known]
    if unknown:
        raise ValueError(f'--sources {" ".join(unknown)}: not among train_dataloader.dataset.sources, which has '
                         f'{", ".join(known)}.')
    if cfg.get('default_scope'):
        init_default_scope(cfg.default_scope)
    wanted = ("set train_dataloader.dataset.type='xlearner_mm.MultiSourceDataset' and train_dataloader.batch_sampler="
              "dict(type='xlearner_mm.MultiSourceBatchSampler').")
    if settings.get('batch_sampler') is None:
        raise TypeError(f'train_dataloader has no batch_sampler: {wanted}')
    loader = Runner.build_dataloader(settings, seed=(cfg.get('randomness') or {}).get('seed'))
    dataset, sampler = loader.dataset, loader.batch_sampler
    if not isinstance(dataset, MultiSourceDataset) or not isinstance(sampler, MultiSourceBatchSampler):
        raise TypeError(f'train_dataloader builds a {type(dataset).__name__} and a {type(sampler).__name__}: {wanted}')
    return dataset, sampler


def browse(args: argparse.Namespace) -> str:
    """Write the contact sheet that a command line asks for.

    Args:
        args (argparse.Namespace): The arguments, checked.

    Returns:
        str: What was written.

    Raises:
        SampleError: If a sample cannot be loaded.
        TypeError: If the config's data set or batch sampler are not those of X-Learner.
        ValueError: If the config does not fit, or has no such source.
    """
    from xlearner_mm.visualization import contact_sheet, first_keys, labelled_sample, source_title

    cfg = read_config(args)
    dataset, sampler = build_data(cfg, args.phase, args.sources)
    rows = {
        source: [labelled_sample(dataset, key, HEIGHT) for key in first_keys(sampler, source, args.epoch, args.columns)]
        for source in args.sources or dataset.sources
    }
    seed = sampler.initial_state()['seed']
    drawn = '' if (cfg.get('randomness') or {}).get('seed') is not None else ' (drawn: randomness.seed is not set)'
    heading = f'{Path(args.config).name} · {args.phase} · epoch {args.epoch} · seed {seed}{drawn}'
    sheet = contact_sheet(rows, {source: source_title(dataset, source) for source in rows}, heading, HEIGHT)
    buffer = io.BytesIO()
    sheet.print_png(buffer)
    atomic_write(args.out, buffer.getvalue())
    images = sum(map(len, rows.values()))
    return (f'wrote {args.out}: {len(rows)} source{"s" * (len(rows) != 1)}, '
            f'{images} image{"s" * (images != 1)}')


def main() -> None:
    """Draw what the command line asks for; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('browse_sources'):
        check_args(args)  # before the libraries, which take seconds
        register_all_modules()
        print(browse(args))


if __name__ == '__main__':
    main()
