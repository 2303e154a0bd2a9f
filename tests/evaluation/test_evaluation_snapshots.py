from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core.tables import by_machine, normalise_annotations, normalise_images
from customlabels_nb.errors import InputError, ManifestError
from customlabels_nb.evaluation import evaluate, evaluation_snapshots
from customlabels_nb.evaluation.evaluation_snapshots import (
    evaluation_snapshot,
    read_evaluation_snapshot,
    snapshot_file_names,
    truth_snapshot,
)
from tests.evaluation.cases import HOSTILE, caps_and_watches, random_tables, tables
from tests.evaluation.scenes import SIZE, scene
from tests.evaluation.snapshot_lines import (
    BOXED,
    DETAILS,
    ENDED,
    EVALUATION,
    RESULTS,
    TRAINING,
    assert_counts_agree,
    counted,
    entries,
    lines_of,
    written,
)
from tests.tiers import many


# -- classifiers ----------------------------------------------------------------------------------------
def test_lines_of_a_classifier() -> None:
    lines = lines_of(evaluate(*caps_and_watches()))
    assert len(lines) == 624
    line = lines[385]  # one of the seven caps below the threshold of CAP
    assert line["source-ref"] == "s3://bucket/385.jpg"
    assert line[f"{TRAINING}-0"] == 1
    assert line[f"{TRAINING}-0-metadata"] == {
        "confidence": 1,
        "job-name": f"{TRAINING}-job",
        "class-name": "CAP",
        "human-annotated": "yes",
        "creation-date": "2019-11-21T07:30:23.910",
        "type": "groundtruth/image-classification",
    }
    assert line[f"{EVALUATION}-0-metadata"] == {
        "confidence": 0.978,
        "job-name": f"{EVALUATION}-job",
        "class-name": "CAP",
        "human-annotated": "no",
        "creation-date": "2019-11-21T07:30:23.910",
        "type": "groundtruth/image-classification",
        DETAILS: {
            "version": 1,
            "is-true-positive": False,
            "is-true-negative": False,
            "is-false-positive": False,
            "is-false-negative": True,
            "is-present-in-ground-truth": True,
            "ground-truth-labelling-jobs": [f"{TRAINING}-job"],
        },
    }
    attributes = set(line) - {"source-ref"}
    assert attributes == {f"{name}{end}" for name in (f"{TRAINING}-0", f"{EVALUATION}-0", f"{EVALUATION}-1")
                          for end in ("", "-metadata")}  # fmt: skip


@pytest.mark.parametrize("thresholds", ["assumed", 0.0, 0.4, "cross-validated"])
def test_classifier_snapshot_agrees_with_per_label_counts(thresholds: Any) -> None:
    truth, predictions = random_tables(60, ["a", "b", "c"])
    found = evaluate(truth, predictions, [*truth["image"], "nothing on it.jpg"], thresholds=thresholds)
    lines = lines_of(found)
    assert [len(entries(line)) for line in lines] == [3] * 60 + [0]  # every label of every image with predictions
    assert_counts_agree(found)


def test_snapshots_are_by_thresholds_whatever_the_decision() -> None:
    case = random_tables(60, ["a", "b", "c"])
    assert evaluate(*case).per_label["fp"].tolist() != evaluate(*case, thresholds="assumed").per_label["fp"].tolist()
    assert lines_of(evaluate(*case)) == lines_of(evaluate(*case, thresholds="assumed"))


def test_several_labels_on_an_image_are_numbered() -> None:
    truth = pd.DataFrame({"image": ["a", "a", "b"], "label": ["x", "y", "y"]})
    predictions = pd.DataFrame({"image": ["a", "b", "b"], "label": ["x", "y", "x"], "confidence": [0.9, 0.8, 0.7]})
    first, second = lines_of(evaluate(truth, predictions))
    assert [first[f"{TRAINING}-{n}-metadata"]["class-name"] for n in range(2)] == ["x", "y"]
    assert f"{TRAINING}-1" not in second
    assert_counts_agree(evaluate(truth, predictions))


