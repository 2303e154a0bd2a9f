"""In-memory table of one dataset for a labelling screen: plain columns, one position per image."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb._utils.text import last_part, name_before_copying
from customlabels_nb.core import tables as t
from customlabels_nb.core.polygons import polygon_of, readable_rings
from customlabels_nb.datasets.reviewed import REJECTED, has_tag
from customlabels_nb.labeling.edit_rules import is_whole
from customlabels_nb.store import SqlStore

if TYPE_CHECKING:
    import numpy.typing as npt


def short_name(image: str) -> str:
    """Return the last part of a path or URL, with percent-encoding decoded and without the hash of a copied file."""
    last = last_part(image)
    return (unquote(last) if "%" in last else last) or image


@dataclass(frozen=True)
class Prediction:
    """Most confident label for an image, with its confidence from 0 to 1. ``drawn`` is True for a shape's label."""

    label: str
    confidence: float
    drawn: bool = False


@dataclass
class ImageTable:
    """Image data as columns, in the order of import. Positions are never reused. ``gone`` lists the removed ones.

    ``box_labels`` has one entry per shape. ``by_label`` counts images by their labels and those of their shapes,
    ``by_annotator`` those that each person labelled, ``several`` those with several image-level labels, ``drawn`` those
    with shapes. ``rejected`` has the images whose prelabel was rejected, ``notes`` the notes on images.
    """

    names: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    box_labels: list[tuple[str, ...]] = field(default_factory=list)
    annotators: list[tuple[str, ...]] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    hashes: list[str | None] = field(default_factory=list)
    sizes: list[tuple[int, int] | None] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    by_status: Counter[str] = field(default_factory=Counter)
    by_label: Counter[str] = field(default_factory=Counter)
    by_annotator: Counter[str] = field(default_factory=Counter)
    several: int = 0
    drawn: int = 0
    rejected: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    position: dict[str, int] = field(default_factory=dict)
    # images that were looked through, files that were copied by name, and numbers of further copies
    _counted: int = 0
    _copies: Counter[str] = field(default_factory=Counter)
    _numbers: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, store: SqlStore, split: str) -> ImageTable:
        table = cls()
        with collection_paused():
            images, annotations, _ = store.tables(split)
            table.put(images, annotations)
        return table

    def __len__(self) -> int:
        return len(self.names) - len(self.gone)

    def put(self, images: pd.DataFrame, annotations: pd.DataFrame) -> None:
        """Insert or replace images with all their annotations. New images are appended."""
        if images.empty:
            return
        grouped = _by_image(annotations)
        names: list[str] = images["image"].to_numpy(dtype=object).tolist()
        values_of = [
            names, images["status"].to_numpy(dtype=object).tolist(),
            *([by_image.get(name, ()) for name in names] if by_image else [()] * len(names) for by_image in grouped),
            images["revision"].tolist(),
            images["sha256"].to_numpy(dtype=object, na_value=None).tolist(),
            _sizes(images),
            *map(list, zip(*self._more(images, annotations), strict=True)),
        ]  # fmt: skip
        self.rejected.difference_update(names)
        self.rejected.update(images.loc[has_tag(images, REJECTED), "image"])
        for name in self.notes.keys() & names:
            del self.notes[name]
        if "note" in images:
            noted = images[images["note"].notna()]
            self.notes.update(zip(noted["image"], map(str, noted["note"]), strict=True))
        columns = self._columns()
        if not self.names:  # many times as fast as one image after another
            for column, values in zip(columns, values_of, strict=True):
                column.extend(values)
            self.position.update(zip(names, range(len(names)), strict=True))
            for index in range(len(names)):
                self._count(index, 1)
            return
        for name, facts in zip(names, zip(*values_of, strict=True), strict=True):
            index = self.position.setdefault(name, len(self.names))
            if index == len(self.names):
                for column, value in zip(columns, facts, strict=True):
                    column.append(value)
            else:
                if index not in self.gone:
                    self._count(index, -1)
                self.gone.discard(index)
                for column, value in zip(columns, facts, strict=True):
                    column[index] = value
            self._count(index, 1)

    def _more(self, images: pd.DataFrame, annotations: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
        """Return the values of the columns that a subclass adds to :meth:`_columns`, one tuple per image."""
        return repeat((), len(images))

    def _count(self, index: int, by: int) -> None:
        self.by_status[self.statuses[index]] += by
        labels = self.labels[index]
        if not (labels or self.box_labels[index] or self.annotators[index]):
            return
        self.several += by * (len(labels) > 1)
        self.drawn += by * bool(self.box_labels[index])
        for label in {*labels, *self.box_labels[index]} if self.box_labels[index] or len(labels) > 1 else labels:
            self.by_label[label] += by
        for person in self.annotators[index]:
            self.by_annotator[person] += by

    def drop(self, names: Iterable[str]) -> None:
        for name in names:
            index = self.position.get(name)
            if index is not None and index not in self.gone:
                self._count(index, -1)
                self.gone.add(index)

    def names_at(self, positions: npt.NDArray[np.int64]) -> list[str]:
        return [self.names[position] for position in positions.tolist()]

    def shown_name(self, image: str) -> str:
        """Return the short name of an image. Further copies of files with one name get a number: ``leaf (2).jpg``."""
        for name in self.names[self._counted :]:
            if before := name_before_copying(name):
                self._copies[before] += 1
                if self._copies[before] > 1:
                    self._numbers[name] = self._copies[before]
        self._counted, short = len(self.names), short_name(image)
        if image not in self._numbers:
            return short
        stem, suffix = os.path.splitext(short)
        return f"{stem} ({self._numbers[image]}){suffix}"

    def place_of(self, name: str) -> int | None:
        return self.position.get(name)

    def _columns(self) -> tuple[list[Any], ...]:
        return (self.names, self.statuses, self.labels, self.box_labels, self.annotators, self.revisions, self.hashes,
                self.sizes)  # fmt: skip

    def here(self) -> Iterable[int]:
        """Iterate over the positions of the images that are in the dataset."""
        return (
            (index for index in range(len(self.names)) if index not in self.gone)
            if self.gone
            else range(len(self.names))
        )


def _sizes(images: pd.DataFrame) -> list[tuple[int, int] | None]:
    unknown = (images["width"].isna() | images["height"].isna()).tolist()
    sides = (images[name].to_numpy(dtype="int64", na_value=0).tolist() for name in ("width", "height"))
    return [None if absent else size for absent, size in zip(unknown, zip(*sides, strict=True), strict=True)]


def _by_image(annotations: pd.DataFrame) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    """Group the image-level labels, the labels of shapes, and the annotators by image."""
    whole: dict[str, tuple[str, ...]] = {}
    shapes: dict[str, tuple[str, ...]] = {}
    people: dict[str, tuple[str, ...]] = {}
    columns = (shared_texts(annotations[name]).tolist() for name in ("image", "label", "annotator"))
    for image, label, person, alone in zip(*columns, is_whole(annotations).tolist(), strict=True):
        side = whole if alone else shapes
        side[image] = (*side[image], label) if image in side else (label,)
        if isinstance(person, str) and person not in people.get(image, ()):
            people[image] = (*people.get(image, ()), person)
    return whole, shapes, people


def shared_texts(values: pd.Series) -> npt.NDArray[np.object_]:
    """Return text as an array of objects with None where it is missing. Equal texts share memory."""
    codes, texts = pd.factorize(values)
    return np.array([*texts, None], dtype=object)[codes]


def shapes_by_image(rows: pd.DataFrame) -> dict[str, list[list[Any]]]:
    """Return each image's shapes: label, confidence, and ``[left, top, width, height]`` or a polygon, rounded."""
    drawn = rows[~is_whole(rows)]
    outlines = drawn[list(t.BOX_COLUMNS)].to_numpy(dtype=np.float64).round(1).tolist()
    columns = (drawn[name].tolist() for name in ("image", "label", "confidence", "polygon"))
    shapes: dict[str, list[list[Any]]] = {}
    for image, label, confidence, polygon, box in zip(*columns, outlines, strict=True):
        outline = box if polygon is None else polygon_of(ring.round(1) for ring in readable_rings(polygon))
        shapes.setdefault(image, []).append([label, confidence, outline])
    return shapes


def top_predictions(predictions: pd.DataFrame) -> dict[str, Prediction]:
    """Return the most confident prediction of each image, preferring image-level predictions to shapes."""
    if predictions.empty:
        return {}
    marked = predictions.assign(whole=is_whole(predictions))
    best = marked.sort_values(["whole", "confidence"], kind="stable").drop_duplicates("image", keep="last")
    columns = (best[name].tolist() for name in ("image", "label", "confidence", "whole"))
    return {
        image: Prediction(label, float(confidence), drawn=not whole)
        for image, label, confidence, whole in zip(*columns, strict=True)
    }
