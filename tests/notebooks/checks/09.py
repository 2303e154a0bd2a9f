"""Checks of notebook 09: each term of the service has a call here, with results in the service's format."""

import json
import re

import pytest

import customlabels_nb as cl
from tests.notebooks.running import html_of, tagged, text_of

_ROWS = 40  # minimum number of table rows that map terms to calls


def after_photos(ns):
    assert len(ns["manifest"].read_text().splitlines()) == 20, "one line per photo"
    assert len(ns["rooms"].detect) == 2, "two held-out photos"


def after_datasets(ns):
    project = ns["project"]
    assert project.task == "single-label"
    table = project.datasets.set_index("split")
    assert table["total_entries"].to_dict() == {"train": 30, "test": 30}, "60 photos, half of them for testing"
    assert table["labelled_entries"].to_dict() == {"train": 30, "test": 30}
    assert table["total_labels"].to_dict() == {"train": 10, "test": 10}


def after_labels(ns):
    counts = ns["project"].train_set.label_counts
    assert counts.to_dict() == dict.fromkeys(ns["rooms"].labels, 3), "each label in both splits"


def after_entries(ns):
    entries = list(ns["project"].train_set.validate().entries())
    assert len(entries) == 30, "one entry per photo"
    assert all(entry["cl-metadata"] == {"is_labeled": True} for entry in entries)
    metadata = entries[0]["backyard-metadata"]
    keys = {"confidence", "job-name", "class-name", "human-annotated", "creation-date", "type"}
    assert metadata.keys() == keys, "in the service's format"
    assert metadata["type"] == "groundtruth/image-classification"


def after_updated(ns):
    updated, project = ns["updated"], ns["project"]
    assert [updated.updated, updated.added] == [1, 0], "one photo and no other"
    assert project.history["what"].tolist()[:2] == ["undo update entries", "update entries"]
    assert project.train_set.label_counts["backyard"] == 3, "undone"


def after_checked(ns):
    statistics = ns["checked"].summary["statistics"]["training"]
    keys = ["use_case", "total_json_lines", "valid_json_lines", "invalid_json_lines", "ignored_json_lines",
            "error_json_line_indices", "errors"]  # fmt: skip
    assert list(statistics) == keys, "in the service's format"
    assert statistics["use_case"] == "IMAGE_LEVEL_LABELS"
    assert [statistics[key] for key in keys[1:6]] == [20, 18, 2, 0, [4, 8]]
    written = ns["folder"] / "checked"
    assert json.loads((written / "manifest_summary.json").read_text()) == ns["checked"].summary
    lines = (written / "training_manifest_with_validation.json").read_text().splitlines()
    assert [at for at, line in enumerate(lines, 1) if "errors" in json.loads(line)] == [4, 8]


def after_codes(ns):
    assert ns["checked"].lines["code"].tolist() == ["ERROR_INVALID_JSON_LINE", "ERROR_INVALID_IMAGE"]


def after_trained(ns):
    model, versions = ns["model"], ns["project"].versions
    assert model.status == "TRAINING_COMPLETED"
    assert versions["name"].tolist() == ["v1"]
    assert versions["message"].tolist() == ["The model is ready to run."]
    assert versions["tags"].tolist() == [{"team": "estate"}]
    assert versions["description"].tolist() == ["Rooms of flats and houses"]


def after_report(ns):
    table = ns["report"].per_label
    assert table["label"].tolist() == list(ns["rooms"].labels)
    assert (table["test_images"] == 3).all(), "three photos of each room"
    assert table["f1"].mean() > 0.7, "good, possibly not perfect"
    assert table["threshold"].between(0, 1).all(), "0 to 1"


def after_files(ns):
    content = ns["content"]
    assert list(content) == [
        "Version", "EvaluationDetails", "AggregatedEvaluationResults", "LabelEvaluationResults",
    ]  # fmt: skip
    assert content["EvaluationDetails"].keys() == {
        "ProjectVersionArn", "EvaluationEndTimestamp", "Labels", "NumberOfTrainingImages", "NumberOfTestingImages",
    }  # fmt: skip
    assert content["AggregatedEvaluationResults"].keys() == {"Precision", "Recall", "F1Score", "ConfusionMatrix"}
    for each in content["LabelEvaluationResults"]:
        assert each["Metrics"].keys() == {"Threshold", "Precision", "Recall", "F1Score"}
    assert {path.name for path in ns["files"]} == {path.name for path in (ns["folder"] / "evaluation").iterdir()}


