"""Tests of the pages about the endpoint for Custom Vision: its table of operations, and the program that downloads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient

import customlabels_nb as cl
from customlabels_nb.endpoints.custom_vision.routes import ROUTES
from tests.conftest import ROOT
from tests.docs.test_readme import code_blocks
from tests.endpoints.custom_vision.sdk_clients import SdkServer
from tests.images.pictures import jpeg

PAGE = (ROOT / "docs" / "custom_vision.md").read_text("utf-8")
GUIDE = (ROOT / "docs" / "guides" / "custom_vision.md").read_text("utf-8")


def test_the_table_has_every_operation_of_the_sdk_once_and_says_which_are_refused() -> None:
    (table,) = re.findall(r"^\| Operations \| Here \|\n(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    rows = [line.strip("|").split("|") for line in table.splitlines()[1:]]
    listed = [(name, note.strip().startswith("400.")) for names, note in rows for name in re.findall(r"`(\w+)`", names)]
    clients = (CustomVisionTrainingClient, CustomVisionPredictionClient)
    known = {name for client in clients for name in dir(client) if hasattr(getattr(client, name), "metadata")}
    assert len(listed) == len(known) == 60
    assert {name for name, _ in listed} == known
    routed = {route.name: isinstance(route.operation, str) for route in ROUTES if route.name in known}
    assert dict(listed) == routed
    assert sum(routed.values()) == 8


def test_the_download_gets_tagged_and_untagged_images_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = {f"{number}.jpg": jpeg(number, (80, 60)) for number in range(7)}
    for name, data in photos.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in photos]
    boxes = pd.DataFrame({"image": paths[:5], "label": list("ababa"), "left": 8, "top": 6, "width": 40, "height": 30})
    project = cl.create_project("parts", tmp_path / "root", task="boxes")
    project.import_dataset(cl.Dataset(pd.DataFrame({"image": paths}), boxes), progress=False)
    project.close()
    monkeypatch.chdir(tmp_path)
    (program,) = code_blocks("py", GUIDE)
    assert "take=256" in program
    with SdkServer(tmp_path / "root") as server:
        (served,) = server.trainer.get_projects()
        names = {"ENDPOINT": server.url, "KEY": "test", "PROJECT_ID": served.id}
        exec(program.replace("take=256", "take=2"), names)  # noqa: S102
    listed = json.loads(Path("custom-vision/tagged-images.json").read_text())["files"]
    assert sorted(len(file["tags"]) for file in listed) == [0, 0, 1, 1, 1, 1, 1]
    files = {Path("custom-vision", file["filename"]).read_bytes() for file in listed}
    assert files == set(photos.values())
    dataset = cl.read_dataset("custom-vision/tagged-images.json")
    assert sorted(dataset.annotations["label"]) == list("aaabb")
    assert dataset.annotations[["left", "top", "width", "height"]].drop_duplicates().to_numpy().tolist() == [
        pytest.approx([8, 6, 40, 30])
    ]
