"""Bootstrap confidence intervals of metrics.

Images are resampled with replacement, as many as there are, and the counts of each image are summed. Nothing else is
resampled: thresholds stay fixed, and the contents of an image stay together. ``metrics.bootstrap_intervals`` computes
the intervals of a report, ``comparison.comparing`` those of the differences between two versions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray

RESAMPLES = 1000

#: If at least this many images are alike, their number is drawn in one step. Fewer are drawn one by one, which is
#: cheaper, unless there are only few kinds of images.
_MANY_ALIKE, _FEW_KINDS = 32, 100
_CELLS_AT_ONCE = 4_000_000  # 32 MB for each array of a block


def resampled_sums(
    rows: csr_array, *, resamples: int = RESAMPLES, random_state: int = 0
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the column sums of bootstrap resamples of ``rows``, in blocks.

    Kinds of rows with many copies are drawn by their number (multinomial), rare rows one by one. The distribution is
    the same.

    Parameters
    ----------
    rows : csr_array of shape (n, c)
        Small whole numbers, one row per image. To compare metrics, put their columns side by side in one table: each
        resample draws entire rows.
    resamples : int
        Number of resamples.
    random_state : int
        Seed. The same seed gives the same draws for the same rows.

    Yields
    ------
    ndarray of float64, shape (m, c)
        Sums of ``m`` resamples. All blocks together have ``resamples`` rows.
    """
    rng = np.random.default_rng(random_state)
    kind, numbers = _kinds(rows)
    together = (numbers >= _MANY_ALIKE) | (len(numbers) <= _FEW_KINDS)
    many, single = np.flatnonzero(together), np.flatnonzero(~together[kind])
    first = np.zeros(len(numbers), dtype=np.int64)
    first[kind] = np.arange(len(kind))  # any one row of each kind
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
    """Compute the 2.5 % and 97.5 % percentiles of each column, ignoring NaN.

    Parameters
    ----------
    values : ndarray of float64, shape (m, c)

    Returns
    -------
    low, high : ndarray of float64, shape (c,)
        NaN for a column that holds only NaN.
    """
    result = np.full((2, values.shape[1]), np.nan)
    known: BoolArray = ~np.isnan(values)
    whole = known.all(axis=0)
    result[:, whole] = np.percentile(values[:, whole], [2.5, 97.5], axis=0)
    for column in np.flatnonzero(~whole & known.any(axis=0)):
        result[:, column] = np.percentile(values[known[:, column], column], [2.5, 97.5])
    return result[0], result[1]


def _kinds(rows: csr_array) -> tuple[IntArray, IntArray]:
    """Group equal rows: return the kind of each row, shape (n,), and the number of rows of each kind."""
    # rows are compared by a random weighted sum of their cells: two different rows collide once in 2**64 times
    weights = np.random.default_rng(0).integers(-(2**62), 2**62, size=rows.shape[1], dtype=np.int64)
    keys = rows.astype(np.int64) @ weights
    _, kind, numbers = np.unique(keys, return_inverse=True, return_counts=True)
    return kind.reshape(-1).astype(np.int64), numbers.astype(np.int64)
