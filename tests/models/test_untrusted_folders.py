"""Property tests of folders with weights that nobody vouches for: they are loaded, or refused by an error of ours."""

from __future__ import annotations

import copy
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.errors import ArtifactError, CustomLabelsError, ModelError
from customlabels_nb.models.artifact import ModelConfig, load_artifact, save_artifact
from customlabels_nb.models.detector_shape import DetectorShape, ZeroShot
from customlabels_nb.models.pretrained.weights import get_weights
from customlabels_nb.models.weights_file import build_empty, read_shapes
from tests.models.tiny_detectors import SIDES, write_tiny_detector
from tests.models.tiny_sam2 import write_tiny_sam2
from tests.models.tiny_siglip import write_tiny_siglip
from tests.models.tiny_zero_shot import write_tiny_grounding_dino, write_tiny_owlv2
from tests.tiers import many

#: Processor time for a folder, whose intact network takes less than a second.
MOST_SECONDS = 10

#: Files that a folder may have in addition to the configuration and the weights.
JSON_FILES = ("preprocessor_config.json", "tokenizer_config.json", "tokenizer.json")

Loader = Callable[[Path], object]


def load_sam2(folder: Path) -> object:
    from customlabels_nb.models.pretrained.sam2 import Sam2Segmenter

    return Sam2Segmenter(get_weights(str(folder)), "cpu")


def load_siglip(folder: Path) -> object:
    from customlabels_nb.models.pretrained import siglip

    siglip._describe.cache_clear()
    siglip._text_tower.cache_clear()
    siglip.describe_image_tower(str(folder))
    return siglip.load_image_tower(str(folder)), siglip._text_tower(get_weights(str(folder)))


def load_zero_shot(folder: Path) -> object:
    from customlabels_nb.models.pretrained import zero_shot

    weights = get_weights(str(folder))
    zero_shot.describe_input(weights)
    return zero_shot.load_zero_shot(ZeroShot(str(folder), weights.revision, ("a red screw", "a nut")))


def load_detector(folder: Path) -> object:
    from customlabels_nb.models.transformers_detector import pretrained_shape, pretrained_transformers_detector

    shape = pretrained_shape(str(folder)).for_size(128)
    return pretrained_transformers_detector(str(folder), shape, 2, random_state=0)


def write_version(family: str) -> Callable[[Path], object]:
    """Return a function that writes the folder of a version whose detector is of this family."""

    def write(folder: Path) -> None:
        from customlabels_nb.models.detector_building import build_detector
        from customlabels_nb.models.transformers_detector import pretrained_shape

        shape: Any = DetectorShape(channels=8, hidden=16)
        if family != "own":
            shape = pretrained_shape(str(write_tiny_detector(family, folder / "pretrained"))).for_size(SIDES[family])
        backbone = "timm/test_resnet.r160_in1k" if family == "own" else shape.architecture
        config = ModelConfig(
            "boxes", ("a",), ("#112233",), backbone, 128, (0.0,) * 3, (1.0,) * 3, detector=shape
        )  # fmt: skip
        save_artifact(folder, build_detector(shape, 1, backbone), config)
        shutil.rmtree(folder / "pretrained", ignore_errors=True)
        content = json.loads((folder / "config.json").read_text())
        del content["sha256"]  # whoever changes the weights changes it, too
        (folder / "config.json").write_text(json.dumps(content))

    return write


