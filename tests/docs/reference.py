"""Generate ``docs/reference.md`` from the docstrings of everything public."""

from __future__ import annotations

import dataclasses
import inspect
import pydoc
import re
import typing
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import import_module
from typing import Any

import customlabels_nb as cl
from customlabels_nb._utils.text import listed
from tests.conftest import ROOT

REFERENCE = ROOT / "docs" / "reference.md"
COMMAND = "python -m tests.docs"

#: The functions that people call first, in this order. The others follow in the order of ``cl.__all__``.
_FIRST_FUNCTIONS = (
    "create_project",
    "load_project",
    "list_projects",
    "read_dataset",
    "load_model",
    "evaluate",
    "open_results",
    "backbones",
    "detectors",
)
#: Heading → classes below it, in the order in which people meet them. Those that ``cl.`` does not export are returned
#: by something that it exports.
CLASSES = {
    "Projects and data": (
        "project.project.Project",
        "datasets.dataset.Dataset",
        "project.labels.Labels",
        "project.snapshots.Snapshots",
        "assist.assistant.Assist",
        "assist.assistant.AssistStatus",
        "assist.auto_labels.AutoLabels",
        "assist.proposals.Proposals",
        "datasets.import_reports.ImportReport",
        "datasets.import_reports.RefreshReport",
        "ingest.manifest_updates.EntriesReport",
        "project.project.Distribution",
        "labeling.box_outlines.BoxOutlines",
        "datasets.formats.ExportReport",
        "project.archive.PackReport",
        "examples.ExamplePhotos",
    ),
    "Checks": (
        "checks.findings.CheckReport",
        "datasets.validation.validation_report.ValidationReport",
        "diagnostics.Checkup",
    ),
    "Widgets": (
        "widgets.gallery.Gallery",
        "widgets.annotator.Annotator",
        "widgets.review.Review",
        "widgets.map.ProjectMap",
        "widgets.verify.Verify",
        "labeling.verification.Submission",
        "labeling.session.EditResult",
        "widgets.job_review.JobReview",
        "widgets.job_dashboard.JobDashboard",
        "widgets.name_question.NameQuestion",
        "widgets.dashboard.Dashboard",
        "widgets.label_manager.LabelManager",
        "widgets.history.HistoryPanel",
        "widgets.results.Results",
        "widgets.quick_test.QuickTest",
        "widgets.training_view.TrainingView",
    ),
    "Models and what they find": (
        "project.model.Model",
        "project.runnable.LoadedModel",
        "project.model_card.ModelCard",
        "inference.detection.Detection",
        "inference.video.VideoDetection",
        "inference.result_writing.WrittenDetections",
        "inference.exporting.export.Exported",
    ),
    "Judging a model": (
        "project.report.Report",
        "evaluation.exploring.filtering.Filter",
        "evaluation.result.Evaluation",
        "evaluation.confusion.ConfusionMatrix",
        "evaluation.summary.EvaluationSummary",
        "evaluation.evaluation_snapshots.SnapshotTables",
        "evaluation.advice.Advice",
        "evaluation.advice.items.AdviceItem",
        "evaluation.comparison.comparing.Comparison",
        "evaluation.comparison.several.VersionsComparison",
    ),
    "Labelling jobs": (
        "jobs.job_list.LabellingJobs",
        "jobs.job.LabellingJob",
        "jobs.job.JobProgress",
        "jobs.open_images.ImageGroup",
        "jobs.job_results.JobConsolidation",
        "jobs.agreement.Agreement",
        "jobs.worker.Worker",
        "jobs.worker.LeasedTask",
        "jobs.leases.Acknowledgement",
        "jobs.identity.Identity",
    ),
    "Teaching": ("teaching.exercises.Exercises", "teaching.handout.HandoutReport"),
    "Events and settings": (
        "events.Events",
        "training.tensorboard.TensorBoardListener",
        "training.mlflow.MLflowListener",
        "user_settings.Settings",
    ),
}
#: Internal methods between a widget and its page, or between parts of the package.
_WIRING = {
    "MessageHandler.answer",
    "MessageHandler.open",
    "ChangeListener.listen_to",
    "TrainingView.end",
    "Dataset.as_stored",
    "Dataset.groups_of_images",
    "Dataset.image_table",
    "Dataset.split_mask",
    "VideoDetection.note",
}
_INTRODUCTION = """Some arguments mean the same everywhere. `split` is "train" or "test". `threshold` is the minimum
confidence of the predictions that a call returns, and `thresholds` is the rule by which a model or a report decides
which predictions are answers. `random_state` is the random seed. `note` is kept in the history. `confirm=True` skips
the question that is asked before something is deleted. `progress=False` hides the progress bar. `events` is a function
that is called with each event, or a `cl.Events`, with which the work can also be cancelled. `ax` is the matplotlib axes
to draw on, by default new ones. Boxes are `left, top, width, height` in pixels of the upright image. Confidences and
thresholds are between 0 and 1. All exceptions are listed [at the end](#errors)."""
_ROLE = re.compile(r":(?:meth|func|class|attr|data|mod|exc):`([^`]+)`")
_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
_LISTED = ("Parameters", "Attributes", "Returns", "Raises", "Yields")
_DIRECTIVE = re.compile(r"(?m)^(.*\S)::$")
#: A docstring that refers to another function with the same arguments for its sections.
_SAME = re.compile(r"\n\nSee :(?:meth|func):`~?customlabels_nb\.([\w.]+)`\.$")


