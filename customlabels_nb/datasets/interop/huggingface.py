"""Convert datasets to and from Hugging Face ``datasets`` with an image column and a column of labels or objects."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb._utils.files import expand_home, replacing, write_errors
from customlabels_nb._utils.installing import imported
from customlabels_nb.core import tables as t
from customlabels_nb.core.box_columns import CORNERS
from customlabels_nb.core.geometry import xyxy_to_ltwh
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.polygons import Polygon, from_one_ring, polygon_of, to_one_ring
from customlabels_nb.core.table_columns import LABEL_NAMES, is_missing, read_frame
from customlabels_nb.datasets.formats.account import Account
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.given_tables import tables_of
from customlabels_nb.datasets.formats.json_file import as_rings, number_or_none
from customlabels_nb.datasets.interop.common import boxes_of, chosen_task, has_place, place_of
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images.decoding import file_suffix
from customlabels_nb.images.locations import is_remote, to_uri
from customlabels_nb.images.reading import content_hash

_IMAGE, _LABEL, _LABELS, _OBJECTS = "image", "label", "labels", "objects"
_BOX_KEYS = ("bbox", "boxes", "box", "bboxes")
_CATEGORY_KEYS = tuple(
    dict.fromkeys(("category", "categories", "category_id", "label", "labels", *LABEL_NAMES, "classes", "class_id"))
)
Notation: TypeAlias = Literal["xywh", "xyxy"]
_NOTATIONS = get_args(Notation)
#: Notation of a box whose sides are keys of their own. That of x, y, width and height is unclear: some are centres.
_SIDES: Mapping[tuple[str, ...], Notation] = {
    t.BOX_COLUMNS: "xywh",
    CORNERS: "xyxy",
    ("xmin", "ymin", "width", "height"): "xywh",
}
_NOT_EXTRA = frozenset({*t.IMAGE_COLUMNS, _LABEL, _LABELS, _OBJECTS})
#: Columns of the table with a row for each object.
_DRAWN = ("bbox_xywh", "polygon", "crowd", "confidence")
#: Roles of columns that only tables of a project have. Other programs mean something else.
_UNREAD = ("status", "annotator", "job", "created", "tags", "sha256", "source", "revision")
#: Keys of objects that are read, or follow from the others.
_READ_KEYS = frozenset({"polygon", "segmentation", "iscrowd", "area", "id", "image_id"})


def to_huggingface(contents: Contents, *, root: Path | None, task: str | None) -> Any:
    """Implement :meth:`customlabels_nb.datasets.dataset.Dataset.to_huggingface`."""
    hf = imported("datasets", "to_huggingface")
    chosen = chosen_task(task, contents.annotations)
    places = has_place(contents.annotations)
    annotations = contents.annotations[places if chosen == "boxes" else ~places]
    images, label = contents.images, hf.ClassLabel(names=list(contents.labels))
    columns: dict[str, Any] = {_IMAGE: [_storable(place_of(image, root)) for image in images["image"]]}
    features: dict[str, Any] = {_IMAGE: hf.Image()}
    for name in ("width", "height"):
        columns[name], features[name] = images[name].astype(object).where(images[name].notna(), None), hf.Value("int64")
    if chosen == "boxes":
        columns[_OBJECTS] = _per_image(images, annotations, _objects(annotations, contents.labels))
        number = hf.Value("float64")
        features[_OBJECTS] = {
            "bbox": hf.Sequence(hf.Sequence(number, length=4)),
            "category": hf.Sequence(label),
            "area": hf.Sequence(number),
            "iscrowd": hf.Sequence(hf.Value("bool")),
            "confidence": hf.Sequence(number),
            "polygon": hf.Sequence(hf.Sequence(hf.Sequence(number))),
        }
    else:
        numbers = annotations["label"].map({name: index for index, name in enumerate(contents.labels)}).tolist()
        several = _per_image(images, annotations, {_LABELS: numbers})
        lists = [None if of_image is None else of_image[_LABELS] for of_image in several]
        if chosen == "multi-label":
            columns[_LABELS], features[_LABELS] = lists, hf.Sequence(label)
        else:
            columns[_LABEL], features[_LABEL] = [_only(of_image, i, images) for i, of_image in enumerate(lists)], label
    for name, kind in _extra_columns(images).items():
        columns[name], features[name] = images[name].astype(object).where(images[name].notna(), None), hf.Value(kind)
    data = {name: list(values) for name, values in columns.items()}
    return hf.Dataset.from_dict(data, features=hf.Features(features))


def _storable(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path!r} is not valid UTF-8, so Hugging Face datasets cannot store it. Rename the file."
        ) from error
    return path


def _objects(annotations: pd.DataFrame, labels: Sequence[str]) -> dict[str, list[Any]]:
    boxes = boxes_of(annotations)
    number = {name: index for index, name in enumerate(labels)}
    return {
        "bbox": boxes.tolist(),
        "category": annotations["label"].map(number).tolist(),
        "area": (boxes[:, 2] * boxes[:, 3]).tolist(),
        "iscrowd": annotations["crowd"].tolist(),
        "confidence": annotations["confidence"].tolist(),
        "polygon": [None if polygon is None else to_one_ring(polygon) for polygon in annotations["polygon"]],
    }


def _per_image(
    images: pd.DataFrame, annotations: pd.DataFrame, values: Mapping[str, list[Any]]
) -> list[dict[str, list[Any]] | None]:
    """Group ``values`` by image, with None for unlabelled images."""
    by_image: dict[str, list[int]] = {}
    for row, image in enumerate(annotations["image"]):
        by_image.setdefault(image, []).append(row)
    return [
        {name: [column[row] for row in by_image.get(image, ())] for name, column in values.items()}
        if image in by_image or status == "labelled"
        else None
        for image, status in zip(images["image"], images["status"], strict=True)
    ]


def _only(values: list[int] | None, position: int, images: pd.DataFrame) -> int | None:
    if values and len(values) > 1:
        raise InputError(
            f"task='single-label', but image {images['image'].iat[position]!r} has {len(values)} labels. "
            "Use task='multi-label'."
        )
    return values[0] if values else None


def _extra_columns(images: pd.DataFrame) -> dict[str, str]:
    """Return the user columns of plain values, each with its Hugging Face type."""
    kinds = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}
    types = {}
    for name in images.columns:
        if name in _NOT_EXTRA:
            continue
        if pd.api.types.is_string_dtype(images[name].dtype):
            types[name] = "string"
        elif images[name].dtype.kind in kinds:
            types[name] = kinds[images[name].dtype.kind]
    return types


def from_huggingface(
    dataset: Any,
    folder: str | os.PathLike[str] | None,
    *,
    image: str,
    label: str | None,
    objects: str | None,
    boxes: str,
) -> Contents:
    """Implement :func:`customlabels_nb.datasets.loading.from_huggingface`."""
    hf = imported("datasets", "from_huggingface")
    features = _features(hf, dataset)
    if boxes not in _NOTATIONS:
        raise InputError(f"boxes={boxes!r} is unknown. Choose one of {_NOTATIONS!r}.")
    label, objects, drawn = _columns(hf, features, image, label, objects)
    given = _Given(_classes(hf, features, label, objects), image, label, objects, drawn, boxes, _Keeper(folder))
    records = [*chain.from_iterable(map(given.records, count(), _rows(hf, dataset, features, image)))]
    frame = pd.DataFrame(records, columns=None if records else ["image"])
    rows, decisions = read_frame(frame)
    splits = rows["split"].dropna() if "split" in rows else ()
    unread = _UNREAD if all(map(t.split_named, splits)) else (*_UNREAD, "split")
    images, annotations, issues = tables_of(rows, frame, decisions, "the dataset", *unread)
    issues += [Issue("ENTRY_ADJUSTED", message, column, "the dataset") for column, message in decisions.notes()]
    images = t.settle_statuses(t.normalise_images(images), annotations)
    empty = images["image"].isin(given.empty) & (images["status"] == "unlabelled")
    images = images.assign(status=images["status"].mask(empty, "labelled"))
    known = dict.fromkeys(chain.from_iterable(given.classes.get(name) or () for name in (label, objects)))
    keeper = given.keeper
    issues = [*keeper.issues, *issues, *keeper.account.issues("the dataset")]
    return Contents(images, annotations, t.labels_in_order(annotations, known), issues)


@dataclass
class _Given:
    """Rows of a dataset. ``classes`` has the class names of each column with a single value, and of labels and objects.

    ``drawn`` is a column of boxes whose labels are in the column ``label``. ``empty`` are the images with an empty list
    of labels or objects.
    """

    classes: Mapping[str, Sequence[str] | None]
    image: str
    label: str
    objects: str
    drawn: str
    notation: str
    keeper: _Keeper
    empty: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        drawn = self.objects or self.drawn
        ours = {"image": True, "label": self.label or drawn, **dict.fromkeys(_DRAWN, drawn)}
        self._ours = dict.fromkeys(name for name, needed in ours.items() if needed)
        others = [name for name in self.classes if name not in (self.image, self.label, self.objects, self.drawn)]
        self._plain = [name for name in others if self.classes[name] is not None and name not in self._ours]
        self._lost = [name for name in others if name not in self._plain]

    def records(self, position: int, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield a row for each label and object of an image, or one for an image without."""
        uri = self.keeper.keep(row[self.image], position)
        if uri is None:
            return
        named, drawn, classes = row.get(self.label), row.get(self.objects), self.classes.get(self.objects)
        if row.get(self.drawn):
            named, drawn, classes = None, {"bbox": row[self.drawn], "label": named}, self.classes.get(self.label)
        for name in self._lost:
            self.keeper.lost("value of the column", name, row[name], uri)
        entries = _entries(drawn)
        if named == [] or (entries == [] and not _is_absent(drawn)):
            self.empty.add(uri)
        for key, value in drawn.items() if isinstance(drawn, Mapping) and not entries else ():
            self.keeper.lost("value of the key", key, value, uri)
        facts = {**self._ours, **{name: self._value(name, row[name], uri) for name in self._plain}, "image": uri}
        found = [{"label": name} for name in self._names(self.label, named, uri)]
        found += _boxes(entries, classes or (), self.notation, uri, self.keeper)
        yield from ({**facts, **each} for each in found or [{}])

    def _names(self, column: str, value: object, uri: str) -> Iterator[str]:
        return _names(value, self.classes.get(column) or (), uri, self.keeper, "value of the column", column)

    def _value(self, column: str, value: object, uri: str) -> object:
        """Return the value of a column, or the name of its class."""
        return next(self._names(column, value, uri), None) if self.classes[column] else value


