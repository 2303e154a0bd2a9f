"""Tests of Label Studio: files of its exports JSON and JSON_MIN, and the coding of brush masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb.core.masks import polygon_to_mask
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats.base import Format
from customlabels_nb.datasets.formats.label_studio import FORMAT, RECORDS, decode_brush, encode_brush
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import ManifestError
from tests.datasets.formats.json_cases import anything, assert_sound
from tests.datasets.formats.shared import boxes, codes, read, statuses
from tests.images.pictures import jpeg
from tests.tiers import many

SIDES = {"x": 10, "y": 20, "width": 50, "height": 25}


def result(kind: str, *labels: Any, sized: bool = True, **value: Any) -> dict[str, Any]:
    """Return a result in an image of 40 × 20 pixels."""
    size = {"original_width": 40, "original_height": 20} if sized else {}
    return {"id": "r", "from_name": "x", "to_name": "image", "type": kind, "value": {**value, kind: [*labels]}, **size}


def task(*results: object, image: str = "a.png", **more: Any) -> dict[str, Any]:
    annotations = [{"result": [*results], "was_cancelled": False, "completed_by": 1}]
    return {"data": {"image": image}, "annotations": annotations, **more}


def written(folder: Path, *tasks: object) -> Path:
    path = folder / "tasks.json"
    path.write_text(json.dumps(tasks), "utf-8")
    return path


def brush(mask: np.ndarray) -> list[int]:
    """Encode a mask by runs of different words only, as Label Studio may."""
    words = np.repeat(mask.ravel() * 255, 4)
    runs = [words[start : start + 256] for start in range(0, len(words), 256)]
    bits = f"{len(words):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    bits += "".join(f"010{len(run) - 1:08b}" + "".join(f"{word:08b}" for word in run) for run in runs)
    return list(int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8)))


@pytest.mark.parametrize("format_", [FORMAT, RECORDS])
def test_notes_are_in_the_data_of_a_task_and_the_meta_of_its_results(tmp_path: Path, format_: Format) -> None:
    images = pd.DataFrame({"image": ["a.png", "b.png"], "width": 40, "height": 20, "note": ["unclear", None]})
    marks = pd.DataFrame({"image": "a.png", "label": ["cat", "dog"], "left": 4, "top": 4, "width": 10, "height": 10})
    path = tmp_path / "tasks.json"
    report = Dataset(images, marks.assign(note=["<b>?", None]), root=tmp_path).to(format_.name, path)
    assert report.issues[report.issues["message"].str.contains("note")].empty
    entries = json.loads(path.read_text("utf-8"))
    region = entries[0]["rectangle"][0] if format_ is RECORDS else entries[0]["annotations"][0]["result"][0]
    assert region["meta"] == {"text": ["<b>?"]}
    found = read_dataset(path)
    assert found.images["note"].fillna("").tolist() == ["unclear", ""]
    assert found.annotations["note"].fillna("").tolist() == ["<b>?", ""]


def test_a_note_that_is_too_long_is_counted(tmp_path: Path) -> None:
    long = {**result("rectanglelabels", "cat", **SIDES), "meta": {"text": ["x" * 1001]}}
    found = read(FORMAT, written(tmp_path, task(long)))
    assert found.annotations["note"].isna().all()
    assert [issue.where for issue in found.issues if issue.code == "NOT_IMPORTED"] == ["note"]


def test_choices_boxes_and_polygons(tmp_path: Path) -> None:
    turned = result("rectanglelabels", "dog", **SIDES, rotation=90)
    points = result("polygonlabels", "cat", points=[[0, 0], [50, 0], [50, 50]])
    drawn = result("labels", "cat", **SIDES)
    path = written(tmp_path, task(result("choices", "cat", "indoors"), turned, points, drawn))
    found = read(FORMAT, path)
    assert found.annotations["label"].tolist() == ["cat", "indoors", "dog", "cat", "cat"]
    assert found.annotations["left"].isna().tolist() == [True, True, False, False, False]
    # turned clockwise around its top left corner, in pixels
    assert boxes(found)[2:] == [
        ("a.png", "dog", -1, 4, 5, 20),
        ("a.png", "cat", 0, 0, 20, 10),
        ("a.png", "cat", 4, 4, 20, 5),
    ]
    assert found.annotations["polygon"].isna().tolist() == [True, True, False, False, True]
    np.testing.assert_allclose(found.annotations["polygon"][2], [[4, 4], [4, 24], [-1, 24], [-1, 4]], atol=1e-9)
    assert found.issues == []


def test_brush_masks_are_decoded(tmp_path: Path) -> None:
    mask = np.zeros((20, 40), dtype=np.uint8)
    mask[3:9, 5:30] = 1
    mask[5, 10] = 0
    for codes_ in (brush(mask), list(encode_brush(mask))):
        np.testing.assert_array_equal(decode_brush(bytes(codes_), (40, 20)), mask)
        found = read(FORMAT, written(tmp_path, task(result("brushlabels", "cat", format="rle", rle=codes_))))
        assert boxes(found) == [("a.png", "cat", 5, 3, 25, 6)]
        np.testing.assert_array_equal(polygon_to_mask(found.annotations["polygon"][0], (40, 20)), mask)


@pytest.mark.parametrize(
    ("codes_", "why"),
    [
        ([255] * 10, "are not a mask of 40 × 20 pixels"),  # claims four billion words
        (brush(np.ones((20, 40), dtype=np.uint8))[:-9], "end too early"),
        (brush(np.zeros((20, 40), dtype=np.uint8)), "empty"),
        ([0] * (2**23 + 1), "at most 8,388,608 bytes"),
        ([999], "cannot be read"),
        ("abc", "not a list"),
    ],
)
def test_brush_masks_that_cannot_be_decoded_are_listed(tmp_path: Path, codes_: Any, why: str) -> None:
    found = read(FORMAT, written(tmp_path, task(result("brushlabels", "cat", rle=codes_))))
    assert codes(found) == ["ENTRY_UNREADABLE"]
    assert why in found.issues[0].message
    assert found.issues[0].where == "task 1, result 1"
    assert statuses(found) == {"a.png": "unlabelled"}


def test_predictions_have_model_and_score(tmp_path: Path) -> None:
    own = result("rectanglelabels", "cat", **SIDES) | {"score": 0.5}
    shared = result("rectanglelabels", "dog", **SIDES) | {"score": None}
    predictions = [
        {"model_version": "v1", "score": 0.75, "result": [own, shared]},
        {"model_version": None, "result": [result("choices", "cat") | {"score": 7}]},
        17,
    ]
    path = written(tmp_path, {"data": {"image": "a.png"}, "predictions": predictions})
    found = read_dataset(path)
    columns = ["label", "model", "confidence"]
    assert found.predictions[columns].to_numpy().tolist() == [
        ["cat", "unknown", 1],
        ["cat", "v1", 0.5],
        ["dog", "v1", 0.75],
    ]
    assert found.predictions["left"].tolist()[1:] == [4, 4]
    assert found.annotations.empty
    messages = found.issues["message"].tolist()
    assert sum("score 7 is not between 0 and 1" in message for message in messages) == 1
    assert sum("1 × prediction without its results was not imported" in message for message in messages) == 1


def test_the_newest_annotation_counts_and_others_are_listed(tmp_path: Path) -> None:
    def by(name: str, created: str, *labels: str, **more: Any) -> dict[str, Any]:
        whose = {"completed_by": {"email": name}, "created_at": created}
        return {"result": [result("choices", *labels)] if labels else [], **whose, **more}

    days = [f"2026-01-0{day}T08:00:00Z" for day in (1, 2, 3)]
    several = [by("ann@x", days[1], "new"), by("bo@x", days[0], "old"), by("cy@x", days[2], "no", was_cancelled=True)]
    edited = [by("ann@x", days[1], "old"), by("bo@x", days[0], "new", updated_at=days[2])]
    edited = [{**entry, "completed_by": None} for entry in edited]
    path = written(
        tmp_path,
        {"data": {"image": "several.png"}, "annotations": several},
        {"data": {"image": "edited.png"}, "annotations": edited},
        {"data": {"image": "skipped.png"}, "annotations": [by("ann@x", days[0], was_cancelled=True)]},
        {"data": {"image": "nothing.png"}, "annotations": [by("ann@x", days[0])]},
        {"data": {"image": "open.png"}, "annotations": []},
    )
    found = read(FORMAT, path)
    assert found.annotations["label"].tolist() == ["new", "new"]
    assert found.annotations["annotator"].dropna().tolist() == ["ann@x"]
    assert [issue.where for issue in found.issues] == ["task 1", "task 2", "result of a cancelled annotation"]
    assert "newest, by ann@x, was read, not those by bo@x." in found.issues[0].message
    assert found.issues[1].message.endswith("It has 2 annotations. Only the newest was read.")
    assert statuses(found) == {
        "several.png": "labelled", "edited.png": "labelled", "skipped.png": "skipped", "nothing.png": "labelled",
        "open.png": "unlabelled",
    }  # fmt: skip


def test_sizes_come_from_images_if_the_file_has_none(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100)).save(tmp_path / "a.png")
    unsized = result("rectanglelabels", "cat", sized=False, **SIDES)
    found = read(FORMAT, written(tmp_path, task(unsized), task(unsized, unsized, image="gone.png")))
    assert boxes(found) == [("a.png", "cat", 20, 20, 100, 25)]
    assert [issue.where for issue in found.issues[:2]] == ["task 2, result 1", "task 2, result 2"]
    assert all("image size, which is unknown" in issue.message for issue in found.issues[:2])
    assert "1 × image was not found: 'gone.png'" in found.issues[2].message
    assert statuses(found) == {"a.png": "labelled", "gone.png": "unlabelled"}


def test_local_files_and_uploads_are_found(tmp_path: Path) -> None:
    names = [
        "/data/local-files/?d=shop/a%20b.png",
        "/data/upload/3/0a1b2c3d-c.png",
        "https://ls.example/data/upload/3/d.png",
    ]
    path = written(tmp_path, *(task(result("choices", "cat"), image=name) for name in names))
    photos = tmp_path / "elsewhere"
    for name in ("a b.png", "c.png", "d.png"):
        (photos / "shop").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(photos / "shop" / name)
    found = read_dataset(path, images=photos)
    assert found.issues.empty, found.issues.to_dict("records")
    assert [Path(image).name for image in found.images["image"]] == ["a b.png", "c.png", "d.png"]
    assert all(Path(found.root or "", image).exists() for image in found.images["image"])


def test_json_min_is_read_by_its_records(tmp_path: Path) -> None:
    drawn = [{**SIDES, "rectanglelabels": ["cat"], "original_width": 40, "original_height": 20}]
    about = {"annotator": 1, "annotation_id": 3, "created_at": "2026-01-01T08:00:00Z", "lead_time": 2.5}
    later = {**about, "created_at": "2026-01-02T08:00:00Z", "annotator": 2}
    path = written(
        tmp_path,
        {"image": "a.png", "shop": "north", "id": 1, "kind": "old", **about},
        {"image": "a.png", "shop": "north", "id": 1, "box": drawn, "kind": {"choices": ["x", "y"]}, **later},
        {"image": "b.png", "shop": "south", "id": 2, "kind": "z", **about},
    )
    found = read_dataset(path)
    assert found.annotations["label"].tolist() == ["x", "y", "z", "cat"]
    assert found.annotations["left"].tolist()[-1] == 4
    assert found.annotations["annotator"].tolist() == ["2", "2", "1", "2"]
    assert found.images["shop"].tolist() == ["north", "south"]
    assert len(found.issues) == 2  # two annotators, and no image


def test_what_is_not_read_is_listed(tmp_path: Path) -> None:
    about_region = result("choices", "small", **SIDES)
    keypoint = result("keypointlabels", "eye", x=1, y=1)
    path = written(
        tmp_path,
        task(result("rectanglelabels", "cat", **SIDES), about_region, keypoint, keypoint | {"type": ["textarea"]}),
        task(image="a.png"),
        {"data": {"text": "no photo"}},
        "no task",
    )
    found = read(FORMAT, path)
    assert boxes(found) == [("a.png", "cat", 4, 4, 20, 5)]
    messages = [issue.message for issue in found.issues]
    assert messages[:3] == [
        "An earlier task has the same image, 'a.png'.", "Its data has no image: {'text': 'no photo'}.",
        "It is 'no task', not an object.",
    ]  # fmt: skip
    assert messages[3:] == [
        "1 × choice for a region was not imported: 'task 1, result 2'.",
        "1 × result of the type 'keypointlabels' was not imported: 'task 1, result 3'.",
        "1 × result of the type ['textarea'] was not imported: 'task 1, result 4'.",
    ]


def to(name: object, found: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a result about the image control ``name``."""
    return {**found, "to_name": name, **more}


