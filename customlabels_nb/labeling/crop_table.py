"""In-memory table of the boxes and polygons of one dataset, each shown as a picture of its own: a crop."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.datasets.reviewed import REVIEWED
from customlabels_nb.evaluation.matching import IOU_THRESHOLD, find_candidates
from customlabels_nb.images.regions import FRAGMENT
from customlabels_nb.labeling.edit_rules import is_whole
from customlabels_nb.labeling.image_table import ImageTable, shared_texts

if TYPE_CHECKING:
    import numpy.typing as npt

    Positions = npt.NDArray[np.int64]

#: Begin the tags of images whose boxes were confirmed, or whose predicted boxes were refused, one tag for each box.
CONFIRMED, REFUSED = "confirmed:", "refused:"

_DECIMALS = 3  # of pixels in names: boxes that differ by less are equal

#: Columns that can change while a crop keeps its name.
_STATE = ("label", "confidence", "annotator", "note", "truth", "confirmed", "gone", "suggested", "sureness")

#: Columns that change the doubts about labels.
_JUDGED = ("label", "truth", "gone", *t.BOX_COLUMNS)


class CropTable:
    """Boxes and polygons as rows. Positions are never reused. A crop keeps its position when its box is moved.

    The columns are arrays, ``crops["label"]``: ``image`` (position in ``images``), ``label``, the box, ``polygon``,
    ``confidence``, ``annotator``, ``note``, ``number`` (among equal boxes of the image), ``truth`` (False for a
    prediction), ``confirmed``, ``gone`` (removed or refused), ``suggested`` (another label that is predicted there) and
    its ``sureness``. The crops that are not gone are counted in ``by_label`` (without predictions), ``by_status`` and
    ``by_annotator``. ``stamp`` is another object after every change of labels or boxes.
    """

    def __init__(self, images: ImageTable, rows: pd.DataFrame) -> None:
        self.images = images
        self._columns = {name: rows[name].to_numpy(copy=True) for name in rows}
        self._found: dict[str, int] = {}
        self.stamp = object()
        self.hints: dict[int, list[Any]] = {}  # label and confidence that features suggest, by position
        self.by_label, self.by_status, self.by_annotator = Counter[str](), Counter[str](), Counter[str]()
        self._count(rows, 1)

    def __len__(self) -> int:
        return self.by_status.total()

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        return self._columns[column]

    def rows(self, positions: Positions) -> pd.DataFrame:
        return _frame({name: column[positions] for name, column in self._columns.items()})

    def at(self, position: int) -> dict[str, Any]:
        values = {name: column[position] for name, column in self._columns.items()}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}

    def boxes(self, positions: Positions) -> npt.NDArray[np.float64]:
        return np.column_stack([self[side][positions] for side in t.BOX_COLUMNS])

    def names_at(self, positions: Positions) -> list[str]:
        rows = {name: self[name][positions] for name in ("image", "number", *t.BOX_COLUMNS)}
        images = [self.images.names[index] for index in rows["image"].tolist()]
        names = [image + end for image, end in zip(images, fragments(rows), strict=True)]
        self._found.update(zip(names, positions.tolist(), strict=True))
        return names

    def place_of(self, name: str) -> int | None:
        """Return the position of a crop, or None if there never was such a crop."""
        if name not in self._found:
            self.names_at(self.of_images([image_of(name)]))
        return self._found.get(name)

    def of_images(self, images: Iterable[str]) -> Positions:
        places = [self.images.position[name] for name in images if name in self.images.position]
        return np.flatnonzero(np.isin(self["image"], places))

    def named(self, names: Collection[str]) -> npt.NDArray[np.bool_]:
        """Return a mask of the crops with these names."""
        here = self.of_images(set(map(image_of, names)))
        result = np.zeros(len(self["image"]), dtype=np.bool_)
        result[here] = [name in names for name in self.names_at(here)]
        return result

    def put(self, images: Iterable[str], rows: pd.DataFrame) -> list[str]:
        """Replace the crops of images, and return the names of those that have changed."""
        here = self.of_images(images)
        known = dict(zip(self.names_at(here), here.tolist(), strict=True))
        before = self.rows(here)
        found = [self.images.names[index] + end for index, end in zip(rows["image"], fragments(rows), strict=True)]
        places = np.array([known.get(name, -1) for name in found], dtype=np.int64)
        is_moved = self._find_moved(here, places, rows)
        self["gone"][here] = True
        is_known = places >= 0
        for column in self._columns:
            self[column][places[is_known]] = rows[column].to_numpy()[is_known]
        after, new = self.rows(here), rows[~is_known]
        if len(new) or not after[[*_JUDGED]].equals(before[[*_JUDGED]]):
            self.stamp = object()
        if len(new):
            self._columns = {name: np.concatenate([self[name], new[name].to_numpy()]) for name in self._columns}
        self.names_at(np.arange(len(self["image"]) - len(new), len(self["image"])))  # not former names of other boxes
        self._count(before, -1)
        self._count(after, 1)
        self._count(new, 1)
        now, then = after[[*_STATE]], before[[*_STATE]]
        differs = ~((now == then) | (now.isna() & then.isna())).all(axis=1).to_numpy()
        differs |= np.isin(here, places[is_moved])
        added = [name for name, is_old in zip(found, is_known, strict=True) if not is_old]
        return [*self.names_at(here[differs]), *added]

    def _find_moved(self, here: Positions, places: Positions, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Set the places of boxes that were moved or resized, and return which of ``rows`` these are."""
        new = np.flatnonzero((places < 0) & rows["truth"].to_numpy(bool))
        lost = np.setdiff1d(here[self["truth"][here].astype(bool) & ~self["gone"][here].astype(bool)], places)
        found = moved_boxes(self.rows(lost), rows.iloc[new])
        places[new[found >= 0]] = lost[found[found >= 0]]
        return np.isin(np.arange(len(rows)), new[found >= 0])

    def _count(self, rows: pd.DataFrame, by: int) -> None:
        rows = rows[~rows["gone"].to_numpy(bool)]
        counted = (
            (self.by_label, rows["label"][rows["truth"].to_numpy(bool)]),
            (self.by_status, pd.Series(statuses_of(rows))),
            (self.by_annotator, rows["annotator"]),
        )
        for counter, values in counted:
            for value, count in values.value_counts().items():
                counter[value] += by * count

    def revision(self, position: int) -> int:
        """Return a number that changes when the crop gets another label, is removed or comes back."""
        label, truth, gone = (self[column][position] for column in ("label", "truth", "gone"))
        return zlib.crc32(f"{label}\n{truth}\n{gone}".encode())


