"""Run the product of ``cluster.py`` in its own process, with the threads of ``OMP_NUM_THREADS``.

Called with the model's folder, the folder of images, the output folder, and optionally the number of Ray workers.
Prints images a second and CPU seconds an image as JSON, from when every worker has finished its first step.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil

import customlabels_nb as cl
from customlabels_nb.events import Events, Progress
from customlabels_nb.user_settings import settings


def cpu_seconds(*, cluster: bool) -> float:
    """Return the CPU time of this process and perhaps of the cluster's processes, which are its siblings."""
    own = psutil.Process()
    parent = own.parent() if cluster else None
    others = [] if parent is None else parent.children(recursive=True)
    total = 0.0
    for process in [own, *(one for one in others if one.pid != own.pid)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def main() -> None:
    """Run ``detect_many`` and print its rate."""
    folder, photos, to, *more = sys.argv[1:]
    workers = int(more[0]) if more else 0
    settings.threads = int(os.environ["OMP_NUM_THREADS"])
    model = cl.load_model(folder).start("cpu", engine="torch")
    images = sorted(map(str, Path(photos).glob("*.jpg")))
    steps: list[tuple[int, float, float]] = []
    events = Events()

    def note(event: Any) -> None:
        if isinstance(event, Progress):
            steps.append((event.done, time.perf_counter(), cpu_seconds(cluster=workers > 0)))

    events.subscribe(note)
    options: dict[str, Any] = {"workers": workers, "backend": "ray", "shared_filesystem": True} if workers else {}
    found = model.detect_many(images, to=to, events=events, progress=False, **options)
    assert found.images == len(images)
    assert not len(found.errors)
    steps = [step for step in steps if step[0]]
    (first, began, before), (last, ended, after) = steps[max(workers, 1) - 1], steps[-1]
    done = last - first
    print(json.dumps({"rate": done / (ended - began), "cpu": (after - before) / done, "steps": len(steps)}))


if __name__ == "__main__":
    main()
