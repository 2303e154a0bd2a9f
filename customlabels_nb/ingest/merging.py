"""Merge imported annotations into those of images that the project already has, as ``on_known`` asks for.

A source has an answer for an image if it has annotations, or a status other than unlabelled: "labelled" without
annotations means that there is nothing to label. Without an answer, nothing changes. The formats describe both in their
fields ``empty`` and ``unlabelled``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted, quoted
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.ingest.sources import Lacking

Array: TypeAlias = np.ndarray[Any, Any]
_PIXEL = 1 + 1e-9  # by which the box of a mask can differ from that of its polygon
#: Compare annotations at positions of two tables, and return a mask.
Test: TypeAlias = Callable[[Any, Any], Array]


@dataclass
class Merge:
    """Merge of one import. The counts and issues grow with each :meth:`edit` and :meth:`edit_columns`.

    ``rounding`` is the difference in pixels up to which two boxes are the same. With ``exact``, all images get exactly
    the annotations of the source, even none. Annotations of the kind that the source ``lacks`` stay as they are.
    """

    on_known: str
    rounding: float
    source: str
    issues: list[Issue]
    exact: bool = False
    lacks: Lacking | None = None
    filled: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    changed_cells: int = 0

    def edit_columns(
        self,
        own: pd.DataFrame,
        edited: pd.DataFrame,
        annotations: pd.DataFrame,
        stored: pd.DataFrame,
        stored_annotations: pd.DataFrame,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Take over cells of the user's ``own`` columns, which are indexed by stored names. Empty cells change nothing.

        ``edited`` and ``annotations`` are what :meth:`edit` has returned. The result also has the images in which only
        such cells change, with their stored annotations.
        """
        rest = stored[~stored["image"].isin(edited["image"])]
        images = pd.concat([part for part in (edited, rest) if len(part)], ignore_index=True)
        given, touched = own.reindex(images["image"]), np.arange(len(images)) < len(edited)
        for name in given:
            new = given[name].tolist()
            old = images[name].astype(object).tolist() if name in images else [None] * len(images)
            differ = [
                not _is_missing(cell) and not _is_equal(cell, before) for cell, before in zip(new, old, strict=True)
            ]
            cells = [cell if differs else before for cell, before, differs in zip(new, old, differ, strict=True)]
            if any(differ):
                images[name] = pd.Series(cells, index=images.index, dtype=object)
            self.changed_cells += sum(differ)
            touched |= np.array(differ, dtype=bool)
        images = images[touched].reset_index(drop=True)
        also = rest["image"][rest["image"].isin(images["image"])]
        parts = [annotations, stored_annotations[stored_annotations["image"].isin(also)]]
        return images, pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)

    def edit(
        self,
        images: pd.DataFrame,
        annotations: pd.DataFrame,
        stored: pd.DataFrame,
        stored_annotations: pd.DataFrame,
        leased: Mapping[str, str],
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the images to change with their new annotations.

        ``images`` and ``annotations`` are those of the source, under the names of the ``stored`` ones. ``leased`` maps
        images to the labelling jobs in which somebody is labelling them.
        """
        stated = dict(zip(images["image"].tolist(), images["status"].tolist(), strict=True))
        annotations = _with_notes(annotations, stored_annotations, self.rounding)
        beyond = _of_kind(stored_annotations, self.lacks)
        comparable = stored_annotations[~beyond].reset_index(drop=True)
        pairs = _Pairing(comparable, annotations, self.rounding, by_note=True)
        same = _identical_images(comparable, annotations) if self.exact else pairs.same_images()
        answered, mine, theirs = set(comparable["image"]), _by_whom(stored_annotations), _by_whom(annotations)
        compared: dict[str, _Known] = {}
        for image, status in zip(stored["image"].tolist(), stored["status"].tolist(), strict=True):
            by, given_by = mine.get(image), theirs.get(image)
            is_same = image in same or (image not in answered and given_by is None)
            compared[image] = _Known(status, by, stated[image], given_by, is_same, image in leased)
        verdicts = self._decide(compared)
        self.issues += self._reasons(verdicts["keep"], stored, stated, pairs, leased)
        self.issues += self._silence([image for image in verdicts["silence"] if image in answered])
        kept, new = ([], []) if self.exact else pairs.replaced(verdicts["replace"])
        whole = [*verdicts["fill"], *(verdicts["replace"] if self.exact else ())]
        labelled = [image for image in verdicts["replace"] if compared[image].new_status != "skipped"]
        untouched = stored_annotations[beyond & stored_annotations["image"].isin(labelled)]
        self.issues += self._beyond(untouched)
        parts = [
            untouched, comparable.iloc[kept], annotations.iloc[new], annotations[annotations["image"].isin(whole)]
        ]  # fmt: skip
        result = pd.concat([part for part in parts if len(part)] or [annotations.head(0)], ignore_index=True)
        edited = stored[stored["image"].isin({*verdicts["fill"], *verdicts["replace"]})].reset_index(drop=True)
        edited = edited.assign(status=[compared[image].new_status for image in edited["image"]])
        return forget_where_changed(edited, result, stored, stored_annotations), result

    def _decide(self, compared: Mapping[str, _Known]) -> dict[str, list[str]]:
        """Return the images by verdict, and count them."""
        mode = "exact" if self.exact else self.on_known
        rules = [(verdict, holds) for verdict, modes, holds in _RULES if mode in modes]
        verdicts: dict[str, list[str]] = {"fill": [], "replace": [], "keep": [], "nothing": [], "silence": []}
        for image, known in compared.items():
            verdicts[next(verdict for verdict, holds in rules if holds(known))].append(image)
        self.filled += verdicts["fill"]
        self.replaced += verdicts["replace"]
        self.kept += verdicts["keep"]
        return verdicts

    def _beyond(self, untouched: pd.DataFrame) -> Iterator[Issue]:
        """Yield an issue for the images that keep annotations because the source has none of this kind."""
        if images := untouched["image"].unique().tolist():
            what = f"{counted(len(images), 'image')} with other boxes in the source"
            if self.lacks == "boxes and polygons":
                what = f"{counted(len(images), 'image')} with other labels in the source"
            message = f"{what} kept {'its' if len(images) == 1 else 'their'} {self.lacks}: the source has none."
            yield Issue("KIND_KEPT", message, images[0], self.source)

    def _silence(self, images: Sequence[str]) -> Iterator[Issue]:
        """Yield an issue for the images that have annotations in the project, and no answer in the source."""
        if images:
            has, keeps = ("has", "Its labels were") if len(images) == 1 else ("have", "Their labels were")
            message = (
                f"{counted(len(images), 'image')} {has} labels in the project, but none in the source, which does not "
                f"say whether there is something to label. {keeps} kept. If they are wrong, remove them here."
            )
            yield Issue("NO_ANSWER", message, images[0], self.source)

    def _reasons(
        self,
        kept: Collection[str],
        stored: pd.DataFrame,
        stated: Mapping[str, str],
        pairs: _Pairing,
        leased: Mapping[str, str],
    ) -> Iterator[Issue]:
        """Yield an issue for each image whose annotations were kept."""
        statuses = dict(zip(stored["image"], stored["status"], strict=True)) if kept else {}
        for image in kept:
            if self.on_known == "replace":
                reason = f"{leased[image]} is labelling the image now, so its labels were kept. Import it again later."
            else:
                how = pairs.difference(image, statuses[image], stated[image])
                reason = f"{how} Pass on_known='replace' to take them from the source."
            yield Issue("LABEL_KEPT", reason, image, self.source)


@dataclass(frozen=True, slots=True)
class _Known:
    """An image of the project, and what the source has for it.

    ``status`` is the stored one, ``stated`` that of the source. ``by`` and ``given_by`` are who made the stored
    annotations and those of the source: "person", "model", or None if there are none. ``same`` is True if the
    annotations are equal, ``leased`` whether somebody is labelling the image in a job.
    """

    status: str
    by: str | None
    stated: str
    given_by: str | None
    same: bool
    leased: bool

    @property
    def answered(self) -> bool:
        """Check whether the source has annotations, or shows that there is nothing to label."""
        return self.given_by is not None or self.stated == "labelled"

    @property
    def new_status(self) -> str:
        """Status after the annotations were taken from the source."""
        if self.stated != "unlabelled":
            return self.stated
        if self.given_by is not None:
            return "labelled"
        return "unlabelled" if self.status == "labelled" else self.status


#: What happens to the annotations of an image: the verdict of the first rule that holds in this mode, which is "exact"
#: or the value of ``on_known``. An image with the verdict "keep" is reported. The importer passes
#: images for which the source has neither annotations nor a status only with "exact" or "replace".
_RULES: Sequence[tuple[str, Collection[str], Callable[[_Known], bool]]] = (
    # the source has what is stored. The status counts with "exact", or if there are no annotations to compare
    ("nothing", ("exact",), lambda it: it.same and it.status == it.new_status),
    ("nothing", ("fill", "replace"), lambda it: it.same and it.stated == it.status),
    ("nothing", ("fill",), lambda it: it.same and it.by is not None),
    ("nothing", ("replace",), lambda it: it.same and it.by is not None and it.stated == "labelled"),
    ("silence", ("replace",), lambda it: it.given_by is None and it.stated == "unlabelled"),
    # somebody is labelling the image
    ("keep", ("exact", "replace"), lambda it: it.leased),
    # the image has no answer yet. A source that only has another status for it changes only an unlabelled image
    ("fill", ("fill", "replace"), lambda it: it.by is None and it.status == "unlabelled"),
    ("fill", ("fill", "replace"), lambda it: it.by is None and it.answered and it.status != "labelled"),
    # the labels of a person are better than those of a model
    ("fill", ("fill", "replace"), lambda it: (it.by, it.given_by) == ("model", "person")),
    ("replace", ("exact", "replace"), lambda it: True),
    # the source only has another status of an image with labels. That somebody skipped it there is an answer
    ("nothing", ("fill",), lambda it: not it.answered and (it.stated != "skipped" or it.by is None)),
    ("keep", ("fill",), lambda it: True),
)


# -- comparison -------------------------------------------------------------------------------------
class _Marks:
    """Annotations as arrays, and the positions of those of each image."""

    def __init__(self, table: pd.DataFrame) -> None:
        boxes = table[list(t.BOX_COLUMNS)].to_numpy(float)
        self.edges = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        self.labels, self.crowd = table["label"].to_numpy(object), table["crowd"].to_numpy(bool)
        self.outlines, self.has_outline = table["polygon"].tolist(), table["polygon"].notna().to_numpy()
        self.notes = table["note"].to_numpy(dtype=object, na_value=None)
        self.of: dict[str, Array] = dict(table.groupby("image", sort=False).indices)

    def at(self, image: str) -> list[int]:
        return self.of[image].tolist() if image in self.of else []


class _Pairing:
    """Pairing of stored annotations with those of a source."""

    def __init__(self, stored: pd.DataFrame, source: pd.DataFrame, rounding: float, *, by_note: bool = False) -> None:
        self._by_note = by_note
        self._mine, self._theirs, self._rounding = _Marks(stored), _Marks(source), rounding + 1e-9
        self._paired: dict[str, dict[int, int]] = {}  # by image, because it is needed for two questions

    def same_images(self) -> set[str]:
        """Return the images with the same annotations in both, apart from their order and rounding."""
        mine, theirs = self._mine.of, self._theirs.of
        alike = [image for image, at in mine.items() if len(at) == len(theirs.get(image, ()))]
        if not alike:
            return set()
        equal = self._equal(*(np.concatenate([of[image] for image in alike]) for of in (mine, theirs)))
        others = {alike[at] for at in np.repeat(np.arange(len(alike)), [len(mine[image]) for image in alike])[~equal]}
        in_other_order = {image for image in others if len(self.pairs(image)) == len(mine[image])}
        return set(alike) - others | in_other_order

    def replaced(self, images: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the positions of the stored annotations of images to keep, and of the given ones to add."""
        kept, new = list[int](), list[int]()
        for image in images:
            pairs = self.pairs(image)
            taken = set(pairs.values())
            kept += pairs
            new += [at for at in self._theirs.at(image) if at not in taken]
        return kept, new

    def difference(self, image: str, status: str, stated: str) -> str:
        """Describe how the annotations of an image in the source differ from the stored ones, which are kept."""
        mine, theirs = self._mine.at(image), self._theirs.at(image)
        if stated == "skipped" and not theirs:
            return "The image is labelled, but skipped in the source. Its labels were kept."
        if np.isnan(self._mine.edges[mine]).all() and np.isnan(self._theirs.edges[theirs]).all():
            here, there = (
                quoted(side.labels[at], len(at)) if at else "as empty"
                for side, at in ((self._mine, mine), (self._theirs, theirs))
            )
            if here == there:
                return "Notes differ in the source. Those of the project were kept."
            is_now = "needs to be reviewed and is labelled" if status == "needs_review" and mine else "is labelled"
            return f"The image {is_now} {here}, but {there} in the source. Its labels were kept."
        words = [f"{count:,} {way}" for way, count in self._ways(mine, theirs).items() if count]
        first, _, rest = ", ".join(words).partition(" ")
        return f"The boxes differ in the source: {first} {'box' if first == '1' else 'boxes'} {rest}. They were kept."

    def _ways(self, mine: list[int], theirs: list[int]) -> dict[str, int]:
        """Count the boxes that are moved, have another label, or are only in one of the tables."""
        ways = Counter[str]()
        tests: dict[str, Test] = {
            "": self._equal,
            "with another note": partial(self._equal, by_note=False),
            "relabelled": partial(self._equal, by_label=False, by_note=False),
            "moved": self._overlaps,
        }
        for way, test in tests.items():
            pairs = _each_once(mine, theirs, test)
            ways[way] = len(pairs)
            taken = set(pairs.values())
            mine, theirs = [at for at in mine if at not in pairs], [at for at in theirs if at not in taken]
        return {way: ways[way] for way in ("moved", "relabelled", "with another note")} | {
            "more": len(theirs),
            "fewer": len(mine),
        }

    def pairs(self, image: str) -> dict[int, int]:
        """Map the positions of the stored annotations of an image to those of the equal ones of the source."""
        if image not in self._paired:
            self._paired[image] = _each_once(self._mine.at(image), self._theirs.at(image), self._equal)
        return self._paired[image]

    def _equal(self, at: Any, other: Any, *, by_label: bool = True, by_note: bool = True) -> Array:
        """Compare by label, box, outline and crowd flag. What a source does not state, the last two, is equal."""
        mine, theirs = self._mine, self._theirs
        first, second = mine.edges[at], theirs.edges[other]
        apart, outlined = np.abs(first - second), theirs.has_outline[other]
        close = (apart <= self._rounding) | (np.isnan(first) & np.isnan(second))
        equal: Array = close.all(axis=-1) | (outlined & (apart <= _PIXEL).all(axis=-1))  # the outlines decide
        equal &= mine.crowd[at] | ~theirs.crowd[other]
        if by_label:
            equal &= np.equal(mine.labels[at], theirs.labels[other]).astype(bool)
        if self._by_note and by_note:
            equal &= np.equal(mine.notes[at], theirs.notes[other]).astype(bool)
        for index in np.flatnonzero(equal & outlined):
            stored = mine.outlines[at if np.ndim(at) == 0 else at[index]]
            equal[index] = _same_outline(stored, theirs.outlines[other[index]], self._rounding)
        return equal

    def _overlaps(self, at: int, other: Array) -> Array:
        box, boxes = self._mine.edges[at], self._theirs.edges[other]
        overlap: Array = (np.minimum(box[2:], boxes[:, 2:]) > np.maximum(box[:2], boxes[:, :2])).all(axis=1)
        overlap &= np.equal(self._theirs.labels[other], self._mine.labels[at]).astype(bool)
        return overlap


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or (not isinstance(cell, list | dict) and bool(pd.isna(cell)))


def _is_equal(cell: Any, other: Any) -> bool:
    return not _is_missing(other) and type(cell == other) is bool and cell == other


def _each_once(mine: Sequence[int], theirs: Sequence[int], test: Test) -> dict[int, int]:
    """Map positions to the first of the other positions that passes the test and is not taken yet."""
    pairs: dict[int, int] = {}
    others, free = np.asarray(theirs, dtype=np.intp), np.ones(len(theirs), dtype=bool)
    for at in mine:
        found = np.flatnonzero(free & test(at, others))
        if len(found):
            pairs[at], free[found[0]] = int(others[found[0]]), False
    return pairs


def _with_notes(source: pd.DataFrame, stored: pd.DataFrame, rounding: float) -> pd.DataFrame:
    """Return the annotations of a source, which take over the notes of equal stored ones unless they have their own."""
    noted = stored[stored["note"].notna()]
    if noted.empty:
        return source
    pairs, notes = _Pairing(noted, source, rounding), source["note"].to_numpy(dtype=object, na_value=None, copy=True)
    for image in noted["image"].unique():
        for at, other in pairs.pairs(image).items():
            notes[other] = notes[other] or noted["note"].iat[at]
    return source.assign(note=pd.array(notes, dtype=t.TEXT))


def _identical_images(stored: pd.DataFrame, source: pd.DataFrame) -> set[str]:
    """Return the images whose annotations are the same in all fields that a person can edit."""
    from customlabels_nb.store.frames import annotation_keys

    keys, others = annotation_keys(stored), annotation_keys(source)
    return {image for image, key in keys.items() if others.get(image) == key}


def _same_outline(stored: object, source: object, rounding: float) -> bool:
    if stored is None:
        return False
    first, second = rings_of(stored), rings_of(source)
    if [len(ring) for ring in first] == [len(ring) for ring in second] and all(
        bool((np.abs(a - b) <= rounding).all()) for a, b in zip(first, second, strict=True)
    ):
        return True
    return all(map(_along_pixels, second)) and _same_pixels(first, second)


def _along_pixels(ring: Array) -> bool:
    """Check whether a ring is the outline of a mask: each of its edges is one of pixels."""
    edges = ring - np.roll(ring, 1, axis=0)
    return bool((ring == np.round(ring)).all() and (edges == 0).any(axis=1).all())


def _same_pixels(first: Sequence[Array], second: Sequence[Array]) -> bool:
    """Check whether polygons are the same mask. Programs write a polygon with a hole as a mask, without its points."""
    from customlabels_nb.core.masks import MOST_PIXELS, polygon_to_rle

    points = np.concatenate([*first, *second])
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    if not (high - low).prod() <= MOST_PIXELS:
        return False
    width, height = (high - low).astype(int).tolist()
    one, other = (polygon_to_rle([ring - low for ring in rings], (width, height)) for rings in (first, second))
    return bool(one["counts"] == other["counts"])


def _of_kind(annotations: pd.DataFrame, kind: Lacking | None) -> Array:
    drawn: Array = annotations["left"].notna().to_numpy()
    return ~drawn if kind == "image-level labels" else drawn if kind else np.zeros(len(drawn), dtype=bool)


def _by_whom(annotations: pd.DataFrame) -> dict[str, str]:
    """Map the images with annotations to "person", or to "model" if a model made all of them."""
    people = set(annotations.loc[~t.by_machine(annotations), "image"])
    return {image: "person" if image in people else "model" for image in annotations["image"].unique()}
