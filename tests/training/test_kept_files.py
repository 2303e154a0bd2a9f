"""Tests of the files that are stored with a model version."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ArtifactError
from customlabels_nb.training.kept_files import (
    prediction_frame,
    read_predictions,
    read_snapshot,
    write_predictions,
    write_snapshots,
)

NAMES = ["a.jpg", "b.jpg", "c.jpg"]
DAMAGE: list[Callable[[bytes], bytes | None]] = [
    lambda _: None, lambda _: b"", lambda content: content[: len(content) // 2], lambda _: b"junk", lambda _: b"[]",
]  # fmt: skip


@pytest.fixture
def version(tmp_path: Path) -> Path:
    rows = pd.DataFrame({"image": NAMES, "label": ["cat", "dog", "cat"]})
    train, test = (Dataset(rows[["image"]], rows, name=split) for split in ("train", "test"))
    write_snapshots(tmp_path, train, test)
    confidences = pd.Series([0.9, 0.1, 0.2, 0.8, 0.6, 0.4]).to_numpy()
    write_predictions(tmp_path, NAMES, ["cat", "dog"], prediction_frame(NAMES, ["cat", "dog"], confidences))
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["test.manifest", "images.json", "predictions.npz"])
def test_a_damaged_file_of_a_version_is_named(
    version: Path, name: str, damage: Callable[[bytes], bytes | None]
) -> None:
    assert len(read_snapshot(version, "test", version)) == len(read_predictions(version)[0]) == 3
    content = damage((version / name).read_bytes())
    (version / name).unlink()
    if content is not None:
        (version / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{re.escape(name)}' .*Restore the file"):
        read_predictions(version) if name == "predictions.npz" else read_snapshot(version, "test", version)


def test_snapshots_without_checksums_are_read(version: Path) -> None:
    (version / "snapshots.json").unlink()  # as of earlier releases
    assert read_snapshot(version, "test", version).images["image"].tolist() == NAMES
    (version / "images.json").write_bytes(b"{")
    with pytest.raises(ArtifactError, match=r"images\.json' is missing or damaged"):
        read_snapshot(version, "test", version)
