"""Tests of the annotator: all shapes of an image are stored together, and keep their annotator."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.labeling.drawing import DrawingSession, Shape
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action, SqlStore
from tests.facts import facts
from tests.labeling.conftest import named

WIDTH, HEIGHT = 48, 36  # of the images in conftest
TRIANGLE = ((1.0, 1.0), (9.5, 2.0), (4.0, 8.25))


def box(label: str, left: float, top: float, width: float, height: float) -> Shape:
    return Shape(label, left, top, width, height)


def polygon(label: str, *points: tuple[float, float]) -> Shape:
    return Shape.read({"label": label, "left": 0, "top": 0, "width": 0, "height": 0, "polygon": points})


def drawing(project: Project, user: str) -> DrawingSession:
    """Open a user's drawing session on the project."""
    return DrawingSession(open_project_store(project.root), project.root, user=user)


def stored(project: Project, image: str) -> list[tuple[Any, ...]]:
    """Return label, box, corners and annotator of an image's stored shapes, ordered by label."""
    rows = project.train_set.annotations
    rows = rows[rows["image"] == image].sort_values(["label", "left"])
    columns = ["label", *t.BOX_COLUMNS, "polygon", "annotator"]
    return [tuple(row) for row in rows[columns].itertuples(index=False)]


def status(project: Project, image: str) -> str:
    images = project.train_set.images
    return str(images.loc[images["image"] == image, "status"].item())


@pytest.fixture
def anna(project: Project) -> DrawingSession:
    return drawing(project, "anna")


@pytest.fixture
def image(anna: DrawingSession) -> str:
    return named(anna, 3)[0]


def test_boxes_and_polygons_are_stored_as_they_were_drawn(project: Project, anna: DrawingSession, image: str) -> None:
    outcome = anna.set_shapes(image, [box("apple", 1.25, 2, 10, 8.125), polygon("pear", *TRIANGLE)])
    assert outcome.images == (image,)
    assert stored(project, image) == [
        ("apple", 1.25, 2, 10, 8.125, None, "anna"),
        ("pear", 1, 1, 8.5, 7.25, [[1, 1], [9.5, 2], [4, 8.25]], "anna"),
    ]
    assert status(project, image) == "labelled"
    facts = anna.shapes(image)
    assert (facts["width"], facts["height"], facts["short"], facts["labels"]) == (WIDTH, HEIGHT, "3.png", [])
    assert [shape["label"] for shape in facts["shapes"]] == ["apple", "pear"]
    assert facts["shapes"][0]["polygon"] is None
    newest = project.history.iloc[0]
    assert (newest["what"], newest["who"], newest["count"]) == ("draw", "anna", 1)


def test_all_rings_of_a_polygon_are_kept(project: Project, anna: DrawingSession, image: str) -> None:
    rings = [[[1.0, 1.0], [30.0, 1.0], [30.0, 30.0]], [[20.0, 5.0], [25.0, 5.0], [25.0, 10.1235]]]
    anna.set_shapes(
        image, [Shape.read({"label": "pear", "left": 0, "top": 0, "width": 0, "height": 0, "polygon": rings})]
    )
    (shape,) = anna.shapes(image)["shapes"]
    assert (shape["polygon"][0], shape["left"], shape["width"]) == (rings[0], 1, 29)
    assert shape["polygon"][1][2] == [25.0, 10.124]
    outcome = anna.set_shapes(image, [Shape.read(shape), box("apple", 1, 2, 10, 8)])
    assert outcome is not None
    assert len(stored(project, image)) == 2
    bad = [rings[0], rings[1][:2]]
    with pytest.raises(InputError, match="at least three corners"):
        anna.set_shapes(image, [Shape.read({**shape, "polygon": bad})])


