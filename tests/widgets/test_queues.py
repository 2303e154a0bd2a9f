"""Tests of the queues of assist in the messages of gallery, annotator and review."""

from __future__ import annotations

from typing import Any

import pytest

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.project.project import Project
from tests.labeling.conftest import named, photos, project  # noqa: F401
from tests.labeling.fake_assist import results
from tests.widgets.test_gallery import GalleryPage


@pytest.fixture
def images(project: Project) -> list[str]:  # noqa: F811
    """Return the images called 0.png to 29.png, after a training."""
    found = named(project.label().session, *range(30))
    pages, prelabels = [[0, 1, 2], [3, 4]], [(5, "pear", 0.97), (6, "pear", 0.96)]
    suspects = [{"image": 7, "kind": "swapped", "given": "apple", "suggested": "pear"}]
    results(found, pages=pages, prelabels=prelabels, suspects=suspects).write(project.root)
    return found


def numbers(answer: Any) -> list[str]:
    return [row["short"].removesuffix(".png") for row in answer["page"]["rows"]]


def test_a_page_walks_through_the_clusters(
    project: Project,  # noqa: F811
    images: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = GalleryPage(project.label(queue="clustered", page_size=9), monkeypatch)
    hello = page.ask("hello")
    assert hello["query"]["queue"] == "clustered"
    assert hello["assist"]["cluster"] == {"number": 1, "of": 2, "alike": 0.96}
    assert (hello["assist"]["on"], hello["assist"]["trained"], hello["assist"]["test"]) == (False, True, False)
    queue = {"queue": "clustered"}
    answer = page.show(query=queue)
    assert numbers(answer) == ["0", "1", "2"]
    page.ask("edit", op="label", label="pear", split="train", images=images[:2], revisions={})
    assert numbers(page.show(query=queue)) == ["0", "1", "2"]
    answer = page.show(query=queue, left=[images[2:3], []])
    assert numbers(answer) == ["3", "4"]
    assert answer["info"]["assist"]["cluster"] == {"number": 2, "of": 3, "alike": 0.96}
    answer = page.show(query=queue, left=[[], images[3:5]], size=4)
    assert numbers(answer) == ["2"]
    assert len(answer["page"]["rows"]) == answer["page"]["total"] == 1


def test_the_project_s_screens_open_queues(project: Project, images: list[str]) -> None:  # noqa: F811
    assert project.annotate(queue="prelabelled").session.images_at([(0, 9)]) == images[5:7]
    assert project.label(queue="manual", mode="single").session.images_at([(0, 0)]) == [images[29]]
    assert len(project.label(queue="clustered", mode="single").session.view) == 5
    assert len(project.review(queue="suspect").session.view) == 0  # nothing is labelled
    with pytest.raises(NotAllowedError, match=r"project\.assist\.start\(test=True\)"):
        project.label("test", queue="assist")


def test_a_page_cannot_take_a_queue_to_the_test_set(
    project: Project,  # noqa: F811
    images: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = GalleryPage(project.label(queue="assist"), monkeypatch)
    with pytest.raises(RuntimeError, match="labelled without predictions"):
        page.show(query={"queue": "assist"}, split="test")
    assert page.widget.session.split == "train"


def test_page_is_notified_of_a_training(
    project: Project,  # noqa: F811
    images: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = GalleryPage(project.label(queue="prelabelled"), monkeypatch)
    assert page.ask("follow", images=[]) == {}
    results(images, prelabels=[(5, "apple", 0.99)], run=2).write(project.root)
    news = page.ask("follow", images=images[5:7])
    assert [row["prelabels"] for row in news["rows"]] == [[["apple", 0.99]], []]
    seen = {images[5]: ["pear"], images[6]: []}
    answer = page.ask("edit", op="accept", split="train", images=images[5:7], revisions={}, labels=seen)
    assert [(c["short"], c["theirs"], c["yours"]) for c in answer["conflicts"]] == [("5.png", ["apple"], ["pear"])]
    answer = page.ask("edit", op="accept", split="train", images=images[5:7], revisions={})
    assert [row["labels"] for row in answer["rows"]] == [["apple"], []]


def test_the_review_takes_suggestions(
    project: Project,  # noqa: F811
    images: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project.label().session.assign(images[7:8], "apple")
    page: Any = GalleryPage(project.review(queue="suspect"), monkeypatch)
    query = {"queue": "suspect", "show": "to_review", "sort": "doubt"}
    answer = page.show(query=query)
    assert answer["page"]["rows"][0]["suspects"] == [["swapped", "apple", "pear", False]]
    taken = page.ask("edit", op="suggest", split="train", images=images[7:8], revisions={})
    assert [(row["labels"], row["reviewed"], row["suspects"]) for row in taken["rows"]] == [(["pear"], True, [])]
