"""Write the results of a labelling job in the layout of SageMaker Ground Truth.

::

    <job>/manifests/output/output.manifest
    <job>/annotations/worker-response/iteration-1/<task>/<time>.json
    <job>/annotations/consolidated-annotation/consolidation-request/iteration-1/<time>.json
    <job>/annotations/consolidated-annotation/consolidation-response/iteration-1/<time>.json
    <job>/annotation-tool/labels.json, instructions.txt
    <job>/job.json, answers.csv, and coco.json for polygons

The same job gives the same bytes. Names of images, labels and people are in the files only, never in their paths.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from customlabels_nb._utils.files import scratch, write_errors
from customlabels_nb.core import tables as t
from customlabels_nb.core.polygons import to_one_ring
from customlabels_nb.datasets.formats import coco
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.manifest_values import (
    BOXES,
    IMAGE_LEVEL,
    METADATA,
    MULTI_LABEL,
    SOURCE,
    is_ignored,
)
from customlabels_nb.errors import InputError
from customlabels_nb.jobs.box_clusters import outline
from customlabels_nb.jobs.consolidation import RESOLVED, job_name

SUMMARY = "job.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_FORMULA = tuple("=+-@＝＋－＠")
_ANNOTATIONS = Path("annotations")
_CONSOLIDATED = _ANNOTATIONS / "consolidated-annotation"
_ROUND = "iteration-1"

_Object = dict[str, Any]


@dataclass(frozen=True, eq=False)
class JobOutput:
    """Everything that the files of a job contain.

    ``task`` is one of :data:`.tables.TASKS`. The position of a label in ``labels`` is its class id. ``images`` has the
    columns image, width and height (or missing), and more that become keys of the manifest, in its order. ``answers``,
    ``tasks`` and ``annotations`` are those of :mod:`.consolidation`, and images of resolved tasks have a result.
    ``summary`` is the content of ``job.json``.
    """

    job: str
    task: str
    labels: Sequence[str]
    images: pd.DataFrame
    answers: pd.DataFrame
    tasks: pd.DataFrame
    annotations: pd.DataFrame
    summary: Mapping[str, Any]
    instructions: str = ""


def check_job_name(name: object) -> str:
    """Return the name of a job, or raise InputError if a manifest cannot have an attribute of this name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"name={name!r} must have 1 to 63 letters, digits and hyphens, and not start with '-'.")
    low = name.lower()
    if low == SOURCE or low.endswith(METADATA) or is_ignored(low) or is_ignored(low + METADATA):
        raise InputError(f"name={name!r} is reserved in manifests. Choose another name.")
    return name


def write_job_output(output: JobOutput, folder: Path) -> Path:
    """Write the files of a job to the folder ``<folder>/<job>`` and return it.

    The files are written next to an earlier output, which they replace as a whole. If writing fails, an earlier output
    is unchanged. InputError is raised if a folder of this name is not the output of a job.
    """
    target = folder / check_job_name(output.job)
    if os.path.lexists(target) and (target.is_symlink() or not (target / SUMMARY).is_file()):
        raise InputError(
            f"folder={str(folder)!r} contains {target.name!r}, which is not the output of a job. Rename or move it."
        )
    with write_errors(f"folder={str(folder)!r}"):
        folder.mkdir(parents=True, exist_ok=True)
        with scratch(folder) as beside:
            _write_files(output, beside / "new")
            with suppress(FileNotFoundError):
                target.rename(beside / "old")
            try:
                (beside / "new").rename(target)
            except OSError:
                with suppress(FileNotFoundError):
                    (beside / "old").rename(target)
                raise
    return target


