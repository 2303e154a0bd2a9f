from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from customlabels_nb.checks import CheckReport, check_datasets
from customlabels_nb.checks.label_rules import look_alike_key
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.examples import rooms
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from tests.facts import tells
from tests.project.conftest import HOSTILE


def codes(report: CheckReport) -> dict[str, str]:
    """Return the severity of all issues by code."""
    return dict(zip(report.issues["code"], report.issues["severity"], strict=True))


def message(report: CheckReport, code: str) -> str:
    return str(report.issues.set_index("code").loc[[code], "message"].iloc[0])


def dataset(labels: dict[str, int], name: str = "train", **columns: object) -> Dataset:
    """Return a dataset with this many images per label, whose files do not exist."""
    rows = [(f"s3://b/{name}/{label}-{i}.jpg", label) for label, count in labels.items() for i in range(count)]
    images = pd.DataFrame({"image": [image for image, _ in rows], "split": name, "status": "labelled"})
    images = images.assign(**columns)
    marks = pd.DataFrame(rows, columns=["image", "label"])
    return Dataset(images, marks if rows else None, list(labels), name=name)


def checked(train: dict[str, int], test: dict[str, int] | None = None, task: str | None = None) -> CheckReport:
    return check_datasets(dataset(train), dataset(test or {}, "test"), task=task)


ENOUGH = {"apple": 20, "pear": 20}


# -- labels -----------------------------------------------------------------------------------------
def test_a_good_project_has_no_warning() -> None:
    report = check_datasets(dataset(ENOUGH), dataset({"apple": 5, "pear": 5}, "test"), near_duplicates=False)
    assert set(codes(report)) == {"IMAGES_NOT_LOOKED_AT"}  # they are remote
    assert report.ok


@pytest.mark.parametrize(
    ("train", "task", "code"),
    [
        ({}, None, "TOO_FEW_LABELS"),
        ({"apple": 30}, None, "TOO_FEW_LABELS"),
        ({}, "boxes", "TOO_FEW_LABELS"),
        ({"apple": 3, "pear": 3}, None, "TOO_FEW_IMAGES"),
    ],
)
def test_too_few_labels_or_images_are_reported(train: dict[str, int], task: str | None, code: str) -> None:
    assert code in codes(checked(train, task=task))
    assert code not in codes(checked({"apple": 20, "pear": 20}, task=task))


def test_one_label_is_enough_for_boxes() -> None:
    assert "TOO_FEW_LABELS" not in codes(checked({"apple": 20}, task="boxes"))


def test_few_images_of_a_label_have_a_severity() -> None:
    report = checked({"one": 1, "four": 4, "five": 5, "nine": 9, "ten": 10, "two": 2})
    few = report.issues[report.issues["code"] == "LABEL_HAS_FEW_IMAGES"].set_index("where")
    assert few["images"].to_dict() == {"one": 1, "four": 6, "nine": 14}
    assert few["severity"].to_dict() == {"one": "warning", "four": "warning", "nine": "note"}
    assert "'four' and 'two'" in few.loc["four", "message"]
    assert "ten" not in " ".join(few["message"])


def test_unbalanced_labels_are_reported() -> None:
    assert codes(checked({"apple": 90, "pear": 10}))["LABELS_UNEVEN"] == "warning"
    assert codes(checked({"a": 100, "b": 100, "c": 10}))["LABELS_UNEVEN"] == "note"
    assert "LABELS_UNEVEN" not in codes(checked({"apple": 40, "pear": 12}))


def test_labels_missing_in_a_split_and_small_test_sets_are_reported() -> None:
    report = checked({"apple": 20, "pear": 20, "plum": 20, "fig": 0}, {"apple": 5, "pear": 2, "quince": 4})
    found = codes(report)
    assert found["LABEL_NOT_IN_TRAIN"] == found["LABEL_NOT_IN_TEST"] == found["LABEL_HAS_FEW_TEST_IMAGES"] == "warning"
    assert found["LABEL_UNUSED"] == "note"
    where = report.issues.set_index("code")["where"].to_dict()
    assert where["LABEL_NOT_IN_TRAIN"] == "quince"
    assert where["LABEL_NOT_IN_TEST"] == "plum"
    assert where["LABEL_HAS_FEW_TEST_IMAGES"] == "pear"
    assert where["LABEL_UNUSED"] == "fig"
    assert "TEST_SET_MISSING" not in found
    missing = codes(checked(ENOUGH))
    assert missing["TEST_SET_MISSING"] == "note"
    assert "LABEL_NOT_IN_TEST" not in missing


