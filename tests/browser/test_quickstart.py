"""Tests of notebook 01 in JupyterLab: it runs, and its output is legible in both themes."""

from __future__ import annotations

import io

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from customlabels_nb.quickstart import QUICKSTART, notebooks_folder
from tests.browser.jupyter import Lab, LabPage, artifacts

pytestmark = [pytest.mark.browser, pytest.mark.thorough]


def with_output(*markers: str) -> list[int]:
    """Return the positions of the cells whose source contains one of these texts."""
    cells = nbformat.read(notebooks_folder() / QUICKSTART, as_version=4).cells
    code = [(i, cell.source) for i, cell in enumerate(cells) if cell.cell_type == "code"]
    found = [next(i for i, source in code if mark in source) for mark in markers]
    assert len(set(found)) == len(markers)
    return found


def picture(page: LabPage, output: Locator, name: str) -> np.ndarray:
    """Return a screenshot of the output as an array and save it among the artifacts."""
    output.scroll_into_view_if_needed()
    data = output.screenshot()
    artifacts().mkdir(parents=True, exist_ok=True)
    (artifacts() / f"quickstart-{name}.png").write_bytes(data)
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=float)


@pytest.mark.exhaustive
def test_the_quickstart_runs_and_reads_well_in_both_themes(lab: Lab) -> None:
    page = lab.open(notebooks_folder() / QUICKSTART, height=1100)
    page.run_all(seconds=300)
    train_set, report, matrix, bars, curves, detections = with_output(
        "project.train_set", "report = model.evaluate()", "confusion_matrix.plot", "plot_per_label", "plot_curves",
        "model.detect(photo)",
    )  # fmt: skip

    thumbnails = page.output(train_set).locator("img")
    expect(thumbnails).to_have_count(8)
    assert all(image.evaluate("i => i.naturalWidth") > 100 for image in thumbnails.all())
    expect(page.output(report)).to_contain_text("living_space")
    found = page.output(detections).locator("img")
    expect(found).to_have_count(3)
    expect(page.output(detections)).to_contain_text("new_01.jpg")

    for name in ("light", "dark"):
        page.set_theme(name)
        for what, index in (
            ("train-set", train_set), ("report", report), ("matrix", matrix), ("bars", bars), ("curves", curves),
            ("detections", detections),
        ):  # fmt: skip
            pixels = picture(page, page.output(index), f"{what}-{name}")
            ground = np.median(pixels)
            # text and lines have contrast, and the background is the theme's
            assert (ground > 200) == (name == "light"), what
            assert (np.abs(pixels - ground) > 90).mean() > 0.002, what
    assert page.page_errors == []
