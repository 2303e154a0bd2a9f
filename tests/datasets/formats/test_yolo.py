"""Tests of YOLO: common layouts, good and bad lines, and reading what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats import voc
from customlabels_nb.datasets.formats.yolo import FORMAT
from customlabels_nb.errors import InputError, ManifestError
from tests.datasets.formats.shared import assert_same, boxes, codes, contents, read, statuses
from tests.images.pictures import encoded, jpeg, picture
from tests.tiers import many

SIZE = (48, 32)
LINE = "1 0.5 0.5 0.25 0.125"
BOX = ("dog", 18.0, 14.0, 12.0, 4.0)
YAML = "names: [cat, dog]\ntrain: images/train\nval: images/val\n"


def put(path: Path, content: str | bytes = b"") -> Path:
    """Write a file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def dataset(base: Path, yaml: str = YAML, line: str = LINE) -> Path:
    """Write two images in folders by split, one with a box, one without a label file."""
    put(base / "data.yaml", yaml)
    put(base / "images" / "train" / "a.jpg", jpeg(1, SIZE))
    put(base / "labels" / "train" / "a.txt", line)
    put(base / "images" / "val" / "b.jpg", jpeg(2, SIZE))
    return base


# -- reading ----------------------------------------------------------------------------------------


def test_boxes_are_pixels_of_the_upright_image(tmp_path: Path) -> None:
    base = dataset(tmp_path)
    exif = picture(1).getexif()
    exif[0x0112] = 6
    put(base / "images" / "train" / "turned.jpg", encoded(picture(1, SIZE), exif=exif))
    put(base / "labels" / "train" / "turned.txt", LINE)
    found = read(FORMAT, base)
    assert boxes(found) == [("a.jpg", *BOX), ("turned.jpg", "dog", 12.0, 21.0, 8.0, 6.0)]
    assert found.labels == ["cat", "dog"]
    assert statuses(found) == {"a.jpg": "labelled", "turned.jpg": "labelled", "b.jpg": "unlabelled"}
    assert list(found.images["split"]) == ["train", "train", "test"]
    assert found.issues == []


def test_the_description_may_be_named_itself(tmp_path: Path) -> None:
    base = dataset(tmp_path)
    (base / "data.yaml").rename(base / "fruit.yml")
    assert FORMAT.recognise(base)
    assert FORMAT.recognise(base / "fruit.yml")
    assert boxes(read(FORMAT, base / "fruit.yml")) == [("a.jpg", *BOX)]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ("{1: dog, 0: cat}", ["cat", "dog"]),
        ("\n  7: seven\n  1: dog", ["dog", "seven"]),
        ("{dog: 1, cat: 0}", ["cat", "dog"]),
        ("[no, 1.10]", ["no", "1.10"]),
        ("[same, same]", ["same"]),
        ("!!python/object/apply:os.mkdir [cat, dog]", ["cat", "dog"]),
        ("['a: b', \"\\u00e9\"]", ["a: b", "é"]),
    ],
)
def test_names_are_read_as_text(tmp_path: Path, names: str, labels: list[str]) -> None:
    found = read(FORMAT, dataset(tmp_path, YAML.replace("[cat, dog]", names)))
    assert found.labels == labels
    assert len(found.annotations) == 1
    assert found.issues == []


def test_empty_label_file_means_labelled_and_missing_file_unlabelled(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, line=" \n"))
    assert statuses(found) == {"a.jpg": "labelled", "b.jpg": "unlabelled"}


def test_polygons_and_confidences(tmp_path: Path) -> None:
    lines = "0 0 0 0.5 0 0.5 1\r\n\r\n0 0 0 0.5 0 0.5 1 0.25\n" + LINE + " 0.75\n"
    table = read(FORMAT, dataset(tmp_path, line=lines)).annotations
    assert table["polygon"].tolist() == [[[0, 0], [24, 0], [24, 32]]] * 2 + [None]
    assert table["confidence"].tolist() == [1, 0.25, 0.75]
    assert table[["left", "top", "width", "height"]].to_numpy().tolist() == [[0, 0, 24, 32]] * 2 + [list(BOX[1:])]


