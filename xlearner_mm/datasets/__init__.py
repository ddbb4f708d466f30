"""The data path: several stock data sets in one, drawn so that a position says what is due."""

from .collate import collate_by_source
from .image_integrity import check_complete
from .multi_source_batch_sampler import MultiSourceBatchSampler
from .multi_source_dataset import MultiSourceDataset
from .permutation import permute, shuffled
from .sample import SampleError, SampleKey

__all__ = [
    'MultiSourceBatchSampler', 'MultiSourceDataset', 'SampleError', 'SampleKey', 'check_complete', 'collate_by_source',
    'permute', 'shuffled'
]
