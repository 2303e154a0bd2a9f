"""Find duplicates and near-duplicates: copies of a photo that were re-encoded, resized, brightened or cropped slightly.

Two images are near-duplicates if their gradients correlate at the best-fitting crop of one of them, and the colors of
their quadrants agree. Candidates come from a KD-tree over the lowest frequencies of a few crops, so the run time grows
only slightly faster than the number of images.

The constants were tuned on 392 images (photos of fruit and animals, drawn rooms) with ten edited copies each (JPEG
quality 60, half the size, 240 px, brightness ± 15 %, contrast + 20 %, 5 % or 10 % cropped away). The search finds 3,918
of the 3,920 copies, with a correlation of at least 0.95, whereas different photos of the same fruit on the same
background reach 0.89. For validation, 150 newly drawn rooms and 165 of the photos were edited in five other ways,
including random crops of up to 5 % at each edge. The search finds 1,573 of the 1,575 copies and reports no pair of
different images. Features of the bundled backbone do not separate these cases: their similarity is 0.99 between two
photos of an apple, but 0.93 between a photo and its crop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb._utils.text import counted, quoted
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.checks.findings import Finding, rows_of
from customlabels_nb.checks.image_fingerprints import BASIS, FREQUENCY, SIDE, Fingerprints, Prints
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.splitting import groups_of_pairs
from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.user_settings import settings

#: Columns of a table of near-duplicates.
_PAIR_COLUMNS = {
    "image": t.TEXT, "other": t.TEXT, "similarity": "float64", "split": t.TEXT, "other_split": t.TEXT,
    "labels": "object", "other_labels": "object",
}  # fmt: skip

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: Minimum correlation of near-duplicates.
SIMILARITY_THRESHOLD = 0.92

_FLAT = 3.0  # standard deviation of grey values (0 to 255) below which an image is only noise
_COLOR_DIFFERS = 12  # difference of Cb or Cr (0 to 255) in a quadrant; the edits above reach 8.5, a new hue 20 or more
_COMPARED = 28  # frequencies in each direction: cropping to 90 % maps frequency 32, the last one stored, to 29
_LOW = 6  # frequencies in each direction that are used to find candidates
_ALIKE = 0.9  # minimum correlation of these frequencies; the edits above reach 0.94 or more
_DIRECTIONS = 8  # principal components of the lowest frequencies that the tree searches
_NEIGHBOURS = 8  # candidates of each image in each split
_CHUNK = 256
_BATCH = 64  # candidates whose crops are in memory at the same time: 4 MB
_WORTH = 0.7  # correlation of a coarse crop from which finer crops are compared
_STEPS = np.arange(9) / 80  # eighths of the largest crop (a tenth): coarser steps misalign fine edges
_CROPS = [(start, end) for start in _STEPS for end in _STEPS if start + end < 0.101]  # shares cut off at both ends
_ROUGH = np.array([i for i, crop in enumerate(_CROPS) if not any(round(80 * share) % 2 for share in crop)])
#: Crops in each direction that are used to find candidates. Crops at a single edge too would take four times as long
#: and find 0.05 % more copies.
_COARSE = np.array([_CROPS.index(crop) for crop in ((0.0, 0.0), (0.05, 0.05))])


def _crop(start: float, end: float) -> npt.NDArray[np.float64]:
    """Return the matrix that crops ``start`` and ``end`` and stretches the rest linearly, shape (SIDE, SIDE)."""
    positions = (start + (np.arange(SIDE) + 0.5) / SIDE * (1 - start - end)) * SIDE - 0.5
    positions = np.clip(positions, 0, SIDE - 1)
    first = np.minimum(positions.astype(int), SIDE - 2)
    matrix, rows = np.zeros((SIDE, SIDE)), np.arange(SIDE)
    matrix[rows, first] = first + 1 - positions
    matrix[rows, first + 1] = positions - first
    return matrix


#: Matrix of each crop that maps the frequencies along one direction, shape (crops, _COMPARED, KEPT).
_CROPPED = np.stack([BASIS[:_COMPARED] @ _crop(*crop) @ BASIS.T for crop in _CROPS]).astype(np.float32)
_UNWEIGHTED = np.divide(1, FREQUENCY, out=np.zeros_like(FREQUENCY), where=FREQUENCY > 0)


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs of near-duplicates as positions ``first < second``, each once, with the correlation of their gradients."""

    first: Ints
    second: Ints
    similarity: Floats


