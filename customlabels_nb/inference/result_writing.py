"""The answers about many images go to a file or folder, step by step, and a journal says which are there."""

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
    """What became of asking about many images whose answers were written.

    Attributes
    ----------
    path : Path
        The file or folder.
    form : str
        "Parquet", "JSON Lines" or "manifest".
    images : int
        How many were looked at, in earlier runs, too.
    found : int
        How many labels or boxes were written.
    left : int
        How many were not looked at, because it was stopped; ``resume=True`` goes on with them.
    errors : DataFrame
        ``image``, ``code``, ``message`` of what could not be read.
    """

    path: Path
    form: str
    images: int
    found: int
    left: int
    errors: pd.DataFrame
    _output: Output = field(repr=False)

    def table(self) -> pd.DataFrame:
        """All that was written as one table in memory: image, label, confidence, left, top, width, height."""
        table = self._output.read()
        table.attrs["errors"] = self.errors.to_dict("records")
        return table

    def __repr__(self) -> str:
        words = [
            f"{self.images:,} images were looked at, {self.found:,} labels are in {str(self.path)!r} ({self.form})."
        ]
        if len(self.errors):
            words.append(f"{len(self.errors):,} could not be read: see .errors.")
        if self.left:
            words.append(f"{self.left:,} are left: resume=True goes on with them.")
        return " ".join(words)


class Writing:
    """Writes to one output, on a thread of its own.

    Parameters
    ----------
    to : path
        See :func:`output_for`.
    postprocessor : Postprocessor
    root : Path, optional
        Folder under which relative paths of images lie.
    resume : bool
        Go on with what is there.

    Raises
    ------
    InputError
        If ``to`` can't be written, has something already and ``resume`` is False, or was begun with another model or
        with other thresholds.
    MissingDependencyError
        If Parquet is wanted without the package for it.
    NotAllowedError
        If somebody writes there now.
    """

    def __init__(
        self, to: str | os.PathLike[str], postprocessor: Postprocessor, *, root: Path | None, resume: bool
    ) -> None:
        self._output = output = output_for(to, postprocessor, root)
        self._buffer: list[Looked] = []
        self._rows = 0
        self._since = time.monotonic()
        with _telling(output):
            known = output.journal.is_file()
            if known and not resume and not output.there():
                raise InputError(
                    f"to={os.fspath(to)!r} is gone, but {str(output.journal)!r} of its run isn't: delete that file, "
                    "too, or give another name."
                )
            if not resume and output.there():
                raise InputError(
                    f"to={os.fspath(to)!r} is there already; resume=True goes on with it, or give another name."
                )
            if resume and not known and output.there():
                raise InputError(
                    f"resume=True can't tell what of to={os.fspath(to)!r} is done, as {str(output.journal)!r} isn't "
                    "there; give another to=."
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
        """Those images that weren't looked at, each as often as it is named."""
        done = Counter(self._journal.done.images)
        left = []
        for image in images:
            if done[image] > 0:
                done[image] -= 1
            else:
                left.append(image)
        return left

    def take(self, looked: Sequence[Looked]) -> None:
        """Have a batch written soon.

        Raises
        ------
        InputError
            If an earlier one couldn't be.
        """
        self._behind.put(looked)

    def close(self, *, complete: bool) -> None:
        """Write what was taken. ``complete`` if there will be no more."""
        try:
            self._behind.close()
            self._step()
            if complete:
                with _telling(self._output):
                    self._output.finish()
        finally:
            self._journal.close()

    def result(self, images: Sequence[str], listing: Sequence[Failure]) -> WrittenDetections:
        """What became of it, of these ``images``; ``listing`` is what could not be listed."""
        done, output = self._journal.done, self._output
        errors = pd.DataFrame([*listing, *done.failures], columns=["image", "code", "message"], dtype="str")
        left = len(self.left_of(images))
        return WrittenDetections(output.path, output.form, done.images.total(), done.found, left, errors, output)

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
    """Go on with the engine that the output was begun with; old journals name none."""
    if engine is None or postprocessor.predictor.engine_name in (None, engine):
        return
    try:
        postprocessor.predictor.go_on_with(engine)
    except (InputError, ModelError, MissingDependencyError) as error:
        raise InputError(
            f"resume=True can't go on with {to!r}: it was begun with engine={engine!r}, and {error}. "
            f"Start the model with engine={engine!r}, or give another to=."
        ) from error


def output_for(to: str | os.PathLike[str], postprocessor: Postprocessor, root: Path | None) -> Output:
    """The output that ``to`` names: by its ending JSON Lines or a manifest, else a folder of Parquet files."""
    path = Path(os.path.abspath(local_path(to, "to")))
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return JsonLines(path, postprocessor.config)
    if suffix == ".manifest":
        return ManifestOutput(path, postprocessor.config, root)
    if suffix in ("", ".parquet") or path.is_dir():
        return ParquetParts(path, postprocessor.config)
    raise InputError(
        f"to={os.fspath(to)!r} is of no form that is written: give a file that ends in .jsonl (the API's answers) or "
        ".manifest (a dataset), or a folder (a table in Parquet files)."
    )


def _facts(output: Output, postprocessor: Postprocessor) -> dict[str, Any]:
    """What must be the same for a run to go on: what the answers depend on."""
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
        raise InputError(f"to={str(output.path)!r} can't be written: {error.strerror or error}.") from error


class _Behind:
    """Calls a function with one item after the other on a thread of its own, a few items behind whoever puts them."""

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
                except BaseException as error:  # told to whoever puts the next one
                    self._failure = error
