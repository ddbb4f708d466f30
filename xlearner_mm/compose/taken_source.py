"""All that is taken of one stock config."""

from dataclasses import dataclass

from .stock_source import StockSource
from .taken_data import TakenData, take_data
from .taken_model import TakenModel, take_model


@dataclass(frozen=True)
class TakenSource:
    """A source with what its stock config gives.

    Attributes:
        stock (StockSource): The source and its stock config.
        model (TakenModel): Its branch and backbone.
        data (TakenData): Its data sets, loaders and metrics.
    """

    stock: StockSource
    model: TakenModel
    data: TakenData

    @property
    def task(self) -> str:
        """Task of the source."""
        return self.stock.task

    def told(self, scratch: bool) -> list[str]:
        """Say what was taken over.

        Args:
            scratch (bool): Whether the sub-backbone starts from random weights anyway.

        Returns:
            list[str]: Lines for people.
        """
        model, data = self.model, self.data
        metrics = data.val_evaluator if isinstance(data.val_evaluator, list) else [data.val_evaluator]
        validation = ', '.join(metric['type'] for metric in metrics if metric) or 'none'
        stride = f', at output stride {model.output_stride}' if model.output_stride else ''
        weights = 'from scratch' if scratch or not model.starts_from else f'from {model.starts_from}'
        return [f'task {self.task}, {self.stock.library} {self.stock.config}',
                f'model {model.branch["type"]}; reads {model.branch["backbone"].get("output", "maps")} of the stages '
                f'{model.out_indices} of {model.backbone["type"]}{stride}, which starts {weights}',
                f'data {data.dataset["type"]}, {data.batch_size} images a step; validation: {validation}']


def take_source(stock: StockSource) -> TakenSource:
    """Take model and data of a stock config.

    Args:
        stock (StockSource): The source and its config.

    Returns:
        TakenSource: What was taken.

    Raises:
        ValueError: If the model cannot be a branch, or there is no training data.
    """
    return TakenSource(stock, take_model(stock), take_data(stock))
