"""Tests of working folders: deleted at the end, or later if their process died."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from customlabels_nb._utils.files import remove_abandoned, scratch

DAY = 24 * 3600


def test_a_folder_goes_when_its_block_ends(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        (folder / "x").write_text("x")
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_in_use_stays(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        remove_abandoned(tmp_path)
        assert folder.exists()


@pytest.mark.parametrize(("days", "stays"), [(6, True), (8, False)])
def test_age_tells_what_other_machines_left(tmp_path: Path, days: int, stays: bool) -> None:
    folder = tmp_path / ".clnb-0badcafe-0123456789ab.part"
    folder.mkdir()
    then = time.time() - days * DAY
    os.utime(folder, (then, then))
    remove_abandoned(tmp_path)
    assert folder.exists() == stays


def test_an_interrupt_while_a_folder_is_locked_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("customlabels_nb._utils.files._lock", interrupt)
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path):
        pass
    assert os.listdir(tmp_path) == []
