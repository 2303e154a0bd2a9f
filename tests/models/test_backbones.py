from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.images.reading import open_image
from customlabels_nb.models.backbone import PACKAGED, load_exactly
from customlabels_nb.models.backbones import BACKBONES, build_backbone, imagenet_weights, load_backbone, rename_keys
from customlabels_nb.models.transforms import to_batch, to_pixels
from tests.models.pictures import gradient

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
    with pytest.raises(InputError, match=r"backbone='resnet1' .*efficientnet_lite0"):
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