def test_to_name_chooses_the_image_of_a_task(tmp_path: Path) -> None:
    cat, dog = result("rectanglelabels", "cat", **SIDES), result("choices", "dog")
    several = {"before": "a.png", "after": "b.png", "note": "x"}
    pages = {"pages": ["c.png", "d.png", "e.png"]}
    path = written(
        tmp_path,
        task(to("after", cat), to("before", dog), to("img2", cat), to("note", dog)) | {"data": several},
        task(to("img", cat, item_index=1), to("img", cat, item_index=3)) | {"data": pages},
        task() | {"data": {"before": "f.png", "after": "g.png"}},
    )
    found = read(FORMAT, path)
    assert [(Path(row.image).name, row.label) for row in found.annotations.itertuples()] == [
        ("a.png", "dog"), ("b.png", "cat"), ("d.png", "cat"),
    ]  # fmt: skip
    assert [(issue.where, issue.message) for issue in found.issues] == [
        ("task 1, result 3", "Its to_name 'img2' does not say which image of the task it is about: 'before', 'after'. "
         "Set it to one of these in the file."),
        ("task 2, result 2", "Its item_index 3 is not the position of an image among 3."),
        ("result about 'note'", "1 × result about 'note' was not imported: 'task 1, result 4'."),
    ]  # fmt: skip
    # a result that may be about an image leaves it unlabelled, unless something else was read
    labelled = {name for name, status in statuses(found).items() if status == "labelled"}
    assert labelled == {"a.png", "b.png", "d.png", "f.png", "g.png"}


