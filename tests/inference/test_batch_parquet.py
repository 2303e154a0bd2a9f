"""Tests of Parquet in a separate environment with pyarrow, which changes how pandas stores strings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_answers_in_parquet(outer_environment: dict[str, str], tmp_path: Path) -> None:
    beside = shutil.which("uv", path=os.path.dirname(sys.executable))
    uv = outer_environment.get("UV") or beside or shutil.which("uv", path=outer_environment.get("PATH"))
    if uv is None:
        pytest.skip("uv, which fetches pyarrow, isn't here: pip install uv")
    arrow = str(tmp_path / "arrow")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", arrow, "pyarrow"],
        env=outer_environment, check=True, timeout=600,
    )  # fmt: skip
    tests = [f"tests/inference/{name}.py" for name in ("test_batch_outputs", "test_batch_resume", "parquet_checks")]
    tests.append("tests/released/test_released.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "parts or parquet", *tests,
         "--basetemp", str(tmp_path / "checks")],
        cwd=ROOT, env={**outer_environment, "PYTHONPATH": arrow}, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 15
