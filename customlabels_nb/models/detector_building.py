"""Build detector networks and load their pretrained weights."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision import models as torchvision_models
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from customlabels_nb.errors import InputError, ModelError, WeightsUnavailableError
from customlabels_nb.models.backbone import PACKAGED, TORCHVISION, load_exactly
from customlabels_nb.models.backbones import BACKBONES, backbone_named, imagenet_weights
from customlabels_nb.models.box_voting import ALL, OVERLAP, VotingHeads
from customlabels_nb.models.cascade import CascadeHeads
from customlabels_nb.models.detector import POOLED, ImageDetector, MaskHead
from customlabels_nb.models.detector_shape import (
    COCO_DETECTORS,
    LEAST_CONFIDENCE,
    OWN,
    STRIDE,
    AnyShape,
    DetectorShape,
    TransformersShape,
    check_masks,
)
from customlabels_nb.models.half_precision import compute_in_half, half_copy, has_bfloat16
from customlabels_nb.models.transformers_detector import build_transformers_detector
from customlabels_nb.models.weights_file import is_intact
from customlabels_nb.user_settings import settings

_MOST_CELLS = 64  # per side of the finest feature map. On larger maps, matrix products are slower than point sampling

#: Minimum confidence of a box with a mask, because each mask takes time. Evaluation ignores less confident boxes.
LEAST_MASKED = 0.05

#: Number of boxes that the first stage proposes per level and image in training.
CANDIDATES = 600
_LEAN_CANDIDATES = 300
#: Candidates of each level and proposals of the first stage in prediction, per box that a detector may return.
_CANDIDATES_PER_BOX, _PROPOSALS_PER_BOX = 4, 1.5
_QUICK_DEPTHWISE = 3  # kernel size in pixels. The backward pass of larger depthwise convolutions is slow

_FALLBACK = f"Training was not started. Use detector={OWN!r}, the default, which needs no download."


class _Pyramid(nn.Module):
    """Feature pyramid on the last three stages of a backbone."""

    def __init__(self, body: nn.Module, strides: list[tuple[str, int, int]], channels: int) -> None:
        super().__init__()
        self.body = body
        self.fpn = FeaturePyramidNetwork([width for _, _, width in strides], channels)
        self.out_channels = channels
        self._frozen_blocks = 0
        self._frozen: tuple[nn.Module, ...] = ()
        self._frozen_in_half: tuple[nn.Module, ...] = ()

    def train(self, mode: bool = True) -> _Pyramid:
        self._frozen_in_half = ()  # the weights may differ in the next training run
        super().train(mode)
        return self

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self._in_two_parts(images) if self.training and self._frozen_blocks else self.body(images)
        pyramid: dict[str, torch.Tensor] = self.fpn({str(i): level for i, level in enumerate(features)})
        return pyramid

    def freeze(self, stages: int, *, lean: bool = False) -> None:
        """Freeze the early stages of the backbone, which detect edges and textures and process the most pixels.

        ``stages`` is their number in an EfficientNet. Other backbones are frozen up to stride 8. ``lean`` also freezes
        large depthwise convolutions, which have few weights, but whose gradients take a quarter of a training step on a
        CPU.
        """
        blocks = getattr(self.body, "blocks", None)
        if blocks is None or not hasattr(self.body, "conv_stem"):
            _freeze_before(self.body, str(self.body.feature_info.get_dicts()[0]["module"]))
            return
        stem = [self.body.bn1]
        if hasattr(self.body, "act1"):  # the batch norm of a MobileNetV3 does not include the activation
            stem = [nn.Sequential(self.body.bn1, self.body.act1)]
        early = (self.body.conv_stem, *stem, *blocks[:stages])
        for part in early:
            part.requires_grad_(False)
        for layer in self.body.modules():
            if lean and isinstance(layer, nn.Conv2d) and layer.groups > 1 and layer.kernel_size[0] > _QUICK_DEPTHWISE:
                layer.requires_grad_(False)
        self._frozen_blocks = stages
        self._frozen = early

    def _in_two_parts(self, images: torch.Tensor) -> list[torch.Tensor]:
        wanted = {int(str(entry["module"]).split(".")[1]) for entry in self.body.feature_info.get_dicts()}
        levels = []
        half = images.device.type == "cpu" and has_bfloat16()
        if half and not self._frozen_in_half:
            self._frozen_in_half = tuple(half_copy(part) for part in self._frozen)
        with torch.no_grad():
            x = images.to(torch.bfloat16) if half else images
            for position, part in enumerate(self._frozen_in_half if half else self._frozen, start=-2):  # after the stem
                x = part(x)
                if position in wanted:
                    levels.append(x.to(images.dtype) if half else x)
        x = x.to(images.dtype) if half else x
        for position, block in enumerate(self.body.blocks[self._frozen_blocks :], start=self._frozen_blocks):
            x = block(x)
            if position in wanted:
                levels.append(x)
        return levels


def _freeze_before(body: nn.Module, first: str) -> None:
    names = f"{first}.", f"{first.replace('.', '_')}."  # timm renames the parts of sequences
    for name, parameter in body.named_parameters():
        if name.startswith(names):
            return
        parameter.requires_grad_(False)


def build_detector(
    shape: AnyShape, n_labels: int, backbone: str, *, candidates: int = CANDIDATES, masks: bool = False
) -> ImageDetector:
    """Build the network without trained weights or downloads.

    The first stage proposes ``candidates`` per level and image in training, before non-maximum suppression.
    """
    if masks:
        check_masks(shape.architecture)
    if isinstance(shape, TransformersShape):
        return build_transformers_detector(shape, n_labels)
    if shape.architecture != OWN:
        coco = _torchvision(shape.architecture, n_labels)
        if shape.max_boxes is not None:
            _limit_boxes(coco, shape.max_boxes)
        detector = ImageDetector(coco, shape, n_labels)
        return _with_masks(detector) if masks else detector
    body = _build_body(backbone)
    if backbone in BACKBONES:
        body = fold_batch_norm(body)
    info = body.feature_info.get_dicts()
    strides = [(str(entry["module"]), int(entry["reduction"]), int(entry["num_chs"])) for entry in info]
    if [stride for _, stride, _ in strides] != [STRIDE // 4, STRIDE // 2, STRIDE]:
        raise InputError(
            f"backbone={backbone!r} lacks feature maps of strides 8, 16 and 32, which detectors need. Use {PACKAGED!r}."
        )
    levels = [str(level) for level in range(len(strides))]
    network = FasterRCNN(
        _Pyramid(body, strides, shape.channels),
        rpn_anchor_generator=AnchorGenerator(shape.anchors, ((0.5, 1.0, 2.0),) * len(levels)),
        rpn_pre_nms_top_n_train=candidates,
        rpn_post_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=400,
        rpn_post_nms_top_n_test=150,
        box_roi_pool=SeparableRoIAlign(levels, output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(shape.channels * 7**2, shape.hidden),
        box_predictor=FastRCNNPredictor(shape.hidden, n_labels + 1),
        box_score_thresh=LEAST_CONFIDENCE,
        box_nms_thresh=1.0 if shape.votes else OVERLAP,  # VotingHeads suppresses boxes itself
        box_detections_per_img=ALL,
    )
    if shape.votes:
        network.roi_heads.__class__ = VotingHeads  # torchvision builds the second stage itself
    if shape.cascade:  # requires votes
        network.roi_heads.second_head = TwoMLPHead(shape.channels * 7**2, shape.hidden)
        network.roi_heads.second_predictor = FastRCNNPredictor(shape.hidden, n_labels + 1)
        network.roi_heads.__class__ = CascadeHeads
    _limit_boxes(network, shape.box_limit)
    detector = ImageDetector(network, shape, n_labels)
    return _with_masks(detector) if masks else detector


def _limit_boxes(network: Any, limit: int) -> None:
    """Set the largest number of boxes per image, with enough candidates to reach it."""
    candidates = round(_CANDIDATES_PER_BOX * limit)
    heads = getattr(network, "roi_heads", None)
    if heads is None:
        network.detections_per_img = limit
        network.topk_candidates = max(network.topk_candidates, candidates)
        return
    before, after = network.rpn._pre_nms_top_n, network.rpn._post_nms_top_n
    before["testing"] = max(before["testing"], candidates)
    after["testing"] = max(after["testing"], round(_PROPOSALS_PER_BOX * limit))
    if isinstance(heads, VotingHeads):
        heads.max_boxes = limit
    else:
        heads.detections_per_img = limit


def _with_masks(detector: ImageDetector) -> ImageDetector:
    heads = detector.network.roi_heads
    pool = SeparableRoIAlign(heads.box_roi_pool.featmap_names, output_size=POOLED, sampling_ratio=2)
    detector.masks = MaskHead(pool, detector.network.backbone.out_channels)
    heads.score_thresh = LEAST_MASKED
    return detector


def pretrained_detector(
    shape: DetectorShape,
    n_labels: int,
    backbone: str,
    *,
    random_state: int,
    frozen_stages: int = 2,
    proposals: int = 128,
    lean: bool = False,
    masks: bool = False,
    weights: bool = True,
) -> ImageDetector:
    """Build a detector for training from a pretrained backbone, or from a COCO detector without its last layers.

    The second stage is trained on so many ``proposals`` per image, unless it is a COCO detector. ``lean`` skips
    computations that are expensive on a CPU and contribute little to training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        candidates = _LEAN_CANDIDATES if lean else CANDIDATES
        detector = build_detector(shape, n_labels, backbone, candidates=candidates, masks=masks)
    if shape.architecture != OWN:
        if weights:
            _take_over(detector.network, coco_weights(shape.architecture))
        return detector
    if weights:
        detector.network.backbone.body.load_state_dict(_pretrained_body(backbone).state_dict())
    detector.network.backbone.freeze(frozen_stages, lean=lean)
    if lean and has_bfloat16():
        compute_in_half(detector)
    detector.network.roi_heads.fg_bg_sampler.batch_size_per_image = proposals
    return detector


