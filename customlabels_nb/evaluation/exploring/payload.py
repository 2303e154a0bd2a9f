"""What a page says of an evaluation beside its numbers, as JSON takes it. All of it is plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from customlabels_nb.evaluation.exploring.exploration import Exploration


def summary_as_json(
    exploration: Exploration, project: str, details: Mapping[str, Any], facts: Mapping[str, str]
) -> dict[str, Any]:
    """The head: name, intervals of the own thresholds, date, training, and code to copy.

    Parameters
    ----------
    exploration : Exploration
    project : str
        The project's name; without one there is no code to copy.
    details : dict
        See :class:`customlabels_nb.project.report.Report`.
    facts : dict
        What is known of the training, in words.
    """
    evaluation = exploration.evaluation
    table = evaluation.summary.set_index("figure")
    kept = table.loc[[name for name in ("f1", "precision", "recall") if name in table.index]]
    said = []
    ended = details.get("evaluated")
    if isinstance(ended, datetime):
        said.append(["evaluated", ended.strftime("%Y-%m-%d %H:%M")])
    if details.get("training_images"):
        said.append(["training images", f"{int(details['training_images']):,}"])
    said += [[str(name), str(value)] for name, value in facts.items()]
    known = ("evaluated", "training_images", "project_version_arn")
    said += [[str(name), str(value)] for name, value in details.items() if name not in known]
    return {
        "name": exploration.name,
        "project": project,
        "said": said,
        "notes": list(evaluation.notes),
        "own": {
            "position": exploration.own.to_dict(),
            "intervals": _intervals(kept),
            "threshold": evaluation.metric("mean_threshold"),
        },
        "accuracy": _number(table["value"].get("accuracy")),
        "code": code_to_copy(project, exploration.name),
    }


def code_to_copy(project: str, name: str) -> str:
    """Code that starts the version, detects, and stops it."""
    if not project:
        return ""
    return (
        f"import customlabels_nb as cl\n\nproject = cl.load_project({project!r})\nmodel = project.model({name!r})\n"
        'model.start()\nmodel.detect("new.jpg")\nmodel.stop()'
    )


def advice_as_json(exploration: Exploration) -> list[dict[str, Any]]:
    """The pieces of advice with the positions of their images."""
    return [
        {
            "heading": item.heading,
            "kind": item.kind,
            "text": item.text,
            "labels": list(item.labels),
            "images": [exploration.place[name] for name in item.names if name in exploration.place],
            "call": item.call,
        }
        for item in exploration.evaluation.advice
    ]


def comparison_as_json(exploration: Exploration) -> dict[str, Any] | None:
    """What changed since another version, None where none is beside it."""
    found = exploration.comparison
    if found is None:
        return None
    summary = [
        {
            "figure": row.figure,
            **{name: _number(getattr(row, name)) for name in ("before", "after", "delta", "low", "high")},
        }
        for row in found.summary.itertuples()
        if row.figure in ("f1", "precision", "recall", "accuracy")
    ]
    labels = {
        row.label: {name: _number(getattr(row, name)) for name in ("before", "after", "delta", "low", "high")}
        for row in found.per_label.itertuples()
    }
    return {
        "names": list(found.names),
        "test_images": found.test_images,
        "summary": summary,
        "labels": labels,
        "sentences": list(found.sentences),
        "notes": list(found.notes),
    }


def default_name(what: str, name: str) -> str:
    """A name for what is written: of the page a file, of the files a folder."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "results"
    return f"{plain}.html" if what == "page" else f"{plain}-results"


def _intervals(table: pd.DataFrame) -> dict[str, list[float | None]]:
    return {str(name): [_number(row["low"]), _number(row["high"])] for name, row in table.iterrows()}


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
