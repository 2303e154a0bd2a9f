"""Tests of outlines by SAM 2: the real classes with tiny random weights, from folders and the Hub's cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
from PIL import Image

from customlabels_nb.errors import InputError, ModelError, WeightsUnavailableError
from customlabels_nb.images.outlining import Click
from customlabels_nb.models.pretrained import weights
from customlabels_nb.models.pretrained.sam2 import Sam2Segmenter, load_sam2
from customlabels_nb.models.pretrained.weights import fetch_weights, find_weights, get_weights
from customlabels_nb.user_settings import settings
from tests.models.fake_hub import COMMIT, FakeHub, serve_hub, use_hub
from tests.models.saved_folders import saved_by_processor
from tests.models.tiny_sam2 import SIDE, tiny_config, write_tiny_sam2

SIZE = (160, 90)
REPOSITORY = "models--facebook--sam2.1-hiera-tiny"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder of a tiny model, and the model."""
    folder = tmp_path_factory.mktemp("models") / "tiny-sam2"
    return folder, write_tiny_sam2(folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an empty Hub's cache. There is no network."""
    monkeypatch.setattr(settings, "network", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def cached(hub: Path, folder: Path, revision: str = "a" * 40) -> Path:
    """Copy a model to the Hub's cache like a download of ``sam2``."""
    (hub / REPOSITORY / "refs").mkdir(parents=True)
    (hub / REPOSITORY / "refs" / "main").write_text(revision)
    return Path(shutil.copytree(folder, hub / REPOSITORY / "snapshots" / revision))


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8))


def test_masks_are_those_of_the_model_and_its_processor(tiny: tuple[Path, Any]) -> None:
    import torch
    from transformers import Sam2ImageProcessor, Sam2Processor

    folder, model = tiny
    processor = Sam2Processor(Sam2ImageProcessor.from_pretrained(folder))
    segmenter = Sam2Segmenter(get_weights(str(folder)), "cpu")
    encoded = segmenter.encode(picture())
    prompts = {
        "input_points": [[[[30, 40], [100, 20]]]],
        "input_labels": [[[1, 0]]],
        "input_boxes": [[[10, 5, 70, 80]]],
    }
    inputs = processor(images=picture(), return_tensors="pt", **prompts)
    with torch.inference_mode():
        expected = model(
            **{name: inputs[name] for name in ("pixel_values", *prompts)}, multimask_output=False
        ).pred_masks[0, 0, 0]
    clicks = [Click(30, 40, True), Click(100, 20, False)]
    logits, score = segmenter.mask(encoded, SIZE, box=(10, 5, 60, 75), clicks=clicks)
    assert np.abs(logits - expected.numpy()).max() < 0.01 < float(expected.std()) / 20
    assert 0 <= score <= 1
    # the first click takes the best of three masks, and the next one refines it
    with torch.inference_mode():
        first = processor(images=picture(), input_points=[[[[30, 40]]]], input_labels=[[[1]]], return_tensors="pt")
        three = model(**{name: first[name] for name in ("pixel_values", "input_points", "input_labels")})
    logits, score = segmenter.mask(encoded, SIZE, clicks=clicks[:1])
    assert score == pytest.approx(float(three.iou_scores.max()), abs=1e-3)
    refined, _ = segmenter.mask(encoded, SIZE, clicks=clicks, previous=logits)
    alone, _ = segmenter.mask(encoded, SIZE, clicks=clicks)
    assert np.abs(refined - alone).max() > 0.02


