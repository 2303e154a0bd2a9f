"""Write batch predictions to a file or folder in a background thread, with a journal for resuming."""

from __future__ import annotations

import os
import queue
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb._utils.files import write_errors
from customlabels_nb._utils.rendering import ShownWithTable
from customlabels_nb._utils.text import counted
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb._utils.user_code import users_level
from customlabels_nb.core.tables import POLYGONS, TEXT
from customlabels_nb.errors import InputError, MissingDependencyError, ModelError
from customlabels_nb.inference.image_numbers import Run, listings, unprocessed, without
from customlabels_nb.inference.journal import COLUMNS, ENGINE, CompletedChunk, Failure, Mark, read_journal
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import ImageResult, JsonLines, ManifestOutput, Output, ParquetParts
from customlabels_nb.inference.postprocess import DETECTION_COLUMNS, Postprocessor
from customlabels_nb.models.artifact import model_identity

_SUFFIXES = (".jsonl", ".ndjson", ".manifest")
_ROWS_A_STEP = 100_000
_BATCHES_BEHIND = 4


@dataclass(frozen=True, eq=False)
class WrittenDetections(ShownWithTable):
    """Summary of the predictions that were written to a file or folder.

    Attributes
    ----------
    path : Path or str
        The file or folder. A URL is a string.
    form : str
        "Parquet", "JSON Lines" or "manifest".
    images : int
        Number of images processed, including by earlier runs.
    found : int
        Number of labels or boxes written.
    left : int
        Number of images that were not processed because the run was stopped. ``resume=True`` continues with them.
    errors : DataFrame
        Images and folders that could not be read, with the columns ``image``, ``code`` and ``message``.
    """

    path: Path | str
    form: str
    images: int
    found: int
    left: int
    errors: pd.DataFrame
    _output: Output = field(repr=False)
    _columns: list[str] = field(repr=False)
    _marks: list[Mark] = field(repr=False)
    _decision: str | dict[str, float] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """Read the written predictions as one table with the columns that ``detect_many`` returns without ``to``.

        Examples
        --------
        >>> model = project.model().start()
        >>> written = model.detect_many(photos, to="predictions.jsonl")
        >>> written.images
        9
        >>> list(written.table().columns)
        ['image', 'label', 'confidence']
        """
        table = self._output.read(self._marks).reindex(columns=self._columns)
        table.attrs["decision"] = self._decision
        table.attrs["errors"] = self.errors.to_dict("records")
        return table

    def head(self, rows: int = 5) -> pd.DataFrame:
        """Read the first rows of :meth:`table`.

        Examples
        --------
        >>> model = project.model().start()
        >>> len(model.detect_many(photos, threshold=0, to="predictions.jsonl", progress=False).head(2))
        2
        """
        if not isinstance(self._output, ParquetParts):
            return self.table().head(rows)
        return self._output.read(self._marks, rows).reindex(columns=self._columns)

    def scan(self) -> Any:
        """Return the predictions in a folder as a pyarrow dataset, which DuckDB and Polars can query.

        Raises
        ------
        InputError
            If the predictions are in a file rather than a folder of Parquet files.

        Examples
        --------
        >>> found = cl.open_results("s3://bucket/found/")  # doctest: +SKIP
        >>> found.scan().count_rows()  # doctest: +SKIP
        >>> duckdb.sql("SELECT label, count(*) FROM found.scan() GROUP BY label")  # doctest: +SKIP
        """
        if not isinstance(self._output, ParquetParts):
            raise InputError(
                f"{str(self.path)!r} is a file. Only a folder of Parquet files can be scanned. Use table()."
            )
        return self._output.dataset(self._marks, self._columns)

    _shown_table = "errors"

    def __repr__(self) -> str:
        words = [
            f"Processed {counted(self.images, 'image')} and wrote {counted(self.found, 'label')} to {str(self.path)!r} "
            f"({self.form})."
        ]
        if len(self.errors):
            unread = counted(len(self.errors), "image or folder", "images or folders")
            words.append(f"{unread} could not be read. See .errors.")
        if self.left:
            words.append(f"{counted(self.left, 'image is', 'images are')} left. Use resume=True to continue.")
        return " ".join(words)


