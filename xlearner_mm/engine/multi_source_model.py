"""The model of a run, if it can be trained from several sources."""

from mmengine.model import is_model_wrapper
from mmengine.runner import FlexibleRunner, Runner

from xlearner_mm.models import XLearner

from .model_of import model_of
from .multi_source_distributed import MultiSourceDistributed


def multi_source_model(runner: Runner) -> XLearner:
    """Give the model behind its wrapper.

    Args:
        runner (Runner): The runner.

    Returns:
        XLearner: The model.

    Raises:
        TypeError: If it is another model, or runner or wrapper reduce gradients in a way that is wrong here.
    """
    if isinstance(runner, FlexibleRunner):
        raise TypeError('FlexibleRunner leaves forward, backward and reduction to a strategy that knows one loss a '
                        'step; here every source has a backward of its own. Leave runner_type out, and set '
                        "model_wrapper_cfg=dict(type='xlearner_mm.MultiSourceDistributed') for several GPUs.")
    if is_model_wrapper(runner.model) and not isinstance(runner.model, MultiSourceDistributed):
        raise TypeError(f'{type(runner.model).__name__} gives wrong gradients with one backward a source. Set '
                        "model_wrapper_cfg=dict(type='xlearner_mm.MultiSourceDistributed').")
    model = model_of(runner)
    if not isinstance(model, XLearner):
        raise TypeError(f'MultiSourceTrainLoop trains an xlearner_mm.XLearner, got {type(model).__name__}.')
    return model