def _rows(hf: Any, dataset: Any, features: Mapping[str, Any], image: str) -> Any:
    """Return the rows with encoded images."""
    rows = dataset.with_format(None)
    return rows.cast_column(image, hf.Image(decode=False)) if isinstance(features[image], hf.Image) else rows


def _columns(
    hf: Any, features: Mapping[str, Any], image: str, label: str | None, objects: str | None
) -> tuple[str, str, str]:
    """Return the columns of labels, objects, and boxes with these labels, by their usual names if not given, or ""."""
    label = label or next((name for name in (_LABEL, _LABELS) if name in features), "")
    objects = objects or (_OBJECTS if _OBJECTS in features else "")
    for argument, column in (("image", image), ("label", label), ("objects", objects)):
        if column and column not in features:
            raise InputError(f"{argument}={column!r} is not a column of the dataset. Choose one of {list(features)}.")
    if objects:
        _check_objects(hf, objects, features[objects])
    drawn = next((name for name in _BOX_KEYS if name in features and _items(features[name]) is not None), "")
    return label, objects, "" if objects or not label else drawn


def _check_objects(hf: Any, name: str, kind: Any) -> None:
    """Raise InputError if a column has single values or lists of them, and no objects."""
    if isinstance(_items(kind) or kind, hf.Value | hf.ClassLabel | hf.Image):
        raise InputError(
            f"The column {name!r} has no objects, which are dicts with keys such as 'bbox' and 'category'. Convert "
            "JSON text with json.loads, or rename the column if it is about something else."
        )


