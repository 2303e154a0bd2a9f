"""Tests of exports: their states, and the files of a real model."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import onnxruntime
import pytest

from customlabels_nb.endpoints.custom_vision import export_operations
from customlabels_nb.models.artifact import ModelConfig, save_artifact
from customlabels_nb.models.backbones import build_backbone
from customlabels_nb.models.classifier import ImageClassifier
from tests.endpoints.custom_vision.sdk_clients import LABELS, SdkServer
from tests.images.pictures import encoded, picture
from tests.waiting import wait_until

TINY = "timm/test_resnet.r160_in1k"


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
            Path(task["root"], "versions", task["name"], "custom_vision_onnx.zip").write_bytes(b"zip")

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
def test_exported_classifier_equals_the_endpoint(server: SdkServer) -> None:
    network = ImageClassifier(build_backbone(TINY), 96, len(LABELS))
    colors = ("#c8553d", "#3a9a5b", "#2f7fc1")
    size, mean, std = 64, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
    config = ModelConfig("single-label", LABELS, colors, backbone=TINY, input_size=size, mean=mean, std=std)
    project = server.project("single-label", "v1")
    save_artifact(server.root / "fruit" / "versions" / "v1", network, config)
    (iteration,) = server.trainer.get_iterations(project)
    server.trainer.export_iteration(project, iteration.id, "ONNX", flavor="ONNX12")

    def export() -> Any:
        return server.trainer.get_exports(project, iteration.id)[0]

    wait_until(lambda: export().status != "Exporting", 120)
    assert export().status == "Done"
    with urlopen(export().download_uri) as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        assert archive.namelist() == ["model.onnx", "detect.py", "labels.txt"]
        assert archive.read("labels.txt").decode() == "apple\nbanana\norange\n"
        session = onnxruntime.InferenceSession(archive.read("model.onnx"))
    photo = picture(3, (size, size)).convert("RGB")
    pixels = (np.asarray(photo, np.float32) / 255 - np.float32(mean)) / np.float32(std)
    (logits,) = session.run(None, {"images": pixels.transpose(2, 0, 1)[None]})
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
    found = server.trainer.quick_test_image(project, encoded(photo, "PNG")).predictions
    expected = dict(zip(LABELS, shares.tolist(), strict=True))
    assert {each.tag_name: each.probability for each in found} == pytest.approx(expected, abs=1e-3)
