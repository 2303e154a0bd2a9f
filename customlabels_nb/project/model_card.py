"""Model card: description, training data, metrics and limits of a model version.

A card is built from the version's record and the files in its folder. No image is opened, so the card only changes if
the version does. Facts that a version does not have are None or empty.
"""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import write_errors, write_whole
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, listed, one_line, printable
from customlabels_nb.checks.box_rules import check_boxes
from customlabels_nb.checks.label_rules import check_labels
from customlabels_nb.core.decisions import MOST_CONFIDENT
from customlabels_nb.core.tables import BOXES, DRAWN_TASKS, MACHINE, MULTI_LABEL, POLYGONS, SINGLE_LABEL, by_machine
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.evaluation import Evaluation
from customlabels_nb.evaluation.thresholds import assumed_thresholds
from customlabels_nb.images.locations import is_remote, local_path
from customlabels_nb.models.artifact import ModelConfig, load_config
from customlabels_nb.models.backbones import backbone_named
from customlabels_nb.models.detector_shape import COCO_DETECTORS, OWN, TransformersShape
from customlabels_nb.models.pretrained.weights import licence_of
from customlabels_nb.store import VersionRecord
from customlabels_nb.training.kept_files import read_snapshot
from customlabels_nb.training.stored import stored_evaluation
from customlabels_nb.training.tasks import BRANDS, choose_task

CARD = "card.md"
_DESCRIPTIONS = {
    SINGLE_LABEL: "Single-label classifier: it assigns one label to each image",
    MULTI_LABEL: "Multi-label classifier: it assigns each image all labels that apply to it",
    BOXES: "Object detector: it finds objects in an image, each with a label and a box",
    POLYGONS: "Object detector with masks: it finds objects in an image, each with a label, a box and an outline",
    BRANDS: "Brand detector: it was trained on logo images and finds these logos in photos, each with a box",
}
#: Names of metrics, in the order of the card.
METRICS = {
    "f1": "F1, mean over the labels",
    "precision": "Precision, mean over the labels",
    "recall": "Recall, mean over the labels",
    "accuracy": "Accuracy",
    "mean_threshold": "Mean threshold",
    "mean_average_precision": "Mean average precision (mAP)",
    "mean_average_recall": "Mean average recall (mAR)",
    "coco_map": "COCO mAP, IoU 0.50 to 0.95",
}
#: Training facts that have their own wording in the table, or are shown in a different section.
_TOLD = {
    "random_state", "device", "training_images", "test_images", "left_out", "ended", "seconds", "steps",
    "planned_steps", "best_step", "budget", "batch", "parts", "input_size", "detector", "notes", "history", "images",
    "recipe", "reason",
}  # fmt: skip
_LONGEST_VALUE = 60
#: Thresholds that differ by less are considered equal, as library releases may differ in the last digits.
_SAME = 1e-6
#: Findings that the limits section covers.
_STATED_ELSEWHERE = ("LABEL_HAS_FEW_IMAGES", "LABEL_HAS_FEW_TEST_IMAGES", "LABEL_NOT_IN_TEST", "TEST_SET_MISSING")
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, CustomLabelsError)
# thresholds for the limits section
_WIDE = 0.1  # width of an F1 interval worth mentioning
_WEAK = 0.7
_FEW_TRAINING, _FEW_TEST = 10, 3
_CONFUSED = 0.05  # fraction of a label's images or boxes
_MOST = 5
_MARKUP = re.compile(r"([\\`*_\[\]~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"}  # $ would begin a formula
_WEB = re.compile(r"(?<=:)//|(?<=www)\.", re.IGNORECASE)  # text that GitHub turns into links
_NUMBERED = re.compile(r"\d{1,9}[.)](?=\s|$)")