def check_threshold(threshold: float) -> float:
    return check_fraction("threshold", threshold, 0.8, exclude=(0.8,))


def near_duplicates(
    prints: Prints,
    sides: npt.ArrayLike | None = None,
    *,
    threshold: float = SIMILARITY_THRESHOLD,
    events: Events | None = None,
) -> NearDuplicates:
    """Find the pairs of images that are copies of the same photo.

    Unreadable and single-color images are never part of a pair. Each split in ``sides`` is searched separately, so that
    many near-duplicates in one split do not crowd out those in the other. At most the 8 most similar of an image in a
    split are included. ``threshold`` is greater than 0.8.
    """
    check_threshold(threshold)
    where = np.zeros(len(prints), dtype=np.int64) if sides is None else np.unique(sides, return_inverse=True)[1]
    if where.shape != prints.shape:
        raise InputError(f"sides has {len(where)} entries for {len(prints)} fingerprints.")
    usable = np.flatnonzero((prints["spread"] >= _FLAT) & (prints["detail"] != 0).any(axis=(1, 2)))
    similarity: dict[tuple[int, int], float] = {}
    if len(usable) > 1:
        from threadpoolctl import threadpool_limits

        parts = (usable[start : start + _CHUNK] for start in range(0, len(usable), _CHUNK))
        done = 0
        # the products are small, and the worker threads already use all cores
        with threadpool_limits(limits=1, user_api="blas"):
            search = _Search(prints, usable, where)
            with closing(map_bounded(search.part, parts, workers=settings.threads)) as answers:
                for size, candidates in answers:
                    for a, b, value in candidates:
                        pair = (a, b) if a < b else (b, a)
                        if value >= threshold:
                            similarity[pair] = max(value, similarity.get(pair, 0.0))
                    done += size
                    if events is not None:
                        events.progress("near-duplicates", done, len(usable))
    pairs = np.asarray(sorted(similarity), dtype=np.int64).reshape(-1, 2)
    values = np.asarray([similarity[a, b] for a, b in pairs.tolist()], dtype=np.float32)
    return NearDuplicates(pairs[:, 0], pairs[:, 1], np.minimum(values, np.float32(1)))


