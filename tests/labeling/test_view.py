"""Tests of the view: filter, order and pages."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import InputError, NotAllowedError, NotReadyError
from customlabels_nb.labeling.image_table import short_name
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import SqlStore
from tests.labeling.conftest import another, named


def shown(session: LabellingSession, query: Query) -> list[int]:
    """Return the numbers of the images in the order of the view."""
    return [int(Path(session.table.names[at]).stem) for at in session.show(query).order]


def test_random_order_has_a_seed_and_a_filter_does_not_shuffle(session: LabellingSession) -> None:
    first = shown(session, Query())
    assert sorted(first) == list(range(30))
    assert first != list(range(30))
    assert shown(session, Query()) == first
    assert shown(session, Query(random_state=1)) != first
    session.assign(named(session, 5, 6, 7), "apple")
    assert shown(session, Query(show="labelled")) == [number for number in first if number in (5, 6, 7)]


def test_only_confident_predictions_are_shown(project: Project, session: LabellingSession) -> None:
    names = named(session, 3, 4, 5)
    project.add_predictions(pd.DataFrame({"image": names, "label": "apple", "confidence": [0.4, 0.8, 0.95]}), model="m")
    session.follow()
    assert shown(session, Query(sort="name", confidence=0.8)) == [4, 5]
    assert len(shown(session, Query(confidence=0))) == 30
    for wrong in (1.5, -1, "high"):
        with pytest.raises(InputError, match="confidence="):
            Query(confidence=wrong)


def test_new_images_slot_into_the_random_order(project: Project, session: LabellingSession, tmp_path: Path) -> None:
    first = shown(session, Query(random_state=3))
    new = tmp_path / "more"
    new.mkdir()
    for number in range(30, 36):
        Image.new("RGB", (40, 30), (7 * number, number, 90)).save(new / f"{number}.png")
    project.add_images(new, progress=False)
    session.follow()
    now = shown(session, Query(random_state=3))
    assert len(now) == 36
    assert [number for number in now if number < 30] == first
    assert now[:30] != first  # not all of them at the end
    # another session, which read the images in another order, shows the same
    assert shown(another(project, "ben"), Query(random_state=3)) == now


def test_the_random_order_is_the_same_where_the_images_were_moved(
    project: Project, session: LabellingSession, tmp_path: Path
) -> None:
    moved = create_project("moved", tmp_path)
    moved.add_images(project.train_set.images["image"].tolist(), copy=True, progress=False)
    numbers = {sha256: name for name, sha256 in project.train_set.images[["image", "sha256"]].itertuples(index=False)}
    images = moved.train_set.images
    original = {image: numbers[sha256] for image, sha256 in images[["image", "sha256"]].itertuples(index=False)}
    query = Query(random_state=3)
    there = another(moved, "ben")
    there.show(query)
    session.show(query)
    assert [original[name] for name in there.page(0, 30)[1]] == session.page(0, 30)[1]


def test_images_keep_their_order_while_sorting(project: Project, tmp_path: Path, store: SqlStore) -> None:
    asked: list[int] = []
    ready = False

    def similar(images, keys):
        asked.append(len(images))
        if not ready:
            raise NotReadyError(len(asked), len(images))
        return list(range(len(images)))[::-1]

    session = LabellingSession(store, project.root, similar=similar)
    first = shown(session, Query())
    view = session.show(Query(sort="similarity"))
    assert (view.waiting, view.query.sort, session.view) == ((1, 30), "similarity", view)
    assert [int(Path(session.table.names[at]).stem) for at in view.order] == first
    # a new image is last, and the chosen sort stays
    Image.new("RGB", (40, 30), (1, 2, 90)).save(tmp_path / "30.png")
    project.add_images(str(tmp_path / "30.png"), progress=False)
    session.follow()
    assert shown(session, session.view.query) == [*first, 30]
    number = session.view.number
    assert session.arrange().waiting == (3, 31)
    assert session.view.number == number
    ready = True
    assert session.arrange().waiting is None
    assert session.view.order.tolist() == list(range(31))[::-1]
    assert session.arrange() is session.view
    assert asked == [30, 31, 31, 31]


def test_names_are_sorted_naturally(session: LabellingSession) -> None:
    assert shown(session, Query(sort="name")) == list(range(30))
    assert shown(session, Query(sort="added")) != list(range(30))  # as files are listed: 0, 1, 10, 11, …


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("images/leaf-59c0bf0eca5f137f.jpg", "leaf.jpg"),  # of copy=True
        ("21/leaf-59c0bf0eca5f137f.jpg", "leaf.jpg"),  # in a labelling job
        ("/photos/leaf-59c0bf0eca5f137f.jpg", "leaf-59c0bf0eca5f137f.jpg"),
        ("images/leaf-1.jpg", "leaf-1.jpg"),
        ("https://example.org/a%20leaf.jpg", "a leaf.jpg"),
    ],
)
def test_the_name_of_an_image_has_no_folder_and_no_hash(image: str, name: str) -> None:
    assert short_name(image) == name


def test_copies_of_files_with_the_same_name_are_shown_with_numbers(tmp_path: Path) -> None:
    project = create_project("leaves", tmp_path, task="single-label")
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for number, folder in enumerate(folders):
        folder.mkdir()
        for name in ("leaf", "leaf-1"):
            Image.new("RGB", (8, 8 + number)).save(folder / f"{name}.png")
        project.add_images(folder, copy=True, on_duplicate="keep", progress=False)
        if not number:
            session = LabellingSession(open_project_store(project.root), project.root)
            assert [row["short"] for row in session.rows(session.table.names)] == ["leaf-1.png", "leaf.png"]
    session.follow()
    expected = ["leaf-1.png", "leaf.png", "leaf-1 (2).png", "leaf (2).png", "leaf-1 (3).png", "leaf (3).png"]
    assert [row["short"] for row in session.rows(session.table.names)] == expected
    assert session.show(Query(search="leaf (2)")).order.tolist() == [3]


def test_filters_narrow_down_together(session: LabellingSession) -> None:
    session.assign(named(session, 1, 2, 11), "apple")
    session.assign(named(session, 12), "pear")
    session.set_status(named(session, 3), "skipped")
    by_name = {"sort": "name"}
    assert shown(session, Query(label="apple", **by_name)) == [1, 2, 11]
    assert shown(session, Query(show="skipped", **by_name)) == [3]
    assert shown(session, Query(search="1", label="apple", **by_name)) == [1, 11]
    assert shown(session, Query(search=".PNG", **by_name)) == list(range(30))
    assert shown(session, Query(annotator="anna", **by_name)) == [1, 2, 11, 12]
    assert shown(session, Query(annotator="ben")) == []
    assert shown(session, Query(images=frozenset(named(session, 8, 9)), **by_name)) == [8, 9]
    assert shown(session, Query(show="unlabelled", search="2", **by_name)) == [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]


def test_a_settled_view_stays_while_labels_change(session: LabellingSession) -> None:
    before = shown(session, Query(show="unlabelled"))
    _, page = session.page(0, 24)
    session.assign(page, "apple")
    assert session.page(0, 24)[1] == page
    assert session.page(24, 24)[0] == 24
    assert len(session.view) == len(before)


def test_pages_cover_the_view_and_end_with_it(session: LabellingSession) -> None:
    session.show(Query())
    starts = [session.page(place, 9)[0] for place in (0, 8, 9, 29, 30, 500, -4)]
    assert starts == [0, 0, 9, 27, 27, 27, 0]
    pages = [session.page(start, 9)[1] for start in (0, 9, 18, 27)]
    assert [name for page in pages for name in page] == session.images_at([(0, 29)])
    assert session.images_at([(2, 3), (28, 40)]) == [*session.images_at([(2, 2)]), *session.images_at([(3, 3)]),
                                                     *session.images_at([(28, 29)])]  # fmt: skip
    assert session.place_of(pages[2][4]) == 22
    assert session.place_of("no such image") is None
    session.show(Query(search="nothing has this name"))
    assert session.page(0, 9) == (0, [])


def test_look_alikes_are_put_side_by_side_by_whoever_can(
    project: Project, store: SqlStore, session: LabellingSession
) -> None:
    with pytest.raises(NotAllowedError, match="similarity"):
        session.show(Query(sort="similarity"))

    def backwards(images, keys):
        assert len(images) == len(keys)
        return list(range(len(images)))[::-1]

    able = LabellingSession(store, project.root, similar=backwards)
    assert shown(able, Query(sort="similarity", search="1")) == [
        int(Path(name).stem) for name in reversed([n for n in able.table.names if "1" in Path(n).name])
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"show": "some"},
        {"sort": "size"},
        {"random_state": -1},
        {"random_state": True},
        {"label": 3},
        {"search": None},
        {"predicted": []},
    ],
)
def test_invalid_queries_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Query(**wrong)
