"""Tests of writing a job in the layout of Ground Truth."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats import coco
from customlabels_nb.datasets.formats.base import ImageFinder
from customlabels_nb.datasets.formats.ground_truth import read_manifest
from customlabels_nb.errors import InputError
from customlabels_nb.jobs.consolidation import consolidate
from customlabels_nb.jobs.job_output import JobOutput, check_job_name, write_job_output
from tests.jobs.answer_tables import box, make_answers, outlined

HOSTILE = (
    "../../up",
    "/etc/passwd",
    "a\nb",
    "<img src=x onerror=alert(1)>",
    "CON",
    "x" * 200,
    "é\u202e",
    "%2e%2e/",
    "C:\\x",
)
SQUARE = [[0.5, 0.25], [50.0, 0.0], [50.0, 40.0]]
GIVEN: dict[str, list[tuple[int, str, Any]]] = {
    "single-label": [(1, "anna", "lemon"), (1, "ben", "lemon"), (2, "anna", None), (2, "ben", None),
                     (3, "anna", "lime")],
    "multi-label": [(1, "anna", ("sea", "sand")), (1, "ben", ("sea",)), (1, "carl", ("sea", "sand")), (2, "anna", ()),
                    (2, "ben", ()), (3, "ben", ("sky",))],
    "boxes": [(1, "anna", [box("cat", 1.25, 2, 30, 40), box("dog", 50, 60, 7, 8)]),
              (1, "ben", [box("cat", 2, 2, 30, 40)]),
              (1, "carl", [box("dog", 50, 60, 7, 8), box("cat", 1.5, 2, 30, 40)]), (2, "anna", []), (2, "ben", [])],
    "polygons": [(1, "anna", [outlined("cat", SQUARE)]), (1, "ben", [outlined("cat", [*SQUARE, [0.5, 40.0]])]),
                 (2, "anna", []), (2, "ben", [])],
}  # fmt: skip


def make_output(kind: str, *, job: str = "leaves-1", answers: pd.DataFrame | None = None, **parts: Any) -> JobOutput:
    """Return the output of a job with four images, of which the last has no answers."""
    answers = make_answers(GIVEN[kind]) if answers is None else answers
    labels = ["sky", "sea", "lime", "lemon"]
    result = consolidate(answers, kind, annotators=2, agreement=0.4, labels=labels, job=job)
    images = [*dict.fromkeys(answers["image"]), "photos/last.jpg"]
    given = {
        "images": pd.DataFrame({"image": images, "width": 100, "height": 80}),
        "annotations": result.annotations[result.annotations["kept"]],
        "tasks": result.tasks,
        "summary": {"job": job, "status": "running"},
        **parts,
    }
    return JobOutput(job=job, task=kind, labels=labels, answers=answers, **given)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of the output manifest."""
    manifest = folder / "manifests" / "output" / "output.manifest"
    return [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("kind", t.TASKS)
def test_manifest_reads_back_equal(kind: str, tmp_path: Path) -> None:
    output = make_output(kind)
    folder = write_job_output(output, tmp_path)
    found = read_manifest(folder / "manifests" / "output" / "output.manifest")
    assert not found.issues
    assert found.images["image"].tolist() == output.images["image"].tolist()
    done = output.images["image"].isin(["photos/1.jpg", "photos/2.jpg"])
    assert found.images["status"].tolist() == done.map({True: "labelled", False: "unlabelled"}).tolist()
    if kind in ("boxes", "polygons"):
        assert found.images.loc[done, ["width", "height"]].to_numpy().tolist() == [[100, 80]] * 2
    expected = output.annotations[output.annotations["image"].isin(output.images.loc[done, "image"])]
    assert len(expected) > 0
    columns = ["image", "label", *t.BOX_COLUMNS, "confidence", "job", "created"]
    order = ["image", "label", "left"]
    pd.testing.assert_frame_equal(
        found.annotations[columns].sort_values(order, ignore_index=True),
        expected[columns].sort_values(order, ignore_index=True),
    )
    assert found.annotations["annotator"].isna().all()


def test_polygons_read_back_from_coco(tmp_path: Path) -> None:
    output = make_output("polygons")
    folder = write_job_output(output, tmp_path)
    found = coco.FORMAT.read(folder / "coco.json", ImageFinder(folder))
    assert found.labels == ["sky", "sea", "lime", "lemon", "cat"]
    columns = ["label", *t.BOX_COLUMNS, "polygon", "confidence", "created"]
    assert found.annotations["polygon"].tolist() == [SQUARE]
    pd.testing.assert_frame_equal(found.annotations[columns], output.annotations[columns].reset_index(drop=True))
    assert not (write_job_output(make_output("boxes"), tmp_path) / "coco.json").exists()


def test_datasets_can_be_made_from_the_manifest(tmp_path: Path) -> None:
    folder = write_job_output(make_output("single-label"), tmp_path)
    dataset = cl.read_dataset(folder / "manifests" / "output" / "output.manifest")
    assert dataset.annotations["label"].tolist() == ["lemon"]


def test_lines_are_those_of_ground_truth(tmp_path: Path) -> None:
    date = {"job-name": "labeling-job/leaves-1", "human-annotated": "yes"}
    first, second, third, last = lines_of(write_job_output(make_output("single-label"), tmp_path))
    assert first == {
        "source-ref": "photos/1.jpg",
        "leaves-1": 3,
        "leaves-1-metadata": {
            **date, "creation-date": "2026-05-04T09:00:01.250000", "class-name": "lemon", "confidence": 1.0,
            "type": "groundtruth/image-classification",
        },
    }  # fmt: skip
    assert second["leaves-1"]["annotations"] == []
    assert (third, last) == ({"source-ref": "photos/3.jpg"}, {"source-ref": "photos/last.jpg"})
    first, second, _, _ = lines_of(write_job_output(make_output("multi-label"), tmp_path))
    assert first["leaves-1"] == [1, 4]
    metadata = first["leaves-1-metadata"]
    assert metadata["class-map"] == {"1": "sea", "4": "sand"}
    assert metadata["confidence-map"] == pytest.approx({"1": 1, "4": 2 / 3})
    assert metadata["type"] == "groundtruth/image-classification-multilabel"
    assert second["leaves-1"] == []
    first, _, _ = lines_of(write_job_output(make_output("boxes"), tmp_path))
    assert first["leaves-1"]["image_size"] == [{"width": 100, "height": 80, "depth": 3}]
    assert [entry["class_id"] for entry in first["leaves-1"]["annotations"]] == [4, 5]
    assert first["leaves-1-metadata"]["class-map"] == {"4": "cat", "5": "dog"}
    assert first["leaves-1-metadata"]["type"] == "groundtruth/object-detection"
    assert len(first["leaves-1-metadata"]["objects"]) == 2


def test_answers_are_those_of_ground_truth(tmp_path: Path) -> None:
    answers = make_answers(GIVEN["single-label"])
    answers.loc[1, "counted"] = False
    folder = write_job_output(make_output("single-label", answers=answers), tmp_path)
    places = sorted((folder / "annotations" / "worker-response" / "iteration-1").rglob("*.json"))
    assert [f"{path.parent.name}/{path.name}" for path in places] == [
        "1/2026-05-04_09-00-01.json", "2/2026-05-04_09-00-03.json", "3/2026-05-04_09-00-04.json",
    ]  # fmt: skip
    one, two = json.loads(places[0].read_bytes())["answers"]
    assert one == {
        "acceptanceTime": "2026-05-04T09:00:00.250000Z",
        "answerContent": {"crowd-image-classifier": {"label": "lemon"}},
        "submissionTime": "2026-05-04T09:00:00.250000Z",
        "timeSpentInSeconds": 2.5,
        "workerId": "anna",
        "counted": True,
    }
    assert two["counted"] is False


def test_answer_content_of_other_tasks(tmp_path: Path) -> None:
    contents = {}
    for kind in ("multi-label", "boxes", "polygons"):
        folder = write_job_output(make_output(kind), tmp_path)
        (place,) = (folder / "annotations" / "worker-response" / "iteration-1" / "1").iterdir()
        contents[kind] = json.loads(place.read_bytes())["answers"][0]["answerContent"]
    assert contents["multi-label"] == {"crowd-image-classifier-multi-select": {"labels": ["sea", "sand"]}}
    size = {"width": 100, "height": 80}
    assert contents["boxes"]["boundingBox"]["inputImageProperties"] == size
    assert contents["boxes"]["boundingBox"]["boundingBoxes"][0] == {
        "label": "cat", "left": 1.25, "top": 2, "width": 30, "height": 40,
    }  # fmt: skip
    assert contents["polygons"] == {
        "crowd-polygon": {
            "polygons": [{"label": "cat", "vertices": [{"x": x, "y": y} for x, y in SQUARE]}],
            "inputImageProperties": size,
        }
    }


def test_consolidation_files_belong_together(tmp_path: Path) -> None:
    folder = write_job_output(make_output("single-label"), tmp_path)
    both = folder / "annotations" / "consolidated-annotation"
    request, response = (
        json.loads(next((both / name / "iteration-1").iterdir()).read_bytes())
        for name in ("consolidation-request", "consolidation-response")
    )
    assert [each["datasetObjectId"] for each in request] == [each["datasetObjectId"] for each in response] == ["1", "2"]
    assert request[0]["dataObject"] == {"s3Uri": "photos/1.jpg"}
    assert [each["workerId"] for each in request[0]["annotations"]] == ["anna", "ben"]
    content = json.loads(request[0]["annotations"][0]["annotationData"]["content"])
    assert content == {"crowd-image-classifier": {"label": "lemon"}}
    line = {"source-ref": "photos/1.jpg", **response[0]["consolidatedAnnotation"]["content"]}
    assert line == lines_of(folder)[0]


def test_remaining_files_have_the_ground_truth_layout(tmp_path: Path) -> None:
    output = make_output("single-label", instructions="Label the <fruit>.\n")
    folder = write_job_output(output, tmp_path)
    tool = folder / "annotation-tool"
    assert (tool / "instructions.txt").read_text("utf-8") == "Label the <fruit>.\n"
    assert json.loads((tool / "labels.json").read_bytes())["labels"] == [
        {"label": name} for name in ("sky", "sea", "lime", "lemon")
    ]
    assert json.loads((folder / "job.json").read_bytes()) == {"job": "leaves-1", "status": "running"}
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert rows[0]["label"] == "lemon"
    assert rows[2]["label"] == ""
    assert (rows[0]["submitted"], rows[0]["counted"]) == ("2026-05-04T09:00:00.250000Z", "true")


@pytest.mark.parametrize("kind", t.TASKS)
def test_the_same_job_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    first = files_of(write_job_output(make_output(kind), tmp_path / "a"))
    mixed = make_answers(GIVEN[kind]).sample(frac=1, random_state=1)
    second = files_of(
        write_job_output(
            make_output(kind, answers=mixed.reset_index(drop=True), images=make_output(kind).images), tmp_path / "b"
        )
    )
    assert first == second


# -- hostile names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", t.TASKS)
def test_hostile_names_stay_inside_the_files(kind: str, tmp_path: Path) -> None:
    rows = []
    for number, name in enumerate(HOSTILE):
        given: dict[str, Any] = {
            "single-label": name,
            "multi-label": (name, HOSTILE[number - 1]),
            "boxes": [box(name, 1, 2, 3, 4)],
            "polygons": [outlined(name, SQUARE)],
        }
        rows += [(number, HOSTILE[0], given[kind]), (number, HOSTILE[3], given[kind])]
    answers = make_answers(rows)
    answers["image"] = [HOSTILE[task] for task in answers["task"]]
    outside = tmp_path / "deep" / "deeper"
    folder = write_job_output(make_output(kind, answers=answers), outside)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in outside.parent.iterdir()] == ["deeper"]
    assert [path.name for path in outside.iterdir()] == ["leaves-1"]
    plain = set("abcdefghijklmnopqrstuvwxyz0123456789-_./")
    assert all(set(name) <= plain and ".." not in name for name in files_of(folder))
    found = read_manifest(folder / "manifests" / "output" / "output.manifest")
    assert found.images["image"].tolist()[:-1] == list(HOSTILE)
    assert set(found.annotations["label"]) == set(HOSTILE)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "＝1"])
