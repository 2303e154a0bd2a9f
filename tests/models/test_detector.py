import hashlib
import json
import pickle
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from customlabels_nb.errors import ArtifactError, InputError, ModelError, WeightsUnavailableError
from customlabels_nb.inference.predictor import Predictor
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
from customlabels_nb.models.backbones import BACKBONES, freeze, imagenet_weights
from customlabels_nb.models.canvas import Canvas, open_canvas, to_canvas
from customlabels_nb.models.detector import CELLS, DetectedBoxes, ImageDetector, detect, to_table
from customlabels_nb.models.detector_building import (
    build_detector,
    copy_known_labels,
    normalisation,
    pretrained_detector,
)
from customlabels_nb.models.detector_shape import (
    COCO_DETECTORS,
    OWN,
    DetectorShape,
    anchors_for,
    check_input_size,
    check_max_boxes,
)
from customlabels_nb.models.transforms import to_batch
from customlabels_nb.user_settings import settings
from tests.models.pictures import gradient
from tests.threads import one_thread  # noqa: F401

FACTS = BACKBONES[PACKAGED]
SHAPE = DetectorShape(channels=8, hidden=16)
GREY = (127, 127, 127)


@pytest.fixture(scope="module")
def network() -> ImageDetector:
    """Return an untrained detector, which detects boxes everywhere."""
    detector = pretrained_detector(SHAPE, 2, PACKAGED, random_state=0)
    freeze(detector)
    return detector


def config(**changed: object) -> ModelConfig:
    """Return a detector's configuration with changes."""
    whole = ModelConfig(
        task="boxes",
        labels=("<b>apple", "pear"),
        colors=("#112233", "#445566"),
        backbone=PACKAGED,
        input_size=96,
        mean=FACTS.mean,
        std=FACTS.std,
        detector=SHAPE,
    )
    return replace(whole, **changed)  # type: ignore[arg-type]


def find(network: ImageDetector, canvases: list[Canvas]) -> list[DetectedBoxes]:
    return detect(network, canvases, FACTS.mean, FACTS.std, "cpu")


# -- canvases --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (96, 96), (1000, 3), (3, 1000), (1, 1)])
def test_a_canvas_keeps_the_aspect_ratio_and_gives_boxes_back(size: tuple[int, int]) -> None:
    canvas = to_canvas(gradient(*size), 96, GREY)
    assert canvas.size == size
    assert max(canvas.inside) == 96
    assert all(side % 32 == 0 for side in canvas.pixels.shape[1:])
    assert canvas.pixels.shape[1] - canvas.inside[1] < 32
    assert canvas.pixels.shape[2] - canvas.inside[0] < 32
    if min(size) > 30:
        assert canvas.inside[0] / canvas.inside[1] == pytest.approx(size[0] / size[1], rel=0.02)
    whole = canvas.to_image([[0, 0, *canvas.inside], [-50, -50, 500, 500], [90, 90, 95, 95]])
    assert whole[0] == pytest.approx([0, 0, *size])
    assert whole[1] == pytest.approx([0, 0, *size])
    assert (whole >= 0).all()


def test_padding_is_zero_after_normalisation() -> None:
    canvas = to_canvas(gradient(300, 80), 96, config().fill)
    assert (canvas.pixels.shape, canvas.inside) == ((3, 32, 96), (96, 26))
    batch = to_batch([canvas.pixels], FACTS.mean, FACTS.std)
    assert float(batch[0, :, 26:].abs().max()) < 0.01
    assert float(batch[0, :, :26].abs().max()) > 0.5


def test_a_reduced_jpeg_still_knows_its_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient(1203, 801).save(tmp_path / "turned.jpg", exif=exif)
    canvas = open_canvas((tmp_path / "turned.jpg").read_bytes(), "turned.jpg", 96, GREY)
    assert canvas.size == (801, 1203)
    assert canvas.inside == (64, 96)
    gradient(1203, 801).save(tmp_path / "plain.png")
    assert open_canvas((tmp_path / "plain.png").read_bytes(), "plain.png", 96, GREY).size == (1203, 801)


