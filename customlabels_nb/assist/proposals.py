"""Propose labels and boxes from descriptions, with pretrained models that were not trained on the labels.

Proposals are stored predictions. Boxes are detected in a folder of the project's cache, with the config of the model
and a journal, so that an interrupted call continues.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb._utils.files import lock_folder
from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.rendering import ShownWithTable
from customlabels_nb._utils.text import counted
from customlabels_nb.assist.queue import check_places
from customlabels_nb.core import tables as t
from customlabels_nb.core.colors import label_color
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.issues import issues_to_frame
from customlabels_nb.core.tables import BOXES, DRAWN_TASKS, MULTI_LABEL, POLYGONS, SINGLE_LABEL
from customlabels_nb.errors import Cancelled, InputError, MissingDependencyError, NotAllowedError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.images.outlining import Segmenter
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.engines.names import TORCH
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.segmenters import get_segmenter, outlines_in
from customlabels_nb.models.artifact import ModelConfig, model_identity, save_zero_shot
from customlabels_nb.models.detector_shape import ZeroShot
from customlabels_nb.models.image_search import similarities
from customlabels_nb.models.pretrained.siglip import SIGLIP2, embed_text, match_probabilities
from customlabels_nb.models.pretrained.weights import (
    KNOWN_MODELS,
    Weights,
    absolute_name,
    describe_download,
    find_weights,
    get_weights,
)
from customlabels_nb.remote.content_cache import project_cache
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.embedding import embed_with
from customlabels_nb.workers.spreading import check_workers

#: Setting with the latest proposals: model, revision, task and prompts.
PROPOSALS = "assist proposals"

_FOLDER = Path("cache") / "assist" / "proposals"
_BOX_MODELS = ("owlv2", "mm-grounding-dino-tiny")
_LONGEST_TEXT = 1000  # characters
_SAMPLE = 3  # images that the time is estimated on
_SURE = 0.5  # least confidence of one of several labels
_SURE_BOX = {"owlv2": 0.2, "mm-grounding-dino": 0.3, "grounding-dino": 0.3}  # as in examples of transformers
_PREDICTION = ["image", "label", "confidence", *t.BOX_COLUMNS, "polygon"]
_EXAMPLE = "{'screw': 'a photo of a screw', 'nut': 'a photo of a nut'}"


@dataclass(frozen=True, repr=False)
class Proposals(ShownWithTable):
    """Result of :meth:`.Assist.propose`: the proposed labels or boxes (``frame``), and the model that made them.

    ``images`` is the number of processed images, and ``remaining`` that of the others. ``errors`` is a table of images
    that could not be read.
    """

    model: str
    revision: str
    prompts: dict[str, str]
    frame: pd.DataFrame
    images: int
    remaining: int
    errors: pd.DataFrame

    _shown_table = "errors"

    def __repr__(self) -> str:
        is_box = bool(self.frame["left"].notna().any())
        what = counted(len(self.frame), *(("box", "boxes") if is_box else ("label",)))
        text = f"{self.model} proposes {what} in {self.frame['image'].nunique():,} of {counted(self.images, 'image')}."
        if len(self.errors):
            text += f" {counted(len(self.errors), 'image')} could not be read, see .errors."
        if self.remaining:
            remaining = counted(self.remaining, "image is", "images are")
            text += f" Stopped: {remaining} left. The same call continues with them."
        return text


@dataclass(frozen=True)
class _Job:
    """Checked arguments of a call: what is looked for with which model."""

    root: Path
    task: str
    texts: dict[str, str]
    name: str
    weights: Weights
    workers: int | None
    events: Events


@dataclass(frozen=True)
class _Found:
    """Predictions of all confidences, images that could not be read, and the number of images that are left."""

    rows: pd.DataFrame
    errors: pd.DataFrame
    remaining: int


def propose(
    store: SqlStore,
    root: Path,
    prompts: Any,
    *,
    model: str | None,
    masks: bool,
    threshold: float | None,
    workers: int | None,
    test: bool,
    reserved: Sequence[int],
    events: Events,
) -> Proposals:
    """Store proposals in place of earlier ones, for all images without a label and the labelled check images.

    ``reserved`` are the places of check images, the evidence for a guarantee. ``test`` adds unlabelled test images.
    """
    texts = _check_prompts(prompts)
    task = _choose_task(store, model)
    least = _check_arguments(task, model, texts, masks, threshold)
    check_workers(workers, None)
    if find_spec("transformers") is None:
        raise MissingDependencyError(f"Proposals need transformers. Install it with: {extra_command('foundation')}")
    name = absolute_name(model or (_BOX_MODELS[0] if task in DRAWN_TASKS else SIGLIP2))
    if find_weights(name) is None and settings.network:
        events.message(f"Downloading {describe_download(name)} …")
    weights = get_weights(name)
    sure = {**_SURE_BOX} if task in DRAWN_TASKS else {"siglip": _SURE if task == MULTI_LABEL else 0.0}
    kind = weights.config(*sure)["model_type"]
    least = sure[kind] if least is None else least
    images, job = _images(store, reserved, test=test), _Job(root, task, texts, name, weights, workers, events)
    segmenter = get_segmenter(events.message) if masks else None
    found = (_detect if task in DRAWN_TASKS else _classify)(images, job)
    found = replace(found, rows=found.rows[found.rows["confidence"] >= least].assign(polygon=None))
    if segmenter is not None and not found.remaining:
        found = _outline(found, images, segmenter, job)
    facts = {"model": weights.name, "revision": weights.revision, "task": task, "prompts": texts}
    frame, done = _store(store, found.rows[_PREDICTION], facts), len(images) - found.remaining
    return Proposals(weights.name, weights.revision, texts, frame, done, found.remaining, found.errors)


def _check_prompts(prompts: Any) -> dict[str, str]:
    """Return the description of each label without superfluous white space."""
    if not isinstance(prompts, Mapping) or not prompts:
        raise InputError(f"prompts={prompts!r} must map labels to descriptions, such as {_EXAMPLE}.")
    texts: dict[str, str] = {}
    for label, text in prompts.items():
        plain = " ".join(text.split()) if isinstance(text, str) else ""
        if not plain or len(plain) > _LONGEST_TEXT:
            shown = repr(text) if len(plain) <= _LONGEST_TEXT else f"with {len(plain):,} characters"
            raise InputError(
                f"The description {shown} of the label {label!r} must be a text of 1 to {_LONGEST_TEXT:,} characters, "
                "such as 'a photo of a screw'."
            )
        if plain.lower() in map(str.lower, texts.values()):
            raise InputError(f"The description {plain!r} of {label!r} is that of another label.")
        texts[t.check_label(label)] = plain
    return texts


def _choose_task(store: SqlStore, model: Any) -> str:
    """Return the project's task, or the one that the labels or the model suggest."""
    if (task := store.project().task) is not None:
        return task
    annotations = store.tables(t.TRAIN)[1]
    if annotations["left"].notna().any() or (annotations.empty and _detects_boxes(model)):
        return BOXES
    return MULTI_LABEL if annotations.duplicated("image").any() else SINGLE_LABEL