def test_statuses_are_counted_and_only_labelled_images_count() -> None:
    statuses = [*["labelled"] * 12, *["needs_review"] * 4, *["skipped"] * 4]
    train = dataset({"apple": 20}, status=statuses)
    open_ = dataset({"pear": 30}).images.assign(status=[*["labelled"] * 10, *["unlabelled"] * 20])
    train = train.concat(Dataset(open_, dataset({"pear": 30}).annotations.head(10), name="train"))
    report = check_datasets(train, dataset({}, "test"), near_duplicates=False)
    counts = report.issues.set_index("code")["images"]
    assert counts[["IMAGES_UNLABELLED", "IMAGES_TO_REVIEW", "IMAGES_SKIPPED"]].tolist() == [20, 4, 4]
    assert len(report.images_with("IMAGES_UNLABELLED")) == 20
    assert "LABEL_HAS_FEW_IMAGES" not in counts
    fewer = check_datasets(train.with_status("skipped"), dataset({}, "test"), near_duplicates=False)
    assert {"TOO_FEW_LABELS", "TOO_FEW_IMAGES", "LABEL_UNUSED"} <= set(codes(fewer))


@pytest.mark.parametrize(
    "pair",
    [
        ("Apple", "apple"), ("red apple", "red_apple"), ("Äpfel", "Apfel"), ("no-entry", "No Entry"),
        ("apple", "аpple"), ("Straße", "strasse"), ("ﬁg", "fig"),
    ],
)  # fmt: skip
def test_similar_label_names_are_reported(pair: tuple[str, str]) -> None:
    report = checked({pair[0]: 20, pair[1]: 20, "other": 20})
    assert codes(report)["LABELS_LOOK_ALIKE"] == "warning"
    assert all(repr(name) in message(report, "LABELS_LOOK_ALIKE") for name in pair)


def test_similar_labels_are_merged_into_the_more_frequent_one() -> None:
    assert "project.labels.merge('Apple', into='apple')" in repr(checked({"Apple": 1, "apple": 20, "other": 20}))


@pytest.mark.parametrize(
    ("rare", "frequent", "count", "is_reported"),
    [
        ("aple", "apple", 2, True), ("racoon", "raccoon", 1, True), ("aple", "apple", 12, False),
        ("undamaged", "damaged", 1, False), ("screw 12", "screw 1", 1, False), ("pear", "apple", 1, False),
    ],
)  # fmt: skip
def test_a_rare_label_that_is_nearly_a_frequent_one_is_reported(
    rare: str, frequent: str, count: int, is_reported: bool
) -> None:
    report = checked({rare: count, frequent: 20, "other": 20})
    assert ("LABELS_LOOK_ALIKE" in codes(report)) == is_reported
    assert (f"project.labels.merge({rare!r}, into={frequent!r})" in repr(report)) == is_reported


def test_a_training_set_without_labels_asks_for_labels() -> None:
    report = check_datasets(dataset({}), dataset({}, "test"))
    assert "Label some images of each kind: project.label('train')." in repr(report)


@pytest.mark.parametrize("pair", [("apple", "apples"), ("+", "-"), ("1", "l"), ("-", "_"), ("class 1", "class 2")])
def test_different_label_names_are_not_reported(pair: tuple[str, str]) -> None:
    assert look_alike_key(pair[0]) != look_alike_key(pair[1])


def test_mixed_annotation_types_are_reported() -> None:
    train = dataset(ENOUGH)
    boxed = train.annotations.assign(left=1.0, top=1.0, width=50.0, height=50.0)
    both = Dataset(train.images, pd.concat([train.annotations.head(5), boxed]), name="train")
    report = check_datasets(both, dataset({}, "test"), near_duplicates=False)
    assert codes(report)["LABELS_OF_TWO_KINDS"] == "warning"
    assert len(report.images_with("LABELS_OF_TWO_KINDS")) == 5
    two = pd.concat([train.annotations, train.annotations.head(1).assign(label="pear")])
    several = Dataset(train.images, two, name="train")
    for task, expected in (("single-label", True), ("multi-label", False)):
        report = check_datasets(several, dataset({}, "test"), task=task, near_duplicates=False)
        assert ("IMAGE_HAS_SEVERAL_LABELS" in codes(report)) is expected


