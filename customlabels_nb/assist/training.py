"""Train on the labels of people, and store the predictions for the other images, in the helper process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customlabels_nb._utils.files import why_not_written
from customlabels_nb._utils.text import counted
from customlabels_nb.assist.background_training import FEWEST_BOXES, FEWEST_IMAGES
from customlabels_nb.assist.clusters import cluster_pages
from customlabels_nb.assist.guarantee import Guarantee, check_boxes, describe_evidence, find_guarantee, guarantee_labels
from customlabels_nb.assist.learning import MORE, count_on_check_images, describe_advice, forecast
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
from customlabels_nb.events import Events, relay
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
MOST_DETECTED = 500  # images in which a detector looks for boxes
_SHOWN, _CLEAR = 0.5, 0.5  # confidence of a box that could be shown, and threshold of a label
_PREDICTION = ["image", "label", "confidence", *t.BOX_COLUMNS]


@dataclass(frozen=True, eq=False)
class _Images:
    """Training images, and the open test images if they are allowed. Masks (n,) and positions refer to ``table``.

    A model can learn from the images of ``part``, which are ``at`` these positions. ``copies`` has the group of
    near-duplicates of each image.
    """

    table: pd.DataFrame
    task: str
    names: list[str]
    annotations: pd.DataFrame
    part: UsableImages
    at: IntArray
    by_machine: BoolArray
    in_train: int
    features: PackedFeatures
    copies: IntArray

    def copies_of(self, images: pd.Series) -> IntArray:
        """Return the groups of near-duplicates of training images, by their names."""
        group = pd.Series(self.copies[: self.in_train], index=self.table["image"].iloc[: self.in_train])
        return np.asarray(group[images])


@dataclass(frozen=True, eq=False)
class _Uses:
    """Decision of :func:`_choose_uses` about each image.

    ``use`` (n,) is one of:

    - "ask", an image that waits for a label, or "next check", the same but reserved to be a check image
    - "copy", a near-duplicate of an image that is asked or labelled
    - "learn", or "check" if predictions are checked on it as well
    - "refuse", a check image that people could not label, for example a skipped one, where every prediction is wrong
    - "ignore": answered without a usable label, labelled by a model, or unreadable

    ``reserved`` is a mask of the next check images and their near-duplicates, which are shown without predictions.
    ``upcoming`` are the positions of the next check images in their random order, and ``places`` what is to be kept
    about them for the next run.
    """

    use: NDArray[np.str_]
    reserved: BoolArray
    upcoming: IntArray
    places: list[int]

    def mask(self, *uses: str) -> BoolArray:
        return np.isin(self.use, uses)

    @property
    def waiting(self) -> BoolArray:
        """Mask of the images that wait for a label."""
        return self.mask("ask", "next check", "copy")

    def positions(self, *uses: str) -> IntArray:
        return np.flatnonzero(self.mask(*uses))


@dataclass(frozen=True, eq=False)
class _Predictions:
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


@dataclass(frozen=True, eq=False)
class _Source:
    """Predictions to show, with the guarantee of each label. ``proposals`` is the model if these are its proposals."""

    predictions: _Predictions
    guarantees: list[Guarantee]
    proposals: str = ""

    @property
    def is_trusted(self) -> bool:
        return any(guarantee.shown for guarantee in self.guarantees)


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
    steps = _Steps(events)
    data = _read(store, root, steps, test=bool(arguments["test"]))
    uses = _choose_uses(data, arguments["earlier"], arguments["reserved"])
    predict_images = _detect if data.task == BOXES else _classify
    learnt = predict_images(data, uses, steps, arguments["budget"], root, f"run {number}")
    proposed = _read_proposals(data, store)
    source = _choose_source(data, uses, learnt, proposed, target)
    judged = _judge(data, uses, source, offer_copies=bool(arguments["keep"]))
    trusted = judged[judged["verdict"] == "trusted"].sort_values(["label_at", "confidence"], ascending=[True, False])
    prelabels = trusted[[*_PREDICTION, "polygon"]]
    checked, has_learnt_boxes = len(uses.positions("check", "refuse")), data.task == BOXES and learnt.doubt is not None
    report = {
        "task": data.task,
        "steps": steps.done,
        **describe_evidence(source.predictions.checks, source.guarantees, checked, data.names, target),
        "advice": learnt.advice,
        "learnt": len(data.part.marks) if has_learnt_boxes else 0,
        "note": _note(data, uses, source),
        "reserved": uses.places,
    }
    if not arguments["keep"]:
        return {**report, "found": prelabels.to_dict("list")}
    queue, pages = _order(data, uses, learnt, proposed)
    names = data.table["image"].to_numpy(dtype=str)
    try:
        AssistResults(number, names, queue, pages, prelabels.reset_index(drop=True), learnt.suspects).write(root)
    except OSError as error:
        raise StoreError(f"The results cannot be stored: {why_not_written(error)}.") from error
    return report


def _read(store: SqlStore, root: Path, steps: _Steps, *, test: bool) -> _Images:
    """Read the training images, with the labels that people gave. Images with a label by a model are not labelled."""
    images, annotations, labels = store.tables(t.TRAIN)
    by_machine = images["image"].isin(annotations.loc[t.by_machine(annotations), "image"]).to_numpy()
    human = annotations[~annotations["image"].isin(images.loc[by_machine, "image"])]
    train = Dataset(images[~by_machine], human, labels, name=t.TRAIN, root=root)
    nothing = Dataset(images[:0], None, labels)
    proposals = store.setting(PROPOSALS) if annotations.empty else None
    task = choose_task(train, nothing, project_task=store.project().task or (proposals and proposals["task"])).task
    task = BOXES if task in DRAWN_TASKS else task  # boxes are learnt in less time than masks
    features, table = PackedFeatures(project_features(root), store.setting(FEATURES) or PACKAGED), images
    if test:
        more = store.images(t.TEST)
        table = pd.concat([images, more[more["status"] == "unlabelled"]], ignore_index=True)
    if table.empty:
        raise NotEnoughDataError("The training set has no images. Add some with project.add_images(…).")
    with steps.phase("featurization", len(table)):
        _add_features(features, table, root, steps.events)
        copies = group_copies(table, root, store, steps.events)
    part = usable_part(train, task)
    at = pd.Series(np.arange(len(images)), index=images["image"])[part.images["image"]].to_numpy(dtype=np.int64)
    readable = features.readable[at]
    usable = part.images[readable].reset_index(drop=True)
    part = UsableImages(usable, part.marks[part.marks["image"].isin(usable["image"])])
    by_machine = np.append(by_machine, np.zeros(len(table) - len(images), np.bool_))
    return _Images(
        table, task, labels["label"].tolist(), human, part, at[readable], by_machine, len(images), features, copies
    )


def _add_features(features: PackedFeatures, table: pd.DataFrame, root: Path, events: Events) -> None:
    """Add the features of all images, and compute those that are not stored yet."""
    names, keys = table["image"].tolist(), [key if isinstance(key, str) else None for key in table["sha256"]]
    for start in range(0, len(names), _BLOCK):
        part = slice(start, start + _BLOCK)
        features.add(names[part], keys[part], root=root, events=relay(events, "featurization", start, len(names)))


def group_copies(images: pd.DataFrame, root: Path, store: SqlStore, events: Events) -> IntArray:
    """Return the group of near-duplicates of each image, or of identical images if there are many."""
    table = images.drop_duplicates("image")[["image", "split", "sha256", "width", "height"]]
    key = tuple(table["sha256"].fillna(table["image"]))
    if key not in _groups:
        part, pairs = Dataset(table, name=t.TRAIN, root=root), None
        if len(table) <= _MOST_COMPARED:
            passed_on = relay(events, "featurization")
            pairs = find_near_duplicates([part], files=store.files()[0], events=passed_on)
        _groups.clear()
        _groups[key] = pd.factorize(pd.Series(part.groups_of_images(pairs)))[0].astype(np.int64)
    groups: IntArray = _groups[key][pd.factorize(images["image"])[0]]
    return groups


#: Groups of near-duplicates in the latest run. The helper process usually runs several.
_groups: dict[tuple[str, ...], IntArray] = {}


def _choose_uses(data: _Images, earlier: str, offered: Sequence[int]) -> _Uses:
    """Decide what each image is used for.

    Check images are drawn from the training images that had no answer ``earlier``. They are evidence up to the last of
    the ``offered`` ones that was answered, see :func:`.queue.check_images`.
    """
    table, count, readable = data.table, len(data.table), data.features.readable
    labelled = np.isin(np.arange(count), data.at)
    unlabelled = readable & np.asarray(table["status"] == "unlabelled")
    size = table["width"].astype("float64").fillna(0) * table["height"].astype("float64").fillna(0)
    is_first = ask_once(np.where(unlabelled, data.copies, count + np.arange(count)), size)
    is_known = np.isin(data.copies, data.copies[labelled])
    rules = {
        "copy": unlabelled & (is_known | ~is_first),
        "ask": unlabelled,
        "learn": labelled,
        "refuse": readable & ~data.by_machine,
    }
    use = np.select([*rules.values()], [*rules], "ignore")
    places = check_places(table["sha256"].fillna(table["image"]).tolist())
    drawn = ~is_packed(places, earlier) & (np.arange(count) < data.in_train)
    end, ahead = check_images(places, drawn & ((use == "ask") | (data.by_machine & readable)), offered)
    is_evidence = drawn & (places <= max(end, 0))
    is_next = drawn & np.isin(places, np.array(ahead, dtype=np.uint64))
    changes = {
        "next check": (use == "ask") & is_next,
        "check": (use == "learn") & is_evidence,
        "ignore": (use == "refuse") & ~is_evidence,
    }
    use = np.select([*changes.values()], [*changes], use)
    upcoming = np.flatnonzero(use == "next check")
    upcoming = upcoming[np.argsort(places[upcoming], kind="stable")]
    return _Uses(use, np.isin(data.copies, data.copies[upcoming]), upcoming, ahead)


def _classify(data: _Images, uses: _Uses, steps: _Steps, budget: str | float, root: Path, model: str) -> _Predictions:
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
    check, waiting, refused = np.flatnonzero(uses.mask("check")[data.at]), uses.waiting, uses.positions("refuse")
    with steps.phase("training", n, "labels"):
        head = learn(rows, truth, k)
    with steps.phase("validation", len(check), "check images"):
        fitted = cross_fit(rows, truth, head, copies=copies)
        label, sure = _surest(fitted[check], several)
        right = ((fitted[check] >= _CLEAR) == truth[check]).all(axis=1) if several else label == truth[check]
        checks = pd.DataFrame({"label": label, "sure": sure, "right": right, "copies": copies[check]})
        images = data.part.images["image"].tolist()
        suspects = suspect_labels(fitted, truth, images, data.names, data.annotations, model=model)
        more, times = min(MORE, int(waiting.sum())), data.annotations["created"].astype("int64").to_numpy() / 1e6
        counts = count_on_check_images(rows, truth, check, head, copies=copies) if len(check) and more else None
        outlook = forecast(counts, more=more) if counts else None
        advice = describe_advice(outlook, data.names, times) if outlook else None
    with steps.phase("inference", int(waiting.sum())):
        probabilities = predict(data.features, head, several=several)
        label, sure = _surest(probabilities[refused], several)
        errors = pd.DataFrame({"label": label, "sure": sure, "right": False, "copies": data.copies[refused]})
        checks = pd.concat([checks, errors], ignore_index=True)
        doubt = label_doubt(probabilities, truth.sum(axis=0), _CLEAR) if several else margin_doubt(probabilities)
        open_rows = probabilities[waiting].astype(np.float64)
        label, sure = _surest(open_rows, several)
        chosen = np.nonzero(open_rows >= _CLEAR) if several else (np.arange(len(open_rows)), label)
        shown = _label_table(data, np.flatnonzero(waiting)[chosen[0]], chosen[1], open_rows[chosen])
        shown = shown.assign(sure=sure[chosen[0]])
    return _Predictions(checks, shown, suspects, doubt, probabilities, advice)


def _surest(probabilities: NDArray[np.floating], several: bool) -> tuple[IntArray, NDArray[np.float64]]:
    """Return the predicted label of each image (0 if it may have several), and how sure the model is."""
    rows = probabilities.astype(np.float64)
    if several:
        return np.zeros(len(rows), dtype=np.int64), clarity(rows, _CLEAR).min(axis=1)
    return rows.argmax(axis=1), rows.max(axis=1, initial=0)


def _detect(data: _Images, uses: _Uses, steps: _Steps, budget: str | float, root: Path, model: str) -> _Predictions:
    """Train a detector on each half of the images to predict the other half, and half of the images without labels."""
    images, boxes, n = data.part.images, data.part.marks, len(data.at)
    if boxes["image"].nunique() < FEWEST_IMAGES or len(boxes) < FEWEST_BOXES:
        return _nothing(steps, n)
    from customlabels_nb.training.boxes_data import make_examples
    from customlabels_nb.training.budget import Budget, parse_budget
    from customlabels_nb.training.detection_data import DetectionOptions
    from customlabels_nb.training.detector_recipe import TrainedDetector, predict_boxes, train_detector

    names, limit = [name for name in data.names if (boxes["label"] == name).any()], parse_budget(budget)

    def trained(chosen: BoolArray) -> TrainedDetector:
        part = Budget(limit.seconds and limit.seconds / 2, limit.steps)
        passed_on = relay(steps.events, "training")
        examples = make_examples(images[chosen], boxes, names)
        return train_detector(examples, names, DetectionOptions(part), passed_on, root=root)

    def predicted(images: pd.Series, half: BoolArray, phase: str) -> pd.DataFrame:
        passed_on = relay(steps.events, phase)
        pairs = zip(detectors, (images[~half].tolist(), images[half].tolist()), strict=True)
        return pd.concat(predict_boxes(model, part, names, root=root, events=passed_on)[0] for model, part in pairs)

    half = split_groups(data.copies[data.at])
    if any(not boxes["image"].isin(images.loc[part_of, "image"]).any() for part_of in (half, ~half)):
        return _nothing(steps, n)
    with steps.phase("training", len(boxes), "boxes"):
        detectors = [trained(half), trained(~half)]
    with steps.phase("validation", len(uses.positions("check")), "check images"):
        crossed = predicted(images["image"], half, "validation")
        truth = data.annotations[data.annotations["image"].isin(images["image"])]
        checked = data.table.loc[uses.mask("check"), "image"].tolist()
        checks = check_boxes(crossed[crossed["confidence"] >= _SHOWN], truth, checked)
        names_refused = data.table.loc[uses.mask("refuse"), "image"]
        refused = predicted(names_refused, np.arange(len(names_refused)) % 2 == 0, "validation")
        refused = refused[refused["confidence"] >= _SHOWN]
        parts = [checks, check_boxes(refused, truth.head(0), names_refused.tolist())]
        checks = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        checks = _as_evidence(checks, data)
        suspects = suspect_boxes(truth, crossed, model=model)
    free = np.random.default_rng(0).permutation(np.flatnonzero(uses.waiting & ~uses.reserved))[:MOST_DETECTED]
    with steps.phase("inference", len(free)):
        names_in_order = data.table["image"].iloc[free]  # in random order, so each detector predicts a random half
        predictions = predicted(names_in_order, np.arange(len(names_in_order)) % 2 == 0, "inference")
        shown = predictions.assign(sure=predictions["confidence"], label_at=_positions(predictions, data))
        positions = pd.Series(free, index=names_in_order)[predictions["image"]].to_numpy()
        doubt = box_doubt(positions, predictions["confidence"].to_numpy(), _SHOWN, len(data.table))
    return _Predictions(checks, shown[shown["sure"] >= _SHOWN], suspects, doubt)


def _read_proposals(data: _Images, store: SqlStore) -> pd.DataFrame | None:
    """Return the proposals for the images, with the positions of their labels, or None if there are none."""
    facts = store.setting(PROPOSALS)
    if facts is None or (facts["task"] in DRAWN_TASKS) != (data.task == BOXES):
        return None
    rows = store.predictions(model=facts["model"])
    rows = rows[rows["image"].isin(data.table["image"]) & rows["label"].isin(data.names)]
    return None if rows.empty else rows.assign(label_at=_positions(rows, data)).reset_index(drop=True)


def _choose_source(
    data: _Images, uses: _Uses, learnt: _Predictions, proposed: pd.DataFrame | None, target: float
) -> _Source:
    """Choose the predictions to show: the proposals if only they can be trusted, or if no model could be trained."""
    model = _Source(learnt, _guarantees(learnt.checks, data, target))
    if proposed is None or model.is_trusted:
        return model
    predictions = _check_proposals(data, uses, proposed, learnt)
    proposals = _Source(predictions, _guarantees(predictions.checks, data, target), str(proposed["model"].iat[0]))
    return proposals if proposals.is_trusted or learnt.doubt is None else model


def _check_proposals(data: _Images, uses: _Uses, proposed: pd.DataFrame, learnt: _Predictions) -> _Predictions:
    """Return the proposals as predictions that are checked on the check images, with the rest of what was learnt."""
    checked = data.table["image"].iloc[np.append(uses.positions("check"), uses.positions("refuse"))]
    truth = data.annotations[data.annotations["image"].isin(data.table.loc[uses.mask("check"), "image"])]
    if data.task == BOXES:
        checks = _as_evidence(check_boxes(proposed, truth, checked.tolist()), data)
        rows = proposed.assign(sure=proposed["confidence"])
    else:  # all labels of an image are right, or it is wrong
        rows = proposed.assign(sure=proposed.groupby("image")["confidence"].transform("min"))
        true_labels = truth.groupby("image")["label"].agg(frozenset)
        labels = rows[rows["image"].isin(checked)].groupby("image")["label"].agg(frozenset)
        checks = rows.drop_duplicates("image").set_index("image").loc[labels.index, ["label_at", "sure"]].reset_index()
        right = [labels[image] == true_labels.get(image, frozenset()) for image in checks["image"]]
        label = 0 if data.task == MULTI_LABEL else checks["label_at"]
        checks = checks.assign(label=label, right=right, copies=data.copies_of(checks["image"]))
    waiting = data.table.loc[uses.waiting, "image"]
    return replace(learnt, checks=checks, shown=rows[rows["image"].isin(waiting)])


def _judge(data: _Images, uses: _Uses, source: _Source, *, offer_copies: bool) -> pd.DataFrame:
    """Return the predictions with a ``verdict``: "trusted", or the first reason why a prediction is not shown.

    With ``offer_copies``, the near-duplicates of labelled images get the labels of these instead of predictions.
    """
    name, shown, probabilities = data.table["image"], source.predictions.shown, source.predictions.probabilities
    rows, copied = shown, shown[:0]
    if offer_copies and probabilities is not None:
        copied = _labels_of_copies(data, uses, probabilities)
        rows = pd.concat([shown, copied])
    is_predicted = np.arange(len(rows)) < len(shown)
    least = np.array([guarantee.threshold for guarantee in source.guarantees] or [np.inf])
    doubted = shown.loc[shown["sure"] < least[shown["label_at"]], "image"]
    rules = {
        "next check image": rows["image"].isin(name[uses.reserved]),
        "rejected by a person": rows["image"].isin(name[has_tag(data.table, REJECTED)]),
        "copy of a labelled image": is_predicted & rows["image"].isin(copied["image"]),
        "doubted label in the image": is_predicted & rows["image"].isin(doubted),
    }
    verdict = np.select([*rules.values()], [*rules], "trusted")
    return rows.assign(verdict=verdict, polygon=rows.get("polygon"))  # only proposals have polygons


def _order(
    data: _Images, uses: _Uses, predictions: _Predictions, proposed: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the queue and the cluster pages. In the queue, copies of images that are asked or labelled come last."""
    small, probabilities = compact(data.features), predictions.probabilities
    waiting, labelled = uses.mask("ask", "next check"), uses.mask("learn", "check")
    counts = np.array([(data.part.marks["label"] == name).sum() for name in data.names], dtype=np.int64)
    checked = len(uses.positions("check", "refuse"))
    surest = None if proposed is None else _surest_label(data, proposed)
    state = QueueState(
        small, uses.upcoming, waiting, labelled, counts, checked, predictions.doubt, probabilities, surest
    )
    copies = pd.DataFrame({"position": uses.positions("copy"), "kind": "copy"})
    queue = pd.concat([order_queue(state), copies], ignore_index=True)
    shown = uses.waiting & ~uses.reserved
    return queue, cluster_pages(small, shown, PAGE, probabilities=probabilities, labels=len(data.at))


