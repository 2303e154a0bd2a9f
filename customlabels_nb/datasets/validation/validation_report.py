"""Report on a manifest validation: tables of errors, a to-do list, repairs, and Rekognition's validation files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import pandas as pd

from customlabels_nb._utils.files import write_errors
from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, one_line, printable
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.manifest_values import Place
from customlabels_nb.datasets.validation import written_files
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest, CheckedManifests
from customlabels_nb.datasets.validation.repairs import REPAIRS, check_names
from customlabels_nb.datasets.validation.rules import check_manifests
from customlabels_nb.datasets.validation.subjects import DatasetTables, ManifestOnDisk, relocation, upload_bucket
from customlabels_nb.datasets.validation.todo import Task, first_step, tasks
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import local_path

Fixed = TypeVar("Fixed")
Subject: TypeAlias = ManifestOnDisk[Fixed] | DatasetTables[Fixed]
_USE_CASES = {
    "IMAGE_LEVEL_LABELS": "image-level labels",
    "OBJECT_LOCALIZATION": "boxes",
    "NOT_DETERMINED": "use case not determined",
}


class ValidationReport(Generic[Fixed]):
    """Errors and warnings in a training manifest and, optionally, a test manifest.

    Created by :func:`customlabels_nb.validate_manifest` and :meth:`customlabels_nb.Dataset.validate`.

    Attributes
    ----------
    profile : str
        Profile of the limits that were checked, "local" or "rekognition".
    notes : list of str
        Assumptions that the validation made.
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
        """True if a model can be trained.

        In this case, the manifests as a whole have no errors, but individual lines may still have findings.
        """
        return not self._obstacles()

    @property
    def errors(self) -> pd.DataFrame:
        """Errors that prevent training: split (empty if both manifests are affected), code, message, detail."""
        errors = [("", error) for error in self._checked.errors]
        errors += [(split, error) for split, side in self._sides.items() for error in side.errors]
        rows = [(split, error.code, error.message, error.detail) for split, error in errors]
        return pd.DataFrame(rows, columns=["split", "code", "message", "detail"]).astype(t.TEXT)

    @property
    def lines(self) -> pd.DataFrame:
        """Findings about lines, one per row: split, line (from 1), source_ref, code, message, where, state, detail.

        ``where`` is the location in the line's object, such as ``bounding-box.annotations[2]``, or empty for the line
        itself. ``state`` is the resulting state of the line: valid (the rest of it is used), invalid or ignored.
        ``detail`` adds information to Rekognition's message.
        """
        rows = [
            (split, line.number, line.source_ref, error.code, error.message, written_place(error.place), line.state,
             error.detail)
            for split, side in self._sides.items()
            for line in side.lines
            for error in line.findings
        ]  # fmt: skip
        columns = {"split": t.TEXT, "line": "int64", "source_ref": t.TEXT, "code": t.TEXT, "message": t.TEXT,
                   "where": t.TEXT, "state": t.TEXT, "detail": t.TEXT}  # fmt: skip
        return pd.DataFrame(rows, columns=list(columns)).astype(columns)

    @property
    def todo(self) -> pd.DataFrame:
        """Tasks in the order of the report: split, code, lines, frees, first_lines, what_to_do, repairs.

        ``lines`` counts the lines with the code, ``frees`` the lines that are unusable only because of the code.
        ``repairs`` lists the names of repairs for :meth:`fix`.
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
        """Content of ``manifest_summary.json``: statistics and errors of each manifest and of both together."""
        return written_files.summary(self._checked)

    def entries(self, split: t.Split = t.TRAIN) -> Iterator[dict[str, Any]]:
        """Yield the lines as Rekognition lists the entries of a dataset, with ``cl-errors`` and ``cl-metadata``.

        Raises
        ------
        InputError
            If ``split`` was not validated, or the manifest has changed since it was validated.

        Examples
        --------
        >>> report = project.train_set.validate()
        >>> entries = list(report.entries())
        >>> len(entries)
        12
        >>> entries[0]["cl-metadata"]
        {'is_labeled': True}
        """
        return written_files.listed_entries(self._side(split))

    def to(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the validation files that the hosted service would produce: annotated manifests and a summary.

        The manifests contain the errors of each line. They can be edited by hand and read again. The summary is
        ``manifest_summary.json``. Existing files with the same names are replaced.

        Returns
        -------
        list of Path
            Paths of the files. No files are written if a manifest cannot be read at all: see ``errors``.

        Raises
        ------
        InputError
            If ``folder`` is a file, or a manifest has changed since it was validated.

        Examples
        --------
        >>> files = project.train_set.validate().to("validation")
        >>> [file.name for file in files]
        ['training_manifest_with_validation.json', 'manifest_summary.json']
        """
        target = local_path(folder, "folder")
        if target.exists() and not target.is_dir():
            raise InputError(f"folder={os.fspath(folder)!r} is a file. Pass a folder.")
        with write_errors(f"folder={str(folder)!r}"):
            target.mkdir(parents=True, exist_ok=True)
            return written_files.write_outputs(self._checked, target)

    def fix(self, *names: str, split: t.Split = t.TRAIN) -> Fixed:
        """Repair the lines with findings and return them as a new dataset.

        Parameters
        ----------
        *names : str
            Names of one or more repairs, as listed in the column ``repairs`` of :attr:`todo`. They are applied
            together, in a fixed order, so that "drop_lines" only drops lines that the other repairs could not fix.
        split : {"train", "test"}
            Manifest to repair.

        Returns
        -------
        Dataset
            Repaired dataset, whose ``issues`` list every change with its line number. Validate it again, because a
            malformed line shows only its first error.

        Raises
        ------
        InputError
            If a name is not a repair, ``split`` was not validated, or the manifest has changed since it was validated.

        Examples
        --------
        >>> written = project.train_set.to("ground_truth", "train.manifest")
        >>> with open("train.manifest", "a") as file:
        ...     print("not JSON", file=file)
        >>> fixed = cl.validate_manifest("train.manifest", profile="local").fix("drop_lines")
        drop_lines: 1 change in 1 line (lines that are still invalid are dropped).
        >>> len(fixed.images)
        12
        """
        chosen, side = check_names(names), self._side(split)
        contents, changes = self._subjects[split].repaired(side, chosen, self._limits)
        for name in (name for name in REPAIRS if name in chosen):
            say(f"{name}: {_counted([change.line for change in changes if change.repair == name], REPAIRS[name])}.")
        adjustments = [
            Issue("ENTRY_REPAIRED", f"{change.repair}: {change.what}", change.image or "", side.source, change.line)
            for change in changes
        ]
        contents.issues = [*adjustments, *contents.issues]
        return self._subjects[split].build(contents)

    def _side(self, split: str) -> CheckedManifest:
        if split not in self._sides:
            raise InputError(f"split={split!r} was not validated. Choose {' or '.join(self._sides)}.")
        return self._sides[split]

    def __repr__(self) -> str:
        todo = tasks(self._checked)
        head = [self._headline(), first_step(todo), *self._counts(), *self.notes]
        if not todo:
            return printable("\n".join([line for line in head if line] + ["No problems were found."]))
        rows = [("lines", "frees", "code", "first lines")]
        rows += [(_count(task.lines), _count(task.frees), _named(task), task.where) for task in todo]
        wide = [max(len(row[column]) for row in rows) for column in range(3)]
        body = [
            f"{lines:>{wide[0]}}  {frees:>{wide[1]}}  {code:<{wide[2]}}  {first}".rstrip()
            for lines, frees, code, first in rows
        ]
        indent = " " * (wide[0] + wide[1] + 6)
        for position, task in reversed(list(enumerate(todo, 1))):
            body.insert(position + 1, indent + task.advice.text)
        return printable("\n".join([*(line for line in head if line), "", *body]))

    def _repr_html_(self) -> str:
        todo = tasks(self._checked)
        return render(
            "validation.html",
            headline=self._headline(),
            first_step=first_step(todo),
            sentences=[*self._counts(), *self.notes],
            tasks=[
                {**vars(task), "name": _named(task), "where": task.where, "advice": task.advice.text} for task in todo
            ],
        )

    def _headline(self) -> str:
        """Describe in a sentence whether the manifests can be used for training, and if not, why."""
        what, reasons = one_line(self._checked.train.source), self._obstacles()
        if not reasons:
            return f"{what} can be used for training ({self.profile} profile)."
        return f"{what} cannot be used for training ({self.profile} profile): {' '.join(reasons)}"

    def _obstacles(self) -> list[str]:
        """List the reasons why the manifests cannot be used for training, as human-readable messages."""
        train, fewest = self._checked.train, self._limits.min_training_images
        reasons = list(dict.fromkeys(self.errors["message"]))
        if not reasons and train.valid < fewest:
            reasons = [f"Training needs at least {counted(fewest, 'image')}, but only {train.valid:,} can be used."]
        return reasons

    def _counts(self) -> list[str]:
        return [
            f"{split}: {counted(side.total, 'line')}, {side.valid:,} valid, "
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
    return f"{counted(len(lines), 'change')} in {counted(len(set(lines)), 'line')} ({what})"


def written_place(steps: Place) -> str:
    """Format a location in a line's object as text, such as ``bounding-box.annotations[2]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


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
    """Check manifest files, as in :func:`customlabels_nb.validate_manifest`."""
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
    """Check the tables of datasets, as in :meth:`customlabels_nb.Dataset.validate`."""
    subjects = {t.TRAIN: train, **({} if test is None else {t.TEST: test})}
    bucket = upload_bucket(subjects.values()) if limits.service else None
    lines = [subject.lines(bucket) for subject in subjects.values()]
    checked = check_manifests(*lines, limits=limits, relocate=relocation(bucket), check_images=check_images)
    for subject, manifest in ((train, checked.train), (test, checked.test)):
        if subject is None or manifest is None:
            continue
        if not limits.service:
            subject.check_polygons(manifest)
        subject.name_images(manifest)
    return ValidationReport(checked, limits, subjects)
