"""How command line tools tell a user's mistake."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.config.utils import ConfigParsingError

_KINDS = (ConfigParsingError, ImportError, KeyError, OSError, SyntaxError, TypeError, ValueError)


@contextmanager
def user_errors(tool: str) -> Iterator[None]:
    """End the process with one line and exit code 1 for an error that a config or its data can be blamed for.

    All other errors are ours and keep their traceback.

    Args:
        tool (str): Name of the tool.
    """
    try:
        yield
    except Exception as error:
        # It need not be there: a missing library is one of these errors.
        sample_error: Any = getattr(sys.modules.get('xlearner_mm.datasets'), 'SampleError', ())
        if not isinstance(error, _KINDS) and not isinstance(error, sample_error):
            raise
        # str() of a KeyError is the repr of its message.
        sys.exit(f'{tool} failed: {error.args[0] if isinstance(error, KeyError) and error.args else error}')
