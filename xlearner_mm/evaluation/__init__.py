"""What a trained backbone is worth: probes of its frozen features, and several tasks against one."""

from .accuracy import METRICS, accuracy
from .delta_mtl import delta_mtl, read_baselines
from .extract_features import extract_features
from .features import Features
from .knn_probe import knn_probe
from .linear_fit import LinearFit, fit_linear
from .linear_probe import ProbeResult, linear_probe
from .softmax_regression import SoftmaxRegression
from .splits import few_labels, hold_out

__all__ = [
    'METRICS', 'Features', 'LinearFit', 'ProbeResult', 'SoftmaxRegression', 'accuracy', 'delta_mtl',
    'extract_features', 'few_labels', 'fit_linear', 'hold_out', 'knn_probe', 'linear_probe', 'read_baselines'
]
