"""Tests of proposals from descriptions: what is stored and shown, stopping, and when they become prelabels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

import customlabels_nb as cl
from customlabels_nb._utils.files import lock_folder
from customlabels_nb.assist import proposals, training
from customlabels_nb.assist.guarantee import Guarantee
from customlabels_nb.assist.proposals import PROPOSALS
from customlabels_nb.assist.queue import check_places, take_turns
from customlabels_nb.core import tables as t
from customlabels_nb.core.polygons import area
from customlabels_nb.errors import CustomLabelsError, InputError, MissingDependencyError, NotAllowedError
from customlabels_nb.events import Event, Events, Message, Progress
from customlabels_nb.models.detector_shape import DetectorShape, ZeroShot
from customlabels_nb.models.pretrained import zero_shot
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action
from customlabels_nb.user_settings import settings
from tests.assist.in_process import train_in_process, training_of
from tests.labeling.color_segmenter import ColorSegmenter
from tests.models.tiny_zero_shot import write_fake_owlv2

PROMPTS = {"disc": "a red disc", "square": "a blue square"}
DISC, SQUARE = (10, 10, 41, 41), (70, 20, 30, 40)
NAME, COUNT = "fake-owlv2", 8


class ColorDetector:
    """Stand-in for the network: finds what has the color in a description, the same for each image.

    Attributes
    ----------
    seen : list of int
        Number of each image, from the color of its first pixel.
    surest : int or None
        Number of an image whose boxes are surer than all others.
    """

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.loaded: list[ZeroShot] = []
        self.surest: int | None = None

    def load(self, zero_shot: ZeroShot) -> Any:
        import torch
        from torch import nn

        from customlabels_nb.models.detector import ImageDetector

        self.loaded.append(zero_shot)
        seen, fake = self.seen, self

        class Network(nn.Module):
            def forward(self, images: Any) -> list[dict[str, Any]]:
                detected = []
                for image in (images * 0.5 + 0.5) * 255:
                    seen.append(int(image[0, 0, 0]))
                    boxes, labels = [], []
                    for label, text in enumerate(zero_shot.prompts):
                        channel = 0 if "red" in text else 2
                        shown = (image[channel] > 180) & (image[1] < 80)
                        rows, columns = torch.nonzero(shown.any(1))[:, 0], torch.nonzero(shown.any(0))[:, 0]
                        if len(rows):
                            boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
                            labels.append(label + 1)
                    sure = [0.99, 0.95] if seen[-1] == fake.surest else [0.9, 0.15]
                    scores = torch.tensor(sure[: len(boxes)])
                    detected.append({
                        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                        "labels": torch.tensor(labels), "scores": scores,
                    })  # fmt: skip
                return detected

        return ImageDetector(Network(), DetectorShape(), len(zero_shot.prompts)).eval()


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> ColorDetector:
    fake = ColorDetector()
    monkeypatch.setattr(zero_shot, "load_zero_shot", fake.load)
    return fake


@pytest.fixture
def weights(tmp_path: Path) -> str:
    return str(write_fake_owlv2(tmp_path / NAME, side=128))


@pytest.fixture(autouse=True)
def noise(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the features of the images and the helper process. Return the noise of the features, as a list."""
    amount = [1.0]

    def rows(names: list[str]) -> Any:
        centres, random = np.eye(2, 16) * 10, np.random.default_rng(0)
        numbers = [int(Path(name).stem) for name in names]
        rows = [centres[number % 2] * (amount[0] <= 1) + random.normal(size=16) for number in numbers]
        return np.array(rows, dtype=np.float16).reshape(-1, 16)

    train_in_process(monkeypatch, rows)
    return amount


def draw(folder: Path, numbers: range) -> list[str]:
    """Draw images with a disc and a square on gray. The first pixel has the image's number as red."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        picture = Image.new("RGB", (128, 96), "#888888")
        pen: Any = ImageDraw.Draw(picture)
        pen.ellipse((10, 10, 50, 50), fill="#cc2020")
        pen.rectangle((70, 20, 99, 59), fill="#2030cc")
        picture.putpixel((0, 0), (number, 0, 0))
        picture.save(folder / f"{number}.png")
    return [str(folder / f"{number}.png") for number in numbers]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Return a project of unlabelled training images and a test image."""
    project = cl.create_project("shapes", tmp_path, task="boxes")
    names = draw(tmp_path / "photos", range(COUNT + 1))
    project.add_images(names[:COUNT], progress=False)
    project.add_images(names[COUNT:], split="test", progress=False)
    yield project
    project.close()


