"""Training run: train a model version from two datasets, evaluate it and write its folder."""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from customlabels_nb._utils.device import choose_device, release_memory
from customlabels_nb._utils.installing import installed_version
from customlabels_nb._utils.text import counted
from customlabels_nb.core.decisions import ASSUMED, default_decision
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.tables import CLASSIFICATION_TASKS, POLYGONS
from customlabels_nb.core.version_status import TRAINING
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ModelNotFoundError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.cross_validation import apply_thresholds
from customlabels_nb.evaluation.input_tables import boxed_rows, canvas_sizes
from customlabels_nb.evaluation.metrics import aggregate, per_label_table
from customlabels_nb.events import Events, Started
from customlabels_nb.images.locations import is_remote
from customlabels_nb.models.artifact import save_artifact
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import choose_backbone, fetch_backbone
from customlabels_nb.models.compute_threads import torch_threads
from customlabels_nb.models.detector_shape import OWN, DetectorShape, check_masks, is_pretrained, with_box_limit
from customlabels_nb.models.detectors import choose_detector, fetch_detector
from customlabels_nb.remote.download_cache import look_up_all, was_looked_up
from customlabels_nb.remote.remote_files import RemoteFile
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.training.contents import content_now, contents_by_name, stored_files
from customlabels_nb.training.kept_files import (
    CROSS_FITTED,
    HELD_OUT,
    check_snapshots,
    has_snapshots,
    read_snapshot,
    write_json,
    write_learnt,
    write_predictions,
    write_snapshots,
)
from customlabels_nb.training.options import TrainingOptions
from customlabels_nb.training.plan import TrainingPlan, make_plan, without_machine_labels
from customlabels_nb.training.recipe import Base, TrainingJob, TrainingResult
from customlabels_nb.training.status import honest_status, resuming, this_process
from customlabels_nb.training.stored import stored_evaluation
from customlabels_nb.training.tasks import TaskChoice, choose_task
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.ranks import Ranks

COMPLETED = "The model is ready to run."
#: Facts about a run that are listed with its metrics.
_ALSO_METRICS = ("seconds", "cross_validated_log_loss")
_PACKAGES = ("customlabels-nb", "torch", "torchvision", "timm", "scikit-learn", "numpy", "pandas", "pillow")


def train_version(
    store: SqlStore,
    root: Path,
    name: str,
    train: Dataset,
    test: Dataset,
    options: TrainingOptions,
    events: Events,
    *,
    started: float | None = None,
    ranks: Ranks | None = None,
) -> Evaluation:
    """Train a new version, and return its evaluation on the test set.

    Nothing is written until all checks have passed. The time budget starts at ``started``, a value of
    :func:`time.perf_counter`, or by default at this call. ``ranks`` are processes that share the images of each batch.
    """
    started = time.perf_counter() if started is None else started
    train, test = with_current_hashes(store, (train, test), events)
    plan = make_plan(train, test, task=options.task, recipe=options.recipe, project_task=store.project().task)
    device = choose_device(options.device)
    if plan.task not in CLASSIFICATION_TASKS:  # a shape that cannot be evaluated would be found after the training
        true = boxed_rows(plan.test.marks, "the test set")
        if plan.task == POLYGONS:
            canvas_sizes(plan.test.images["image"].to_numpy(dtype=object), plan.test.images, true)
    options = with_weights(plan, options, device, events)
    if ranks is not None:
        ranks.check(device, plan.train.images["image"], root)
    now = datetime.now(UTC)
    record = VersionRecord(
        name=name,
        status=TRAINING,
        status_message="The model is being trained.",
        folder=f"versions/{name}",
        created=now,
        updated=now,
        task=plan.task,
        config=asdict(options),
        statistics=_statistics(plan, store.label_ids()),
        **this_process(),
    )
    store.add_version(record, Action("begin training", settings.user, name))
    folder, run = root / record.folder, now.isoformat()
    work = TrainingJob(plan, options, device, root, folder, events, started=started, ranks=ranks, run=run)
    return _run(store, record, (train, test), work)