# -- boxes ------------------------------------------------------------------------------------------
def test_box_problems_are_reported() -> None:
    images = pd.DataFrame({"image": [f"s3://b/{i}.jpg" for i in range(12)], "split": "train", "status": "labelled"})
    images = images.assign(width=[640] * 11 + [None], height=[480] * 11 + [None])
    good = [(f"s3://b/{i}.jpg", "cat", 100.0, 100.0, 200.0, 150.0) for i in range(12)]
    bad = [
        ("s3://b/0.jpg", "cat", 10, 10, 0, 40), ("s3://b/1.jpg", "cat", 600, 10, 60, 40),
        ("s3://b/2.jpg", "cat", -5, 10, 60, 40), ("s3://b/3.jpg", "cat", 10, 10, 12, 40),
        ("s3://b/4.jpg", "cat", 0, 0, 640, 470), ("s3://b/5.jpg", "cat", 100.4, 99.7, 200.2, 150.3),
        ("s3://b/6.jpg", "dog", 100, 100, 200, 150), ("s3://b/7.jpg", "cat", 0, 0.5, 300.5, 480.4),
        ("s3://b/11.jpg", "cat", 5000, 5000, 60, 40),
    ]  # fmt: skip
    marks = pd.DataFrame([*good, *bad], columns=["image", "label", "left", "top", "width", "height"])
    report = check_datasets(Dataset(images, marks, name="train"), dataset({}, "test"), near_duplicates=False)
    expected = {
        "BOX_EMPTY": ["s3://b/0.jpg"], "BOX_OFF_FRAME": ["s3://b/1.jpg", "s3://b/2.jpg"], "BOX_TINY": ["s3://b/3.jpg"],
        "BOX_WHOLE_IMAGE": ["s3://b/4.jpg"], "BOX_REPEATED": ["s3://b/5.jpg"],
    }  # fmt: skip
    assert {code: report.images_with(code) for code in codes(report) if code.startswith("BOX_")} == expected
    assert codes(report)["BOX_EMPTY"] == "error"
    assert report.table.set_index("code").loc["BOX_TINY", "detail"] == "'cat' at 10, 10: 12 × 40 px"
    small = Dataset(images, marks.assign(width=12, height=12, left=5, top=5), name="train")
    report = check_datasets(small, dataset({}, "test"), near_duplicates=False)  # its detector has a larger input
    assert "BOX_TINY" not in codes(report)


def test_less_plausible_twins_are_reported() -> None:
    def box(number: int, left: float, label: str = "cat", **columns: object) -> dict[str, object]:
        row = {"image": f"s3://b/{number}.jpg", "label": label, "left": left, "top": 0, "width": 100, "height": 100}
        return {**row, "annotator": "ann", "confidence": 1.0, "crowd": False, **columns}

    model = {"annotator": "model:v1"}
    images = pd.DataFrame({"image": [f"s3://b/{n}.jpg" for n in range(8)], "split": "train", "status": "labelled"})
    rows = [
        box(0, 0, **model), box(0, 5), box(1, 0, confidence=0.5, **model), box(1, 5, confidence=0.9, **model),
        box(2, 0), box(2, 17), box(3, 0), box(3, 18), box(4, 0), box(4, 5, "dog"), box(5, 0), box(5, 0, crowd=True),
        box(6, 0), box(6, 12), box(6, 24), box(7, 0), box(7, 0), box(7, 0),
    ]  # fmt: skip
    report = check_datasets(Dataset(images, pd.DataFrame(rows), name="train"), dataset({}, "test"))
    twins = report.boxes_with("BOX_REPEATED")
    found = list(zip(twins["image"].str[7:8].astype(int), twins["left"], strict=True))
    assert found == [(0, 0), (1, 0), (2, 17), (6, 12), (7, 0), (7, 0)]  # the last of image 6 is no twin of the first
    assert message(report, "BOX_REPEATED").startswith("6 boxes duplicating")
    assert report.boxes_with("BOX_REPEATED", "train").equals(twins)
    assert report.boxes_with("BOX_REPEATED", "test").empty