def after_read(ns):
    assert {"f1", "precision", "recall"} <= set(ns["summary"].summary["figure"]), "the service's format"
    figures = ns["report"].summary.set_index("figure")["value"]
    for name, value in ns["summary"].summary.set_index("figure")["value"].items():
        assert abs(figures[name] - value) < 1e-9, f"{name} equals the report's"
        assert abs(ns["again"].summary.set_index("figure")["value"][name] - value) < 1e-6, f"{name} is reproduced"
    assert len(ns["images"]) == 30, "all test photos"
    assert set(ns["truth"]["label"]) == set(ns["rooms"].labels)
    assert len(ns["predictions"]) == 300, "every label's confidence, accepted or not"


def after_copied(ns):
    copy, model = ns["copy"], ns["model"]
    assert copy.status == "COPYING_COMPLETED"
    assert copy.thresholds == model.thresholds
    assert ns["other"].versions["name"].tolist() == ["rooms-1"]


def after_detected(ns):
    assert ns["model"].status == "RUNNING"
    table = ns["model"].detect(ns["rooms"].detect[0], threshold=0).table
    assert len(table) == 10, "0 gives all labels"


def after_response(ns):
    response = ns["found"].response
    assert list(response) == ["CustomLabels"]
    assert 1 <= len(response["CustomLabels"]) <= 2, "at most two were asked for"
    for entry in response["CustomLabels"]:
        assert list(entry) == ["Name", "Confidence"], "a classifier predicts no position"
        assert 5 <= entry["Confidence"] <= 100, "percent"
    confidences = [entry["Confidence"] for entry in response["CustomLabels"]]
    assert confidences == sorted(confidences, reverse=True), "from high to low"
    assert abs(confidences[0] / 100 - ns["found"].table["confidence"][0]) < 1e-9, (
        "the table has confidences from 0 to 1"
    )


def after_many(ns):
    assert [ns["written"].images, len(ns["written"].errors)] == [30, 0], "all test photos"
    lines = [json.loads(line) for line in (ns["folder"] / "found.jsonl").read_text().splitlines()]
    assert sorted(line["image"] for line in lines) == sorted(ns["project"].test_set.images["image"])
    table = ns["written"].table()
    assert len(table) == sum(len(line["CustomLabels"]) for line in lines)
    assert table["confidence"].between(0, 1).all(), "0 to 1"


def after_detector(ns):
    assert ns["detector"].record.kind == "detection", "boxes give a detector"
    assert [len(ns["board_project"].train_set), len(ns["board_project"].test_set)] == [12, 4]


def after_geometry(ns):
    (entry,) = ns["response"]["CustomLabels"]
    assert list(entry) == ["Name", "Confidence", "Geometry"]
    box = entry["Geometry"]["BoundingBox"]
    assert list(box) == ["Width", "Height", "Left", "Top"]
    assert all(0 <= share <= 1 for share in box.values()), "relative to the image"
    assert 0 <= entry["Confidence"] <= 100, "percent"
    assert ns["detector"].status == "STOPPED"


def after_served(ns):
    assert ns["server"].poll() is None, "the server is running"
    assert ns["variables"]["AWS_ENDPOINT_URL_REKOGNITION"].startswith("http://127.0.0.1:")


def after_bucket(ns):
    lines = (ns["bucket"] / "rooms.manifest").read_text().splitlines()
    assert len(lines) == 60, "all photos"
    assert all(json.loads(line)["source-ref"].startswith("s3://photos/t") for line in lines)


def after_program(ns):
    assert "endpoint" not in ns["In"][-1], "the environment names it"
    trained = ns["trained"]
    assert trained["Status"] == "TRAINING_COMPLETED"
    assert trained["EvaluationResult"]["F1Score"] > 0.6
    summary = cl.read_evaluation_summary(ns["folder"] / "results" / ns["result"]["Summary"]["S3Object"]["Name"])
    assert abs(summary.summary.set_index("figure")["value"]["f1"] - ns["result"]["F1Score"]) < 1e-6
    described = [ns["client"].describe_dataset(DatasetArn=ns[name])["DatasetDescription"] for name in ("train", "test")]
    assert [one["DatasetStats"]["TotalEntries"] for one in described] == [50, 10]
    (found,) = ns["answer"]["CustomLabels"]
    assert set(found) == {"Name", "Confidence"}
    assert found["Name"] in ns["rooms"].labels


