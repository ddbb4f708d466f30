"""Rules, randomness and files that data, models and loops share."""

from .atomic_write import atomic_figure, atomic_save, atomic_write
from .config_arguments import add_config_arguments, find_config, read_config
from .keyed_random import Key, derive_seed, keyed_rng, seed_all, seed_cpu
from .launch import init_cpu_distributed
from .loader_settings import loader_settings
from .naming import as_dict_by_source, check_source_name, kind_of, library_of, with_scope
from .optional import optional
from .step_timer import StepTimer, device_time, timed
from .text_table import text_table
from .user_errors import user_errors

__all__ = [
    'Key', 'StepTimer', 'add_config_arguments', 'as_dict_by_source', 'atomic_figure', 'atomic_save', 'atomic_write',
    'check_source_name', 'derive_seed', 'device_time', 'find_config', 'init_cpu_distributed', 'keyed_rng',
    'kind_of', 'library_of', 'loader_settings', 'optional', 'read_config', 'seed_all', 'seed_cpu', 'text_table',
    'timed', 'user_errors', 'with_scope'
]
