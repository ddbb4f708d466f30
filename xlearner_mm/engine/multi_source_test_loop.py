"""The test of every source with its own library's metrics."""

from xlearner_mm.registry import LOOPS

from .multi_source_eval_loop import MultiSourceEvalLoop


@LOOPS.register_module()
class MultiSourceTestLoop(MultiSourceEvalLoop):
    """Test each source in turn; arguments are those of :class:`MultiSourceEvalLoop` (ours)."""

    mode = 'test'
