"""Test that the guide about folders says what the code does."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.datasets.formats.other_tools import TOOLS
from customlabels_nb.errors import ManifestError
from tests.conftest import ROOT
from tests.images.pictures import jpeg


def rows_of(header: str) -> list[list[str]]:
    """Return the cells of the table of the guide with this header."""
    page = (ROOT / "docs" / "guides" / "folders.md").read_text("utf-8")
    lines = page.partition(f"{header}\n")[2].splitlines()[1:]
    end = next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


def zipped(name: str) -> bytes:
    """Return a zip file with an empty file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr(name, "")
    return buffer.getvalue()


CONTENTS: dict[str, bytes] = {
    "cat/3.txt": b"0 0.5 0.5 0.1 0.1\n",
    "labelTxt/3.txt": b"1 2 3 4 5 6 7 8 plane 0\n",
    "cat/3.jpg.json": json.dumps({"tags": [], "size": {"width": 3, "height": 2}, "objects": []}).encode(),
    "cat/3.pts": b"n_points: 68\n",
    "labels/detections.csv": b"image,label,left,top,width,height\ncat/0.jpg,cat,1,2,3,4\n",
    "detections.csv": b"image,label,left,top,width,height\ncat/0.jpg,cat,1,2,3,4\n",
    "cat/3.info.txt": b"a nice photo\n",
    "README.md": b"photos of cats",
    "export.zip": zipped("annotations.json"),
    "cat/@eaDir/3.jpg/small.jpg": jpeg(20),
    "cat/thumbs/3.jpg": jpeg(23),
    "cat/3_mask.png": b"",
    "$RECYCLE.BIN/9.jpg": jpeg(21),
    ".cache/9.jpg": jpeg(22),
}
#: What happens: the error, or the codes of issues, and the photos and boxes that are read.
OUTCOMES: dict[str, tuple[set[str], int, int]] = {
    "Counted, and not read": ({"NOT_IMPORTED"}, 10, 0),
    "The folder is counted, and not read": ({"NOT_IMPORTED"}, 10, 0),
    "Named in an issue, and not read": ({"ENTRY_UNREADABLE"}, 10, 0),
    "Not read": (set(), 10, 0),
    "The table is read": ({"ENTRY_ADJUSTED", "NOT_IMPORTED"}, 1, 1),
}


@pytest.mark.parametrize(("file", "what", "outcome"), rows_of("| File | What it is | What happens |"))
def test_files_beside_photos_are_treated_as_the_guide_says(tmp_path: Path, file: str, what: str, outcome: str) -> None:
    name = file.strip("`")
    files = {f"cat/{number}.jpg": jpeg(number) for number in range(10)} | {name: CONTENTS[name]}
    for each, data in files.items():
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_bytes(data)
    if "refused" in outcome:
        with pytest.raises(ManifestError, match=Path(name).name):
            cl.read_dataset(tmp_path)
        return
    found = cl.read_dataset(tmp_path)
    boxes = int(found.annotations["left"].notna().sum())
    assert (set(found.issues["code"]) - {"ONE_LABEL_FOLDER"}, len(found), boxes) == OUTCOMES[outcome], what


def test_guide_names_tools_that_are_not_read() -> None:
    assert rows_of("| Tool | Instead |") == [[tool.name, tool.instead] for tool in TOOLS]
