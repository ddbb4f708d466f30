"""A source named by a stock config."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from mmengine.config import Config

from xlearner_mm.utils import check_source_name

TASKS = dict(mmpretrain='cls', mmdet='det', mmseg='seg')  # by library, unless the user says otherwise


@dataclass(frozen=True)
class StockSource:
    """A source, and the stock config that it is taken from.

    Attributes:
        name (str): Name of the source.
        library (str): ``mmdet``, ``mmseg`` or ``mmpretrain``.
        config (str): Config as the user named it.
        task (str): Task of the source.
        cfg (Config): What the config holds.
    """

    name: str
    library: str
    config: str
    task: str
    cfg: Config


def read_source(name: str, stock: str, task: Optional[str] = None) -> StockSource:
    """Read the stock config of a source.

    Args:
        name (str): Name of the source.
        stock (str): ``library:config``; the config is a file, or a path below the configs of the library.
        task (str, optional): Task of the source; by default ``cls``, ``det`` or ``seg``, by the library.

    Returns:
        StockSource: The source.

    Raises:
        FileNotFoundError: If there is no such config.
        ImportError: If the config imports a module that is not installed.
        ValueError: If the source's name or the library is not valid, or the config has no model.
    """
    check_source_name(name)
    library, _, config = stock.partition(':')
    if library not in TASKS or not config:
        raise ValueError(f'Source {name!r}: {stock!r} must be <library>:<config> with a library of '
                         f'{", ".join(sorted(TASKS))}, e.g. mmdet:faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py.')
    task = check_source_name(task or TASKS[library], 'Task')
    cfg = _read(name, find_stock_config(name, library, config))
    if not isinstance(cfg.get('model'), Mapping):
        raise ValueError(f'Source {name!r}: {config} has no model, so it is no config of a training run.')
    return StockSource(name, library, config, task, cfg)


def find_stock_config(name: str, library: str, config: str) -> Path:
    """Find a config: a file of the user's, or one that is installed with its library.

    Args:
        name (str): Name of the source, for errors.
        library (str): The library.
        config (str): Path of a file, or path below the library's configs.

    Returns:
        Path: The file.

    Raises:
        FileNotFoundError: If there is none.
    """
    for path in (Path(config), stock_configs(library) / config):
        if path.is_file():
            return path
    same = sorted(str(p.relative_to(stock_configs(library))) for p in stock_configs(library).rglob(Path(config).name))
    hint = f' Did you mean {library}:{same[0]}?' if same else ''
    raise FileNotFoundError(f'Source {name!r}: the config {config} is neither a file nor installed with {library} '
                            f'(below {stock_configs(library)}).{hint}')


def stock_configs(library: str) -> Path:
    """Give the folder of the configs that are installed with a library.

    The package is asked for and not its distribution, whose name differs between the supported stacks.

    Args:
        library (str): The library.

    Returns:
        Path: The folder.

    Raises:
        ImportError: If the library is not installed.
    """
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None:
        raise ImportError(f'{library} is not installed. Install it, or leave its sources out.')
    return Path(spec.origin).parent / '.mim' / 'configs'


def _read(name: str, path: Path) -> Config:
    try:
        return Config.fromfile(path)
    except ImportError as error:
        cause: Optional[BaseException] = error
        while cause is not None and not isinstance(cause, ModuleNotFoundError):
            cause = cause.__cause__ or cause.__context__  # mmengine's own message lists sys.path and not the module
        raise ImportError(f'Source {name!r}: {path} imports {getattr(cause, "name", None) or error}, which is not '
                          'installed. Install it, or put its folder on PYTHONPATH.') from error


def plain(value: Any, library: str) -> Any:
    """Turn a part of a config into plain dicts and lists; classes of new-style configs into the names they have.

    Args:
        value (Any): The part.
        library (str): Library of the config.

    Returns:
        Any: The same, of builtin types.
    """
    if isinstance(value, Mapping):
        return {key: plain(item, library) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item, library) for item in value)
    if isinstance(value, type):
        package = value.__module__.split('.', 1)[0]
        return f'{package}.{value.__name__}' if package in TASKS and package != library else value.__name__
    return value


def with_prefix(cfg: Any, library: str) -> Any:
    """Give the type of a stock config, or the types of a list of them, the prefix of its library.

    Args:
        cfg (dict or list): The config.
        library (str): Library that its types are looked up in.

    Returns:
        dict or list: The config with a prefixed type.
    """
    if isinstance(cfg, (list, tuple)):
        return [with_prefix(item, library) for item in cfg]
    kind: Union[str, Any] = cfg.get('type')
    return dict(cfg, type=kind if '.' in kind else f'{library}.{kind}')