KINDS: dict[str, tuple[Callable[[Path], object], Loader]] = {
    "sam2": (write_tiny_sam2, load_sam2),
    "siglip": (write_tiny_siglip, load_siglip),
    "owlv2": (write_tiny_owlv2, load_zero_shot),
    "grounding-dino": (write_tiny_grounding_dino, load_zero_shot),
    "d_fine": (lambda folder: write_tiny_detector("d_fine", folder), load_detector),
    "rf_detr": (lambda folder: write_tiny_detector("rf_detr", folder), load_detector),
    "version of d_fine": (write_version("d_fine"), load_artifact),
    "version of rf_detr": (write_version("rf_detr"), load_artifact),
    "version": (write_version("own"), load_artifact),
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that writes an intact folder of each kind once."""
    folders: dict[str, Path] = {}

    def folder_of(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp("intact") / kind
            KINDS[kind][0](folders[kind])
        return folders[kind]

    return folder_of


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


VALUES = st.sampled_from(
    [
        None, True, False, 0, 1, -1, 3, 7, 255, 2**15, 2**31, 10**9, 2**63, 10**400, 0.5, -1.5, 1e300, math.inf,
        math.nan,
        "", "relu", "x" * 10_000, "../../etc", [], [1], [3, 0, -1], [2**15] * 4, [10**9] * 4, [1] * 5_000, nested(300),
        {}, {"model_type": "bert"}, {"model_type": "timm_backbone", "backbone": "resnet50"}, {"a": {"b": 1}},
    ]
)  # fmt: skip
ADDED = st.sampled_from(
    [
        ("_attn_implementation", "flash_attention_2"), ("attn_implementation", "someone/kernel"),
        ("quantization_config", {"quant_method": "bitsandbytes"}), ("auto_map", {"AutoModel": "evil.Model"}),
        ("dtype", "float64"), ("dtype", "int8"), ("torch_dtype", "__builtins__"), ("use_timm_backbone", True),
        ("backbone", "resnet50"), ("use_pretrained_backbone", True), ("id2label", {"x": "y"}), ("num_labels", 10**9),
        ("pruned_heads", {"0": [0]}), ("per_layer_config", {"0": {"hidden_size": 1}}), ("chunk_size_feed_forward", 3),
        ("model_type", "bert"), ("architectures", ["Evil"]), ("tie_word_embeddings", "x"), ("problem_type", "x"),
    ]
)  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in a JSON value with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places(value[key])


def change(data: st.DataObject, content: dict[str, Any]) -> None:
    """Replace, remove or add a value anywhere."""
    action = data.draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"]))
    owner, key = data.draw(st.sampled_from(list(places(content))))
    if action == "replace":
        owner[key] = copy.deepcopy(data.draw(VALUES))
    elif action == "remove":
        del owner[key]
    else:
        added, value = data.draw(ADDED)
        (owner if isinstance(owner, dict) else content)[added] = copy.deepcopy(value)


def change_header(data: st.DataObject, path: Path) -> None:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(data, header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(
    max_examples=many(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_changed_folders_are_loaded_or_refused(
    intact: Callable[[str], Path], tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    folder = tmp_path / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(intact(kind), folder)
    name = data.draw(st.sampled_from(["config.json"] * 4 + ["header", *JSON_FILES]))
    if name == "header":
        change_header(data, folder / "model.safetensors")
    elif (folder / name).is_file():
        content = json.loads((folder / name).read_text())
        for _ in range(data.draw(st.integers(1, 3))):
            change(data, content)
        (folder / name).write_text(json.dumps(content))
    started = time.process_time()
    with suppress(CustomLabelsError):
        KINDS[kind][1](folder)
    assert time.process_time() - started < MOST_SECONDS


def test_a_tokenizer_without_its_special_tokens_is_refused(intact: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(intact("owlv2"), tmp_path / "folder")
    content = json.loads((folder / "tokenizer.json").read_text())
    content["post_processor"]["special_tokens"] = {}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="cannot be used"):  # tokenizers panics
        KINDS["owlv2"][1](folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_attn_implementation", "flash_attention_2"),
        ("quantization_config", {"quant_method": "bitsandbytes"}),
        ("auto_map", {"AutoModel": "evil.Model"}),
        ("dtype", "int8"),
    ],
)
def test_keys_that_change_how_weights_are_loaded_are_refused_by_name(
    intact: Callable[[str], Path], tmp_path: Path, key: str, value: object
) -> None:
    folder = shutil.copytree(intact("rf_detr"), tmp_path / "folder")
    content = json.loads((folder / "config.json").read_text())
    for owner in (content, content["backbone_config"]):
        (folder / "config.json").write_text(json.dumps(content | {key: value} if owner is content else content))
        with pytest.raises(ModelError, match=rf"weights in '.*folder' cannot be used: {key}=.* is not supported"):
            load_detector(folder)
        content["backbone_config"][key] = value


def test_networks_larger_than_their_file_are_refused_early(intact: Callable[[str], Path], tmp_path: Path) -> None:
    import torch

    shapes = read_shapes(intact("rf_detr") / "model.safetensors")
    built = 0

    def build() -> torch.nn.Module:
        nonlocal built
        whole = torch.nn.ModuleList()
        while built < 10**6:
            whole.append(torch.nn.Linear(2, 2))
            built += 1
        return whole

    with pytest.raises(ValueError, match="far larger than the file"):
        build_empty(build, shapes)
    assert built < 10_000
    with pytest.raises(ValueError, match="far larger than the file"):
        build_empty(lambda: torch.nn.Linear(2**15, 2**15), shapes)
    folder = shutil.copytree(intact("version of d_fine"), tmp_path / "folder")
    content = json.loads((folder / "config.json").read_text())
    content["detector"]["config"]["decoder_layers"] = 2**15
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="far larger than the file"):
        load_artifact(folder)
