"""Tables for logs and terminals."""

from collections.abc import Sequence
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table

_WIDTH = 1000  # never reached: a line that is broken in two is hard to find in a log


def text_table(rows: Sequence[Sequence[str]], header: Sequence[str], num_texts: int) -> list[str]:
    """Lay out a table, without colours (ours).

    Args:
        rows (Sequence[Sequence[str]]): Cells by row.
        header (Sequence[str]): Names of the columns.
        num_texts (int): How many columns, the first ones, are words; the others are numbers and stand to the right.

    Returns:
        list[str]: Lines.
    """
    table = Table(box=box.SIMPLE_HEAD)
    for number, name in enumerate(header):
        table.add_column(name, no_wrap=True, justify='left' if number < num_texts else 'right')
    for row in rows:
        table.add_row(*row)
    out = StringIO()
    Console(file=out, width=_WIDTH, color_system=None, markup=False, highlight=False).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