def after_same(ns):
    assert ns["same"]["status"].tolist() == ["RUNNING"]
    served = cl.load_project("flats", ns["folder"] / "served")
    assert [len(served.train_set), len(served.test_set)] == [50, 10]
    assert abs(served.model("v1").evaluate().metric("f1") - ns["result"]["F1Score"]) < 1e-6
    served.close()


def after_rest(ns):
    assert ns["client"].describe_projects()["ProjectDescriptions"] == []
    assert not (ns["folder"] / "served" / "flats").exists()
    assert (ns["folder"] / "results" / "flats" / "EvaluationResultSummary-agency-flats-1.json").is_file(), "of the copy"
    assert len(list(ns["bucket"].rglob("*.jpg"))) == 62, "photos are never deleted"


def after_stopped(ns):
    assert ns["server"].returncode is not None


def after_tags(ns):
    project = ns["project"]
    assert "attic" not in project.labels, "added and removed"
    assert project.history["what"].tolist()[:3] == ["remove label", "import", "add label"]
    assert len(project.train_set) == 31
    assert project.train_set.label_counts[ns["label"]] == 4, "its photo has the label"


def after_published(ns):
    assert ns["live"].name == "v2"
    assert ns["project"].model("rooms-live").name == "v2"
    assert set(ns["at_half"].per_label["threshold"]) == {0.5}, "one threshold for all"
    assert ns["live"].record.config is not None


def after_quick_test(ns):
    quick = ns["quick"]
    assert quick.model == "v2"
    expected = ns["live"].detect(ns["rooms"].detect[1]).table
    assert quick.table["label"].tolist() == expected["label"].tolist(), "the same as detect"


def after_exported(ns):
    exported = ns["exported"]
    assert exported.difference < 1e-4, "as in the model"
    assert {path.name for path in exported.folder.iterdir()} >= {"model.onnx", "detect.py"}
    best = ns["live"].detect(ns["rooms"].detect[1], threshold=0).table["label"].iloc[0]
    assert best in ns["run"].stdout, "the program's detections equal the model's"


def after_labelling(ns):
    project, predicted = ns["project"], ns["predicted"]
    assert "floor of stone" in project.instructions
    kept = project.history.iloc[0]
    assert kept["what"] == "add predictions"
    assert kept["count"] == len(predicted) > 0, "all of them"
    assert set(predicted["image"]) <= set(project.train_set.images["image"])
    assert ns["review"].progress["left"] == 31, "no image was reviewed"


def after_dashboard(ns):
    assert type(ns["tagging"]).__name__ == "Gallery"
    assert type(ns["drawing"]).__name__ == "Annotator"
    assert len(ns["tagging"].selected) == 2
    figures = ns["dashboard"].figures
    assert figures.labels["train"].sum() == 31
    assert figures.labels["test"].sum() == 30


def after_coco(ns):
    coco = json.loads((ns["folder"] / "rooms.json").read_text())
    assert len(coco["images"]) == len(coco["annotations"]) == 31
    assert "bbox" not in coco["annotations"][0], "labels of whole photos have no box"


def after_ground_truth(ns):
    job = ns["job"]
    assert job.issues.empty
    assert job.images["status"].tolist() == ["unlabelled", "labelled"]
    assert job.annotations["label"].tolist() == ["grass", "fence"]
    assert job.annotations["confidence"].tolist() == [0.95, 0.6]
    assert set(job.annotations["job"]) == {"labeling-job/rooms"}
    assert set(job.annotations["created"].astype(str)) == {"2024-05-01 10:00:00+00:00"}


def after_refused(ns):
    model, photo = ns["model"], ns["rooms"].detect[0]
    highest = model.detect(photo, threshold=0).table
    exactly = float(highest["confidence"][0])
    again = model.detect(photo, threshold=exactly).table
    assert again["label"].tolist() == highest["label"].tolist()[:1], "a confidence equal to the threshold is accepted"


def after_honest(ns):
    for each in (ns["report"], ns["unbiased"]):
        row = each.summary.set_index("figure").loc["f1"]
        assert row["low"] <= row["value"] <= row["high"], "an interval around the metric"
        assert row["low"] < row["high"], "a small test set is uncertain"
    f1 = [each.summary.set_index("figure")["value"]["f1"] for each in (ns["report"], ns["unbiased"])]
    assert f1[1] <= f1[0], "the optimism of the chosen thresholds"


def after_figures(ns):
    figures = ns["report"].summary["figure"].tolist()
    assert figures[-1] == "labels", "all of them"
    assert {"precision", "mean_average_precision"} <= set(figures), "two metrics, two names"


