import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import mobilenet_v3_small, regnet_y_400mf, resnet18
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from customlabels_nb.errors import InputError, MissingDependencyError, ModelError
from customlabels_nb.inference.engines import engine, selection
from customlabels_nb.inference.engines.engine import Engine
from customlabels_nb.inference.engines.names import EngineChoice
from customlabels_nb.inference.engines.selection import TOLERANCES, open_engine
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.artifact import ModelConfig, load_artifact, save_artifact
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.half_precision import has_bfloat16
from customlabels_nb.project.runnable import load_model
from customlabels_nb.user_settings import settings
from tests.conftest import AllowedSkip
from tests.fake_clock import FakeClock
from tests.waiting import wait_until


@pytest.fixture
def classifier(model_folder: Path) -> tuple[ImageClassifier, ModelConfig]:
    """Return the classifier and its configuration."""
    network, config = load_artifact(model_folder)
    assert isinstance(network, ImageClassifier)
    return network, config


# -- agreement of engines -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["onnx", "bfloat16"])
def test_each_engine_matches_torch(model_folder: Path, blots: dict[str, list[str]], name: str) -> None:
    if name == "bfloat16" and not has_bfloat16():
        raise AllowedSkip("this CPU does not support bfloat16")
    images = [Image.open(path).convert("RGB") for paths in blots.values() for path in paths[:3]]
    predictor = Predictor(model_folder)
    predictor.start("cpu", engine="torch")
    truth = predictor.probabilities(images)
    predictor.start(engine=name)
    assert predictor.engine == EngineChoice(name)
    for found in (predictor.probabilities(images), predictor.probabilities(images, at_once=1)):
        np.testing.assert_allclose(found, truth, atol=TOLERANCES[name])
        assert (found.argmax(axis=1) == truth.argmax(axis=1)).all()
        assert found.sum(axis=1) == pytest.approx(1)
    if name == "onnx":
        np.testing.assert_allclose(predictor.probabilities(images), truth, atol=1e-5)
    predictor.stop()
    assert predictor.engine is None


def test_a_detector_finds_the_same_boxes_by_onnxruntime_on_canvases_of_any_shape(detector_folder: Path) -> None:
    predictor, rng = Predictor(detector_folder), np.random.default_rng(4)
    images = [
        Image.fromarray(rng.integers(0, 256, (*cells, 3), dtype=np.uint8)).resize((400, 300)).resize(size)
        for cells, size in (((3, 4), (200, 150)), ((9, 5), (90, 400)), ((5, 6), (64, 64)))
    ]
    predictor.start("cpu", engine="torch")
    truth = predictor.boxes(images)
    predictor.start(engine="onnx")
    for found, expected in zip(predictor.boxes(images), truth, strict=True):
        assert len(expected.labels) > 10
        assert len(found.labels) == len(expected.labels)
        np.testing.assert_allclose(found.confidences, expected.confidences, atol=1e-4)
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.05)


class _Scaled(nn.Module):
    """Network with operations used by timm: means over the map, a gate, consecutive parts."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, padding=1, bias=False)
        self.norm, self.act = nn.BatchNorm2d(8, affine=False), nn.SiLU(inplace=True)
        self.scale = nn.Parameter(torch.rand(1, 8, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.first(x)))
        gate = x.mean((2, 3), keepdim=True).relu()
        x = torch.cat([x * gate * self.scale, 2 * x + 1], dim=1)
        return torch.flatten(nn.functional.max_pool2d(x, 3, stride=2, padding=1).mean((2, 3), keepdim=True), 1)


def _with_statistics(network: nn.Module) -> nn.Module:
    """Give batch norms random statistics and freeze the network."""
    for layer in network.modules():
        if hasattr(layer, "running_mean") and layer.running_mean is not None:
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    "make",
    [resnet18, mobilenet_v3_small, regnet_y_400mf, _Scaled, lambda: _timm("tf_efficientnetv2_b0")],
    ids=["resnet", "mobilenet", "regnet", "parts", "efficientnetv2"],
)
def test_onnx_networks_equal_the_originals(make: Callable[[], nn.Module]) -> None:
    from customlabels_nb.inference.engines.onnx_writer import to_onnx

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = _with_statistics(make())
        images = torch.rand(3, 3, 96, 64)
    model, keys = to_onnx(network, ("n", 3, "height", "width"))
    assert keys is None
    with torch.inference_mode():
        truth = network(images).numpy()
    np.testing.assert_allclose(_run(model, images)[0], truth, atol=1e-4 * max(1.0, float(np.abs(truth).max())))


def test_onnx_feature_pyramid_equals_the_original() -> None:
    from customlabels_nb.inference.engines.onnx_writer import to_onnx

    network = _with_statistics(resnet_fpn_backbone(backbone_name="resnet18", weights=None))
    model, keys = to_onnx(network, ("n", 3, "height", "width"))
    images = torch.rand(1, 3, 96, 160)
    with torch.inference_mode():
        truth = network(images)
    assert keys == list(truth)
    for found, expected in zip(_run(model, images), truth.values(), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-3 * float(expected.abs().max()))


def _timm(name: str) -> nn.Module:
    """Return a timm network with random weights."""
    import timm

    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    return network


def _run(model: bytes, images: torch.Tensor) -> list[Any]:
    """Run an ONNX model and return its outputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"input": images.numpy()}))


