"""The comparison of backbones on downstream sets (protocol of the paper)."""

from .backbone import Backbone
from .downstream_set import DownstreamSet, read_set, shipped_sets
from .fine_tune_config import fine_tune_config, with_share
from .job import Job
from .parse_backbone import parse_backbones
from .pictures import bar_plot, radar_plot
from .pixels import Pixels
from .results import Result, markdown, read_results, write_results
from .suite import plan, run_suite

__all__ = [
    'Backbone', 'DownstreamSet', 'Job', 'Pixels', 'Result', 'bar_plot', 'fine_tune_config', 'markdown',
    'parse_backbones', 'plan', 'radar_plot', 'read_results', 'read_set', 'run_suite', 'shipped_sets', 'with_share',
    'write_results'
]
