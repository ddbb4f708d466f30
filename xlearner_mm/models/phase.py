"""The two stages of X-Learner."""

from enum import IntEnum


class Phase(IntEnum):
    """Which stage a model is in (paper); the value is what the buffer ``squeeze.phase`` of a checkpoint holds."""

    EXPANSION = 0
    SQUEEZE = 1
