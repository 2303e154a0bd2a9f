"""Workers on a Ray cluster of this machine compared with the product in one process.

All contenders take turns: ``detect_many`` in one process with one thread and with all cores, and on Ray with one worker
and with two. Rates and CPU seconds count from when each worker has finished its first chunk, so that neither the start
of a worker nor that of the cluster is part of them. CPU seconds on Ray include those of the cluster's own processes.
Photos are real ones, repeated as often as necessary.

``memory`` is the memory of a driver for a million names above that for one name. Its images do not exist, so that each
is an error, and a worker answers for a chunk at once.

    python benchmarks/cluster.py [--only rates] [--count 1200] [--rounds 3] [--names 1000000] [--images photos]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from _measure import ROOT, alternate, bound, cores, figure, heading, in_fresh_process, last_json, ratio, spread, start
from inference import _jpegs, _models

sys.path.insert(0, str(ROOT))
from tests.workers.ray_cluster import ray_cluster

_WORKER = str(Path(__file__).parent / "_cluster_worker.py")
_DRIVER = """
import json, resource, sys, tempfile
from pathlib import Path
import psutil
import customlabels_nb as cl
from customlabels_nb.inference import detect_many
from customlabels_nb.workers.protocol import TaskOutcome

class Instant:
    count = 2
    def __init__(self): self.tasks = []
    def ready(self): return 2
    def room(self): return 4 - len(self.tasks)
    def submit(self, number, task): self.tasks.append(number)
    def wait(self, seconds):
        tasks, self.tasks = self.tasks, []
        return [TaskOutcome(number, "done", {"mark": None, "found": 0, "errors": []}) for number in tasks]
    def close(self): pass

detect_many.open_workers = lambda *arguments, **options: Instant()
model = cl.load_model(sys.argv[1]).start("cpu", engine="torch")
with tempfile.TemporaryDirectory() as folder:
    model.detect_many(["0.jpg"], to=Path(folder, "first"), workers=2, progress=False)
    before = psutil.Process().memory_info().rss
    names = [f"/data/photos/2026/11/IMG_{number:08}.jpg" for number in range(int(sys.argv[2]))]
    found = model.detect_many(names, to=Path(folder, "found"), workers=2, progress=False)
    assert (found.images, found.left) == (len(names), 0)
    journal = sum(path.stat().st_size for path in Path(folder, "found").iterdir())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"above": (peak - before) / 1e6, "disk": journal / 1e6}))
"""


def rates(folder: Path, photos: Path, model: Path, rounds: int) -> None:
    """Compare rates and CPU seconds of the contenders in turn."""
    contenders = {"1 thread": (1, 0), f"{cores()} threads": (cores(), 0), "1 worker": (1, 1), "2 workers": (1, 2)}
    kept: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}

    def run(name: str) -> float:
        threads, workers = contenders[name]
        os.environ |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        to = folder / f"{name}-{len(kept[name])}"
        more = [str(workers)] if workers else []
        answer = last_json([sys.executable, _WORKER, str(model), str(photos), str(to), *more])
        kept[name].append(answer)
        return float(answer["rate"])

    with ray_cluster() as cluster:
        cluster.add_node()
        cluster.add_node()
        single, both, one, two = alternate(rounds, *(lambda name=name: run(name) for name in contenders))
    heading(f"Images/s, {rounds} rounds in turn:")
    for name, values in zip(contenders, (single, both, one, two), strict=True):
        cpu = statistics.median(answer["cpu"] for answer in kept[name])
        figure(name, f"{spread(values, '/s')}, {1000 * cpu:.1f} CPU ms an image")
    bound("one worker over one process with one thread", ratio(one, single), "×", at_least=0.9)
    bound("two workers over one worker", ratio(two, one), "×", at_least=1.6)
    bound(f"two workers over one process with {cores()} threads", ratio(two, both), "×", at_least=0.9)
    cpus = {name: [answer["cpu"] for answer in kept[name]] for name in contenders}
    bound("CPU seconds of one worker over one thread", ratio(cpus["1 worker"], cpus["1 thread"]), "×", at_most=1.1)
    bound("CPU seconds of two workers over one thread", ratio(cpus["2 workers"], cpus["1 thread"]), "×", at_most=1.1)


def memory(model: Path, names: int) -> None:
    """Measure the memory of a driver for many names."""
    answer = in_fresh_process(_DRIVER, str(model), str(names))
    heading(f"A driver with {names:,} names:")
    bound("peak memory above the start", answer["above"], " MB", at_most=300)
    figure("listing and journal on the disk", f"{answer['disk']:.1f} MB")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", choices=["rates", "memory"])
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", type=int, default=1_000_000)
    options, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    photos = start(__doc__)
    with tempfile.TemporaryDirectory() as own:
        folder = Path(own)
        model = _models(folder)["classifier"]
        if options.only != "memory":
            _jpegs(sorted(photos.rglob("*.jpg")), folder / "photos", options.count)
            rates(folder, folder / "photos", model, options.rounds)
        if options.only != "rates":
            memory(model, options.names)


if __name__ == "__main__":
    main()
