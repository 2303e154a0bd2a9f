"""Tests that a result of a version is judged by today's labels wherever it is shown, after any history of changes."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.project.model import Model
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project
from customlabels_nb.project.report import Report
from customlabels_nb.store import Action
from tests.project.conftest import draw
from tests.tiers import EXHAUSTIVE, many
from tests.widgets.asking import Page

LABELS = ("disc", "stripes", "triangle")
SPARE = 6
#: Kinds of changes to a project between a training and an evaluation.
KINDS = (
    "correct", "unlabel", "remove", "undo", "add", "rename", "merge", "new label", "remove label", "distribute",
    "replace file", "rename file", "threshold", "evaluate", "snapshot", "restore",
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """Project with two different versions, more drawings, and the confidences of both for all drawings by content."""

    root: Path
    spare: Path
    confidences: dict[str, dict[str, dict[str, float]]]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Trained:
    folder = tmp_path_factory.mktemp("versions")
    for number in range(SPARE):
        draw(folder / "spare" / f"spare-{number}.png", number % 3, 100 + number)
    project = cl.create_project("shapes", folder, task="single-label")
    project.add_images(shapes, labels_from="folders", copy=True, progress=False)
    project.distribute(test_fraction=0.25)
    draw(folder / "unlabelled" / "spare.png", 1, 200)
    project.add_images(folder / "unlabelled", split="test", copy=True, progress=False)
    project.train("v1", progress=False)
    swapped = {"disc": "stripes", "stripes": "disc"}
    some = project.train_set.images["image"].iloc[::2].tolist()
    project.update("train", project.train_set.relabel(swapped, lambda images: images["image"].isin(some)))
    project.train("v2", progress=False)
    files = [*sorted((folder / "spare").iterdir()), *sorted(project.root.glob("images/**/*.png"))]
    confidences: dict[str, dict[str, dict[str, float]]] = {}
    for name in ("v1", "v2"):
        with project.model(name).started(engine="torch") as model:
            table = model.detect_many(files, threshold=0, progress=False)
        for image, rows in table.groupby("image"):
            content = sha(Path(image))
            confidences.setdefault(name, {})[content] = dict(zip(rows["label"], rows["confidence"], strict=True))
    project.close()
    return Trained(project.root, folder / "spare", confidences)


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class History:
    """Project that changes, and what a person who knows all changes expects of its versions."""

    trained: Trained
    project: Project
    spare: list[Path]
    names: dict[str, str] = field(default_factory=lambda: {label: label for label in LABELS})
    undoable: list[dict[str, str] | None] = field(default_factory=list)
    snapshot: tuple[dict[str, str], list[str]] | None = None

    def __post_init__(self) -> None:
        self.first = {split: self._contents(split) for split in ("train", "test")}
        self.reports: list[Report] = [self.project.model("v1").evaluate(progress=False)]

    def predict(self, version: str, images: list[str]) -> tuple[pd.DataFrame, list[str]]:
        """Return what the version said of the same drawings, which takes a tenth of the time of a run."""
        contents = {image: sha(self.file(image)) for image in images}
        rows = [
            (image, label, confidence)
            for image in images
            for label, confidence in self.trained.confidences[version][contents[image]].items()
        ]
        return pd.DataFrame(rows, columns=["image", "label", "confidence"]), []

    def file(self, image: str) -> Path:
        return Path(image) if Path(image).is_absolute() else self.project.root / image

    def do(self, kind: str, number: int) -> None:
        project, store = self.project, self.project._store
        tested, labels = project.test_set.images["image"].tolist(), list(project.labels)
        image, label = tested[number % len(tested)] if tested else "", labels[number % len(labels)]
        before, last = dict(self.names), store.last_action()
        if kind == "correct" and tested:
            project.update("test", pd.DataFrame({"image": [image], "label": [label]}))
        elif kind == "unlabel" and tested:
            project.update("test", project.test_set.with_status("unlabelled", lambda images: images["image"] == image))
        elif kind == "remove" and len(tested) > 3:
            project.remove("test", image)
        elif kind == "add" and self.spare:
            project.add_images(self.spare.pop(), split="test", label=label, progress=False)
        elif kind == "rename":
            project.labels.rename(label, f"{label}{number}")
            self.names = {old: f"{label}{number}" if new == label else new for old, new in self.names.items()}
        elif kind == "merge" and len(labels) > 2:
            into = labels[(number + 1) % len(labels)]
            project.labels.merge(label, into=into)
            self.names = {old: into if new == label else new for old, new in self.names.items()}
        elif kind == "new label":
            project.labels.add(f"new {number}{len(labels)}")
        elif kind == "remove label" and len(labels) > 2:
            project.labels.remove(label, with_annotations=True)
            self.names = {old: old if new == label else new for old, new in self.names.items()}
        elif kind == "distribute":
            store.move_images(tested, "test", "train", Action("move", "anna"))
            project.distribute(0.3, random_state=number)
        elif kind == "replace file" and tested and self.spare:
            shutil.copy(self.spare.pop(), self.file(image))
        elif kind == "rename file" and tested:
            old = self.file(image)
            old.rename(old.with_name(f"again-{old.name}"))
            project.remove("test", image)
            project.add_images(old.with_name(f"again-{old.name}"), split="test", label=label, progress=False)
        elif kind == "snapshot":
            with suppress(InputError):  # it exists
                project.snapshots.take("first")
                self.snapshot = dict(self.names), list(labels)
        elif kind == "restore" and self.snapshot:
            project.snapshots.restore("first")
            former, there = self.snapshot
            self.names = {old: former[old] if former[old] in there else new for old, new in self.names.items()}
        elif kind == "threshold":
            project.model("v1").set_thresholds((None, "most confident", 0.4, {self.names["disc"]: 0.3})[number % 4])
        elif kind == "evaluate":
            with suppress(NotEnoughDataError):  # it was trained on all test images
                self.reports.append(project.model(f"v{number % 2 + 1}").evaluate(progress=False))
        elif kind == "undo" and self.undoable and self.undoable[-1] is not None:
            self.names = self.undoable.pop() or {}
            project.undo()
            return
        if kind in ("correct", "unlabel", "remove", "rename", "merge", "remove label") and store.last_action() > last:
            self.undoable.append(before)
        elif store.last_action() > last:
            self.undoable.append(None)

    def _contents(self, split: str) -> dict[str, str]:
        dataset = getattr(self.project, f"{split}_set")
        return {name: sha(self.file(name)) for name in dataset.images["image"]}

    def expected(self, version: str, among: set[str] | None = None, **options: object) -> Report | None:
        """Evaluate fresh predictions of a version for the test images it was not trained on."""
        images, contents = self.project.test_set.images, self._contents("test")
        learnt = set(self.first["train"].values()) - set(self.first["test"].values())
        ready = images[(images["status"] == "labelled") & ~images["image"].map(contents).isin(learnt)]
        ready = ready[ready["image"].isin(ready["image"] if among is None else among)]
        if ready.empty:
            return None
        rows = [
            (image, self.names[label], confidence)
            for image in ready["image"]
            for label, confidence in self.trained.confidences[version][contents[image]].items()
        ]
        predictions = pd.DataFrame(rows, columns=["image", "label", "confidence"])
        predictions = predictions.groupby(["image", "label"], as_index=False)["confidence"].sum()
        predictions["confidence"] = predictions["confidence"].clip(upper=1)
        truth = self.project.test_set.annotations
        return cl.evaluate(
            truth[truth["image"].isin(ready["image"])], predictions, ready["image"].tolist(),
            labels=list(dict.fromkeys(self.names.values())), task="single-label", **options,  # type: ignore[arg-type]
        )  # fmt: skip


def metrics(report: Report | cl.Evaluation) -> dict[str, float]:
    return {name: report.metric(name) for name in ("f1", "accuracy", "precision", "recall", "test_images")}


@given(steps=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 11)), min_size=2, max_size=9))
@example(
    steps=[
        *[("correct", 6), ("evaluate", 0), ("merge", 0), ("add", 0), ("rename", 0), ("replace file", 1)],
        *[("new label", 0), ("remove", 2), ("undo", 0), ("threshold", 3), ("distribute", 1)],
    ]
)
@example(steps=[("replace file", 0), ("replace file", 1)])
@example(steps=[("snapshot", 0), ("rename", 0), ("evaluate", 0), ("restore", 0)])
@settings(
    max_examples=many(16),
    deadline=None,
    phases=(Phase.explicit, Phase.generate) if EXHAUSTIVE else [Phase.explicit],  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
def test_every_way_to_a_result_agrees_after_any_history(
    tmp_path_factory: pytest.TempPathFactory, versions: Trained, steps: list[tuple[str, int]]
) -> None:
    root = tmp_path_factory.mktemp("history")
    shutil.copytree(versions.root, root / "shapes")
    history = History(versions, load_project(root / "shapes"), sorted(versions.spare.iterdir()))
    project = history.project
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(Model, "_predict", lambda model, images, **_: history.predict(model.name, images))
    try:
        for kind, number in steps:
            history.do(kind, number)
        check_all_ways(history)
    finally:
        monkeypatch.undo()
        project.close()


def check_all_ways(history: History) -> None:
    """Compare the metrics of a fresh evaluation with those of every way that a user has to them."""
    project = history.project
    model, expected = project.model("v1"), history.expected("v1", thresholds=decision(history, "v1"))
    if expected is None:
        with pytest.raises(NotEnoughDataError, match="as_trained=True"):
            model.evaluate(progress=False)
        return
    old = history.reports[0]
    screen = old.show()
    screen.judge_again()
    now = model.evaluate(progress=False)
    assert metrics(now) == pytest.approx(metrics(expected))
    assert metrics(screen.exploration.evaluation) == metrics(now)
    assert screen.metrics["f1"] == now.metric("f1")
    assert project.versions["f1"].iloc[0] == pytest.approx(now.metric("f1"))
    assert "since" not in repr(now)
    screen.close()
    compared = project.compare("v1", "v2", common=True)
    other = project.model("v2").evaluate(progress=False)
    among = set(now.images["image"]) & set(other.images["image"])
    before = history.expected("v1", among, thresholds=decision(history, "v1"))
    assert before is not None
    sides = [before, history.expected("v2", among, thresholds=rule_for_other(model.decision, before))]
    for side, report in zip(("before", "after"), sides, strict=True):
        assert report is not None
        assert compared.metric("f1")[side] == pytest.approx(report.metric("f1"))
    for report in history.reports:
        again = other.compare(report, common=True)
        if report.name == "v1":
            assert again.metric("f1")["before"] == pytest.approx(compared.metric("f1")["before"])
        else:
            assert again.same_predictions
            assert again.fixed.empty
            assert again.broken.empty
    changed = answers_changed(sides)
    assert set(compared.fixed["image"]) | set(compared.broken["image"]) <= changed


def decision(history: History, version: str) -> object:
    """Return the decision of a version by today's names of its labels, of merged ones the lowest threshold."""
    model = history.project.model(version)
    if model.decision == "most confident":
        return "most confident"
    thresholds: dict[str, float] = {}
    for label, value in model.thresholds.items():
        name = history.names[label]
        thresholds[name] = min(value, thresholds.get(name, 1.0))
    return thresholds


