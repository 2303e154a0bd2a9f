"""Validate the input tables of an evaluation: ground truth, predictions, test images, labels and boxes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import infer_dtype

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb._utils.text import counted, quoted
from customlabels_nb.core.box_columns import CORNERS, look_like_boxes
from customlabels_nb.core.colors import label_color
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.image_files import FILE, without_files
from customlabels_nb.core.masks import MOST_PIXELS, polygon_to_rle
from customlabels_nb.core.polygons import box_polygon
from customlabels_nb.core.table_columns import (
    FLAG,
    INDEX,
    LIKE_BOX,
    ONE_BOX,
    OTHER,
    PROBABILITY,
    RENAME_BOXES,
    Decisions,
    about_index,
    full_names,
    how_to_convert,
    one_label_per_row,
    read_frame,
    texts_in,
    with_image,
    with_lists_of_labels,
)
from customlabels_nb.core.tables import (
    BOX_COLUMNS,
    IMAGE_COLUMNS,
    TEXT,
    as_boolean,
    as_text,
    check_label,
    labels_in_order,
    normalise_labels,
)
from customlabels_nb.errors import InputError, NotEnoughDataError, TableError
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray, IntArray

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
#: Roles of columns that an evaluation uses.
_USED = {"image", "label", "confidence", "crowd", "polygon", *BOX_COLUMNS, *CORNERS, ONE_BOX, FLAG, INDEX}

#: Maximum coordinate in pixels. No image is this large, and the limit keeps areas finite.
FARTHEST = 1e9


def with_usual_columns(
    truth: Any, predictions: Any, images: Any, labels: Iterable[str] | pd.DataFrame | None = None
) -> tuple[Any, Any, Any, list[str]]:
    """Return the input tables with the usual columns, and sentences about columns that were left out.

    :mod:`customlabels_nb.core.table_columns` decides what the columns are. Other objects are returned unchanged, and
    :func:`clean_table` refuses them.
    """
    notes: list[str] = []
    known = {*normalise_labels([] if labels is None else labels)["label"]}
    if isinstance(truth, pd.DataFrame):
        truth, decisions = read_frame(truth, of="annotations", labels=known)
        notes += [sentence for _, sentence in decisions.notes() if decisions.having(FLAG)]
        notes += _about_unused("truth", decisions)
        truth, joined = _with_single_labels(truth, decisions, known, "truth")
        notes += joined
        known |= {label.strip() for label in texts_in(truth["label"])} if decisions.having("label", FLAG) else set()
    if isinstance(predictions, pd.DataFrame):
        predictions, decisions = read_frame(predictions, of="predictions", labels=known)
        notes += _about_unused("predictions", decisions)
        predictions, joined = _with_single_labels(predictions, decisions, known, "predictions")
        notes += joined
    if isinstance(images, pd.DataFrame):
        images = with_image(images)
    return truth, predictions, list(images) if isinstance(images, Iterator) else images, notes


def _about_unused(name: str, decisions: Decisions) -> Iterator[str]:
    """Yield sentences about the columns of a table that are not used, except those of tables of this package."""
    wide = bool(decisions.having(PROBABILITY))
    used = {"image", PROBABILITY, INDEX} if wide else _USED
    unused = {
        column: role
        for column, role, _ in decisions.of_columns
        if role not in used and column not in (role, FILE) and not (role == OTHER and column in IMAGE_COLUMNS)
    }
    without_label = [column for column, role in unused.items() if wide and role in (OTHER, LIKE_BOX)]
    if without_label:
        yield (
            f"These columns of {name} were left out, because they have no numbers, or no label in truth or labels= has "
            f"their name: {quoted(without_label, 8)}."
        )
    if others := [column for column in unused if column not in without_label]:
        yield f"These columns of {name} were not used: {quoted(map(str, others), 8)}."


def _with_single_labels(
    table: pd.DataFrame, decisions: Decisions, known: Collection[str], name: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return a table with one label in each row, and a note about texts that may be several."""
    if "label" not in decisions.roles:
        return table, []
    table, about = with_lists_of_labels(table, decisions, known)
    return one_label_per_row(table), [f"In {name}: {about}"] if about else []


