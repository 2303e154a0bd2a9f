"""What to do about the findings of a validation, the most useful first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine, CheckedManifest, CheckedManifests
from customlabels_nb.datasets.validation.remedies import ADVICE, Remedy

#: Codes that a line only gets because of another one, which is what there is to mend.
CONSEQUENCES = frozenset({"ERROR_NO_VALID_LABEL_ATTRIBUTES", "ERROR_NO_VALID_ANNOTATIONS", "WARNING_NO_ANNOTATIONS"})

#: Repairs by which nothing becomes usable that wasn't.
_LEAVE_OUT = frozenset({"drop_lines", "drop_bad_images", "drop_unannotated", "keep_one_bucket"})
_FIRST_LINES = 5


@dataclass(frozen=True)
class Task:
    """All findings of one code in one manifest.

    Attributes
    ----------
    split : {"train", "test", ""}
        The manifest; empty where it is both of them.
    code, message : str
        The message as the first of them has it.
    lines : int
        How many lines have it; 0 where it concerns the manifest as a whole.
    frees : int
        How many lines are not used for this reason alone.
    first_lines : tuple of int
        Numbers of the first few.
    detail : str
        What the message doesn't tell about a manifest as a whole.
    """

    split: str
    code: str
    message: str
    lines: int = 0
    frees: int = 0
    first_lines: tuple[int, ...] = ()
    detail: str = ""

    @property
    def advice(self) -> Remedy:
        """What to do about it."""
        return ADVICE[self.code]

    @property
    def where(self) -> str:
        """The first lines as text, ``3, 7, 9, …``; of a manifest as a whole the detail."""
        numbers = ", ".join(map(str, self.first_lines))
        return self.detail if not self.lines else numbers + (", …" if self.lines > len(self.first_lines) else "")


def tasks(checked: CheckedManifests) -> list[Task]:
    """What concerns whole manifests, then the lines' errors and warnings, those whose cure frees most lines first."""
    sides = [(t.TRAIN, checked.train), *([(t.TEST, checked.test)] if checked.test else [])]
    found = [("", one) for one in checked.errors] + [(split, one) for split, side in sides for one in side.errors]
    whole = [Task(split, one.code, one.message, detail=one.detail) for split, one in found]
    of_lines = [task for split, side in sides for task in _of_lines(split, side)]
    of_lines.sort(key=lambda task: (task.code.startswith("WARNING_"), -task.frees, -task.lines))
    return whole + of_lines


def _of_lines(split: str, manifest: CheckedManifest) -> Iterator[Task]:
    messages: dict[str, str] = {}
    lines: dict[str, int] = {}
    frees: dict[str, int] = {}
    first: dict[str, list[int]] = {}
    for line in manifest.lines:
        for code, message in {found.code: found.message for found in reversed(line.findings)}.items():
            messages.setdefault(code, message)
            lines[code] = lines.get(code, 0) + 1
            numbers = first.setdefault(code, [])
            if len(numbers) < _FIRST_LINES:
                numbers.append(line.number)
        alone = _only_cause(line)
        if alone is not None:
            frees[alone] = frees.get(alone, 0) + 1
    for code in (code for code in CODES if code in lines):
        yield Task(split, code, messages[code], lines[code], frees.get(code, 0), tuple(first[code]))


def _only_cause(line: CheckedLine) -> str | None:
    """The code without which the line would be used; None if it is used, or has several causes."""
    if line.state == "valid":
        return None
    codes = dict.fromkeys(found.code for found in line.findings)
    causes = [code for code in codes if code not in CONSEQUENCES] or list(codes)[:1]
    return causes[0] if len(causes) == 1 else None


def first_step(found: Sequence[Task]) -> str:
    """What to do first, in a sentence: the repair by which most lines become usable; empty if nothing is to do."""
    for task in found:
        mends = [repair for repair in task.advice.repairs if repair not in _LEAVE_OUT]
        if task.frees and mends:
            split = "" if task.split == t.TRAIN else f', split="{task.split}"'
            lines = "1 line" if task.frees == 1 else f"{task.frees:,} lines"
            return f'First: report.fix("{mends[0]}"{split}) makes up to {lines} usable.'
    if found and found[0].code == "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST":  # which the lines are the reason for
        found = sorted(found, key=lambda task: not task.frees)
    return f"First: {found[0].advice.text}" if found else ""