@dataclass(frozen=True, eq=False)
class ModelCard:
    """Model card of a version. Notebooks display it, and ``print(card)`` prints its Markdown.

    Attributes
    ----------
    name : str
        Name of the version.
    blocks : sequence of Block
        Contents of the card.

    Examples
    --------
    >>> card = model.card
    >>> [block.text for block in card.blocks if block.kind == "heading"][1:]
    ['Data', 'Recipe', 'Results', 'Limits', 'How to use it']
    """

    name: str
    blocks: Sequence[Block]

    @property
    def text(self) -> str:
        """Card as GitHub Markdown. The same version always gives the same text."""
        return to_markdown(self.blocks)

    def to(self, path: str | os.PathLike[str]) -> Path:
        """Write the card to a file atomically, replacing an existing one.

        Parameters
        ----------
        path : path
            File to write (an HTML page if it ends in ``.html``), or a folder to write ``card.md`` to.

        Returns
        -------
        Path
            File written.

        Raises
        ------
        InputError
            If the file cannot be written.

        Examples
        --------
        >>> model.card.to("card.html").name
        'card.html'
        """
        target = local_path(path, "path")
        target = target / CARD if target.is_dir() else target
        if target.suffix.lower() in (".html", ".htm"):
            text = render("model_card_page.html", title=self.name, blocks=self.blocks)
        else:
            text = self.text
        with write_errors(f"path={str(target)!r}"):
            write_whole(target, text.encode())
        return target

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return render("model_card.html", blocks=self.blocks)


def make_card(
    folder: Path, root: Path, record: VersionRecord, project: str, *, evaluated: Evaluation | None = None
) -> ModelCard:
    """Build the card of the version in ``folder`` from its files, without running the model or opening an image."""
    config = load_config(folder)
    evaluation, hand_set = _evaluation(folder, root, config, evaluated)
    train, test = (_snapshot(folder, split, root) for split in ("train", "test"))
    facts = CardFacts(project, record, config, _environment(folder), train, test, evaluation, hand_set)
    return ModelCard(record.name, sections(facts))


# A card is a list of blocks. Their texts are plain text: names of labels and models may contain markup, which is
# escaped when a block is written as Markdown or HTML.


@dataclass(frozen=True)
class Heading:
    """Heading. ``level`` 1 is the title of the document."""

    kind: ClassVar[str] = "heading"
    text: str
    level: int = 2


#: Heading of the last section, which shows how to run the model.
USE = Heading("How to use it")


@dataclass(frozen=True)
class Text:
    """Paragraph. Line breaks are replaced with spaces."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Items:
    kind: ClassVar[str] = "items"
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Color:
    """Table cell that shows a color, ``#rrggbb``."""

    value: str


Cell: TypeAlias = str | Color