# -- unsupported engines --------------------------------------------------------------------------------
class _Looks(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) if images.sum() > 0 else images.amax((2, 3))


@pytest.mark.parametrize(
    ("backbone", "why"),
    [
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.CELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "CELU"),
        (nn.Sequential(nn.Conv2d(3, 8, 3, padding_mode="reflect"), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "reflect"),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten()), "output_size=2"),
        (_Looks(), "traced"),
    ],
    ids=["layer", "padding", "pooling", "values"],
)
def test_unsupported_networks_run_in_torch(
    classifier: tuple[ImageClassifier, ModelConfig], backbone: nn.Module, why: str
) -> None:
    config = classifier[1]
    features = backbone(torch.rand(1, 3, 224, 224)).shape[1]
    network = ImageClassifier(backbone, features, 3).eval().requires_grad_(False)
    chosen, choice = open_engine(network, config, "cpu")
    assert chosen.name in ("torch", "bfloat16")
    assert why in choice.others["onnx"]
    with pytest.raises(ModelError, match=rf"engine='onnx'.*{why}"):
        open_engine(network, config, "cpu", "onnx")


def test_missing_onnxruntime_falls_back_to_torch(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    predictor = Predictor(model_folder)
    with pytest.raises(MissingDependencyError, match=r'onnxruntime.*install .*"onnx>='):
        predictor.start("cpu", engine="onnx")
    assert not predictor.running
    predictor.start("cpu")
    assert predictor.engine is not None
    assert predictor.engine.name in ("torch", "bfloat16")
    assert "pip install" in predictor.engine.others["onnx"]
    predictor.stop()


def test_bfloat16_needs_hardware_support(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_bfloat16", lambda device: False)
    with pytest.raises(ModelError, match=r"engine='bfloat16'.*does not support bfloat16"):
        Predictor(model_folder).start("cpu", engine="bfloat16")


@pytest.mark.parametrize("name", ["tensorrt", "", None.__class__, 1])
def test_unknown_engines_are_refused(model_folder: Path, name: Any) -> None:
    predictor = Predictor(model_folder)
    predictor.start("cpu", engine="torch")
    with pytest.raises(InputError, match=r"engine .*auto, torch, bfloat16, onnx"):
        predictor.start(engine=name)
    assert predictor.engine == EngineChoice("torch")
    predictor.stop()


# -- choosing the engine --------------------------------------------------------------------------------
class _Clocked(Engine):
    """Engine that adds a given value to PyTorch's output and takes a given number of seconds."""

    def __init__(self, plain: Engine, name: str, clock: FakeClock, seconds: float, off: float) -> None:
        super().__init__(plain.network, plain.config, plain.device)
        self.name, self._clock, self._taken, self._off = name, clock, seconds, off

    def forward(self, pixels: Any) -> Any:
        self._clock.advance(self._taken)
        return super().forward(pixels) + self._off


@pytest.mark.parametrize(
    ("seconds", "off", "best", "why"),
    [
        ((0.1, 0.05, 0.042), (0, 0), "onnx", {"torch": "50 ms", "bfloat16": "21 ms per image, onnx 25 ms"}),
        ((0.1, 0.05, 0.02), (0, 0), "bfloat16", {"torch": "50 ms", "onnx": "25 ms"}),
        ((0.05, 0.1, 0.2), (0, 0), "torch", {"onnx": "50 ms", "bfloat16": "100 ms"}),
        ((0.1, 0.01, 0.02), (0.1, 0), "bfloat16", {"onnx": "differs from the network's by 0.1"}),
        ((0.1, 0.01, 0.02), (0.1, -0.1), "torch", {"onnx": "differ", "bfloat16": "differ"}),
        ((0.1, 0.01, 0.02), (float("nan"), float("nan")), "torch", {"onnx": "differ", "bfloat16": "differ"}),
        ((1.0, 0.5, 0.01), (0, 0), "onnx", {"bfloat16": "no time", "torch": "500 ms"}),
        ((1.0, 0.5, 0.2), (0.1, 0), "bfloat16", {"onnx": "differ"}),
    ],
)
def test_auto_picks_the_fastest_matching_engine(
    classifier: tuple[ImageClassifier, ModelConfig],
    monkeypatch: pytest.MonkeyPatch,
    seconds: tuple[float, float, float],
    off: tuple[float, float],
    best: str,
    why: dict[str, str],
) -> None:
    clock = FakeClock()
    plain = Engine(*classifier, "cpu")
    made = {
        name: _Clocked(plain, name, clock, *how)
        for name, how in zip(("onnx", "bfloat16"), zip(seconds[1:], off, strict=True), strict=True)
    }
    monkeypatch.setattr(selection, "Engine", lambda *_: _Clocked(plain, "torch", clock, seconds[0], 0))
    monkeypatch.setattr(selection, "OnnxClassifier", lambda *_: made["onnx"])
    monkeypatch.setattr(selection, "Bfloat16Engine", lambda *_: made["bfloat16"])
    chosen, choice = open_engine(*classifier, "cpu", clock=clock)
    assert (chosen.name, choice.name) == (best, best)
    for name, words in why.items():
        assert words in choice.others[name]
        assert words in repr(choice)


def test_different_top_label_counts_as_a_mismatch() -> None:
    truth = np.array([[0.6, 0.4], [0.501, 0.499]])
    assert selection.confidences_apart(truth + np.array([[0.001, 0], [-0.001, 0.001]]), truth, 0.02) == pytest.approx(
        0.001
    )
    assert selection.confidences_apart(truth[:, ::-1], truth, 0.02) == 1.0


def test_other_devices_use_torch(classifier: tuple[ImageClassifier, ModelConfig]) -> None:
    chosen, choice = open_engine(*classifier, "meta")
    assert chosen.name == "torch"
    assert choice.others == dict.fromkeys(("onnx", "bfloat16"), "engine='auto' considers it only on a CPU")


# -- running --------------------------------------------------------------------------------------------
def test_model_reports_and_keeps_its_engine(model_folder: Path, blots: dict[str, list[str]]) -> None:
    model = load_model(model_folder)
    assert model.engine is None
    model.start("cpu")
    assert model.engine is not None
    assert model.engine.name in ("torch", "bfloat16", "onnx")
    model.start(engine="torch")
    assert model.engine == EngineChoice("torch")
    model.start("cpu")  # unchanged
    assert model.engine == EngineChoice("torch")
    assert model.detect(blots["green"][0]).table["label"][0] == "green"
    model.stop()
    model.start("cpu")
    assert model.engine == EngineChoice("torch")
    model.stop()


def test_model_wakes_with_the_same_engine(model_folder: Path) -> None:
    predictor = Predictor(model_folder)
    predictor.start("cpu", engine="torch", idle_stop=0.1)
    wait_until(lambda: predictor.asleep)
    predictor.probabilities([np.zeros((3, 224, 224), np.uint8)])
    assert predictor.engine_name == "torch"
    predictor.stop()


def _choosing(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> list[str]:
    """Let "auto" resolve to one name after another and return the requested engines."""
    asked: list[str] = []

    def choose(network: Any, config: ModelConfig, device: str, wanted: str = "auto") -> tuple[Engine, EngineChoice]:
        asked.append(wanted)
        if not names:
            raise ModelError("this engine no longer runs")
        name = names.pop(0)
        return Engine(network, config, device), EngineChoice(name, {"onnx": "slow"} if wanted == "auto" else {})

    monkeypatch.setattr(selection, "open_engine", choose)
    return asked


def _started(folder: Path) -> EngineChoice | None:
    """Start a predictor and return its engine."""
    predictor = Predictor(folder)
    predictor.start("cpu")
    return predictor.engine


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "cache_dir", tmp_path / "cache")
    return tmp_path / "cache"


def test_auto_is_chosen_once_for_a_model_on_a_machine(
    model_folder: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _choosing(monkeypatch, ["bfloat16", "bfloat16", "torch", "onnx"])
    first, second = _started(model_folder), _started(model_folder)
    assert first == second == EngineChoice("bfloat16", {"onnx": "slow"})
    assert asked == ["auto", "bfloat16"]
    network, config = load_artifact(model_folder)
    with torch.no_grad():
        network.head.bias += 0.1  # type: ignore[union-attr, operator]
    save_artifact(tmp_path / "other", network, config)
    _started(tmp_path / "other")
    monkeypatch.setattr(selection, "installed_version", lambda name: "another")
    _started(model_folder)
    assert asked[2:] == ["auto", "auto"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": "abacus", "others": {}}', b'{"name": "torch"}', None])
def test_unreadable_engine_choice_is_repeated(
    model_folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    asked = _choosing(monkeypatch, ["torch", "bfloat16"])
    if content is None:
        own_cache.write_bytes(b"no folder")
    _started(model_folder)
    for path in own_cache.rglob("*.json"):
        path.write_bytes(content or b"")
    _started(model_folder)
    assert asked == ["auto", "auto"]


def test_broken_engine_is_replaced(model_folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _choosing(monkeypatch, ["bfloat16"])
    _started(model_folder)
    with pytest.raises(ModelError, match="no longer runs"):
        _started(model_folder)
    assert asked == ["auto", "bfloat16", "auto"]
