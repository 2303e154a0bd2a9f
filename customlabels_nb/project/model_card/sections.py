"""The sections of a card, from the facts of a version."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.evaluation.outcomes import DETECTION, MULTI_LABEL, SINGLE_LABEL
from customlabels_nb.models.backbones import backbone_named
from customlabels_nb.models.detector_shape import COCO_DETECTORS, OWN
from customlabels_nb.project.model_card.card_facts import CardFacts, labelled_between, places
from customlabels_nb.project.model_card.document import Block, Cell, Code, Colour, Heading, Items, Table, Text
from customlabels_nb.project.model_card.limitations import limits_of
from customlabels_nb.training.kinds import BRANDS

_IN_WORDS = {
    SINGLE_LABEL: "A classifier: it gives an image one of its labels",
    MULTI_LABEL: "A classifier: it gives an image each of its labels that it shows",
    DETECTION: "A detector: it finds things of its labels in an image, each with a box",
    BRANDS: "A detector of brands: it learnt from pictures of their logos to find them in photos, each with a box",
}
_METRICS = {
    "f1": "F1, mean over the labels",
    "precision": "Precision, mean over the labels",
    "recall": "Recall, mean over the labels",
    "accuracy": "Accuracy",
    "mean_threshold": "Mean threshold",
    "mean_average_precision": "Mean average precision (mAP)",
    "mean_average_recall": "Mean average recall (mAR)",
    "coco_map": "COCO mAP, overlaps 0.50 to 0.95",
}
#: Of what a training keeps of itself, what the table has in words of its own, or another section says.
_TOLD = {
    "seed", "device", "training_images", "test_images", "left_out", "ended", "seconds", "steps", "planned_steps",
    "best_step", "budget", "batch", "parts", "input_size", "detector", "notes", "history", "images", "kind", "reason",
}  # fmt: skip
_LONGEST_VALUE = 60


def sections(facts: CardFacts) -> list[Block]:
    """All blocks of the card, in order."""
    return [
        Heading(facts.record.name, 1),
        *_what(facts),
        *_data(facts),
        *_recipe(facts),
        *_results(facts),
        Heading("Limits"),
        Items(tuple(limits_of(facts))),
        *_use(facts),
    ]


def _what(facts: CardFacts) -> Iterator[Block]:
    if facts.record.description:
        yield Text(facts.record.description)
    reason = f" ({facts.reason})" if facts.reason else ""
    yield Text(f"{_IN_WORDS.get(facts.kind, facts.kind)}{reason}. Made in the project {facts.project}.")
    rows = zip(facts.config.labels, facts.config.colours, strict=True)
    yield Table(("label", "colour"), tuple((label, Colour(colour)) for label, colour in rows))


def _data(facts: CardFacts) -> Iterator[Block]:
    yield Heading("Data")
    counts = facts.record.statistics
    rows: list[tuple[Cell, ...]] = []
    for split, dataset in (("training_images", facts.train), ("test_images", facts.test)):
        used = facts.training.get(split, counts.get(split))
        name = split.removesuffix("_images").replace("training", "train")
        if dataset is None:
            rows.append((name, _count(used), "not kept", "not kept", "not kept"))
            continue
        days = labelled_between(dataset, pd.Timestamp(facts.record.created))
        between = "not known" if days is None else " to ".join(dict.fromkeys(days))
        in_all = f"{len(dataset):,}"
        rows.append((name, _count(used), in_all, ", ".join(places(dataset)) or "none", between))
    yield Table(("set", "images used", "in all", "where they lie", "labelled"), tuple(rows), frozenset((1, 2)))
    said = []
    left_out = facts.training.get("left_out")
    if isinstance(left_out, int) and left_out:
        said.append(f"Left out, as they could not be read: {left_out:,} image{'s' * (left_out != 1)}.")
    said += facts.warnings
    if said:
        yield Text("What a check of the two sets says:")
        yield Items(tuple(said))


def _recipe(facts: CardFacts) -> Iterator[Block]:
    yield Heading("Recipe")
    training, environment = facts.training, facts.environment
    rows = [("network", _network(facts)), ("input", f"{facts.config.input_size} px")]
    rows += _training_rows(training)
    tuned = training.get("fine_tuning")
    if isinstance(tuned, Mapping):
        rows += [(f"fine-tuning: {name}", value) for name, value in _training_rows(tuned)]
    rows += [
        (name.replace("_", " "), _value(value))
        for name, value in sorted(training.items(), key=lambda item: str(item[0]))
        if name not in _TOLD and _is_plain(value)
    ]
    for name in ("seed", "device"):
        value = training.get(name, facts.record.config.get(name))
        if value is not None:
            rows.append((name, _value(value)))
    if facts.record.config.get("base"):
        rows.append(("begun from", f"version {facts.record.config['base']}, if that did better"))
    rows.append(("ended", _moment(training.get("ended", facts.record.created.isoformat()))))
    if environment.get("python"):
        rows.append(("Python", f"{environment['python']} on {str(environment.get('platform', '')).partition('-')[0]}"))
    packages = environment.get("packages")
    if isinstance(packages, Mapping):
        rows.append(("packages", ", ".join(f"{name} {number}" for name, number in packages.items() if number)))
    yield Table(("what", "value"), tuple(rows))
    notes = training.get("notes")
    if isinstance(notes, list) and notes:
        yield Items(tuple(str(note) for note in notes))


def _network(facts: CardFacts) -> str:
    shape, name = facts.config.detector, facts.config.backbone
    if shape is not None and shape.architecture != OWN:
        known = COCO_DETECTORS[shape.architecture]
        return f"{known.name} of torchvision ({known.licence}, {known.parameters:g} million parameters)"
    try:
        backbone = backbone_named(name)
        about = f" ({backbone.licence}, {backbone.parameters / 1e6:.1f} million parameters)"
    except (CustomLabelsError, ImportError):  # of a library that isn't here
        about = ""
    head = "a linear head on" if shape is None else "a two-stage detector on"
    return f"{head} the backbone {name}{about}"


def _training_rows(training: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if _is_number(training.get("steps")):
        planned, best = training.get("planned_steps"), training.get("best_step")
        of = f" of {planned:,} planned" if _is_number(planned) and planned != training["steps"] else ""
        at = f", the best after {best:,}" if _is_number(best) else ""
        rows.append(("steps", f"{training['steps']:,}{of}{at}"))
    if _is_number(training.get("seconds")):
        rows.append(("time", f"{training['seconds']:,.1f} s"))
    rows += [(name, _value(training[name])) for name in ("budget", "batch") if _is_plain(training.get(name))]
    return rows


def _results(facts: CardFacts) -> Iterator[Block]:
    yield Heading("Results")
    found = facts.evaluation
    if found is None:
        metrics = facts.record.metrics
        rows = [(words, f"{metrics[name]:.3f}") for name, words in _METRICS.items() if _is_number(metrics.get(name))]
        yield Table(("figure", "value"), tuple(rows), frozenset((1,))) if rows else Text("No figures were kept.")
        return
    count = len(found.outcomes.images)
    yield Text(f"On {count:,} test image{'s' * (count != 1)}. The 95 % intervals come from drawing these anew.")
    summary = found.summary.set_index("figure")
    yield Table(
        ("figure", "value", "95 % interval"),
        tuple(
            (words, f"{summary.at[name, 'value']:.3f}", _interval(summary.at[name, "low"], summary.at[name, "high"]))
            for name, words in _METRICS.items()
            if name in summary.index and not pd.isna(summary.at[name, "value"])
        ),
        frozenset((1, 2)),
    )
    yield _per_label(facts)


def _per_label(facts: CardFacts) -> Table:
    assert facts.evaluation is not None
    boxes = facts.evaluation.task == DETECTION
    head = ("label", "F1", "precision", "recall", "threshold", *(("AP",) if boxes else ()), "test images",
            *(("test boxes",) if boxes else ()), "training images")  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for row in facts.evaluation.per_label.itertuples():
        metrics_shown: list[float | None] = [row.f1, row.precision, row.recall] if row.test_images else [None] * 3
        metrics_shown.append(row.threshold if row.label in facts.config.labels else None)
        if boxes:
            metrics_shown.append(row.average_precision if row.test_images else None)
        counts = [f"{row.test_images:,}", *([f"{row.tp + row.fn:,}"] if boxes else [])]
        learnt = _count(facts.training_images.get(row.label, 0)) if facts.training_images else "not kept"
        rows.append(
            (row.label, *("—" if value is None else f"{value:.3f}" for value in metrics_shown), *counts, learnt)
        )
    return Table(head, tuple(rows), frozenset(range(1, len(head))))


def _use(facts: CardFacts) -> Iterator[Block]:
    yield Heading("How to use it")
    box = ", and its box in pixels" if facts.config.kind == DETECTION else ""
    yield Code(
        "import customlabels_nb as cl\n\n"
        f"project = cl.load_project({_quoted(facts.project)})  # the project's folder\n"
        f"model = project.model({_quoted(facts.record.name)})\n"
        "with model.started():\n"
        '    found = model.detect("new.jpg")              # shows itself; found.table, found.response\n'
        '    table = model.detect_many("incoming/*.jpg")  # one row for each label that is found'
    )
    yield Text(
        f"A row has a label and its confidence, 0–1{box}. What reaches the label's threshold counts; "
        "detect(…, threshold=0.8) asks for more, model.set_thresholds(…) keeps others. model.evaluate() shows the "
        "results, label by label and image by image."
    )


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=not name.isprintable())


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) or pd.isna(high) else f"{low:.3f} to {high:.3f}"


def _moment(value: object) -> str:
    try:
        return f"{pd.Timestamp(str(value)).tz_convert('UTC'):%Y-%m-%d %H:%M} UTC"
    except (TypeError, ValueError):
        return "not known"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "not kept"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_plain(value: object) -> bool:
    """Whether a fact is one number or word; what could be a path of this machine is none."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_VALUE and not any(mark in value for mark in "/\\")
    return isinstance(value, bool) or _is_number(value)
