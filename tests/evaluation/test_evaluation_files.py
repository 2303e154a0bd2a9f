from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.summary import evaluation_summary, summary_bytes, summary_file_name
from tests.evaluation.cases import HOSTILE, caps_and_watches, random_tables, tables
from tests.evaluation.scenes import scene

ENDED = datetime(2019, 11, 21, 7, 30, 23, 910943, tzinfo=UTC)


@pytest.fixture(scope="module")
def published() -> Evaluation:
    return evaluate(*caps_and_watches(), thresholds="assumed")


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


def test_summary_is_by_thresholds_whatever_the_decision(published: Evaluation) -> None:
    most = evaluate(*caps_and_watches(), thresholds="most confident")
    assert most.metric("f1") != published.metric("f1")
    assert evaluation_summary(most, ended=ENDED) == evaluation_summary(published, ended=ENDED)
    given = evaluate(*caps_and_watches(), thresholds=0.5)  # those that a person set stay
    assert {entry["Metrics"]["Threshold"] for entry in evaluation_summary(given)["LabelEvaluationResults"]} == {0.5}


def test_summary_of_a_detector() -> None:
    found = evaluate(*scene(30, ["cat", "dog", "bird"]))
    means = evaluation_summary(found)["AggregatedEvaluationResults"]
    assert set(means) == {"Precision", "Recall", "F1Score", "AveragePrecision", "AverageRecall"}
    assert means["AveragePrecision"] == found.metric("mean_average_precision")
    assert means["AverageRecall"] == found.metric("mean_average_recall")
    assert 0.3 < means["AveragePrecision"] < means["AverageRecall"] <= 1


def test_dates_are_written_in_utc() -> None:
    moment = datetime(2020, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    found = evaluate(*random_tables(5, ["a", "b"]))
    details = evaluation_summary(found, ended=moment)["EvaluationDetails"]
    assert details["EvaluationEndTimestamp"] == "2019-12-31T23:00:00.000000"
    now = datetime.fromisoformat(evaluation_summary(found)["EvaluationDetails"]["EvaluationEndTimestamp"])
    assert abs(datetime.now(UTC).replace(tzinfo=None) - now) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("fruit", "fruit.2026-11-20T10.15.00"), "EvaluationResultSummary-fruit-fruit.2026-11-20T10.15.00.json"),
        (("../../etc/passwd",), "EvaluationResultSummary-etc-passwd.json"),
        (("..",), "EvaluationResultSummary.json"),
        (("äpfel: \0",), "EvaluationResultSummary-pfel.json"),
    ],
)
def test_file_names_stay_in_the_folder(parts: tuple[str, ...], name: str) -> None:
    assert summary_file_name(*parts) == name


