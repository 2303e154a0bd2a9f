"""Decide what each column of a table is: the image, a box, a label, a fact about one of these, or the user's own.

The columns of every table of images, annotations or predictions are decided here, those of CSV files included. The
rules apply in order, and each decision states its reason. The guide on tables and CSV files lists them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_float_dtype, is_numeric_dtype, is_object_dtype

from customlabels_nb._utils.text import counted
from customlabels_nb.core.box_columns import CORNERS, look_like_boxes, notation_of, numbers_of_box, to_ltwh, unstated
from customlabels_nb.core.geometry import centred_to_ltwh, xyxy_to_ltwh
from customlabels_nb.core.limits import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from customlabels_nb.errors import TableError

#: Rows of images (with or without labels), of annotations alone, or of predictions.
Kind: TypeAlias = Literal["images", "annotations", "predictions"]
Values: TypeAlias = Callable[[int], Iterable[Any]]

BOX_COLUMNS: Final = ("left", "top", "width", "height")
Status: TypeAlias = Literal["unlabelled", "labelled", "skipped", "needs_review"]
#: Names of splits in other programs. Images for validation become test images.
SPLIT_NAMES: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing", "val", "valid", "validation"), "test"),
}
IMAGE_NAMES: Final = ("image", "filename", "file_name", "file", "path", "image_path", "image_name")
LABEL_NAMES: Final = ("label", "class", "class_name", "category", "category_name", "tag", "name")
_NUMBERS_OF_LABELS = ("category_id", "class_id", "classid")
_INDEX_NAMES = ("", "unnamed: 0", "index")
#: Names of columns of 0 and 1 that are about the work on an image or its split, and not about what it shows.
_STATES = re.compile(
    r"(is_|was_|has_been_|needs_)?(reviewed|review|checked|verified|approved|confirmed|valid(ated|ation)?|val|train(ing)?"
    r"|test(ing)?|done|finished|completed?|labell?ed|annotated|exported|uploaded|downloaded|processed|skipped|ignored"
    r"|excluded|selected)"
)
#: Roles of columns of boxes with a centre.
CENTRED: Final = ("x_center", "y_center", "width", "height")
#: Roles of the columns of each complete set of boxes.
_BOX_SETS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    BOX_COLUMNS: BOX_COLUMNS,
    CORNERS: CORNERS,
    ("left", "top", "right", "bottom"): CORNERS,
    ("xmin", "ymin", "width", "height"): BOX_COLUMNS,
    **dict.fromkeys((CENTRED, ("xcenter", "ycenter", "width", "height"), ("cx", "cy", "w", "h")), CENTRED),
}

#: Roles that are not columns of the tables.
ONE_BOX, FLAG, PROBABILITY = "bbox", "flag of a label", "probability of a label"
OWN, OTHER, INDEX, LIKE_BOX = "own", "not imported", "index", "like a box"

_LISTS = (list, tuple, set, frozenset, np.ndarray)
TRUE = frozenset({1, "1", "1.0", "True", "true", "TRUE"})
_FLAGS = TRUE | {0, "0", "0.0", "False", "false", "FALSE"}
#: Texts in lower case that programs write for missing numbers.
_EMPTY = frozenset({"nan", "none", "null", "na", "n/a", "<na>"})
_JOINED = re.compile(r"\s*[|;,]\s*")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_A_LIST = re.compile(rf"""\[\s*(?:(?:{_QUOTED.pattern})[\s,]*)*\]|\(\s*(?:(?:{_QUOTED.pattern})[\s,]*)+\)""")
_ENDINGS = tuple(IMAGE_SUFFIXES | UNREAD_SUFFIXES)


class ColumnDecision(NamedTuple):
    """Hold what a column is, and why."""

    column: Any
    role: str
    reason: str


@dataclass(frozen=True)
class Decisions:
    """ColumnDecision about each column of a table, in their order, and the notation of the boxes in a single column."""

    of_columns: tuple[ColumnDecision, ...] = ()
    notation: str = ""

    @property
    def roles(self) -> dict[str, int]:
        """Position of the first column with each role."""
        return {each.role: position for position, each in reversed([*enumerate(self.of_columns)])}

    def having(self, *roles: str) -> list[Any]:
        """Return the columns with one of the roles."""
        return [each.column for each in self.of_columns if each.role in roles]

    def notes(self) -> Iterator[tuple[str, str]]:
        """Yield columns that may have been meant otherwise, each with a sentence about it."""
        labelled = bool(self.having("label", FLAG))
        for column, role, _ in self.of_columns:
            if role == "label" and str(column).strip().lower() != "label":
                yield str(column), f"The column {column!r} was read as the label."
            elif not labelled and str(column).lower() in _NUMBERS_OF_LABELS:
                yield column, f"The column {column!r} has numbers of labels. Add a column 'label' with their names."
            elif not labelled and role == "tags" and not self.having("revision"):
                yield column, _TAGS
        for role, sentence in _SENTENCES.items():
            if columns := self.having(role):
                yield str(columns[0]), sentence.format(", ".join(map(repr, columns)))


_TAGS = "The column 'tags' was not read as labels. If it has them, pass table.assign(label=table['tags'].str.split())."
#: Names of columns of boxes that are read.
RENAME_BOXES: Final = (
    "rename them to left, top, width and height, to xmin, ymin, xmax and ymax, or to x_center, y_center, width and "
    "height"
)
_SENTENCES = {
    FLAG: "The columns {} have only 0 and 1, and were read as labels. If they are your own, add an "
    "empty column 'label'.",
    LIKE_BOX: f"The columns {{}} were not read as boxes. If they are boxes, {RENAME_BOXES}.",
}


class _Fact(NamedTuple):
    """Column about a label or an image. Under another name, or in other letters, it counts if all values fit."""

    others: tuple[str, ...] = ()
    of_label: bool = True
    fits: Callable[[Iterable[Any]], bool] | None = lambda _: True


def _are_within_1(values: Iterable[Any]) -> bool:
    numbers = _numbers(values)
    return numbers is not None and bool(numbers.between(0, 1).all())


def _are_among(names: Collection[str]) -> Callable[[Iterable[Any]], bool]:
    return lambda values: {str(each).strip().lower() for each in values if not is_missing(each)} <= {*names}


_EXACT = _Fact(fits=None)
_OF_IMAGE = _Fact(of_label=False, fits=None)
_FACTS: Mapping[str, _Fact] = {
    "confidence": _Fact(("score", "conf", "prob", "probability", "confidence_score"), fits=_are_within_1),
    "crowd": _Fact(("iscrowd", "is_crowd")),
    "polygon": _Fact(),
    "annotator": _Fact(),
    "job": _EXACT,
    "created": _EXACT,
    "note": _Fact(of_label=False),
    "split": _Fact(("subset",), of_label=False, fits=_are_among(SPLIT_NAMES)),
    "status": _Fact(of_label=False, fits=_are_among(get_args(Status))),
    "image_width": _Fact(("width",), of_label=False),
    "image_height": _Fact(("height",), of_label=False),
    **dict.fromkeys(("tags", "sha256", "source", "revision"), _OF_IMAGE),
    "model": _OF_IMAGE,
}
KNOWN = frozenset([*IMAGE_NAMES, *LABEL_NAMES, *_INDEX_NAMES, *_FACTS, *(n for f in _FACTS.values() for n in f.others)])
#: Names that columns of the user's own cannot have, because the tables use them.
_RESERVED = frozenset([*_FACTS, *BOX_COLUMNS, "image", "label"]) - {"image_width", "image_height", "note", "model"}


@dataclass
class _Table:
    """Columns of a table while they are decided."""

    names: Sequence[Hashable]
    values: Values
    of: Kind
    labels: Collection[str]
    given: dict[int, ColumnDecision] = field(default_factory=dict)
    notation: str = ""

    def __post_init__(self) -> None:
        self.keys = [name.strip().lower() if isinstance(name, str) else str(name) for name in self.names]
        self._exact = {name: position for position, name in reversed([*enumerate(self.names)])}
        self._lower = {key: position for position, key in reversed([*enumerate(self.keys)])}

    def find(self, *known: str) -> list[int]:
        """Return the columns without a decision that have one of the names, in the order of these names."""
        found = (self._exact.get(name, self._lower.get(name)) for name in known)
        return [position for position in found if position is not None and position not in self.given]

    def decide(self, positions: Iterable[int], roles: str | Sequence[str], reason: str) -> None:
        for number, position in enumerate(positions):
            role = roles if isinstance(roles, str) else roles[number]
            self.given[position] = ColumnDecision(self.names[position], role, reason)

    def has(self, *roles: str) -> bool:
        return any(decision.role in roles for decision in self.given.values())

    def is_first(self, position: int) -> bool:
        return self._exact[self.names[position]] == position

    @property
    def named_after_labels(self) -> list[int]:
        return [position for position in self.free if str(self.names[position]).strip() in self.labels]

    @property
    def free(self) -> list[int]:
        return [position for position in range(len(self.names)) if position not in self.given]


def decide(
    names: Sequence[Hashable], values: Values, *, of: Kind = "images", labels: Collection[str] = ()
) -> Decisions:
    """Decide what each column of a table is.

    Parameters
    ----------
    names : sequence
        Names of the columns.
    values : callable
        Function that returns the values of the column at a position. Only rules that depend on them call it.
    of : {"images", "annotations", "predictions"}
        Kind of the table.
    labels : collection of str
        Known labels. Columns of probabilities have their names, and columns of 0 and 1 if there are any.

    Raises
    ------
    TableError
        If columns of boxes are incomplete, have no labels, or do not state their notation.
    """
    table = _Table(names, values, of, labels)
    table.decide(table.find(*IMAGE_NAMES)[:1], "image", "names the image")
    if table.has("image"):
        for rule in (_decide_boxes, _decide_labels, _decide_facts):
            rule(table)
    for position in table.free:
        table.decide([position], *_otherwise(table, position))
    return Decisions(tuple(table.given[position] for position in range(len(names))), table.notation)


def _decide_boxes(table: _Table) -> None:
    """Decide which columns are boxes: a complete set in one notation, a single column, or none."""
    complete = next((sides for sides in _BOX_SETS if len(table.find(*sides)) == 4), None)
    if complete:
        table.decide(table.find(*complete), _BOX_SETS[complete], f"belongs to {', '.join(complete)}")
    elif (single := _single_column(table)) is not None:
        table.decide([single], ONE_BOX, "has whole boxes")
    else:
        _name_incomplete(table)
    shapes = [each for each in table.given.values() if each.role in (ONE_BOX, "left", "xmin", "x_center")]
    drawn = [*(each.column for each in shapes), *(table.names[position] for position in table.find("polygon"))]
    if drawn and not table.find(*LABEL_NAMES):
        raise TableError(
            f"The table has boxes ({drawn[0]!r}), but no column 'label'. Rename the column with the labels, or add "
            f"one. The columns are {[*map(str, table.names)]}."
        )


def _single_column(table: _Table) -> int | None:
    """Return the column of whole boxes, the one with the shortest name if there are several."""
    notations = {position: notation_of(table.names[position]) for position in table.free}
    named = [position for position, notation in notations.items() if notation is not None]
    for position in sorted(named, key=lambda position: (len(table.keys[position]), table.keys[position])):
        table.notation = notations[position] or ""
        if table.notation:
            return position
        if any(
            bool(each) if isinstance(each, list | tuple) else numbers_of_box(each) for each in table.values(position)
        ):
            raise TableError(unstated(str(table.names[position])))
    return None


def _name_incomplete(table: _Table) -> None:
    """Refuse some sides of a box without the others, and set apart columns that may be boxes under other names."""
    for sides, deciding in ((BOX_COLUMNS, ("left", "top")), (CORNERS, CORNERS)):
        if len(table.find(*deciding)) >= 2:
            lacking = [side for side in sides if not table.find(side)]
            raise TableError(
                f"The boxes need the columns {', '.join(sides)}, but {', '.join(lacking)} are missing. Rename columns "
                f"or add them. The columns are {[*map(str, table.names)]}."
            )
    alike = {*look_like_boxes(table.names[position] for position in table.free)}
    free = [position for position in table.free if table.names[position] in alike]
    table.decide(free, LIKE_BOX, "may be a box under a name that is not read")


def _decide_labels(table: _Table) -> None:
    """Decide which columns are labels: one of names, several of 0 and 1, or probabilities of known labels."""
    if named := table.find(*LABEL_NAMES):
        certain = len(named) == 1 or table.names[named[0]] == "label"
        texts = named if certain else [each for each in named if _numbers(table.values(each)) is None]
        table.decide((texts or named)[:1], "label", "names the label")
    elif table.of == "predictions":
        table.decide(_probabilities(table), PROBABILITY, "has numbers and the name of a label")
    else:
        table.decide(_flags(table), FLAG, "has only 0 and 1, as others do, and nothing names the label")


def _probabilities(table: _Table) -> list[int]:
    """Return the columns of numbers with the names of labels, unless the table has a confidence."""
    if table.find("confidence"):
        return []
    return [position for position in table.named_after_labels if _numbers(table.values(position)) is not None]


def _flags(table: _Table) -> list[int]:
    """Return the columns of 0 and 1 if there are several, without those about the work, such as ``reviewed``.

    If labels are known, only these count. A table that was written here has no labels on purpose.
    """
    if {"status", "sha256", "created"} & {*table.names}:
        return []
    others = [p for p in table.free if table.keys[p] not in KNOWN and not _STATES.fullmatch(table.keys[p])]
    likely = table.named_after_labels
    flags = [position for position in likely or others if _are_flags(table.values(position))]
    return flags if len(flags) > 1 or likely else []


def _decide_facts(table: _Table) -> None:
    """Decide which columns are about the label or the image, such as its confidence, split or size."""
    labelled = table.has("label", FLAG)
    for role, fact in _FACTS.items():
        for position in table.find(role, *fact.others)[:1] if role != "model" or table.of != "images" else ():
            if table.names[position] != role and not _fits(fact, table, position):
                continue
            if (fact.of_label or (role == "note" and table.of == "predictions")) and not labelled:
                table.decide([position], OTHER, "is about a label, but no column names one")
            elif table.of != "images" and role in ("split", "status"):
                table.decide([position], OTHER, "is about images, which the table does not have")
            else:
                table.decide([position], role, f"is the {role.replace('_', ' ')}")


def _fits(fact: _Fact, table: _Table, position: int) -> bool:
    """Check whether a column with another name than that of the fact, or in other letters, is meant."""
    return fact.fits is not None and (table.of != "images" or fact.fits(table.values(position)))


def _otherwise(table: _Table, position: int) -> tuple[str, str]:
    """Return the role of a column that no other rule decides, and the reason."""
    if table.keys[position] in _INDEX_NAMES and _count_up(table.values(position)):
        return INDEX, "numbers the rows"
    if table.of != "images":
        return OTHER, "annotations have no columns of the user's own"
    if table.names[position] in _RESERVED or not table.keys[position] or not table.is_first(position):
        return OTHER, "has no name that a column of the user's own can have"
    return OWN, "is of the user's own"


def is_missing(value: object) -> bool:
    """Check whether a cell is empty: None, NaN, or text of nothing but white space."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def is_no_number(text: object) -> bool:
    """Check whether a text means an empty cell in a column of numbers, such as NaN."""
    return isinstance(text, str) and text.strip().lower() in _EMPTY


