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
from customlabels_nb.evaluation.exploring.exploration import Exploration
from customlabels_nb.evaluation.exploring.filtering import Filter
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.detection import detect
from customlabels_nb.inference.exporting import detect as program
from customlabels_nb.inference.exporting.export import export
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.thresholds import choose
from customlabels_nb.models.artifact import ModelConfig, load_config, model_identity, update_config
from customlabels_nb.training.stored import own_decision
from tests.evaluation.test_exploration import ask_page
from tests.inference.configs import CONFIG
from tests.inference.conftest import COLORS
from tests.models.pictures import blot

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


CLOSE = 1e-4  # difference of confidences that an exported program may have


@pytest.mark.parametrize("count", [24, pytest.param(200, marks=pytest.mark.exhaustive)])
def test_everything_gives_the_same_answers(folder: Path, test_data: Path, tmp_path: Path, count: int) -> None:
    photos = [*save_blends(tmp_path / "blends", count), *map(str, sorted(test_data.rglob("*.jpg"))[: count // 4])]
    predictor = Predictor(folder)
    predictor.start("cpu")
    exported = program.ExportedModel(export(folder, "blots", "onnx", tmp_path / "onnx", pictures=[]).file)
    everything = detect_many(predictor, photos, threshold=0)
    of_image = everything.pivot(index="image", columns="label", values="confidence")
    top = np.sort(of_image.to_numpy(), axis=1)
    for decision in ("most confident", "assumed"):
        config = replace(load_config(folder), decision=decision, thresholds={"red": 0.3, "green": 0.8, "blue": 0.6})
        update_config(folder, config)
        exported.facts |= {"decision": decision, "thresholds": config.thresholds}
        answers = {name: rows["label"].tolist() for name, rows in detect_many(predictor, photos).groupby("image")}
        if decision == "most confident":
            assert all(len(answers[photo]) == 1 for photo in photos)
            near = top[:, -1] - top[:, -2] < CLOSE
        else:
            assert {len(answers.get(photo, [])) for photo in photos} >= {0, 1}
            near = np.abs(of_image - pd.Series(config.thresholds)).min(axis=1).to_numpy() < CLOSE
        clear = set(of_image.index[~near])
        assert len(clear) > 0.9 * len(photos)
        for photo in photos:
            expected = answers.get(photo, [])
            assert detect(predictor, photo).table["label"].tolist() == expected
            assert photo not in clear or [row["label"] for row in exported.detect(photo)] == expected
        assert counted_by_report_and_page(config, photos, everything, answers) == {
            photo: answers.get(photo, ["(no answer)"])[0] for photo in photos
        }
    predictor.stop()


def counted_by_report_and_page(
    config: ModelConfig, photos: list[str], predictions: pd.DataFrame, answers: dict[str, list[str]]
) -> dict[str, str]:
    """Return what the page of the results screen counts each image under, after comparing the report with answers."""
    truth = pd.DataFrame({"image": photos, "label": np.random.default_rng(0).choice(config.labels, len(photos))})
    found = evaluate(truth, predictions, labels=config.labels, thresholds=own_decision(config), task="single-label")
    accepted = found.per_image.query("result != 'false negative'")
    assert {name: rows["label"].tolist() for name, rows in accepted.groupby("image")} == answers
    exploration, matrix = Exploration(found), found.confusion_matrix
    cells = [(true, answer) for true in matrix.labels for answer in matrix.columns]
    pages = ask_page(exploration, [(exploration.position, Filter("all", pair=cell)) for cell in cells])
    chosen = [(cell[1], number) for cell, page in zip(cells, pages, strict=True) for number in page["chosen"]]
    return {exploration.names[number]: answer for answer, number in chosen}


def save_blends(folder: Path, count: int) -> list[str]:
    """Write pictures of discs in mixtures of the three colors, some of which the model cannot tell apart."""
    folder.mkdir()
    rng, paths = np.random.default_rng(0), [str(folder / f"{number}.png") for number in range(count)]
    for number, path in enumerate(paths):
        color = rng.dirichlet([0.6] * 3) @ np.array(list(COLORS.values()))
        blot(tuple(color.astype(int).tolist()), number).save(path)
    return paths
