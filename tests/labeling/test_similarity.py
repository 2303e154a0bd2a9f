"""Tests of sorting by similarity, with features computed in the background."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from customlabels_nb.errors import NotReadyError
from customlabels_nb.labeling.similarity import SimilarityOrder


def wait_for(order: SimilarityOrder, names: list[str], seconds: float = 120) -> list[int]:
    """Wait until the features are ready and return the order."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return order(names, [None] * len(names))
        except NotReadyError as error:
            progress = (error.done, error.total)
        assert 0 <= progress[0] <= progress[1] == len(names)
        time.sleep(0.05)
    raise AssertionError("it never became ready")


def test_look_alikes_are_neighbours(tmp_path: Path) -> None:
    names = []
    for number in range(8):  # noise and plain colors alternate
        rng = np.random.default_rng(number)
        noise = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        plain = np.full((64, 64, 3), 40 + number, dtype=np.uint8)
        Image.fromarray(noise if number % 2 else plain).save(tmp_path / f"{number}.png")
        names.append(str(tmp_path / f"{number}.png"))
    order = SimilarityOrder(tmp_path)
    with pytest.raises(NotReadyError):
        order(names, [None] * 8)
    found = wait_for(order, names)
    assert sorted(found) == list(range(8))
    kinds = [at % 2 for at in found]
    assert kinds in ([0] * 4 + [1] * 4, [1] * 4 + [0] * 4)
    assert order(names, [None] * 8) == found


def test_without_a_cache_and_with_an_image_that_is_gone(tmp_path: Path) -> None:
    order = SimilarityOrder(tmp_path)
    (tmp_path / "cache").write_text("a file where a folder should be")
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    Image.new("RGB", (20, 20), "red").save(tmp_path / "b.png")
    names = [str(tmp_path / name) for name in ("gone.png", "a.png", "b.png")]
    assert wait_for(order, names)[-1] == 0  # unreadable images come last
