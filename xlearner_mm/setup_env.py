"""What a process needs before it builds X-Learner configs: supported libraries, and every class registered."""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple, Optional

from mmengine.registry import init_default_scope
from mmengine.utils import digit_version


class Library(NamedTuple):
    """A library in a stack: the distribution that provides it, and its versions from ``low`` to below ``high``."""

    distribution: str
    low: str
    high: str

    def __str__(self) -> str:
        """What a user would ask pip for."""
        return f'{self.distribution}>={self.low},<{self.high}'


# The only place that tells the stacks apart. Both provide the same modules, under other distribution names.
STACKS: dict[str, dict[str, Library]] = dict(
    modern=dict(
        torch=Library('torch', '2.14', '2.15'),
        torchvision=Library('torchvision', '0.29', '0.30'),
        mmengine=Library('onedl-mmengine', '0.10.12', '0.11'),
        mmcv=Library('onedl-mmcv', '2.3.6', '2.4'),
        mmdet=Library('onedl-mmdetection', '3.5.1', '3.6'),
        mmseg=Library('onedl-mmsegmentation', '1.4.2', '1.5'),
        mmpretrain=Library('onedl-mmpretrain', '1.3.6', '1.4')),
    classic=dict(
        torch=Library('torch', '2.1', '2.2'),
        torchvision=Library('torchvision', '0.16', '0.17'),
        mmengine=Library('mmengine', '0.10.7', '0.11'),
        mmcv=Library('mmcv', '2.1.0', '2.2'),
        mmdet=Library('mmdet', '3.3.0', '3.4'),
        mmseg=Library('mmsegmentation', '1.2.2', '1.3'),
        mmpretrain=Library('mmpretrain', '1.2.0', '1.3')))

_OURS = ('datasets', 'models', 'engine')
_STOCK = ('mmdet', 'mmseg', 'mmpretrain')


def check_libraries() -> str:
    """Find the stack that is installed.

    Returns:
        str: Its name, a key of ``STACKS``.

    Raises:
        ImportError: If no stack is whole, or a library is there twice; names each that is missing, of another version
            or installed over another.
    """
    _refuse_doubles()
    problems = {stack: _problems_of(libraries) for stack, libraries in STACKS.items()}
    for stack, found in problems.items():
        if not found:
            return stack
    stack = min(problems, key=lambda name: len(problems[name]))
    other = '; '.join(f'{name}: {", ".join(map(str, libraries.values()))}' for name, libraries in STACKS.items())
    raise ImportError(f'xlearner_mm needs other libraries than are installed. For the {stack} stack: '
                      f'{"; ".join(problems[stack])}. Supported stacks, one of which must be whole: {other}.')


def _refuse_doubles() -> None:
    """Refuse two distributions of one module: the files are those of the one that was installed last."""
    for module in STACKS['modern']:
        found = sorted({libraries[module].distribution for libraries in STACKS.values()
                        if _version_of(libraries[module]) is not None})
        if len(found) > 1:
            raise ImportError(f'{module} is installed twice, by {" and by ".join(found)}, one over the other. '
                              'Uninstall both, then install the one of your stack again.')


def _version_of(library: Library) -> Optional[str]:
    try:
        return version(library.distribution)
    except PackageNotFoundError:
        return None


def _problems_of(libraries: dict[str, Library]) -> list[str]:
    problems = []
    for module, library in libraries.items():
        found = _version_of(library)
        if found is None:
            problems.append(f'{module} is missing, wanted {library}')
            continue
        # A local part such as +cu121 says how it was built, not what is in it.
        if not digit_version(library.low) <= digit_version(found.split('+')[0]) < digit_version(library.high):
            problems.append(f'{module} is {library.distribution} {found}, wanted {library}')
    return problems


def register_all_modules(init_scope: bool = False) -> None:
    """Check the libraries and register every class of ours and of the stock libraries.

    Args:
        init_scope (bool): Make ``xlearner_mm`` the default scope. X-Learner configs need none: they name the library
            of each stock class.

    Raises:
        ImportError: If a library is missing or of an unsupported version.
    """
    check_libraries()
    for library in _STOCK:
        importlib.import_module(f'{library}.utils').register_all_modules(init_default_scope=False)
    for package in _OURS:
        importlib.import_module(f'xlearner_mm.{package}')
    if init_scope:
        init_default_scope('xlearner_mm')
