import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from customlabels_nb.errors import ArtifactError, InputError
from customlabels_nb.models.artifact import (
    CONFIG,
    WEIGHTS,
    ModelConfig,
    load_artifact,
    load_config,
    model_identity,
    save_artifact,
    update_config,
)
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import BACKBONES, load_backbone
from customlabels_nb.models.classifier import ImageClassifier
from tests.facts import facts

FACTS = BACKBONES[PACKAGED]
CONFIGURED = ModelConfig(
    task="single-label",
    labels=("äpfel", "<b>", "\u202eevil"),
    colors=("#112233", "#445566", "#778899"),
    backbone=PACKAGED,
    input_size=224,
    mean=FACTS.mean,
    std=FACTS.std,
    thresholds={"äpfel": 0.25},
    training={"random_state": 0, "nested": {"list": [1, 2.5, None]}},
)


@pytest.fixture(scope="module")
def network() -> ImageClassifier:
    torch.manual_seed(0)
    return ImageClassifier(load_backbone(), FACTS.features, 3)


@pytest.fixture
def folder(tmp_path: Path, network: ImageClassifier) -> Path:
    save_artifact(tmp_path / "model", network, CONFIGURED)
    return tmp_path / "model"


def test_saved_model_loads_equal(folder: Path, network: ImageClassifier) -> None:
    loaded, config = load_artifact(folder)
    assert config == CONFIGURED
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    images = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(loaded(images), network.eval()(images))
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_thresholds_can_be_written_later(folder: Path) -> None:
    update_config(folder, replace(CONFIGURED, thresholds={"<b>": 0.75}))
    assert load_config(folder).threshold_of("<b>") == 0.75
    assert load_config(folder).threshold_of("äpfel") == 0.5
    with pytest.raises(InputError, match="labels"):
        update_config(folder, replace(CONFIGURED, labels=("other", "<b>", "c"), thresholds={}))
    assert load_config(folder).labels == CONFIGURED.labels


def test_a_missing_folder_or_file_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere' contains no model"):
        load_artifact(tmp_path / "nowhere")
    (folder / WEIGHTS).unlink()
    with pytest.raises(ArtifactError, match=rf"{WEIGHTS}.* is missing"):
        load_artifact(folder)
    (folder / CONFIG).unlink()
    with pytest.raises(ArtifactError, match=CONFIG):
        load_artifact(folder)


@pytest.mark.parametrize("kept", [0, 5, 1000, -1])
def test_truncated_weights_are_refused(folder: Path, kept: int) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtifactError, match=f"{WEIGHTS}.* damaged"):
        load_artifact(folder)


def test_a_pickle_is_never_read_as_weights(folder: Path) -> None:
    torch.save({"head.weight": torch.zeros(3, 1280)}, folder / WEIGHTS)
    with pytest.raises(ArtifactError, match=f"{WEIGHTS}.* damaged"):
        load_artifact(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({"layer.weight": torch.zeros(2)}, folder / WEIGHTS)
    with pytest.raises(ArtifactError, match=r"lack backbone.* and \d+ more"):
        load_artifact(folder)


def test_non_finite_weights_are_refused(folder: Path, network: ImageClassifier) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    weights["head.bias"][1] = float("nan")
    save_file(weights, folder / WEIGHTS)
    change(folder, sha256="absent")
    with pytest.raises(ArtifactError, match=r"NaN or infinite weights in 'head\.bias'"):
        load_artifact(folder)
    broken = ImageClassifier(network.backbone, FACTS.features, 3)
    with torch.no_grad():
        broken.head.weight[0, 0] = float("inf")
    with pytest.raises(ArtifactError, match="NaN or infinite"):
        save_artifact(folder.parent / "other", broken, CONFIGURED)
    assert not (folder.parent / "other").exists()


@pytest.mark.parametrize("damage", ["zeros", "other weights"])
def test_damaged_or_exchanged_weights_are_refused(folder: Path, network: ImageClassifier, damage: str) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    if damage == "zeros":
        content[-4096:] = bytes(4096)
    else:
        other = ImageClassifier(network.backbone, FACTS.features, 3)
        save_artifact(folder.parent / "other", other, CONFIGURED)
        content = bytearray((folder.parent / "other" / WEIGHTS).read_bytes())
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{WEIGHTS}' is damaged, or belongs to another version"):
        load_artifact(folder)
    change(folder, sha256="absent")  # as in older folders
    load_artifact(folder)


def test_the_recorded_hash_stays_and_is_no_part_of_the_identity(folder: Path) -> None:
    recorded = load_config(folder).sha256
    assert recorded == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    update_config(folder, replace(CONFIGURED, thresholds={"<b>": 0.75}))
    assert load_config(folder).sha256 == recorded
    identity = model_identity(folder, load_config(folder))
    change(folder, sha256="absent")
    assert model_identity(folder, load_config(folder)) == identity


def change(folder: Path, **values: Any) -> None:
    content = json.loads((folder / CONFIG).read_text()) | values
    (folder / CONFIG).write_text(json.dumps({key: value for key, value in content.items() if value != "absent"}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "1.1"}, r"format '1\.1', but this release reads '1\.0'"),
        ({"format": True}, "format True"),
        ({"format": "absent"}, "no format"),
        ({"format_version": 4}, r"before customlabels_nb 1\.0"),
        ({"extra": 1, "more": 2}, "unknown keys: 'extra', 'more'"),
        ({"labels": "absent"}, "missing keys: 'labels'"),
        ({"labels": ["a", "b"], "colors": ["#000000", "#ffffff"], "thresholds": {}}, r"wrong shapes: head"),
        ({"labels": ["a", "a", "b"]}, "labels"),
        ({"labels": "abc"}, "labels"),
        ({"colors": ["red;background:url(x)", "#445566", "#778899"]}, "colors"),
        ({"colors": ["#112233"]}, "colors"),
        ({"task": "detection"}, "task"),
        ({"backbone": "../../evil"}, "backbone"),
        ({"input_size": -1}, "input_size"),
        ({"std": [1, 0, 1]}, "std"),
        ({"mean": [0, 0]}, "mean"),
        ({"thresholds": {"äpfel": 80}}, "thresholds"),
        ({"thresholds": {"pear": 0.5}}, "pear"),
        ({"training": []}, "training"),
        ({"sha256": "abc"}, "sha256='abc' must be 64"),
    ],
)
def test_invalid_config_is_refused(folder: Path, values: dict[str, Any], message: str) -> None:
    change(folder, **values)
    with pytest.raises(ArtifactError, match=message):
        load_artifact(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_config_that_is_no_json_object(folder: Path, content: bytes) -> None:
    (folder / CONFIG).write_bytes(content)
    with pytest.raises(ArtifactError, match=CONFIG):
        load_config(folder)


def test_head_and_labels_must_agree(tmp_path: Path, network: ImageClassifier) -> None:
    config = replace(CONFIGURED, labels=("a", "b"), colors=("#000000", "#ffffff"), thresholds={})
    with pytest.raises(InputError, match=facts(3, 2)):
        save_artifact(tmp_path, network, config)
    assert not any(tmp_path.iterdir())


def test_facts_that_json_cannot_hold_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="JSON"):
        update_config(folder, replace(CONFIGURED, training={"loss": float("nan")}))
    assert load_config(folder) == CONFIGURED
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
