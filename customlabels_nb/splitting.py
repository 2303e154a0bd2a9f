"""Which images go to the test set: stratified by label, whole groups on one side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


def stratified_split(
    labels: Sequence[Sequence[str]], fraction: float, *, groups: Sequence[object] | None = None, random_state: int = 0
) -> BoolArray:
    """Choose a share of images in which each label has the share that it has in all of them.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the Stratification of Multi-Label Data, 2011) on
    groups of images: the rarest label first, each of its groups goes where that label is still wanted most.

    Parameters
    ----------
    labels : sequence of n sequences of str
        The labels of each image; one without labels is never chosen.
    fraction : float
        Wanted share of chosen images of each label, between 0 and 1; at least one image of a label in two or more
        groups is chosen and at least one is not.
    groups : sequence of n hashables, optional
        Images of one group stay together.
    random_state : int
        Seed.

    Returns
    -------
    ndarray of shape (n,), bool
        True for the chosen images; none are if no label has two groups.
    """
    rng = np.random.default_rng(random_state)
    counts, unit_of = _count(labels, groups)
    units_with = (counts > 0).sum(axis=0)
    total = counts.sum(axis=0)
    wanted = np.clip(np.round(total * fraction), 1, np.maximum(total - 1, 1)).astype(float)
    wanted[units_with < 2] = 0
    chosen = _iterate(counts, wanted, rng)
    _give_each_side_one(counts, chosen, units_with)
    return np.asarray(chosen[unit_of] & (counts.sum(axis=1) > 0)[unit_of])


def rare_labels(labels: Sequence[Sequence[str]], groups: Sequence[object] | None = None) -> list[str]:
    """The labels that can't stand on both sides: all their images are one image or one group."""
    seen: dict[str, set[object]] = {}
    for index, names in enumerate(labels):
        for name in names:
            seen.setdefault(name, set()).add(index if groups is None else groups[index])
    return sorted(name for name, where in seen.items() if len(where) < 2)


def _count(
    labels: Sequence[Sequence[str]], groups: Sequence[object] | None
) -> tuple[npt.NDArray[np.float64], IntArray]:
    """Images by group and label, and the group's number of each image."""
    keys: dict[object, int] = {}
    owner = [keys.setdefault(index if groups is None else groups[index], len(keys)) for index in range(len(labels))]
    names = sorted({name for own in labels for name in own})
    column = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(keys), len(names)))
    for unit, own in zip(owner, labels, strict=True):
        for name in set(own):
            counts[unit, column[name]] += 1
    return counts, np.asarray(owner, dtype=np.int64)


def _iterate(counts: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], rng: np.random.Generator) -> BoolArray:
    total = counts.sum(axis=0)
    target = np.maximum(np.stack([total - wanted, wanted]), 1e-9)  # by side: what stays, what is chosen
    need = target.copy()
    chosen = np.zeros(len(counts), dtype=bool)
    open_ = counts.sum(axis=1) > 0
    while open_.any():
        left = (counts[open_] > 0).sum(axis=0)
        label = int(np.argmin(np.where(left > 0, left, np.inf)))
        units = rng.permutation(np.flatnonzero(open_ & (counts[:, label] > 0)))
        for unit in units[np.argsort(-counts[units, label], kind="stable")]:  # large groups while there is room
            fits = need[1, label] + 0.5 >= counts[unit, label]
            own = counts[unit] > 0
            hunger = (need[:, own] / target[:, own]).mean(axis=1) if fits else np.array([1.0, 0.0])
            side = int(hunger[1] >= hunger[0])
            chosen[unit] = bool(side)
            need[side] -= counts[unit]
            open_[unit] = False
    return chosen


def _give_each_side_one(counts: npt.NDArray[np.float64], chosen: BoolArray, units_with: IntArray) -> None:
    """Move single groups so that each label of two groups or more stands on both sides, where that is possible."""
    for label in np.argsort(units_with, kind="stable"):
        if units_with[label] < 2:
            continue
        own = counts[:, label] > 0
        for side in (True, False):
            if (chosen[own] == side).any():
                continue
            candidates = np.flatnonzero(own)
            for unit in candidates[np.argsort(counts[candidates].sum(axis=1), kind="stable")]:
                others = counts[unit] > 0
                rest = chosen.copy()
                rest[unit] = side
                remains = (counts[rest != side] > 0).any(axis=0)
                if remains[others & (units_with >= 2)].all():
                    chosen[unit] = side
                    break
