"""Tests of refreshing sources: new images are added, labels stay, and changed or missing files are reported."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.datasets.import_reports import RefreshReport
from customlabels_nb.errors import InputError, NotAllowedError, NotEnoughDataError
from customlabels_nb.ingest.importer import ImportReport
from tests.facts import tells
from tests.images.pictures import jpeg, write_folder
from tests.ingest.reading import labels
from tests.ingest.test_sources import make_zip

Add = Callable[..., ImportReport]


def names(images: list[str]) -> list[str]:
    return [Path(image).name for image in images]


def summary(report: RefreshReport) -> tuple[list[str], list[str], list[str]]:
    return names(report.added), names(report.changed), names(report.vanished)


def test_refresh_rescans_a_folder(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 3, "pear": 2})
    add(tmp_path / "photos", labels_from="folders")
    project.update("train", project.train_set.relabel("quince", "image.str.endswith('000.jpg')"))
    bare = project.train_set.relabel({"apple": None}, "image.str.endswith('002.jpg')")
    project.update("train", bare)
    (tmp_path / "photos" / "plum").mkdir()
    (tmp_path / "photos" / "plum" / "new.jpg").write_bytes(jpeg(50))
    paths[1].write_bytes(jpeg(51, (80, 60)))
    paths[3].unlink()
    before = len(project.history)
    report = project.train_set.refresh()
    assert summary(report) == (["new.jpg"], ["001.jpg"], ["003.jpg"])
    assert tells(repr(report), 1, "added", 1, "changed", 1, "vanished", 1, "issue", ".images")
    assert report.issues["code"].tolist() == ["LABEL_KEPT"]  # of the quince
    assert report.images["split"].unique().tolist() == ["train"]
    assert labels(project.train_set) == {
        "000.jpg": ["quince"], "001.jpg": ["apple"], "002.jpg": [], "003.jpg": ["pear"], "004.jpg": ["pear"],
        "new.jpg": ["plum"],
    }  # fmt: skip
    assert len(project.history) == before + 2
    project.remove("train", report.vanished)
    again = project.refresh(progress=False)
    assert (summary(again), len(again.issues)) == (([], [], []), 0)
    assert len(project.history) == before + 3


def test_refresh_labels_images_that_never_had_a_label(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 3})
    add(tmp_path / "photos")
    (tmp_path / "photos" / "apple" / "new.jpg").write_bytes(jpeg(50))
    add(tmp_path / "photos", labels_from="folders", on_known="skip")
    bare = project.train_set.images["image"][0]
    project.update("train", project.train_set.relabel("pear", f"image == {bare!r}"))
    report = project.refresh(progress=False)
    assert sorted(names(report.images.loc[report.images["what"] == "labelled", "image"])) == ["001.jpg", "002.jpg"]
    assert report.issues["code"].tolist() == ["LABEL_KEPT"]
    assert tells(repr(report), 0, "added", 2, "labelled", 0, "changed", 0, "vanished", 1, "issue")
    assert sorted(labels(project.train_set).values()) == [["apple"], ["apple"], ["apple"], ["pear"]]
    assert project.refresh(progress=False).issues.empty
    project.undo()  # the labels of the source
    assert project.refresh(progress=False).images.empty
    assert labels(project.train_set)["001.jpg"] == []


def test_refresh_brings_no_removed_label_back(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2, "pear": 1})
    add(tmp_path / "photos", labels_from="folders")
    project.labels.remove("apple", with_annotations=True)
    assert project.refresh(progress=False).images.empty
    assert list(project.labels) == ["pear"]
    project.undo()
    assert labels(project.train_set)["000.jpg"] == ["apple"]


def test_refresh_adds_neither_removed_images_nor_those_of_the_other_split(
    project: cl.Project, add: Add, tmp_path: Path
) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 6, "pear": 6})
    add(tmp_path / "photos", labels_from="folders")
    project.distribute(0.25)
    gone = project.train_set.images["image"][0]
    project.remove("train", [gone])
    moved = project.test_set.images["image"].tolist()
    Path(moved[0]).unlink()
    report = project.refresh(progress=False)
    assert report.images.to_numpy().tolist() == [["test", moved[0], "vanished"]]
    assert (report.removed, report.issues.empty) == ([gone], True)
    assert len(project.train_set) + len(project.test_set) == len(paths) - 1
    add(gone, label="apple")  # naming it explicitly adds it again
    assert project.refresh("train", progress=False).removed == []


def test_missing_drive_loses_no_images(project: cl.Project, add: Add, tmp_path: Path) -> None:
    write_folder(tmp_path / "drive" / "photos", {"": 2})
    add([tmp_path / "drive" / "photos", write_folder(tmp_path / "more", {"": 1}, start=5)[0]])
    (tmp_path / "drive").rename(tmp_path / "unplugged")
    report = project.refresh(progress=False)
    assert summary(report) == ([], [], [])
    assert report.issues["code"].tolist() == ["SOURCE_UNREACHABLE"]
    assert "drive/photos" in report.issues["where"][0]


def test_refresh_of_patterns_files_and_tables(
    project: cl.Project, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "photos", {"": 2})
    single, listed = (
        write_folder(tmp_path / "one", {"": 1}, start=10)[0],
        write_folder(tmp_path / "two", {"": 3}, start=20),
    )
    monkeypatch.chdir(tmp_path)
    add("photos/*.jpg", label="apple")
    add(single)
    add(listed[:2])
    add(pd.DataFrame({"image": [listed[2]], "label": ["pear"]}))
    (tmp_path / "photos" / "new.jpg").write_bytes(jpeg(50))
    monkeypatch.chdir("/")
    for path in (single, listed[1], listed[2]):
        path.rename(path.with_name(f"gone-{path.parent.name}-{path.name}"))
    report = project.refresh(progress=False)
    assert names(report.added) == ["new.jpg"]
    assert report.vanished == [str(single), str(listed[1]), str(listed[2])]
    assert labels(project.train_set)["new.jpg"] == ["apple"]
    assert report.skipped == ["2 files", "a table of 1 image"]
    shutil.rmtree(tmp_path / "photos")
    assert len(project.refresh(progress=False).vanished) == 6


def test_refresh_rescans_an_archive(project: cl.Project, add: Add, tmp_path: Path) -> None:
    members = {f"apple/{number}.jpg": jpeg(number) for number in range(3)}
    path = make_zip(tmp_path / "photos.zip", members)
    add(path, labels_from="folders")
    assert summary(project.refresh(progress=False)) == ([], [], [])
    del members["apple/1.jpg"]
    make_zip(path, {**members, "pear/9.jpg": jpeg(9)})
    report = project.refresh(progress=False)
    assert summary(report) == (["9.jpg"], [], ["1.jpg"])
    assert report.issues.empty
    assert labels(project.train_set) == {"0.jpg": ["apple"], "1.jpg": ["apple"], "2.jpg": ["apple"], "9.jpg": ["pear"]}


def test_refresh_keeps_copies_and_copies_new_images(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"": 2})
    add(tmp_path / "photos", copy=True)
    paths[0].unlink()
    (tmp_path / "photos" / "new.jpg").write_bytes(jpeg(50))
    report = project.refresh(progress=False)
    assert (len(report.added), report.changed, report.vanished) == (1, [], [])
    assert all(image.startswith("images/") for image in project.train_set.images["image"])


def test_refresh_recognises_the_copies_of_images(project: cl.Project, add: Add, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 6, "pear": 6})
    add(tmp_path / "photos", labels_from="folders", copy=True)
    project.distribute(0.25)
    gone, bare, changed = project.train_set.images["image"][:3]
    project.remove("train", [gone])
    project.update("train", pd.DataFrame({"image": [bare], "label": [None]}))
    source = next(path for path in paths if path.stem in changed)
    source.write_bytes(jpeg(50, (80, 60)))
    before = project.train_set.images["image"].tolist(), project.test_set.images["image"].tolist()
    report = project.refresh(progress=False)
    assert report.images.to_numpy().tolist() == [["train", changed, "changed"]]
    assert (names(report.removed), report.issues.empty) == ([f"{Path(gone).name[:3]}.jpg"], True)
    assert (project.train_set.images["image"].tolist(), project.test_set.images["image"].tolist()) == before
    assert (project.root / changed).read_bytes() == source.read_bytes()
    assert labels(project.train_set)[Path(bare).name] == []
    assert project.refresh(progress=False).images.empty


def test_refresh_needs_a_project(project: cl.Project, add: Add, tmp_path: Path) -> None:
    with pytest.raises(NotAllowedError, match=r"project\.refresh"):
        cl.Dataset(pd.DataFrame({"image": ["a.jpg"]})).refresh()
    with pytest.raises(NotEnoughDataError, match="train set does not exist"):
        project.refresh("train", progress=False)
    with pytest.raises(InputError, match="split='valid'"):
        project.refresh("valid", progress=False)
    assert summary(project.refresh(progress=False)) == ([], [], [])
    write_folder(tmp_path / "photos", {"": 2})
    add(tmp_path / "photos")
    part = project.train_set.sample(1)
    write_folder(tmp_path / "photos" / "more", {"": 1}, start=7)
    assert len(part.refresh().added) == 1
    assert len(part) == 1
    with pytest.raises(NotAllowedError):
        pickle.loads(pickle.dumps(part)).refresh()  # noqa: S301