def copy_known_labels(old: ImageDetector, labels: Sequence[str], new: ImageDetector, wanted: Sequence[str]) -> int:
    """Copy the weights of a trained detector to a new one, and the last layer's rows for the labels they share.

    Returns the number of shared labels (in the order of outputs), or 0 if the shapes differ, and nothing is copied.
    """
    if old.shape.architecture != OWN or new.shape.architecture != OWN:
        return 0
    rows = {i + 1: list(labels).index(label) + 1 for i, label in enumerate(wanted) if label in labels}
    before, after = _weights_to_copy(old, new)
    shared = [key for key in after if not _rows_per_label(key)]
    if not rows or any(key not in before or before[key].shape != after[key].shape for key in shared):
        return 0
    with torch.no_grad():
        for key, value in after.items():
            if each := _rows_per_label(key):
                for to, source in {0: 0, **rows}.items():  # 0 is the background
                    value[to * each : (to + 1) * each].copy_(before[key][source * each : (source + 1) * each])
            else:
                value.copy_(before[key])
    return len(rows)


def _weights_to_copy(old: ImageDetector, new: ImageDetector) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return the weights of a trained detector by the names they have in a new one, and those of the new one to set."""
    before, after = old.state_dict(), new.state_dict()
    if not old.shape.cascade:  # both passes start with the weights of the only one
        before |= {k.replace(".box_", ".second_"): value for k, value in before.items() if ".roi_heads.box_" in k}
    if old.masks is None:  # a new mask head is trained from scratch
        after = {key: value for key, value in after.items() if not key.startswith("masks.")}
    return before, after


def _rows_per_label(name: str) -> int:
    """Return how many rows of these weights belong to each label: 4 of box offsets, 0 of layers before the last."""
    return 1 if "_predictor.cls_score" in name else 4 if "_predictor.bbox_pred" in name else 0


def normalisation(architecture: str | TransformersShape, backbone: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of each channel (0 to 1) that the network's weights were trained with."""
    if isinstance(architecture, TransformersShape):
        return architecture.family.mean, architecture.family.std
    if architecture == OWN:
        facts = backbone_named(backbone)
        return facts.mean, facts.std
    if architecture.startswith("ssdlite"):
        return (0.5,) * 3, (0.5,) * 3
    return (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _build_body(backbone: str, **options: Any) -> nn.Module:
    """Build the backbone with timm so that it returns several feature levels instead of one vector."""
    import timm

    facts = backbone_named(backbone)
    if facts.source == TORCHVISION:
        raise InputError(
            f"backbone={backbone!r} cannot be used for a detector. Use {PACKAGED!r} or a timm network. timm may offer "
            "the same architecture."
        )
    full_name = f"{facts.architecture}.{facts.weights}" if facts.weights else facts.architecture
    try:
        body: nn.Module = timm.create_model(
            full_name, pretrained=bool(options), features_only=True, out_indices=(-3, -2, -1), **options
        )
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"backbone={backbone!r} cannot be used for a detector ({type(error).__name__}: {error}). Use {PACKAGED!r}."
        ) from error
    return body