def resume_version(
    store: SqlStore, root: Path, record: VersionRecord, events: Events, *, ranks: Ranks | None = None
) -> Evaluation:
    """Resume a stopped run with its original dataset snapshots and options, as :func:`train_version` runs it.

    If the run was killed before the snapshots were written, it restarts with the current datasets. Features that have
    already been computed are reused from the cache, which finds them by content hash.
    """
    started, folder, options = time.perf_counter(), root / record.folder, TrainingOptions(**record.config)
    with resuming(store, record):
        if has_snapshots(folder):
            check_snapshots(folder)
            train, test = (read_snapshot(folder, split, root) for split in ("train", "test"))
            labels = store.labels()
            order = dict.fromkeys([*record.statistics["labels"], *labels["label"]])  # also those that were deleted
            labels = labels.set_index("label").reindex(list(order)).reset_index()
            train = Dataset(train.image_table, train.annotations, labels, name="train", root=root)
            ids = record.statistics.get("label_ids", {})
        else:  # killed before the snapshots were written
            train, test = (Dataset(*store.tables(split), name=split, root=root) for split in ("train", "test"))
            test = without_machine_labels(test)
            train = train if options.machine_labels else without_machine_labels(train)
            ids = store.label_ids()
        record = replace(record, statistics={**record.statistics, "label_ids": ids})
        train, test = with_current_hashes(store, (train, test), events)
        plan = make_plan(train, test, task=options.task or record.task, recipe=options.recipe)
        if options.task is None and options.recipe is None:  # chosen automatically
            choice = choose_task(train, test, project_task=store.project().task)
            began = TaskChoice(plan.task, "the interrupted run started with it", plan.recipe)
            plan = replace(plan, choice=choice if choice.task == plan.task else began)
        device = choose_device(options.device)
        if ranks is not None:
            ranks.check(device, plan.train.images["image"], root)
        store.update_version(
            record.name,
            Action("resume training", settings.user, record.name),
            status=TRAINING,
            status_message="The model is being trained.",
            statistics=_statistics(plan, ids),
            **this_process(),
        )
    run = record.created.isoformat()
    work = TrainingJob(plan, options, device, root, folder, events, started=started, ranks=ranks, run=run)
    return _run(store, record, (train, test), work)


def recipe_for(task: str) -> Callable[[TrainingJob], TrainingResult]:
    """Return the function that trains a model for a task, one of :data:`customlabels_nb.core.tables.TASKS`."""
    if task in CLASSIFICATION_TASKS:
        from customlabels_nb.training.classifier_recipe import train_classifier

        return train_classifier
    from customlabels_nb.training.detector_recipe import train_boxes

    return train_boxes


def with_weights(plan: TrainingPlan, options: TrainingOptions, device: str, events: Events) -> TrainingOptions:
    """Download weights that training starts from, and return options that name the backbone or detector."""
    detector = plan.task not in CLASSIFICATION_TASKS
    seconds = options.time().seconds if detector or options.is_timed else None  # the default limit is for detectors
    if detector:
        masks = plan.task == POLYGONS
        chosen = choose_detector(options.detector, masks=masks, seconds=seconds, device=device, events=events)
        if masks:
            check_masks(chosen)
        if is_pretrained(chosen):
            from customlabels_nb.models.transformers_detector import pretrained_shape

            chosen = fetch_detector(chosen, events)
            shape = pretrained_shape(chosen)
            with_box_limit(shape.for_size(options.input_size or shape.best_size), options.max_boxes, 0)
            return replace(options, detector=chosen, backbone=chosen)
        if chosen != OWN:
            from customlabels_nb.models.detector_building import coco_weights

            coco_weights(chosen)
            return replace(options, backbone=chosen)
        options = replace(options, detector=chosen)
    images = len(plan.train.images) + len(plan.test.images)
    name = choose_backbone(
        options.backbone, detector=detector, images=images, seconds=seconds, device=device, events=events
    )
    if detector and name != PACKAGED:
        from customlabels_nb.models.detector_building import build_detector

        # without memory for weights; a constructor that reads values of tensors fails there
        with suppress(NotImplementedError), torch.device("meta"):
            build_detector(DetectorShape(), len(plan.labels), name)
    fetch_backbone(name)
    return replace(options, backbone=name)


