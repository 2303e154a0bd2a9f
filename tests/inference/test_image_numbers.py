"""Tests of numbering the images of an output folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.inference.image_numbers import listings, unprocessed
from customlabels_nb.inference.journal import Done
from customlabels_nb.inference.output_folder import OutputFolder


def test_a_listing_that_was_removed_is_missed(tmp_path: Path) -> None:
    folder, done = OutputFolder(tmp_path), Done()
    for names in (["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]):
        unprocessed(folder, names, done)
    assert [(first, stop) for first, stop, _ in listings(folder)] == [(0, 2), (2, 3), (3, 4)]
    (tmp_path / listings(folder)[1][2]).unlink()
    with pytest.raises(InputError, match="is missing one of the files"):
        unprocessed(folder, ["a"], done)
