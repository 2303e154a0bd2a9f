"""Tests of automatic refreshes: when screens look at the sources, and which labelling jobs take the new images."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from threading import enumerate as threads
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.project import auto_refresh
from customlabels_nb.project.auto_refresh import refresh_if_due
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.location import open_project_store
from customlabels_nb.store import SqlStore
from customlabels_nb.user_settings import settings
from tests.fake_clock import FakeClock
from tests.images.pictures import jpeg, write_folder
from tests.remote.conftest import Web, web

__all__ = ["web"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with three photos."""
    write_folder(tmp_path / "photos", {"": 3})
    return tmp_path / "photos"


@pytest.fixture
def project(photos: Path, tmp_path: Path) -> Any:
    """Yield a project with the photos of a folder, at which each opened screen looks again."""
    settings.user = "meg"
    project = cl.create_project("leaves", tmp_path / "projects", task="single-label")
    project.add_images(photos, progress=False)
    project.labels.add("lemon")
    assert project.auto_refresh(1e-6) == 1e-6
    yield project
    project.close()


def add_photo(photos: Path, number: int) -> None:
    (photos / f"new-{number}.jpg").write_bytes(jpeg(100 + number))


def open_screens(project: cl.Project, job: Any) -> dict[str, Any]:
    """Return a function for each screen that opens it."""
    return {
        "gallery": project.label, "annotator": project.annotate, "review": project.review,
        "job": job.label, "job review": job.review, "job dashboard": job.dashboard,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["gallery", "annotator", "review", "job", "job review", "job dashboard"])