def statuses_of(rows: Any) -> npt.NDArray[Any]:
    """Return the status of each crop: removed (also for a refused prediction), predicted, confirmed or unconfirmed."""
    gone, truth, confirmed = (np.asarray(rows[column], dtype=bool) for column in ("gone", "truth", "confirmed"))
    return np.select([gone, ~truth, confirmed], ["removed", "predicted", "confirmed"], "unconfirmed")


def image_of(name: str) -> str:
    """Return the name of a crop's image."""
    return name.rpartition(FRAGMENT)[0]


def fragments(rows: Any) -> list[str]:
    """Return the end of each crop's name: its box, and its number among equal boxes of the image, from 2 on."""
    sides = (rows[side].round(_DECIMALS).tolist() for side in t.BOX_COLUMNS)
    boxes = zip(*sides, rows["number"].tolist(), strict=True)
    return [
        f"{FRAGMENT}{left:.10g},{top:.10g},{width:.10g},{height:.10g}" + (f"&n={number + 1}" if number else "")
        for left, top, width, height, number in boxes
    ]


def with_boxes(shapes: pd.DataFrame) -> pd.DataFrame:
    """Return shapes with the boxes of polygons that were stored without one, and their numbers among equal boxes."""
    boxless = shapes.index[shapes["left"].isna() & shapes["polygon"].notna()]
    shapes = shapes.copy() if len(boxless) else shapes
    for index in boxless:
        shapes.loc[index, [*t.BOX_COLUMNS]] = polygon_to_ltwh(shapes.at[index, "polygon"])
    places = shapes[["image", *t.BOX_COLUMNS]].round(_DECIMALS)
    equal = places[places.duplicated(keep=False)]
    if equal.empty:
        return shapes.assign(number=0)
    numbers = equal.groupby([*places], sort=False, dropna=False).cumcount()
    return shapes.assign(number=numbers.reindex(shapes.index, fill_value=0))


def best_overlaps(
    boxes: npt.NDArray[np.float64], groups: Positions, others: npt.NDArray[np.float64], other_groups: Positions
) -> tuple[npt.NDArray[np.float64], Positions]:
    """Return each box's largest IoU with another box of its group, and the index of that box (-1 if there is none)."""
    first, second = np.argsort(groups, kind="stable"), np.argsort(other_groups, kind="stable")
    no_crowd = np.zeros(len(second), dtype=bool)
    pairs = find_candidates(groups[first], boxes[first], other_groups[second], others[second], no_crowd)
    found, at = np.unique(pairs.prediction, return_index=True)
    best, index = np.zeros(len(boxes)), np.full(len(boxes), -1, dtype=np.int64)
    best[first[found]], index[first[found]] = pairs.iou[at], second[pairs.truth[at]]
    return best, index


