"""Tests of the package's errors in notebooks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = r"""
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(colors="nocolor")
for prepare in ("pass", "%xmode Verbose", "%xmode Context"):
    print("==")
    shell.run_cell(prepare)
    shell.run_cell("import customlabels_nb as cl\ndef mine():\n    cl.load_project('nothere')\nmine()")
try:
    cl = shell.user_ns["cl"]
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise cl.errors.InputError("led to") from error
except cl.errors.InputError as error:
    print("==")
    print("".join(error._render_traceback_()))
    shell.showtraceback(tb_offset=0)  # as ipywidgets does in an Output
    assert isinstance(error.__cause__, ZeroDivisionError)
"""


def test_a_cell_shows_its_own_lines_and_the_message(tmp_path: Path) -> None:
    own = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=own, capture_output=True, text=True, check=True
    )
    first, verbose, again, led_to = ran.stdout.split("==\n")[1:]
    assert "----> 4 mine()" in first
    assert "----> 3     cl.load_project('nothere')" in first
    assert re.search(r"\nProjectNotFoundError: There is no project in .*create_project\(name\) creates one\.", first)
    assert "location.py" not in first
    assert "location.py" in verbose
    assert "location.py" not in again
    assert "InputError: led to" in led_to
    assert led_to.count("InputError: led to") == 2
    assert "ZeroDivisionError" not in led_to