def with_same_names(
    truth: pd.DataFrame, predictions: pd.DataFrame, images: Iterable[str] | pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return clean tables whose image names are those of ``images`` or truth where only the ending differs, and notes.

    It is a difference in the ending if one of the names has none, and no other image has the same name without it.
    """
    reference = _values(truth["image"]) if images is None else pd.Index(_given_images(images))
    tables, notes = {"truth": truth, "predictions": predictions}, []
    for name, table in tables.items():
        names = _values(table["image"])
        pairs = full_names(names[~names.isin(reference)], reference[~reference.isin(names)])
        if pairs:
            tables[name] = table.assign(image=table["image"].cat.rename_categories(pairs))
            first, full = next(iter(pairs.items()))
            they = "they were" if len(pairs) > 1 else "it was"
            notes.append(
                f"Only the ending of {counted(len(pairs), 'image')} differs between {name} and "
                f"{'truth' if images is None else 'images'}, so {they} matched: {first!r} is {full!r}."
            )
    return tables["truth"], tables["predictions"], notes


def clean_table(frame: pd.DataFrame, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Validate an input table and return the given columns, ``image`` and ``label`` as categoricals."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"{name} must be a DataFrame with columns {', '.join(columns)}, not {_type_name(frame)}. "
            f"{_how_to_convert(frame, name)}"
        )
    for column in columns:
        if column not in frame.columns:
            raise TableError(
                f"{name} must have a column {column!r}. Its columns are {list(frame.columns)}."
                f"{_how_to_convert_columns(frame, name, column)}"
            )
        if isinstance(frame[column], pd.DataFrame):
            raise TableError(f"{name} has two columns {column!r}. Drop or rename one of them.")
    images = as_categories(frame["image"], f"The column 'image' of {name}", str)
    if (images.codes < 0).any():
        raise TableError(f"The column 'image' of {name} has missing values. Every row needs a path or URL.")
    labels = as_categories(frame["label"], f"The column 'label' of {name}", check_label)
    rest = {column: frame[column].array for column in columns if column not in ("image", "label")}
    return pd.DataFrame({"image": images, "label": labels, **rest}, copy=False)[list(columns)]


def _type_name(value: object) -> str:
    package = type(value).__module__.partition(".")[0]
    return type(value).__name__ if package == "builtins" else f"{package}.{type(value).__name__}"


def _how_to_convert(value: object, name: str) -> str:
    if isinstance(value, str | PathLike):
        return f"Read the file with cl.read_dataset({str(value)!r})."
    if isinstance(value, np.ndarray):
        of_truth = "{'image': files, 'label': labels}"
        content = of_truth if name == "truth" else "probabilities, columns=classes).assign(image=files"
        return f"Convert the array with pd.DataFrame({content})."
    if hasattr(value, "to_pandas"):  # Polars, PyArrow and Spark
        return f"Pass {name}.to_pandas()."
    return how_to_convert(value) or "To read a file, use cl.read_dataset."


def _how_to_convert_columns(frame: pd.DataFrame, name: str, missing: str) -> str:
    if missing == "image" and (index := about_index(frame)):
        return index
    if missing in ("image", "label") and {"image_id", "category_id"} <= {*frame.columns}:
        ids = ", truth='coco.json'" if name == "predictions" else ""
        return f" Read files of COCO with cl.read_dataset('{name}.json'{ids}), which replaces ids by names."
    boxes = look_like_boxes(frame.columns)
    if boxes and missing in BOX_COLUMNS:
        return f" If the columns {', '.join(map(repr, boxes))} are boxes, {RENAME_BOXES}."
    if missing == "confidence":
        return " For answers without confidences, such as those of a person, use .assign(confidence=1.0)."
    return ""


def check_confidences(predictions: pd.DataFrame) -> FloatArray:
    """Validate the column ``confidence`` and return it as numbers between 0 and 1, shape (rows,)."""
    values: FloatArray
    if predictions["confidence"].dtype == np.float64:
        values = predictions["confidence"].to_numpy()
    else:
        numbers = pd.to_numeric(predictions["confidence"], errors="coerce")
        values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))  # true for NaN as well
    if wrong.size:
        image, label, value = predictions[["image", "label", "confidence"]].iloc[wrong[0]].tolist()
        fix = "If they are percentages, divide them by 100. If they are logits, apply a softmax or a sigmoid."
        if pd.isna(value):
            fix = "Drop rows without a confidence, or give them a number."
        raise TableError(
            f"The confidences in predictions must be between 0 and 1. Image {image!r}, label {label!r} has "
            f"{plain_repr(value)}. {fix}"
        )
    return values


def choose_test_images(
    truth: pd.DataFrame, predictions: pd.DataFrame, images: Iterable[str] | pd.DataFrame | None
) -> tuple[npt.NDArray[np.object_], tuple[str, ...]]:
    """Return the names of the test images, and sentences about names in the tables that match none or only partly."""
    named = {"truth": _values(truth["image"]), "predictions": _values(predictions["image"])}
    seen = named["truth"].append(named["predictions"]).unique()
    if images is None:
        _require_common("truth", named["truth"], "predictions", named["predictions"])
        return _some_image(seen.to_numpy(dtype=object)), tuple(_about_similar(*named.items()))
    chosen, notes = pd.Index(_given_images(images)), []
    others = seen[~seen.isin(chosen)]
    if len(others):
        notes.append(f"Ignored because they are not test images: {some_images(others)} in truth or predictions.")
    for name, mentioned in named.items():
        _require_common(name, mentioned, "images", chosen)
        notes += _about_similar((name, mentioned), ("images", chosen))
    return _some_image(chosen.to_numpy(dtype=object)), tuple(notes)


def some_images(names: Collection[str]) -> str:
    """Count images, and list the first three, such as ``2 images ('a.jpg', 'b.jpg')``."""
    return f"{counted(len(names), 'image')} ({quoted(names, 3)})"


def images_table(images: Iterable[str] | pd.DataFrame | None, names: npt.NDArray[np.object_]) -> pd.DataFrame:
    """Build a table with one row per test image: ``image``, and the other columns of ``images`` if it is a table.

    ``names`` are those of ``images``, in the same order, without images that are left out.
    """
    table = pd.DataFrame({"image": names}).astype({"image": TEXT})
    if isinstance(images, pd.DataFrame):
        kept = _given_images(images).isin(names).to_numpy()
        rest = without_files(images)[0][kept].drop(columns="image").reset_index(drop=True)
        rest.columns = rest.columns.map(str)
        table = pd.concat([table, rest], axis=1)
    return table


def labels_and_colors(
    truth: pd.DataFrame,
    predictions: pd.DataFrame,
    labels: Iterable[str] | pd.DataFrame | None,
    named: Iterable[str] = (),
) -> tuple[list[str], list[str]]:
    """Return the ``labels``, those that occur in the tables and those ``named``, in order, and the color of each."""
    occurring = [*_values(truth["label"]), *_values(predictions["label"])]
    if not occurring:
        raise NotEnoughDataError("There is nothing to evaluate: neither truth nor predictions contain a label.")
    table = normalise_labels([] if labels is None else labels)
    color_of: dict[str, Any] = dict(zip(table["label"], table["color"], strict=True))
    for label, color in color_of.items():
        if not _COLOR.fullmatch(str(color)):  # colors are inserted into style sheets
            raise TableError(f"The color of label {label!r} is {color!r}. It must have the form #rrggbb.")
    ordered = labels_in_order(pd.DataFrame({"label": [*occurring, *named]}), table["label"])
    return ordered, [color_of.get(label) or label_color(position) for position, label in enumerate(ordered)]


def _values(column: pd.Series) -> pd.Index:
    """Return the categories that occur in a categorical column."""
    categories = column.cat.categories
    return categories[used_codes(column.cat.codes.to_numpy(), len(categories))]


def _require_common(table: str, names: pd.Index, other: str, others: pd.Index) -> None:
    if not len(names) or not len(others) or names.isin(others).any():
        return
    what, pairs = next(_similar(names, others), ("", []))
    mine, theirs = pairs[0] if pairs else (str(names[0]), str(others[0]))
    hint = f"Only the {what} differ. Use the same paths in both." if pairs else "The file names differ."
    raise NotEnoughDataError(
        f"{table} and {other} have no images in common: {table} contains {mine!r}, but {other} contains {theirs!r}. "
        f"{hint}"
    )


def _about_similar(first: tuple[str, pd.Index], other: tuple[str, pd.Index]) -> Iterator[str]:
    """Say how names that only one of two tables has differ from similar ones that only the other one has."""
    for what, pairs in _similar(first[1], other[1]):
        names = quoted((mine for mine, _ in pairs), 3)
        yield (
            f"Only the {what} of {counted(len(pairs), 'image')} differ between {first[0]} and {other[0]}, so they are "
            f"not matched: {names}. If they are the same images, use the same paths in both."
        )


def _similar(names: pd.Index, others: pd.Index) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield in what names that only one of two tables has differ from similar ones of the other one, as pairs."""
    alone = [str(name) for name in names[~names.isin(others)]]
    theirs = [str(name) for name in others[~others.isin(names)]]
    for what, key in (("Unicode forms (NFC and NFD)", _composed), ("folders", _file_name)):
        files = {key(name): name for name in theirs}
        pairs = [(name, files.pop(key(name))) for name in alone if key(name) in files]
        alone = [name for name in alone if name not in dict(pairs)]
        if pairs:
            yield what, pairs


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _file_name(name: str) -> str:
    return re.split(r"[/\\]", _composed(name))[-1]


def _given_images(images: Iterable[str] | pd.DataFrame) -> pd.Series:
    if isinstance(images, str | bytes) or not isinstance(images, Iterable):
        what = "a single name" if isinstance(images, str | bytes) else "not a list of names"
        raise InputError(f"images={images!r} is {what}. Pass a list, Series or DataFrame with a column 'image'.")
    if isinstance(images, pd.DataFrame):
        if "image" not in images.columns:
            raise TableError(f"images must have a column 'image'. Its columns are {list(images.columns)}.")
        names = images.columns.map(str)
        if not names.is_unique:
            raise TableError(f"images has two columns {names[names.duplicated()][0]!r}. Drop or rename one of them.")
        images = images["image"]
    listed = pd.Series(list(images), dtype="object")
    if listed.isna().any():
        raise TableError("images has missing values. Every test image needs a path or URL.")
    listed = as_text(listed).astype("object")
    if listed.duplicated().any():
        raise TableError(f"images contains {str(listed[listed.duplicated()].iloc[0])!r} twice. List each image once.")
    return listed


def _some_image(names: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    if not names.size:
        raise NotEnoughDataError("There is nothing to evaluate: truth and predictions contain no test images.")
    return names


ObjectArray = npt.NDArray[np.object_]

_HEAD = 4096  # rows


def as_categories(column: pd.Series, where: str, text: Callable[[object], str]) -> pd.Categorical:
    """Convert a column to a categorical, each distinct value once. Equal strings become one category."""
    try:
        codes, values = _factorized(column)
    except TypeError as error:
        raise TableError(f"{where} contains a value that is not a string: {error}.") from error
    merged, names = pd.factorize(np.array([text(value) for value in values.tolist()], dtype=object))
    if len(names) < len(values):
        codes = np.append(merged, -1)[codes]
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="object"))


