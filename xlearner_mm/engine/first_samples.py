"""The beginning of a data set."""

import inspect
from typing import Any

from mmdet.evaluation import CocoMetric, CocoPanopticMetric
from mmengine.evaluator import Evaluator
from torch.utils.data import Dataset


class FirstSamples(Dataset):
    """Give the first samples of a data set, as if it had no others (ours).

    mmengine's ``indices`` does so for some data sets and not for their wrappers.

    Args:
        dataset (Dataset): The data set; any attribute of it can be read from this one.
        count (int): How many samples; all where it has fewer.
    """

    def __init__(self, dataset: Any, count: int) -> None:
        self.dataset = dataset
        self.count = min(count, len(dataset))

    def __len__(self) -> int:
        """Number of samples."""
        return self.count

    def __getitem__(self, index: int) -> Any:
        """Read a sample.

        Args:
            index (int): Index in the data set.

        Returns:
            Any: The sample.

        Raises:
            IndexError: If it is none of the first ones.
        """
        if not 0 <= index < self.count:
            raise IndexError(f'Sample {index} is none of the first {self.count}.')
        return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        """Give an attribute of the data set."""
        if name == 'dataset':  # not yet set: while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)


def measure_only(source: str, evaluator: Evaluator, dataset: FirstSamples) -> None:
    """Let the metrics of a source count the samples of a data set only.

    Most metrics count what they are given. Those in the way of COCO read the true boxes of all images from a file of
    their own, and an image that is not evaluated would count as one where nothing was found.

    Args:
        source (str): Name of the source.
        evaluator (Evaluator): Its evaluator.
        dataset (FirstSamples): What is evaluated.

    Raises:
        ValueError: If that cannot be done.
    """
    mend = f'Take max_samples.{source} out.'
    for metric in evaluator.metrics:
        kind = type(metric)
        if isinstance(metric, CocoMetric):
            try:
                metric.img_ids = [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))]
            except (AttributeError, KeyError) as error:
                raise ValueError(f'Source {source!r}: {kind.__name__} must know which images are the first '
                                 f'{len(dataset)}, and its data set does not tell their img_id ({error}). '
                                 f'{mend}') from error
        elif 'ann_file' in inspect.signature(kind).parameters and not isinstance(metric, CocoPanopticMetric):
            raise ValueError(f'Source {source!r}: {kind.__name__} reads the truth of all images from its ann_file, '
                             f'and would count those that are not evaluated as missed. {mend}')