def test_click_coordinates_reach_the_prompt_encoder_scaled(
    tiny: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.sam2.modeling_sam2 import Sam2PromptEncoder

    segmenter = Sam2Segmenter(get_weights(str(tiny[0])), "cpu")
    given: dict[str, Any] = {}
    forward = Sam2PromptEncoder.forward
    monkeypatch.setattr(
        Sam2PromptEncoder, "forward", lambda self, **prompts: given.update(prompts) or forward(self, **prompts)
    )
    segmenter.mask(segmenter.encode(picture()), SIZE, box=(0, 0, 80, 45), clicks=[Click(160, 45, False)])
    assert given["input_points"].tolist() == [[[[SIDE, SIDE / 2]]]]
    assert given["input_labels"].tolist() == [[[0]]]
    assert given["input_boxes"].tolist() == [[[0, 0, SIDE / 2, SIDE / 2]]]


def test_a_checkpoint_with_the_layers_for_videos_is_loaded(tmp_path: Path, tiny: tuple[Path, Any]) -> None:
    from transformers import Sam2VideoConfig, Sam2VideoModel

    memory = {
        "memory_attention_hidden_size": 32,
        "memory_encoder_hidden_size": 32,
        "memory_encoder_output_channels": 16,
    }
    config = tiny_config(Sam2VideoConfig, memory_attention_rope_feat_sizes=[8, 8], **memory)
    Sam2VideoModel(config).save_pretrained(tmp_path / "video")
    shutil.copy(tiny[0] / "preprocessor_config.json", tmp_path / "video")
    assert load_sam2(str(tmp_path / "video")).name == "video"


def test_a_folder_that_a_processor_saved_is_loaded(tmp_path: Path, tiny: tuple[Path, Any]) -> None:
    clicks = [Click(30, 40, True)]
    masks = []
    for folder in (tiny[0], saved_by_processor("Sam2Processor", tiny[0], tmp_path / "model")):
        segmenter = Sam2Segmenter(get_weights(str(folder)), "cpu")
        masks.append(segmenter.mask(segmenter.encode(picture()), SIZE, clicks=clicks)[0])
    assert np.array_equal(*masks)


def test_an_image_of_one_pixel_has_a_mask(tiny: tuple[Path, Any]) -> None:
    segmenter = Sam2Segmenter(get_weights(str(tiny[0])), "cpu")
    logits, _ = segmenter.mask(segmenter.encode(Image.new("RGB", (1, 1))), (1, 1), clicks=[Click(0.5, 0.5, True)])
    assert np.isfinite(logits).all()


def test_weights_of_the_hub_are_found_with_their_revision(hub: Path, tiny: tuple[Path, Any]) -> None:
    assert find_weights("sam2") is None
    cached(hub, tiny[0])
    found = get_weights("sam2")
    assert (found.name, found.revision, found.licence) == ("sam2.1-hiera-tiny", "a" * 40, "Apache-2.0")
    assert get_weights(f"hf://facebook/sam2.1-hiera-tiny@{'a' * 40}").folder == found.folder
    assert fetch_weights("sam2")["revision"].tolist() == ["a" * 40]
    with pytest.raises(InputError, match="Name the models to download: sam2, "):
        fetch_weights()
    assert find_weights("hf://facebook/sam2.1-hiera-tiny@other") is None


@pytest.mark.parametrize("name", ["sam2", "hf://someone/else"])
def test_missing_weights_are_a_sentence(hub: Path, name: str) -> None:
    with pytest.raises(WeightsUnavailableError, match=rf"'{name}'.*network is False.*customlabels-nb fetch {name}"):
        get_weights(name)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_damaged_files_of_the_hub_are_downloaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: tuple[Path, Any], name: str
) -> None:
    files = {path.name: path.read_bytes() for path in tiny[0].iterdir()}
    monkeypatch.setattr(settings, "network", True)
    with serve_hub(FakeHub("facebook/sam2.1-hiera-tiny", files)) as hub:
        use_hub(monkeypatch, hub.url, tmp_path)
        file = get_weights("sam2").folder / name
        file.resolve().write_bytes(bytes(len(files[name])))
        monkeypatch.setattr(settings, "network", False)
        with pytest.raises(
            WeightsUnavailableError, match=rf"{name}' is damaged, and settings.network is False.* fetch"
        ):
            get_weights("sam2")
        monkeypatch.setattr(settings, "network", True)
        hub.downloaded.clear()
        with pytest.raises(WeightsUnavailableError, match="is damaged"):
            get_weights("sam2", download=False)
        hub.damages = name
        with pytest.raises(WeightsUnavailableError, match=rf"{name}' is damaged, and so was its download"):
            get_weights("sam2")
        hub.damages = None
        get_weights("sam2")
        assert set(hub.downloaded) == {name}
        assert file.read_bytes() == files[name]
        get_weights("sam2", download=False)


