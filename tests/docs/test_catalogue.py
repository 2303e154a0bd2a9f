"""Tests of the page about catalogues: its script works, and the SQL of the page is that of the script."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

from tests.conftest import ROOT
from tests.docs.test_readme import code_blocks

SCRIPT = ROOT / "benchmarks" / "catalogue.py"


def test_the_catalogue_is_built_queried_and_labelled() -> None:
    command = [sys.executable, str(SCRIPT), "--images", "3000", "--select", "500"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "500 selected" in done.stdout
    taken = re.findall(r"bytes of an image, of a box +([\d.]+), ([\d.]+)", done.stdout)
    assert [float(size) < 40 for size in taken[0]] == [True, True]


def test_the_page_shows_the_sql_of_the_script() -> None:
    source = [line.strip() for line in SCRIPT.read_text("utf-8").splitlines()]
    blocks = code_blocks("sql", (ROOT / "docs" / "catalogue.md").read_text("utf-8"))
    assert len(blocks) == 4
    for block in blocks:
        lines = [line.strip() for line in textwrap.dedent(block).splitlines()]
        assert any(source[at : at + len(lines)] == lines for at in range(len(source))), block