def _detects_boxes(model: Any) -> bool:
    weights = find_weights(model) if isinstance(model, str) and model else None
    kind = None if weights is None else weights.config(*_SURE_BOX, "siglip")["model_type"]
    return model in _BOX_MODELS or kind in _SURE_BOX


def _check_arguments(task: str, model: Any, texts: dict[str, str], masks: bool, threshold: Any) -> float | None:
    """Raise InputError if the arguments do not fit the task, and return the threshold."""
    drawn = task in DRAWN_TASKS
    expected = _BOX_MODELS if drawn else (SIGLIP2,)
    if not isinstance(model, str | None) or (model in KNOWN_MODELS and model not in expected):
        names = " or ".join(map(repr, expected))
        raise InputError(
            f"model={model!r} does not propose {'boxes' if drawn else 'labels'}, which the task {task!r} needs. Pass "
            f"{names}, a folder, or 'hf://user/name'."
        )
    if masks and not drawn:
        raise InputError(f"masks=True needs boxes, but the task of the project is {task!r}.")
    if task == POLYGONS and not masks:
        raise InputError("The task of the project is 'polygons'. Pass masks=True to outline each box with SAM 2.")
    if task == SINGLE_LABEL and len(texts) < 2:
        raise InputError(
            f"prompts has only the label {next(iter(texts))!r}. Each image gets one label, so pass at least two."
        )
    return None if threshold is None else check_fraction("threshold", threshold)