def test_repeated_lines_are_read_once(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, line=f"{LINE}\n{LINE}\n{LINE} 0.5\n"))
    assert found.annotations["confidence"].tolist() == [1, 0.5]
    assert [(issue.code, issue.where) for issue in found.issues] == [("NOT_IMPORTED", "repeated line")]


def test_numbers_of_tracked_objects_are_not_taken_for_polygons(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, line=f"{LINE} 0.75 7\n0 0 0 0.5 0 0.5 1\n"))
    assert found.annotations["confidence"].tolist() == [0.75, 1]
    assert found.annotations["polygon"].tolist() == [None, [[0, 0], [24, 0], [24, 32]]]
    assert boxes(found)[0] == ("a.jpg", *BOX)
    assert [(issue.code, issue.where) for issue in found.issues] == [("NOT_IMPORTED", "number of a tracked object")]
    without = read(FORMAT, dataset(tmp_path / "without", line=f"{LINE} 7\n{LINE} 1\n"))
    assert boxes(without) == [("a.jpg", *BOX)]


def test_keypoints_are_not_taken_for_polygons(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, YAML + "kpt_shape: [2, 3]\n", LINE + " 0.1 0.1 2 0.2 0.2 2"))
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [(issue.code, issue.where) for issue in found.issues] == [("NOT_IMPORTED", "list of keypoints")]
    assert "1 ×" in found.issues[0].message
    assert "'a.txt, line 1'" in found.issues[0].message


POINTS = " 0.4 0.5 {0} 0.55 0.48 {0} 0.6 0.52 {0} 0.45 0.5 {0}"


@pytest.mark.parametrize(
    ("yaml", "points"),
    [
        (YAML + "kpt_shape: [17, 3]\n", POINTS.format("2")), (YAML, POINTS.format("2")), (YAML, POINTS.format("1.0")),
        (YAML + "kpt_shape: [17, 2]\n", POINTS.format("")), (YAML + "kpt_shape: [17, 3]\n", POINTS.format("0")),
        (YAML, " 0.4 0.5 2"), (YAML, " 0.5 0.5 1"), (YAML + "kpt_shape: [5, 2]\n", POINTS.format("") + " 0.9"),
    ],
)  # fmt: skip
def test_points_that_do_not_fit_the_description_are_left_out(tmp_path: Path, yaml: str, points: str) -> None:
    found = read(FORMAT, dataset(tmp_path, yaml, f"{LINE}{points}\n0 0.5 0.5 0.5 0.5 0.75\n"))
    assert boxes(found)[0] == ("a.jpg", *BOX)
    assert found.annotations["polygon"].tolist() == [None, None]
    assert found.annotations["confidence"].tolist() == [1, 0.75]
    assert [(issue.code, issue.where) for issue in found.issues] == [("NOT_IMPORTED", "list of keypoints")]


@pytest.mark.parametrize(
    "line", ["0 0 1 0 1 1 0 1 0 0", "0.1 0.1 0.9 0.1 0.5 0.5 1", "0 0 0.5 0 1 0 1 1 0 1", "0 0 1 0 1 1"]
)
def test_polygons_along_the_edges_stay_polygons(tmp_path: Path, line: str) -> None:
    found = read(FORMAT, dataset(tmp_path, line=f"0 {line}\n"))
    assert found.annotations["polygon"].notna().all()
    assert found.issues == []


def pose(rng: np.random.Generator, *, count: int, values: str, after: int, sides: tuple[float, float]) -> list[float]:
    """Return a box with points in it, which have two numbers, or also a confidence or a visibility of 0."""
    size = rng.uniform(*sides, 2)
    centre = rng.uniform(0.65 - size / 2, 0.95 - size / 2)
    points = centre + rng.uniform(-0.5, 0.5, (count, 2)) * size
    third = {"xy": [], "confidence": [rng.uniform(0.1, 1, count)], "visibility": [np.zeros(count)]}[values]
    return [*centre, *size, *np.column_stack([points, *third]).ravel(), *rng.uniform(0.5, 1, after)]


