"""A person drawing boxes and polygons on the images of one project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.rules import Change
from customlabels_nb.labeling.session import LabellingSession, Outcome

#: A side of a box in pixels below which it is a slip of the hand.
SMALLEST = 2
_MOST_SHAPES = 10_000
_DIGITS = 3  # of a pixel's fraction that is kept


@dataclass(frozen=True)
class Shape:
    """A box, or a polygon with the box around it, in pixels of the upright image."""

    label: str
    left: float
    top: float
    width: float
    height: float
    polygon: tuple[tuple[float, float], ...] | None = None

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Shape:
        """A shape as a page sends it.

        Raises
        ------
        InputError
            If it is none, or smaller than 2 × 2 pixels.
        """
        try:
            box = [float(value[name]) for name in t.BOX_COLUMNS]
            points = value.get("polygon")
            polygon = None if points is None else tuple((float(x), float(y)) for x, y in points)
            label = t.check_label(value["label"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{value!r} is no shape: {error}.") from error
        if polygon is not None:
            if len(polygon) < 3:
                raise InputError(f"A polygon has three corners at least; this one of {label!r} has {len(polygon)}.")
            (left, top), (right, bottom) = np.min(polygon, axis=0), np.max(polygon, axis=0)
            box = [float(left), float(top), float(right - left), float(bottom - top)]
            polygon = tuple((round(x, _DIGITS), round(y, _DIGITS)) for x, y in polygon)
        if not np.isfinite(box).all() or min(box[2:]) < SMALLEST - 1e-6:
            raise InputError(f"A box of {label!r} is {box[2]:g} × {box[3]:g} pixels; 2 × 2 is the least.")
        left, top, width, height = (round(side, _DIGITS) for side in box)
        return cls(label, left, top, width, height, polygon)


class DrawingSession(LabellingSession):
    """What an annotator does: all shapes of an image are saved together, as one transaction."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._drawn_predictions: dict[str, dict[str, pd.DataFrame]] = {}
        super().__init__(*args, **options)

    def shapes(self, image: str) -> dict[str, Any]:
        """An image with its shapes, whole-image labels and predictions, as a page draws them.

        Returns
        -------
        dict
            name, width, height, status, revision, labels, shapes and predictions: lists of dicts with label, left, top,
            width, height, polygon, crowd and confidence.
        """
        if image not in self.table.position:
            raise InputError(f"The image {image!r} is not in the {self.split} set.")
        self.reread([image])
        _, marks, _ = self._store.tables(self.split, images=[image])
        whole = marks["left"].isna() & marks["polygon"].isna()
        size = self.table.sizes[self.table.position[image]]
        row = self.row(image)
        predictions = self._predicted(image)
        return {
            "name": image,
            "short": row["short"],
            "width": size[0] if size else None,
            "height": size[1] if size else None,
            "status": row["status"],
            "revision": row["revision"],
            "labels": marks.loc[whole, "label"].tolist(),
            "shapes": _shape_dicts(marks[~whole]),
            "predictions": _shape_dicts(predictions),
        }

    def _predicted(self, image: str) -> pd.DataFrame:
        """Predicted shapes of an image."""
        if self._drawn_predictions.get(self.split) is None:
            predictions = self._store.predictions(self.split)
            drawn = predictions[predictions["left"].notna()]
            self._drawn_predictions[self.split] = dict(iter(drawn.groupby("image")))
        return self._drawn_predictions[self.split].get(image, t.empty(t.PREDICTION_COLUMNS))

    def set_shapes(
        self,
        image: str,
        shapes: Sequence[Shape],
        *,
        labels: Sequence[str] = (),
        status: str = "labelled",
        revision: int | None = None,
    ) -> Outcome:
        """Give an image exactly these shapes, labels and this status; what is unchanged keeps who made it, and when."""
        if len(shapes) > _MOST_SHAPES:
            raise InputError(f"{len(shapes):,} shapes are more than the {_MOST_SHAPES:,} that one image may have.")
        if status not in t.STATUSES:
            raise InputError(f"status={status!r} is not known; use one of {t.STATUSES!r}.")
        names = [t.check_label(label) for label in labels]
        size = self.table.sizes[self.table.position[image]] if image in self.table.position else None
        inside = [_checked(shape, size) for shape in shapes]
        change = _set_shapes(inside, names, status, annotator=self.user)
        return self._edit([image], change, "draw", None if revision is None else {image: revision})

    def _reread_all(self) -> None:
        super()._reread_all()
        self._drawn_predictions = {}


def _checked(shape: Shape, size: tuple[int, int] | None) -> Shape:
    """The shape, if it lies in the image; a hair's breadth beyond counts as inside."""
    if size is None:
        return shape
    width, height = size
    slack = 0.01
    right, bottom = shape.left + shape.width, shape.top + shape.height
    if shape.left < -slack or shape.top < -slack or right > width + slack or bottom > height + slack:
        raise InputError(f"A shape of {shape.label!r} leaves the image of {width} × {height} pixels.")
    return shape


def _set_shapes(shapes: Sequence[Shape], labels: Sequence[str], status: str, *, annotator: str) -> Change:
    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        image = images["image"].iat[0]
        whole = annotations["left"].isna() & annotations["polygon"].isna()
        left: dict[Any, list[int]] = {}
        for at, row in zip(annotations.index, annotations.itertuples(index=False), strict=True):
            key = (row.label,) if whole[at] else _key(row)
            left.setdefault(key, []).append(at)
        kept: list[int] = []
        new: list[dict[str, Any]] = []
        for shape in shapes:
            same = left.get(_key(shape))
            if same:
                kept.append(same.pop(0))
            else:
                points = None if shape.polygon is None else [list(point) for point in shape.polygon]
                box = {name: getattr(shape, name) for name in t.BOX_COLUMNS}
                new.append({"image": image, "label": shape.label, **box, "polygon": points})
        for label in labels:
            same = left.get((label,))
            if same:
                kept.append(same.pop(0))
            else:
                new.append({"image": image, "label": label})
        rows = annotations.loc[sorted(kept)]
        if new:
            rows = pd.concat([rows, t.normalise_annotations(pd.DataFrame(new), annotator=annotator)])
        return images.assign(status=status), rows.reset_index(drop=True)

    return change


def _key(shape: Any) -> tuple[Any, ...]:
    """What tells a shape from others, in a table or as a page sends it."""
    box = tuple(round(float(getattr(shape, name)), _DIGITS) for name in t.BOX_COLUMNS)
    points = shape.polygon
    corners = None if points is None else tuple((round(x, _DIGITS), round(y, _DIGITS)) for x, y in points)
    return (shape.label, *box, corners)


def _shape_dicts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ["label", *t.BOX_COLUMNS, "polygon", "crowd", "confidence"]
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*(rows[c].tolist() for c in columns), strict=True)
    ]