def test_labels_without_predictions_have_none_in_the_snapshot() -> None:
    truth, predictions = tables([0, 1], [[0.9, 0.1], [0.2, 0.8]], ["x", "y"])
    lines = lines_of(evaluate(truth, predictions[predictions["label"] == "x"]))
    assert {label for line in lines for label, _, _ in entries(line)} == {"x"}
    assert lines[1][f"{TRAINING}-0-metadata"]["class-name"] == "y"


# -- detectors ------------------------------------------------------------------------------------------
def test_lines_of_a_detector() -> None:
    truth = pd.DataFrame(
        [("a.jpg", "cat", 10, 20, 100, 50), ("a.jpg", "dog", 200, 20, 100, 50)],
        columns=BOXED,
    )
    predictions = pd.DataFrame(
        [
            ("a.jpg", "cat", 12, 20, 100, 50, 0.9),  # correct
            ("a.jpg", "cat", 300, 200, 40, 40, 0.8),  # on the background
            ("a.jpg", "cat", 300, 300, 40, 40, 0.2),  # on the background, ignored
            ("a.jpg", "cat", 300, 350, 40, 40, 0.04),  # too low to be included
        ],
        columns=[*truth.columns, "confidence"],
    )
    images = pd.DataFrame({"image": ["a.jpg", "empty.jpg"], "width": 640, "height": 480})
    line, empty = lines_of(evaluate(truth, predictions, images, thresholds=0.5))
    size = [{"width": 640, "height": 480, "depth": 3}]
    assert line[f"{TRAINING}-0"]["image_size"] == line[f"{EVALUATION}-0"]["image_size"] == size
    assert line[f"{TRAINING}-0"]["annotations"] == [
        {"class_id": 0, "left": 10, "top": 20, "width": 100, "height": 50},
        {"class_id": 1, "left": 200, "top": 20, "width": 100, "height": 50},
    ]
    assert line[f"{TRAINING}-0-metadata"] == {
        "objects": [{"confidence": 1}] * 2,
        "class-map": {"0": "cat", "1": "dog"},
        "type": "groundtruth/object-detection",
        "human-annotated": "yes",
        "creation-date": "2019-11-21T07:30:23.910",
        "job-name": f"{TRAINING}-job",
    }
    found = [
        (label, confidence, next(r for r in RESULTS if details[r])) for label, confidence, details in entries(line)
    ]
    assert found == [
        ("cat", 0.9, "is-true-positive"),
        ("cat", 0.8, "is-false-positive"),
        ("cat", 0.2, "is-true-negative"),
        ("dog", 0.0, "is-false-negative"),
    ]
    facts = line[f"{EVALUATION}-0-metadata"]
    assert (facts["human-annotated"], facts["job-name"]) == ("no", f"{EVALUATION}-job")
    assert facts["type"] == "groundtruth/object-detection"
    assert line[f"{EVALUATION}-0"]["annotations"][3] == {
        "class_id": 1,
        "left": 200,
        "top": 20,
        "width": 100,
        "height": 50,
    }
    assert empty[f"{TRAINING}-0"]["annotations"] == empty[f"{EVALUATION}-0"]["annotations"] == []


@pytest.mark.parametrize("thresholds", [None, 0.0, 0.02, 0.4, {"cat": 0.9}, "cross-validated"])
def test_detector_snapshot_agrees_with_per_label_counts(thresholds: Any) -> None:
    assert_counts_agree(evaluate(*scene(30, ["cat", "dog", "bird"]), thresholds=thresholds))


def test_a_box_found_below_its_threshold_is_missed_with_that_confidence() -> None:
    truth = pd.DataFrame([("a", "cat", 0, 0, 10, 10)], columns=BOXED)
    for confidence, told in ((0.3, 0.3), (0.01, 0.0)):
        found = lines_of(evaluate(truth, truth.assign(confidence=confidence), thresholds=0.5))
        ((label, value, details),) = entries(found[0])
        assert (label, value, details["is-false-negative"]) == ("cat", told, True)