def rule_for_other(rule: str, before: Report) -> object:
    """Return the rule by which a version is compared with a baseline: thresholds by label belong to one version."""
    if rule == "most confident":
        return rule
    values = set(before.per_label["threshold"])
    return values.pop() if len(values) == 1 else "assumed"


def answers_changed(sides: list[Report | None]) -> set[str]:
    answers = []
    for side in sides:
        assert side is not None
        rows = side.per_image
        rows = rows[rows["result"] != "false negative"]
        answers.append(rows.groupby("image")["label"].agg(frozenset).to_dict())
    return {image for image in {**answers[0], **answers[1]} if answers[0].get(image) != answers[1].get(image)}


@pytest.mark.thorough
def test_a_copy_follows_the_labels_of_its_project(project: Project, tmp_path: Path) -> None:
    model = project.model("v1")
    project.train("v3", base="v1", progress=False)
    project.labels.rename("disc", "circle")
    other = cl.create_project("other", tmp_path, task="single-label")
    other.labels.add("triangle")
    other.labels.add("circle")
    other.labels.add("stripes")
    images = tmp_path / "shapes" / "images"
    for split in ("train", "test"):
        part = getattr(project, f"{split}_set")
        names = part.annotations.assign(image=[str(tmp_path / "shapes" / name) for name in part.annotations["image"]])
        other.add_images(names[["image", "label"]], split=split, progress=False)
    assert images.is_dir()
    copy = model.copy_to(other, progress=False)
    assert metrics(copy.evaluate()) == pytest.approx(metrics(model.evaluate()))
    copy.set_thresholds({"disc": 0.9, "stripes": 0.8, "triangle": 0.7})
    assert copy.thresholds == {"disc": 0.9, "stripes": 0.8, "triangle": 0.7}
    assert "base" not in project.model("v3").copy_to(other, progress=False).record.config


