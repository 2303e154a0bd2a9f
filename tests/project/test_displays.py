"""Tests of what a notebook shows for the objects that a cell can end with: a known fact, and hostile names as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

import customlabels_nb as cl
from customlabels_nb.assist.proposals import Proposals
from customlabels_nb.inference.result_writing import WrittenDetections
from customlabels_nb.project.project import Distribution
from tests.project.conftest import train_project
from tests.project.test_report import Reader

HOSTILE = "<img src=x onerror=alert(1)>"
#: A plural after the number 1, as in "1 test images".
WRONG_PLURAL = re.compile(r"(?<![\d.,])1 (?!of\b)(?:[a-z-]+ )?(?:images|labels|versions|boxes|files|items|issues)\b")

Make = Callable[[cl.Project, Path], Any]


def evaluated(project: cl.Project) -> Any:
    return project.model("v1").evaluate()


def loaded(project: cl.Project) -> Any:
    return cl.load_model(project.model("v1").folder)


def proposed(*_: object) -> Proposals:
    errors = pd.DataFrame({"image": [HOSTILE], "error": [HOSTILE]})
    frame = pd.DataFrame({"image": ["1"], "label": ["disc"], "left": [None]})
    return Proposals("clip", "", {}, frame, 9, 0, errors)


def broken_photo(folder: Path) -> Path:
    (path := folder / f"{HOSTILE[:-1]}.jpg").write_bytes(b"no photo")
    return path


def first_photo(project: cl.Project) -> str:
    return str(project.root / project.train_set.images["image"].iloc[0])


#: Object → how to make it from a project of hostile names, and a fact that its display contains.
HELD: dict[str, tuple[Make, str]] = {
    "project": (lambda p, _: p, "3 labels · 1 version · 1 labelling job Next: "),
    "dataset": (lambda p, _: p.train_set, "18 images"),
    "labels": (lambda p, _: p.labels, "stripes"),
    "no labels": (lambda _, folder: cl.create_project("empty", folder).labels, "No labels yet"),
    "versions": (lambda p, _: p.versions, "TRAINING_COMPLETED"),
    "history": (lambda p, _: p.history, "train"),
    "tags": (lambda p, _: p.tags, "site"),
    "statistics": (lambda p, _: p.statistics, "total_entries=18"),
    "snapshots": (lambda p, _: p.snapshots, "both"),
    "no snapshots": (lambda _, folder: cl.create_project("empty", folder).snapshots, "No snapshots yet"),
    "model": (lambda p, _: p.model("v1"), "F1 1.000"),
    "model card": (lambda p, _: p.model("v1").card, "Single-label classifier"),
    "loaded model": (lambda p, _: loaded(p), "single-label · stopped"),
    "detection": (lambda p, _: loaded(p).detect(first_photo(p), threshold=0), "disc"),
    "written detections": (
        lambda p, folder: loaded(p).detect_many([broken_photo(folder)], to=folder / "found.jsonl"),
        "1 image or folder could not be read",
    ),
    "report": (lambda p, _: evaluated(p), "6 test images"),
    "confusion matrix": (lambda p, _: evaluated(p).confusion_matrix, "rows ground truth"),
    "advice": (lambda p, _: evaluated(p).advice, "Advice on v1"),
    "comparison": (lambda p, _: evaluated(p).compare(baseline=evaluated(p)), "6 test images"),
    "summary file": (
        lambda p, folder: cl.read_evaluation_summary(evaluated(p).to(folder / "files")[0]),
        "3 labels, f1 1.000",
    ),
    "snapshot file": (
        lambda p, folder: cl.read_evaluation_snapshot(evaluated(p).to(folder / "files")[1]),
        "of 6 images",
    ),
    "imported": (lambda p, folder: p.add_images(broken_photo(folder), progress=False), "this is not an image"),
    "refreshed": (lambda p, _: p.refresh(), "0 images added"),
    "entries": (lambda p, _: p.update_entries("train", [{"source-ref": f"{HOSTILE}/missing.jpg"}]), "missing.jpg"),
    "distributed": (lambda p, _: p.distribute(exist_ok=True), "18 training images, 6 test images"),
    "packed": (lambda p, folder: p.pack(folder / "packed.zip", progress=False), "24 images"),
    "written dataset": (lambda p, folder: p.train_set.to("coco", folder / "coco"), "Written as coco"),
    "check": (lambda p, _: p.check(), "24 images checked"),
    "validated manifest": (lambda p, folder: cl.validate_manifest(manifest(p, folder)), "18"),
    "drawn photos": (lambda p, _: p.train_set.show_batch(2), "from 18 images"),
    "jobs": (lambda p, _: p.jobs, "running"),
    "job": (lambda p, _: p.jobs["rooms-1"], "0 of 2 images decided"),
    "progress of a job": (lambda p, _: p.jobs["rooms-1"].progress, "0 of 2 images decided"),
    "agreement": (lambda p, _: p.jobs["rooms-1"].agreement, "too few answers"),
    "worker": (lambda p, _: p.jobs["rooms-1"].worker("anna"), "0 tasks leased"),
    "people": (lambda p, _: p.jobs["rooms-1"].people, "person"),
    "links": (lambda p, _: p.jobs["rooms-1"].invite(["anna"]), "anna"),
    "person": (lambda p, _: cl.whoami(p), "manager of"),
    "assist": (lambda p, _: p.assist, "off"),
    "state of assist": (lambda p, _: p.assist.status, "off"),
    "proposals": (proposed, "1 image could not be read"),
    "settings": (lambda *_: cl.settings, "Meaning"),
}


def manifest(project: cl.Project, folder: Path) -> Path:
    return project.train_set.to("ground_truth", folder / "train.manifest").files[0]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Iterator[cl.Project]:
    """Yield a trained project in which a label, a description, a snapshot, a tag and a person have a hostile name."""
    folder = tmp_path_factory.mktemp("displays")
    project = cl.load_project(train_project(folder, shapes, copy=True).root)
    project.labels.rename("triangle", HOSTILE)
    project.train("v1", progress=False)
    project.model("v1").describe(HOSTILE)
    project.snapshots.take(HOSTILE)
    project.tags.update(site=HOSTILE)
    project.jobs.create("rooms-1", project.train_set.images["image"].head(2).tolist(), members=[HOSTILE])
    yield project
    project.close()


@pytest.mark.filterwarnings("ignore:The login", "ignore:18 images outside")
@pytest.mark.parametrize("name", HELD)
def test_display_shows_facts_and_escapes_hostile_names(name: str, hostile: cl.Project, tmp_path: Path) -> None:
    make, fact = HELD[name]
    held = make(hostile, tmp_path)
    shown = DisplayFormatter().format(held)[0]
    assert " at 0x" not in shown["text/plain"]
    page = shown.get("text/html", "")
    assert bool(page) == hasattr(held, "_repr_html_")  # IPython leaves out what raises an error
    assert HOSTILE not in page
    texts = Reader(re.sub(r"<img\b[^>]*>|<br/?>", "", page)).texts
    text = " ".join(" ".join(texts).split()) if page else shown["text/plain"]
    assert fact in text
    assert WRONG_PLURAL.search(f"{shown['text/plain']} {text}") is None


def test_one_image_and_one_label_are_singular(shapes: Path, tmp_path: Path) -> None:
    photo = shapes / "disc" / "0.png"
    project = cl.create_project("one", tmp_path)
    none, output = pd.DataFrame(columns=["where", "code", "message"]), cast(Any, None)
    held = [
        project.add_images(photo, label="disc", progress=False),
        project,
        project.train_set,
        project.check(),
        project.pack(tmp_path / "one.zip", progress=False),
        Distribution(1, 1, none),
        WrittenDetections("found.jsonl", "JSON Lines", 1, 1, 1, none, output, [], [], ""),
    ]
    texts = [repr(each) for each in held] + [each._repr_html_() for each in held if hasattr(each, "_repr_html_")]
    assert [text for text in texts if WRONG_PLURAL.search(re.sub(r"<[^>]*>", "", text))] == []
    assert repr(project) == "Project('one': train 1, test 0 images; 1 label; 0 versions)"
    assert repr(held[-1]).startswith("Processed 1 image and wrote 1 label to 'found.jsonl'")
