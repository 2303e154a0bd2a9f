"""Which of several models is kept: the one that is clearly better on images none of them learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customlabels_nb.datasets.splitting import stratified_split
from customlabels_nb.errors import InputError
from customlabels_nb.training.temperature import FloatArray, standard_error

BoolArray = npt.NDArray[np.bool_]

#: Share of the training images on which candidates are compared.
HELD_OUT = 0.2
#: Of held-out images; on fewer one lucky guess decides, and more cost time without deciding better.
LEAST_HELD_OUT, MOST_HELD_OUT = 8, 2000


@dataclass(frozen=True)
class ModelCandidate:
    """A model, or a start for one, and how it does on held-out images.

    Attributes
    ----------
    name : str
        For a person, as the subject of a sentence: "the frozen backbone", "the version 'fruit.1'".
    losses : ndarray of float64, shape (n,)
        The log-loss of each held-out image, the same images in the same order for all candidates.
    """

    name: str
    losses: FloatArray

    @property
    def log_loss(self) -> float:
        """The mean of the losses."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Start:
    """The candidate that was chosen.

    Attributes
    ----------
    position : int
        Among the candidates.
    name : str
        Its name.
    log_losses : dict of str to float
        The held-out log-loss of each candidate.
    images : int
        How many held-out images that is said of.
    reason : str
        Why it was chosen, in a sentence with the figures.
    """

    position: int
    name: str
    log_losses: dict[str, float]
    images: int
    reason: str


def choose_start(candidates: Sequence[ModelCandidate]) -> Start:
    """The first candidate, unless another one's held-out log-loss is lower by more than chance would make it.

    That is, by more than the standard error of the difference, image by image; of several such the lowest.

    Raises
    ------
    InputError
        If there is no candidate, two have one name, or they were not judged on the same number of images.
    """
    if not candidates:
        raise InputError("candidates=[] holds nothing to choose from.")
    sizes = {candidate.losses.shape for candidate in candidates}
    if len(sizes) > 1 or len(candidates[0].losses.shape) != 1 or not len(candidates[0].losses):
        raise InputError(f"The candidates' losses must be as many for each, and at least one; got {sorted(sizes)}.")
    if len({candidate.name for candidate in candidates}) < len(candidates):
        raise InputError(f"The candidates' names must differ; got {[candidate.name for candidate in candidates]}.")
    first = candidates[0]
    better = [
        i
        for i, other in enumerate(candidates)
        if i and (first.losses - other.losses).mean() > standard_error(first.losses - other.losses)
    ]
    best = min(better, key=lambda i: candidates[i].log_loss, default=0)
    return Start(
        best,
        candidates[best].name,
        {candidate.name: candidate.log_loss for candidate in candidates},
        len(first.losses),
        _reason(candidates, best),
    )


def hold_out(labels: Sequence[Sequence[str]], *, seed: int = 0, seen: npt.ArrayLike | None = None) -> BoolArray | None:
    """Which images to compare candidates on; none of the others' labels is left without an image to learn from.

    Parameters
    ----------
    labels : sequence of n sequences of str
        The labels of each training image.
    seed : int
    seen : array of bool, shape (n,), optional
        The images that a candidate has learnt from before, such as a former version's: they would flatter it, and
        are not held out.

    Returns
    -------
    ndarray of bool, shape (n,), or None
        None where there are too few images that all candidates see for the first time.
    """
    fresh = np.ones(len(labels), dtype=bool) if seen is None else ~np.asarray(seen, dtype=bool)
    if fresh.shape != (len(labels),):
        raise InputError(f"seen has the shape {fresh.shape}; give one value for each of {len(labels)} images.")
    wanted = min(HELD_OUT * len(labels), MOST_HELD_OUT)
    if not fresh.any() or wanted < LEAST_HELD_OUT:
        return None
    positions = np.flatnonzero(fresh)
    chosen = stratified_split([labels[int(i)] for i in positions], min(0.5, wanted / len(positions)), random_state=seed)
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[positions[chosen]] = True
    left = {name for own, held in zip(labels, held_out, strict=True) if not held for name in own}
    for i in map(int, np.flatnonzero(held_out)):  # images with several labels can leave one of them without
        if not left.issuperset(labels[i]):
            held_out[i] = False
            left.update(labels[i])
    return held_out if held_out.sum() >= LEAST_HELD_OUT else None


def _reason(candidates: Sequence[ModelCandidate], best: int) -> str:
    first, chosen = candidates[0], candidates[best]
    count = f"{len(first.losses):,} held-out images"
    if len(candidates) == 1:
        return f"There is only {first.name} (log-loss {first.log_loss:.3f} on {count})."
    if best:
        return (
            f"Kept {chosen.name}: on {count} its log-loss is {chosen.log_loss:.3f}, that of {first.name} "
            f"{first.log_loss:.3f}."
        )
    others = " and ".join(f"{other.name} ({other.log_loss:.3f})" for other in candidates[1:])
    nearly = any(other.log_loss < first.log_loss for other in candidates[1:])
    verb = "not clearly better" if nearly else "no better"
    return f"Kept {first.name} (log-loss {first.log_loss:.3f} on {count}): {others} did {verb}."