@dataclass(frozen=True)
class Table:
    """Table with a header. ``numbers`` contains the indices of the right-aligned columns."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Code:
    kind: ClassVar[str] = "code"
    text: str


Block: TypeAlias = Heading | Text | Items | Table | Code


def to_markdown(blocks: Iterable[Block]) -> str:
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def markdown_text(text: str) -> str:
    """Escape ``text`` so that Markdown shows it verbatim on one line, even at the beginning of a line."""
    plain = _MARKUP.sub(r"\\\1", one_line(text).strip())
    plain = "".join(_ENTITIES.get(character, character) for character in plain)
    plain = _WEB.sub(lambda found: "\\" + found[0], plain)
    begins = _NUMBERED.match(plain)
    if begins:
        return f"{plain[: begins.end() - 1]}\\{plain[begins.end() - 1 :]}"
    return f"\\{plain}" if plain[:1] in tuple("#+=-") else plain


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {markdown_text(block.text)}"
    if isinstance(block, Text):
        return markdown_text(block.text)
    if isinstance(block, Items):
        return "\n".join(f"- {markdown_text(text)}" for text in block.texts)
    if isinstance(block, Code):
        fence = "`" * max(3, *(1 + len(run) for run in re.findall("`+", block.text)), 0)
        return f"{fence}python\n{printable(block.text)}\n{fence}"
    rule = ["--:" if column in block.numbers else ":--" for column in range(len(block.head))]
    cells = (
        [f"`{cell.value}`" if isinstance(cell, Color) else markdown_text(cell) for cell in row] for row in block.rows
    )
    rows = [[*map(markdown_text, block.head)], rule, *cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass(frozen=True, eq=False)
class CardFacts:
    """Facts of a card, with datasets as when it was trained. ``hand_set`` labels have other thresholds."""

    project: str
    record: VersionRecord
    config: ModelConfig
    environment: Mapping[str, Any]
    train: Dataset | None
    test: Dataset | None
    evaluation: Evaluation | None
    hand_set: tuple[str, ...]

    @property
    def task(self) -> str:
        return self.config.task

    @property
    def recipe(self) -> str | None:
        """Recipe that the model was trained with, see :class:`customlabels_nb.training.tasks.TaskChoice`."""
        recipe: str | None = self.training.get("recipe")
        return recipe

    @property
    def training(self) -> Mapping[str, Any]:
        return self.config.training

    @cached_property
    def reason(self) -> str:
        """Reason why a model for this task was trained, as the end of a sentence, or an empty string if unknown."""
        kept = self.training.get("reason")
        if isinstance(kept, str):
            return kept
        if self.train is None or self.test is None:
            return ""
        choice = choose_task(self.train, self.test, named=self.record.config.get("task"))
        return choice.reason if choice.task == self.task else "it was the project's task"

    @cached_property
    def training_images(self) -> dict[str, int]:
        counts = self.record.statistics.get("training_images_per_label")
        if isinstance(counts, dict):
            return {str(label): int(count) for label, count in counts.items()}
        return {} if self.train is None else _images_by_label(self.train)

    @cached_property
    def warnings(self) -> list[str]:
        """Human-readable findings of the dataset checks on the data used for training."""
        if self.train is None or self.test is None:
            return []
        findings = check_labels(self.train, self.test, None)
        for dataset in (self.train, self.test):
            sizes = (
                dataset.image_table[side].to_numpy(dtype="float64", na_value=float("nan"))
                for side in ("width", "height")
            )
            findings += check_boxes(dataset, *sizes)
        messages = [finding.message for finding in findings if finding.code not in _STATED_ELSEWHERE]
        both = len(set(self.train.image_table["sha256"].dropna()) & set(self.test.image_table["sha256"].dropna()))
        if both:
            messages.append(f"{counted(both, 'image is', 'images are')} in both the training and the test set.")
        return messages


def places(dataset: Dataset) -> list[str]:
    """Count the images by kind of location, without revealing names of folders or servers."""
    counts = dataset.image_table["image"].map(_place).value_counts()
    return [f"{count:,} {location}" for location, count in sorted(counts.items())]


def labelled_between(dataset: Dataset, until: pd.Timestamp) -> tuple[str, str] | None:
    """Return the first and last day (UTC) of labelling, or None if unknown."""
    created = dataset.annotations["created"].dropna()
    created = created[created <= until]
    return None if created.empty else (str(created.min().date()), str(created.max().date()))


def _place(image: str) -> str:
    if is_remote(image):
        protocol = image.partition("://")[0].lower()
        return "on the web" if protocol in ("http", "https") else f"in object storage ({protocol})"
    outside = image[:7].lower() == "file://" or os.path.isabs(image)
    return "as files outside the project's folder" if outside else "in the project's folder"


def _images_by_label(dataset: Dataset) -> dict[str, int]:
    ready = dataset.image_table.loc[dataset.image_table["status"] == "labelled", "image"]
    annotations = dataset.annotations[dataset.annotations["image"].isin(ready)].drop_duplicates(["image", "label"])
    return {str(label): int(count) for label, count in annotations["label"].value_counts().items()}


def _evaluation(
    folder: Path, root: Path, config: ModelConfig, evaluated: Evaluation | None
) -> tuple[Evaluation | None, tuple[str, ...]]:
    try:
        evaluation, thresholds = evaluated or stored_evaluation(folder, root, config), config.thresholds
        best = zip(evaluation.outcomes.labels, assumed_thresholds(evaluation.outcomes).tolist(), strict=True)
        hand_set = (name for name, value in best if abs(thresholds.get(name, value) - value) > _SAME)
        return evaluation, () if config.decision == MOST_CONFIDENT else tuple(hand_set)
    except _DAMAGED:
        return None, ()


def _snapshot(folder: Path, split: str, root: Path) -> Dataset | None:
    try:
        return read_snapshot(folder, split, root)
    except _DAMAGED:
        return None


def _environment(folder: Path) -> Mapping[str, Any]:
    try:
        content = json.loads((folder / "environment.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def sections(facts: CardFacts) -> list[Block]:
    return [
        Heading(facts.record.name, 1),
        *_summary(facts),
        *_data(facts),
        *_recipe(facts),
        *_results(facts),
        Heading("Limits"),
        Items(tuple(limits_of(facts))),
        *_use(facts),
    ]


def _summary(facts: CardFacts) -> Iterator[Block]:
    if facts.record.description:
        yield Text(facts.record.description)
    reason = f" ({facts.reason})" if facts.reason else ""
    words = _DESCRIPTIONS.get(facts.recipe or facts.task, _DESCRIPTIONS[facts.task])
    yield Text(f"{words}{reason}. It belongs to the project {facts.project}.")
    rows = zip(facts.config.labels, facts.config.colors, strict=True)
    yield Table(("label", "color"), tuple((label, Color(color)) for label, color in rows))


def _data(facts: CardFacts) -> Iterator[Block]:
    yield Heading("Data")
    counts = facts.record.statistics
    rows: list[tuple[Cell, ...]] = []
    for split, dataset in (("training_images", facts.train), ("test_images", facts.test)):
        used = facts.training.get(split, counts.get(split))
        name = split.removesuffix("_images").replace("training", "train")
        if dataset is None:
            rows.append((name, _count(used), "not stored", "not stored", "not stored"))
            continue
        days = labelled_between(dataset, pd.Timestamp(facts.record.created))
        between = "unknown" if days is None else " to ".join(dict.fromkeys(days))
        in_all = f"{len(dataset):,}"
        rows.append((name, _count(used), in_all, ", ".join(places(dataset)) or "none", between))
    yield Table(("set", "images used", "total", "location", "labelled"), tuple(rows), frozenset((1, 2)))
    yield from _labels_by_models(facts)
    lines = []
    left_out = facts.training.get("left_out")
    if isinstance(left_out, int) and left_out:
        lines.append(f"Excluded because they could not be read: {counted(left_out, 'image')}.")
    lines += facts.warnings
    if lines:
        yield Text("Findings of the dataset checks on both sets:")
        yield Items(tuple(lines))


def _labels_by_models(facts: CardFacts) -> Iterator[Block]:
    """Name the models that assigned training labels, with their licences if known."""
    if facts.train is None:
        return
    labels = facts.train.annotations
    counts = labels.loc[by_machine(labels), "annotator"].str.removeprefix(MACHINE).value_counts().sort_index()
    if len(counts):
        models = [
            f"{name} ({', '.join(filter(None, (licence_of(name), f'{count:,}')))})" for name, count in counts.items()
        ]
        assigned = counted(int(counts.sum()), "was", "were")
        yield Text(f"Of {counted(len(labels), 'training label')}, {assigned} assigned by models: {listed(models)}.")


def _recipe(facts: CardFacts) -> Iterator[Block]:
    yield Heading("Recipe")
    training = facts.training
    rows = [("network", _network(facts)), ("input", f"{facts.config.input_size} px")]
    if facts.config.is_detector:
        rows.append(("boxes", f"at most {facts.config.box_limit:,} per image"))
    rows += _training_rows(training)
    tuned = training.get("fine_tuning")
    if isinstance(tuned, Mapping):
        rows += [(f"fine-tuning: {name}", value) for name, value in _training_rows(tuned)]
    rows += [
        (name.replace("_", " "), _value(value))
        for name, value in sorted(training.items(), key=lambda item: str(item[0]))
        if name not in _TOLD and _is_plain(value)
    ]
    for name in ("random_state", "device"):
        value = training.get(name, facts.record.config.get(name))
        if value is not None:
            rows.append((name, _value(value)))
    if facts.record.config.get("base"):
        rows.append(("started from", f"version {facts.record.config['base']}, if that performed better"))
    rows.append(("ended", _moment(training.get("ended", facts.record.created.isoformat()))))
    rows += _environment_rows(facts.environment)
    yield Table(("setting", "value"), tuple(rows))
    notes = training.get("notes")
    if isinstance(notes, list) and notes:
        yield Items(tuple(str(note) for note in notes))


def _network(facts: CardFacts) -> str:
    shape, name = facts.config.detector, facts.config.backbone
    if isinstance(shape, TransformersShape):
        licence = shape.licence or "licence unknown, see the source of its weights"
        return f"{shape.architecture} from transformers ({licence}, revision {shape.revision[:12]})"
    if shape is not None and shape.architecture != OWN:
        detector = COCO_DETECTORS[shape.architecture]
        return f"{detector.name} from torchvision ({detector.licence}, {detector.parameters:g} million parameters)"
    try:
        backbone = backbone_named(name)
        about = f" ({backbone.licence}, {backbone.parameters / 1e6:.1f} million parameters)"
    except (CustomLabelsError, ImportError):  # the backbone's library is not installed
        about = ""
    head = "a linear head on" if shape is None else "a two-stage detector on"
    return f"{head} the backbone {name}{about}"


def _training_rows(training: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if is_number(training.get("steps")):
        planned, best = training.get("planned_steps"), training.get("best_step")
        of = f" of {planned:,} planned" if is_number(planned) and planned != training["steps"] else ""
        best_step = f", the best after {best:,}" if is_number(best) else ""
        rows.append(("steps", f"{training['steps']:,}{of}{best_step}"))
    if is_number(training.get("seconds")):
        rows.append(("time", f"{training['seconds']:,.1f} s"))
    rows += [(name, _value(training[name])) for name in ("budget", "batch") if _is_plain(training.get(name))]
    return rows


def _environment_rows(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return Python and the packages that trained the model, as far as they were stored."""
    rows = []
    if environment.get("python"):
        rows.append(("Python", f"{environment['python']} on {str(environment.get('platform', '')).partition('-')[0]}"))
    packages = environment.get("packages")
    if isinstance(packages, Mapping):
        rows.append(("packages", ", ".join(f"{name} {number}" for name, number in packages.items() if number)))
    return rows