def _images(store: SqlStore, reserved: Sequence[int], *, test: bool) -> pd.DataFrame:
    """Return the images without a label, and the labelled ones that are evidence."""
    images = store.images(t.TRAIN)
    places = check_places(images["sha256"].fillna(images["image"]).tolist())
    evidence = (images["status"] == "labelled") & (places <= np.uint64(max(reserved, default=0)))
    images = images[(images["status"] == "unlabelled") | evidence]
    more = store.images(t.TEST) if test else images[:0]
    images = pd.concat([images, more[more["status"] == "unlabelled"]], ignore_index=True)
    if images.empty:
        raise NotAllowedError("No training image is unlabelled. Add some with project.add_images(…).")
    return images


def _classify(images: pd.DataFrame, job: _Job) -> _Found:
    """Compare images with the descriptions of labels."""
    names, labels = images["image"].to_numpy(dtype=object), np.array(list(job.texts), dtype=object)
    keys = [key if isinstance(key, str) else None for key in images["sha256"]]
    vectors = np.stack([embed_text(job.name, text) for text in job.texts.values()])
    issues, stopped, several = [], False, job.task == MULTI_LABEL
    shares: dict[str, Any] = {"workers": job.workers, "backend": None, "shared_filesystem": False}
    try:
        issues = embed_with(names.tolist(), keys, job.root, model=job.name, **shares, events=job.events)
    except (KeyboardInterrupt, Cancelled):
        stopped = True
    cosines = similarities(job.root, job.name, keys, vectors)
    usable = np.flatnonzero(~np.isnan(cosines[:, 0]))
    probabilities = match_probabilities(job.name, cosines[usable], several=several)
    best = np.arange(len(usable)), probabilities.argmax(axis=1)
    row, label = np.nonzero(np.ones_like(probabilities)) if several else best
    rows = pd.DataFrame({"image": names[usable[row]], "label": labels[label], "confidence": probabilities[row, label]})
    rows = rows.assign(**dict.fromkeys(t.BOX_COLUMNS, np.nan))
    errors = issues_to_frame(issues).rename(columns={"where": "image"})[["image", "code", "message"]]
    return _Found(rows, errors, len(images) - len(usable) if stopped else 0)


def _detect(images: pd.DataFrame, job: _Job) -> _Found:
    """Detect what the descriptions of labels name in images. Messages say how long it takes."""
    from customlabels_nb.models.pretrained.zero_shot import LEAST_CONFIDENCE, describe_input  # imports torch

    names, weights, workers = images["image"].tolist(), job.weights, job.workers
    side, mean, std = describe_input(weights)
    config = ModelConfig(
        task=BOXES,
        labels=tuple(job.texts),
        colors=tuple(map(label_color, range(len(job.texts)))),
        backbone=weights.name,
        input_size=side,
        mean=mean,
        std=std,
        training={"licence": weights.licence},
        zero_shot=ZeroShot(job.name, weights.revision, tuple(job.texts.values())),
    )
    parent = job.root / _FOLDER
    folder = parent / model_identity(parent, config)[:16]
    for other in parent.glob("*"):  # of earlier proposals, unless another process works there
        if other != folder and (lock := lock_folder(other)) is not None:
            shutil.rmtree(other, ignore_errors=True)
            os.close(lock)
    save_zero_shot(folder / "model", config)
    predictor, ours = Predictor(folder / "model"), lock_folder(folder)
    to = folder / ("found" if workers is not None or find_spec("pyarrow") else "found.jsonl")
    options: dict[str, Any] = {"root": job.root, "threshold": LEAST_CONFIDENCE, "batch_size": 1}
    detect = partial(detect_many, predictor, names, to=to, resume=True, **options)
    times, is_continued = [time.monotonic()], to.exists()
    try:
        predictor.start(engine=TORCH)
        written: Any = detect(events=Events(partial(_time_first_images, job, times)))
        if workers is not None and len(times) > _SAMPLE and written.left:
            written = detect(workers=workers, events=job.events)
        table, errors = written.table(), written.errors[written.errors["image"].isin(names)]
        if is_continued and len(errors):  # they may be readable now
            unread = errors["image"].tolist()
            again: Any = detect_many(predictor, unread, **options)
            table = pd.concat([table, again])
            errors = pd.DataFrame(again.attrs["errors"], columns=errors.columns)
    except InputError as error:
        raise InputError(f"{error} These are files of unfinished proposals: delete {str(folder)!r} first.") from error
    finally:
        predictor.stop()
        if ours is not None:
            os.close(ours)
    rows = table[table["image"].isin(names)].reset_index(drop=True)
    return _Found(rows, errors.reset_index(drop=True), written.left)


