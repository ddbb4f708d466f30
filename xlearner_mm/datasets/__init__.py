"""The data path: several stock data sets in one, drawn so that a position says what is due."""

from .checked_dataset import CheckedDataset
from .collate import collate_by_source
from .image_integrity import check_complete
from .in_flight import InFlight
from .key_batch import KeyBatch
from .multi_source_batch_sampler import MultiSourceBatchSampler
from .multi_source_dataset import MultiSourceDataset
from .permutation import permute, shuffled
from .sample import SampleError, SampleKey
from .share_of_dataset import ShareOfDataset
from .stock import build_stock, error_text

__all__ = [
    'CheckedDataset', 'InFlight', 'KeyBatch', 'MultiSourceBatchSampler', 'MultiSourceDataset', 'SampleError',
    'SampleKey', 'ShareOfDataset', 'build_stock', 'check_complete', 'collate_by_source', 'error_text', 'permute',
    'shuffled'
]
