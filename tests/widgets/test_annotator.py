"""Tests of the annotator's kernel side: responses to its page, and its use from other cells."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.widgets.asking import Page

BOX = {"label": "apple", "left": 1, "top": 2, "width": 10, "height": 8, "polygon": None}
CORNERS = [[1, 1], [20, 2], [9, 12.5]]
POLYGON = {**BOX, "label": "pear", "polygon": CORNERS}


class AnnotatorPage(Page):
    """Page of an annotator."""

    def save(self, image: str, *shapes: dict[str, Any], **more: Any) -> Any:
        given = {"split": "train", "labels": [], "status": "labelled", "revision": None} | more
        return self.ask("save", image=image, shapes=list(shapes), **given)


@pytest.fixture
def page(project: Project, monkeypatch: pytest.MonkeyPatch) -> AnnotatorPage:  # noqa: F811
    return AnnotatorPage(project.annotate("train", sort="name"), monkeypatch)


@pytest.fixture
def names(page: AnnotatorPage) -> list[str]:
    return page.widget.session.page(0, 24)[1]


def test_image_response_contains_all_shapes(page: AnnotatorPage, names: list[str]) -> None:
    assert page.ask("hello")["place"] == 0
    facts, buffers = page.ask_whole("image", image=names[3], pixels=800)
    assert (facts["name"], facts["width"], facts["height"], facts["status"]) == (names[3], 48, 36, "unlabelled")
    assert (facts["view_width"], facts["view_height"], facts["mime"]) == (48, 36, "image/png")
    assert (facts["shapes"], facts["predictions"], facts["labels"], facts["predicted"]) == ([], [], [], None)
    assert buffers[0] == Path(names[3]).read_bytes()


def test_the_first_unlabelled_image_is_shown_first(page: AnnotatorPage, names: list[str], project: Project) -> None:  # noqa: F811
    for name in (names[0], names[1], names[3]):
        page.save(name, BOX)
    annotator = project.annotate("train", sort="name")
    assert annotator.session.images_at([(annotator._hello()["place"],) * 2]) == [names[2]]
    annotator.set_filter(show="unlabelled")  # before the screen is displayed
    assert annotator._hello()["place"] == 0


def test_saving_returns_the_stored_annotations(page: AnnotatorPage, names: list[str], project: Project) -> None:  # noqa: F811
    seen = page.ask("image", image=names[0], pixels=800)["revision"]
    answer = page.save(names[0], BOX, POLYGON, revision=seen)
    assert (answer["conflict"], answer["image"], answer["short"]) == (False, names[0], "0.png")
    assert answer["rows"][0]["boxes"] == ["apple", "pear"]
    assert answer["revision"] == answer["rows"][0]["revision"] == seen + 1
    assert answer["info"]["counts"] == {"apple": 1, "pear": 1}
    stored = project.train_set.annotations
    assert stored["label"].tolist() == ["apple", "pear"]
    assert stored["polygon"].tolist() == [None, CORNERS]
    stale = page.save(names[0], BOX, revision=seen)
    assert (stale["conflict"], stale["revision"]) == (True, seen + 1)
    assert len(project.train_set.annotations) == 2
    shown = page.ask("image", image=names[0], pixels=800)
    assert [shape["label"] for shape in shown["shapes"]] == ["apple", "pear"]


def test_new_label_can_send_labelled_images_to_review(
    page: AnnotatorPage,
    names: list[str],
    project: Project,  # noqa: F811
) -> None:
    assert page.ask("hello")["manages_labels"] is True
    saved = page.save(names[0], BOX)["revision"]
    assert page.ask("labels", seen=None)["done"] == 1
    page.ask("add label", label="fig")
    assert page.ask("image", image=names[0], pixels=800)["status"] == "labelled"
    info = page.ask("add label", label="kiwi")["info"]
    page.ask("labels change", op="review", label="kiwi")
    assert [own["label"] for own in info["labels"]][-2:] == ["fig", "kiwi"]
    facts = page.ask("image", image=names[0], pixels=800)
    assert (facts["status"], facts["revision"]) == ("needs_review", saved + 1)
    page.ask("labels change", op="rename", label="apple", name="Apfel")
    assert page.ask("follow", images=[names[0]])["rows"][0]["boxes"] == ["Apfel"]
    assert list(project.labels)[-1] == "kiwi"


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("image", {"image": "/etc/passwd", "pixels": 800}, "not in the train set"),
        (
            "region",
            {"image": "/etc/passwd", "region": {side: BOX[side] for side in t.BOX_COLUMNS}, "pixels": 800},
            "not in the train set",
        ),
        ("image", {"pixels": 800}, "image is missing"),
        ("edit", {"op": "label"}, "Unknown request 'edit'"),
    ],
)
def test_invalid_requests_return_an_error_message(page: AnnotatorPage, kind: str, content: dict, words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        page.ask(kind, **content)


def test_removed_labels_are_not_restored(
    page: AnnotatorPage,
    names: list[str],
    project: Project,  # noqa: F811
) -> None:
    page.save(names[0], BOX, labels=["pear"])
    project.labels.rename("apple", "quince")
    with pytest.raises(RuntimeError, match="'apple' no longer exists"):
        page.save(names[1], BOX)
    with pytest.raises(RuntimeError, match="'plum' no longer exists"):
        page.save(names[1], labels=["plum"])
    assert list(project.labels) == ["quince", "pear"]


def test_a_region_is_cut_from_the_upright_original(page: AnnotatorPage, names: list[str]) -> None:
    part, buffers = page.ask_whole(
        "region", image=names[0], region={"left": 8, "top": 6, "width": 16, "height": 12}, pixels=99
    )
    assert part["mime"] == "image/jpeg"
    with Image.open(io.BytesIO(buffers[0])) as cut, Image.open(names[0]) as whole:
        assert cut.size == (16, 12)
        centre, expected = cut.getpixel((4, 3)), whole.convert("RGB").getpixel((12, 9))
    assert all(abs(a - b) < 40 for a, b in zip(centre, expected, strict=True))
    with pytest.raises(RuntimeError, match="outside the 48 × 36 pixel image"):
        page.ask("region", image=names[0], region={"left": 48, "top": 0, "width": 9, "height": 9}, pixels=99)


def test_annotator_is_controlled_from_python(page: AnnotatorPage, names: list[str], project: Project) -> None:  # noqa: F811
    annotator = page.widget
    assert annotator.data == []
    page.save(names[2], BOX, POLYGON)
    view = annotator.session.view.number
    page.ask("select", view=view, ranges=[], focus=2, place=0)
    assert annotator.data == [
        {"type": "box", "label": "apple", "xyxy": (1, 2, 11, 10)},
        {"type": "polygon", "label": "pear", "points": [(1, 1), (20, 2), (9, 12.5), (1, 1)]},
    ]
    assert annotator.selected["image"].tolist() == [names[2]]
    assert page.ask("hello")["place"] == 2
    page.pushed.clear()
    annotator.display(names[5])
    assert page.pushed == [{"push": "go", "place": 5, "box": None}]
    annotator.set_filter(show="labelled")
    assert len(annotator.session.view) == 1
    with pytest.raises(InputError, match=r"'.*' is not shown"):
        annotator.display(names[7])
    with pytest.raises(InputError, match="split"):
        project.annotate("valid")
    with pytest.raises(InputError, match="sort"):
        project.annotate(sort="size")


def test_follow_reports_changes_of_others(
    page: AnnotatorPage,
    names: list[str],
    project: Project,  # noqa: F811
) -> None:
    page.ask("follow", images=names)
    assert page.ask("follow", images=names) == {}
    frame = pd.DataFrame({"image": [names[0]], **{k: [v] for k, v in BOX.items() if k != "polygon"}})
    project.update("train", frame)
    news = page.ask("follow", images=names)
    assert news["rows"][0]["boxes"] == ["apple"]
    project.add_predictions(frame.assign(image=names[1], confidence=0.75), model="m")
    news = page.ask("follow", images=names)
    assert news["rows"][1]["predicted"] == ["apple", 0.75]
    assert page.ask("image", image=names[1], pixels=800)["predictions"][0]["left"] == 1
    read = news["info"]["predictions_read"]
    both = pd.concat([frame, frame.assign(left=20)]).assign(image=names[1], confidence=0.75)
    project.add_predictions(both, model="m")  # the row is the same, but one more box is predicted
    news = page.ask("follow", images=names)
    assert news["info"]["predictions_read"] == read + 1
    assert page.ask("follow", images=names) == {}


def test_a_saved_notebook_gets_a_small_picture(project: Project, capsys: pytest.CaptureFixture) -> None:  # noqa: F811
    project.annotate()._ipython_display_()
    assert project.annotate().session.view.query.sort == "added"


def test_unreadable_image_and_empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = create_project("empty", tmp_path)
    page = AnnotatorPage(empty.annotate(), monkeypatch)
    assert page.ask("hello")["statuses"].get("unlabelled", 0) == 0
    assert page.widget.data == []
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    empty.add_images(tmp_path / "a.png", progress=False)
    page = AnnotatorPage(empty.annotate(), monkeypatch)
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match=r"a\.png"):
        page.ask("image", image=str(tmp_path / "a.png"), pixels=800)


def test_turned_photos_are_drawn_on_upright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by a quarter turn, as phones write them
    Image.new("RGB", (300, 100), "red").save(tmp_path / "turned.jpg", exif=exif)
    made = create_project("turned", tmp_path)
    made.add_images(tmp_path / "turned.jpg", progress=False)
    page = AnnotatorPage(made.annotate(), monkeypatch)
    facts, buffers = page.ask_whole("image", image=str(tmp_path / "turned.jpg"), pixels=800)
    assert (facts["width"], facts["height"], facts["view_width"], facts["view_height"]) == (100, 300, 100, 300)
    with Image.open(io.BytesIO(buffers[0])) as shown:
        assert shown.size == (100, 300)
    page.widget.session.add_label("tall")
    page.save(facts["name"], {**BOX, "label": "tall", "top": 250, "height": 50})
    with pytest.raises(RuntimeError, match="beyond the 100 × 300 pixel image"):
        page.save(facts["name"], {**BOX, "label": "tall", "left": 250, "width": 50})


@pytest.mark.parametrize("kind", [pytest.param("tif", marks=pytest.mark.thorough), "jpg"])
def test_huge_image_is_sent_reduced_with_sharp_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    width, height = 12_000, 9_000
    huge = Image.new("L", (width, height), 40)
    huge.paste(200, (6_000, 4_500, 6_001, 4_600))  # a line of one pixel, which only the original has
    huge = huge.convert("RGB")
    path = tmp_path / f"huge.{kind}"
    if kind == "tif":
        huge.save(path, compression="tiff_deflate")
    else:
        huge.save(path, quality=95, comment=b"x" * 60_000)
    made = create_project("huge", tmp_path)
    made.add_images(path, progress=False)
    page = AnnotatorPage(made.annotate(), monkeypatch)
    facts, buffers = page.ask_whole("image", image=str(path), pixels=928)
    assert (facts["width"], facts["height"]) == (width, height)
    assert max(facts["view_width"], facts["view_height"]) == 1024
    assert len(buffers[0]) < 500_000
    region = {"left": 5_900, "top": 4_450, "width": 200, "height": 200}
    _, buffers = page.ask_whole("region", image=str(path), region=region, pixels=928)
    with Image.open(io.BytesIO(buffers[0])) as cut:
        assert cut.size == (200, 200)
        assert cut.getpixel((100, 100))[0] > 150
        assert cut.getpixel((50, 100))[0] < 60


def test_rings_are_saved_and_an_outline_is_found(page: AnnotatorPage, names: list[str]) -> None:
    rings = [[[1, 1], [30, 2], [9, 22.5]], [[8, 6], [14, 6], [11, 9]]]
    page.save(names[0], {**BOX, "polygon": rings})
    (shape,) = page.ask("image", image=names[0], pixels=800)["shapes"]
    assert (shape["polygon"], shape["left"], shape["width"]) == (rings, 1, 29)
    page.widget.display(names[0])
    (mark,) = page.widget.data
    assert (mark["points"][0], mark["points"][-1], len(mark["points"])) == ((1, 1), (1, 1), 9)
    assert page.ask("prepare outlines", image=names[1], following=names[2])["engine"] == "GrabCut"
    box = {"left": 4, "top": 4, "width": 40, "height": 28}
    found = page.ask("outline", image=names[1], box=box, points=[{"x": 20, "y": 15, "inside": True}], view=None)
    assert found["pixel"] == 1
    assert len(found["polygon"]) >= 3
    with pytest.raises(RuntimeError, match="is not in the train set"):
        page.ask("outline", image="other.png", box=box, points=[], view=None)
