"""Tests that current browsers and JupyterLab show pages and notebooks saved by a release."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.jupyter import Lab
from tests.browser.results import ResultsScreen
from tests.released.test_released import RELEASES

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)]


def test_an_exported_results_page_opens(browser: Browser, release: Path) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((release / "results.html").as_uri())
    screen = ResultsScreen(page, page.locator(".clnb-results")).ready()
    kept = json.loads((release / "expected.json").read_text())["counts"]["single-label"]
    assert screen.said()["means"]["f1"] == f"{kept['f1']:.3f}"
    assert problems == []
    context.close()


def test_an_executed_notebook_shows_its_widgets(lab: Lab, release: Path) -> None:
    page = lab.open(release / "notebook.ipynb")
    for index in range(3):
        still = page.output(index).locator(".clnb-still")
        expect(still).to_be_visible()
        expect(still).not_to_have_text(re.compile(r"^\s*$"))
    assert page.page_errors == []
