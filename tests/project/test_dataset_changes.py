"""Tests of writing tables as one action, and of the split into train and test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import (
    InputError,
    LabelError,
    NotAllowedError,
    NotEnoughDataError,
    StaleEditError,
    TableError,
)
from customlabels_nb.project.location import open_project_store
from customlabels_nb.user_settings import settings
from tests.facts import facts, tells
from tests.images.pictures import write_folder
from tests.other_kernels import before_next_write


@pytest.fixture
def project(fruit: cl.Project) -> cl.Project:
    return fruit


def fill(project: cl.Project, counts: dict[str, int], *, split: str = "train", start: int = 0) -> list[str]:
    """Import new photos into a split and return their paths."""
    folder = project.root.parent.parent / f"photos {split} {start}"
    paths = write_folder(folder, counts, start=start)
    project.add_images(folder, split=split, labels_from="folders", progress=False)
    return [str(path) for path in paths]


def labels(dataset: cl.Dataset) -> dict[str, list[str]]:
    return dict(zip(dataset.images["image"], dataset.labels_of_images(), strict=True))


def test_tags_of_a_dataset_from_two_kernels_are_merged(project: cl.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(project, {"apple": 1})
    other = cl.load_project(project.root)
    before_next_write(monkeypatch, open_project_store(project.root), lambda: other.train_set.tags.update(site="north"))
    project.train_set.tags["camera"] = "left"
    assert project.datasets["tags"].iloc[0] == {"site": "north", "camera": "left"}
    other.close()


# -- update -----------------------------------------------------------------------------------------
def test_a_changed_dataset_is_written_as_one_action(project: cl.Project) -> None:
    images = fill(project, {"apple": 3, "pear": 2})
    before = project.train_set
    changed = before.relabel({"pear": "quince"}).relabel({"apple": None}, [True] + [False] * 4)
    assert project.update("train", changed, note="by rule") == 3
    assert labels(project.train_set) == {
        images[0]: [], images[1]: ["apple"], images[2]: ["apple"], images[3]: ["quince"], images[4]: ["quince"],
    }  # fmt: skip
    assert project.train_set.images["status"].tolist() == ["unlabelled", *["labelled"] * 4]
    assert project.train_set.images["revision"].tolist() == [2, 1, 1, 2, 2]
    newest = project.history.iloc[0]
    assert (newest["what"], newest["note"], newest["count"], newest["who"]) == ("update", "by rule", 3, settings.user)
    assert project.labels.to_frame()["label"].tolist() == ["apple", "pear", "quince"]


def test_update_without_changes_records_no_action(project: cl.Project) -> None:
    fill(project, {"apple": 2})
    actions = len(project.history)
    assert project.update("train", project.train_set) == 0
    assert project.update("train", project.train_set.annotations) == 0
    assert project.update("train", project.train_set.annotations[["image", "label"]]) == 0
    assert len(project.history) == actions


def test_update_with_a_part_keeps_other_images_by_default(project: cl.Project) -> None:
    images = fill(project, {"apple": 2, "pear": 2})
    part = project.train_set.filter("label == 'pear'")
    assert project.update("train", part.relabel({"pear": "quince"})) == 2
    assert len(project.train_set) == 4
    others = project.train_set.filter("label != 'quince'")
    assert project.remove("train", others) == 2
    assert project.train_set.images["image"].tolist() == images[2:]
    assert all(Path(image).exists() for image in images)


def test_a_table_gives_its_images_exactly_its_annotations(project: cl.Project) -> None:
    images = fill(project, {"apple": 3})
    table = pd.DataFrame({"image": [images[0], images[0], images[1]], "label": ["ripe", "red", None]})
    before = table.copy(deep=True)
    assert project.update("train", table) == 2
    pd.testing.assert_frame_equal(table, before)
    assert labels(project.train_set) == {images[0]: ["ripe", "red"], images[1]: [], images[2]: ["apple"]}
    assert project.train_set.images["status"].tolist() == ["labelled", "unlabelled", "labelled"]
    corners = {"xmin": [1], "ymin": [2], "xmax": [5], "ymax": [9]}
    assert project.update("train", pd.DataFrame({"image": images[1:2], "label": ["box"], **corners})) == 1
    assert project.train_set.annotations.iloc[-2][["left", "top", "width", "height"]].tolist() == [1, 2, 4, 7]


def test_an_image_that_shows_nothing_stays_that_when_a_table_says_so_again(project: cl.Project) -> None:
    images = fill(project, {"": 1})
    dataset = project.train_set
    project.update("train", cl.Dataset(dataset.images.assign(status="labelled"), root=dataset.root))
    assert project.update("train", pd.DataFrame({"image": images, "label": [None]})) == 0
    assert project.train_set.images["status"].tolist() == ["labelled"]


def test_extra_columns_and_tags_can_be_changed(project: cl.Project) -> None:
    fill(project, {"apple": 2})
    dataset = project.train_set
    images = dataset.images.assign(site=["x", None], tags=[["blurred"], []])
    assert project.update("train", cl.Dataset(images, dataset.annotations, dataset.labels)) == 1
    assert project.train_set.images["site"].tolist()[0] == "x"
    assert project.train_set.images["tags"].tolist() == [["blurred"], []]
    assert len(project.train_set.filter("site == 'x'")) == 1


def test_a_stale_edit_is_refused_and_shown(project: cl.Project) -> None:
    images = fill(project, {"apple": 2})
    mine = project.train_set
    with_revision = mine.annotations.merge(mine.images[["image", "revision"]])
    project.update("train", mine.relabel("theirs", [True, False]))
    for stale in (mine.relabel("mine"), with_revision.assign(label="mine")):
        with pytest.raises(StaleEditError) as caught:
            project.update("train", stale)
        assert caught.value.images == images[:1]
        assert caught.value.theirs["label"].tolist() == ["theirs"]
        assert caught.value.yours["label"].tolist() == ["mine"]
    assert labels(project.train_set) == {images[0]: ["theirs"], images[1]: ["apple"]}  # nothing of it was written
    assert project.update("train", mine.filter([False, True]).relabel("mine")) == 1  # this image is unchanged


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (None, InputError, "NoneType"),
        ({"image": ["a"]}, InputError, "dict"),
        (pd.DataFrame({"label": ["x"]}), TableError, "'image'"),
        (pd.DataFrame({"image": ["elsewhere.jpg"], "label": ["x"]}), InputError, r"1 image is not .* 'elsewhere\.jpg'"),
        (pd.DataFrame({"image": [None], "label": ["x"]}), TableError, "empty"),
        (pd.DataFrame({"image": ["a"], "label": [""]}), LabelError, "1 to 256"),
        (
            cl.Dataset(pd.DataFrame({"image": ["new.jpg"]})),
            InputError,
            r"1 image is not in the train set.*new\.jpg'.*import_dataset",
        ),
    ],
)
def test_invalid_updates_are_refused(project: cl.Project, value: Any, error: type[Exception], words: str) -> None:
    fill(project, {"apple": 1})
    before = len(project.history)
    with pytest.raises(error, match=words):
        project.update("train", value)
    assert len(project.history) == before


def test_unknown_split_is_refused(project: cl.Project) -> None:
    fill(project, {"apple": 1})
    with pytest.raises(InputError, match="'valid'"):
        project.update("valid", project.train_set)


# -- distribute -------------------------------------------------------------------------------------
def test_each_label_has_its_share_on_both_sides(project: cl.Project) -> None:
    images = fill(project, {"": 3, "apple": 10, "pear": 5, "plum": 2})
    done = project.distribute(0.2)
    assert (done.train, done.test) == (16, 4)
    assert tells(repr(done), 16, "training", 4, "test")
    assert project.test_set.label_counts.to_dict() == {"apple": 2, "pear": 1, "plum": 1}
    assert project.train_set.label_counts.to_dict() == {"apple": 8, "pear": 4, "plum": 1}
    both = project.train_set.images["image"].tolist() + project.test_set.images["image"].tolist()
    assert sorted(both) == sorted(images)
    assert project.test_set.images["status"].eq("labelled").all()


def test_a_label_of_one_image_stays_with_an_issue(project: cl.Project) -> None:
    fill(project, {"apple": 4, "<rare>": 1})
    done = project.distribute(0.5)
    assert done.issues[["code", "where"]].to_numpy().tolist() == [["LABEL_TOO_RARE_TO_SPLIT", "<rare>"]]
    assert tells(repr(done), "<rare>", "train")
    assert project.train_set.label_counts["<rare>"] == 1
    assert project.test_set.label_counts["apple"] == 2


def test_groups_and_equal_contents_stay_on_one_side(project: cl.Project, tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "photos", {"apple": 12, "pear": 12})
    twin = shutil.copy(paths[0], tmp_path / "photos" / "apple" / "twin.jpg")
    table = pd.DataFrame({"image": [*paths, twin]})
    table["label"] = [path.parent.name for path in paths] + ["apple"]
    table["day"] = [index % 6 for index in range(24)] + [99]
    project.add_images(table, on_duplicate="keep", progress=False)
    project.distribute(0.3, groups="day")
    train, test = project.train_set.images, project.test_set.images
    assert len(test) > 0
    assert not set(train["day"]) & set(test["day"])
    assert not set(train["sha256"]) & set(test["sha256"])
    assert set(project.test_set.annotations["label"]) == {"apple", "pear"}


def test_a_label_in_one_group_stays_and_is_named(project: cl.Project) -> None:
    fill(project, {"apple": 3, "pear": 4})
    done = project.distribute(0.5, groups=["g", "g", "g", "h", "i", "j", "k"])
    assert done.issues["where"].tolist() == ["apple"]
    assert tells(done.issues["message"].item(), 3, "train")
    assert project.test_set.label_counts.to_dict() == {"apple": 0, "pear": 2}


def test_a_test_set_that_is_not_empty_is_left_alone(project: cl.Project) -> None:
    fill(project, {"apple": 4})
    fill(project, {"apple": 1}, split="test", start=50)
    with pytest.raises(NotAllowedError, match=facts("already", 1)):
        project.distribute()
    assert (len(project.train_set), len(project.test_set)) == (4, 1)


@pytest.mark.parametrize("counts", [{}, {"": 3}, {"apple": 1, "pear": 1}])
def test_without_two_images_of_a_label_nothing_is_distributed(project: cl.Project, counts: dict[str, int]) -> None:
    if counts:
        fill(project, counts)
    before = len(project.history)
    with pytest.raises(NotEnoughDataError) as caught:
        project.distribute()
    assert caught.value.code == "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE"
    assert len(project.test_set) == 0
    assert len(project.history) == before


@pytest.mark.parametrize("fraction", [0, 1, -1, 20])
def test_invalid_test_fraction_is_refused(project: cl.Project, fraction: float) -> None:
    fill(project, {"apple": 4})
    with pytest.raises(InputError, match=f"test_fraction={fraction} "):
        project.distribute(fraction)


def test_distributing_again_keeps_the_test_set_if_it_may_exist(project: cl.Project) -> None:
    fill(project, {"apple": 10})
    first = project.distribute(0.2)
    before = project.test_set.images["image"].tolist()
    again = project.distribute(0.5, exist_ok=True)
    assert (again.train, again.test, len(again.issues)) == (first.train, first.test, 0)
    assert project.test_set.images["image"].tolist() == before


@pytest.mark.parametrize("exist_ok", [True, False])
def test_two_kernels_distribute_once(project: cl.Project, monkeypatch: pytest.MonkeyPatch, exist_ok: bool) -> None:
    fill(project, {"apple": 4, "pear": 4})
    other = cl.load_project(project.root)
    before_next_write(monkeypatch, open_project_store(project.root), lambda: other.distribute(0.5, random_state=1))
    if exist_ok:
        found = project.distribute(0.25, exist_ok=True)
        assert (found.train, found.test) == (4, 4)
    else:
        with pytest.raises(NotAllowedError, match="already has 4 images"):
            project.distribute(0.25)
    assert len(project.test_set) == 4
    other.close()


def test_after_deleting_the_test_set_the_rest_is_distributed_again(project: cl.Project) -> None:
    images = fill(project, {"apple": 10})
    project.distribute(0.2)
    with pytest.raises(NotAllowedError):
        project.distribute(0.2)
    assert project.delete_dataset("test", confirm=True) == 2
    assert (len(project.train_set), len(project.test_set)) == (8, 0)
    project.distribute(0.25)
    assert (len(project.train_set), len(project.test_set)) == (6, 2)
    assert all(Path(image).exists() for image in images)


def test_same_random_state_gives_the_same_split(project: cl.Project, tmp_path: Path) -> None:
    fill(project, {"apple": 30})
    chosen = []
    for random_state in (1, 1, 2):
        project.distribute(0.3, random_state=random_state)
        chosen.append(set(project.test_set.images["image"]))
        project.undo()
    assert chosen[0] == chosen[1] != chosen[2]


def test_history_contains_the_distribution(project: cl.Project) -> None:
    fill(project, {"apple": 5})
    project.distribute(0.4)
    newest = project.history.iloc[0]
    assert (newest["what"], newest["note"], newest["count"]) == ("distribute", "0.4", 2)


def test_update_keeps_changes_that_others_made_meanwhile(project: cl.Project) -> None:
    fill(project, {"quince": 2, "medlar": 2})
    mine, theirs = project.train_set, project.train_set
    first, last = mine.images["image"].iloc[0], mine.images["image"].iloc[-1]
    project.update("train", theirs.relabel("theirs", theirs.images["image"] == last))
    assert project.update("train", mine.relabel("mine", mine.images["image"] == first)) == 1
    labels = project.train_set.annotations.set_index("image")["label"]
    assert (labels[first], labels[last]) == ("mine", "theirs")
    with pytest.raises(StaleEditError):
        project.update("train", mine.relabel("mine", mine.images["image"] == last))


def test_images_are_removed_by_every_spelling_of_their_names(
    project: cl.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [Path(image) for image in fill(project, {"apple": 5})]
    monkeypatch.chdir(images[0].parent)
    spelled = (images[0], [images[1], images[1].as_uri()], images[2].name, pd.Index([images[3].name]))
    assert [project.remove("train", each) for each in spelled] == [1] * 4
    assert project.train_set.images["image"].tolist() == [str(images[4])]


def test_removing_is_refused_for_images_that_others_changed(project: cl.Project) -> None:
    fill(project, {"quince": 2, "medlar": 2})
    read = project.train_set
    project.update("train", project.train_set.relabel("theirs", "label == 'medlar'"))
    with pytest.raises(StaleEditError):
        project.remove("train", read)
    assert project.remove("train", read.filter("label == 'quince'")) == 2
    assert project.remove("train", project.train_set.images["image"].tolist()) == 2
    assert len(project.train_set) == 0


def test_a_table_may_name_images_as_add_images_does(
    project: cl.Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images = fill(project, {"apple": 3})
    folder = Path(images[0]).parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    frame = pd.DataFrame({"image": ["000.jpg", Path("001.jpg"), "~/002.jpg"], "label": ["a", "b", "c"]})
    assert project.update("train", frame) == 3
    assert labels(project.train_set) == dict(zip(images, [["a"], ["b"], ["c"]], strict=True))
    with pytest.raises(InputError, match=facts(1, "train", "'gone.jpg'")):
        project.update("train", pd.DataFrame({"image": ["gone.jpg"], "label": ["a"]}))
    project.add_images(folder, split="test", copy=True, on_leak="keep", progress=False)
    copies = project.test_set.images["image"].tolist()
    assert project.update("test", pd.DataFrame({"image": copies, "label": "d"})) == 3
