"""Train on the labels of people, and store what the models say about the other images, in the helper process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customlabels_nb._utils.files import why_not_written
from customlabels_nb._utils.text import counted
from customlabels_nb.assist.assistant import FEWEST_BOXES, FEWEST_IMAGES
from customlabels_nb.assist.clusters import cluster_pages
from customlabels_nb.assist.guarantee import (
    Guarantee,
    check_boxes,
    count_evidence,
    fewest_items,
    find_guarantee,
    guarantee_labels,
    labels_needed,
    lower_bound,
)
from customlabels_nb.assist.learning import (
    MORE,
    Forecast,
    count_on_check_images,
    describe_forecast,
    forecast,
    seconds_per_label,
)
from customlabels_nb.assist.probabilities import (
    box_doubt,
    clarity,
    cross_fit,
    label_doubt,
    learn,
    margin_doubt,
    predict,
)
from customlabels_nb.assist.proposals import PROPOSALS
from customlabels_nb.assist.queue import (
    FIRST_SHARE,
    QueueState,
    ask_once,
    check_images,
    check_places,
    compact,
    is_packed,
    order_queue,
)
from customlabels_nb.assist.stored_results import AssistResults
from customlabels_nb.assist.suspects import suspect_boxes, suspect_labels
from customlabels_nb.checks import find_near_duplicates
from customlabels_nb.core import tables as t
from customlabels_nb.core.tables import BOXES, DRAWN_TASKS, MULTI_LABEL
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.reviewed import REJECTED, has_tag
from customlabels_nb.errors import NotEnoughDataError, StoreError
from customlabels_nb.evaluation.arrays import BoolArray, IntArray
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.models.backbone import FEATURES, PACKAGED
from customlabels_nb.models.embeddings import PackedFeatures
from customlabels_nb.models.feature_file import project_features
from customlabels_nb.store import SqlStore
from customlabels_nb.training.plan import UsableImages, usable_part
from customlabels_nb.training.tasks import choose_task

#: Images on a page of a cluster.
PAGE = 9

_BLOCK = 8_192  # images whose features are computed together
_MOST_COMPARED = 20_000  # images among which near-duplicates are searched for
_MOST_DETECTED = 500  # images in which a detector looks for boxes
_SHOWN, _CLEAR = 0.5, 0.5  # confidence of a box that could be shown, and threshold of a label
_PREDICTION = ["image", "label", "confidence", *t.BOX_COLUMNS]


@dataclass
class _Images:
    """Training images, and the open test images if they are allowed. The masks and positions refer to ``table``."""

    table: pd.DataFrame
    task: str
    names: list[str]
    annotations: pd.DataFrame
    part: UsableImages
    at: IntArray
    by_machine: BoolArray
    waiting: BoolArray
    in_train: int
    features: PackedFeatures
    copies: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    reserved: BoolArray = field(default_factory=lambda: np.empty(0, np.bool_))
    check: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    #: check images that people could not label, for example skipped ones, where every prediction is wrong
    refused: IntArray = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass
class _Found:
    """Predictions of a model. ``checks`` and ``shown`` have the predicted labels and how sure the model is of them.

    ``checks`` are the items that are evidence: ``label`` (position), ``sure``, ``right`` and ``copies``. ``shown`` are
    predictions for images that wait for a label: columns of predictions, ``label_at`` and ``sure``.
    """

    checks: pd.DataFrame
    shown: pd.DataFrame
    suspects: pd.DataFrame
    doubt: NDArray[np.float64] | None = None
    probabilities: NDArray[np.float32] | None = None
    advice: dict[str, Any] | None = None


class _Steps:
    def __init__(self, events: Events) -> None:
        self.events, self.done = events, list[dict[str, Any]]()

    @contextmanager
    def phase(self, name: str, count: int, unit: str = "images") -> Iterator[None]:
        self.events.progress(name, 0, count, unit)
        started = time.perf_counter()
        yield
        self.events.progress(name, count, count, unit)
        self.done.append({"phase": name, "count": count, "unit": unit, "seconds": time.perf_counter() - started})


def run(store: SqlStore, arguments: dict[str, Any], events: Events) -> dict[str, Any]:
    """Train on the labels that people gave, store the results, and describe the run as a JSON object.

    ``arguments`` are ``root``, ``run`` (number), ``target``, ``budget``, ``test`` (True to predict test images),
    ``keep``, ``earlier`` (packed places of the images that had an answer when assist was used first) and ``reserved``
    (places of check images). If ``keep`` is False, the trusted predictions are part of the returned object, and nothing
    is stored.
    """
    root, number, target = Path(arguments["root"]), int(arguments["run"]), float(arguments["target"])
    data, steps = _read(store, root, test=bool(arguments["test"])), _Steps(events)
    if data.table.empty:
        raise NotEnoughDataError("The training set has no images. Add some with project.add_images(…).")
    count = len(data.table)
    with steps.phase("featurization", count):
        readable = _read_features(data, root, events)
        images = data.part.images[readable[data.at]].reset_index(drop=True)
        annotations = data.part.marks[data.part.marks["image"].isin(images["image"])]
        data.part, data.at = UsableImages(images, annotations), data.at[readable[data.at]]
        data.copies = _copies(data, root, store, events)
    labelled = np.zeros(count, dtype=np.bool_)
    labelled[data.at] = True
    size = data.table["width"].astype("float64").fillna(0) * data.table["height"].astype("float64").fillna(0)
    data.waiting &= readable
    to_label = data.waiting & ask_once(np.where(data.waiting, data.copies, count + np.arange(count)), size)
    to_label &= ~np.isin(data.copies, data.copies[labelled])
    places = check_places(data.table["sha256"].fillna(data.table["image"]).tolist())
    drawn = ~is_packed(places, arguments["earlier"]) & (np.arange(count) < data.in_train)
    end, ahead = check_images(places, drawn & (to_label | (data.by_machine & readable)), arguments["reserved"])
    data.check = np.flatnonzero(drawn & labelled & (places <= max(end, 0)))
    answered = readable & ~labelled & ~data.by_machine & np.asarray(data.table["status"] != "unlabelled")
    data.refused = np.flatnonzero(drawn & answered & (places <= max(end, 0)))
    upcoming = drawn & to_label & np.isin(places, np.array(ahead, dtype=np.uint64))
    data.reserved = np.isin(data.copies, data.copies[upcoming])
    checked = len(data.check) + len(data.refused)
    find = _detect if data.task == BOXES else _classify
    result = find(data, steps, arguments["budget"], root, f"run {number}")
    thresholds = _guarantees(result.checks, len(data.names), target, data.task)
    proposed = _read_proposals(data, store)
    source = ""
    if proposed is not None and not any(guarantee.shown for guarantee in thresholds):
        judged = _judge_proposals(data, proposed, result)
        guarantees = _guarantees(judged.checks, len(data.names), target, data.task)
        if result.doubt is None or any(guarantee.shown for guarantee in guarantees):
            result, thresholds, source = judged, guarantees, str(proposed["model"].iat[0])
    least = np.array([guarantee.threshold for guarantee in thresholds] or [np.inf])
    doubted = result.shown.loc[result.shown["sure"] < least[result.shown["label_at"]], "image"]
    hidden = data.table.loc[data.reserved | has_tag(data.table, REJECTED), "image"]
    trusted = result.shown[~result.shown["image"].isin(doubted)]
    if arguments["keep"] and result.probabilities is not None:
        copied = _copied(data, result.probabilities)
        trusted = pd.concat([trusted[~trusted["image"].isin(copied["image"])], copied])
    trusted = trusted[~trusted["image"].isin(hidden)]
    trusted = trusted.assign(polygon=trusted.get("polygon"))  # only proposals have polygons
    prelabels = trusted.sort_values(["label_at", "confidence"], ascending=[True, False])[[*_PREDICTION, "polygon"]]
    report = {
        "task": data.task,
        "steps": steps.done,
        **_promise(thresholds, result.checks, checked, data.names, target),
        "advice": result.advice,
        "learnt": len(data.part.marks) if data.task == BOXES and result.doubt is not None else 0,
        "note": _note(data, result, source),
        "reserved": ahead,
    }
    if not arguments["keep"]:
        return {**report, "found": prelabels.to_dict("list")}
    small, waiting = compact(data.features), data.waiting
    counts = np.array([(data.part.marks["label"] == name).sum() for name in data.names], dtype=np.int64)
    order = np.flatnonzero(upcoming)
    order = order[np.argsort(places[order], kind="stable")]
    state = QueueState(
        small, order, to_label, labelled, counts, checked, result.doubt, result.probabilities,
        None if proposed is None else _surest_label(data, proposed),
    )  # fmt: skip
    queue = order_queue(state)
    later = np.flatnonzero(waiting & ~to_label)  # copies of images that are asked or labelled
    queue = pd.concat([queue, pd.DataFrame({"position": later, "kind": "copy"})], ignore_index=True)
    pages = cluster_pages(
        small, waiting & ~data.reserved, PAGE, probabilities=result.probabilities, labels=len(data.at)
    )
    try:
        names = data.table["image"].to_numpy(dtype=str)
        AssistResults(number, names, queue, pages, prelabels.reset_index(drop=True), result.suspects).write(root)
    except OSError as error:
        raise StoreError(f"The results cannot be stored: {why_not_written(error)}.") from error
    return report


def _read(store: SqlStore, root: Path, *, test: bool) -> _Images:
    """Read the training images, with the labels that people gave. Images with a label by a model are not labelled."""
    images, annotations, labels = store.tables(t.TRAIN)
    machine = t.by_machine(annotations)
    by_machine = images["image"].isin(annotations.loc[machine, "image"]).to_numpy()
    human = annotations[~annotations["image"].isin(images.loc[by_machine, "image"])]
    train = Dataset(images[~by_machine], human, labels, name=t.TRAIN, root=root)
    nothing = Dataset(images[:0], None, labels)
    proposals = store.setting(PROPOSALS) if annotations.empty else None
    task = choose_task(train, nothing, project_task=store.project().task or (proposals and proposals["task"])).task
    task = BOXES if task in DRAWN_TASKS else task  # boxes are learnt in less time than masks
    part = usable_part(train, task)
    position_of = pd.Series(np.arange(len(images)), index=images["image"])
    table = images
    if test:
        more = store.images(t.TEST)
        table = pd.concat([images, more[more["status"] == "unlabelled"]], ignore_index=True)
    waiting = np.array(table["status"] == "unlabelled", dtype=np.bool_)
    by_machine = np.concatenate([by_machine, np.zeros(len(table) - len(images), np.bool_)])
    positions = position_of[part.images["image"]].to_numpy(dtype=np.int64)
    features = PackedFeatures(project_features(root), store.setting(FEATURES) or PACKAGED)
    return _Images(
        table, task, labels["label"].tolist(), human, part, positions, by_machine, waiting, len(images), features
    )


def _read_features(data: _Images, root: Path, events: Events) -> BoolArray:
    """Compute the features that are not stored yet, and return a mask of the images that can be read."""
    names, keys = data.table["image"].tolist(), [k if isinstance(k, str) else None for k in data.table["sha256"]]
    for start in range(0, len(names), _BLOCK):
        part = slice(start, start + _BLOCK)
        data.features.add(names[part], keys[part], root=root, events=_relay(events, "featurization", start, len(names)))
    return data.features.readable


def _copies(data: _Images, root: Path, store: SqlStore, events: Events) -> IntArray:
    """Return the group of near-duplicates of each image, or of identical images if there are many."""
    table = data.table.drop_duplicates("image")[["image", "split", "sha256", "width", "height"]]
    key = tuple(table["sha256"].fillna(table["image"]))
    if key not in _groups:
        part, pairs = Dataset(table, name=t.TRAIN, root=root), None
        if len(table) <= _MOST_COMPARED:
            relay = _relay(events, "featurization")
            pairs = find_near_duplicates([part], files=store.files()[0], events=relay)
        _groups.clear()
        _groups[key] = pd.factorize(pd.Series(part.groups_of_images(pairs)))[0].astype(np.int64)
    groups: IntArray = _groups[key][pd.factorize(data.table["image"])[0]]
    return groups


#: Groups of near-duplicates in the latest run. The helper process usually runs several.
_groups: dict[tuple[str, ...], IntArray] = {}


def _classify(data: _Images, steps: _Steps, budget: str | float, root: Path, model: str) -> _Found:
    """Train a head on the features, and predict the labels of all images."""
    n, k = len(data.at), len(data.names)
    index = pd.Series(np.arange(n), index=data.part.images["image"]), pd.Series(np.arange(k), index=data.names)
    truth: NDArray[Any] = np.zeros((n, k), dtype=np.bool_)
    truth[index[0][data.part.marks["image"]].to_numpy(), index[1][data.part.marks["label"]].to_numpy()] = True
    several, rows, copies = data.task == MULTI_LABEL, data.features[data.at], data.copies[data.at]
    some = truth.any(axis=0)
    if (not (some & ~truth.all(axis=0)).any()) if several else some.sum() < 2:
        return _nothing(steps, n)
    truth = truth if several else truth.argmax(axis=1)
    check = np.flatnonzero(np.isin(data.at, data.check))
    with steps.phase("training", n, "labels"):
        head = learn(rows, truth, k)
    with steps.phase("validation", len(check), "check images"):
        fitted = cross_fit(rows, truth, head, copies=copies)
        label, sure, right = _judged(fitted[check], truth[check], several)
        checks = pd.DataFrame({"label": label, "sure": sure, "right": right, "copies": copies[check]})
        suspects = suspect_labels(
            fitted, truth, data.part.images["image"].tolist(), data.names, data.annotations, model=model
        )
        counts = count_on_check_images(rows, truth, check, head, copies=copies) if len(check) else None
        more = min(MORE, int(data.waiting.sum()))
        advice = _advice(forecast(counts, more=more) if counts and more else None, data)
    with steps.phase("inference", int(data.waiting.sum())):
        probabilities = predict(data.features, head, several=several)
        label, sure, _ = _judged(probabilities[data.refused].astype(np.float64), None, several)
        wrong = np.zeros(len(label), dtype=np.bool_)
        refused = {"label": label, "sure": sure, "right": wrong, "copies": data.copies[data.refused]}
        checks = pd.concat([checks, pd.DataFrame(refused)], ignore_index=True)
        doubt = label_doubt(probabilities, truth.sum(axis=0), _CLEAR) if several else margin_doubt(probabilities)
        open_rows = probabilities[data.waiting].astype(np.float64)
        label, sure, _ = _judged(open_rows, None, several)
        chosen = np.nonzero(open_rows >= _CLEAR) if several else (np.arange(len(open_rows)), label)
        images = data.table.loc[data.waiting, "image"].to_numpy()[chosen[0]]
        shown = pd.DataFrame({"image": images, "label": np.array(data.names, dtype=object)[chosen[1]]})
        shown = shown.assign(
            confidence=open_rows[chosen],
            label_at=chosen[1],
            sure=sure[chosen[0]],
            **dict.fromkeys(t.BOX_COLUMNS, np.nan),
        )
    return _Found(checks, shown, suspects, doubt, probabilities, advice)


def _judged(
    probabilities: NDArray[np.float64], truth: NDArray[Any] | None, several: bool
) -> tuple[IntArray, NDArray[np.float64], BoolArray | None]:
    """Return the predicted label of each image, how sure it is, and whether it is right."""
    if several:  # all labels of an image are right, or it is wrong
        clear = clarity(probabilities, _CLEAR).min(axis=1)
        right = None if truth is None else ((probabilities >= _CLEAR) == truth).all(axis=1)
        return np.zeros(len(probabilities), dtype=np.int64), clear, right
    label = probabilities.argmax(axis=1)
    return label, probabilities.max(axis=1, initial=0), None if truth is None else label == truth


def _detect(data: _Images, steps: _Steps, budget: str | float, root: Path, model: str) -> _Found:
    """Train a detector on each half of the images to predict the other half, and half of the images without labels."""
    images, boxes, n, count = data.part.images, data.part.marks, len(data.at), len(data.table)
    if boxes["image"].nunique() < FEWEST_IMAGES or len(boxes) < FEWEST_BOXES:
        return _nothing(steps, n)
    from customlabels_nb.training.boxes_data import make_examples
    from customlabels_nb.training.budget import Budget, parse_budget
    from customlabels_nb.training.detection_data import DetectionOptions
    from customlabels_nb.training.detector_recipe import TrainedDetector, predict_boxes, train_detector

    names, limit = [name for name in data.names if (boxes["label"] == name).any()], parse_budget(budget)

    def trained(chosen: BoolArray) -> TrainedDetector:
        part = Budget(limit.seconds and limit.seconds / 2, limit.steps)
        relay = _relay(steps.events, "training")
        return train_detector(
            make_examples(images[chosen], boxes, names), names, DetectionOptions(part), relay, root=root
        )

    def predicted(images: pd.Series, half: BoolArray, phase: str) -> pd.DataFrame:
        relay = _relay(steps.events, phase)
        pairs = zip(detectors, (images[~half].tolist(), images[half].tolist()), strict=True)
        return pd.concat(
            predict_boxes(detector, half_images, names, root=root, events=relay)[0] for detector, half_images in pairs
        )

    half = split_groups(data.copies[data.at])
    if any(not boxes["image"].isin(images.loc[part_of, "image"]).any() for part_of in (half, ~half)):
        return _nothing(steps, n)
    with steps.phase("training", len(boxes), "boxes"):
        detectors = [trained(half), trained(~half)]
    with steps.phase("validation", len(data.check), "check images"):
        crossed = predicted(images["image"], half, "validation")
        truth = data.annotations[data.annotations["image"].isin(images["image"])]
        checked = data.table["image"].iloc[data.check].tolist()
        checks = check_boxes(crossed[crossed["confidence"] >= _SHOWN], truth, checked)
        names_refused = data.table["image"].iloc[data.refused]
        refused = predicted(names_refused, np.arange(len(names_refused)) % 2 == 0, "validation")
        refused = refused[refused["confidence"] >= _SHOWN]
        parts = [checks, check_boxes(refused, truth.head(0), names_refused.tolist())]
        checks = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        group = pd.Series(data.copies[: data.in_train], index=data.table["image"].iloc[: data.in_train])
        checks = checks.assign(
            sure=checks["confidence"], label=_positions(checks, data), copies=group[checks["image"]].to_numpy()
        )
        suspects = suspect_boxes(truth, crossed, model=model)
    with steps.phase("inference", min(int((data.waiting & ~data.reserved).sum()), _MOST_DETECTED)):
        free = np.random.default_rng(0).permutation(np.flatnonzero(data.waiting & ~data.reserved))[:_MOST_DETECTED]
        names_in_order = data.table["image"].iloc[free]  # in random order, so each detector predicts a random half
        predictions = predicted(names_in_order, np.arange(len(names_in_order)) % 2 == 0, "inference")
        shown = predictions.assign(sure=predictions["confidence"], label_at=_positions(predictions, data))
        positions = pd.Series(np.arange(count), index=data.table["image"])[names_in_order]
        doubt = box_doubt(
            positions[predictions["image"]].to_numpy(), predictions["confidence"].to_numpy(), _SHOWN, count
        )
    return _Found(checks, shown[shown["sure"] >= _SHOWN], suspects, doubt)


def _read_proposals(data: _Images, store: SqlStore) -> pd.DataFrame | None:
    """Return the proposals for the images, with the positions of their labels, or None if there are none."""
    facts = store.setting(PROPOSALS)
    if facts is None or (facts["task"] in DRAWN_TASKS) != (data.task == BOXES):
        return None
    rows = store.predictions(model=facts["model"])
    rows = rows[rows["image"].isin(data.table["image"]) & rows["label"].isin(data.names)]
    return None if rows.empty else rows.assign(label_at=_positions(rows, data)).reset_index(drop=True)


def _judge_proposals(data: _Images, proposed: pd.DataFrame, result: _Found) -> _Found:
    """Return a result in which the predictions are the proposals, judged on the check images."""
    checked, labelled = (data.table["image"].iloc[at] for at in (np.append(data.check, data.refused), data.check))
    truth = data.annotations[data.annotations["image"].isin(labelled)]
    if data.task == BOXES:
        checks = check_boxes(proposed, truth, checked.tolist())
        checks = checks.assign(sure=checks["confidence"], label=_positions(checks, data))
        rows = proposed.assign(sure=proposed["confidence"])
    else:  # all labels of an image are right, or it is wrong
        rows = proposed.assign(sure=proposed.groupby("image")["confidence"].transform("min"))
        true_labels = truth.groupby("image")["label"].agg(frozenset)
        labels = rows[rows["image"].isin(checked)].groupby("image")["label"].agg(frozenset)
        checks = rows.drop_duplicates("image").set_index("image").loc[labels.index, ["label_at", "sure"]].reset_index()
        right = [labels[image] == true_labels.get(image, frozenset()) for image in checks["image"]]
        checks = checks.assign(label=0 if data.task == MULTI_LABEL else checks["label_at"], right=right)
    group = pd.Series(data.copies[: data.in_train], index=data.table["image"].iloc[: data.in_train])
    checks = checks.assign(copies=group[checks["image"]].to_numpy())
    waiting = data.table.loc[data.waiting, "image"]
    return replace(result, checks=checks, shown=rows[rows["image"].isin(waiting)])


def _surest_label(data: _Images, proposed: pd.DataFrame) -> IntArray:
    """Return the position of the surest proposed label of each image, or -1."""
    first = proposed.sort_values("confidence", ascending=False, kind="stable").drop_duplicates("image")
    labels = data.table["image"].map(dict(zip(first["image"], first["label_at"], strict=True)))
    return np.asarray(labels.fillna(-1), dtype=np.int64)


def _copied(data: _Images, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    """Return predictions for the open near-duplicates of labelled images: their labels, where these agree."""
    labels_of = data.part.marks.groupby("image")["label"].agg(frozenset)
    label_sets = data.part.images["image"].map(lambda name: labels_of.get(name, frozenset()))
    labels = label_sets.groupby(data.copies[data.at]).agg(["first", "nunique"])
    agreed = labels.loc[labels["nunique"] == 1, "first"]
    rows = [
        (position, data.names.index(name))
        for position in np.flatnonzero(data.waiting & np.isin(data.copies, agreed.index)).tolist()
        for name in sorted(agreed[data.copies[position]])
    ]
    positions, label = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return pd.DataFrame({
        "image": data.table["image"].to_numpy()[positions], "label": np.array(data.names, dtype=object)[label],
        "confidence": probabilities[positions, label].astype(np.float64), "label_at": label,
    }).assign(**dict.fromkeys(t.BOX_COLUMNS, np.nan))  # fmt: skip


def split_groups(groups: IntArray) -> BoolArray:
    """Return a mask of about half of the items, with all or none of each group (n,). It is random which."""
    group, size = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    order = np.random.default_rng(0).permutation(len(size))
    middle = np.empty(len(size))
    middle[order] = np.cumsum(size[order]) - size[order] / 2
    return np.asarray((middle < len(groups) / 2)[group])


def _nothing(steps: _Steps, labels: int) -> _Found:
    for name, count, unit in (("training", labels, "labels"), ("validation", 0, "check images")):
        with steps.phase(name, count, unit):
            pass
    with steps.phase("inference", 0):
        checks = pd.DataFrame(columns=["label", "sure", "right", "copies"], dtype=float)
        checks = checks.astype({"label": int, "right": bool})
        shown = pd.DataFrame({name: [] for name in (*_PREDICTION, "sure")}).assign(label_at=np.empty(0, np.int64))
        suspects = suspect_boxes(t.empty(t.ANNOTATION_COLUMNS), t.empty(t.PREDICTION_COLUMNS))
    return _Found(checks, shown, suspects)


def _positions(table: pd.DataFrame, data: _Images) -> IntArray:
    return np.asarray(table["label"].map({name: i for i, name in enumerate(data.names)}), dtype=np.int64)


def _relay(events: Events, phase: str, start: int = 0, total: int | None = None) -> Events:
    """Return events whose progress is passed on as that of a phase."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            events.progress(phase, start + event.done, total or event.total, event.unit)

    inner = Events()
    inner.subscribe(listen)
    return inner


