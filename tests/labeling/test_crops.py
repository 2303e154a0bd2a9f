"""Tests of crops: boxes as rows of a labelling session, with edits, undo and changes by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.core.tables import BOX_COLUMNS, MACHINE, normalise_annotations
from customlabels_nb.errors import InputError, NotReadyError
from customlabels_nb.labeling import crop_table, crops
from customlabels_nb.labeling.crop_orders import Doubts, JudgedCrops
from customlabels_nb.labeling.crop_table import CropTable
from customlabels_nb.labeling.crops import CropQuery, CropSession
from customlabels_nb.labeling.drawing import DrawingSession, Shape
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from tests.labeling.drawn import DRAWN, FAR, FIRST, PREDICTED, SECOND, THIRD, crop, draw_photos, drawn_project, table
from tests.labeling.fake_assist import FakeAssist, results
from tests.tiers import many


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def project(tmp_path: Path, photos: Path) -> Project:
    return drawn_project(tmp_path, photos)


def opened(project: Project, user: str = "anna", split: str = "train", **options: Any) -> CropSession:
    """Return a session of crops in the order of import, as in another kernel."""
    session = CropSession(open_project_store(project.root), project.root, split, user=user, **options)
    session.show(CropQuery(sort="added"))
    return session


def shown(session: CropSession) -> dict[str, tuple[Any, ...]]:
    """Return label, status and suggestion of the crops that a view shows now."""
    session.show(session.view.query)
    rows = session.rows(session.images_at([(0, 999)]))
    return {row["name"]: (*row["boxes"], row["status"], *(row["predicted"] or ())) for row in rows}


def boxes_of(project: Project) -> pd.DataFrame:
    return project.train_set.annotations.dropna(subset="left").reset_index(drop=True)


def stored(project: Project) -> list[tuple[Any, ...]]:
    """Return what is stored: annotations, statuses and tags."""
    images, annotations = project.train_set.images, project.train_set.annotations
    marks = (
        annotations[["image", "label", *BOX_COLUMNS, "confidence", "annotator", "created", "note"]]
        .astype(object)
        .fillna(-1)
    )
    states = zip(images["image"], images["status"], map(tuple, images["tags"]), strict=True)
    return sorted([*marks.itertuples(index=False, name=None), *states], key=str)


# -- rows -----------------------------------------------------------------------------------------------
def test_each_box_is_a_row_named_after_its_image_and_box(project: Project, photos: Path) -> None:
    session = opened(project)
    assert session.can_crop
    assert shown(session) == {
        crop(photos, "0.png", FIRST): ("cat", "unconfirmed"),
        crop(photos, "0.png", SECOND): ("dog", "unconfirmed"),
        crop(photos, "0.png", THIRD): ("cat", "unconfirmed"),
        crop(photos, "1.png", FIRST): ("cat", "unconfirmed"),
        crop(photos, "1.png", FIRST, 2): ("dog", "unconfirmed"),
        crop(photos, "2.png", SECOND): ("dog", "unconfirmed"),
    }
    assert session.summary() == {
        "alone": True,
        "annotators": [project.train_set.annotations["annotator"].iat[0]],
        "counts": {"cat": 3, "dog": 3},
        "statuses": {"unconfirmed": 6, "confirmed": 0, "predicted": 0},
        "shown_images": 3,
    }


def test_a_row_has_its_outline_in_pixels_of_the_crop(project: Project, photos: Path) -> None:
    session = opened(project)
    name = crop(photos, "0.png", THIRD)
    part, row = session.part_of(name), session.row(name)
    left, top, width, height = part.region
    assert (part.image, row["image"], row["short"]) == (str(photos / "0.png"), str(photos / "0.png"), "0.png")
    assert row["size"] == [width, height]
    assert row["outlines"] == [[70 - left, 40 - top, 30, 30.5]]
    assert session.box_of(name) == list(THIRD)
    assert session.box_of(part.image) is None


def test_polygons_are_crops_with_their_outline(project: Project, photos: Path) -> None:
    drawing = DrawingSession(open_project_store(project.root), project.root, user="ben")
    corners = [[10.0, 20.0], [50.0, 20.0], [30.0, 60.0]]
    drawing.set_shapes(str(photos / "3.png"), [Shape("cat", 10, 20, 40, 40, corners)])
    session = opened(project)
    row = session.row(crop(photos, "3.png", (10, 20, 40, 40)))
    left, top, *_ = session.part_of(row["name"]).region
    assert row["outlines"] == [[[x - left, y - top] for x, y in corners]]


def test_rows_of_images_stay_those_of_images(project: Project, photos: Path) -> None:
    session = opened(project)
    session.show(Query(sort="name"))
    names = session.images_at([(0, 9)])
    assert [Path(name).name for name in names] == list(DRAWN)
    assert "crop" not in session.rows(names)[0]
    assert session.summary()["statuses"] == {"labelled": 3, "unlabelled": 1}


def test_predictions_are_crops_unless_they_are_at_a_box(project: Project, photos: Path) -> None:
    project.add_predictions(table(PREDICTED, photos), model="m")
    session = opened(project)
    rows = shown(session)
    assert rows[crop(photos, "0.png", FIRST)] == ("cat", "unconfirmed", "dog", 0.9)
    assert rows[crop(photos, "0.png", FAR)] == ("predicted", "cat", 0.8)
    assert rows[crop(photos, "3.png", FIRST)] == ("predicted", "cat", 0.7)
    assert crop(photos, "0.png", (6, 6, 20, 30)) not in rows
    (guess,) = session.row(crop(photos, "0.png", FAR))["guesses"]
    assert guess[:2] == ["cat", 0.8]


def test_no_prediction_is_shown_of_the_test_set_and_of_images_labelled_without_help(
    project: Project, photos: Path
) -> None:
    project.add_predictions(table(PREDICTED, photos), model="m")
    project.distribute(test_fraction=0.5, random_state=0)
    tested = opened(project, split="test")
    assert {status for _, status, *_ in shown(tested).values()} == {"unconfirmed"}
    assert not any(len(values) > 2 for values in shown(tested).values())
    image = str(photos / "3.png")
    checks = FakeAssist(results([image], checks=[0]))
    assert not any(name.startswith(image) for name in shown(opened(project, assist=checks)))


# -- views ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"label": "dog"}, [("0.png", SECOND, 1), ("1.png", FIRST, 2), ("2.png", SECOND, 1)]),
        ({"show": "predicted"}, [("0.png", FAR, 1), ("3.png", FIRST, 1), ("3.png", SECOND, 1)]),
        ({"show": "predicted", "confidence": 0.65, "sort": "uncertainty"}, [("3.png", FIRST, 1), ("0.png", FAR, 1)]),
        ({"predicted": "dog"}, [("0.png", FIRST, 1), ("3.png", SECOND, 1)]),
        ({"search": "2.p"}, [("2.png", SECOND, 1)]),
        ({"annotator": "ben"}, []),
        ({"show": "confirmed"}, [("1.png", FIRST, 1)]),
        ({"show": "unconfirmed", "search": "1."}, [("1.png", FIRST, 2)]),
        ({"search": "0.", "sort": "size"}, [("0.png", SECOND, 1), ("0.png", FIRST, 1), ("0.png", FAR, 1),
                                            ("0.png", THIRD, 1)]),
        ({"search": "0.", "sort": "aspect", "show": "unconfirmed"}, [("0.png", FIRST, 1), ("0.png", THIRD, 1),
                                                                     ("0.png", SECOND, 1)]),
        ({"search": "3.", "sort": "name"}, [("3.png", FIRST, 1), ("3.png", SECOND, 1)]),
    ],
)  # fmt: skip
def test_filters_and_orders(project: Project, photos: Path, query: dict[str, Any], expected: list[Any]) -> None:
    project.add_predictions(table(PREDICTED, photos), model="m")
    session = opened(project)
    session.confirm_boxes([crop(photos, "1.png", FIRST)])
    session.show(CropQuery(**{"sort": "added", **query}))
    found = session.images_at([(0, 99)])
    assert found == [crop(photos, image, box, number) for image, box, number in expected]
    assert [session.place_of(name) for name in found] == list(range(len(found)))


def test_the_random_order_depends_on_the_seed_only(project: Project) -> None:
    orders = [opened(project), opened(project)]
    for session, seed in zip(orders, (1, 1), strict=True):
        session.show(CropQuery(sort="random", random_state=seed))
    first, second = (session.images_at([(0, 99)]) for session in orders)
    others = []
    for seed in range(2, 6):  # a few boxes have the same order twice at times
        orders[1].show(CropQuery(sort="random", random_state=seed))
        others.append(orders[1].images_at([(0, 99)]))
    assert first == second
    assert any(other != first for other in others)


class FakeOrders:
    """Orders of crops that are ready at the second request. Boxes called "dog" are doubted."""

    def __init__(self) -> None:
        self.asked = 0

    def similar(self, parts: Sequence[Any], *, to: int | None = None) -> list[int]:
        self._wait()
        return sorted(range(len(parts)), key=lambda at: (at != to, -at))

    def doubts(self, stamp: object, count: int, read: Callable[[], JudgedCrops]) -> Doubts:
        self._wait()
        wrong = read().labels == "dog"
        return Doubts(np.where(wrong, 0.5, -0.5), np.full(count, 0.75), ["cat" if dog else None for dog in wrong])

    def _wait(self) -> None:
        self.asked += 1
        if self.asked == 1:
            raise NotReadyError(3, 6)


class StampedOrders(FakeOrders):
    """Orders that doubt nothing, and check that crops with the same stamp are the same."""

    def __init__(self) -> None:
        super().__init__()
        self.read: dict[object, JudgedCrops] = {}

    def doubts(self, stamp: object, count: int, read: Callable[[], JudgedCrops]) -> Doubts:
        assert repr(self.read.setdefault(stamp, read())) == repr(read())
        return Doubts(np.full(count, np.nan), np.full(count, np.nan), [None] * count)


def test_doubtful_boxes_come_first_once_their_features_are_known(project: Project, photos: Path) -> None:
    session = opened(project, orders=FakeOrders())
    before = session.images_at([(0, 99)])
    view = session.show(CropQuery())
    assert view.waiting == (3, 6)
    assert session.images_at([(0, 99)]) == before
    assert session.arrange().waiting is None
    dogs = [crop(photos, "0.png", SECOND), crop(photos, "1.png", FIRST, 2), crop(photos, "2.png", SECOND)]
    assert session.images_at([(0, 2)]) == dogs
    assert session.row(dogs[0])["predicted"] == ["cat", 0.75]
    session.confirm_boxes(dogs[:1])
    session.show(CropQuery())
    assert session.images_at([(0, 1)]) == dogs[1:]
    assert session.images_at([(5, 5)]) == dogs[:1]  # what was confirmed is not doubted


def test_suggestions_of_features_are_not_shown_in_the_other_dataset_or_the_test_set(project: Project) -> None:
    project.distribute(test_fraction=0.5, random_state=0)
    orders = FakeOrders()
    orders.asked = 1
    session = opened(project, orders=orders)
    before = shown(session)
    session.open("test")
    session.show(CropQuery())
    assert not any(row["predicted"] for row in session.rows(session.images_at([(0, 99)])))
    session.open("train")
    session.show(CropQuery(sort="added"))
    assert shown(session) == before
    session.show(CropQuery())
    assert any(row["predicted"] for row in session.rows(session.images_at([(0, 99)])))


def test_new_check_images_lose_their_predictions_also_while_another_dataset_is_shown(
    project: Project, photos: Path
) -> None:
    project.add_predictions(table(PREDICTED, photos), model="m")
    project.distribute(test_fraction=0.25, random_state=1)
    image = str(photos / "3.png")
    assist = FakeAssist(results([image]))
    session = opened(project, assist=assist)
    assert any(name.startswith(image) for name in shown(session))
    session.open("test")
    session.show(CropQuery(sort="added"))
    assist.results = results([image], checks=[0], run=2)
    session.follow()
    session.open("train")
    session.show(CropQuery(sort="added"))
    assert not any(name.startswith(image) for name in shown(session))


def test_similar_boxes_follow_the_one_that_is_named(project: Project, photos: Path) -> None:
    orders = FakeOrders()
    orders.asked = 1
    session = opened(project, orders=orders)
    like = crop(photos, "0.png", SECOND)
    session.show(CropQuery(sort="similarity", like=like, label="cat"))
    assert session.images_at([(0, 9)]) == [
        crop(photos, "1.png", FIRST),
        *(crop(photos, "0.png", box) for box in (THIRD, FIRST)),
    ]


def test_a_query_has_the_values_of_crops(project: Project) -> None:
    with pytest.raises(InputError, match="show='labelled' must be one of"):
        CropQuery(show="labelled")
    with pytest.raises(InputError, match="sort='text' must be one of"):
        CropQuery(sort="text")
    with pytest.raises(InputError, match="queue='assist' must be one of"):
        CropQuery(queue="assist")


# -- edits ----------------------------------------------------------------------------------------------
def test_a_label_replaces_the_one_of_the_box_alone(project: Project, photos: Path) -> None:
    session = opened(project)
    before = boxes_of(project)
    name = crop(photos, "1.png", FIRST, 2)
    outcome = session.label_boxes([name], "bird")
    assert (outcome.images, outcome.what) == ((name,), "label boxes bird")
    after = boxes_of(project)
    assert after["label"].tolist() == ["cat", "dog", "cat", "cat", "bird", "dog"]
    assert after["annotator"].iat[4] == "anna"
    assert after["created"].drop(4).tolist() == before["created"].drop(4).tolist()
    assert session.row(name)["status"] == "confirmed"
    assert session.summary()["counts"] == {"cat": 3, "dog": 2, "bird": 1}


def test_boxes_that_differ_by_rounding_are_different_crops(project: Project, photos: Path) -> None:
    marks = project.train_set.annotations
    near = boxes_of(project).head(1).assign(left=5.0000000000000018, label="dog")
    project.update("train", pd.concat([marks, near]))
    session = opened(project)
    assert shown(session)[crop(photos, "0.png", FIRST, 2)] == ("dog", "unconfirmed")
    session.remove_boxes([crop(photos, "0.png", FIRST)])
    assert boxes_of(project).query("left == 5 and image.str.endswith('0.png')").empty
    assert len(boxes_of(project)) == 6


def test_a_box_is_not_confirmed_because_an_equal_one_was(project: Project, photos: Path) -> None:
    session = opened(project)
    first, second = crop(photos, "1.png", FIRST), crop(photos, "1.png", FIRST, 2)
    session.confirm_boxes([first])
    session.remove_boxes([first])
    assert shown(session)[first] == ("dog", "unconfirmed")
    session.undo()
    session.confirm_boxes([second])
    session.remove_boxes([first])
    assert shown(session)[first] == ("dog", "confirmed")


def test_a_reviewed_image_stays_reviewed_when_it_gets_predictions(project: Project, photos: Path) -> None:
    session = opened(project)
    names = [name for name in shown(session) if "0.png" in name]
    session.confirm_boxes(names)
    project.add_predictions(table(PREDICTED, photos), model="m")
    session = opened(project)
    session.label_boxes(names[:1], "bird")
    assert project.train_set.images["tags"].iat[0] == ["reviewed"]


def test_boxes_of_removed_images_are_not_counted(project: Project, photos: Path) -> None:
    session = opened(project)
    project.remove("train", [str(photos / "0.png")])
    session.follow()
    assert shown(session) == shown(opened(project))
    assert session.summary()["statuses"] == {"unconfirmed": 3, "confirmed": 0, "predicted": 0}


def test_a_removed_box_stays_on_its_page_until_the_list_is_made_again(project: Project, photos: Path) -> None:
    session = opened(project)
    name = crop(photos, "2.png", SECOND)
    session.remove_boxes([name])
    assert len(boxes_of(project)) == 5
    assert project.train_set.images.set_index("image")["status"][str(photos / "2.png")] == "labelled"  # has a label
    (row,) = session.rows([name])
    assert (row["status"], row["boxes"], row["outlines"]) == ("removed", [], [])
    assert name in session.images_at([(0, 99)])
    assert name not in shown(session)
    assert session.undo().images == (name,)
    assert shown(session)[name] == ("dog", "unconfirmed")


def test_an_image_whose_boxes_are_all_confirmed_is_reviewed(project: Project, photos: Path) -> None:
    session = opened(project)
    session.confirm_boxes([crop(photos, "0.png", FIRST), crop(photos, "1.png", FIRST)])
    assert [list(tags) for tags in project.train_set.images["tags"]] == [
        [f"confirmed:#xywh={','.join(f'{side:g}' for side in FIRST)}"]] * 2 + [[], []]  # fmt: skip
    session.confirm_boxes([crop(photos, "1.png", FIRST, 2)])
    assert list(project.train_set.images["tags"])[1] == ["reviewed"]
    assert opened(project).summary()["statuses"] == {"confirmed": 3, "unconfirmed": 3, "predicted": 0}
    assert len(boxes_of(project)) == 6


def test_predictions_are_accepted_relabelled_and_refused(project: Project, photos: Path) -> None:
    project.add_predictions(table(PREDICTED, photos), model="m")
    session = opened(project)
    image = str(photos / "3.png")
    cat, dog = crop(photos, "3.png", FIRST), crop(photos, "3.png", SECOND)
    status = lambda: project.train_set.images.set_index("image")["status"][image]  # noqa: E731
    session.confirm_boxes([cat])
    assert status() == "unlabelled"  # another prediction of the image is not decided yet
    session.remove_boxes([dog])
    assert status() == "labelled"
    drawn = project.train_set.annotations.query("image == @image")
    assert drawn[["label", *BOX_COLUMNS, "confidence", "annotator"]].values.tolist() == [["cat", *FIRST, 1.0, "anna"]]
    assert dog not in shown(opened(project))
    session.label_boxes([crop(photos, "0.png", FAR)], "bird")
    assert shown(session)[crop(photos, "0.png", FAR)] == ("bird", "confirmed")
    while session.undo().images:
        pass
    assert shown(session) == shown(opened(project))
    assert set(shown(session)) >= {cat, dog}


def test_suggestions_are_taken_over_as_they_were_seen(project: Project, photos: Path) -> None:
    project.add_predictions(table(PREDICTED, photos), model="m")
    session = opened(project)
    names = [crop(photos, "0.png", FIRST), crop(photos, "0.png", FAR), crop(photos, "0.png", SECOND)]
    outcome = session.accept_suggestions(names, seen={names[0]: ["bird"], names[1]: ["cat"], names[2]: []})
    assert [(conflict.image, conflict.theirs, conflict.yours) for conflict in outcome.conflicts] == [
        (names[0], ("dog",), ("bird",))]  # fmt: skip
    assert outcome.images == (names[1],)
    session.accept_suggestions(names)
    rows = shown(session)
    assert [rows[name][0] for name in names] == ["dog", "cat", "dog"]


def test_labels_of_a_machine_become_those_of_who_confirms_them(project: Project, photos: Path) -> None:
    marks = table({"2.png": [("dog", THIRD), ("cat", FAR)]}, photos).assign(annotator=f"{MACHINE}m", confidence=0.6)
    project.add_images(marks, on_known="replace", progress=False)
    session = opened(project)
    session.confirm_boxes([crop(photos, "2.png", THIRD)])
    drawn = project.train_set.annotations.query("image.str.endswith('2.png')").sort_values("label")
    assert drawn[["annotator", "confidence"]].values.tolist() == [[f"{MACHINE}m", 0.6], ["anna", 1.0]]


def test_undo_of_an_edit_of_images_says_which_they_are(project: Project, photos: Path) -> None:
    session = opened(project)
    image = str(photos / "2.png")
    session.assign([image], "bird")
    assert session.undo().images == (image,)


def test_only_boxes_changed_by_others_are_conflicts(project: Project, photos: Path) -> None:
    anna, ben = opened(project), opened(project, "ben")
    names = [crop(photos, "0.png", box) for _, box in DRAWN["0.png"]]
    seen = {row["name"]: row["revision"] for row in anna.rows(names)}
    ben.label_boxes(names[:1], "bird")
    ben.remove_boxes(names[1:2])
    outcome = anna.label_boxes(names, "dog", revisions=seen)
    assert [(conflict.image, conflict.theirs) for conflict in outcome.conflicts] == [(names[0], ("bird",))]
    assert (outcome.images, outcome.gone) == ((names[2],), (names[1],))
    assert shown(ben) != shown(anna)
    ben.follow()
    assert shown(ben) == shown(anna)


def test_boxes_that_are_moved_in_the_annotator_keep_their_places(project: Project, photos: Path) -> None:
    session = opened(project)
    session.show(CropQuery(sort="name"))
    drawing = DrawingSession(open_project_store(project.root), project.root, user="ben")
    before, moved = crop(photos, "0.png", FIRST), (6, 5, 25, 35)
    assert session.place_of(before) == 0
    drawing.set_shapes(str(photos / "0.png"), [Shape("cat", *moved), Shape("dog", *SECOND), Shape("cat", *THIRD)])
    assert session.follow() == {str(photos / "0.png")}
    assert session.images_at([(0, 0)]) == [crop(photos, "0.png", moved)]
    row = session.row(before)  # which the page still shows
    assert (row["boxes"], row["status"]) == (["cat"], "unconfirmed")
    assert session.row(crop(photos, "0.png", moved)) == {**row, "name": crop(photos, "0.png", moved)}
    session.label_boxes([before], "dog", revisions={before: row["revision"]})
    assert shown(session)[crop(photos, "0.png", moved)] == ("dog", "confirmed")
    # a badly drawn box that was corrected, and another one in place of it
    elsewhere = (60, 40, 10, 10)
    for label, status in (("dog", "unconfirmed"), ("cat", "removed")):
        drawing.follow()
        others = [Shape("dog", *SECOND), Shape("cat", *THIRD)]
        drawing.set_shapes(str(photos / "0.png"), [Shape(label, *elsewhere), *others])
        session.follow()
        assert session.row(before)["status"] == status
        assert shown(session)[crop(photos, "0.png", elsewhere)] == (label, "unconfirmed")
        elsewhere = (20, 40, 8, 8)


@pytest.mark.parametrize("place", [(6, 5, 25, 35), (60, 40, 10, 10)])
def test_boxes_of_a_given_table_keep_their_places_when_they_are_moved(
    project: Project, photos: Path, place: tuple[int, int, int, int]
) -> None:
    session = opened(project, given=boxes_of(project).head(1))
    before, moved, image = crop(photos, "0.png", FIRST), crop(photos, "0.png", place), str(photos / "0.png")
    session.label_boxes([before], "dog")
    session.undo()
    drawing = DrawingSession(open_project_store(project.root), project.root, user="ben")
    others = [Shape("dog", *SECOND), Shape("cat", *THIRD)]
    drawing.set_shapes(image, [Shape("cat", *place), *others])
    session.follow()
    assert session.row(before)["status"] == "unconfirmed"
    assert shown(session) == {moved: ("cat", "unconfirmed")}
    session.label_boxes([before], "dog")
    session.undo()
    drawing.follow()
    drawing.set_shapes(image, [Shape("cat", *FIRST), *others])  # taken back
    session.follow()
    assert shown(session) == {before: ("cat", "unconfirmed")}
    for left in (others, []):
        drawing.set_shapes(image, left)
        session.follow()
        assert shown(session) == {}
        assert session.row(before)["status"] == "removed"


def test_a_removed_box_of_a_given_table_stays_removed(project: Project, photos: Path) -> None:
    session = opened(project, given=normalise_annotations(table({"0.png": [("bird", FAR, 0.8)]}, photos)))
    name = crop(photos, "0.png", FAR)
    session.confirm_boxes([name])
    session.remove_boxes([name])
    assert session.row(name)["status"] == "removed"
    assert shown(session) == {}


def test_unknown_crops_are_refused(project: Project, photos: Path) -> None:
    session = opened(project)
    with pytest.raises(InputError, match="no box"):
        session.label_boxes([crop(photos, "0.png", (1, 2, 3, 4))], "cat")
    assert not session.is_crop("/etc/passwd#xywh=1,2,3,4")


def test_selected_crops_are_a_table(project: Project, photos: Path) -> None:
    session = opened(project)
    names = [crop(photos, "0.png", SECOND), crop(photos, "2.png", SECOND)]
    session.confirm_boxes(names[1:])
    rows = session.selected(names)
    assert rows[["image", "label", *BOX_COLUMNS, "status"]].values.tolist() == [
        [str(photos / "0.png"), "dog", *SECOND, "unconfirmed"], [str(photos / "2.png"), "dog", *SECOND, "confirmed"],
    ]  # fmt: skip


def test_a_given_table_is_shown_alone(project: Project, photos: Path) -> None:
    wrong = {"0.png": [("cat", SECOND, 0.9), ("bird", FAR, 0.8)]}
    session = opened(project, given=normalise_annotations(table(wrong, photos)))
    assert shown(session) == {
        crop(photos, "0.png", SECOND): ("dog", "unconfirmed", "cat", 0.9),
        crop(photos, "0.png", FAR): ("predicted", "bird", 0.8),
    }
    session.accept_suggestions(list(shown(session)))
    assert shown(session) == {
        crop(photos, "0.png", SECOND): ("cat", "confirmed"), crop(photos, "0.png", FAR): ("bird", "confirmed"),
    }  # fmt: skip
    assert len(boxes_of(project)) == 7


def test_of_given_twins_with_equal_boxes_only_the_given_ones_are_shown(project: Project, photos: Path) -> None:
    marks = project.train_set.annotations
    drawn = boxes_of(project)
    project.update("train", pd.concat([marks, drawn.head(1)]))
    session = opened(project, given=drawn.head(1))
    (twin,) = shown(session)
    assert twin == crop(photos, "0.png", FIRST, 2)
    session.remove_boxes([twin])
    assert shown(session) == {}
    assert [row["status"] for row in session.rows([twin])] == ["removed"]
    assert boxes_of(project)["label"].tolist() == drawn["label"].tolist()
    session.undo()
    assert list(shown(session)) == [twin]
    # a label that another equal box has is not suggested for a box
    both = opened(project, given=normalise_annotations(table({"1.png": [("dog", FIRST)]}, photos)))
    assert list(shown(both).values()) == [("cat", "unconfirmed"), ("dog", "unconfirmed")]
    new = opened(project, given=normalise_annotations(table({"1.png": [("dog", FAR)]}, photos)))
    assert list(shown(new).values()) == [("predicted", "dog", 1.0)]


def test_given_images_may_be_named_relatively_and_all_boxes_may_be_gone(
    project: Project, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    drawn = boxes_of(project)
    relative = drawn.assign(image=[Path(name).name for name in drawn["image"]])
    assert len(shown(project.crops(annotations=relative, sort="added").session)) == len(drawn)
    session = opened(project)
    session.remove_boxes(list(shown(session)))
    for none_left in (drawn, drawn.head(0)):
        assert shown(project.crops(annotations=none_left, sort="added").session) == {}


# -- histories ------------------------------------------------------------------------------------------
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["label", "remove", "confirm", "accept", "note", "undo", "redo", "draw", "predict"]),
        st.lists(st.integers(0, 9), min_size=1, max_size=4),
        st.sampled_from(["cat", "dog", "bird"]),
    ),
    max_size=6,
)


def wanted(before: tuple[Any, ...], kind: str) -> str | None:
    """Return the label that a shown crop has after an edit, None if it is removed."""
    label = before[1] if before[0] == "predicted" else before[-2] if kind == "accept" and len(before) > 2 else before[0]
    return None if kind == "remove" else label


def check_history(folder: Path, photos: Path, steps: list[tuple[str, list[int], str]]) -> None:
    """Apply edits, and compare the session with one that has just been opened, and undo with what was stored."""
    project = drawn_project(folder, photos)
    project.add_predictions(table(PREDICTED, photos), model="m")
    session = opened(project, orders=StampedOrders())
    session.show(CropQuery())
    drawing = DrawingSession(open_project_store(project.root), project.root, user="ben")
    history = [stored(project)]
    for kind, places, label in steps:
        names = sorted(shown(session))
        chosen = [names[place % len(names)] for place in places] if names else []
        if kind == "draw":
            image = str(photos / f"{places[0] % 4}.png")
            drawing.set_shapes(image, [Shape(label, *SECOND), Shape("cat", places[-1], 60, 15, 20)])
            history = []  # undo of edits that others have built on is refused
        elif kind == "predict":
            project.add_predictions(table({"2.png": [(label, (places[0], 5, 20, 20), 0.5)]}, photos), model="n")
        elif kind in ("undo", "redo"):
            if history:
                getattr(session, kind)()
        elif chosen:
            edits: dict[str, Callable[..., object]] = {
                "label": partial(session.label_boxes, label=label), "remove": session.remove_boxes,
                "confirm": session.confirm_boxes, "accept": session.accept_suggestions,
                "note": partial(session.set_note, note=f"{label}?"),
            }  # fmt: skip
            before = shown(session)
            edits[kind](chosen)
            if kind == "note":
                assert shown(session) == before
                rows = {row["name"]: row["note"] for row in session.rows(chosen)}
                assert rows == {name: f"{label}?" if before[name][0] != "predicted" else "" for name in chosen}
                chosen = []
            if kind == "accept":
                chosen = [name for name in chosen if len(before[name]) > 2]  # others have nothing to accept
            expected = {
                name: label if kind == "label" else wanted(before[name], kind) for name in chosen if "1.png" not in name
            }  # of two equal boxes, one takes the place of the other
            rows = shown(session)
            assert {name: rows[name][:2] for name in rows if name in expected} == {
                name: (label, "confirmed") for name, label in expected.items() if label
            }
        if kind in ("draw", "predict"):
            session.follow()
        fresh = opened(project)
        assert shown(session) == shown(fresh)
        figures, others = session.summary(), fresh.summary()
        assert {label: count for label, count in figures.pop("counts").items() if count} == others.pop("counts")
        assert figures == others
    if history:
        while session.undoable:
            session.undo()
        assert stored(project) == history[0]


def test_a_note_stays_on_its_box_and_leaves_others_alone(project: Project, photos: Path) -> None:
    session = opened(project)
    first, second = list(shown(session))[:2]
    session.confirm_boxes([first, second])
    session.set_note([first], "loose")
    session.label_boxes([first], "bird")
    assert [row["note"] for row in session.rows([first, second])] == ["loose", ""]
    assert project.train_set.annotations["note"].dropna().tolist() == ["loose"]
    assert {status for _, status, *_ in shown(session).values()} == {"confirmed", "unconfirmed"}
    session.set_note([first], " ")
    assert project.train_set.annotations["note"].isna().all()


@given(steps=STEPS)
@settings(
    max_examples=many(25), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_edited_crops_equal_those_of_a_new_session_and_undo_restores_the_dataset(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, steps: list[tuple[str, list[int], str]]
) -> None:
    check_history(tmp_path_factory.mktemp("history"), photos, steps)


@pytest.mark.parametrize(
    ("owner", "name", "wrong", "steps"),
    [
        (CropSession, "_put", LabellingSession._put, [("remove", [0], "cat")]),
        (crops, "_with_tags", lambda images, *_: images, [("confirm", [0], "cat")]),
        (CropTable, "put", lambda self, images, rows: [], [("label", [0], "bird"), ("undo", [0], "cat")]),
        (crop_table, "_JUDGED", ("width",), [("label", [0], "bird")]),
    ],
)
def test_the_histories_find_planted_bugs(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, wrong: Any, steps: list[Any]
) -> None:
    monkeypatch.setattr(owner, name, wrong)
    with pytest.raises(AssertionError):
        check_history(tmp_path, photos, steps)
