"""Tests of the quick test's kernel side: responses to its page, and its use from other cells."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import traitlets
from PIL import Image

from customlabels_nb.errors import CustomLabelsError, InputError
from customlabels_nb.labeling.feedback import Feedback
from customlabels_nb.labeling.quick_test import QuickTestSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.widgets.quick_test import Parts, QuickTest
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.labeling.fake_models import BOXES, FakeModel
from tests.labeling.test_quick_test import encoded
from tests.widgets.asking import Cell, Page

HOSTILE = '<img src=x onerror="alert(1)">\u202e.png'


class QuickPage(Page):
    """Page of a quick test."""

    def drop(self, data: bytes, name: str = "photo.png") -> Any:
        return self.drop_whole(data, name)[0]

    def drop_whole(self, data: bytes, name: str) -> tuple[Any, list[bytes]]:
        for start in range(0, max(1, len(data)), 1000):
            self.ask("part", data[start : start + 1000], key="k", first=start == 0)
        return self.ask_whole("ask", key="k", name=name)


@pytest.fixture
def whole() -> FakeModel:
    return FakeModel()


@pytest.fixture
def widget(project: Project, whole: FakeModel) -> QuickTest:  # noqa: F811
    """Return a quick test with two fake models."""
    models = [whole, FakeModel("fruit.boxes", list(BOXES))]
    feedback = Feedback(open_project_store(project.root), project.root)
    return QuickTest(QuickTestSession(lambda: [model.candidate() for model in models], feedback=feedback))


@pytest.fixture
def page(widget: QuickTest, monkeypatch: pytest.MonkeyPatch) -> QuickPage:
    return QuickPage(widget, monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a web server with one photo and one page."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "photo.png").write_bytes(encoded(1))
    (folder / "page.html").write_text("<html>no photo</html>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_uploaded_photo_is_detected_once(page: QuickPage, whole: FakeModel) -> None:
    hello, pictures = page.ask_whole("hello")
    assert [model["name"] for model in hello["models"]] == ["fruit.1", "fruit.boxes"]
    assert hello["models"][0] == {"name": "fruit.1", "about": "F1 0.900", "device": None}
    assert (hello["current"], hello["threshold"], hello["trials"], pictures) == (None, None, [], [])
    assert hello["project"]["one_label"] is True
    assert [label["label"] for label in hello["project"]["labels"]] == ["apple", "pear"]
    answer, (view, small) = page.drop_whole(encoded(), HOSTILE)
    assert answer["state"]["models"][0]["device"] == "cpu"
    trial = answer["trial"]
    assert (trial["number"], trial["name"], trial["width"], trial["height"]) == (1, HOSTILE, 48, 36)
    assert trial["added"] is None
    said = trial["answer"]
    assert (said["model"], said["detects"], said["one_label"]) == ("fruit.1", False, True)
    shape = {"box": None, "polygon": None}
    assert said["rows"][1] == {
        "label": "pear",
        "color": "#2f7fc1",
        "confidence": 0.3,
        **shape,
        "limit": 0.4,
        "answer": False,
    }
    assert view.startswith(b"\xff\xd8")
    assert small.startswith(b"\xff\xd8")
    assert whole.asked == [HOSTILE]
    again, pictures = page.ask_whole("hello")  # a reloaded page receives everything
    assert (again["current"], [one["name"] for one in again["trials"]], pictures) == (1, [HOSTILE], [small])
    shown = page.ask("show", number=1)
    assert shown["trial"] == trial
    assert len(whole.asked) == 1


def test_boxes_are_in_pixels_of_the_photo(page: QuickPage) -> None:
    page.ask("choose", model="fruit.boxes")
    answer = page.drop(encoded())
    rows = answer["trial"]["answer"]["rows"]
    assert [row["box"] for row in rows] == [[10, 8, 20, 12], [2, 3, 8, 9], [1, 1, 4, 4]]
    assert answer["trial"]["answer"]["detects"] is True


def test_camera_preview_is_not_kept(page: QuickPage, widget: QuickTest) -> None:
    answer, buffers = page.ask_whole("glance", encoded(size=(64, 40), kind="JPEG"))
    assert (answer["width"], answer["height"], len(answer["answer"]["rows"]), buffers) == (64, 40, 3, [])
    assert (widget.asked, widget.detection) == (0, None)
    with pytest.raises(RuntimeError, match="camera"):
        page.ask("glance", b"x")


def test_threshold_changes_do_not_rerun_the_model(page: QuickPage, widget: QuickTest, whole: FakeModel) -> None:
    seen: list[Any] = []
    widget.observe(lambda change: seen.append(change["new"]), "threshold")
    page.drop(encoded())
    assert widget.table["label"].tolist() == ["apple"]
    page.ask("threshold", threshold=0.2)
    assert widget.table["label"].tolist() == ["apple", "pear"]
    assert [entry["Name"] for entry in widget.detection.response["CustomLabels"]] == ["apple", "pear"]
    assert page.pushed == []  # the page knows its own changes
    widget.threshold = 1
    assert widget.table.empty
    assert "is apple with" in repr(widget.detection)
    page.ask("threshold", threshold=None)
    assert seen == [0.2, 1.0, None]
    assert page.pushed == [{"push": "threshold", "threshold": 1.0}]
    assert len(whole.asked) == 1


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_a_threshold_lies_between_0_and_1(widget: QuickTest, value: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        widget.threshold = value
    assert widget.threshold is None


def test_a_threshold_is_a_number(page: QuickPage, widget: QuickTest) -> None:
    with pytest.raises(traitlets.TraitError):
        widget.threshold = "high"
    with pytest.raises(RuntimeError, match="threshold"):
        page.ask("threshold", threshold="high")


def test_quick_test_runs_adds_and_undoes_from_python(
    page: QuickPage,
    widget: QuickTest,
    project: Project,  # noqa: F811
    photos: Path,  # noqa: F811
) -> None:
    asked: list[int] = []
    widget.observe(lambda change: asked.append(change["new"]), "asked")
    with pytest.raises(InputError, match="No photo"):
        widget.add()
    found = widget.ask(Image.new("RGB", (40, 30), "green"))
    assert found.table["label"].tolist() == ["apple"]
    assert (asked, page.pushed) == ([1], [{"push": "news"}])
    assert widget.add("test").labels == ("apple",)
    assert page.ask("hello")["trials"][0]["added"] == {"split": "test", "labels": ["apple"]}
    widget.undo()
    assert project.test_set.images.empty
    with pytest.raises(InputError, match="labels='pear' is a string"):
        widget.add(labels="pear")
    assert widget.add(labels=["pear"]).labels == ("pear",)
    assert project.train_set.annotations["label"].tolist() == ["pear"]
    with pytest.raises(CustomLabelsError):
        widget.ask(photos / "gone.png")
    assert widget.model == "fruit.1"


def test_the_page_adds_what_it_showed_also_if_another_model_was_chosen_since(page: QuickPage, project: Project) -> None:  # noqa: F811
    page.drop(encoded())
    page.ask("choose", model="fruit.boxes")
    content = {"number": 1, "split": "train", "rows": [2], "labels": []}
    answer = page.ask("add", model="fruit.1", **content)
    assert answer["trials"][0]["added"] == {"split": "train", "labels": ["plum"]}
    undone = page.ask("undo")
    assert (undone["undone"], undone["trials"][0]["added"]) == (1, None)
    assert page.ask("undo")["undone"] is None
    with pytest.raises(RuntimeError, match="rows="):
        page.ask("add", model="fruit.9", **content)
    assert project.train_set.annotations.empty


def test_read_only_project_gets_no_images(
    page: QuickPage,
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page.drop(encoded())
    monkeypatch.setattr(Feedback, "read_only", True)
    assert page.ask("state")["project"]["read_only"] is True
    with pytest.raises(RuntimeError, match="read-only"):
        page.ask("add", number=1, split="train", rows=[0], labels=[], model="fruit.1")
    assert not (project.root / "images").exists()


def test_page_receives_the_most_confident_rows(page: QuickPage, whole: FakeModel, widget: QuickTest) -> None:
    whole.answers = [("apple", 1 - number / 1000, (1.0, 2.0, 3.0, 4.0)) for number in range(400)]
    answer = page.drop(encoded())
    said = answer["trial"]["answer"]
    assert (len(said["rows"]), said["total"]) == (300, 400)
    assert said["rows"][-1]["confidence"] == pytest.approx(0.701)
    widget.threshold = 0.0
    assert len(widget.table) == 400


def test_models_are_started_and_stopped(page: QuickPage, whole: FakeModel) -> None:
    assert page.ask("start")["models"][0]["device"] == "cpu"
    assert page.ask("stop")["models"][0]["device"] is None
    assert page.ask("state")["model"] == "fruit.1"
    with pytest.raises(RuntimeError, match=r"'fruit\.3'"):
        page.ask("choose", model="fruit.3")
    assert whole.device is None


def test_a_photo_by_its_address(page: QuickPage, site: str) -> None:
    answer = page.ask("ask", url=f"  {site}/photo.png ")
    assert answer["trial"]["name"] == f"{site}/photo.png"
    for path, words in (("page.html", "not an image"), ("gone.png", "HTTP status 404")):
        with pytest.raises(RuntimeError, match=words):
            page.ask("ask", url=f"{site}/{path}")
    added = page.ask("add", number=1, split="train", rows=[0], labels=[], model="fruit.1")
    assert added["trials"][0]["added"] is not None


@pytest.mark.parametrize(
    "url",
    ["/etc/passwd", "file:///etc/passwd", "FILE:///etc/passwd", "local:///etc/passwd", "simplecache::file:///etc/passwd",
     "zip://a.png::file:///x.zip", "photo.png", "", "memory://x", "javascript:alert(1)"],
)  # fmt: skip
def test_an_address_never_reads_the_kernels_own_files(page: QuickPage, url: str) -> None:
    with pytest.raises(RuntimeError, match="not a URL such as https"):
        page.ask("ask", url=url)


def test_unusable_files_give_a_message(page: QuickPage) -> None:
    with pytest.raises(RuntimeError, match=r"'notes\.txt': .*not an image"):
        page.drop(b"just words", "notes.txt")
    with pytest.raises(RuntimeError, match="empty"):
        page.drop(b"", "nothing.png")
    with pytest.raises(RuntimeError, match="incomplete"):
        page.ask("ask", key="another", name="a.png")
    page.ask("part", b"x", key="k", first=True)
    most = page.ask("hello")["most_bytes"]
    with pytest.raises(RuntimeError, match=f"larger than {most >> 20} MB"):
        page.ask("part", bytes(most), key="k", first=False)
    with pytest.raises(RuntimeError, match="incomplete"):
        page.ask("part", b"x", key="k", first=False)


def test_parts_of_a_few_files_are_held_at_once() -> None:
    parts = Parts(100)
    for key in "abcdef":
        parts.add(key, key.encode() * 3, first=True)
    with pytest.raises(InputError, match="incomplete"):
        parts.take("a")
    parts.add("f", memoryview(b"!"), first=False)
    assert (parts.take("c"), parts.take("f")) == (b"ccc", b"fff!")
    parts.add("d", b"anew", first=True)
    assert parts.take("d") == b"anew"


def test_a_saved_notebook_keeps_a_picture(widget: QuickTest, page: QuickPage) -> None:
    cell = Cell(widget)
    assert "run this cell" in cell.html
    assert "<img" not in cell.html
    page.drop(encoded(size=(1200, 900)), HOSTILE)
    still = cell.html
    assert len(still) < 100_000
    assert still.count("<img") == 1
    assert "<img src=x" not in still
    assert "apple 0.55" in still
    assert "\u202e" not in still


def test_widgets_are_imported_lazily() -> None:
    code = (
        "import sys, customlabels_nb.project.runnable; print([m for m in ('anywidget', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
