"""Write a validation as text and as HTML: whether it can be trained on, what to do first, and a table of the rest."""

from __future__ import annotations

from collections.abc import Sequence

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line, printable
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest, CheckedManifests
from customlabels_nb.datasets.validation.todo import Task, first_step, tasks

_USE_CASES = {
    "IMAGE_LEVEL_LABELS": "image-level labels",
    "OBJECT_LOCALIZATION": "boxes",
    "NOT_DETERMINED": "use case not determined",
}


def headline(checked: CheckedManifests, limits: Limits) -> str:
    """Whether it can be trained on, and why not."""
    what, reasons = one_line(checked.train.source), obstacles(checked, limits)
    if not reasons:
        return f"{what} can be trained on ({limits.name} profile)."
    return f"{what} can't be trained on ({limits.name} profile): {' '.join(reasons)}"


def obstacles(checked: CheckedManifests, limits: Limits) -> list[str]:
    """Why it can't be trained on, in sentences; empty if it can."""
    found = [*checked.errors, *checked.train.errors, *(checked.test.errors if checked.test else ())]
    reasons = list(dict.fromkeys(error.message for error in found))
    if not reasons and checked.train.valid < limits.min_training_images:
        reasons = [f"It takes {limits.min_training_images} images to train; {checked.train.valid:,} can be used."]
    return reasons


def counts(checked: CheckedManifests) -> list[str]:
    """One sentence for each manifest."""
    sides = [("train", checked.train), *([("test", checked.test)] if checked.test else [])]
    return [_counted(name, side) for name, side in sides]


def _counted(name: str, manifest: CheckedManifest) -> str:
    lines = "line" if manifest.total == 1 else "lines"
    return (
        f"{name}: {manifest.total:,} {lines}, {manifest.valid:,} valid, {manifest.invalid:,} invalid, "
        f"{manifest.ignored:,} ignored; {_USE_CASES[manifest.use_case]}."
    )


def report_text(checked: CheckedManifests, limits: Limits, notes: Sequence[str]) -> str:
    """The report for a terminal."""
    found = tasks(checked)
    head = [headline(checked, limits), first_step(found), *counts(checked), *notes]
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


def report_html(checked: CheckedManifests, limits: Limits, notes: Sequence[str]) -> str:
    """The report for a notebook."""
    found = tasks(checked)
    return render(
        "validation.html",
        headline=headline(checked, limits),
        first_step=first_step(found),
        sentences=[*counts(checked), *notes],
        tasks=[{**vars(task), "name": _named(task), "where": task.where, "advice": task.advice.text} for task in found],
    )


def _named(task: Task) -> str:
    return task.code if task.split in ("", "train") else f"{task.code} ({task.split})"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
