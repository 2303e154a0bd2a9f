"""Which picture comes when: every one once an epoch, those of rare labels more often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Labels that fewer than this share of the pictures show are shown more often.
RARE = 0.1
#: No picture comes more often than this an epoch.
MOST_TURNS = 4.0


def frequencies(labels: Sequence[IntArray], n_labels: int) -> FloatArray:
    """How often each picture comes in an epoch, shape (n,), each once at least.

    A label that a share f of the pictures shows, less than :data:`RARE`, asks for its pictures sqrt(RARE / f) times; a
    picture goes by the rarest of its labels. (Repeat factor sampling, as the LVIS data set introduced it: Gupta et
    al., 2019.)

    Parameters
    ----------
    labels : sequence of int arrays
        The labels on each picture.
    n_labels : int
    """
    shown = np.zeros(n_labels)
    own = [np.unique(at) for at in labels]
    for at in own:
        shown[at] += 1
    share = shown / max(1, len(labels))
    factor = np.clip(np.sqrt(RARE / np.maximum(share, 1e-9)), 1.0, MOST_TURNS)
    return np.array([factor[at].max(initial=1.0) for at in own], dtype=np.float64)


class Turns:
    """An endless order of pictures: in each epoch all of them as often as they should, shuffled.

    Parameters
    ----------
    weights : array of shape (n,)
        As :func:`frequencies` gives them.
    seed : int
    """

    def __init__(self, weights: FloatArray, seed: int) -> None:
        self._ends = np.cumsum(np.asarray(weights, dtype=np.float64))
        self._seed = seed
        self._orders: dict[int, IntArray] = {}

    def __len__(self) -> int:
        """Turns of an epoch."""
        return max(1, round(float(self._ends[-1])))

    def at(self, turn: int) -> tuple[int, int]:
        """The picture at a turn, counted from 0 over all epochs, and the epoch."""
        epoch, position = divmod(turn, len(self))
        return int(self._order(epoch)[position]), epoch

    def some(self, rng: np.random.Generator) -> int:
        """Any picture, as likely as it is frequent."""
        return int(np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right"))

    def _order(self, epoch: int) -> IntArray:
        order = self._orders.get(epoch)
        if order is None:
            rng = np.random.default_rng([self._seed, epoch])
            # evenly spaced marks hit each picture as often as its weight says, rounded down or up by chance
            marks = (np.arange(len(self)) + rng.random()) * (self._ends[-1] / len(self))
            order = np.minimum(np.searchsorted(self._ends, marks, side="right"), len(self._ends) - 1)
            order = rng.permutation(order).astype(np.int64)
            former = {at: known for at, known in self._orders.items() if abs(at - epoch) == 1}
            self._orders = {**former, epoch: order}  # a batch may span two
        return order
