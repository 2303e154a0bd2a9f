"""A validation as text and as HTML: whether it can be trained on, what to do first, and a table of the rest.

File names, labels and whatever a line says are anybody's text: all of it is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from customlabels_nb._utils.text import escaped, one_line, printable
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest, CheckedManifests
from customlabels_nb.datasets.validation.todo import Task, first_step, tasks

_USE_CASES = {
    "IMAGE_LEVEL_LABELS": "image-level labels",
    "OBJECT_LOCALIZATION": "boxes",
    "NOT_DETERMINED": "use case not determined",
}
_CELL = 'style="text-align:left;vertical-align:top;padding:3px 10px 3px 0"'
_NUMBER = (
    'style="text-align:right;vertical-align:top;padding:3px 10px 3px 0;font-variant-numeric:tabular-nums;'
    'white-space:nowrap"'
)


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
    rows = "".join(
        f"<tr><td {_NUMBER}>{_count(task.lines)}</td><td {_NUMBER}>{_count(task.frees)}</td>"
        f'<td {_CELL}><code title="{escaped(task.message)}" style="white-space:nowrap">'
        f"{escaped(_named(task))}</code></td>"
        f"<td {_CELL}>{escaped(task.where)}</td><td {_CELL}>{escaped(task.advice.text)}</td></tr>"
        for task in found
    )
    heads = "".join(
        f'<th scope="col" {style}>{text}</th>'
        for text, style in (
            ("lines", _NUMBER), ("frees", _NUMBER), ("code", _CELL), ("first lines", _CELL), ("what to do", _CELL),
        )
    )  # fmt: skip
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    below = "".join(f"<div>{escaped(line)}</div>" for line in (*counts(checked), *notes))
    step = first_step(found)
    return (
        '<div style="font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);'
        'color:var(--jp-ui-font-color1,inherit);overflow-wrap:anywhere">'
        f"<div><b>{escaped(headline(checked, limits))}</b></div>"
        f"{f'<div>{escaped(step)}</div>' if step else ''}"
        f'<div style="color:var(--jp-ui-font-color2,inherit)">{below}</div>{table}</div>'
    )


def _named(task: Task) -> str:
    return task.code if task.split in ("", "train") else f"{task.code} ({task.split})"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
