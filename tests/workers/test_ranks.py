"""Tests of training in several processes: the same weights as in one, whatever ends in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file

from customlabels_nb.errors import Cancelled, HelperError, InputError, ModelError
from customlabels_nb.events import Events, Message, Progress
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import backbone_named, load_backbone
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.training import detector_recipe, fine_tuning
from customlabels_nb.training.boxes_data import Photos
from customlabels_nb.training.brands import BrandScenes, MixedScenes
from customlabels_nb.training.budget import Budget
from customlabels_nb.training.data_parallel import usable_ranks
from customlabels_nb.training.detection_data import DetectionOptions
from customlabels_nb.training.detection_learner import DetectionLearner
from customlabels_nb.training.detector_recipe import TrainedDetector, train_detector
from customlabels_nb.training.fine_tuning import TuningOptions, fine_tune
from customlabels_nb.training.image_data import ImagePixels
from customlabels_nb.training.loop import Checkpoints, LoopOptions, LoopState, train
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.ranks import KEY, Ranks, RankTask, _plain, launched_rank, ranks
from tests.threads import one_thread  # noqa: F401
from tests.training.drawn import drawn_squares
from tests.workers.plane import BATCH, Plane
from tests.workers.ray_cluster import ray_cluster

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there"),
]

STEPS = 20


@pytest.fixture(scope="module")
def two() -> Iterator[Ranks]:
    with pytest.MonkeyPatch.context() as patch, ranks(2) as found:
        patch.setattr("customlabels_nb.workers.ranks._ENTRY", "tests.workers.plane:take_part")
        assert found is not None
        yield found


def run(learner: Plane, folder: Path | None = None, on: Ranks | None = None, events: Events | None = None) -> LoopState:
    options = LoopOptions(Budget(steps=STEPS), best_steps=40, epoch_steps=5, ranks=on)
    return train(learner, options, events or Events(), folder)


def same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def without_times(state: LoopState) -> list[dict[str, float]]:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in state.history]


def listening() -> set[str]:
    """Return the addresses on which this process and its children accept connections."""
    own = psutil.Process()
    found = [one for process in [own, *own.children(recursive=True)] for one in process.net_connections("tcp")]
    return {one.laddr.ip.removeprefix("::ffff:") for one in found if one.status == psutil.CONN_LISTEN}


def in_two_parts(patch: pytest.MonkeyPatch, batch: int) -> None:
    """Let batches of this size exceed the memory of this process."""
    for learner in (DetectionLearner, fine_tuning._Learner):

        def losses(self: Any, items: Any, losses: Any = learner.losses) -> Any:
            if len(items) > batch // 2:
                raise MemoryError
            return losses(self, items)

        patch.setattr(learner, "losses", losses)


def test_two_processes_train_like_one_even_if_one_is_killed_and_the_run_is_stopped(two: Ranks, tmp_path: Path) -> None:
    alone = Plane(most=BATCH // 2)
    wanted = run(alone)
    assert wanted.parts == 2
    events, said, addresses = Events(), list[str](), set[str]()

    def hear(event: object) -> None:
        if isinstance(event, Message):
            said.append(event.text)
        if event == Progress("training", 3, STEPS, "steps"):
            addresses.update(listening())
        if event == Progress("training", 13, STEPS, "steps"):
            events.cancel()

    events.subscribe(hear)
    before = dict(os.environ)
    with pytest.raises(Cancelled, match="after epoch 2 of 4"):
        run(Plane(die_at=7, once=tmp_path / "died"), tmp_path / "kept", two, events)
    assert [text for text in said if "SIGKILL" in text and "after step 7" in text]
    assert addresses <= {"127.0.0.1", "::1"}
    assert dict(os.environ) == before
    kept = Checkpoints(tmp_path / "kept").load()
    assert kept is not None
    assert kept.facts["step"] in (13, 14)  # the next event raises, which may be a report of the losses
    assert kept.facts["parts"] == 2
    resumed = Plane()
    state = run(resumed, tmp_path / "kept", two)
    assert same(resumed.network.state_dict(), alone.network.state_dict())
    assert without_times(state) == without_times(wanted)


def test_memory_that_is_short_in_one_process_splits_the_parts_of_all(two: Ranks) -> None:
    events, said = Events(), list[str]()
    events.subscribe(lambda event: said.append(event.text) if isinstance(event, Message) else None)
    learner = Plane(most=BATCH // 4, roomy=True)  # in the other process only
    assert run(learner, None, two, events).parts == 4
    assert ["not enough memory" in text for text in said] == [True]
    alone = Plane(most=BATCH // 4)
    run(alone)
    for key, value in alone.network.state_dict().items():  # sums of four parts depend on their order
        torch.testing.assert_close(learner.network.state_dict()[key], value)


def test_an_error_in_a_process_is_reported_and_so_is_one_that_always_ends(two: Ranks) -> None:
    with pytest.raises(HelperError, match=r"process \d+: ValueError: no such photo"):
        run(Plane(die_at=3, fail="no such photo"), None, two)
    with pytest.raises(HelperError, match=r"3 times in a row.*SIGKILL"):
        run(Plane(die_at=3), None, two)
    with pytest.raises(ModelError, match="one image at a time"):
        run(Plane(most=0), None, two)


@pytest.mark.exhaustive
def test_a_detector_and_a_fine_tuned_classifier_train_the_same(
    two: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squares = drawn_squares(tmp_path, 12)
    options = DetectionOptions(Budget(steps=8), device="cpu", input_size=64, batch=4)
    images = [example.image for example in squares]

    def detector(on: Ranks | None) -> TrainedDetector:
        return train_detector(squares, ["red", "blue"], options, Events(), ranks=on)

    def classifier(on: Ranks | None) -> dict[str, Any]:
        torch.manual_seed(0)
        backbone = replace(backbone_named(PACKAGED), input_size=32)
        network = ImageClassifier(load_backbone(PACKAGED), backbone.features, 2)
        chosen = TuningOptions(Budget(steps=6), batch=4, ranks=on)
        pixels, truth = ImagePixels(images, 32), np.arange(12) % 2
        fine_tune(network, pixels, truth, np.arange(4, 12), np.arange(4), backbone, chosen, Events())
        return dict(network.state_dict())

    shared, tuned = detector(two), classifier(two)
    in_two_parts(monkeypatch, 4)
    alone = detector(None)
    assert same(shared.network.state_dict(), alone.network.state_dict())
    assert same(tuned, classifier(None))
    assert shared.facts["parts"] == alone.facts["parts"] == 2
    assert without_times(shared.state) == without_times(alone.state)


def test_scenes_reach_other_processes(tmp_path: Path) -> None:
    squares = drawn_squares(tmp_path, 4)
    outlined = replace(squares[0], polygons=[[[1.5, 2.0], [9.25, 2.0], [9.25, 9.0]]], ignored=np.ones((1, 4)))
    scenes = BrandScenes([(example.image, "red") for example in squares], ["red"], length=8, masks=True)
    mixed = MixedScenes(scenes, Photos([outlined, *squares[1:]], root=tmp_path))
    sent = detector_recipe._source(json.loads(json.dumps(mixed.facts, default=_plain)))
    for index in range(8):
        first, second = mixed.load(index, 1), sent.load(index, 1)
        assert first is not None
        assert second is not None
        for name in ("pixels", "boxes", "labels"):
            assert np.array_equal(getattr(first, name), getattr(second, name))
        assert repr(first.outlines) == repr(second.outlines)
        assert np.array_equal(mixed.labels_of(index), sent.labels_of(index))


# -- projects --------------------------------------------------------------------------------------------
TINY: dict[str, Any] = {"steps": 6, "input_size": 64, "progress": False}
PROGRAM = """
    import os, sys
    import customlabels_nb as cl

    project = cl.load_project(sys.argv[1])
    resumed = project.model("stopped").resume(progress=False)
    launched = project.train("launched", workers=2, steps=6, input_size=64, progress=False)
    print(os.environ["RANK"], resumed.status, launched.name, launched.status, flush=True)
    """


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return a project of squares, with a version that one process has trained in two parts."""
    folder = tmp_path_factory.mktemp("squares")
    found = create_project("squares", folder)
    for split, count in (("train", 10), ("test", 4)):
        examples = drawn_squares(folder / split, count, random_state=count)
        found.add_images(folder / split, split=split, progress=False)
        names = {Path(name).name: name for name in found._store.images(split)["image"]}
        rows = [
            {"image": names[Path(one.image).name], "label": "red" if one.labels[0] == 0 else "blue"}
            | dict(zip(("left", "top", "width", "height"), one.boxes[0].tolist(), strict=True))
            for one in examples
        ]
        found.update(split, pd.DataFrame(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "threads", 1)
        patch.setenv("CUSTOMLABELS_NB_THREADS", "1")
        with pytest.MonkeyPatch.context() as parts:
            in_two_parts(parts, 8)
            found.train("whole", **TINY)
        yield found


def weights(project: Project, version: str) -> dict[str, Any]:
    return load_file(project.model(version).folder / "model.safetensors")


@pytest.mark.exhaustive
def test_a_stopped_run_is_resumed_by_torchrun(project: Project, tmp_path: Path) -> None:
    events = Events()
    events.subscribe(lambda event: events.cancel() if event == Progress("training", 3, 6, "steps") else None)
    with pytest.raises(Cancelled):
        project.train("stopped", workers=2, events=events, **TINY)
    assert project.model("stopped").status == "TRAINING_STOPPED"
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    done = subprocess.run(
        [*launch, "--nproc-per-node=2", str(program), str(project.root)],
        capture_output=True, text=True, timeout=500,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), KEY: "k" * 32},
    )  # fmt: skip
    told = [f"{rank} TRAINING_COMPLETED launched TRAINING_COMPLETED" for rank in (0, 1)]
    assert [line for line in told if line in done.stdout] == told, done.stdout + done.stderr
    for version in ("stopped", "launched"):
        assert same(weights(project, version), weights(project, "whole"))


