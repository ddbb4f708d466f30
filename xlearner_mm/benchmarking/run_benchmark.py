"""A benchmark of a config."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size, is_distributed

from xlearner_mm.models import ExpandedBackbone, Phase

from .compare_steps import compare_steps
from .environment import environment
from .joint_side import JointSide
from .measure_memory import measure_memory
from .options import Options
from .run_steps import run_steps
from .stock_side import StockSide
from .summarise import summarise
from .summarise_turns import summarise_turns
from .turn import Turn

MOST_DRAWS = 100  # batches until every source has come
MOST_KEPT = 16  # batches that turns are done with


def run_benchmark(cfg: Config, options: Options) -> dict[str, Any]:
    """Measure memory, then joint steps as they are trained, then joint and stock steps in turn (ours).

    Args:
        cfg (Config): Config of an X-Learner run.
        options (Options): What is measured.

    Returns:
        dict: Plain values for JSON and :func:`benchmark_table`: ``config``, ``phase``, ``steps``, ``warmup``,
            ``environment``, ``notes``, ``memory``, ``joint`` as :func:`summarise` gives it, and ``stock``, None where
            it was not measured, as :func:`summarise_turns` gives it.

    Raises:
        TypeError: If the config is not one of an X-Learner run.
        ValueError: If a setting is wrong.
    """
    joint = JointSide(cfg, options)
    compared = options.stock and not is_distributed()
    stock = {source: StockSide(cfg, options, joint, source) for source in joint.sources} if compared else {}
    batches = _first_batches(joint)
    memory = _memory(joint, stock, batches)
    run_steps(joint, options.warmup, by_parts=False)
    # Parts wait for a GPU, so that steps as they are trained are measured without; a CPU is never waited for.
    on_gpu = str(get_device()).startswith('cuda')
    records = run_steps(joint, options.steps, by_parts=not on_gpu)
    parted = run_steps(joint, options.steps, by_parts=True) if on_gpu else records
    turns: list[Turn] = []
    if stock:
        batches = [joint.next_batch() for _ in range(min(options.steps, MOST_KEPT))]
        joint.close()
        compare_steps(joint, stock, batches, options.warmup)
        turns = compare_steps(joint, stock, batches, options.steps)
    joint.close()
    return dict(
        config=str(cfg.filename), phase=options.phase, steps=options.steps, warmup=options.warmup,
        sources=joint.sources, environment=environment(), notes=_notes(joint, options.stock, compared), memory=memory,
        joint=summarise(records, parted, get_world_size()), stock=summarise_turns(turns) if turns else None)


def _first_batches(joint: JointSide) -> list[Any]:
    """Draw until every source has come."""
    batches = [joint.next_batch()]
    while len(batches) < MOST_DRAWS and set(joint.sources) - {source for batch in batches for source in batch}:
        batches.append(joint.next_batch())
    return batches


def _memory(joint: JointSide, stock: Mapping[str, StockSide], batches: Sequence[Any]) -> dict[str, Any]:
    found, how = measure_memory(joint, batches)
    memory: dict[str, Any] = dict(joint=found, how=how, stock={})
    for source, side in stock.items():
        own = [batch for batch in batches if source in batch][:2]
        memory['stock'][source] = measure_memory(side, own)[0] if own else None
    return memory


def _notes(joint: JointSide, asked: bool, compared: bool) -> list[str]:
    """Say what a reader must know to read the figures right."""
    model, notes = joint.model, []
    expanded = isinstance(model.backbone, ExpandedBackbone)
    if model.phase is Phase.SQUEEZE:
        notes.append("The joint step includes the frozen teachers' passes and the hints; stock models have the student "
                     'as backbone and train by their own losses alone.')
    elif expanded:
        notes.append('The joint step includes the auxiliary passes through the sub-backbones of other tasks, and the '
                     "links; stock models have their task's sub-backbone alone.")
    micro = {source: parts for source, parts in model.micro_batches.items() if parts > 1 and source in joint.sources}
    if micro:
        notes.append('Of the joint step these sources run in micro-batches, stock models do not: '
                     + ', '.join(f'{source} in {parts}' for source, parts in micro.items()) + '.')
    if asked and not compared:
        notes.append('Stock models are not measured with several processes.')
    return notes
