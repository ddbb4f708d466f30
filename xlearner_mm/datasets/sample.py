"""How a sample is named between the sampler and the data set, and the error of one that cannot be had."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SampleKey:
    """What is asked of the data set; all that a sample depends on, augmentations included (ours).

    Attributes:
        source (str): Name of the source.
        epoch (int): How many times the source was gone through before.
        index (int): Index in the source's stock data set.
        seed (int): Seed of the run.
    """

    source: str
    epoch: int
    index: int
    seed: int


class SampleError(RuntimeError):
    """A sample cannot be loaded or augmented.

    It takes one message, so that torch can raise it again in the main process when it came from a worker.
    """
