"""Tests that the package needs nothing that only POSIX systems have."""

from __future__ import annotations

import ntpath
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from customlabels_nb._utils.files import portable_name
from customlabels_nb.datasets.formats import image_folder
from customlabels_nb.datasets.formats.staging import Staged
from customlabels_nb.errors import InputError
from customlabels_nb.images import locations
from customlabels_nb.images.listing import read_folder
from tests.conftest import ROOT
from tests.project.conftest import draw


@pytest.mark.thorough
def test_core_paths_run_without_posix(tmp_path: Path, outer_environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.installed.without_posix", "tests.installed.core_paths"]
    environment = {**outer_environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rename_and_delete" in done.stdout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CON", "CON_"),
        ("nul.tar.gz", "nul_.tar.gz"),
        ("a:b?.jpg", "a_b_.jpg"),
        ("falcon. ", "falcon"),
        ("console", "console"),
    ],
)
def test_portable_names_are_valid_on_windows(name: str, expected: str) -> None:
    assert portable_name(name) == expected
    assert portable_name(expected) == expected


def test_paths_of_windows_are_names_with_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = SimpleNamespace(path=ntpath, sep="\\", name="nt", fspath=os.fspath, fsdecode=os.fsdecode)
    monkeypatch.setattr(locations, "os", windows)
    assert locations.to_uri("C:\\photos\\cat\\..\\a.jpg") == "C:/photos/a.jpg"
    assert locations.relative_name("C:\\photos\\cat\\a.jpg", "C:\\photos") == "cat/a.jpg"
    assert locations.without_scheme("file:///C:/my%20photos/a.jpg") == "C:/my photos/a.jpg"


def test_labels_that_a_disk_does_not_distinguish_are_not_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, label in enumerate(("Cat", "cat")):
        draw(tmp_path / "photos" / label / "1.png", number, 0)
    contents = image_folder.contents_of(read_folder(tmp_path / "photos", labels_from="folders"))
    assert len(image_folder.FORMAT.write(contents, tmp_path / "out")) == 2
    monkeypatch.setattr(Staged, "ignores_case", lambda files: True)
    with pytest.raises(InputError, match="one folder for the labels 'Cat' and 'cat'"):
        image_folder.FORMAT.write(contents, tmp_path / "out")
