"""Help with labelling that trains in the background: ``project.assist``."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from customlabels_nb._utils.progress_bars import progress_bars
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import CORRECTED, PRELABELLED, REJECTED, has_tag
from customlabels_nb.errors import (
    Cancelled,
    HelperError,
    NotAllowedError,
    StaleEditError,
    TableError,
)
from customlabels_nb.events import Event, Events, Listener, Progress
from customlabels_nb.labeling import change_signal
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.background import BackgroundRunner

if TYPE_CHECKING:
    from customlabels_nb.assist.proposals import Proposals
    from customlabels_nb.assist.stored_results import AssistResults

#: Labels after which a classifier is trained again. Detectors wait for this share of more boxes, and for at least so
#: many.
EVERY, BOX_GROWTH, FEWEST_NEW_BOXES = 10, 0.25, 20
#: Images and boxes from which a detector is trained.
FEWEST_IMAGES, FEWEST_BOXES = 15, 20

_ENTRY = "customlabels_nb.assist.training:run"
_SETTINGS, _RUNS, _CHECKS = "assist", "assist runs", "assist checks"
_DEFAULTS: dict[str, Any] = {"on": False, "target": 0.95, "budget": "2min", "test": False}
_KEPT_RUNS = 50
_POLL_SECONDS, _CLOSING_SECONDS = 1.0, 10.0
_LOOK_SECONDS, _STOPPING_SECONDS = 0.1, 20.0
_PHASES = ("featurization", "training", "validation", "inference")
_RUN_COLUMNS = ("run", "started", "ended", "state", "labels", "images", *_PHASES, "threshold", "bound", "error")


class _Place(Protocol):
    """Current folder and database of a project."""

    root: Path
    store: SqlStore


@dataclass(frozen=True)
class AssistStatus:
    """State of the help with labelling.

    Attributes
    ----------
    state : str
        "off", "waiting" for more labels, "running", "stopping" (a training that was asked to stop), "failed" (the
        latest training), "elsewhere" (another kernel trains), or "read-only".
    phase : str or None
        Phase of the running training: "featurization", "training", "validation" or "inference".
    done, total : int or None
        Progress of the phase.
    text : str
        The same as a sentence.
    """

    state: str
    phase: str | None
    done: int | None
    total: int | None
    text: str

    def __repr__(self) -> str:
        return f"{self.state}: {self.text}"


class AutoLabels:
    """Labels that a model would give, returned by :meth:`Assist.auto_label`.

    Attributes
    ----------
    frame : DataFrame
        Trusted predictions for unlabelled training images: image, label, confidence, box columns and polygon.
    threshold : float or None
        Least confidence of a prediction, None if none can be trusted.
    text : str
        The result as a sentence.
    """

    def __init__(self, assist: Assist, run: dict[str, Any], revisions: dict[str, int]) -> None:
        self.frame = pd.DataFrame(run["found"], columns=["image", "label", "confidence", *t.BOX_COLUMNS, "polygon"])
        self.frame = self.frame[self.frame["image"].isin(revisions)].reset_index(drop=True)
        promise = run["promise"]
        self.threshold: float | None = promise and promise["threshold"]
        self._assist, self._run, self._revisions = assist, run["run"], revisions
        images = counted(self.frame["image"].nunique(), "image")
        what = "the boxes" if run.get("task") == "boxes" else "them"
        self.text = (
            f"{images} can be labelled, at least {promise['bound']:.1%} of {what} right."
            if promise
            else f"No prediction can be trusted at {run['target']:.0%} yet. {run['note']}".strip()
        )

    def apply(self) -> int:
        """Label the images as one action, and return their number. ``project.undo()`` restores all of them.

        Images that were labelled, skipped, changed or removed since the predictions were made stay as they are.

        Examples
        --------
        >>> labels = project.assist.auto_label(dry_run=True)  # doctest: +SKIP
        >>> labels.apply()  # doctest: +SKIP
        212
        """
        return self._assist._label(self.frame, self._revisions, f"{t.MACHINE}{self._run}")

    def __repr__(self) -> str:
        return self.text


class Assist:
    """Help with labelling: ordered and grouped images, predictions with a guarantee, and suspected label errors.

    While it is on, a helper process trains after every 10 new labels (for boxes, when their number has grown by a
    quarter) and updates the queues of all screens. Test images are neither shown predictions nor used, unless
    ``start(test=True)``.

    Examples
    --------
    >>> assist = project.assist
    >>> assist.on
    False
    """

    def __init__(self, location: _Place, train_version: Callable[[str], Any]) -> None:
        self._location, self._train_version = location, train_version
        self._turn, self._wake = threading.Lock(), threading.Event()
        self._runner_of: tuple[SqlStore, BackgroundRunner] | None = None
        self._thread: threading.Thread | None = None
        self._progress: Progress | None = None
        self._error, self._closed = "", False
        self._seen = -1
        self._stored: tuple[Any, AssistResults | None] | None = None
        self._read: tuple[Any, AssistResults | None] = (None, None)
        self._counts: tuple[Any, dict[str, Any]] = (None, {})
        if self.on:
            self._watch()

    # -- settings -----------------------------------------------------------------------------------
    @property
    def on(self) -> bool:
        """True if models are trained in the background."""
        return bool(self._settings["on"])

    @property
    def test(self) -> bool:
        """True if test images may be shown predictions. Labelled with a model's help, they flatter the model."""
        return bool(self._settings["test"])

    @property
    def _settings(self) -> dict[str, Any]:
        return _DEFAULTS | (self._store.setting(_SETTINGS) or {})

    def start(self, *, target: float = 0.95, budget: str | float | None = "2min", test: bool = False) -> AssistStatus:
        """Train in the background from now on, in this kernel or in one that is training already.

        Return the status, which says what happens now.

        Parameters
        ----------
        target : float
            Share of the shown predictions that has to be right, between 0.5 and 0.999. They are shown once the 95 %
            confidence bound on check images reaches it.
        budget : str or float
            Time limit for training a detector, such as "2min" or seconds.
        test : bool
            Show predictions for test images as well. Metrics on test images that were labelled with them are too good.

        Examples
        --------
        >>> project.assist.start(target=0.95, budget="5min")  # doctest: +SKIP
        running: featurization. The queues of project.label() appear as soon as it has ended.
        >>> project.label("train")  # doctest: +SKIP
        """
        from customlabels_nb.assist.guarantee import fewest_items  # scipy takes half a second to import
        from customlabels_nb.training.budget import parse_budget

        fewest_items(target)
        parse_budget(budget)
        budget = "2min" if budget is None else budget if isinstance(budget, str) else float(budget)
        self._change("start assist", on=True, target=float(target), budget=budget, test=bool(test))
        self._checks()
        self._watch()
        status = self.status
        if self.results is not None:
            return status
        text = f"{status.text} The queues of project.label() appear when the first training has ended."
        return replace(status, text=text)

    def stop(self, *, wait: bool = True) -> None:
        """Stop training in the background. The results of earlier trainings are kept.

        Parameters
        ----------
        wait : bool
            Wait until a running training has ended, usually a few seconds. It may run in another kernel. If it has not
            ended after 20 seconds, or with False, :attr:`status` says "stopping" until then.

        Examples
        --------
        >>> project.assist.stop()
        >>> project.assist.status
        off: ...
        """
        if self.on:
            self._change("stop assist", on=False)
        deadline = time.monotonic() + (_STOPPING_SECONDS if wait else 0)
        while self._is_training and not self._store.read_only:
            self._runner.stop()
            if time.monotonic() >= deadline:
                break
            time.sleep(_LOOK_SECONDS)

    @property
    def _is_training(self) -> bool:
        """True if a training is running in any kernel, or about to in this one."""
        record = self._runner.record
        return self._turn.locked() or (record is not None and record.state == "running")

    def _checks(self) -> dict[str, Any]:
        """Return the places of images that had an answer before assist was used, and of reserved check images."""
        checks: dict[str, Any] | None = self._store.setting(_CHECKS)
        if not checks:
            from customlabels_nb.assist.queue import check_places, pack_places  # scikit-learn takes long to import

            images = self._store.images(t.TRAIN)
            earlier = images[images["status"] != "unlabelled"]
            places = check_places(earlier["sha256"].fillna(earlier["image"]).tolist())
            new = {"earlier": pack_places(places), "reserved": []}
            checks = self._store.change_setting(_CHECKS, lambda old: old or new)
            assert checks is not None
        return checks

    def _change(self, what: str, **new: Any) -> None:
        if self._store.read_only:
            raise NotAllowedError(
                "The project is read-only, so assist cannot store anything. Copy it to a folder of yours."
            )
        change = lambda old: {**(old or {}), **new}  # noqa: E731
        self._store.change_setting(_SETTINGS, change, Action(what, settings.user))

    # -- training -----------------------------------------------------------------------------------
    def train(self, *, progress: bool = True, events: Events | Listener | None = None) -> dict[str, Any]:
        """Train now, wait, and return the run as a dict: run, steps, promise, needed, missing, advice and more.

        Raises
        ------
        NotAllowedError
            If another kernel trains, or the project is read-only.
        HelperError
            If the training failed. The message says why.

        Examples
        --------
        >>> run = project.assist.train(progress=False)  # doctest: +SKIP
        >>> [step["phase"] for step in run["steps"]]  # doctest: +SKIP
        ['featurization', 'training', 'validation', 'inference']
        """
        self._closed = False
        with progress_bars(events, show=progress) as stream:
            return self._run(stream)

    @property
    def status(self) -> AssistStatus:
        """State, phase and progress, and a sentence. Printed, it reads like "waiting: Trains after 4 more labels."."""
        summary = self.summary()
        units = ("more box", "more boxes") if (self._latest() or {}).get("task") == "boxes" else ("more label",)
        running, after = summary["running"], f"after {counted(summary['next'], *units)}" if summary["next"] else "soon"
        if running is not None:
            phase, done, total = running["phase"], running["done"], running["total"]
            stage = phase if total is None else f"{phase}, {done:,} of {total:,}"
            if running["stopping"]:
                return AssistStatus("stopping", phase, done, total, f"The training ({stage}) was asked to stop.")
            return AssistStatus("running", phase, done, total, f"{stage}.")
        state, text = "waiting", f"Trains {after}."
        if summary["read_only"]:
            state, text = "read-only", "The project is read-only, so nothing can be trained or stored."
        elif not summary["on"]:
            state, text = "off", "project.assist.start() orders, groups and prelabels the training images."
        elif summary["error"]:
            state, text = "failed", summary["error"]
        elif summary["elsewhere"]:
            state, text = "elsewhere", f"Another kernel trains {after}."
        last = self._latest("done")
        note = f" {last['note']}" if last and last["note"] and state in ("waiting", "elsewhere") else ""
        return AssistStatus(state, None, None, None, text + note)

    @property
    def next_training(self) -> int:
        """Number of labels until the next training. For boxes, the number of boxes."""
        return self._training_progress()[0]

    @property
    def runs(self) -> pd.DataFrame:
        """Table of trainings, oldest first: times, state, labels, images, seconds of the phases, threshold, bound."""
        rows = []
        for run in (run for run in self._runs() if run["state"] != "running"):
            seconds = {step["phase"]: step["seconds"] for step in run["steps"]}
            rows.append({**run, **seconds, **(run["promise"] or {})})
        return pd.DataFrame(rows, columns=list(_RUN_COLUMNS))

    def keep(self, name: str) -> Any:
        """Make a model version of what was learnt: train it like ``project.train(name)``, on the same labels.

        The models of the background trainings are cheap and are replaced all the time, so that none of them is stored.

        Examples
        --------
        >>> version = project.assist.keep("friday")  # doctest: +SKIP
        """
        return self._train_version(name)

    def close(self) -> None:
        """End the training in this kernel, so that another one can take over. The settings stay.

        Examples
        --------
        >>> project.assist.close()
        """
        thread, self._thread, self._closed = self._thread, None, True
        self._wake.set()
        if self._runner_of is not None:
            runner, self._runner_of = self._runner_of[1], None
            runner.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSING_SECONDS)

    @property
    def _store(self) -> SqlStore:
        return self._location.store

    @property
    def _runner(self) -> BackgroundRunner:
        if self._runner_of is None or self._runner_of[0] is not self._store:
            self._runner_of = self._store, BackgroundRunner(self._store, "trainer")
        return self._runner_of[1]

    def _run(self, events: Events, *, target: float | None = None) -> dict[str, Any]:
        """Train in the helper process, and add the run to the stored ones. With a target, only return predictions."""
        if self._store.read_only:
            raise NotAllowedError("The project is read-only, so assist cannot train. Copy it to a folder of yours.")
        with self._turn:
            if self._closed:
                raise Cancelled("The project was closed.")
            chosen, runs = self._settings, self._runs()
            last = self._latest("done") or {"task": "", "learnt": 0}
            images, boxes = self._store.labelled_by_people(t.TRAIN)
            run: dict[str, Any] = {
                "run": 1 + max((old["run"] for old in runs), default=0), "auto": target is not None,
                "started": _now(), "ended": None, "state": "running", "error": "", "note": "", "basis": self._basis(),
                "action": self._store.last_action(),
                "target": target or chosen["target"], "test": chosen["test"], "task": last["task"],
                "images": self._store.statistics(t.TRAIN).total_entries, "labels": images, "boxes": boxes,
                "learnt": last["learnt"], "steps": [], "promise": None, "needed": None, "missing": [], "advice": None,
            }  # fmt: skip
            arguments = {
                "root": str(self._location.root), "run": run["run"], "target": run["target"],
                "budget": chosen["budget"], "test": chosen["test"] and target is None, "keep": target is None,
                **self._checks(),
            }  # fmt: skip
            self._store.change_setting(_RUNS, lambda old: [*(old or []), run][-_KEPT_RUNS:])
            unsubscribe = events.subscribe(self._listen)
            try:
                run |= self._runner.run(_ENTRY, arguments, events) | {"state": "done"}
            except (Cancelled, HelperError) as error:
                run |= {"state": "stopped" if isinstance(error, Cancelled) else "failed", "error": str(error)}
                raise
            finally:
                unsubscribe()
                self._progress = None
                reserved, result = run.pop("reserved", None), run.pop("found", None)
                if reserved is not None and target is None:
                    self._store.change_setting(_CHECKS, lambda old: {**old, "reserved": reserved})
                run["ended"] = _now()
                kept = [] if run["state"] == "running" or (self._closed and run["state"] != "done") else [run]
                self._store.change_setting(_RUNS, lambda old: [*(one for one in old if one["ended"]), *kept])
                change_signal.notify(self._location.root)
            return {**run, "found": result}

    def _listen(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._progress = event

    def _runs(self) -> list[dict[str, Any]]:
        """Return the stored runs. One whose kernel was killed has failed."""
        runs: list[dict[str, Any]] = self._store.setting(_RUNS) or []
        if runs and runs[-1]["state"] == "running":
            record = self._runner.record
            if record is not None and record.state == "failed":
                runs[-1] |= {"state": "failed", "error": record.error}
        return runs

    def _latest(self, state: str | None = None) -> dict[str, Any] | None:
        """Return the latest run in a state that was not only for :meth:`auto_label`."""
        runs = (run for run in reversed(self._runs()) if not run.get("auto"))
        return next((run for run in runs if state in (None, run["state"])), None)

    def _basis(self) -> str:
        """Return a text that changes when the settings, the labels' names or the images change, but not with labels."""
        chosen, names = self._settings, self._store.labels()["label"].tolist()
        count = self._store.statistics(t.TRAIN).total_entries
        return f"{chosen['target']} {chosen['test']} {count} {zlib.crc32(json.dumps(names).encode()):x}"

    def _training_progress(self) -> tuple[int, int, int]:
        """Return the numbers of labels until the next training, between trainings, and since the last one."""
        last = self._latest("done")
        images, boxes = self._store.labelled_by_people(t.TRAIN)
        if last is None:
            return 0, EVERY, images
        if last["task"] != "boxes":
            actions = self._store.actions(limit=EVERY)  # they may have corrected labels
            changed = actions.loc[(actions["id"] > last["action"]) & (actions["split"] == t.TRAIN), "count"].sum()
            new = max(abs(images - last["labels"]), int(changed))
            return max(EVERY - new, 0), EVERY, new
        if not last["learnt"]:
            remaining = max(FEWEST_IMAGES - images, FEWEST_BOXES - boxes, 0)
            return remaining, max(remaining + boxes, FEWEST_BOXES), boxes
        every, new = max(FEWEST_NEW_BOXES, ceil(BOX_GROWTH * last["boxes"])), abs(boxes - last["boxes"])
        return max(every - new, 0), every, new

    # -- results ------------------------------------------------------------------------------------
    @property
    def results(self) -> AssistResults | None:
        """Results of the latest training, or None. They leave out labels that no longer exist."""
        from customlabels_nb.assist.stored_results import read_results, stamp

        file, action = stamp(self._location.root), self._store.last_action()
        if self._stored is None or self._stored[0] != file:
            self._stored = file, read_results(self._location.root)
        results = self._stored[1]
        if results is not None and (file, action) != self._read[0]:
            self._read = (file, action), results.of_labels(self._store.labels()["label"])
        return None if results is None else self._read[1]

    @property
    def queue(self) -> pd.DataFrame:
        """Table of the images to label, in the recommended order: image, kind, cluster, label, confidence.

        ``kind`` is "check" for random check images, "typical", "uncertain", "rare", or "copy" of another image.
        ``label`` and ``confidence`` are those of a prediction that can be trusted.
        """
        columns, results = ["image", "kind", "cluster", "label", "confidence"], self.results
        if results is None:
            return pd.DataFrame(columns=columns)
        first = results.prelabels.drop_duplicates("image")[["image", "label", "confidence"]]
        table = results.queue.merge(results.pages[["position", "cluster"]], on="position", how="left")
        table.insert(0, "image", results.images[table["position"].to_numpy()])
        table = table[table["image"].isin(self._waiting())].merge(first, on="image", how="left")
        return table.astype({"cluster": "Int64"})[columns]

    def suspects(self) -> pd.DataFrame:
        """Return probably wrong labels and boxes: image, annotation, kind, given, suggested, score, model and box.

        Images that were reviewed since, or whose label was changed, are left out. Nothing is changed by itself.
        ``annotation`` is the index of the row in ``project.train_set.annotations``.

        Examples
        --------
        >>> project.assist.suspects().columns[:5].tolist()
        ['image', 'annotation', 'kind', 'given', 'suggested']
        """
        from customlabels_nb.assist.suspects import COLUMNS

        results = self.results
        return pd.DataFrame(columns=list(COLUMNS)) if results is None else results.suspects_left(self._store)

    @property
    def advice(self) -> list[str]:
        """Sentences about how far predictions can be trusted, and whether more labels are worth their time."""
        last = self._latest("done")
        if last is None:
            return ["Nothing was trained yet. project.assist.train() does it now."]
        sentences, promise, target = [last["note"]] if last["note"] else [], last["promise"], f"{last['target']:.0%}"
        unlabelled = self._count()["left"]
        if promise:
            sentences.append(
                f"Of {promise['shown']:,} predictions on check images that are sure enough to be shown, "
                f"{promise['right']:,} are right: with 95 % confidence at least {promise['bound']:.1%} are."
            )
        elif unlabelled == 0 or (
            last["evidence"]["right"] is None and last["evidence"]["items"] >= last["evidence"]["wanted"]
        ):
            pass  # the note of the run says why nothing is predicted
        elif last["needed"] and unlabelled is not None and last["needed"] > unlabelled:
            sentences.append(
                f"Too few images are left to trust predictions at {target}: that needs {last['needed']:,} labels."
            )
        else:
            sentences.append(_evidence_text(last, target))
        return [*sentences, last["advice"]["text"]] if last["advice"] and unlabelled != 0 else sentences

    def summary(self) -> dict[str, Any]:
        """Return the state for the dashboard as a JSON object.

        Examples
        --------
        >>> project.assist.summary()["queues"]
        {'manual': 0, 'clustered': 0, 'prelabelled': 0, 'suspect': 0}
        """
        chosen, last, latest = self._settings, self._latest("done") or {}, self._latest()
        remaining, every, new = self._training_progress()
        return {
            **chosen, "read_only": self._store.read_only,
            "error": latest["error"] if latest and latest["state"] == "failed" else self._error,
            "elsewhere": self._runner.is_elsewhere, "running": self.running,
            "next": remaining, "every": every, "new": new,
            "ended": last.get("ended"), "steps": last.get("steps", []), "promise": last.get("promise"),
            "needed": last.get("needed"), "missing": last.get("missing", []), "advice": last.get("advice"),
            "evidence": last.get("evidence"), "note": last.get("note", ""),
            **self._count(),
        }  # fmt: skip

    @property
    def running(self) -> dict[str, Any] | None:
        """Progress of the running training in any kernel: phase, done, total and stopping. None if there is none."""
        record, event = self._runner.record, self._progress
        if record is None or record.state != "running":
            return None
        progress = [event.phase, event.done, event.total] if event else record.progress
        phase, done, total = progress or [_PHASES[0], 0, None]
        return {"phase": phase, "done": done, "total": total, "stopping": record.stop}

    @property
    def guarantee(self) -> dict[str, Any]:
        """Guarantee of the latest training: run, target, promise (None without one), and the evidence for it."""
        last = self._latest("done") or {}
        return {name: last.get(name) for name in ("run", "target", "promise", "evidence")}

    def _count(self) -> dict[str, Any]:
        """Count the images of the queues and those left, and the prelabels that people accepted and corrected."""
        results, key = self.results, (self._stored, self._store.last_action())
        queues = dict.fromkeys(("manual", "clustered", "prelabelled", "suspect"), 0)
        if results is None:  # a large project opens without reading all its images
            return {"accepted": 0, "corrected": 0, "queues": queues, "left": None}
        if self._counts[0] != key:
            images = self._store.images()
            accepted, corrected, rejected = (has_tag(images, tag) for tag in (PRELABELLED, CORRECTED, REJECTED))
            waiting = self._waiting(images)
            queues = {queue: len(results.names(queue, waiting)) for queue in queues}
            queues["prelabelled"] = len(results.names("prelabelled", waiting.difference(images.loc[rejected, "image"])))
            suspected = results.suspects["image"].unique().tolist()
            queues["suspect"] = results.suspects_left(self._store, suspected)["image"].nunique()
            changed = int((corrected | rejected).sum())
            unlabelled = int(((images["status"] == "unlabelled") & (images["split"] == t.TRAIN)).sum())
            self._counts = (
                key,
                {"accepted": int(accepted.sum()), "corrected": changed, "queues": queues, "left": unlabelled},
            )
        return self._counts[1]

    def _waiting(self, images: pd.DataFrame | None = None) -> set[str]:
        """Return the images without a label that may be shown predictions."""
        images = self._store.images() if images is None else images
        allowed = (images["status"] == "unlabelled") & ((images["split"] == t.TRAIN) | self.test)
        return set(images.loc[allowed, "image"])

    # -- labels by models ---------------------------------------------------------------------------
    def auto_label(
        self,
        target: float | None = None,
        *,
        dry_run: bool = False,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> AutoLabels:
        """Label the unlabelled training images whose predictions can be trusted, as one action that can be undone.

        A model is trained on the labels of people first. The labels it gives have ``annotator`` "model:<run>". They are
        not used as evidence, and training leaves them out unless ``project.train(machine_labels=True)``. Images that a
        person labelled, skipped or marked for review, and test images, are never changed.

        Parameters
        ----------
        target : float, optional
            Share of the labels that has to be right. By default that of :meth:`start`.
        dry_run : bool
            Change nothing. ``.apply()`` of the returned object labels the images.

        Examples
        --------
        >>> labels = project.assist.auto_label(0.95, dry_run=True)  # doctest: +SKIP
        >>> labels.frame.head()  # doctest: +SKIP
        """
        from customlabels_nb.assist.guarantee import fewest_items

        target = self._settings["target"] if target is None else target
        fewest_items(target)
        images = self._store.images(t.TRAIN)
        images = images[images["status"] == "unlabelled"]
        revisions = dict(zip(images["image"], images["revision"].tolist(), strict=True))
        self._closed = False
        with progress_bars(events, show=progress) as stream:
            labels = AutoLabels(self, self._run(stream, target=target), revisions)
        if not dry_run:
            labels.apply()
        return labels

    def propose(
        self,
        prompts: Mapping[str, str],
        *,
        model: str | None = None,
        masks: bool = False,
        threshold: float | None = None,
        workers: int | None = None,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> Proposals:
        """Propose labels or boxes from descriptions, before anything was labelled or trained.

        Proposals are predictions, which the gallery and the annotator draw dashed. While there are few labels, the
        queue lets the proposed labels take turns. Proposals become prelabels when their precision on check images is
        guaranteed, unless that of a model trained on your labels is. They replace those of the call before.

        Boxes take seconds to a minute for each image. The time is estimated on three images first. If stopped, the
        proposals so far are stored, and the same call continues.

        Parameters
        ----------
        prompts : dict of str to str
            Description of each label. The project gets the labels that it lacks.
        model : str, optional
            "siglip2", the default for labels, "owlv2", the default for boxes, "mm-grounding-dino-tiny", the folder of
            such a model, or ``"hf://user/name@revision"``. It is downloaded if it is not on this machine.
        masks : bool
            Outline the object in each box with the model of ``settings.outline_engine``, by default SAM 2.
        threshold : float, optional
            Least confidence. By default 0.2 for boxes of OWLv2, 0.3 for those of Grounding DINO, 0.5 for images with
            several labels, and 0 for images with one label.
        workers : int, optional
            Number of processes that share the work. Each of them loads the model.

        Raises
        ------
        InputError
            If an argument is invalid, or does not fit the task of the project.
        MissingDependencyError
            If transformers is not installed.
        WeightsUnavailableError
            If the model is neither on this machine nor can be downloaded.
        NotAllowedError
            If the project is read-only, or no image is unlabelled.

        Examples
        --------
        >>> project.assist.propose({"screw": "a photo of a screw", "nut": "a photo of a nut"})  # doctest: +SKIP
        siglip2-base-patch32-256 proposes 212 labels in 212 of 212 images.
        >>> project.label(queue="assist")  # doctest: +SKIP
        """
        from customlabels_nb.assist.proposals import propose

        if self._store.read_only:
            raise NotAllowedError("The project is read-only, so assist cannot store anything. Copy it to your folder.")
        self._closed = False
        with progress_bars(events, show=progress) as stream:
            proposals = propose(
                self._store,
                self._location.root,
                prompts,
                model=model,
                masks=masks,
                threshold=threshold,
                workers=workers,
                test=self.test,
                reserved=self._checks()["reserved"],
                events=stream,
            )
            change_signal.notify(self._location.root)
            if not proposals.remaining:
                with contextlib.suppress(Cancelled, NotAllowedError):  # another kernel trains
                    self._run(stream)
        return proposals

    def _label(self, frame: pd.DataFrame, revisions: dict[str, int], annotator: str, attempts: int = 20) -> int:
        """Store labels of a model on images that have not been changed since, as one action."""
        images, annotations, _ = self._store.tables(t.TRAIN, frame["image"].unique().tolist())
        same = images["revision"] == images["image"].map(revisions)
        images = images[same & (images["status"] == "unlabelled") & ~images["image"].isin(annotations["image"])]
        rows = frame[frame["image"].isin(images["image"]) & frame["label"].isin(self._store.labels()["label"])]
        images = images[images["image"].isin(rows["image"])].reset_index(drop=True)
        if images.empty:
            return 0
        rows = rows.assign(confidence=rows["confidence"].clip(0, 0.999))
        labelled = t.normalise_annotations(rows, annotator=annotator)
        try:
            done = self._store.update_images(
                t.TRAIN, t.settle_statuses(images, labelled), labelled, Action("auto-label", settings.user, annotator)
            )
        except (StaleEditError, TableError):  # a person was faster: leave that image out
            if not attempts:
                raise
            return self._label(frame, revisions, annotator, attempts - 1)
        change_signal.notify(self._location.root)
        return done.count

    # -- in the background --------------------------------------------------------------------------
    def _watch(self) -> None:
        self._wake.set()
        self._closed = False
        if self._store.read_only or (self._thread is not None and self._thread.is_alive()):
            return
        work = threading.Thread(target=_watch, args=(weakref.ref(self), self._wake), daemon=True)
        self._thread = work
        work.start()

    def _step(self) -> None:
        """Train if it is time, and no other kernel trains."""
        from customlabels_nb.assist.stored_results import stamp

        last = self._store.last_action()
        if last == self._seen or not self.on or self._runner.is_elsewhere:
            return
        done, latest, basis = self._latest("done"), self._latest(), self._basis()
        latest_run = latest and (latest["state"], latest["basis"], latest["labels"], latest["boxes"])
        failed = latest_run == ("failed", basis, *self._store.labelled_by_people(t.TRAIN))  # it would fail again
        missing = done is None or done["basis"] != basis or stamp(self._location.root) is None
        if not failed and (missing or self._training_progress()[0] == 0):
            with contextlib.suppress(Cancelled, HelperError, NotAllowedError):  # the run has the reason
                self._run(Events())
        self._seen = last


def _evidence_text(run: dict[str, Any], target: str) -> str:
    """Say what predictions lack to be trusted: check images, or right predictions on them."""
    items, right, wanted = (run["evidence"][name] for name in ("items", "right", "wanted"))
    if items < wanted:
        text = f"{items:,} of at least {counted(wanted, 'check image')} are labelled."
    else:
        text = f"The model predicts {right:,} of {counted(items, 'check image')} right, which is too few for {target}."
    more = f"about {counted(run['needed'], 'more label')} in the queue 'assist'" if run["needed"] else "fewer errors"
    return f"{text} To be trusted at {target}, predictions need {more}."


def _watch(reference: weakref.ref[Assist], wake: threading.Event) -> None:
    """Train in the background as long as the project is open."""
    while True:
        wake.wait(_POLL_SECONDS)
        wake.clear()
        assist = reference()
        if assist is None or assist._thread is not threading.current_thread():
            return
        try:
            assist._step()
            assist._error = ""
        except Exception as error:  # such as a full disk or a lost connection: try again
            assist._error = str(error) or type(error).__name__
        del assist


def _now() -> str:
    return datetime.now(UTC).isoformat()
