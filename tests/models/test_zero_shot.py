"""Tests of boxes from descriptions: the real classes of OWLv2 and Grounding DINO with tiny random weights."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core.geometry import clip_ltwh, xyxy_to_ltwh
from customlabels_nb.errors import ArtifactError, CustomLabelsError, InputError, ModelError
from customlabels_nb.models.artifact import ModelConfig, load_config, model_identity, save_zero_shot
from customlabels_nb.models.canvas import fitted, to_canvas
from customlabels_nb.models.detector_shape import ZeroShot, fill_of
from customlabels_nb.models.pretrained.weights import get_weights
from tests.models.saved_folders import saved_by_processor
from tests.models.tiny_zero_shot import SIDE, write_fake_owlv2, write_tiny_grounding_dino, write_tiny_owlv2

PROMPTS = ("a photo of a red screw", "a nut")


@pytest.fixture(scope="module")
def owlv2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder of a tiny OWLv2, and the model."""
    folder = tmp_path_factory.mktemp("models") / "tiny-owlv2"
    return folder, write_tiny_owlv2(folder)


@pytest.fixture(scope="module")
def grounding_dino(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder of a tiny MM Grounding DINO, and the model."""
    folder = tmp_path_factory.mktemp("models") / "tiny-dino"
    return folder, write_tiny_grounding_dino(folder)


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


def find(folder: Path, image: Image.Image, prompts: tuple[str, ...] = PROMPTS) -> Any:
    """Detect in an image as a predictor does."""
    from customlabels_nb.models.detector import detect
    from customlabels_nb.models.pretrained.zero_shot import describe_input, load_zero_shot

    weights = get_weights(str(folder))
    side, mean, std = describe_input(weights)
    network = load_zero_shot(ZeroShot(str(folder), weights.revision, prompts))
    return detect(network, [to_canvas(image, side, fill_of(mean))], mean, std, "cpu")[0]


def matches(found: Any, boxes: Any, scores: Any, size: tuple[int, int]) -> None:
    """Check that the found boxes are among those of a model (corners in the image) with scores (n, labels)."""
    others = clip_ltwh(xyxy_to_ltwh(boxes), size)
    assert len(found.boxes) > 1
    for box, label, confidence in zip(found.boxes, found.labels, found.confidences, strict=True):
        near = np.abs(others - box).max(axis=1) < 1e-2
        assert np.abs(scores[near, label] - confidence).min() < 1e-4
        assert label in scores[near].argmax(axis=1)
    shown = (others[:, 2:] > 0).all(axis=1)
    assert found.confidences[0] == pytest.approx(scores[shown].max(), abs=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("size", [(SIDE, SIDE), (2 * SIDE, 36), (20, SIDE)])
def test_boxes_of_owlv2_are_those_of_its_processor(owlv2: tuple[Path, Any], size: tuple[int, int]) -> None:
    import torch
    from transformers import AutoTokenizer, Owlv2ImageProcessor

    folder, model = owlv2
    processor, image = Owlv2ImageProcessor.from_pretrained(folder), picture(*size)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    words = tokenizer(
        list(PROMPTS), padding="max_length", max_length=16, return_tensors="pt", return_token_type_ids=False
    )
    # the processor pads with black, the canvas with the mean color, which is nearly the gray of the original
    square = Image.new("RGB", (SIDE, SIDE), fill_of(processor.image_mean))
    square.paste(image.resize(fitted(size, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0))
    with torch.inference_mode():
        output = model(**words, **processor(images=square, return_tensors="pt"))
    boxes = processor.post_process_object_detection(output, threshold=0, target_sizes=[size[::-1]])[0]["boxes"]
    matches(find(folder, image), boxes.numpy(), output.logits[0].sigmoid().numpy(), size)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["MMGroundingDino", "GroundingDino"])
def test_boxes_of_grounding_dino_are_those_of_its_processor(tmp_path: Path, kind: str) -> None:
    import torch
    from transformers import AutoTokenizer, GroundingDinoImageProcessor, GroundingDinoProcessor

    model, image = write_tiny_grounding_dino(tmp_path, kind=kind), picture(128, 96)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    processor = GroundingDinoProcessor(GroundingDinoImageProcessor.from_pretrained(tmp_path), tokenizer)
    inputs = processor(images=image, text=[list(PROMPTS)], return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    boxes = processor.post_process_grounded_object_detection(output, threshold=0, target_sizes=[(96, 128)])[0]["boxes"]
    tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    first, second = (at for at, token in enumerate(tokens) if token == ".")
    words = output.logits[0].sigmoid()
    scores = torch.stack([words[:, 1:first].amax(dim=1), words[:, first + 1 : second].amax(dim=1)], dim=1)
    matches(find(tmp_path, image), boxes.numpy(), scores.numpy(), image.size)


@pytest.mark.thorough
def test_labels_are_in_the_order_of_the_descriptions(owlv2: tuple[Path, Any]) -> None:
    first, second = (find(owlv2[0], picture(SIDE, SIDE), prompts) for prompts in (PROMPTS, PROMPTS[::-1]))
    assert set(first.labels) == {0, 1}
    assert (first.labels == 1 - second.labels).all()
    assert np.abs(first.boxes - second.boxes).max() < 1e-4


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("prompts", "kind", "words"),
    [
        (("a nut", "a red " * 8), "owlv2", r"'a red .*' has 18 tokens. The model reads 16"),
        (("a nut", "?.."), "dino", r"'\?\.\.' has no words"),
        (("a nut", "a red " * 15), "dino", "The 2 descriptions have 36 tokens in all. The model reads 32"),
    ],
)
def test_descriptions_that_a_model_cannot_read_are_refused(
    owlv2: tuple[Path, Any], tmp_path: Path, prompts: tuple[str, ...], kind: str, words: str
) -> None:
    folder = owlv2[0]
    if kind == "dino":
        write_tiny_grounding_dino(folder := tmp_path)
    with pytest.raises(InputError, match=words):
        find(folder, picture(SIDE, SIDE), prompts)


def save(folder: Path, weights: Path, prompts: tuple[str, ...] = PROMPTS, revision: str | None = None) -> ModelConfig:
    """Save the folder of a zero-shot model."""
    revision = revision or get_weights(str(weights)).revision
    config = ModelConfig(
        task="boxes", labels=("screw", "nut"), colors=("#c8553d", "#2f7fc1"), backbone=weights.name, input_size=SIDE,
        mean=(0.5,) * 3, std=(0.5,) * 3, zero_shot=ZeroShot(str(weights), revision, prompts),
    )  # fmt: skip
    save_zero_shot(folder, config)
    return config


@pytest.mark.thorough
def test_folder_without_weights_is_a_model(owlv2: tuple[Path, Any], tmp_path: Path) -> None:
    save(tmp_path / "model", owlv2[0])
    picture(SIDE, 20).save(tmp_path / "a.png")
    model = cl.load_model(tmp_path / "model")
    with model.started("cpu"):
        assert repr(model.engine) == "torch"
        assert set(model.detect(tmp_path / "a.png", threshold=0.05).table["label"]) == {"screw", "nut"}
    with pytest.raises(CustomLabelsError, match="predicts from descriptions"):
        model.start("cpu", engine="onnx")
    with pytest.raises(ModelError, match="predicts from descriptions, so it cannot be exported"):
        model.export("onnx", tmp_path / "export")


@pytest.mark.thorough
def test_two_workers_propose_the_same_boxes(owlv2: tuple[Path, Any], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        picture(SIDE + number, 40).save(folder / f"{number}.png")
    frames = []
    for name, workers in (("one", None), ("two", 2)):
        with closing(cl.create_project(name, tmp_path, task="boxes")) as project:
            project.add_images(folder, progress=False)
            proposals = project.assist.propose(
                {"screw": PROMPTS[0], "nut": PROMPTS[1]}, model=str(owlv2[0]), threshold=0.01, workers=workers
            )
            assert (proposals.images, proposals.remaining) == (6, 0)
            frames.append(proposals.frame.sort_values([*proposals.frame.columns[:-1]], ignore_index=True))
    assert len(frames[0]) > 6
    pd.testing.assert_frame_equal(*frames, rtol=1e-4)


def test_identity_depends_on_descriptions_and_revision(tmp_path: Path) -> None:
    weights = write_fake_owlv2(tmp_path / "weights")
    configs = [
        save(tmp_path / "0", weights),
        save(tmp_path / "1", weights, ("a screw", "a nut")),
        save(tmp_path / "2", weights, revision="a" * 40),
    ]
    assert len({model_identity(tmp_path, config) for config in configs}) == 3
    assert [load_config(tmp_path / name) for name in "012"] == configs


def test_folders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    weights = write_fake_owlv2(tmp_path / "weights")
    save(tmp_path / "model", weights)
    (weights / "model.safetensors").write_bytes(b"others")
    with pytest.raises(ModelError, match=r"have changed: the model needs the revision"):
        cl.load_model(tmp_path / "model").start("cpu")
    with pytest.raises(InputError, match=r"zero_shot=.* does not fit"):
        save(tmp_path / "model", weights, ("a screw",))
    shutil.rmtree(weights)
    with pytest.raises(InputError, match=r"weights' is neither a folder"):
        cl.load_model(tmp_path / "model").start("cpu")
    (tmp_path / "model" / "config.json").write_text('{"format": "1.0", "zero_shot": {"prompts": [7]}}')
    with pytest.raises(ArtifactError):
        cl.load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("model", "kind"), [("owlv2", "Owlv2"), pytest.param("grounding_dino", "GroundingDino", marks=pytest.mark.thorough)]
)
def test_a_folder_that_a_processor_saved_is_loaded(
    request: pytest.FixtureRequest, tmp_path: Path, model: str, kind: str
) -> None:
    from customlabels_nb.models.pretrained.zero_shot import describe_input, load_zero_shot

    folder = request.getfixturevalue(model)[0]
    saved = str(saved_by_processor(f"{kind}Processor", folder, tmp_path / "saved"))
    assert describe_input(get_weights(saved)) == describe_input(get_weights(str(folder)))
    load_zero_shot(ZeroShot(saved, get_weights(saved).revision, PROMPTS))


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("config.json", '{"model_type": "sam2"}', "a model of the type 'sam2'. The type must be 'owlv2'"),
        ("config.json", '{"model_type": "owlv2"}', "The sizes in .* cannot be used"),
        ("preprocessor_config.json", '{"image_mean": [0.5], "image_std": [0.5]}', "cannot be used"),
        ("preprocessor_config.json", '{"image_mean": [0, 0, 0], "image_std": [0, 1, 1]}', "image_std"),
    ],
)
def test_damaged_descriptions_of_models_are_refused(tmp_path: Path, file: str, text: str, words: str) -> None:
    from customlabels_nb.models.pretrained.zero_shot import describe_input

    (write_fake_owlv2(tmp_path) / file).write_text(text)
    with pytest.raises(ModelError, match=words):
        describe_input(get_weights(str(tmp_path)))
