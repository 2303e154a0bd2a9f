"""Tests of numbering the images of an output folder: nothing twice, nothing left out, whatever the listing becomes."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.inference.image_numbers import Run, listings, unprocessed
from customlabels_nb.inference.journal import Done
from customlabels_nb.inference.output_folder import OutputFolder


def numbered(runs: list[Run]) -> dict[int, str]:
    return {run.first + at: name for run in runs for at, name in enumerate(run.images)}


@pytest.mark.parametrize("seed", range(20))
def test_every_image_has_one_number_in_all_runs(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder, done = OutputFolder(tmp_path), Done()
    done.images = Counter(chance.choices("ab", k=chance.randrange(3)))  # of release 0.1.0
    asked, all_numbers = list[str](), dict[int, str]()
    for _ in range(4):
        asked = asked + chance.choices("abcdefg", k=chance.randrange(1, 8))
        if chance.random() < 0.7:
            chance.shuffle(asked)
        runs = unprocessed(folder, asked, done)
        now = numbered(runs)
        assert sum(len(run.images) for run in runs) == len(now)
        assert all(all_numbers.get(number, name) == name for number, name in now.items())
        all_numbers |= now
        finished = Counter(all_numbers[number] for first, stop in done.ranges for number in range(first, stop))
        assert Counter(now.values()) == Counter(asked) - finished - done.images
        for run in runs:
            for chunk in run.chunks(2):
                if chance.random() < 0.5:
                    done.ranges.append((chunk.first, chunk.stop))
    numbers = [number for first, stop in done.ranges for number in range(first, stop)]
    assert len(numbers) == len(set(numbers))


def test_a_listing_that_was_removed_is_missed(tmp_path: Path) -> None:
    folder, done = OutputFolder(tmp_path), Done()
    for names in (["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]):
        unprocessed(folder, names, done)
    assert [(first, stop) for first, stop, _ in listings(folder)] == [(0, 2), (2, 3), (3, 4)]
    (tmp_path / listings(folder)[1][2]).unlink()
    with pytest.raises(InputError, match="is missing one of the files"):
        unprocessed(folder, ["a"], done)