def test_crowds_are_marked_and_ignored_detections_left_out(tmp_path: Path) -> None:
    truth = pd.DataFrame(
        [("a", "cat", 0, 0, 100, 100, True), ("a", "cat", 200, 0, 10, 10, False)],
        columns=[*BOXED, "crowd"],
    )
    predictions = truth.assign(confidence=0.9, left=[10, 200], width=[50, 10])
    found = evaluate(truth, predictions)
    (line,) = lines_of(found)
    assert [box.get("iscrowd") for box in line[f"{TRAINING}-0"]["annotations"]] == [1, None]
    assert len(entries(line)) == 1
    assert_counts_agree(found)
    path = written(tmp_path / "snapshot.manifest", found)
    again = evaluate(*read_evaluation_snapshot(path))
    for metric in ("f1", "recall", "mean_average_precision"):
        assert again.metric(metric) == found.metric(metric) == 1
    assert cl.read_dataset(path).annotations["crowd"].tolist() == [True, False]


def test_sizes_come_from_the_header_where_the_table_has_none(tmp_path: Path) -> None:
    here, gone = str(tmp_path / "here.png"), str(tmp_path / "gone.png")
    Image.new("RGB", (300, 200)).save(here)
    truth = pd.DataFrame(
        [(here, "cat", 0, 0, 10, 10), (gone, "cat", 5, 5.5, 20, 130)],
        columns=BOXED,
    )
    snapshot = evaluation_snapshot(evaluate(truth, truth.assign(confidence=0.9)))
    assert snapshot.estimated == 1
    sizes = [json.loads(line)[f"{TRAINING}-0"]["image_size"] for line in snapshot]
    assert sizes == [
        [{"width": 300, "height": 200, "depth": 3}],
        [{"width": 64, "height": 136, "depth": 3, "estimated": True}],
    ]


def test_boxes_are_not_fitted_by_an_estimated_size(tmp_path: Path) -> None:
    truth = pd.DataFrame([("a.png", "cat", 0, 0, 100, 80)], columns=BOXED)
    path = written(tmp_path / "snapshot.manifest", evaluate(truth, truth.assign(confidence=0.9)))
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (1000, 800)).save(tmp_path / "photos" / "a.png")
    found = cl.read_dataset(path, images=tmp_path / "photos").annotations
    assert found[["left", "top", "width", "height"]].iloc[0].tolist() == [0, 0, 100, 80]
    report = cl.validate_manifest(path, profile="rekognition", check_images=False)
    assert "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT" not in set(report.lines["code"])


def test_report_notes_unknown_image_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, predictions, images = scene(12, ["cat", "dog"])
    cl.evaluate(truth, predictions, images).to(tmp_path)
    assert "are unknown" not in capsys.readouterr().out
    cl.evaluate(truth, predictions, images["image"]).to(tmp_path)
    assert "the sizes of 12 images are unknown" in capsys.readouterr().out


# -- classifiers and detectors --------------------------------------------------------------------------
def test_hostile_names_survive() -> None:
    odd = "folder\udcff\n/\u2028\x85.jpg"
    truth, predictions = random_tables(40, HOSTILE)
    truth["image"] = truth["image"].replace("image 0.jpg", odd)
    predictions["image"] = predictions["image"].replace("image 0.jpg", odd)
    boxes, found, images = scene(40, HOSTILE, folder="‏../\u2028 <b>")
    for evaluation in (evaluate(truth, predictions), evaluate(boxes, found, images)):
        raw = list(evaluation_snapshot(evaluation))
        assert all(line.isascii() and len(line.decode().splitlines()) == 1 for line in raw)
        lines = [json.loads(line) for line in raw]
        assert [line["source-ref"] for line in lines] == evaluation.outcomes.images.tolist()
        assert {label for line in lines for label, _, _ in entries(line)} == set(HOSTILE)


@pytest.mark.parametrize("profile", ["local", "rekognition"])
def test_snapshots_are_valid_manifests_and_give_the_truth_back(tmp_path: Path, profile: str) -> None:
    truth, predictions = random_tables(45, [label[:256] for label in HOSTILE])
    truth["image"], predictions["image"] = ("s3://bucket/" + table["image"] for table in (truth, predictions))
    boxes = scene(40, HOSTILE)
    for name, case in (("labels", (truth, predictions)), ("boxes", boxes)):
        path = written(tmp_path / f"{name}.manifest", evaluate(*case))
        report = cl.validate_manifest(path, profile=profile, check_images=False)
        assert report.ok
        assert not [code for code in report.lines["code"] if code.startswith("ERROR")]
        dataset = cl.read_dataset(path)
        columns = [*case[0].columns]
        expected = case[0].sort_values(columns, ignore_index=True)
        actual = dataset.annotations[columns].sort_values(columns, ignore_index=True)
        pd.testing.assert_frame_equal(actual, expected, check_dtype=False)
        assert dataset.images["image"].nunique() == len(evaluate(*case).outcomes.images)
    assert set(zip(dataset.images["width"], dataset.images["height"], strict=True)) == {SIZE}
    assert (dataset.images["status"] == "labelled").all()  # images without boxes as well: they are empty