def test_every_screen_refreshes_the_sources(
    project: cl.Project, photos: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_screen = open_screens(project, project.jobs.create("leaves-1", project.train_set))[name]
    add_photo(photos, 1)
    screen = open_screen()
    assert len(project.train_set) == 4
    assert "1 new image, 0 changed, 0 vanished" in capsys.readouterr().out
    if name not in ("job review", "job dashboard"):
        assert len(screen.session.table.names) == 4
    screen.close()


def test_sources_are_refreshed_after_the_interval(project: cl.Project, photos: Path) -> None:
    assert project.auto_refresh("1d") == 86_400
    place = open_project(project.root)
    clock = FakeClock(place.store.setting("auto refresh")["looked"] // 10**6)

    def images_after(seconds: int) -> int:
        clock.advance(seconds)
        refresh_if_due(place, clock=lambda: int(clock()) * 10**6)
        return len(project.train_set)

    add_photo(photos, 1)
    assert images_after(90_000) == 4
    add_photo(photos, 2)
    assert images_after(86_399) == 4
    assert images_after(1) == 5
    add_photo(photos, 3)
    assert images_after(-90_000) == 6  # the clock of the other computer was wrong
    project.refresh(progress=False)  # is a look as well
    clock.seconds = place.store.setting("auto refresh")["looked"] // 10**6
    add_photo(photos, 4)
    assert images_after(60) == 6
    assert project.auto_refresh(None) is None
    assert images_after(90_000) == 6
    assert project.auto_refresh() is None
    assert project.history["what"].tolist().count("set auto refresh") == 3


def test_auto_refresh_is_off_by_default(photos: Path, tmp_path: Path) -> None:
    settings.user = "meg"
    project = cl.create_project("leaves", tmp_path / "projects")
    project.add_images(photos, progress=False)
    job = project.jobs.create("leaves-1")
    assert project.auto_refresh() is None
    add_photo(photos, 1)
    project.label()
    assert len(project.train_set) == 3
    assert project.refresh(progress=False).added
    assert job.progress.images == 3
    project.close()


def test_a_source_that_cannot_be_reached_is_mentioned(
    project: cl.Project, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos.rename(photos.with_name("unplugged"))
    gallery = project.label()
    assert len(gallery.session.table.names) == 3
    printed = capsys.readouterr().out
    assert "A source of the project cannot be reached, so its images are shown as before" in printed
    assert str(photos) in printed
    assert "vanished" not in printed


def test_failed_refresh_is_reported(
    project: cl.Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise InputError("No such disk.")

    monkeypatch.setattr(auto_refresh, "refresh_dataset", fail)
    project.label()
    assert "could not be scanned, so its images are shown as before: No such disk." in capsys.readouterr().out


def test_a_query_that_fails_stops_no_other_job(
    project: cl.Project, capsys: pytest.CaptureFixture[str], photos: Path
) -> None:
    first, second = (project.jobs.create(f"leaves-{number}", "width > 10") for number in (1, 2))
    open_project_store(project.root).change_setting("images of job 1", lambda old: ["no_such_column > 10"])
    add_photo(photos, 1)
    project.label()
    assert "'leaves-1' does not get new images: Cannot evaluate" in capsys.readouterr().out
    assert (first.progress.images, second.progress.images) == (3, 4)


def test_a_slow_source_delays_no_screen(
    project: cl.Project, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, refresh = Event(), auto_refresh.refresh_dataset

    def slow(*args: Any, **options: Any) -> Any:
        assert answer.wait(60)
        return refresh(*args, **options)

    monkeypatch.setattr(auto_refresh, "refresh_dataset", slow)
    monkeypatch.setattr(auto_refresh, "_PATIENCE_SECONDS", 0.05)
    add_photo(photos, 1)
    gallery = project.label()
    assert len(gallery.session.table.names) == 3
    assert "being scanned in the background" in capsys.readouterr().out
    (looking,) = [thread for thread in threads() if thread.name == "customlabels_nb auto refresh"]
    answer.set()
    looking.join(60)
    assert "1 new image" in capsys.readouterr().out
    gallery.session.follow()
    assert len(gallery.session.table.names) == 4


def test_one_kernel_refreshes_for_all(project: cl.Project, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.auto_refresh("1h")
    looks, refresh = list[Any](), auto_refresh.refresh_dataset
    monkeypatch.setattr(
        auto_refresh, "refresh_dataset", lambda *given, **options: looks.append(given) or refresh(*given, **options)
    )
    kernels = [Thread(target=refresh_if_due, args=(open_project(project.root),)) for _ in range(8)]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join()
    assert len(looks) == 1


def test_running_jobs_take_the_new_images_of_their_dataset_or_query(project: cl.Project, photos: Path) -> None:
    images = project.train_set.images["image"]
    create = project.jobs.create
    jobs = {
        "set": create("set", project.train_set), "name": create("name", "train", annotators=2),
        "query": create("query", "width > 10 and not image.str.endswith('new-2.jpg')"),
        "unlabelled": create("unlabelled"), "none": create("none", "width > 10"),
        "list": create("list", images.tolist()), "filtered": create("filtered", project.train_set.filter("width > 10")),
        "paused": create("paused", "train"), "added": create("added", images[:1].tolist(), gold={images[2]: "lemon"}),
    }  # fmt: skip
    jobs["paused"].pause()
    jobs["added"].add_images("train")
    add_photo(photos, 1)
    add_photo(photos, 2)
    (photos / "tiny.jpg").write_bytes(jpeg(7, (8, 8)))
    project.label()
    taken = {name: job.progress.images for name, job in jobs.items()}
    assert taken == {
        "set": 6, "name": 6, "query": 4, "unlabelled": 6, "none": 5, "list": 3, "filtered": 3, "paused": 3, "added": 5,
    }  # fmt: skip
    assert jobs["name"].progress.left == 12
    history = project.history.query("what == 'add images to labelling job' and who == 'customlabels_nb'")
    assert set(history["note"]) == {"set", "name", "query", "unlabelled", "none", "added"}
    jobs["paused"].resume()
    project.label()
    assert jobs["paused"].progress.images == 6
    assert len(project.history.query("who == 'customlabels_nb'")) == len(history) + 1


def test_labelers_of_a_complete_job_get_the_new_images(project: cl.Project, photos: Path) -> None:
    job = project.jobs.create("leaves-1", "train")
    worker = job.worker()
    for task in worker.lease(3):
        worker.submit(task, "lemon")
    assert job.state == "completed"
    add_photo(photos, 1)
    screen = job.label()
    assert (job.state, len(screen.session.waiting)) == ("running", 1)
    screen.close()


def test_read_only_project_is_not_refreshed(project: cl.Project, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlStore, "read_only", True)
    add_photo(photos, 1)
    assert len(project.label().session.table.names) == 3
    monkeypatch.undo()
    assert len(project.label().session.table.names) == 4


@pytest.mark.parametrize("every", ["soon", "", -1, 0, True, float("nan"), float("inf"), [1]])
def test_invalid_durations_are_refused(project: cl.Project, every: Any) -> None:
    with pytest.raises(InputError, match="every="):
        project.auto_refresh(every)
    assert project.auto_refresh() == 1e-6


def test_no_screen_of_an_unpacked_project_requests_the_urls_of_its_sender(
    project: cl.Project, web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (web.root / "a.jpg").write_bytes(jpeg(1))
    project.add_images(f"{web.url}/a.jpg", progress=False)
    project.jobs.create("leaves-1", project.train_set)
    project.pack(tmp_path / "leaves.zip", progress=False)
    web.requests.clear()
    project.label()
    assert web.requests, "the project has no source that screens request"
    web.requests.clear()
    capsys.readouterr()
    received = cl.unpack_project(tmp_path / "leaves.zip", tmp_path / "received")
    assert "Automatic refreshes are switched off" in capsys.readouterr().out
    for open_screen in open_screens(received, received.jobs["leaves-1"]).values():
        open_screen()
    assert web.requests == []
    assert received.auto_refresh() is None
    assert received.auto_refresh("1d") == 86_400
    received.close()
