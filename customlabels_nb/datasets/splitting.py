"""Stratified train-test split for multi-label images that keeps groups together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.errors import InputError

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


def stratified_split(
    labels: Sequence[Sequence[str]], fraction: float, *, groups: Sequence[object] | None = None, random_state: int = 0
) -> BoolArray:
    """Choose a fraction of the images so that each label keeps its proportion.

    This is iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the Stratification of Multi-Label Data, 2011),
    applied to groups of images that stay together. Starting with the rarest label, each group with that label is
    assigned to the side of the split that still needs the largest share of images with the labels of the group.

    Of a label in two or more groups, at least one image is chosen and one is not, as far as the other labels allow. Of
    one in a single group, and of images without labels, none is chosen.
    """
    rng = np.random.default_rng(random_state)
    counts, unit_of = _count(labels, groups)
    units_with = (counts > 0).sum(axis=0)
    total = counts.sum(axis=0)
    wanted = np.clip(np.round(total * fraction), 1, np.maximum(total - 1, 1)).astype(float)
    wanted[units_with < 2] = 0
    chosen = _iterate(counts, wanted, rng)
    _give_each_side_one(counts, chosen, units_with, rng)
    return np.asarray(chosen[unit_of] & (counts.sum(axis=1) > 0)[unit_of])


def stratified_folds(
    labels: Sequence[Sequence[str]], folds: int, *, groups: Sequence[object] | None = None, random_state: int = 0
) -> IntArray:
    """Return the fold of each image, such that folds are equally large and each label keeps its proportion.

    This is iterative stratification, as in :func:`stratified_split`. Starting with the rarest label, each group with
    that label is assigned to the fold that needs the most images with it, and of several to the smallest. Without
    groups and with one label per image, the sizes of two folds differ by at most 1, for each label and in total.
    """
    rng = np.random.default_rng(random_state)
    counts, unit_of = _count(labels, groups)
    counts = np.column_stack([counts, np.bincount(unit_of)])  # the last "label" is that of all images
    need = np.tile(counts.sum(axis=0) / folds, (folds, 1))
    fold = np.full(len(counts), -1, dtype=np.int64)
    while (fold < 0).any():
        open_counts = (counts[fold < 0] > 0).sum(axis=0)
        label = int(np.argmin(np.where(open_counts > 0, open_counts, np.inf)))
        units = rng.permutation(np.flatnonzero((fold < 0) & (counts[:, label] > 0)))
        for unit in units[np.argsort(-counts[units, label], kind="stable")]:
            fold[unit] = np.lexsort((-need[:, -1], -need[:, label]))[0]
            need[fold[unit]] -= counts[unit]
    return fold[unit_of]


def rare_labels(labels: Sequence[Sequence[str]], groups: Sequence[object] | None = None) -> list[str]:
    """Return the labels that cannot be on both sides of a split because all their images are in a single group."""
    seen: dict[str, set[object]] = {}
    for index, names in enumerate(labels):
        for name in names:
            seen.setdefault(name, set()).add(index if groups is None else groups[index])
    return sorted(name for name, where in seen.items() if len(where) < 2)


def _count(
    labels: Sequence[Sequence[str]], groups: Sequence[object] | None
) -> tuple[npt.NDArray[np.float64], IntArray]:
    """Return the number of images per group and label, and the group number of each image."""
    keys: dict[object, int] = {}
    owner = [keys.setdefault(index if groups is None else groups[index], len(keys)) for index in range(len(labels))]
    names = sorted({name for unit_labels in labels for name in unit_labels})
    column = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(keys), len(names)))
    for unit, unit_labels in zip(owner, labels, strict=True):
        for name in set(unit_labels):
            counts[unit, column[name]] += 1
    return counts, np.asarray(owner, dtype=np.int64)


def _iterate(counts: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], rng: np.random.Generator) -> BoolArray:
    total = counts.sum(axis=0)
    target = np.maximum(np.stack([total - wanted, wanted]), 1e-9)  # row 0: not chosen, row 1: chosen
    need = target.copy()
    chosen = np.zeros(len(counts), dtype=bool)
    open_ = counts.sum(axis=1) > 0
    while open_.any():
        open_counts = (counts[open_] > 0).sum(axis=0)
        label = int(np.argmin(np.where(open_counts > 0, open_counts, np.inf)))
        units = rng.permutation(np.flatnonzero(open_ & (counts[:, label] > 0)))
        for unit in units[np.argsort(-counts[units, label], kind="stable")]:  # large groups first, while they fit
            fits = need[1, label] + 0.5 >= counts[unit, label]
            has_label = counts[unit] > 0
            hunger = (need[:, has_label] / target[:, has_label]).mean(axis=1) if fits else np.array([1.0, 0.0])
            side = int(hunger[1] >= hunger[0])
            chosen[unit] = bool(side)
            need[side] -= counts[unit]
            open_[unit] = False
    return chosen


def _give_each_side_one(
    counts: npt.NDArray[np.float64], chosen: BoolArray, units_with: IntArray, rng: np.random.Generator
) -> None:
    """Move groups until each label with two or more groups is on both sides, and no other label is chosen.

    If images have several labels, this may be impossible, and proving so takes too long. Therefore a random walk
    reduces the number of labels that are on one side only (Selman, Kautz, Cohen: Noise Strategies for Improving Local
    Search, 1994) for a bounded number of steps and keeps the best result.
    """
    has = counts > 0
    on = has[chosen].sum(axis=0)
    best, fewest = chosen.copy(), len(_lacking(on, units_with))
    for _ in range(200 + 20 * counts.shape[1]):
        lacking = _lacking(on, units_with)
        if len(lacking) < fewest:
            best, fewest = chosen.copy(), len(lacking)
        if not len(lacking):
            break
        units = np.flatnonzero(has[:, rng.choice(lacking)])
        units = rng.permutation(units)[:100]
        after = on + np.where(chosen[units], -1, 1)[:, None] * has[units]
        still = np.array([len(_lacking(row, units_with)) for row in after])
        unit = units[np.lexsort((counts[units].sum(axis=1), still))[0]]
        if still.min() >= len(lacking) and rng.random() < 0.3:
            unit = rng.choice(units)
        on = on + (-1 if chosen[unit] else 1) * has[unit]
        chosen[unit] = not chosen[unit]
    chosen[:] = best


def _lacking(on: IntArray, units_with: IntArray) -> IntArray:
    """Return the labels that are missing on one side, or that are chosen although they occur in a single group."""
    return np.flatnonzero(np.where(units_with >= 2, (on == 0) | (on == units_with), on > 0))


def join_groups(first: Sequence[object], second: Sequence[object]) -> list[object]:
    """Merge two groupings: images that share a group in either grouping share a group in the result."""
    joined = [(("given", a), ("content", b)) for a, b in zip(first, second, strict=True)]
    find = _union(joined)
    return [find(group) for group, _ in joined]


def groups_of_pairs(pairs: pd.DataFrame, images: Sequence[str]) -> list[object]:
    """Return the group of each image, given a table of pairs (columns ``image``, ``other``) that belong together."""
    if not {"image", "other"} <= set(pairs.columns):
        raise InputError(f"A groups table must have the columns 'image' and 'other', but has {list(pairs.columns)}.")
    find = _union(zip(pairs["image"].tolist(), pairs["other"].tolist(), strict=True))
    return [find(image) for image in images]


def _union(pairs: Iterable[tuple[object, object]]) -> Callable[[object], object]:
    """Return a function that maps an item to its group, connected through pairs (union-find)."""
    parent: dict[object, object] = {}

    def find(item: object) -> object:
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in pairs:
        parent[find(a)] = find(b)
    return find
