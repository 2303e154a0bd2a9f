"""Tests of the review's kernel side: responses to its page, and its use from other cells."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.labeling.drawing import Shape
from customlabels_nb.project.project import Project
from customlabels_nb.widgets._base import STATIC, join_modules
from customlabels_nb.widgets.review import Review
from tests import provision
from tests.labeling.conftest import another, named, photos, project  # noqa: F401
from tests.widgets.asking import Cell, Page


@pytest.fixture
def labelled(project: Project) -> Project:  # noqa: F811
    """Return a project in which images 0–3 are apples, 4 and 5 pears."""
    session = another(project, "anna")
    session.assign(named(session, *range(4)), "apple")
    session.assign(named(session, 4, 5), "pear")
    return project


@pytest.fixture
def page(labelled: Project, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(labelled.review(sort="name"), monkeypatch)


def test_hello_and_show_contain_the_page(page: Page) -> None:
    hello = page.ask("hello")
    assert hello["review"] == {"left": 6, "done": 0, "by_label": {"apple": 4, "pear": 2}}
    assert (hello["query"]["show"], hello["query"]["sort"]) == ("to_review", "name")
    assert hello["can_draw"]  # so that E and a double click open the annotator
    assert hello["key"].endswith(" review")  # the page data of this project's gallery is not used here
    query = {**hello["query"], "label": "pear"}
    shown = page.ask("show", split="train", query=query, place=0, size=9, pixels=160)
    assert [row["short"] for row in shown["page"]["rows"]] == ["4.png", "5.png"]
    assert {(*row["by"], row["reviewed"]) for row in shown["page"]["rows"]} == {("anna", False)}
    with pytest.raises(RuntimeError, match="show='unlabelled'"):
        page.ask("show", split="train", query={**query, "show": "unlabelled"}, place=0, size=9, pixels=160)


def test_decisions_answer_with_the_rows_as_they_are_stored(page: Page) -> None:
    names = named(page.widget.session, *range(6))
    answer = page.edit("approve", names[:2])
    assert [row["reviewed"] for row in answer["rows"]] == [True, True]
    assert answer["info"]["review"] == {"left": 4, "done": 2, "by_label": {"apple": 2, "pear": 2}}
    answer = page.edit("label", names[2:3], label="pear", instead_of="apple")
    assert answer["rows"][0]["labels"] == ["pear"]
    answer = page.edit("reject", names[3:])
    assert answer["info"]["review"] == {"left": 0, "done": 3, "by_label": {}}
    assert page.ask("undo")["info"]["review"]["left"] == 3
    view = page.ask("hello")["view"]
    everything = page.ask("edit", op="approve", split="train", view=view, ranges=[[0, 5]], revisions=None)
    assert everything["reload"]
    assert everything["info"]["review"]["done"] == 6
    with pytest.raises(RuntimeError, match="op='submit'"):
        page.edit("submit", names)
    with pytest.raises(RuntimeError, match="'fig' no longer exists"):
        page.edit("label", names, label="fig")


def test_tiles_have_boxes_that_follow_decisions_and_undo(page: Page, labelled: Project) -> None:
    session = page.widget.session
    names = named(session, *range(10))
    make_annotations(labelled, names[0], [], ["apple", "pear"])
    session.follow()
    shown = page.ask("show", split="train", query=page.ask("hello")["query"], place=0, size=100, pixels=160)
    drawn = [[1, 2, 9, 8], [2, 2, 9, 8]]
    row = next(row for row in shown["page"]["rows"] if row["name"] == names[0])
    assert (row["boxes"], row["outlines"], row["size"]) == (["apple", "pear"], drawn, [48, 36])
    assert page.edit("reject", names[:2])["rows"][0]["outlines"] == []
    assert page.ask("undo")["rows"][0]["outlines"] == drawn
    make_annotations(labelled, names[0], [], ["pear"])
    assert page.ask("follow", images=names)["rows"][0]["outlines"] == drawn[:1]
    assert "outlines" in page.ask("follow", images=names * 10, whole=True)["rows"][0]
    assert "outlines" not in page.ask("follow", images=names * 11, whole=True)["rows"][0]  # more than a page shows


def test_boxes_of_an_image_of_unknown_size_are_drawn(page: Page, labelled: Project) -> None:
    session = page.widget.session
    make_annotations(labelled, session.table.names[0], [], ["apple"])
    session.follow()
    session.table.sizes[0] = None
    assert page.ask("rows", view=session.view.number, ranges=[[0, 0]])["rows"][0]["size"] == [48, 36]


def test_review_is_controlled_from_python(page: Page, labelled: Project) -> None:
    review = page.widget
    with pytest.raises(InputError, match="No image is selected"):
        review.approve()
    review.select(named(review.session, 0, 1))
    page.pushed.clear()
    assert len(review.approve().images) == 2
    assert page.pushed == [{"push": "follow"}]  # the page polls immediately
    review.correct("pear", named(review.session, 2))
    review.reject(named(review.session, 3), reason="wrong label")
    assert review.session.row(named(review.session, 3)[0])["rejected"]["reason"] == "wrong label"
    assert review.progress == {"left": 2, "done": 3, "by_label": {"pear": 2}}
    with pytest.raises(InputError, match=r"images=.* is a string"):
        review.reject("photo.jpg")
    assert list(review.selected["label"]) == ["apple", "apple"]
    review.set_filter(show="reviewed")
    assert len(review.session.view) == 3
    review.set_filter("label == 'pear'", show="all")
    assert len(review.session.view) == 3
    review.set_filter()
    assert len(review.session.view) == 2
    with pytest.raises(InputError, match="show='unlabelled'"):
        review.set_filter(show="unlabelled")


def test_invalid_options_are_refused(labelled: Project) -> None:
    for wrong in ({"show": "errors"}, {"sort": "uncertainty"}, {"page_size": 10}, {"split": "valid"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            labelled.review(**wrong)
    with pytest.raises(LabelError, match="fig"):
        labelled.review(label="fig")
    assert len(labelled.review(label="pear").session.view) == 2
    assert len(labelled.review(label="").session.view) == 0


def test_images_saved_in_the_annotator_below_are_reviewed(page: Page, labelled: Project) -> None:
    review = page.widget
    names = named(review.session, 0, 1)
    make_annotations(labelled, names[0], [], ["apple"])
    review.session.follow()
    review.set_filter(label="apple")  # the annotator shows all images of the dataset
    page.ask("fix", image=names[0])
    _, annotator = Cell(review).widgets
    for name in names:
        facts = annotator.session.shapes(name)
        annotator.session.set_shapes(name, [Shape.read(shape) for shape in facts["shapes"]], labels=["pear"])
    rows = page.ask("follow", images=names)["rows"]
    assert [row["reviewed"] for row in rows] == [True, True]
    assert rows[0]["outlines"] == [[1, 2, 9, 8]]
    review.remove_labels(names)
    assert labelled.train_set.images["status"].value_counts()["unlabelled"] == 26


FORESEEN = ("labels", "boxes", "status", "reviewed", "agrees")


def decided_by_page(cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Run the page's JavaScript on rows and edits and return the resulting rows."""
    script = join_modules(STATIC / "review" / "decisions.js") + (
        f"\nconst rows = {json.dumps(cases)}.map(({{ row, edit, alone }}) => decided(row, edit, {{ alone }}));\n"
        f"const fields = {json.dumps(FORESEEN)};\n"
        "console.log(JSON.stringify(rows.map((row) => Object.fromEntries(fields.map((name) => [name, row[name]])))));\n"
    )
    (folder / "cases.mjs").write_text(script, "utf-8")
    node = provision.find_node()
    done = subprocess.run([node, "cases.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def make_annotations(project: Project, image: str, labels: list[str], boxes: list[str]) -> None:  # noqa: F811
    """Set the labels and boxes of an image."""
    rows: list[tuple[Any, ...]] = [(image, label, None, None, None, None) for label in labels]
    rows += [(image, label, 1.0 + at, 2.0, 9.0, 8.0) for at, label in enumerate(boxes)]
    columns = ["image", "label", "left", "top", "width", "height"]
    project.update("train", pd.DataFrame(rows or [(image, *[None] * 5)], columns=columns))


def test_the_page_foresees_what_the_kernel_makes_of_a_decision(labelled: Project, tmp_path: Path) -> None:
    pick = random.Random(0)
    session = labelled.review().session
    names = named(session, *range(10))
    labelled.add_predictions(pd.DataFrame({"image": names, "label": "apple", "confidence": 0.6}), model="m")
    cases: list[dict[str, Any]] = []
    after: list[dict[str, Any]] = []
    for number in range(48):
        task = pick.choice(["single-label", "multi-label", "boxes"])
        image = named(session, number % 20)
        labels = pick.sample(["apple", "pear", "plum"], k=pick.randint(0, 1 if task == "single-label" else 2))
        boxes = pick.choices(["apple", "pear", "plum"], k=pick.randint(0, 3)) if task == "boxes" else []
        session.set_task(task)
        make_annotations(labelled, image[0], labels, boxes)
        session.follow()
        if pick.random() < 0.3:
            session.set_status(image, pick.choice(["needs_review", "skipped", "labelled"]))
        before = session.rows(image)[0]
        op, label = (
            pick.choice(["approve", "reject", "remove", "label", "label", "label", "unlabel"]),
            pick.choice(["apple", "pear"]),
        )
        edit = {"op": op, "label": label, "instead_of": pick.choice([None, "apple", "plum"]) if op == "label" else None}
        try:
            Review.operations[op](session, edit)(image)
        except InputError:  # shapes of several labels: the page shows the refusal and reads the row again
            continue
        cases.append({"row": before, "edit": edit, "alone": task == "single-label"})
        after.append(session.rows(image)[0])
    assert len(cases) > 35
    for case, seen, stored in zip(cases, decided_by_page(cases, tmp_path), after, strict=True):
        stands = {name: sorted(row) if isinstance(row := stored[name], list) else row for name in FORESEEN}
        assert {name: sorted(row) if isinstance(row, list) else row for name, row in seen.items()} == stands, case
