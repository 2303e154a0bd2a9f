"""Tests of the gallery's kernel side: responses to its page, and its use from other cells."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import DamagedError, InputError, NotReadyError, OutdatedError, StoreError
from customlabels_nb.images.regions import Part
from customlabels_nb.labeling.view import Query
from customlabels_nb.project import screens
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import SqlStore, writing
from customlabels_nb.user_settings import settings
from customlabels_nb.widgets import _pages
from tests.labeling.conftest import photos, project  # noqa: F401
from tests.labeling.drawn import DRAWN, FIRST, SECOND, THIRD, crop, draw_photos, drawn_project
from tests.widgets.asking import Cell, Page


class GalleryPage(Page):
    """Page of a gallery."""

    def show(self, **change: Any) -> Any:
        return self.show_whole(**change)[0]

    def show_whole(self, **change: Any) -> tuple[Any, list[bytes]]:
        query = {"show": "all", "label": None, "predicted": None, "annotator": None, "search": "", "images": False,
                 "sort": "name", "random_state": 0}  # fmt: skip
        wanted = {"split": "train", "query": query, "place": 0, "size": 9, "pixels": 160}
        wanted["query"] |= change.pop("query", {})
        return self.ask_whole("show", **{**wanted, **change})


@pytest.fixture
def page(project: Project, monkeypatch: pytest.MonkeyPatch) -> GalleryPage:  # noqa: F811
    return GalleryPage(project.label("train", sort="name"), monkeypatch)


def test_hello_and_show_contain_the_page(page: GalleryPage) -> None:
    hello = page.ask("hello")
    assert (hello["project"], hello["split"], hello["task"]) == ("things", "train", "single-label")
    assert hello["splits"] == {"train": 30, "test": 0}
    assert [row["label"] for row in hello["labels"]] == ["apple", "pear"]
    answer, buffers = page.show_whole(place=9)
    assert answer["page"]["place"] == 9
    assert [row["short"] for row in answer["page"]["rows"]] == [f"{number}.png" for number in range(9, 18)]
    assert answer["page"]["thumbs"] == list(range(9))
    assert all(data.startswith(b"\xff\xd8") for data in buffers)


def test_edits_answer_with_the_rows_as_they_are_stored(page: GalleryPage) -> None:
    shown = page.show()
    names = [row["name"] for row in shown["page"]["rows"]]
    answer = page.ask("edit", op="label", label="pear", split="train", images=names[:2], revisions={names[0]: 1})
    assert [row["labels"] for row in answer["rows"]] == [["pear"]] * 2
    assert answer["info"]["counts"] == {"pear": 2}
    assert answer["conflicts"] == []
    stale = page.ask("edit", op="label", label="apple", split="train", images=names[:1], revisions={names[0]: 1})
    assert stale["conflicts"] == [{"image": names[0], "short": "0.png", "theirs": ["pear"], "yours": ["apple"]}]
    assert stale["edit"] == {"op": "label", "label": "apple"}
    undone = page.ask("undo")
    assert undone["info"]["counts"].get("pear", 0) == 0


def test_a_note_is_stored_in_history_and_undone(page: GalleryPage, project: Project) -> None:  # noqa: F811
    names = [row["name"] for row in page.show()["page"]["rows"]][:3]
    page.ask("edit", op="label", label="pear", split="train", images=names[:1], revisions={})
    answer = page.ask("edit", op="note", note="<b>unclear</b>", split="train", images=names[:2], revisions={})
    assert [row["note"] for row in answer["rows"]] == ["<b>unclear</b>"] * 2
    assert [row["status"] for row in answer["rows"]] == ["labelled", "unlabelled"]
    newest = project.history.iloc[0]
    assert (newest["what"], newest["count"], newest["before"][names[0]]["note"]) == ("note", 2, None)
    assert newest["after"][names[0]]["note"] == "<b>unclear</b>"
    assert [row["note"] for row in page.show()["page"]["rows"]][:3] == ["<b>unclear</b>"] * 2 + [""]
    assert [row["note"] for row in page.ask("undo")["rows"]] == ["", ""]


def test_skip_reports_removed_labels(page: GalleryPage) -> None:
    shown = page.show()
    names = [row["name"] for row in shown["page"]["rows"]][:2]
    page.ask("edit", op="label", label="pear", split="train", images=names[:1], revisions={})
    edit = {"op": "status", "status": "skipped", "split": "train", "images": names}
    kept = page.ask("edit", **edit, revisions={})
    assert [(row["status"], row["labels"]) for row in kept["rows"]] == [("labelled", ["pear"]), ("skipped", [])]
    # changed by somebody else in the meantime: repeating it removes labels only on explicit request
    stale = page.ask("edit", **edit, remove_labels=True, revisions=dict.fromkeys(names, 1))
    assert stale["edit"] == {"op": "status", "status": "skipped", "remove_labels": True}
    gone = page.ask("edit", **edit, remove_labels=True, revisions={})
    assert [(row["status"], row["labels"]) for row in gone["rows"]] == [("skipped", [])] * 2
    undone = page.ask("undo")
    assert [(row["status"], row["labels"]) for row in undone["rows"]] == [("labelled", ["pear"])]


def test_without_a_task_a_label_replaces_the_other_unless_an_image_has_several(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    bare = create_project("bare", tmp_path)
    bare.add_images([str(name) for name in project.train_set.images["image"].head(3)], progress=False)
    page = GalleryPage(bare.label("train", sort="name"), monkeypatch)
    names = [row["name"] for row in page.show()["page"]["rows"]]
    for label in ("apple", "pear"):
        page.ask("add label", label=label)
        answer = page.ask("edit", op="toggle", label=label, split="train", images=names[:1])
    assert (answer["info"]["alone"], answer["rows"][0]["labels"]) == (True, ["pear"])
    both = pd.DataFrame({"image": [names[2]] * 2, "label": ["apple", "pear"]})
    bare.update("train", both)
    assert page.ask("follow", images=names)["info"]["alone"] is False
    answer = page.ask("edit", op="toggle", label="apple", split="train", images=names[:1])
    assert answer["rows"][0]["labels"] == ["pear", "apple"]
    assert page.ask("task", task="single-label")["info"]["alone"] is True


def test_the_same_call_returns_to_its_sort_order_and_page(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = GalleryPage(project.label("train", sort="name"), monkeypatch)
    page.ask("hello")
    shown = page.show(query={"sort": "added", "show": "unlabelled"}, place=18)
    page.ask("select", view=shown["info"]["view"], ranges=[], focus=20, place=18)
    again = GalleryPage(project.label("train", sort="name"), monkeypatch).ask("hello")
    assert (again["query"]["sort"], again["size"], again["place"]) == ("added", 9, 18)
    assert again["query"]["show"] == "all"  # no image is hidden
    other = GalleryPage(project.label("train", sort="random"), monkeypatch).ask("hello")
    assert (other["query"]["sort"], other["size"], other["place"]) == ("random", 24, 0)


def test_images_like_one_come_first_even_if_the_filter_excludes_it(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int | None]] = []

    def similar(images: list[str], keys: list[str | None], *, to: int | None = None) -> list[int]:
        asked.append((len(images), to))
        return [to or 0, *(at for at in range(len(images)) if at != (to or 0))]

    monkeypatch.setattr(screens, "SimilarityOrder", lambda *_: similar)
    gallery = project.label("train", sort="name", page_size=6)
    page = GalleryPage(gallery, monkeypatch)
    name = page.show()["page"]["rows"][4]["name"]
    like = {"sort": "similarity", "like": name}
    assert page.show(query=like)["page"]["rows"][0]["name"] == name
    page.ask("edit", op="label", label="pear", split="train", images=[name])
    answer = page.show(query={**like, "show": "unlabelled"})
    assert (answer["page"]["total"], asked[-1]) == (29, (30, 29))
    assert name not in [row["name"] for row in answer["page"]["rows"]]
    with pytest.raises(RuntimeError, match="like=3"):
        page.show(query={"like": 3})


def test_kernel_resolves_positions_that_were_not_shown(page: GalleryPage) -> None:
    shown = page.show()
    view = shown["info"]["view"]
    rows = page.ask("rows", view=view, ranges=[[10, 11], [20, 20]])
    assert rows["places"] == [10, 11, 20]
    assert [row["short"] for row in rows["rows"]] == ["10.png", "11.png", "20.png"]
    assert page.ask("rows", view=view, ranges=[[28, 2**53 - 1], [-5, 0], [7, 6]])["places"] == [28, 29, 0]
    answer = page.ask("edit", op="toggle", label="apple", split="train", view=view, ranges=[[0, 29]])
    assert answer["reload"] is True
    assert answer["info"]["statuses"]["labelled"] == 30


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("nonsense", {}, "Unknown request 'nonsense'"),
        ("edit", {"op": "drop", "split": "train", "images": []}, "op='drop'"),
        ("edit", {"op": "label", "split": "train", "images": []}, "label is missing"),
        ("full", {"image": "/etc/passwd"}, "not in the train set"),
        ("picture", {"instructions": "", "line": 0, "nth": 0}, "has no picture"),
        ("page", {"view": 999, "place": 0, "pixels": 160}, "outdated"),
        ("task", {"task": "everything"}, "task='everything'"),
        ("instructions", {"text": "x" * 20_001}, "Instructions must be text"),
        ("instructions", {"text": None}, "Malformed request 'instructions': text=None must be a string"),
        ("show", {"split": "train"}, "query is missing"),
    ],
)
def test_invalid_requests_return_an_error_message(page: GalleryPage, kind: str, content: dict, words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        page.ask(kind, **content)


def test_an_edit_passes_six_functions_and_reads_the_project_and_its_images_once(
    page: GalleryPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row, *_) = page.show()["page"]["rows"]
    package = str(Path(writing.__file__).parents[1])
    reads: list[str] = []
    stops: list[str] = []
    tables: list[pd.DataFrame] = []

    def spy(owner: Any, name: str, note: Callable[[], object]) -> None:
        function = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, **options: (note(), function(*given, **options))[1])

    for name in ("project", "labels", "tables", "predictions", "setting"):
        spy(SqlStore, name, lambda name=name: reads.append(name))
    spy(writing, "read_named", lambda: reads.append("tables again"))
    spy(writing.Trace, "keep_known", lambda: stops.extend(frame.name for frame in traceback.extract_stack()
                                                          if frame.filename.startswith(package)))  # fmt: skip
    spy(pd.DataFrame, "__init__", lambda: tables.append(pd.DataFrame))
    page.edit("label", [row["name"]], label="apple", revisions={row["name"]: row["revision"]})
    assert reads == ["project", "tables"]
    assert stops[:6] == ["answer", "_edit", "assign", "_edit", "update_images", "change_images"]
    assert len(tables) == 3  # images and annotations that were read, annotations that are written


def test_unknown_messages_are_ignored(page: GalleryPage) -> None:
    for message in (None, [], {}, {"kind": "hello"}, "text"):
        page.widget.answer(page.widget, message, [])
    assert page.sent == []


def test_a_query_of_the_page_is_never_evaluated(page: GalleryPage) -> None:
    with pytest.raises(RuntimeError, match="show="):
        page.show(query={"show": "__import__('os').system('true')"})
    answer = page.show(query={"search": "@__import__('os')"})
    assert answer["page"]["total"] == 0


def test_follow_reports_only_changes(page: GalleryPage, project: Project) -> None:  # noqa: F811
    shown = page.show()
    names = [row["name"] for row in shown["page"]["rows"]]
    page.ask("follow", images=names)
    assert page.ask("follow", images=names) == {}
    project.labels.add("plum")
    news = page.ask("follow", images=names)
    assert [row["label"] for row in news["info"]["labels"]] == ["apple", "pear", "plum"]
    project.update("train", project.train_set.relabel("plum", lambda images: images["image"] == names[3]))
    news = page.ask("follow", images=names)
    assert news["rows"][3]["labels"] == ["plum"]
    assert page.ask("follow", images=names) == {}
    again = page.ask("follow", images=names, whole=True)  # of another view of the widget, which has missed the news
    assert (again["rows"], again["whole"]) == (news["rows"], True)


def test_gallery_is_controlled_from_python(page: GalleryPage, project: Project) -> None:  # noqa: F811
    gallery = page.widget
    view = page.show()["info"]["view"]
    seen: list[Any] = []
    gallery.observe(lambda change: seen.append(len(change["new"])), "selection")
    page.ask("select", view=view, ranges=[[2, 4]], focus=4, place=0)
    assert seen == [3]
    assert [Path(name).stem for name in gallery.selected["image"]] == ["2", "3", "4"]
    page.ask("select", view=view, ranges=[], focus=5, place=0)
    assert [Path(name).stem for name in gallery.selected["image"]] == ["5"]
    gallery.set_filter(show="labelled", sort="added")
    assert page.pushed.pop()["push"] == "show"
    assert (gallery.session.view.query.show, len(gallery.session.view)) == ("labelled", 0)
    threshold = 40  # noqa: F841 - named in the query
    gallery.set_filter("width > @threshold and image.str.endswith('7.png')")
    assert len(gallery.session.view) == 0  # and still only labelled images
    gallery.set_filter()
    gallery.set_filter("width > @threshold and image.str.endswith('7.png')", sort="name")
    assert [Path(name).stem for name in gallery.session.page(0, 9)[1]] == ["7", "17", "27"]
    with pytest.raises(InputError, match="color"):
        gallery.set_filter(color="red")
    with pytest.raises(InputError, match="no_such_column"):
        gallery.set_filter("no_such_column > 3")


def test_gallery_has_the_ipyannotations_interface(page: GalleryPage, project: Project) -> None:  # noqa: F811
    gallery = page.widget
    assert gallery.options == ["apple", "pear"]
    names = gallery.session.page(0, 24)[1]
    assert gallery.data == dict.fromkeys(names)
    gallery.display(names[20])
    assert page.pushed.pop() == {"push": "show", "change": {"place": 0, "keep": 20}}
    submitted, undone = [], []
    gallery.on_submit(submitted.append)
    gallery.on_undo(lambda: undone.append(True))
    page.ask("edit", op="label", label="pear", split="train", images=names[:1], revisions={})
    page.ask("edit", op="submit", split="train", images=names[:2], revisions={})
    assert submitted == [{names[0]: "pear", names[1]: None}]
    page.ask("undo")
    assert undone == [True]
    with pytest.raises(InputError, match=r"'elsewhere\.png' is not shown"):
        gallery.display("elsewhere.png")


def test_invalid_options_are_refused(project: Project) -> None:  # noqa: F811
    for wrong in ({"page_size": 10}, {"mode": "list"}, {"sort": "size"}, {"split": "valid"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            project.label(**wrong)


def test_a_saved_notebook_gets_a_small_picture(project: Project, capsys: pytest.CaptureFixture) -> None:  # noqa: F811
    from customlabels_nb.widgets.static_fallback import static_picture

    gallery = project.label()
    files = screens.session_files(open_project(project.root))
    pictures = files.thumbnails([Part(name) for name in gallery.session.page(0, 24)[1]], 160)
    html = static_picture([*pictures, ValueError("broken")], ["<script>alert(1)</script>"], "5 of <b>7</b>")
    assert len(html) < 100_000
    assert "<script>" not in html
    assert "<b>" not in html
    assert "data:image/webp;base64," in html
    assert "<img" not in static_picture([], [], "nothing here")
    assert gallery.session.view.query == Query()


def test_the_saved_picture_follows_the_count(page: GalleryPage) -> None:
    cell = Cell(page.widget)
    names = [row["name"] for row in page.show()["page"]["rows"]]
    before = cell.html
    for name in names[:8]:
        page.ask("edit", op="label", label="pear", split="train", images=[name])
    assert cell.html is before  # edits do not wait for it
    page.ask("follow", images=names)
    after = cell.html
    page.ask("edit", op="label", label="apple", split="train", images=names[:1])  # the count stays
    page.ask("follow", images=names)
    assert cell.html is after
    assert "8 of 30 labelled" in after
    assert after.count(": pear") == 8


def test_page_waits_for_a_slow_sort_order(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    answers = iter([NotReadyError(0, 30), NotReadyError(12, 30), NotReadyError(20, 30), None])

    def similar(images: list[str], keys: list[str | None]) -> list[int]:
        if (answer := next(answers)) is not None:
            raise answer
        return list(range(len(images)))[::-1]

    monkeypatch.setattr(screens, "SimilarityOrder", lambda *_: similar)
    gallery = project.label("train", sort="name")
    page = GalleryPage(gallery, monkeypatch)
    page.show()
    gallery.set_filter("image.str.contains('1[0-9]?[.]png')", sort="similarity")  # does not wait
    pushed = page.pushed.pop()["change"]["query"]
    assert (pushed["sort"], pushed["images"]) == ("similarity", True)
    assert page.ask("hello")["query"] == pushed
    meanwhile = page.show(query=pushed)
    assert (meanwhile["wait"], meanwhile["page"]["total"]) == ([12, 30], 12)
    assert meanwhile["info"]["query"] == pushed
    names = [row["name"] for row in meanwhile["page"]["rows"]]
    assert page.ask("arrange", place=0, pixels=160, near=[]) == {"wait": [20, 30]}
    answer = page.ask("arrange", place=0, pixels=160, near=["gone.png", names[0]])
    assert (answer["wait"], answer["page"]["total"], answer["page"]["place"]) == (None, 12, 9)
    assert answer["page"]["rows"][-1]["name"] == names[0]  # it was the first and is the last
    assert answer["info"]["query"] == pushed


def test_an_edit_of_another_screen_is_stored_but_not_undone_here(page: GalleryPage) -> None:
    names = [row["name"] for row in page.show()["page"]["rows"]]
    page.ask("edit", op="label", label="pear", split="train", images=names[:1])
    page.ask("edit", op="label", label="apple", split="train", images=names[1:2], guest=True)
    assert page.widget.data[names[1]] == "apple"
    undone = page.ask("undo")
    assert undone["images"] == names[:1]
    assert page.ask("undo")["images"] == []
    assert (page.widget.data[names[0]], page.widget.data[names[1]]) == (None, "apple")


def test_an_edit_of_the_other_dataset_leaves_what_is_shown(page: GalleryPage, project: Project, photos: Path) -> None:  # noqa: F811
    view = page.show()["info"]["view"]
    Image.new("RGB", (48, 36), "red").save(photos.parent / "other.png")
    project.add_images(photos.parent / "other.png", split="test", progress=False)
    (other,) = project.test_set.images["image"]
    answer = page.ask("edit", op="label", label="apple", split="test", images=[other], guest=True)
    assert (answer["split"], answer["rows"][0]["labels"]) == ("test", ["apple"])
    assert page.ask("page", view=view, place=0, pixels=160)["rows"]
    assert page.widget.session.split == "train"


def test_a_page_whose_latest_edits_were_stored_elsewhere_undoes_no_earlier_one(page: GalleryPage) -> None:
    names = [row["name"] for row in page.show()["page"]["rows"]]
    page.ask("edit", op="label", label="pear", split="train", images=names[:1])
    page.ask("edit", op="label", label="apple", split="train", images=names[1:2], forget=True)
    assert page.ask("undo")["images"] == names[1:2]
    page.ask("undo")
    assert page.widget.data[names[0]] == "pear"


def test_only_temporary_store_errors_are_retried(page: GalleryPage, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [row["name"] for row in page.show()["page"]["rows"]]
    content = {"op": "label", "label": "pear", "split": "train", "images": names[:1]}
    answers = []
    never = OutdatedError("Show it again."), DamagedError("It may be damaged."), InputError("No."), KeyError("x")
    for error in (StoreError("The disk is full."), *never):
        with monkeypatch.context() as patch:
            patch.setattr(page.widget.session, "assign", Mock(side_effect=error))
            page.widget.answer(page.widget, {"id": 7, "kind": "edit", "content": content}, [])
        answers.append(page.sent.pop().get("again", False))
    assert answers == [True, False, False, False, False]


def test_pictures_that_take_long_come_later(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_pages, "_SOON", -1)  # one image at a time
    monkeypatch.setattr(settings, "threads", 1)
    page = GalleryPage(project.label("train", sort="name", page_size=9), monkeypatch)
    answer, _ = page.show_whole(place=0)
    assert answer["page"]["thumbs"] == [0, *[None] * 8]
    lacking = [row["name"] for row in answer["page"]["rows"]][1:]
    while lacking:
        content, buffers = page.ask_whole("pictures", images=[*lacking, "removed.png"], pixels=160)
        *thumbs, removed = content["thumbs"]
        assert removed == "This image or box was removed."
        assert thumbs == [0, *[None] * (len(lacking) - 1)]
        assert buffers[0].startswith(b"\xff\xd8")
        lacking = lacking[1:]
    assert page.show()["page"]["thumbs"] == list(range(9))


# -- crops ----------------------------------------------------------------------------------------------
@pytest.fixture
def crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GalleryPage:
    """Return the page of a gallery of crops, whose photos are in the folder ``crops``."""
    (tmp_path / "crops").mkdir()
    made = drawn_project(tmp_path, draw_photos(tmp_path / "crops"))
    return GalleryPage(made.crops("train", sort="added", page_size=9), monkeypatch)


def test_a_page_shows_crops_and_images_of_one_gallery(crops: GalleryPage, tmp_path: Path) -> None:
    hello = crops.ask("hello")
    assert (hello["query"]["crops"], hello["can_crop"]) == (True, True)
    answer = crops.show(query={"crops": True, "sort": "added", "label": "cat"})
    assert [row["boxes"] for row in answer["page"]["rows"]] == [["cat"]] * 3
    assert answer["info"]["shown_images"] == 2
    assert [row["short"] for row in crops.show(query={"sort": "name"})["page"]["rows"]] == list(DRAWN)
    assert crops.ask("hello")["query"]["crops"] is False


def test_edits_of_crops_are_those_of_images_with_names_of_crops(crops: GalleryPage, tmp_path: Path) -> None:
    crops.show(query={"crops": True, "sort": "added"})
    folder = tmp_path / "crops"
    names = [crop(folder, "0.png", box) for box in (FIRST, SECOND, THIRD)]
    crops.ask("add label", label="bird")
    answer = crops.ask("edit", op="toggle", label="bird", split="train", images=names[:2])
    assert [row["boxes"] for row in answer["rows"]] == [["bird"]] * 2
    assert answer["info"]["counts"] == {"cat": 2, "dog": 2, "bird": 2}
    cleared = crops.ask("edit", op="clear", split="train", images=names[2:])
    assert [row["status"] for row in cleared["rows"]] == ["removed"]
    undone = crops.ask("undo")
    assert [(row["name"], row["status"]) for row in undone["rows"]] == [(names[2], "unconfirmed")]
    confirmed = crops.ask("edit", op="submit", split="train", images=names)
    assert confirmed["info"]["statuses"]["confirmed"] == 3
    with pytest.raises(RuntimeError, match="op='status' cannot be applied to crops"):
        crops.ask("edit", op="status", status="skipped", split="train", images=names)


def test_an_edit_of_everything_that_is_shown_goes_by_places(crops: GalleryPage) -> None:
    view = crops.show(query={"crops": True, "sort": "added", "label": "dog"})["info"]["view"]
    answer = crops.ask("edit", op="label", label="cat", split="train", view=view, ranges=[[0, 99]])
    assert (answer["reload"], answer["info"]["counts"]) == (True, {"cat": 6, "dog": 0})


def test_a_crop_opens_in_the_annotator_below_with_its_box(crops: GalleryPage, tmp_path: Path) -> None:
    crops.show(query={"crops": True, "sort": "added"})
    sent = Mock()
    folder = tmp_path / "crops"
    crops.ask("fix", image=crop(folder, "2.png", SECOND))
    _, annotator = crops.widget._outermost().children
    annotator.send = sent
    crops.ask("fix", image=crop(folder, "0.png", THIRD))
    sent.assert_called_once_with({"push": "go", "place": 0, "box": list(THIRD)})
    assert crops.widget._outermost().children == (crops.widget, annotator)


def test_selected_crops_and_the_saved_picture_are_boxes(crops: GalleryPage, tmp_path: Path) -> None:
    view = crops.show(query={"crops": True, "sort": "added"})["info"]["view"]
    crops.ask("select", view=view, place=0, focus=1, ranges=[[1, 2]])
    assert crops.widget.selected["label"].tolist() == ["dog", "cat"]
    crops.widget.set_filter(label="dog")
    assert len(crops.widget.session.view) == 3
    crops.widget.set_filter()
    assert len(crops.widget.session.view) == 6
    assert "0 of 6 boxes confirmed" in crops.widget._fallback_text()


def test_a_gallery_that_was_refused_is_closed_without_an_error(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", failures.append)
    with pytest.raises(InputError, match="mode='x'"):
        project.label("train", mode="x")
    gc.collect()
    assert not failures