def outline(rng: np.random.Generator, kind: str) -> list[float]:
    """Return an outline as datasets have it: upright or turned rectangles, triangles, and curves."""
    turn, sides = rng.uniform(0, np.pi), rng.uniform(0.02, 0.3, 2)
    if kind == "triangle":
        points = rng.uniform(-0.2, 0.2, (3, 2))
    elif kind == "curve":
        angles = np.linspace(0, 2 * np.pi, int(rng.integers(8, 60)), endpoint=False)
        radius = 1 + 0.3 * np.cos(3 * angles + turn)
        points = np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None] * sides / 2
    else:
        points = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * sides / 2
        if kind == "turned":
            points = points @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    points = np.roll(points, rng.integers(len(points)), axis=0)
    low, high = points.min(axis=0), points.max(axis=0)
    numbers: list[float] = (points + rng.uniform(-low, 1 - high)).ravel().tolist()
    return numbers


@pytest.mark.parametrize("lines", [1, 8])
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("values", ["xy", "confidence", "visibility"])
@pytest.mark.parametrize("count", [2, 5, 17])
def test_points_in_their_box_are_keypoints(tmp_path: Path, count: int, values: str, after: int, lines: int) -> None:
    rng = np.random.default_rng(count)
    sides = (0.05, 0.15) if lines == 1 else (0.05, 0.5)
    drawn = [pose(rng, count=count, values=values, after=after, sides=sides) for _ in range(lines)]
    text = "".join(f"0 {' '.join(f'{number:.6f}' for number in numbers)}\n" for numbers in drawn)
    found = read(FORMAT, dataset(tmp_path, line=text))
    assert found.annotations["polygon"].isna().all()
    confidences = [round(numbers[-1], 6) if after else 1 for numbers in drawn]
    assert found.annotations["confidence"].tolist() == pytest.approx(confidences)
    assert [(issue.code, issue.where) for issue in found.issues] == [("NOT_IMPORTED", "list of keypoints")]


@pytest.mark.parametrize("lines", [1, 8])
@pytest.mark.parametrize("kind", ["upright", "turned", "triangle", "curve"])
def test_outlines_are_not_read_as_keypoints(tmp_path: Path, kind: str, lines: int) -> None:
    rng = np.random.default_rng(lines)
    base = dataset(tmp_path)
    for number in range(30):
        drawn = [outline(rng, kind) for _ in range(lines)]
        text = "".join(f"0 {' '.join(f'{number:.6f}' for number in numbers)}\n" for numbers in drawn)
        put(base / "labels" / "train" / "a.txt", text)
        found = read(FORMAT, base)
        assert found.annotations["polygon"].notna().all()
        assert found.issues == []


def test_boxes_without_area_are_reported_and_zeros_mean_an_empty_image(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, line="0 0.5 0.5 0 0\n0 0.5 0.5 0.1 0\n1 0 0 0 0\n"))
    assert len(found.annotations) == 2
    assert sorted(issue.message.partition(".")[0] for issue in found.issues) == [
        "1 × box of only zeros was read as an image that is labelled without boxes", "2 × box without area",
    ]  # fmt: skip
    empty = read(FORMAT, dataset(tmp_path / "empty", line="1 0 0 0 0\n"))
    assert statuses(empty)["a.jpg"] == "labelled"


def test_files_are_counted_once_and_those_of_ultralytics_are_not(tmp_path: Path) -> None:
    base = dataset(tmp_path)
    put(base / "labels" / "train" / "absent.txt", LINE)
    put(base / "labels" / "train.cache", b"\x93NUMPY")
    (base / "labels" / "train" / "a.txt").rename(base / "labels" / "train" / "a.TXT")
    found = cl.read_dataset(base)
    assert len(found.annotations) == 1
    assert found.issues["message"].tolist() == [
        "1 × label file without an image was not imported: 'labels/train/absent.txt'."
    ]


