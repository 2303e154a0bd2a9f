"""Parse the lines of snapshots."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb.evaluation import Evaluation
from customlabels_nb.evaluation.evaluation_snapshots import evaluation_snapshot

ENDED = datetime(2019, 11, 21, 7, 30, 23, 910943, tzinfo=UTC)
TRAINING, EVALUATION = "rekognition-custom-labels-training", "rekognition-custom-labels-evaluation"
BOXED = ["image", "label", "left", "top", "width", "height"]
DETAILS = f"{EVALUATION}-details"
RESULTS = ("is-true-positive", "is-true-negative", "is-false-positive", "is-false-negative")


def lines_of(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in evaluation_snapshot(evaluation, created=ENDED)]


def written(path: Path, evaluation: Evaluation) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in evaluation_snapshot(evaluation, created=ENDED)))
    return path


def entries(line: dict[str, Any]) -> list[tuple[str, float, dict[str, Any]]]:
    """Return label, confidence and details of each prediction in a line of either task."""
    found = []
    for name, facts in line.items():
        if not name.startswith(EVALUATION) or not name.endswith("-metadata"):
            continue
        if "objects" not in facts:
            found.append((facts["class-name"], facts["confidence"], facts[DETAILS]))
            continue
        boxes = line[name.removesuffix("-metadata")]["annotations"]
        assert len(boxes) == len(facts["objects"])
        for box, one in zip(boxes, facts["objects"], strict=True):
            found.append((facts["class-map"][str(box["class_id"])], one["confidence"], one[DETAILS]))
    return found


def counted(lines: list[dict[str, Any]], labels: list[str]) -> pd.DataFrame:
    """Count the details of the lines by label, with the columns of per_label."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in lines:
        for label, _, details in entries(line):
            assert [details[result] for result in RESULTS].count(True) == 1
            assert details["is-present-in-ground-truth"] == (
                details["is-true-positive"] or details["is-false-negative"]
            )
            counts.update((label, result) for result in RESULTS if details[result])
    short = {"tp": "is-true-positive", "fp": "is-false-positive", "fn": "is-false-negative"}
    return pd.DataFrame({c: [counts[label, result] for label in labels] for c, result in short.items()})


def assert_counts_agree(evaluation: Evaluation) -> None:
    table = counted(lines_of(evaluation), list(evaluation.outcomes.labels))
    pd.testing.assert_frame_equal(table, evaluation.per_label[["tp", "fp", "fn"]], check_dtype=False)
