"""Training time compared with its budget, and the number of threads it chooses, with and without a busy core.

``project.train(budget=...)`` runs in a new process, timed from the call until the model is evaluated and stored,
while another process keeps one core busy. The result is the total over 1.25 × budget + 10 s + the time announced
beforehand as exceeding the budget. The detector is trained on the raccoons, the classifier on small grey rotated
cut-outs of the fruit photos, which are hard enough that it is fine-tuned. Then images/s of the packaged backbone are
measured with one thread, with two, and with the number that the trial chooses, in turn.

    python benchmarks/budget.py [--budget 40] [--only detector|classifier|threads] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from _measure import alternate, bound, cores, figure, heading, in_fresh_process, spread
from _training_photos import folder_of

PARTS = ("detector", "classifier", "threads")
SHARE, MORE = 1.25, 10.0

_TRAIN = """
import json, random, re, sys, tempfile, time
from pathlib import Path
from PIL import Image, ImageOps
import customlabels_nb as cl

part, photos, budget = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
with tempfile.TemporaryDirectory() as folder:
    if part == "detector":
        project = cl.create_project("raccoon", folder, task="boxes")
        dataset = cl.read_dataset(photos / "annotations", images=photos / "images")
        project.import_dataset(dataset, split="train")
    else:
        rng = random.Random(0)
        for path in sorted(photos.glob("*/*.jpg")):
            photo = ImageOps.grayscale(Image.open(path)).resize((96, 96))
            for i in range(6):
                left, top = rng.randrange(48), rng.randrange(48)
                cut = photo.rotate(rng.uniform(0, 360)).crop((left, top, left + 48, top + 48)).resize((24, 24))
                target = Path(folder, "cut", path.parent.name, f"{path.stem}-{i}.png")
                target.parent.mkdir(parents=True, exist_ok=True)
                cut.resize((300, 300)).save(target)
        project = cl.create_project("turned", folder)
        project.add_images(Path(folder, "cut"), labels_from="folders", progress=False)
    project.distribute(test_fraction=0.2)
    said, started = [], time.perf_counter()

    def hear(event):
        if isinstance(event, cl.events.Message):
            said.append((time.perf_counter() - started, event.text))

    model = project.train(budget=budget, device="cpu", progress=False, events=cl.Events(hear))
    total = time.perf_counter() - started
    project.close()
announced = sum(float(found) for _, text in said for found in re.findall(r"about (\\d+) s, beyond", text))
print(json.dumps({"total": total, "announced": announced, "said": said}))
"""
_SPEED = """
import json, sys, time
import numpy as np, torch
from customlabels_nb.models.backbones import load_backbone
from customlabels_nb.models.transforms import to_batch

network, asked = load_backbone(), sys.argv[1]
chosen = int(asked) if asked != "chosen" else None
if chosen is None:
    from customlabels_nb.models.compute_threads import fastest_threads
    chosen = fastest_threads()
torch.set_num_threads(chosen)
batch = to_batch([np.zeros((3, 224, 224), dtype=np.uint8)] * 4, (0.5,) * 3, (0.25,) * 3, "cpu")
done, started = 0, time.perf_counter()
with torch.inference_mode():
    while time.perf_counter() - started < 4:
        network(batch)
        done += len(batch)
print(json.dumps({"speed": done / (time.perf_counter() - started), "threads": chosen}))
"""


@contextmanager
def busy_core(*, busy: bool = True) -> Iterator[None]:
    """Keep one core busy with another process."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=40.0)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{cores()} cores, load {os.getloadavg()[0]:.1f}")
    for part in PARTS if options.only is None else (options.only,):
        photos = folder_of("raccoon" if part == "detector" else "fruit")
        if part == "threads":
            threads(options.rounds)
        elif photos.is_dir():
            train(part, str(photos), options.budget)
        else:
            print(f"There are no photos in {photos}, so the {part} is skipped.")


def train(part: str, photos: str, budget: float) -> None:
    """Print the duration of a training with its bound, and its messages with their times."""
    heading(f"{part}, budget {budget:g} s, one core busy:")
    with busy_core():
        found = in_fresh_process(_TRAIN, part, photos, f"{budget}")
    for at, text in found["said"]:
        print(f"    {at:6.1f} s  {text}")
    allowed = SHARE * budget + MORE + found["announced"]
    figure("total time, announced excess", f"{found['total']:.1f} s, {found['announced']:.0f} s")
    bound("total / (1.25 × budget + 10 s + announced)", found["total"] / allowed, "", at_most=1.0)


def threads(rounds: int) -> None:
    """Print images/s with one thread, with two and with the chosen number."""
    for busy in (False, True):
        heading(f"the packaged backbone, {'one core busy' if busy else 'idle machine'}, images/s:")
        chosen: list[int] = []

        def speed(asked: str, chosen: list[int] = chosen) -> float:
            found = in_fresh_process(_SPEED, asked)
            chosen += [found["threads"]] if asked == "chosen" else []
            return float(found["speed"])

        with busy_core(busy=busy):
            one, two, ours = alternate(rounds, lambda: speed("1"), lambda: speed("2"), lambda: speed("chosen"))
        figure("one thread", spread(one, ""))
        figure("two threads", spread(two, ""))
        figure(f"chosen: {chosen}", spread(ours, ""))
        best = [max(pair) for pair in zip(one, two, strict=True)]
        bound("chosen / the better of both", sorted(a / b for a, b in zip(ours, best, strict=True))[rounds // 2], "",
              at_least=0.85)  # fmt: skip


if __name__ == "__main__":
    main()
