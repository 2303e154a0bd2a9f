"""Merge imported annotations into those of images that the project already has, as ``on_known`` asks for.

A source has an answer for an image if it has annotations, or a status other than unlabelled: "labelled" without
annotations means that there is nothing to label. Without an answer, nothing changes. The formats describe both in their
fields ``empty`` and ``unlabelled``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.datasets.reviewed import forget_where_changed

ON_KNOWN = ("fill", "replace", "skip")
_WAYS = ("moved", "relabelled", "more", "fewer")


@dataclass
class Merge:
    """Merge of one import. The counts and issues grow with each :meth:`edit`.

    ``rounding`` is the difference in pixels up to which two boxes are the same. With ``exact``, all images get exactly
    the annotations of the source, even none.
    """

    on_known: str
    rounding: float
    source: str
    exact: bool = False
    filled: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

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
        given = dict(zip(images["image"].tolist(), images["status"].tolist(), strict=True))
        same = (
            _identical_images(stored_annotations, annotations)
            if self.exact
            else same_images(stored_annotations, annotations, self.rounding)
        )
        mine, theirs = (_by_whom(table) for table in (stored_annotations, annotations))
        filled, replaced_, kept = list[str](), list[str](), list[str]()
        for image, status in zip(stored["image"].tolist(), stored["status"].tolist(), strict=True):
            verdict = self._verdict(
                status, mine.get(image), given[image], theirs.get(image), same=image in same, leased=image in leased
            )
            {"fill": filled, "replace": replaced_, "keep": kept}.get(verdict, []).append(image)
        self.issues += self._reasons(kept, stored, stored_annotations, annotations, leased)
        self.filled += filled
        self.replaced += replaced_
        self.kept += kept
        before, after = (_of(table, replaced_) for table in (stored_annotations, annotations))
        marks = pd.concat(
            [
                annotations[annotations["image"].isin(filled)],
                *((after[i] if self.exact else replaced(before[i], after[i], self.rounding)) for i in replaced_),
            ],
            ignore_index=True,
        )
        edited = stored[stored["image"].isin({*filled, *replaced_})].reset_index(drop=True)
        statuses = [
            _status(status, given[image], annotated=image in theirs)
            for image, status in zip(edited["image"], edited["status"], strict=True)
        ]
        edited = edited.assign(status=statuses)
        return forget_where_changed(edited, marks, stored, stored_annotations), marks

    def _verdict(
        self, status: str, by: str | None, given: str, given_by: str | None, *, same: bool, leased: bool
    ) -> str:
        """Return what happens to the annotations of an image. The first rule counts.

        ``by`` and ``given_by`` are "person", "model", or None if there are no annotations.

        1. The source has no answer, or has what is stored: nothing.
        2. ``on_known="replace"``, while somebody is labelling the image in a job: keep the annotations, and report it.
        3. There is no answer yet, or only a model's and the source has a person's: fill.
        4. ``on_known="replace"``: replace.
        5. The source only has another status of an image with an answer: nothing.
        6. Keep the annotations, and report it.
        """
        is_same, has_answer = same or by is given_by is None, given_by is not None or given == "labelled"
        if self.exact:
            settled = is_same and status == _status(status, given, annotated=given_by is not None)
            return "nothing" if settled else "keep" if leased else "replace"
        replacing = self.on_known == "replace"
        rules = {
            "nothing": (not has_answer and given == "unlabelled") or (is_same and given in (status, by and "labelled")),
            "keep": replacing and leased,
            "fill": _is_open(status, by, answered=has_answer) or (by, given_by) == ("model", "person"),
            "replace": replacing,
        }
        return next((verdict for verdict, holds in rules.items() if holds), "keep" if has_answer else "nothing")

    def _reasons(
        self,
        kept: Collection[str],
        stored: pd.DataFrame,
        stored_annotations: pd.DataFrame,
        annotations: pd.DataFrame,
        leased: Mapping[str, str],
    ) -> Iterator[Issue]:
        """Yield an issue for each image whose annotations were kept."""
        statuses = dict(zip(stored["image"], stored["status"], strict=True)) if kept else {}
        mine, theirs = (_of(table, kept) for table in (stored_annotations, annotations))
        for image in kept:
            reason = (
                f"{leased[image]} is labelling the image now, so its labels were kept. Import it again later."
                if self.on_known == "replace"
                else difference(statuses[image], mine[image], theirs[image], self.rounding)
            )
            yield Issue("LABEL_KEPT", reason, image, self.source)


def _is_open(status: str, by: str | None, *, answered: bool) -> bool:
    """Check whether an image has no answer yet. The source may only have another status for it, not ``answered``."""
    return by is None and (status == "unlabelled" or (answered and status != "labelled"))


def _status(status: str, given: str, *, annotated: bool) -> str:
    """Return the status of an image after its annotations were taken from a source that gives it the status ``given``.

    ``status`` is the stored one.
    """
    if given != "unlabelled":
        return given
    if annotated:
        return "labelled"
    return "unlabelled" if status == "labelled" else status


# -- comparison -------------------------------------------------------------------------------------
def same_images(stored: pd.DataFrame, given: pd.DataFrame, rounding: float) -> set[str]:
    """Return the images whose annotations are the same in both tables, apart from their order and rounding.

    Images without annotations in both are the same, too, but are not listed unless they are in one of the tables.
    """
    counts, others = stored["image"].value_counts(), given["image"].value_counts()
    alike = counts.index[counts.eq(others.reindex(counts.index, fill_value=0))]
    order = ["image", "label", *t.BOX_COLUMNS]
    mine, theirs = (
        table[table["image"].isin(alike)].sort_values(order, kind="stable").reset_index(drop=True)
        for table in (stored, given)
    )
    equal = _equal_rows(mine, theirs, rounding)
    same = set(alike) - set(mine.loc[~equal, "image"])
    for image in set(alike) - same:  # rounding may have changed the order
        pairs = matches(stored[stored["image"] == image], given[given["image"] == image], rounding)
        same |= {image} if len(pairs) == counts[image] else set()
    return same


def _identical_images(stored: pd.DataFrame, given: pd.DataFrame) -> set[str]:
    """Return the images whose annotations are the same in all fields that a person can edit."""
    from customlabels_nb.store.frames import annotation_keys

    keys, others = annotation_keys(stored), annotation_keys(given)
    return {image for image, key in keys.items() if others.get(image) == key}


def matches(stored: pd.DataFrame, given: pd.DataFrame, rounding: float) -> dict[int, int]:
    """Map the positions of stored annotations of an image to those of the equal ones that are given."""
    pairs: dict[int, int] = {}
    free = np.ones(len(given), dtype=bool)
    for position in range(len(stored)):
        row = stored.iloc[[position] * len(given)].reset_index(drop=True)
        found = np.flatnonzero(_equal_rows(row, given.reset_index(drop=True), rounding) & free)
        if len(found):
            pairs[position], free[found[0]] = int(found[0]), False
    return pairs


def _equal_rows(stored: pd.DataFrame, given: pd.DataFrame, rounding: float) -> np.ndarray[Any, Any]:
    """Compare the rows of two tables of the same length by label, box, outline and crowd flag.

    What a source does not state is equal: an outline, and that an annotation is a crowd.
    """
    equal: np.ndarray[Any, Any] = np.equal(stored["label"].to_numpy(object), given["label"].to_numpy(object)).astype(
        bool
    )
    first, second = (_edges(table) for table in (stored, given))
    close = np.abs(first - second) <= rounding + 1e-9
    equal &= (close | (np.isnan(first) & np.isnan(second))).all(axis=1)
    equal &= stored["crowd"].to_numpy(bool) | ~given["crowd"].to_numpy(bool)
    for index in np.flatnonzero(equal & given["polygon"].notna().to_numpy()):
        equal[index] = _same_outline(stored["polygon"].iat[index], given["polygon"].iat[index], rounding)
    return equal


def _edges(table: pd.DataFrame) -> np.ndarray[Any, Any]:
    boxes = table[list(t.BOX_COLUMNS)].to_numpy(float)
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def _same_outline(stored: object, given: object, rounding: float) -> bool:
    if stored is None:
        return False
    first, second = rings_of(stored), rings_of(given)
    return [len(ring) for ring in first] == [len(ring) for ring in second] and all(
        bool(np.all(np.abs(np.asarray(a) - np.asarray(b)) <= rounding + 1e-9))
        for a, b in zip(first, second, strict=True)
    )


def replaced(stored: pd.DataFrame, given: pd.DataFrame, rounding: float) -> pd.DataFrame:
    """Return the given annotations of an image, with the stored row of each one that is equal to it."""
    pairs = matches(stored, given, rounding)
    new = [position for position in range(len(given)) if position not in set(pairs.values())]
    parts = [part for part in (stored.iloc[list(pairs)], given.iloc[new]) if len(part)]
    return pd.concat(parts) if parts else given


def difference(status: str, stored: pd.DataFrame, given: pd.DataFrame, rounding: float) -> str:
    """Describe how the annotations of a source differ from the stored ones, which are kept."""
    advice = "Pass on_known='replace' to take them from the source."
    if stored["left"].isna().all() and given["left"].isna().all():
        here = quoted(stored["label"]) if len(stored) else "as empty"
        is_now = "needs to be reviewed and is labelled" if status == "needs_review" and len(stored) else "is labelled"
        there = quoted(given["label"]) if len(given) else "as empty"
        return f"The image {is_now} {here}, but {there} in the source. Its labels were kept. {advice}"
    ways = _ways(stored, given, rounding)
    words = [f"{ways[way]:,} {way}" for way in _WAYS if ways[way]]
    first, _, rest = ", ".join(words).partition(" ")
    boxes = "boxes" if first != "1" else "box"
    return f"The boxes differ in the source: {first} {boxes} {rest}. They were kept. {advice}"


def _ways(stored: pd.DataFrame, given: pd.DataFrame, rounding: float) -> Counter[str]:
    """Count the boxes that are moved, have another label, or are only in one of the tables."""
    pairs, ways = matches(stored, given, rounding), Counter[str]()
    mine = stored.iloc[[i for i in range(len(stored)) if i not in pairs]]
    theirs = given.iloc[[i for i in range(len(given)) if i not in set(pairs.values())]]
    for way, relabel in (("relabelled", True), ("moved", False)):
        if relabel:
            same = matches(mine.assign(label=""), theirs.assign(label=""), rounding)
        else:
            same = _overlapping(mine, theirs)
        ways[way] = len(same)
        mine = mine.iloc[[i for i in range(len(mine)) if i not in same]]
        theirs = theirs.iloc[[i for i in range(len(theirs)) if i not in set(same.values())]]
    return ways + Counter(more=len(theirs), fewer=len(mine))


def _overlapping(stored: pd.DataFrame, given: pd.DataFrame) -> dict[int, int]:
    """Map each stored box to a given one of the same label that overlaps it, each once."""
    pairs: dict[int, int] = {}
    edges, others = _edges(stored), _edges(given)
    for position, (box, label) in enumerate(zip(edges, stored["label"], strict=True)):
        for other, (edge, name) in enumerate(zip(others, given["label"], strict=True)):
            overlaps = bool((np.minimum(box[2:], edge[2:]) > np.maximum(box[:2], edge[:2])).all())
            if label == name and overlaps and other not in pairs.values():
                pairs[position] = other
                break
    return pairs


def quoted(labels: Collection[str]) -> str:
    """Return the distinct labels as ``'a' and 'b'``."""
    return " and ".join(map(repr, dict.fromkeys(labels)))


def _of(annotations: pd.DataFrame, images: Collection[str]) -> dict[str, pd.DataFrame]:
    """Return the annotations of each of the images."""
    rows = annotations[annotations["image"].isin(images)]
    return dict.fromkeys(images, rows.head(0)) | {str(image): part for image, part in rows.groupby("image", sort=False)}


def _by_whom(annotations: pd.DataFrame) -> dict[str, str]:
    """Map the images with annotations to "person", or to "model" if a model made all of them."""
    people = set(annotations.loc[~t.by_machine(annotations), "image"])
    return {image: "person" if image in people else "model" for image in annotations["image"].unique()}
