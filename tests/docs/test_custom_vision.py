"""Tests of the page for users of Custom Vision: its programs run on real photos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import customlabels_nb as cl
from tests.conftest import ROOT
from tests.docs.test_readme import code_blocks

PAGE = (ROOT / "docs" / "guides" / "custom_vision.md").read_text("utf-8")
pytestmark = pytest.mark.thorough

DETECTOR = 'produce.train("iteration-1", budget="2min")'


def test_the_ported_programs_upload_train_publish_and_predict(
    fruit_photos: Path,
    fruit_test_photos: list[Path],
    test_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in fruit_photos.iterdir():
        shutil.copytree(kind, tmp_path / "photos" / kind.name)
    (tmp_path / "new").mkdir()
    for photo in fruit_test_photos:
        shutil.copy(photo, "new")
    shutil.copytree(test_data / "fruit-objects", tmp_path, dirs_exist_ok=True)
    training, prediction, detection = code_blocks("python", PAGE)
    names: dict[str, object] = {}

    exec(training, names)  # noqa: S102
    exec(prediction, names)  # noqa: S102
    best = [line.split()[1] for line in capsys.readouterr().out.splitlines() if ".jpg: " in line]
    assert best == ["apple", "banana", "orange"]

    assert DETECTOR in detection
    quick = detection.replace(DETECTOR, 'produce.train("iteration-1", steps=4, input_size=160)')
    exec(quick.replace("threshold=0.5", "threshold=0"), names)  # noqa: S102
    boxes, found = names["boxes"], names["found"]
    assert isinstance(boxes, cl.Dataset)
    regions = sum(len(file["tags"]) for file in json.loads(Path("tagged-images.json").read_text())["files"])
    assert len(boxes.annotations) == regions
    assert {"label", "confidence", "left", "width"} <= set(found.table)  # type: ignore[attr-defined]