def test_unchanged_shapes_keep_annotator_and_time(project: Project, anna: DrawingSession, image: str) -> None:
    anna.set_shapes(image, [box("apple", 1, 2, 10, 8), polygon("pear", *TRIANGLE)], labels=["plum"])
    before = project.train_set.annotations
    ben = drawing(project, "ben")
    shapes = [Shape.read(shape) for shape in ben.shapes(image)["shapes"]]
    ben.set_shapes(image, [*shapes, box("apple", 20, 20, 5, 5)], labels=["plum"])
    after = project.train_set.annotations
    assert after["annotator"].value_counts().to_dict() == {"anna": 3, "ben": 1}
    pd.testing.assert_frame_equal(after[after["annotator"] == "anna"].reset_index(drop=True), before)


def test_equal_shapes_are_distinguished_by_id(project: Project, anna: DrawingSession, image: str) -> None:
    twin = box("apple", 1, 2, 10, 8)
    anna.set_shapes(image, [twin, twin])
    drawing(project, "ben").set_shapes(image, [twin, twin, twin])
    assert [row[-1] for row in stored(project, image)] == ["anna", "anna", "ben"]
    drawing(project, "ben").set_shapes(image, [twin])
    assert [row[-1] for row in stored(project, image)] == ["anna"]


def test_a_note_is_a_change_of_its_shape_alone(project: Project, anna: DrawingSession, image: str) -> None:
    anna.set_shapes(image, [box("apple", 1, 1, 9, 9), box("apple", 1, 1, 9, 9), polygon("pear", *TRIANGLE)])
    before = project.train_set.annotations.drop(columns="note")
    ben = drawing(project, "ben")
    shapes = [Shape.read(shape) for shape in anna.shapes(image)["shapes"]]
    noted = [replace(shapes[0], note=" too\nloose "), shapes[1], replace(shapes[2], note="a leaf?")]
    ben.set_shapes(image, [Shape.read(vars(shape)) for shape in noted])
    after = project.train_set.annotations
    assert after["note"].tolist()[:3:2] == ["too\nloose", "a leaf?"]
    assert pd.isna(after["note"][1])
    pd.testing.assert_frame_equal(after.drop(columns="note"), before)
    assert [shape["note"] for shape in ben.shapes(image)["shapes"]] == ["too\nloose", None, "a leaf?"]
    ben.set_shapes(image, [noted[2]])  # the other equal box goes
    assert project.train_set.annotations["note"].tolist() == ["a leaf?"]
    ben.undo()
    ben.undo()
    assert project.train_set.annotations["note"].isna().all()
    ben.redo()
    assert project.train_set.annotations["note"].tolist()[:3:2] == ["too\nloose", "a leaf?"]


def test_a_reviewed_image_stays_reviewed_when_only_notes_change(project: Project, anna: DrawingSession) -> None:
    image = named(anna, 3)[0]
    anna.set_shapes(image, [box("apple", 1, 1, 9, 9)])
    project.review("train").approve([image])
    anna.follow()
    anna.set_shapes(image, [replace(box("apple", 1, 1, 9, 9), note="cut")], note="unclear")
    images = project.train_set.images.set_index("image")
    assert images.at[image, "tags"] == ["reviewed"]
    assert images.at[image, "note"] == anna.shapes(image)["note"] == "unclear"
    anna.set_shapes(image, [box("apple", 1, 1, 9, 9)])  # without a note of the image, it stays
    assert anna.shapes(image)["note"] == "unclear"
    anna.set_shapes(image, [], note="")
    assert anna.shapes(image)["note"] == ""


@pytest.mark.parametrize("note", ["x" * 1001, "\0", "\ud800", 3])
def test_notes_that_cannot_be_stored_are_refused(anna: DrawingSession, image: str, note: Any) -> None:
    with pytest.raises(InputError, match="at most 1,000 characters"):
        Shape.read({**vars(box("apple", 1, 1, 9, 9)), "note": note})
    with pytest.raises(InputError, match="at most 1,000 characters"):
        anna.set_note([image], note)


