"""Tests of the map in JupyterLab: the lasso, keys, other tabs, and what it shows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from scipy.spatial import ConvexHull

from tests.browser.gallery import SETUP
from tests.browser.jupyter import Lab, LabPage, notebook

pytestmark = pytest.mark.browser

#: Two groups of images that are far apart. Every third image has a label.
PROJECT = """
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.store import Action
from customlabels_nb.models.embeddings import describe_features
from customlabels_nb.models.feature_file import feature_key, project_features

draw(40)
project = cl.create_project("things", task="single-label")
project.add_images("photos", progress=False)
for label in ("apple", "<b>pear"):
    project.labels.add(label)
images = project.train_set.images
file = project_features(project.root).of(describe_features(PACKAGED))
rows = np.random.default_rng(0).normal(size=(40, file.width)) * 0.5
rows[20:] += 3 * np.random.default_rng(1).normal(size=file.width)
file.add([feature_key(content) for content in images["sha256"]], rows)
project.update("train", images[["image"]].iloc[::3].assign(label="apple"))
layout = project.map_layout(progress=False)
"""
SHOW = "m = project.map()\nm"
#: Report in which every fifth image is wrong, with confidences from 0 to 1.
REPORT = """
from functools import partial
from types import SimpleNamespace
import ipywidgets
from customlabels_nb.project.screens import open_evaluation_map

truth = images[["image"]].assign(label=np.where(np.arange(40) < 20, "apple", "<b>pear"))
found = truth.assign(label=np.where(np.arange(40) % 5, truth["label"], "apple"), confidence=np.linspace(0.1, 1, 40))
open_map = partial(open_evaluation_map, project._location, lambda names: ipywidgets.Label(str(len(names))))
actions = SimpleNamespace(can=[], facts={}, labels=list, suspects=lambda: None, open_map=open_map)
report = cl.Report(
    cl.evaluate(truth, found, images, thresholds=0.05), name="v1", root=project.root, actions=lambda: actions
)
project._store.move_images(images["image"].tolist(), "train", "test", Action("move", "anna"))
project.map_layout("test", progress=False)
"""


class MapPage:
    """Map shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.root = page.output(cell).locator(".clnb-map")

    def ready(self, count: int = 40) -> MapPage:
        expect(self.root).to_have_attribute("data-points", str(count))
        self.root.focus()
        return self

    def places(self, images: list[int]) -> list[tuple[float, float]]:
        """Return the places of points on the screen, once the map is at rest there."""
        found = self.page.value(f"layout[['x', 'y']].iloc[{images}].to_numpy().tolist()")
        plane = self.root.locator(".plane")
        plane.hover(position={"x": 4, "y": 4})
        box = plane.bounding_box()
        assert box
        side = min(box["width"], box["height"]) / 2 - 26
        return [(box["x"] + box["width"] / 2 + x * side, box["y"] + box["height"] / 2 + y * side) for x, y in found]

    def lasso(self, images: range) -> None:
        """Draw around these points, 10 pixels beyond their hull, which is less than the edge of the map."""
        places = np.array(self.places(list(images)))
        middle = places.mean(axis=0)
        arms = places[ConvexHull(places).vertices] - middle
        corners = middle + arms * (1 + 10 / np.linalg.norm(arms, axis=1, keepdims=True))
        mouse = self.page.page.mouse
        mouse.move(*corners[0].tolist())
        mouse.down()
        for x, y in [*corners[1:].tolist(), corners[0].tolist()]:
            mouse.move(x, y, steps=4)
        mouse.up()

    @property
    def counts(self) -> Locator:
        return self.root.locator(".counts")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.page.keyboard.press(key)


def test_the_map_of_a_report_follows_its_thresholds_and_labels_nothing(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT, REPORT + "r = report.show()\nr", "m = report.map()\nm"), height=1500)
    page.run_all()
    shown = MapPage(page, 2).ready()
    legend = shown.root.locator(".legend")
    expect(legend).to_contain_text("right36wrong4")
    expect(shown.root.locator(".done")).to_have_text("4 of 40 images wrong")
    choice = shown.root.locator("select[data-menu='select']")
    choice.select_option(label="wrong")
    expect(shown.counts).to_have_text("4 selected 4 wrong")
    expect(shown.root.locator(".tile.wrong:visible")).to_have_count(4)
    expect(shown.root.locator(".tile:visible").first.locator(".chip bdi")).to_have_text(["<b>pear", "apple"])
    shown.press("2", "Delete")
    page.value("r.set_thresholds(0.5)")
    expect(legend).to_contain_text("right18wrong22")
    expect(shown.counts).to_have_text("4 selected 4 wrong")
    choice.select_option(label="wrong")
    expect(shown.counts).to_have_text("22 selected 22 wrong")
    assert page.value("len(project.test_set.annotations)") == 14  # the keys have changed nothing
    page.expect_value("m.selected['true'].value_counts().to_dict()", {"apple": 18, "<b>pear": 4})
    shown.root.get_by_role("button", name="Open in the gallery").click()
    expect(page.output(2)).to_contain_text("22")


def opened(lab: Lab) -> MapPage:
    page = lab.open(notebook(SETUP + PROJECT, SHOW))
    page.run_cell(0)
    page.run_cell(1)
    return MapPage(page, 1).ready()