DIALECTS = {
    "data.yaml": {"data.yaml": "names: [cat, dog]\n"},
    "any.yml": {"any.yml": "names: [cat, dog]\nnc: 2\n"},
    "Darknet": {"obj.data": "classes = 2\nnames = data/obj.names\n", "obj.names": "cat\ndog\n"},
    "classes.txt": {"classes.txt": "cat\ndog\n"},
    "labelImg": {"labels/classes.txt": "cat\ndog\n"},
    "obj.names": {"obj.names": "cat\ndog\n"},
    "Roboflow's Darknet": {"_darknet.labels": "cat\ndog\n"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_dialects_describe_the_same_dataset(tmp_path: Path, dialect: str) -> None:
    for name, text in DIALECTS[dialect].items():
        put(tmp_path / name, text)
    put(tmp_path / "images" / "a.jpg", jpeg(1, SIZE))
    put(tmp_path / "labels" / "a.txt", LINE)
    found = cl.read_dataset(tmp_path)
    assert (found.labels["label"].tolist(), found.annotations["label"].tolist()) == (["cat", "dog"], ["dog"])
    assert found.issues.empty


def test_roboflow_has_a_class_list_in_the_folder_of_each_split(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "valid")):
        put(tmp_path / split / "_darknet.labels", "cat\ndog\n")
        put(tmp_path / split / f"{number}.jpg", jpeg(number, SIZE))
        put(tmp_path / split / f"{number}.txt", LINE)
    found = cl.read_dataset(tmp_path)
    assert found.images["split"].tolist() == ["train", "test"]
    assert found.annotations["label"].tolist() == ["dog", "dog"]
    assert len(cl.read_dataset(tmp_path / "train")) == 1


@settings(max_examples=many(50), phases=[Phase.generate])
@given(
    lines=st.lists(
        st.sampled_from([LINE, f"{LINE} 0.5", "0 0 0 0.5 0 0.5 1", "7 1 1 1 1", "x", "", LINE + " 9"]), max_size=9
    )
)
def test_lines_of_many_files_are_read_like_those_of_one(
    lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("set")
    put(base / "classes.txt", "cat\ndog\n")
    for number, line in enumerate([*lines, LINE]):
        put(base / f"images/{number}.jpg", jpeg(number, SIZE))
        put(base / f"labels/{number}.txt", f"\n{line}\n")
    found = read(FORMAT, base)
    expected = [line for line in lines if line and line not in ("7 1 1 1 1", "x")]
    assert len(found.annotations) == len(expected) + 1
    unread = [str(number) for number, line in enumerate(lines) if line in ("7 1 1 1 1", "x")]
    assert [(Path(i.source).stem, i.line) for i in found.issues if i.code == "ENTRY_UNREADABLE"] == [
        (name, 2) for name in unread
    ]
    assert sorted(Path(name).stem for name in found.images.query("status == 'unlabelled'")["image"]) == unread


@pytest.mark.parametrize(
    ("numbers", "expected", "says"),
    [
        ("24 16 12 8", [18, 12, 12, 8], "pixels"),
        ("0.5 0.5 1.5 0.25", [-12, 12, 72, 8], "beyond the image"),
        ("24 16 100 8", None, "far beyond its image"),
        ("1.2 0.5 0.1 0.1", None, "far beyond its image"),
        ("0.1 0.25 0.9 0.75", [4.8, 8, 38.4, 16], "two corners"),
        ("0 0 24 0 24 32", [0, 0, 24, 32], "pixels"),
        ("0.5 0.5 1.001 0.25", [-0.024, 12, 48.048, 8], None),
    ],
)
def test_numbers_beyond_ratios_are_converted_or_reported(
    tmp_path: Path, numbers: str, expected: list[float] | None, says: str | None
) -> None:
    found = read(FORMAT, dataset(tmp_path, line=f"0 {numbers}\n"))
    shapes = found.annotations[list(t.BOX_COLUMNS)].to_numpy()
    assert len(shapes) == 0 if expected is None else shapes[0] == pytest.approx(expected)
    assert statuses(found)["a.jpg"] == ("unlabelled" if expected is None else "labelled")
    assert [(Path(issue.source).name, issue.line) for issue in found.issues] == [("a.txt", 1)] * bool(says)
    assert all(str(says) in issue.message for issue in found.issues)


@pytest.mark.parametrize(
    "yaml",
    [
        "names: [cat, dog]\ntrain: ../train/images\nval: ../valid/images\n",
        "names: [cat, dog]\ntrain: ./train/images/\nval: [valid/images]\n",
        "path: train\nnames: [cat, dog]\ntrain: images\nval: valid/images\n",
    ],
)
def test_folders_by_split_first(tmp_path: Path, yaml: str) -> None:
    put(tmp_path / "data.yaml", yaml)
    put(tmp_path / "train" / "images" / "a.jpg", jpeg(1, SIZE))
    put(tmp_path / "train" / "labels" / "a.txt", LINE)
    put(tmp_path / "valid" / "images" / "b.jpg", jpeg(2, SIZE))
    found = read(FORMAT, tmp_path)
    assert boxes(found) == [("a.jpg", *BOX)]
    assert list(found.images["split"]) == ["train", "test"]
    assert found.issues == []


def test_path_of_another_machine_is_ignored_with_an_issue(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, "path: /home/somebody/set\n" + YAML))
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [(issue.code, issue.where) for issue in found.issues] == [("ENTRY_ADJUSTED", "path")]


def test_lists_of_images(tmp_path: Path) -> None:
    base = dataset(tmp_path / "set", "names: [cat, dog]\ntrain: lists/train.txt\nval: lists/val.txt\n")
    absolute = base / "images" / "val" / "b.jpg"
    put(base / "lists" / "train.txt", "./../images/train/a.jpg\nimages/train/a.jpg\n../../x.jpg\n/etc/passwd\n")
    put(base / "lists" / "val.txt", f"\ufeff{absolute}\r\nhttps://host/images/a.jpg\n")
    found = read(FORMAT, base)
    assert list(found.images["image"]) == [str(base / "images/train/a.jpg"), str(absolute), "https://host/images/a.jpg"]
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [(issue.code, issue.line, issue.where) for issue in found.issues] == [
        ("ENTRY_UNREADABLE", 2, "images/train/a.jpg"),
        ("ENTRY_UNREADABLE", 3, "../../x.jpg"),
        ("ENTRY_UNREADABLE", 4, "/etc/passwd"),
    ]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("/content/set/obj/a.jpg", "obj/a"), ("C:\\set\\obj\\a.jpg", "obj/a"), ("../set/obj/a.jpg", "obj/a"),
        ("/content/images/x/a.jpg", "images/x/a"), ("/content/set/a.jpg", "a"),
    ],
)  # fmt: skip
def test_lists_of_another_computer_keep_their_labels(tmp_path: Path, line: str, place: str) -> None:
    put(tmp_path / "data.yaml", "names: [cat, dog]\ntrain: train.txt\n")
    put(tmp_path / "train.txt", f"{line}\n")
    put(tmp_path / f"{place}.jpg", jpeg(1, SIZE))
    put(tmp_path / f"{place}.txt".replace("images", "labels"), LINE)
    found = read(FORMAT, tmp_path)
    assert (boxes(found), found.issues) == ([("a.jpg", *BOX)], [])


