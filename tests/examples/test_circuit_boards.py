"""Tests of the example "circuit_boards": its boxes against its pixels."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from customlabels_nb import examples
from customlabels_nb.examples import circuit_boards
from customlabels_nb.examples._drawing import OVERSAMPLE
from customlabels_nb.examples.circuit_boards import board

SMALL = (160, 120)
LABELS = ("comparator", "pot_resistor", "ir_phototransistor", "ir_led")


def boxes(file: Path) -> dict[str, list[tuple[str, list[float]]]]:
    """Return label and box by image of a COCO file, unchanged."""
    coco = json.loads(file.read_text())
    names = {item["id"]: item["name"] for item in coco["categories"]}
    images = {item["id"]: item["file_name"] for item in coco["images"]}
    found: dict[str, list[tuple[str, list[float]]]] = {name: [] for name in images.values()}
    for item in coco["annotations"]:
        found[images[item["image_id"]]].append((names[item["category_id"]], item["bbox"]))
    return found


@pytest.mark.thorough
def test_every_label_is_on_its_boards_and_no_box_leaves_the_picture(tmp_path: Path) -> None:
    photos = examples.write_photos("circuit_boards", tmp_path, size=SMALL, test=8)
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


@pytest.mark.parametrize("label", LABELS)
def test_boxes_are_what_the_parts_change_in_the_picture(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test that without a label's parts, the image changes inside their boxes and nowhere else."""
    monkeypatch.setattr(circuit_boards, "_pads", lambda *_: None)
    for random_state in range(3):
        canvas, labels = board(label, np.random.default_rng([random_state, 3]), (240, 180))
        with monkeypatch.context() as patch:
            patch.setitem(circuit_boards._LABELLED, label, (lambda *_: None, circuit_boards._LABELLED[label][1]))
            bare, _ = board(label, np.random.default_rng([random_state, 3]), (240, 180))
        change = (np.asarray(canvas.image) != np.asarray(bare.image)).any(axis=2)
        rows, columns = (np.flatnonzero(change.any(axis=axis)) // OVERSAMPLE for axis in (1, 0))
        found = canvas.boxes([name if name == label else "" for name in labels])
        ends = [(box.left, box.top, -box.left - box.width, -box.top - box.height) for box in found]
        seen = [columns[0], rows[0], -columns[-1] - 1, -rows[-1] - 1]
        assert np.min(ends, axis=0) == pytest.approx(seen, abs=1)


def test_look_alikes_have_no_box() -> None:
    assert not {kind for kind, _ in circuit_boards._OTHERS} & {kind for kind, _ in circuit_boards._LABELLED.values()}
    canvas, labels = board("ir_led", np.random.default_rng(0), SMALL)
    assert "" in labels
    assert len(canvas.boxes(labels)) <= len([label for label in labels if label])
