"""Table schemas: the columns and dtypes of images, annotations and labels, and their validation.

===================  =====================================================================================
images               one row per image: ``image`` (str, the URI as given), ``split`` (str: train, test),
                     ``status`` (str, one of :data:`STATUSES`), ``width``/``height`` (Int64, pixels of the
                     oriented image, missing until known), ``sha256`` (str; for a remote image its identity, see
                     :mod:`customlabels_nb.remote.remote_files`; missing until known), ``source`` (str,
                     where it was imported from), ``tags`` (object: list of str, such as "reviewed", see
                     :mod:`customlabels_nb.datasets.reviewed`), ``revision`` (int64), then any user columns
annotations          one row per label, box or polygon: ``image``, ``label`` (str), ``left``, ``top``,
                     ``width``, ``height`` (float64, pixels of the oriented image, NaN at image level),
                     ``polygon`` (object: list of [x, y], list of such rings, or None, see
                     :mod:`customlabels_nb.core.polygons`), ``crowd`` (bool), ``confidence`` (float64, 0 to 1),
                     ``annotator`` (str, starts with :data:`MACHINE` if a model assigned the label), ``job``
                     (str), ``created`` (datetime64, UTC), ``note`` (str, a remark about this annotation, missing if
                     there is none). The note on an image is the user column ``note`` of images
predictions          the columns of annotations, and ``model`` (str)
labels               ``label`` (str), ``color`` (str, #rrggbb), with rows in label order
issues               see :class:`customlabels_nb.core.issues.Issue`
===================  =====================================================================================

An image with status ``labelled`` and no annotation was labelled as empty, which means that none of the labels applies.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import plain_url, without_passwords
from customlabels_nb.core import table_columns
from customlabels_nb.core.colors import label_color
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.polygons import polygon_of, rings_of
from customlabels_nb.core.table_columns import one_label_per_row, read_frame
from customlabels_nb.errors import InputError, LabelError, TableError

Split: TypeAlias = Literal["train", "test"]
TRAIN: Final = "train"
TEST: Final = "test"
SPLITS: tuple[Split, ...] = get_args(Split)
SPLIT_NAMES = table_columns.SPLIT_NAMES
_BOOLEANS = {**dict.fromkeys(("true", "yes", "1", "1.0"), True), **dict.fromkeys(("false", "no", "0", "0.0"), False)}
Status: TypeAlias = table_columns.Status
STATUSES: tuple[str, ...] = get_args(Status)
SINGLE_LABEL: Final = "single-label"
MULTI_LABEL: Final = "multi-label"
BOXES: Final = "boxes"
POLYGONS: Final = "polygons"
#: Tasks of projects, models and evaluations.
Task: TypeAlias = Literal["single-label", "multi-label", "boxes", "polygons"]
TASKS: tuple[str, ...] = get_args(Task)
#: Tasks with image-level labels, and tasks with drawn objects.
CLASSIFICATION_TASKS, DRAWN_TASKS = TASKS[:2], TASKS[2:]

CREATED_DTYPE = "datetime64[us, UTC]"
#: Dtype of text columns, with missing values as NaN or None. pandas 2 has no such dtype, so they are objects there:
#: "O" keeps text columns apart from those with the dtype "object" here, which contain other values.
TEXT = "str" if int(pd.__version__.partition(".")[0]) > 2 else "O"

#: Most characters of a note on an image or an annotation.
LONGEST_NOTE = 1000

#: Start of ``annotator`` for labels that a model assigned. The name of the model or run follows.
MACHINE = "model:"

IMAGE_COLUMNS: dict[str, str] = {
    "image": TEXT,
    "split": TEXT,
    "status": TEXT,
    "width": "Int64",
    "height": "Int64",
    "sha256": TEXT,
    "source": TEXT,
    "tags": "object",
    "revision": "int64",
}
BOX_COLUMNS = table_columns.BOX_COLUMNS
ANNOTATION_COLUMNS: dict[str, str] = {
    "image": TEXT,
    "label": TEXT,
    "left": "float64",
    "top": "float64",
    "width": "float64",
    "height": "float64",
    "polygon": "object",
    "crowd": "bool",
    "confidence": "float64",
    "annotator": TEXT,
    "job": TEXT,
    "created": CREATED_DTYPE,
    "note": TEXT,
}
PREDICTION_COLUMNS: dict[str, str] = {**ANNOTATION_COLUMNS, "model": TEXT}
LABEL_COLUMNS: dict[str, str] = {"label": TEXT, "color": TEXT}
ISSUE_COLUMNS: dict[str, str] = {"code": TEXT, "message": TEXT, "where": TEXT, "source": TEXT, "line": "Int64"}


def empty(columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})


def as_text(column: pd.Series) -> pd.Series:
    """Convert the values of a column to text. Missing values stay missing."""
    if TEXT == "str":
        return column.astype(TEXT)
    texts = column.astype(TEXT).map(str, na_action="ignore")  # astype("str") of pandas 2 returns "None" and "nan"
    return texts.astype(TEXT).where(column.notna(), None)


def is_among(column: pd.Series, values: pd.Series | Sequence[object]) -> pd.Series:
    """Return a mask of the texts that are among the values.

    ``isin`` of pandas 3 converts each value of a text column in Python, which takes most of the time to read a dataset.
    """
    return column.astype(object).isin(np.asarray(values, dtype=object))


def copied(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy a table for a caller who may change it. pandas 3 copies only what is changed, pandas 2 everything."""
    return frame.copy(deep=TEXT != "str")


