"""Train the same model several times with several workers, on folds of the images or with several seeds."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.datasets.dataset import Dataset, Groups
from customlabels_nb.datasets.splitting import stratified_folds
from customlabels_nb.errors import Cancelled, CustomLabelsError, HelperError, InputError
from customlabels_nb.events import Events
from customlabels_nb.workers.protocol import WorkerJob, readable_everywhere
from customlabels_nb.workers.spreading import open_workers, process_tasks, worker_options

if TYPE_CHECKING:
    from customlabels_nb.training.options import TrainingOptions


def deal_folds(dataset: Dataset, folds: int, *, groups: Groups | None = None, random_state: int = 0) -> dict[str, int]:
    """Return the fold of each image, keeping proportions of labels, and equal contents and ``groups`` together."""
    labels, units = dataset.labels_of_images(), dataset.groups_of_images(groups)
    labelled = {unit for unit, names in zip(units, labels, strict=True) if names}
    if check_integer("folds", folds, 2) > len(labelled):
        raise InputError(
            f"folds={folds} must be at most {len(labelled):,}, the number of labelled images. A group, or copies of an "
            "image, count as one."
        )
    dealt = stratified_folds(labels, folds, groups=units, random_state=random_state)
    return dict(zip(dataset.image_table["image"], dealt.tolist(), strict=True))


def run_trials(
    train: Dataset,
    test: Dataset,
    options: TrainingOptions,
    trials: list[dict[str, int]],
    *,
    folds: dict[str, int] | None,
    task: str | None,
    root: Path,
    workers: int | None,
    backend: str | None,
    shared_filesystem: bool,
    events: Events,
) -> pd.DataFrame:
    """Train and test one model for each trial, and return their metrics in the order of the trials.

    With ``folds``, a trial is tested on one fold of ``train``, and trained on the others. ``.attrs["errors"]`` lists
    the trials that failed, with the name of the error as ``kind`` and its ``message``.
    """
    from customlabels_nb.training.kept_files import write_snapshots
    from customlabels_nb.training.plan import make_plan

    if folds is None:
        make_plan(train, test, task=options.task, recipe=options.recipe, project_task=task)
    with tempfile.TemporaryDirectory(prefix="customlabels-trials-") as folder:
        write_snapshots(Path(folder), train, test if folds is None else train)
        files = {path.name: base64.b64encode(path.read_bytes()).decode("ascii") for path in Path(folder).iterdir()}
    names = [*train.image_table["image"], *test.image_table["image"]]
    job = WorkerJob(
        f"{__name__}:start_training",
        {"files": files, "folds": folds, "options": asdict(options), "task": task, "root": str(root.absolute())},
        probes=[] if backend is None else readable_everywhere(names, root, shared_filesystem=shared_filesystem),
        options=worker_options(workers),
    )
    results: dict[int, dict[str, Any]] = {}
    failed: dict[int, dict[str, Any]] = {}

    numbers, encode = range(len(trials)), trials.__getitem__
    with closing(open_workers(job, workers, backend, gpus=int((options.device or "").startswith("cuda")))) as opened:
        for number, outcome in process_tasks(opened, numbers, encode=encode, split=lambda number: [], events=events):
            result = outcome.result or {"kind": outcome.kind, "message": f"{outcome.error} (on {outcome.worker})"}
            (failed if "message" in result else results)[number] = {**trials[number], **result}
            events.progress("trials", len(results) + len(failed), len(trials), "models")
    errors = [failed[number] for number in sorted(failed)]
    if not results:
        raise HelperError(
            f"No trial could be trained. The error of the first one, {trials[min(failed)]}: {errors[0]['message']}",
            errors[0]["kind"],
        )
    scores = pd.DataFrame([results[number] for number in sorted(results)])
    scores.attrs["errors"] = errors
    return scores


def start_training(job: WorkerJob) -> Callable[[Any, Events], dict[str, Any]]:
    """Return the function that trains and tests one model in a worker."""
    from customlabels_nb._utils.device import choose_device
    from customlabels_nb.models.compute_threads import torch_threads
    from customlabels_nb.training.kept_files import read_snapshot
    from customlabels_nb.training.options import TrainingOptions
    from customlabels_nb.training.plan import make_plan
    from customlabels_nb.training.recipe import TrainingJob
    from customlabels_nb.training.run import recipe_for, test_metrics, with_weights

    arguments, root = job.arguments, Path(job.arguments["root"])
    with tempfile.TemporaryDirectory(prefix="customlabels-trials-") as folder:
        for name, data in arguments["files"].items():
            (Path(folder) / name).write_bytes(base64.b64decode(data))
        train = read_snapshot(Path(folder), "train", root)
        test = train if arguments["folds"] is not None else read_snapshot(Path(folder), "test", root)
    options = TrainingOptions(**arguments["options"])
    device = choose_device(options.device)

    def try_trial(task: dict[str, int], events: Events) -> dict[str, Any]:
        try:
            return run_trial(task, events)
        except Cancelled:
            raise
        except CustomLabelsError as error:  # another attempt would end alike
            return {"kind": type(error).__name__, "message": str(error)}

    def run_trial(task: dict[str, int], events: Events) -> dict[str, Any]:
        started, parts = time.perf_counter(), (train, test)
        if arguments["folds"] is not None:
            in_fold = train.image_table["image"].map(arguments["folds"]) == task["fold"]
            part = train.filter(in_fold)
            parts = (
                train.filter(~in_fold),
                Dataset(part.image_table, part.annotations, part.labels, name="test", root=root),
            )
        plan = make_plan(
            *parts, task=options.task, recipe=options.recipe, project_task=arguments["task"], is_fold="fold" in task
        )
        own_options = replace(with_weights(plan, options, device, events), random_state=task["random_state"])
        with tempfile.TemporaryDirectory(prefix="customlabels-trial-") as folder, torch_threads(device):
            work = TrainingJob(plan, own_options, device, root, Path(folder), events, started=started)
            trained = recipe_for(plan.task)(work)
        sizes = {"training_images": len(trained.train.images), "test_images": len(trained.test.images)}
        return {**sizes, **test_metrics(plan, trained)}

    return try_trial
