"""Everything that is measured on an NVIDIA GPU: one command prints all figures with the name of the card.

The tests marked ``cuda`` (equal results, two models at once, memory given back, halved batches, training). The
backbones of each size. ``detect_many`` with a classifier and a detector in both engines beside the limit set by
decoding and the network. JPEGs decoded by nvJPEG beside Pillow, with the difference in confidence that this makes.
Training with automatic mixed precision beside the CPU at equal steps. D-FINE and RF-DETR trained, and SAM 2.1, beside
the CPU. Without photos, they are drawn.

    python benchmarks/gpu.py [--photos DIR] [--images 2000] [--steps 60] [--seeds 3] [--only SECTION …] [--tiny]

``--tiny`` runs everything but the tests on a CPU with few images and steps, to check this program.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import backbones
import numpy as np
import torch
import torchvision
import transformers
from _gallery_screens import draw_photos
from _inference_worker import parts
from _measure import ROOT, bound, cores, figure, heading, spread
from _training_judging import judge, train_and_judge
from _training_photos import folder_of, photos
from inference import Bench
from PIL import Image

from customlabels_nb.events import Events
from customlabels_nb.images.outlining import Click
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.inference.engines.names import BFLOAT16, TORCH
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.detector_shape import TRANSFORMERS_DETECTORS
from customlabels_nb.models.half_precision import has_bfloat16
from customlabels_nb.models.pretrained.sam2 import Sam2Segmenter
from customlabels_nb.models.pretrained.weights import find_weights
from customlabels_nb.training.budget import parse_budget
from customlabels_nb.training.detection_data import DetectionOptions
from customlabels_nb.training.detection_learner import truth_table
from customlabels_nb.training.detector_recipe import predict_boxes, train_detector
from customlabels_nb.user_settings import settings

sys.path.insert(0, str(ROOT))

_DRAWN = 200
_DECODED_AT_ONCE = 32
_MOST_SECONDS = 480
SECTIONS = ("tests", "backbones", "inference", "nvjpeg", "training", "detectors", "outlines")


@dataclass(frozen=True)
class Sizes:
    """Device of the measurements and how much is measured."""

    device: str
    images: int
    steps: int
    seeds: int
    rounds: int = 3
    squares: int = 96
    input_size: int | None = None


TINY = Sizes("cpu", images=4, steps=2, seeds=1, rounds=1, squares=2, input_size=128)


def tests() -> None:
    """Run the tests that need a GPU."""
    heading("Tests marked cuda:")
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-m", "cuda", "tests/inference/test_cuda.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    figure("summary", done.stdout.strip().rpartition("\n")[2])
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-2000:])
        raise RuntimeError("tests failed")


def inference(bench: Bench, sizes: Sizes) -> None:
    """Compare ``detect_many`` with the slower of decoding and the network, in float32 and, if possible, bfloat16."""
    engines = (TORCH, BFLOAT16) if sizes.device != "cpu" and has_bfloat16(sizes.device) else (TORCH,)
    for model, folder in bench.models.items():
        for engine in engines:
            task = {"model": str(folder), "images": bench.images, "threads": cores(), "device": sizes.device}
            runs = [parts({**task, "engine": engine}) for _ in range(sizes.rounds)]
            heading(f"detect_many, {model}, {engine}, {sizes.images:,} JPEGs of at most a megapixel, images/s:")
            for name in ("decode", "forward", "together"):
                figure(name, spread([sizes.images / run[name] for run in runs], "/s"))
            shares = [max(run["decode"], run["forward"]) / run["together"] for run in runs]
            bound("share of min(decode, forward), median", statistics.median(shares), "", at_least=0.8)


def nvjpeg(bench: Bench, sizes: Sizes) -> None:
    """Decode and resize JPEGs on the device with torchvision, and compare the confidences with those from Pillow.

    The package does not use this decoder, because torchvision has announced that it will be removed.
    """
    from torch.nn.functional import interpolate
    from torchvision.io import ImageReadMode, decode_jpeg

    predictor = Predictor(bench.models["classifier"])
    predictor.start(sizes.device)
    postprocessor, side = Postprocessor(predictor), predictor.config.input_size

    def on_device(names: Sequence[str]) -> Any:
        files = [torch.frombuffer(bytearray(Path(name).read_bytes()), dtype=torch.uint8) for name in names]
        whole = decode_jpeg(files, mode=ImageReadMode.RGB, device=sizes.device)
        how: dict[str, Any] = {"size": (side, side), "mode": "bicubic", "antialias": True}
        small = [interpolate(one[None].float(), **how).round_().clamp_(0, 255).byte() for one in whole]
        return torch.cat(small).cpu().numpy()

    def in_batches() -> list[Any]:
        step = _DECODED_AT_ONCE
        return [one for at in range(0, len(bench.images), step) for one in on_device(bench.images[at : at + step])]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the announced removal
        on_device(bench.images[:2])
        started = time.perf_counter()
        found = in_batches()
        taken = time.perf_counter() - started
    some = range(0, len(bench.images), len(bench.images) // 64 + 1)
    theirs: list[Any] = [postprocessor.prepare(read_bytes(bench.images[at]), bench.images[at]) for at in some]
    apart = np.abs(predictor.probabilities([found[at] for at in some]) - predictor.probabilities(theirs)).max()
    predictor.stop()
    heading(f"JPEGs decoded and resized by torchvision on {sizes.device}, one thread:")
    figure("images/s", f"{len(bench.images) / taken:,.0f}/s")
    bound("largest difference in confidence from Pillow", float(apart), "", at_most=0.02)


def transformers_detectors(folder: Path, sizes: Sizes) -> None:
    """Train D-FINE and RF-DETR, and compare the trained networks on the device with the CPU.

    Without downloaded weights, the networks have random ones and the default shapes of transformers, so that their
    accuracy means nothing.
    """
    from tests.models.tiny_detectors import write_tiny_detector

    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    names = [name for name in TRANSFORMERS_DETECTORS if find_weights(name) is not None]
    if not names and sizes == TINY:
        names = [str(write_tiny_detector(family, folder / family)) for family in ("d_fine", "rf_detr")]
    elif not names:
        networks = (
            transformers.DFineForObjectDetection(transformers.DFineConfig()),
            transformers.RfDetrForObjectDetection(transformers.RfDetrConfig()),
        )
        for network in networks:
            network.save_pretrained(folder / network.config.model_type)
            names.append(str(folder / network.config.model_type))
    train, test, labels = scenes(folder / "scenes", sizes)
    images = [one.image for one in test]
    truth = truth_table(images, test, labels)
    for name in names:
        budget = parse_budget(None, sizes.steps)
        how = DetectionOptions(budget, device=sizes.device, detector=name, input_size=sizes.input_size)
        started = time.perf_counter()
        trained = train_detector(train, labels, how, Events())
        seconds = time.perf_counter() - started
        found, read, _ = predict_boxes(trained, images, labels, root=None, events=Events())
        started = time.perf_counter()
        predict_boxes(trained, images, labels, root=None, events=Events())
        rate = len(images) / (time.perf_counter() - started)
        ap50, ap = judge(truth, found, read, labels)
        parameters = sum(part.numel() for part in trained.network.parameters()) / 1e6
        heading(f"{Path(name).name}, {parameters:.0f} M parameters, {trained.input_size} px, {sizes.steps} steps:")
        figure("training", f"{seconds:.0f} s, AP50 {ap50:.3f}, AP {ap:.3f}")
        figure("detection, one image at a time", f"{rate:,.3g} images/s")
        some: Any = torch.rand(2, 3, trained.input_size, trained.input_size)
        with torch.inference_mode():
            here = trained.network.candidates(some.to(sizes.device))[1].cpu()
            there = trained.network.cpu().candidates(some)[1]
        bound("largest difference in confidence from the CPU", float((here - there).abs().max()), "", at_most=0.02)


def outlines(folder: Path, sizes: Sizes) -> None:
    """Compare SAM 2.1 with its real shape and random weights on the device with the CPU."""
    from foundation import SIZE, write_model

    write_model(folder / "sam2")
    weights = find_weights(str(folder / "sam2"))
    assert weights is not None
    picture = Image.effect_noise(SIZE, 60).convert("RGB")
    clicks = [Click(SIZE[0] / 3, SIZE[1] / 2, True)]
    masks = []
    heading("SAM 2.1 hiera tiny with random weights, seconds:")
    for device in dict.fromkeys((sizes.device, "cpu")):
        segmenter = Sam2Segmenter(weights, device)
        encoded = segmenter.encode(picture)
        segmenter.mask(encoded, SIZE, clicks=clicks)
        encoding, decoding = [], []
        for _ in range(sizes.rounds):
            started = time.perf_counter()
            encoded = segmenter.encode(picture)
            encoding.append(time.perf_counter() - started)
            started = time.perf_counter()
            mask = segmenter.mask(encoded, SIZE, clicks=clicks)[0]
            decoding.append(time.perf_counter() - started)
        masks.append(mask > 0)
        figure(f"encode an image, {device}", spread(encoding, " s"))
        figure(f"decode a click, {device}", spread(decoding, " s"))
    overlap = float((masks[0] & masks[-1]).sum() / max(1, (masks[0] | masks[-1]).sum()))
    bound("IoU of the masks of device and CPU", overlap, "", at_least=0.9)


def scenes(folder: Path, sizes: Sizes) -> Any:
    """Return training and test examples and their labels: drawn squares or photos of raccoons."""
    from tests.training.drawn import drawn_squares

    if not sizes.squares:
        return photos("raccoon")
    train, test = (
        drawn_squares(folder / split, sizes.squares, size=(256, 192), sides=(30, 80), random_state=random_state)
        for random_state, split in enumerate(("train", "test"))
    )
    return train, test, ["red", "blue"]


def training(folder: Path, sizes: Sizes) -> None:
    """Train detectors on the device and on the CPU for the same number of steps."""
    train, test, labels = scenes(folder, sizes)
    names = [one.image for one in test]
    truth = truth_table(names, test, labels)
    what = "drawn squares" if sizes.squares else "raccoons"
    heading(f"Detectors of {what}, {sizes.steps} steps, mixed precision on {sizes.device} and float32 on cpu:")
    scores: dict[str, list[float]] = {sizes.device: [], "cpu": []}
    for random_state in range(sizes.seeds):
        for device, kept in scores.items():
            how: dict[str, Any] = {"budget": None, "steps": sizes.steps, "input_size": sizes.input_size}
            what = f"{device}, seed {random_state}"
            kept.append(
                train_and_judge(what, train, names, truth, labels, random_state=random_state, device=device, **how)[1]
            )
    apart = statistics.mean(scores[sizes.device]) - statistics.mean(scores["cpu"])
    bound("mean AP on the device minus that on the CPU", apart, "", at_least=-0.03)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, print the results, and return 1 if a section failed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, metavar="DIR", help="folder of JPEGs, searched recursively")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="run only these sections")
    parser.add_argument("--tiny", action="store_true", help="check this program on a CPU")
    options = parser.parse_args(arguments)
    if not options.tiny and not torch.cuda.is_available():
        print("PyTorch finds no NVIDIA GPU, so nothing was measured. --tiny checks this program on a CPU.")
        return 0
    squares = 0 if folder_of("raccoon").is_dir() else 96
    sizes = TINY if options.tiny else Sizes("cuda", options.images, options.steps, options.seeds, squares=squares)
    where = options.photos or folder_of("fruit")
    started, settings.threads = time.perf_counter(), cores()
    versions = f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}"
    print(f"{device_name(sizes.device)}, {versions}, {cores()} cores")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shown = sorted(where.absolute().rglob("*.jpg"))
        if options.tiny or not shown:
            draw_photos(folder / "drawn", min(_DRAWN, sizes.images))
            shown = sorted((folder / "drawn").iterdir())
        bench = Bench(folder, shown, sizes.images)
        sections: dict[str, Callable[[], None]] = {
            "inference": lambda: inference(bench, sizes),
            "nvjpeg": lambda: nvjpeg(bench, sizes),
            "training": lambda: training(folder, sizes),
            "detectors": lambda: transformers_detectors(folder, sizes),
            "outlines": lambda: outlines(folder, sizes),
        }
        if not options.tiny:
            sections = {"tests": tests, "backbones": lambda: backbones.measure(sizes.device), **sections}
        chosen = [name for name in sections if not options.only or name in options.only]
        failed = [name for name in chosen if not succeeds(name, sections[name])]
    heading("In all:")
    bound("time", time.perf_counter() - started, " s", at_most=_MOST_SECONDS)
    return int(bool(failed))


def succeeds(name: str, section: Callable[[], None]) -> bool:
    """Run a section, and return False if it failed, so that the others still run."""
    try:
        section()
    except Exception as error:
        traceback.print_exc()
        figure("FAILED", f"{name}: {type(error).__name__}: {error}")
        return False
    return True


def device_name(device: str) -> str:
    """Return the name and memory of the GPU, or the name of a different device."""
    if device == "cpu":
        return device
    facts = torch.cuda.get_device_properties(device)
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


if __name__ == "__main__":
    sys.exit(main())