def test_stale_edit_is_a_conflict(project: Project, anna: DrawingSession, image: str) -> None:
    seen = anna.shapes(image)["revision"]
    drawing(project, "ben").set_shapes(image, [box("pear", 5, 5, 9, 9)])
    outcome = anna.set_shapes(image, [box("apple", 1, 2, 10, 8)], revision=seen)
    assert outcome.images == ()
    assert [(c.image, c.theirs, c.yours) for c in outcome.conflicts] == [(image, ("pear",), ("apple",))]
    assert [row[0] for row in stored(project, image)] == ["pear"]
    now = anna.shapes(image)["revision"]  # having seen theirs, mine overwrites it deliberately
    assert anna.set_shapes(image, [box("apple", 1, 2, 10, 8)], revision=now).conflicts == ()
    assert [row[0] for row in stored(project, image)] == ["apple"]


def test_repeated_edit_after_a_lost_response_is_no_conflict(project: Project, anna: DrawingSession, image: str) -> None:
    seen = anna.shapes(image)["revision"]
    shapes = [box("apple", 1, 2, 10, 8), polygon("pear", *TRIANGLE)]
    for _ in range(2):
        outcome = anna.set_shapes(image, shapes, labels=["plum"], revision=seen)
        assert (outcome.images, outcome.conflicts) == ((image,), ())
    assert anna.shapes(image)["revision"] == seen + 1


def test_an_image_with_something_on_it_is_never_skipped(project: Project, anna: DrawingSession, image: str) -> None:
    for shapes, labels in (([box("apple", 1, 2, 10, 20)], []), ([], ["pear"])):
        anna.set_shapes(image, shapes, labels=labels, status="skipped")
        assert status(project, image) == "labelled"
    anna.set_shapes(image, [], status="skipped")
    assert (status(project, image), stored(project, image)) == ("skipped", [])


