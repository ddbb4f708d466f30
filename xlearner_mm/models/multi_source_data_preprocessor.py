"""The data preprocessor of a model with several sources."""

from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseDataPreprocessor
from torch import nn

from xlearner_mm.registry import MODELS

from .input_check import check_channels


@MODELS.register_module()
class MultiSourceDataPreprocessor(BaseDataPreprocessor):
    """Preprocess every source's batch by its own stock preprocessor (ours).

    Args:
        preprocessors (Mapping[str, nn.Module]): Stock data preprocessor by source.
    """

    def __init__(self, preprocessors: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.preprocessors = nn.ModuleDict(dict(preprocessors))

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, dict[str, Any]]:
        """Preprocess a batch.

        Args:
            data (Mapping[str, dict]): ``{source: {'inputs': [Tensor (C, H, W), ...], 'data_samples': [...]}}``.
            training (bool): Whether to apply what the stock preprocessor does in training only.

        Returns:
            dict: ``inputs`` and ``data_samples``, each by source; inputs are ``(N, C, H, W)``.

        Raises:
            ValueError: If the batch is not by source or holds an unknown one, or an image has other channels than the
                preprocessor.
        """
        unknown = [source for source in data if source not in self.preprocessors]
        if unknown:
            raise ValueError(f'The batch holds {", ".join(map(repr, unknown))}, but the model has the sources '
                             f'{", ".join(self.preprocessors)}. The keys of model.branches and of the data set\'s '
                             'sources must agree, and the batch must be collated by xlearner_mm.collate_by_source.')
        for source, batch in data.items():
            check_channels(source, batch, self.preprocessors[source])
        processed = {source: self.preprocessors[source](batch, training) for source, batch in data.items()}
        return {key: {source: batch[key] for source, batch in processed.items()} for key in ('inputs', 'data_samples')}
