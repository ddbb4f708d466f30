"""Speed and memory of a run's train steps, and of the stock models of its sources alone."""

from .benchmark_table import benchmark_table
from .build_optim import build_optim
from .compare_steps import compare_steps
from .environment import environment
from .joint_side import JointSide
from .measure_memory import measure_memory
from .options import Options
from .phase_settings import phase_settings
from .run_benchmark import run_benchmark
from .run_steps import run_steps
from .seconds_of import seconds_of
from .step_record import StepRecord
from .stock_model import stock_model
from .stock_side import StockSide
from .summarise import summarise
from .summarise_turns import summarise_turns
from .turn import Turn

__all__ = [
    'JointSide', 'Options', 'StepRecord', 'StockSide', 'Turn', 'benchmark_table', 'build_optim', 'compare_steps',
    'environment', 'measure_memory', 'phase_settings', 'run_benchmark', 'run_steps', 'seconds_of', 'stock_model',
    'summarise', 'summarise_turns'
]
