"""Tests of resuming a batch prediction: nothing is written twice, nothing is left out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch

from customlabels_nb.errors import InputError, MissingDependencyError, ModelError, NotAllowedError
from customlabels_nb.events import Event, Events, Message, Progress
from customlabels_nb.inference import batch
from customlabels_nb.inference.detect_many import describe_unfinished, detect_many
from customlabels_nb.inference.engines import selection
from customlabels_nb.inference.engines.engine import Engine
from customlabels_nb.inference.engines.names import EngineChoice
from customlabels_nb.inference.journal import Journal, complete_files
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import LineOutput, ParquetParts
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections, open_results, open_writing
from customlabels_nb.models.artifact import (
    WEIGHTS,
    ModelConfig,
    load_artifact,
    load_config,
    save_artifact,
    update_config,
)
from customlabels_nb.user_settings import settings
from tests.facts import tells
from tests.inference.forms import FORMS


@pytest.fixture(scope="module")
def images(blots: dict[str, list[str]]) -> list[str]:
    return [path for paths in blots.values() for path in paths]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineOutput, "images_a_step", 4)
    monkeypatch.setattr(ParquetParts, "images_a_step", 4)


@pytest.fixture(params=FORMS)
def to(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / request.param


def written(predictor: Predictor, images: object, to: Path, **options: object) -> WrittenDetections:
    """Run a batch prediction that writes its results."""
    found = detect_many(predictor, images, to=to, **options)  # type: ignore[arg-type]
    assert isinstance(found, WrittenDetections)
    return found


def stopping(after: int, by: Callable[[Events], None]) -> Events:
    """Return events that call ``by`` once ``after`` images are done."""
    events = Events()

    def listener(event: Event) -> None:
        if isinstance(event, Progress) and event.done >= after:
            by(events)

    events.subscribe(listener)
    return events


def by_keyboard(events: Events) -> None:
    raise KeyboardInterrupt


def journal_of(to: Path) -> Path:
    return to / "_journal.jsonl" if to.name == "parts" else to.with_name(f"{to.name}.journal")


@pytest.mark.parametrize("by", [by_keyboard, Events.cancel])
def test_resume_after_an_interrupt(
    predictor: Predictor, images: list[str], to: Path, by: Callable[[Events], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = written(predictor, images, to, batch_size=3, events=stopping(9, by))
    assert 9 <= part.images < 18
    assert part.left == 18 - part.images
    (rest,) = describe_unfinished(part)
    assert tells(rest, part.left, "resume=True")
    assert part.table()["image"].tolist() == images[: part.images]
    asked: list[str] = []
    prepare = Postprocessor.prepare
    monkeypatch.setattr(
        Postprocessor, "prepare", lambda self, data, name: asked.append(name) or prepare(self, data, name)
    )
    events, seen = Events(), []
    events.subscribe(seen.append)
    whole = written(predictor, images, to, batch_size=3, resume=True, events=events)
    assert sorted(asked) == sorted(images[part.images :])
    assert (whole.images, whole.left, describe_unfinished(whole)) == (18, 0, [])
    assert whole.table()["image"].tolist() == images
    assert seen[-1] == Progress("detect", 18, 18)
    assert isinstance(seen[0], Progress)
    assert seen[0].done == part.images + 3
    asked.clear()
    again = written(predictor, images, to, resume=True)
    assert (again.images, again.found, asked) == (18, whole.found, [])
    pd.testing.assert_frame_equal(again.table(), whole.table())


def test_resume_includes_new_images(predictor: Predictor, images: list[str], to: Path) -> None:
    folder = to.with_name("photos")
    folder.mkdir()
    for number in (0, 2):
        shutil.copy(images[number], folder / f"{number}.jpg")
    (folder / "3.jpg").write_bytes(b"no image")
    assert written(predictor, folder, to).images == 3
    shutil.copy(images[1], folder / "1.jpg")
    more = written(predictor, folder, to, resume=True)
    assert (more.images, more.found) == (4, 3)
    assert more.errors[["image", "code"]].to_numpy().tolist() == [[str(folder / "3.jpg"), "IMAGE_NOT_AN_IMAGE"]]
    assert [Path(image).name for image in more.table()["image"]] == ["0.jpg", "2.jpg", "1.jpg"]


@pytest.mark.parametrize("cut", ["output", "journal", "both"])
def test_resume_replaces_parts_that_were_cut_off(predictor: Predictor, images: list[str], to: Path, cut: str) -> None:
    written(predictor, images[:10], to, batch_size=4)
    if cut in ("journal", "both"):
        with journal_of(to).open("ab") as file:
            file.write(b'{"images": ["' + os.fsencode(images[10]))
    if cut in ("output", "both"):
        if to.is_dir():
            (to / "part-000000014-000000016.parquet").write_bytes(b"PAR1 and no more")
            (to / ".0123456789ab.part").write_bytes(b"PAR1")
            (to / "notes.txt").write_text("mine")
        else:
            with to.open("ab") as file:
                file.write(b'{"image": "/half/of/a/li')
    whole = written(predictor, images, to, resume=True, batch_size=4)
    assert whole.images == 18
    assert whole.table()["image"].tolist() == images
    if to.is_dir():
        parts = {path.name for path in to.iterdir() if not path.name.startswith("_")} - {"notes.txt"}
        ends = pairwise((0, 4, 8, 10, 14, 18))
        assert parts == {f"part-{first:09}-{stop:09}.parquet" for first, stop in ends}


def test_resume_refuses_another_threshold_or_model(
    predictor: Predictor, model_folder: Path, images: list[str], to: Path
) -> None:
    written(predictor, images[:4], to, threshold=0.3, max_results=2)
    before = {path: path.read_bytes() for path in to.parent.rglob("*") if path.is_file()}
    for options, words in (
        (
            {"threshold": 0.4, "max_results": 2},
            r"started with threshold=\{'red': 0\.3.*uses threshold=\{'red': 0\.4",
        ),
        ({"threshold": 0.3}, r"started with max_results=2, but this run uses max_results=None"),
    ):
        with pytest.raises(InputError, match=words):
            detect_many(predictor, images, to=to, resume=True, **options)  # type: ignore[arg-type]
    network, config = load_artifact(model_folder)
    other = to.with_name("other-model")
    with torch.no_grad():
        network.head.bias += 0.1  # type: ignore[union-attr, operator]
    save_artifact(other, network, config)
    changed = Predictor(other)
    changed.start("cpu")
    with pytest.raises(InputError, match="started with model="):
        detect_many(changed, images, to=to, resume=True, threshold=0.3, max_results=2)
    more = Predictor(model_folder)
    more.start("cpu", views=2)
    with pytest.raises(InputError, match="started with views=None, but this run uses views=2"):
        detect_many(more, images, to=to, resume=True, threshold=0.3, max_results=2)
    assert {path: path.read_bytes() for path in before} == before
    assert written(predictor, images, to, resume=True, threshold=0.3, max_results=2).images == 18


def test_resume_keeps_the_engine(
    model_folder: Path, images: list[str], to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Predictor(model_folder)
    begun.start("cpu", engine="onnx")
    written(begun, images[:8], to)
    assert json.loads(journal_of(to).read_bytes().splitlines()[0])["engine"] == "onnx"
    other = Predictor(model_folder)
    with monkeypatch.context() as without:
        without.setattr(selection, "open_engine", _without_onnx)
        without.setattr(settings, "cache_dir", to.parent / "cache")
        other.start("cpu")
        assert other.engine == EngineChoice("torch")
        with pytest.raises(InputError, match=r"started with engine='onnx'.*\(no such package\)"):
            written(other, images, to, resume=True)
    assert other.engine == EngineChoice("torch")
    assert written(other, images, to, resume=True).images == 18
    assert other.engine == EngineChoice("onnx")
    named = Predictor(model_folder)
    named.start("cpu", engine="torch")
    with pytest.raises(InputError, match=r"started with engine='onnx'.*\(the model was started with engine='torch'\)"):
        written(named, images, to, resume=True)


def _without_onnx(network: Any, config: ModelConfig, device: str, wanted: str = "auto") -> tuple[Engine, EngineChoice]:
    """Choose an engine as if onnxruntime were not installed."""
    if wanted == "onnx":
        raise MissingDependencyError("no such package")
    return Engine(network, config, device), EngineChoice("torch")


def test_journal_without_an_engine_is_resumed(predictor: Predictor, images: list[str], to: Path) -> None:
    written(predictor, images[:8], to)
    head, *rest = journal_of(to).read_bytes().splitlines(keepends=True)
    facts = json.loads(head)
    del facts["engine"]
    journal_of(to).write_bytes(json.dumps(facts).encode() + b"\n" + b"".join(rest))
    assert written(predictor, images, to, resume=True).images == 18


def test_copied_model_resumes(predictor: Predictor, model_folder: Path, images: list[str], tmp_path: Path) -> None:
    written(predictor, images[:4], tmp_path / "found.jsonl")
    shutil.copytree(model_folder, tmp_path / "copy")
    config = load_config(tmp_path / "copy")
    update_config(tmp_path / "copy", replace(config, training={"note": "renamed"}))
    copy = Predictor(tmp_path / "copy")
    copy.start("cpu")
    assert written(copy, images, tmp_path / "found.jsonl", resume=True).images == 18
    assert (tmp_path / "copy" / WEIGHTS).is_file()


def test_resume_reports_lost_and_damaged_files(predictor: Predictor, images: list[str], to: Path) -> None:
    written(predictor, images[:8], to, batch_size=4)
    journal = journal_of(to)
    whole = journal.read_bytes()
    head, first, second = whole.splitlines(keepends=True)
    for number, line in ((1, b"[]\n"), (1, b'{"journal": 99}\n'), (2, b"no JSON\n"), (2, b'{"images": [7]}\n')):
        journal.write_bytes(b"".join([line, first, second] if number == 1 else [head, line, second]))
        with pytest.raises(InputError, match=rf"is corrupted at line {number}"):
            detect_many(predictor, images, to=to, resume=True)
    record = json.loads(second)
    record["mark"] = "../../part-000000.parquet" if to.is_dir() else 10**9
    journal.write_bytes(head + first + json.dumps(record).encode() + b"\n")
    with pytest.raises(InputError, match="is corrupted at line 3" if to.is_dir() else "is missing"):
        detect_many(predictor, images, to=to, resume=True)
    if to.is_dir():
        return
    for lines in ([head, second], [head, first, first, second]):  # in a folder, the images have numbers
        journal.write_bytes(b"".join(lines))
        with pytest.raises(InputError, match="is corrupted at line"):
            detect_many(predictor, images, to=to, resume=True)
    kept = to.read_bytes()
    journal.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(InputError, match="does not exist or is empty"):
            detect_many(predictor, images, to=to, resume=True)
    assert to.read_bytes() == kept
    journal.write_bytes(whole)
    to.unlink()
    with pytest.raises(InputError, match="is missing"):
        detect_many(predictor, images, to=to, resume=True)


@pytest.mark.parametrize("kept", [0, 100, -1], ids=["empty", "its start", "all but the last byte"])
def test_resume_makes_damaged_parts_again(predictor: Predictor, images: list[str], tmp_path: Path, kept: int) -> None:
    to = tmp_path / "parts"
    whole = written(predictor, images[:12], to, batch_size=4).table()
    first, second, _ = sorted(to.glob("part-*.parquet"))
    second.write_bytes(second.read_bytes()[:kept])
    before = first.stat().st_mtime_ns
    with pytest.raises(InputError, match=second.name):
        open_results(to).table()
    found = written(predictor, images[:12], to, batch_size=4, resume=True)
    pd.testing.assert_frame_equal(found.table(), whole)
    assert (found.images, found.left, first.stat().st_mtime_ns) == (12, 0, before)


def test_parts_that_cannot_be_read_just_now_are_not_taken_for_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = OutputFolder("memory://resume/found")
    folder.write("part-000000000-000000004.parquet", b"rows and PAR1")
    assert complete_files(folder) == {"part-000000000-000000004.parquet"}

    def fail(*_: object, **__: object) -> bytes:
        raise TimeoutError("slow")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", fail)
    with pytest.raises(InputError, match="cannot be read"):
        complete_files(folder)


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="file sizes cannot be limited on this system")
def test_a_journal_on_a_full_disk_can_be_closed(tmp_path: Path) -> None:
    journal, facts = Journal(tmp_path / "journal", {"form": "Parquet"}), {"form": "Parquet"}
    journal.add((0, 4), [], 0, None)
    size, process = (tmp_path / "journal").stat().st_size, psutil.Process()
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (size + 5, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            journal.add((4, 8), [], 0, None)
        journal.close()
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, before)
    again = Journal(tmp_path / "journal", facts)
    assert list(again.done.ranges) == [(0, 4)]
    again.close()


def test_concurrent_runs_do_not_share_an_output(predictor: Predictor, images: list[str], to: Path) -> None:
    first = open_writing(to, Postprocessor(predictor), root=None, resume=False)
    try:
        with pytest.raises(NotAllowedError, match="is writing"):
            detect_many(predictor, images, to=to, resume=True)
    finally:
        first.close(complete=False)
    assert written(predictor, images, to, resume=True).images == 18


def test_stopping_the_model_keeps_written_results(model_folder: Path, images: list[str], to: Path) -> None:
    own = Predictor(model_folder)
    own.start("cpu")
    with pytest.raises(ModelError, match="is not running"):
        detect_many(own, images, to=to, batch_size=4, events=stopping(8, lambda _: own.stop()))
    own.start("cpu")
    asked = Events()
    seen: list[Event] = []
    asked.subscribe(seen.append)
    whole = written(own, images, to, batch_size=4, resume=True, events=asked)
    assert seen[0] == Progress("detect", 12, 18)
    assert whole.table()["image"].tolist() == images


def test_resume_without_an_output_is_refused(predictor: Predictor, images: list[str]) -> None:
    with pytest.raises(InputError, match=r"resume=True requires `to`"):
        detect_many(predictor, images, resume=True)


# -- memory -----------------------------------------------------------------------------------------
class _Narrow:
    """Model that runs out of memory with more than ``limit`` images per batch."""

    def __init__(self, predictor: Predictor, limit: int, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        self.batches: list[int] = []
        inner = Predictor.probabilities

        def probabilities(own: Predictor, given: object, *, at_once: int | None = None) -> object:
            size = len(given)  # type: ignore[arg-type]
            assert at_once is not None
            assert size <= at_once
            if size > limit:
                raise error
            self.batches.append(size)
            return inner(own, given, at_once=at_once)  # type: ignore[arg-type]

        monkeypatch.setattr(Predictor, "probabilities", probabilities)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore"), MemoryError(),
     RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")],
)  # fmt: skip
def test_out_of_memory_reduces_the_batch_size(
    predictor: Predictor, images: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    usual = detect_many(predictor, images)
    narrow = _Narrow(predictor, 3, monkeypatch, error)
    events, seen = Events(), []
    events.subscribe(seen.append)
    found = detect_many(predictor, images, batch_size=12, events=events)
    assert isinstance(found, pd.DataFrame)
    pd.testing.assert_frame_equal(found, usual, atol=1e-5)
    assert max(narrow.batches) == 3
    first, second = [event.text for event in seen if isinstance(event, Message)]
    assert tells(first, "memory", 12, 6)
    assert tells(second, "memory", 6, 3)


def test_out_of_memory_for_one_image_is_explained(
    predictor: Predictor, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _Narrow(predictor, 0, monkeypatch, MemoryError())
    with pytest.raises(ModelError, match=r"memory on cpu for one image \(MemoryError\).*model\.stop"):
        detect_many(predictor, images)


def test_other_network_errors_are_raised(
    predictor: Predictor, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _Narrow(predictor, 0, monkeypatch, RuntimeError("shapes don't fit"))
    with pytest.raises(RuntimeError, match="shapes"):
        detect_many(predictor, images)


def test_batches_suit_the_free_memory(
    predictor: Predictor, images: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    narrow = _Narrow(predictor, 100, monkeypatch, MemoryError())
    for free, largest in (
        (10**12, predictor.at_once),
        (2 * 2 * 1000 * 224**2, 2),
        (0, 1),
        (None, predictor.at_once),
    ):
        monkeypatch.setattr(batch, "free_bytes", lambda _, free=free: free)
        narrow.batches.clear()
        detect_many(predictor, images)
        assert max(narrow.batches) == largest
    monkeypatch.undo()
    unlimited = batch.free_bytes("cpu")
    assert unlimited is not None
    monkeypatch.setattr(batch, "CGROUP", tmp_path)
    for limit, used, free in (("5000", "3000", 2000), ("5000", "6000", 0), ("max", "3000", None)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        found = batch.free_bytes("cpu")
        assert found is not None
        assert found == free if free is not None else found > 10**8


def test_memory_that_pytorch_keeps_on_a_gpu_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("mem_get_info", (300, 1000)), ("memory_reserved", 500), ("memory_allocated", 100)):
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert batch.free_bytes("cuda:0") == 700
