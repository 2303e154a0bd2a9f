"""Write the predictions for many images step by step as JSON Lines, a manifest or Parquet files.

When :meth:`Output.write` returns the mark of a step, the step is completely on disk. :meth:`Output.go_on` removes
everything that the output contains in addition to the marks in its journal.
"""

from __future__ import annotations

import importlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson
import pandas as pd

from customlabels_nb._utils.files import sync_folder
from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.text import first_line
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ratios_to_ltwh
from customlabels_nb.core.polygons import from_one_ring, polygon_of, rings_of
from customlabels_nb.datasets.formats.ground_truth import manifest_lines, read_manifest
from customlabels_nb.errors import InputError, MissingDependencyError
from customlabels_nb.images.locations import is_remote, located, to_path, to_uri
from customlabels_nb.inference.image_numbers import plain
from customlabels_nb.inference.journal import JOURNAL, RUN, Failure, Journal, Mark, ObjectJournal, part_name
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.postprocess import DETECTION_COLUMNS, ImagePrediction, api_entries, joined, objects
from customlabels_nb.models.artifact import ModelConfig

_SIDES = ("Left", "Top", "Width", "Height")

_PART = re.compile(r"part-(\d{9,12})-\d{9,12}\.parquet")
_CUT_OFF = re.compile(r"\.[0-9a-f]{12}\.part")


@dataclass(frozen=True)
class ImageResult:
    """Processed image: its predictions and, for a detector, its size, or the reason why it could not be read."""

    image: str
    answer: ImagePrediction | None
    size: tuple[int, int] | None = None
    failure: Failure | None = None


def table_of(rows: Sequence[tuple[Any, ...]], polygons: Sequence[Any] | None = None) -> pd.DataFrame:
    """Build a table from rows of image, label, confidence, left, top, width, height, and polygons if there are any."""
    table = pd.DataFrame(rows, columns=["image", *DETECTION_COLUMNS])
    table = table.astype({name: t.TEXT if name in ("image", "label") else "float64" for name in table.columns})
    return table if polygons is None else table.assign(polygon=objects(polygons))


