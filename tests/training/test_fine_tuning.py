import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from customlabels_nb.errors import ArtifactError, Cancelled, InputError, NotEnoughDataError
from customlabels_nb.events import Event, Events, Kept, Message, Progress
from customlabels_nb.models.backbone import PACKAGED, Backbone
from customlabels_nb.models.backbones import backbone_named, load_backbone
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.training.budget import Budget, Clock
from customlabels_nb.training.classification import FittedHead, fit_head
from customlabels_nb.training.fine_tuning import TuningOptions, fine_tune, forward_all, unfreeze_last_stages
from customlabels_nb.training.image_data import ImagePixels
from customlabels_nb.training.improving import (
    FROZEN_NAME,
    GOOD_ENOUGH,
    LEAST_IMAGES,
    TUNED_NAME,
    BaseVersion,
    ImprovementResult,
    hold_out,
    improve,
    why_not_fine_tune,
)
from customlabels_nb.training.pace import PROBE
from customlabels_nb.training.temperature import losses
from tests.facts import tells
from tests.models.on_mps import OnMps

SIDE = 64
LABELS = 3
#: The packaged backbone at a size that trains quickly.
SMALL: Backbone = replace(backbone_named(PACKAGED), input_size=SIDE)


def polygon(corners: int, rng: np.random.Generator) -> Image.Image:
    """Draw a regular polygon with a random color, rotation and position on noise."""
    ground, color = rng.integers(40, 215, 3), rng.choice([-1, 1]) * rng.integers(50, 110, 3)
    image = Image.new("RGB", (2 * SIDE, 2 * SIDE), tuple(int(value) for value in ground))
    centre, radius, turn = SIDE * (1 + rng.uniform(-0.1, 0.1, 2)), SIDE * rng.uniform(0.6, 0.9), rng.uniform(0, 6.28)
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    points = [(float(centre[0] + radius * np.cos(a)), float(centre[1] + radius * np.sin(a))) for a in angles]
    ImageDraw.Draw(image).polygon(points, fill=tuple(int(value) for value in np.clip(ground + color, 0, 255)))
    pixels = np.asarray(image.resize((SIDE, SIDE))).astype(int) + rng.integers(-60, 60, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def save_polygons(
    folder: Path, count: int, random_state: int, *, corners: tuple[int, ...] = (3, 5, 7)
) -> tuple[list[str], np.ndarray]:
    """Write images of polygons and return paths and targets."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(random_state)
    targets = np.arange(count) % LABELS
    paths = [str(folder / f"{i}.png") for i in range(count)]
    for path, target in zip(paths, targets, strict=True):
        polygon(corners[target], rng).save(path)
    return paths, targets


@pytest.fixture(scope="module")
def polygons(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return paths, targets and frozen features of 60 polygons."""
    paths, targets = save_polygons(tmp_path_factory.mktemp("polygons"), 60, random_state=0)
    features = forward_all(load_backbone(), ImagePixels(paths, SIDE), range(60), SMALL, "cpu")
    return paths, targets, features.astype(np.float32)


def classifier(head: FittedHead) -> ImageClassifier:
    """Return a classifier with this head."""
    network = ImageClassifier(load_backbone(), SMALL.features, len(head.bias))
    network.set_head(head.weight, head.bias)
    return network


def options(steps: int, **more: object) -> TuningOptions:
    return TuningOptions(**{"budget": Budget(steps=steps), "batch": 6, **more})  # type: ignore[arg-type]


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


def said(events: Events) -> list[str]:
    """Return the list of all messages from now on."""
    found: list[str] = []
    events.subscribe(lambda event: found.append(event.text) if isinstance(event, Message) else None)
    return found


class _OnMps(nn.Module):
    """Network that computes on MPS."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3)).as_subclass(OnMps)


def test_outputs_from_mps_become_float64_on_the_cpu(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    found = forward_all(_OnMps(), ImagePixels(polygons[0], SIDE), range(3), SMALL, "cpu")
    assert found.shape == (3, 3)
    assert found.dtype == np.float64


class _Narrow(nn.Module):
    """Network that runs out of memory with more than two images."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        if len(images) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return images.mean(dim=(2, 3))


def test_batches_that_do_not_fit_are_halved(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    network, images, events = _Narrow(), ImagePixels(polygons[0], SIDE), Events()
    messages = said(events)
    found = forward_all(network, images, range(5), SMALL, "cpu", events)
    alone = [forward_all(network, images, [at], SMALL, "cpu")[0] for at in range(5)]
    assert found == pytest.approx(np.array(alone), abs=1e-6)
    assert network.sizes == [4, 2, 2, *[1] * 6]
    assert len(messages) == 1


# -- training -------------------------------------------------------------------------------------------
Tuned = Callable[..., ImageClassifier]


@pytest.fixture(scope="module")
def tune(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> Tuned:
    """Return a function that fine-tunes on the polygons."""
    paths, targets, features = polygons
    head = fit_head(features[12:], targets[12:], LABELS)

    def run(
        steps: int, events: Events | None = None, checkpoints: Path | None = None, last: int = 60, **more: object
    ) -> ImageClassifier:
        network = classifier(head)
        images = ImagePixels(paths, SIDE)
        held_out, train_on = np.arange(12), np.arange(12, last)
        fine_tune(
            network, images, targets, train_on, held_out, SMALL, options(steps, **more), events or Events(),
            checkpoints=checkpoints,
        )  # fmt: skip
        return network

    return run


def test_the_last_stages_learn_and_the_first_stay(tune: Tuned) -> None:
    before = weights_of(load_backbone())
    network = tune(4)
    after = network.backbone.state_dict()
    changed = [key for key in before if not torch.equal(before[key], after[key])]
    assert "conv_stem.weight" not in changed
    assert "conv_head.weight" in changed
    assert not any("running" in key or "num_batches" in key for key in changed)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.fixture(scope="module")
def two_epochs(tune: Tuned) -> ImageClassifier:
    """Return a network that was trained in two epochs without a stop."""
    return tune(6, last=30)


@pytest.mark.parametrize("error", [KeyboardInterrupt, pytest.param(Cancelled, marks=pytest.mark.thorough)])
def test_resumed_fine_tuning_gives_equal_weights(
    tune: Tuned, two_epochs: ImageClassifier, tmp_path: Path, error: type[BaseException]
) -> None:
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.phase == "training" and event.done == 2:
            if error is Cancelled:
                events.cancel()
            else:
                raise error

    events.subscribe(stop)
    with pytest.raises(error):
        tune(6, events, tmp_path / "checkpoints", last=30)
    with pytest.raises(ArtifactError, match="has a different start time"):  # of another version, with equal counts
        tune(6, None, tmp_path / "checkpoints", last=30, run="another")
    resumed = tune(6, None, tmp_path / "checkpoints", last=30)
    for key, value in two_epochs.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key])


def test_a_budget_that_is_used_up_before_leaves_a_few_steps(
    tune: Tuned, polygons: tuple[list[str], np.ndarray, np.ndarray]
) -> None:
    events = Events()
    told = said(events)
    steps: list[int] = []
    events.subscribe(lambda event: steps.append(event.done) if isinstance(event, Progress) else None)
    budget = Budget(seconds=1.0)
    tune(1, events, clock=Clock(budget, events, time.perf_counter() - 30.0, polygons[0] * 1000), budget=budget)
    assert steps[-1] <= PROBE
    assert any(f"{60 * 1000:,} images" in text and "beyond the budget of 1 s" in text for text in told)


@pytest.mark.thorough
def test_an_image_that_vanishes_is_passed_over(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    paths, targets, features = polygons
    head = fit_head(features, targets, LABELS)
    images = ImagePixels([*paths[:20], "gone.png", *paths[21:]], SIDE)
    network = classifier(head)
    fine_tune(network, images, targets, np.arange(15, 25), np.arange(15), SMALL, options(4), Events())
    assert [issue.where for issue in images.issues] == ["gone.png"]
    nothing = ImagePixels(["gone.png"] * 60, SIDE)
    with pytest.raises(NotEnoughDataError, match="None of the training images"):
        fine_tune(network, nothing, targets, np.arange(15, 25), np.arange(15), SMALL, options(4), Events())


def test_rows_of_images_that_cannot_be_read_are_nan(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    paths, _, features = polygons
    images = ImagePixels([paths[0], "gone.png", paths[2]], SIDE)
    found = forward_all(load_backbone(), images, [2, 1, 0], SMALL, "cpu")
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False]
    assert found[[0, 2]] == pytest.approx(features[[2, 0]], abs=1e-4)
    nothing = forward_all(load_backbone(), images, [1], SMALL, "cpu")
    assert nothing.shape == (1, SMALL.features)
    assert np.isnan(nothing).all()


def test_frozen_share_of_weights() -> None:
    network = nn.Sequential(nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 10))
    assert len(unfreeze_last_stages(network, 0.0)) == 6
    assert len(unfreeze_last_stages(network, 0.5)) == 4
    assert [p.requires_grad for p in network.parameters()] == [False, False, True, True, True, True]
    with pytest.raises(InputError, match="batch=0"):
        TuningOptions(batch=0)


# -- accepting the fine-tuned model ---------------------------------------------------------------------
def test_fine_tuning_is_skipped_without_time_or_data() -> None:
    def head(log_loss: float | None) -> FittedHead:
        return FittedHead(np.zeros((2, 3), np.float32), np.zeros(2, np.float32), 1.0, log_loss, None, None)

    assert "fewer than" in (why_not_fine_tune(head(0.5), LEAST_IMAGES - 1) or "")
    assert "nothing to gain" in (why_not_fine_tune(head(GOOD_ENOUGH / 2), 100) or "")
    assert why_not_fine_tune(head(0.5), LEAST_IMAGES) is None
    assert why_not_fine_tune(head(None), LEAST_IMAGES) is None


def run_improve(
    polygons: tuple[list[str], np.ndarray, np.ndarray], steps: int, events: Events | None = None, **more: object
) -> ImprovementResult:
    """Run the decision on fine-tuning with the polygons."""
    paths, targets, features = polygons
    truth = more.pop("truth", targets)
    head = more.pop("head", None) or fit_head(features, targets, LABELS)
    backbone = more.pop("backbone", SMALL)
    return improve(head, features, truth, paths, backbone, options(steps), events or Events(), **more)  # type: ignore[arg-type]


def test_worse_fine_tuned_network_is_not_kept(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    paths, _, features = polygons
    guesses = np.random.default_rng(0).integers(0, LABELS, 60)  # there is nothing to learn
    head = fit_head(features, guesses, LABELS)
    events = Events()
    heard, kept = said(events), list[Kept]()
    events.subscribe(lambda event: kept.append(event) if isinstance(event, Kept) else None)
    found = run_improve((paths, guesses, features), 10, events, head=head)
    assert found.network is None
    assert kept == [Kept(found.facts["fine_tuning"]["reason"], FROZEN_NAME, is_trained=False)]
    assert found.held_out is None
    assert found.facts["fine_tuning"]["kept"] is False
    assert found.facts["fine_tuning"]["mirror"] is True
    assert set(found.facts["fine_tuning"]["held_out_log_loss"]) == {FROZEN_NAME, TUNED_NAME}
    assert f"Kept {FROZEN_NAME}" in found.notes[-1]
    assert heard[-len(found.notes) :] == found.notes
    json.dumps(found.facts, allow_nan=False)


def test_held_out_images_that_cannot_be_read_decide_nothing(
    polygons: tuple[list[str], np.ndarray, np.ndarray],
) -> None:
    paths, targets, features = polygons
    held_out = hold_out([[str(target)] for target in targets], random_state=0)
    assert held_out is not None
    left = ["gone.png" if gone else path for path, gone in zip(paths, held_out, strict=True)]
    found = run_improve((left, targets, features), 1)
    assert found.network is None
    assert tells(found.notes[-1], FROZEN_NAME, "none of the held-out images can still be read")
    assert found.facts["fine_tuning"]["temperature"] == 1


@pytest.mark.thorough
def test_images_are_not_mirrored_where_left_and_right_are_labels(tmp_path: Path) -> None:
    rng, targets = np.random.default_rng(0), np.arange(60) % 2
    paths = [str(tmp_path / f"{i}.png") for i in range(60)]
    for path, target in zip(paths, targets, strict=True):  # a disc on the left, or on the right
        pixels = rng.integers(90, 160, (SIDE, SIDE, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        left = 4 + 30 * int(target)
        ImageDraw.Draw(image).ellipse((left, 16, left + 26, 42), fill=(220, 40, 40))
        image.save(path)
    features = forward_all(load_backbone(), ImagePixels(paths, SIDE), range(60), SMALL, "cpu").astype(np.float32)
    head = replace(fit_head(features, targets, 2), log_loss=1.0)
    found = improve(head, features, targets, paths, SMALL, options(3), Events())
    assert found.facts["fine_tuning"]["mirror"] is False
    assert any("not mirrored" in note for note in found.notes)


@pytest.mark.thorough
def test_better_fine_tuned_network_is_kept_and_wins_on_new_images(tmp_path: Path) -> None:
    alike = (5, 6, 7)
    paths, targets = save_polygons(tmp_path / "train", 90, random_state=3, corners=alike)
    features = forward_all(load_backbone(), ImagePixels(paths, SIDE), range(90), SMALL, "cpu").astype(np.float32)
    head = fit_head(features, targets, LABELS)
    found = improve(head, features, targets, paths, SMALL, options(60), Events())
    assert found.network is not None
    assert found.facts["fine_tuning"]["kept"] is True
    assert found.held_out is not None
    assert found.held_out.sum() == 18
    new, expected = save_polygons(tmp_path / "new", 90, random_state=2, corners=alike)
    images = ImagePixels(new, SIDE)
    tuned = losses(forward_all(found.network, images, range(90), SMALL, "cpu"), expected)
    frozen = forward_all(load_backbone(), images, range(90), SMALL, "cpu").astype(np.float32)
    assert tuned.mean() < losses(head.logits(frozen).astype(np.float64), expected).mean()


@pytest.mark.thorough
def test_several_labels_an_image_are_fine_tuned_alike(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    from customlabels_nb.training.multi_label import fit_multi_label_head

    paths, targets, features = polygons
    truth = np.column_stack([targets == 0, targets > 0])
    head = fit_multi_label_head(features, truth)
    found = run_improve((paths, truth, features), 6, head=replace(head, log_loss=1.0))
    assert found.facts["fine_tuning"]["steps"] == 6
    assert len(found.notes) == 1


def test_a_former_version_wins_only_on_images_it_has_not_seen(
    polygons: tuple[list[str], np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    _, targets, features = polygons
    rng = np.random.default_rng(0)
    network = ImageClassifier(load_backbone(), SMALL.features, LABELS)
    with torch.no_grad():  # an earlier network with useless features
        network.backbone.conv_head.weight.copy_(
            torch.from_numpy(rng.normal(size=network.backbone.conv_head.weight.shape))
        )
    hashes = [f"{i:064x}" for i in range(60)]
    former = BaseVersion("fruit.1", network, PACKAGED, frozenset(hashes[:30]))
    head = replace(fit_head(features, targets, LABELS), log_loss=0.0)  # so that fine-tuning is not tried
    found = run_improve(polygons, 5, head=head, former=former, hashes=hashes)
    assert found.network is None
    assert found.facts["start"]["kept"] is False
    assert found.facts["start"]["held_out_images"] == 12
    assert any("'fruit.1'" in note and FROZEN_NAME in note for note in found.notes)

    seen_all = replace(former, learnt=frozenset(hashes))
    found = run_improve(polygons, 5, head=head, former=seen_all, hashes=hashes)
    assert any("'fruit.1'" in note and "nearly all" in note for note in found.notes)
    assert "start" not in found.facts


def test_a_better_former_version_is_started_from(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    paths, targets, features = polygons
    network = ImageClassifier(load_backbone(), SMALL.features, LABELS)
    with torch.no_grad():
        network.backbone.bn2.bias.add_(0.01)
    hashes = [f"{i:064x}" for i in range(60)]
    former = BaseVersion("fruit.1", network, PACKAGED, frozenset())
    noise = np.random.default_rng(0).normal(size=features.shape).astype(np.float32)  # carries no information
    head = replace(fit_head(features, targets, LABELS), log_loss=0.0)
    found = run_improve((paths, targets, noise), 5, head=head, former=former, hashes=hashes)
    assert found.facts["start"]["kept"] is True
    assert found.network is not None
    assert torch.equal(found.network.backbone.bn2.bias, network.backbone.bn2.bias)
    assert found.network.head is not network.head


def test_base_with_the_same_backbone_is_skipped(
    polygons: tuple[list[str], np.ndarray, np.ndarray],
) -> None:
    _, targets, features = polygons
    head = replace(fit_head(features, targets, LABELS), log_loss=0.0)
    network = ImageClassifier(load_backbone(), SMALL.features, LABELS)
    found = run_improve(polygons, 5, head=head, former=BaseVersion("fruit.1", network, PACKAGED, frozenset()))
    assert found.network is None
    assert "features of unchanged images are reused" in found.notes[0]
    found = run_improve(
        polygons, 5, head=head, former=BaseVersion("fruit.1", network, "timm/resnet18.a1_in1k", frozenset())
    )
    assert "its backbone is timm/resnet18.a1_in1k" in found.notes[0]


def test_mismatched_arguments_are_refused(polygons: tuple[list[str], np.ndarray, np.ndarray]) -> None:
    paths, targets, features = polygons
    head = fit_head(features, targets, LABELS)
    with pytest.raises(InputError, match="images 59 items"):
        improve(head, features, targets, paths[:-1], SMALL, options(5), Events())
    with pytest.raises(InputError, match="hashes 1 items"):
        improve(head, features, targets, paths, SMALL, options(5), Events(), hashes=["a"])
