"""Tests of a full disk: a typed error that names the reason, and an intact old state."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.project.conftest import draw

pytestmark = pytest.mark.thorough


def small_disk_command(folder: Path, megabytes: int, command: list[str]) -> list[str]:
    """Return a command that runs another one with a small file system mounted on ``folder`` for it alone."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare (util-linux) for a small file system of the test's own")
    options = ["--mount"] if os.getuid() == 0 else ["--mount", "--map-root-user"]
    script = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0" && exec "$@"'
    if subprocess.run([unshare, *options, "sh", "-c", script, str(folder), "true"], check=False).returncode:
        pytest.skip("this machine doesn't let the test mount a small file system")
    return [unshare, *options, "sh", "-c", script, str(folder), *command]


def test_full_disk_keeps_the_old_state_of_every_action(tmp_path: Path) -> None:
    for label, name in enumerate(("disc", "stripes", "triangle")):
        for random_state in range(10):
            draw(tmp_path / "photos" / name / f"{random_state}.png", label, random_state)
    disk = tmp_path / "disk"
    disk.mkdir()
    program = [sys.executable, "-m", "tests.stress.on_a_full_disk", str(disk), str(tmp_path / "photos")]
    done = subprocess.run(small_disk_command(disk, 40, program), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    for action in ("edit", "import", "rename", "create", "train", "load"):
        assert "disk is full" in said[action], done.stdout
    assert said["version"].startswith("TRAINING_FAILED")
    assert said["resumed"] == "TRAINING_COMPLETED"


def test_endpoints_answer_on_a_full_disk_without_its_paths(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    program = [sys.executable, "-m", "tests.stress.endpoints_on_a_full_disk", str(disk)]
    done = subprocess.run(small_disk_command(disk, 40, program), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    count, *names = done.stdout.partition("\nfull:\n")[2].split("\n")
    assert int(count) > 25, done.stdout
    assert {"POST projects", "images", "create_project", "update_dataset_entries"} <= set(names)
