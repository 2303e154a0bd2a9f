import time
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

import customlabels_nb as cl
from customlabels_nb.errors import InputError, ModelError, WeightsUnavailableError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import open_image
from customlabels_nb.models import backbones
from customlabels_nb.models.backbone import PACKAGED, load_exactly
from customlabels_nb.models.backbones import (
    BACKBONES,
    DETECTORS,
    SIZE_OF,
    SizedBackbone,
    backbone_named,
    build_backbone,
    choose_backbone,
    fetch_backbone,
    imagenet_weights,
    is_backbone_name,
    load_backbone,
    rename_keys,
)
from customlabels_nb.models.detector_building import build_detector, coco_weights
from customlabels_nb.models.detector_shape import DetectorShape
from customlabels_nb.models.embeddings import embed
from customlabels_nb.models.feature_file import SUFFIX, FeatureCache
from customlabels_nb.models.pretrained.weights import get_weights
from customlabels_nb.models.torchvision_backbones import cache_file, described, torchvision_names
from customlabels_nb.models.transforms import to_batch, to_pixels
from customlabels_nb.user_settings import settings
from tests.models.fake_hub import use_hub
from tests.models.pictures import gradient, save_blots

FACTS = BACKBONES[PACKAGED]


def features_of(network: torch.nn.Module, *pixels: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return network(to_batch(list(pixels), FACTS.mean, FACTS.std))


def test_every_packaged_key_has_a_place_in_the_whole_network() -> None:
    network = timm.create_model(FACTS.architecture, pretrained=False)
    expected = {key: value.shape for key, value in network.state_dict().items()}
    assert {key: value.shape for key, value in imagenet_weights().items()} == expected


def test_features_are_those_of_the_pretrained_network() -> None:
    features = features_of(load_backbone(), to_pixels(gradient(), FACTS.input_size))
    assert features.shape == (1, FACTS.features)
    assert features.dtype == torch.float32
    strongest = {113: 5.8212, 897: 5.3468, 930: 4.4754, 755: 3.2566, 747: 2.9342, 689: 2.9162}
    assert features[0].topk(6).indices.tolist() == list(strongest)
    assert features[0].topk(6).values.tolist() == pytest.approx(list(strongest.values()), abs=5e-3)
    assert float(features.norm()) == pytest.approx(15.6807, rel=1e-3)


def test_imagenet_classes_are_recognised(fruit_photos: Path) -> None:
    network = timm.create_model(FACTS.architecture, pretrained=False).eval()
    network.load_state_dict(imagenet_weights())
    chosen = [sorted((fruit_photos / name).iterdir())[10] for name in ("apple", "banana", "orange")]
    pixels = [to_pixels(open_image(path), FACTS.input_size) for path in chosen]
    granny_smith, banana, orange = 948, 954, 950
    assert features_of(network, *pixels).argmax(dim=1).tolist() == [granny_smith, banana, orange]


def test_a_loaded_backbone_is_frozen() -> None:
    network = load_backbone()
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match=r"backbone 'resnet1'.*efficientnet_lite0"):
        load_backbone("resnet1")


def test_keys_of_another_network_are_refused() -> None:
    with pytest.raises(ModelError, match=r"'layer1\.0\.conv1\.weight'"):
        rename_keys({"layer1.0.conv1.weight": torch.zeros(1)})


def test_weights_that_do_not_fit_exactly_are_refused() -> None:
    network = build_backbone()
    whole = network.state_dict()
    without = {key: value for key, value in whole.items() if key != "conv_stem.weight"}
    with pytest.raises(ModelError, match=r"It lack conv_stem\.weight"):
        load_exactly(network, without, "It", ModelError, "")
    with pytest.raises(ModelError, match="unknown extra"):
        load_exactly(network, {**whole, "extra": torch.zeros(1)}, "It", ModelError, "")
    with pytest.raises(ModelError, match=r"conv_stem\.weight \(1,\) instead of \(32, 3, 3, 3\)"):
        load_exactly(network, {**whole, "conv_stem.weight": torch.zeros(1)}, "It", ModelError, "")


