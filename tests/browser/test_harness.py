"""Tests of the harness: it shows JupyterLab and detects errors in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import ARTIFACTS_VARIABLE, CellError, Lab, PageError, notebook

pytestmark = pytest.mark.browser


@pytest.mark.exhaustive
def test_a_cleared_page_is_like_a_new_one(lab: Lab) -> None:
    earlier = Lab(lab.server, lab.browser, name="earlier", spare=lab.spare)
    first = earlier.open(notebook("print('earlier')"), width=1000, height=700)
    first.run_all()
    light = first.css("--jp-layout-color1")
    first.set_theme("dark")
    first.hide()
    first.page.evaluate("localStorage.setItem('kept', 1)")
    earlier.close()
    page = lab.open(notebook("1", "2"))
    assert page.page is first.page
    assert page.page.viewport_size == {"width": 1280, "height": 900}
    assert page.css("--jp-layout-color1") == light
    assert page.page.evaluate("document.hidden || localStorage.getItem('kept')") is None
    expect(page.page.locator("#jp-main-dock-panel .lm-TabBar-tab")).to_have_count(1)
    expect(page.page.get_by_text("earlier")).to_have_count(0)
    assert len(lab.server.request("/api/kernels")) == 1

    settings = {"apputils-extension/kernels-settings": {"commsOverSubshells": "disabled"}}
    other = lab.open(notebook("1"), settings=settings)
    assert other.page is not first.page
    assert not other.clear()


def test_error_in_a_cell_is_raised(lab: Lab) -> None:
    page = lab.open(notebook("a = 1", "1 / 0"))
    page.run_cell(0)
    with pytest.raises(CellError, match=r"cell 1:[\s\S]*ZeroDivisionError"):
        page.run_all()
    with pytest.raises(CellError, match="NameError"):
        page.value("b")


def test_uncaught_error_on_the_page_fails_the_test(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ARTIFACTS_VARIABLE, os.fspath(tmp_path))
    inner = Lab(lab.server, lab.browser, name="probe [1]")
    page = inner.open(notebook("1"))
    page.page.evaluate("console.error('only said')")
    with page.page.expect_event("pageerror"):
        page.page.evaluate("setTimeout(() => { throw new Error('the probe') })")
    assert any("only said" in text for text in page.errors)
    assert ["the probe" in text for text in page.page_errors] == [True]
    with pytest.raises(PageError, match="the probe"):
        inner.close()
    assert (tmp_path / "probe-1.png").stat().st_size > 10_000
    assert "the probe" in (tmp_path / "probe-1.log").read_text(encoding="utf-8")
