"""Tests of every code of the service's line validation, with message and path, from the documented table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.core import issues
from customlabels_nb.datasets.validation import rules
from tests.datasets.validation.cases import ACCESS_CODES, CASES, MESSAGES
from tests.datasets.validation.manifests import BUCKET, draw, write_manifest


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the images of the lines, of all sizes, and files that are not images."""
    folder = tmp_path_factory.mktemp("photos")
    draw(folder / "a.png")
    for size in ((63, 64), (64, 64), (64, 1280), (64, 1281), (64, 4097), (300, 4097), (4096, 4096)):
        draw(folder / f"{size[0]}x{size[1]}.png", size)
    draw(folder / "a.gif")
    draw(folder / "a.bmp")
    for name, size in (("heavy.jpg", 15_000_001), ("just-not-heavy.jpg", 15_000_000)):
        os.truncate(draw(folder / name), size)
    draw(folder / "b.jpg").rename(folder / "jpeg-in-disguise.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:20])
    (folder / "folder.png").mkdir()
    return folder


@pytest.mark.parametrize("name", CASES)
def test_line(tmp_path: Path, photos: Path, name: str) -> None:
    line, expected, state = CASES[name]
    manifest = write_manifest(tmp_path / "m.manifest", [line])
    report = cl.validate_manifest(manifest, relocate={BUCKET: f"{photos}/"})
    found = [tuple(row) for row in report.lines[["code", "message", "where"]].itertuples(index=False)]
    assert found == [(code, MESSAGES[code].replace("{}", value), where) for code, where, value in expected]
    training = report.summary["statistics"]["training"]
    assert training["total_json_lines"] == training[f"{state}_json_lines"] == 1
    if found:
        assert set(report.lines["state"]) == {state}
        assert set(report.lines["line"]) == {1}


# -- completeness of the cases ----------------------------------------------------------------------
def test_every_code_has_a_case() -> None:
    every = {*issues.FILE_ERRORS, *issues.CONTENT_ERRORS, *issues.LINE_ERRORS, *issues.WARNINGS}
    on_lines = {code for _, found, _ in CASES.values() for code, _, _ in found}
    assert on_lines == {*issues.LINE_ERRORS, *issues.WARNINGS}
    source = Path(__file__).with_name("test_whole.py").read_text("utf-8")
    for_manifests = {code for code in every - on_lines if f'said("{code}"' in source}
    assert every - on_lines - for_manifests == rules.NOT_LOCALLY_KNOWN | ACCESS_CODES
    assert set(MESSAGES) == every - rules.NOT_LOCALLY_KNOWN - ACCESS_CODES
    assert all(issues.CODES[code] == message for code, message in MESSAGES.items())
    access = Path(__file__).with_name("test_access.py").read_text("utf-8")
    assert all(f'"{code}"' in access for code in ACCESS_CODES)
