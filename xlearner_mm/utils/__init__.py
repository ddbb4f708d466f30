"""Rules, randomness and files that data, models and loops share."""

from .atomic_write import atomic_write
from .find_config import find_config
from .keyed_random import Key, derive_seed, keyed_rng, seed_all, seed_cpu
from .launch import init_cpu_distributed
from .naming import as_dict_by_source, check_source_name, with_scope
from .user_errors import user_errors

__all__ = [
    'Key', 'as_dict_by_source', 'atomic_write', 'check_source_name', 'derive_seed', 'find_config',
    'init_cpu_distributed', 'keyed_rng', 'seed_all', 'seed_cpu', 'user_errors', 'with_scope'
]
