"""Tests of workers on a Ray cluster, one for all: each node is a few processes that take seconds to start."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import HelperError, InputError
from customlabels_nb.events import Events, Progress
from customlabels_nb.workers.protocol import WorkerJob
from customlabels_nb.workers.ray_workers import RayWorkers
from tests.conftest import ROOT
from tests.inference.conftest import blots, model_folder
from tests.s3_server import Bucket
from tests.workers.ray_cluster import LocalCluster, ray_cluster

__all__ = ["blots", "model_folder"]

COPIES = 8
ORDER = ["image", "label"]


@pytest.fixture(scope="module")
def cluster(_client: Any) -> Iterator[LocalCluster]:
    """Yield a cluster with a node of two CPUs, whose workers have the environment of the S3 server."""
    with ray_cluster() as started:
        started.nodes.append(started.add_node(2))
        yield started


@pytest.fixture(scope="module")
def model(model_folder: Path) -> cl.LoadedModel:
    return cl.load_model(model_folder).start("cpu", engine="torch")


def worker_pids() -> list[int]:
    """Return the process IDs of the actors that have been started."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended
            if one.name().startswith("ray::_Worker") and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
    return found


def by_chunks(works: list[Callable[[], None]]) -> Events:
    """Return events that call one function after each finished chunk."""
    left, events = list(works), Events()

    def note(event: object) -> None:
        if isinstance(event, Progress) and event.done and left:
            left.pop(0)()

    events.subscribe(note)
    return events


@pytest.mark.exhaustive
def test_workers_and_nodes_that_come_and_go_change_nothing(
    cluster: LocalCluster, bucket: Bucket, model: cl.LoadedModel, blots: dict[str, list[str]]
) -> None:
    files = [path for paths in blots.values() for path in paths]
    once = model.detect_many(files, threshold=0, progress=False)
    copies = []
    for copy in range(COPIES):
        names = {
            path: bucket.put(f"photos/{copy}-{at:02}.jpg", Path(path).read_bytes()) for at, path in enumerate(files)
        }
        copies.append(once.assign(image=once["image"].map(names)))
    expected = pd.concat(copies, ignore_index=True)
    bad = bucket.put("photos/bad.jpg", b"no image")
    url, to = f"{bucket.url}/photos/", f"{bucket.url}/found/"

    def kill_worker() -> None:
        os.kill(worker_pids()[0], signal.SIGKILL)

    def replace_node() -> None:
        cluster.nodes.append(cluster.add_node(2))
        cluster.remove_node(cluster.nodes.pop(0))

    events = by_chunks([kill_worker, replace_node])
    bucket.server.seconds = 0.05  # so that the run takes longer than a node takes to start
    found = model.detect_many(url, threshold=0, to=to, workers=2, backend="ray", events=events, progress=False)
    bucket.server.seconds = 0.0
    assert (found.images, found.left) == (COPIES * len(files) + 1, 0)
    for _ in range(1200):  # killed actors end later, on a busy machine much later
        if not worker_pids():
            break
        time.sleep(0.1)
    assert not worker_pids(), "all workers have ended"
    table = found.table()
    assert table["image"].value_counts().eq(3).all(), "no image is there twice"
    table.attrs, errors = {}, table.attrs["errors"]
    pd.testing.assert_frame_equal(*(one.sort_values(ORDER, ignore_index=True) for one in (table, expected)), atol=1e-5)
    assert [error["image"] for error in errors] == [bad]


@pytest.mark.thorough
def test_error_names_what_differs_on_a_worker(
    cluster: LocalCluster, bucket: Bucket, model: cl.LoadedModel, blots: dict[str, list[str]], tmp_path: Path
) -> None:
    import ray

    url = bucket.put("photos/1.jpg", Path(blots["red"][0]).read_bytes())
    other = tmp_path / "torch-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n")
    cases = {
        r"^The worker on .+ has torch 9\.9, but the driver has torch \d.* Install the same version on both\.$": {
            "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"], str(ROOT)])
        },
        rf"^The worker on .+ cannot read '{url}': .*credentials": {
            "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": "/none",
        },
    }  # fmt: skip
    for message, variables in cases.items():
        ray.init(cluster.address, runtime_env={"env_vars": variables}, log_to_driver=False)
        try:
            with pytest.raises(HelperError, match=message):
                model.detect_many(
                    [url], to=f"{bucket.url}/found/", resume=True, workers=1, backend="ray", progress=False
                )
            assert ray.is_initialized(), "the user's own connection is kept"
        finally:
            ray.shutdown()


@pytest.mark.thorough
def test_local_paths_need_a_shared_disk(
    cluster: LocalCluster, bucket: Bucket, model: cl.LoadedModel, blots: dict[str, list[str]], tmp_path: Path
) -> None:
    url = bucket.put("photos/1.jpg", Path(blots["red"][0]).read_bytes())
    for names, to in ((blots["red"], f"{bucket.url}/found/"), ([url], tmp_path / "refused")):
        with pytest.raises(InputError, match=r"is a path on this machine.*shared_filesystem=True"):
            model.detect_many(names, to=to, workers=1, backend="ray")
    options = {"to": tmp_path / "found", "workers": 1, "backend": "ray", "shared_filesystem": True}
    found = model.detect_many(blots["red"], progress=False, **options)
    pd.testing.assert_frame_equal(found.table(), model.detect_many(blots["red"], progress=False), atol=1e-5)


@pytest.mark.parametrize(
    ("address", "mode", "message"),
    [
        (None, None, r"RAY_ADDRESS is not set.*workers=4"),
        ("ray://10.0.0.5:10001", "token", r"RAY_ADDRESS='ray://10\.0\.0\.5:10001' is not host:port"),
        ("local", "token", r"RAY_ADDRESS='local' is not host:port"),
        ("10.0.0.5:6379", None, r"'10\.0\.0\.5', which other machines can reach, without a token.*RAY_AUTH_MODE=token"),
        ("10.0.0.5:6379", "disabled", "without a token"),
        ("[fe80::1]:6379", None, "'fe80::1'.* without a token"),
        ("localhost.example.com:6379", None, "without a token"),
    ],
)
def test_unsafe_addresses_are_refused_before_connecting(
    monkeypatch: pytest.MonkeyPatch, address: str | None, mode: str | None, message: str
) -> None:
    for name, value in (("RAY_ADDRESS", address), ("RAY_AUTH_MODE", mode)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message):
        RayWorkers(WorkerJob("nothing:here"), 1)
