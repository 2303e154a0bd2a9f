"""Tests of the choice of a model type for the labels, and of the images it is trained on."""

from __future__ import annotations

import pandas as pd
import pytest

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.training.plan import describe_plan, make_plan
from customlabels_nb.training.tasks import choose_task
from tests.facts import tells

BOX = (1.0, 2.0, 30.0, 40.0)


def dataset(name: str, labels: dict[str, list[str | tuple[str, str]]], **statuses: str) -> Dataset:
    """Return images with labels, where ``("box", label)`` is a box and ``("polygon", label)`` a polygon."""
    rows = []
    for image, given in labels.items():
        for one in given:
            shape, label = ("", one) if isinstance(one, str) else one
            box = dict(zip(t.BOX_COLUMNS, BOX, strict=True)) if shape else {}
            points = [[1, 2], [31, 2], [31, 42]] if shape == "polygon" else None
            rows.append({"image": image, "label": label, "polygon": points, **box})
    status = [statuses.get(image, "labelled") for image in labels]
    images = t.normalise_images(pd.DataFrame({"image": list(labels), "status": status}), split=name)
    marks = t.normalise_annotations(pd.DataFrame(rows)) if rows else t.empty(t.ANNOTATION_COLUMNS)
    return Dataset(images, marks, name=name)


TWO = {"a": ["x"], "b": ["y"], "c": ["x"]}
BOXES = {"a": [("box", "x")], "b": [("polygon", "y")]}


@pytest.mark.parametrize(
    ("train", "test", "expected", "reason"),
    [
        (TWO, {"d": ["x"], "e": ["y"]}, "single-label", "exactly one"),
        ({**TWO, "d": ["x", "y"]}, {"e": ["x"], "f": ["y"]}, "multi-label", "up to 2 labels"),
        (BOXES, {"c": [("box", "x")], "d": [("box", "y")]}, "boxes", "test images have boxes"),
        (TWO, {"d": [("box", "x"), ("box", "z")]}, "boxes", "test images have boxes"),  # y is not a box label
        (TWO, {"d": [("box", "x"), ("box", "y")]}, "brands", "no boxes, but all their labels"),
        ({**BOXES, "c": ["x"]}, {"d": ["x"]}, "boxes", "2 training images have boxes, 1"),
        ({"a": [("box", "x")], "b": ["y"]}, {}, "boxes", "1 training image has boxes, 1"),  # a tie
        ({"a": [("box", "x")], "b": ["y"], "c": ["x"]}, {}, "single-label", "exactly one"),
        ({"a": [("box", "x"), "x", "y"]}, {}, "boxes", "1 training image has boxes, 1"),
        ({"a": ["x"], "b": ["x"], "c": []}, {}, "multi-label", "1 training image shows nothing of the only label, 'x'"),
        ({"a": ["x"], "b": ["y"], "c": []}, {}, "single-label", "exactly one"),
    ],
)
def test_labels_determine_the_task(train: dict, test: dict, expected: str, reason: str) -> None:
    choice = choose_task(dataset("train", train), dataset("test", test))
    assert (choice.recipe or choice.task, reason in choice.reason) == (expected, True), choice
    assert str(choice).startswith("Training a ")


def test_argument_precedes_project_task_and_labels() -> None:
    train, test = dataset("train", TWO), dataset("test", {"d": [("box", "x")]})
    assert choose_task(train, test, named="multi-label", project_task="boxes").task == "multi-label"
    assert choose_task(train, test, project_task="single-label").task == "single-label"
    assert choose_task(dataset("train", BOXES), test, project_task="polygons").task == "polygons"
    brands = dataset("test", {"d": [("box", "x"), ("box", "y")]})
    for given in ({"project_task": "boxes"}, {"named": "boxes"}, {"recipe": "brands"}):
        choice = choose_task(train, brands, **given)
        assert (choice.task, choice.recipe) == ("boxes", "brands")
    assert choose_task(train, brands, named="polygons").task == "polygons"
    outlined = dataset("test", {"d": [("polygon", "x"), ("polygon", "y")]})
    assert (choose_task(train, outlined).task, choose_task(train, outlined).recipe) == ("polygons", "brands")
    with pytest.raises(InputError, match=r"task='detection'.*'single-label', 'multi-label', 'boxes', 'polygons'"):
        choose_task(train, test, named="detection")
    with pytest.raises(InputError, match=r"recipe='logos'.*'brands'"):
        choose_task(train, test, recipe="logos")
    with pytest.raises(InputError, match=r"recipe='brands'.*task='single-label'"):
        choose_task(train, test, named="single-label", recipe="brands")


def test_unlabelled_images_are_excluded() -> None:
    train = dataset("train", {**TWO, "d": ["x", "y"], "e": [("box", "x")]}, d="needs_review", e="skipped")
    plan = make_plan(train, dataset("test", {"f": ["x"], "g": ["y"]}))
    assert plan.task == "single-label"
    assert plan.train.images["image"].tolist() == ["a", "b", "c"]
    assert any(tells(note, 2, 5, "train") for note in plan.notes)


def test_annotations_of_another_task_are_left_out_with_a_note() -> None:
    train = dataset("train", {**TWO, "d": [("box", "x")], "e": ["x", "y"], "f": []})
    test = dataset("test", {"g": ["x"], "h": ["y"], "i": ["x", "y"]})
    plan = make_plan(train, test, task="single-label")
    assert plan.train.images["image"].tolist() == ["a", "b", "c"]
    assert plan.test.images["image"].tolist() == ["g", "h"]
    said = " ".join(plan.notes)
    for words in ("train image with boxes only", "train image with more than one label",
                  "train image without labels", "test image with more than one label"):  # fmt: skip
        assert f"Excluded: 1 {words}." in said
    several = make_plan(train, test, task="multi-label")
    assert several.train.images["image"].tolist() == ["a", "b", "c", "e", "f"]  # f has none of these labels
    assert several.test.images["image"].tolist() == ["g", "h", "i"]


