"""In-memory table of one dataset for a labelling screen: plain columns, one position per image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any
from urllib.parse import unquote

import pandas as pd

from customlabels_nb.datasets.reviewed import REJECTED, has_tag
from customlabels_nb.labeling.edit_rules import is_whole
from customlabels_nb.store import SqlStore


def short_name(image: str) -> str:
    """Return the last part of a path or URL, with percent-encoding decoded."""
    last = image.rstrip("/").rsplit("/", 1)[-1]
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

    Attributes
    ----------
    labels : list of tuple of str
        Image-level labels of each image.
    box_labels : list of tuple of str
        Labels of the boxes and polygons of each image, one entry per shape.
    hashes : list
        Content hash of each image, None if unknown.
    by_status, by_label : Counter
        Number of images with each status, and with each label (of the image or of its shapes).
    by_annotator : Counter
        Number of images labelled by each person.
    several : int
        Number of images with several image-level labels.
    rejected : set of str
        Images whose prelabel was rejected.
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
    rejected: set[str] = field(default_factory=set)
    position: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, store: SqlStore, split: str) -> ImageTable:
        """Read a dataset from the store."""
        images, annotations, _ = store.tables(split)
        table = cls()
        table.put(images, annotations)
        return table

    def __len__(self) -> int:
        return len(self.names) - len(self.gone)

    def put(self, images: pd.DataFrame, annotations: pd.DataFrame) -> None:
        """Insert or replace images with all their annotations. New images are appended."""
        whole, shapes, people = _by_image(annotations)
        columns = (images[name].tolist() for name in ("image", "status", "revision"))
        hashes = [value if isinstance(value, str) else None for value in images["sha256"].tolist()]
        sizes = zip(images["width"].tolist(), images["height"].tolist(), strict=True)
        more = self._more(images, annotations)
        self.rejected.difference_update(images["image"])
        self.rejected.update(images.loc[has_tag(images, REJECTED), "image"])
        for name, status, revision, sha256, (width, height), others in zip(*columns, hashes, sizes, more, strict=True):
            at = self.position.get(name)
            size = None if pd.isna(width) or pd.isna(height) else (int(width), int(height))
            own = (name, status, whole.get(name, ()), shapes.get(name, ()), people.get(name, ()), revision, sha256)
            facts = (*own, size, *others)
            if at is None:
                at = self.position[name] = len(self.names)
                for column, value in zip(self._columns(), facts, strict=True):
                    column.append(value)
            else:
                if at not in self.gone:
                    self._count(at, -1)
                self.gone.discard(at)
                for column, value in zip(self._columns(), facts, strict=True):
                    column[at] = value
            self._count(at, 1)

    def _more(self, images: pd.DataFrame, annotations: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
        """Return the values of the columns that a subclass adds to :meth:`_columns`, one tuple per image."""
        return repeat((), len(images))

    def _count(self, at: int, by: int) -> None:
        self.by_status[self.statuses[at]] += by
        own = self.labels[at]
        self.several += by * (len(own) > 1)
        for label in {*own, *self.box_labels[at]} if self.box_labels[at] or len(own) > 1 else own:
            self.by_label[label] += by
        for person in self.annotators[at]:
            self.by_annotator[person] += by

    def drop(self, names: Iterable[str]) -> None:
        """Mark these images as removed from the dataset."""
        for name in names:
            at = self.position.get(name)
            if at is not None and at not in self.gone:
                self._count(at, -1)
                self.gone.add(at)

    def _columns(self) -> tuple[list[Any], ...]:
        return (self.names, self.statuses, self.labels, self.box_labels, self.annotators, self.revisions, self.hashes,
                self.sizes)  # fmt: skip

    def here(self) -> Iterable[int]:
        """Iterate over the positions of the images that are in the dataset."""
        return (at for at in range(len(self.names)) if at not in self.gone) if self.gone else range(len(self.names))


def _by_image(annotations: pd.DataFrame) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    """Group the image-level labels, the labels of shapes, and the annotators by image."""
    whole: dict[str, tuple[str, ...]] = {}
    shapes: dict[str, tuple[str, ...]] = {}
    people: dict[str, tuple[str, ...]] = {}
    columns = (annotations[name].tolist() for name in ("image", "label", "annotator"))
    for image, label, person, alone in zip(*columns, is_whole(annotations).tolist(), strict=True):
        side = whole if alone else shapes
        side[image] = (*side[image], label) if image in side else (label,)
        if isinstance(person, str) and person not in people.get(image, ()):
            people[image] = (*people.get(image, ()), person)
    return whole, shapes, people


def top_predictions(predictions: pd.DataFrame) -> dict[str, Prediction]:
    """Return the most confident prediction of each image, preferring image-level predictions to shapes."""
    if predictions.empty:
        return {}
    told = predictions.assign(whole=is_whole(predictions))
    best = told.sort_values(["whole", "confidence"], kind="stable").drop_duplicates("image", keep="last")
    columns = (best[name].tolist() for name in ("image", "label", "confidence", "whole"))
    return {
        image: Prediction(label, float(confidence), drawn=not whole)
        for image, label, confidence, whole in zip(*columns, strict=True)
    }
