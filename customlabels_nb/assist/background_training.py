"""Train in the background: the settings and runs of assist, its helper process, and the thread that trains in time."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import weakref
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from customlabels_nb.assist.stored_results import stamp
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.errors import Cancelled, HelperError, NotAllowedError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.background import BackgroundRunner

#: Labels after which a classifier is trained again. Detectors wait for this share of more boxes, and for at least so
#: many.
EVERY, BOX_GROWTH, FEWEST_NEW_BOXES = 10, 0.25, 20
#: Images and boxes from which a detector is trained.
FEWEST_IMAGES, FEWEST_BOXES = 15, 20
#: Parts of a training, in their order.
PHASES = ("featurization", "training", "validation", "inference")
#: Seconds for which :meth:`BackgroundTraining.stop` waits.
STOPPING_SECONDS = 20.0

_ENTRY = "customlabels_nb.assist.training:run"
_SETTINGS, _RUNS, _CHECKS = "assist", "assist runs", "assist checks"
_DEFAULTS: dict[str, Any] = {"on": False, "target": 0.95, "budget": "2min", "test": False}
_KEPT_RUNS = 50
_POLL_SECONDS, _LOOK_SECONDS, _CLOSING_SECONDS = 1.0, 0.1, 10.0


class Place(Protocol):
    """Current folder and database of a project."""

    root: Path
    store: SqlStore


@dataclass(frozen=True)
class NextTraining:
    """Number of labels, or of boxes, until the next training.

    ``every`` is the number between two trainings, and ``new`` the number since the last one.
    """

    remaining: int
    every: int
    new: int


class BackgroundTraining:
    """Trainings of a project in a helper process, in one of its kernels at a time.

    ``error`` is what the thread that trains could not do, such as reading the database, or empty. ``is_closed`` refuses
    trainings.
    """

    def __init__(self, place: Place) -> None:
        self.error, self.is_closed = "", False
        self._place = place
        self._turn, self._wake = threading.Lock(), threading.Event()
        self._runner_of: tuple[SqlStore, BackgroundRunner] | None = None
        self._thread: threading.Thread | None = None
        self._progress: Progress | None = None
        self._seen = -1

    # -- settings -----------------------------------------------------------------------------------
    @property
    def settings(self) -> dict[str, Any]:
        """The stored settings: on, target, budget and test."""
        return _DEFAULTS | (self._place.store.setting(_SETTINGS) or {})

    def change_settings(self, action: str, **new: Any) -> None:
        """Store changed settings, as an action in the history."""
        self.refuse_read_only("cannot store anything")
        self._place.store.change_setting(_SETTINGS, lambda old: {**(old or {}), **new}, Action(action, settings.user))

    def refuse_read_only(self, problem: str) -> None:
        """Raise NotAllowedError if the project is read-only."""
        if self._place.store.read_only:
            raise NotAllowedError(f"The project is read-only, so assist {problem}. Copy it to a folder of yours.")

    def checks(self) -> dict[str, Any]:
        """Return the places of images that had an answer before the first call, and of reserved check images."""
        checks: dict[str, Any] | None = self._place.store.setting(_CHECKS)
        if not checks:
            from customlabels_nb.assist.queue import check_places, pack_places  # scikit-learn takes long to import

            images = self._place.store.images(t.TRAIN)
            earlier = images[images["status"] != "unlabelled"]
            places = check_places(earlier["sha256"].fillna(earlier["image"]).tolist())
            new = {"earlier": pack_places(places), "reserved": []}
            return dict(self._place.store.change_setting(_CHECKS, lambda old: old or new))
        return checks

    @property
    def runner(self) -> BackgroundRunner:
        """Runner of the helper process, for the current database of the project."""
        if self._runner_of is None or self._runner_of[0] is not self._place.store:
            self._runner_of = self._place.store, BackgroundRunner(self._place.store, "trainer")
        return self._runner_of[1]

    # -- runs ---------------------------------------------------------------------------------------
    def runs(self) -> list[dict[str, Any]]:
        """Return the stored runs. One whose kernel was killed has failed."""
        runs: list[dict[str, Any]] = self._place.store.setting(_RUNS) or []
        if runs and runs[-1]["state"] == "running":
            record = self.runner.record
            if record is not None and record.state == "failed":
                runs[-1] |= {"state": "failed", "error": record.error}
        return runs

    def latest(self, state: str | None = None) -> dict[str, Any] | None:
        """Return the latest run in a state that was not only for automatic labels, or None."""
        runs = (run for run in reversed(self.runs()) if not run.get("auto"))
        return next((run for run in runs if state in (None, run["state"])), None)

    def until_next(self) -> NextTraining:
        """Count the labels until the next training."""
        last = self.latest("done")
        images, boxes = self._place.store.labelled_by_people(t.TRAIN)
        if last is None:
            return NextTraining(0, EVERY, images)
        if last["task"] != "boxes":
            actions = self._place.store.actions(limit=EVERY)  # they may have corrected labels
            changed = actions.loc[(actions["id"] > last["action"]) & (actions["split"] == t.TRAIN), "count"].sum()
            new = max(abs(images - last["labels"]), int(changed))
            return NextTraining(max(EVERY - new, 0), EVERY, new)
        if not last["learnt"]:
            remaining = max(FEWEST_IMAGES - images, FEWEST_BOXES - boxes, 0)
            return NextTraining(remaining, max(remaining + boxes, FEWEST_BOXES), boxes)
        every, new = max(FEWEST_NEW_BOXES, ceil(BOX_GROWTH * last["boxes"])), abs(boxes - last["boxes"])
        return NextTraining(max(every - new, 0), every, new)

    @property
    def running(self) -> dict[str, Any] | None:
        """Progress of the running training in any kernel: phase, done, total and stopping. None if no training runs."""
        record, event = self.runner.record, self._progress
        if record is None or record.state != "running":
            return None
        progress = [event.phase, event.done, event.total] if event else record.progress
        phase, done, total = progress or [PHASES[0], 0, None]
        return {"phase": phase, "done": done, "total": total, "stopping": record.stop}

    # -- training -----------------------------------------------------------------------------------
    def run(self, events: Events, *, target: float | None = None) -> dict[str, Any]:
        """Train in the helper process, and add the run to the stored ones. With a target, only return predictions."""
        self.refuse_read_only("cannot train")
        with self._turn:
            if self.is_closed:
                raise Cancelled("The project was closed.")
            run, chosen = self._new_run(target), self.settings
            keep = target is None
            arguments = {
                "root": str(self._place.root), "run": run["run"], "target": run["target"],
                "budget": chosen["budget"], "test": chosen["test"] and keep, "keep": keep, **self.checks(),
            }  # fmt: skip
            self._place.store.change_setting(_RUNS, lambda old: [*(old or []), run][-_KEPT_RUNS:])
            unsubscribe, outcome = events.subscribe(self._listen), dict[str, Any]()
            try:
                outcome = self.runner.run(_ENTRY, arguments, events) | {"state": "done"}
            except (Cancelled, HelperError) as error:
                outcome = {"state": "stopped" if isinstance(error, Cancelled) else "failed", "error": str(error)}
                raise
            finally:
                unsubscribe()
                self._progress = None
                ended = self._end(run, outcome)
            return {**ended, "found": outcome.get("found")}

    def _new_run(self, target: float | None) -> dict[str, Any]:
        """Return the record of a run that starts now."""
        chosen, last = self.settings, self.latest("done") or {"task": "", "learnt": 0}
        images, boxes = self._place.store.labelled_by_people(t.TRAIN)
        return {
            "run": 1 + max((old["run"] for old in self.runs()), default=0), "auto": target is not None,
            "started": _now(), "ended": None, "state": "running", "error": "", "note": "", "basis": self._basis(),
            "action": self._place.store.last_action(),
            "target": target or chosen["target"], "test": chosen["test"], "task": last["task"],
            "images": self._place.store.statistics(t.TRAIN).total_entries, "labels": images, "boxes": boxes,
            "learnt": last["learnt"], "steps": [], "promise": None, "needed": None, "missing": [], "advice": None,
        }  # fmt: skip

    def _end(self, run: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
        """Store and return the run that has ended. One that was interrupted or closed is not kept."""
        result = {name: value for name, value in outcome.items() if name not in ("reserved", "found")}
        ended = {**run, **result, "ended": _now()}
        if "reserved" in outcome and not run["auto"]:
            self._place.store.change_setting(_CHECKS, lambda old: {**old, "reserved": outcome["reserved"]})
        kept = [ended] if outcome and (ended["state"] == "done" or not self.is_closed) else []
        self._place.store.change_setting(_RUNS, lambda old: [*(other for other in old if other["ended"]), *kept])
        change_signal.notify(self._place.root)
        return ended

    def _listen(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._progress = event

    def _basis(self) -> str:
        """Return a text that changes when the settings, the labels' names or the images change, but not with labels."""
        chosen, names = self.settings, self._place.store.labels()["label"].tolist()
        count = self._place.store.statistics(t.TRAIN).total_entries
        return f"{chosen['target']} {chosen['test']} {count} {zlib.crc32(json.dumps(names).encode()):x}"

    # -- in the background --------------------------------------------------------------------------
    def watch(self) -> None:
        """Train from now on whenever it is time, in a thread."""
        self._wake.set()
        self.is_closed = False
        if self._place.store.read_only or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=_watch, args=(weakref.ref(self), self._wake), daemon=True)
        self._thread.start()

    def train_if_due(self) -> None:
        """Train if assist is on, it is time, and no other kernel trains. An error is in the run."""
        last_action = self._place.store.last_action()
        if last_action == self._seen or not self.settings["on"] or self.runner.is_elsewhere:
            return
        if self._is_due():
            with contextlib.suppress(Cancelled, HelperError, NotAllowedError):
                self.run(Events())
        self._seen = last_action

    def _is_due(self) -> bool:
        """Decide whether something has changed since the latest training that makes another one useful."""
        done, latest, basis = self.latest("done"), self.latest(), self._basis()
        if latest is not None and latest["state"] == "failed":
            before = latest["basis"], latest["labels"], latest["boxes"]
            if before == (basis, *self._place.store.labelled_by_people(t.TRAIN)):
                return False  # it would fail again
        if done is None or done["basis"] != basis or stamp(self._place.root) is None:
            return True
        return self.until_next().remaining == 0

    def stop(self, *, wait: bool) -> None:
        """Ask the running training to stop, in whichever kernel it runs, and ``wait`` until it has ended."""
        deadline = time.monotonic() + (STOPPING_SECONDS if wait else 0)
        while self._is_training and not self._place.store.read_only:
            self.runner.stop()
            if time.monotonic() >= deadline:
                break
            time.sleep(_LOOK_SECONDS)

    @property
    def _is_training(self) -> bool:
        """True if a training is running in any kernel, or about to in this one."""
        record = self.runner.record
        return self._turn.locked() or (record is not None and record.state == "running")

    def close(self) -> None:
        """End the training in this kernel, so that another one can take over."""
        thread, self._thread, self.is_closed = self._thread, None, True
        self._wake.set()
        if self._runner_of is not None:
            runner, self._runner_of = self._runner_of[1], None
            runner.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSING_SECONDS)


def _watch(reference: weakref.ref[BackgroundTraining], wake: threading.Event) -> None:
    """Train in the background as long as the project is open."""
    while True:
        wake.wait(_POLL_SECONDS)
        wake.clear()
        training = reference()
        if training is None or training._thread is not threading.current_thread():
            return
        try:
            training.train_if_due()
            training.error = ""
        except Exception as error:  # such as a full disk or a lost connection: try again
            training.error = str(error) or type(error).__name__
        del training


def _now() -> str:
    return datetime.now(UTC).isoformat()
