"""Tests of detect_many with several workers: the table is the one of a single process, whatever happens meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import HelperError, InputError, ModelError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.inference import detect_many as module
from customlabels_nb.inference.detect_many import detect_many, start_detecting
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections
from customlabels_nb.models import artifact
from customlabels_nb.models.artifact import model_identity
from customlabels_nb.workers.protocol import WorkerJob
from tests.conftest import ROOT
from tests.s3_server import Bucket

DRIVER = """
import sys
from pathlib import Path
from customlabels_nb.inference import detect_many as module
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.predictor import Predictor
if __name__ == "__main__":
    module._CHUNK = 2
    predictor = Predictor(Path(sys.argv[1]))
    predictor.start("cpu", engine="torch")
    to = sys.argv[2]
    detect_many(predictor, sys.argv[3:], to=to, threshold=0, workers=2)
"""


@pytest.fixture(scope="module")
def images(blots: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the paths of 19 images, one of which cannot be read and one of which is named twice."""
    damaged = tmp_path_factory.mktemp("damaged") / "<b>7.jpg"
    damaged.write_bytes(b"no image")
    named = [path for paths in blots.values() for path in paths]
    return [*named[:7], str(damaged), *named[7:], named[0]]


@pytest.fixture(scope="module")
def predictor(model_folder: Path) -> Predictor:
    started = Predictor(model_folder)
    started.start("cpu", engine="torch")
    return started


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 2)


def job_of(predictor: Predictor, to: str, **changed: Any) -> WorkerJob:
    """Return the job that workers get, with arguments that may be changed."""
    arguments = {
        "to": to, "thresholds": 0.0, "max_results": None, "root": None, "current": "", "batch_size": None,
        "device": "cpu", "engine": "torch", "views": 1, "identity": model_identity(predictor.folder, predictor.config),
    }  # fmt: skip
    return WorkerJob("", arguments | changed, model=str(predictor.folder))


def run(
    predictor: Predictor, images: Any, to: Any, *, workers: int = 2, events: Events | None = None, **options: Any
) -> WrittenDetections:
    """Detect with worker processes that write to a folder."""
    found = detect_many(predictor, images, to=to, threshold=0, workers=workers, events=events, **options)
    assert isinstance(found, WrittenDetections)
    return found


def plain(predictor: Predictor, images: list[str]) -> pd.DataFrame:
    found = detect_many(predictor, images, threshold=0)
    assert isinstance(found, pd.DataFrame)
    return found


def same(found: WrittenDetections, table: pd.DataFrame) -> bool:
    """Compare everything that was written with a table, and the folder as others read it with both."""
    pd.testing.assert_frame_equal(found.table(), table, check_exact=False, atol=1e-5)
    assert found.errors["image"].tolist() == [error["image"] for error in table.attrs["errors"]]
    opened = cl.open_results(str(found.path))
    assert (opened.images, opened.found, opened.left) == (found.images, found.found, found.left)
    assert opened.scan().to_table().column("image").to_pylist() == table["image"].tolist()
    pd.testing.assert_frame_equal(opened.head(4), found.table().head(4))
    return True


def after(chunks: int, do: Callable[[], object]) -> Events:
    """Return events that call a function once so many chunks are done."""
    events = Events()
    left = [chunks]

    def listener(event: Event) -> None:
        if isinstance(event, Progress):
            left[0] -= 1
            if left[0] == 0:
                do()

    events.subscribe(listener)
    return events


def helpers(parent: int | None = None) -> list[psutil.Process]:
    """Return the worker processes of a process, by default this one."""
    return [child for child in psutil.Process(parent).children() if "helper_process" in " ".join(child.cmdline())]