def test_answers_run_no_formula(text: str, tmp_path: Path) -> None:
    answers = make_answers([(1, text, text)]).assign(image=text)
    folder = write_job_output(make_output("single-label", answers=answers), tmp_path)
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    for name in ("image", "person", "label"):
        assert row[name] == f"'{text}"
    drawn = make_answers([(1, "anna", [box(text, 1, 2, 3, 4)])])
    place = write_job_output(make_output("boxes", answers=drawn), tmp_path) / "answers.csv"
    with place.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["boxes"].startswith("[{")
    assert json.loads(row["boxes"])[0]["label"] == text


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "-a", "é", "a" * 64, "a\n", None, 3, "source-ref",
                                  "x-metadata", "rekognition-custom-labels-evaluation", "Errors"])  # fmt: skip
def test_names_that_a_manifest_cannot_have_are_refused(name: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name="):
        check_job_name(name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "leaves-1", "A" * 63, "source", "metadata"])
def test_other_names_are_accepted(name: str) -> None:
    assert check_job_name(name) == name


# -- replacing an earlier output ----------------------------------------------------------------------------


def test_an_earlier_output_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = write_job_output(make_output("polygons"), tmp_path)
    write_job_output(make_output("single-label"), tmp_path)
    assert files_of(folder) == files_of(write_job_output(make_output("single-label"), tmp_path / "other"))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["leaves-1", "other"]