TINY = "timm/test_resnet.r160_in1k"


@pytest.fixture(autouse=True)
def _no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own caches and no network."""
    settings.network = False
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))


def keep_timm_weights(name: str, cache: Path, random_state: int = 0) -> torch.nn.Module:
    """Return a network with random weights, after writing them in the layout of the Hub's cache."""
    torch.manual_seed(random_state)
    network = timm.create_model(name, pretrained=False).eval()
    folder = cache / "hub" / f"models--timm--{name}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    save_file(network.state_dict(), folder / "snapshots" / "abc" / "model.safetensors")
    return network


def keep_torchvision_weights(name: str) -> torch.nn.Module:
    """Return a torchvision network after writing its weights to the cache."""
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.get_model(name).eval()
    path = cache_file(described(name)[1])
    path.parent.mkdir(parents=True)
    torch.save(network.state_dict(), path)
    return network


def test_a_backbone_of_timm_gives_its_own_features(tmp_path: Path) -> None:
    whole = keep_timm_weights("test_resnet.r160_in1k", tmp_path)
    facts = fetch_backbone("timm/test_resnet")
    assert (facts.name, facts.source, facts.input_size, facts.features) == (TINY, "timm", 160, 96)
    assert facts.mean == (0.5, 0.5, 0.5)
    images = torch.rand(2, 3, 160, 160)
    network = load_backbone(TINY)
    with torch.inference_mode():
        features = network(images)
        assert features.shape == (2, 96)
        assert torch.allclose(features, whole.forward_head(whole.forward_features(images), pre_logits=True), atol=1e-5)
    assert not network.training
    assert sum(value.numel() for value in network.parameters()) == facts.parameters
    again = build_backbone(TINY)  # like a trained model's folder: weights without the classifier
    load_exactly(again, network.state_dict(), "It", ModelError, "")


def test_a_backbone_of_torchvision_gives_its_own_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customlabels_nb.models.torchvision_backbones.is_intact", Path.is_file)  # weights are random
    whole = keep_torchvision_weights("mnasnet0_5")
    facts = fetch_backbone("torchvision/mnasnet0_5")
    assert facts.name == "torchvision/mnasnet0_5.IMAGENET1K_V1"
    assert (facts.features, facts.input_size, facts.licence) == (1280, 224, "BSD-3-Clause")
    images = torch.rand(1, 3, 64, 64)
    network = load_backbone("torchvision/mnasnet0_5")
    with torch.inference_mode():
        assert torch.allclose(network(images), whole.layers(images).mean([2, 3]), atol=1e-5)
    # it needs its layout's version, which weights from a safetensors file lack
    load_exactly(build_backbone(facts.name), dict(network.state_dict()), "It", ModelError, "")