def _numbers(values: Iterable[Any]) -> pd.Series | None:
    """Return the values as numbers, or None if there are others than numbers, or none. True and False are others."""
    column = values if isinstance(values, pd.Series) else pd.Series([*values], dtype=object)
    if not is_numeric_dtype(column.dtype):
        column = column[[not (is_missing(value) or is_no_number(value)) for value in column]]
        texts_or_numbers = {*map(type, column)} <= {str, int, float} and len(column) > 0
        column = pd.to_numeric(column, errors="coerce") if texts_or_numbers else column
    is_number = is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype) and len(column) > 0
    return column if is_number and (column is values or column.notna().all()) else None


def _are_flags(values: Iterable[Any]) -> bool:
    try:
        distinct = set(values.unique() if isinstance(values, pd.Series) else values)
    except TypeError:
        return False
    return bool(distinct) and distinct <= _FLAGS


def _count_up(values: Iterable[Any]) -> bool:
    texts = [*map(str, values)]
    return any(texts == [*map(str, range(first, first + len(texts)))] for first in (0, 1))


# -- DataFrames -------------------------------------------------------------------------------------


def read_frame(
    frame: pd.DataFrame, *, of: Kind = "images", labels: Collection[str] = ()
) -> tuple[pd.DataFrame, Decisions]:
    """Return a table with the usual columns, one row for each label, and the decisions about its columns.

    Boxes become ``left, top, width, height``, and sizes of images ``image_width`` and ``image_height``. Scalars of
    NumPy and PyTorch become numbers. Columns of the user's own keep their names.

    Raises
    ------
    TableError
        If :func:`decide` raises it, or a cell that must have one value has a list.
    """
    if frame.columns.nlevels > 1 or not frame.columns.is_unique:
        return frame, Decisions()
    frame = _unwrapped(frame)
    decisions = decide([*frame.columns], lambda position: frame.iloc[:, position], of=of, labels=labels)
    if "image" not in decisions.roles:
        return frame, decisions
    _check_cells(frame, decisions)
    frame = _renamed(frame, decisions)
    for sides, convert in ((CORNERS, xyxy_to_ltwh), (CENTRED, centred_to_ltwh)):
        if sides[0] in decisions.roles:
            boxes = convert(np.column_stack([_as_numbers(frame[name], name) for name in sides]))
            frame = _with_boxes(frame.drop(columns=[*sides]), boxes)
    for column in decisions.having(ONE_BOX):
        frame = _with_boxes(frame.drop(columns=column), _boxes_of_column(frame, column, decisions.notation))
    if flags := decisions.having(FLAG):
        frame = _from_flags(frame, flags, of)
    elif probabilities := decisions.having(PROBABILITY):
        frame = frame[["image", *probabilities]].rename(columns=str)
        frame = frame.melt("image", var_name="label", value_name="confidence")
    elif of == "images" and "label" in decisions.roles:
        frame = _labelled_as_empty(frame)
    return frame, decisions