def label_images(images: Sequence[str], label: str, annotator: str) -> pd.DataFrame:
    """Create one annotation per image with the given label, which is not validated, and confidence 1."""
    count = len(images)
    texts: dict[str, Sequence[str | None]] = {
        "image": images,
        "label": [label] * count,
        "annotator": [annotator] * count,
    }
    texts |= dict.fromkeys(("job", "note"), [None] * count)
    columns = {name: pd.array(values, dtype=TEXT) for name, values in texts.items()}
    columns |= dict.fromkeys(BOX_COLUMNS, np.full(count, np.nan))
    columns |= {"polygon": np.full(count, None, dtype=object), "crowd": np.zeros(count, dtype=bool)}
    now = pd.array([pd.Timestamp.now(tz="UTC")] * count, dtype=CREATED_DTYPE)
    return pd.DataFrame({**dict.fromkeys(ANNOTATION_COLUMNS), **columns, "confidence": np.ones(count), "created": now})


def by_machine(annotations: pd.DataFrame) -> pd.Series:
    """Return a mask of the annotations that a model assigned and nobody has edited since."""
    return annotations["annotator"].str.startswith(MACHINE, na=False).astype(bool)


def as_boolean(value: object) -> bool | None:
    """Return a boolean, 0, 1, or one of the words true, false, yes and no as a boolean, and None for anything else."""
    return _BOOLEANS.get(str(value).strip().lower())


def split_named(name: object) -> str | None:
    """Return the split that a name such as "Training" or "val" means, or None for another name."""
    return SPLIT_NAMES.get(str(name).strip().lower())


def split_of_folders(folders: Iterable[str]) -> str:
    """Return the split of the first folder that is named after one, by default the training set."""
    return next((SPLIT_NAMES[name.lower()] for name in folders if name.lower() in SPLIT_NAMES), TRAIN)


def check_split(split: str) -> str:
    if split not in SPLITS:
        raise InputError(f"split={split!r} is unknown. Choose 'train' or 'test'.")
    return split


def check_label(name: object, *, max_length: int = 256) -> str:
    """Return a label after checking its type, length and characters (no lone surrogates).

    Outer white space is removed, and characters that can be written in several ways are composed (Unicode NFC).
    """
    if not isinstance(name, str):
        advice = "Pass each label by itself."
        if isinstance(name, int | float | np.number):
            advice = f"Convert class numbers to names, as in names[{name!r}] with a list or dict of them."
        raise LabelError(f"A label must be a string, not {name!r}. {advice}")
    text = name.strip()
    if not 1 <= len(text) <= max_length:
        raise LabelError(f"A label must have 1 to {max_length} characters, but {text[:40]!r} has {len(text)}.")
    if not storable(text):
        raise LabelError(f"The label {text!r} contains characters that cannot be stored (NUL or a lone surrogate).")
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def check_note(text: object) -> str:
    """Return a note without white space around it, after checking its type, length and characters."""
    if not isinstance(text, str) or len(text) > LONGEST_NOTE or not storable(text):
        raise InputError(
            f"The note {str(text)[:40]!r} must be text of at most {LONGEST_NOTE:,} characters, without NUL or a lone "
            "surrogate. Shorten it."
        )
    return text.strip()


