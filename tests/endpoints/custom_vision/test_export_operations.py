"""Tests of exports: their states, and the files of a real model."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.endpoints.custom_vision import export_operations
from tests.endpoints.custom_vision.sdk_clients import SdkServer
from tests.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """Yield a server of an empty folder."""
    with SdkServer(tmp_path / "root") as server:
        yield server


def test_an_export_is_done_when_its_file_is_complete(server: SdkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    project = server.project("single-label", "v1")
    (iteration,) = server.trainer.get_iterations(project)
    go_on, outcomes = threading.Event(), iter([False, True])

    def run(entry: str, task: dict[str, Any], environment: dict[str, str]) -> None:
        assert go_on.wait(20)
        if next(outcomes):  # the first process is killed
            folder = Path(task["root"], "versions", task["name"])
            folder.mkdir(parents=True)
            (folder / "custom_vision_onnx.zip").write_bytes(b"zip")

    monkeypatch.setattr(export_operations, "run_detached", run)

    def export(**more: Any) -> str:
        return str(server.trainer.export_iteration(project, iteration.id, "ONNX", **more).status)

    def statuses() -> list[str]:
        return [each.status for each in server.trainer.get_exports(project, iteration.id)]

    assert statuses() == []
    for state in ("Failed", "Done"):
        go_on.clear()
        assert (export(), export(), statuses()) == ("Exporting", "Exporting", ["Exporting"])
        go_on.set()
        wait_until(lambda state=state: statuses() == [state])
    assert export(flavor="ONNX12") == "Done"
    first, second = server.trainer.get_exports(project, iteration.id)
    assert (first.flavor, second.flavor, first.platform) == (None, "ONNX12", "ONNX")
    with urlopen(first.download_uri) as file:
        assert file.read() == b"zip"
    damaged = first.download_uri[:-1] + ("0" if first.download_uri[-1] != "0" else "1")
    with pytest.raises(OSError, match="404"):
        urlopen(damaged)


@pytest.mark.parametrize("platform", ["TensorFlow", "CoreML", "DockerFile", "VAIDK", "OpenVino", "x"])
def test_other_platforms_are_refused(server: SdkServer, platform: str) -> None:
    project = server.project("boxes", "v1")
    (iteration,) = server.trainer.get_iterations(project)
    code = server.refused("export_iteration", project, iteration.id, platform)
    assert code == "BadRequestProjectUnsupportedExportPlatform"
    assert server.trainer.get_exports(project, iteration.id) == []


@pytest.mark.thorough
def test_an_exported_classifier_computes_what_the_endpoint_answers(tmp_path: Path) -> None:
    import onnxruntime

    python = cl.examples.create("rooms", tmp_path / "root")
    model = python.train("v1", budget="5s", progress=False)
    photo = Path(python.test_set.images["image"][0]).read_bytes()
    with SdkServer(tmp_path / "root", engine="torch") as server:
        (project,) = server.trainer.get_projects()
        (iteration,) = server.trainer.get_iterations(project.id)
        server.trainer.export_iteration(project.id, iteration.id, "ONNX", flavor="ONNX12")

        def export() -> Any:
            return server.trainer.get_exports(project.id, iteration.id)[0]

        wait_until(lambda: export().status != "Exporting", 120)
        assert export().status == "Done"
        with urlopen(export().download_uri) as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            assert archive.namelist() == ["model.onnx", "labels.txt"]
            labels = archive.read("labels.txt").decode().split("\n")[:-1]
            session = onnxruntime.InferenceSession(archive.read("model.onnx"))
        answer = server.trainer.quick_test_image(project.id, photo).predictions
    config = cl.load_model(model.folder)
    assert labels == list(config.labels)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts, "the file says how to prepare an image"
    size = session.get_inputs()[0].shape[2]
    pixels = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB").resize((size, size)), np.float32) / 255
    (logits,) = session.run(None, {"images": ((pixels - 0.5) * 2).transpose(2, 0, 1)[None]})
    assert labels[int(logits[0].argmax())] == answer[0].tag_name
    python.close()