def _guarantees(checks: pd.DataFrame, labels: int, target: float, task: str) -> list[Guarantee]:
    sure, right, copies = (checks[name].to_numpy() for name in ("sure", "right", "copies"))
    if task == MULTI_LABEL:
        return [find_guarantee(sure, right, target, copies=copies, labels=tuple(range(labels)))] * labels
    return guarantee_labels(sure, checks["label"].to_numpy(), right, labels, target, copies=copies)


def _promise(
    thresholds: list[Guarantee], checks: pd.DataFrame, checked: int, names: list[str], target: float
) -> dict[str, Any]:
    """Describe how often predictions were right on check images, or how many labels are needed until that is known."""
    kept = {guarantee.labels: guarantee for guarantee in thresholds if guarantee.shown}.values()
    sure, right, copies = (checks[name].to_numpy() for name in ("sure", "right", "copies"))
    missing: list[list[Any]] = []
    promise: dict[str, Any] | None = None
    needed: int | None = None
    for position, name in enumerate(names):
        of_label = checks["label"].to_numpy() == position
        if not thresholds[position].shown and of_label.any():
            more = labels_needed(sure[of_label], right[of_label], target, checked=checked, copies=copies[of_label])
            missing += [] if more is None else [[name, more]]
    if kept:
        shown, hits = sum(guarantee.shown for guarantee in kept), sum(guarantee.right for guarantee in kept)
        bound, threshold = float(lower_bound(hits, shown)), min(guarantee.threshold for guarantee in kept)
        promise = {"shown": shown, "right": hits, "bound": bound, "threshold": threshold}
    else:
        needed = labels_needed(sure, right, target, copies=copies)
        if checks.empty and needed is not None:  # without a model, the check images so far count nevertheless
            needed = max(1, needed - round(checked / FIRST_SHARE))
    items, correct = (checked, None) if checks.empty else count_evidence(right, copies)
    evidence = {"items": items, "right": correct, "wanted": fewest_items(target)}
    missing.sort(key=lambda pair: pair[1])
    return {"promise": promise, "needed": needed, "missing": missing, "evidence": evidence}