def _pretrained_body(backbone: str) -> nn.Module:
    if backbone in BACKBONES:
        body = _build_body(backbone)
        names = body.state_dict().keys()
        weights = {name: value for name, value in imagenet_weights().items() if name in names}
        load_exactly(body, weights, f"The packaged weights of {backbone!r}", ModelError, "Reinstall the package.")
        return fold_batch_norm(body)
    from customlabels_nb.models.timm_backbones import weights_file

    path = weights_file(backbone_named(backbone))
    return _build_body(backbone, pretrained_cfg_overlay={"file": str(path), "custom_load": False})


def fold_batch_norm(body: nn.Module) -> nn.Module:
    """Fold the packaged backbone's constant batch norms into convolutions, which saves a sixth of the time."""
    _fold(body, "conv_stem", "bn1")
    for block in body.blocks.modules():
        for convolution, norm in _EXPANDING if hasattr(block, "conv_pwl") else _PLAIN:
            if hasattr(block, convolution):
                _fold(block, convolution, norm)
    return body


_EXPANDING = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))
_PLAIN = (("conv_dw", "bn1"), ("conv_pw", "bn2"))


def _fold(owner: nn.Module, convolution: str, norm: str) -> None:
    conv, bn = getattr(owner, convolution), getattr(owner, norm)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    conv.bias.requires_grad_(True)
    setattr(owner, norm, bn.act)  # timm's batch norm layers include the activation


