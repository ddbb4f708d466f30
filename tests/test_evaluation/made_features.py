"""Features like those of pooled ReLU maps: many directions of unlike size, far from zero, classes that overlap."""

import numpy as np
import torch

from xlearner_mm.evaluation import Features


def made_features(samples, channels, classes, seed=0, latent=64, wrong=0.05, dtype=torch.float32):
    """Class means and low-rank noise by a seed; a part of the labels is wrong."""
    g = np.random.default_rng(seed)
    labels = g.integers(0, classes, samples)
    sizes = 1 / np.sqrt(1 + np.arange(latent))
    centres = 0.5 * g.standard_normal((classes, latent))
    hidden = ((centres[labels] + g.standard_normal((samples, latent))) * sizes).astype(np.float32)
    vectors = hidden @ g.standard_normal((latent, channels), dtype=np.float32)
    vectors += 0.5 * g.standard_normal((samples, channels), dtype=np.float32)
    vectors = np.maximum(vectors - 0.5, 0) * np.exp(0.7 * g.standard_normal(channels, dtype=np.float32)) * 0.4
    labels = np.where(g.random(samples) < wrong, g.integers(0, classes, samples), labels)
    return Features(torch.from_numpy(vectors).to(dtype), torch.from_numpy(labels))


def split(features, first):
    """The first samples, and the rest."""
    return features.take(torch.arange(first)), features.take(torch.arange(first, len(features.labels)))