def test_choices_about_texts_are_not_labels_of_the_only_image(tmp_path: Path) -> None:
    about_image, about_text = (
        to("img", result("rectanglelabels", "cat", **SIDES)),
        to("words", result("choices", "rude")),
    )
    data = {"picture": "a.png", "comment": "so what"}
    found = read(FORMAT, written(tmp_path, task(about_image, about_text) | {"data": data}))
    assert found.annotations["label"].tolist() == ["cat"]
    assert "to_name 'words'" in found.issues[0].message
    found = read(FORMAT, written(tmp_path, task(to("img", result("choices", "cat"))) | {"data": data}))
    assert found.annotations["label"].tolist() == ["cat"]
    assert found.issues == []


def test_same_choice_of_two_controls_is_reported(tmp_path: Path) -> None:
    dogs, cats = (result("choices", "yes") | {"from_name": name} for name in ("dogs", "cats"))
    found = read(FORMAT, written(tmp_path, task(dogs, cats), task(cats, image="b.png")))
    assert found.annotations["label"].tolist() == ["yes", "yes"]
    assert [issue.message for issue in found.issues] == [
        "'yes' is a choice of the controls 'dogs' (task 1, result 1) and 'cats' (task 1, result 2). Both were read as "
        "one label. If they differ, rename one of them in the file."
    ]


