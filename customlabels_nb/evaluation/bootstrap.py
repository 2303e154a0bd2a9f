"""Bootstrap confidence intervals of metrics.

The test images are resampled with replacement to a set of the same size, and the counts of the drawn images are summed.
Nothing else is resampled: thresholds stay fixed, and the labels or boxes of an image stay together.
``metrics.bootstrap_intervals`` computes the intervals in a report, and ``comparison.comparing`` computes the intervals
of the differences between two versions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray

RESAMPLES = 1000

#: If at least this many images have identical counts, the number of times they are drawn is sampled in one step.
#: Images in smaller groups are drawn one by one, which is cheaper unless there are only a few groups.
_MANY_ALIKE, _FEW_KINDS = 32, 100
_CELLS_AT_ONCE = 4_000_000  # 32 MB per array of a block


def resampled_sums(
    rows: csr_array, *, resamples: int = RESAMPLES, random_state: int = 0
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the column sums of bootstrap resamples of ``rows``, in blocks.

    For rows with many duplicates, the number of draws is sampled from a multinomial distribution. Rare rows are drawn
    one by one. The resulting distribution is the same.
    """
    rng = np.random.default_rng(random_state)
    kind, numbers = _kinds(rows)
    together = (numbers >= _MANY_ALIKE) | (len(numbers) <= _FEW_KINDS)
    many, single = np.flatnonzero(together), np.flatnonzero(~together[kind])
    first = np.zeros(len(numbers), dtype=np.int64)
    first[kind] = np.arange(len(kind))  # any row of each group
    common, rest = rows[first[many]].astype(np.float64), rows[single].astype(np.float64)
    shares = np.append(numbers[many], single.size) / len(kind)
    at_once = max(1, _CELLS_AT_ONCE // (len(shares) + single.size))
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        drawn = rng.multinomial(len(kind), shares, size=size)
        sums: FloatArray = (common.T @ drawn[:, :-1].T.astype(np.float64)).T
        if single.size:
            times = np.empty((single.size, size))
            for column, count in enumerate(drawn[:, -1].tolist()):
                picked = rng.integers(0, single.size, count, dtype=np.int32)
                times[:, column] = np.bincount(picked, minlength=single.size)
            sums = sums + (rest.T @ times).T
        yield sums


def middle_95(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute the 2.5th and 97.5th percentiles of each column, ignoring NaN. An all-NaN column gives NaN."""
    result = np.full((2, values.shape[1]), np.nan)
    present: BoolArray = ~np.isnan(values)
    whole = present.all(axis=0)
    result[:, whole] = np.percentile(values[:, whole], [2.5, 97.5], axis=0)
    for column in np.flatnonzero(~whole & present.any(axis=0)):
        result[:, column] = np.percentile(values[present[:, column], column], [2.5, 97.5])
    return result[0], result[1]


def _kinds(rows: csr_array) -> tuple[IntArray, IntArray]:
    """Group equal rows: return the group of each row, shape (n,), and the number of rows in each group."""
    # rows are hashed by a random weighted sum of their cells: two different rows collide with probability 2**-64
    weights = np.random.default_rng(0).integers(-(2**62), 2**62, size=rows.shape[1], dtype=np.int64)
    keys = rows.astype(np.int64) @ weights
    _, kind, numbers = np.unique(keys, return_inverse=True, return_counts=True)
    return kind.reshape(-1).astype(np.int64), numbers.astype(np.int64)