def _surest_label(data: _Images, proposed: pd.DataFrame) -> IntArray:
    """Return the position of the surest proposed label of each image, or -1."""
    first = proposed.sort_values("confidence", ascending=False, kind="stable").drop_duplicates("image")
    labels = data.table["image"].map(dict(zip(first["image"], first["label_at"], strict=True)))
    return np.asarray(labels.fillna(-1), dtype=np.int64)


def _labels_of_copies(data: _Images, uses: _Uses, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    """Return predictions for the open near-duplicates of labelled images: their labels, where these agree."""
    labels_of = data.part.marks.groupby("image")["label"].agg(frozenset)
    label_sets = data.part.images["image"].map(lambda name: labels_of.get(name, frozenset()))
    labels = label_sets.groupby(data.copies[data.at]).agg(["first", "nunique"])
    agreed = labels.loc[labels["nunique"] == 1, "first"]
    rows = [
        (position, data.names.index(name))
        for position in np.flatnonzero(uses.waiting & np.isin(data.copies, agreed.index)).tolist()
        for name in sorted(agreed[data.copies[position]])
    ]
    positions, label = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return _label_table(data, positions, label, probabilities[positions, label].astype(np.float64))


def _label_table(data: _Images, images: IntArray, labels: IntArray, confidence: NDArray[np.float64]) -> pd.DataFrame:
    """Return predictions of whole images: their positions, and those of the labels, which become ``label_at``."""
    columns = {"image": data.table["image"].to_numpy()[images], "label": np.array(data.names, dtype=object)[labels]}
    boxes = dict.fromkeys(t.BOX_COLUMNS, np.nan)
    return pd.DataFrame({**columns, "confidence": confidence, "label_at": labels}).assign(**boxes)


def split_groups(groups: IntArray) -> BoolArray:
    """Return a mask of about half of the items, with all or none of each group (n,). It is random which."""
    group, size = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    order = np.random.default_rng(0).permutation(len(size))
    middle = np.empty(len(size))
    middle[order] = np.cumsum(size[order]) - size[order] / 2
    return np.asarray((middle < len(groups) / 2)[group])


def _nothing(steps: _Steps, labels: int) -> _Predictions:
    """Return no predictions, after phases in which nothing was done."""
    counts = {"training": (labels, "labels"), "validation": (0, "check images"), "inference": (0, "images")}
    for name, (count, unit) in counts.items():
        with steps.phase(name, count, unit):
            pass
    checks = pd.DataFrame(columns=["label", "sure", "right", "copies"], dtype=float)
    shown = pd.DataFrame({name: [] for name in (*_PREDICTION, "sure")}).assign(label_at=np.empty(0, np.int64))
    suspects = suspect_boxes(t.empty(t.ANNOTATION_COLUMNS), t.empty(t.PREDICTION_COLUMNS))
    return _Predictions(checks.astype({"label": int, "right": bool}), shown, suspects)


def _as_evidence(checks: pd.DataFrame, data: _Images) -> pd.DataFrame:
    """Return checked boxes with the columns of :attr:`_Predictions.checks`."""
    copies = data.copies_of(checks["image"])
    return checks.assign(sure=checks["confidence"], label=_positions(checks, data), copies=copies)


def _positions(table: pd.DataFrame, data: _Images) -> IntArray:
    return np.asarray(table["label"].map({name: i for i, name in enumerate(data.names)}), dtype=np.int64)


def _guarantees(checks: pd.DataFrame, data: _Images, target: float) -> list[Guarantee]:
    """Return the guarantee of each label. With several labels in an image, all labels have the same."""
    sure, right, copies = (checks[name].to_numpy() for name in ("sure", "right", "copies"))
    labels = len(data.names)
    if data.task == MULTI_LABEL:
        return [find_guarantee(sure, right, target, copies=copies, labels=tuple(range(labels)))] * labels
    return guarantee_labels(sure, checks["label"].to_numpy(), right, labels, target, copies=copies)


def _note(data: _Images, uses: _Uses, source: _Source) -> str:
    """Say in a sentence what is special, if anything."""
    used, is_trained = data.part.marks["label"].nunique(), source.predictions.doubt is not None
    fewest = f"{FEWEST_IMAGES} images with {FEWEST_BOXES} boxes"
    notes = [
        (not uses.waiting.any(), "All images that can be read have been labelled, skipped or marked for review."),
        (source.proposals, f"The predictions are the proposals of {source.proposals}."),
        (not len(data.at), "No image has been labelled yet, so the queue starts with typical images."),
        (is_trained, ""),
        (data.task == BOXES, f"A detector needs {fewest}, which must not all be near-duplicates of each other."),
        (True, f"Nothing can be predicted with {counted(used, 'label')} in use."),
    ]
    return next(note for applies, note in notes if applies)