def test_folders_state_the_split_beside_a_class_list(tmp_path: Path) -> None:
    put(tmp_path / "classes.txt", "cat\ndog\n")
    for number, name in enumerate(("train/a", "Val/b")):
        put(tmp_path / f"{name}.jpg", jpeg(number, SIZE))
        put(tmp_path / f"{name}.txt", LINE)
    found = cl.read_dataset(tmp_path)
    assert len(found.annotations) == 2
    assert sorted(zip(map(Path, found.images["image"]), found.images["split"], strict=True)) == [
        (tmp_path / "Val" / "b.jpg", "test"),
        (tmp_path / "train" / "a.jpg", "train"),
    ]


def test_lists_from_windows(tmp_path: Path) -> None:
    base = dataset(tmp_path / "set", "names: [cat, dog]\ntrain: train.txt\nval: lists/val.txt\n")
    put(base / "train.txt", "images\\train\\a.jpg\n")
    put(base / "lists" / "val.txt", "..\\images\\val\\b.jpg\n")
    found = read(FORMAT, base)
    assert (boxes(found), statuses(found)) == ([("a.jpg", *BOX)], {"a.jpg": "labelled", "b.jpg": "unlabelled"})
    (base / "images").rename(tmp_path / "photos")
    assert boxes(read(FORMAT, base, images=tmp_path / "photos")) == [("a.jpg", *BOX)]


