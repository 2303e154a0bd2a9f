"""Write batch predictions to a file or folder in a background thread, with a journal for resuming."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.errors import InputError, MissingDependencyError, ModelError
from customlabels_nb.images.reading import local_path
from customlabels_nb.inference.journal import ENGINE, Failure, Journal
from customlabels_nb.inference.outputs import JsonLines, Looked, ManifestOutput, Output, ParquetParts
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.models.artifact import model_identity

_ROWS_A_STEP = 100_000
_BATCHES_BEHIND = 4


@dataclass(frozen=True, eq=False)
class WrittenDetections:
    """Summary of the predictions that were written to a file or folder.

    Attributes
    ----------
    path : Path
        The file or folder.
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

    path: Path
    form: str
    images: int
    found: int
    left: int
    errors: pd.DataFrame
    _output: Output = field(repr=False)
    _columns: list[str] = field(repr=False)

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
        table = self._output.read()[self._columns]
        table.attrs["errors"] = self.errors.to_dict("records")
        return table

    def __repr__(self) -> str:
        words = [
            f"Processed {self.images:,} images and wrote {self.found:,} labels to {str(self.path)!r} ({self.form})."
        ]
        if len(self.errors):
            unread = counted(len(self.errors), "image or folder", "images or folders")
            words.append(f"{unread} could not be read. See .errors.")
        if self.left:
            words.append(f"{counted(self.left, 'image is', 'images are')} left. Use resume=True to continue.")
        return " ".join(words)


class Writing:
    """Writer to one output, which runs in a background thread.

    Parameters
    ----------
    to : path
        See :func:`output_for`.
    postprocessor : Postprocessor
        Postprocessor of the model.
    root : Path, optional
        Base folder of relative image paths.
    resume : bool
        Continue an earlier run.

    Raises
    ------
    InputError
        If ``to`` cannot be written, already exists although ``resume`` is False, or belongs to a run with a different
        model or different thresholds.
    MissingDependencyError
        If Parquet is requested but pyarrow is not installed.
    NotAllowedError
        If another process is writing to ``to``.
    """

    def __init__(
        self, to: str | os.PathLike[str], postprocessor: Postprocessor, *, root: Path | None, resume: bool
    ) -> None:
        self._output = output = output_for(to, postprocessor, root)
        self._columns = postprocessor.columns
        self._buffer: list[Looked] = []
        self._rows = 0
        self._since = time.monotonic()
        with _telling(output):
            known = output.journal.is_file()
            if known and not resume and not output.there():
                raise InputError(
                    f"to={os.fspath(to)!r} does not exist, but a journal from an earlier run does "
                    f"({str(output.journal)!r}). Delete the journal, or choose a different name."
                )
            if not resume and output.there():
                raise InputError(
                    f"to={os.fspath(to)!r} already exists. Use resume=True to continue that run, or choose a different "
                    "name."
                )
            if resume and not known and output.there():
                raise InputError(
                    f"resume=True cannot continue to={os.fspath(to)!r}, because its journal {str(output.journal)!r} "
                    "does not exist. Pass a different `to`."
                )
            output.make_room()
            self._journal = Journal(output.journal, _facts(output, postprocessor))
            try:
                _use_engine(self._journal.engine, postprocessor, os.fspath(to))
                done = self._journal.done
                output.go_on(done.marks, done.images) if self._journal.begun else output.begin()
            except BaseException:
                self._journal.close()
                raise
        self._behind = _Behind(self._add)

    def left_of(self, images: Sequence[str]) -> list[str]:
        """Return the images that have not been processed yet, including duplicates."""
        done = Counter(self._journal.done.images)
        left = []
        for image in images:
            if done[image] > 0:
                done[image] -= 1
            else:
                left.append(image)
        return left

    def take(self, looked: Sequence[Looked]) -> None:
        """Queue a batch for writing.

        Raises
        ------
        InputError
            If an earlier batch could not be written.
        """
        self._behind.put(looked)

    def close(self, *, complete: bool) -> None:
        """Write the queued batches and, if the run is ``complete``, finish the output."""
        try:
            self._behind.close()
            self._step()
            if complete:
                with _telling(self._output):
                    self._output.finish()
        finally:
            self._journal.close()

    def result(self, images: Sequence[str], listing: Sequence[Failure]) -> WrittenDetections:
        """Summarise the run over ``images``, with the errors from ``listing`` folders."""
        done, output = self._journal.done, self._output
        errors = pd.DataFrame([*listing, *done.failures], columns=["image", "code", "message"], dtype="str")
        numbers = (done.images.total(), done.found, len(self.left_of(images)))
        return WrittenDetections(output.path, output.form, *numbers, errors, output, self._columns)

    def _add(self, looked: Sequence[Looked]) -> None:
        self._buffer += looked
        self._rows += sum(len(one.answer.labels) for one in looked if one.answer is not None)
        late = time.monotonic() - self._since >= self._output.seconds_a_step
        if late or len(self._buffer) >= self._output.images_a_step or self._rows >= _ROWS_A_STEP:
            self._step()

    def _step(self) -> None:
        if not self._buffer:
            return
        failures = [one.failure for one in self._buffer if one.failure is not None]
        with _telling(self._output):
            mark = self._output.write(self._buffer)
            self._journal.add([one.image for one in self._buffer], failures, self._rows, mark)
        self._buffer, self._rows, self._since = [], 0, time.monotonic()


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


def output_for(to: str | os.PathLike[str], postprocessor: Postprocessor, root: Path | None) -> Output:
    """Return the output for ``to``: JSON Lines or a manifest by its suffix, else a folder of Parquet files."""
    path = Path(os.path.abspath(local_path(to, "to")))
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return JsonLines(path, postprocessor.config)
    if suffix == ".manifest":
        return ManifestOutput(path, postprocessor.config, root)
    if suffix in ("", ".parquet") or path.is_dir():
        return ParquetParts(path, postprocessor.config)
    raise InputError(
        f"to={os.fspath(to)!r} has an unsupported suffix. Use .jsonl (API responses) or .manifest (dataset), or pass a "
        "folder (table in Parquet files)."
    )


def _facts(output: Output, postprocessor: Postprocessor) -> dict[str, Any]:
    """Return everything that the predictions depend on, which must be unchanged when a run is resumed."""
    thresholds = dict(zip(postprocessor.config.labels, postprocessor.thresholds.tolist(), strict=True))
    return {
        "form": output.form,
        "model": model_identity(postprocessor.predictor.folder, postprocessor.config),
        "threshold": thresholds,
        "max_results": postprocessor.max_results,
        ENGINE: postprocessor.predictor.engine_name,
    }


@contextmanager
def _telling(output: Output) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"to={str(output.path)!r} cannot be written: {error.strerror or error}.") from error


class _Behind:
    """Background thread that calls a function with each item of a bounded queue, one after the other."""

    def __init__(self, function: Callable[[Sequence[Looked]], None]) -> None:
        self._function = function
        self._items: queue.Queue[Sequence[Looked] | None] = queue.Queue(_BATCHES_BEHIND)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="customlabels_nb-writing", daemon=True)
        self._thread.start()

    def put(self, item: Sequence[Looked]) -> None:
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