def stored(project: Project) -> list[tuple[Any, ...]]:
    """Return the stored predictions: number of the image, label, model and rounded box."""
    rows = open_project_store(project.root).predictions()
    boxes = rows[[*t.BOX_COLUMNS]].round().to_numpy().tolist()
    return [(int(Path(r.image).stem), r.label, r.model, *box) for r, box in zip(rows.itertuples(), boxes, strict=True)]


def test_boxes_are_stored_predictions_that_the_next_call_replaces(
    project: Project, detector: ColorDetector, weights: str, tmp_path: Path
) -> None:
    project.labels.add("square")
    project.task = None  # the model suggests boxes
    found = project.assist.propose(PROMPTS, model=weights, progress=False)
    assert stored(project) == [(number, "disc", NAME, *DISC) for number in range(COUNT)]
    assert repr(found) == f"{NAME} proposes 8 boxes in 8 of 8 images."
    assert found.frame["confidence"].tolist() == pytest.approx([0.9] * COUNT)
    assert (found.images, found.remaining, found.revision) == (COUNT, 0, detector.loaded[0].revision)
    assert list(project.labels) == ["square", "disc"]
    assert sorted(project.assist.queue["image"]) == sorted(project.train_set.images["image"])
    assert "check" in set(project.assist.queue["kind"])
    assert project.assist.advice[0] == f"The predictions are the proposals of {NAME}."
    again = project.assist.propose(PROMPTS, model=weights, threshold=0.1, progress=False)
    assert len(detector.seen) == COUNT  # boxes below the threshold are known
    assert {row[1:] for row in stored(project)} == {("disc", NAME, *DISC), ("square", NAME, *SQUARE)}
    assert len(again.frame) == 2 * COUNT
    other = write_fake_owlv2(tmp_path / "other", side=96)
    project.assist.propose({"cross": "a red cross"}, model=str(other), progress=False)
    assert {row[1:3] for row in stored(project)} == {("cross", "other")}
    assert len(list((project.root / "cache" / "assist" / "proposals").iterdir())) == 1
    assert list(project.labels) == ["square", "disc", "cross"]


def test_stopped_call_keeps_its_boxes_and_continues(project: Project, detector: ColorDetector, weights: str) -> None:
    messages: list[str] = []

    def stop(event: Event) -> None:
        if isinstance(event, Message):
            messages.append(event.text)
        if isinstance(event, Progress) and event.phase == "detect" and event.done == stop_at:
            raise KeyboardInterrupt

    for stop_at in (2, 6):
        found = project.assist.propose(PROMPTS, model=weights, events=Events(stop), progress=False)
        assert repr(found).endswith(f"Stopped: {COUNT - stop_at} images are left. The same call continues with them.")
        assert (found.images, found.remaining) == (stop_at, COUNT - stop_at)
        assert len(stored(project)) == stop_at
        assert len(messages) == (stop_at == 6)
        assert project.assist.results is None
    assert messages[0].startswith(f"{NAME} takes")
    assert messages[0].endswith("for 3 more images. If stopped, the same call continues.")
    stop_at = -1
    assert project.assist.propose(PROMPTS, model=weights, events=Events(stop), progress=False).remaining == 0
    assert sorted(number for number, *_ in stored(project)) == list(range(COUNT))
    assert len(detector.seen) <= COUNT + 2  # at most one image is lost with each interrupt
    assert project.assist.results is not None


def test_next_call_reads_images_that_could_not_be_read(project: Project, detector: ColorDetector, weights: str) -> None:
    path = Path(project.train_set.images["image"].iloc[0])
    hidden = path.rename(path.with_suffix(".hidden"))
    for _ in range(2):
        found = project.assist.propose(PROMPTS, model=weights, progress=False)
        assert (found.errors["image"].tolist(), len(found.frame)) == ([str(path)], COUNT - 1)
    hidden.rename(path)
    found = project.assist.propose(PROMPTS, model=weights, progress=False)
    assert found.errors.empty
    assert len(stored(project)) == len(found.frame) == COUNT
    assert len(detector.seen) == COUNT


def test_damaged_files_of_proposals_are_named(project: Project, detector: ColorDetector, weights: str) -> None:
    project.assist.propose(PROMPTS, model=weights, progress=False)
    (folder,) = (project.root / "cache" / "assist" / "proposals").iterdir()
    (journal,) = folder.rglob("*journal*")
    journal.write_bytes(b"[]\n")
    with pytest.raises(InputError, match=f"corrupted at line 1.*delete '{folder}' first"):
        project.assist.propose(PROMPTS, model=weights, progress=False)
    assert len(stored(project)) == COUNT  # those of the first call