def test_empty_is_not_unlabelled(project: Project, anna: DrawingSession) -> None:
    one, two = named(anna, 1, 2)
    anna.set_shapes(one, [], status="labelled")
    anna.set_shapes(two, [box("apple", 1, 2, 10, 8)])
    anna.set_shapes(two, [], status="unlabelled")
    assert (status(project, one), status(project, two)) == ("labelled", "unlabelled")
    assert stored(project, one) == stored(project, two) == []
    assert anna.table.by_status == {"labelled": 1, "unlabelled": 29}
    anna.set_shapes(two, [box("apple", 1, 2, 10, 8)], status="needs_review")
    assert status(project, two) == "needs_review"


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (box("apple", 1, 1, 1.9, 9), facts("1.9 × 9", "2 × 2")),
        (box("apple", 1, 1, 9, 0), "9 × 0 pixels"),
        (box("apple", 1, 1, -9, 9), "-9 × 9 pixels"),
        (box("apple", -1, 1, 9, 9), facts("beyond", "48 × 36")),
        (box("apple", 40, 1, 9, 9), "beyond the"),
        (box("apple", 1, 28, 9, 9), "beyond the"),
        (polygon("apple", (1, 1), (9, 9)), facts("three", "'apple'", 2)),
        (polygon("apple", (1, 1), (9, 1), (20, 1)), "19 × 0 pixels"),
        (polygon("apple", (-5, 1), (9, 1), (20, 9)), "beyond the"),
    ],
)
def test_invalid_shapes_are_refused(
    project: Project, anna: DrawingSession, image: str, shape: Shape, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        anna.set_shapes(image, [box("pear", 1, 2, 10, 8), shape])
    assert stored(project, image) == []
    anna.set_shapes(image, [box("apple", -0.004, 0, WIDTH + 0.008, HEIGHT)])  # a tiny overlap counts as inside


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"label": "apple", "left": math.nan, "top": 0, "width": 9, "height": 9}, "finite"),
        ({"label": "apple", "left": 0, "top": 0, "width": math.inf, "height": 9}, "finite"),
        ({"label": "apple", "left": 0, "top": 0, "width": 9, "height": 9, "polygon": [[0, 0], [1, math.nan], [2, 5]]},
         "finite"),
        ({"label": "apple", "left": 0, "top": 0, "width": 9}, facts("'width'", 9, "'height'")),
        ({"label": "apple", "left": "a", "top": 0, "width": 9, "height": 9}, "Invalid shape"),
        ({"label": "apple", "left": 10**400, "top": 0, "width": 9, "height": 9}, "Invalid shape"),
        ({"label": "apple", "left": 0, "top": 0, "width": 9, "height": 9, "polygon": [[0, 0, 0]]}, "Invalid shape"),
        ({"label": "apple", "left": 0, "top": 0, "width": 9, "height": 9, "polygon": 7}, "Invalid shape"),
    ],
)  # fmt: skip
def test_malformed_messages_of_a_page_are_refused(value: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Shape.read(value)


def test_invalid_labels_are_refused(anna: DrawingSession, image: str) -> None:
    with pytest.raises(LabelError):
        Shape.read({"label": "  ", "left": 0, "top": 0, "width": 9, "height": 9})
    with pytest.raises(LabelError):
        anna.set_shapes(image, [], labels=["\0"])
    with pytest.raises(InputError, match="status='done'"):
        anna.set_shapes(image, [], status="done")
    with pytest.raises(InputError, match=r"'elsewhere\.png' is not in the train set"):
        anna.set_shapes("elsewhere.png", [])
    with pytest.raises(InputError, match=r"'elsewhere\.png' is not in the train set"):
        anna.shapes("elsewhere.png")
    with pytest.raises(InputError, match="10,000"):
        anna.set_shapes(image, [box("apple", 1, 2, 10, 8)] * 10_001)


def test_imported_shapes_stay_unchanged_when_others_are_drawn(
    project: Project, anna: DrawingSession, image: str
) -> None:
    odd = pd.DataFrame(
        {
            "image": image,
            "label": ["apple", "apple", "pear"],
            "left": [-3.0, 5, None],
            "top": [1.0, 5, None],
            "width": [9.0, 1, None],
            "height": [9.123456, 1, None],
            "polygon": [None, None, [[1, 1], [60, 1], [9, 9.5]]],
        }
    )
    project.update("train", odd, note="imported")
    anna.follow()
    facts = anna.shapes(image)
    assert facts["shapes"][2]["width"] == 59  # the box around a polygon without a box
    shapes = [Shape.read(shape) for shape in facts["shapes"]]
    before = project.train_set.annotations
    anna.set_shapes(image, [*shapes, box("pear", 10, 10, 5, 5)], revision=facts["revision"])
    after = project.train_set.annotations
    assert len(after) == 4
    pd.testing.assert_frame_equal(after[after["annotator"] != "anna"].reset_index(drop=True), before)
    moved = [Shape(s.label, s.left, s.top + 1, s.width, s.height) for s in shapes[:1]]
    with pytest.raises(InputError, match="beyond the"):
        anna.set_shapes(image, [*moved, *shapes[1:]])


def test_image_labels_and_shapes_coexist(project: Project, anna: DrawingSession, image: str) -> None:
    anna.set_shapes(image, [box("apple", 1, 2, 10, 8)], labels=["pear", "apple"])
    facts = anna.shapes(image)
    assert (sorted(facts["labels"]), len(facts["shapes"])) == (["apple", "pear"], 1)
    anna.set_shapes(image, [], labels=["pear"])
    assert anna.shapes(image)["labels"] == ["pear"]
    assert anna.row(image)["boxes"] == []


def predict(project: Project, **columns: Any) -> None:
    """Store predictions of a model."""
    frame = t.normalise_annotations(pd.DataFrame(columns)).assign(model="m")
    open_project_store(project.root).replace_predictions("m", frame, Action("predict", "m"))


def test_predictions_are_drawn_and_updated(project: Project, anna: DrawingSession, image: str) -> None:
    assert anna.shapes(image)["predictions"] == []
    predict(project, image=[image] * 3, label=["apple", "pear", "pear"], left=[1, 9, None], top=[1, 9, None],
            width=[5, 6, None], height=[5, 6, None], confidence=[0.4, 0.9, 0.95])  # fmt: skip
    anna.follow()
    facts = anna.shapes(image)
    assert [(s["label"], s["left"], s["confidence"]) for s in facts["predictions"]] == [
        ("apple", 1, 0.4),
        ("pear", 9, 0.9),
    ]
    assert facts["predicted"] == ["pear", 0.95]
    project.labels.rename("apple", "quince")
    anna.follow()
    assert [s["label"] for s in anna.shapes(image)["predictions"]] == ["quince", "pear"]
    taken = Shape.read(facts["predictions"][1])
    anna.set_shapes(image, [taken])
    assert stored(project, image) == [("pear", 9, 9, 6, 6, None, "anna")]
    assert project.train_set.annotations["confidence"].tolist() == [1]  # labelled by a person


def test_rows_of_a_page_have_their_shapes_in_a_few_statements(
    project: Project, anna: DrawingSession, store: SqlStore
) -> None:
    boxed, holed, guessed, bare, *others = named(anna, *range(20))
    hole = [[3.04, 3.0], [5.0, 3.0], [5.0, 4.0]]
    anna.set_shapes(boxed, [box("pear", 1.26, 2, 10, 8), box("apple", 20, 20, 5, 5)], labels=["pear"])
    anna.set_shapes(holed, [Shape.read({**vars(box("pear", 0, 0, 0, 0)), "polygon": [list(TRIANGLE), hole]})])
    predict(project, image=[boxed, guessed, bare], label=["apple"] * 3, left=[1, 2, None], top=[1, 2, None],
            width=[5, 6, None], height=[5, 6, None], confidence=[0.9, 0.8, 0.7])  # fmt: skip
    session = LabellingSession(store, project.root)
    statements: list[str] = []
    listener = ("before_cursor_execute", lambda *given: statements.append(given[2]))
    with store.reading() as connection:
        engine = connection.engine
    event.listen(engine, *listener)
    for names in ([boxed], [boxed, holed, guessed, bare, *others]):
        rows = session.rows(names)
        statements.clear()
        session.add_shapes(rows)
        assert len(statements) <= 10
    event.remove(engine, *listener)
    assert {row["size"] for row in rows} == {(WIDTH, HEIGHT)}
    assert (rows[0]["boxes"], rows[0]["outlines"]) == (["pear", "apple"], [[1.3, 2, 10, 8], [20, 20, 5, 5]])
    triangle = [[1, 1], [9.5, 2], [4, 8.2]]
    assert (rows[1]["boxes"], rows[1]["outlines"]) == (["pear"], [[triangle, [[3, 3], *hole[1:]]]])
    assert [row["guesses"] for row in rows[:4]] == [[], [], [["apple", 0.8, [2, 2, 6, 6]]], []]
    assert [row["outlines"] + row["guesses"] for row in rows[4:]] == [[]] * 16
    anna.set_shapes(boxed, [box("apple", 4, 4, 5, 5)])
    session.follow()
    rows = session.rows([boxed])
    session.add_shapes(rows)
    assert (rows[0]["boxes"], rows[0]["outlines"]) == (["apple"], [[4, 4, 5, 5]])


coordinate = st.floats(0, 30, allow_nan=False)


@given(st.lists(st.tuples(coordinate, coordinate, st.floats(2, 6), st.floats(2, 6)), max_size=6))
def test_unchanged_shapes_make_no_edit(boxes: list[tuple[float, float, float, float]]) -> None:
    for left, top, width, height in boxes:
        value = {"label": "x", "left": left, "top": top, "width": width, "height": height, "polygon": None}
        once = Shape.read(value)
        again = Shape.read(vars(once))
        assert once == again
        assert abs(once.left - left) <= 0.00051
        corners = [(left, top), (left + width, top), (left, top + height)]
        shape = Shape.read({**value, "polygon": corners})
        assert Shape.read(vars(shape)) == shape
        shape.check((WIDTH, HEIGHT))