def _torchvision(name: str, n_labels: int) -> nn.Module:
    with warnings.catch_warnings():
        # torchvision warns if the given size differs from its default
        warnings.filterwarnings("ignore", "The size of the model is already fixed", UserWarning)
        network: nn.Module = torchvision_models.get_model(
            name, weights=None, weights_backbone=None, num_classes=n_labels + 1
        )
    for owner in (network, getattr(network, "roi_heads", None)):
        if owner is not None and hasattr(owner, "score_thresh"):
            owner.score_thresh = LEAST_CONFIDENCE
    return network


def _take_over(network: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Load all weights except those whose shape depends on the number of labels."""
    # weights saved with frozen batch norms lack batch counters, which are not needed
    expected = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    fitting = {key: value for key, value in weights.items() if key in expected and expected[key].shape == value.shape}
    if len(fitting) < 0.9 * len(expected):
        raise ModelError("The downloaded weights do not fit the installed torchvision's network. Update torchvision.")
    network.load_state_dict(fitting, strict=False)


def coco_weights(name: str) -> dict[str, torch.Tensor]:
    """Load the weights of a COCO detector from PyTorch's cache or download them."""
    weights = torchvision_models.get_model_weights(name).DEFAULT
    cached = Path(torch.hub.get_dir()) / "checkpoints" / str(weights.url).rsplit("/", 1)[-1]
    if not is_intact(cached):
        damage = f" ({str(cached)!r} is damaged)" if cached.is_file() else ""
        if not settings.network:
            raise WeightsUnavailableError(
                f"detector={name!r} needs a download{damage}, but settings.network is False. {_FALLBACK}"
            )
        cached.unlink(missing_ok=True)
    try:
        state: dict[str, torch.Tensor] = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        size = COCO_DETECTORS[name].megabytes
        raise WeightsUnavailableError(
            f"detector={name!r} ({size:.0f} MB) cannot be downloaded ({error}). {_FALLBACK}"
        ) from error
    return state


class SeparableRoIAlign(MultiScaleRoIAlign):
    """torchvision's RoIAlign, computed as matrix products when training on a CPU. Results are equal up to rounding.

    The value of a bin is the mean of bilinear interpolations at a grid of points, and a bilinear interpolation is the
    product of an interpolation along the columns and one along the rows. The 7×7 bins of a box are therefore ``rows @
    map @ columns``, with two small matrices per box. This is faster than torchvision's own backward pass on a CPU,
    which adds up the points one by one on one core. (RoIAlign: He et al., Mask R-CNN, 2017. Levels by size: Lin et al.,
    Feature Pyramid Networks, 2017.)
    """

    def forward(
        self, x: dict[str, torch.Tensor], boxes: list[torch.Tensor], image_shapes: list[tuple[int, int]]
    ) -> torch.Tensor:
        """Compute features (all boxes, channels, bins, bins) of boxes ``x0, y0, x1, y1``, finest level first."""
        maps = [x[name] for name in self.featmap_names]
        one_size = len(set(image_shapes)) == 1
        if not (self.training and one_size and maps[0].device.type == "cpu" and max(maps[0].shape[2:]) <= _MOST_CELLS):
            features: torch.Tensor = super().forward(x, boxes, image_shapes)
            return features
        corners = torch.cat(boxes)
        image = torch.repeat_interleave(
            torch.arange(len(boxes)), torch.tensor([len(image_boxes) for image_boxes in boxes])
        )
        strides = [2.0 ** round(math.log2(image_shapes[0][0] / level.shape[2])) for level in maps]
        levels = self._levels(corners, strides)
        parts, places = [], []
        for level, (features, stride) in enumerate(zip(maps, strides, strict=True)):
            for position, image_boxes in enumerate(features.permute(0, 2, 3, 1)):
                rows = torch.nonzero((levels == level) & (image == position))[:, 0]
                if len(rows):
                    parts.append(self._pooled(image_boxes, corners[rows] / stride))
                    places.append(rows)
        if not parts:
            return maps[0].new_zeros(0, maps[0].shape[1], *self.output_size)
        pooled = torch.cat(parts)
        return torch.empty_like(pooled).index_copy(0, torch.cat(places), pooled).permute(0, 3, 1, 2)

    def _levels(self, corners: torch.Tensor, strides: list[float]) -> torch.Tensor:
        sides = (corners[:, 2:] - corners[:, :2]).prod(dim=1).sqrt()
        wanted = torch.floor(self.canonical_level + torch.log2(sides / self.canonical_scale) + 1e-6)
        return wanted.clamp(math.log2(strides[0]), math.log2(strides[-1])) - math.log2(strides[0])

    def _pooled(self, features: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
        """Compute the bins of boxes, given in cells of one level of one image, shape (n, bins, bins, channels)."""
        height, width, channels = features.shape
        sides = (corners[:, 2:] - corners[:, :2]).clamp(min=1)
        down = self._weights(corners[:, 1], sides[:, 1], self.output_size[0], height)
        across = self._weights(corners[:, 0], sides[:, 0], self.output_size[1], width)
        rows = down.reshape(-1, height) @ features.reshape(height, width * channels)
        return torch.matmul(across[:, None], rows.view(len(corners), self.output_size[0], width, channels))

    def _weights(self, start: torch.Tensor, side: torch.Tensor, bins: int, cells: int) -> torch.Tensor:
        """Compute the weight of each cell in each bin along one axis, shape (n, bins, cells)."""
        steps = (torch.arange(bins * self.sampling_ratio) + 0.5) / (self.sampling_ratio * bins)
        points = start[:, None] + steps * side[:, None]
        counts = (points >= -1) & (points <= cells)  # points farther outside contribute zero
        nearness = 1 - (points.clamp(0, cells - 1)[..., None] - torch.arange(cells)).abs()
        weights = nearness.clamp(min=0) * counts[..., None]
        return weights.view(len(start), bins, self.sampling_ratio, cells).mean(dim=2)
