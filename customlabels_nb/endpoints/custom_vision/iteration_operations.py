"""Train, list, publish and delete iterations, and measure their performance."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.version_status import TRAINING
from customlabels_nb.endpoints.custom_vision import iteration_training
from customlabels_nb.endpoints.custom_vision.calls import Call, invalid
from customlabels_nb.endpoints.custom_vision.image_operations import page
from customlabels_nb.endpoints.custom_vision.images import ImageList, list_images
from customlabels_nb.endpoints.custom_vision.iterations import (
    COMPLETED,
    Iteration,
    change_iteration,
    describe_iteration,
    find_iteration,
    name_of,
    publish_name,
    publish_names,
    status_of,
    tag_ids,
    take_back,
    trained_model,
)
from customlabels_nb.endpoints.custom_vision.project_records import (
    CLASSIFICATION_TYPES,
    action,
    read_settings,
    read_tags,
    task_of,
)
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.endpoints.served_versions import (
    change_facts,
    check_quota,
    reserve_version,
    versions_of,
)
from customlabels_nb.endpoints.training_process import begin_training
from customlabels_nb.errors import CustomLabelsError, NotAllowedError, NotEnoughDataError, ServiceError
from customlabels_nb.evaluation.boxes import Boxes
from customlabels_nb.evaluation.cross_validation import deal
from customlabels_nb.evaluation.outcomes import Outcomes
from customlabels_nb.training.plan import make_plan

LEAST_IMAGES, LEAST_BOXES = 5, 15  # of each tag
_MOST_ITERATIONS = 20
_KEPT = {"id", "created", "width", "height", "thumbnailUri", "tags", "regions"}  # of an image with its predictions
_PUBLISH_NAME = re.compile(r"[^/\\?#\x00-\x1f]{1,256}")
_CODES = {
    t.SINGLE_LABEL: "BadRequestMultiClassClassificationTrainingValidationFailed",
    t.MULTI_LABEL: "BadRequestMultiLabelClassificationTrainingValidationFailed",
    t.BOXES: "BadRequestDetectionTrainingValidationFailed",
    t.POLYGONS: "BadRequestDetectionTrainingValidationFailed",
}


def get_iterations(call: Call) -> list[dict[str, Any]]:
    return [describe_iteration(version) for version in versions_of(call.project())]


def get_iteration(call: Call) -> dict[str, Any]:
    return describe_iteration(_iteration(call))


def update_iteration(call: Call) -> dict[str, Any]:
    """Change the name of an iteration."""
    name = call.json().need("name")
    if len(name) > 256:
        raise invalid("The name has more than 256 characters.", "BadRequestIterationName")
    with call.project().version_lock:
        version = _iteration(call)
        if any(name_of(each) == name and each.local != version.local for each in versions_of(version.served)):
            raise ServiceError("BadRequestIterationNameNotUnique", f"An iteration named {name[:100]!a} already exists.")
        change_iteration(version, name=name, modified=time.time())
    return describe_iteration(_iteration(call))


def delete_iteration(call: Call) -> None:
    """Delete an iteration that is neither published nor being trained."""
    with call.project().version_lock:
        version = _iteration(call)
        _refuse_published(version)
        if status_of(version) == "Training":
            raise ServiceError(
                "BadRequestTrainingAlreadyInProgress", "The iteration is being trained. Try again later."
            )
        try:
            version.model.delete(confirm=True)
        except NotAllowedError as error:
            raise ServiceError("BadRequestInvalid", str(error)) from error


def publish_iteration(call: Call) -> bool:
    """Publish an iteration under a name, which predictions use."""
    name, target = call.query.need("publishName"), call.query.text("predictionId")
    if not _PUBLISH_NAME.fullmatch(name):
        message = "publishName must have up to 256 characters, without / \\ ? #."
        raise ServiceError("BadRequestInvalidPublishName", message)
    with call.project().version_lock:
        version = _iteration(call)
        trained_model(version)
        if publish_name(version) != name:
            _refuse_published(version)
        store, versions = version.served.store, versions_of(version.served)
        others = [each for each in versions if name in publish_names(each) and each.local != version.local]
        if others and not call.query.flag("overwrite"):
            message = f"Another iteration is published as {name[:100]!a}. Unpublish it, or overwrite it."
            raise ServiceError("BadRequestInvalidPublishName", message)
        try:
            version.model.publish(name)  # so that Python knows the name, taken from the other version
            change_facts(store, version.local, published=None, published_for=target)
        except CustomLabelsError:  # not a name that Python allows
            change_facts(store, version.local, published=name, published_for=target)
        for other in others:  # afterwards, so that predictions always find the name
            if publish_name(other) == name:
                change_facts(store, other.local, published=None, published_for=None)
    return True


def unpublish_iteration(call: Call) -> None:
    with call.project().version_lock:
        version = _iteration(call)
        if not publish_name(version):
            raise ServiceError("BadRequestIterationNotPublished", "The iteration is not published.")
        take_back(version)


# -- training -------------------------------------------------------------------------------------------
def train_project(call: Call) -> dict[str, Any]:
    """Check everything, and begin to train an iteration in a process of its own."""
    served, body = call.project(), call.json()
    kind = call.query.choice("trainingType", "Regular", "Advanced")
    hours = call.query.count("reservedBudgetInHours", 0, 0, 24)
    if body.ids("selectedTags"):
        raise ServiceError("BadRequestNotSupported", "selectedTags is not supported. Training uses all tags.")
    base = body.part("customBaseModelInfo")
    with call.folder.counting, served.lock, served.version_lock:
        versions = versions_of(served)
        if any(status_of(version) == "Training" for version in versions):
            raise ServiceError("BadRequestTrainingAlreadyInProgress", "An iteration is being trained already.")
        if call.folder.options.service_limits and len(versions) >= _MOST_ITERATIONS:
            code = "BadRequestExceedIterationPerProjectLimit"
            raise ServiceError(code, f"A project may have at most {_MOST_ITERATIONS} iterations. Delete one.")
        check_quota(call.folder, "trainings", TRAINING, code="BadRequestExceededQuota")
        images, task = ImageList(served), task_of(served)
        chosen = read_settings(served)
        state = _state(images, chosen.domain, task)
        latest = next((version for version in versions if status_of(version) == COMPLETED), None)
        unchanged = latest is not None and latest.facts.get("iteration", {}).get("state") == state
        if unchanged and not call.query.flag("forceTrain"):
            message = "Nothing has changed since the last training. Add tagged images, or pass forceTrain=true."
            raise ServiceError("BadRequestTrainingNotNeeded", message)
        _check_tags(images, task)
        _distribute(served, images, task)
        facts: dict[str, Any] = {
            "name": _next_name(served, versions),
            "state": state,
            "domain": chosen.domain,
            "type": kind,
            "hours": hours,
            "tags": {tag.name: tag.id for tag in images.tags},
            "classification": CLASSIFICATION_TYPES.get(task),
        }
        if "iterationId" in base:
            facts["base"] = find_iteration(served, base.id("iterationId")).local
        version = reserve_version(served, facts["name"], TRAINING, {"iteration": facts})
    begin_training(version, iteration_training.start_process)
    return describe_iteration(version)


def _next_name(served: ServedProject, versions: list[Iteration]) -> str:
    """Return "Iteration N", where N is larger than in all iterations before."""
    taken = {name_of(version) for version in versions}
    number = served.fact("last_iteration", 0) + 1
    while f"Iteration {number}" in taken:
        number += 1
    served.note("last_iteration", lambda _: number)
    return f"Iteration {number}"


def _state(images: ImageList, domain: str, task: str) -> str:
    """Return a digest of what an iteration is trained on."""
    used = images.images.loc[images.images["status"] == "labelled", ["image", "sha256"]].sort_values("image")
    columns = ["image", "label", *t.BOX_COLUMNS]
    annotations = images.marks.loc[images.marks["image"].isin(used["image"]), columns].sort_values(columns)
    text = f"{domain}\n{task}\n{used.to_csv()}\n{annotations.to_csv(index=False)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _check_tags(images: ImageList, task: str) -> None:
    """Raise ServiceError unless each tag has enough images or boxes."""
    ready = images.images.loc[images.images["status"] == "labelled", "image"]
    annotations = images.marks[images.marks["image"].isin(ready)]
    is_detector = task in t.DRAWN_TASKS
    if is_detector:
        annotations = annotations[annotations["left"].notna()]
    else:
        annotations = annotations[annotations["left"].isna()].drop_duplicates(["image", "label"])
        if task == t.SINGLE_LABEL:
            annotations = annotations[~annotations["image"].duplicated(keep=False)]
    counts, least = annotations["label"].value_counts(), LEAST_BOXES if is_detector else LEAST_IMAGES
    labels = [tag.name for tag in images.tags if not tag.is_negative]
    has_negatives = task == t.MULTI_LABEL and len(images.negatives & set(ready)) >= LEAST_IMAGES
    fewest = 1 if is_detector or has_negatives else 2
    what = "boxes" if is_detector else "images"
    if len(labels) < fewest:
        other = f", or one and {LEAST_IMAGES} images with the negative tag" if task == t.MULTI_LABEL else ""
        message = f"Training needs at least {counted(fewest, 'tag')}{other}. The project has {len(labels)}."
        raise ServiceError(_CODES[task], message)
    few = [f"{name[:100]} ({counts.get(name, 0)})" for name in labels if counts.get(name, 0) < least]
    if few:
        message = f"Not enough images for training. Each tag needs at least {least} {what}, but these have fewer: "
        raise ServiceError(_CODES[task], message + ", ".join(few[:20]) + ".")


def _distribute(served: ServedProject, images: ImageList, task: str) -> None:
    """Split off test images, again if a tag has none, and check that a model could be trained."""
    project, store = served.project, served.store
    rows, labels = images.images, set(images.marks["label"])
    parts = {split: set(rows.loc[rows["split"] == split, "image"]) for split in t.SPLITS}
    with_tags = [set(images.marks.loc[images.marks["image"].isin(names), "label"]) for names in parts.values()]
    lacking = any(labels - found for found in with_tags)
    if lacking and parts[t.TEST]:
        store.move_images(sorted(parts[t.TEST] - parts[t.TRAIN]), t.TEST, t.TRAIN, action("merge datasets"))
    try:
        if lacking:
            project.distribute(random_state=0)
        make_plan(project.train_set, project.test_set, project_task=project.task)
    except NotEnoughDataError as error:
        raise ServiceError(_CODES[task], str(error)) from error


# -- performance ----------------------------------------------------------------------------------------
def get_iteration_performance(call: Call) -> dict[str, Any]:
    """Return precision, recall and average precision on the test images, over all tags and by tag."""
    version = _iteration(call)
    threshold = call.query.number("threshold", 0.5)
    outcomes = _outcomes(version, call.query.number("overlapThreshold", 0.3))
    folds = deal(outcomes)
    parts = [outcomes.only(np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    ids = tag_ids(version, outcomes.labels, read_tags(version.served))

    def shares(chosen: list[int]) -> dict[str, float]:
        whole, *measured = (_precision_recall(part, threshold, chosen) for part in (outcomes, *parts))
        deviations = [
            float(np.std(values)) if (values := [x for x in column if x is not None]) else 0.0
            for column in zip(*measured, strict=True)
        ]
        average = [outcomes.average_precision(position) for position in chosen]
        return {
            "precision": whole[0] or 0.0,
            "precisionStdDeviation": deviations[0],
            "recall": whole[1] or 0.0,
            "recallStdDeviation": deviations[1],
            "averagePrecision": float(np.nan_to_num(np.mean(average))) if average else 0.0,
        }

    tested = np.flatnonzero(outcomes.in_test_set).tolist()
    listed = [{"id": ids[label], "name": label, **shares([position])} for position, label in enumerate(outcomes.labels)]
    return {"perTagPerformance": listed, **shares(tested)}


def get_image_performances(call: Call) -> list[dict[str, Any]]:
    version = _iteration(call)
    images, names, outcomes = _tested(call, version)
    names, ids = page(call, names), tag_ids(version, outcomes.labels, images.tags)
    positions = {name: position for position, name in enumerate(outcomes.images)}
    sizes = images.images.set_index("image")[["width", "height"]]
    described: list[dict[str, Any]] = []
    for image in images.describe(call, names):
        name = images.by_id[image["id"]]
        predictions = _predictions(outcomes, positions[name], sizes.loc[name].tolist(), ids)
        predictions.sort(key=lambda prediction: -float(prediction["probability"]))
        kept = {key: value for key, value in image.items() if key in _KEPT}
        described.append({**kept, "imageUri": image["originalImageUri"], "predictions": predictions})
    return described


def get_image_performance_count(call: Call) -> int:
    """Count the test images of an iteration that still exist."""
    return len(_tested(call, _iteration(call))[1])


def _tested(call: Call, version: Iteration) -> tuple[ImageList, list[str], Outcomes]:
    """Return the test images of an iteration that still exist, of the chosen tags, oldest first."""
    outcomes, images = _outcomes(version, 0.5), list_images(version.served)
    tags = images.find_tags(call.query.ids("tagIds"))
    chosen = set(outcomes.images) & (images.with_tags(tags) if tags else set(images.images["image"]))
    return images, [name for name in images.images["image"].tolist() if name in chosen], outcomes


def _outcomes(version: Iteration, overlap: float) -> Outcomes:
    outcomes = trained_model(version).evaluate(as_trained=True).outcomes
    return outcomes.at_iou_threshold(max(overlap, 0.01)) if isinstance(outcomes, Boxes) else outcomes


def _precision_recall(outcomes: Outcomes, threshold: float, chosen: list[int]) -> tuple[float | None, float | None]:
    """Return precision and recall over some labels, or None without predictions and without targets."""
    counted = outcomes.counts(np.full(len(outcomes.labels), threshold))
    hits, wrong, missed = (int(counts[chosen].sum()) for counts in counted)
    return hits / (hits + wrong) if hits + wrong else None, hits / (hits + missed) if hits + missed else None


def _predictions(outcomes: Outcomes, position: int, size: list[Any], ids: dict[str, str]) -> list[dict[str, Any]]:
    found: list[tuple[str, float, dict[str, float] | None]] = []
    if isinstance(outcomes, Boxes):
        width, height = (1 if pd.isna(side) else float(side) for side in size)
        rows = np.flatnonzero(outcomes.image == position)
        for row, shares in zip(rows.tolist(), outcomes.box[rows] / [width, height, width, height], strict=True):
            box = dict(zip(t.BOX_COLUMNS, shares.tolist(), strict=True))
            found.append((outcomes.labels[outcomes.label[row]], float(outcomes.confidence[row]), box))
    else:
        for label, name in enumerate(outcomes.labels):
            images, confidences, _ = outcomes.predictions(label)
            found += [(name, float(confidence), None) for confidence in confidences[images == position]]
    kind = {"tagType": "Regular"}
    return [{"probability": p, "tagId": ids[name], "tagName": name, "boundingBox": b, **kind} for name, p, b in found]


def _iteration(call: Call) -> Iteration:
    return find_iteration(call.project(), call.path.text("iterationId"))


def _refuse_published(version: Iteration) -> None:
    if name := publish_name(version):
        message = f"The iteration is published as {name[:100]!a}. Unpublish it first."
        raise ServiceError("BadRequestIterationIsPublished", message)