def _items(kind: Any) -> Any:
    """Return the feature of the items of a list, innermost for lists of lists, or None for another feature."""
    inner = kind[0] if isinstance(kind, list) else getattr(kind, "feature", None)
    return inner if inner is None or isinstance(inner, Mapping) else _items(inner) or inner


def _features(hf: Any, dataset: Any) -> Mapping[str, Any]:
    if isinstance(dataset, Mapping):  # a DatasetDict
        raise InputError(
            f"dataset has the splits {list(dataset)}. Pass one split, such as dataset[{next(iter(dataset))!r}]."
        )
    if not isinstance(dataset, hf.Dataset | hf.IterableDataset):
        raise InputError(f"dataset is of type {type(dataset).__name__}, but must be a Hugging Face Dataset.")
    if dataset.features is None:
        raise InputError("dataset has no features. Load it without streaming, or cast it to features.")
    features: Mapping[str, Any] = dataset.features
    return features


def _classes(hf: Any, features: Mapping[str, Any], *named: str) -> dict[str, list[str] | None]:
    """Return the class names of the columns of single values and of those ``named``, and None for others."""
    single = {name for name, kind in features.items() if isinstance(kind, hf.Value | hf.ClassLabel)}
    return {name: _class_names(hf, features[name]) if name in {*single, *named} else None for name in features}


