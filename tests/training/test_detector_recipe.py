import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.errors import Cancelled, InputError, NotEnoughDataError
from customlabels_nb.evaluation.boxes import make_boxes
from customlabels_nb.events import LEARNT_FROM, Event, Events, Message, Metrics, Progress, Samples
from customlabels_nb.models.artifact import ModelConfig, load_artifact, save_artifact
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.models.detector import DetectedBoxes
from customlabels_nb.models.detector_building import build_detector, pretrained_detector
from customlabels_nb.models.detector_shape import DetectorShape, with_box_limit
from customlabels_nb.training import detection_learner, image_data
from customlabels_nb.training.boxes_data import Example
from customlabels_nb.training.budget import Budget, Clock
from customlabels_nb.training.detection_data import HOLD_OUT_FROM, DetectionOptions, prepare
from customlabels_nb.training.detection_learner import DetectionLearner, average_precision_50, truth_table
from customlabels_nb.training.detector_recipe import TrainedDetector, begin_from, predict_boxes, train_detector
from customlabels_nb.training.scene_sources import TrainingScene
from tests.facts import facts
from tests.threads import one_thread  # noqa: F401
from tests.training.drawn import drawn_squares

LABELS = ["red", "blue"]


def options(steps: int = 4, **changed: Any) -> DetectionOptions:
    return replace(DetectionOptions(Budget(steps=steps), device="cpu", input_size=64, batch=2), **changed)


def heard(events: Events) -> list[Event]:
    """Return the list of all events from now on."""
    found: list[Event] = []
    events.subscribe(found.append)
    return found


def same(first: TrainedDetector, second: TrainedDetector) -> bool:
    a, b = first.network.state_dict(), second.network.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return drawn_squares(tmp_path_factory.mktemp("squares"), 6)


@pytest.fixture(scope="module")
def trained(squares: list[Example]) -> TrainedDetector:
    return train_detector(squares, LABELS, options(), Events())


@pytest.mark.thorough
def test_resumed_training_equals_an_uninterrupted_one(
    squares: list[Example], trained: TrainedDetector, tmp_path: Path
) -> None:
    def stop(event: Event) -> None:  # a slow machine has other events between the steps, at which cancel() would stop
        if event == Progress("training", 2, 4, "steps"):
            raise Cancelled("Stopped.")

    events = Events()
    events.subscribe(stop)
    with pytest.raises(Cancelled):
        train_detector(squares, LABELS, options(), events, checkpoints=tmp_path)
    again, told = Events(), []
    again.subscribe(told.append)
    resumed = train_detector(squares, LABELS, options(), again, checkpoints=tmp_path)
    assert [e.done for e in told if isinstance(e, Progress) and e.phase == "training"] == [3, 4]
    assert same(resumed, trained)


def test_another_seed_gives_another_detector(squares: list[Example], trained: TrainedDetector) -> None:
    assert not same(train_detector(squares, LABELS, options(1, random_state=1), Events()), trained)


def test_training_facts_are_stored(trained: TrainedDetector, squares: list[Example], tmp_path: Path) -> None:
    facts = trained.facts
    assert (facts["steps"], facts["planned_steps"], facts["input_size"], facts["images"]) == (4, 4, 64, 6)
    assert [entry["step"] for entry in facts["history"]] == [4]
    assert trained.issues == []
    config = ModelConfig(
        "boxes", tuple(LABELS), ("#ff0000", "#0000ff"), PACKAGED, trained.input_size,
        trained.mean, trained.std, training=facts, detector=trained.shape,
    )  # fmt: skip
    save_artifact(tmp_path, trained.network, config)
    loaded, _ = load_artifact(tmp_path)
    images = [example.image for example in squares]
    first = predict_boxes(trained, images, LABELS, root=None, events=Events())[0]
    second = predict_boxes(replace(trained, network=loaded), images, LABELS, root=None, events=Events())[0]
    assert first.equals(second)


def test_predictions_skip_what_can_not_be_read(trained: TrainedDetector, squares: list[Example]) -> None:
    events = Events()
    told = heard(events)
    table, readable, issues = predict_boxes(trained, [squares[0].image, "gone.png"], LABELS, root=None, events=events)
    assert readable == [squares[0].image]
    assert [(issue.code, issue.where) for issue in issues] == [("IMAGE_NOT_FOUND", "gone.png")]
    assert set(table["image"]) <= set(readable)
    assert told[-1] == Progress("detecting", 2, 2)