@pytest.mark.parametrize(
    "name",
    ["alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v3_small", "resnet18",
     "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "vit_b_32", "inception_v3", "vgg11"],
)  # fmt: skip
def test_every_family_of_torchvision_gives_one_vector_of_features(name: str) -> None:
    facts = backbone_named(f"torchvision/{name}")
    with torch.device("meta"):
        network = build_backbone(facts.name).eval()
        features = network(torch.empty(2, 3, facts.input_size, facts.input_size))
    assert features.shape == (2, facts.features)


def test_old_names_of_densenet_and_branches_for_training_are_left_behind() -> None:
    from customlabels_nb.models.torchvision_backbones import _current_names

    old = {"features.denseblock1.denselayer1.norm.1.weight": torch.zeros(1), "aux1.fc1.weight": torch.zeros(1)}
    assert list(_current_names(old)) == ["features.denseblock1.denselayer1.norm1.weight"]


@pytest.mark.parametrize("name", [TINY, "torchvision/resnet18"])
def test_error_for_unavailable_weights_suggests_an_alternative(name: str) -> None:
    for attempt in (fetch_backbone, load_backbone):
        with pytest.raises(WeightsUnavailableError, match=rf"{name}.*settings.network is False.*{PACKAGED!r}"):
            attempt(name)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    keep_timm_weights("test_resnet.r160_in1k", tmp_path)
    file = next((tmp_path / "hub").rglob("model.safetensors"))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"test_resnet.*Delete the file"):
        load_backbone(TINY)
    keep_torchvision_weights("squeezenet1_1")
    path = cache_file(described("squeezenet1_1")[1])
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsUnavailableError, match=r"squeezenet1_1-b8a52dc0.pth' is damaged, and settings.network"):
        load_backbone("torchvision/squeezenet1_1")
    with pytest.raises(WeightsUnavailableError, match=r"settings.network is False"):
        coco_weights("fasterrcnn_resnet50_fpn")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    keep_timm_weights("test_resnet.r160_in1k", tmp_path)
    other = {"conv1.weight": torch.zeros(1, 3, 3, 3)}
    save_file(other, next((tmp_path / "hub").rglob("model.safetensors")))
    with pytest.raises(ModelError, match="test_resnet"):
        load_backbone(TINY)


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customlabels_nb.models.torchvision_backbones.is_intact", Path.is_file)

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "it_ran",)

    path = cache_file(described("resnet18")[1])
    path.parent.mkdir(parents=True)
    torch.save({"fc.weight": Evil()}, path)
    with pytest.raises(ModelError, match="resnet18"):
        load_backbone("torchvision/resnet18")
    assert not (tmp_path / "it_ran").exists()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("timm/resnet188", "timm/resnet18"),
        ("timm/resnet18.nope", r"timm/resnet18\.a"),
        ("torchvision/resnet1", "torchvision/resnet1"),
        ("torchvision/resnet18.V9", "torchvision/resnet18.IMAGENET1K_V1"),
        ("resnet18", PACKAGED),
        ("timm/../../evil", PACKAGED),
        ("timm/", PACKAGED),
    ],
)
def test_unknown_names_are_refused_with_those_that_are_near(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint) as caught:
        backbone_named(name)
    assert PACKAGED in str(caught.value)


def test_backbone_names_are_checked_without_timm() -> None:
    assert is_backbone_name(PACKAGED)
    assert is_backbone_name("timm/whatever.tag")
    for name in ("", "timm/", "timm/a/b", "other/resnet18", "timm/-x", "timm/x\n", None, 3):
        assert not is_backbone_name(name)


def test_networks_that_give_no_single_vector_are_refused() -> None:
    with pytest.raises(InputError, match=r"not a classification network|Upgrade timm"):
        backbone_named("timm/gemma4_vit_570m_enc.gemma4_31b_it")


def test_backbones_returns_a_table(tmp_path: Path) -> None:
    keep_timm_weights("test_resnet.r160_in1k", tmp_path)
    table = cl.backbones()
    assert list(table.columns) == [
        "name",
        "source",
        "parameters",
        "megabytes",
        "input_size",
        "licence",
        "offline",
        "size",
    ]
    assert table["name"].iloc[0] == PACKAGED
    torchvisions = {f"torchvision/{name}" for name in torchvision_names()}
    assert set(table["name"]) == {PACKAGED, TINY, *torchvisions, *SIZE_OF}
    assert dict(zip(table["name"], table["size"], strict=True)) == dict.fromkeys(table["name"], "") | SIZE_OF
    assert table.loc[table["offline"], "name"].tolist() == [PACKAGED, TINY]
    assert table.notna().all().all()
    licences = table.set_index("name")["licence"]
    assert licences["torchvision/vit_h_14.IMAGENET1K_SWAG_E2E_V1"] == "CC-BY-NC-4.0"
    assert licences[TINY] == "apache-2.0"
    tiny = table.set_index("name").loc[TINY]
    assert tiny["parameters"] == backbone_named(TINY).parameters


def test_backbones_can_be_filtered() -> None:
    found = cl.backbones("timm/test_res*")
    assert found["name"].tolist() == [TINY]
    assert found["parameters"].notna().all()
    many = cl.backbones("timm/*resnet*")
    assert len(many) > 100
    assert many["parameters"].isna().all()
    assert many["input_size"].notna().all()
    assert len(cl.backbones("nothing like it")) == 0
    with pytest.raises(InputError, match="match=3"):
        cl.backbones(3)  # type: ignore[arg-type]