def test_an_interrupted_download_counts_as_missing(hub: Path, tiny: tuple[Path, Any]) -> None:
    (cached(hub, tiny[0]) / "model.safetensors").unlink()
    assert find_weights("sam2") is None


def test_a_full_disk_is_a_sentence(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, local_files_only: bool = False, **_more: Any) -> str:
        raise FileNotFoundError if local_files_only else OSError(28, "No space left on device")

    monkeypatch.setattr(settings, "network", True)
    monkeypatch.setattr(weights, "_why_unreachable", lambda: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    with pytest.raises(WeightsUnavailableError, match="No space left on device"):
        get_weights("sam2")


@pytest.mark.parametrize("name", ["sam3", "hf://user", "hf://a/b/c", "no/such/folder"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"'{name}'"):
        find_weights(name)


def damaged(folder: Path, tiny: Path, kind: str) -> Path:
    """Copy a model and damage it."""
    shutil.copytree(tiny, folder)
    config, weights = folder / "config.json", folder / "model.safetensors"
    if kind == "half":
        weights.write_bytes(weights.read_bytes()[:100_000])
    elif kind == "weights":
        weights.unlink()
    elif kind == "json":
        config.write_text("{")
    elif kind == "processor":
        (folder / "preprocessor_config.json").unlink()
    else:
        facts = json.loads(config.read_text())
        more = {"auto_map": {"AutoModel": "code.Model"}} if kind == "code" else {}
        config.write_text(json.dumps({**facts, "model_type": "bert", **more}))
    return folder


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("half", "cannot be used"),
        ("weights", "lacks model.safetensors"),
        ("json", "cannot be read"),
        ("processor", "preprocessor_config.json' cannot be read"),
        ("architecture", "type 'bert'. The type must be 'sam2' or"),
        ("code", "type 'bert' and code, which is never run"),
    ],
)
def test_unsuitable_folders_are_refused(tmp_path: Path, tiny: tuple[Path, Any], kind: str, words: str) -> None:
    folder = damaged(tmp_path / "model", tiny[0], kind)
    with pytest.raises((InputError, ModelError), match=words):
        load_sam2(str(folder))


def fetch(hub_url: str, home: Path, name: str = "sam2", **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``customlabels-nb fetch`` with a Hub at this address."""
    environment = {**os.environ, "HF_ENDPOINT": hub_url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **more}
    command = [sys.executable, "-m", "customlabels_nb.cli", "fetch", name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_model_is_downloaded_without_its_code_and_an_interrupted_download_is_repeated(
    tmp_path: Path, tiny: tuple[Path, Any]
) -> None:
    files = {path.name: path.read_bytes() for path in tiny[0].iterdir()}
    hub = FakeHub("facebook/sam2.1-hiera-tiny", {**files, "model.py": b"code", "sam2.pt": b"pickle"})
    with serve_hub(hub):
        hub.breaks_after = 400_000
        failed = fetch(hub.url, tmp_path)
        assert failed.returncode == 2
        assert "Downloading facebook/sam2.1-hiera-tiny, 156 MB, Apache-2.0" in failed.stdout
        assert "cannot be downloaded" in failed.stderr
        assert "Traceback" not in failed.stderr
        hub.breaks_after = None
        hub.downloaded.clear()
        done = fetch(hub.url, tmp_path)
        assert done.returncode == 0, done.stderr
        assert COMMIT in done.stdout
        offline = fetch(hub.url, tmp_path, CUSTOMLABELS_NB_OFFLINE="1")
        assert done.stdout.endswith(offline.stdout)
        unknown = fetch(hub.url, tmp_path, "hf://nobody/nothing")
        assert "the repository does not exist" in unknown.stderr
    assert hub.downloaded == ["model.safetensors"]
    folder = next((tmp_path / "hub").glob("*/snapshots/*"))
    assert {path.name for path in folder.iterdir()} == set(files)