class LineOutput(ABC):
    """Base class of the output formats in one file. A mark is the file's length.

    A step is written after ``images_a_step``, or ``seconds_a_step``.
    """

    form = "lines"
    images_a_step, seconds_a_step = 512, 2.0

    def __init__(self, path: Path, config: ModelConfig) -> None:
        self.path: Path = path
        self.journal = str(path.with_name(f"{path.name}.journal"))
        self._config = config
        self._labels = np.asarray(config.labels, dtype=object)

    def there(self) -> bool:
        """Check whether the output already exists."""
        return os.path.lexists(self.path)

    def has_journal(self) -> bool:
        """Check whether an earlier run has left a journal."""
        with suppress(OSError), open(self.journal, "rb") as file:
            return file.readline().endswith(b"\n")
        return False

    def open_journal(self, facts: Mapping[str, Any]) -> Journal:
        return Journal(Path(self.journal), facts)

    def make_room(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """Create an empty output."""
        self.path.open("xb").close()
        sync_folder(self.path.parent)

    def go_on(self, marks: Sequence[Mark], images: Iterable[str]) -> None:
        """Remove everything written after the last of ``marks`` and remember the processed ``images``."""
        whole = marks[-1] if marks else 0
        if not marks and not self.there():  # the run stopped before it created the file
            return self.begin()
        if not isinstance(whole, int) or not self.path.is_file() or self.path.stat().st_size < whole:
            raise InputError(
                f"to={str(self.path)!r} is missing data that {self.journal!r} records as written. "
                "Delete both files to start again, or pass a different `to`."
            )
        return os.truncate(self.path, whole)

    def write(self, results: Sequence[ImageResult]) -> Mark | None:
        with self.path.open("ab") as file:
            file.writelines(line + b"\n" for line in self.lines(results))
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def finish(self) -> None:  # noqa: B027 - part of the interface
        """Finish without writing anything, because each step is already complete."""

    @abstractmethod
    def lines(self, results: Sequence[ImageResult]) -> list[bytes]:
        """Return the output lines for these images, without line endings."""

    @abstractmethod
    def read(self, marks: Iterable[Mark] = ()) -> pd.DataFrame:
        """Read what was written up to ``marks``: ``image``, the DETECTION_COLUMNS, and ``polygon`` if there are any."""


class JsonLines(LineOutput):
    """JSON Lines with the name of each readable image, its API response and, for a detector, the image size."""

    form = "JSON Lines"

    def lines(self, results: Sequence[ImageResult]) -> list[bytes]:
        return [orjson.dumps(self._record(result, result.answer)) for result in results if result.answer is not None]

    def _record(self, result: ImageResult, answer: ImagePrediction) -> dict[str, Any]:
        size = {} if result.size is None else {"width": result.size[0], "height": result.size[1]}
        entries = api_entries(
            self._labels[answer.labels], answer.confidences, answer.boxes, result.size, answer.polygons
        )
        return {"image": plain(result.image), **size, "CustomLabels": entries}

    def read(self, marks: Iterable[Mark] = ()) -> pd.DataFrame:
        return read_json_lines(self.path)[1]


def read_json_lines(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Read a file of :class:`JsonLines`: its images, also those in which nothing was found, and its predictions."""
    images: list[str] = []
    rows: list[tuple[Any, ...]] = []
    polygons: list[Any] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read ({error.strerror}).") from error
    for number, line in enumerate(lines, 1):
        try:
            record = orjson.loads(line)
            image, entries = record["image"], record["CustomLabels"]
            size = record.get("width", 1), record.get("height", 1)
            boxes = [entry.get("Geometry", {}).get("BoundingBox") for entry in entries]
            ratios = [[np.nan] * 4 if box is None else [box[side] for side in _SIDES] for box in boxes]
            pixels = ratios_to_ltwh(np.array(ratios, dtype=np.float64).reshape(-1, 4), size).tolist()
            named = [(image, entry["Name"], entry["Confidence"] / 100) for entry in entries]
            polygons += [_polygon(entry.get("Geometry", {}).get("Polygon"), size) for entry in entries]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"Line {number} of {str(path)!r} is not a line of detect_many(to='….jsonl'): {str(error)[:100]}."
            ) from error
        images.append(image)
        rows += [(*facts, *box) for facts, box in zip(named, pixels, strict=True)]
    return images, table_of(rows, polygons if any(polygon is not None for polygon in polygons) else None)


def _polygon(points: Sequence[dict[str, float]] | None, size: tuple[int, int]) -> Any:
    """Convert the points of the API, which are shares of the image size, to a polygon in pixels."""
    if points is None:
        return None
    return from_one_ring([[round(point["X"] * size[0], 2), round(point["Y"] * size[1], 2)] for point in points])


class ManifestOutput(LineOutput):
    """Manifest for :func:`customlabels_nb.read_dataset` that lists each readable image once with its labels or boxes.

    An image in which a detector finds nothing is written as labelled, without boxes. An image for which a classifier
    predicts no label is written as unlabelled.
    """

    form = "manifest"

    def __init__(self, path: Path, config: ModelConfig, root: Path | None) -> None:
        super().__init__(path, config)
        for label in config.labels:
            t.check_label(label)
        self._root = root
        self._written: set[str] = set()

    def go_on(self, marks: Sequence[Mark], images: Iterable[str]) -> None:
        super().go_on(marks, images)
        self._written = set(map(self._name, images))

    def lines(self, results: Sequence[ImageResult]) -> list[bytes]:
        new: dict[str, tuple[ImagePrediction, tuple[int, int]]] = {}
        for result in results:
            name = self._name(result.image)
            if result.answer is not None and name not in self._written:
                self._written.add(name)
                new[name] = result.answer, result.size or (0, 0)
        if not new:
            return []
        every = joined([answer for answer, _ in new.values()])
        annotations = pd.DataFrame(every.boxes, columns=list(t.BOX_COLUMNS)).assign(
            image=np.repeat(np.asarray(list(new), dtype=object), [len(answer.labels) for answer, _ in new.values()]),
            label=self._labels[every.labels],
            confidence=every.confidences,
        )
        images = pd.DataFrame({"image": list(new)}).assign(
            status="labelled" if self._config.is_detector else "unlabelled",
            width=[size[0] or None for _, size in new.values()],
            height=[size[1] or None for _, size in new.values()],
        )
        lines = manifest_lines(
            t.normalise_images(images),
            t.normalise_annotations(annotations),
            labels=self._config.labels,
            by_human=False,
        )
        return [line.encode() for line in lines]

    def read(self, marks: Iterable[Mark] = ()) -> pd.DataFrame:
        if not self.path.stat().st_size:
            return table_of([])
        return read_manifest(self.path).annotations[["image", *DETECTION_COLUMNS]]

    def _name(self, image: str) -> str:
        if is_remote(image):
            return plain(image)
        return to_uri(to_path(located(image, self._root)))


class ParquetParts:
    """Folder of Parquet files, with the methods of :class:`LineOutput`. A mark is the name of a file.

    The name of a file contains the number of its first image and the number after its last, so that no two chunks share
    a file, not even if they begin with the same image.
    """

    form = "Parquet"
    images_a_step, seconds_a_step = 2000, 30.0

    def __init__(self, folder: OutputFolder, labels: Sequence[str] = ()) -> None:
        self.folder = folder
        self.path = folder.place
        self.journal = f"{folder}/{RUN if folder.local is None else JOURNAL}"
        self._labels = np.asarray(labels, dtype=object)
        self._arrow, self._parquet = _imported("pyarrow"), _imported("pyarrow.parquet")

    def there(self) -> bool:
        return bool(self.folder.sizes()) or (self.folder.local is not None and self.folder.local.is_file())

    def make_room(self) -> None:
        if self.folder.local is not None:
            self.folder.local.mkdir(parents=True, exist_ok=True)

    def has_journal(self) -> bool:
        return self.journal.rpartition("/")[2] in self.folder.sizes()

    def open_journal(self, facts: Mapping[str, Any]) -> Journal:
        if self.folder.local is not None:
            return Journal(self.folder.local / JOURNAL, facts, self.folder)
        return ObjectJournal(self.folder, facts)

    def begin(self) -> None:
        """Begin without writing anything, because each step is a file."""

    def go_on(self, marks: Sequence[Mark], images: Iterable[str]) -> None:
        journaled, there = set(map(str, marks)), self.folder.sizes()
        self.folder.remove(
            name for name in there if _CUT_OFF.fullmatch(name) or (_PART.fullmatch(name) and name not in journaled)
        )
        if lost := [name for name in journaled if not _PART.fullmatch(name) or name not in there]:
            raise InputError(
                f"to={str(self.path)!r} is missing the file {min(lost)!r}, which an earlier step wrote. "
                "Empty the folder to start again, or pass a different `to`."
            )

    def write(self, results: Sequence[ImageResult], first: int = 0) -> Mark | None:
        """Write the predictions for images whose numbers begin with ``first``, unless there are none."""
        detected = [result for result in results if result.answer is not None and len(result.answer.labels)]
        if not detected:
            return None
        name = part_name(first, first + len(results))
        self.folder.write(name, self._part(detected))
        return name

    def finish(self) -> None:
        """Write a file without rows, so that a folder without predictions can be read as a table."""
        self.folder.write(part_name(0, 0), self._part([]))

    def dataset(self, marks: Iterable[Mark], columns: Sequence[str] = ("image", *DETECTION_COLUMNS)) -> Any:
        """Return columns of the written files as a pyarrow dataset, in the order of their images."""
        schema = self._schema(columns)
        system, path = self.folder.system()
        names = sorted(set(filter(_PART.fullmatch, map(str, marks))), key=lambda name: int(_PART.fullmatch(name)[1]))  # type: ignore[index]
        if not names:
            return _imported("pyarrow.dataset").dataset(schema.empty_table())
        files, datasets = [f"{path}/{name}" for name in names], _imported("pyarrow.dataset")
        options = datasets.ParquetFragmentScanOptions(page_checksum_verification=True)
        form = datasets.ParquetFileFormat(default_fragment_scan_options=options)
        return datasets.dataset(files, schema=schema, format=form, filesystem=system)

    def read(self, marks: Iterable[Mark] = (), rows: int | None = None) -> pd.DataFrame:
        """Read the first ``rows`` that were written, or all."""
        marks, broken = list(marks), (OSError, self._arrow.ArrowException)
        try:
            return table_of_arrow(self._table(marks, rows))
        except broken:
            for mark in marks:
                try:
                    self._table([mark])
                except broken as error:
                    raise InputError(
                        f"{f'{self.folder}/{mark}'!r} is missing or damaged ({first_line(error)}). Delete it, and use "
                        "detect_many(resume=True), which processes its images again."
                    ) from error
            raise

    def _table(self, marks: Iterable[Mark], rows: int | None = None) -> Any:
        dataset = self.dataset(marks, ("image", *DETECTION_COLUMNS, "polygon"))
        table = dataset.to_table() if rows is None else dataset.head(rows)
        if any(table[name].null_count for name in ("image", "label", "confidence")):
            raise self._arrow.ArrowInvalid("other columns")
        return table

    def _schema(self, columns: Sequence[str]) -> Any:
        text, number, several = self._arrow.string(), self._arrow.float64(), self._arrow.list_
        types = {"image": text, "label": text, "polygon": several(several(several(number)))}
        return self._arrow.schema([(name, types.get(name, number)) for name in columns])

    def _part(self, results: Sequence[ImageResult]) -> bytes:
        answers = [result.answer for result in results if result.answer is not None]
        every = joined(answers)
        names = np.asarray([plain(result.image) for result in results], dtype=object)
        columns = [
            np.repeat(names, [len(answer.labels) for answer in answers]),
            self._labels[every.labels] if len(every.labels) else np.empty(0, dtype=object),
            every.confidences,
            *every.boxes.T,
        ]
        schema = self._schema(("image", *DETECTION_COLUMNS))
        arrays = [
            self._arrow.array(np.ascontiguousarray(column), type=field.type, from_pandas=field.name in t.BOX_COLUMNS)
            for field, column in zip(schema, columns, strict=True)  # from_pandas: NaN becomes null
        ]
        if len(polygons := objects(every.polygons)):
            schema = self._schema(("image", *DETECTION_COLUMNS, "polygon"))
            rings = [[ring.tolist() for ring in rings_of(polygon)] for polygon in polygons]
            arrays.append(self._arrow.array(rings, type=schema.field("polygon").type))
        sink = self._arrow.BufferOutputStream()
        table = self._arrow.table(arrays, schema=schema)
        self._parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
        return bytes(sink.getvalue().to_pybytes())


Output: TypeAlias = LineOutput | ParquetParts


def table_of_arrow(table: Any) -> pd.DataFrame:
    """Convert a table of predictions to pandas, with the same types as :func:`table_of`."""
    polygons = table["polygon"].to_pylist() if "polygon" in table.column_names else []
    frame = table.drop_columns(["polygon"] if polygons else []).to_pandas()
    frame = frame.astype({name: t.TEXT if name in ("image", "label") else "float64" for name in frame.columns})
    if any(polygons):
        frame["polygon"] = objects(polygon_of(rings or ()) for rings in polygons)
    return frame


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            "A folder of Parquet files, to which several workers write too, requires pyarrow. Install it with: "
            f"{extra_command('parquet')}"
        ) from error