def _run(store: SqlStore, record: VersionRecord, datasets: tuple[Dataset, Dataset], work: TrainingJob) -> Evaluation:
    """Train a version, write its files, return its evaluation, and leave no memory of the device in use."""
    try:
        with honest_status(store, record.name), torch_threads(work.device):
            result = _train(store, record, datasets, work)
    finally:  # here, nothing refers to the network any more
        release_memory(work.device)
    shutil.rmtree(work.checkpoints, ignore_errors=True)  # a run that fails before this can be resumed
    return result


def _train(store: SqlStore, record: VersionRecord, datasets: tuple[Dataset, Dataset], work: TrainingJob) -> Evaluation:
    write_snapshots(work.folder, *datasets)
    parameters = {
        **asdict(work.options), "task": work.plan.task, "recipe": work.plan.recipe, "device": work.device,
        "training_images": len(work.plan.train.images), "test_images": len(work.plan.test.images),
    }  # fmt: skip
    work.events.emit(Started(record.name, record.created, work.folder, parameters))
    work = replace(work, base=_base(store, work.root, work.options.base))
    for note in (str(work.plan.choice), *work.plan.notes):
        work.events.message(note)
    trained = recipe_for(work.plan.task)(work)
    for split, part in (("train", trained.train), ("test", trained.test)):
        for issue in part.issues:
            work.events.message(f"Excluded: {issue.where}: {issue.message}")
        note_issues(store, split, part.issues)
    metrics, result = _write_version(work, record, trained, store.images("test"))
    store.update_version(
        record.name,
        Action("finish training", settings.user, record.name),
        status="TRAINING_COMPLETED",
        status_message=COMPLETED,
        metrics=metrics,
        statistics=_statistics(work.plan, record.statistics["label_ids"], trained),
    )
    return result


def _write_version(
    work: TrainingJob, record: VersionRecord, trained: TrainingResult, columns: pd.DataFrame
) -> tuple[dict[str, Any], Evaluation]:
    """Write a version's files, and return metrics and evaluation, with ``columns`` of the test images."""
    facts = {
        "random_state": work.options.random_state,
        "device": work.device,
        "threads": torch.get_num_threads(),
        "training_images": len(trained.train.images),
        "test_images": len(trained.test.images),
        "left_out": len(trained.train.issues) + len(trained.test.issues),
        "ended": datetime.now(UTC).isoformat(),
        "seconds": round(time.perf_counter() - work.started, 3),
        **trained.facts,
        "recipe": work.plan.recipe,
        "reason": work.plan.choice.reason,
        "notes": [*work.plan.notes, *trained.facts.get("notes", [])],
    }
    names = work.plan.labels["label"].tolist()
    for split, part in (("train", trained.train), ("test", trained.test), (CROSS_FITTED, trained.cross_fitted)):
        if part is not None and part.table is not None:
            write_predictions(work.folder, part.images, names, part.table, split=split)
    config = replace(trained.config, decision=default_decision(trained.config.task))
    result = stored_evaluation(work.folder, work.root, config, columns=columns, version=record)
    assumed = per_label_table(apply_thresholds(ASSUMED, result.outcomes))
    thresholds = {row.label: float(row.threshold) for row in assumed.itertuples() if row.label in names}
    write_json(work.folder / "environment.json", _environment(work.device))
    write_learnt(work.folder, contents_by_name(work.plan.train.images), None if work.base is None else work.base.folder)
    if trained.held_out:
        write_json(work.folder / HELD_OUT, trained.held_out)
    save_artifact(work.folder, trained.network, replace(config, thresholds=thresholds, training=facts))
    metrics = metrics_of(result) | {"decision": config.decision, "assumed_f1": aggregate(assumed)["f1"]}
    metrics |= {name: facts[name] for name in _ALSO_METRICS if name in facts}
    write_json(work.folder / "metrics.json", metrics)
    return metrics, result


