"""Tests of the stored results of background trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.assist.stored_results import AssistResults, read_results
from customlabels_nb.assist.suspects import suspect_boxes
from customlabels_nb.core import tables as t

NO_BOXES = dict.fromkeys(t.BOX_COLUMNS, np.nan)
FILE = Path("cache", "assist", "results.npz")


def results() -> AssistResults:
    """Return results for four images with names and labels that look like numbers."""
    queue = pd.DataFrame({"position": [2, 0, 1, 3], "kind": np.array(["check", "rare", "rare", "check"], object)})
    pages = pd.DataFrame({"position": [1, 2, 0], "cluster": 0, "page": [0, 0, 1], "label": -1, "alike": [0.9, 0.9, 1]})
    prelabels = pd.DataFrame({"image": ["2", "é"], "label": ["01", None], "confidence": [0.99, 1 / 3], **NO_BOXES})
    images = np.array(["1", "2", "é", "d.jpg"])
    return AssistResults(7, images, queue, pages, prelabels, suspect_boxes(t.empty(t.ANNOTATION_COLUMNS), prelabels))


def test_a_round_trip_keeps_values_and_dtypes(tmp_path: Path) -> None:
    first = results()
    suspects = first.suspects.astype({"annotation": "Int64"})
    suspects.loc[0, ["image", "annotation", "given", "score"]] = ["1", 5, "02", 0.5]
    suspects.loc[1, ["image", "kind"]] = ["2", "missed"]
    first = AssistResults(**{**vars(first), "suspects": suspects})
    first.write(tmp_path)
    again = read_results(tmp_path)
    assert again is not None
    assert again.run == 7
    assert again.images.tolist() == ["1", "2", "é", "d.jpg"]
    for name in ("queue", "pages", "prelabels", "suspects"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(first, name))
    assert again.suspects["annotation"].tolist() == [5, pd.NA]
    assert again.names("assist", {"1", "2", "é", "d.jpg"}) == ["é", "1", "2", "d.jpg"]
    assert again.names("manual", {"1", "2", "é"}) == ["1"]
    assert again.names("prelabelled", {"2"}) == ["2"]
    assert again.names("clustered", {"1", "2"}) == ["2", "1"]
    assert again.names("suspect", {"1", "2"}) == ["1", "2"]
    assert again.cluster_pages({"1", "2", "é"}, {"2"})[["image", "page"]].to_numpy().tolist() == [
        ["é", 0], ["1", 1], ["2", 2],
    ]  # fmt: skip


def test_empty_tables_can_be_stored(tmp_path: Path) -> None:
    first = results()
    empty = AssistResults(
        0, first.images[:0], *(getattr(first, name)[:0] for name in ("queue", "pages", "prelabels", "suspects"))
    )
    empty.write(tmp_path)
    again = read_results(tmp_path)
    assert again is not None
    assert again.queue.dtypes.to_dict() == first.queue.dtypes.to_dict()
    assert all(again.names(queue, {"1"}) == [] for queue in ("assist", "manual", "clustered", "prelabelled", "suspect"))
    assert again.cluster_pages({"1"}).empty


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "missing"])
def test_a_damaged_file_is_no_result(tmp_path: Path, damage: str) -> None:
    assert read_results(tmp_path) is None
    results().write(tmp_path)
    data = (tmp_path / FILE).read_bytes()
    if damage == "missing":
        np.savez(tmp_path / FILE, run=1)
    else:
        (tmp_path / FILE).write_bytes({"cut": data[: len(data) // 2], "text": b"{}", "empty": b""}[damage])
    assert read_results(tmp_path) is None


def test_deleted_project_folder_is_not_recreated(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        results().write(tmp_path / "renamed")
    assert not list(tmp_path.iterdir())