def test_the_same_folder_for_both_parts_is_read_once(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, YAML.replace("images/val", "images/train")))
    assert boxes(found) == [("a.jpg", *BOX)]
    assert found.issues == []


@pytest.mark.parametrize("entry", ["/etc", "../..", "'..'", "s3://bucket/images", "absent", "[[a]]", "{a: b}"])
def test_parts_elsewhere_are_refused_by_name(tmp_path: Path, entry: str) -> None:
    found = read(FORMAT, dataset(tmp_path / "set", YAML.replace("images/val", entry)))
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [(issue.code, issue.where) for issue in found.issues] == [("ENTRY_UNREADABLE", "val")]


def test_label_files_without_image_are_counted(tmp_path: Path) -> None:
    base = dataset(tmp_path, YAML)
    put(base / "labels" / "train" / "absent.txt", LINE)
    put(base / "notes.txt", "not a label file")
    (issue,) = read(FORMAT, base).issues
    assert issue.message == "1 × label file without an image was not imported: 'labels/train/absent.txt'."


def test_predictions_whose_images_are_elsewhere_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "photos" / "a.jpg", jpeg(1, SIZE))
    put(tmp_path / "predict" / "labels" / "a.txt", LINE.strip() + " 0.25\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no images in 'predict'\. .* YOLO need a classes\.txt"):
        cl.read_dataset("predict", images="photos")
    put(tmp_path / "predict" / "classes.txt", "cat\ndog\n")
    found = cl.read_dataset("predict", images="photos")
    assert found.annotations["confidence"].tolist() == [0.25]
    assert found.issues.empty


def test_images_with_one_label_file_are_reported(tmp_path: Path) -> None:
    base = dataset(tmp_path, YAML)
    put(base / "images" / "train" / "a.png", jpeg(2, SIZE))
    (issue,) = read(FORMAT, base).issues
    assert (issue.where, issue.message) == ("images/train/a.png", "'images/train/a.jpg' has the same label file.")


def test_paths_of_another_computer_are_looked_up_below(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, YAML.replace("images/train", "/content/set/images/train")))
    assert boxes(found)[0] == ("a.jpg", *BOX)


def test_another_number_of_classes_is_reported(tmp_path: Path) -> None:
    (issue,) = read(FORMAT, dataset(tmp_path, YAML + "\nnc: 7\n")).issues
    assert (issue.where, issue.code) == ("nc", "ENTRY_ADJUSTED")


def test_text_of_powershell_is_read(tmp_path: Path) -> None:
    base = dataset(tmp_path)
    (base / "data.yaml").unlink()
    put(base / "classes.txt", "cat\r\ndog\r\n".encode("utf-16"))
    put(base / "labels" / "train" / "a.txt", LINE.encode("utf-16"))
    put(base / "train.txt", "images/train/a.jpg\r\n".encode("utf-16"))
    assert boxes(cl.read_dataset(base)) == [("a.jpg", *BOX)]


def test_a_blank_line_in_a_class_list_is_reported(tmp_path: Path) -> None:
    base = dataset(tmp_path)
    (base / "data.yaml").unlink()
    put(base / "classes.txt", "cat\n\ndog\n\n")
    found = read(FORMAT, base)
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [(issue.code, issue.line) for issue in found.issues] == [("ENTRY_ADJUSTED", 2)]


def test_a_path_outside_the_folder_asks_to_move_the_description(tmp_path: Path) -> None:
    put(tmp_path / "other" / "images" / "a.jpg", jpeg(1, SIZE))
    file = put(tmp_path / "set" / "data.yaml", "names: [cat]\npath: ../other\ntrain: images\n")
    assert "move this file there" in read(FORMAT, file).issues[0].message


def test_class_list_replaces_a_description(tmp_path: Path) -> None:
    base = dataset(tmp_path)
    (base / "data.yaml").unlink()
    put(base / "classes.txt", "cat\ndog\n")
    assert FORMAT.recognise(base)
    assert boxes(read(FORMAT, base)) == [("a.jpg", *BOX)]
    flat = put(tmp_path / "flat" / "classes.txt", "cat\ndog\n").parent
    put(flat / "a.jpg", jpeg(1, SIZE))
    put(flat / "a.txt", LINE)
    assert FORMAT.recognise(flat)
    assert boxes(read(FORMAT, flat)) == [("a.jpg", *BOX)]


