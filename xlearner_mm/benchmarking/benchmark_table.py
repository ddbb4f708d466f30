"""A benchmark as tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from xlearner_mm.utils import text_table

PARTS = dict(data='data (waiting for the loader)', forward='forward', backward='backward', reduce='reduce',
             optimizer='optimizer', other='other')
NONE = '–'


def benchmark_table(result: Mapping[str, Any]) -> str:
    """Draw up the tables of a benchmark: its sources, its parts, and what stands beside it (ours).

    Args:
        result (Mapping): What :func:`run_benchmark` gave.

    Returns:
        str: The tables, without colours.
    """
    joint, stock, where = result['joint'], result['stock'], result['environment']
    processes = f', {where["processes"]} processes' if where['processes'] > 1 else ''
    lines = [
        f'{Path(result["config"]).name}, {result["phase"]}: medians of {result["steps"]} steps after '
        f'{result["warmup"]} of warm-up',
        f'{where["device"]} ({where["device_name"]}), {where["threads"]} thread{"s" * (where["threads"] != 1)}'
        f'{processes}; {where["versions"].get("torch", "torch")}', '',
        *_source_table(joint, stock, result['memory']), '', *_part_table(joint)]
    if joint['reduced_bytes']:
        lines.append(f'Gradients averaged over the ranks: {joint["reduced_bytes"] / 1e6:.2f} MB a step.')
    lines.append('')
    if stock is not None:
        lines.append(f'Joint step in ratio to the stock steps of its sources alone, in turn: {stock["ratio"]:.2f} '
                     f'({_ms(stock["joint"])} ms to {_ms(stock["sum"])} ms)')
    lines.append(f'Peak memory of the joint step: {_mb(result["memory"]["joint"])} MB ({result["memory"]["how"]})'
                 if result['memory']['joint'] is not None else f'Peak memory: {result["memory"]["how"]}')
    return '\n'.join([*lines, *result['notes']])


def _source_table(joint: Mapping[str, Any], stock: Optional[Mapping[str, Any]], memory: Mapping[str, Any]) -> list[str]:
    header = ['source', 'images a step', 'images/s', 'forward ms', 'backward ms']
    if stock is not None:
        header += ['stock step ms', 'stock images/s', 'stock peak MB']
    rows = []
    for source, images in joint['images_per_step'].items():
        own = joint['sources'][source]
        row = [source, f'{images:g}', f'{joint["images_per_second"][source]:.1f}', _ms(own.get('forward')),
               _ms(own.get('backward'))]
        if stock is not None:
            row += _stock_cells(stock, memory, source)
        rows.append(row)
    return text_table(rows, header, 1)


def _stock_cells(stock: Mapping[str, Any], memory: Mapping[str, Any], source: str) -> list[str]:
    seconds = stock['step'].get(source)
    speed = NONE if seconds is None else f'{stock["images_per_second"][source]:.1f}'
    return [_ms(seconds), speed, _mb(memory['stock'].get(source))]


def _part_table(joint: Mapping[str, Any]) -> list[str]:
    parts = dict(data=joint['data'], **joint['parts'])
    rows = [(PARTS.get(part, part), _ms(seconds), f'{100 * joint["shares"][part]:.1f} %')
            for part, seconds in parts.items()]
    return text_table([*rows, ('step, data apart', _ms(joint['step']), '')], ('part', 'ms', 'share'), 1)


def _ms(seconds: Optional[float]) -> str:
    return NONE if seconds is None else f'{1000 * seconds:.1f}'


def _mb(size: Optional[float]) -> str:
    return NONE if size is None else f'{size / 1e6:.0f}'