# -- detection -------------------------------------------------------------------------------------------
def test_boxes_are_inside_the_image_sorted_by_confidence(network: ImageDetector) -> None:
    [found] = find(network, [to_canvas(gradient(300, 200), 96, GREY)])
    assert len(found.boxes) == len(found.labels) == len(found.confidences) > 0
    assert (np.diff(found.confidences) <= 0).all()
    assert ((found.confidences > 0) & (found.confidences <= 1)).all()
    assert set(found.labels) <= {0, 1}
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, 0] + found.boxes[:, 2] <= 300 + 1e-6).all()
    assert (found.boxes[:, 1] + found.boxes[:, 3] <= 200 + 1e-6).all()
    assert (found.boxes[:, 2:] > 0).all()


def test_detections_do_not_depend_on_the_batch(network: ImageDetector) -> None:
    canvases = [to_canvas(gradient(*size), 96, GREY) for size in ((300, 200), (100, 200), (300, 200), (64, 64))]
    together = find(network, canvases)
    for canvas, found in zip(canvases, together, strict=True):
        [alone] = find(network, [canvas])
        assert np.array_equal(alone.boxes, found.boxes)
        assert np.array_equal(alone.confidences, found.confidences)
    assert find(network, []) == []


class _Stub(torch.nn.Module):
    """Network that keeps the arguments of each pass and detects two boxes per image."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[torch.Tensor, torch.Tensor | None]] = []

    def forward(self, images: torch.Tensor, least: torch.Tensor | None) -> list[dict[str, torch.Tensor]]:
        self.asked.append((images, least))
        one = {
            "boxes": torch.tensor([[0.0, 0, 9, 9]] * 2),
            "scores": torch.tensor([0.7, 0.3]),
            "labels": torch.arange(2),
        }
        return [one] * len(images)


def test_other_devices_see_one_shape_of_input() -> None:
    canvases = [to_canvas(gradient(*size), 96, GREY) for size in ((300, 200), (100, 200), (300, 200), (64, 64))]
    network: Any = _Stub()
    assert len(detect(network, canvases, [0.5] * 3, [0.25] * 3, "cpu:0")) == 4
    [(images, _)] = network.asked
    assert images.shape == (4, 3, 96, 96)
    for image, canvas in zip(images, canvases, strict=True):
        height, width = canvas.pixels.shape[1:]
        assert torch.equal(image[:, :height, :width], to_batch([canvas.pixels], [0.5] * 3, [0.25] * 3)[0])
        around = torch.cat([image[:, height:].flatten(), image[:, :, width:].flatten()])
        assert (around.abs() < 0.01).all()


def test_thresholds_have_the_type_of_the_scores_because_mps_has_no_float64() -> None:
    network: Any = _Stub()
    scores = np.array([0.7, 0.3], dtype=np.float32).astype(np.float64)
    detect(network, [to_canvas(gradient(), 96, GREY)], FACTS.mean, FACTS.std, "meta", scores)
    [(images, least)] = network.asked
    assert least is not None
    assert (images.device.type, least.device.type, least.dtype) == ("meta", "meta", torch.float32)
    detect(network, [to_canvas(gradient(), 96, GREY)], FACTS.mean, FACTS.std, "cpu", scores)
    assert (torch.tensor([0.7, 0.3]) >= network.asked[-1][1]).all()  # a score equal to its threshold reaches it


def test_detections_become_a_table() -> None:
    two = DetectedBoxes(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), np.array([1, 0]), np.array([0.9, 0.25]))
    none = DetectedBoxes(np.empty((0, 4)), np.empty(0, dtype=np.int64), np.empty(0))
    table = to_table(["none.png", "two.png"], [none, two], ["apple", "pear"])
    assert table.to_dict("records") == [
        {"image": "two.png", "label": "pear", "confidence": 0.9, "left": 1, "top": 2, "width": 3, "height": 4},
        {"image": "two.png", "label": "apple", "confidence": 0.25, "left": 5, "top": 6, "width": 7, "height": 8},
    ]
    empty = to_table(["none.png"], [none], ["apple"])
    assert list(empty.columns) == list(table.columns)
    assert empty.dtypes.equals(table.dtypes)


# -- networks --------------------------------------------------------------------------------------------
def test_losses_of_images_with_and_without_boxes_reach_all_but_the_early_stages() -> None:
    detector = pretrained_detector(SHAPE, 2, PACKAGED, random_state=0).train()
    images = torch.randn(2, 3, 64, 96)
    losses = detector.losses(
        images,
        [torch.tensor([[10.0, 10, 40, 50]]), torch.empty(0, 4)],
        [torch.tensor([1]), torch.empty(0, dtype=torch.int64)],
    )
    assert sorted(losses) == ["loss_box_reg", "loss_classifier", "loss_objectness", "loss_rpn_box_reg"]
    torch.stack(list(losses.values())).sum().backward()
    frozen = {name for name, value in detector.named_parameters() if value.grad is None}
    assert {name.split(".body.")[1].split(".")[0] for name in frozen} == {"conv_stem", "blocks"}
    assert {name.split("blocks.")[1][0] for name in frozen if "blocks." in name} == {"0", "1"}
    assert not any(module.training for module in detector.modules() if isinstance(module, torch.nn.BatchNorm2d))


def test_the_backbone_has_its_pretrained_weights_and_the_rest_depends_on_the_seed() -> None:
    first, same, other = (
        pretrained_detector(SHAPE, 2, PACKAGED, random_state=random_state).state_dict() for random_state in (0, 0, 1)
    )
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert all(torch.equal(first[key], other[key]) for key in first if ".body." in key)
    assert not torch.equal(first["network.rpn.head.cls_logits.weight"], other["network.rpn.head.cls_logits.weight"])
    assert float(first["network.backbone.body.conv_stem.weight"].abs().max()) > 0


def test_both_halves_of_the_backbone_are_the_backbone(network: ImageDetector) -> None:
    images = torch.randn(1, 3, 64, 64)
    pyramid = network.network.backbone
    with torch.inference_mode():
        in_two, whole = pyramid.train()(images), pyramid.eval()(images)
    assert in_two.keys() == whole.keys()
    for name, level in whole.items():
        assert in_two[name].dtype == torch.float32
        assert float((in_two[name] - level).norm() / level.norm()) < 0.05  # the first half may run in bfloat16


def test_the_stem_of_a_mobilenet_has_its_activation_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customlabels_nb.models.detector_building.has_bfloat16", lambda: False)
    pyramid = build_detector(SHAPE, 1, "timm/mobilenetv3_small_050.lamb_in1k").eval().network.backbone
    pyramid.freeze(2)
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        whole = pyramid(images)
        pyramid.train().body.eval()  # so that batch norms do not depend on the batch
        torch.testing.assert_close(pyramid(images), whole)


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_coco_detectors_train_and_detect(name: str) -> None:
    detector = build_detector(DetectorShape(name), 3, name).train()
    target = [torch.tensor([[5.0, 5, 50, 50]])] * 2
    losses = detector.losses(torch.randn(2, 3, 64, 96), target, [torch.tensor([2])] * 2)
    assert bool(torch.stack(list(losses.values())).isfinite().all())
    canvas = to_canvas(gradient(), 96, GREY)
    mean, std = normalisation(name, name)
    [found] = detect(detector.eval(), [canvas], mean, std, "cpu")
    assert set(found.labels) <= {0, 1, 2}


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn", OWN])
def test_mixed_precision_does_not_round_coordinates(name: str) -> None:
    shape = DetectorShape(OWN, channels=8, hidden=16, anchors=((24,), (64,), (300,))) if name == OWN else None
    detector = build_detector(shape or DetectorShape(name), 2, PACKAGED).eval()
    stage = getattr(detector.network, "rpn", detector.network)
    anchors: list[torch.Tensor] = []
    stage.anchor_generator.register_forward_hook(lambda layer, inputs, found: anchors.append(found[0]))
    images = torch.randn(1, 3, 320, 320, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = detector(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            [found] = detector(images)
        again = detector(images)
    assert found["boxes"].dtype == found["scores"].dtype == torch.float32
    assert torch.equal(anchors[1], anchors[0])
    assert torch.equal(again[0]["boxes"], exact[0]["boxes"])


@pytest.mark.parametrize("cascade", [True, False])
def test_mixed_precision_does_not_round_ground_truth(cascade: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build_detector(DetectorShape(channels=8, hidden=16, cascade=cascade), 2, PACKAGED, masks=True).train()
    heads, seen = detector.network.roi_heads, []
    add = heads.add_gt_proposals

    def keep(proposals: list[torch.Tensor], boxes: list[torch.Tensor]) -> Any:
        seen.extend([*proposals, *boxes])
        return add(proposals, boxes)

    monkeypatch.setattr(heads, "add_gt_proposals", keep)
    boxes = torch.tensor([[10.3, 10.7, 200.9, 201.1]])
    masks = (boxes, torch.ones(1, CELLS, CELLS))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = detector.losses(torch.randn(1, 3, 224, 224), [boxes], [torch.tensor([1])], [masks])
    assert bool(torch.stack(list(losses.values())).isfinite().all())
    assert seen[0].dtype == torch.float32
    assert torch.equal(seen[1], boxes)


def test_hooks_for_mixed_precision_travel_with_a_detector(network: ImageDetector) -> None:
    copies = (deepcopy(network), pickle.loads(pickle.dumps(network)))  # noqa: S301
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for copy in copies:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            [objectness, *_], _ = copy.network.rpn.head(list(copy.network.backbone(images).values()))
        assert objectness.dtype == torch.float32


def test_unavailable_coco_detector_names_the_fallback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(settings, "network", False)
    with pytest.raises(WeightsUnavailableError, match=rf"{name}.* settings.network is False.*detector='{OWN}'"):
        pretrained_detector(DetectorShape(name), 2, name, random_state=0)
    monkeypatch.setattr(settings, "network", True)
    # urllib keeps the proxies of its first request for the whole process
    monkeypatch.setattr("urllib.request._opener", None)
    for proxy in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(WeightsUnavailableError, match=rf"{name}.*13 MB.* cannot be downloaded .*detector='{OWN}'"):
        pretrained_detector(DetectorShape(name), 2, name, random_state=0)


def test_fetched_weights_are_taken_over_but_for_the_labels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    coco = build_detector(DetectorShape(name), 90, name).network.state_dict()
    coco = {key: value for key, value in coco.items() if "num_batches_tracked" not in key}  # like torchvision
    monkeypatch.setattr("customlabels_nb.models.detector_building.coco_weights", lambda asked: coco)
    taken = pretrained_detector(DetectorShape(name), 2, name, random_state=0).network.state_dict()
    same = [key for key in coco if taken[key].shape == coco[key].shape]
    assert len(same) > 0.9 * len(coco)
    assert all(torch.equal(taken[key], coco[key]) for key in same)


def test_other_and_invalid_backbones() -> None:
    detector = build_detector(SHAPE, 1, "timm/resnet18.a1_in1k")
    assert detector.network.backbone.body.feature_info.reduction() == [8, 16, 32]
    detector.network.backbone.freeze(2)
    body = detector.network.backbone.body
    frozen = {name.split(".")[0] for name, value in body.named_parameters() if not value.requires_grad}
    assert frozen == {"conv1", "bn1", "layer1"}
    convnext = build_detector(SHAPE, 1, "timm/test_convnext.r160_in1k").network.backbone
    convnext.freeze(2)
    frozen = {name.split(".")[0] for name, value in convnext.body.named_parameters() if not value.requires_grad}
    assert frozen == {"stem_0", "stem_1", "stages_0"}
    with pytest.raises(InputError, match="Use 'efficientnet_lite0' or a timm network"):
        build_detector(SHAPE, 1, "torchvision/resnet18")
    with pytest.raises(InputError, match=r"vit_tiny.* 8, 16 and 32"):
        build_detector(SHAPE, 1, "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k")


def test_known_labels_are_copied_by_name(network: ImageDetector) -> None:
    new = pretrained_detector(SHAPE, 3, PACKAGED, random_state=5)
    assert copy_known_labels(network, ["apple", "pear"], new, ["plum", "pear", "apple"]) == 2
    old, now = network.state_dict(), new.state_dict()
    for key in now:
        if "_predictor.cls_score" in key:
            assert torch.equal(now[key][[0, 2, 3]], old[key][[0, 2, 1]])
        elif "_predictor.bbox_pred" in key:
            assert torch.equal(now[key][8:12], old[key][8:12])
            assert torch.equal(now[key][12:16], old[key][4:8])
        else:
            assert torch.equal(now[key], old[key])
    assert copy_known_labels(network, ["apple", "pear"], new, ["plum", "fig", "lime"]) == 0
    other = build_detector(DetectorShape(channels=16, hidden=16), 3, PACKAGED)
    assert copy_known_labels(network, ["apple", "pear"], other, ["pear", "a", "b"]) == 0


def test_anchors_reach_from_small_boxes_to_the_whole_canvas() -> None:
    sides = [side for level in anchors_for(320, 60) for side in level]
    assert sides == pytest.approx([24, 38.4, 61.3, 98, 156.4, 249.6], rel=0.02)
    small = [side for level in anchors_for(640, 3) for side in level]
    assert small[0] == 8
    assert small[-1] == pytest.approx(499.2)
    assert small == sorted(small)


@pytest.mark.parametrize(
    "values",
    [
        {"architecture": "yolo"},
        {"anchors": ((24,), (64,))},
        {"anchors": ((24, 40), (64,), (160, 250))},
        {"anchors": ((24, 40), (64, -1), (160, 250))},
        {"anchors": "abc"},
        {"anchors": ((), (), ())},
        {"channels": 0},
        {"channels": True},
        {"hidden": 10**9},
        {"votes": 1},
        {"votes": False},
        {"cascade": 1},
        {"extra": 1},
    ],
)
def test_invalid_shapes_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError, match="detector"):
        DetectorShape.from_dict({**DetectorShape().to_dict(), **values})


@pytest.mark.parametrize("size", [0, 31, 100, 4096, True, "320", 320.0])
def test_invalid_input_sizes_are_refused(size: object) -> None:
    with pytest.raises(InputError, match="input_size="):
        check_input_size(size)
    check_input_size(None)
    check_input_size(416)


@pytest.mark.parametrize("most", [0, 1001, True, "100", 100.0])
def test_invalid_limits_of_boxes_are_refused(most: object) -> None:
    with pytest.raises(InputError, match="max_boxes="):
        check_max_boxes(most)
    check_max_boxes(None)
    check_max_boxes(1000)


def test_every_coco_detector_is_torchvisions() -> None:
    from torchvision.models import get_model_weights

    for name, facts in COCO_DETECTORS.items():
        meta = get_model_weights(name).DEFAULT.meta
        assert facts.box_ap == meta["_metrics"]["COCO-val2017"]["box_map"]
        assert facts.parameters == pytest.approx(meta["num_params"] / 1e6, abs=0.05)
        assert facts.megabytes == pytest.approx(meta["_file_size"], abs=0.1)


def test_folded_batch_norms_change_nothing() -> None:
    plain = timm.create_model(FACTS.architecture, features_only=True, out_indices=(-3, -2, -1)).eval()
    plain.load_state_dict({key: value for key, value in imagenet_weights().items() if key in plain.state_dict()})
    folded = pretrained_detector(SHAPE, 1, PACKAGED, random_state=0).network.backbone.body.eval()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    images = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        for first, second in zip(plain(images), folded(images), strict=True):
            torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-3)


# -- files -----------------------------------------------------------------------------------------------
def test_a_detector_that_was_saved_comes_back_equal(tmp_path: Path, network: ImageDetector) -> None:
    save_artifact(tmp_path, network, config())
    loaded, told = load_artifact(tmp_path)
    assert isinstance(loaded, ImageDetector)
    assert told == config()
    assert not loaded.training
    canvas = to_canvas(gradient(), 96, told.fill)
    [first], [second] = find(network, [canvas]), find(loaded, [canvas])
    assert np.array_equal(first.boxes, second.boxes)
    assert np.array_equal(first.confidences, second.confidences)
    update_config(tmp_path, config(thresholds={"pear": 0.25}))
    assert load_config(tmp_path).threshold_of("pear") == 0.25
    with pytest.raises(InputError, match="detector"):
        update_config(tmp_path, config(detector=DetectorShape()))


def test_the_limit_of_boxes_is_part_of_a_saved_model(tmp_path: Path, network: ImageDetector) -> None:
    """Models without it keep their identity, so that interrupted predictions of earlier releases continue."""
    save_artifact(tmp_path, network, config())
    content, plain = json.loads((tmp_path / CONFIG).read_text()), model_identity(tmp_path, load_config(tmp_path))
    assert "max_boxes" not in content["detector"]
    apart = ("thresholds", "view_thresholds", "training", "colors", "format", "sha256")
    facts = {key: value for key, value in content.items() if key not in apart}
    digest = hashlib.sha256((tmp_path / WEIGHTS).read_bytes() + json.dumps(facts, sort_keys=True).encode())
    assert plain == digest.hexdigest()
    content["detector"]["max_boxes"] = 250
    (tmp_path / CONFIG).write_text(json.dumps(content))
    loaded, told = load_artifact(tmp_path)
    assert isinstance(loaded, ImageDetector)
    assert (told.box_limit, loaded.network.roi_heads.max_boxes) == (250, 250)
    assert model_identity(tmp_path, told) != plain


def test_one_label_is_enough_for_a_detector(tmp_path: Path) -> None:
    save_artifact(tmp_path, build_detector(SHAPE, 1, PACKAGED), config(labels=("one",), colors=("#112233",)))
    assert load_config(tmp_path).labels == ("one",)


def test_a_config_of_another_model_is_refused(tmp_path: Path, network: ImageDetector) -> None:
    with pytest.raises(InputError, match=r"2 outputs.*3 labels"):
        save_artifact(tmp_path, network, config(labels=("a", "b", "c"), colors=("#112233",) * 3))
    with pytest.raises(InputError, match=r"DetectorShape.*DetectorShape"):
        save_artifact(tmp_path, network, config(detector=DetectorShape()))
    for changed in ({"detector": None}, {"task": "single-label"}, {"detector": {"architecture": OWN}}):
        with pytest.raises(InputError, match="detector"):
            config(**changed)
    name = "ssdlite320_mobilenet_v3_large"
    with pytest.raises(InputError, match="backbone"):
        config(detector=DetectorShape(name))
    coco = config(detector=DetectorShape(name), backbone=name)
    assert coco.backbone == name
    assert coco.detector is not None
    assert (coco.detector.votes, coco.detector.cascade) == (False, False)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "does not fit task"),
        ({"architecture": "../evil"}, "must have the keys"),
        ({**SHAPE.to_dict(), "architecture": "../evil"}, "Unknown detector '../evil'"),
        ({**SHAPE.to_dict(), "channels": 16}, "wrong shapes"),
    ],
)
def test_damaged_shape_in_the_config_is_refused(
    tmp_path: Path, network: ImageDetector, value: object, words: str
) -> None:
    save_artifact(tmp_path, network, config())
    content = json.loads((tmp_path / CONFIG).read_text())
    (tmp_path / CONFIG).write_text(json.dumps({**content, "detector": value}))
    with pytest.raises(ArtifactError, match=words):
        load_artifact(tmp_path)


# -- predicting ------------------------------------------------------------------------------------------
def test_detector_starts_predicts_and_stops(tmp_path: Path, network: ImageDetector) -> None:
    save_artifact(tmp_path, network, config())
    predictor = Predictor(tmp_path)
    with pytest.raises(ModelError, match="is not running"):
        predictor.boxes([gradient()])
    predictor.start("cpu")
    image = gradient(300, 200)
    [found, again] = predictor.boxes([image, to_canvas(image, 96, predictor.config.fill)])
    assert np.array_equal(found.boxes, again.boxes)
    assert found.boxes[:, 2].max() > 96  # in pixels of the image
    assert predictor.boxes([]) == []
    assert len(predictor.boxes([image] * 5)) == 5
    with pytest.raises(ModelError, match=r"detector.*boxes\(\)"):
        predictor.probabilities([image])
    predictor.stop()
    with pytest.raises(ModelError, match="is not running"):
        predictor.boxes([image])
