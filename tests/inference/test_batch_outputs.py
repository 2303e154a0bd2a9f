"""Tests of batch results written as they arrive: their content, and refused targets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError, MissingDependencyError
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.detection import detect
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections
from tests.facts import tells
from tests.inference.forms import FORMS

COLUMNS = ["image", "label", "confidence", "left", "top", "width", "height"]


@pytest.fixture(scope="module")
def images(blots: dict[str, list[str]]) -> list[str]:
    return [path for paths in blots.values() for path in paths]


def written(predictor: Predictor, images: object, to: Path, **options: object) -> WrittenDetections:
    """Run a batch prediction that writes its results."""
    found = detect_many(predictor, images, to=to, **options)  # type: ignore[arg-type]
    assert isinstance(found, WrittenDetections)
    return found


def lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("kind", ["predictor", "detector"])
@pytest.mark.parametrize("name", FORMS)
def test_written_file_equals_the_table(
    request: pytest.FixtureRequest, images: list[str], tmp_path: Path, kind: str, name: str
) -> None:
    model = request.getfixturevalue(kind)
    result = written(model, images, tmp_path / "new" / name, threshold=0.2)
    kept = detect_many(model, images, threshold=0.2)
    assert len(kept) >= len(images)
    assert (result.images, result.found, result.left, len(result.errors)) == (18, len(kept), 0, 0)
    order = ["image", "label", "confidence"]  # a manifest is read in the order of its attributes
    back, kept = (frame.sort_values(order, ignore_index=True) for frame in (result.table(), kept))
    assert list(kept.columns) == (COLUMNS if kind == "detector" else COLUMNS[:3])
    pd.testing.assert_frame_equal(back, kept, atol=1e-6, check_dtype=False)
    assert result.table().attrs == {"decision": dict.fromkeys(model.config.labels, 0.2), "errors": []}


def test_json_lines_have_the_form_of_the_api(detector: Predictor, images: list[str], tmp_path: Path) -> None:
    written(detector, images[:3], tmp_path / "found.jsonl", threshold={"red": 0.3}, max_results=4)
    for image, line in zip(images, lines(tmp_path / "found.jsonl"), strict=False):
        one = detect(detector, image, threshold={"red": 0.3}, max_results=4)
        assert line == {
            "image": image, "width": one.image.width, "height": one.image.height,
            **one.response,
        }  # fmt: skip


def test_a_classifier_has_no_sizes_and_no_boxes(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    written(predictor, [images[0], images[7]], tmp_path / "found.ndjson")
    first, second = lines(tmp_path / "found.ndjson")
    assert first.keys() == {"image", "CustomLabels"}
    ((entry,), (other,)) = first["CustomLabels"], second["CustomLabels"]  # type: ignore[misc]
    assert entry.keys() == {"Name", "Confidence"}
    assert (entry["Name"], other["Name"]) == ("red", "green")
    assert 40 <= entry["Confidence"] <= 100


def test_a_manifest_is_imported_again(
    detector: Predictor, predictor: Predictor, images: list[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.png").write_bytes(Path(images[0]).read_bytes())
    sources = [images[0], str(tmp_path / "empty.png"), images[0]]
    written(detector, sources, tmp_path / "boxes.manifest", threshold={"red": 0.3, "blue": 1.0})
    found = cl.read_dataset(tmp_path / "boxes.manifest")
    assert found.images["image"].tolist() == sources[:2]  # only once, however often it is named
    assert found.images["status"].tolist() == ["labelled"] * 2
    assert found.images["width"].notna().all()
    assert found.annotations["left"].notna().all()
    assert f'"source-ref":"{sources[1]}"' in (tmp_path / "boxes.manifest").read_text()
    assert '"human-annotated":"no"' in (tmp_path / "boxes.manifest").read_text()
    written(detector, images[:3], tmp_path / "nothing.manifest", threshold=1.0)
    nothing = cl.read_dataset(tmp_path / "nothing.manifest")
    assert (len(nothing.annotations), nothing.images["status"].tolist()) == (0, ["labelled"] * 3)
    written(predictor, [images[0], images[17]], tmp_path / "labels.manifest", threshold={"blue": 1.0})
    labels = cl.read_dataset(tmp_path / "labels.manifest")
    assert labels.labels_of_images() == [["red"], []]
    assert labels.images["status"].tolist() == ["labelled", "unlabelled"]


def test_labels_have_one_attribute_in_all_steps(
    predictor: Predictor, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from customlabels_nb.inference.outputs import ManifestOutput

    monkeypatch.setattr(ManifestOutput, "images_a_step", 1)
    written(predictor, [images[0], images[7], images[1]], tmp_path / "a.manifest")
    first, second, third = lines(tmp_path / "a.manifest")
    assert first.keys() - {"source-ref"} == third.keys() - {"source-ref"} == {"red", "red-metadata"}
    assert second.keys() - {"source-ref"} == {"green", "green-metadata"}


def test_unreadable_images_are_reported_and_the_run_goes_on(
    predictor: Predictor, images: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}.jpg").write_bytes(Path(images[number % 18]).read_bytes())
    (folder / "050.jpg").write_bytes(b"no image")
    (folder / "120.jpg").write_bytes(Path(images[0]).read_bytes()[:700])
    (folder / "more.psd").touch()
    result = written(predictor, folder, tmp_path / "found.jsonl")
    errors = [(Path(row.image).name, row.code) for row in result.errors.itertuples()]
    assert errors == [
        ("more.psd", "IMAGE_TYPE_UNSUPPORTED"), ("050.jpg", "IMAGE_NOT_AN_IMAGE"), ("120.jpg", "IMAGE_TRUNCATED"),
    ]  # fmt: skip
    assert len(lines(tmp_path / "found.jsonl")) == 198
    path = str(tmp_path / "found.jsonl")
    assert tells(repr(result), 200, result.found, repr(path), "JSON Lines", 3, ".errors")


def test_hostile_image_names_are_written(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [b"\xff.jpg", b"<script>.jpg", "ü\u2028\n'\".jpg".encode()]
    for name in names:
        with open(bytes(folder) + b"/" + name, "wb") as file:
            file.write(Path(images[0]).read_bytes())
    for to in FORMS:
        result = written(predictor, folder, tmp_path / to)
        assert (result.images, result.found, len(result.errors)) == (3, 3, 0)
        assert to == "parts" or len((tmp_path / to).read_bytes().splitlines()) == 3
        again = written(predictor, folder, tmp_path / to, resume=True)
        assert (again.images, again.found) == (3, 3)
    assert len(cl.read_dataset(tmp_path / "found.manifest").images) == 3


def test_hostile_labels_are_written(model_folder: Path, images: list[str], tmp_path: Path) -> None:
    odd = ["a\u2028b", "<b>'\"&amp;", "=1+1,;\\"]
    config = json.loads((model_folder / "config.json").read_bytes()) | {"labels": odd, "thresholds": {}}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    (tmp_path / "model" / "model.safetensors").symlink_to(model_folder / "model.safetensors")
    model = Predictor(tmp_path / "model")
    model.start("cpu")
    for to in FORMS:
        table = written(model, images[::6], tmp_path / to, threshold=0, max_results=1).table()
        assert table["label"].tolist() == odd
        assert to == "parts" or (tmp_path / to).read_bytes().count(b"\n") == 3


def test_no_images_give_an_empty_output(predictor: Predictor, tmp_path: Path) -> None:
    for to in FORMS:
        result = written(predictor, [], tmp_path / to)
        assert (result.images, result.found, result.left) == (0, 0, 0)
        assert list(result.table().columns) == COLUMNS[:3]
        assert result.table().empty


def test_leftover_journal_is_named(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    detect_many(predictor, images[:1], to=tmp_path / "found.jsonl")
    (tmp_path / "found.jsonl").unlink()
    with pytest.raises(InputError, match=r"found\.jsonl' does not exist, but a journal .*'.*found\.jsonl\.journal'"):
        detect_many(predictor, images[:1], to=tmp_path / "found.jsonl")


def test_existing_files_are_never_overwritten(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("my notes")
    with pytest.raises(InputError, match=r"to='.*mine\.jsonl' already exists.*resume=True"):
        detect_many(predictor, images[:1], to=mine)
    with pytest.raises(InputError, match=r"resume=True.*to='.*mine\.jsonl'.*mine\.jsonl\.journal'"):
        detect_many(predictor, images[:1], to=mine, resume=True)
    assert mine.read_text() == "my notes"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jsonl"]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("found.csv", r"to='.*found\.csv'.*\.jsonl.*\.manifest.*to_csv"),
        ("s3://bucket/found.jsonl", "is a URL"),
        ("", "is not a valid path"),
        ("a" * 5000, "is too long for a path"),
        (7, "is not a path"),
    ],
)
def test_unsupported_output_is_refused(
    predictor: Predictor, images: list[str], tmp_path: Path, to: object, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        detect_many(predictor, images[:1], to=tmp_path / to if to == "found.csv" else to)  # type: ignore[operator, arg-type]
    assert list(tmp_path.iterdir()) == []


def test_error_names_an_unwritable_folder(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"to='.*found\.jsonl' cannot be written: (Not a directory|File exists)"):
        detect_many(predictor, images[:1], to=tmp_path / "file" / "found.jsonl")


def test_full_disk_is_reported_and_keeps_what_was_written(
    predictor: Predictor, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from customlabels_nb.inference.outputs import JsonLines

    monkeypatch.setattr(JsonLines, "images_a_step", 4)
    write, steps = JsonLines.write, []

    def filling(self: JsonLines, looked: object) -> object:
        steps.append(looked)
        if len(steps) == 3:
            with self.path.open("ab") as file:
                file.write(b'{"image": "half')
            raise OSError(28, "No space left on device")
        return write(self, looked)  # type: ignore[arg-type]

    monkeypatch.setattr(JsonLines, "write", filling)
    with pytest.raises(InputError, match=r"found\.jsonl' cannot be written: the disk is full"):
        detect_many(predictor, images, to=tmp_path / "found.jsonl", batch_size=2)
    result = written(predictor, images, tmp_path / "found.jsonl", resume=True, batch_size=2)
    assert result.images == 18
    assert [line["image"] for line in lines(tmp_path / "found.jsonl")] == images


def test_a_folder_needs_the_package_for_parquet(
    predictor: Predictor, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r'pip install .*"pyarrow>'):
        detect_many(predictor, images[:1], to=tmp_path / "parts")
    assert list(tmp_path.iterdir()) == []


def test_the_numbers_of_an_answer_are_not_rounded(detector: Predictor, images: list[str], tmp_path: Path) -> None:
    result = written(detector, images[:2], tmp_path / "found.jsonl", threshold=0.2)
    kept = detect_many(detector, images[:2], threshold=0.2)
    assert np.abs(result.table()[COLUMNS[2:]].to_numpy() - kept[COLUMNS[2:]].to_numpy()).max() < 1e-9
