"""SAM 2.1 and SigLIP 2 in this package beside the bare models of transformers, with the real shapes and random weights.

Random weights compute as fast as trained ones, so nothing is downloaded, and no outline means anything. Encoding and
decoding take turns with the bare model, with the same threads. A click is measured from the request of the screen to
the polygon, on an encoded image. Memory and the first use are measured in new processes. A search is compared with the
product of a float32 matrix and the vector.

    python benchmarks/foundation.py [--only sam2|siglip2] [--threads 2] [--rounds 5] [--clicks 40]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from _foundation_search import measure_images, measure_search, measure_texts, write_siglip
from _measure import bound, cores, figure, heading, in_fresh_process, ratio, spread
from PIL import Image
from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

from customlabels_nb.images.outlining import Click
from customlabels_nb.labeling.outliner import Outliner
from customlabels_nb.models.pretrained.sam2 import Sam2Segmenter
from customlabels_nb.models.pretrained.weights import find_weights
from customlabels_nb.remote.content_cache import ContentCache
from customlabels_nb.user_settings import settings

MEGA = 1e6
SIZE = (1600, 1200)
DECODES = 6  # in a round
FRESH = 3  # processes
IMAGES, IN_MEMORY = 9, 4
IMAGE_MB = 8.4

MEMORY = """
import json, os, resource, sys, weakref
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from customlabels_nb.labeling.outliner import Outliner
from customlabels_nb.remote.content_cache import ContentCache
from customlabels_nb.user_settings import settings


class StandIn:
    name, version = "stand-in", "1"

    def encode(self, image):
        features = np.ones(2**22, np.float16)
        made.append(weakref.ref(features))
        return {"all": features}

    def mask(self, *args, **prompts):
        return None


def rss():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(engine, images):
    settings.outline_engine = engine
    sizes = [rss()]
    for number in range(images):
        outliner.prepare((f"{number}.jpg", f"{number}")).result()
        sizes.append(rss())
    return sizes