def _results(facts: CardFacts) -> Iterator[Block]:
    yield Heading("Results")
    evaluation = facts.evaluation
    if evaluation is None:
        metrics = facts.record.metrics
        rows = [(words, f"{metrics[name]:.3f}") for name, words in METRICS.items() if is_number(metrics.get(name))]
        yield Table(("metric", "value"), tuple(rows), frozenset((1,))) if rows else Text("No metrics were stored.")
        return
    count = counted(len(evaluation.outcomes.images), "test image")
    answer = " The most confident label of an image is its answer." if evaluation.applied.most_confident else ""
    yield Text(f"On {count}.{answer} The 95% confidence intervals are bootstrapped from these images.")
    summary = evaluation.summary.set_index("metric")
    yield Table(
        ("metric", "value", "95% confidence interval"),
        tuple(
            (words, f"{summary.at[name, 'value']:.3f}", _interval(summary.at[name, "low"], summary.at[name, "high"]))
            for name, words in METRICS.items()
            if name in summary.index and not pd.isna(summary.at[name, "value"])
        ),
        frozenset((1, 2)),
    )
    yield _per_label(facts)


def _per_label(facts: CardFacts) -> Table:
    assert facts.evaluation is not None
    boxes, labels = facts.evaluation.task in DRAWN_TASKS, facts.config.labels
    objects = "test boxes" if facts.evaluation.task == BOXES else "test objects"
    columns: dict[str, Callable[[Any], str]] = {  # a row of per_label → the text of a cell
        "F1": lambda row: _metric(row.f1, row.test_images),
        "precision": lambda row: _metric(row.precision, row.test_images),
        "recall": lambda row: _metric(row.recall, row.test_images),
        "threshold": lambda row: _metric(row.threshold, row.label in labels),
        "AP": lambda row: _metric(row.average_precision, row.test_images),
        "test images": lambda row: f"{row.test_images:,}",
        objects: lambda row: f"{row.support:,}",
        "training images": lambda row: (
            _count(facts.training_images.get(row.label, 0)) if facts.training_images else "not stored"
        ),
    }
    left_out = [] if boxes else ["AP", objects]
    left_out += ["threshold"] if facts.evaluation.applied.most_confident else []
    shown = {name: cell for name, cell in columns.items() if name not in left_out}
    rows = [(row.label, *(cell(row) for cell in shown.values())) for row in facts.evaluation.per_label.itertuples()]
    return Table(("label", *shown), tuple(rows), frozenset(range(1, len(shown) + 1)))