def test_image_missing_during_training_is_skipped_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_data, "MOST_BYTES", 0)  # images are decoded again each time
    examples = drawn_squares(tmp_path, 4)
    events = Events()
    events.subscribe(lambda e: Path(examples[2].image).unlink() if e == Progress("training", 1, 3, "steps") else None)
    found = train_detector(examples, LABELS, options(3), events)
    assert found.state.step == 3
    assert [(issue.code, issue.where) for issue in found.issues] == [("IMAGE_NOT_FOUND", examples[2].image)]


def test_training_without_boxes_is_refused(squares: list[Example], tmp_path: Path) -> None:
    outside = [replace(example, boxes=example.boxes + 1000) for example in squares]
    bare = [replace(example, boxes=np.empty((0, 4)), labels=np.empty(0)) for example in squares]
    for examples, words in (([], "no training image"), (bare, facts("none", 6)), (outside, "outside")):
        with pytest.raises(NotEnoughDataError, match=words):
            train_detector(examples, LABELS, options(), Events())
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(NotEnoughDataError, match=r"broken\.png"):
        train_detector([replace(squares[0], image=str(tmp_path / "broken.png"))], LABELS, options(), Events())
    with pytest.raises(InputError, match="labels is empty"):
        train_detector(squares, [], options(), Events())


@pytest.mark.parametrize(
    "changed", [{"detector": "yolo"}, {"input_size": 100}, {"batch": 0}, {"batch": True}, {"max_boxes": 0}]
)
def test_invalid_options_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(changed))):
        options(**changed)


@given(most=st.integers(0, 2000), asked=st.none() | st.integers(1, 1000))
def test_a_detector_has_room_for_twice_the_boxes_of_a_training_image(most: int, asked: int | None) -> None:
    for shape in (DetectorShape(), DetectorShape("ssdlite320_mobilenet_v3_large")):
        limit = with_box_limit(shape, asked, most).box_limit
        assert limit == (asked or max(shape.box_limit, min(2 * most, 1000)))
        assert asked or min(limit, 1000) >= min(2 * most, 1000)


def test_the_limit_of_boxes_is_stored_where_it_is_not_the_default(tmp_path: Path) -> None:
    image, _ = drawn_squares(tmp_path, 2)
    many = replace(image, boxes=np.tile(image.boxes[:1], (70, 1)), labels=np.zeros(70))
    network = train_detector([many], LABELS, options(1), Events()).network
    assert (network.shape.to_dict()["max_boxes"], network.network.roi_heads.max_boxes) == (140, 140)
    assert "max_boxes" not in train_detector([image], LABELS, options(1), Events()).network.shape.to_dict()
    few = train_detector([many], LABELS, options(1, max_boxes=50), Events())
    assert few.network.shape.to_dict()["max_boxes"] == 50
    assert "A training image has 70 boxes, but the model finds at most 50." in few.facts["notes"]


def test_held_out_images_are_judged_and_the_best_state_is_kept(squares: list[Example], tmp_path: Path) -> None:
    events = Events()
    told = heard(events)
    found = train_detector(squares[:4], LABELS, options(2), events, validation=squares[4:], checkpoints=tmp_path)
    [metrics] = [event for event in told if isinstance(event, Metrics) and "ap50" in event.values]
    assert found.facts["held_out"] == 2
    assert found.facts["held_out_ap50"] == metrics.values["ap50"] == found.state.best
    assert any(path.name.startswith("best-") for path in tmp_path.iterdir())
    [shown] = [event for event in told if isinstance(event, Samples)]
    assert [sample.image for sample in shown.samples] == [example.image for example in squares[4:]]
    for sample, example in zip(shown.samples, squares[4:], strict=True):
        assert [mark.box for mark in sample.true] == [tuple(box) for box in example.boxes.tolist()]


