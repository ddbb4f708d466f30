"""A source's data set for validation."""

from typing import Any

from torch.utils.data import Dataset

from .dropped import tell_dropped
from .sample import SampleError
from .stock import load_stock


class CheckedDataset(Dataset):
    """Read a stock data set with the errors of :class:`MultiSourceDataset`; samples are the stock ones (ours).

    Decoders fill a truncated image with grey and say nothing, and a metric counts what it is given.

    Args:
        source (str): Name of the source.
        dataset (Dataset): Its stock data set; any attribute of it can be read from this one.
    """

    def __init__(self, source: str, dataset: Any) -> None:
        self.source = source
        self.dataset = dataset
        tell_dropped(dataset)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Read a sample.

        Args:
            index (int): Index in the stock data set.

        Returns:
            Any: The stock sample.

        Raises:
            SampleError: If it cannot be loaded, or the pipeline drops it.
        """
        sample = load_stock(self.source, self.dataset, index, training=False)
        if sample is None:
            raise SampleError(f'Source {self.source!r}: the pipeline drops the validation sample {index}. Take the '
                              'transform out that does so.')
        return sample

    def __getattr__(self, name: str) -> Any:
        """Give an attribute of the stock data set."""
        if name == 'dataset':  # not yet set: while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)
