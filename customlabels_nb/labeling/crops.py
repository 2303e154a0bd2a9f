"""Labelling session whose rows can be crops: the boxes and polygons of a dataset, each as a picture of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from pandas.util import hash_array

from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb.core import tables as t
from customlabels_nb.core.polygons import polygon_of, readable_rings
from customlabels_nb.datasets.reviewed import REVIEWED
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.matching import IOU_THRESHOLD
from customlabels_nb.images.regions import Part, regions_around
from customlabels_nb.labeling.crop_orders import JudgedCrops
from customlabels_nb.labeling.crop_table import (
    CONFIRMED,
    REFUSED,
    CropTable,
    best_overlaps,
    crops_of,
    fragments,
    image_of,
    moved_boxes,
    statuses_of,
    with_boxes,
)
from customlabels_nb.labeling.edit_rules import Change, Revisions, is_whole
from customlabels_nb.labeling.session import Conflict, EditResult, LabellingSession
from customlabels_nb.labeling.view import Query, View, natural_key

if TYPE_CHECKING:
    import numpy.typing as npt

    from customlabels_nb.labeling.crop_orders import CropOrders
    from customlabels_nb.labeling.crop_table import Positions
    from customlabels_nb.labeling.image_table import ImageTable

#: Values of ``CropQuery.show``.
CropShow: TypeAlias = Literal["all", "unconfirmed", "confirmed", "predicted"]
CropSort: TypeAlias = Literal["doubt", "similarity", "uncertainty", "size", "aspect", "name", "added", "random"]


@dataclass(frozen=True)
class CropQuery(Query):
    """Filter and sort order of crops.

    "doubt" starts with the boxes whose label is probably wrong, "uncertainty" with those of least confidence, "size"
    with the smallest, and "aspect" with the boxes that are tallest relative to their width.
    """

    sort: str = "doubt"
    crops: ClassVar[bool] = True
    shown: ClassVar[tuple[str, ...]] = get_args(CropShow)
    sorts: ClassVar[tuple[str, ...]] = get_args(CropSort)
    queues: ClassVar[tuple[str, ...]] = ()


class CropSession(LabellingSession):
    """Session of the gallery, whose rows are images, or crops in views of a :class:`CropQuery`.

    A crop is named after its image and box, such as ``a.jpg#xywh=10,20,30,40``. Predictions are crops, too,
    except of images that are labelled without help and of the test set.

    With ``given``, a table of annotations of the dataset ``split``, its rows are the only crops: boxes of the dataset,
    and others as predictions, which may be of any image.
    """

    def __init__(
        self, *args: Any, orders: CropOrders | None = None, given: pd.DataFrame | None = None, **options: Any
    ) -> None:
        self._orders = orders
        self._given = None if given is None else given[~is_whole(given)].reset_index(drop=True)
        self._drawn: dict[str, set[str]] = {}  # names of all shapes of images of given boxes, as they were read last
        self._spared: pd.Series | None = None  # equal boxes beside each given box that the dataset had, not shown
        self._crops: dict[str, CropTable] = {}
        self._changed: list[str] = []
        self._fresh: dict[str, tuple[pd.DataFrame, ...]] = {}  # tables as they were read, until the first view
        self._kept: tuple[CropTable, npt.NDArray[np.float64], list[Part]] | None = None  # see all_parts
        self._edited_at = -1  # newest action after the last edit of crops
        super().__init__(*args, **options)
        self._given_split = self.split

    # -- crops ----------------------------------------------------------------------------------------
    @property
    def can_crop(self) -> bool:  # type: ignore[override]
        """True if the dataset has boxes or polygons, or predictions of them."""
        rejections = self._rejections[self.split].values()
        return (
            bool(self.table.drawn)
            or any(prediction.drawn for prediction in self.predictions.values())
            or any(rejection.suggested(drawn=True) for rejection in rejections)
        )

    @property
    def crops(self) -> CropTable:
        """Table of the crops of the dataset, read when it is needed first."""
        with self._lock:
            kept = self._crops.get(self.split)
            if kept is None or kept.images is not self.table:
                images, annotations, _ = self._fresh.pop(self.split, None) or self._store.tables(self.split)
                kept = self._crops[self.split] = CropTable(self.table, self._crops_in(images, annotations))
            return kept

    def _crops_in(self, images: pd.DataFrame, annotations: pd.DataFrame) -> pd.DataFrame:
        """Return the crops of images with all their annotations."""
        given = self._given if self.split == self._given_split else None
        if given is None:
            return crops_of(self.table, images, annotations, self._offers(images["image"].tolist()))
        shapes = with_boxes(annotations[~is_whole(annotations)].reset_index(drop=True))
        self._follow_moves(given, images["image"].tolist(), shapes)
        given = with_boxes(given[given["image"].isin(images["image"])])
        wanted, stored = map(_places, (given, shapes))
        shapes = shapes[stored.isin(wanted)]
        boxes, marks = given["label"] + wanted, (shapes["label"] + stored)[shapes.index]
        if self._spared is None:  # boxes that are removed later do not become predictions
            self._spared = (marks.value_counts() - boxes.value_counts()).dropna()
        rows = crops_of(self.table, images, shapes, given[~boxes.isin(self._spared.index)])
        spared = self._spared.reindex(marks).fillna(0).to_numpy(np.float64)
        hidden = marks.groupby(marks).cumcount().to_numpy() < spared
        return rows[~np.append(hidden, np.zeros(len(rows) - len(shapes), dtype=bool))]

    def _follow_moves(self, given: pd.DataFrame, images: Sequence[str], shapes: pd.DataFrame) -> None:
        """Change the places of given boxes that were moved or resized since the images were read."""
        names = (shapes["image"] + pd.Series(fragments(shapes), dtype=t.TEXT)).tolist()
        crops, spared, now = self._crops.get(self.split), self._spared, set(names)
        if crops is not None and spared is not None:
            here = crops.of_images(images)
            here = here[crops["truth"][here].astype(bool) & ~crops["gone"][here].astype(bool)]
            lost = crops.rows(here[np.array([name not in now for name in crops.names_at(here)], dtype=bool)])
            is_new = [name not in self._drawn.get(image_of(name), now) for name in names]
            new = shapes[np.array(is_new, dtype=bool)]
            places = np.array([crops.images.position.get(image, -1) for image in new["image"]], dtype=np.int64)
            found = moved_boxes(lost, new.assign(image=places))
            for at in np.flatnonzero(found >= 0).tolist():
                box = new.iloc[[at]]
                _move(given, lost.iloc[[found[at]]].assign(image=box["image"].iloc[0]), box, spared)
        self._drawn |= {image: set() for image in images}
        for name in names:
            self._drawn[image_of(name)].add(name)

    def _offers(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the predictions to show: of models, none on the test set, whose truth they must not change."""
        if self.split == t.TEST and not self.queues.may_help(t.TEST):
            names = [name for name in names if self.rejection(name)]
        return self._predicted(names) if names and self._has_offers else t.empty(t.PREDICTION_COLUMNS)

    def _read_table(self, split: str) -> ImageTable:
        images, annotations, _ = self._fresh[split] = self._store.tables(split)
        table = self.table_type()
        with collection_paused():
            table.put(images, annotations)
        return table

    def show(self, query: Query) -> View:
        view = super().show(query)
        self._fresh.clear()
        return view

    def _put(self, images: pd.DataFrame, annotations: pd.DataFrame) -> None:
        super()._put(images, annotations)
        self._fresh.pop(self.split, None)
        crops = self._crops.get(self.split)
        if crops is not None and crops.images is self.table:
            self._changed = crops.put(images["image"].tolist(), self._crops_in(images, annotations))

    def _take_out(self, images: set[str]) -> None:
        super()._take_out(images)
        crops = self._crops.get(self.split)
        if crops is not None and crops.images is self.table:
            crops.put(images, crops.rows(np.array([], dtype=np.int64)))

    def _reread_predictions(self, *, always: bool = False) -> None:
        super()._reread_predictions(always=always)
        # those of the other dataset are made again
        self._crops = {split: crops for split, crops in self._crops.items() if split == self.split}
        if self._crops:
            self._put(*self._store.tables(self.split)[:2])

    # -- rows -----------------------------------------------------------------------------------------
    def is_crop(self, name: str) -> bool:
        return name not in self.table.position and image_of(name) in self.table.position

    def query_of(self, *, crops: bool) -> type[Query]:
        return CropQuery if crops else self.query_type

    def rows_of(self, view: View) -> ImageTable | CropTable:
        return self.crops if view.query.crops else self.table

    def row(self, image: str) -> dict[str, Any]:
        """Return :meth:`LabellingSession.row`, or that of a crop. Its shape is in pixels of its picture."""
        if not self.is_crop(image):
            return super().row(image)
        position = self._place(image)
        crop, (part,) = self.crops.at(position), self.parts(np.array([position]))
        left, top, width, height = part.region or (0, 0, 1, 1)
        outline = _outline_in(crop, left, top)
        status = str(statuses_of(crop))
        is_there, is_offered = status in ("confirmed", "unconfirmed"), status == "predicted"
        offer = self._offer_of(position, crop, status)
        rejection = self.rejection(part.image) if is_offered else None
        return {
            "name": image,
            "short": self.table.shown_name(part.image),
            "image": part.image,
            "crop": True,
            "labels": [],
            "boxes": [crop["label"]] if is_there else [],
            "outlines": [outline] if is_there else [],
            "guesses": [[*offer, outline]] if is_offered and offer else [],
            "corner": [left, top],
            "size": [width, height],
            "predicted": offer,
            "predicted_drawn": False,
            "prelabels": [],
            "findings": [],
            "status": status,
            "note": crop["note"] if isinstance(crop["note"], str) else "",
            "revision": self.crops.revision(position),
            "rejected": rejection and rejection.facts(),
        }

    def _offer_of(self, position: int, crop: Mapping[str, Any], status: str) -> list[Any] | None:
        """Return the dashed label of a crop with its confidence: of the prediction, or another one for its box."""
        if status == "predicted":
            return [crop["label"], crop["confidence"]]
        if status != "unconfirmed":
            return None
        offer = [crop["suggested"], crop["sureness"]] if crop["suggested"] else self.crops.hints.get(position)
        return offer if offer and offer[0] != crop["label"] else None

    def rows(self, images: Iterable[str]) -> list[dict[str, Any]]:
        with self._lock:
            names = list(images)
            crops = [name for name in names if self.is_crop(name) and self.crops.place_of(name) is not None]
            here = [name for name in crops if self.table.position[image_of(name)] not in self.table.gone]
            return [self.row(name) for name in here] if crops else super().rows(names)

    def add_shapes(self, rows: Sequence[dict[str, Any]]) -> None:
        super().add_shapes([row for row in rows if "crop" not in row])

    def part_of(self, image: str) -> Part:
        if not self.is_crop(image):
            return super().part_of(image)
        return self.parts(np.array([self._place(image)]))[0]

    def box_of(self, name: str) -> list[float] | None:
        """Return the box of a crop in pixels of its image, or None for an image."""
        if not self.is_crop(name):
            return None
        return self.crops.boxes(np.array([self._place(name)]))[0].tolist()

    def parts(self, positions: Positions) -> list[Part]:
        """Return what crops show, by their positions in the table."""
        return _parts_of(self.table, self.crops["image"][positions].tolist(), self.crops.boxes(positions))

    def all_parts(self) -> list[Part]:
        """Return what all crops of the dataset show, also those that are gone. They are kept until a box changes."""
        crops = self.crops
        positions = np.arange(len(crops["image"]))
        boxes = crops.boxes(positions)
        if self._kept is None or self._kept[0] is not crops or not np.array_equal(self._kept[1], boxes):
            self._kept = crops, boxes, self.parts(positions)
        return self._kept[2]

    def content_of(self, image: str) -> str | None:
        return super().content_of(image_of(image) if self.is_crop(image) else image)

    def note_broken(self, image: str, reason: str) -> None:
        super().note_broken(image_of(image) if self.is_crop(image) else image, reason)

    def selected(self, images: Sequence[str]) -> pd.DataFrame:
        """Return rows of the images table, or of crops: image, label, box, confidence, annotator and status."""
        with self._lock:
            if not any(map(self.is_crop, images)):
                return super().selected(images)
            positions = np.array([self._place(name) for name in images], dtype=np.int64)
            rows = self.crops.rows(positions)
            names = pd.Series([self.table.names[index] for index in rows["image"].tolist()], dtype=t.TEXT)
            columns = ["image", "label", *t.BOX_COLUMNS, "polygon", "confidence", "annotator", "status"]
            return rows.assign(image=names, status=statuses_of(rows))[columns].astype(
                {"label": t.TEXT, "annotator": t.TEXT}
            )

    def _place(self, name: str) -> int:
        position = self.crops.place_of(name)
        if position is None:
            raise InputError(f"The {self.split} set has no box {name!r}.")
        return position

    def totals(self) -> dict[str, int]:
        """Count the images of the datasets, or their boxes where crops are shown."""
        if self._view is None or not self._view.query.crops:
            return super().totals()
        return {split: self._store.statistics(split).total_boxes for split in t.SPLITS}

    def summary(self) -> dict[str, Any]:
        if not self.view.query.crops:
            return super().summary()
        crops, view = self.crops, self.view
        is_shown = np.zeros(len(self.table.names), dtype=bool)
        is_shown[crops["image"][view.order]] = True
        return {
            "alone": True,
            "annotators": sorted(name for name, count in crops.by_annotator.items() if count),
            "counts": dict(crops.by_label),
            "statuses": {name: crops.by_status[name] for name in get_args(CropShow)[1:]},
            "shown_images": int(np.count_nonzero(is_shown)),
        }

    # -- order ----------------------------------------------------------------------------------------
    def _order(self, query: Query) -> npt.NDArray[np.int64]:
        if not query.crops:
            return super()._order(query)
        crops, names = self.crops, self.table.names
        image, truth, label, suggested = (crops[name] for name in ("image", "truth", "label", "suggested"))
        wanted = query.search.strip().casefold()
        shown_name: Callable[[str], str] = str if "/" in wanted else self.table.shown_name
        named = query.images or frozenset()

        def of_images(keeps: Callable[[int], bool]) -> npt.NDArray[np.bool_]:
            return np.array([keeps(index) for index in range(len(names))], dtype=bool)[image]

        filters: tuple[tuple[object, Callable[[], Any]], ...] = (  # whether each is set, and what it keeps
            (True, lambda: ~crops["gone"]),
            (query.images is not None, lambda: of_images(lambda index: names[index] in named) | crops.named(named)),
            (query.show == "predicted", lambda: ~truth),
            (query.show == "confirmed", lambda: crops["confirmed"]),
            (query.show == "unconfirmed", lambda: truth & ~crops["confirmed"]),
            (query.label is not None, lambda: truth & (label == query.label)),
            (query.predicted is not None, lambda: np.where(truth, suggested, label) == query.predicted),
            (query.confidence, lambda: np.where(truth, crops["sureness"], crops["confidence"]) >= query.confidence),
            (query.annotator is not None, lambda: crops["annotator"] == query.annotator),
            (wanted, lambda: of_images(lambda index: wanted in shown_name(names[index]).casefold())),
        )
        kept = np.logical_and.reduce([keeps() for is_set, keeps in filters if is_set])
        return self._sorted(query, np.flatnonzero(kept))

    def _sorted(self, query: Query, positions: Positions) -> Positions:
        rows = self.crops.rows(positions)
        if query.sort in ("similarity", "doubt"):
            return np.asarray(self._by_similarity(query, positions.tolist()), dtype=np.int64)
        if query.sort == "random":
            names = np.array(self.crops.names_at(positions), dtype=object)
            keys = hash_array(names, hash_key=f"{query.random_state:016x}", categorize=False)
        elif query.sort == "name":
            images = sorted(set(rows["image"].tolist()), key=lambda index: natural_key(self.table.names[index]))
            keys = rows["image"].map({index: rank for rank, index in enumerate(images)}).to_numpy()
        else:
            keys = {
                "added": lambda: rows["image"],
                "uncertainty": lambda: rows["confidence"].fillna(2.0),
                "size": lambda: rows["width"] * rows["height"],
                "aspect": lambda: rows["width"] / rows["height"],
            }[query.sort]().to_numpy()
        return positions[np.argsort(keys, kind="stable")]

    def _by_similarity(self, query: Query, positions: Sequence[int]) -> Sequence[int]:
        if not query.crops:
            return super()._by_similarity(query, positions)
        if query.sort == "doubt":
            return self._by_doubt(np.asarray(positions, dtype=np.int64)).tolist()
        if self._orders is None:
            return list(positions)
        like = None if query.like is None else self.crops.place_of(query.like)
        places = list(positions) if like is None or like in positions else [*positions, like]  # the filter may hide it
        order = self._orders.similar(self.parts(np.array(places)), to=None if like is None else places.index(like))
        return [places[index] for index in order if index < len(positions)]

    def _by_doubt(self, positions: Positions) -> Positions:
        """Sort by how probably a label is wrong: by features, suspects of trainings, and other predicted labels."""
        crops = self.crops
        every = np.flatnonzero(~crops["gone"])  # whose features tell the labels apart
        read = partial(self._judged, crops, every)
        found = self._orders.doubts(crops.stamp, len(every), read) if self._orders is not None else None
        rows = crops.rows(every)
        doubt = np.fmax(self._suspected(rows), rows["sureness"].to_numpy(np.float64))
        if found is not None:
            doubt = np.fmax(doubt, found.score)
            suggested = zip(every.tolist(), found.suggested, found.confidence.tolist(), strict=True)
            if self.queues.may_help(self.split):
                crops.hints = {at: [label, sure] for at, label, sure in suggested if label is not None}
        doubt[rows["confirmed"].to_numpy(bool)] = -2.0  # last
        rank = pd.Series(-np.nan_to_num(doubt, nan=-1.0), index=every)
        return positions[np.argsort(rank.loc[positions].to_numpy(), kind="stable")]

    def _judged(self, crops: CropTable, positions: Positions) -> JudgedCrops:
        with self._lock:
            rows = crops.rows(positions)
        boxes = rows[[*t.BOX_COLUMNS]].to_numpy(np.float64)
        parts = _parts_of(crops.images, rows["image"].tolist(), boxes)
        return JudgedCrops(parts, rows["label"].to_numpy(object), rows["truth"].to_numpy(bool))

    def _suspected(self, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the suspect score of each crop, NaN for crops that are no suspects."""
        scores = np.full(len(rows), np.nan)
        results = self.queues.results if self.split == t.TRAIN else None
        if results is None:
            return scores
        suspects = results.suspects[results.suspects["given"].notna() & results.suspects["left"].notna()]
        suspects = suspects[suspects["image"].isin(self.table.position)]
        keys = suspects["image"].map(self.table.position).to_numpy(np.int64)
        doubted, boxes = (part[[*t.BOX_COLUMNS]].to_numpy(np.float64) for part in (suspects, rows))
        overlap, place = best_overlaps(doubted, keys, boxes, rows["image"].to_numpy())
        same = (overlap >= IOU_THRESHOLD) & (suspects["given"].to_numpy(object) == rows["label"].to_numpy()[place])
        scores[place[same]] = suspects["score"].to_numpy(np.float64)[same]
        return scores

    # -- edits ----------------------------------------------------------------------------------------
    def label_boxes(self, crops: Sequence[str], label: str, *, revisions: Revisions = None) -> EditResult:
        """Give boxes another label, or make predictions boxes with it."""
        return self._decide(dict.fromkeys(crops, t.check_label(label)), f"label boxes {label}", revisions)

    def remove_boxes(self, crops: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Remove boxes, and refuse predictions."""
        return self._decide(dict.fromkeys(crops), "remove boxes", revisions)

    def confirm_boxes(self, crops: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Confirm boxes, and accept predictions."""
        labels = {name: str(self.crops["label"][self._place(name)]) for name in crops}
        return self._decide(labels, "confirm boxes", revisions)

    def accept_suggestions(
        self, crops: Sequence[str], *, seen: Mapping[str, Sequence[str]] | None = None, revisions: Revisions = None
    ) -> EditResult:
        """Give boxes the labels that are suggested for them, and accept predictions. Other boxes stay as they are.

        A suggestion that differs from ``seen`` is not stored, but returned as a conflict.
        """
        wanted = {name: row["predicted"][0] for name in crops if (row := self.row(name))["predicted"]}
        changed = [name for name in wanted if seen is not None and [wanted[name]] != list(seen.get(name, ()))]
        conflicts = tuple(Conflict(name, (wanted.pop(name),), tuple((seen or {}).get(name, ()))) for name in changed)
        outcome = self._decide(wanted, "accept predictions", revisions)
        return replace(outcome, conflicts=(*conflicts, *outcome.conflicts))

    def set_note(self, images: Sequence[str], note: str, *, revisions: Revisions = None) -> EditResult:
        """Set the note of images, or of boxes that are crops. Predictions have none."""
        if not any(map(self.is_crop, images)):
            return super().set_note(images, note, revisions=revisions)
        return self._decide(dict.fromkeys(images, t.check_note(note) or None), "note", revisions, notes=True)

    def _decide(
        self, wanted: Mapping[str, str | None], what: str, revisions: Revisions, *, notes: bool = False
    ) -> EditResult:
        """Give crops their ``wanted`` labels, and remove those with None, or give them ``notes``.

        What others have changed is a conflict.
        """
        with self._lock:
            places = np.array([self._place(name) for name in wanted], dtype=np.int64)
            self._reread_if_changed(list(dict.fromkeys(map(image_of, wanted))))
            now = self.crops.names_at(places)  # the names of boxes that were moved meanwhile
            labels = dict(zip(now, wanted.values(), strict=True))
            seen = map((revisions or {}).get, wanted)
            verdict = dict(zip(now, map(self._verdict, places.tolist(), seen), strict=True))
            open_ones = {name: labels[name] for name in now if verdict[name] == "open"}
            images = list(dict.fromkeys(map(image_of, open_ones)))
            change = self._decision(open_ones, notes)
            done = self._edit(images, change, what, None, looked_through=True, adopts=False)
            self._edited_at = self._store.last_action()
            for conflict in done.conflicts:  # changed in the last moment
                verdict |= {name: "changed" for name in open_ones if image_of(name) == conflict.image}
            verdict |= {name: "gone" for name in open_ones if image_of(name) in done.gone}
            conflicts = [self._conflict(name, labels[name]) for name in now if verdict[name] == "changed"]
            kept, gone = ([name for name in now if verdict[name] == each] for each in ("open", "gone"))
            return EditResult(tuple(kept), tuple(conflicts), what, tuple(gone))

    def _decision(self, wanted: Mapping[str, str | None], notes: bool) -> Change:
        if notes:
            return note_boxes(wanted)
        offers = self._undecided(list(dict.fromkeys(map(image_of, wanted))))
        return decide(wanted, offers, self._predicted_images, annotator=self.user)

    def _reread_if_changed(self, images: Sequence[str]) -> None:
        if self._store.last_action() != self._edited_at:
            self.reread(images)

    def _verdict(self, position: int, seen: int | None) -> str:
        """Return what an edit does with a crop whose revision was ``seen`` by the person."""
        if self.crops["gone"][position]:
            return "gone" if seen is not None else "skipped"  # a page may still show what it has removed
        return "open" if seen in (None, self.crops.revision(position)) else "changed"

    @property
    def _predicted_images(self) -> set[str]:
        return {*self.predictions, *(() if self._given is None else self._given["image"])}

    def _undecided(self, images: Sequence[str]) -> pd.DataFrame:
        """Return the predictions of images that are crops, with their names."""
        crops = self.crops
        here = crops.of_images(images)
        here = here[~(crops["truth"] | crops["gone"])[here]]
        names = crops.names_at(here)
        return crops.rows(here).assign(name=names, image=list(map(image_of, names)))

    def _conflict(self, name: str, yours: str | None) -> Conflict:
        theirs = self.row(name)["boxes"]
        return Conflict(name, tuple(theirs), (yours,) if yours is not None else ())

    def _undo_or_redo(self, steps: Any, others: Any, verb: str) -> EditResult:
        with self._lock:
            shows, self._changed = self.view.query.crops, []
            outcome = super()._undo_or_redo(steps, others, verb)
            changed = self._changed if shows and outcome.images else ()
            return replace(outcome, images=tuple(changed) or outcome.images)


def _places(boxes: pd.DataFrame) -> pd.Series:
    """Return the names of crops. Equal boxes have the same name."""
    return boxes["image"] + pd.Series(fragments(boxes.assign(number=0)), index=boxes.index, dtype=t.TEXT)


def _move(given: pd.DataFrame, old: pd.DataFrame, new: pd.DataFrame, spared: pd.Series) -> None:
    """Move a given box from the place of the only row of ``old`` to that of ``new``."""
    of_image = with_boxes(given[given["image"] == new["image"].iloc[0]])
    was, place = (_places(rows).iloc[0] for rows in (old, new))
    for index in of_image.index[(_places(of_image) == was).to_numpy(bool)][:1]:
        given.loc[index, [*t.BOX_COLUMNS]] = new.iloc[0][[*t.BOX_COLUMNS]].to_numpy(np.float64)
        given.at[index, "polygon"] = new["polygon"].iloc[0]
        if given.at[index, "label"] + was in spared.index:
            spared.loc[given.at[index, "label"] + place] = 0


def _parts_of(table: ImageTable, images: Sequence[int], boxes: npt.NDArray[np.float64]) -> list[Part]:
    sizes = [table.sizes[index] or (np.nan, np.nan) for index in images]
    regions = regions_around(boxes, np.array(sizes)).tolist()
    return [
        Part(table.names[index], table.hashes[index], tuple(region))
        for index, region in zip(images, regions, strict=True)
    ]


def _outline_in(crop: Mapping[str, Any], left: int, top: int) -> Any:
    """Return the box or polygon of a crop in pixels of a picture with this corner."""
    if crop["polygon"] is not None:
        return polygon_of((ring - (left, top)).round(1) for ring in readable_rings(crop["polygon"]))
    return [round(crop[side] - shift, 1) for side, shift in zip(t.BOX_COLUMNS, (left, top, 0, 0), strict=True)]


def _crop_names(annotations: pd.DataFrame) -> pd.Series:
    """Return the name of each crop, or of the image for an image-level label. The index counts from 0."""
    ends = pd.Series(fragments(with_boxes(annotations)), dtype=t.TEXT)
    return annotations["image"] + ends.where(~is_whole(annotations), "")


def note_boxes(notes: Mapping[str, str | None]) -> Change:
    """Return an edit that sets or removes the notes of boxes, by the names of their crops."""

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        rows = annotations.reset_index(drop=True)
        pairs = zip(_crop_names(rows), rows["note"].to_numpy(dtype=object, na_value=None), strict=True)
        return images, rows.assign(note=pd.array([notes.get(name, note) for name, note in pairs], dtype=t.TEXT))

    return change


def decide(
    wanted: Mapping[str, str | None], offers: pd.DataFrame, predicted: Container[str], *, annotator: str
) -> Change:
    """Return an edit that gives boxes their ``wanted`` labels, by the names of their crops, or removes them with None.

    ``offers`` are the predicted boxes of the images that are not decided yet: those that are wanted are added or
    refused. A removed box of a ``predicted`` image is refused, too, because its prediction would come back. An
    unlabelled image is labelled once it has boxes and no undecided offers. An image whose boxes are all confirmed is
    reviewed.
    """

    def change(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        rows = annotations.reset_index(drop=True)
        names = _crop_names(rows)
        chosen = names.isin(wanted)
        labels = names.map(wanted).where(chosen, rows["label"])
        differs = chosen & labels.notna() & ((labels != rows["label"]) | t.by_machine(rows))
        given = {"label": labels, "annotator": annotator, "confidence": 1.0, "created": pd.Timestamp.now(tz="UTC")}
        for column, values in given.items():
            rows.loc[differs, column] = values[differs] if isinstance(values, pd.Series) else values
        rows, was = rows[labels.notna()], names[labels.notna()].tolist()
        here = offers["image"].isin(images["image"])
        new = offers[here & offers["name"].isin([name for name in wanted if wanted[name] is not None])]
        if len(new):
            marks = new.assign(label=new["name"].map(wanted))[["image", "label", *t.BOX_COLUMNS, "polygon", "note"]]
            rows = pd.concat([rows, t.normalise_annotations(marks, annotator=annotator)], ignore_index=True)
            was += new["name"].tolist()
        waiting = set(offers.loc[~offers["name"].isin(wanted), "image"])
        was_bare = ~images["image"].isin(annotations["image"])
        removed = [name for name, label in wanted.items() if label is None]
        refused = [name for name in removed if image_of(name) in predicted or name in set(offers["name"])]
        images = _with_tags(images, rows.assign(was=was), {*wanted}.difference(removed), refused, waiting)
        return _with_statuses(images, rows, waiting, was_bare), rows

    return change


def _with_tags(
    images: pd.DataFrame,
    rows: pd.DataFrame,
    confirmed: Collection[str],
    refused: Sequence[str],
    waiting: Collection[str],
) -> pd.DataFrame:
    """Tag images with confirmed boxes and refused predictions, or as reviewed if all boxes are and nothing waits.

    ``rows`` has the former names of the crops as ``was``. Those of equal boxes change when one of them is removed.
    """
    before = list(zip(images["image"], images["tags"], strict=True))
    reviewed = {image for image, tags in before if REVIEWED in tags}
    sure = {image + tag.removeprefix(CONFIRMED) for image, tags in before for tag in tags if tag.startswith(CONFIRMED)}
    shapes = with_boxes(rows[~is_whole(rows)].reset_index(drop=True))
    done = shapes["image"].isin(reviewed) | shapes["was"].isin(sure.union(confirmed))
    finished = set(shapes["image"]).difference(shapes["image"][~done], set(waiting) - reviewed)
    marks = {image: [REVIEWED] for image in finished}
    for image, end in zip(shapes["image"][done], fragments(shapes[done]), strict=True):
        if image not in finished:
            marks.setdefault(image, []).append(CONFIRMED + end)
    for name in refused:
        marks.setdefault(image_of(name), []).append(REFUSED + name.removeprefix(image_of(name)))
    others = [[tag for tag in tags if tag != REVIEWED and not tag.startswith(CONFIRMED)] for _, tags in before]
    tags = [[*dict.fromkeys([*kept, *marks.get(image, [])])] for (image, _), kept in zip(before, others, strict=True)]
    return images.assign(tags=pd.Series(tags, index=images.index, dtype=object))


def _with_statuses(images: pd.DataFrame, rows: pd.DataFrame, waiting: set[str], was_bare: pd.Series) -> pd.DataFrame:
    is_bare, waits = ~images["image"].isin(rows["image"]), images["image"].isin(waiting)
    is_reviewed = pd.Series([REVIEWED in tags for tags in images["tags"]], index=images.index, dtype=bool)
    finished = ~is_bare & ~waits & (images["status"].isin(["unlabelled", "skipped"]) | is_reviewed)
    status = images["status"].mask(finished, "labelled").mask(is_bare & ~was_bare, "unlabelled")
    return images.assign(status=status)
