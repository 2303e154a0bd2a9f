"""Tests of numbering the images of an output folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.errors import InputError
from customlabels_nb.inference.image_numbers import Run, listings, unprocessed, without
from customlabels_nb.inference.journal import CompletedChunk
from customlabels_nb.inference.output_folder import OutputFolder


def test_removed_listing_is_reported(tmp_path: Path) -> None:
    folder, done = OutputFolder(tmp_path), CompletedChunk()
    for names in (["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]):
        unprocessed(folder, names, done)
    assert [(first, stop) for first, stop, _ in listings(folder)] == [(0, 2), (2, 3), (3, 4)]
    (tmp_path / listings(folder)[1][2]).unlink()
    with pytest.raises(InputError, match="is missing one of the files"):
        unprocessed(folder, ["a"], done)


@given(
    first=st.integers(0, 20),
    images=st.integers(0, 20),
    ranges=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda part: (part[0], sum(part)))),
)
def test_images_outside_processed_ranges_remain(first: int, images: int, ranges: list[tuple[int, int]]) -> None:
    run = Run(first, [str(number) for number in range(first, first + images)])
    parts = list(without(run, ranges))
    numbers = [number for part in parts for number in range(part.first, part.stop)]
    assert numbers == [number for number in range(first, run.stop) if not any(a <= number < b for a, b in ranges)]
    assert [name for part in parts for name in part.images] == list(map(str, numbers))
