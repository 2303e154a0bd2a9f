"""Property test of resuming: after any kills, interrupts and changed listings, each image is in the table once."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from PIL import Image

from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.inference import detect_many as module
from customlabels_nb.inference.detect_many import detect_many, start_detecting
from customlabels_nb.inference.image_numbers import _stored, listings
from customlabels_nb.inference.journal import JOURNAL, Journal, _parsed, read_journal
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import LineOutput, ParquetParts
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.workers.protocol import TaskOutcome, WorkerJob

NAMES = [f"{number}.png" for number in range(60)]
UNREADABLE, EMPTY = NAMES[-1], NAMES[-2]  # nothing is detected in the second
MEMORY = "memory://resuming/found"


class Killed(BaseException):
    """End of the process, from which nothing more reaches the disk."""


class Disk:
    """Disk of a process that is killed before or after one of its writes, or halfway through it."""

    def __init__(self) -> None:
        self.left: int | None = None

    def step(self, tear: Callable[[], object] | None = None) -> None:
        """Count one point at which the process may end. ``tear`` leaves a part of the write that is beginning."""
        if self.left is None:
            return
        if self.left == 1 and tear is not None:
            tear()
        self.left = max(0, self.left - 1)
        if self.left == 0:
            raise Killed

    def patches(self) -> list[Any]:
        """Return patches of everything that changes the output."""

        def around(owner: type, name: str, torn: Callable[..., object] | None = None) -> Any:
            real = getattr(owner, name)

            def patched(own: Any, *given: Any) -> Any:
                self.step(None if torn is None else lambda: torn(own, *given))
                result = real(own, *given)
                self.step()
                return result

            return mock.patch.object(owner, name, patched)

        def half_a_record(journal: Journal, record: Any) -> None:
            journal._file.write(json.dumps(record).encode()[: len(json.dumps(record)) // 2])
            journal._file.flush()

        def half_the_lines(output: LineOutput, looked: Any) -> None:
            data = b"\n".join(output.lines(looked))
            with output.path.open("ab") as file:
                file.write(data[: len(data) // 2])

        return [
            around(OutputFolder, "write"),
            around(OutputFolder, "remove"),
            around(Journal, "_write", half_a_record),
            around(LineOutput, "write", half_the_lines),
            around(LineOutput, "begin"),
        ]


class Quick(Predictor):
    """Classifier that finds the first label in every image that is not black."""

    device, engine_name, at_once, running = "cpu", "torch", 4, True  # type: ignore[assignment]

    def start(self, *given: Any, **options: Any) -> None:
        pass

    def probabilities(self, images: Any, *, at_once: int | None = None) -> Any:
        return np.array([[0.9 * bool(np.any(image)), 0.0, 0.0] for image in images])


class Workers:
    """Two workers in this process whose tasks end in any order, fail or are lost."""

    count = 2

    def __init__(self, job: WorkerJob, chance: random.Random, machine: Resuming) -> None:
        self._run, self._chance, self._machine = start_detecting(job), chance, machine
        self._tasks: list[tuple[int, Any]] = []
        self._losses = 0

    def ready(self) -> int:
        return self.count

    def room(self) -> int:
        return 2 * self.count - len(self._tasks)

    def submit(self, number: int, task: Any) -> None:
        self._tasks.append((number, task))

    def wait(self, seconds: float) -> list[TaskOutcome]:
        number, task = self._tasks.pop(self._chance.randrange(len(self._tasks)))
        ends = ["done", "done", "done", "returned", *["lost"] * (self._losses < 4)]  # a task is given up after 5
        if (state := self._chance.choice(ends)) == "returned":
            return [TaskOutcome(number, state)]
        self._losses += state == "lost"
        self._machine.has_lost_tasks |= state == "lost"
        result = self._run(task, Events())  # a lost worker may have written the file
        return [TaskOutcome(number, state, result if state == "done" else None)]  # type: ignore[arg-type]

    def close(self) -> None:
        self._tasks.clear()


#: Seeds draw larger histories than strategies, which prefer small values.
chances = st.integers(0, 2**32 - 1).map(random.Random)


class Resuming(RuleBasedStateMachine):
    """Any sequence of runs on one output."""

    place: Path
    model: Path

    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.patches = [
            *self.disk.patches(),
            mock.patch.object(ParquetParts, "images_a_step", 3),
            mock.patch.object(LineOutput, "images_a_step", 3),
            mock.patch.object(module, "_CHUNK", 2),
            mock.patch.object(module, "Predictor", Quick),
        ]
        for patch in self.patches:
            patch.start()
        self.images: list[str] = []
        self.failed = True  # until a step has ended

    @initialize(chance=chances)
    def begin(self, chance: random.Random) -> None:
        form = chance.choice(["found", "found", MEMORY, "found.jsonl"])
        self.images = chance.choices(NAMES, k=24)
        if form == "found.jsonl" and chance.random() < 0.5:
            form = "found.manifest"
        self.failed = False
        self.to = form if form == MEMORY else str(self.place / form)
        self.is_folder = not form.endswith((".jsonl", ".manifest"))

    @rule(chance=chances)
    def change_the_listing(self, chance: random.Random) -> None:
        kept = chance.random()
        self.images = [name for name in self.images if chance.random() < kept]
        self.images += chance.choices(NAMES, k=chance.randrange(24))
        if chance.random() < 0.5:
            chance.shuffle(self.images)

    @precondition(lambda self: self.is_folder)
    @rule(chance=chances)
    def lose_or_repeat_a_step_of_the_journal(self, chance: random.Random) -> None:
        folder = OutputFolder(self.to)
        if folder.local is None:
            steps = sorted(name for name in folder.sizes() if name.startswith("_journal/"))
            folder.remove(chance.sample(steps, min(1, len(steps))))
        elif (journal := folder.local / JOURNAL).is_file():
            head, *steps = journal.read_bytes().splitlines(keepends=True) or [b""]
            at = chance.randrange(len(steps) + 1)
            steps[at : at + 1] = chance.choice([0, 0, 2]) * steps[at : at + 1]
            journal.write_bytes(head + b"".join(steps))

    @precondition(lambda self: self.is_folder)
    @rule(chance=chances)
    def lose_a_file(self, chance: random.Random) -> None:
        folder = OutputFolder(self.to)
        parts = sorted(name for name in folder.sizes() if name.startswith("part-"))
        folder.remove(chance.sample(parts, min(1, len(parts))))

    @rule(chance=chances)
    def run(self, chance: random.Random, end: str | None = None) -> None:
        self.failed = True
        end = end or chance.choice(["killed", "killed", "interrupted", "complete"])
        before, events = self.processed(), Events()

        def interrupt(event: Event) -> None:
            if isinstance(event, Progress) and end == "interrupted" and chance.random() < 0.3:
                events.cancel()

        events.subscribe(interrupt)
        open_workers = lambda job, *given, **options: Workers(job, chance, self)  # noqa: E731
        self.has_lost_tasks = False  # of which one may have written a missing file again
        self.disk.left = chance.randrange(1, 4 + len(self.images)) if end == "killed" else None
        found = None
        with suppress(Killed), mock.patch.object(module, "open_workers", open_workers):
            found = detect_many(
                Quick(self.model), self.images, root=self.place, threshold=0.5, to=self.to, resume=True, batch_size=2,
                events=events,
                workers=2 if self.is_folder and chance.random() < 0.5 else None,
            )  # fmt: skip
        self.disk.left = None
        after, asked = self.processed(), Counter(self.images)
        assert before <= after <= before | asked  # nothing is processed again
        if found is not None and not (events.is_cancelled and self.has_lost_tasks):
            self.check(found, after, asked)
            assert found.left == 0 or events.is_cancelled
        self.failed = False

    def check(self, found: Any, after: Counter[str], asked: Counter[str]) -> None:
        """Compare the result of a run with the journal and the listing."""
        assert found.left == (asked - after).total()
        assert found.images == after.total()
        times = {name: count for name, count in after.items() if name not in (UNREADABLE, EMPTY)}
        if self.to.endswith(".manifest"):  # a dataset has each image once, with its path
            times = dict.fromkeys(times, 1)
        assert Counter(Path(image).name for image in found.table()["image"]) == Counter(times)
        assert Counter(found.errors["image"]) == Counter({UNREADABLE: after[UNREADABLE]} if after[UNREADABLE] else {})

    def processed(self) -> Counter[str]:
        """Return how often the journal says that each image was processed."""
        if not self.is_folder:
            with suppress(FileNotFoundError):
                return Counter(_parsed(Path(f"{self.to}.journal").read_bytes().splitlines(True), "")[1].images)
            return Counter()
        folder = OutputFolder(self.to)
        done, names = read_journal(folder)[1], listings(folder)
        stored = list(_stored(folder, [name for _, _, name in names]))
        assert all(0 <= first < stop <= len(stored) for first, stop in done.ranges)
        return Counter(stored[number] for first, stop in done.ranges for number in range(first, stop))

    def teardown(self) -> None:
        try:
            if not self.failed:
                self.run(random.Random(0), "complete")
        finally:
            self.clean_up()

    def clean_up(self) -> None:
        for patch in self.patches:
            patch.stop()
        for path in self.place.glob("found*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        memory = OutputFolder(MEMORY)
        memory.remove(memory.sizes())


@pytest.fixture(scope="module")
def _photos(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> None:
    Resuming.place, Resuming.model = tmp_path_factory.mktemp("photos"), model_folder
    for number, name in enumerate(NAMES):
        Image.new("RGB", (8, 8), (0,) * 3 if name == EMPTY else (90 + number,) * 3).save(Resuming.place / name)
    (Resuming.place / UNREADABLE).write_bytes(b"no image")


@pytest.mark.usefixtures("_photos")
@pytest.mark.parametrize("histories", [20, pytest.param(100, marks=pytest.mark.exhaustive)])
def test_each_image_is_in_the_table_once_after_any_history(histories: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Resuming,
        settings=settings(
            max_examples=histories,
            stateful_step_count=16,
            derandomize=True,
            phases=[Phase.generate],  # histories from seeds do not become simpler
            suppress_health_check=list(HealthCheck),
        ),
    )