def moved_boxes(lost: pd.DataFrame, new: pd.DataFrame) -> Positions:
    """Return which of the boxes that images have ``lost`` each ``new`` one is, at another place or resized, or -1."""
    overlap, index = best_overlaps(
        *(rows[columns].to_numpy() for rows in (new, lost) for columns in ([*t.BOX_COLUMNS], "image"))
    )
    best = np.argsort(-overlap, kind="stable")
    best = best[overlap[best] >= IOU_THRESHOLD]
    best = best[np.unique(index[best], return_index=True)[1]]  # each box goes to one place
    result = np.full(len(new), -1, dtype=np.int64)
    result[best] = index[best]
    # a box far from its place, such as a badly drawn one that was corrected, if no other was moved with it
    rest = (np.flatnonzero(result < 0), np.setdiff1d(np.arange(len(lost)), result))
    single = [
        rows[["image", "label"]].iloc[at].assign(at=at).drop_duplicates("image", keep=False)
        for rows, at in zip((new, lost), rest, strict=True)
    ]
    pairs = single[0].merge(single[1], on=["image", "label"])
    result[pairs["at_x"]] = pairs["at_y"]
    return result


def crops_of(
    table: ImageTable, images: pd.DataFrame, annotations: pd.DataFrame, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of a :class:`CropTable` for images: their shapes, and predicted shapes where they have none.

    A prediction at the place of a shape is not a crop. If it has another label, this label is suggested for the shape.
    """
    truth = _located(table, annotations[~is_whole(annotations)])
    truth = truth.assign(suggested=None, sureness=np.nan, truth=True)
    predictions = predictions[~is_whole(predictions)]
    if len(predictions):
        offers = _located(table, predictions)
        overlap, place = best_overlaps(
            *(part[column].to_numpy() for part in (offers, truth) for column in ([*t.BOX_COLUMNS], "image"))
        )
        free = overlap < IOU_THRESHOLD
        beside = offers.assign(place=place)[~free].sort_values("confidence").drop_duplicates("place", keep="last")
        others = beside[beside["label"].to_numpy() != truth["label"].to_numpy()[beside["place"]]]
        truth.loc[others["place"], "suggested"] = others["label"].to_numpy()
        truth.loc[others["place"], "sureness"] = others["confidence"].to_numpy()
        offers = offers[free].assign(suggested=None, sureness=np.nan, truth=False)
        truth = with_boxes(pd.concat([truth, offers], ignore_index=True))
    reviewed, tagged = _tags_of(table, images)
    is_truth = truth["truth"].to_numpy(bool)
    marked = {prefix: np.zeros(len(truth), dtype=bool) for prefix in (CONFIRMED, REFUSED)}
    some = np.flatnonzero(truth["image"].isin(tagged))
    for at, index, end in zip(some, truth["image"].iloc[some], fragments(truth.iloc[some]), strict=True):
        for prefix in marked:
            marked[prefix][at] = prefix + end in tagged[index]
    confirmed = is_truth & (truth["image"].isin(reviewed).to_numpy() | marked[CONFIRMED])
    truth.loc[confirmed, ["suggested", "sureness"]] = None, np.nan  # somebody has decided
    return truth.assign(confirmed=confirmed, gone=~is_truth & marked[REFUSED])


def _located(table: ImageTable, shapes: pd.DataFrame) -> pd.DataFrame:
    codes, images = pd.factorize(shapes["image"])
    index = np.array([table.position[name] for name in images], dtype=np.int32)[codes]
    shapes = shapes.reindex(columns=list(t.ANNOTATION_COLUMNS))  # predictions may lack some
    texts = {name: shared_texts(shapes[name]) for name in ("label", "annotator", "note")}
    polygons = shapes["polygon"].to_numpy(dtype=object, na_value=None)
    numbers = {name: shapes[name].to_numpy(np.float64) for name in (*t.BOX_COLUMNS, "confidence")}
    return with_boxes(_frame({"image": index, **texts, "polygon": polygons, **numbers}))


def _frame(columns: dict[str, npt.NDArray[Any]]) -> pd.DataFrame:
    """Return arrays as a table, without copying text."""
    return pd.DataFrame({name: pd.Series(column, dtype=column.dtype, copy=False) for name, column in columns.items()})


def _tags_of(table: ImageTable, images: pd.DataFrame) -> tuple[set[int], dict[int, list[str]]]:
    """Return the positions of the reviewed images, and the tags of the others that have any."""
    columns = (images[name].tolist() for name in ("image", "status", "tags"))
    tagged = {table.position[image]: [status, *tags] for image, status, tags in zip(*columns, strict=True) if len(tags)}
    reviewed = {index for index, (status, *tags) in tagged.items() if status == "labelled" and REVIEWED in tags}
    return reviewed, tagged