def _time_first_images(job: _Job, times: list[float], event: Event) -> None:
    """Pass an event on, and describe after the first images how long the others take. Then let workers process them."""
    job.events.emit(event)
    if not isinstance(event, Progress) or len(times) > _SAMPLE:
        return
    times.append(time.monotonic())
    count = (event.total or 0) - event.done
    if len(times) > _SAMPLE and count:
        seconds = (times[-1] - times[0]) / _SAMPLE
        rest = _describe(count * seconds / (job.workers or 1))
        job.events.message(
            f"{job.weights.name} takes {_describe(seconds)} an image: about {rest} for "
            f"{counted(count, 'more image')}. If stopped, the same call continues."
        )
        if job.workers is not None:
            raise Cancelled("The time was measured.")


def _describe(seconds: float) -> str:
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.2g} seconds"


def _outline(found: _Found, images: pd.DataFrame, segmenter: Segmenter, job: _Job) -> _Found:
    """Turn boxes into polygons where the segmenter finds one. Images that are left keep their boxes."""
    cache, content = project_cache(job.root, "thumbnails"), dict(zip(images["image"], images["sha256"], strict=True))
    groups, parts = found.rows.groupby("image", sort=False), list[pd.DataFrame]()
    try:
        for image, rows in groups:
            job.events.progress("outlining", len(parts), len(groups))
            boxes = [tuple(box) for box in rows[[*t.BOX_COLUMNS]].to_numpy(dtype=np.float64).tolist()]
            outlines = outlines_in(str(image), content[image], boxes, job.root, segmenter, cache)
            polygons = [outline.polygon for outline in outlines]
            rows = rows.assign(polygon=pd.Series(polygons, rows.index, dtype=object))
            pairs = zip(polygons, boxes, strict=True)
            rows[[*t.BOX_COLUMNS]] = [polygon_to_ltwh(polygon) if polygon else box for polygon, box in pairs]
            parts.append(rows)
        job.events.progress("outlining", len(groups), len(groups))
    except (KeyboardInterrupt, Cancelled):
        pass
    rest = found.rows[~found.rows["image"].isin([part["image"].iat[0] for part in parts])]
    return replace(found, rows=pd.concat([*parts, rest]), remaining=len(groups) - len(parts))


def _store(store: SqlStore, found: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
    """Store predictions in place of those of earlier proposals, with the labels that the project lacks."""
    action = Action("propose labels", settings.user, f"{facts['model']} {facts['revision']}: {facts['prompts']}")
    labels, names = set(store.labels()["label"]), set(store.images()["image"])
    store.add_labels(
        [(label, None) for label in facts["prompts"] if label not in labels], Action("add labels", settings.user)
    )
    found = found[found["image"].isin(names)]  # the others were removed meanwhile
    before = store.setting(PROPOSALS)
    rows = t.normalise_annotations(found)
    if before is not None and before["model"] != facts["model"]:
        store.replace_predictions(before["model"], rows[:0].assign(model=before["model"]), action)
    store.replace_predictions(facts["model"], rows.assign(model=facts["model"]), action)
    store.change_setting(PROPOSALS, lambda _old: facts)
    return found.reset_index(drop=True)
