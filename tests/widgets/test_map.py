"""Tests of the kernel side of the map: responses to its page, and its use from other cells."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from customlabels_nb.labeling import image_map
from customlabels_nb.labeling.image_map import ImageMap
from customlabels_nb.models import embeddings, map_layout
from customlabels_nb.models.backbone import Backbone
from customlabels_nb.project.project import Project
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.labeling.drawn import FIRST, SECOND, crop, draw_photos, drawn_project
from tests.labeling.test_image_map import add_features, lay_out_here
from tests.waiting import wait_until
from tests.widgets.asking import Cell, Page


class MapPage(Page):
    """Page of a map."""

    def pick(self, *points: int) -> tuple[Any, list[int]]:
        """Select points, and return the answer and the points of the page."""
        answer, buffers = self.ask_whole("pick", np.array(points, "<i4").tobytes(), split="train", pixels=160)
        return answer, np.frombuffer(buffers[-1], "<i4").tolist()


@pytest.fixture
def page(project: Project, monkeypatch: pytest.MonkeyPatch) -> MapPage:  # noqa: F811
    add_features(project)
    lay_out_here(project, "train")
    return MapPage(project.map("train"), monkeypatch)


def test_points_have_places_and_labels(page: MapPage, project: Project) -> None:  # noqa: F811
    hello = page.ask("hello")
    assert (hello["map"]["words"], hello["map"]["without"]) == ("layout of 30 images", 0)
    project.labels.reorder(["pear", "apple"])
    project.update("train", project.train_set.images[["image"]].head(2).assign(label=["apple", "pear"]))
    news = page.ask("follow")
    assert news["info"]["map"]["stamp"] != hello["map"]["stamp"]
    assert page.ask("follow") == {}
    _, (xy, codes) = page.ask_whole("points")
    places = np.frombuffer(xy, "<f4").reshape(-1, 2)
    table = project.map_layout(progress=False)
    assert np.array_equal(places, table[["x", "y"]].to_numpy(np.float32))
    assert np.frombuffer(codes, "<i2")[:3].tolist() == [1, 0, -1]
    legend, (values,) = page.ask_whole("values", by="status")
    assert legend["groups"] == [["unlabelled", 28], ["labelled", 2]]
    assert len(values) == 4 * 30


def test_the_selection_is_a_page_whose_edits_can_be_undone(page: MapPage, project: Project) -> None:  # noqa: F811
    page.ask("hello")
    assert page.widget.selected.empty
    answer, points = page.pick(7, 3, 999, 5)
    assert points == [3, 5, 7]
    rows = answer["page"]["rows"]
    assert [row["point"] for row in rows] == points
    images = [row["name"] for row in rows]
    page.ask("select", view=answer["info"]["view"], ranges=[[0, 2]], focus=0, place=0)
    assert page.widget.selected["image"].tolist() == images
    edited = page.edit("label", images, label="pear")
    assert [(row["labels"], row["point"]) for row in edited["rows"]] == [(["pear"], at) for at in points]
    assert page.widget.selected["label"].tolist() == ["pear"] * 3
    assert page.ask("undo")["info"]["counts"].get("pear", 0) == 0
    assert project.train_set.annotations.empty
    project.remove("train", images[:1])
    page.ask("follow")
    assert page.pick(3, 5)[1] == [5]
    with pytest.raises(RuntimeError, match="Another dataset"):
        page.ask("pick", b"", split="test", pixels=160)


def test_other_cells_select_and_see_the_gallery(page: MapPage) -> None:
    page.ask("hello")
    names = page.widget.session.table.names
    page.widget.select(names[4:6])
    assert page.pushed == [{"push": "pick", "points": [4, 5]}]
    assert page.widget.selected["image"].tolist() == names[4:6]
    page.ask("open", screen="gallery")
    assert page.widget.below.session.images_at([(0, 9)]) == names[4:6]
    page.widget.set_filter(show="unlabelled")
    assert len(page.widget.session.view) == 30
    row = page.ask("point", split="train", point=4, pixels=160)["row"]
    assert row["name"] == names[4]
    with pytest.raises(RuntimeError, match="The selection has 5 bytes"):
        page.ask("pick", b"12345", split="train", pixels=160)
    for point in (-1, len(names)):
        with pytest.raises(RuntimeError, match=f"point={point} must be from 0"):
            page.ask("point", split="train", point=point, pixels=160)
    page.widget.close()


def test_suspects_of_the_selection_open_in_a_review(page: MapPage, monkeypatch: pytest.MonkeyPatch) -> None:
    names = page.widget.session.table.names
    page.ask("hello")
    assert page.pick(1, 2)[0]["suspects"] == 0
    monkeypatch.setattr(ImageMap, "suspects", lambda image_map: {names[2], names[9]})
    answer, _ = page.pick(1, 2)
    assert answer["suspects"] == 1
    page.ask("select", view=answer["info"]["view"], ranges=[[0, 1]], focus=0, place=0)
    page.ask("open", screen="review")
    query = page.widget.below.session.view.query
    assert (query.images, query.queue) == ({names[2]}, "suspect")


def test_search_without_vectors_names_the_call_that_computes_them(page: MapPage) -> None:
    def refusal() -> str:
        try:
            page.ask("ring", text="a red screw")
        except RuntimeError as error:
            return str(error)
        return ""

    wait_until(lambda: "siglip2" in refusal().casefold(), 60)


def test_the_layout_is_computed_behind_the_page(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    add_features(project)
    page = MapPage(project.map("train"), monkeypatch)
    assert page.ask("hello")["map"]["words"] == "principal components"
    wait_until(lambda: page.ask("hello")["map"]["progress"] is None, 60)
    assert {"push": "follow"} in page.pushed
    assert page.ask("follow")["info"]["map"]["words"] == "layout of 30 images"


def test_a_saved_notebook_keeps_a_picture(page: MapPage) -> None:
    markup = Cell(page.widget).html
    assert "data:image/webp" in markup
    assert "things, train: 0 of 30 labelled" in markup
    assert len(markup) < 100_000


# -- crops ----------------------------------------------------------------------------------------------
@pytest.fixture
def gate() -> threading.Event:
    """Return an event that features wait for."""
    return threading.Event()


@pytest.fixture
def crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> MapPage:
    """Return the page of a map of crops, whose features are computed in the background."""
    (tmp_path / "crops").mkdir()
    made = drawn_project(tmp_path, draw_photos(tmp_path / "crops"))

    def forward(_network: object, batch: list[np.ndarray], facts: Backbone, *_: object) -> np.ndarray:
        assert gate.wait(60)
        return np.stack([np.random.default_rng(int(pixels.sum())).normal(size=facts.features) for pixels in batch])

    monkeypatch.setattr(embeddings, "load_backbone", lambda name: SimpleNamespace(to=lambda device: None))
    monkeypatch.setattr(embeddings, "choose_device", lambda device: "cpu")  # without importing torch
    monkeypatch.setattr(embeddings, "_forward", forward)
    monkeypatch.setattr(map_layout, "_embed", lambda points, *rest: points[:, :2])
    monkeypatch.setattr(image_map, "lay_out", lambda layouts, contents, events: layouts.compute(contents, events))
    return MapPage(made.map("train", crops=True), monkeypatch)


def test_each_box_is_a_point_once_its_features_are_computed(crops: MapPage, gate: threading.Event) -> None:
    first = crops.ask("hello")["map"]
    assert (first["noun"], first["without"], first["total"]) == ("crop", 6, 6)
    assert "0 of 6" in first["error"]
    gate.set()
    wait_until(lambda: crops.ask("hello")["map"]["words"] == "layout of 6 crops")
    done = crops.ask("hello")["map"]
    assert (done["without"], done["progress"], done["error"]) == (0, None, "")
    _, (xy, codes) = crops.ask_whole("points")
    assert np.isfinite(np.frombuffer(xy, "<f4")).all()
    assert np.frombuffer(codes, "<i2").tolist() == [0, 1, 0, 0, 1, 1]
    assert done["colorings"] == ["label", "status", "confidence", "annotator"]
    legend, _ = crops.ask_whole("values", by="status")
    assert legend["groups"] == [["unconfirmed", 6]]


def test_selected_crops_are_labelled_and_open_in_the_gallery(
    crops: MapPage, tmp_path: Path, gate: threading.Event
) -> None:
    gate.set()
    wait_until(lambda: crops.ask("hello")["map"]["words"] == "layout of 6 crops")
    answer, points = crops.pick(4, 1, 99)
    assert points == [1, 4]
    names = [crop(tmp_path / "crops", "0.png", SECOND), crop(tmp_path / "crops", "1.png", FIRST, 2)]
    assert [(row["name"], row["point"], row["boxes"]) for row in answer["page"]["rows"]] == [
        (names[0], 1, ["dog"]),
        (names[1], 4, ["dog"]),
    ]
    assert answer["page"]["thumbs"] == [0, 1]
    edited = crops.edit("toggle", names[:1], label="cat")
    assert [(row["boxes"], row["point"]) for row in edited["rows"]] == [(["cat"], 1)]
    assert np.frombuffer(crops.ask_whole("points")[1][1], "<i2").tolist() == [0, 0, 0, 0, 1, 1]
    content, (picture,) = crops.ask_whole("point", split="train", point=1, pixels=160)
    assert content["row"]["crop"]
    assert picture.startswith(b"\xff\xd8")
    crops.widget.select(names)
    assert crops.pushed[-1] == {"push": "pick", "points": [1, 4]}
    crops.ask("open", screen="gallery")
    assert crops.widget.below.session.images_at([(0, 9)]) == names
    crops.edit("clear", names[:1])
    assert crops.ask("hello")["map"]["total"] == 5
    assert np.isnan(np.frombuffer(crops.ask_whole("points")[1][0], "<f4")).tolist() == [False] * 2 + [True] * 2 + (
        [False] * 8
    )
    assert "0 of 5 boxes confirmed" in Cell(crops.widget).html
    crops.widget.close()