def test_moved_images_are_found(tmp_path: Path) -> None:
    base = dataset(tmp_path / "set")
    photos = tmp_path / "photos"
    photos.mkdir()
    for part in ("train/a", "val/b"):
        (base / "images" / f"{part}.jpg").rename(photos / f"{part[-1]}.jpg")
    found = read(FORMAT, base, images=photos)
    assert boxes(found) == [("a.jpg", *BOX)]
    assert found.images["image"].iloc[0] == str(photos / "a.jpg")
    for part in ("train", "val"):
        (base / "images" / part).rmdir()
    assert boxes(read(FORMAT, base, images=photos)) == [("a.jpg", *BOX)]
    put(base / "data.yaml", "names: [cat, dog]\ntrain: train.txt\n")
    put(base / "train.txt", "/old/images/train/a.jpg\n")
    assert boxes(read(FORMAT, base, relocate={"/old/images/train/": f"{photos}/"})) == [("a.jpg", *BOX)]


def test_boxes_of_a_missing_image_are_reported(tmp_path: Path) -> None:
    base = dataset(tmp_path, "names: [cat, dog]\ntrain: train.txt\n")
    put(base / "train.txt", "./images/train/gone.jpg\n./images/train/a.jpg\n")
    put(base / "labels" / "train" / "gone.txt", LINE)
    found = read(FORMAT, base)
    assert boxes(found) == [("a.jpg", *BOX)]
    assert codes(found) == ["IMAGE_NOT_LISTED"]
    assert statuses(found) == {"gone.jpg": "unlabelled", "a.jpg": "labelled"}