class _Search:
    """KD-trees over the lowest frequencies of all images, one per split."""

    def __init__(self, prints: Prints, usable: Ints, sides: Ints) -> None:
        from sklearn.neighbors import KDTree  # takes a second to import

        self.prints = prints
        self.low = np.zeros((len(prints), _LOW * _LOW), dtype=np.float32)
        for start in range(0, len(usable), 4096):
            part = usable[start : start + 4096]
            corner = prints["detail"][part, :_LOW, :_LOW] * _UNWEIGHTED[:_LOW, :_LOW]
            self.low[part] = _unit(corner.reshape(len(part), -1))
        moments = self.low[usable].T @ self.low[usable]
        # project on as few directions as possible: trees do not help in many dimensions
        self.main = np.linalg.eigh(moments)[1][:, ::-1][:, :_DIRECTIONS].astype(np.float32)
        members = [usable[sides[usable] == side] for side in np.unique(sides[usable])]
        self.trees = [(indices, KDTree(self.low[indices] @ self.main)) for indices in members]

    def part(self, chunk: Ints) -> tuple[int, list[tuple[int, int, float]]]:
        """Return the number of images in ``chunk``, and their candidate pairs with the correlation of each pair."""
        first, other, rows, columns = self._candidates(chunk)
        colors = np.abs(self.prints["color"][first].astype(np.int16) - self.prints["color"][other])
        fits = colors.max(axis=(1, 2, 3), initial=0) <= _COLOR_DIFFERS
        first, other, rows, columns = first[fits], other[fits], rows[fits], columns[fits]
        values: list[float] = []
        for start in range(0, len(first), _BATCH):
            batch = slice(start, start + _BATCH)
            values += self._correlations(first[batch], other[batch], rows[batch], columns[batch]).tolist()
        return len(chunk), list(zip(first.tolist(), other.tolist(), values, strict=True))

    def _candidates(self, chunk: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Return candidate pairs, each with the row and column crop of the first image that best matches the second."""
        plain = self.prints["detail"][chunk] * _UNWEIGHTED
        crops = _CROPPED[_COARSE, :_LOW]  # (2, _LOW, KEPT)
        rows = crops @ plain[:, None]  # (n, 2, _LOW, KEPT)
        both = rows[:, :, None] @ crops.transpose(0, 2, 1)  # (n, 2, 2, _LOW, _LOW)
        queries = _unit(both.reshape(len(chunk), len(crops) ** 2, -1))
        parts: list[tuple[Ints, Ints, Ints]] = []
        for members, tree in self.trees:
            count = min(_NEIGHBOURS + 1, len(members))  # one of them may be the image itself
            flat = (queries @ self.main).reshape(-1, self.main.shape[1])
            near = members[tree.query(flat, k=count, return_distance=False)].reshape(len(chunk), -1)
            crop = np.repeat(np.arange(len(crops) ** 2), count)
            alike = np.einsum("nkd,nkd->nk", queries[:, crop], self.low[near])
            alike[near == chunk[:, None]] = 0
            for index in np.flatnonzero((alike >= _ALIKE).any(axis=1)):
                best = np.argsort(-alike[index], kind="stable")
                best = best[alike[index, best] >= _ALIKE]
                _, first = np.unique(near[index, best], return_index=True)
                best = best[np.sort(first)[:_NEIGHBOURS]]
                parts.append((np.full(len(best), chunk[index]), near[index, best], crop[best]))
        if not parts:
            none = np.empty(0, dtype=np.int64)
            return none, none, none, none
        near_first, other, crop = (np.concatenate(part) for part in zip(*parts, strict=True))
        return near_first, other, _COARSE[crop // len(crops)], _COARSE[crop % len(crops)]

    def _correlations(self, first: Ints, other: Ints, rows: Ints, columns: Ints) -> Floats:
        """Compute the correlation of each pair at the best crop of its first image.

        The search for the crop starts at ``rows`` and ``columns``.
        """
        plain = self.prints["detail"][first] * _UNWEIGHTED
        target = self.prints["detail"][other, :_COMPARED, :_COMPARED].astype(np.float32)
        target = _unit(target.reshape(len(first), -1))
        rows, columns, values = _aligned(plain, target, rows, columns, _ROUGH)
        worth = np.flatnonzero(values >= _WORTH)
        fine = _aligned(plain[worth], target[worth], rows[worth], columns[worth], np.arange(len(_CROPS)))[2]
        values[worth] = np.maximum(values[worth], fine)
        return values


def _aligned(
    plain: npt.NDArray[Any], target: Floats, rows: Ints, columns: Ints, crops: Ints
) -> tuple[Ints, Ints, Floats]:
    """Find the row and column crops at which each image correlates most with its target, and the correlations.

    The search alternates between the best row crop for fixed columns and the best column crop for fixed rows.
    """
    values = np.zeros(len(plain), dtype=np.float32)
    tried = _CROPPED[crops]
    turned = tried.transpose(0, 2, 1)
    for _ in range(2):
        across = plain @ _CROPPED[columns].transpose(0, 2, 1)
        best, values = _best(tried @ across[:, None], target)
        rows = crops[best]
        down = _CROPPED[rows] @ plain
        best, values = _best(down[:, None] @ turned, target)
        columns = crops[best]
    return rows, columns, values


def _best(crops: npt.NDArray[Any], target: Floats) -> tuple[Ints, Floats]:
    """Return the crop that correlates most with the target of shape (n, _COMPARED²), and that correlation."""
    unit = _unit((crops * FREQUENCY[:_COMPARED, :_COMPARED]).reshape(*crops.shape[:2], _COMPARED**2))
    values = np.einsum("nkd,nd->nk", unit, target)
    best = values.argmax(axis=1)
    return best, values[np.arange(len(best)), best]


def _unit(rows: npt.NDArray[Any]) -> Floats:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(length, np.float32(1e-6)), dtype=np.float32)


@dataclass(frozen=True)
class Pictures:
    """Table of the images of one or two datasets: ``image``, ``split``, ``content`` and ``labels`` (a tuple each)."""

    images: pd.DataFrame

    @classmethod
    def of(cls, datasets: Sequence[Dataset], contents: Sequence[Sequence[str | None]]) -> Pictures:
        """Combine the images of the datasets with their current content hashes."""
        parts = [
            pd.DataFrame({
                "image": dataset.image_table["image"],
                "split": dataset.name,
                "content": pd.Series(list(hashes), dtype=t.TEXT),
                "labels": [tuple(sorted(set(names))) for names in dataset.labels_of_images()],
            })
            for dataset, hashes in zip(datasets, contents, strict=True)
        ]  # fmt: skip
        return cls(pd.concat(parts, ignore_index=True))

    @property
    def distinct(self) -> npt.NDArray[np.int64]:
        """Positions of the images that are not duplicates of an earlier image in the same split."""
        hashed = self.images["content"].notna()
        return np.flatnonzero(~(hashed & self.images.duplicated(["split", "content"])))


def near_duplicate_pairs(
    pictures: Pictures, prints: Fingerprints, *, threshold: float = SIMILARITY_THRESHOLD, events: Events | None = None
) -> pd.DataFrame:
    """Return a table of near-duplicate pairs with the columns :data:`_PAIR_COLUMNS`, the most similar pairs first.

    If several images in one split have identical content, only the first is in the table. Images with identical content
    in different splits are not reported as a pair.
    """
    images = pictures.images.iloc[pictures.distinct].reset_index(drop=True)
    pairs = near_duplicates(prints.prints, images["split"].to_numpy(dtype=object).astype(str), threshold=threshold,
                            events=events)  # fmt: skip
    first, other = images.iloc[pairs.first].reset_index(drop=True), images.iloc[pairs.second].reset_index(drop=True)
    table = pd.DataFrame({
        "image": first["image"], "other": other["image"], "similarity": pairs.similarity.astype(np.float64).round(3),
        "split": first["split"], "other_split": other["split"],
        "labels": first["labels"], "other_labels": other["labels"],
    })  # fmt: skip
    table = table[(first["content"] != other["content"]).fillna(True).astype(bool)].astype(_PAIR_COLUMNS)
    return table.sort_values("similarity", ascending=False, kind="stable").reset_index(drop=True)


def check_copies(pictures: Pictures, pairs: pd.DataFrame | None) -> Iterator[Finding]:
    """Yield findings about duplicates and, if they were searched for, near-duplicates."""
    yield from _equal(pictures.images)
    if pairs is not None and len(pairs):
        yield from _near(pictures.images, pairs)


def _equal(images: pd.DataFrame) -> Iterator[Finding]:
    hashed = images[images["content"].notna()]
    twins = hashed[hashed.duplicated("content", keep=False)]
    if twins.empty:
        return
    first = twins.drop_duplicates(["split", "content"]).set_index(["split", "content"])["image"]
    if t.TRAIN in first.index.get_level_values(0) and t.TEST in first.index.get_level_values(0):
        sides = first.unstack("split").dropna()
        if len(sides):
            details = [f"identical to {name!r} in train" for name in sides[t.TRAIN]]
            rows = rows_of(t.TEST, sides[t.TEST], details)
            message = (
                f"{counted(len(rows), 'image is', 'images are')} both in train and in test: {_example(rows)}. "
                "The metrics will be too optimistic."
            )
            advice = "Remove them from one split: project.remove('test', report.images_with('LEAK_BETWEEN_SPLITS'))."
            yield Finding("LEAK_BETWEEN_SPLITS", "error", message, advice, rows["image"].iat[0], rows)
    labelled = twins[twins["labels"].map(len) > 0]
    differing = labelled.groupby("content", sort=False)["labels"].nunique()
    wrong = labelled[labelled["content"].isin(differing[differing > 1].index)]
    if len(wrong):
        yield _different(wrong.assign(detail=[_labels(label_set) for label_set in wrong["labels"]]), "identical to")
    repeated = twins[twins.duplicated(["split", "content"])]
    for split, label_set in repeated.groupby("split", sort=False):
        rows = rows_of(str(split), label_set["image"])
        message = f"{counted(len(rows), 'image')} of the {split} set with the same content as another image in it."
        advice = f"Remove them: project.remove({split!r}, report.images_with('DUPLICATE_CONTENT', {split!r}))."
        yield Finding("DUPLICATE_CONTENT", "note", message, advice, rows["image"].iat[0], rows)


def _near(images: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[Finding]:
    across = pairs[pairs["split"] != pairs["other_split"]]
    if len(across):
        swapped = across["split"] == t.TEST
        test, train = across["image"].where(swapped, across["other"]), across["other"].where(swapped, across["image"])
        details = [
            f"similar to {name!r} in train ({value:.2f})"
            for name, value in zip(train, across["similarity"], strict=True)
        ]
        rows = rows_of(t.TEST, test, details)
        message = (
            f"{counted(len(rows), 'test image is a near-duplicate', 'test images are near-duplicates')} of a training "
            f"image: {_example(rows)}. The metrics will be too optimistic."
        )
        advice = (
            "Inspect the pairs in report.near_duplicates, and remove them from one split: "
            "project.remove('test', report.images_with('NEAR_DUPLICATES_BETWEEN_SPLITS'))."
        )
        yield Finding("NEAR_DUPLICATES_BETWEEN_SPLITS", "warning", message, advice, rows["image"].iat[0], rows)
    differ = pairs[[_contradict(a, b) for a, b in zip(pairs["labels"], pairs["other_labels"], strict=True)]]
    if len(differ):
        details = [
            f"{_labels(labels)}, but {other!r} {_labels(other_labels)} ({value:.2f})"
            for labels, other_labels, other, value in zip(
                differ["labels"], differ["other_labels"], differ["other"], differ["similarity"], strict=True
            )
        ]
        yield _different(differ.assign(detail=details), "nearly identical to")
    for split in (t.TRAIN, t.TEST):
        in_split = pairs[(pairs["split"] == split) & (pairs["other_split"] == split)]
        if in_split.empty:
            continue
        names = images.loc[images["split"] == split, "image"]
        groups = pd.Series(groups_of_pairs(in_split, names.tolist()), index=names)
        groups = groups[groups.duplicated(keep=False)]
        rows = rows_of(split, groups.index.tolist(), [f"group {number + 1}" for number in pd.factorize(groups)[0]])
        message = (
            f"{counted(len(rows), 'image')} of the {split} set in {counted(groups.nunique(), 'group')} of "
            "near-duplicates."
        )
        advice = (
            "Keep the best image of each group, or keep each group in one split: "
            "project.distribute(groups=project.near_duplicates())."
        )
        yield Finding("NEAR_DUPLICATES", "note", message, advice, rows["image"].iat[0], rows)


def _different(table: pd.DataFrame, what: str) -> Finding:
    rows = pd.concat([rows_of(str(split), part["image"], part["detail"]) for split, part in table.groupby("split")])
    rows = rows.reset_index(drop=True)
    message = f"{counted(len(rows), 'image')} {what} an image with different labels: {_example(rows)}."
    advice = "One of the labels is probably wrong. Correct it."
    return Finding("LABELS_DIFFER_ON_SAME_PICTURE", "warning", message, advice, rows["image"].iat[0], rows)


def _contradict(labels: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Check whether the labels of two copies conflict. A subset does not, because a crop may show fewer objects."""
    first, second = set(labels), set(other)
    return bool(first and second) and not (first <= second or second <= first)


def _labels(labels: tuple[str, ...]) -> str:
    return f"labelled {quoted(labels, len(labels))}" if labels else "not labelled"


def _example(rows: pd.DataFrame) -> str:
    more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return f"{rows['image'].iat[0]!r} ({rows['detail'].iat[0]}){more}"