def test_metrics(plan: TrainingPlan, trained: TrainingResult) -> dict[str, float | None]:
    """Compute the metrics of a model that is not stored on its test images."""
    assert trained.test.table is not None
    truth = plan.test.marks[plan.test.marks["image"].isin(trained.test.images)]
    result = evaluate(truth, trained.test.table, trained.test.images, labels=plan.labels, task=trained.config.task)
    return metrics_of(result)


def metrics_of(result: Evaluation) -> dict[str, float | None]:
    """Return the metrics of an evaluation by name, None for those that are undefined."""
    return {row.metric: None if np.isnan(row.value) else float(row.value) for row in result.summary.itertuples()}


def _base(store: SqlStore, root: Path, name: str | None) -> Base | None:
    if name is None:
        return None
    record = next((version for version in store.versions() if version.name == name), None)
    if record is None:
        raise ModelNotFoundError(f"base={name!r} does not exist or was deleted.")
    folder = root / record.folder
    held_out = json.loads((folder / HELD_OUT).read_text("utf-8")) if (folder / HELD_OUT).is_file() else []
    images = read_snapshot(folder, "train", root).image_table
    learnt = images.loc[~images["image"].isin(held_out), "sha256"].dropna()
    return Base(name, folder, frozenset(learnt))


def _statistics(
    plan: TrainingPlan, label_ids: Mapping[str, int], trained: TrainingResult | None = None
) -> dict[str, Any]:
    """Count the labels and images planned for training, or actually used if the run is complete.

    ``label_ids`` are those of the project, by which the labels are followed when they are renamed.
    """
    used = set(plan.train.images["image"] if trained is None else trained.train.images)
    annotations = plan.train.marks[plan.train.marks["image"].isin(used)].drop_duplicates(["image", "label"])
    return {
        "labels": plan.labels["label"].tolist(),
        "label_ids": dict(label_ids),
        "training_images": len(used),
        "test_images": len(plan.test.images) if trained is None else len(trained.test.images),
        "training_images_per_label": {str(k): int(v) for k, v in annotations["label"].value_counts().items()},
    }


def _environment(device: str) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),
        "packages": {name: installed_version(name) for name in _PACKAGES},
    }


def with_current_hashes(store: SqlStore, datasets: Sequence[Dataset], events: Events) -> list[Dataset]:
    """Return the datasets with up-to-date content hashes of their files.

    Only files whose size or modification time differs from the stored values are read. Files whose content has changed
    are reported and stored as issues, and keep their labels. Remote files keep their stored identity string. Servers
    are only queried for files that were imported without one, and for those that this process has read, which may have
    changed since.
    """
    stored = stored_files(store)
    return [_with_current_hashes(store, stored, dataset, events) for dataset in datasets]


def _with_current_hashes(store: SqlStore, stored: Mapping[str, Any], dataset: Dataset, events: Events) -> Dataset:
    images, hashes, changed = dataset.image_table, [], []
    unknown = images.loc[images["sha256"].isna() | images["image"].map(was_looked_up).astype(bool), "image"]
    answers = look_up_all(filter(is_remote, unknown), events=events, phase=f"checking {dataset.name} images")
    for image, sha256 in zip(images["image"], images["sha256"], strict=True):
        if is_remote(image):
            answer = answers.get(image)
            now = answer.identity if isinstance(answer, RemoteFile) else sha256
        else:
            now = content_now(image, dataset.root, sha256, stored)
        hashes.append(now)
        if isinstance(sha256, str) and now != sha256:
            changed.append(image)
    if changed:
        events.message(
            f"{counted(len(changed), f'{dataset.name} image has', f'{dataset.name} images have')} changed since the "
            f"import, for example {changed[0]!r}. Their labels have not been changed."
        )
        note_issues(store, dataset.name, [Issue("IMAGE_CHANGED", where=image) for image in changed])
    current = images.assign(sha256=hashes)
    return Dataset(current, dataset.annotations, dataset.labels, name=dataset.name, root=dataset.root)


def note_issues(store: SqlStore, split: str, issues: list[Issue]) -> None:
    """Add issues found during training to the project's issues, without duplicates."""
    if issues and store.dataset(split) is not None:
        store.add_parts(split, (), Action("check images", settings.user), issues=issues)