@pytest.mark.parametrize(
    ("records", "recognised"),
    [
        ([{"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": {"x": 1}}]}], None),  # Create ML
        ([{"file_name": "a.jpg", "image_id": 1, "annotations": [{"bbox": [1, 2, 3, 4]}]}], None),  # detectron2
        ([{"image": "a.jpg", "question": "Which?", "choices": ["a", "b"], "id": 1}], None),
        ([{"data": {"text": "no photo"}, "annotations": [{"result": []}]}], FORMAT),  # to be refused by name
        ([{"data": {"x": 1}, "predictions": []}], None),
        ([{"annotation_id": 7, "image_id": 1, "id": 2, "caption": "a dog"}], None),
        ([task(result("brushlabels", "cat", rle=[0] * 2**16))], FORMAT),  # longer than what is read
        ([{"predictions": [{"result": [to("p", {"value": SIDES})]}], "data": {"p": "https://x.example/1"}}], FORMAT),
        ([{"data": {"image": "https://x.example/1"}}], FORMAT),
        ([{"image": "a.jpg", "id": 1, "annotator": 1, "annotation_id": 1}], RECORDS),
        ([{"image": "a.jpg", "box": [{"x": 1, "rectanglelabels": ["cat"]}]}], RECORDS),
    ],
)  # fmt: skip
def test_only_lists_with_the_fields_of_label_studio_are_recognised(
    tmp_path: Path, records: list[Any], recognised: Format | None
) -> None:
    path = written(tmp_path, *records)
    assert next((format_ for format_ in (FORMAT, RECORDS) if format_.recognise(path)), None) is recognised