@pytest.mark.parametrize(
    "line",
    [
        "2 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1", "0.5 0.5 0.5 0.1 0.1", "cat 0.5 0.5 0.1 0.1", "0", "0 1 2 3",
        "0 nan 0.5 0.1 0.1", "0 0.5 0.5 -0.1 0.1", "0 0.5 0.5 0.1 0.1 1.5", "0 1e308 0 1e308 1",
        "1" + "0" * 400 + " 1 1 1 1", "1e300 1 1 1 1", "0 1e308 1e308 0 0 -1e308 0", "\x00", "0,0.5,0.5,0.1,0.1",
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_the_rest_is_read(tmp_path: Path, line: str) -> None:
    found = read(FORMAT, dataset(tmp_path, line=f"{line}\n{LINE}\n"))
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [(i.code, Path(i.source).name, i.line) for i in found.issues] == [("ENTRY_UNREADABLE", "a.txt", 1)]


def test_a_file_of_bad_lines_does_not_mean_nothing(tmp_path: Path) -> None:
    assert statuses(read(FORMAT, dataset(tmp_path, line="9 1 1 1 1")))["a.jpg"] == "unlabelled"


@pytest.mark.parametrize(
    "yaml",
    [
        "", "[", "names: cat\ntrain: x", "names: []\ntrain: x", "train: images/train", "names: [[a]]\ntrain: x",
        "names: &a [cat]\nother: *a\ntrain: x", "a" * 5_000_000, "[" * 20_000, "names: {x: cat}\ntrain: images/train",
    ],
)  # fmt: skip
def test_invalid_description_is_refused(tmp_path: Path, yaml: str) -> None:
    path = put(tmp_path / "data.yaml", yaml)
    FORMAT.recognise(path)
    with pytest.raises(ManifestError):
        read(FORMAT, path)


def test_darknet_description_without_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="it has no names"):
        read(FORMAT, put(tmp_path / "obj.data", "train = train.txt"))


def test_other_keys_of_darknet_are_reported(tmp_path: Path) -> None:
    dataset(tmp_path, "", LINE)
    put(tmp_path / "obj.names", "cat\ndog\n")
    put(tmp_path / "obj.data", "classes = 2\nnames = obj.names\nbackup = backup/\nanchors = 9\n")
    found = read(FORMAT, tmp_path / "obj.data")
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [(issue.code, issue.where) for issue in found.issues] == [
        ("NOT_IMPORTED", "value of the key 'anchors' of the description")
    ]


def test_lists_of_darknet_elsewhere_are_not_read(tmp_path: Path) -> None:
    put(tmp_path / "other.names", "cat\n")
    file = put(dataset(tmp_path / "set") / "obj.data", f"names = {tmp_path}/other.names\n")
    with pytest.raises(ManifestError, match="does not exist"):
        read(FORMAT, file)


def test_many_bad_lines_are_counted(tmp_path: Path) -> None:
    found = read(FORMAT, dataset(tmp_path, line="x\n" * 250 + LINE))
    assert boxes(found) == [("a.jpg", *BOX)]
    assert [issue.line for issue in found.issues] == [*range(1, 101), None]
    assert found.issues[-1].message == "150 more lines cannot be read."


def test_other_folders_are_not_recognised(tmp_path: Path) -> None:
    put(tmp_path / "config.yaml", "name: x")
    put(tmp_path / "classes.txt", "cat")
    assert not FORMAT.recognise(tmp_path)
    assert not FORMAT.recognise(tmp_path / "absent")


# -- writing ----------------------------------------------------------------------------------------


def test_images_folder_is_written_in_the_common_layout(tmp_path: Path) -> None:
    base = dataset(tmp_path)
    FORMAT.write(read(FORMAT, base), base)
    assert (base / "train.txt").read_text() == "./images/train/a.jpg\n"
    assert (base / "test.txt").read_text() == "./images/val/b.jpg\n"
    assert (base / "labels" / "train" / "a.txt").read_text() == LINE + "\n"
    assert (base / "data.yaml").read_text() == "train: train.txt\nval: test.txt\nnames:\n  0: cat\n  1: dog\n"


def test_foreign_text_files_are_kept(tmp_path: Path) -> None:
    notes = put(tmp_path / "a.txt", "my notes")
    put(tmp_path / "b.txt", "more of them")
    images = [{"image": str(tmp_path / name), "width": 10, "height": 10} for name in ("a.jpg", "b.jpg", "train.jpg")]
    rows = [{"image": images[i]["image"], "label": "x", "left": 1, "top": 2, "width": 3, "height": 4} for i in (0, 2)]
    expected = contents(images, rows)
    for _ in range(2):
        FORMAT.write(expected, tmp_path)
        assert_same(read(FORMAT, tmp_path), expected, leaving_out=("created",))
    assert notes.read_text() == "my notes"
    assert (tmp_path / "b.txt").read_text() == "more of them"


def test_links_do_not_lead_writing_elsewhere(tmp_path: Path) -> None:
    base, outside = tmp_path / "set", tmp_path / "outside"
    outside.mkdir()
    (base / "images").mkdir(parents=True)
    (base / "labels").mkdir()
    (base / "labels" / "deep").symlink_to(outside)
    images = [{"image": str(base / "images" / "deep" / "a.jpg"), "width": 10, "height": 10}]
    rows = [{"image": images[0]["image"], "label": "x", "left": 1, "top": 2, "width": 3, "height": 4}]
    FORMAT.write(contents(images, rows), base)
    assert list(outside.iterdir()) == []
    assert boxes(read(FORMAT, base)) == [("a.jpg", "x", 1, 2, 3, 4)]


def test_unknown_image_size_is_refused_before_writing(tmp_path: Path) -> None:
    image = str(tmp_path / "gone.jpg")
    rows = [{"image": image, "label": "x", "left": 1, "top": 2, "width": 3, "height": 4}]
    with pytest.raises(InputError, match=r"gone\.jpg"):
        FORMAT.write(contents([{"image": image}], rows), tmp_path / "out")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_raccoons_come_back_by_the_sizes_in_their_headers(test_data: Path, tmp_path: Path) -> None:
    known = read(voc.FORMAT, test_data / "raccoon" / "annotations")
    FORMAT.write(known, tmp_path)
    found = read(FORMAT, tmp_path)
    assert boxes(found) == boxes(known)
    assert len(found.images) == 200
    assert found.issues == []
