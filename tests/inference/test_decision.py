"""Tests of the decision: the same answers from Python, evaluations and exported programs, stored with the model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import ArtifactError, InputError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.detection import detect
from customlabels_nb.inference.exporting import detect as program
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.thresholds import choose
from customlabels_nb.models.artifact import load_config, model_identity, update_config
from tests.inference.configs import CONFIG

#: The page of the results screen is tested with the same cases.
CASES = json.loads((Path(__file__).parents[1] / "decision_cases.json").read_text("utf-8"))


@pytest.fixture(params=CASES, ids=lambda case: f"{case['confidences']} {case['thresholds'] or ''}")
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_model_answers_as_the_cases_say(case: Any) -> None:
    confidences = np.array(case["confidences"])
    thresholds = None if case["thresholds"] is None else np.array(case["thresholds"])
    assert choose(np.arange(len(confidences)), confidences, thresholds).tolist() == case["answers"]


def test_an_evaluation_counts_as_the_cases_say(case: Any) -> None:
    labels = [f"label {number}" for number in range(len(case["confidences"]))]
    rows = pd.DataFrame({"image": "a.jpg", "label": labels, "confidence": case["confidences"]})
    thresholds = "most confident" if case["thresholds"] is None else dict(zip(labels, case["thresholds"], strict=True))
    found = evaluate(rows.head(1), rows, labels=labels, thresholds=thresholds, task="single-label")
    answers = found.per_image.query("result != 'false negative'")["label"].tolist()
    assert [labels.index(name) for name in answers] == case["answers"]
    counted = found.confusion_matrix.to_frame().iloc[0]
    expected = "(no answer)" if case["counted"] is None else labels[case["counted"]]
    assert counted[counted == 1].index.tolist() == [expected]


def test_an_exported_program_answers_as_the_cases_say(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = program.ExportedModel.__new__(program.ExportedModel)
    model.labels = [f"label {number}" for number in range(len(case["confidences"]))]
    thresholds = dict(zip(model.labels, case["thresholds"] or [0.9] * len(model.labels), strict=True))
    decision = "most confident" if case["thresholds"] is None else "assumed"
    model.facts = {
        "boxes": None,
        "task": "single-label",
        "input_size": 8,
        "thresholds": thresholds,
        "decision": decision,
    }
    model.run = lambda _: [np.array([case["confidences"]])]
    monkeypatch.setattr(program, "normalised", lambda pixels, _: pixels)
    monkeypatch.setattr(program, "confidences", lambda outputs, _: outputs)
    found = model.detect(Image.new("RGB", (8, 8)))
    assert [model.labels.index(row["label"]) for row in found] == case["answers"]


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the classifier, which a test may change."""
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def test_a_config_without_a_decision_has_thresholds(folder: Path) -> None:
    assert "decision" not in json.loads((folder / "config.json").read_text())
    config = load_config(folder)
    assert config.decision == "assumed"
    identity = model_identity(folder, config)
    update_config(folder, replace(config, decision="most confident"))
    assert json.loads((folder / "config.json").read_text())["decision"] == "most confident"
    assert model_identity(folder, load_config(folder)) == identity


@pytest.mark.parametrize("wrong", ["best", "", None, 0.5, ["assumed"]])
def test_other_decisions_in_a_config_are_refused(folder: Path, wrong: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "decision": wrong}))
    with pytest.raises(ArtifactError, match="decision="):
        load_config(folder)


def test_most_confident_is_for_one_label_per_image() -> None:
    for task in ("multi-label", "boxes"):
        with pytest.raises(InputError, match=f"decision='most confident' is for models of one label per image.*{task}"):
            replace(CONFIG, task=task, decision="most confident")


def test_the_stored_decision_and_arguments_choose_the_answers(folder: Path, blots: dict[str, list[str]]) -> None:
    predictor = Predictor(folder)
    predictor.start("cpu")
    photo = blots["green"][0]

    def answers(threshold: Any = None) -> list[str]:
        found: list[str] = detect(predictor, photo, threshold=threshold).table["label"].tolist()
        many = detect_many(predictor, [photo], threshold=threshold)
        assert many["label"].tolist() == found
        return found

    confidences = detect(predictor, photo, threshold=0).table.set_index("label")["confidence"]
    assert confidences.index[0] == "green"
    # thresholds by which a clear image is answered with an unlikely label
    thresholds = {"red": confidences["red"] / 2, "green": (1 + confidences["green"]) / 2, "blue": 1.0}
    update_config(folder, replace(load_config(folder), thresholds=thresholds))
    assert answers() == answers("assumed") == ["red"]
    update_config(folder, replace(load_config(folder), decision="most confident"))
    assert answers() == answers("most confident") == ["green"], "while the model runs"
    assert answers("assumed") == answers({}) == ["red"]
    assert answers(0) == confidences.index.tolist()
    assert detect_many(predictor, [photo]).attrs["decision"] == "most confident"
    assert detect_many(predictor, [photo], threshold="assumed").attrs["decision"] == thresholds
    predictor.stop()


def test_a_run_is_not_resumed_with_another_decision(folder: Path, blots: dict[str, list[str]], tmp_path: Path) -> None:
    predictor, to = Predictor(folder), tmp_path / "found.jsonl"
    predictor.start("cpu")
    update_config(folder, replace(load_config(folder), decision="most confident"))
    detect_many(predictor, blots["green"][:2], to=to)
    detect_many(predictor, blots["green"][:3], to=to, resume=True)
    update_config(folder, replace(load_config(folder), decision="assumed"))
    with pytest.raises(InputError, match="threshold='most confident'"):
        detect_many(predictor, blots["green"], to=to, resume=True)
    predictor.stop()
