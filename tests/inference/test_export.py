"""Tests of models exported for other programs: they produce the model's predictions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models.mobilenetv3 import InvertedResidual
from torchvision.models.resnet import Bottleneck
from torchvision.ops.misc import FrozenBatchNorm2d

import customlabels_nb as cl
from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.errors import ArtifactError, InputError, MissingDependencyError, ModelError, NotAllowedError
from customlabels_nb.images.decoding import upright_rgb
from customlabels_nb.inference.detection import detect
from customlabels_nb.inference.exporting import detect as snippet
from customlabels_nb.inference.exporting import export as exporting
from customlabels_nb.inference.exporting.export import Exported, export, facts_of, to_text
from customlabels_nb.inference.exporting.networks import exportable
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.artifact import ModelConfig, load_artifact, save_artifact
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import build_backbone
from customlabels_nb.models.canvas import open_canvas
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector_building import build_detector, normalisation
from customlabels_nb.models.detector_shape import DetectorShape
from customlabels_nb.models.transforms import to_batch, to_pixels
from tests.models.pictures import gradient

FORMATS = ("onnx", "pt2")
TINY = "timm/test_resnet.r160_in1k"
BOX = ["left", "top", "width", "height"]
HOSTILE = ("</script><img src=x onerror=alert(1)>", '"; DROP TABLE \\ labels\n', "äpfel \u202e\U0001f34f")

#: Runs a program as if neither this package nor ``blocked`` were installed.
ALONE = """
import runpy, sys
program, blocked, *photos = sys.argv[1:]
for name in ("customlabels_nb", "timm", "pandas", "sklearn", *blocked.split(",")):
    sys.modules[name] = None
sys.argv = [program, *photos]
runpy.run_path(program, run_name="__main__")
"""
BLOCKED = {"onnx": "torch,torchvision,onnx,onnxscript", "pt2": "onnxruntime,onnx,onnxscript"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a large JPEG, one that is rotated by EXIF, a transparent PNG, a grey one, and a very long one."""
    folder = tmp_path_factory.mktemp("photos")
    lying = Image.Exif()
    lying[0x0112] = 6
    gradient(900, 600).save(folder / "large.jpg", quality=95)
    gradient(640, 360).save(folder / "lying.jpg", quality=95, exif=lying)
    clear = gradient(200, 300).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(folder / "clear.png")
    gradient(150, 150).convert("L").save(folder / "grey.png")
    gradient(1200, 60).save(folder / "long.jpg", quality=95)
    return [str(folder / name) for name in ("large.jpg", "lying.jpg", "clear.png", "grey.png", "long.jpg")]