def _class_names(hf: Any, kind: Any) -> list[str]:
    """Return the class names of the first ClassLabel in a feature, or an empty list if there is none."""
    if isinstance(kind, hf.ClassLabel):
        return [t.check_label(name) for name in kind.names]
    if isinstance(kind, Mapping):
        inner = [kind[key] for key in _CATEGORY_KEYS if key in kind]
    else:
        inner = list(kind) if isinstance(kind, list) else [getattr(kind, "feature", None)]
    return next((names for part in inner if part is not None and (names := _class_names(hf, part))), [])


def _names(value: object, names: Sequence[str], uri: str, keeper: _Keeper, what: str, name: str) -> Iterator[str]:
    """Yield the labels for a class index, a string, or a list of either, skipping -1, which means no label.

    Anything else is not a label, such as a list of numbers without class names. It is counted as ``what``, with the
    ``name`` of the column or key.
    """
    several = isinstance(value, list)
    for item in value if isinstance(value, list) else [value]:
        if is_missing(item):
            continue
        if isinstance(item, int) and names:
            if 0 <= item < len(names):
                yield names[item]
            elif item != -1:
                keeper.lost("class without a name", "label", item, uri)
        elif isinstance(item, str) or (isinstance(item, int | float) and not several):
            yield str(item)
        else:
            keeper.lost(what, name, value, uri)
            return


def _entries(value: Any) -> list[Any]:
    """Return the objects of an image in a list of dicts, a dict of lists, or a dict that is a single object.

    Single values beside lists are those of all objects.
    """
    if isinstance(value, list | tuple):
        return [*value]
    if _is_absent(value):
        return []
    return _entries_in(value) if isinstance(value, Mapping) else [value]


def _entries_in(value: Mapping[str, Any]) -> list[Any]:
    lists = {key: values for key, values in value.items() if isinstance(values, list)}
    if not lists or any(_are_numbers(lists.get(key)) for key in _BOX_KEYS):
        return [value]
    single = {key: each for key, each in value.items() if key not in lists}
    return [
        {**single, **{key: values[row] for key, values in lists.items() if row < len(values)}}
        for row in range(max(map(len, lists.values())))
    ]


def _is_absent(value: Any) -> bool:
    """Check whether there are no objects, not even an empty list: None, or a dict of nothing else."""
    return value is None or (isinstance(value, Mapping) and all(each is None for each in value.values()))


def _are_numbers(values: Any) -> bool:
    return bool(values) and all(isinstance(value, int | float) for value in values)


def _boxes(
    entries: list[Any], names: Sequence[str], notation: str, uri: str, keeper: _Keeper
) -> Iterator[dict[str, Any]]:
    """Yield the annotations of an image's objects, and report those that cannot be read."""
    for entry in entries:
        try:
            yield _box(entry, names, notation, uri, keeper)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            keeper.issues.append(Issue("ENTRY_UNREADABLE", f"Cannot read an object ({error}).", where=uri))


def _box(entry: Any, names: Sequence[str], notation: str, uri: str, keeper: _Keeper) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise ValueError(f"it is {plain_repr(entry)}, not a dict with keys such as 'bbox' and 'category'")
    by, of, score = (_first_of(entry, keys) for keys in (_BOX_KEYS, _CATEGORY_KEYS, ("confidence", "score")))
    given = entry[by] if by else entry
    sides = _sides_in(given)
    read = {*_READ_KEYS, by, of, score, *(() if by else sides)}
    for key in [key for key in entry if key not in read]:
        keeper.lost("value of the key", key, entry[key], uri)
    label = _label(of, entry.get(of), names, uri, keeper)
    outline = _outline(entry, uri, keeper)
    if not label or not (by or sides or outline):
        raise ValueError(f"the {label!r} has no box" if label else "it has no category")
    return {
        "label": label,
        "bbox_xywh": _checked_box(given, sides, notation) if by or sides else None,
        "polygon": outline,
        "crowd": _is_crowd(entry.get("iscrowd"), uri, keeper),
        "confidence": _confidence(score, entry.get(score), uri, keeper),
    }


