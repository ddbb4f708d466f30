"""The squeeze stage: one student learns from the frozen expansion."""

from .batch_standardizer import BatchStandardizer
from .build import build_squeezer
from .channel_l2 import ChannelL2
from .external_teacher import ExternalTeacher
from .hint_loss import HintLoss
from .ladder_connector import LadderConnector
from .linear_connector import LinearConnector
from .mlp_connector import MLPConnector
from .phi_s import PhiS
from .running_standardizer import RunningStandardizer
from .squeezer import Squeezer
from .static_teacher_weights import StaticTeacherWeights
from .teacher_dropping import TeacherDropping
from .teachers import Teachers
from .uncertainty_teacher_weights import UncertaintyTeacherWeights

__all__ = [
    'BatchStandardizer', 'ChannelL2', 'ExternalTeacher', 'HintLoss', 'LadderConnector', 'LinearConnector',
    'MLPConnector', 'PhiS', 'RunningStandardizer', 'Squeezer', 'StaticTeacherWeights', 'TeacherDropping', 'Teachers',
    'UncertaintyTeacherWeights', 'build_squeezer'
]
