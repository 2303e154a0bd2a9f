"""Record the progress of a long run on disk, so that it can be resumed after an interrupt or a crash.

A journal is a JSON Lines file. Its first line describes the run: the output format, the model and the thresholds. Every
other line records one finished step: its images, the images that could not be read, the number of predictions, and a
mark up to which the output is complete. The output is flushed to disk before the line that records it. Anything in the
output after the last mark therefore belongs to an unfinished step and is removed.
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

#: Key of the engine. The engine was chosen by timing, so a resumed run adopts it instead of requiring the same choice.
ENGINE = "engine"
_VERSION = 1


@dataclass
class Done:
    """Totals of all steps in a journal: images, read failures, marks and number of predictions."""

    images: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    found: int = 0

    def add(self, images: Sequence[str], failures: Sequence[Failure], found: int, mark: Mark | None) -> None:
        """Add one step."""
        self.images.update(images)
        self.failures += failures
        self.found += found
        if mark is not None:
            self.marks.append(mark)


class Journal:
    """Journal at ``path``, opened for writing and locked for this process.

    Parameters
    ----------
    path : Path
        Journal file, created if it does not exist.
    facts : mapping
        Description of the run, as JSON values.

    Attributes
    ----------
    begun : bool
        True if the journal already existed.
    done : Done
        Totals of the recorded steps.
    engine : str or None
        Engine that the run was started with, or None if the journal does not record it.

    Raises
    ------
    InputError
        If the file is not a journal, or belongs to a run with different ``facts``.
    NotAllowedError
        If another process, or another cell of this notebook, is writing to the file.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self._path = path
        self._file: BinaryIO = open(path, "a+b")  # noqa: SIM115 - stays open and locked until close()
        try:
            _lock(self._file, path)
            self.done, self.engine = Done(), facts.get(ENGINE)
            self.begun = self._read({"journal": _VERSION, **facts})
        except BaseException:
            self._file.close()
            raise

    def add(self, images: Sequence[str], failures: Sequence[Failure], found: int, mark: Mark | None) -> None:
        """Append a step and flush it to disk."""
        self._write({"images": images, "errors": failures, "found": found, "mark": mark})
        self.done.add(images, failures, found, mark)

    def close(self) -> None:
        """Close the journal and release its lock."""
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        # ASCII, because a name may hold a lone surrogate, which UTF-8 cannot encode
        self._file.write(json.dumps(record).encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, facts: dict[str, Any]) -> bool:
        """Read the existing lines and remove an incomplete last line."""
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
        for name in dict.fromkeys([*facts, *there]):  # in a fixed order, so that the error is reproducible
            if name != ENGINE and there.get(name) != facts.get(name):
                raise InputError(
                    f"resume=True cannot continue {str(self._path)!r}: it was started with "
                    f"{_told(name, there.get(name))}, but this run uses {_told(name, facts.get(name))}. "
                    "Use the same value again, or pass a different `to`."
                )

    def _damaged(self, number: int) -> InputError:
        return InputError(
            f"The journal {str(self._path)!r} is corrupted at line {number}. "
            "Pass a different `to`, or delete both the output and the journal to start again."
        )


def _told(name: str, value: object) -> str:
    text = repr(value)
    return f"{name}={text if len(text) <= 200 else text[:200] + '…'}"


def _lock(file: BinaryIO, path: Path) -> None:
    """Lock the open file. The system releases the lock when the process ends."""
    try:
        import fcntl
    except ImportError:  # not available on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise NotAllowedError(f"Another process is writing to {str(path)!r}. Wait until it finishes.") from error
    except OSError:  # the file system does not support locks
        return
