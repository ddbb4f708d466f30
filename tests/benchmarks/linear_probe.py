"""Measures of the linear probe, each with its limit: ``python tests/benchmarks/linear_probe.py [--json FILE]``.

Exits 1 if a limit is missed. Compared with scikit-learn's LogisticRegression (lbfgs) on the same features, at the same
strength and with as many threads, both to the same quality: scikit-learn stops where the largest entry of its gradient
is what ours has been found to be. Times are medians of interleaved repeats. About 20 minutes on an idle core; with
``--samples 2000 --channels 256 --classes 20 --strength 30`` seconds.
"""

import argparse
import logging
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from expansion import in_a_child, peak  # noqa: E402
from measure import Measure, report  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from test_evaluation.made_features import made_features, split  # noqa: E402
from xlearner_mm.evaluation import Features, SoftmaxRegression, fit_linear  # noqa: E402
from xlearner_mm.setup_env import check_libraries  # noqa: E402

REPEATS, LARGEST = 3, 75750 / 20000  # Food-101 has 75750 training images


class Optimum(NamedTuple):
    """What a fit is worth, by one code for both, in float64."""

    loss: float
    gradient: float  # its largest entry, of the mean loss
    accuracy: float


def optimum(weight: Any, bias: Any, train: Features, test: Features, strength: float) -> Optimum:
    """Evaluate a fit, a chunk of samples at a time."""
    weight, bias = (torch.as_tensor(t).double().requires_grad_() for t in (weight, bias))
    loss = strength / 2 * weight.square().sum() / len(train.labels)
    loss.backward()
    for vectors, labels in zip(train.vectors.split(4096), train.labels.split(4096)):
        part = F.cross_entropy(vectors.double() @ weight.T + bias, labels, reduction='sum') / len(train.labels)
        part.backward()
        loss = loss.detach() + part.detach()
    predicted = (test.vectors.double() @ weight.detach().T + bias.detach()).argmax(1)
    gradient = max(t.grad.abs().max().item() for t in (weight, bias) if t.grad is not None)
    return Optimum(loss.item(), gradient, 100 * (predicted == test.labels).double().mean().item())


def scikit_learn(vectors: np.ndarray, labels: np.ndarray, strength: float, **settings: Any) -> LogisticRegression:
    return LogisticRegression(C=1 / strength, **{'max_iter': 10000, **settings}).fit(vectors, labels)


def quicker_precision(train: Features, strength: float) -> tuple[np.ndarray, str]:
    """The features in the precision that scikit-learn is quicker with."""
    seconds = {}
    logging.captureWarnings(True)  # that it has not converged after a few steps
    for dtype in (np.float32, np.float64):
        vectors, labels = train.vectors.numpy().astype(dtype), train.labels.numpy()
        begin = time.perf_counter()
        scikit_learn(vectors, labels, strength, max_iter=4)
        seconds[time.perf_counter() - begin] = vectors, dtype.__name__
    logging.captureWarnings(False)
    return seconds[min(seconds)]


def against_scikit_learn(train: Features, test: Features, strength: float) -> Iterator[Measure]:
    """Time and quality of a fit from features to the optimum."""
    def ours() -> Any:
        return fit_linear(SoftmaxRegression(train), strength)

    found = ours()
    mine = optimum(found.weight, found.bias, train, test, strength)
    vectors, precision = quicker_precision(train, strength)
    labels, seconds = train.labels.numpy(), []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        ours()
        middle = time.perf_counter()
        other = scikit_learn(vectors, labels, strength, tol=mine.gradient)
        seconds.append((middle - begin, time.perf_counter() - middle))
        print(f'{seconds[-1][0]:.1f} s, scikit-learn {seconds[-1][1]:.1f} s', flush=True)
    theirs = optimum(other.coef_, other.intercept_, train, test, strength)
    told = (f'{found.evaluations} evaluations in float32, largest entry of the gradient {mine.gradient:.1e}; scikit-'
            f'learn: {other.n_iter_[0]} iterations in {precision}, {theirs.gradient:.1e}')
    yield Measure('fit has not converged', not found.converged, 0, told)
    yield Measure('accuracy, difference in points', abs(mine.accuracy - theirs.accuracy), 0.1,
                  f'{mine.accuracy:.2f} %, scikit-learn {theirs.accuracy:.2f} %, {len(test.labels)} test samples')
    yield Measure('loss, difference', abs(mine.loss - theirs.loss), 1e-3,
                  f'{mine.loss:.6f}, scikit-learn {theirs.loss:.6f}')
    alone = ' s, scikit-learn '.join(f'{statistics.median(column):.1f}' for column in zip(*seconds))
    yield Measure('time, ratio', statistics.median(a / b for a, b in seconds), 1.0, f'medians of {REPEATS}: {alone} s')


def memory(samples: int, channels: int, classes: int) -> Measure:
    """What a fit holds beyond the features and their copy along the principal axes."""
    def taken() -> float:
        train = Features(torch.rand(samples, channels), torch.arange(samples) % classes)
        return peak(lambda: fit_linear(SoftmaxRegression(train), 1., max_iter=2))

    logging.disable(logging.WARNING)  # that it has not converged after two steps
    value, features = in_a_child(taken), samples * channels * 4 / 2**20
    logging.disable(logging.NOTSET)
    return Measure('memory of a fit beyond the features and one copy of them, MB', value - features, 200,
                   f'{samples} x {channels} features of {features:.0f} MB, {classes} classes')


def main() -> int:
    """Take all measures.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    for name, value in (('samples', 20000), ('channels', 2048), ('classes', 100), ('strength', 100), ('threads', 1)):
        parser.add_argument(f'--{name}', type=int, default=value, help=f'{value} by default')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    measures = [memory(int(LARGEST * args.samples), args.channels, args.classes)]
    train, test = split(made_features(args.samples + 5000, args.channels, args.classes), args.samples)
    with threadpool_limits(args.threads):
        measures += against_scikit_learn(train, test, args.strength)
    return report(f'Linear probe, {args.samples} x {args.channels} features, {args.classes} classes, L2 strength '
                  f'{args.strength}, {check_libraries()} stack, {args.threads} thread(s)', measures, args.json)


if __name__ == '__main__':
    sys.exit(main())