def test_a_killed_worker_changes_nothing(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    events = after(2, lambda: helpers()[0].send_signal(signal.SIGKILL))
    found = run(predictor, images, tmp_path / "found", events=events)
    assert same(found, plain(predictor, images))
    assert (found.images, found.left, len(found.errors)) == (20, 0, 1)
    assert helpers() == []
    lines = [json.loads(line) for line in (tmp_path / "found" / "_journal.jsonl").read_bytes().splitlines()[1:]]
    numbers = [number for line in lines for number in range(*line["range"])]
    assert sorted(numbers) == list(range(20))
    # without `to`, the same as a table
    table = detect_many(predictor, images[:4], threshold=0, workers=1)
    pd.testing.assert_frame_equal(table, plain(predictor, images[:4]), check_exact=False, atol=1e-5)
    assert table.attrs["decision"] == dict.fromkeys(predictor.config.labels, 0.0)


@pytest.mark.thorough
def test_killed_driver_with_a_torn_journal_resumes(
    predictor: Predictor, model_folder: Path, images: list[str], tmp_path: Path
) -> None:
    to, whole = tmp_path / "found", plain(predictor, images)
    command = [sys.executable, "-c", DRIVER, str(model_folder), str(to), *images]
    driver = subprocess.Popen(command, cwd=ROOT)
    journal = to / "_journal.jsonl"
    while not journal.is_file() or journal.read_bytes().count(b"\n") < 4:
        assert driver.poll() is None
        time.sleep(0.05)
    workers = helpers(driver.pid)
    driver.kill()
    driver.wait()
    psutil.wait_procs(workers, timeout=60)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    (to / ".0123456789ab.part").write_bytes(b"PAR1")
    begun = cl.open_results(to)
    assert begun.images == 2 * (len(lines) - 2)
    assert begun.left == 20 - begun.images
    # without workers, but with images that were added meanwhile, at the start
    more = [images[3], *images]
    found = detect_many(predictor, more, to=to, threshold=0, resume=True)
    assert isinstance(found, WrittenDetections)
    assert (found.images, found.left) == (21, 0)
    assert same(found, plain(predictor, [*images, images[3]]))
    assert len(whole) == len(found.table()) - 3
    assert not (to / ".0123456789ab.part").exists()


@pytest.mark.thorough
def test_interrupted_run_in_a_bucket_resumes(
    predictor: Predictor, images: list[str], bucket: Bucket, tmp_path: Path
) -> None:
    urls = [bucket.put(f"photos/{number:02}.jpg", Path(image).read_bytes()) for number, image in enumerate(images)]
    to = f"{bucket.url}/found/"

    def interrupt() -> None:
        raise KeyboardInterrupt

    begun = run(predictor, f"{bucket.url}/photos/", to, workers=1, events=after(2, interrupt))  # the first two chunks
    assert (begun.images, begun.left, begun.path) == (4, 16, f"{bucket.url}/found")
    assert helpers() == []
    bucket.put(f"found/_journal/{4:09}-{6:09}-6.jso", b"")  # not a step
    bucket.put(f"found/part-{4:09}-{5:09}.parquet", b"PAR1 and no more")
    with pytest.raises(InputError, match=r"to='s3://.*found' already exists"):
        run(predictor, urls, to)
    found = detect_many(predictor, urls, to=to, threshold=0, resume=True)
    assert isinstance(found, WrittenDetections)
    assert same(found, plain(predictor, urls))
    assert found.errors["image"].tolist() == [urls[7]]
    with pytest.raises(InputError, match="has no results"):
        cl.open_results(f"{bucket.url}/photos/")
    # a worker without access does not count its images as processed, except for those that do not exist
    detect = start_detecting(job_of(predictor, to))
    new = [bucket.put(f"more/{name}.jpg", Path(images[0]).read_bytes()) for name in "ab"]  # in no cache
    bucket.server.refused |= {"a.jpg", "b.jpg"}
    with pytest.raises(OSError, match=r"^'s3://.*/a\.jpg': .*access is denied"):
        detect({"first": 900, "images": new}, Events())
    for names in (new[:1], [new[0], f"{bucket.url}/gone.jpg"]):
        assert len(detect({"first": 900, "images": names}, Events())["errors"]) == len(names)
    bucket.server.refused.clear()
    # a bucket that refuses to be written to
    bucket.server.refused.add(f"part-{0:09}-{2:09}.parquet")
    with pytest.raises(InputError, match=r"^to='s3://.*denied' cannot be written: access is denied"):
        detect_many(predictor, urls[:2], to=f"{bucket.url}/denied", threshold=0)
    assert cl.open_results(f"{bucket.url}/denied").left == 2
    bucket.server.refused.clear()
    assert run(predictor, urls[:2], f"{bucket.url}/denied", workers=1, resume=True).left == 0


def test_unsupported_options_of_workers_are_refused(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found\.jsonl' is one file"):
        run(predictor, images, tmp_path / "found.jsonl")
    with pytest.raises(InputError, match="backend='ray' requires `to`"):
        detect_many(predictor, images, workers=2, backend="ray")
    for sources, words in ((images, "The image '/"), (["s3://bucket/1.jpg"], "to='/")):
        with pytest.raises(InputError, match=f"^{words}.*is a path on this machine.*shared_filesystem=True"):
            detect_many(predictor, sources, to=tmp_path / "found", workers=2, backend="ray")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="file sizes cannot be limited on this system")
def test_full_disk_gives_a_one_line_error(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    to = tmp_path / "found"

    def fill() -> None:
        for worker in helpers():
            worker.rlimit(psutil.RLIMIT_FSIZE, (512, 512))

    with pytest.raises(HelperError, match=r"^to='.*found' cannot be written: File too large\. \(on process \d+\)$"):
        run(predictor, images[:7], to, workers=1, events=after(1, fill))
    found = detect_many(predictor, images[:7], to=to, threshold=0, resume=True)
    assert isinstance(found, WrittenDetections)
    assert same(found, plain(predictor, images[:7]))


def test_a_worker_reads_the_config_of_its_model_once(
    predictor: Predictor, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, read, read_regular = job_of(predictor, str(tmp_path)), list[str](), artifact.read_regular

    def noted(path: Path, *most: int) -> bytes:
        read.append(path.name)
        return read_regular(path, *most)

    monkeypatch.setattr(artifact, "read_regular", noted)
    detect = start_detecting(job)
    assert detect({"first": 0, "images": images[:2]}, Events())["errors"] == []
    assert read.count(artifact.CONFIG) == 1


def test_a_worker_refuses_another_model_than_the_driver_has(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not the driver's model"):
        start_detecting(job_of(predictor, str(tmp_path), identity="of another model"))
