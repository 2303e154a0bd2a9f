"""The drawn example "circuit_boards": its boxes against its pixels, and that the seed alone decides it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import customlabels_nb as cl
from customlabels_nb import examples
from customlabels_nb.examples import circuit_boards
from customlabels_nb.examples._drawing import OVERSAMPLE
from customlabels_nb.examples.circuit_boards import _clutter, _components, boxed, extent, painted, plan, render
from customlabels_nb.examples.circuit_boards._plan import Plan

SMALL = (160, 120)
LABELS = ("comparator", "pot_resistor", "ir_phototransistor", "ir_led")


def plans(count: int, size: tuple[int, int] = SMALL) -> Iterator[Plan]:
    for number in range(count):
        yield plan(LABELS[number % 4], np.random.default_rng([number, 3]), size)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> examples.ExamplePhotos:
    return examples.write_photos("circuit_boards", tmp_path_factory.mktemp("example") / "boards", size=SMALL, test=8)


def boxes(file: Path) -> dict[str, list[tuple[str, list[float]]]]:
    """Label and box of each image of a COCO file, as the file has them."""
    coco = json.loads(file.read_text())
    names = {item["id"]: item["name"] for item in coco["categories"]}
    found: dict[str, list[tuple[str, list[float]]]] = {item["file_name"]: [] for item in coco["images"]}
    images = {item["id"]: item["file_name"] for item in coco["images"]}
    for item in coco["annotations"]:
        found[images[item["image_id"]]].append((names[item["category_id"]], item["bbox"]))
    return found


def test_every_label_is_on_its_boards_and_no_box_leaves_the_picture(photos: examples.ExamplePhotos) -> None:
    assert photos.labels == circuit_boards.LABELS == LABELS
    found = boxes(photos.train)
    assert len(found) == circuit_boards.TRAIN
    assert len(boxes(photos.test)) == 8
    for number, (_, marks) in enumerate(sorted(found.items())):
        assert LABELS[number % 4] in {label for label, _ in marks}
        for _, (left, top, width, height) in marks:
            assert 0 <= left < left + width <= SMALL[0]
            assert 0 <= top < top + height <= SMALL[1]
            assert min(width, height) >= 4
    counts = Counter(label for marks in found.values() for label, _ in marks)
    assert min(counts[label] for label in LABELS) >= 40
    for label in LABELS:
        assert any(label not in {name for name, _ in marks} for marks in found.values())
    assert max(len(marks) for marks in found.values()) >= 6


def test_a_box_is_what_the_part_changes_in_the_picture() -> None:
    """Painted without a part, the canvas differs where its box is, and nowhere else."""
    tried: Counter[str] = Counter()
    for made in plans(5, (240, 180)):
        bench = painted(made)
        whole, expected = np.asarray(bench.scene.image), list(boxed(made, bench))
        done: set[str] = set()
        for index, item in enumerate(made.placed):
            if not item.part.label:
                continue
            box = expected.pop(0)
            assert box.label == item.part.label
            if box.label in done:
                continue
            done.add(box.label)
            seen = extent((whole != np.asarray(painted(made, without=index).scene.image)).any(axis=2))
            assert seen is not None
            assert seen == (box.left, box.top, box.width, box.height)
            tried[box.label] += 1
        assert not expected
    assert min(tried[label] for label in LABELS) >= 2


def test_only_what_is_left_to_see_is_boxed() -> None:
    """What is painted over a part takes the pixels it hides from it."""
    made = next(plans(1))
    bench = painted(made)
    before = boxed(made, bench)[0]
    index = next(k for k, item in enumerate(made.placed) if item.part.label == before.label)
    left, top = int(before.left) * OVERSAMPLE, int(before.top) * OVERSAMPLE
    middle = left + int(before.width)  # half the box, on the canvas
    high = top + int(before.height) * OVERSAMPLE
    bench.part = 0
    bench.polygon([(left - 4, top - 4), (middle - 1, top - 4), (middle - 1, high + 4), (left - 4, high + 4)], (9, 9, 9))
    seen = extent(np.asarray(bench.owners) == index + 1)
    assert seen is not None
    assert seen[0] >= middle // OVERSAMPLE
    assert seen[0] + seen[2] == before.left + before.width


def test_a_plan_painted_twice_is_the_same() -> None:
    made = next(plans(1))
    first, second = render(made), render(made)
    assert first.boxes == second.boxes
    assert first.image.tobytes() == second.image.tobytes()


def test_look_alikes_have_no_box() -> None:
    rng = np.random.default_rng(0)
    assert all(kind(rng).label == "" for kind, _ in _clutter.CLUTTER for _ in range(3))
    assert {name: kind(rng).label for name, kind in _components.LABELLED.items()} == dict(
        zip(LABELS, LABELS, strict=True)
    )
    pins = {len(_clutter.chips(rng).pads) for _ in range(30)}
    assert pins == {6, 14, 16}
    assert len(_components.comparator(rng).pads) == 8


def test_a_project_of_boards(tmp_path: Path) -> None:
    project = examples.create("circuit_boards", tmp_path, size=(64, 48), train=4, test=4)
    assert isinstance(project, cl.Project)
    assert set(project.labels) == set(LABELS)
    found = boxes(tmp_path / "circuit_boards-photos" / "train.json")
    marks = project.train_set.annotations
    assert len(marks) == sum(len(value) for value in found.values()) > 4
    assert set(marks["label"]) == set(LABELS)
    assert marks[["left", "top", "width", "height"]].notna().all(axis=None)
    assert len(project.test_set.images) == 4
