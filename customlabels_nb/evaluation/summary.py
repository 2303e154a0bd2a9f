"""The files of an evaluation, in the hosted service's form: the result summary and the evaluation snapshot."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from customlabels_nb.evaluation.result import Evaluation

TRAINING = "rekognition-custom-labels-training"
EVALUATION = "rekognition-custom-labels-evaluation"
IMAGE_LEVEL_TYPE = "groundtruth/image-classification"


def evaluation_summary(
    evaluation: Evaluation,
    *,
    project_version_arn: str = "",
    ended: datetime | None = None,
    training_images: int = 0,
) -> dict[str, Any]:
    """The content of ``EvaluationResultSummary-<project>-<version>.json``.

    Parameters
    ----------
    evaluation : Evaluation
    project_version_arn : str
        Names the version.
    ended : datetime, optional
        When it was evaluated (naive: UTC); now by default.
    training_images : int
        Number of images that the version was trained on.
    """
    per_label = evaluation.per_label.sort_values("f1", ascending=False, kind="stable")
    return {
        "Version": 1,
        "EvaluationDetails": {
            "ProjectVersionArn": project_version_arn,
            "EvaluationEndTimestamp": _utc(ended).isoformat(timespec="microseconds"),
            "Labels": list(evaluation.scores.labels),
            "NumberOfTrainingImages": int(training_images),
            "NumberOfTestingImages": len(evaluation.scores.images),
        },
        "AggregatedEvaluationResults": {
            "Precision": evaluation.figure("precision"),
            "Recall": evaluation.figure("recall"),
            "F1Score": evaluation.figure("f1"),
            "ConfusionMatrix": _cells(evaluation),
        },
        "LabelEvaluationResults": [
            {
                "Label": row.label,
                "NumberOfTestingImages": int(row.test_images),
                "Metrics": {
                    "Threshold": float(row.threshold),
                    "Precision": float(row.precision),
                    "Recall": float(row.recall),
                    "F1Score": float(row.f1),
                },
            }
            for row in per_label.itertuples()
        ],
    }


def summary_file_name(*parts: str) -> str:
    """The summary's file name for a project and version: each part made safe, so that none leads elsewhere."""
    return "-".join(["EvaluationResultSummary", *_safe(parts)]) + ".json"


def snapshot_file_name(*parts: str) -> str:
    """The snapshot's file name for a project and version, made safe likewise."""
    return "-".join(["EvaluationSnapshot", *_safe(parts)]) + ".manifest"


def evaluation_snapshot(evaluation: Evaluation, *, created: datetime | None = None) -> Iterator[str]:
    """The lines (JSON, without line ends) of the snapshot manifest, one a test image.

    Each holds the image's labels as ``rekognition-custom-labels-training-<n>`` and the confidence of every
    label, above its threshold or not, as ``rekognition-custom-labels-evaluation-<n>``. Labels that the
    predictions don't know have no confidence and so no evaluation attribute.

    Parameters
    ----------
    evaluation : Evaluation
    created : datetime, optional
        The creation date written (naive: UTC); now by default.
    """
    scores = evaluation.scores
    date = _utc(created).isoformat(timespec="milliseconds")
    accepted = scores.accepted(evaluation.thresholds)
    known = np.flatnonzero(scores.known).tolist()
    for row, image in enumerate(scores.images):
        line: dict[str, Any] = {"source-ref": image}
        for n, column in enumerate(np.flatnonzero(scores.truth[row]).tolist()):
            line |= _attribute(f"{TRAINING}-{n}", f"{TRAINING}-job", scores.labels[column], 1, "yes", date)
        confidences, truths, hits = scores.confidence[row].tolist(), scores.truth[row].tolist(), accepted[row].tolist()
        for n, column in enumerate(known):
            name, label = f"{EVALUATION}-{n}", scores.labels[column]
            line |= _attribute(name, f"{EVALUATION}-job", label, confidences[column], "no", date)
            line[f"{name}-metadata"][f"{EVALUATION}-details"] = _details(truths[column], hits[column])
        yield json.dumps(line, separators=(",", ":"), allow_nan=False)


def _attribute(name: str, job: str, label: str, confidence: float, human: str, date: str) -> dict[str, Any]:
    return {
        name: 1,
        f"{name}-metadata": {
            "confidence": confidence,
            "job-name": job,
            "class-name": label,
            "human-annotated": human,
            "creation-date": date,
            "type": IMAGE_LEVEL_TYPE,
        },
    }


def _details(true: bool, accepted: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "is-true-positive": true and accepted,
        "is-true-negative": not true and not accepted,
        "is-false-positive": not true and accepted,
        "is-false-negative": true and not accepted,
        "is-present-in-ground-truth": true,
        "ground-truth-labelling-jobs": [f"{TRAINING}-job"],
    }


def _cells(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The cells that aren't 0, column by column."""
    labels, values = evaluation.scores.labels, evaluation.confusion_matrix.values("truth")
    return [
        {"GroundTruthLabel": labels[g], "PredictedLabel": labels[p], "Value": float(values[p, g])}
        for g, p in np.argwhere(values.T > 0).tolist()
    ]


def _utc(moment: datetime | None) -> datetime:
    """Without a zone, as the service writes its dates."""
    if moment is None:
        return datetime.now(UTC).replace(tzinfo=None)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _safe(parts: tuple[str, ...]) -> list[str]:
    return [text for part in parts if (text := re.sub(r"[^0-9A-Za-z._-]+", "-", part).strip(".-")[:80])]
