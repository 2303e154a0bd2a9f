"""Tests of the harness: it shows JupyterLab and detects errors in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import ARTIFACTS_VARIABLE, FLAVOURS, CellError, Lab, PageError, notebook

pytestmark = pytest.mark.browser

NOTEBOOK = (
    "import sys\nimport customlabels_nb\nimport ipywidgets\nimport matplotlib.pyplot as plt",
    "axes = plt.figure(figsize=(4, 2)).add_subplot()\naxes.plot([1, 3, 2]);",
    "slider = ipywidgets.IntSlider(value=4, max=10)\nslider",
    "class Card:\n    def _repr_html_(self):\n        return '<p class=\"card\">three <b>apples</b></p>'\n\nCard()",
)


@pytest.mark.parametrize("lab", FLAVOURS, indirect=True)
def test_notebook_runs_from_top_to_bottom(lab: Lab) -> None:
    page = lab.open(notebook(*NOTEBOOK))
    page.run_all()

    plot = page.output(1).locator("img")
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.naturalWidth") > 100
    expect(page.output(3).locator("p.card b")).to_have_text("apples")

    track = page.output(2).locator(".noUi-target")
    box = track.bounding_box()
    assert box
    track.click(position={"x": box["width"] - 1, "y": box["height"] / 2})
    expect(page.output(2).locator(".widget-readout")).to_have_text("10")
    assert page.value("slider.value") == 10
    assert page.value("sys.executable") == sys.executable
    assert page.value("customlabels_nb.__name__") == "customlabels_nb"
    assert page.page_errors == []


@pytest.mark.parametrize("lab", FLAVOURS, indirect=True)
def test_theme_switches_and_starts_light_again(lab: Lab) -> None:
    page = lab.open(notebook("1"))
    light = page.css("--jp-layout-color1")
    page.set_theme("dark")
    dark = page.css("--jp-layout-color1")
    assert dark != light
    page.set_theme("light")
    assert page.css("--jp-layout-color1") == light

    page.set_theme("dark")
    assert lab.open(notebook("1")).css("--jp-layout-color1") == light


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


def test_screenshot_shows_the_theme(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.setenv(ARTIFACTS_VARIABLE, os.fspath(tmp_path))
    page = lab.open(notebook("1"))
    brightness = {}
    for theme in ("light", "dark"):
        page.set_theme(theme)
        with Image.open(page.screenshot(theme)) as picture:
            assert picture.size == (1280, 900)
            brightness[theme] = picture.convert("L").resize((1, 1)).getpixel((0, 0))
    assert brightness["light"] > 200
    assert brightness["dark"] < 80


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


@pytest.mark.storing
def test_kernel_restarts_dies_and_goes(lab: Lab) -> None:
    page = lab.open(notebook("import os, time\na = 1", "time.sleep(60)"))
    page.run_cell(0)
    first = page.value("os.getpid()")
    page.restart_kernel()
    with pytest.raises(CellError, match="NameError"):
        page.value("a")

    page.run_cell(0)
    second = page.value("os.getpid()")
    page.run_cell(1, wait=False)
    page.kill_kernel()
    expect(page.page.locator(".jp-Dialog")).to_be_visible(timeout=30_000)
    page.page.locator(".jp-Dialog button").last.click()
    page.wait_for_kernel()
    page.run_cell(0)
    assert len({first, second, page.value("__import__('os').getpid()")}) == 3  # in any case the new kernel's

    page.shut_kernel_down()
    assert lab.server.request("/api/kernels") == []


def test_saving_writes_the_outputs(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "a name with spaces.ipynb"
    nbformat.write(notebook("print('ready')"), path)
    page = lab.open(path)
    page.run_all()
    assert page.save().cells[0].outputs[0].text == "ready\n"
    assert nbformat.read(path, as_version=4).cells[0].outputs == []