def _write_files(output: JobOutput, top: Path) -> None:
    labels = t.labels_in_order(output.annotations, output.labels)
    sizes = {row.image: _size(row.width, row.height) for row in output.images.itertuples()}
    results = dict(_results(output, labels, sizes))
    responses = _responses(output, sizes)
    lines = ({**values, SOURCE: image, **results.get(image, {})} for image, values in _own_keys(output))
    manifest = (orjson.dumps(line, default=str, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n" for line in lines)
    _write(top / "manifests" / "output" / "output.manifest", manifest)
    for task, (last, answers) in responses.items():
        path = top / _ANNOTATIONS / "worker-response" / _ROUND / str(task) / f"{_file_time(last)}.json"
        _write(path, [orjson.dumps({"answers": answers})])
    image_of = dict(zip(output.tasks["task"], output.tasks["image"], strict=True))
    latest = _file_time(output.answers["submitted"].max() if len(output.answers) else pd.Timestamp(0))
    done = [task for task in sorted(responses) if image_of.get(task) in results]
    requests = (
        {
            "datasetObjectId": str(task),
            "dataObject": {"s3Uri": image_of[task]},
            "annotations": _contents(responses[task][1]),
        }
        for task in done
    )
    outcomes = (
        {"datasetObjectId": str(task), "consolidatedAnnotation": {"content": results[image_of[task]]}} for task in done
    )
    for name, objects in (("request", requests), ("response", outcomes)):
        _write(top / _CONSOLIDATED / f"consolidation-{name}" / _ROUND / f"{latest}.json", _array(objects))
    tool, shown = top / "annotation-tool", [{"label": label} for label in labels]
    _write(tool / "labels.json", [_pretty({"document-version": "2018-11-28", "labels": shown})])
    _write(tool / "instructions.txt", [output.instructions.encode()])
    _write(top / "answers.csv", [_answers_csv(output)])
    if output.task == "polygons":
        has_result = output.annotations["image"].isin(results.keys() & sizes.keys())
        shapes = output.annotations[has_result].reset_index(drop=True)
        images = t.normalise_images(output.images[["image", "width", "height"]])
        coco.FORMAT.write(Contents(images, shapes[[*t.ANNOTATION_COLUMNS]], labels), top / "coco.json")
    _write(top / SUMMARY, [_pretty(dict(output.summary))])


def _own_keys(output: JobOutput) -> Iterator[tuple[str, _Object]]:
    """Yield each image with the values of its other columns."""
    table = output.images.drop(columns=["width", "height", output.job, output.job + METADATA], errors="ignore")
    for row, present in zip(table.to_dict("records"), table.notna().to_numpy().tolist(), strict=True):
        values = {str(name): value for (name, value), there in zip(row.items(), present, strict=True) if there}
        yield values.pop("image"), values


# -- results ------------------------------------------------------------------------------------------------


def _results(output: JobOutput, labels: list[str], sizes: Mapping[str, _Object]) -> Iterator[tuple[str, _Object]]:
    """Yield each image of a resolved task with the job's attribute and its metadata."""
    job, done = output.job, output.tasks[output.tasks["state"] == RESOLVED]
    number = {label: position for position, label in enumerate(labels)}
    rows: dict[str, list[Any]] = {}
    for row in output.annotations.sort_values("label", key=lambda names: names.map(number), kind="stable").itertuples():
        rows.setdefault(row.image, []).append(row)
    for image, created in zip(done["image"].tolist(), done["created"], strict=True):
        answer = rows.get(image, [])
        facts: _Object = {"job-name": job_name(job), "human-annotated": "yes", "creation-date": _moment(created)}
        if output.task == "single-label" and answer:
            facts |= {"class-name": answer[0].label, "confidence": answer[0].confidence, "type": IMAGE_LEVEL}
            yield image, {job: number[answer[0].label], job + METADATA: facts}
            continue
        facts["class-map"] = {str(number[row.label]): row.label for row in answer}
        if output.task == "multi-label":
            facts |= {"confidence-map": {str(number[row.label]): row.confidence for row in answer}, "type": MULTI_LABEL}
            yield image, {job: [number[row.label] for row in answer], job + METADATA: facts}
            continue
        boxes = [
            {"class_id": number[row.label], **{side: getattr(row, side) for side in t.BOX_COLUMNS}} for row in answer
        ]
        facts |= {"objects": [{"confidence": row.confidence} for row in answer], "type": BOXES}
        yield image, {job: {"image_size": [sizes.get(image, {})], "annotations": boxes}, job + METADATA: facts}


def _size(width: Any, height: Any) -> _Object:
    return {} if pd.isna(width) or pd.isna(height) else {"width": int(width), "height": int(height), "depth": 3}


# -- answers ------------------------------------------------------------------------------------------------


def _responses(output: JobOutput, sizes: Mapping[str, _Object]) -> dict[int, tuple[pd.Timestamp, list[_Object]]]:
    """Return the time of the last answer and the answers of each task, in the order of their numbers."""
    result: dict[int, tuple[pd.Timestamp, list[_Object]]] = {}
    for row in output.answers.sort_values("answer").itertuples():
        answer = {
            "acceptanceTime": _moment(row.accepted) + "Z",
            "answerContent": _content(row, output.task, sizes.get(row.image, {})),
            "submissionTime": _moment(row.submitted) + "Z",
            "timeSpentInSeconds": None if np.isnan(row.seconds) else float(row.seconds),
            "workerId": row.person,
            "counted": bool(row.counted),
        }
        last, answers = result.get(row.task, (row.submitted, []))
        result[int(row.task)] = max(last, row.submitted), [*answers, answer]
    return result


def _content(row: Any, task: str, size: _Object) -> _Object:
    """Return an answer as Ground Truth's labelling tools send it."""
    if task == "single-label":
        return {"crowd-image-classifier": {"label": row.label if isinstance(row.label, str) else None}}
    if task == "multi-label":
        return {"crowd-image-classifier-multi-select": {"labels": list(row.labels)}}
    shown = {side: size[side] for side in ("width", "height") if size}
    if task == "polygons":
        shapes = [
            {"label": box["label"], "vertices": [{"x": float(x), "y": float(y)} for x, y in to_one_ring(outline(box))]}
            for box in row.boxes
        ]
        return {"crowd-polygon": {"polygons": shapes, "inputImageProperties": shown}}
    boxes = [{"label": box["label"], **{side: float(box[side]) for side in t.BOX_COLUMNS}} for box in row.boxes]
    return {"boundingBox": {"boundingBoxes": boxes, "inputImageProperties": shown}}


def _contents(answers: Iterable[_Object]) -> list[_Object]:
    return [
        {"workerId": answer["workerId"], "annotationData": {"content": orjson.dumps(answer["answerContent"]).decode()}}
        for answer in answers
        if answer["counted"]
    ]


def _answers_csv(output: JobOutput) -> bytes:
    """Return the answers as CSV, with ``'`` in front of text that a spreadsheet program would run as a formula."""
    column = {"single-label": "label", "multi-label": "labels"}.get(output.task, "boxes")
    names = ["task", "image", "person", column, "accepted", "submitted", "seconds", "counted", "gold"]
    cells = output.answers.sort_values("answer")[names].astype(object).map(_cell)
    return str(cells.to_csv(index=False, lineterminator="\r\n")).encode()


def _cell(value: object) -> str:
    if isinstance(value, tuple | list):
        return orjson.dumps(value, default=list, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    if isinstance(value, pd.Timestamp):
        return _moment(value) + "Z"
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.lstrip().startswith(_FORMULA) else value
    return "" if value is None or value != value else str(value)


# -- files --------------------------------------------------------------------------------------------------


def _moment(time: pd.Timestamp) -> str:
    return str(time.tz_localize(None).isoformat())


def _file_time(time: pd.Timestamp) -> str:
    return str(time.strftime("%Y-%m-%d_%H-%M-%S"))


def _write(path: Path, parts: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.writelines(parts)


def _array(objects: Iterable[_Object]) -> Iterator[bytes]:
    yield b"["
    for number, each in enumerate(objects):
        yield (b",\n" if number else b"\n") + orjson.dumps(each)
    yield b"\n]\n"


def _pretty(value: _Object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode()
