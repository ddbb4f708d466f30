"""Stock configs of mmdet, mmseg and mmpretrain as one X-Learner config."""

from collections.abc import Mapping
from typing import Optional

from xlearner_mm.setup_env import register_all_modules

from .composition import Composition
from .config_writer import write_config
from .joined_model import check_composed, join_models
from .stock_source import read_source
from .taken_source import take_source


def compose(sources: Mapping[str, str],
            tasks: Optional[Mapping[str, str]] = None,
            student: Optional[str] = None,
            expansion_iters: int = 90000,
            squeeze_iters: int = 90000,
            lr: float = 1e-4,
            scratch: bool = False) -> Composition:
    """Make one X-Learner config of stock configs (ours).

    Model, data preprocessor, pipelines, data sets, loaders and metrics of every source are taken over unchanged; only
    the backbone of the model becomes the sub-backbone of its task. Nothing is downloaded or installed.

    Args:
        sources (Mapping[str, str]): ``<library>:<config>`` by source, e.g.
            ``dict(coco='mmdet:faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')``.
        tasks (Mapping[str, str], optional): Task of some sources; by default ``cls``, ``det`` or ``seg``, by
            the library.
        student (str, optional): Task whose backbone the student is built as, or ``<library>:<config>`` whose backbone
            it takes; the first task by default. It starts from scratch.
        expansion_iters (int): Iterations of the expansion.
        squeeze_iters (int): Iterations of the squeeze.
        lr (float): Learning rate of AdamW.
        scratch (bool): Train the sub-backbones from scratch and whole, whatever the stock configs start from.

    Returns:
        Composition: The config and what it was made of.

    Raises:
        FileNotFoundError: If there is no such config.
        ImportError: If a config imports a module that is not installed.
        ValueError: If a source cannot be a branch, or the sources do not fit together.
    """
    register_all_modules()
    tasks = tasks or {}
    _check_settings(sources, tasks, expansion_iters, squeeze_iters, lr)
    taken = {name: take_source(read_source(name, stock, tasks.get(name))) for name, stock in sources.items()}
    joined = join_models(taken, student, scratch)
    composition = Composition(
        write_config(taken, joined, expansion_iters, squeeze_iters, lr),
        {name: source.told(scratch) for name, source in taken.items()},
        {name: [*source.model.left_out, *joined.left_out[name], *source.data.left_out]
         for name, source in taken.items()})
    check_composed(composition.config.model)
    return composition


def _check_settings(sources: Mapping[str, str], tasks: Mapping[str, str], expansion_iters: int, squeeze_iters: int,
                    lr: float) -> None:
    if not sources:
        raise ValueError('There is nothing to compose: name at least one source, e.g. '
                         'coco=mmdet:faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py.')
    unknown = set(tasks) - set(sources)
    if unknown:
        raise ValueError(f'Tasks are given for {sorted(unknown)}, which are no sources: {", ".join(sources)}.')
    for name, value in (('expansion_iters', expansion_iters), ('squeeze_iters', squeeze_iters), ('lr', lr)):
        if not value > 0:
            raise ValueError(f'{name}={value!r} must be positive.')
