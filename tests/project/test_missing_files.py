"""Tests of images whose files were deleted: they are left out, and can be removed as one action."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.images.thumbnails import project_cache, thumbnail_of
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.embeddings import describe_features
from customlabels_nb.models.feature_file import feature_key, project_features
from tests.facts import tells
from tests.images.pictures import jpeg, write_folder
from tests.ingest.test_sources import make_zip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / "photos", {"apple": 8, "pear": 8})
    return tmp_path / "photos"


@pytest.fixture
def project(tmp_path: Path, folder: Path) -> cl.Project:
    made = cl.create_project("fruit", tmp_path)
    made.add_images(folder, labels_from="folders", progress=False)
    made.distribute(0.25)
    return made


def images_of(project: cl.Project) -> pd.DataFrame:
    """Return the images of both datasets."""
    datasets = (project.train_set, project.test_set)
    parts = [dataset.images.assign(split=dataset.name) for dataset in datasets]
    return pd.concat(parts, ignore_index=True)


def test_deleted_files_are_left_out_although_their_features_are_stored(project: cl.Project) -> None:
    assert project.embed(progress=False).empty
    gone = project.train_set.images["image"].tolist()[:2]
    for image in gone:
        Path(image).unlink()
    assert project.embed(progress=False)["where"].tolist() == gone
    assert not set(gone) & set(project.map_layout("train", progress=False)["image"])
    assert not set(gone) & set(project.search(image=project.train_set.images["image"].iat[3])["image"])
    model = project.train(progress=False)
    assert tells(next(line for line in model.card.text.splitlines() if line.startswith("| train |")), 10, 12)


def test_one_image_is_removed_by_its_name_and_an_import_of_one_bad_file_says_why(
    project: cl.Project, tmp_path: Path
) -> None:
    image = project.train_set.images["image"].iat[0]
    assert project.remove("train", image) == 1
    (tmp_path / "empty.jpg").touch()
    report = project.add_images(tmp_path / "empty.jpg", progress=False)
    assert repr(report).endswith("empty.jpg: the file is empty (0 bytes).")


def test_missing_images_are_removed_and_come_back_as_one_action(project: cl.Project) -> None:
    project.embed(progress=False)
    images = images_of(project)
    gone = images.groupby("split").head(1).reset_index(drop=True)
    kept = images["image"].tolist()[-1]
    cache, key = project_cache(project.root, "thumbnails"), gone["sha256"][0]
    for image in (gone["image"][0], kept):
        thumbnail_of(image, root=project.root, sha256=images.set_index("image")["sha256"][image], size=128, cache=cache)
    features = project_features(project.root).of(describe_features(PACKAGED))
    for image in gone["image"]:
        Path(image).unlink()
    with pytest.raises(NotAllowedError, match=r"Remove 2 images without a file"):
        project.remove_missing()
    before = len(project.history)
    assert project.remove_missing(confirm=True) == 2
    assert len(project.history) == before + 1
    assert project.history["what"].iloc[0] == "remove missing images"
    assert not set(gone["image"]) & set(images_of(project)["image"])
    assert (features.lookup([feature_key(content) for content in gone["sha256"]])[0] < 0).all()
    assert (features.lookup([feature_key(images["sha256"].iloc[-1])])[0] >= 0).all()
    assert [path.name[:64] == key for path in cache.folder.glob("*/*")] == [False]
    assert project.remove_missing(confirm=True) == 0
    project.undo()
    assert images_of(project)[["split", "image"]].sort_values("image").values.tolist() == (
        images[["split", "image"]].sort_values("image").values.tolist()
    )


def test_images_of_a_missing_folder_are_an_error_and_stay(project: cl.Project, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "unmounted")
    for is_empty in (False, True):  # as where a disk is not mounted
        for call in (project.train, project.embed, project.cross_validate, project.map_layout):
            with pytest.raises(InputError, match=r"photos' does not exist or is empty, but .* images") as caught:
                call(progress=False)  # type: ignore[operator]
            assert "relocate" in str(caught.value)
        assert project.remove_missing(confirm=True) == 0
        if not is_empty:
            folder.mkdir()
    folder.rmdir()
    (tmp_path / "unmounted").rename(folder)
    shutil.rmtree(folder / "pear")
    assert project.remove_missing(confirm=True) == 8
    (folder / "pear").mkdir()
    write_folder(folder, {"apple": 8, "pear": 8})
    assert project.refresh(progress=False).added == []  # removed images stay removed
    project.undo()
    assert len(images_of(project)) == 16


def test_images_of_a_table_whose_folder_is_missing_are_an_error(tmp_path: Path, folder: Path) -> None:
    project = cl.create_project("table", tmp_path)
    table = pd.DataFrame({"image": sorted(folder.rglob("*.jpg")), "label": "fruit"})
    project.add_images(table, progress=False)
    shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"photos' does not exist"):
        project.embed(progress=False)


def test_single_files_that_were_deleted_are_left_out_even_with_their_folder(
    project: cl.Project, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "up").mkdir()
    shutil.copy(next(folder.rglob("*.jpg")), tmp_path / "up" / "x.jpg")
    project.add_images(tmp_path / "up" / "x.jpg", on_duplicate="keep", progress=False)
    shutil.rmtree(tmp_path / "up")
    assert project.embed(progress=False)["where"].tolist() == [str(tmp_path / "up" / "x.jpg")]
    assert project.remove_missing(confirm=True) == 1


def test_the_unpacked_images_of_a_zip_file_come_back_with_refresh(tmp_path: Path) -> None:
    project = cl.create_project("zipped", tmp_path)
    project.add_images(make_zip(tmp_path / "a.zip", {"apple/a.jpg": jpeg(1), "pear/b.jpg": jpeg(2)}), progress=False)
    shutil.rmtree(project.root / project.train_set.images["image"][0].rpartition("/")[0].rpartition("/")[0])
    with pytest.raises(InputError, match=r"project.refresh\(\) unpacks the zip file again"):
        project.embed(progress=False)
    assert project.remove_missing(confirm=True) == 0
    project.refresh(progress=False)
    assert project.embed(progress=False).empty


def test_moved_photos_are_found_by_content_with_all_that_is_known_of_them(
    project: cl.Project, folder: Path, tmp_path: Path
) -> None:
    removed = Path(project.train_set.images["image"].iat[-1])
    project.remove("train", str(removed))
    model = project.train(progress=False)
    labels = {Path(image).name + label for image, label in project.train_set.annotations[["image", "label"]].values}
    before = model.evaluate().per_image
    project.snapshots.take("before")
    folder.rename(tmp_path / "new place")
    new = tmp_path / "new place"
    next(new.glob("apple/*")).rename(new / "renamed.jpg")
    with pytest.raises(InputError, match=re.escape("call project.relocate('the new folder')")):
        project.train(progress=False)
    assert "project.relocate(folder)" in repr(project.check())
    added = project.add_images(new, progress=False)
    assert set(added.issues["code"]) == {"IMAGE_MOVED", "LEAK_BETWEEN_SPLITS"}
    assert "11 files were moved: project.relocate(folder) takes the new place." in repr(added)
    project.undo()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has none of the 15 images whose files are missing"):
        project.relocate(tmp_path / "empty")
    results = project.root / "cache" / "assist" / "results.npz"
    results.parent.mkdir(parents=True)
    results.touch()
    assert project.relocate(new) == 15
    assert not results.exists()
    assert project.relocate(new) == 0
    images = images_of(project)["image"]
    assert all(Path(image).is_file() for image in images)
    assert str(new / "renamed.jpg") in images.tolist()
    renamed = {Path(i).name + label for i, label in project.train_set.annotations[["image", "label"]].values}
    assert len(renamed & labels) >= len(labels) - 1
    after = model.evaluate().per_image
    assert sorted(after["predicted"]) == sorted(before["predicted"])
    assert set(after["image"]) <= set(images)
    assert project.snapshots.diff("before").empty
    report = project.refresh()  # the folder is read at its new place, and the removed image does not come back
    assert (report.images.empty, report.removed, len(report.issues)) == (
        True,
        [str(new / removed.relative_to(folder))],
        0,
    )
    assert project.history["what"].iat[0] == "relocate images"
    project.train(progress=False)


def test_photos_that_were_moved_to_several_folders_are_found_one_by_one(
    project: cl.Project, folder: Path, tmp_path: Path
) -> None:
    labels = project.train_set.annotations["label"].tolist()
    places = [tmp_path / f"moved {part.name}" for part in sorted(folder.iterdir())]
    for part, place in zip(sorted(folder.iterdir()), places, strict=True):
        (place / folder.name).mkdir(parents=True)
        part.rename(place / folder.name / part.name)
    folder.rmdir()
    for place in places:
        assert project.relocate(place / folder.name) > 0
        # those that are still missing are not taken for deleted ones
        project.refresh()
        assert project.remove_missing(confirm=True) == 0
    assert project.train_set.annotations["label"].tolist() == labels


def test_copies_and_other_photos_do_not_take_the_place_of_a_missing_one(
    project: cl.Project, folder: Path, tmp_path: Path
) -> None:
    image = Path(project.train_set.images["image"].iat[0])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / image.name).write_bytes(image.read_bytes() + b"edited")
    image.unlink()
    with pytest.raises(InputError, match="edited files are not found"):
        project.relocate(elsewhere)
    with pytest.raises(InputError, match="is not a folder"):
        project.relocate(tmp_path / "nothing")