def used_codes(codes: npt.NDArray[np.integer], count: int) -> BoolArray:
    """Return a mask, shape (count,), of the codes from 0 to ``count`` - 1 that occur in ``codes``, ignoring -1."""
    used = np.zeros(count + 1, dtype=bool)
    used[codes] = True  # -1 sets the last element
    return used[:-1]


def _factorized(column: pd.Series) -> tuple[IntArray, ObjectArray]:
    """Return the code of each row (-1 if missing), and the distinct values in order of first occurrence."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories.to_numpy(dtype=object)
        used = used_codes(codes, len(values))
        return np.append(np.cumsum(used) - 1, -1)[codes], values[used]
    texts = _plain_texts(column)
    short = None if texts is None else _by_blocks(texts)
    if short is not None:
        return short
    codes, distinct = pd.factorize(column if texts is None else texts)
    return codes, np.asarray(distinct, dtype=object)


def _plain_texts(column: pd.Series) -> ObjectArray | None:
    """Return the values as an array if all are Python strings, which NumPy can compare in bulk, otherwise None."""
    dtype = column.dtype
    plain = isinstance(dtype, pd.StringDtype) and dtype.storage == "python"
    if plain and dtype.na_value is pd.NA and column.hasnans:
        return None  # NA cannot be compared
    if plain or (column.dtype == object and infer_dtype(column, skipna=False) == "string"):
        return np.asarray(column, dtype=object)
    return None


def _by_blocks(texts: ObjectArray) -> tuple[IntArray, ObjectArray] | None:
    """Factorize a column quickly if it consists of runs of equal strings or of one repeated block, else return None.

    Most prediction tables have this form: they list image after image, with the labels in the same order. The first
    rows decide which of the two patterns to try, and a comparison over the entire column confirms it.
    """
    head = texts[:_HEAD]
    if np.count_nonzero(head[1:] == head[:-1]) > len(head) / 2:
        starts = np.append(0, np.flatnonzero(texts[1:] != texts[:-1]) + 1)
        codes, values = pd.factorize(texts[starts])
        lengths = np.diff(np.append(starts, len(texts)))
        return np.repeat(codes.astype(np.int32), lengths), np.asarray(values, dtype=object)
    period = _period(texts)
    ends = min(period + _HEAD, len(texts)), len(texts)
    if period and all((texts[period:end] == texts[: end - period]).all() for end in ends):
        codes, values = pd.factorize(texts[:period])
        repeats = -(-len(texts) // period)
        return np.tile(codes.astype(np.int32), repeats)[: len(texts)], np.asarray(values, dtype=object)
    return None


def _period(texts: ObjectArray) -> int:
    """Return the row where the first string recurs, or 0 if it does not recur in the first half of the column."""
    start, stop = 1, _HEAD
    while start <= len(texts) // 2:
        again = np.flatnonzero(texts[start : min(stop, len(texts) // 2 + 1)] == texts[0])
        if again.size:
            return start + int(again[0])
        start, stop = stop, 16 * stop
    return 0


@dataclass(frozen=True, eq=False)
class BoxedRows:
    """Boxes of a table in pixels, of its ``m`` rows that have one. ``without_box`` counts labels without."""

    all_rows: pd.DataFrame
    rows: pd.DataFrame
    box: FloatArray
    polygon: npt.NDArray[np.object_]
    crowd: BoolArray
    confidence: FloatArray
    without_box: int

    def renamed(self, all_rows: pd.DataFrame) -> BoxedRows:
        """Return the boxes with the image names of ``all_rows``."""
        if all_rows is self.all_rows:
            return self
        rows = self.rows.assign(image=all_rows["image"].loc[self.rows.index])
        return replace(self, all_rows=all_rows, rows=rows)

    def sorted_positions(self, images: pd.Index, labels: pd.Index) -> tuple[IntArray, IntArray, IntArray]:
        """Return the image, label and row of each listed box, by image, label and descending confidence (stable)."""
        image, label = _positions(self.rows["image"], images), _positions(self.rows["label"], labels)
        kept = np.flatnonzero((image >= 0) & (label >= 0))
        group = image[kept] * len(labels) + label[kept]
        rows = kept[np.lexsort((-self.confidence[kept], group))]
        return image[rows], label[rows], rows


def has_boxes(frame: pd.DataFrame) -> bool:
    return isinstance(frame, pd.DataFrame) and any(
        name in frame.columns and bool(frame[name].notna().to_numpy().any()) for name in ("left", "polygon")
    )


def boxed_rows(frame: pd.DataFrame, name: str) -> BoxedRows:
    """Validate a truth or predictions table and extract the rows that have a box."""
    if isinstance(frame, pd.DataFrame) and {*BOX_COLUMNS, "polygon"} & {*frame.columns} == {"polygon"}:
        frame = frame.assign(**dict.fromkeys(BOX_COLUMNS, np.nan))
    needed = ("image", "label", *BOX_COLUMNS)
    table = clean_table(frame, name, (*needed, "confidence") if name == "predictions" else needed)
    box = np.stack([_numbers(table, column, name) for column in needed[2:]], axis=1)
    missing = np.isnan(box).sum(axis=1)
    boxed: BoolArray = (missing < 4) & (box != 0).any(axis=1)  # only zeros: an image without boxes
    _refuse(boxed & (missing > 0), "is incomplete", table, box, name)
    _refuse(np.any(np.abs(box) > FARTHEST, axis=1), "has coordinates that are infinite or too large", table, box, name)
    _refuse((box[:, 2] < 0) | (box[:, 3] < 0), "has a negative width or height", table, box, name)
    polygon = np.full(len(table), None, dtype=object)
    if "polygon" in frame.columns:
        outlined = frame["polygon"].notna().to_numpy()
        polygon[outlined] = frame["polygon"].to_numpy(dtype=object)[outlined]
        for row in np.flatnonzero(~boxed & outlined):
            box[row], boxed[row] = _around(polygon[row], name, table["image"].iat[row]), True
    _refuse(boxed & table["label"].isna().to_numpy(), "has no label (add one or drop the row)", table, box, name)
    rows = table[boxed]
    has_crowds = name == "truth" and "crowd" in frame.columns
    crowd = _crowds(frame["crowd"], table["image"]) if has_crowds else np.zeros(len(table), dtype=bool)
    return BoxedRows(
        all_rows=table[["image", "label"]],
        rows=rows,
        box=box[boxed],
        polygon=polygon[boxed],
        crowd=crowd[boxed],
        confidence=check_confidences(rows) if name == "predictions" else np.ones(len(rows)),
        without_box=int((table["label"].notna().to_numpy() & ~boxed).sum()),
    )


def _crowds(column: pd.Series, images: pd.Series) -> BoolArray:
    """Return the column ``crowd`` as a mask. A missing value is False."""
    codes, values = pd.factorize(column)
    flags = [as_boolean(value) for value in values]
    if None in flags:
        row = int((codes == flags.index(None)).argmax())
        raise TableError(
            f"The column 'crowd' of truth must contain only True and False. Image {images.iat[row]!r} has "
            f"{plain_repr(column.iat[row])}."
        )
    crowd: BoolArray = np.array([*flags, False], dtype=bool)[codes]  # -1, a missing value: the last one
    return crowd


def _positions(column: pd.Series, names: pd.Index) -> IntArray:
    """Return the position in ``names`` of each value in a categorical column, or -1 if ``names`` does not have it."""
    where = names.get_indexer(column.cat.categories).astype(np.int64)
    positions: IntArray = np.append(where, -1)[column.cat.codes.to_numpy()]
    return positions


def _numbers(table: pd.DataFrame, column: str, name: str) -> FloatArray:
    try:
        numbers: FloatArray = pd.to_numeric(table[column]).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TableError(f"The column {column!r} of {name} contains a value that is not a number: {error}") from error
    return numbers


def _around(polygon: object, name: str, image: str) -> FloatArray:
    try:
        box = polygon_to_ltwh(polygon)
        if (np.abs(box) <= FARTHEST).all():
            return box
    except (TypeError, ValueError):
        pass
    raise TableError(
        f"A polygon of {image!r} in {name} is not a list of finite points [x, y] in pixels, or of rings: "
        f"{str(polygon)[:80]!r}."
    )


def rasterised(
    rows: BoxedRows, name: str, image: IntArray, positions: IntArray, sizes: IntArray
) -> npt.NDArray[np.object_]:
    """Rasterise the polygons in the given rows, or the boxes of rows without one, to run-length encodings, shape (m,).

    ``image`` and ``positions`` are the image of each mask and the row of its polygon, ``sizes`` width and height.
    """
    masks = np.empty(len(positions), dtype=object)
    for number, (index, row) in enumerate(zip(image.tolist(), positions.tolist(), strict=True)):
        polygon = rows.polygon[row]
        if polygon is None:
            polygon = box_polygon(rows.box[row].tolist())
        else:
            _around(polygon, name, rows.rows["image"].iat[row])
        width, height = sizes[index].tolist()
        masks[number] = polygon_to_rle(polygon, (width, height))
    return masks


def canvas_sizes(test_images: npt.NDArray[np.object_], images: object, *tables: BoxedRows) -> IntArray:
    """Return the width and height of each test image, or those that its shapes need if unknown, shape (n, 2)."""
    index = pd.Index(test_images)
    sizes = np.full((len(index), 2), np.nan)
    if isinstance(images, pd.DataFrame) and {"width", "height"} <= set(images.columns):
        sides = images.drop_duplicates("image").set_index("image")[["width", "height"]].reindex(index)
        sizes = sides.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    needed = np.ones((len(index), 2))
    for table in tables:
        indices = _positions(table.rows["image"], index)
        corner = np.ceil(table.box[:, :2] + table.box[:, 2:])
        for row in [row for row, polygon in enumerate(table.polygon) if polygon is not None]:
            left, top, width, height = _around(table.polygon[row], "truth or predictions", table.rows["image"].iat[row])
            corner[row] = np.maximum(corner[row], np.ceil([left + width, top + height]))
        np.maximum.at(needed, indices[indices >= 0], corner[indices >= 0])
    result = np.where((sizes >= 1).all(axis=1, keepdims=True), sizes, needed)
    if (result.prod(axis=1) > MOST_PIXELS).any():
        most = int(result.prod(axis=1).argmax())
        raise TableError(
            f"Image {test_images[most]!r} has {result[most, 0]:.0f} × {result[most, 1]:.0f} pixels, too many for "
            "masks. Check its polygons, or scale it down."
        )
    return result.astype(np.int64)


def _refuse(wrong: BoolArray, what: str, table: pd.DataFrame, box: FloatArray, name: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise TableError(
            f"A box in {name} {what}: image {table['image'].iat[row]!r}, label {table['label'].iat[row]!r}, "
            f"left, top, width, height {box[row].tolist()}."
        )