def classes() -> Iterator[type]:
    """Yield the public classes, including those of the objects that users receive."""
    for names in CLASSES.values():
        for name in names:
            yield _class(name)


def functions() -> Iterator[tuple[str, Any]]:
    """Yield the functions of ``cl.``, ``cl.examples`` and ``cl.teaching``."""
    for name in dict.fromkeys((*_FIRST_FUNCTIONS, *cl.__all__)):
        value = getattr(cl, name)
        if inspect.isfunction(value):
            yield f"cl.{name}", value
    for name in ("create", "write_photos"):
        yield f"cl.examples.{name}", getattr(cl.examples, name)
    yield "cl.teaching.write_handout", cl.teaching.write_handout


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that the package defines for a class, sorted by name."""
    found: dict[str, Any] = {}
    for base in reversed(inspect.getmro(owner)):
        if base.__module__.partition(".")[0] != cl.__name__:
            continue
        for name, value in vars(base).items():
            kinds = (property, cached_property, classmethod, staticmethod)
            if (
                not name.startswith("_")
                and f"{base.__name__}.{name}" not in _WIRING
                and (inspect.isfunction(value) or isinstance(value, kinds))
            ):
                found[name] = value
    yield from sorted(found.items())


def listed_bases(owner: type) -> list[type]:
    """Return the base classes that have a section of their own."""
    return [base for base in inspect.getmro(owner)[1:] if base in set(classes())]


def own_members(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the members of a class that are not documented with a base class, or in the same words before."""
    for name, value in _not_of_bases(owner):
        if _first_described()[_words(owner, name, value)] is owner:
            yield name, value


def shared_members(owner: type) -> dict[type, list[str]]:
    """Return the names of members that the reference describes with an earlier class, which is no base class."""
    found: dict[type, list[str]] = {}
    for name, value in _not_of_bases(owner):
        if (first := _first_described()[_words(owner, name, value)]) is not owner:
            found.setdefault(first, []).append(name)
    return found


def _not_of_bases(owner: type) -> Iterator[tuple[str, Any]]:
    inherited = [member for base in listed_bases(owner) for member in members(base)]
    yield from (member for member in members(owner) if member not in inherited)


@cache
def _first_described() -> dict[tuple[str, str, str], type]:
    """Map the words that describe a member to the first class in the reference that has a member with these words."""
    found: dict[tuple[str, str, str], type] = {}
    for owner in classes():
        for name, value in _not_of_bases(owner):
            found.setdefault(_words(owner, name, value), owner)
    return found


def _words(owner: type, name: str, value: Any) -> tuple[str, str, str]:
    function = function_of(value)
    return name, docstring(owner, name, value), "" if function is None else "".join(_signature(name, function))


def docstring(owner: type | None, name: str, value: Any) -> str:
    """Return the cleaned docstring, inherited from a base class if the member has none."""
    text = inspect.getdoc(getattr(owner, name) if owner is not None and inspect.isfunction(value) else value) or ""
    same = _SAME.search(text)
    if same is None:
        return text
    summary, _, rest = (inspect.getdoc(pydoc.locate(f"customlabels_nb.{same[1]}")) or "").partition("\n\n")
    assert rest, f"{name} leads to {same[1]}, which has only {summary!r}"
    return f"{text[: same.start()]}\n\n{rest}"


def function_of(value: Any) -> Any:
    """Return the function of a member, None for a property."""
    if isinstance(value, classmethod | staticmethod):
        return value.__func__
    return value if inspect.isfunction(value) else None


# -- Markdown -----------------------------------------------------------------------------------------------