TINY_SIZES = {
    "small": SizedBackbone("timm/test_efficientnet.r160_in1k", 0.1),
    "base": SizedBackbone("timm/test_convnext.r160_in1k", 1.0),
    "large": SizedBackbone("timm/test_vit.r160_in1k", 10.0),
}


@pytest.mark.parametrize(
    ("images", "seconds", "device", "chosen"),
    [
        (2, 60.0, "cpu", "large"),
        (60, 60.0, "cpu", "base"),
        (60, 60.0, "cuda", "large"),
        (60, None, "cpu", "large"),
        (200, 60.0, "cpu", "small"),
        (2000, 60.0, "cpu", None),
    ],
)
def test_auto_is_the_largest_size_that_the_time_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: int, seconds: float | None, device: str, chosen: str | None
) -> None:
    for size in TINY_SIZES.values():
        keep_timm_weights(size.name.partition("/")[2], tmp_path)
    monkeypatch.setattr(backbones, "CLASSIFIERS", TINY_SIZES)
    monkeypatch.setattr(settings, "threads", 2)
    events, told = Events(), []
    events.subscribe(told.append)
    found = choose_backbone("auto", detector=False, images=images, seconds=seconds, device=device, events=events)
    assert found == (TINY_SIZES[chosen].name if chosen else PACKAGED)
    (message,) = told
    assert found in message.text
    network = load_backbone(found)
    facts = backbone_named(found)
    with torch.inference_mode():
        assert network(torch.rand(1, 3, facts.input_size, facts.input_size)).shape == (1, facts.features)


def test_auto_without_a_download_is_the_largest_that_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "DETECTORS", TINY_SIZES)
    events, told = Events(), []
    events.subscribe(told.append)

    def choose(wanted: str) -> str:
        return choose_backbone(wanted, detector=True, images=9, seconds=1e6, device="cpu", events=events)

    assert choose("auto") == PACKAGED
    assert "test_vit" in told[0].text
    assert "settings.network is False" in told[0].text
    keep_timm_weights("test_efficientnet.r160_in1k", tmp_path)
    assert choose("auto") == TINY_SIZES["small"].name
    assert choose("large") == TINY_SIZES["large"].name  # a size is never replaced by a different one
    assert choose(TINY) == TINY


def test_the_backbones_of_all_sizes_exist_and_detectors_can_be_built_on_theirs() -> None:
    for name in SIZE_OF:
        assert backbone_named(name).name == name
    with torch.device("meta"):
        for size in DETECTORS.values():
            strides = build_detector(DetectorShape(), 2, size.name).network.backbone(torch.empty(1, 3, 64, 64)).values()
            assert [level.shape[-1] for level in strides] == [8, 4, 2]


def test_kept_features_of_two_backbones_are_not_taken_for_each_other(tmp_path: Path) -> None:
    keep_timm_weights("test_resnet.r160_in1k", tmp_path)
    images = save_blots(tmp_path / "blots", (200, 30, 30), 2)
    cache = FeatureCache(tmp_path / "features", 2**30)
    keys = ["k" * 64, "l" * 64]
    for name, length in ((PACKAGED, 1280), (TINY, 96), ("timm/test_resnet", 96)):
        assert embed(images, keys=keys, cache=cache, backbone=name).features.shape == (2, length)
    assert len(list(cache.folder.glob(f"*{SUFFIX}"))) == 2  # a network's short and full name mean the same


def test_weights_are_refused_at_once_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library of the Hub would try again for 23 seconds."""
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(settings, "network", True)
    with pytest.raises(WeightsUnavailableError, match=r"test_resnet.* cannot be downloaded from the Hugging Face Hub"):
        fetch_backbone("timm/test_resnet.r160_in1k")
    with pytest.raises(WeightsUnavailableError, match=r"hf://user/name.* cannot be downloaded"):
        get_weights("hf://user/name")
    assert waits == []