made = []
folder, threads, images = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
picture = Image.effect_noise((1600, 1200), 60).convert("RGB")
cache = ContentCache(Path(folder, "memory"), 10**9)
outliner = Outliner(lambda name, known: (picture, known), lambda name: picture, cache)
caches = grow(StandIn(), images)
kept = sum(features().nbytes for features in made if features() is not None)
model = grow(folder, 3)
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"caches": caches, "kept": kept, "model": model, "peak": peak}))
"""
OURS = """
import json, sys, time
started = time.perf_counter()
from customlabels_nb.inference.segmenters import choose_segmenter
choose_segmenter(sys.argv[1], report=lambda text: None)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""
BARE = """
import json, sys, time
started = time.perf_counter()
from transformers import Sam2ImageProcessor, Sam2Model
Sam2ImageProcessor.from_pretrained(sys.argv[1], local_files_only=True)
Sam2Model.from_pretrained(sys.argv[1], local_files_only=True).eval()
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def timed(rounds: int, *works: Callable[[], object], times: int = 1) -> list[tuple[list[float], list[float]]]:
    """Call ``works`` in turn, and return the elapsed and the processor seconds of each in every round."""
    results: list[tuple[list[float], list[float]]] = [([], []) for _ in works]
    for _ in range(rounds):
        for work, (elapsed, processor) in zip(works, results, strict=True):
            started, began = time.perf_counter(), time.process_time()
            for _ in range(times):
                work()
            elapsed.append((time.perf_counter() - started) / times)
            processor.append((time.process_time() - began) / times)
    return results


def write_model(folder: Path) -> None:
    """Save a model with random weights, whose masks are as simple as those of objects."""
    config = Sam2Config()
    vision = config.vision_config
    for part in (config, vision, vision.backbone_config, config.prompt_encoder_config, config.mask_decoder_config):
        part.initializer_range = 0.2
    torch.manual_seed(0)
    Sam2Model(config).save_pretrained(folder)
    Sam2ImageProcessor().save_pretrained(folder)


def beside_the_model(segmenter: Sam2Segmenter, folder: Path, rounds: int, picture: Image.Image) -> None:
    """Compare encoding and decoding with the bare model, in turn."""
    bare = Sam2Model.from_pretrained(folder).eval()
    processor = Sam2ImageProcessor.from_pretrained(folder)
    side = bare.prompt_encoder.input_image_size
    center = {"input_points": torch.tensor([[[[side / 2, side / 2]]]]), "input_labels": torch.tensor([[[1]]])}
    clicks = [Click(SIZE[0] / 2, SIZE[1] / 2, True)]

    def encode() -> Any:
        with torch.inference_mode():
            return bare.get_image_embeddings(processor(images=picture, return_tensors="pt")["pixel_values"])

    def decode() -> Any:
        with torch.inference_mode():
            return bare(image_embeddings=embeddings, multimask_output=True, **center).pred_masks.numpy()

    embeddings, encoded = encode(), segmenter.encode(picture)
    parameters = sum(part.numel() for part in bare.parameters()) / MEGA
    heading(
        f"{parameters:.0f} M parameters, {side} px, {rounds} rounds in turn, elapsed seconds and processor seconds:"
    )
    ours, peer = timed(rounds, lambda: segmenter.encode(picture), encode)
    compare("encode", ours, peer)
    bound("  elapsed, goal on two idle cores", statistics.median(ours[0]), " s", at_most=3)
    compare("decode", *timed(rounds, lambda: segmenter.mask(encoded, SIZE, clicks=clicks), decode, times=DECODES))


def compare(name: str, ours: Sequence[list[float]], peer: Sequence[list[float]]) -> None:
    """Print the times of both, and the ratio of processor seconds, which other programs disturb less."""
    for who, (elapsed, processor) in (("bare model", peer), ("ours", ours)):
        figure(f"{name}, {who}", f"{spread(elapsed, ' s')}, processor {spread(processor, ' s')}")
    bound("  processor seconds beside the bare model", ratio(ours[1], peer[1]), "×", at_most=1.1)


def clicks_to_polygons(segmenter: Sam2Segmenter, folder: Path, clicks: int, picture: Image.Image) -> None:
    """Measure clicks on an encoded image until their polygons are there, and what its features take."""
    heading(f"{clicks} clicks on an encoded image, from the call of the screen to the polygon:")
    settings.outline_engine = segmenter
    outliner = Outliner(lambda *_: (picture, "content"), lambda _: picture, ContentCache(folder / "cache", 10**9))
    image = ("photo.jpg", "content")
    outliner.prepare(image).result()
    places = iter(np.random.default_rng(0).random((clicks + 1, 2)) * SIZE)

    def click() -> None:
        x, y = next(places)
        outliner.find(image, box=None, clicks=[Click(float(x), float(y), True)], view=None).result()

    click()
    ((elapsed, processor),) = timed(clicks, click)
    figure("median, processor seconds", f"{1e3 * statistics.median(processor):.0f} ms")
    figure("median", f"{1e3 * statistics.median(elapsed):.0f} ms")
    bound("95th percentile, goal", 1e3 * float(np.quantile(elapsed, 0.95)), " ms", at_most=250)
    heading("Features of one image:")
    encoded = segmenter.encode(picture)
    bound("in memory", sum(part.nbytes for part in encoded.values()) / MEGA, " MB", at_most=IMAGE_MB)
    (file,) = (folder / "cache").rglob("*.safetensors")
    figure("on the disk", f"{file.stat().st_size / MEGA:.2f} MB")


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("sam2", "siglip2"))
    parser.add_argument("--threads", type=int, default=cores(), help="threads of torch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clicks", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    transformers.logging.disable_progress_bar()
    print(f"{options.threads} threads, {cores()} cores{load}")
    if options.only != "siglip2":
        measure_outlines(options)
    if options.only != "sam2":
        with tempfile.TemporaryDirectory(prefix="siglip2-") as name:
            write_siglip(Path(name))
            measure_texts(Path(name))
            measure_images(Path(name), options.rounds)
            measure_search(Path(name), options.rounds)


def measure_outlines(options: argparse.Namespace) -> None:
    """Measure SAM 2.1."""
    picture = Image.effect_noise(SIZE, 60).convert("RGB")
    with tempfile.TemporaryDirectory(prefix="sam2-") as name:
        folder = Path(name)
        write_model(folder)
        heading(f"First use in {FRESH} new processes in turn, seconds:")
        took = [[float(in_fresh_process(code, name)["seconds"]) for code in (OURS, BARE)] for _ in range(FRESH)]
        ours, peer = map(list, zip(*took, strict=True))
        figure("import transformers and load, bare", spread(peer, " s"))
        figure("the same in this package, files checked", spread(ours, " s"))
        weights = find_weights(name)
        assert weights is not None
        segmenter = Sam2Segmenter(weights, "cpu")
        beside_the_model(segmenter, folder, options.rounds, picture)
        clicks_to_polygons(segmenter, folder, options.clicks, picture)
        memory = in_fresh_process(MEMORY, name, str(options.threads), str(IMAGES))
        caches = [(value - memory["caches"][0]) / MEGA for value in memory["caches"]]
        heading(f"Memory of a new process on Linux, {IMAGES} images, of which {IN_MEMORY} stay in memory:")
        bound("features", memory["kept"] / MEGA, " MB", at_most=IN_MEMORY * IMAGE_MB)
        figure(f"growth of the process after image {IN_MEMORY}", f"{caches[IN_MEMORY]:.1f} MB")
        bound(f"growth of the process after image {IMAGES}", caches[-1], " MB", at_most=IN_MEMORY * IMAGE_MB)
        figure("the process with the model, after 3 images", f"{memory['model'][-1] / MEGA:,.0f} MB")
        figure("the same, peak", f"{memory['peak'] / MEGA:,.0f} MB")


if __name__ == "__main__":
    main()