def test_a_line_is_no_longer_than_manifests_allow(tmp_path: Path) -> None:
    labels = [f"label {number}" for number in range(250)]
    truth, predictions = random_tables(260, labels)
    truth["image"], predictions["image"] = ("s3://bucket/" + table["image"] for table in (truth, predictions))
    found = evaluate(truth, predictions, thresholds="assumed")
    assert max(map(len, evaluation_snapshot(found))) <= 100_000
    assert_counts_agree(found)  # the omitted ones are true negatives
    for line in lines_of(found)[:5]:
        kept = sorted(confidence for _, confidence, details in entries(line) if details["is-true-negative"])
        image = found.outcomes.images.tolist().index(line["source-ref"])
        left_out = sorted(found.outcomes.confidence[image].tolist())[: 250 - len(entries(line))]
        assert 100 < len(kept) < 250
        assert left_out[-1] <= kept[0] or left_out[-1] == pytest.approx(kept[0], abs=0.05)
    path = written(tmp_path / "long.manifest", found)
    assert cl.validate_manifest(path, check_images=False).lines.empty


def test_many_faint_boxes_make_no_line_too_long() -> None:
    truth, predictions, images = scene(3, ["cat"], boxes=40)
    many = pd.concat([predictions] * 20).assign(confidence=lambda table: np.linspace(0.05, 0.9, len(table)))
    found = evaluate(truth, many, images, thresholds=0.85)
    assert max(map(len, evaluation_snapshot(found))) <= 100_000
    assert_counts_agree(found)


def test_the_whole_file_is_no_larger_than_manifests_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluate(*random_tables(60, [f"label {number}" for number in range(30)]), thresholds="assumed")
    whole = sum(map(len, evaluation_snapshot(found)))
    monkeypatch.setattr(evaluation_snapshots, "_LARGEST_FILE", 200_000)
    lines = list(evaluation_snapshot(found))
    assert 150_000 < sum(len(line) + 1 for line in lines) <= 200_000 < whole
    assert len(lines) == 60
    assert_counts_agree(found)


def test_the_same_evaluation_gives_the_same_bytes() -> None:
    for case in (random_tables(30, ["a", "b"]), scene(20, ["cat", "dog"])):
        first, second = (list(evaluation_snapshot(evaluate(*case), created=ENDED)) for _ in range(2))
        assert first == second


def test_snapshot_file_names() -> None:
    assert snapshot_file_names("fruit", "../v 1") == (
        "EvaluationSnapshot-fruit-v-1.manifest",
        "TrainingSnapshot-fruit-v-1.manifest",
    )
    assert snapshot_file_names("..") == ("EvaluationSnapshot.manifest", "TrainingSnapshot.manifest")


# -- training images ------------------------------------------------------------------------------------
@pytest.mark.parametrize("boxes", [False, True])
def test_training_images_without_predictions(tmp_path: Path, boxes: bool) -> None:
    truth, _, images = scene(12, ["cat", "dog"])
    labels = truth[["image", "label"]].drop_duplicates("image")
    path = tmp_path / "truth.manifest"
    both = pd.concat([truth, labels[:4]], ignore_index=True)
    snapshot = truth_snapshot(normalise_images(images), normalise_annotations(both), boxes=boxes, created=ENDED)
    path.write_bytes(b"".join(line + b"\n" for line in snapshot))
    found = cl.read_dataset(path)
    expected = truth if boxes else labels[:4]
    columns = [*expected.columns]
    actual = found.annotations[columns].sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(actual, expected.sort_values(columns, ignore_index=True), check_dtype=False)
    assert found.images["image"].tolist() == expected["image"].drop_duplicates().tolist()  # only the usable images
    assert EVALUATION not in path.read_text("utf-8")


