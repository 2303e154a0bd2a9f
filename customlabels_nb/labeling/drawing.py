"""Annotation session: draw bounding boxes and polygons on the images of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.edit_rules import Change, is_whole
from customlabels_nb.labeling.session import EditResult, LabellingSession
from customlabels_nb.store.frames import plain_rows

#: Minimum width and height of a shape in pixels. Smaller shapes are accidental clicks.
SMALLEST = 2
_MOST_SHAPES = 10_000
_DIGITS = 3  # decimal places of coordinates
_SLACK = 0.01


@dataclass(frozen=True)
class Shape:
    """Box, or polygon with its bounding box, in pixels of the upright image, and a note, None if there is none."""

    label: str
    left: float
    top: float
    width: float
    height: float
    polygon: Polygon | None = None
    note: str | None = None

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Shape:
        """Parse a shape sent by the front end. :meth:`check` validates its size."""
        try:
            box = [float(value[name]) for name in t.BOX_COLUMNS]
            rings = [ring.round(_DIGITS) for ring in rings_of(value.get("polygon"))]
            name = value["label"]
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise InputError(f"Invalid shape {str(value)[:200]}: {error}.") from error
        label, note = t.check_label(name), t.check_note(value.get("note") or "") or None
        if value.get("polygon") is not None and not rings:
            raise InputError(f"The polygon {label!r} has no corners.")
        if rings:
            box = polygon_to_ltwh(rings).tolist()
        if not np.isfinite(box).all():
            raise InputError(f"The coordinates of the shape {label!r} must be finite. Got {box!r}.")
        left, top, width, height = (round(side, _DIGITS) for side in box)
        return cls(label, left, top, width, height, polygon_of(rings), note)

    def check(self, size: tuple[int, int] | None) -> None:
        """Raise InputError if the shape is smaller than 2 × 2 pixels or extends beyond the image (rounding aside)."""
        corners = min(map(len, rings_of(self.polygon)), default=3)
        if corners < 3:
            raise InputError(
                f"A polygon must have at least three corners, but the one labelled {self.label!r} has {corners}."
            )
        if min(self.width, self.height) < SMALLEST - _SLACK:
            raise InputError(
                f"The shape {self.label!r} is {self.width:g} × {self.height:g} pixels, but must be at least 2 × 2."
            )
        if size is None:
            return
        (width, height), right, bottom = size, self.left + self.width, self.top + self.height
        if min(self.left, self.top) < -_SLACK or right > width + _SLACK or bottom > height + _SLACK:
            raise InputError(f"The shape {self.label!r} extends beyond the {width} × {height} pixel image.")


class DrawingSession(LabellingSession):
    """Session of an annotator, which saves all shapes of an image in one transaction."""

    settles = False  # the page undoes edits by saving the shapes before them

    def first_unlabelled(self) -> int:
        """Return the position of the first unlabelled image in the view, or 0 if there is none."""
        statuses = self.table.statuses
        return next((at for at, index in enumerate(self.view.order) if statuses[index] == "unlabelled"), 0)

    def shapes(self, image: str) -> dict[str, Any]:
        """Return an image with its note, shapes, image-level labels and predictions (see :meth:`row`) for the page."""
        if image not in self.table.position:
            raise InputError(f"Image {image!r} is not in the {self.split} set.")
        self.reread([image])
        if self.table.position[image] in self.table.gone:
            raise InputError(f"Image {image!r} has been removed from the {self.split} set.")
        _, annotations, _ = self._store.tables(self.split, images=[image])
        whole = is_whole(annotations)
        width, height = self.table.sizes[self.table.position[image]] or (None, None)
        row = self.row(image)
        predictions = self._predicted([image])
        facts = ("name", "short", "status", "note", "revision", "predicted", "predicted_drawn", "rejected")
        return {
            **{key: row[key] for key in facts},
            "width": width,
            "height": height,
            "labels": annotations.loc[whole, "label"].tolist(),
            "shapes": shape_dicts(annotations[~whole]),
            "predictions": shape_dicts(predictions[~is_whole(predictions)]),
        }

    def set_shapes(
        self,
        image: str,
        shapes: Sequence[Shape],
        *,
        labels: Sequence[str] = (),
        status: str = "labelled",
        note: str | None = None,
        revision: int | None = None,
    ) -> EditResult:
        """Replace all shapes and labels of an image, and set its status and, unless it is None, its note.

        Shapes and labels that stay the same, or change only their note, keep their annotator and time. For an image
        with shapes or labels, the status "skipped" becomes "labelled". New shapes need 2 × 2 pixels inside the image.
        """
        if len(shapes) > _MOST_SHAPES:
            raise InputError(f"An image cannot have {len(shapes):,} shapes. The maximum is {_MOST_SHAPES:,}.")
        if status not in t.STATUSES:
            raise InputError(f"status={status!r} must be one of {t.STATUSES!r}.")
        names = [t.check_label(label) for label in labels]
        status = "labelled" if status == "skipped" and (shapes or names) else status
        size = self.table.sizes[self.table.position[image]] if image in self.table.position else None
        facts = {"status": status} if note is None else {"status": status, "note": t.check_note(note) or None}
        change = _set_shapes(shapes, names, facts, size=size, annotator=self.user)
        return self._edit([image], change, "draw", None if revision is None else {image: revision})


def _set_shapes(
    shapes: Sequence[Shape],
    labels: Sequence[str],
    facts: Mapping[str, str | None],
    *,
    size: tuple[int, int] | None,
    annotator: str,
) -> Change:
    """Return an edit that sets shapes, labels and ``facts``, the columns of the image to set."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        image = images["image"].iat[0]
        whole = is_whole(annotations)
        unmatched: dict[Any, list[int]] = {}
        for index, row in zip(annotations.index, annotations.itertuples(index=False), strict=True):
            key = (row.label,) if whole[index] else _key(row)
            unmatched.setdefault(key, []).append(index)
        kept: list[int] = []
        notes = dict(zip(annotations.index, annotations["note"].to_numpy(dtype=object, na_value=None), strict=True))
        new: list[dict[str, Any]] = []
        for shape in shapes:
            same = unmatched.get(_key(shape))
            if same:  # of equal shapes, the one with this note if there is one
                same.sort(key=lambda index: notes[index] != shape.note)
                kept.append(same.pop(0))
                notes[kept[-1]] = shape.note
            else:
                shape.check(size)  # existing shapes may have been imported, so they are not validated
                box = {name: getattr(shape, name) for name in t.BOX_COLUMNS}
                new.append({"image": image, "label": shape.label, **box, "polygon": shape.polygon, "note": shape.note})
        for label in labels:
            same = unmatched.get((label,))
            if same:
                kept.append(same.pop(0))
            else:
                new.append({"image": image, "label": label})
        rows = annotations.assign(note=pd.Series(notes, dtype=t.TEXT)).loc[sorted(kept)]
        if new:
            rows = pd.concat([rows, t.normalise_annotations(pd.DataFrame(new), annotator=annotator)])
        return images.assign(**facts), rows.reset_index(drop=True)

    return change


def _key(shape: Any) -> tuple[Any, ...]:
    """Return a key for matching stored and new shapes: label and corners for a polygon, otherwise label and box."""
    if shape.polygon is not None:
        return (shape.label, *(tuple(map(tuple, ring.round(_DIGITS).tolist())) for ring in rings_of(shape.polygon)))
    return (shape.label, *(round(float(getattr(shape, name)), _DIGITS) for name in t.BOX_COLUMNS))


def shape_dicts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ["label", *t.BOX_COLUMNS, "polygon", "crowd", "confidence", "note"]
    shapes = [dict(zip(columns, values, strict=True)) for values in plain_rows(rows, columns)]
    for shape in shapes:
        if shape["left"] is None:  # a polygon may be stored without its box
            shape |= dict(zip(t.BOX_COLUMNS, polygon_to_ltwh(shape["polygon"]).tolist(), strict=True))
    return shapes