def _metric(value: float, is_trained: Any) -> str:
    return f"{value:.3f}" if is_trained else "—"


def _use(facts: CardFacts) -> Iterator[Block]:
    yield USE
    box = ", and its box in pixels" if facts.config.is_detector else ""
    box += ", and its outline" if facts.task == POLYGONS else ""
    yield Code(
        "import customlabels_nb as cl\n\n"
        f"project = cl.load_project({_quoted(facts.project)})  # the project's folder\n"
        f"model = project.model({_quoted(facts.record.name)})\n"
        "with model.started():\n"
        '    found = model.detect("new.jpg")              # displays itself; found.table, found.response\n'
        '    table = model.detect_many("incoming/*.jpg")  # one row for each detected label'
    )
    if facts.config.decision == MOST_CONFIDENT:
        answer = (
            "The label with the highest confidence is returned. Use detect(…, threshold=0.8) for all labels that reach "
            "a threshold, or model.set_thresholds(…) to store thresholds."
        )
    else:
        answer = (
            "Only results that reach the label's threshold are returned. Use detect(…, threshold=0.8) for a higher "
            "threshold, or model.set_thresholds(…) to store different thresholds."
        )
    yield Text(
        f"Each row has a label and its confidence, between 0 and 1{box}. {answer} model.evaluate() shows the results "
        "by label and by image."
    )


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=not name.isprintable())


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) or pd.isna(high) else f"{low:.3f} to {high:.3f}"