class Writing:
    """Writer to one output, which runs in a background thread."""

    def __init__(self, output: Output, postprocessor: Postprocessor, *, resume: bool) -> None:
        self._output = output
        self.postprocessor = postprocessor
        self._buffer: list[ImageResult] = []
        self._rows = self.left = 0
        self._since = time.monotonic()
        to = str(output.path)
        with write_errors(f"to={to!r}"):
            has_journal, there = output.has_journal(), output.there()
            if has_journal and not resume and not there:
                raise InputError(
                    f"to={to!r} does not exist, but a journal from an earlier run does "
                    f"({output.journal!r}). Delete the journal, or choose a different name."
                )
            if not resume and there:
                raise InputError(
                    f"to={to!r} already exists. Use resume=True to continue that run, or choose a different name."
                )
            if resume and not has_journal and there:
                raise InputError(
                    f"resume=True cannot continue to={to!r}, because its journal {output.journal!r} "
                    "does not exist or is empty. Pass a different `to`."
                )
            output.make_room()
            self._journal = output.open_journal(self._facts())
            try:
                _use_engine(self._journal.engine, postprocessor, to)
                done = self._journal.done
                output.go_on(done.marks, done.images) if self._journal.begun else output.begin()
            except BaseException:
                self._journal.close()
                raise
        self._behind = _Behind(self._add)

    def begin(self, images: Sequence[str]) -> Sequence[str]:
        """Return the images that have not been processed yet, including duplicates."""
        remaining = self._journal.done.without_named(images)
        self.left = len(remaining)
        return remaining

    def take(self, results: Sequence[ImageResult]) -> None:
        self._behind.put(results)

    def close(self, *, complete: bool) -> None:
        """Write the queued batches and, if the run is ``complete``, finish the output."""
        try:
            self._behind.close()
            self._step()
            if complete:
                marks = self._journal.done.marks
                with write_errors(f"to={str(self._output.path)!r}"):
                    self._output.go_on(marks, ())  # without files of workers that were cut off
                    if not marks:
                        self._output.finish()
        finally:
            self._journal.close()

    def result(self, listing: Sequence[Failure]) -> WrittenDetections:
        """Summarise the run, with the errors from ``listing`` folders."""
        of = self.postprocessor
        return _summary(self._output, self._journal.done, self.left, listing, of.columns, of.decision)

    def _facts(self) -> dict[str, Any]:
        """Return everything that the predictions depend on, which must be unchanged when a run is resumed."""
        postprocessor = self.postprocessor
        return {
            "form": self._output.form,
            "model": model_identity(postprocessor.predictor.folder, postprocessor.config),
            "threshold": postprocessor.decision,
            "max_results": postprocessor.max_results,
            ENGINE: postprocessor.predictor.engine_name,
            **({} if postprocessor.predictor.views == 1 else {"views": postprocessor.predictor.views}),
        }

    def _add(self, results: Sequence[ImageResult]) -> None:
        self._buffer += results
        self._rows += sum(len(result.answer.labels) for result in results if result.answer is not None)
        late = time.monotonic() - self._since >= self._output.seconds_a_step
        if late or len(self._buffer) >= self._output.images_a_step or self._rows >= _ROWS_A_STEP:
            self._step()

    def _step(self) -> None:
        if self._buffer:
            with write_errors(f"to={str(self._output.path)!r}"):
                self._write([result.failure for result in self._buffer if result.failure is not None])
            self.left -= len(self._buffer)
            self._buffer, self._rows, self._since = [], 0, time.monotonic()

    def _write(self, failures: Sequence[Failure]) -> None:
        mark = self._output.write(self._buffer)
        self._journal.add([result.image for result in self._buffer], failures, self._rows, mark)


class FolderWriting(Writing):
    """Writer to a folder of Parquet files, in which images have numbers."""

    def __init__(self, output: ParquetParts, postprocessor: Postprocessor, *, resume: bool) -> None:
        self.output = output
        self.runs: list[Run] = []
        self._at = 0  # index of the current run
        self._written = 0  # number of its images that are written
        super().__init__(output, postprocessor, resume=resume)

    def begin(self, images: Sequence[str]) -> Sequence[str]:
        with write_errors(f"to={str(self.output.path)!r}"):
            self.runs = unprocessed(self.output.folder, images, self._journal.done)
        self.left = sum(len(run.images) for run in self.runs)
        return self.runs[0].images if len(self.runs) == 1 else [name for run in self.runs for name in run.images]

    def remaining(self) -> list[Run]:
        """Return the images that have not been processed yet."""
        return [part for run in self.runs for part in without(run, self._journal.done.ranges)]

    def record(self, chunk: Run, failures: Sequence[Failure], objects: int, mark: Mark | None) -> None:
        """Add a chunk to the journal whose predictions a worker has written."""
        with write_errors(f"to={str(self.output.path)!r}"):
            self._journal.add((chunk.first, chunk.stop), failures, objects, mark)
        self.left -= len(chunk.images)

    def discard_if_unused(self) -> None:
        """Remove the journal and the listing of a closed run that has not begun, so that it can be started again."""
        if not self._journal.begun and not self._journal.done.total:
            self.output.go_on([], ())  # files of chunks that nobody recorded
            names = [name for _, _, name in listings(self.output.folder)]
            self.output.folder.remove([*names, self.output.journal.rpartition("/")[2]])
            if self.output.folder.local is not None:
                with suppress(OSError):
                    self.output.folder.local.rmdir()

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), COLUMNS: self.postprocessor.columns}

    def _add(self, results: Sequence[ImageResult]) -> None:
        while results:  # a file ends with its run
            room = len(self.runs[self._at].images) - self._written - len(self._buffer)
            super()._add(results[:room])
            results = results[room:]
            if results:
                self._step()

    def _write(self, failures: Sequence[Failure]) -> None:
        first = self.runs[self._at].first + self._written
        mark = self.output.write(self._buffer, first)
        self._journal.add((first, first + len(self._buffer)), failures, self._rows, mark)
        self._written += len(self._buffer)
        if self._written == len(self.runs[self._at].images):
            self._at, self._written = self._at + 1, 0