def after_limits(ns):
    report = ns["tiny"].validate(profile="rekognition")
    assert report.profile == "rekognition"
    assert not report.ok
    assert report.lines["code"].tolist() == ["ERROR_INVALID_IMAGE"] * 10, "each is too small for the service"
    assert ns["tiny"].validate(profile="local").ok, "accepted here"


def after_history(ns):
    history = ns["project"].history
    assert {"import", "undo update entries", "finish training", "publish version"} <= set(history["what"])


def at_end(ns):
    statuses = cl.load_project(ns["folder"] / "rooms").versions["status"]
    assert statuses.tolist() == ["STOPPED", "STOPPED"], "nothing is running any more"
    table = cl.list_projects(ns["folder"])
    assert table["name"].tolist() == ["rooms"], "the others are deleted"
    assert not (ns["folder"] / "boards").exists()
    assert list((ns["folder"] / "boards-photos").rglob("*.jpg")), "photos are never deleted"
    assert list((ns["folder"] / "rooms-photos").rglob("*.jpg")), "photos are never deleted"
    with pytest.raises(cl.CustomLabelsError, match="closed"):
        ns["project"].train_set  # noqa: B018
    again = cl.load_project(ns["folder"] / "rooms")
    assert again.delete_dataset("test", confirm=True) == 30, "the number of photos"
    assert again.datasets["split"].tolist() == ["train"]
    patios = again.train_set.label_counts["patio"]
    assert again.labels.remove("patio", with_annotations=True) == patios > 0, "the number of images with the label"
    again.model("v1").delete(confirm=True)
    assert again.versions["name"].tolist() == ["v2"]
    again.close()


def outputs(notebook):
    """Check the visible outputs, and that the call of each row is made."""
    assert "<img" in html_of(tagged(notebook, "detected")), "the photo is shown"
    said = {
        "datasets": ["40 images added to train", "30 training images, 30 test images", "UPDATE_COMPLETE"],
        "labels": ["backyard", "patio"],
        "entries": ['"cl-metadata"', '"is_labeled": true'],
        "updated": ["1 image updated", "Undone: 1 image."],
        "checked": ["training_manifest_with_validation.json", '"use_case": "IMAGE_LEVEL_LABELS"'],
        "codes": ["The JSON Line has an invalid format."],
        "trained": ["TRAINING_COMPLETED", "Rooms of flats and houses", "estate"],
        "files": ["EvaluationResultSummary-rooms-v1.json", "confusion_matrix.csv", '"F1Score"'],
        "copied": ["rooms-1"],
        "many": ["30 photos, 0 can't be read"],
        "geometry": ['"BoundingBox"'],
        "served": ["export AWS_ENDPOINT_URL_REKOGNITION=http://127.0.0.1:"],
        "bucket": ["60 photos"],
        "program": ["train UPDATE_COMPLETE 50", "TRAINING_COMPLETED F1", "'Confidence'"],
        "same": ["RUNNING"],
        "rest": ["['agency']", "DELETING", "[]"],
        "tags": ["1 image added to train", "attic", "False"],
        "exported": ["model.onnx"],
        "labelling": ["0 images added", "predictions added", "31 photos to review"],
        "dashboard": ["2 photos are selected"],
        "coco": ["True"],
        "ground_truth": ["['unlabelled', 'labelled']", "grass"],
        "refused": ["threshold=50", "percent"],
        "honest": ["cross-validated"],
        "limits": ["local: 0 of 10", "rekognition: 10 of 10", "60 × 60 pixels"],
        "history": ["publish version", "you"],
        "deleted": ["rooms"],
    }
    for tag, words in said.items():
        text = text_of(tagged(notebook, tag))
        for word in words:
            assert word in text, f"the cell {tag} does not contain {word!r}:\n{text}"
    _every_row_is_called(notebook)


def _every_row_is_called(notebook):
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    tables = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    rows = [line for text in tables for line in text.splitlines() if line.startswith("|")]
    calls = [call for row in rows for call in re.findall(r"`([^`]+)`", row.split("|")[-2])]
    code += text_of(tagged(notebook, "figures"))  # metrics are named without being called
    assert len(calls) >= _ROWS, f"only {len(calls)} calls are named"
    for call in calls:
        names = re.findall(r"\.(\w+)", re.sub(r'"[^"]*"', "", call)) or re.findall(r"\w+", call)
        missing = [name for name in names if not re.search(rf"\b{name}\b", code)]
        assert not missing, f"the tables name {call}, but no cell calls {', '.join(missing)}"
