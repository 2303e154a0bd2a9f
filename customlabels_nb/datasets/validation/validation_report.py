"""What a validation found: tables, the service's files, repairs, and itself as a list of what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line, printable
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.manifest_values import Place
from customlabels_nb.datasets.validation import written_files
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest, CheckedManifests
from customlabels_nb.datasets.validation.repairs import REPAIRS, RepairChange, check_names
from customlabels_nb.datasets.validation.rules import check_manifests
from customlabels_nb.datasets.validation.subjects import DatasetTables, ManifestOnDisk, relocation, upload_bucket
from customlabels_nb.datasets.validation.todo import Task, first_step, tasks
from customlabels_nb.errors import InputError
from customlabels_nb.events import say
from customlabels_nb.images.reading import local_path

Fixed = TypeVar("Fixed", covariant=True)
_USE_CASES = {
    "IMAGE_LEVEL_LABELS": "image-level labels",
    "OBJECT_LOCALIZATION": "boxes",
    "NOT_DETERMINED": "use case not determined",
}


class Subject(Protocol[Fixed]):
    """What was validated, and how it is repaired."""

    notes: list[str]

    def repaired(
        self, manifest: CheckedManifest, names: frozenset[str], limits: Limits
    ) -> tuple[Contents, list[RepairChange]]:
        """The tables after the repairs of these names, and what they changed."""

    def build(self, contents: Contents) -> Fixed:
        """A dataset of these tables."""


class ValidationReport(Generic[Fixed]):
    """What the checks of a training manifest, and perhaps a test manifest, found.

    Made by :func:`customlabels_nb.validate_manifest` and :meth:`customlabels_nb.Dataset.validate`.

    Attributes
    ----------
    profile : str
        "local" or "rekognition": the limits that were checked.
    notes : list of str
        How things were judged, where that isn't evident.
    """

    def __init__(self, checked: CheckedManifests, limits: Limits, subjects: Mapping[str, Subject[Fixed]]) -> None:
        self._checked = checked
        self._limits = limits
        self._subjects = subjects
        self._sides = {t.TRAIN: checked.train, **({t.TEST: checked.test} if checked.test else {})}
        self.profile = limits.name
        self.notes = list(dict.fromkeys(note for subject in subjects.values() for note in subject.notes))

    @property
    def ok(self) -> bool:
        """Whether it can be trained on: nothing is wrong with it as a whole. Lines may still have findings."""
        return not self._obstacles()

    @property
    def errors(self) -> pd.DataFrame:
        """What stops the training: split (empty where it concerns both manifests), code, message, detail."""
        found = [("", one) for one in self._checked.errors]
        found += [(split, one) for split, side in self._sides.items() for one in side.errors]
        rows = [(split, one.code, one.message, one.detail) for split, one in found]
        return pd.DataFrame(rows, columns=["split", "code", "message", "detail"]).astype("str")

    @property
    def lines(self) -> pd.DataFrame:
        """One row a finding about a line: split, line (from 1), source_ref, code, message, where, state, detail.

        ``where`` is the place in the line's object, such as ``bounding-box.annotations[2]``, empty for the line itself;
        ``state`` what became of the line: valid (the rest of it is used), invalid or ignored; ``detail`` what the
        service's message doesn't tell.
        """
        rows = [
            (split, line.number, line.source_ref, found.code, found.message, written_place(found.place), line.state,
             found.detail)
            for split, side in self._sides.items()
            for line in side.lines
            for found in line.findings
        ]  # fmt: skip
        columns = {"split": "str", "line": "int64", "source_ref": "str", "code": "str", "message": "str",
                   "where": "str", "state": "str", "detail": "str"}  # fmt: skip
        return pd.DataFrame(rows, columns=list(columns)).astype(columns)

    @property
    def todo(self) -> pd.DataFrame:
        """What to do, as the report shows it: split, code, lines, frees, first_lines, what_to_do, repairs.

        ``lines`` is how many lines have the code, ``frees`` how many are not used for this reason alone, ``repairs``
        are names for :meth:`fix`.
        """
        rows = [
            (task.split, task.code, task.lines, task.frees, task.where, task.advice.text, list(task.advice.repairs))
            for task in tasks(self._checked)
        ]
        return pd.DataFrame(
            rows, columns=["split", "code", "lines", "frees", "first_lines", "what_to_do", "repairs"]
        ).astype({"lines": "int64", "frees": "int64"})

    @property
    def summary(self) -> dict[str, Any]:
        """What ``manifest_summary.json`` holds: statistics and errors of the manifests, and errors of both together."""
        return written_files.summary(self._checked)

    def entries(self, split: str = t.TRAIN) -> Iterator[dict[str, Any]]:
        """The lines as the service lists the entries of a dataset: with ``cl-errors`` and ``cl-metadata``."""
        return written_files.listed_entries(self._side(split))

    def to(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the service's files: the manifests with their errors, and ``manifest_summary.json``.

        The manifests can be mended by hand and read again as they are.

        Returns
        -------
        list of Path
            The files; those of the same names are replaced. None are written if a manifest could not be read at all:
            see ``errors``.

        Raises
        ------
        InputError
            If ``folder`` is a file, or a manifest changed since it was validated.
        """
        target = local_path(folder, "folder")
        if target.exists() and not target.is_dir():
            raise InputError(f"folder={os.fspath(folder)!r} is a file; name a folder.")
        target.mkdir(parents=True, exist_ok=True)
        return written_files.write_outputs(self._checked, target)

    def fix(self, *names: str, split: str = t.TRAIN) -> Fixed:
        """A repaired dataset; what was validated stays as it is.

        Parameters
        ----------
        *names : str
            One or more repairs: those that ``what_to_do`` names. They are done in one go, in the order of
            :data:`~customlabels_nb.datasets.validation.repairs.REPAIRS`, so that "drop_lines" only leaves out what the
            others did not mend.
        split : {"train", "test"}
            Which of two manifests.

        Returns
        -------
        Dataset
            Its ``issues`` say what was changed, line by line. A line shows only the first thing that is wrong with how
            it is written: validate again.
        """
        chosen, side = check_names(names), self._side(split)
        contents, changes = self._subjects[split].repaired(side, chosen, self._limits)
        for name in (name for name in REPAIRS if name in chosen):
            say(f"{name}: {_counted([change.line for change in changes if change.repair == name], REPAIRS[name])}.")
        told = [
            Issue("ENTRY_REPAIRED", f"{change.repair}: {change.what}", change.image or "", side.source, change.line)
            for change in changes
        ]
        contents.issues = [*told, *contents.issues]
        return self._subjects[split].build(contents)

    def _side(self, split: str) -> CheckedManifest:
        if split not in self._sides:
            raise InputError(f"split={split!r} was not validated; there is {' and '.join(self._sides)}.")
        return self._sides[split]

    def __repr__(self) -> str:
        found = tasks(self._checked)
        head = [self._headline(), first_step(found), *self._counts(), *self.notes]
        if not found:
            return printable("\n".join([line for line in head if line] + ["Nothing was found."]))
        rows = [("lines", "frees", "code", "first lines")]
        rows += [(_count(task.lines), _count(task.frees), _named(task), task.where) for task in found]
        wide = [max(len(row[column]) for row in rows) for column in range(3)]
        body = [
            f"{lines:>{wide[0]}}  {frees:>{wide[1]}}  {code:<{wide[2]}}  {first}".rstrip()
            for lines, frees, code, first in rows
        ]
        indent = " " * (wide[0] + wide[1] + 6)
        for place, task in reversed(list(enumerate(found, 1))):
            body.insert(place + 1, indent + task.advice.text)
        return printable("\n".join([*(line for line in head if line), "", *body]))

    def _repr_html_(self) -> str:
        found = tasks(self._checked)
        return render(
            "validation.html",
            headline=self._headline(),
            first_step=first_step(found),
            sentences=[*self._counts(), *self.notes],
            tasks=[{**vars(one), "name": _named(one), "where": one.where, "advice": one.advice.text} for one in found],
        )

    def _headline(self) -> str:
        """Whether it can be trained on, and why not."""
        what, reasons = one_line(self._checked.train.source), self._obstacles()
        if not reasons:
            return f"{what} can be trained on ({self.profile} profile)."
        return f"{what} can't be trained on ({self.profile} profile): {' '.join(reasons)}"

    def _obstacles(self) -> list[str]:
        """Why it can't be trained on, in sentences; empty if it can."""
        train, fewest = self._checked.train, self._limits.min_training_images
        reasons = list(dict.fromkeys(self.errors["message"]))
        if not reasons and train.valid < fewest:
            reasons = [f"It takes {fewest} images to train; {train.valid:,} can be used."]
        return reasons

    def _counts(self) -> list[str]:
        """One sentence for each manifest."""
        return [
            f"{split}: {side.total:,} {'line' if side.total == 1 else 'lines'}, {side.valid:,} valid, "
            f"{side.invalid:,} invalid, {side.ignored:,} ignored; {_USE_CASES[side.use_case]}."
            for split, side in self._sides.items()
        ]


