from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.summary import evaluation_snapshot, evaluation_summary, summary_file_name
from tests.evaluation.cases import HOSTILE, caps_and_watches, random_tables, tables

ENDED = datetime(2019, 11, 21, 7, 30, 23, 910943, tzinfo=UTC)
TRAINING, EVALUATION = "rekognition-custom-labels-training", "rekognition-custom-labels-evaluation"


@pytest.fixture(scope="module")
def published() -> Evaluation:
    return evaluate(*caps_and_watches())


def test_summary_of_the_published_example(published: Evaluation) -> None:
    content = evaluation_summary(published, project_version_arn="arn:1", ended=ENDED, training_images=5216)
    assert content["Version"] == 1
    assert content["EvaluationDetails"] == {
        "ProjectVersionArn": "arn:1",
        "EvaluationEndTimestamp": "2019-11-21T07:30:23.910943",
        "Labels": ["CAP", "WATCH"],
        "NumberOfTrainingImages": 5216,
        "NumberOfTestingImages": 624,
    }
    means = content["AggregatedEvaluationResults"]
    assert set(means) == {"Precision", "Recall", "F1Score", "ConfusionMatrix"}
    assert means["F1Score"] == pytest.approx(0.97270, abs=1e-5)
    assert means["ConfusionMatrix"] == [
        {"GroundTruthLabel": "CAP", "PredictedLabel": "CAP", "Value": pytest.approx(388 / 390)},
        {"GroundTruthLabel": "CAP", "PredictedLabel": "WATCH", "Value": pytest.approx(2 / 390)},
        {"GroundTruthLabel": "WATCH", "PredictedLabel": "CAP", "Value": pytest.approx(70 / 234)},
        {"GroundTruthLabel": "WATCH", "PredictedLabel": "WATCH", "Value": pytest.approx(164 / 234)},
    ]
    assert content["LabelEvaluationResults"][0] == {
        "Label": "CAP",
        "NumberOfTestingImages": 390,
        "Metrics": {
            "Threshold": pytest.approx(0.98795, abs=1e-5),
            "Precision": pytest.approx(0.98196, abs=1e-5),
            "Recall": pytest.approx(0.97692, abs=1e-5),
            "F1Score": pytest.approx(0.97943, abs=1e-5),
        },
    }
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_summary_sorts_labels_by_f1_and_leaves_empty_cells_out() -> None:
    confidence = [[0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.7, 0.2, 0.1]]
    content = evaluation_summary(evaluate(*tables([0, 1, 0, 1], confidence, "abc"), thresholds=0.6))
    f1 = [entry["Metrics"]["F1Score"] for entry in content["LabelEvaluationResults"]]
    assert f1 == sorted(f1, reverse=True)
    assert [entry["Label"] for entry in content["LabelEvaluationResults"]][-1] in {"a", "c"}
    cells = content["AggregatedEvaluationResults"]["ConfusionMatrix"]
    assert len(cells) == 4
    assert all(cell["Value"] > 0 for cell in cells)


def test_dates_are_written_in_utc() -> None:
    moment = datetime(2020, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    found = evaluate(*random_tables(5, ["a", "b"]))
    details = evaluation_summary(found, ended=moment)["EvaluationDetails"]
    assert details["EvaluationEndTimestamp"] == "2019-12-31T23:00:00.000000"
    now = datetime.fromisoformat(evaluation_summary(found)["EvaluationDetails"]["EvaluationEndTimestamp"])
    assert abs(datetime.now(UTC).replace(tzinfo=None) - now) < timedelta(minutes=1)


def test_snapshot_lines_are_manifest_lines(published: Evaluation) -> None:
    lines = list(evaluation_snapshot(published, created=ENDED))
    assert len(lines) == 624
    line = json.loads(lines[385])  # one of the seven caps that are below the threshold of CAP
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
        f"{EVALUATION}-details": {
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


def test_snapshot_counts_again_what_the_table_says() -> None:
    truth, predictions = random_tables(60, ["a", "b", "c"])
    found = evaluate(truth, predictions, images=[*truth["image"], "nothing on it.jpg"])
    rows = []
    for text in evaluation_snapshot(found):
        line = json.loads(text)
        for name, metadata in line.items():
            if name.startswith(EVALUATION) and name.endswith("-metadata"):
                details = metadata[f"{EVALUATION}-details"]
                results = [key for key, value in details.items() if key.startswith(("is-true", "is-false")) and value]
                assert len(results) == 1
                rows.append((metadata["class-name"], results[0], metadata["confidence"], details))
    table = pd.DataFrame(rows, columns=["label", "result", "confidence", "details"])
    assert len(table) == 61 * 3  # every label of every image
    counts = table.groupby(["label", "result"]).size().unstack(fill_value=0)
    for result, column in (("is-true-positive", "tp"), ("is-false-positive", "fp"), ("is-false-negative", "fn")):
        assert counts[result].tolist() == found.per_label[column].tolist()
    present = table["details"].map(lambda details: details["is-present-in-ground-truth"])
    assert present.groupby(table["label"]).sum().tolist() == found.per_label["test_images"].tolist()
    assert present.equals(table["result"].isin(["is-true-positive", "is-false-negative"]))


def test_hostile_names_survive_in_json() -> None:
    truth, predictions = random_tables(40, HOSTILE)
    odd = "folder\udcff\n/\u2028.jpg"
    truth["image"] = truth["image"].replace("image 0.jpg", odd)
    predictions["image"] = predictions["image"].replace("image 0.jpg", odd)
    lines = list(evaluation_snapshot(evaluate(truth, predictions)))
    assert all(len(line.splitlines()) == 1 for line in lines)
    assert json.loads(lines[0].encode("utf-8"))["source-ref"] == odd
    names = {json.loads(line)[f"{TRAINING}-0-metadata"]["class-name"] for line in lines}
    assert names <= set(HOSTILE)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("fruit", "fruit.2026-11-20T10.15.00"), "EvaluationResultSummary-fruit-fruit.2026-11-20T10.15.00.json"),
        (("../../etc/passwd",), "EvaluationResultSummary-etc-passwd.json"),
        (("..",), "EvaluationResultSummary.json"),
        (("äpfel: \0",), "EvaluationResultSummary-pfel.json"),
    ],
)
def test_file_names_lead_nowhere_else(parts: tuple[str, ...], name: str) -> None:
    assert summary_file_name(*parts) == name