@pytest.mark.parametrize("boxes", [False, True])
def test_training_labels_of_models_stay_labels_of_models(tmp_path: Path, boxes: bool) -> None:
    place = {"left": 1.0, "top": 2.0, "width": 30.0, "height": 40.0} if boxes else {}
    by = [("x", "a", "Ann"), ("x", "b", "Ann"), ("y", "a", "model:2"), ("y", "b", "model:2")]
    rows = [{"image": image, "label": label, "annotator": who, **place} for image, label, who in by]
    images = normalise_images(pd.DataFrame({"image": ["x", "y"], "width": 64, "height": 64}))
    path = tmp_path / "truth.manifest"
    path.write_bytes(b"\n".join(truth_snapshot(images, normalise_annotations(pd.DataFrame(rows)), boxes=boxes)))
    found = cl.read_dataset(path).annotations
    assert found["label"].tolist() == ["a", "b", "a", "b"]
    assert by_machine(found).tolist() == [False, False, True, True]


@pytest.mark.parametrize("case", [random_tables(40, ["a", "b", "c"]), scene(25, ["cat", "dog"])])
def test_a_snapshot_can_be_evaluated_again(tmp_path: Path, case: Any) -> None:
    found = evaluate(*case, thresholds="assumed")
    path = written(tmp_path / "first.manifest", found)
    thresholds = dict(zip(found.outcomes.labels, found.thresholds.tolist(), strict=True))
    again = evaluate(*read_evaluation_snapshot(path), thresholds=thresholds)
    pd.testing.assert_frame_equal(
        again.per_label[["label", "tp", "fp", "fn"]], found.per_label[["label", "tp", "fp", "fn"]]
    )
    assert written(tmp_path / "second.manifest", again).read_bytes() == path.read_bytes()


@settings(max_examples=many(40))
@given(
    random_state=st.integers(0, 2**16),
    images=st.integers(3, 12),
    boxes=st.integers(1, 6),
    threshold=st.sampled_from([None, 0.0, 0.05, 0.3, 0.99]),
)
def test_any_boxes_survive_a_round_trip(
    tmp_path_factory: Any, random_state: int, images: int, boxes: int, threshold: Any
) -> None:
    found = evaluate(
        *scene(images, ["cat", "dog", "bird"], boxes=boxes, random_state=random_state), thresholds=threshold
    )
    assert_counts_agree(found)
    path = written(tmp_path_factory.mktemp("scene") / "snapshot.manifest", found)
    truth, predictions, pictures = read_evaluation_snapshot(path)
    assert len(truth) == found.outcomes.targets.sum()
    assert pictures["image"].tolist() == found.outcomes.images.tolist()
    kept = (found.outcomes.confidence >= 0.05) | (found.outcomes.confidence >= found.thresholds[found.outcomes.label])
    assert sorted(predictions["confidence"]) == sorted(found.outcomes.confidence[kept].tolist())


def test_the_services_form_of_detection_is_read(tmp_path: Path) -> None:
    def attribute(name: str, human: str, **facts: Any) -> dict[str, Any]:
        return {
            name: {
                "image_size": [{"width": 640, "height": 480, "depth": 3}],
                "annotations": [{"class_id": 1, "left": 10, "top": 20, "width": 30, "height": 40}],
            },
            f"{name}-metadata": {
                "class-map": {"1": "Echo"},
                "type": "groundtruth/object-detection",
                "human-annotated": human,
                "creation-date": "2013-11-18T02:53:27",
                "job-name": f"{name}-job",
                **facts,
            },
        }

    details = {"version": 1, "is-true-positive": True, "is-present-in-ground-truth": True}
    line = {
        "source-ref": "s3://bucket/a.jpg",
        **attribute(TRAINING, "yes", confidence=0.9),
        **attribute(EVALUATION, "no", confidence=0.87, **{DETAILS: details}),
    }
    path = tmp_path / "service.json"
    path.write_text(json.dumps(line) + "\n")
    truth, predictions, images = read_evaluation_snapshot(path)
    assert truth[["image", "label", "left", "confidence"]].iloc[0].tolist() == ["s3://bucket/a.jpg", "Echo", 10, 0.9]
    assert predictions.iloc[0].tolist() == ["s3://bucket/a.jpg", "Echo", 0.87, 10, 20, 30, 40]
    assert evaluate(truth, predictions, images).metric("f1") == 1
    assert cl.read_dataset(path).annotations["label"].tolist() == ["Echo"]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda line: b"", ManifestError, "empty"),
        (lambda line: b"no json\n", ManifestError, "invalid"),
        (lambda line: line.replace(EVALUATION.encode(), b"something-else"), InputError, "contains no predictions"),
        (lambda line: line.replace(b'"confidence":0.', b'"confidence":7.'), InputError, "line 1"),
        (lambda line: line.replace(b'"no"', b'"no","type":"groundtruth/other"'), InputError, "line 1"),
    ],
)
def test_invalid_snapshot_is_refused(tmp_path: Path, change: Any, error: type[Exception], match: str) -> None:
    path = tmp_path / "x.manifest"
    lines = evaluation_snapshot(evaluate(*random_tables(3, ["a", "b"])))
    path.write_bytes(b"".join(change(line + b"\n") for line in lines))
    with pytest.raises(error, match=match):
        read_evaluation_snapshot(path)


