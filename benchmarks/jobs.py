"""Labelling jobs with many processes: leases of 10 tasks and single answers, beside bare SQL that does the same leases.

Each labeler is a process with its own connection. "paced" labelers give one answer a second, as people do, and the
others as many as possible. The bare contender is in ``_jobs_worker.py``: it has the same tables and indexes and the
same durable commits, but no roles, skips, gold images, changed answers or lost leases. Both take turns. Times are those
of the labelers' calls. On SQLite, writers of the package queue, while bare SQL serves whichever process retries first,
so that its percentiles hide the processes that starve. PostgreSQL is that of the tests.

    python benchmarks/jobs.py             # about 4 minutes
    python benchmarks/jobs.py --seconds 300 --only postgres
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _jobs_worker import label
from _measure import ROOT, bound, figure, heading, start

from customlabels_nb.core import tables as t
from customlabels_nb.jobs import leases
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.job_list import LabellingJobs
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.store import Action, SqlStore, create_store
from customlabels_nb.user_settings import settings

sys.path.insert(0, str(ROOT))
from tests import provision

POSTGRES_PROCESSES, SQLITE_PROCESSES = 50, 30
LARGE, SMALL = 250_000, 1_000


def new_job(store: SqlStore, images: int) -> LabellingJob:
    """Create a job that asks three people about each image."""
    names = [f"/home/somebody/photos/IMG_{index:06d}.jpg" for index in range(images)]
    table = t.normalise_images(pd.DataFrame({"image": names}))
    store.add_images("train", table, t.empty(t.ANNOTATION_COLUMNS), Action("import", "somebody"))
    store.add_labels([("lemon", None)], Action("add", "somebody"))
    return LabellingJobs(ProjectLocation(Path(), store)).create("job-1", "train", annotators=3)


def run(which: str, url: str, schema: str | None, processes: int, duration: float, pace: float) -> dict[str, Any]:
    """Let many processes label, and return their waits in milliseconds and the number of answers a second."""
    location = url if schema else str(Path(url) / f"{which}-{pace:g}.db")
    own = schema and f"{schema}_{which}_{pace:g}"
    store = create_store(location, "benchmark", schema=own, task="single-label")
    images = max(SMALL, int(processes * duration * (pace or 20)))
    job = new_job(store, images)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["_jobs_worker"])
    pipes = []
    for number in range(processes):
        mine, other = context.Pipe()
        values = (other, which, location, own, job._id, f"person {number}", duration, pace)
        context.Process(target=label, args=values, daemon=True).start()
        pipes.append(mine)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    found = [pipe.recv() for pipe in pipes]
    waits = {name: 1000 * np.concatenate([each[0][name] for each in found]) for name in ("lease", "submit")}
    stored = int(job.progress.answers)
    assert stored == len(waits["submit"]) + processes  # one each before the start
    with store.reading() as connection:
        of_tasks = "SELECT count(*) FROM job_answers WHERE counted = 1 GROUP BY task"
        assert max(row[0] for row in connection.exec_driver_sql(of_tasks)) <= 3
    store.destroy()
    return {**waits, "rate": stored / duration}


def compare(place: str, url: str, schema: str | None, processes: int, duration: float) -> None:
    """Print the results of many processes on one database."""
    limits = {"lease": 40.0, "submit": 30.0} if schema else {"lease": 250.0, "submit": 250.0}
    if schema:
        ours, bare = (run(which, url, schema, processes, duration, 1.0) for which in ("ours", "bare"))
        heading(f"{place}, {processes} processes, 1 answer/s each for {duration:g} s:")
        for name, most in limits.items():
            show(name, ours[name], bare[name], most)
    ours, bare = (run(which, url, schema, processes, duration / 2, 0.0) for which in ("ours", "bare"))
    heading(f"{place}, {processes} processes, as fast as possible for {duration / 2:g} s:")
    bound("answers/s", ours["rate"], "", at_least=200 if schema else 60)
    figure("bare SQL, answers/s", f"{bare['rate']:,.0f} (ratio {ours['rate'] / bare['rate']:.2f})")
    for name in limits:
        show(name, ours[name], bare[name], None if schema else limits[name])


def show(name: str, ours: Any, bare: Any, most: float | None) -> None:
    """Print the 95th percentiles of waits beside those of the bare contender."""
    what = "lease of 10, p95" if name == "lease" else "submit, p95"
    own, peer = float(np.quantile(ours, 0.95)), float(np.quantile(bare, 0.95))
    if most is None:
        figure(what, f"{own:.3g} ms")
    else:
        bound(what, own, " ms", at_most=most)
    figure(f"bare SQL, {what}", f"{peer:.3g} ms (ratio {own / peer:.2f})")


def compare_sizes(place: str, url: str, schema: str | None) -> None:
    """Print the cost of leases and answers of a large job relative to a small one."""
    stores, jobs = [], []
    for images in (SMALL, LARGE):
        location = url if schema else str(Path(url) / f"{images}.db")
        store = create_store(location, "benchmark", schema=schema and f"{schema}_{images}", task="single-label")
        stores.append(store)
        jobs.append(new_job(store, images))
    gc.collect()
    waits: list[dict[str, list[float]]] = [{"lease": [], "submit": []} for _ in jobs]
    for turn in range(90):
        who = f"person {turn % 20}"
        for store, job, kept in zip(stores, jobs, waits, strict=True):
            began = time.perf_counter()
            found = leases.lease(store, job._id, who, 10)
            kept["lease"].append(time.perf_counter() - began)
            for lease in found:
                began = time.perf_counter()
                leases.submit(store, lease, who, "[]", key=lease.token)
                kept["submit"].append(time.perf_counter() - began)
    heading(f"{place}, {LARGE:,} tasks × 3 slots beside {SMALL:,}, in turn:")
    for name in ("lease", "submit"):
        small, large = (float(np.median(kept[name])) for kept in waits)
        bound(f"{name}, median", large / small, "×", at_most=1.3)
    for store in stores:
        store.destroy()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--only", choices=["sqlite", "postgres", "sizes"])
    options, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    start(__doc__, with_images=False)
    settings.user = "manager"
    for place in ("sqlite", "postgres"):
        postgres = place == "postgres"
        with provision.postgres() if postgres else nullcontext() as url, tempfile.TemporaryDirectory() as folder:
            where, schema, processes = (
                (url, "jobs", POSTGRES_PROCESSES) if postgres else (folder, None, SQLITE_PROCESSES)
            )
            name = "PostgreSQL" if postgres else "SQLite"
            if options.only in (None, place):
                compare(name, where, schema, processes, options.seconds)
            if options.only in (None, "sizes"):
                compare_sizes(name, where, schema)


if __name__ == "__main__":
    main()
