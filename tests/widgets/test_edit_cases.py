"""Tests of the rule that foresees an edit in the browser, by the cases that it shares with the kernel.

``edit_cases.json`` has every edit in every state of an image, with the result that the kernel stores. The tests here
compare it with the kernel, and ``tests/js/rows.test.js`` with the page. If a rule changes on purpose, write the file
with ``python -m tests.widgets.test_edit_cases`` and review the difference.
"""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from customlabels_nb.project.projects import create_project
from tests.widgets.asking import Page

FILE = Path(__file__).with_name("edit_cases.json")
LABEL, OTHER = ({"op": "label", "label": label} for label in ("apple", "pear"))
STATUSES = [{"op": "status", "status": status} for status in ("labelled", "skipped", "needs_review")]
#: Edits that bring an image into a state.
STATES = [[], [LABEL], [LABEL, OTHER], *([status] for status in STATUSES), [LABEL, STATUSES[2]]]
EDITS = [
    LABEL,
    OTHER,
    {"op": "unlabel", "label": "apple"},
    {"op": "clear"},
    *STATUSES,
    *({**status, "remove_labels": True} for status in STATUSES[:2]),
    {"op": "submit"},
]


def cases_of(task: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return row, edit and resulting row of each edit in each state, as the kernel stores them."""
    pairs = list(product(range(len(STATES)), range(len(EDITS))))
    photos = folder / "photos"
    photos.mkdir()
    for number in range(len(pairs)):
        Image.new("RGB", (8, 8), (number, 255 - number, 7 * number % 256)).save(photos / f"{number:03}.png")
    project = create_project("cases", folder, task=task)
    project.add_images(photos, progress=False)
    for label in ("apple", "pear"):
        project.labels.add(label)
    page = Page(project.label("train", sort="name"), monkeypatch)
    names = project.train_set.images["image"].sort_values().tolist()

    def edit(chosen: list[str], **content: Any) -> None:
        page.ask("edit", **content, split="train", images=chosen, revisions={})

    def rows() -> list[dict[str, Any]]:
        stored = {row["name"]: row for row in page.widget.session.rows(names)}
        return [{key: stored[name][key] for key in ("labels", "status")} for name in names]

    for state, edits in enumerate(STATES):
        for each in edits:
            edit([name for name, (other, _) in zip(names, pairs, strict=True) if other == state], **each)
    before = rows()
    for number, each in enumerate(EDITS):
        edit([name for name, (_, other) in zip(names, pairs, strict=True) if other == number], **each)
    after = rows()
    project.close()
    return [[before[index], EDITS[number], after[index]] for index, (_, number) in enumerate(pairs)]


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_the_kernel_stores_what_the_shared_cases_say(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cases_of(task, tmp_path, monkeypatch) == json.loads(FILE.read_text("utf-8"))[task]


def main() -> None:
    """Write the file."""
    cases = {}
    for task in ("single-label", "multi-label"):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
            cases[task] = cases_of(task, Path(folder), monkeypatch)
    lines = [f"{json.dumps(task)}: [\n" + ",\n".join(map(json.dumps, found)) + "\n]" for task, found in cases.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
