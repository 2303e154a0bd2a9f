"""Search by text for foundation.py: SigLIP 2 base with its real shape and random weights, and 250,000 vectors."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from _measure import alternate, bound, figure, heading, seconds, spread
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipVisionModel,
)

from customlabels_nb.models.embeddings import describe_features, embed
from customlabels_nb.models.feature_file import feature_key, project_features
from customlabels_nb.models.image_search import ImageSearch
from customlabels_nb.models.pretrained.siglip import embed_text
from customlabels_nb.models.pretrained.transformers_models import quiet
from customlabels_nb.models.transforms import to_batch, to_pixels

VECTORS, CHUNK = 250_000, 25_000
IMAGES = 24
TEXTS = ("a red screw", "a cat on a sofa", "an empty street", "two people", "a nut")


def write_siglip(folder: Path) -> None:
    """Save a model with the shape of siglip2-base-patch32-256, random weights and a tokenizer of a few words."""
    sizes = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    text = {**sizes, "vocab_size": 256_000, "max_position_embeddings": 64, "projection_size": 768}
    torch.manual_seed(0)
    vision = {**sizes, "image_size": 256, "patch_size": 32}
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 256, "width": 256}, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(
        folder
    )
    words = sorted({word for text in TEXTS for word in text.split()})
    numbers = {word: number for number, word in enumerate(["<pad>", "<unk>", *words])}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>").save_pretrained(folder)


def rss() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure_images(folder: Path, rounds: int) -> None:
    """Compare the features of images with the bare image tower, which gets decoded images."""
    rng = np.random.default_rng(0)
    names = []
    for number in range(IMAGES):
        picture = Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).resize((640, 480))
        picture.save(folder / f"{number}.jpg", quality=90)
        names.append(str(folder / f"{number}.jpg"))
    facts = describe_features(str(folder))
    with quiet():
        tower = SiglipVisionModel.from_pretrained(folder).eval()
    pixels = [to_pixels(Image.open(name), facts.input_size) for name in names]

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, IMAGES, 4):
                tower(pixel_values=to_batch(pixels[start : start + 4], facts.mean, facts.std)).pooler_output.numpy()

    embed(names[:4], backbone=str(folder), device="cpu")
    ours, peer = alternate(
        rounds, lambda: seconds(lambda: embed(names, backbone=str(folder), device="cpu")), lambda: seconds(bare)
    )
    heading(f"Features of {IMAGES} photos of 640 × 480 pixels, images/s, {rounds} rounds in turn:")
    figure("bare image tower on decoded images", f"{IMAGES / statistics.median(peer):.2f}")
    figure("ours, with loading, reading and decoding", f"{IMAGES / statistics.median(ours):.2f}")


def measure_texts(folder: Path) -> None:
    """Measure the first text, with the loading of the text tower, and further ones."""
    heading("Text tower:")
    before = rss()
    figure("first text, with loading", f"{seconds(lambda: embed_text(str(folder), TEXTS[0])):.2f} s")
    figure("memory", f"{(rss() - before) / 1e6:,.0f} MB")
    took = [seconds(lambda text=text: embed_text(str(folder), text)) for text in TEXTS[1:]]  # type: ignore[misc]
    figure("another text", spread(took, " s"))


def measure_search(folder: Path, rounds: int) -> None:
    """Compare a search with the bare product of a float32 matrix and the vector."""
    rng = np.random.default_rng(0)
    root = folder / "project"
    root.mkdir()
    file = project_features(root).of(describe_features(str(folder)))
    keys = [f"{number:064x}" for number in range(VECTORS)]
    matrix = np.empty((VECTORS, file.width), dtype=np.float32)
    for start in range(0, VECTORS, CHUNK):
        rows = rng.standard_normal((CHUNK, file.width), dtype=np.float32)
        file.add([feature_key(key) for key in keys[start : start + CHUNK]], rows)
        matrix[start : start + CHUNK] = rows.astype(np.float16)
    vector = embed_text(str(folder), TEXTS[0])
    before = rss()
    search = ImageSearch(root, str(folder))
    heading(f"Search among {VECTORS:,} vectors of {file.width} numbers, {rounds} rounds in turn:")
    figure("first search", f"{seconds(lambda: search.scores(keys, lambda: vector)):.2f} s")
    figure("memory, of which 384 MB are the mapped file", f"{(rss() - before) / 1e6:,.0f} MB")

    def bare() -> float:
        started = time.perf_counter()
        np.asarray(matrix @ vector)
        return time.perf_counter() - started

    ours, peer = alternate(rounds, lambda: seconds(lambda: search.scores(keys, lambda: vector)), bare)
    figure("bare float32 matrix @ query, 768 MB", spread(peer, " s"))
    figure("second search", spread(ours, " s"))
    bound("  beyond the bare product", 1e3 * (statistics.median(ours) - statistics.median(peer)), " ms", at_most=100)
    expected = matrix @ vector / np.linalg.norm(matrix, axis=1)
    found = search.scores(keys, lambda: vector)
    same = (np.argsort(-found, kind="stable")[:100] == np.argsort(-expected, kind="stable")[:100]).mean()
    figure("best 100 at the same place as with float32", f"{same:.0%}")