def test_invalid_polygons_are_reported() -> None:
    good = [[10, 10], [90, 10], [90, 90]]
    bad = {
        "POLYGON_SELF_INTERSECTING": [[0, 0], [50, 50], [50, 0], [0, 50]],
        "POLYGON_OFF_FRAME": [[600, 10], [700, 10], [700, 90]],
        "POLYGON_NO_AREA": [good, [[1, 1], [2, 2], [3, 3]]],
        "POLYGON_TOO_FEW_POINTS": [[5, 5], [20, 30]],
    }
    rows = [{"image": f"s3://b/{n}.jpg", "label": "cat", "polygon": one} for n, one in enumerate([*bad.values(), good])]
    images = pd.DataFrame({"image": [row["image"] for row in rows], "status": "labelled", "width": 640, "height": 480})
    train = Dataset(images, pd.DataFrame(rows), name="train")
    report = check_datasets(train, dataset({}, "test"), near_duplicates=False)
    found = {code: report.images_with(code) for code in codes(report) if code.startswith("POLYGON_")}
    assert found == {code: [f"s3://b/{n}.jpg"] for n, code in enumerate(bad)}
    assert message(report, "POLYGON_OFF_FRAME") == (
        "1 polygon on 1 image of the train set: the polygon extends beyond the image."
    )


# -- files ------------------------------------------------------------------------------------------
def test_missing_damaged_and_changed_files_are_reported(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for i in range(6):
        Image.effect_noise((120, 90), 60 + i).convert("RGB").save(folder / f"{i}.png")
    project.add_images(folder, label="disc", progress=False)
    assert not {"IMAGE_NOT_FOUND", "IMAGE_CHANGED"} & set(codes(project.check(progress=False)))
    (folder / "0.png").unlink()
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:300])
    (folder / "2.png").write_text("no image")
    Image.effect_noise((120, 90), 20).convert("RGB").save(folder / "3.png")
    Image.effect_noise((60, 30), 20).convert("RGB").save(folder / "4.png")
    (folder / "5.png").touch()
    report = project.check(progress=False)
    assert not report.ok
    for code, names in {
        "IMAGE_NOT_FOUND": ["0.png"],
        "IMAGE_TRUNCATED": ["1.png"],
        "IMAGE_NOT_AN_IMAGE": ["2.png"],
        "IMAGE_CHANGED": ["3.png", "4.png"],
        "IMAGE_SIZE_CHANGED": ["4.png"],
        "IMAGE_VERY_SMALL": ["4.png"],
    }.items():
        assert report.images_with(code) == [str(folder / name) for name in names]
    assert report.table.set_index("code").loc["IMAGE_SIZE_CHANGED", "detail"] == "60 × 30 px now, 120 × 90 before"
    assert report.images_with("IMAGE_CHANGED", "test") == []
    assert "project.remove_missing()" in repr(report)
    project.remove("train", report.images_with("IMAGE_NOT_FOUND", "train"))
    assert "IMAGE_NOT_FOUND" not in codes(project.check(progress=False))


def test_unknown_files_are_read(tmp_path: Path) -> None:
    for name, size in (("small", (40, 50)), ("long", (400, 100)), ("good", (399, 100))):
        Image.effect_noise(size, 60).convert("RGB").save(tmp_path / f"{name}.png")
    images = pd.DataFrame({"image": ["small.png", "long.png", "good.png", "gone.png"], "split": "train"})
    report = check_datasets(Dataset(images, name="train", root=tmp_path), dataset({}, "test"))
    assert report.images_with("IMAGE_VERY_SMALL") == ["small.png"]
    assert report.images_with("IMAGE_VERY_LONG") == ["long.png"]
    assert report.images_with("IMAGE_NOT_FOUND") == ["gone.png"]
    assert report.table.set_index("code").loc["IMAGE_VERY_LONG", "detail"] == "400 × 100 px"
    box = pd.DataFrame({"image": ["good.png"], "label": "cat", "left": 0, "top": 0, "width": 99, "height": 90})
    drawn = check_datasets(Dataset(images, box, name="train", root=tmp_path), dataset({}, "test"))
    assert drawn.images_with("IMAGE_VERY_LONG") == []  # a detector does not distort it