def test_samples_come_from_training_images_without_held_out_ones(squares: list[Example]) -> None:
    events = Events()
    told = heard(events)
    found = train_detector(squares, LABELS, options(2), events)
    assert found.facts["held_out"] == 0
    [shown] = [event for event in told if isinstance(event, Samples)]
    assert shown.of == LEARNT_FROM
    assert len(shown.samples) == 4
    assert {sample.image for sample in shown.samples} <= {example.image for example in squares}
    [metrics] = [event for event in told if isinstance(event, Metrics) and "learning_rate" in event.values]
    assert "ap50" not in metrics.values  # training images cannot be used for evaluation


def test_images_are_held_out_where_there_are_many(squares: list[Example]) -> None:
    many = [replace(squares[index % 6], sha256=str(index)) for index in range(HOLD_OUT_FROM)]
    rare = [replace(squares[0], labels=np.array([2])) for _ in range(3)]
    first, second = (prepare([*many, *rare], [*LABELS, "green"], options(), Events(), None, None) for _ in range(2))
    assert len(first.held_out) == 30
    assert len(first.source) == HOLD_OUT_FROM + 3 - 30
    assert sum(2 in first.source.labels_of(index) for index in range(len(first.source))) == 3
    assert [example.sha256 for example, _ in first.held_out] == [example.sha256 for example, _ in second.held_out]


def test_small_boxes_enlarge_the_input_with_a_note(tmp_path: Path) -> None:
    small = drawn_squares(tmp_path, 2, size=(640, 480), sides=(20, 22))
    events = Events()
    told = heard(events)
    prepared = prepare(small, LABELS, options(input_size=None), events, None, None)
    assert prepared.size > 320
    (note,) = prepared.notes
    assert "each step takes" in note
    assert [type(event) for event in told[:2]] == [Message, Progress]  # before the images are decoded
    assert told[0] == Message(note)


def make_learner(examples: Sequence[Example], validation: Sequence[Example] | None = None) -> DetectionLearner:
    """Return a learner of a small detector."""
    chosen = options()
    prepared = prepare(examples, LABELS, chosen, Events(), None, validation)
    network = pretrained_detector(DetectorShape(channels=8, hidden=16), 2, PACKAGED, random_state=0)
    return DetectionLearner(network, prepared, LABELS, chosen, "cpu")


