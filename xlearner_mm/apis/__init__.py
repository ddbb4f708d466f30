"""What a trained X-Learner is used by in Python: predictions for images."""

from .list_images import list_images
from .prediction_writer import PredictionWriter
from .xlearner_inferencer import XLearnerInferencer

__all__ = ['PredictionWriter', 'XLearnerInferencer', 'list_images']
