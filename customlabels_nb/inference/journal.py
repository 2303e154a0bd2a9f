"""Record the progress of a long run on disk, so that it can be resumed after an interrupt or a crash.

A journal is a JSON Lines file. Its first line describes the run: the output format, the model and the thresholds. Every
other line records one finished step: its images, the images that could not be read, the number of predictions, and a
mark up to which the output is complete. The output is flushed to disk before the line that records it. Anything in the
output after the last mark therefore belongs to an unfinished step and is removed.

The images of a step are names, after the mark of the step before, or, in a folder that lists its images, a range of
their numbers. A step whose file in the folder is missing is processed again. Behind a URL, where
nothing can be appended to a file, each step is an object whose name contains the range and the number of predictions.
It is empty if all images could be read, so that one listing of the folder reads the journal.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from customlabels_nb._utils.files import lock_file
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.inference.output_folder import OutputFolder

Failure: TypeAlias = dict[str, str]
Mark: TypeAlias = int | str
#: Images of a step: their names, or the first number and the one after the last.
Images: TypeAlias = Sequence[str] | tuple[int, int]

#: Key of the engine. The engine was chosen by timing, so a resumed run adopts it instead of requiring the same choice.
ENGINE = "engine"
#: Key of the table's columns.
COLUMNS = "columns"
#: File name of the journal in a local folder. Parquet readers skip names that start with an underscore.
JOURNAL = "_journal.jsonl"
_FORMAT = "1.0"
#: File name of the journal's first line behind a URL.
RUN = "_run.json"
_STEP = re.compile(r"_journal/(\d{9,})-(\d{9,})-(\d+)\.json")
#: End of each complete Parquet file.
_END = b"PAR1"


def part_name(first: int, stop: int) -> str:
    """Return the name of the Parquet file with the predictions for the images from ``first`` to before ``stop``."""
    return f"part-{first:09}-{stop:09}.parquet"


@dataclass
class CompletedChunk:
    """Totals of all steps: how often each name was processed, and ranges of other images (first, after the last)."""

    images: Counter[str] = field(default_factory=Counter)
    ranges: dict[tuple[int, int], None] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    found: int = 0

    @property
    def total(self) -> int:
        """Number of processed images."""
        count = end = 0
        for first, stop in sorted(self.ranges):  # those of two programs may overlap
            count, end = count + max(0, stop - max(first, end)), max(end, stop)
        return self.images.total() + count

    @property
    def last(self) -> Mark | None:
        return self.marks[-1] if self.marks else None

    @property
    def stop(self) -> int:
        return max((stop for _, stop in self.ranges), default=0)

    def without_named(self, images: Sequence[str]) -> Sequence[str]:
        """Return the images that have not been processed by name, including duplicates."""
        if not self.images:
            return images
        counts, rest = Counter(self.images), []
        for image in images:
            if counts[image] > 0:
                counts[image] -= 1
            else:
                rest.append(image)
        return rest

    def add(self, images: Images, failures: Sequence[Failure], objects: int, mark: Mark | None) -> None:
        """Add one step, unless its range has been added."""
        if isinstance(images, tuple):
            if images in self.ranges:
                return
            self.ranges[images] = None
        else:
            self.images.update(images)
        self.failures += failures
        self.found += objects
        if mark is not None:
            self.marks.append(mark)


class Journal:
    """Journal in a local file, opened for writing and locked for this process.

    ``facts`` describes the run. A journal with others is an InputError. Steps whose file in ``folder`` is missing or
    cut off are left out, so that they are made again. ``begun`` is True if the journal already existed, and ``done``
    has the totals of its steps.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], folder: OutputFolder | None = None) -> None:
        self._failed = False
        self._file: BinaryIO = open(path, "a+b")  # noqa: SIM115 - stays open and locked until close()
        try:
            if not lock_file(self._file):
                raise NotAllowedError(f"Another process is writing to {str(path)!r}. Wait until it finishes.")
            self._file.seek(0)
            there, self.done, whole = _parsed(self._file, str(path), () if folder is None else complete_files(folder))
            self.begun, self.engine = there is not None, _same_run(there, facts, str(path))
            self._file.truncate(whole)  # an incomplete last line
            if not self.begun:
                self._write(_head(facts))
        except BaseException:
            self._file.close()
            raise

    def add(self, images: Images, failures: Sequence[Failure], objects: int, mark: Mark | None) -> None:
        """Append a step and flush it to disk."""
        which = {"range": images} if isinstance(images, tuple) else {"images": images, "after": self.done.last}
        self._write({**which, "errors": failures, "found": objects, "mark": mark})
        self.done.add(images, failures, objects, mark)

    def close(self) -> None:
        with suppress(OSError) if self._failed else nullcontext():  # it would write the rest of the failed line
            self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._failed = True
        self._file.write(_encoded(record) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._failed = False


class ObjectJournal(Journal):
    """Journal in a folder behind a URL, with the steps in ``_journal/``. Nothing locks it."""

    def __init__(self, folder: OutputFolder, facts: Mapping[str, Any]) -> None:
        self._folder = folder
        there, self.done = read_journal(folder, complete_files(folder))
        self.begun, self.engine = there is not None, _same_run(there, facts, str(folder))
        if not self.begun:
            folder.write(RUN, _encoded(_head(facts)))

    def add(self, images: Images, failures: Sequence[Failure], objects: int, mark: Mark | None) -> None:
        assert isinstance(images, tuple)
        first, stop = images
        name = f"_journal/{first:09}-{stop:09}-{objects}.json"
        self._folder.write(name, _encoded({"errors": failures}) if failures else b"")
        self.done.add(images, failures, objects, mark)

    def close(self) -> None:
        """Leave the journal as it is, because each step is complete."""


def complete_files(folder: OutputFolder) -> set[str]:
    """Return the Parquet files of a folder that are not cut off: they end with the mark of the format."""
    sizes = {name: size for name, size in folder.sizes().items() if name.endswith(".parquet")}
    return {name for name, end in folder.read_ends(sizes, len(_END)).items() if end == _END}


def read_journal(
    folder: OutputFolder, files: Collection[str] | None = None
) -> tuple[dict[str, Any] | None, CompletedChunk]:
    """Read the journal of a folder: the description of the run (None without a journal) and its steps.

    Steps whose file is not among ``files`` are left out. By default, these are all files of the folder.
    """
    sizes = folder.sizes()
    files = sizes if files is None else files
    if folder.local is not None:
        if JOURNAL not in sizes:
            return None, CompletedChunk()
        return _parsed(folder.read(JOURNAL).splitlines(keepends=True), str(folder.local / JOURNAL), files)[:2]
    if RUN not in sizes:
        return None, CompletedChunk()
    there, done, _ = _parsed([folder.read(RUN) + b"\n"], str(folder), sizes)
    steps = sorted(filter(_STEP.fullmatch, sizes))
    filled = [name for name in steps if sizes[name]]
    contents = dict(zip(filled, folder.read_all(filled), strict=True))
    for number, name in enumerate(steps, 2):
        first, stop, objects = map(int, _STEP.fullmatch(name).groups())  # type: ignore[union-attr]
        step = _json(contents[name], str(folder), number) if sizes[name] else {"errors": []}
        mark = part_name(first, stop) if objects else None
        _take({"range": [first, stop], "found": objects, "mark": mark, **step}, done, str(folder), number, files)
    return there, done


def _head(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"journal": _FORMAT, **facts}


def _encoded(record: Mapping[str, Any]) -> bytes:
    # ASCII, because a name may hold a lone surrogate, which UTF-8 cannot encode
    return json.dumps(record).encode("ascii")


def _parsed(
    lines: Iterable[bytes], path: str, files: Collection[str] = ()
) -> tuple[dict[str, Any] | None, CompletedChunk, int]:
    """Return the description of the run, its steps, and the size of the complete lines in bytes."""
    facts, done, whole = None, CompletedChunk(), 0
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        record = _json(line, path, number)
        if facts is not None:
            _take(record, done, path, number, files)
        elif record.get("journal") == _FORMAT:
            facts = record
        else:
            raise _damaged(path, number)
        whole += len(line)
    return facts, done, whole


def _json(line: bytes, path: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, number) from error
    if not isinstance(record, dict):
        raise _damaged(path, number)
    return record


def _take(record: dict[str, Any], done: CompletedChunk, path: str, number: int, files: Collection[str]) -> None:
    """Add one step to ``done``, unless its file is missing."""
    match record:
        case {
            "images": list(images),
            "errors": list(failures),
            "found": int(found),
            "mark": int() | str() | None as mark,
        }:
            good = all(isinstance(image, str) for image in images) and record.get("after", done.last) == done.last
        case {
            "range": [int(first), int(stop)],
            "errors": list(failures),
            "found": int(found),
            "mark": str() | None as mark,
        }:
            good = 0 <= first < stop and mark == (part_name(first, stop) if found else None)
        case _:
            raise _damaged(path, number)
    if not good or not all(
        isinstance(failure, dict) and failure.keys() == {"image", "code", "message"} for failure in failures
    ):
        raise _damaged(path, number)
    if "range" not in record:
        done.add(images, failures, found, mark)
    elif mark is None or mark in files:
        done.add((first, stop), failures, found, mark)


def _same_run(there: Mapping[str, Any] | None, facts: Mapping[str, Any], path: str) -> str | None:
    """Check that two descriptions are of the same run, and return the engine of the run."""
    if there is None:
        return facts.get(ENGINE)
    for name in dict.fromkeys([*facts, *there]):  # in a fixed order, so that the error is reproducible
        if name not in ("journal", ENGINE, COLUMNS) and there.get(name) != facts.get(name):
            before, now = (_describe_setting(name, each.get(name)) for each in (there, facts))
            raise InputError(
                f"resume=True cannot continue {path!r}: it was started with {before}, but this run uses {now}. "
                "Use the same value again, or pass a different `to`."
            )
    return there.get(ENGINE)


def _damaged(path: str, number: int) -> InputError:
    return InputError(
        f"The journal {path!r} is corrupted at line {number}. "
        "Pass a different `to`, or delete both the output and the journal to start again."
    )


def _describe_setting(name: str, value: object) -> str:
    text = repr(value)
    return f"{name}={text if len(text) <= 200 else text[:200] + '…'}"