@pytest.mark.journey
@pytest.mark.storing
def test_the_lasso_selects_and_a_key_labels(lab: Lab) -> None:
    shown = opened(lab)
    labelled = "sorted(int(name) for name, label in labelled().items() if label == '<b>pear')"
    shown.lasso(range(20, 40))
    expect(shown.counts).to_contain_text("20 selected")
    expect(shown.counts).to_contain_text("7 apple")
    expect(shown.counts).to_contain_text("13 without a label")
    expect(shown.root.locator(".tile.selected:visible")).to_have_count(9)
    shown.page.expect_value("len(m.selected)", 20)
    shown.press("2")
    expect(shown.counts).to_contain_text("20 <b>pear")
    expect(shown.root.locator(".state")).to_have_text("saved")
    assert shown.page.value(labelled) == list(range(20, 40))
    shown.root.locator(".tile").first.click()  # out of the selection
    expect(shown.counts).to_contain_text("19 selected")
    shown.press("1")
    expect(shown.root.locator(".state")).to_have_text("saved")
    shown.page.expect_value(labelled, [20])
    shown.press("Control+z", "Control+z")
    expect(shown.counts).to_contain_text("7 apple")
    shown.page.expect_value(labelled, [])
    shown.press("Escape")
    expect(shown.counts).to_contain_text("0 selected")
    shown.page.expect_value("len(m.selected)", 0)


def test_the_keyboard_alone_selects_by_label_and_by_neighbours(lab: Lab) -> None:
    shown = opened(lab)
    choice = shown.root.locator("select[data-menu='select']")
    choice.focus()
    choice.select_option(label="apple")
    expect(shown.counts).to_have_text("14 selected 14 apple")
    shown.press("Escape")
    expect(shown.counts).to_have_text("0 selected")
    shown.page.value("m.select(project.train_set.images['image'].tolist()[:1])")
    expect(shown.counts).to_contain_text("1 selected")
    shown.press("n")
    expect(shown.counts).to_contain_text("25 selected")
    shown.press("Control+a", "1")
    expect(shown.counts).to_have_text("40 selected 40 apple")
    expect(shown.root.locator(".state")).to_have_text("saved")
    assert shown.page.value("len(labelled())") == 40


def test_points_follow_other_cells_and_the_pointer_shows_an_image(lab: Lab) -> None:
    shown = opened(lab)
    shown.page.page.mouse.move(*shown.places([25])[0])
    card = shown.root.locator(".card")
    expect(card).to_contain_text("025.png")
    expect(card.locator("img")).to_have_attribute("src", re.compile("^data:"))
    shown.root.locator("select[data-menu='color']").select_option("status")
    expect(shown.root.locator(".legend")).to_contain_text("labelled14")
    shown.page.value("project.update('train', project.train_set.images[['image']].head(2).assign(label='apple'))")
    expect(shown.root.locator(".legend")).to_contain_text("labelled15")
    expect(shown.root.locator(".unlabelled")).to_contain_text("25")
    shown.page.value("project.remove('train', project.train_set.images['image'].tolist()[20:21])")
    expect(shown.root.locator(".toolbar .words")).to_contain_text("39", use_inner_text=False)
    shown.lasso(range(20, 40))
    expect(shown.counts).to_contain_text("19 selected")
    shown.root.get_by_role("button", name="Open in the gallery").click()
    expect(shown.page.output(1).locator(".clnb-gallery .position")).to_contain_text("of 19")


#: The images again, each with two boxes of which the first of every other one has another label.
CROPS = """
boxes = cl.create_project("drawn", task="boxes")
boxes.add_images("photos", progress=False)
every = boxes.train_set.images["image"]
table = pd.DataFrame([
    (image, "apple" if place or number % 2 else "pear", 4 + 22 * place, 6, 18, 20)
    for number, image in enumerate(every.head(12)) for place in range(2)
], columns=["image", "label", "left", "top", "width", "height"])
boxes.update("train", table)
"""


def test_boxes_are_points_that_keys_label(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + "import pandas as pd\ndraw(40)\n" + CROPS, "m = boxes.map(crops=True)\nm"))
    page.run_all()
    shown = MapPage(page, 1).ready(24)
    expect(shown.root.locator(".layout")).to_contain_text("layout of 24 crops")
    expect(shown.root.locator(".toolbar .words")).to_have_text("map of 24 crops", use_inner_text=False)
    shown.press("Control+a")
    expect(shown.counts).to_have_text("24 selected 18 apple 6 pear")
    expect(shown.root.locator(".tile.selected:visible")).to_have_count(9)
    shown.root.locator("select[data-menu='select']").select_option(label="pear")
    expect(shown.counts).to_have_text("6 selected 6 pear")
    shown.press("1")
    expect(shown.counts).to_have_text("6 selected 6 apple")
    expect(shown.root.locator(".state")).to_have_text("saved")
    page.expect_value("boxes.train_set.annotations['label'].unique().tolist()", ["apple"])
    shown.press("Control+z")
    expect(shown.counts).to_have_text("6 selected 6 pear")
    page.expect_value("m.selected['label'].tolist()", ["pear"] * 6)
    shown.root.get_by_role("button", name="Open in the gallery").click()
    expect(page.output(1).locator(".clnb-gallery .position")).to_contain_text("of 6")
