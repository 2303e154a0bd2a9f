"""Backbones behind ``train(backbone="small" | "base" | "large")``: parameters, licence, input size and speed.

The networks have random weights, which compute as fast as trained ones, so nothing is downloaded. On a CPU, the
processor time of one image is measured, which other programs disturb less than the time that passes. These figures are
the column ``core_seconds`` of ``models/backbones.py``.

    python benchmarks/backbones.py [--device cuda] [--images 8]
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from _measure import bound, figure, heading

from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import (
    CLASSIFIERS,
    DETECTORS,
    backbone_named,
    build_backbone,
    forward_batch,
    freeze,
)
from customlabels_nb.models.half_precision import half_type

ROUNDS = 3


def forward_seconds(name: str, device: str, images: int) -> float:
    """Return the seconds of one image in a forward pass: processor time on a CPU, elapsed time elsewhere."""
    network = freeze(build_backbone(name)).to(device)
    side, gpu = backbone_named(name).input_size, device.startswith("cuda")
    batch = torch.rand(images, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
    clock = time.perf_counter if gpu else time.process_time
    times = []
    with torch.inference_mode(), torch.autocast("cuda", dtype=half_type(device), enabled=gpu):
        for _ in range(ROUNDS + 1):  # the first is the warm-up
            started = clock()
            network(batch)
            if gpu:
                torch.cuda.synchronize(device)
            times.append((clock() - started) / images)
    return statistics.median(times[1:])


def measure(device: str, images: int | None = None) -> None:
    """Print a line for each backbone, and on a CPU compare its cost with the table."""
    half = str(half_type(device)).removeprefix("torch.")
    unit = f"{half}, images/s" if device.startswith("cuda") else "one thread, core-seconds per image"
    heading(f"Backbones with random weights on {device}, {unit}:")
    known = {one.name: one.core_seconds for one in (*CLASSIFIERS.values(), *DETECTORS.values())}
    for name in (PACKAGED, *known):
        facts = backbone_named(name)
        taken = forward_seconds(name, device, images or forward_batch(device))
        about = f"{facts.parameters / 1e6:.1f} M parameters, {facts.licence}, {facts.input_size} px"
        figure(name, f"{1 / taken:,.0f}/s, {about}" if device.startswith("cuda") else f"{taken:.3f} s, {about}")
        if name in known and device == "cpu":
            bound("  its cost over that in the table", taken / known[name], "×", at_most=1.5)


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, help="images in a batch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    measure(options.device, options.images)


if __name__ == "__main__":
    main()