def storable(text: str) -> bool:
    """Check that a string contains no NUL and no lone surrogate, which JSON allows but databases cannot store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def normalise_images(frame: pd.DataFrame, *, split: str | None = None) -> pd.DataFrame:
    """Create an images table from a DataFrame with at least the column ``image``. Extra columns go last."""
    check_columns(frame, "images", ["image"])
    _check_names(frame["image"])
    result = frame.reset_index(drop=True)
    result.columns = result.columns.map(str)
    result["image"] = _plain_urls(result["image"])
    repeated = result["image"].duplicated()
    if repeated.any():
        name = str(result.loc[repeated, "image"].iloc[0])
        raise TableError(f"The image {name!r} is in more than one row. Drop the duplicate rows.")
    if split is not None:
        result["split"] = split
    defaults: dict[str, object] = {"split": TRAIN, "status": "unlabelled", "revision": 0}
    for name, dtype in IMAGE_COLUMNS.items():
        if name not in result.columns:
            result[name] = [[] for _ in range(len(result))] if name == "tags" else defaults.get(name)
        elif name in defaults and result[name].isna().any():  # as in a table of rows that do not all have it
            result[name] = result[name].astype("object").where(result[name].notna(), defaults[name])
        result[name] = _cast(result[name], name, dtype)
    if not result["split"].isin(SPLITS).all():
        result["split"] = result["split"].map(lambda name: split_named(name) or name).astype(TEXT)
    _check_values(result, "split", SPLITS)
    _check_values(result, "status", STATUSES)
    extra = [name for name in result.columns if name not in IMAGE_COLUMNS]
    return result[[*IMAGE_COLUMNS, *extra]]


def normalise_annotations(frame: pd.DataFrame, *, annotator: str | None = None) -> pd.DataFrame:
    """Create an annotations table from a DataFrame with ``image``, ``label`` and, for boxes, four coordinate columns.

    Columns may have the names that :func:`.table_columns.read_frame` reads. Boxes are in pixels of the oriented image.
    A polygon without a box gets its bounding box. A list of labels of an image becomes one row per label. Rows without
    a label (unlabelled images) and duplicate image-level labels are dropped.
    """
    check_columns(frame, "annotations", [])
    plain = {*frame.columns} <= {"image", "label", *BOX_COLUMNS}
    if not plain or any(str(dtype) == "object" or isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes):
        frame, _ = read_frame(frame, of="annotations")
    check_columns(frame, "annotations", ["image", "label"])
    result = frame[frame["label"].notna()]
    if not isinstance(result["label"].dtype, pd.StringDtype) or result["label"].str[:1].isin(("[", "(")).any():
        result = one_label_per_row(result)
    result = result[result["label"].notna()].reset_index(drop=True)
    result["image"] = _plain_urls(result["image"])
    result["label"] = _checked_labels(result["label"])
    defaults = {"crowd": False, "confidence": 1.0, "annotator": annotator, "created": pd.Timestamp.now(tz="UTC")}
    for name, dtype in ANNOTATION_COLUMNS.items():
        if name not in result.columns:
            result[name] = defaults.get(name)
        elif name in ("crowd", "confidence", "created") and result[name].isna().any():
            result[name] = result[name].astype("object").where(result[name].notna(), defaults[name])
        result[name] = _cast(result[name], name, dtype)
    result["note"] = _checked_notes(result["note"])
    if "polygon" in frame.columns:
        _fill_boxes(result)
    _check_boxes(result)
    _check_confidences(result["confidence"], result["image"])
    result = result[list(ANNOTATION_COLUMNS)]
    whole = result.loc[result["left"].isna() & result["polygon"].isna(), ["image", "label"]]
    repeated = whole.index[whole.duplicated()]
    return result.drop(index=repeated).reset_index(drop=True)


def _checked_labels(labels: pd.Series) -> pd.Series:
    for value in labels if labels.dtype == object else ():
        if not isinstance(value, str):
            check_label(value)  # raises an error, also for what cannot be hashed
    return labels.map({name: check_label(name) for name in labels.unique()})


def _check_confidences(confidences: pd.Series, images: pd.Series) -> None:
    outside = ~confidences.between(0, 1)
    if outside.any():
        raise TableError(
            f"Confidences must be between 0 and 1, but {float(confidences[outside].iloc[0])!r} for image "
            f"{str(images[outside].iloc[0])!r} is not."
        )


def normalise_predictions(frame: pd.DataFrame) -> pd.DataFrame:
    """Create a predictions table from a DataFrame as for :func:`normalise_annotations`, and a column ``model``."""
    check_columns(frame, "predictions", ["image", "label", "model"])
    tables = [
        normalise_annotations(rows).assign(model=str(model)) for model, rows in frame.groupby("model", sort=False)
    ]
    table = pd.concat(tables, ignore_index=True) if tables else empty(PREDICTION_COLUMNS)
    return table.astype({"model": TEXT})


def normalise_labels(labels: Iterable[str] | pd.DataFrame) -> pd.DataFrame:
    """Create a labels table from names, or from a DataFrame with ``label`` and optionally ``color``."""
    if isinstance(labels, str | bytes):
        raise LabelError(f"labels={labels!r} is a single name. Pass a list of names.")
    if not isinstance(labels, Iterable):
        raise LabelError(f"labels={labels!r} is not a list of names.")
    frame = labels if isinstance(labels, pd.DataFrame) else pd.DataFrame({"label": list(labels)})
    if "label" not in frame.columns:
        raise TableError(f"The labels table needs a column 'label'. Its columns are {list(frame.columns)}.")
    names = [check_label(name) for name in frame["label"]]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise LabelError(f"labels has {twice!r} more than once: {names!r}. List each label once.")
    colors_given = list(frame["color"]) if "color" in frame.columns else [None] * len(names)
    colors = [c if isinstance(c, str) and c else label_color(i) for i, c in enumerate(colors_given)]
    return pd.DataFrame({"label": names, "color": colors}, columns=list(LABEL_COLUMNS)).astype(LABEL_COLUMNS)


def labels_in_order(annotations: pd.DataFrame, known_labels: Iterable[str] = ()) -> list[str]:
    """Return the ``known_labels``, then the other labels used in the annotations in alphabetical order."""
    first = list(known_labels)
    seen = set(first)
    return first + sorted(name for name in annotations["label"].unique() if name not in seen)


def settle_statuses(
    images: pd.DataFrame, annotations: pd.DataFrame, *, changed: pd.Series | None = None
) -> pd.DataFrame:
    """Update the status of each image to agree with its annotations.

    An annotated image that was unlabelled or skipped becomes labelled. A labelled image without annotations becomes
    unlabelled if it is in ``changed``. Otherwise it was labelled as empty and stays labelled.
    """
    result = images.copy()
    annotated = is_among(result["image"], annotations["image"])
    result.loc[annotated & result["status"].isin(["unlabelled", "skipped"]), "status"] = "labelled"
    if changed is not None:
        bare = ~annotated & is_among(result["image"], changed) & (result["status"] == "labelled")
        result.loc[bare, "status"] = "unlabelled"
    return result


def check_columns(frame: object, what: str, needed: Sequence[str]) -> None:
    """Raise TableError if a table is none, lacks one of the columns that it needs, or has one twice."""
    if not isinstance(frame, pd.DataFrame):
        raise TableError(f"The {what} table must be a DataFrame, not {type(frame).__name__}.")
    if frame.columns.nlevels > 1:
        check_flat(frame, what)
    for name in needed:
        if name not in frame.columns:
            index = table_columns.about_index(frame) if name == "image" else ""
            raise TableError(f"The {what} table needs a column {name!r}, but has {list(frame.columns)}.{index}")
    if not frame.columns.map(str).is_unique:
        raise TableError(f"The {what} table has a duplicate column: {list(frame.columns)}. Rename or drop one of them.")
    if "image" in needed and frame["image"].isna().any():
        raise TableError("The column 'image' has empty cells. Each row needs a path or URL.")


def check_flat(frame: pd.DataFrame, what: str) -> None:
    """Raise TableError if the columns have several levels."""
    if frame.columns.nlevels > 1:
        raise TableError(
            f"The {what} table has columns with {frame.columns.nlevels} levels, such as {frame.columns[0]!r}. Keep "
            "one, for example with frame.columns = frame.columns.get_level_values(0)."
        )


def _check_names(images: pd.Series) -> None:
    text = "\n".join(map(str, images.tolist()))
    if not storable(text):
        raise TableError(
            "The column 'image' contains a name that cannot be stored (with a NUL, or not valid UTF-8). "
            "Pass such files as a list of paths."
        )
    if (as_text(images) == "").any():
        raise TableError("The column 'image' has empty cells. Each row needs a path or URL.")


def _plain_urls(images: pd.Series) -> pd.Series:
    text = "\n".join(map(str, images.tolist()))
    return images.map(lambda name: plain_url(str(name))) if "@" in text and without_passwords(text) != text else images


def _cast(column: pd.Series, name: str, dtype: str) -> pd.Series:
    if column.dtype == dtype and column.dtype != object:
        return column
    if dtype == "bool":
        return _booleans(column, name)
    try:
        if dtype == TEXT:
            return as_text(column)
        if dtype == CREATED_DTYPE:
            return _moments(column).astype(CREATED_DTYPE)
        if name == "tags":
            values = [[] if type(value) is list and not value else _tags(value) for value in column.tolist()]
            return pd.Series(values, index=column.index, dtype="object")
        if dtype == "object":
            return column.astype("object").where(column.notna(), None)
        return column.astype(dtype)  # type: ignore[call-overload,no-any-return,unused-ignore]
    except (TypeError, ValueError, OverflowError) as error:
        why = str(error).partition(". You might want")[0]  # pandas names arguments of its own
        raise TableError(f"The column {name!r} cannot be converted to {dtype}: {why}") from error


def _booleans(column: pd.Series, name: str) -> pd.Series:
    values = [as_boolean(value) for value in column.tolist()]
    if None in values:
        row = values.index(None)
        wrong = column.tolist()[row]
        raise TableError(f"The column {name!r} has {wrong!r} in row {row}, not True, False, 1, 0, yes or no.")
    return pd.Series(values, index=column.index, dtype=bool)


def _moments(column: pd.Series) -> pd.Series:
    try:
        return pd.to_datetime(column, utc=True)
    except ValueError:  # some strings have fractions of a second and some do not
        return pd.to_datetime(column, utc=True, format="ISO8601")


def _tags(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(tag) for tag in value] if isinstance(value, Iterable) else []


def _check_values(frame: pd.DataFrame, name: str, allowed: tuple[str, ...]) -> None:
    wrong = ~frame[name].isin(allowed)
    if wrong.any():
        raise TableError(f"{name}={frame.loc[wrong, name].iloc[0]!r} is unknown. Choose one of: {', '.join(allowed)}.")


def _checked_notes(column: pd.Series) -> pd.Series:
    notes = {note: check_note(note) or None for note in column.dropna().unique()}
    return column.map(notes).astype(TEXT) if notes else column


def _fill_boxes(frame: pd.DataFrame) -> None:
    """Add the bounding boxes of polygons without a box, make arrays lists, and refuse values that are not polygons."""
    if frame["polygon"].isna().all():
        return
    polygons, names = frame["polygon"].tolist(), frame["image"].tolist()
    lacking = frame[list(BOX_COLUMNS)].isna().all(axis=1).tolist()
    boxes = {}
    for row, polygon in enumerate(polygons):
        if polygon is None or (not lacking[row] and _starts_with_point(polygon)):
            continue
        try:
            rings = rings_of(polygon)
        except (ValueError, TypeError, OverflowError):
            raise TableError(
                f"The polygon {repr(polygon)[:80]} of image {str(names[row])!r} is not a list of points [x, y] or of "
                "such lists. Convert JSON text with json.loads, and flat lists with np.reshape(…, (-1, 2)).tolist()."
            ) from None
        if not _starts_with_point(polygon):
            polygons[row] = polygon_of(rings)
        if lacking[row] and rings and all(np.isfinite(ring).all() for ring in rings):
            boxes[row] = polygon_to_ltwh(rings)
    frame["polygon"] = pd.Series(polygons, index=frame.index, dtype="object")
    if boxes:
        frame.loc[list(boxes), list(BOX_COLUMNS)] = np.stack(list(boxes.values()))


def _starts_with_point(polygon: object) -> bool:
    """Check the start of a polygon, which takes much less time than to convert all of it."""
    first = polygon[0] if type(polygon) is list and polygon else None
    return type(first) is list and len(first) == 2 and type(first[0]) in (int, float)


def _check_boxes(frame: pd.DataFrame) -> None:
    boxes = frame[list(BOX_COLUMNS)].to_numpy()
    present = ~np.isnan(boxes)
    partial = present.any(axis=1) & ~present.all(axis=1)
    if partial.any():
        image = frame.loc[partial, "image"].iloc[0]
        lacking = [side for side, known in zip(BOX_COLUMNS, present[partial][0], strict=True) if not known]
        raise TableError(
            f"A box of image {str(image)!r} lacks a value in {', '.join(lacking)}. Add it or rename columns."
        )
    bad = np.isinf(boxes).any(axis=1) | (boxes[:, 2:] < 0).any(axis=1)
    if bad.any():
        raise TableError(
            f"A box of image {str(frame.loc[bad, 'image'].iloc[0])!r} has a negative size or is not finite: "
            f"{boxes[bad][0].tolist()}."
        )
