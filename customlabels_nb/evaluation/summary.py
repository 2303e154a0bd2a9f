"""Write and read evaluation summaries, JSON files in Rekognition's format."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
from scipy.sparse import csr_array

from customlabels_nb._utils.rendering import ShownWithTable
from customlabels_nb._utils.text import counted, printable
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.core.decisions import ASSUMED
from customlabels_nb.core.tables import DRAWN_TASKS, TEXT
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.cross_validation import apply_thresholds
from customlabels_nb.evaluation.result import Evaluation, moved_to
from customlabels_nb.evaluation.scores import Scores
from customlabels_nb.images.locations import local_path

_NAMES = ("EvaluationResultSummary*.json", "EvaluationSummary*.json")
#: Keys in the file, and the metrics they stand for.
_MEANS = {"F1Score": "f1", "Precision": "precision", "Recall": "recall"}
_DETECTION_MEANS = {"AveragePrecision": "mean_average_precision", "AverageRecall": "mean_average_recall"}
_METRICS = {**_MEANS, "Threshold": "threshold"}


def evaluation_summary(
    evaluation: Evaluation,
    *,
    project_version_arn: str = "",
    ended: datetime | None = None,
    training_images: int = 0,
) -> dict[str, Any]:
    """Build the content of the file ``EvaluationResultSummary-<project>-<version>.json``, always by thresholds."""
    if evaluation.applied.most_confident:
        evaluation = moved_to(evaluation, apply_thresholds(ASSUMED, evaluation.outcomes))
    means: dict[str, Any] = {key: evaluation.metric(metric) for key, metric in _ordered(_MEANS).items()}
    if evaluation.task in DRAWN_TASKS:
        means |= {key: evaluation.metric(metric) for key, metric in _DETECTION_MEANS.items()}
    else:
        means["ConfusionMatrix"] = _cells(evaluation)
    per_label = evaluation.per_label.sort_values("f1", ascending=False, kind="stable")
    return {
        "Version": 1,
        "EvaluationDetails": {
            "ProjectVersionArn": project_version_arn,
            "EvaluationEndTimestamp": in_utc(ended).isoformat(timespec="microseconds"),
            "Labels": list(evaluation.outcomes.labels),
            "NumberOfTrainingImages": int(training_images),
            "NumberOfTestingImages": len(evaluation.outcomes.images),
        },
        "AggregatedEvaluationResults": means,
        "LabelEvaluationResults": [
            {
                "Label": row["label"],
                "NumberOfTestingImages": int(row["test_images"]),
                "Metrics": {key: float(row[column]) for key, column in _ordered(_METRICS).items()},
            }
            for row in per_label.to_dict("records")
        ],
    }


def summary_bytes(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def summary_file_name(*parts: str) -> str:
    return "-".join(["EvaluationResultSummary", *safe_parts(parts)]) + ".json"


def safe_parts(parts: tuple[str, ...]) -> list[str]:
    """Make names safe for use in a file name, dropping any that become empty."""
    return [text for part in parts if (text := re.sub(r"[^0-9A-Za-z._-]+", "-", part).strip(".-")[:80])]


def in_utc(moment: datetime | None) -> datetime:
    """Convert a time (UTC if naive, now if None) to a naive UTC time, as Rekognition writes dates."""
    if moment is None:
        return datetime.now(UTC).replace(tzinfo=None)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _ordered(names: dict[str, str]) -> dict[str, str]:
    """Sort the keys in the order that Rekognition writes them."""
    return {key: names[key] for key in ("Threshold", "Precision", "Recall", "F1Score") if key in names}


def _cells(evaluation: Evaluation) -> list[dict[str, Any]]:
    """List the non-zero cells of the confusion matrix, row by row, counted as by Rekognition.

    Single-label images count under their most confident label, unlike in the metrics of the same file. Multi-label
    cells also count pairs of two correct labels.
    """
    outcomes, matrix = evaluation.outcomes, evaluation.confusion_matrix
    labels = outcomes.labels
    if isinstance(outcomes, Scores) and not matrix.multi_label:
        matrix = outcomes.confusion(np.zeros(len(labels)))
    elif isinstance(outcomes, Scores):
        pairs = csr_array(outcomes.truth, dtype=np.int64).T @ csr_array(evaluation.applied.accepted(), dtype=np.int64)
        matrix = replace(matrix, counts=pairs.toarray())
    values = matrix.values("truth")
    return [
        {"GroundTruthLabel": labels[g], "PredictedLabel": labels[p], "Value": float(values[g, p])}
        for g, p in np.argwhere(values[:, : len(labels)] > 0).tolist()
    ]


@dataclass(frozen=True, eq=False)
class EvaluationSummary(ShownWithTable):
    """Content of an evaluation summary file, with metrics named as in reports.

    Attributes
    ----------
    project_version_arn : str
        ARN of the model version, or "" if the file has none.
    ended : datetime or None
        Time of the evaluation, in UTC.
    training_images, test_images : int or None
        Number of images, or None if the file does not contain it.
    labels : tuple of str
        Labels in the order of the file.
    summary : DataFrame
        ``metric`` and ``value``: f1, precision and recall, and for detectors mean_average_precision and
        mean_average_recall.
    per_label : DataFrame
        ``label``, ``f1``, ``precision``, ``recall``, ``threshold`` and ``test_images``, in the order of the file.
    confusion_matrix : DataFrame or None
        Shares of the images with the true label. Rows are ground truth, columns are predicted. None for detectors.
    """

    project_version_arn: str
    ended: datetime | None
    training_images: int | None
    test_images: int | None
    labels: tuple[str, ...]
    summary: pd.DataFrame
    per_label: pd.DataFrame
    confusion_matrix: pd.DataFrame | None

    _shown_table = "per_label"

    def __repr__(self) -> str:
        metrics = ", ".join(f"{row.metric} {row.value:.3f}" for row in self.summary.itertuples())
        head = f"{self.project_version_arn or 'evaluation'}: {counted(len(self.labels), 'label')}, {metrics}"
        return printable(f"{head}\n\n{self.per_label.to_string(index=False, max_rows=40, max_colwidth=40)}")


@names_arguments
def read_evaluation_summary(path: str | os.PathLike[str]) -> EvaluationSummary:
    """Read an evaluation summary, written by this package or by Rekognition.

    Parameters
    ----------
    path : path
        ``EvaluationResultSummary-….json``, ``EvaluationSummary-….json``, or a folder that contains exactly one.

    Raises
    ------
    InputError
        If the file does not exist or is not an evaluation summary.

    Examples
    --------
    >>> files = cl.evaluate(truth, predictions).to("files")
    >>> summary = cl.read_evaluation_summary("files")
    >>> summary.labels
    ('cat', 'dog')
    >>> summary.per_label[["label", "f1", "test_images"]]
      label   f1  test_images
    0   cat  0.8            2
    1   dog  0.8            2
    """
    file = _summary_file(local_path(path, "path"))
    try:
        return _Reading(str(file), orjson.loads(file.read_bytes())).summary()
    except OSError as error:
        raise InputError(f"Cannot read path={str(file)!r}: {error.strerror or error}.") from error
    except orjson.JSONDecodeError as error:
        raise InputError(f"path={str(file)!r} is not an evaluation summary: it is not JSON ({error}).") from error


def _summary_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = sorted({file for name in _NAMES for file in path.glob(name)})
    if len(files) != 1:
        what = f"{len(files)} evaluation summaries" if files else f"no {' or '.join(_NAMES)}"
        raise InputError(f"path={str(path)!r} is a folder with {what}. Pass the path of the file.")
    return files[0]


class _Reading:
    """Parser for the JSON content of a summary file."""

    def __init__(self, file: str, content: Any) -> None:
        self._file = file
        self._content = self._object(content, "it")

    def summary(self) -> EvaluationSummary:
        details = self._object(self._content.get("EvaluationDetails"), "EvaluationDetails")
        means = self._object(self._content.get("AggregatedEvaluationResults"), "AggregatedEvaluationResults")
        if "Metrics" in means:
            means = {**means, **self._object(means["Metrics"], "AggregatedEvaluationResults.Metrics")}
        names = {**_MEANS, **{key: name for key, name in _DETECTION_MEANS.items() if key in means}}
        rows = [(name, self._number(means, key, "AggregatedEvaluationResults")) for key, name in names.items()]
        per_label = self._per_label()
        listed = details.get("Labels", per_label["label"].tolist())
        labels = tuple(self._label(name) for name in self._list(listed, "EvaluationDetails.Labels"))
        cells = means.get("ConfusionMatrix")
        return EvaluationSummary(
            project_version_arn=str(details.get("ProjectVersionArn", "")),
            ended=self._moment(details.get("EvaluationEndTimestamp")),
            training_images=self._count(details, "NumberOfTrainingImages"),
            test_images=self._count(details, "NumberOfTestingImages"),
            labels=labels,
            summary=pd.DataFrame(rows, columns=["metric", "value"]).astype({"metric": TEXT}),
            per_label=per_label,
            confusion_matrix=None if cells is None else self._matrix(cells, labels),
        )

    def _per_label(self) -> pd.DataFrame:
        rows = []
        for number, value in enumerate(
            self._list(self._content.get("LabelEvaluationResults"), "LabelEvaluationResults")
        ):
            where = f"LabelEvaluationResults[{number}]"
            entry = self._object(value, where)
            given_metrics = self._object(entry.get("Metrics"), f"{where}.Metrics")
            metrics = {name: self._number(given_metrics, key, f"{where}.Metrics") for key, name in _METRICS.items()}
            images = self._count(entry, "NumberOfTestingImages")
            rows.append({"label": self._label(entry.get("Label")), **metrics, "test_images": images})
        columns = ["label", *_METRICS.values(), "test_images"]
        return pd.DataFrame(rows, columns=columns).astype(
            {"label": TEXT, **dict.fromkeys(_METRICS.values(), "float64"), "test_images": "Int64"}
        )

    def _matrix(self, cells: Any, labels: tuple[str, ...]) -> pd.DataFrame:
        index, columns = pd.Index(labels, name="ground truth"), pd.Index(labels, name="predicted")
        matrix = pd.DataFrame(0.0, index=index, columns=columns)
        position = {label: number for number, label in enumerate(labels)}
        for number, value in enumerate(self._list(cells, "ConfusionMatrix")):
            cell = self._object(value, f"ConfusionMatrix[{number}]")
            row, column = (self._label(cell.get(key)) for key in ("GroundTruthLabel", "PredictedLabel"))
            if row not in position or column not in position:
                raise self._wrong(f"ConfusionMatrix[{number}] has a label that is not in EvaluationDetails.Labels")
            matrix.iloc[position[row], position[column]] = self._number(cell, "Value", f"ConfusionMatrix[{number}]")
        return matrix

    def _object(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(f"{where} is not an object" if value is not None else f"{where} is missing")
        return value

    def _list(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(f"{where} is not a list" if value is not None else f"{where} is missing")
        return value

    def _label(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong(f"{value!r:.80} is not a label")
        return value

    def _number(self, values: dict[str, Any], key: str, where: str) -> float:
        value = values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._wrong(
                f"{where}.{key} is {value!r:.80}, not a number" if key in values else f"{where} has no {key}"
            )
        return float(value)

    def _count(self, values: dict[str, Any], key: str) -> int | None:
        value = values.get(key)
        if value is not None and (type(value) is not int or value < 0):
            raise self._wrong(f"{key} is {value!r:.80}, not a number of images")
        return value

    def _moment(self, value: Any) -> datetime | None:
        if value is None:
            return None
        try:
            return in_utc(datetime.fromisoformat(value)).replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise self._wrong(f"EvaluationEndTimestamp is {value!r:.80}, not a date") from error

    def _wrong(self, what: str) -> InputError:
        return InputError(f"path={self._file!r} is not an evaluation summary: {what}.")
