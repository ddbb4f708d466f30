"""Building stock data sets and reading from them, with errors that say of which source and which file."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS as MMENGINE_DATASETS

from xlearner_mm.utils import with_scope

from .dropped import is_dropped
from .image_integrity import check_complete, paths_in
from .sample import SampleError
from .sample_check import check_boxes, check_sizes


def build_stock(source: str, dataset: Any, what: str) -> Any:
    """Build a source's stock data set, or take one that is built, and let it read its annotations.

    Args:
        source (str): Name of the source.
        dataset (dict or Dataset): Config of the data set, its type with the library's prefix; or the data set.
        what (str): How an error names the setting.

    Returns:
        Dataset: The data set.

    Raises:
        TypeError: If it is neither.
        ValueError: If it cannot be built.
    """
    if not isinstance(dataset, Mapping) and not (hasattr(dataset, '__getitem__') and hasattr(dataset, '__len__')):
        raise TypeError(f'{what} must be a data set or the config of one, got {dataset!r}.')
    try:
        built = MMENGINE_DATASETS.build(with_scope(dataset)) if isinstance(dataset, Mapping) else dataset
        if hasattr(built, 'full_init'):
            built.full_init()
    except Exception as error:
        text = error_text(error)
        if 'need at least one array to concatenate' in text:  # how mmengine's data sets fail without samples
            text = 'no samples were found'
        raise ValueError(f'The data set of source {source!r} ({_files_of(dataset)}) cannot be built: {text}. Mend '
                         f'{what}: its type, its paths, and filters that leave no samples.') from error
    return built


def load_stock(source: str, dataset: Any, index: int, mend: str = '', training: bool = True) -> Optional[Any]:
    """Read a sample, and check what stock pipelines pass on although it cannot be right.

    Args:
        source (str): Name of the source.
        dataset (Dataset): Its stock data set.
        index (int): Index of the sample.
        mend (str): What a user can do besides mending data or pipeline.
        training (bool): Whether boxes belong to the image as it is given. In stock pipelines for validation they are
            those of the image before it was resized.

    Returns:
        Any: The stock sample; None where the pipeline drops it.

    Raises:
        SampleError: If it cannot be loaded or augmented.
    """
    paths: list[str] = []
    try:
        info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else {}
        said, map_path = (info.get('height'), info.get('width')), info.get('seg_map_path')
        paths = paths_in(info)
        heads = {path: check_complete(path) for path in paths}
        sample = _read(dataset, index, info)
        check_sizes(sample, said, map_path, heads.get(map_path or '', b''))
        if training:
            check_boxes(sample)
        return sample
    except Exception as error:
        if is_dropped(error):
            return None
        where = f' ({", ".join(paths)})' if paths else ''
        raise SampleError(f'Source {source!r}: sample {index}{where} cannot be loaded or augmented: '
                          f'{error_text(error)}. Mend or remove it, mend the pipeline{mend}.') from error


def _read(dataset: Any, index: int, info: dict[str, Any]) -> Any:
    """Read a sample; a data set that does nothing but run its pipeline need not look its entry up once more."""
    kind = type(dataset)
    if kind.__getitem__ is BaseDataset.__getitem__ and kind.prepare_data is BaseDataset.prepare_data:
        return dataset.pipeline(info)
    return dataset[index]


def error_text(error: BaseException) -> str:
    """Describe an error; one without a message by the place where it arose.

    Args:
        error (BaseException): The error.

    Returns:
        str: Its type and message, without a full stop.
    """
    message = str(error).rstrip('. \n')
    if not message and error.__traceback__ is not None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        owner = _owner(error)
        message = f'in {owner}{frame.name}, line {frame.lineno} of {Path(frame.filename).name}: {frame.line}'
    return f'{type(error).__name__}: {message}'


def _owner(error: BaseException) -> str:
    """Name the class whose method raised an error."""
    last = list(traceback.walk_tb(error.__traceback__))[-1][0]
    return f'{type(last.f_locals["self"]).__name__}.' if 'self' in last.f_locals else ''


def _files_of(dataset: Any) -> str:
    """Say where the config of a data set looks for its files."""
    names = ('type', 'data_root', 'ann_file', 'data_prefix')
    told = {name: dataset.get(name) if isinstance(dataset, Mapping) else getattr(dataset, name, None)
            for name in names}
    return ', '.join(f'{name}={value!r}' for name, value in told.items() if value) or type(dataset).__name__
