"""Writes CSV files; see :mod:`customlabels_nb.datasets.formats.csv_labels`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.csv_rows import Row
from customlabels_nb.datasets.formats.entries import finite, known_size, listed_name, plain
from customlabels_nb.errors import InputError

_PLACES = 9
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(contents: Contents, path: Path, *, escape_formulas: bool = False) -> list[Path]:
    """Write a table with a header, and with those columns in which something stands.

    Parameters
    ----------
    escape_formulas : bool
        Put ``'`` before texts that a spreadsheet would take for a formula. Reading doesn't take it away again.

    Raises
    ------
    InputError
        If ``path`` is a folder.
    """
    if path.is_dir():
        raise InputError(f"path={str(path)!r} is a folder; name the CSV file to write.")
    path.parent.mkdir(parents=True, exist_ok=True)
    own: dict[str, list[Any]] = {}
    for row in contents.annotations.itertuples(index=False):
        own.setdefault(row.image, []).append(row)
    columns = _used_columns(contents, own)
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(columns)
        for image in contents.images.itertuples(index=False):
            facts = {"image": listed_name(image.image, path.parent), **_image_cells(image)}
            for row in own.get(image.image, [None]):
                cells = {**facts, **_annotation_cells(row)}
                row_cells = [cells.get(name, "") for name in columns]
                writer.writerow(map(_escaped, row_cells) if escape_formulas else row_cells)
        text.detach()
    return [path]


def _escaped(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and finite(cell) is None else cell


def _used_columns(contents: Contents, own: dict[str, list[Any]]) -> list[str]:
    images, annotations = contents.images, contents.annotations
    derived = pd.Series(["labelled" if image in own else "unlabelled" for image in images["image"]], dtype="str")
    boxes = annotations["left"].notna().any()
    used = {
        "image": True,
        "label": True,
        **dict.fromkeys(t.BOX_COLUMNS, boxes),
        "polygon": annotations["polygon"].notna().any(),
        "crowd": annotations["crowd"].any(),
        "confidence": (annotations["confidence"] != 1).any(),
        "annotator": annotations["annotator"].notna().any(),
        "job": annotations["job"].notna().any(),
        "created": len(annotations) > 0,
        "split": (images["split"] != t.TRAIN).any(),
        "status": (images["status"].to_numpy() != derived.to_numpy()).any(),
        **dict.fromkeys(("image_width", "image_height"), images["width"].notna().any()),
    }
    return [name for name, needed in used.items() if needed]


def _image_cells(image: Any) -> dict[str, str]:
    size = known_size(image) or ("", "")
    return {
        "split": image.split, "status": image.status, "image_width": str(size[0]), "image_height": str(size[1]),
    }  # fmt: skip


def _annotation_cells(row: Any) -> dict[str, str]:
    if row is None:
        return {}
    cells = {
        "label": row.label,
        "crowd": "true" if row.crowd else "",
        "confidence": repr(float(row.confidence)),
        "annotator": row.annotator if isinstance(row.annotator, str) else "",
        "job": row.job if isinstance(row.job, str) else "",
        "created": row.created.isoformat(),
    }
    if not pd.isna(row.left):
        cells |= {side: plain(getattr(row, side), _PLACES) for side in t.BOX_COLUMNS}
    if row.polygon is not None:
        cells["polygon"] = json.dumps([[float(x), float(y)] for x, y in row.polygon])
    return cells


def write_duplicates(path: Path, rows: Iterable[Row], repeated: set[int]) -> str:
    """Write the rows of ``path`` that begin on the lines ``repeated`` to ``<name>-duplicates.csv`` beside it.

    All others go to ``<name>-deduplicated.csv``. A file of such a name with other content is somebody's and stays.
    Returns a sentence that says what was written.
    """
    texts: dict[bool, list[str]] = {True: [], False: []}
    for row in rows:
        texts[row.line in repeated].append(row.text)
    said = []
    for are_repeated, ending in ((True, "duplicates"), (False, "deduplicated")):
        file = path.with_name(f"{path.stem}-{ending}.csv")
        what = "these rows" if are_repeated else "all others"
        data = "".join(f"{text}\n" for text in texts[are_repeated]).encode("utf-8", "surrogateescape")
        try:
            if file.is_symlink() or (file.exists() and file.read_bytes() != data):
                said.append(f"{file.name!r}, where {what} would stand, was there already and was left as it is")
                continue
            write_whole(file, data)
        except OSError as error:
            said.append(f"{what} can't be written to {file.name!r} ({error.strerror})")
        else:
            said.append(f"{what} stand in {file.name!r}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."
