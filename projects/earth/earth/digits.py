"""Handwritten digits: the 1797 images of scikit-learn, a copy of the test set of UCI's optical digits.

The file follows the forms on which they were written: the labels repeat one and the same text of about 130 digits 14
times. Splits end where a form ends. The documentation tells of 13 writers and not who wrote which form; so one of
them wrote two, and at most that one can be on two sides.
"""

from collections.abc import Iterator

import numpy as np

from earth.packages import package_file

SCALE = 4  # 8 x 8 pixels become 32 x 32
# First image of each split: 8 forms, 2 forms, 2 forms, 2 forms.
STARTS = {'train': 0, 'val': 1029, 'transfer_train': 1287, 'transfer_val': 1545}


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Images ``(1797, 8, 8)`` with values 0 to 16, and labels ``(1797,)``, both int64."""
    table = np.loadtxt(package_file('scikit-learn', 'digits.csv.gz'), delimiter=',').astype(np.int64)
    return table[:, :64].reshape(-1, 8, 8), table[:, 64]


def enlarge(image: np.ndarray) -> np.ndarray:
    """An image ``(H, W)`` of 0 to 16 as grey levels 0 to 255, each pixel a square: uint8 ``(4 H, 4 W)``."""
    grey = np.round(image * (255 / 16)).astype(np.uint8)
    return grey.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def split_ranges(count: int) -> Iterator[tuple[str, range]]:
    """Each split with the indices of its images."""
    ends = [*STARTS.values(), count][1:]
    for (split, start), end in zip(STARTS.items(), ends, strict=True):
        yield split, range(start, end)
