"""What of a long run is done, on the disk: a run that was interrupted or killed goes on from it.

A file of JSON lines. The first tells what is run: the form of the output, the model, the thresholds. Each other one is
a step that is done: its images, those of them that could not be read, how much was found, and a mark up to which the
output is whole. The output is on the disk before the line that says so; what it has beyond the last mark is therefore
of a step that was cut off, and is taken away.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from customlabels_nb.errors import InputError, NotAllowedError

Failure: TypeAlias = dict[str, str]
Mark: TypeAlias = int | str

#: Of the facts the engine, as which a run goes on: it was chosen by time, and isn't compared.
ENGINE = "engine"
_VERSION = 1


@dataclass
class Done:
    """All steps of a journal: how often each image was looked at, what could not be read, what was found."""

    images: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    found: int = 0

    def add(self, images: Sequence[str], failures: Sequence[Failure], found: int, mark: Mark | None) -> None:
        """Note one step."""
        self.images.update(images)
        self.failures += failures
        self.found += found
        if mark is not None:
            self.marks.append(mark)


class Journal:
    """The journal at ``path``, opened for writing and held for this process alone.

    Parameters
    ----------
    path : Path
        Made if it isn't there.
    facts : mapping
        What is run, as JSON holds it.

    Attributes
    ----------
    begun : bool
        Whether the journal was there already.
    done : Done
    engine : str or None
        The engine that the run was begun with; None where the journal doesn't say.

    Raises
    ------
    InputError
        If what is there isn't a journal, or is of a run with other ``facts``.
    NotAllowedError
        If another process, or another cell of this one, writes there now.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self._path = path
        self._file: BinaryIO = open(path, "a+b")  # noqa: SIM115 - held open, and locked, until close()
        try:
            _lock(self._file, path)
            self.done, self.engine = Done(), facts.get(ENGINE)
            self.begun = self._read({"journal": _VERSION, **facts})
        except BaseException:
            self._file.close()
            raise

    def add(self, images: Sequence[str], failures: Sequence[Failure], found: int, mark: Mark | None) -> None:
        """Write down a step; when this returns, it is on the disk."""
        self._write({"images": images, "errors": failures, "found": found, "mark": mark})
        self.done.add(images, failures, found, mark)

    def close(self) -> None:
        """Let others go on with it."""
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        # ASCII: names may hold half of a surrogate pair, which no file of UTF-8 can
        self._file.write(json.dumps(record).encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, facts: dict[str, Any]) -> bool:
        """Take in what is there; a last line that was cut off goes."""
        self._file.seek(0)
        whole = 0
        begun = False
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break
            record = self._parsed(line, number)
            if begun:
                self._take(record, number)
            else:
                self._compare(record, facts)
                begun = True
            whole += len(line)
        self._file.truncate(whole)
        if not begun:
            self._write(facts)
        return begun

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._damaged(number) from error
        if not isinstance(record, dict):
            raise self._damaged(number)
        return record

    def _take(self, record: dict[str, Any], number: int) -> None:
        images, failures, found = record.get("images"), record.get("errors"), record.get("found")
        good = (
            isinstance(images, list)
            and all(isinstance(image, str) for image in images)
            and isinstance(failures, list)
            and all(
                isinstance(failure, dict) and failure.keys() == {"image", "code", "message"} for failure in failures
            )
            and isinstance(found, int)
            and isinstance(record.get("mark"), int | str | None)
        )
        if not good:
            raise self._damaged(number)
        assert isinstance(images, list)
        assert isinstance(failures, list)
        assert isinstance(found, int)
        self.done.add(images, failures, found, record["mark"])

    def _compare(self, there: dict[str, Any], facts: dict[str, Any]) -> None:
        if there.get("journal") != _VERSION:
            raise self._damaged(1)
        self.engine = there.get(ENGINE)
        for name in dict.fromkeys([*facts, *there]):  # in this order, so that the same difference is always named
            if name != ENGINE and there.get(name) != facts.get(name):
                raise InputError(
                    f"resume=True can't go on with {str(self._path)!r}: it was begun with "
                    f"{_told(name, there.get(name))}, now it is {_told(name, facts.get(name))}. "
                    "Give the same again, or another to=."
                )

    def _damaged(self, number: int) -> InputError:
        return InputError(
            f"{str(self._path)!r}, which tells what is done, is damaged in line {number}: "
            "give another to=, or delete the output and this file to begin anew."
        )


def _told(name: str, value: object) -> str:
    text = repr(value)
    return f"{name}={text if len(text) <= 200 else text[:200] + '…'}"


def _lock(file: BinaryIO, path: Path) -> None:
    """Hold the file for this opening of it; the system lets go of it when the process ends, however it does."""
    try:
        import fcntl
    except ImportError:  # no such locks here
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise NotAllowedError(f"Somebody writes to {str(path)!r} just now; wait for it to end.") from error
    except OSError:  # a file system without locks
        return