@pytest.mark.exhaustive
def test_ray_trains_the_same_and_only_on_files_that_all_machines_have(project: Project) -> None:
    with ray_cluster() as cluster:
        cluster.add_node()
        with pytest.raises(InputError, match="shared_filesystem=True"):
            project.train("refused", workers=2, backend="ray", **TINY)
        assert "refused" not in set(project.versions["name"])
        project.train("rayed", workers=2, backend="ray", shared_filesystem=True, **TINY)
    assert same(weights(project, "rayed"), weights(project, "whole"))


def test_a_run_whose_workers_do_not_start_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customlabels_nb.workers.ranks.START_SECONDS", 0.0)
    with ranks(3) as found:
        assert found is not None
        with pytest.raises(HelperError, match=r"^Only 0 of 2 workers have started.*Pass workers=1, or add nodes\.$"):
            found.start(RankTask("plane", {}), 3, lambda ready: None)


def test_invalid_numbers_of_processes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, message in (
        ({"workers": 0}, "workers=0"),
        ({"workers": 2.0}, r"workers=2\.0"),
        ({"workers": 2, "backend": "dask"}, "backend='dask'"),
    ):
        with pytest.raises(InputError, match=message):
            project.train("wrong", **TINY, **wrong)
    assert [usable_ranks(size, 8) for size in (1, 2, 3, 4, 5, 8, 64)] == [1, 2, 3, 4, 4, 8, 8]
    for name, value in (("WORLD_SIZE", "4"), ("RANK", "1"), ("MASTER_ADDR", "127.0.0.1"), (KEY, "k" * 32)):
        monkeypatch.setenv(name, value)
    assert (launched_rank(4), launched_rank(None)) == (1, None)
    with pytest.raises(InputError, match="workers=2 must be 4"):
        project.train("wrong", workers=2, **TINY)
    monkeypatch.setenv(KEY, "short")
    with pytest.raises(InputError, match=rf"at least 32 characters.*{KEY}=\$\(openssl rand -hex 32\) torchrun"):
        project.train("wrong", workers=4, **TINY)
