"""Open every widget with a page, and build requests that fit its handlers."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import ipywidgets
import numpy as np
import pandas as pd
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.events import Events
from customlabels_nb.labeling.feedback import Feedback
from customlabels_nb.labeling.project_actions import ProjectActions
from customlabels_nb.labeling.quick_test import QuickTestSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.user_settings import settings
from customlabels_nb.widgets._requests import MalformedError, _read
from customlabels_nb.widgets.name_question import NameQuestion
from customlabels_nb.widgets.quick_test import QuickTest
from customlabels_nb.widgets.results import About, Results
from customlabels_nb.widgets.training_view import TrainingView
from tests.labeling.fake_models import FakeModel
from tests.widgets.asking import Cell
from tests.widgets.test_dashboard import FakeAssist


class Below(ipywidgets.HTML):
    """Screen below another one."""

    def _outermost(self) -> Any:
        return self


BOX = {"label": "apple", "left": 1.0, "top": 2.0, "width": 10.0, "height": 8.0, "polygon": None}
INSTRUCTIONS = "Look twice.\n![ripe](ripe.png)"

#: Values of fields that have these names.
VALUES: dict[str, Any] = {
    "split": "train", "label": "apple", "labels": ["apple"], "status": "labelled", "task": "single-label",
    "show": "all", "sort": "name", "queue": None, "like": None, "confidence": 0.0, "shapes": [BOX], "size": 24,
    "text": "Look.", "instructions": INSTRUCTIONS, "line": 1, "nth": 0, "name": "plum", "into": "pear",
    "before": "pear",
    "color": "#112233", "seen": 0, "id": 10**6, "unit": "day", "format": "coco", "folder": "out", "path": "out.html",
    "splits": ["train"], "include": [], "job": "check", "do": "stop", "action": "pause", "about": "", "source": "none",
    "model": "fruit.1", "mode": "one", "one": 0.5, "own": {"apple": 0.5}, "iou_threshold": None, "what": "page",
    "op": "label", "number": 1, "key": "k", "threshold": 0.5, "budget": "2min", "target": 0.9,
    "link": {"label": "apple"},
}  # fmt: skip


def photos(folder: Path, count: int = 6) -> Path:
    """Write small images to a new folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng([number, len(str(folder))]).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 36), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


def make_project(root: Path, *, boxes: bool) -> Project:
    """Create a project with six images in each dataset, some of them labelled."""
    settings.user = "meg"
    project = create_project("fruit", root, task="boxes" if boxes else "single-label")
    for split in ("train", "test"):
        project.add_images(photos(root / "photos" / split), split=split, progress=False)
    for label in ("apple", "pear"):
        project.labels.add(label)
    marks = {"image": project.train_set.images["image"][:3], "label": "apple"}
    if boxes:
        marks |= {side: BOX[side] for side in ("left", "top", "width", "height")}
    project.update("train", pd.DataFrame(marks))
    project.instructions = INSTRUCTIONS
    Image.new("RGB", (20, 10), "red").save(project.root / "ripe.png")
    return project


def job_of(project: Project, **options: Any) -> Any:
    """Create a job in which three people have answered differently to two images, and skipped one."""
    settings.user = "meg"
    job = project.jobs.create("fruit-1", project.train_set, annotators=3, agreement=0.9, **options)
    draws = project.task == "boxes"
    for name, label in (("anna", "apple"), ("ben", "pear"), ("carl", "pear")):
        worker = job.worker(name)
        tasks = sorted(worker.lease(6), key=lambda task: task.image)
        for task in tasks[:2]:
            worker.submit(task, [{**BOX, "label": label}] if draws else label)
        worker.skip(tasks[2], "blurred")
        worker.release()
    return job


def _results(project: Project) -> Results:
    class Actions(ProjectActions):
        def kept_thresholds(self) -> dict[str, float]:
            return {}

    names = project.test_set.images["image"].tolist()
    project.update("test", pd.DataFrame({"image": names, "label": ["apple", "pear"] * 3}))
    found = pd.DataFrame({"image": names, "label": ["pear", "pear", "apple"] * 2, "confidence": 0.7})
    evaluation = cl.evaluate(project.test_set, found, names).show().exploration
    config: Any = SimpleNamespace(task="single-label", training={}, labels=("apple", "pear"))
    actions = Actions(open_project_store(project.root), project.root, "v1", config, keep_thresholds=print,
                      open_images=lambda *_, **__: Below(), open_map=print, open_crops=print,
                      predict=print)  # fmt: skip
    about = About("v1", root=project.root, writers={"page": lambda evaluation, path: None})
    return Results(evaluation, about, actions)


def _quick_test(project: Project) -> QuickTest:
    models = [FakeModel(), FakeModel("fruit.2")]
    feedback = Feedback(open_project_store(project.root), project.root)
    session = QuickTestSession(lambda: [model.candidate() for model in models], feedback=feedback)
    widget = QuickTest(session)
    widget.ask(project.root.parent / "photos" / "train" / "0.png")
    return widget


def _gallery(project: Project) -> Any:
    gallery = project.label("train")
    gallery.on_submit(len)
    return gallery


def _dashboard(project: Project) -> Any:
    dashboard = project.dashboard()
    dashboard.session.assist = FakeAssist()
    return dashboard


def _verify(project: Project) -> Any:
    folder = photos(project.root.parent / "field", 8)
    rows = [(str(path), "apple", 0.6) for path in sorted(folder.iterdir())]
    return project.verify(pd.DataFrame(rows, columns=["image", "label", "confidence"]), sample=6)