@pytest.mark.parametrize(
    ("scale", "unit"),
    [((0.01, 0.01), "ratios"), ((4, 2), "pixels"), ((1, 1), None), ((5, 2), "far beyond")],
)
def test_outlines_in_another_unit_are_converted_or_reported(
    tmp_path: Path, scale: tuple[float, float], unit: str | None
) -> None:
    def drawn(*sides: float) -> dict[str, Any]:
        values = dict(zip(SIDES, (side * scale[n % 2] for n, side in enumerate(sides)), strict=True))
        return result("rectanglelabels", "cat", **values) | {"original_width": 400, "original_height": 200}

    found = read(FORMAT, written(tmp_path, task(drawn(80, 90, 20, 10), drawn(10, 20, 50, 25))))
    across, down = scale
    expected = {"pixels": (40, 40, 200, 50), "far beyond": None}.get(
        str(unit), (40 * across, 40 * down, 200 * across, 50 * down)
    )
    assert boxes(found)[1:] == ([("a.png", "cat", *expected)] if expected else [])
    assert codes(found) == ["ENTRY_ADJUSTED" if expected else "ENTRY_UNREADABLE"] * bool(unit)
    assert found.images["status"].tolist() == ["labelled" if expected else "unlabelled"]
    assert str(unit) in "".join(issue.message for issue in found.issues) or not unit


def test_one_box_that_was_turned_beyond_the_image_does_not_make_all_look_like_pixels(tmp_path: Path) -> None:
    size = {"original_width": 400, "original_height": 200}
    sides = [dict(zip(SIDES, box, strict=True)) for box in ((50, 50, 40, 40), (10, 20, 50, 25), (5, 5, 60, 60))]
    turned, *others = (result("rectanglelabels", "cat", **value) | size for value in sides)
    turned["value"]["rotation"] = 15
    assert codes(read(FORMAT, written(tmp_path, task(turned, *others)))) == []