def _named(task: Task) -> str:
    return task.code if task.split in ("", "train") else f"{task.code} ({task.split})"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _counted(lines: list[int], what: str) -> str:
    if not lines:
        return "nothing to change"
    count, places = len(lines), len(set(lines))
    return f"{count:,} change{'s' * (count > 1)} in {places:,} line{'s' * (places > 1)} ({what})"


def written_place(place: Place) -> str:
    """A place in a line's object as text: ``bounding-box.annotations[2]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def validate_files(
    train: str | os.PathLike[str],
    test: str | os.PathLike[str] | None,
    limits: Limits,
    build: Callable[[str, Contents], Fixed],
    *,
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
    check_images: bool = True,
) -> ValidationReport[Fixed]:
    """Check manifest files; see :func:`customlabels_nb.validate_manifest`.

    Parameters
    ----------
    build : callable
        Makes a dataset of a manifest's path and tables.
    """
    checked = check_manifests(train, test, limits=limits, images=images, relocate=relocate, check_images=check_images)
    paths = {t.TRAIN: train, **({} if test is None else {t.TEST: test})}
    subjects = {
        split: ManifestOnDisk(partial(build, os.fspath(path)), images=images, relocate=relocate)
        for split, path in paths.items()
    }
    return ValidationReport(checked, limits, subjects)


def validate_tables(
    train: DatasetTables[Fixed], test: DatasetTables[Fixed] | None, limits: Limits, *, check_images: bool = True
) -> ValidationReport[Fixed]:
    """Check the tables of datasets; see :meth:`customlabels_nb.Dataset.validate`."""
    subjects = {t.TRAIN: train, **({} if test is None else {t.TEST: test})}
    bucket = upload_bucket(subjects.values()) if limits.service else None
    lines = [subject.lines(bucket) for subject in subjects.values()]
    checked = check_manifests(*lines, limits=limits, relocate=relocation(bucket), check_images=check_images)
    train.name_images(checked.train)
    if test is not None and checked.test is not None:
        test.name_images(checked.test)
    return ValidationReport(checked, limits, subjects)