def _decided_boxes(project: Project) -> Any:
    """Open the annotator of a review."""
    review = job_of(project).review()
    review.handlers["fix"](image=review.session.page(0, 24)[1][0])
    return Cell(review).widgets[1]


#: Screens of people who label in a job. Their page must not reach files, also if another program sends the requests.
LABELERS = ("job gallery", "job annotator", "name question")

OPEN: dict[str, Callable[[Project], Any]] = {
    "gallery": _gallery,
    "annotator": lambda project: project.annotate("train"),
    "review": lambda project: project.review("train"),
    "verify": _verify,
    "map": lambda project: project.map("train"),
    "job gallery": lambda project: job_of(project, instructions=INSTRUCTIONS).label(),
    "job annotator": lambda project: job_of(project, instructions=INSTRUCTIONS).label(),
    "job review": lambda project: job_of(project).review(),
    "job review of boxes": lambda project: job_of(project).review(),
    "annotator of a job review": _decided_boxes,
    "job dashboard": lambda project: job_of(project).dashboard(),
    "name question": lambda project: NameQuestion(job_of(project).label, job="fruit-1"),
    "dashboard": _dashboard,
    "history": lambda project: project.history_panel(),
    "label manager": lambda project: project.labels.edit(),
    "results": _results,
    "quick test": _quick_test,
    "training view": lambda project: TrainingView(Events()),
}
OF_BOXES = ("annotator", "job annotator", "job review of boxes", "annotator of a job review")


class Screen:
    """A widget, requests that fit it, and the database that they change."""

    def __init__(self, name: str, folder: Path) -> None:
        self.project = make_project(folder, boxes=name in OF_BOXES)
        self.widget, self.store = OPEN[name](self.project), open_project_store(self.project.root)
        self.values = dict(VALUES)
        if name == "gallery":
            self.values["batch"] = self.widget.handlers["upload begin"]()["batch"]
        self.renew()

    def renew(self) -> None:
        """Let the requests fit the current view and labels again."""
        for label in {"apple", "pear"} - set(self.project.labels):
            self.project.labels.add(label)
        session = getattr(self.widget, "session", None)
        if hasattr(session, "page") and len(view := session.show(session.query_type(show="all"))):
            [image, *_] = session.images_at([(0, 0)], view)
            self.values |= {
                "image": image, "images": [image], "near": [image], "left": [[image], []], "view": view.number,
                "revisions": {image: 2}, "reason": None,
            }  # fmt: skip

    def content(self, kind: str, *optional: str) -> dict[str, Any]:
        """Return the content of a request with the required fields, and the optional ones with these names."""
        handler = self.widget.handlers[kind]
        types, content = get_type_hints(handler), {}
        for name, parameter in inspect.signature(handler).parameters.items():
            if name == "content":
                content |= self._example(types[name], name)
            elif name != "buffer" and (parameter.default is parameter.empty or name in optional):
                content[name] = self._example(types.get(name, Any), name)
        return content

    def optional(self, kind: str) -> list[str]:
        """Return the names of the optional fields of a request."""
        parameters = inspect.signature(self.widget.handlers[kind]).parameters.values()
        return [one.name for one in parameters if one.default is not one.empty]

    def _example(self, expected: Any, name: str) -> Any:
        if name == "query":
            return {own: self._example(kind, own) for own, kind in _fields(self.widget.session.query_type).items()}
        if name == "images" and expected == list[int]:
            return [0]
        if fits(self.values.get(name), expected):
            return self.values.get(name)
        origin, parts = get_origin(expected), get_args(expected)
        if origin in (Union, UnionType):
            return self._example(next(part for part in parts if part is not NoneType), name)
        if origin is Literal:
            return parts[0]
        if isinstance(origin, type) and issubclass(origin, Sequence):
            each = parts[:1] if origin is not tuple or parts[-1] is ... else parts
            return [self._example(part, "") for part in each]
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"apple": self._example(parts[1], "")}
        plain = {str: "apple", int: 0, float: 5.0, bool: True}
        if expected in plain:
            return plain[expected]
        return {own: self._example(kind, own) for own, kind in _fields(expected).items()}


def texts(expected: Any, path: str, query: Any = None) -> Iterator[str]:
    """Yield the paths of all strings that a handler, or a type, takes from a page."""
    origin, parts = get_origin(expected), get_args(expected)
    if path.endswith(".query"):
        expected, parts = query, ()
    if expected in (str, Any) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        yield path
    for part in parts if origin is not Literal else ():
        yield from texts(part, path, query)
    if inspect.isroutine(expected):
        for name, own in get_type_hints(expected).items():
            if name not in ("return", "buffer"):
                yield from texts(own, path if name == "content" else f"{path}.{name}", query)
    elif isinstance(expected, type) and get_type_hints(expected):
        for name, own in _fields(expected).items():
            yield from texts(own, f"{path}.{name}", query)


def fits(value: Any, expected: Any) -> bool:
    """Return True if a value of a request may be of this type."""
    try:
        _read(value, expected, "")
    except (MalformedError, AttributeError, TypeError):  # or no type that requests have
        return False
    return True


def _fields(described: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, NamedTuple or TypedDict with their types. Images of a query are a flag."""
    types = get_type_hints(described)
    names = [field.name for field in dataclasses.fields(described)] if dataclasses.is_dataclass(described) else types
    return {name: bool if name == "images" and "queue" in types else types[name] for name in names}


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values in a JSON value, without the value itself."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*path, key)
        yield from spots(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Callable[[Any, Any], None]) -> Any:
    """Return a copy of a JSON value, after ``new(parent, key)`` has changed what is at this path."""
    value = copy.deepcopy(value)
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    new(parent, path[-1])
    return value