def test_detector_trains_on_boxes_polygons_and_empty_images() -> None:
    train = dataset("train", {**BOXES, "c": [], "d": ["x"], "e": []}, e="unlabelled")
    plan = make_plan(train, dataset("test", {"f": [("box", "x")], "g": []}))
    assert plan.train.images["image"].tolist() == ["a", "b", "c"]
    assert plan.train.marks["label"].tolist() == ["x", "y"]
    assert plan.test.images["image"].tolist() == ["f", "g"]
    assert any(tells(note, 1, "train", "labels") for note in plan.notes)


def test_brands_train_on_logos_boxes_and_backgrounds() -> None:
    train = dataset("train", {"a": ["x"], "b": ["y"], "c": []})
    test = dataset("test", {"d": [("box", "x"), ("box", "y")], "e": ["x"]})
    plan = make_plan(train, test)
    assert (plan.task, plan.recipe) == ("boxes", "brands")
    assert plan.train.images["image"].tolist() == ["a", "b", "c"]
    assert plan.test.images["image"].tolist() == ["d"]
    mixed = make_plan(dataset("train", {"a": ["x"], "b": [("box", "y")], "c": ["y"]}), test, recipe="brands")
    assert mixed.train.marks["image"].tolist() == ["a", "c", "b"]
    assert any(tells(note, 1, "boxes", "logo") for note in mixed.notes)


def test_one_label_is_enough_with_images_that_show_nothing_of_it() -> None:
    train = dataset("train", {"a": ["x"], "b": ["x"], "c": [], "d": []})
    plan = make_plan(train, dataset("test", {"e": ["x"], "f": []}))
    assert (plan.labels["label"].tolist(), plan.train.images["image"].tolist()) == (["x"], ["a", "b", "c", "d"])
    assert not any("false positives" in note for note in plan.notes)
    blind = make_plan(train, dataset("test", {"e": ["x"]}))
    assert any(tells(note, "'x'", "false positives") for note in blind.notes)
    assert describe_plan(None, train, dataset("test", {"e": ["x"], "f": []}))[0].startswith(
        "project.train() would learn 1 label from 4 images, tested on 2 others."
    )


def test_images_that_show_nothing_of_the_only_label_are_split_too() -> None:
    images: dict[str, list] = {**{f"x{k}": ["x"] for k in range(10)}, **{f"n{k}": [] for k in range(10)}}
    _, part = dataset("train", images, n9="unlabelled").split(0.3)
    assert sorted(image[0] for image in part.images["image"]) == ["n"] * 3 + ["x"] * 3
    assert "n9" not in set(part.images["image"])
    boxes = {name: [("box", label) for label in labels] for name, labels in images.items()}
    _, part = dataset("train", boxes).split(0.3)
    assert {image[0] for image in part.images["image"]} == {"x"}


def test_test_images_of_a_fold_may_have_a_single_label() -> None:
    plan = make_plan(dataset("train", TWO), dataset("test", {"d": ["x"]}), is_fold=True)
    assert plan.test.images["image"].tolist() == ["d"]


@pytest.mark.parametrize(
    ("train", "test", "given", "words", "code"),
    [
        ({"a": ["x"], "b": ["x"]}, {"c": ["x"]}, {}, "only the label 'x'.*show nothing of 'x', .*task='multi-label'",
         "ERROR_MANIFEST_TOO_FEW_LABELS"),
        ({"a": ["x"], "b": ["x"], "c": []}, {"d": ["x"]}, {"task": "single-label"}, "task='multi-label'",
         "ERROR_MANIFEST_TOO_FEW_LABELS"),
        ({"a": ["x"], "b": ["x"]}, {"c": ["x"], "d": []}, {"task": "multi-label"}, "2 labels .*only the label 'x'",
         "ERROR_MANIFEST_TOO_FEW_LABELS"),
        (TWO, {}, {"task": "boxes"}, "at least 1 label .* 0 boxes", "ERROR_MANIFEST_TOO_FEW_LABELS"),
        (TWO, {"d": []}, {}, "no labelled image", "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"),
        (BOXES, {"d": ["x"]}, {"task": "boxes"}, "no image with boxes", "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"),
        (TWO, {"d": ["x"]}, {"recipe": "brands"}, "Add test images with boxes",
         "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"),
        (TWO, {"d": ["x"], "e": ["x"]}, {}, "only 1 label", "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"),
        (TWO, {"d": ["u"], "e": ["v"]}, {}, "no labels in common", "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP"),
    ],
)  # fmt: skip
def test_too_little_data_is_refused(train: dict, test: dict, given: dict, words: str, code: str) -> None:
    with pytest.raises(NotEnoughDataError, match=words) as caught:
        make_plan(dataset("train", train), dataset("test", test), **given)
    assert caught.value.code == code
    if not given:
        assert describe_plan(None, dataset("train", train), dataset("test", test)) == [str(caught.value)]


def test_one_label_is_enough_for_a_detector() -> None:
    plan = make_plan(
        dataset("train", {"a": [("box", "x")], "b": [("box", "x")]}), dataset("test", {"c": [("box", "x")]})
    )
    assert plan.labels["label"].tolist() == ["x"]