def test_missing_snapshot_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        read_evaluation_snapshot(tmp_path / "nothing.manifest")
    with pytest.raises(ManifestError):
        read_evaluation_snapshot(tmp_path)


@settings(max_examples=many(40))
@given(
    random_state=st.integers(0, 2**16),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    thresholds=st.sampled_from([None, 0.0, 0.5]),
)
def test_any_labels_survive_a_round_trip(
    tmp_path_factory: Any, random_state: int, share: float, thresholds: Any
) -> None:
    rng = np.random.default_rng(random_state)
    pairs = pd.DataFrame([(f"{i}.jpg", label) for i in range(8) for label in "abc"], columns=["image", "label"])
    pairs["confidence"] = rng.choice([0.0, 0.25, 0.5, 0.9, 1.0], len(pairs))
    truth = pairs[rng.random(len(pairs)) < 0.4][["image", "label"]]
    assume(len(truth))
    predictions = pairs[rng.random(len(pairs)) < share]
    found = evaluate(truth, predictions, pairs["image"].unique(), task="multi-label", thresholds=thresholds)
    counts = counted(lines_of(found), list(found.outcomes.labels))[found.outcomes.known]
    assert (counts == found.per_label.loc[found.outcomes.known, ["tp", "fp", "fn"]]).all(axis=None)
    path = written(tmp_path_factory.mktemp("labels") / "snapshot.manifest", found)
    kept = cl.read_dataset(path)
    assert sorted(zip(kept.annotations["image"], kept.annotations["label"], strict=True)) == sorted(
        zip(truth["image"], truth["label"], strict=True)
    )
    if found.outcomes.known.any():
        expected = predictions.merge(truth, on=["image", "label"], how="left", indicator="true")
        threshold = expected["label"].map(dict(zip(found.outcomes.labels, found.thresholds, strict=True)))
        # a true label that is predicted with confidence 0 and not accepted is the same as one without a prediction
        nothing = (expected["confidence"] == 0) & (expected["true"] == "both") & (threshold > 0)
        again = read_evaluation_snapshot(path).predictions
        columns = ["image", "label", "confidence"]
        assert sorted(again[columns].itertuples(index=False, name=None)) == sorted(
            expected.loc[~nothing, columns].itertuples(index=False, name=None)
        )


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_labels_without_a_prediction_are_not_read_as_predictions(tmp_path: Path, task: str) -> None:
    truth = pd.DataFrame({"image": ["a", "b", "c"], "label": ["cat", "dog", "cat"]})
    predictions = pd.DataFrame({"image": ["a", "b"], "label": ["cat", "dog"], "confidence": [0.9, 0.8]})
    found = evaluate(truth, predictions, task=task)
    assert_counts_agree(found)
    assert [[label for label, *_ in entries(line)] for line in lines_of(found)] == [["cat"], ["dog"], ["cat"]]
    tables = read_evaluation_snapshot(written(tmp_path / "snapshot.manifest", found))
    assert len(tables.predictions) == 2
    again = evaluate(*tables, task=task)
    pd.testing.assert_frame_equal(again.per_label, found.per_label)
    assert again.metric("f1") == found.metric("f1")