def _advice(result: Forecast | None, data: _Images) -> dict[str, Any] | None:
    if result is None:
        return None
    times = data.annotations["created"].astype("int64").to_numpy() / 1e6
    seconds = seconds_per_label(times)
    return {
        "more": result.more, "gain": result.gain, "low": result.low, "high": result.high,
        "label": None if result.label is None else data.names[result.label],
        "minutes": None if seconds is None else max(1, round(result.more * seconds / 60)),
        "text": describe_forecast(result, data.names, seconds),
    }  # fmt: skip


def _note(data: _Images, result: _Found, source: str) -> str:
    """Say in a sentence what is special, if anything. ``source`` is the model of the proposals, if they are shown."""
    used = data.part.marks["label"].nunique()
    if source and data.waiting.any():
        return f"The predictions are the proposals of {source}."
    if not data.waiting.any():
        return "All images that can be read have been labelled, skipped or marked for review."
    if not len(data.at):
        return "No image has been labelled yet, so the queue starts with typical images."
    if result.doubt is None and data.task == BOXES:
        return f"A detector needs {FEWEST_IMAGES} images with {FEWEST_BOXES} boxes, not all of one scene."
    if result.doubt is None:
        return f"Nothing can be predicted with {counted(used, 'label')} in use."
    return ""
