from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.errors import InputError, ManifestError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.evaluation.evaluation_snapshots import evaluation_snapshot
from customlabels_nb.evaluation.snapshot_reading import read_evaluation_snapshot
from tests.evaluation.cases import random_tables
from tests.evaluation.scenes import scene
from tests.evaluation.snapshot_lines import (
    DETAILS,
    EVALUATION,
    TRAINING,
    assert_counts_agree,
    counted,
    lines_of,
    written,
)


@pytest.mark.parametrize("case", [random_tables(40, ["a", "b", "c"]), scene(25, ["cat", "dog"])])
def test_a_snapshot_can_be_evaluated_again(tmp_path: Path, case: Any) -> None:
    found = evaluate(*case)
    path = written(tmp_path / "first.manifest", found)
    thresholds = dict(zip(found.outcomes.labels, found.thresholds.tolist(), strict=True))
    again = evaluate(*read_evaluation_snapshot(path), thresholds=thresholds)
    pd.testing.assert_frame_equal(
        again.per_label[["label", "tp", "fp", "fn"]], found.per_label[["label", "tp", "fp", "fn"]]
    )
    assert written(tmp_path / "second.manifest", again).read_bytes() == path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    images=st.integers(3, 12),
    boxes=st.integers(1, 6),
    threshold=st.sampled_from([None, 0.0, 0.05, 0.3, 0.99]),
)
def test_any_scene_comes_back(tmp_path_factory: Any, seed: int, images: int, boxes: int, threshold: Any) -> None:
    found = evaluate(*scene(images, ["cat", "dog", "bird"], boxes=boxes, seed=seed), thresholds=threshold)
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
        (lambda line: line.replace(EVALUATION.encode(), b"something-else"), InputError, "holds no predictions"),
        (lambda line: line.replace(b'"confidence":0.', b'"confidence":7.'), InputError, "line 1"),
        (lambda line: line.replace(b'"no"', b'"no","type":"groundtruth/other"'), InputError, "line 1"),
    ],
)
def test_what_is_no_snapshot_is_refused(tmp_path: Path, change: Any, error: type[Exception], match: str) -> None:
    path = tmp_path / "x.manifest"
    lines = evaluation_snapshot(evaluate(*random_tables(3, ["a", "b"])))
    path.write_bytes(b"".join(change(line + b"\n") for line in lines))
    with pytest.raises(error, match=match):
        read_evaluation_snapshot(path)


def test_a_snapshot_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        read_evaluation_snapshot(tmp_path / "nothing.manifest")
    with pytest.raises(ManifestError):
        read_evaluation_snapshot(tmp_path)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), share=st.sampled_from([0.0, 0.3, 1.0]), thresholds=st.sampled_from([None, 0.0, 0.5]))
def test_any_labels_come_back(tmp_path_factory: Any, seed: int, share: float, thresholds: Any) -> None:
    rng = np.random.default_rng(seed)
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
        predictions = read_evaluation_snapshot(path).predictions
        assert len(predictions) == 8 * found.outcomes.known.sum()
        values = predictions.pivot(index="image", columns="label", values="confidence")
        at = list(found.outcomes.images), [label for label in found.outcomes.labels if label in values]
        assert (values.loc[at].to_numpy() == found.outcomes.confidence[:, found.outcomes.known]).all()