def test_other_folders_are_not_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "leaves-1"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not the output of a job"):
        write_job_output(make_output("single-label"), tmp_path)
    assert (mine / "notes.txt").read_text() == "mine"


def test_links_are_not_followed(tmp_path: Path) -> None:
    elsewhere = write_job_output(make_output("single-label"), tmp_path / "elsewhere")
    before = files_of(elsewhere)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "leaves-1").symlink_to(elsewhere)
    with pytest.raises(InputError, match="not the output of a job"):
        write_job_output(make_output("multi-label"), tmp_path / "out")
    assert files_of(elsewhere) == before


def test_an_output_that_cannot_be_moved_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_job_output(make_output("single-label"), tmp_path)
    before, rename = files_of(folder), Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(InputError, match="cannot be written: Input/output"):
        write_job_output(make_output("boxes"), tmp_path)
    assert files_of(folder) == before


def test_an_image_that_was_removed_midway_is_left_out(tmp_path: Path) -> None:
    for kind in t.TASKS:
        output = make_output(kind)
        fewer = output.images[output.images["image"] != "photos/1.jpg"].reset_index(drop=True)
        folder = write_job_output(make_output(kind, images=fewer), tmp_path / kind)
        assert [line["source-ref"] for line in lines_of(folder)] == fewer["image"].tolist()
        assert (folder / "annotations" / "worker-response" / "iteration-1" / "1").is_dir()