def _check_cells(frame: pd.DataFrame, decisions: Decisions) -> None:
    """Refuse lists in columns of single values, and numbers as labels."""
    several = {"label", ONE_BOX, "polygon", "tags", OWN, OTHER, INDEX, LIKE_BOX}
    for column, role, _ in decisions.of_columns:
        if role not in several:
            _refuse_lists(frame, column, decisions.having("label"))
        elif role == "label" and column != "label":
            _refuse_numbers(frame[column], column)


def _renamed(frame: pd.DataFrame, decisions: Decisions) -> pd.DataFrame:
    """Return a table with the usual names, without other columns that have one of them, and whole image numbers."""
    taken = [column for column in decisions.having(OTHER, LIKE_BOX) if column in _RESERVED]
    usual = _RESERVED | {*_FACTS, *CORNERS, *CENTRED}
    names = {column: role for column, role, _ in decisions.of_columns if role in usual and column != role}
    frame = frame.drop(columns=taken).rename(columns=names) if taken or names else frame
    if "image" in frame and is_float_dtype(frame["image"].dtype) and (frame["image"].dropna() % 1 == 0).all():
        return frame.assign(image=frame["image"].astype("Int64"))  # numbers beside missing ones
    return frame


def with_image(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of images with its names in the column ``image``, which may have another name."""
    if "image" in frame.columns or frame.columns.nlevels > 1:
        return frame
    found = next((name for key in IMAGE_NAMES for name in frame.columns if str(name).strip().lower() == key), None)
    return frame if found is None else frame.rename(columns={found: "image"})


def about_index(frame: pd.DataFrame) -> str:
    """Return the sentence about a table without a column of images whose index has them, or an empty text."""
    name, first = str(frame.index.name).strip().lower(), str(frame.index[0]) if len(frame) else ""
    if name not in IMAGE_NAMES and lacks_ending(first):
        return ""
    return " The index has the images. Make it a column with table.rename_axis('image').reset_index()."


def how_to_convert(value: object) -> str:
    """Return the sentence with the code that makes a table of labels by file name, or of a list of labels."""
    if isinstance(value, Mapping):
        return (
            "Convert a dict of labels by file with pd.DataFrame({'image': labels.keys(), 'label': labels.values()}), "
            "and data of ipyannotations with cl.from_ipyannotations."
        )
    return "Convert lists with pd.DataFrame({'image': files, 'label': labels})." if isinstance(value, list) else ""


def _unwrapped(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with plain numbers and lists instead of scalars and arrays of NumPy, PyTorch and PyArrow."""
    changed = {}
    for position, dtype in enumerate(frame.dtypes):
        column = frame.iloc[:, position]
        if isinstance(dtype, pd.ArrowDtype) and dtype.type in (list, dict):
            changed[frame.columns[position]] = column.astype(object)
        elif not is_object_dtype(dtype) or not infer_dtype(column, skipna=True).startswith("mixed"):
            continue
        elif any(hasattr(kind, "ndim") for kind in set(map(type, column.array))):
            values = [_plain_value(value) for value in column.array]
            changed[frame.columns[position]] = pd.Series(values, index=frame.index, dtype=object).infer_objects()
    return frame.assign(**{str(name): values for name, values in changed.items()}) if changed else frame


def _plain_value(value: Any) -> object:
    is_array = hasattr(value, "ndim") and hasattr(value, "tolist")
    return value.tolist() if is_array and (value.ndim == 0 or not isinstance(value, np.ndarray)) else value


def _refuse_lists(frame: pd.DataFrame, name: Any, labels: list[Any]) -> None:
    column = frame[name]
    if column.dtype != object or not {*map(type, column.array)} & {*_LISTS, dict}:
        return
    row = next(number for number, value in enumerate(column.array) if isinstance(value, (*_LISTS, dict)))
    both = [each for each in labels if isinstance(frame[each].iat[row], _LISTS)]
    raise TableError(
        f"The column {name!r} has {repr(column.iat[row])[:80]} in row {row}, but needs one value in each row. Take the "
        f"value out, for example with table[{name!r}].str[0], or give each its own row with "
        f"table.explode({([*both, name] if both else name)!r})."
    )


def _refuse_numbers(column: pd.Series, name: object) -> None:
    if infer_dtype(column, skipna=True) in ("string", "empty"):
        return
    others = [value for value in column.dropna() if not isinstance(value, str | list | tuple | set | np.ndarray)]
    if others:
        raise TableError(
            f"The table has no column 'label', and its column {name!r} has values that are not text, such as "
            f"{str(others[0])!r}. Add a column 'label' with the names of the classes."
        )


def _as_numbers(column: pd.Series, name: str) -> pd.Series:
    try:
        return column.astype("float64")
    except (TypeError, ValueError) as error:
        raise TableError(f"The column {name!r} cannot be converted to float64: {error}") from error


def _with_boxes(frame: pd.DataFrame, boxes: np.ndarray) -> pd.DataFrame:
    return frame.assign(**{side: boxes[:, number] for number, side in enumerate(BOX_COLUMNS)})


def _boxes_of_column(frame: pd.DataFrame, name: Any, notation: str) -> np.ndarray:
    """Return the boxes in a column, with NaN for empty cells."""
    values = frame[name].tolist()
    boxes = list(map(numbers_of_box, values))
    for value, numbers, image in zip(values, boxes, frame["image"], strict=True):
        if numbers is None and not (pd.api.types.is_scalar(value) and (value == "" or pd.isna(value))):
            raise TableError(
                f"The column {name!r} of image {str(image)!r} is {repr(value)[:80]}, not a list of four numbers. Each "
                "box needs a row of its own."
            )
    return to_ltwh(notation, [numbers or [np.nan] * 4 for numbers in boxes])


def _labelled_as_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of images in which the status of those with an empty list of labels is "labelled"."""
    labels = frame["label"]
    if not any(map(_is_empty_list, labels if labels.dtype == object else labels.unique())):
        return frame
    empty = pd.Series([_is_empty_list(each) for each in labels], frame.index)
    status = frame["status"] if "status" in frame else pd.Series(None, frame.index, dtype=object)
    return frame.assign(status=status.mask(empty & status.isna(), "labelled"))


def _is_empty_list(label: object) -> bool:
    return _may_be_list(label) and not (labels_in(label) if isinstance(label, str) else len(label))  # type: ignore[arg-type]


def _from_flags(frame: pd.DataFrame, names: list[Any], of: Kind) -> pd.DataFrame:
    """Return a row for each label of an image, or one without a label, of an image that was labelled as empty."""
    flags = np.column_stack([frame[name].isin(TRUE).to_numpy() for name in names])
    rows, columns = np.nonzero(flags)
    none = np.flatnonzero(~flags.any(axis=1))
    labels = np.array([*(str(name).strip() for name in names), None], dtype=object)
    order = np.argsort(np.append(rows, none), kind="stable")
    positions, numbers = np.append(rows, none)[order], np.append(columns, np.full(len(none), -1))[order]
    result = frame.drop(columns=names).iloc[positions].assign(label=labels[numbers])
    return result.assign(status="labelled") if of == "images" else result


# -- labels and names -------------------------------------------------------------------------------


def labels_in(cell: str) -> list[str]:
    """Return the labels of a text: itself, or those of a list or tuple of quoted texts, or of an array of NumPy."""
    if cell[:1] in ("[", "(") and _A_LIST.fullmatch(cell):
        return [text[1:-1] for text in _QUOTED.findall(cell) if text[1:-1].strip()]
    return [cell] if cell else []


def with_lists_of_labels(
    frame: pd.DataFrame, decisions: Decisions, known: Collection[str] = ()
) -> tuple[pd.DataFrame, str]:
    """Return a table with lists instead of texts of several joined labels, and a sentence about texts that may be some.

    A text such as ``cat,dog`` is split if its parts are ``known`` labels, or labels of other rows. Tables that were
    written here and boxes have no such texts.
    """
    labels = frame.get("label", pd.Series(dtype=object))
    cells = {} if "created" in decisions.roles else _split(texts_in(labels) - {*known}, known)
    if not cells:  # most tables
        return frame, ""
    are_whole = frame.reindex(columns=["left", "polygon"]).isna().all(axis=1)
    joined = are_whole & np.array([isinstance(text, str) and text in cells for text in labels], dtype=bool)
    if not joined.any():
        return frame, ""
    values = [cells[text] if is_joined else text for text, is_joined in zip(labels, joined, strict=True)]
    left = [text for text in labels[joined] if cells[text] == text]
    frame = frame.assign(label=pd.Series(values, index=frame.index, dtype=object))
    if not left:
        return frame, ""
    sign = next(sign for sign in "|;," if sign in left[0])
    return frame, (
        f"{len(left):,} × label with {sign!r}, such as {left[0][:80]!r}, was read as one label. If it is several, "
        f"pass table.assign(label=table['label'].str.split({sign!r}))."
    )


def _split(texts: Collection[str], known: Collection[str]) -> dict[str, list[str] | str]:
    """Return the parts of each text that may have several labels, or the text itself if the parts are not labels."""
    parts = {text: _JOINED.split(text.strip()) for text in texts}
    several = {text: each for text, each in parts.items() if len(each) > 1 and all(each) and text[0] not in "[("}
    singles = {*known, *(text.strip() for text in parts.keys() - several.keys())}
    return {text: each if singles.issuperset(each) else text for text, each in several.items()}


def texts_in(column: pd.Series) -> set[str]:
    """Return the distinct texts in a column, which may have values that cannot be hashed."""
    return {text for text in (column if column.dtype == object else column.unique()) if isinstance(text, str)}


def one_label_per_row(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a row for each label where cells have lists of labels, also as text.

    A row with an empty list has no label.
    """
    labels = frame["label"]
    if not any(map(_may_be_list, labels if labels.dtype == object else labels.unique())):
        return frame
    lists = [labels_in(each) if isinstance(each, str) else each for each in labels]
    lists = [[*each] if isinstance(each, _LISTS) else [each] for each in lists]
    shapes = frame.reindex(columns=["left", "polygon"]).notna().any(axis=1)
    for row in (row for row, shape in enumerate(shapes) if shape and len(lists[row]) != 1):
        raise TableError(
            f"A box or polygon of image {str(frame['image'].iat[row])!r} has a list of labels: "
            f"{repr(labels.iat[row])[:80]}. Pass one row for each label."
        )
    return frame.assign(label=pd.Series(lists, index=frame.index, dtype=object)).explode("label", ignore_index=True)


def _may_be_list(value: object) -> bool:
    return value[:1] in ("[", "(") if isinstance(value, str) else isinstance(value, _LISTS)


def full_names(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return the known name of each name that differs from it only in an ending, which one of them lacks.

    A name is left out if several known names, or several of the names, could be the same.
    """
    names_by_stem = _by_stem(names)
    known_by_stem = _by_stem(known) if names_by_stem else {}
    pairs = {
        stem: (mine[0], known_by_stem[stem][0])
        for stem, mine in names_by_stem.items()
        if len(mine) == 1 == len(known_by_stem.get(stem, ()))
    }
    return {name: full for stem, (name, full) in pairs.items() if stem in (name, full) and name != full}


def completed_names(pairs: Mapping[str, str]) -> str:
    """Return the sentence about names that :func:`full_names` has completed, or an empty text if there are none."""
    for name, full in [*pairs.items()][:1]:
        were = counted(len(pairs), "image name was", "image names were")
        return f"{were} matched although the ending differs, such as {name!r} with {full!r}."
    return ""


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(without_ending(name), []).append(name)
    return by_stem


def without_ending(name: str) -> str:
    """Return the name of an image without its ending, or as it is if it has none of an image."""
    return name if lacks_ending(name) else os.path.splitext(name)[0]


def lacks_ending(name: str) -> bool:
    """Check whether a name has no ending of an image."""
    return not name.lower().endswith(_ENDINGS)