def test_validation_detects_in_batches_that_are_halved_if_memory_runs_out(
    squares: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner(squares[:1], validation=squares[1:])
    sizes: list[int] = []

    def find(network: object, canvases: Sequence[Canvas], **facts: Any) -> list[DetectedBoxes]:
        sizes.append(len(canvases))
        if len(canvases) > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return [DetectedBoxes(np.array([[1.0, 1, 9, 9]]), np.array([0]), np.array([0.9]))] * len(canvases)

    monkeypatch.setattr(detection_learner, "detect", find)
    most = 2
    assert "ap50" in learner.validate(learner.network)
    assert sizes == [2, 2, 1]  # the batch size of training
    most = 1
    learner.validate(learner.network)
    assert sizes[3:] == [2, 1, 1, 1, 1, 1]


def test_a_batch_depends_on_its_step_alone(squares: list[Example]) -> None:
    learner, other = make_learner(squares), make_learner(squares)
    wanted = learner.batch(7, 0.5)
    for step in (3, 9, 7):
        found = other.batch(step, 0.5)
    for first, second in zip(wanted, found, strict=True):
        assert np.array_equal(first.pixels, second.pixels)
        assert np.array_equal(first.boxes, second.boxes)
    assert not np.array_equal(learner.batch(8, 0.5)[0].pixels, wanted[0].pixels)


def test_each_parameter_that_learns_has_its_rate(squares: list[Example]) -> None:
    learner = make_learner(squares)
    groups = learner.groups()
    learning = [parameter for parameter in learner.network.parameters() if parameter.requires_grad]
    assert sum(len(group["params"]) for group in groups) == len(learning)
    assert {(group["lr"], group["weight_decay"]) for group in groups} == {
        (1.5e-3, 0.02), (1.5e-3, 0.0), (2.25e-4, 0.02), (2.25e-4, 0.0),
    }  # fmt: skip


class Endless:
    """Scenes generated on demand."""

    composed = True

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return 5

    def load(self, index: int, epoch: int) -> TrainingScene | None:
        self.asked.append((index, epoch))
        if index == 3:
            return None
        pixels = np.full((80, 100, 3), index * 10 + epoch, dtype=np.uint8)
        return TrainingScene(pixels, np.array([[20.0, 10, 40, 40]]), np.array([index % 2]))

    def labels_of(self, index: int) -> np.ndarray:
        return np.array([index % 2])


def test_scenes_are_generated_during_training() -> None:
    source = Endless()
    found = train_detector(source, LABELS, options(3), Events())
    assert found.state.step == 3
    assert {epoch for _, epoch in source.asked} == {0, 1}


@pytest.mark.thorough
def test_base_detector_is_used_only_if_good(squares: list[Example], trained: TrainedDetector) -> None:
    untrained = pretrained_detector(trained.shape, len(LABELS), PACKAGED, random_state=5)
    for former, labels, words in (
        (untrained, LABELS, "AP50 on held-out images is 0.0"),
        (trained.network, ["other", "labels"], "knows none of the labels"),
    ):
        events = Events()
        told = heard(events)
        train_detector(squares[:4], LABELS, options(1), events, validation=squares[4:], base=(former, labels))
        assert any(isinstance(e, Message) and "Did not start" in e.text and words in e.text for e in told)


def test_torchvision_detector_as_base_is_refused() -> None:
    name = "ssdlite320_mobilenet_v3_large"
    former, new = (build_detector(DetectorShape(name), 2, name) for _ in range(2))
    learner, notes = SimpleNamespace(network=new, labels=LABELS), []
    begin_from((former, LABELS), learner, notes)
    [note] = notes
    assert "only the packaged detector can be started from" in note


def test_detections_in_a_crowd_are_ignored() -> None:
    one = Example("a", None, np.array([[0.0, 0, 10, 10]]), np.array([0]), np.array([[50.0, 50, 40, 40]]))
    truth = truth_table(["a"], [one], LABELS)
    rows = [("a", "red", 0.9, 55.0, 55.0, 20.0, 20.0), ("a", "red", 0.8, 0.0, 0.0, 10.0, 10.0)]
    found = pd.DataFrame(rows, columns=["image", "label", "confidence", "left", "top", "width", "height"])
    assert average_precision_50(make_boxes(truth, found, ["a"], labels=LABELS)) == pytest.approx(1.0)


@pytest.mark.thorough
def test_a_detector_learns_drawn_squares_and_begins_from_a_former_one(tmp_path: Path) -> None:
    train, test = drawn_squares(tmp_path / "train", 16), drawn_squares(tmp_path / "test", 10, random_state=1)
    chosen = options(60, input_size=96, batch=4)
    found = train_detector(train, LABELS, chosen, Events())
    table, names, _ = predict_boxes(found, [example.image for example in test], LABELS, root=None, events=Events())
    boxes = make_boxes(truth_table(names, test, LABELS), table, names, labels=LABELS)
    assert average_precision_50(boxes) > 0.8
    events = Events()
    told = heard(events)
    base = (found.network, LABELS)
    again = train_detector(train, LABELS, replace(chosen, budget=Budget(steps=1)), events, validation=test, base=base)
    assert any(isinstance(e, Message) and e.text.startswith("Started from the earlier detector") for e in told)
    assert again.state.best is not None
    assert again.state.best > 0.8


@pytest.mark.thorough
def test_final_stages_beyond_the_budget_are_announced(squares: list[Example]) -> None:
    events = Events()
    told = heard(events)
    names = [example.image for example in squares] * 2000
    clock = Clock(Budget(seconds=1.0), events, time.perf_counter() - 30.0, names)
    found = train_detector(squares, LABELS, options(budget=clock.budget), events, clock=clock)
    assert found.state.total == found.state.step == 1
    assert found.state.seconds > 30.0
    said = [event.text for event in told if isinstance(event, Message)]
    assert any("beyond the budget of 1 s" in text and f"{len(names):,} images" in text for text in said)
    spent, few = (
        next(text for text in said if part in text) for part in ("uses up the budget", "only enough for 1 step")
    )
    assert {spent, few} <= {*found.facts["notes"]}
    assert "One step is trained nevertheless" in spent