def test_folder_in_which_another_process_works_is_kept(project: Project, detector: ColorDetector, weights: str) -> None:
    project.assist.propose({"disc": "a red disc"}, model=weights, progress=False)
    (folder,) = (project.root / "cache" / "assist" / "proposals").iterdir()
    lock = lock_folder(folder)
    assert lock is not None
    for prompt in ("red", "blue"):
        project.assist.propose({"ring": f"a {prompt} ring"}, model=weights, progress=False)
        assert len(list(folder.parent.iterdir())) == 2
    os.close(lock)
    assert (folder / "model" / "config.json").is_file()


def test_masks_outline_the_objects_in_the_boxes(
    project: Project, detector: ColorDetector, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting_and_checks() -> tuple[list[str], list[str]]:
        project.assist.train(progress=False)
        assert project.assist.results is not None
        images, checks = project.train_set.images, project.assist.results.check_images
        return [n for n in images.loc[images["status"] == "unlabelled", "image"] if n not in checks], checks

    def guarantees(sure: Any, *_: Any, **__: Any) -> list[Guarantee]:
        """Trust only the surest image, if there is any evidence."""
        return [Guarantee((0, 1), 200, 0.94, 200, 200, 0.98) if len(sure) else Guarantee((0, 1), 0)] * 2

    checks = waiting_and_checks()[1]
    table = pd.DataFrame({"image": checks, "label": "disc"})
    table[[*t.BOX_COLUMNS]] = [*DISC]
    project.update("train", table)
    (trusted, open_, *_), (blind, *_) = waiting_and_checks()
    detector.surest = int(Path(trusted).stem)
    monkeypatch.setattr(settings, "outline_engine", ColorSegmenter())
    monkeypatch.setattr(training, "guarantee_labels", guarantees)
    project.task = "polygons"
    found = project.assist.propose(PROMPTS, model=weights, masks=True, threshold=0.1, progress=False)
    assert (
        found.frame["polygon"].map(area).tolist()
        == [pytest.approx(1320, rel=0.05), pytest.approx(1200, rel=0.05)] * COUNT
    )
    results = project.assist.results
    assert results is not None
    assert results.prelabels["image"].unique().tolist() == [trusted]
    screen = project.annotate()
    shown = {name: screen.session.shapes(name)["predictions"] for name in (trusted, open_, blind)}
    assert [[shape["label"] for shape in shown[name]] for name in (trusted, open_, blind)] == [
        ["disc", "square"],
        ["disc", "square"],
        [],
    ]
    assert all(area(shape["polygon"]) > 1000 for name in (trusted, open_) for shape in shown[name])
    screen.close()


def with_proposals(tmp_path: Path, task: str) -> Project:
    """Create a project of 400 images without files and proposals for them, of which one in ten is wrong and unsure."""
    project = cl.create_project("many", tmp_path, task=task)
    for label in PROMPTS:
        project.labels.add(label)
    names = [f"{number}.jpg" for number in range(400)]
    images = t.normalise_images(pd.DataFrame({"image": names}), split="train")
    store = open_project_store(project.root)
    store.add_images("train", images, t.empty(t.ANNOTATION_COLUMNS), Action("import", "me"))
    wrong = [number % 10 == 0 for number in range(400)]
    labels = [truth(name, not right) for name, right in zip(names, wrong, strict=True)]
    frame = pd.DataFrame({"image": names, "label": labels, "confidence": np.where(wrong, 0.4, 0.9)})
    if task == "boxes":
        frame[[*t.BOX_COLUMNS]] = [10.0, 10.0, 20.0, 20.0]
    project.add_predictions(frame, model=NAME)
    store.change_setting(PROPOSALS, lambda _: {"model": NAME, "task": task})
    training_of(project).checks()
    return project


def truth(name: str, right: bool = True) -> str:
    return list(PROMPTS)[(int(Path(name).stem) + (not right)) % 2]


def label_checks(project: Project, count: int) -> None:
    """Label images that were offered as check images before."""
    names = project.train_set.images["image"].tolist()
    order = [names[place] for place in np.argsort(check_places(names))][:count]
    for chosen in (order,):
        project.assist.train(progress=False)
        frame = pd.DataFrame({"image": chosen, "label": [truth(name) for name in chosen]})
        if project.task == "boxes":
            frame[[*t.BOX_COLUMNS]] = [11.0, 10.0, 20.0, 20.0]
        project.update("train", frame)


@pytest.mark.parametrize(
    "task", ["single-label", *(pytest.param(task, marks=pytest.mark.thorough) for task in ("multi-label", "boxes"))]
)
def test_proposals_become_prelabels_once_the_bound_holds(
    tmp_path: Path, noise: list[float], monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    noise[0] = 2  # the trained model knows nothing
    monkeypatch.setattr(training, "FEWEST_BOXES", 1_000)
    project = with_proposals(tmp_path, task)
    label_checks(project, 50)
    run = project.assist.train(progress=False)
    assert (run["promise"], run["evidence"]["items"]) == (None, 50)
    assert project.assist.results is not None
    assert project.assist.results.prelabels.empty
    label_checks(project, 90)
    run = project.assist.train(progress=False)
    assert run["promise"]["right"] == run["promise"]["shown"] >= 59
    assert run["note"] == f"The predictions are the proposals of {NAME}."
    shown = project.assist.results.prelabels
    assert len(shown) > 100
    assert (shown["label"] == shown["image"].map(truth)).all()
    assert (shown["confidence"] == 0.9).all()
    project.close()


def test_trained_model_replaces_the_proposals(tmp_path: Path, noise: list[float]) -> None:
    project = with_proposals(tmp_path, "single-label")
    label_checks(project, 80)
    run = project.assist.train(progress=False)
    assert run["promise"] is not None
    assert run["note"] == ""
    assert project.assist.results is not None
    shown = project.assist.results.prelabels
    assert (shown["label"] == shown["image"].map(truth)).all()  # also where the proposals are wrong
    assert (shown["image"].str.removesuffix(".jpg").astype(int) % 10 == 0).any()


def test_proposed_labels_take_turns(tmp_path: Path) -> None:
    images, labels = np.array([5, 3, 8, 1, 9]), np.array([0, 0, 1, -1, 1])
    assert take_turns(images, labels).tolist() == [5, 8, 1, 3, 9]
    project = with_proposals(tmp_path, "single-label")
    project.assist.train(progress=False)
    queue = project.assist.queue
    asked = queue.loc[queue["kind"] == "typical", "image"].head(20)
    counts = asked.map(open_project_store(project.root).predictions().set_index("image")["label"]).value_counts()
    assert counts.max() - counts.min() <= 4  # some places are those of check images


@pytest.mark.parametrize(
    ("prompts", "arguments", "words"),
    [
        ({}, {}, r"prompts=\{\} must map labels to descriptions"),
        (["disc"], {}, "must map labels to descriptions"),
        ({"disc": " "}, {}, "The description ' ' of the label 'disc' must be a text"),
        ({"disc": None}, {}, "The description None of the label 'disc' must be a text"),
        ({"disc": "a" * 1001}, {}, "with 1,001 characters of the label 'disc'"),
        ({7: "a disc"}, {}, "A label must be a string, not 7"),
        ({"disc": "a disc", "ring": "A  disc"}, {}, "'A disc' of 'ring' is that of another label"),
        (PROMPTS, {"model": "siglip2"}, "model='siglip2' does not propose boxes, .* 'boxes' .* Pass 'owlv2' or"),
        (PROMPTS, {"model": "sam2"}, "model='sam2' does not propose boxes"),
        (PROMPTS, {"model": 7}, "model=7 does not propose boxes"),
        (PROMPTS, {"model": "owl"}, "'owl' is neither a folder nor one of .* Did you mean 'owlv2'"),
        (PROMPTS, {"threshold": 2}, "threshold=2 must be a number between 0 and 1"),
        (PROMPTS, {"workers": "2"}, "workers='2' must be"),
        (PROMPTS, {"task": "polygons"}, "'polygons'. Pass masks=True"),
        (PROMPTS, {"task": "multi-label", "masks": True}, "masks=True needs boxes, but .* 'multi-label'"),
        ({"disc": "a disc"}, {"task": "single-label"}, "only the label 'disc'. Each image gets one"),
        (PROMPTS, {"model": "owlv2"}, "The weights of 'owlv2' are not available.* customlabels-nb fetch owlv2"),
    ],
)  # fmt: skip
def test_impossible_calls_are_refused(
    project: Project, detector: ColorDetector, weights: str, prompts: Any, arguments: dict[str, Any], words: str
) -> None:
    if task := arguments.get("task"):
        project.task = task
    options = {name: value for name, value in arguments.items() if name != "task"}
    options = {"model": weights if "workers" in options else None, **options}
    with pytest.raises(CustomLabelsError, match=words):
        project.assist.propose(prompts, **options, progress=False)
    assert not stored(project)
    assert open_project_store(project.root).setting(PROPOSALS) is None


def test_call_without_transformers_or_unlabelled_images_is_refused(
    project: Project, weights: str, detector: ColorDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = project.train_set
    project.update(
        "train", cl.Dataset(data.images.assign(status="skipped"), None, data.labels, name="train", origin=data)
    )
    with pytest.raises(NotAllowedError, match="No training image is unlabelled"):
        project.assist.propose(PROMPTS, model=weights, progress=False)
    monkeypatch.setattr(proposals, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"Proposals need transformers"):
        project.assist.propose(PROMPTS, progress=False)