def markdown() -> str:
    """Return the complete reference."""
    lines = [
        "# Reference",
        "",
        f"Made from the docstrings by `{COMMAND}`; do not edit it here. `cl` is `import customlabels_nb as cl`.",
        "",
        " ".join(_INTRODUCTION.split()),
        "",
        "- [Functions](#functions)",
    ]
    for heading, names in CLASSES.items():
        links = ", ".join(f"[{_short(name)}](#{_short(name).lower()})" for name in names)
        lines.append(f"- [{heading}](#{anchor(heading)}): {links}")
    lines += ["- [Errors](#errors)", "", "## Functions", ""]
    lines += _summary({name: docstring(None, name, function) for name, function in functions()})
    for name, function in functions():
        lines += ["", f"### {name}", "", *_signature(name, function), *_text(docstring(None, name, function))]
    for heading, names in CLASSES.items():
        lines += ["", f"## {heading}"]
        for name in names:
            lines += _class_lines(_class(name))
    lines += ["", "## Errors", "", *_text(inspect.getdoc(cl.errors) or "")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _class_lines(owner: type) -> list[str]:
    """Return the Markdown section of a class. Members of a base class that has its own section are in that one only."""
    exported = f"`cl.{owner.__name__}`. " if getattr(cl, owner.__name__, None) is owner else ""
    text = _text(inspect.getdoc(owner) or "")
    text[0] = exported + text[0]
    lines = ["", f"### {owner.__name__}", "", *text]
    lines += [
        f"Has all members of [{base.__name__}](#{base.__name__.lower()}) as well." for base in listed_bases(owner)
    ]
    for first, names in shared_members(owner).items():
        shared = listed([f"[`{name}`](#{anchor(f'{first.__name__}.{name}')})" for name in names], most=len(names))
        lines.append(f"As in [{first.__name__}](#{first.__name__.lower()}): {shared}.")
    told = {f"{owner.__name__}.{name}": docstring(owner, name, value) for name, value in own_members(owner)}
    lines += ["", *_summary(told)]
    for name, value in own_members(owner):
        function = function_of(value)
        title = f"{owner.__name__}.{name}"
        lines += ["", f"#### {title}", ""]
        if function is not None:
            lines += _signature(title, function, bound=not isinstance(value, staticmethod))
        lines += _text(docstring(owner, name, value))
    return lines


def _summary(told: dict[str, str]) -> list[str]:
    """Return a table of names, each a link to its entry, with the first sentence of their docstrings."""
    rows = []
    for name, doc in told.items():
        sentence = re.split(r"(?<=[.:])\s", _text(doc.partition("\n\n")[0])[0], maxsplit=1)[0]
        shown = re.sub(r"(?<!\\)\|", r"\|", re.sub(r":$", ".", sentence))
        rows.append(f"| [`{name.partition('.')[2]}`](#{anchor(name)}) | {shown} |")
    return ["| Name | What it does |", "| --- | --- |", *rows] if rows else []


def _signature(name: str, function: Any, *, bound: bool = False) -> list[str]:
    """Return the signature of a function as a Markdown code block."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[bound and "." in name and not name.startswith("cl.") :]
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    shown = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return ["```python", f"{name}{_without_addresses(shown)}", "```", ""]


def _without_addresses(text: str) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _text(doc: str) -> list[str]:
    """Convert a NumPy docstring to Markdown: sections to lists, roles to code, examples to blocks."""
    parts = _SECTION.split(_ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2].lstrip('~')}`", doc))
    lines = _prose(parts[0])
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        lines += ["", f"**{heading}**", ""]
        lines += _items(body.strip("\n")) if heading in _LISTED else _prose(body)
    return [line.rstrip() for line in lines] or [""]


def _items(body: str) -> list[str]:
    """Convert the items of a docstring section to a Markdown list."""
    lines: list[str] = []
    for line in body.splitlines():
        if line and not line.startswith(" "):
            name, colon, kind = line.partition(" : ")
            lines.append(f"- `{name}`{f' ({_escaped(kind)})' if colon else ''}  ")
        elif line.strip():
            lines.append("  " + _escaped(line.strip()))
    return lines


def _prose(text: str) -> list[str]:
    """Return paragraphs, with indented text and ``>>>`` blocks as code."""
    lines: list[str] = []
    for block in re.split(r"\n{2,}", text.strip("\n")):
        rows = block.splitlines()
        if rows and (rows[0].startswith(">>>") or all(row.startswith("    ") for row in rows if row)):
            code = rows if rows[0].startswith(">>>") else inspect.cleandoc("\n" + block).splitlines()
            lines += ["```", *code, "```", ""]
        else:
            joined = _escaped(" ".join(row.strip() for row in rows))
            lines += [_DIRECTIVE.sub(r"\1:", joined), ""]
    return lines


def _escaped(text: str) -> str:
    """Escape the characters that Markdown would interpret, except in backticks."""
    pieces = re.split(r"(`+[^`]*`+)", text)
    return "".join(
        piece.replace("``", "`") if n % 2 else re.sub(r"([<>*_\[\]|])", r"\\\1", piece)
        for n, piece in enumerate(pieces)
    )


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and MkDocs give to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _class(name: str) -> type:
    """Import a class by its name in the package."""
    module, _, own = name.rpartition(".")
    found: type = getattr(import_module(f"customlabels_nb.{module}"), own)
    return found


def is_field(owner: type, name: str) -> bool:
    """Return True if a dataclass or NamedTuple has this field, which its class describes."""
    return (dataclasses.is_dataclass(owner) and name in {f.name for f in dataclasses.fields(owner)}) or (
        name in getattr(owner, "_fields", ())
    )


def hints(function: Any) -> dict[str, Any]:
    """Return the type hints, unresolved where they exist for type checkers only."""
    try:
        return typing.get_type_hints(function)
    except NameError:
        return dict(function.__annotations__)
