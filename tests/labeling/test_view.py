"""Which images are shown, in which order, on which page."""

from __future__ import annotations

from pathlib import Path

import pytest

from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.labeling import LabellingSession, Query
from tests.labeling.conftest import named


def shown(session: LabellingSession, query: Query) -> list[int]:
    """The numbers of the images in the order of the view."""
    return [int(Path(session.table.names[at]).stem) for at in session.show(query).order]


def test_random_order_has_a_seed_and_a_filter_does_not_shuffle(session: LabellingSession) -> None:
    first = shown(session, Query())
    assert sorted(first) == list(range(30))
    assert first != list(range(30))
    assert shown(session, Query()) == first
    assert shown(session, Query(seed=1)) != first
    session.assign(named(session, 5, 6, 7), "apple")
    assert shown(session, Query(show="labelled")) == [number for number in first if number in (5, 6, 7)]


def test_names_are_sorted_as_people_count(session: LabellingSession) -> None:
    assert shown(session, Query(sort="name")) == list(range(30))
    assert shown(session, Query(sort="added")) != list(range(30))  # as files are listed: 0, 1, 10, 11, …


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


def test_look_alikes_are_put_side_by_side_by_whoever_can(project, session: LabellingSession) -> None:
    with pytest.raises(NotAllowedError, match="similarity"):
        session.show(Query(sort="similarity"))

    def backwards(images, keys):
        assert len(images) == len(keys)
        return list(range(len(images)))[::-1]

    able = LabellingSession(project._store, project.root, similar=backwards)
    assert shown(able, Query(sort="similarity", search="1")) == [
        int(Path(name).stem) for name in reversed([n for n in able.table.names if "1" in Path(n).name])
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"show": "some"},
        {"sort": "size"},
        {"seed": -1},
        {"seed": True},
        {"label": 3},
        {"search": None},
        {"predicted": []},
    ],
)
def test_queries_that_mean_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Query(**wrong)
