"""A part of a stock data set."""

import math
from typing import Any

import numpy as np
from mmengine.registry import DATASETS as MMENGINE_DATASETS

from xlearner_mm.registry import DATASETS


@DATASETS.register_module()
class ShareOfDataset:
    """A random part of a stock data set, for training with few labels.

    Args:
        dataset (dict or Dataset): The stock data set.
        share (float): Part of its samples, above 0 and at most 1; at least one sample is taken.
        seed (int): Which samples; the same ones for the same seed.

    Raises:
        ValueError: If the share is not in this range.
    """

    def __init__(self, dataset: Any, share: float, seed: int = 0) -> None:
        if not 0 < share <= 1:
            raise ValueError(f'ShareOfDataset.share={share!r} must be above 0 and at most 1.')
        self.dataset = MMENGINE_DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.share = share
        self.seed = seed
        self.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the stock data set."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Let the stock data set read its annotations, and choose the samples."""
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()
        number = math.ceil(len(self.dataset) * self.share)
        self.indices = np.sort(np.random.default_rng(self.seed).permutation(len(self.dataset))[:number])

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Give what the stock data set knows of a sample.

        Args:
            idx (int): Number of the sample in the part.

        Returns:
            dict: Its entry.
        """
        return self.dataset.get_data_info(int(self.indices[idx]))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, idx: int) -> Any:
        return self.dataset[int(self.indices[idx])]
