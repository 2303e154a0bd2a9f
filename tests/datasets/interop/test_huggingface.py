"""Tests of conversion to and from Hugging Face's datasets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from tests.datasets.interop.shops import TRIANGLE, boxes, many_labels, one_label, shapes, turned
from tests.images.pictures import jpeg, picture, tree


@pytest.fixture(autouse=True)
def _quiet() -> None:
    datasets.disable_progress_bars()


def features(**columns: Any) -> datasets.Features:
    return datasets.Features({"image": datasets.Image(), **columns})


# -- to ---------------------------------------------------------------------------------------------
def test_one_label(tmp_path: Path) -> None:
    dataset = one_label(tmp_path)
    made = dataset.to_huggingface()
    assert made.features["label"].names == ["pear", "apple", "quince"]
    assert list(made["label"]) == [0, 1, 0, 1, None, None]
    assert list(made["shelf"]) == [1, 2, 3, 4, 5, 6]
    assert list(made["city"]) == ["Ulm", "Bern", None, "a", "b", "c"]
    assert np.asarray(made[0]["image"]).shape == (32, 48, 3)
    back = cl.from_huggingface(made)
    assert back.labels["label"].tolist() == ["pear", "apple", "quince"]
    assert back.labels_of_images() == dataset.labels_of_images()
    assert back.images["image"].tolist() == dataset.images["image"].tolist()
    assert back.images[["shelf", "city"]].equals(
        dataset.images[["shelf", "city"]].astype(back.images[["shelf", "city"]].dtypes)
    )
    assert back.images["status"].tolist() == ["labelled"] * 4 + ["unlabelled"] * 2


def test_several_labels(tmp_path: Path) -> None:
    dataset = many_labels(tmp_path)
    made = dataset.to_huggingface()
    assert list(made["labels"]) == [[1, 0], [0], [], None, None, None]
    back = cl.from_huggingface(made)
    assert back.labels_of_images() == dataset.labels_of_images()
    assert back.images["status"].tolist() == dataset.images["status"].tolist()
    with pytest.raises(InputError, match=r"0\.jpg.*has 2 labels.*task='multi-label'"):
        dataset.to_huggingface(task="single-label")


def test_boxes(tmp_path: Path) -> None:
    dataset = boxes(tmp_path)
    made = dataset.to_huggingface()
    objects = list(made["objects"])
    assert objects[0]["bbox"] == [[1, 2, 20, 10], [10.5, 0, 30, 32]]
    assert objects[0]["category"] == [1, 0]
    assert objects[0]["area"] == [200, 960]
    assert objects[1]["polygon"] == [TRIANGLE]
    assert objects[2]["bbox"] == []
    assert objects[3] is None
    back = cl.from_huggingface(made)
    expected = [row if row[2] == row[2] else (*row[:2], 2.0, 2.0, 10.0, 20.0, *row[6:]) for row in shapes(dataset)]
    assert shapes(back) == sorted(expected)
    assert back.images["status"].tolist() == dataset.images["status"].tolist()


@pytest.mark.thorough
def test_the_size_stands_beside_the_image_where_it_is_known(tmp_path: Path) -> None:
    dataset = one_label(tmp_path)
    known = cl.Dataset(dataset.images.assign(width=[48] * 5 + [None], height=[32] * 5 + [None]), dataset.annotations)
    made = known.to_huggingface()
    assert list(made["width"]) == [48] * 5 + [None]
    assert list(made["height"]) == [32] * 5 + [None]


@pytest.mark.thorough
def test_it_goes_through_a_file_and_a_stream(tmp_path: Path) -> None:
    dataset = boxes(tmp_path / "photos")
    made = dataset.to_huggingface()
    made.save_to_disk(str(tmp_path / "saved"))
    for read in (datasets.load_from_disk(str(tmp_path / "saved")), made.to_iterable_dataset()):
        back = cl.from_huggingface(read, tmp_path / "images")
        assert [row[1:] for row in shapes(back)] == [row[1:] for row in shapes(cl.from_huggingface(made))]


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    rows = pd.DataFrame({"image": ["file:///a/%FF.jpg"], "label": ["x"]})
    with pytest.raises(InputError, match="not valid UTF-8"):
        cl.Dataset(rows[["image"]], rows).to_huggingface()


# -- from -------------------------------------------------------------------------------------------
def test_images_in_memory_are_written_once_to_the_folder(tmp_path: Path) -> None:
    pictures = [picture(random_state) for random_state in range(3)]
    made = datasets.Dataset.from_dict(
        {"image": pictures, "label": [0, 1, -1]}, features=features(label=datasets.ClassLabel(names=["a", "b"]))
    )
    with pytest.raises(InputError, match="folder=None"):
        cl.from_huggingface(made)
    back = cl.from_huggingface(made, tmp_path / "images")
    assert back.labels_of_images() == [["a"], ["b"], []]
    for image, expected in zip(back.images["image"], pictures, strict=True):
        with Image.open(image) as opened:
            assert np.array_equal(np.asarray(opened), np.asarray(expected))
    before = tree(tmp_path)
    assert cl.from_huggingface(made, tmp_path / "images").images["image"].tolist() == back.images["image"].tolist()
    assert tree(tmp_path) == before


def test_files_inside_are_written_byte_by_byte_under_names_of_ours(tmp_path: Path) -> None:
    turned(tmp_path / "turned.jpg")
    lying = (tmp_path / "turned.jpg").read_bytes()
    values = [{"bytes": lying, "path": "../../../nowhere/else.jpg"}, {"bytes": jpeg(1), "path": "C:\\evil.exe"}]
    made = datasets.Dataset.from_dict({"image": values}, features=features())
    (tmp_path / "turned.jpg").unlink()
    back = cl.from_huggingface(made, tmp_path / "images")
    paths = [Path(image) for image in back.images["image"]]
    assert [path.read_bytes() for path in paths] == [lying, jpeg(1)]
    assert {path.parent for path in paths} == {tmp_path / "images"}
    assert all(path.suffix == ".jpg" and path.name[:6].isdigit() for path in paths)
    assert len(tree(tmp_path)) == 3


def test_unusable_rows_are_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    values = [{"bytes": b"no image", "path": None}, None, {"bytes": None, "path": "/nowhere/a.jpg"}]
    values.append({"bytes": jpeg(1), "path": None})
    made = datasets.Dataset.from_dict({"image": values}, features=features())
    back = cl.from_huggingface(made, tmp_path / "images")
    assert len(back) == 1
    assert back.issues["code"].tolist() == ["IMAGE_NOT_AN_IMAGE", "IMAGE_NOT_FOUND", "IMAGE_NOT_FOUND"]
    assert back.issues["where"].tolist() == ["row 0", "row 1", "row 2"]


def test_objects_as_lists_of_structures_corners_and_bad_ones(tmp_path: Path) -> None:
    good = {"bbox": [1.0, 2.0, 11.0, 22.0], "category": "cup"}
    bad = [{"bbox": [1.0, 2.0, 3.0], "category": "cup"}, {"bbox": [9.0, 9.0, 1.0, 1.0], "category": "cup"}]
    bad += [{"bbox": None, "category": "cup"}, {"bbox": [0.0, 0.0, 1.0, 1.0], "category": None}]
    made = datasets.Dataset.from_list([{"image": jpeg_in(tmp_path), "things": [good, *bad]}])
    back = cl.from_huggingface(made, objects="things", boxes="xyxy")
    (row,) = back.annotations.itertuples()
    assert (row.label, row.left, row.top, row.width, row.height) == ("cup", 1, 2, 10, 20)
    assert back.issues["code"].tolist() == ["ENTRY_UNREADABLE"] * 4
    assert cl.from_huggingface(made).annotations.empty


def jpeg_in(folder: Path) -> str:
    (folder / "a.jpg").write_bytes(jpeg(1))
    return str(folder / "a.jpg")


def test_objects_as_other_datasets_have_them(tmp_path: Path) -> None:
    kind = {
        "bbox": datasets.Sequence(datasets.Sequence(datasets.Value("float32"), length=4)),
        "category": datasets.Sequence(datasets.ClassLabel(names=["Coverall", "Mask"])),
        "id": datasets.Sequence(datasets.Value("int64")),
    }
    value = {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "category": [1, 0], "id": [114, 115]}
    made = datasets.Dataset.from_dict(
        {"image": [jpeg_in(tmp_path)], "objects": [value]}, features=features(objects=kind)
    )
    for formatted in (made, made.with_format("numpy")):
        back = cl.from_huggingface(formatted)
        assert back.annotations["label"].tolist() == ["Mask", "Coverall"]
        assert back.annotations["width"].tolist() == [3, 7]


def test_other_columns_and_arguments_are_named(tmp_path: Path) -> None:
    made = datasets.Dataset.from_dict({"photo": [jpeg_in(tmp_path)], "kind": ["red"], "revision": [3], "n": [1.5]})
    back = cl.from_huggingface(made, image="photo", label="kind")
    assert back.labels_of_images() == [["red"]]
    assert back.images["n"].tolist() == [1.5]
    assert back.images["revision"].tolist() == [0]
    for options, words in (
        ({}, "image='image' is not a column"),
        ({"image": "photo", "label": "nope"}, "label='nope'"),
        ({"image": "photo", "boxes": "yolo"}, "boxes='yolo'"),
        ({"image": "n"}, "of type float"),
    ):
        with pytest.raises(InputError, match=words):
            cl.from_huggingface(made, **options)
    with pytest.raises(InputError, match=r"such as dataset\['train'\]"):
        cl.from_huggingface(datasets.DatasetDict(train=made))
    with pytest.raises(InputError, match="of type list"):
        cl.from_huggingface([])


@pytest.mark.thorough
def test_images_of_a_file_are_unchanged(tmp_path: Path) -> None:
    made = datasets.Dataset.from_dict({"image": [jpeg_in(tmp_path)]}, features=features())
    buffer = io.BytesIO()
    made.to_parquet(buffer)
    path = tmp_path / "a.parquet"
    path.write_bytes(buffer.getvalue())
    read = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
    back = cl.from_huggingface(read, tmp_path / "images")
    assert Path(back.images["image"].item()).read_bytes() == jpeg(1)


def test_what_objects_and_columns_have_is_read_or_reported(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    kind = datasets.List(
        {
            "bbox": datasets.List(datasets.Value("float32"), length=4),
            "category_id": datasets.ClassLabel(names=["cap", "fig"]),
            "segmentation": datasets.List(datasets.List(datasets.Value("float32"))),
            "precedence": datasets.Value("int64"),
        }
    )
    one = {"bbox": [1, 2, 30, 40], "category_id": 1, "segmentation": [[1, 2, 31, 2, 31, 42, 16, 20]], "precedence": 7}
    empty = {"bbox": [0, 0, 0, 0], "category_id": 0, "segmentation": [], "precedence": None}
    made = datasets.Dataset.from_dict(
        {"image": [str(tmp_path / "a.jpg")], "objects": [[one, empty]], "site": ["roof"], "meta": [{"x": "token"}]},
        features=features(objects=kind, site=datasets.Value("string"), meta={"x": datasets.Value("string")}),
    )
    found = cl.from_huggingface(made)
    assert found.annotations["polygon"].tolist() == [[[1, 2], [31, 2], [31, 42], [16, 20]]]
    assert found.images["site"].tolist() == ["roof"]
    messages = " ".join(found.issues["message"])
    assert all(
        word in messages
        for word in ("1 × value of the key 'precedence' (such as '7')", "'meta'", "token", "only zeros")
    )


def test_ratios_become_pixels_of_the_stated_size(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    number = datasets.List(datasets.List(datasets.Value("float32"), length=4))
    kind = {"bbox": number, "category": datasets.List(datasets.ClassLabel(names=["x"]))}
    made = datasets.Dataset.from_dict(
        {
            "image": [str(tmp_path / "a.jpg")],
            "width": [160],
            "height": [120],
            "objects": [{"bbox": [[0.125, 0.25, 0.5, 0.5]], "category": [0]}],
        },
        features=features(objects=kind, width=datasets.Value("int64"), height=datasets.Value("int64")),
    )
    found = cl.from_huggingface(made)
    assert found.annotations[["left", "top", "width", "height"]].to_numpy().tolist() == [[20, 30, 80, 60]]
    assert found.images[["width", "height"]].to_numpy().tolist() == [[160, 120]]
    assert "ratios" in found.issues["message"].iloc[0]


def test_columns_of_single_values_are_read_as_those_of_a_table(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a.jpg", "b.jpg")]
    for number, path in enumerate(paths):
        Path(path).write_bytes(jpeg(number))
    table = {
        "image": paths, "class": ["cat", "dog"], "xmin": [1, 2], "ymin": [1, 2], "xmax": [9, 9], "ymax": [9, 9],
        "width": [12.5, None], "sky": [1, -1], "status": ["good", "bad"],
    }  # fmt: skip
    kinds = {name: datasets.Value("float64") for name in ("xmin", "ymin", "xmax", "ymax", "width")}
    texts = {name: datasets.Value("string") for name in ("class", "status")}
    sky = datasets.ClassLabel(names=["blue", "grey"])
    found = cl.from_huggingface(datasets.Dataset.from_dict(table, features=features(**kinds, **texts, sky=sky)))
    assert found.annotations[["label", "left", "width"]].to_numpy().tolist() == [["cat", 1, 8], ["dog", 2, 7]]
    assert found.images["sky"].fillna("").tolist() == ["grey", ""]
    messages = " ".join(found.issues["message"])
    assert all(word in messages for word in ("'class' was read as the label", "size of an image", "12.5", "'status'"))


def test_an_image_whose_objects_cannot_be_read_is_not_labelled_as_empty(tmp_path: Path) -> None:
    objects = [[{"bbox": [1.0, 2.0, 3.0], "category": "cup"}], []]
    (tmp_path / "more").mkdir()
    images = [jpeg_in(tmp_path), jpeg_in(tmp_path / "more")]
    made = datasets.Dataset.from_dict({"image": images, "objects": objects})
    assert cl.from_huggingface(made).images["status"].tolist() == ["unlabelled", "labelled"]


def read_rows(folder: Path, *rows: dict[str, Any], **options: Any) -> cl.Dataset:
    """Read a dataset with a photo of 48 × 32 pixels for each of these rows."""
    for number in range(len(rows)):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    values = [{"image": str(folder / f"{number}.jpg"), **row} for number, row in enumerate(rows)]
    return cl.from_huggingface(datasets.Dataset.from_list(values), **options)


def boxes_in(found: cl.Dataset) -> list[list[Any]]:
    rows: list[list[Any]] = found.annotations[["label", "left", "top", "width", "height"]].to_numpy().tolist()
    return rows


CUP = ["cup", 1, 2, 20, 10]


@pytest.mark.parametrize(
    "objects",
    [
        [{"bbox": [1, 2, 20, 10], "class": "cup"}],
        {"bbox": [[1, 2, 20, 10]], "name": ["cup"]},
        {"bbox": [1, 2, 20, 10], "category": "cup"},
        {"bbox": [[1, 2, 20, 10]], "category": "cup"},
        [{"box": {"xmin": 1, "ymin": 2, "xmax": 21, "ymax": 12}, "label": "cup"}],
        [{"left": 1, "top": 2, "width": 20, "height": 10, "category": "cup"}],
        [{"xmin": 1, "ymin": 2, "xmax": 21, "ymax": 12, "class_name": "cup"}],
    ],
)
def test_objects_in_other_forms_are_read(tmp_path: Path, objects: Any) -> None:
    found = read_rows(tmp_path, {"objects": objects})
    assert boxes_in(found) == [CUP]
    assert found.issues.empty


def test_columns_of_boxes_are_read_with_their_labels(tmp_path: Path) -> None:
    sides = dict(zip(("left", "top", "width", "height"), CUP[1:], strict=True))
    for row, label in (
        ({"bbox": CUP[1:], "label": "cup"}, None),
        ({"bbox": [CUP[1:], [5, 5, 6, 6]], "labels": ["cup", "plate"]}, None),
        ({**sides, "kind": "cup"}, "kind"),
    ):
        found = read_rows(tmp_path, row, label=label)
        assert boxes_in(found)[0] == CUP
        assert len(boxes_in(found)) == (2 if "labels" in row else 1)
        assert found.images["status"].tolist() == ["labelled"]
        assert found.issues.empty


@pytest.mark.parametrize("value", ['[{"bbox": [1, 2, 3, 4]}]', 3, [[1.0, 2.0, 3.0, 4.0]], ["cup"]])
def test_a_column_without_objects_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InputError, match=r"'objects' has no objects.*json\.loads"):
        read_rows(tmp_path, {"objects": value})


def test_objects_that_cannot_be_read_leave_their_image_unlabelled(tmp_path: Path) -> None:
    shape = {"x": 1, "y": 2, "width": 20, "height": 10, "type": "cup"}
    found = read_rows(tmp_path, {"objects": [shape]}, {"objects": [None]})
    assert found.images["status"].tolist() == ["unlabelled"] * 2
    messages = found.issues.groupby("code")["message"].apply(" ".join)
    assert all(f"the key {key!r}" in messages["NOT_IMPORTED"] for key in shape)
    assert "no category" in messages["ENTRY_UNREADABLE"]
    assert "it is None" in messages["ENTRY_UNREADABLE"]


def test_facts_of_objects_are_read_or_named(tmp_path: Path) -> None:
    first = {"bbox": CUP[1:], "category": "cup", "score": 0.25, "iscrowd": 1}
    odd = {"bbox": [5, 5, 6, 6], "category": "cup", "score": 7.5, "iscrowd": 3}
    found = read_rows(tmp_path, {"split": "test", "objects": [first, odd]})
    assert found.annotations[["confidence", "crowd"]].to_numpy().tolist() == [[0.25, True], [1, False]]
    assert found.images["split"].tolist() == ["test"]
    messages = " ".join(found.issues["message"])
    assert all(word in messages for word in ("'score' (such as '7.5')", "'iscrowd' (such as '3')"))
    other = read_rows(tmp_path, {"split": "test", "label": "cup"}, {"split": "extra", "label": "cup"})
    assert other.images["split"].tolist() == ["train"] * 2
    assert "'split'" in other.issues["message"].item()
    shared = read_rows(tmp_path, {"objects": {"bbox": [CUP[1:]], "category": [["cup", "dish"]], "taken_by": "drone"}})
    assert boxes_in(shared) == [CUP]
    nothing = read_rows(tmp_path, {"objects": {"bbox": [], "category": [], "taken_by": "drone"}})
    assert "'taken_by' (such as 'drone')" in nothing.issues["message"].item()
    messages = " ".join(shared.issues["message"])
    assert all(word in messages for word in ("'category' (such as 'dish')", "'taken_by' (such as 'drone')"))


@pytest.mark.parametrize("value", [[0, 1, 1], [0.25, 0.75], [["cup"]], {"name": "cup"}, b"cup"])
def test_values_that_are_no_labels_are_named(tmp_path: Path, value: Any) -> None:
    found = read_rows(tmp_path, {"label": value})
    assert found.annotations.empty
    assert found.images["status"].tolist() == ["unlabelled"]
    assert "value of the column 'label'" in found.issues["message"].item()


def test_outlines_are_judged_and_compared_with_their_boxes(tmp_path: Path) -> None:
    far = {"bbox": CUP[1:], "category": "cup", "segmentation": [[900.0, 900, 990, 900, 990, 990]]}
    corners = {"bbox": [10, 5, 30, 25], "category": "cup", "segmentation": [[10.0, 5, 30, 5, 30, 25, 10, 25]]}
    found = read_rows(tmp_path, {"objects": [far, corners]})
    assert boxes_in(found) == [CUP, ["cup", 10, 5, 20, 20]]
    assert found.annotations["polygon"].isna().tolist() == [True, False]
    messages = " ".join(found.issues["message"])
    assert "far beyond its image" in messages
    assert "The box of the polygon was read" in messages
