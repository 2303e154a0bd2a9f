"""Waiting times of a newcomer after installation, with an empty home: first label, first model, first detection.

The label is assigned by mouse and key in JupyterLab. Needs the extra ``test`` and Chromium. To time the installation,
put ``time`` before README's command.

    python benchmarks/first_run.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _measure import ROOT, figure, heading

sys.path.insert(0, str(ROOT))

from playwright.sync_api import expect, sync_playwright

from tests import provision
from tests.browser.jupyter import BROWSER_FLAGS, Lab, notebook, serve

CELL = "import customlabels_nb as cl\ncl.examples.create('rooms', {folder!r}).label('train')"


def first_label(folder: Path) -> None:
    """Measure from JupyterLab's start to a stored label."""
    heading("First label in JupyterLab:")
    started = time.perf_counter()
    with serve(folder) as server, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=provision.find_chromium(), args=BROWSER_FLAGS)
        lab = Lab(server, chromium, name="first")
        page = lab.open(notebook(CELL.format(folder=str(folder / "project"))), width=1400, height=1000)
        opened = time.perf_counter()
        figure("JupyterLab and its kernel are ready after", f"{opened - started:.1f} s")
        page.run_cell(0)
        root = page.page.locator(".clnb")
        tile = root.locator(".tile").first
        expect(tile.locator("img")).to_be_visible(timeout=120_000)
        shown = time.perf_counter()
        figure("photos drawn and shown in the gallery after", f"{shown - opened:.1f} s")
        tile.click()
        page.page.keyboard.press("2")
        expect(tile.locator(".chip")).to_contain_text("bathroom", timeout=60_000)
        expect(root.locator(".state")).to_have_text("saved", timeout=60_000)
        figure("click, key, stored", f"{time.perf_counter() - shown:.2f} s")
        lab.close()
        chromium.close()


def first_model(folder: Path) -> None:
    """Measure README's quickstart with an empty home."""
    heading("First model and detections with the quickstart:")
    home = folder / "home"
    home.mkdir()
    started = time.perf_counter()
    command = [sys.executable, "-m", "customlabels_nb.cli", "quickstart", "--out", str(folder / "quickstart")]
    subprocess.run(command, env={**os.environ, "HOME": str(home)}, stdout=subprocess.DEVNULL, check=True)
    figure("drawn, trained, evaluated, three photos predicted after", f"{time.perf_counter() - started:.0f} s")


def main() -> None:
    """Run both measurements."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        first_label(Path(place))
        first_model(Path(place))


if __name__ == "__main__":
    main()
