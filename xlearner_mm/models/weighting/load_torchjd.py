"""The optional library of gradient-based weightings."""

from typing import Any

import numpy as np

from xlearner_mm.utils import optional


def load_torchjd(who: str, module: str, name: str, *solvers: str) -> Any:
    """Import a class of torchjd.

    Args:
        who (str): What needs it, as an error says.
        module (str): Module of torchjd.
        name (str): Name of the class.
        *solvers (str): Modules that the class needs besides, named as their packages are.

    Returns:
        type: The class.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        for solver in solvers:
            optional(solver, who)
        return getattr(optional(module, who), name)
    except (ImportError, AttributeError) as error:
        # As it comes, pip would replace the classic stack's torch and numpy: torchjd asks for torch 2.3, of which it
        # uses nothing here, and new solvers for numpy 2.
        mend = 'pip install --upgrade --no-deps torchjd'
        if solvers:
            mend += f' && pip install {" ".join(solvers)} numpy=={np.__version__}'
        raise ImportError(f'{who} needs {" and ".join(["torchjd", *solvers])}, missing or too old here '
                          f'({error.__cause__ or error}): {mend}') from error