def _first_of(entry: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((key for key in keys if entry.get(key) is not None), "")


def _label(key: str, value: object, names: Sequence[str], uri: str, keeper: _Keeper) -> str:
    """Return the label of an object or "", and count further ones."""
    labels = [*_names(value, names, uri, keeper, "value of the key", key), ""]
    for label in labels[1:-1]:
        keeper.lost("further label in the key", key, label, uri)
    return labels[0]


def _sides_in(given: Any) -> tuple[str, ...]:
    """Return the keys of the sides of a box, if the notation is clear from their names."""
    known = {key for key, value in given.items() if value is not None} if isinstance(given, Mapping) else set()
    return next((sides for sides in _SIDES if known.issuperset(sides)), ())


def _is_crowd(value: object, uri: str, keeper: _Keeper) -> bool:
    crowd = False if value is None else t.as_boolean(value)
    if crowd is None:
        keeper.lost("value that is not 0 or 1 of the key", "iscrowd", value, uri)
    return crowd or False


def _confidence(key: str, value: object, uri: str, keeper: _Keeper) -> float:
    """Return a confidence between 0 and 1, and count another value."""
    number = number_or_none(value)
    if value is not None and (number is None or not 0 <= number <= 1):
        keeper.lost("value beyond 0 and 1 of the key", key, value, uri)
    return 1.0 if number is None else min(max(number, 0.0), 1.0)


def _checked_box(given: Any, sides: tuple[str, ...], notation: str) -> list[float]:
    """Return a box as left, top, width and height, or raise ValueError if it is not one.

    It is ``given`` as four numbers, or by the keys ``sides``, which state the notation.
    """
    if isinstance(given, Mapping) and not sides:
        raise ValueError(f"its box {plain_repr(given)} does not have the keys {', '.join(CORNERS)}")
    corners = [given[side] for side in sides] if sides else given
    box = np.asarray(corners, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise ValueError(f"its box {plain_repr(corners)} is not four finite numbers")
    if _SIDES.get(sides, notation) == "xyxy":
        box = xyxy_to_ltwh(box)[0]
    if (box[2:] < 0).any():
        raise ValueError(f"its box {plain_repr(corners)} has a negative size, check the notation passed as boxes=")
    checked: list[float] = box.tolist()
    return checked


def _outline(entry: Mapping[str, Any], uri: str, keeper: _Keeper) -> Polygon | None:
    """Return the polygon or the segmentation as in COCO, and count one that is none, such as a mask."""
    if entry.get("polygon"):
        return from_one_ring(entry["polygon"])
    segmentation = entry.get("segmentation")
    rings, parts = as_rings(segmentation) if segmentation else ([], 0)
    if len(rings) < parts:
        keeper.lost("value of the key", "segmentation", segmentation, uri)
    return polygon_of(rings)


class _Keeper:
    """Storage for the images of a dataset: existing files, or embedded images that are written to ``folder``."""

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self.issues: list[Issue] = []
        self.account = Account()
        self._examples: dict[str, str] = {}
        self._folder = None if folder is None else Path(os.path.abspath(expand_home(os.fspath(folder))))

    def lost(self, what: str, name: str, value: object, uri: str) -> None:
        """Count a value that is not imported, unless it is empty."""
        if value in (None, "", [], {}):
            return
        key = f"{what} {name!r}"
        if key not in self._examples:
            self._examples[key] = f"{key} (such as {str(value)[:80]!r})"
        self.account.add(self._examples[key], uri)

    def keep(self, value: Any, position: int) -> str | None:
        """Return the URI of the image in row ``position``, or record an issue and return None if it cannot be used."""
        where = f"row {position}"
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, Image.Image):
            buffer = io.BytesIO()
            value.save(buffer, "PNG")
            value = buffer.getvalue()
        if isinstance(value, bytes):
            try:
                return self._write(value, position, file_suffix(value, where))
            except ImageError as error:
                self.issues.append(Issue(error.code, error.reason, where=where))
                return None
        if isinstance(value, str) and value:
            if is_remote(value) or os.path.isfile(value):
                return value if is_remote(value) else to_uri(value)
            self.issues.append(Issue("IMAGE_NOT_FOUND", f"File {value!r} does not exist.", where=where))
            return None
        if value is None or value == "":
            self.issues.append(Issue("IMAGE_NOT_FOUND", "The row has no image.", where=where))
            return None
        raise InputError(
            f"The image column has values of type {type(value).__name__}, which are not images. Check image=."
        )

    def _write(self, data: bytes, position: int, suffix: str) -> str:
        if self._folder is None:
            raise InputError("folder=None, but the dataset has embedded images. Pass a folder to write them to.")
        # named by row and content: names in the dataset are untrusted, and an existing file has the same content
        path = self._folder / f"{position:06d}-{content_hash(data)[:16]}{suffix}"
        if not path.is_file() or path.stat().st_size != len(data):
            with write_errors(f"folder={str(self._folder)!r}"):
                self._folder.mkdir(parents=True, exist_ok=True)
                with replacing(path, durable=False) as file:
                    file.write(data)
        return to_uri(path)
