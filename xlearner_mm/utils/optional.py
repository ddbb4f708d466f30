"""Libraries that need not be installed."""

import importlib
from typing import Any


def optional(module: str, who: str) -> Any:
    """Import what this package does without unless a user asks for it.

    Args:
        module (str): Name of the module.
        who (str): What needs it, as an error says.

    Returns:
        module: The module.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split('.', 1)[0]
        raise ImportError(f'{who} needs {package}, which is not installed: pip install {package}') from error