@pytest.mark.thorough
def test_images_of_a_deleted_base_stay_known(project: Project) -> None:
    project.train("v3", base="v1", progress=False)
    moved = project.train_set.images["image"].head(2).tolist()
    project.remove("train", moved[:1])
    project.train("v4", base="v3", progress=False)
    for name in ("v1", "v3"):
        project.model(name).delete(confirm=True)
    project.add_images(project.root / moved[0], split="test", label="disc", progress=False)
    project._store.move_images(moved[1:], "train", "test", Action("move", "anna"))
    assert "Left out: 2 test images that the version was trained on." in project.model("v4").evaluate().notes


@pytest.mark.thorough
def test_a_version_of_the_same_name_is_another_one(
    project: Project, versions: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(versions.root, tmp_path / "second" / "shapes")
    second = load_project(tmp_path / "second" / "shapes")
    correct(second, 0, 1)
    baseline = second.model("v1").evaluate()
    screen = project.model("v1").evaluate().show(baseline)
    correct(project, 0)
    screen.judge_again()
    assert screen.exploration.earlier is not None
    assert screen.exploration.earlier[0].images["image"].tolist() == baseline.images["image"].tolist()
    page = Page(screen, monkeypatch)
    project.model("v1").delete(confirm=True)
    assert page.ask("changed") == {"text": ""}
    project.update("train", project.train_set.relabel({"disc": "stripes", "stripes": "disc"}))
    again = project.train("v1", progress=False).evaluate()
    assert project.versions.set_index("name").loc["v1", "f1"] == again.metric("f1") != baseline.metric("f1")


def test_tables_of_copied_images_are_passed_back(project: Project) -> None:
    table = project.train_set.images
    report = project.add_images(table.assign(weather="rain"), progress=False)
    assert (report.added, report.changed_cells) == (0, len(table))
    assert set(project.train_set.images["weather"]) == {"rain"}


@pytest.fixture
def project(versions: Trained, tmp_path: Path) -> Project:
    shutil.copytree(versions.root, tmp_path / "shapes")
    return load_project(tmp_path / "shapes")


def correct(project: Project, *positions: int) -> list[str]:
    """Give test images another label, and return their names."""
    images = project.test_set.images["image"].iloc[list(positions)].tolist()
    labels = dict(zip(project.test_set.annotations["image"], project.test_set.annotations["label"], strict=True))
    others = [LABELS[(LABELS.index(labels[image]) + 1) % 3] for image in images]
    project.update("test", pd.DataFrame({"image": images, "label": others}))
    return images


def test_a_report_says_how_the_test_set_has_changed_since(project: Project, tmp_path: Path) -> None:
    report, trained = (project.model("v1").evaluate(as_trained=of_training) for of_training in (False, True))
    assert "since" not in repr(report) + repr(trained)
    correct(project, 0, 1)
    words = "2 test labels were changed since; model.evaluate() uses them."
    assert words in repr(report)
    assert words in report._repr_html_()
    assert words in report.to_html(tmp_path / "report.html", max_images=0).read_text("utf-8")
    assert words in repr(trained)
    assert "since" not in repr(project.model("v1").evaluate())
    project.labels.rename("disc", "circle")
    assert words in repr(report)  # the same labels have another name
    project.remove("test", project.test_set.images["image"].iloc[2])
    assert "2 test labels were changed and 1 test image was removed since; model.evaluate() uses them." in repr(report)


def test_equal_predictions_are_said_to_be_equal_after_a_correction(project: Project) -> None:
    before = project.model("v1").evaluate()
    (image,) = correct(project, 0)
    found = project.model("v1").evaluate().compare(before)
    assert found.sentences == [
        "The predictions are the same.",
        f"F1 stays at {project.model('v1').evaluate().metric('f1'):.3f}.",
        "The labels of 1 test image were changed since the older version was trained. Both versions are judged by "
        "today's labels.",
    ]
    assert set(found.truth_changed["image"]) == {image}
    other = project.compare("v1", "v2")
    assert not other.same_predictions
    assert set(other.truth_changed["image"]) == {image}
    assert "since the oldest version was trained. All versions are" in repr(project.compare("v1", "v2", "v1"))


def test_images_that_a_version_was_trained_on_are_left_out_and_counted(project: Project) -> None:
    moved = project.train_set.images["image"].head(2).tolist()
    project._store.move_images(moved, "train", "test", Action("move", "anna"))
    report = project.model("v1").evaluate()
    assert "Left out: 2 test images that the version was trained on." in report.notes
    assert not set(moved) & set(report.images["image"])
    project.remove("test", [name for name in project.test_set.images["image"] if name not in moved])
    with pytest.raises(NotEnoughDataError, match=r"Left out: .*model\.evaluate\(as_trained=True\)"):
        project.model("v1").evaluate()
    assert len(project.model("v1").evaluate(as_trained=True).images) == 6


def test_new_test_images_are_run_once_and_kept(
    project: Project, versions: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add_images(versions.spare / "spare-0.png", split="test", label="disc", progress=False)
    model = project.model("v1")
    status = model.status
    without = model.evaluate(run=False)
    assert len(without.images) == 6
    assert any(note.startswith("Left out: 1 test image new or changed") for note in without.notes)
    assert "run through the model" not in capsys.readouterr().out
    assert len(model.evaluate(progress=False).images) == 7
    assert "1 test image is new or changed since v1 was trained" in capsys.readouterr().out
    assert len(load_project(project.root).model("v1").evaluate(run=False).images) == 7
    assert model.status == status
    with pytest.raises(InputError, match="run=False is for the project's test set"):
        model.evaluate(project.test_set, run=False)


def test_thresholds_stay_and_are_chosen_again_by_todays_names(project: Project) -> None:
    model = project.model("v1")
    model.set_thresholds({"disc": 0.3, "stripes": 0.6, "triangle": 0.7})
    project.labels.rename("disc", "circle")
    report = model.evaluate(thresholds={"circle": 0.2})
    assert report.per_label.set_index("label").loc["circle", "threshold"] == 0.2
    model.set_thresholds({"circle": 0.4})
    assert model.thresholds["disc"] == 0.4
    model.set_thresholds("assumed")
    best = model.evaluate(thresholds="assumed").per_label.set_index("label")["threshold"]
    assert model.thresholds == {"disc": best["circle"], "stripes": best["stripes"], "triangle": best["triangle"]}
    project.labels.merge("circle", into="stripes")
    before = model.thresholds
    model.set_thresholds({**before, "triangle": 0.5})
    assert model.thresholds == before | {"triangle": 0.5}
    model.set_thresholds({"stripes": 0.35})
    assert model.thresholds == {"disc": 0.35, "stripes": 0.35, "triangle": 0.5}
    screen = model.evaluate().show()
    screen.set_thresholds({"stripes": 0.25})
    screen.keep_thresholds()
    assert model.thresholds["stripes"] == 0.25
