"""Tests of working folders: deleted at the end, or later if their process died."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from customlabels_nb._utils.files import remove_abandoned, scratch, write_errors
from customlabels_nb.errors import ProjectError, StoreError

DAY = 24 * 3600


def test_scratch_folder_is_removed_after_its_block(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        (folder / "x").write_text("x")
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_scratch_folder_in_use_is_kept(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        remove_abandoned(tmp_path)
        assert folder.exists()


@pytest.mark.parametrize(("days", "stays"), [(6, True), (8, False)])
def test_abandoned_folders_of_other_machines_are_found_by_age(tmp_path: Path, days: int, stays: bool) -> None:
    folder = tmp_path / ".clnb-0badcafe-0123456789ab.part"
    folder.mkdir()
    then = time.time() - days * DAY
    os.utime(folder, (then, then))
    remove_abandoned(tmp_path)
    assert folder.exists() == stays


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device on this system")
def test_errors_of_writing_name_the_target_and_a_full_disk(tmp_path: Path) -> None:
    def create_table() -> None:
        with closing(sqlite3.connect(tmp_path / "small.db")) as small:
            small.execute("PRAGMA max_page_count = 1")
            try:
                small.execute("CREATE TABLE t (x)")
            except sqlite3.Error as error:
                raise StoreError("the database failed") from error

    errors: dict[Callable[[], object], str] = {
        partial(Path("/dev/full").write_bytes, b"x"): "the disk is full. Free some space and try again.",
        create_table: "the disk is full. Free some space and try again.",
        partial((tmp_path / "none" / "x").write_bytes, b"x"): "No such file or directory.",
    }
    for write, reason in errors.items():
        with pytest.raises(ProjectError) as caught, write_errors("to='x'", ProjectError):
            write()
        assert str(caught.value) == f"to='x' cannot be written: {reason}"
    with pytest.raises(StoreError, match="locked"), write_errors("to='x'"):
        raise StoreError("locked")


def test_an_interrupt_while_a_folder_is_locked_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fcntl.flock", interrupt)
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path):
        pass
    assert os.listdir(tmp_path) == []