# -- reading --------------------------------------------------------------------------------------------
def kept(folder: Path, content: Any, name: str = "EvaluationResultSummary-fruit-1.json") -> Path:
    (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder / name


@pytest.mark.parametrize("case", [random_tables(40, HOSTILE), scene(30, HOSTILE)])
def test_a_summary_is_read_back(tmp_path: Path, case: Any) -> None:
    found = evaluate(*case, thresholds="assumed")
    content = evaluation_summary(found, project_version_arn="arn:1", ended=ENDED, training_images=7)
    path = kept(tmp_path, summary_bytes(content))
    for place in (path, str(path), tmp_path):
        again = cl.read_evaluation_summary(place)
        assert (again.project_version_arn, again.ended) == ("arn:1", ENDED)
        assert (again.training_images, again.test_images) == (7, len(found.outcomes.images))
        assert again.labels == found.outcomes.labels
    values = found.summary.set_index("metric")["value"]
    assert again.summary.set_index("metric")["value"].to_dict() == values[again.summary["metric"]].to_dict()
    assert ("mean_average_precision" in set(again.summary["metric"])) == (found.task == "boxes")
    columns = list(again.per_label.columns)
    expected = found.per_label.sort_values("f1", ascending=False, kind="stable")[columns]
    assert again.per_label.to_numpy().tolist() == expected.to_numpy().tolist()
    if found.task == "boxes":
        assert again.confusion_matrix is None
    else:
        assert again.confusion_matrix is not None
        assert again.confusion_matrix.equals(evaluate(*case).confusion_matrix.to_frame("truth"))
    assert "arn:1: 9 labels, f1 0." in repr(again)
    assert "\n" + HOSTILE[7] not in repr(again)


def test_the_other_forms_of_the_service_are_read(tmp_path: Path, published: Evaluation) -> None:
    content = evaluation_summary(published, ended=ENDED)
    means = content["AggregatedEvaluationResults"]
    content["AggregatedEvaluationResults"] = {"ConfusionMatrix": means.pop("ConfusionMatrix"), "Metrics": means}
    del content["EvaluationDetails"]["Labels"], content["EvaluationDetails"]["NumberOfTrainingImages"]
    again = cl.read_evaluation_summary(kept(tmp_path, content, "EvaluationSummary-project-1.json").parent)
    assert again.summary["value"].tolist() == [published.metric(name) for name in ("f1", "precision", "recall")]
    assert again.labels == ("CAP", "WATCH")
    assert again.training_images is None
    assert again.confusion_matrix is not None
    assert again.confusion_matrix.loc["CAP", "WATCH"] == pytest.approx(2 / 390)


def change(content: dict[str, Any], *way: Any, to: Any) -> dict[str, Any]:
    """Return a copy of the content with the value at a path replaced."""
    result = json.loads(json.dumps(content))
    part = result
    for key in way[:-1]:
        part = part[key]
    if to is KeyError:
        del part[way[-1]]
    else:
        part[way[-1]] = to
    return result


AGGREGATED, DETAILS, PER_LABEL = "AggregatedEvaluationResults", "EvaluationDetails", "LabelEvaluationResults"


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (lambda content: b"", "not JSON"),
        (lambda content: b"\xff\xfe{", "not JSON"),
        (lambda content: b"[" * 100_000, "not JSON"),
        (lambda content: json.dumps(content).replace("0.97", "NaN").encode(), "not JSON"),
        (lambda content: [content], "it is not an object"),
        (lambda content: {"images": []}, "EvaluationDetails is missing"),
        (lambda content: change(content, AGGREGATED, to=KeyError), "AggregatedEvaluationResults is missing"),
        (lambda content: change(content, AGGREGATED, "F1Score", to="high"), "F1Score is 'high', not a number"),
        (lambda content: change(content, AGGREGATED, "Recall", to=KeyError), "has no Recall"),
        (lambda content: change(content, AGGREGATED, "Metrics", to=[]), "Metrics is not an object"),
        (
            lambda content: change(content, AGGREGATED, "ConfusionMatrix", 0, to=1),
            r"ConfusionMatrix\[0\] is not an object",
        ),
        (lambda content: change(content, AGGREGATED, "ConfusionMatrix", 0, "Value", to=True), "Value is True"),
        (
            lambda content: change(content, AGGREGATED, "ConfusionMatrix", 0, "PredictedLabel", to="?"),
            "EvaluationDetails.Labels",
        ),
        (lambda content: change(content, DETAILS, "Labels", to="CAP"), "Labels is not a list"),
        (lambda content: change(content, DETAILS, "Labels", 0, to=None), "None is not a label"),
        (lambda content: change(content, DETAILS, "EvaluationEndTimestamp", to="soon"), "not a date"),
        (lambda content: change(content, DETAILS, "NumberOfTestingImages", to=-1), "not a number of images"),
        (lambda content: change(content, PER_LABEL, to={}), "LabelEvaluationResults is not a list"),
        (lambda content: change(content, PER_LABEL, 1, "Metrics", to=KeyError), r"\[1\].Metrics is missing"),
        (lambda content: change(content, PER_LABEL, 0, "Metrics", "Threshold", to=None), "Threshold is None"),
    ],
)
def test_invalid_summary_is_refused(
    tmp_path: Path, published: Evaluation, changed: Callable[[Any], Any], match: str
) -> None:
    path = kept(tmp_path, changed(evaluation_summary(published, ended=ENDED)))
    with pytest.raises(InputError, match=match) as caught:
        cl.read_evaluation_summary(path)
    assert str(path) in str(caught.value)


def test_missing_summary_is_named(tmp_path: Path, published: Evaluation) -> None:
    with pytest.raises(InputError, match=r"nothing\.json"):
        cl.read_evaluation_summary(tmp_path / "nothing.json")
    with pytest.raises(InputError, match="a folder with no EvaluationResultSummary"):
        cl.read_evaluation_summary(tmp_path)
    kept(tmp_path, evaluation_summary(published))
    kept(tmp_path, evaluation_summary(published), "EvaluationSummary-other.json")
    with pytest.raises(InputError, match="a folder with 2 evaluation summaries"):
        cl.read_evaluation_summary(tmp_path)
    with pytest.raises(InputError, match="is a URL"):
        cl.read_evaluation_summary("s3://bucket/EvaluationResultSummary.json")