def test_json_min_has_a_record_for_each_image_with_its_results(tmp_path: Path) -> None:
    names = ["a.png", "b.png", "skipped.png", "nothing.png", "open.png"]
    statuses_ = ["labelled", "labelled", "skipped", "labelled", "unlabelled"]
    images = pd.DataFrame({"image": names, "width": 40, "height": 20, "status": statuses_})
    rows = pd.DataFrame([
        {"image": "a.png", "label": "cat", "left": 4, "top": 4, "width": 20, "height": 5},
        {"image": "a.png", "label": "indoors"},
        {"image": "b.png", "label": "x"},
        {"image": "b.png", "label": "y"},
    ])  # fmt: skip
    predictions = pd.DataFrame([{"image": "a.png", "label": "cat", "confidence": 0.5, "model": "v1"}])
    made = Dataset(images, rows, predictions=predictions, root=tmp_path)
    written_ = made.to("label_studio_min", tmp_path / "min.json")
    assert set(written_.issues["where"]) >= {"predictions", "skipped"}
    assert not {"skipped", "status"} & set(made.to("label_studio", tmp_path / "a.json").issues["where"])
    first, second, *others = json.loads((tmp_path / "min.json").read_text("utf-8"))
    assert list(first) == [
        "image", "width", "height", "id", "rectangle", "choice", "annotation_id", "created_at",
    ]  # fmt: skip
    box = {**SIDES, "rotation": 0, "rectanglelabels": ["cat"], "original_width": 40, "original_height": 20}
    assert first["rectangle"] == [box]
    assert (first["choice"], second["choice"]) == ("indoors", {"choices": ["x", "y"]})
    assert [record["annotation_id"] for record in others] == [None, 4, None]
    found = read_dataset(tmp_path / "min.json")
    assert found.images["status"].tolist() == ["labelled", "labelled", "unlabelled", "labelled", "unlabelled"]


value = st.fixed_dictionaries(
    {},
    optional={
        **{side: st.floats(-10, 110) | anything for side in (*SIDES, "rotation")},
        **{kind: st.lists(st.sampled_from("ab") | anything, max_size=2) | anything for kind in ("choices", "labels")},
        **{f"{kind}labels": st.just(["a"]) | anything for kind in ("rectangle", "polygon", "brush")},
        **dict.fromkeys(("points", "rle", "original_width", "original_height"), anything),
    },
)
results = anything | st.lists(
    anything
    | st.fixed_dictionaries(
        {"value": value},
        optional={
            "type": st.just("rectanglelabels") | anything,
            "to_name": st.sampled_from(["image", "pages", "x"]) | anything,
            **dict.fromkeys(("meta", "from_name", "item_index"), anything),
        },
    ),
    max_size=3,
)
work = anything | st.lists(
    anything | st.fixed_dictionaries({"result": results}, optional={"was_cancelled": anything, "created_at": anything}),
    max_size=2,
)
tasks = st.fixed_dictionaries(
    {
        "data": anything
        | st.fixed_dictionaries(
            {"image": st.sampled_from(["a.jpg", "b.jpg"]) | anything},
            optional={"pages": st.lists(st.sampled_from(["a.jpg", "b.jpg", "c.jpg"])) | anything},
        )
    },
    optional={"annotations": work, "predictions": work},
)
records = st.fixed_dictionaries(
    {"image": st.sampled_from(["a.jpg", "b.jpg"]) | anything, "id": st.integers(0, 2) | anything},
    optional={"box": value | st.lists(value, max_size=2) | anything, "annotation_id": anything, "created_at": anything},
)


@pytest.mark.parametrize("format_", [FORMAT, RECORDS], ids=lambda format_: format_.name)
@given(data=st.data())
@settings(max_examples=many(25))
def test_any_content_is_read_or_reported(
    tmp_path_factory: pytest.TempPathFactory, format_: Format, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "a.jpg").write_bytes(jpeg(1))
    file = folder / "fuzzed-tasks.json"
    entry = tasks if format_ is FORMAT else records
    content = data.draw(st.lists(anything | entry, max_size=4))
    file.write_text(json.dumps(content))
    format_.recognise(file)
    try:
        found = read(format_, file)
    except ManifestError:
        return
    assert_sound(found)