@pytest.fixture(scope="module")
def tiny_classifier(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an untrained classifier that is exported quickly."""
    folder = tmp_path_factory.mktemp("tiny")
    config = replace(load_artifact(model_folder)[1], backbone=TINY, input_size=64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        save_artifact(folder, ImageClassifier(build_backbone(TINY), 96, 3), config)
    return folder


@pytest.fixture(scope="module")
def tiny_detector(detector_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an untrained detector that is exported quickly."""
    folder = tmp_path_factory.mktemp("tiny")
    config = replace(load_artifact(detector_folder)[1], backbone=TINY)
    assert config.detector is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        save_artifact(folder, build_detector(config.detector, 2, TINY), config)
    return folder


@pytest.fixture(scope="module")
def classifiers(
    tiny_classifier: Path, photos: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported]:
    """Return the classifier exported in every format. Other tests export trained models with the packaged network."""
    folder = tmp_path_factory.mktemp("classifiers")
    return {name: export(tiny_classifier, "fruit.7", name, folder / name, pictures=photos) for name in FORMATS}


@pytest.fixture(scope="module")
def detectors(tiny_detector: Path, photos: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """Return the detector exported in every format."""
    folder = tmp_path_factory.mktemp("detectors")
    return {name: export(tiny_detector, "boards.2", name, folder / name, pictures=photos) for name in FORMATS}


def predictor_of(folder: Path) -> Predictor:
    started = Predictor(folder)
    started.start("cpu")
    return started


def run_alone(written: Exported, photos: list[str], blocked: str) -> list[list[dict[str, Any]]]:
    """Return the output of the program next to the model, in a process that cannot import this package."""
    command = [sys.executable, "-I", "-c", ALONE, str(written.program), blocked, *photos]
    ran = subprocess.run(command, cwd=written.folder, capture_output=True, text=True, timeout=300)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
    lines = json_lines(ran.stdout)
    assert [line["image"] for line in lines] == photos
    return [line["found"] for line in lines]


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def same(found: list[dict[str, Any]], table: Any, longest: int) -> None:
    """Check that each row has a counterpart, except the least confident ones, of which ties may have been left out."""
    assert len(found) == len(table)
    least = table["confidence"].min() + 1e-4
    boxes = table[BOX].to_numpy()
    for row in found:
        near = (table["label"] == row["label"]) & (np.abs(table["confidence"] - row["confidence"]) < 1e-4)
        if "left" in row:
            near &= np.abs(boxes - [row[side] for side in BOX]).max(axis=1) < 1e-4 * longest
        assert near.any() or row["confidence"] < least, row


@pytest.mark.parametrize("name", FORMATS)
def test_a_classifier_runs_without_this_package(
    classifiers: dict[str, Exported],
    tiny_classifier: Path,
    photos: list[str],
    name: str,
    fruit_test_photos: list[Path],
) -> None:
    predictor = predictor_of(tiny_classifier)
    every = [*photos, *map(str, fruit_test_photos)]
    blocked = BLOCKED[name] + (",torchvision" if name == "pt2" else "")
    for photo, found in zip(every, run_alone(classifiers[name], every, blocked), strict=True):
        same(found, detect(predictor, photo).table, 1)


@pytest.mark.thorough
@pytest.mark.parametrize("name", FORMATS)
def test_a_detector_runs_without_this_package(
    detectors: dict[str, Exported], tiny_detector: Path, photos: list[str], name: str, fruit_test_photos: list[Path]
) -> None:
    detector = predictor_of(tiny_detector)
    every = [*photos, *map(str, fruit_test_photos)]
    for photo, found in zip(every, run_alone(detectors[name], every, BLOCKED[name]), strict=True):
        truth = detect(detector, photo)
        assert len(found) > 3
        same(found, truth.table, max(truth.image.size))


def test_program_takes_folders_and_patterns_and_reports_photos_that_it_cannot_read(
    classifiers: dict[str, Exported], photos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "shelf[1]" / "deep").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for place in ("shelf[1]/b.png", "shelf[1]/deep/a.PNG", "c1.png", "c[1].png"):
        (tmp_path / place).write_bytes(Path(photos[3]).read_bytes())
    (tmp_path / "shelf[1]" / "notes.txt").write_text("no photo")
    (tmp_path / "shelf[1]" / "cut\n.jpg").write_bytes(Path(photos[0]).read_bytes()[:500])
    (tmp_path / "lost.jpg").symlink_to("nowhere.jpg")
    given = ["gone.jpg", "lost.jpg", "empty", "shelf[1]", "c[1].png", "c*.png", "none-*.png"]
    command = [sys.executable, str(classifiers["onnx"].program), *given]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 1
    found = [line["image"].replace(os.sep, "/") for line in json_lines(ran.stdout)]
    assert found == ["shelf[1]/b.png", "shelf[1]/deep/a.PNG", "c[1].png", "c1.png", "c[1].png"]
    errors = [line.partition(" cannot be read: ") for line in ran.stderr.splitlines()]
    named = ["gone.jpg", "lost.jpg", "empty", os.path.join("shelf[1]", "cut\n.jpg"), "none-*.png"]
    assert [name for name, _, _ in errors] == [repr(name) for name in named]
    assert [reason for _, _, reason in errors][1:3] == ["No such file or directory", "It has no photos."]


def test_program_takes_the_same_files_of_a_folder_as_this_package() -> None:
    assert {*snippet.PHOTOS} == IMAGE_SUFFIXES


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_program_shows_its_help(classifiers: dict[str, Exported], arguments: list[str]) -> None:
    command = [sys.executable, str(classifiers["onnx"].program), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("usage: detect.py [-h] [photos ...]")
    assert "folders with their subfolders" in ran.stdout


@pytest.mark.parametrize("name", FORMATS)
def test_exported_model_detects_from_python(
    classifiers: dict[str, Exported], tiny_classifier: Path, photos: list[str], name: str
) -> None:
    predictor = predictor_of(tiny_classifier)
    model = snippet.ExportedModel(classifiers[name].file)
    everything = model.detect(photos[0], threshold=0)
    same(everything, detect(predictor, photos[0], threshold=0).table, 1)
    assert [row["confidence"] for row in everything] == sorted((row["confidence"] for row in everything), reverse=True)
    with Image.open(photos[1]) as opened:
        same(model.detect(opened, threshold={"red": 0, "blue": 1}), *by_label(predictor, photos[1]), 1)
    assert model.detect(photos[0], threshold=1.01) == []


def by_label(predictor: Predictor, photo: str) -> tuple[Any]:
    return (detect(predictor, photo, threshold={"red": 0, "blue": 1}).table,)


def test_export_report_lists_the_files(classifiers: dict[str, Exported], photos: list[str]) -> None:
    for name, written in classifiers.items():
        assert written.file == written.folder / f"model.{name}"
        assert sorted(path.name for path in written.folder.iterdir()) == ["detect.py", f"model.{name}"]
        assert (written.photos, written.difference < 1e-5) == (len(photos), True)
        assert f"model.{name}: " in repr(written)
        assert f"on {len(photos)} photos" in repr(written)
        compile(written.program.read_text("utf-8"), "detect.py", "exec")
        assert "customlabels_nb" not in written.program.read_text("utf-8")


def test_onnx_takes_any_number_of_images(classifiers: dict[str, Exported]) -> None:
    run, _ = snippet.load_onnx(classifiers["onnx"].file)
    size = snippet.ExportedModel(classifiers["onnx"].file).facts["input_size"]
    images = np.random.default_rng(0).normal(size=(5, 3, size, size)).astype(np.float32)
    alone = np.concatenate([run(images[i : i + 1])[0] for i in range(5)])
    np.testing.assert_allclose(run(images)[0], alone, atol=1e-4)


@pytest.mark.parametrize("name", FORMATS)
def test_exported_file_describes_itself(tiny_classifier: Path, tmp_path: Path, name: str) -> None:
    network, config = load_artifact(tiny_classifier)
    named = replace(config, task="multi-label", labels=HOSTILE, thresholds={HOSTILE[0]: 0.0, HOSTILE[2]: 1.0})
    save_artifact(tmp_path / "model", network, named)
    written = export(tmp_path / "model", "fruit.8", name, tmp_path / "out")
    assert written.photos == 0
    assert "on noise" in repr(written)
    model = snippet.ExportedModel(written.file)
    facts = model.facts
    assert facts["labels"] == list(HOSTILE)
    assert facts["thresholds"] == dict(zip(HOSTILE, (0.0, 0.5, 1.0), strict=True))
    assert facts["colors"] == list(config.colors)
    assert (facts["name"], facts["task"], facts["activation"]) == ("fruit.8", "multi-label", "sigmoid")
    assert (facts["input_size"], tuple(facts["mean"]), tuple(facts["std"])) == (64, config.mean, config.std)
    found = model.detect(gradient(50, 40), threshold=0)
    assert {row["label"] for row in found} == set(HOSTILE)
    assert sum(row["confidence"] for row in found) != pytest.approx(1)


# -- refused exports --------------------------------------------------------------------------------
def test_export_that_differs_from_the_model_is_not_kept(
    tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = exporting.write_pt2

    def wrongly(graph: Any, *rest: Any) -> None:
        graph.head.bias.data[1] += 0.01
        write(graph, *rest)

    monkeypatch.setitem(exporting.WRITERS, "pt2", wrongly)
    with pytest.raises(ModelError, match="'pt2' file differs from the model's by"):
        export(tiny_classifier, "x", "pt2", tmp_path / "deep" / "out")
    assert list((tmp_path / "deep").iterdir()) == []


def test_error_names_an_unwritable_export(
    tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(exporting.torch.export, "export", refuse)
    with pytest.raises(ModelError, match=r"'pt2' \(RuntimeError: no such operator\)"):
        export(tiny_classifier, "x", "pt2", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_export_that_does_not_run_is_not_kept(
    tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exporting.WRITERS, "onnx", lambda graph, config, facts, path: path.write_bytes(b"nonsense"))
    with pytest.raises(ModelError, match="cannot be run"):
        export(tiny_classifier, "x", "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r'onnxscript.*install .*"onnx>='):
        export(model_folder, "x", "onnx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_invalid_export_targets_are_refused(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for format_, path, error, message in [
        ("tflite", tmp_path / "out", InputError, r"'tflite'.*onnx, pt2"),
        (None, tmp_path / "out", InputError, "format None"),
        ("pt2", tmp_path / "model.pt2", InputError, "looks like a file"),
        ("pt2", tmp_path / "taken", NotAllowedError, r"diary\.txt"),
        ("pt2", tmp_path / "file", NotAllowedError, "is a file"),
        ("pt2", tmp_path / "file" / "below", InputError, "cannot be written"),
        ("pt2", "s3://bucket/out", InputError, "is a URL"),
    ]:
        with pytest.raises(error, match=message):
            export(model_folder, "x", format_, path)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
    with pytest.raises(ArtifactError, match="contains no model"):
        export(tmp_path / "taken", "x", "pt2", tmp_path / "out")


def test_earlier_export_is_replaced(tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, config = load_artifact(tiny_classifier)
    save_artifact(tmp_path / "other", network, replace(config, labels=("a", "b", "c"), thresholds={}))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    hostile = "../../<b>"
    first = export(tiny_classifier, hostile, "pt2")
    assert first.folder == tmp_path / "here" / "b-pt2"
    before = first.file.read_bytes()
    assert export(tmp_path / "other", hostile, "pt2").folder == first.folder
    assert first.file.read_bytes() != before
    assert os.listdir(tmp_path / "here") == ["b-pt2"]


def test_a_running_model_exports_itself(tiny_classifier: Path, tmp_path: Path) -> None:
    model = cl.load_model(tiny_classifier)
    written = model.export("pt2", tmp_path / "out")
    assert snippet.ExportedModel(written.file).facts["name"] == tiny_classifier.name
    assert "stopped" in repr(model)  # it need not run for that


# -- the comparison ---------------------------------------------------------------------------------
def difference_with(model: Any, photos: list[str], change: Callable[[list[Any]], list[Any]]) -> float:
    """Return the check's difference for the model itself with modified outputs."""
    network, config = model
    graph = exportable(network)

    def run(images: Any) -> list[Any]:
        with torch.inference_mode():
            outputs = graph(torch.from_numpy(images))
        return change([one.numpy() for one in (outputs if isinstance(outputs, tuple) else (outputs,))])

    return exporting.difference(network, config, run, facts_of(network, config, "x"), photos)[0]


@pytest.mark.thorough
def test_small_differences_are_detected(tiny_classifier: Path, tiny_detector: Path, photos: list[str]) -> None:
    classifier, detector = load_artifact(tiny_classifier), load_artifact(tiny_detector)
    assert difference_with(classifier, photos[:2], lambda out: out) < 1e-6
    assert difference_with(classifier, photos[:1], lambda out: [out[0] * 1.01]) > exporting.TOLERANCE
    assert difference_with(classifier, photos[:1], lambda out: [out[0] * np.nan]) > exporting.TOLERANCE
    assert difference_with(detector, photos[:2], lambda out: out) < 1e-5
    for change in (
        lambda out: [out[0], out[1] + 2e-4, out[2]],
        lambda out: [out[0] + 0.05, *out[1:]],
        lambda out: [*out[:2], 1 - out[2]],
        lambda out: [out[0], out[1] * np.nan, out[2]],
        lambda out: [one[:0] for one in out],
    ):
        assert difference_with(detector, photos[:1], change) > exporting.TOLERANCE


@pytest.mark.thorough
def test_narrow_canvases_and_photos_that_cannot_be_read(
    detectors: dict[str, Exported], tiny_detector: Path, photos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cut.jpg").write_bytes(Path(photos[0]).read_bytes()[:500])
    network, config = load_artifact(tiny_detector)
    data = Path(photos[4]).read_bytes()
    assert open_canvas(data, "long", config.input_size, config.fill).pixels.shape == (3, 32, 128)
    for written in detectors.values():
        model = snippet.ExportedModel(written.file)
        bad = [str(tmp_path / "cut.jpg"), str(tmp_path / "gone.jpg")]
        apart, read = exporting.difference(network, config, model.run, model.facts, [*bad, photos[4]])
        assert apart < exporting.TOLERANCE
        assert read == 1


# -- detectors of torchvision -----------------------------------------------------------------------
def settled(architecture: str, photo: Path) -> ImageDetector:
    """Return a detector with random weights and norms fitted to a photo, without which its output would be constant."""
    parts, spread = ("cls_logits", "cls_score", "bbox_pred", "classification_head.module_list"), SPREAD[architecture]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        detector = build_detector(DetectorShape(architecture=architecture), 3, PACKAGED).eval()
        leave_out_repeated_blocks(detector)
        for name, values in detector.named_parameters():
            if "rpn" not in name and any(part in name for part in parts):
                values.copy_(torch.randn_like(values) * spread if values.ndim > 1 else values)
            if "rpn" not in name and name.endswith("cls_logits.bias"):
                values[:: detector.n_labels + 1] = -20  # like trained ones, which never predict background
        norms = [one for one in detector.modules() if isinstance(one, nn.BatchNorm2d | FrozenBatchNorm2d)]
        hooks = [norm.register_forward_pre_hook(settle) for norm in norms]
        with Image.open(photo) as opened:
            pixels = to_pixels(opened.convert("RGB"), 320)
        detector.network.backbone(to_batch([pixels], *normalisation(architecture, PACKAGED)))
        for hook in hooks:
            hook.remove()
    return detector


def leave_out_repeated_blocks(network: nn.Module) -> None:
    """Replace the blocks of a backbone that keep the shape, which only take time."""
    for name, block in list(network.named_modules()):
        if (isinstance(block, Bottleneck) and block.downsample is None) or (
            isinstance(block, InvertedResidual) and block.use_res_connect
        ):
            network.set_submodule(name, nn.Identity())


def settle(norm: Any, given: tuple[Any, ...]) -> None:
    norm.running_mean.copy_(given[0].mean((0, 2, 3)))
    norm.running_var.copy_(given[0].var((0, 2, 3), unbiased=False) + 1e-3)


SPREAD = {
    "ssdlite320_mobilenet_v3_large": 0.05,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 0.05,
    "fcos_resnet50_fpn": 0.3,
    "retinanet_resnet50_fpn_v2": 0.05,
}


@pytest.mark.thorough
@pytest.mark.parametrize(("architecture", "name"), list(zip(SPREAD, ("pt2", "pt2", "onnx", "pt2"), strict=True)))
def test_torchvision_detector_is_exported(
    fruit_test_photos: list[Path], tmp_path: Path, architecture: str, name: str
) -> None:
    """Test exports of random weights, with many ties whose order is left to each program."""
    network = settled(architecture, fruit_test_photos[0])
    mean, std = normalisation(architecture, PACKAGED)
    config = ModelConfig(
        task="boxes",
        labels=("a", "b", "c"),
        colors=("#c8553d", "#2f7fc1", "#3a9a5b"),
        backbone=architecture,
        input_size=320,
        mean=mean,
        std=std,
        detector=network.shape,
    )
    facts, graph = facts_of(network, config, "x"), exportable(network)
    exporting.WRITERS[name](graph, config, to_text(facts), tmp_path / f"model.{name}")
    written = snippet.ExportedModel(tmp_path / f"model.{name}")

    def run(images: Any) -> list[Any]:
        with torch.inference_mode():
            return [one.numpy() for one in graph(torch.from_numpy(images))]

    for photo in fruit_test_photos:
        canvas = open_canvas(photo.read_bytes(), str(photo), config.input_size, config.fill)
        assert exporting.boxes_apart(network, config, run, facts, canvas) < 1e-3
        images = snippet.normalised(canvas.pixels, facts)
        here, there = (np.sort(outputs[1]) for outputs in (run(images), written.run(images)))
        assert here.max() > 0.05
        assert (np.abs(here - there) < 1e-3).mean() > 0.97
        assert len(written.detect(photo, threshold=0)) > 0


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "white is zero"])
def test_deep_greyscale_is_read_as_in_training(tmp_path: Path, mode: str) -> None:
    values = np.linspace(0, 60_000, 64 * 48).reshape(48, 64)
    grey = values.astype({"I": np.int32, "F": np.float32}.get(mode, np.uint16))
    path = tmp_path / "grey.tif"
    Image.fromarray(grey).save(path, tiffinfo={262: 0} if mode == "white is zero" else {})
    with Image.open(path) as opened:
        read, size = snippet.upright(opened, {"input_size": 64, "boxes": None})
    with Image.open(path) as opened:
        expected = upright_rgb(opened, "grey.tif")
    assert size == (64, 48)
    assert np.array_equal(np.asarray(read), np.asarray(expected))
    assert len(np.unique(np.asarray(read))) > 200