def test_unknown_sizes_are_left_out(tmp_path: Path) -> None:
    images = pd.DataFrame(
        {
            "image": ["photos/1.jpg", "photos/2.jpg"],
            "width": pd.array([None, 5], "Int64"),
            "height": pd.array([None, 5], "Int64"),
        }
    )
    first, _ = lines_of(write_job_output(make_output("boxes", images=images), tmp_path))
    assert first["leaves-1"]["image_size"] == [{}]


def test_a_job_without_answers_can_be_exported(tmp_path: Path) -> None:
    folder = write_job_output(make_output("boxes", answers=make_answers([])), tmp_path)
    assert lines_of(folder) == [{"source-ref": "photos/last.jpg"}]


def test_extra_columns_are_keys_of_the_lines(tmp_path: Path) -> None:
    table = make_output("single-label").images.assign(
        camera=["phone", None, 3, "phone"], taken=pd.Timestamp(0, tz="UTC"), **{"leaves-1": "mine", "source-ref": "x"}
    )
    folder = write_job_output(make_output("single-label", images=table), tmp_path)
    lines = lines_of(folder)
    assert [line.get("camera") for line in lines] == ["phone", None, 3, "phone"]
    assert "camera" not in lines[1]
    assert [line["source-ref"] for line in lines] == table["image"].tolist()
    assert isinstance(lines[0]["leaves-1"], int)
    assert "leaves-1" not in lines[3]
    assert lines[0]["taken"].startswith("1970-01-01")