def test_remote_images_are_read_only_on_request(tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    Image.effect_noise((120, 90), 60).convert("RGB").save(tmp_path / "a.png")
    store.pipe("/bucket/a.png", (tmp_path / "a.png").read_bytes())
    images = pd.DataFrame({"image": ["memory://bucket/a.png", "memory://bucket/gone.png"], "split": "train"})
    train = Dataset(images, name="train", root=tmp_path)
    report = check_datasets(train, dataset({}, "test"))
    assert report.issues.set_index("code")["images"]["IMAGES_NOT_LOOKED_AT"] == 2
    assert "NEAR_DUPLICATES_NOT_SEARCHED" in codes(report)
    report = check_datasets(train, dataset({}, "test"), near_duplicates=True)
    assert report.images_with("IMAGE_NOT_FOUND") == ["memory://bucket/gone.png"]
    assert not {"IMAGES_NOT_LOOKED_AT", "NEAR_DUPLICATES_NOT_SEARCHED"} & set(codes(report))


def test_blank_and_dark_images_are_reported(project: Project, tmp_path: Path) -> None:
    Image.new("RGB", (200, 150), (250, 250, 250)).save(tmp_path / "blank.png")
    noise = np.random.default_rng(0).integers(0, 60, (15, 20, 3), dtype=np.uint8)
    Image.fromarray(noise // 2).resize((200, 150)).save(tmp_path / "dark.png")
    deep = np.random.default_rng(1).integers(0, 256, (150, 200), dtype=np.uint16)
    for name, values in {"shallow": deep, "camera": deep * 16}.items():  # 8 and 12 of 16 bits
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    names = ["blank", "dark", "shallow", "camera"]
    project.add_images([tmp_path / f"{name}.png" for name in names], label="disc", progress=False)
    report = project.check(progress=False)
    assert report.images_with("IMAGE_NEARLY_BLANK") == [str(tmp_path / "blank.png")]
    assert report.images_with("IMAGE_VERY_DARK") == [str(tmp_path / "dark.png")]
    assert report.images_with("IMAGE_FEW_BITS") == [str(tmp_path / "shallow.png")]


# -- copies -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with rooms in ``rooms/<label>`` and modified copies of some in ``other``."""
    folder = tmp_path_factory.mktemp("pictures") / "rooms"
    for i, label in enumerate(("patio", "closet", "kitchen")):
        for random_state in range(4):
            (folder / label).mkdir(parents=True, exist_ok=True)
            rooms.draw(label, np.random.default_rng([i, random_state])).save(
                folder / label / f"{random_state}.jpg", quality=92
            )
    other = folder.parent / "other"
    other.mkdir()
    with Image.open(folder / "patio" / "0.jpg") as image:
        image.resize((240, 180)).save(other / "small.jpg", quality=70)
    with Image.open(folder / "closet" / "1.jpg") as image:
        ImageEnhance.Brightness(image).enhance(1.15).save(other / "bright.png")
    with Image.open(folder / "kitchen" / "2.jpg") as image:
        image.crop((12, 9, 480, 360)).save(other / "crop.jpg", quality=90)
    return folder.parent


@pytest.fixture
def copied(tmp_path: Path, pictures: Path) -> Project:
    """Return a project of these images, with copies in the other split or under another label."""
    folder, other = pictures / "rooms", pictures / "other"
    project = create_project("copies", tmp_path)
    project.add_images(folder, labels_from="folders", progress=False)
    project.add_images(other / "small.jpg", label="patio", split="test", progress=False)
    project.add_images(folder / "kitchen" / "3.jpg", label="kitchen", split="test", on_leak="keep", progress=False)
    project.add_images([other / "bright.png"], label="kitchen", progress=False)
    project.add_images([other / "crop.jpg"], label="kitchen", progress=False)
    return project


def test_near_duplicates_are_listed_with_similarity(copied: Project) -> None:
    pairs = copied.near_duplicates(progress=False)
    found = {
        frozenset("/".join(Path(name).parts[-2:]) for name in (row.image, row.other)): (row.split, row.other_split)
        for row in pairs.itertuples()
    }
    assert found == {
        frozenset(("patio/0.jpg", "other/small.jpg")): ("train", "test"),
        frozenset(("closet/1.jpg", "other/bright.png")): ("train", "train"),
        frozenset(("kitchen/2.jpg", "other/crop.jpg")): ("train", "train"),
    }
    assert pairs["similarity"].between(0.92, 1).all()
    assert pairs["similarity"].is_monotonic_decreasing
    assert pairs.columns.tolist() == ["image", "other", "similarity", "split", "other_split", "labels", "other_labels"]
    assert len(copied.near_duplicates("train", progress=False)) == 2
    assert len(copied.near_duplicates("test", progress=False)) == 0
    with pytest.raises(InputError, match="split='all'"):
        copied.near_duplicates("all")
    with pytest.raises(InputError, match="threshold=2"):
        copied.near_duplicates(threshold=2)


def test_copies_are_reported_by_split_and_labels(copied: Project, pictures: Path) -> None:
    report = copied.check(progress=False)
    found = codes(report)
    assert found["LEAK_BETWEEN_SPLITS"] == "error"
    assert report.images_with("LEAK_BETWEEN_SPLITS") == [str(pictures / "rooms" / "kitchen" / "3.jpg")]
    assert found["NEAR_DUPLICATES_BETWEEN_SPLITS"] == "warning"
    assert report.images_with("NEAR_DUPLICATES_BETWEEN_SPLITS") == [str(pictures / "other" / "small.jpg")]
    assert "patio/0.jpg" in message(report, "NEAR_DUPLICATES_BETWEEN_SPLITS")
    assert report.images_with("LABELS_DIFFER_ON_SAME_PICTURE") == [str(pictures / "rooms" / "closet" / "1.jpg")]
    assert "labelled 'closet', but" in message(report, "LABELS_DIFFER_ON_SAME_PICTURE")
    assert "in 2 groups" in message(report, "NEAR_DUPLICATES")
    assert len(report.images_with("NEAR_DUPLICATES")) == 4
    assert report.near_duplicates is not None
    assert report.near_duplicates.equals(copied.near_duplicates(progress=False))
    without = copied.check(near_duplicates=False, progress=False)
    assert without.near_duplicates is None
    assert not [code for code in codes(without) if code.startswith("NEAR_")]
    assert "LEAK_BETWEEN_SPLITS" in codes(without)
    copied.remove("test", report.images_with("LEAK_BETWEEN_SPLITS"))
    copied.remove("test", report.images_with("NEAR_DUPLICATES_BETWEEN_SPLITS"))
    assert not {"LEAK_BETWEEN_SPLITS", "NEAR_DUPLICATES_BETWEEN_SPLITS"} & set(codes(copied.check(progress=False)))


def test_copies_with_different_labels_are_reported(project: Project, shapes: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.png"
    twin.write_bytes((shapes / "disc" / "0.png").read_bytes())
    project.add_images([twin], label="stripes", on_duplicate="keep", progress=False)
    report = project.check(progress=False)
    assert report.images_with("DUPLICATE_CONTENT") == [str(twin)]
    assert set(report.images_with("LABELS_DIFFER_ON_SAME_PICTURE")) == {str(twin), str(shapes / "disc" / "0.png")}


def test_distributing_keeps_near_duplicates_on_one_side(copied: Project) -> None:
    copied.delete_dataset("test", confirm=True)
    pairs = copied.near_duplicates("train", progress=False)
    for random_state in range(5):
        rest, part = copied.train_set.split(0.4, groups=pairs, random_state=random_state)
        sides = dict.fromkeys(rest.images["image"], "rest") | dict.fromkeys(part.images["image"], "part")
        assert (pairs["image"].map(sides) == pairs["other"].map(sides)).all()
        assert len(rest) + len(part) == len(copied.train_set)
    copied.distribute(0.4, groups=pairs)
    assert not (copied.near_duplicates(progress=False).eval("split != other_split")).any()
    with pytest.raises(InputError, match="'image' and 'other', but has"):
        copied.train_set.split(0.4, groups=pd.DataFrame({"a": [1]}))


def test_a_second_check_reads_no_picture(copied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = copied.check(progress=False)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr("customlabels_nb.images.reading.read_content", refuse)
    monkeypatch.setattr("customlabels_nb.checks.image_rules.read_bytes", refuse)
    monkeypatch.setattr("customlabels_nb.checks.image_rules.header_size", refuse)
    assert copied.check(progress=False).issues.equals(first.issues)


def test_many_images_are_read_only_on_request(copied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customlabels_nb.checks._QUICK", 10)
    report = copied.check(progress=False)
    assert codes(report)["NEAR_DUPLICATES_NOT_SEARCHED"] == "note"
    assert report.near_duplicates is None
    assert copied.check(near_duplicates=True, progress=False).near_duplicates is not None
    assert copied.check(progress=False).near_duplicates is not None  # everything is cached by now


# -- the report -------------------------------------------------------------------------------------
def test_findings_are_sorted_by_severity(copied: Project) -> None:
    report = copied.check(progress=False)
    issues, table = report.issues, report.table
    assert issues.columns.tolist() == ["code", "severity", "where", "images", "message", "advice"]
    ranks = issues["severity"].map(["error", "warning", "note"].index)
    assert ranks.is_monotonic_increasing
    for _, same in issues.groupby("severity"):
        assert same["images"].is_monotonic_decreasing
    assert issues["advice"].str.endswith(".").all()
    assert table.columns.tolist() == ["code", "severity", "split", "image", "detail"]
    listed = issues[issues["code"].isin(table["code"])].groupby("code")["images"].sum()
    assert listed.to_dict() == table["code"].value_counts().to_dict()
    assert repr(report).splitlines()[0].startswith("16 images checked: 1 error, ")
    assert all(text in repr(report) for text in issues["message"])


def test_hostile_names_stay_text(tmp_path: Path, shapes: Path) -> None:
    project = create_project("hostile", tmp_path)
    folder = tmp_path / "<b>bold<img>\n"
    folder.mkdir()
    for i, path in enumerate(sorted(shapes.glob("disc/*.png"))):
        (folder / f"{i}.png").write_bytes(path.read_bytes())
    project.add_images(folder, label=HOSTILE[0], progress=False)
    project.labels.add(HOSTILE[1])
    (folder / "0.png").unlink()
    report = project.check(progress=False)
    assert "<img" not in report._repr_html_()
    assert "<b>bold" not in report._repr_html_()
    assert "&lt;img" in report._repr_html_()
    assert len(repr(report).splitlines()) == 1 + 2 * len(report.issues)
    empty = create_project("empty", tmp_path).check(progress=False)
    assert codes(empty)["TOO_FEW_LABELS"] == "error"
    assert "<table" in empty._repr_html_()


def test_report_without_findings_has_a_message() -> None:
    report = CheckReport([], 12, None)
    assert tells(repr(report), 12)
    assert len(repr(report).splitlines()) == 1
    assert report.ok
    assert report.issues.empty
    assert report.table.empty
    assert "<table" not in report._repr_html_()


# -- cost -------------------------------------------------------------------------------------------
def test_check_reports_progress_and_can_be_stopped(copied: Project) -> None:
    events, phases = Events(), []
    events.subscribe(lambda event: phases.append(event.phase) if isinstance(event, Progress) else None)
    copied.check(progress=False, events=events)
    assert list(dict.fromkeys(phases)) == ["files of train", "files of test", "fingerprints", "near-duplicates"]

    def stop(event: Event) -> None:
        events.cancel()

    events.subscribe(stop)
    with pytest.raises(Cancelled):
        copied.check(progress=False, events=events)


def test_a_check_loads_neither_torch_nor_plots(copied: Project) -> None:
    code = (
        "import sys; import customlabels_nb as cl\n"
        "project = cl.load_project(sys.argv[1]); project.check(near_duplicates=False, progress=False)\n"
        "assert not {'torch', 'timm', 'sklearn', 'scipy', 'matplotlib'} & sys.modules.keys(), sys.modules.keys()\n"
        "project.check(near_duplicates=True, progress=False)._repr_html_()\n"
        "assert not {'torch', 'timm', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(copied.root)], check=True)


def test_ten_thousand_images_are_checked_in_seconds(tmp_path: Path) -> None:
    Image.effect_noise((320, 240), 60).convert("RGB").save(tmp_path / "one.jpg")
    names = [str(tmp_path / f"{i}.jpg") for i in range(10_000)]
    for name in names:
        os.link(tmp_path / "one.jpg", name)
    status = (tmp_path / "one.jpg").stat()
    images = pd.DataFrame({"image": names, "status": "labelled", "width": 320, "height": 240})
    marks = pd.DataFrame({"image": names, "label": [f"label {i % 20}" for i in range(10_000)]})
    train = Dataset(images.assign(sha256=[f"content {i}" for i in range(10_000)]), marks, name="train")
    known = images[["image"]].assign(split="train", bytes=status.st_size, mtime_ns=status.st_mtime_ns)
    for files in (known, None):  # as imported, and without a size, in which case their headers are read
        started = time.process_time()
        report = check_datasets(train, dataset({}, "test"), files=files, near_duplicates=False)
        assert time.process_time() - started < 8
        assert set(codes(report)) == {"TEST_SET_MISSING"}