@names_arguments
def open_results(path: str | os.PathLike[str]) -> WrittenDetections:
    """Open the folder that ``detect_many(to=folder)`` writes, even if not all results are there yet.

    Parameters
    ----------
    path : path or URL
        The folder, such as "found" or "s3://bucket/found/".

    Returns
    -------
    WrittenDetections
        Predictions of all finished chunks: ``head()``, ``table()``, and ``scan()`` for DuckDB or Polars.

    Raises
    ------
    InputError
        If the folder cannot be read, or ``detect_many`` has not written to it.

    Examples
    --------
    >>> found = cl.open_results("s3://bucket/found/")  # doctest: +SKIP
    >>> found.head()  # doctest: +SKIP
    """
    output = ParquetParts(OutputFolder(path, "path"))
    try:
        facts, done = read_journal(output.folder)
        total = sum(stop - first for first, stop, _ in listings(output.folder))
    except OSError as error:
        raise InputError(f"path={str(path)!r} cannot be read: {error.strerror or error}.") from error
    if facts is None:
        raise InputError(
            f"path={str(output.path)!r} has no results of detect_many(to=folder): {output.journal!r} does not exist."
        )
    columns = [name for name in facts.get(COLUMNS, ()) if name in (*DETECTION_COLUMNS, "polygon")]
    columns = ["image", *(columns or DETECTION_COLUMNS)]
    return _summary(output, done, max(0, total - done.total), [], columns, facts["threshold"])


def _summary(
    output: Output,
    done: CompletedChunk,
    remaining: int,
    listing: Sequence[Failure],
    columns: list[str],
    decision: str | dict[str, float],
) -> WrittenDetections:
    errors = pd.DataFrame([*listing, *done.failures], columns=["image", "code", "message"], dtype=TEXT)
    return WrittenDetections(
        output.path, output.form, done.total, done.found, remaining, errors, output, columns, list(done.marks), decision
    )


def _use_engine(engine: str | None, postprocessor: Postprocessor, to: str) -> None:
    """Switch to the engine that the run was started with, if the journal records one."""
    if engine is None or postprocessor.predictor.engine_name in (None, engine):
        return
    try:
        postprocessor.predictor.go_on_with(engine)
    except (InputError, ModelError, MissingDependencyError) as error:
        raise InputError(
            f"resume=True cannot continue {to!r}: it was started with engine={engine!r}, which cannot be used now "
            f"({error}). Start the model with engine={engine!r}, or pass a different `to`."
        ) from error


def open_writing(
    to: str | os.PathLike[str], postprocessor: Postprocessor, *, root: Path | None, resume: bool, spread: bool = False
) -> Writing:
    """Return the writer for ``to``, by its suffix. Manifests lose polygons, and ``spread`` requires a folder."""
    folder = OutputFolder(to)
    suffix = os.path.splitext(str(folder))[1].lower()
    if suffix in _SUFFIXES and folder.local is None:
        raise InputError(
            f"to={str(folder)!r} is a URL. Only a folder can be written there, without the suffix {suffix}."
        )
    if folder.local is None or suffix in ("", ".parquet") or folder.local.is_dir():
        return FolderWriting(ParquetParts(folder, postprocessor.config.labels), postprocessor, resume=resume)
    if suffix not in _SUFFIXES:
        raise InputError(
            f"to={os.fspath(to)!r} has an unsupported suffix. Use .jsonl (API responses) or .manifest (dataset), or "
            "pass a folder (table in Parquet files). For CSV or Excel, leave out 'to' and write the table: "
            "detect_many(images).to_csv('found.csv', index=False)."
        )
    if spread:
        raise InputError(f"to={os.fspath(to)!r} is one file, but several workers write to a folder. Pass a folder.")
    manifest = suffix == ".manifest"
    config = postprocessor.config
    if manifest and config.task == POLYGONS:
        warnings.warn(
            f"Manifests have no polygons, so to={os.fspath(to)!r} gets only the boxes of the objects. Use .jsonl or a "
            "folder to keep the polygons.",
            stacklevel=users_level(),
        )
    output = ManifestOutput(folder.local, config, root) if manifest else JsonLines(folder.local, config)
    return Writing(output, postprocessor, resume=resume)


class _Behind:
    """Background thread that calls a function with each item of a bounded queue, one after the other."""

    def __init__(self, function: Callable[[Sequence[ImageResult]], None]) -> None:
        self._function = function
        self._items: queue.Queue[Sequence[ImageResult] | None] = queue.Queue(_BATCHES_BEHIND)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="customlabels_nb-writing", daemon=True)
        self._thread.start()

    def put(self, item: Sequence[ImageResult]) -> None:
        if self._failure is not None:
            raise self._failure
        self._items.put(item)

    def close(self) -> None:
        self._items.put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            if self._failure is None:
                try:
                    self._function(item)
                except BaseException as error:  # raised again at the next put()
                    self._failure = error