def _moment(value: object) -> str:
    try:
        return f"{pd.Timestamp(str(value)).tz_convert('UTC'):%Y-%m-%d %H:%M} UTC"
    except (TypeError, ValueError):
        return "unknown"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "not stored"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_plain(value: object) -> bool:
    """Check whether ``value`` is a single number or a short string. Strings that could be local paths are excluded."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_VALUE and not any(mark in value for mark in "/\\")
    return isinstance(value, bool) or is_number(value)


def limits_of(facts: CardFacts) -> list[str]:
    return [
        *_about_metrics(facts),
        *_about_labels(facts),
        *([] if facts.evaluation is None else _about_mistakes(facts.evaluation)),
        *_about_boxes(facts),
        *_about_the_world(facts),
    ]


def _about_metrics(facts: CardFacts) -> Iterator[str]:
    evaluation = facts.evaluation
    if evaluation is None:
        yield "The model's predictions on the test images were not stored, so there are no results by label."
        return
    low, high = evaluation.summary.loc[evaluation.summary["metric"] == "f1", ["low", "high"]].iloc[0]
    if not pd.isna(low) and high - low > _WIDE:
        yield (
            f"The metrics are based on {counted(len(evaluation.outcomes.images), 'test image')}. On another sample of "
            f"that size, F1 could be anywhere from {low:.2f} to {high:.2f}."
        )
    yield from evaluation.notes
    if facts.hand_set:
        yield f"Thresholds set by hand, not chosen for the highest F1: {listed(facts.hand_set)}."


def _about_labels(facts: CardFacts) -> Iterator[str]:
    if facts.recipe != BRANDS:
        learnt = [(label, facts.training_images.get(label, 0)) for label in facts.config.labels]
        few = [f"{label} ({count})" for label, count in learnt if count < _FEW_TRAINING]
        if few and facts.training_images:
            yield f"Fewer than {_FEW_TRAINING} training images: {listed(few)}."
    if facts.evaluation is None:
        return
    table = facts.evaluation.per_label
    tested = table[table["test_images"] > 0]
    few = [f"{row.label} ({row.test_images})" for row in tested.itertuples() if row.test_images < _FEW_TEST]
    if few:
        yield f"Fewer than {_FEW_TEST} test images, so a single one changes the metrics considerably: {listed(few)}."
    weak = tested[tested["f1"] < _WEAK].sort_values("f1", kind="stable")
    if len(weak):
        named = [f"{row.label} ({row.f1:.2f})" for row in weak.itertuples()]
        yield f"Low F1 (below {_WEAK}): {listed(named)}."


def _about_mistakes(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.task == MULTI_LABEL:
        yield from _about_marks(evaluation)
        return
    matrix = evaluation.confusion_matrix
    nothing = matrix.labels[-1] if matrix.background else None
    no_answer = matrix.columns[-1] if len(matrix.columns) > len(matrix.labels) else None
    columns = dict(zip(matrix.labels, matrix.truth_counts.tolist(), strict=True))
    things = "boxes" if matrix.background else "test images"
    rows = matrix.confusions().itertuples(index=False)
    for row in islice((row for row in rows if row.truth == nothing or row.share >= _CONFUSED), _MOST):
        are = counted(row.count, "is", "are")
        if row.truth == nothing:
            times = "once" if row.count == 1 else f"{row.count:,} times"
            yield f"The model detects {row.predicted} {times} where there is none."
        elif row.predicted == nothing:
            yield f"Of {columns[row.truth]:,} {things} of {row.truth}, {are} missed."
        elif row.predicted == no_answer:
            get = counted(row.count, "gets", "get")
            yield f"Of {columns[row.truth]:,} {things} of {row.truth}, {get} no answer."
        else:
            yield f"Of {columns[row.truth]:,} {things} of {row.truth}, {are} predicted as {row.predicted}."


def _about_marks(evaluation: Evaluation) -> Iterator[str]:
    """Describe misses and false predictions by label. A multi-label matrix would also count co-occurring labels."""
    table = evaluation.per_label.assign(wrong=evaluation.per_label["fp"] + evaluation.per_label["fn"])
    table = table[(table["wrong"] > 0) & (table["test_images"] > 0)].sort_values(
        "wrong", ascending=False, kind="stable"
    )
    for row in table.head(_MOST).itertuples():
        missed = f"is missed on {row.fn:,} of the {row.test_images:,} test images with this label" if row.fn else ""
        added = f"is predicted on {row.fp:,} without it" if row.fp else ""
        yield f"{row.label} {' and '.join(filter(None, (missed, added)))}."


def _about_boxes(facts: CardFacts) -> Iterator[str]:
    if not facts.config.is_detector:
        return
    if facts.recipe == BRANDS:
        yield (
            "The model was trained on scenes with logo images pasted into them. It may miss logos on cloth, on curved "
            "or lit surfaces, or seen from the side."
        )
        return
    if facts.train is None:
        return
    images = facts.train.image_table
    longest = np.fmax(*(images[side].to_numpy(dtype="float64", na_value=np.nan) for side in ("width", "height")))
    boxes = facts.train.annotations.dropna(subset=["left"])
    of_image = boxes["image"].map(dict(zip(images["image"], longest, strict=True))).to_numpy(dtype="float64")
    shares = (boxes[["width", "height"]].max(axis=1).to_numpy(dtype="float64") / of_image)[of_image > 0]
    if len(shares):
        low, high = np.quantile(shares, (0.05, 0.95), method="nearest")
        yield (
            f"For 9 in 10 training boxes, the longer side is between {low:.0%} and {high:.0%} of the image's longer "
            "side. Much smaller or larger objects were rare in training."
        )
    most = int(boxes.groupby("image").size().max()) if len(boxes) else 0
    if most:
        yield f"No training image has more than {counted(most, 'box', 'boxes')}."


def _about_the_world(facts: CardFacts) -> Iterator[str]:
    count = len(facts.config.labels)
    yield (
        f"The model only knows {'one label' if count == 1 else f'{count:,} labels'}. It assigns anything else to one "
        "of them or detects nothing, and its confidence is then unreliable."
    )
    if facts.recipe == BRANDS or facts.task not in (BOXES, POLYGONS, MULTI_LABEL) or facts.train is None:
        return
    labelled = facts.train.image_table.loc[facts.train.image_table["status"] == "labelled", "image"]
    if labelled.isin(facts.train.annotations["image"]).all():
        yield (
            "Every training image contains a labelled object, so the model's rate of false detections on images "
            "without any objects is unknown."
        )
