"""User-defined image columns: values as JSON in each image's row, dtypes once per project."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
from pandas.api.types import infer_dtype
from sqlalchemy import Connection, select, update

from customlabels_nb.core import tables as t
from customlabels_nb.store import schema
from customlabels_nb.store.database import fetch, insert_rows

#: JSON key that marks a datetime, for which JSON has no type.
TIME = "$time"
_KEY = "dtypes of extra columns"
_OFFSET = re.compile(r"[+-]\d\d:\d\d$")
_PLAIN = (str, int, float, bool)
_INFERRED = "object"  # the dtype is inferred from the values, for example because imports disagree


def remember_dtypes(connection: Connection, images: pd.DataFrame, *, new_only: bool = False) -> None:
    """Store dtypes of user-defined columns, or remove conflicting ones. After edits, only ``new_only`` count."""
    new = {name: _spec(images[name]) for name in images.columns if name not in t.IMAGE_COLUMNS}
    if not new:
        return
    stored = dtypes(connection)
    merged = {**new, **stored} if new_only else {**stored, **{n: _merged(stored.get(n), s) for n, s in new.items()}}
    if merged == stored:
        return
    text = json.dumps(merged, ensure_ascii=False)
    if stored:
        connection.execute(update(schema.meta).where(schema.meta.c.key == _KEY).values(value=text))
    else:
        insert_rows(connection, schema.meta, ("key", "value"), [(_KEY, text)])


def dtypes(connection: Connection) -> dict[str, Any]:
    """Return the stored dtypes of the user-defined columns by name, for :func:`restored`."""
    rows = fetch(connection, select(schema.meta.c.value).where(schema.meta.c.key == _KEY))
    stored: dict[str, Any] = json.loads(rows[0][0]) if rows else {}
    return stored


def _spec(column: pd.Series) -> Any:
    """Describe a dtype as JSON: its name, or its categories and whether they are ordered."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = dtype.categories.tolist()
        plain = all(type(value) in _PLAIN for value in categories)
        return {"categories": categories, "ordered": bool(dtype.ordered)} if plain else _INFERRED
    return str(dtype)


def _merged(stored: Any, new: Any) -> Any:
    if stored is None or stored == new:
        return new
    if isinstance(stored, dict) and isinstance(new, dict) and stored["ordered"] == new["ordered"]:
        added = [value for value in new["categories"] if value not in stored["categories"]]
        if not (added and stored["ordered"]):  # the order of added categories is unknown
            return {**stored, "categories": [*stored["categories"], *added]}
    return _INFERRED


def restored(values: pd.Series, spec: Any) -> pd.Series:
    """Convert a column of JSON values to its stored dtype if all values fit."""
    plain = _inferred(values)
    if spec is None or spec == _INFERRED:
        return plain
    dtype = pd.CategoricalDtype(spec["categories"], spec["ordered"]) if isinstance(spec, dict) else spec
    if isinstance(spec, dict) and not plain.dropna().isin(spec["categories"]).all():
        return plain
    try:
        result = plain.astype(dtype)
        same = result.isna().equals(plain.isna()) and _back(result, plain).equals(plain.dropna())
    except (TypeError, ValueError, OverflowError):
        return plain
    return result if same else plain


def _back(column: pd.Series, plain: pd.Series) -> pd.Series:
    there, dtype = column.dropna(), plain.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return there.dt.tz_convert(dtype.tz)
    return there.astype("str" if infer_dtype(plain) == "string" else dtype)  # text has the dtype object in pandas 2


def _inferred(values: pd.Series) -> pd.Series:
    """Infer the dtype of datetimes, and of integers and bools with missing values."""
    there = values[values.notna()]
    if len(there) and all(isinstance(value, dict) and value.keys() == {TIME} for value in there):
        return _moments(values)
    kinds = {type(value) for value in there}
    if len(there) < len(values) and len(kinds) == 1 and kinds <= {int, bool}:
        return values.astype("Int64" if kinds == {int} else "boolean")
    return values.infer_objects()


def _moments(values: pd.Series) -> pd.Series:
    """Parse datetimes into one time zone (UTC if their offsets differ). Return them unparsed if that fails."""
    texts = values.map(lambda value: value[TIME], na_action="ignore")
    zoned = texts.dropna().map(lambda text: isinstance(text, str) and bool(_OFFSET.search(text)))
    try:
        if zoned.any() and not zoned.all():
            return texts.map(pd.Timestamp, na_action="ignore").astype(object)
        several = zoned.all() and texts.dropna().str[-6:].nunique() > 1
        return pd.to_datetime(texts, format="ISO8601", utc=bool(several))
    except (AttributeError, TypeError, ValueError):
        return values
