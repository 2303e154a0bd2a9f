"""Help with labelling that trains in the background: ``project.assist``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb._utils.progress_bars import progress_bars, say
from customlabels_nb._utils.text import counted
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.assist.auto_labels import AutoLabels
from customlabels_nb.assist.background_training import PHASES, BackgroundTraining, Place
from customlabels_nb.assist.stored_results import QUEUE_COLUMNS, LatestResults, waiting_images
from customlabels_nb.assist.trust import trust_text
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.errors import Cancelled, NotAllowedError
from customlabels_nb.events import Events, Listener

if TYPE_CHECKING:
    from customlabels_nb.assist.proposals import Proposals
    from customlabels_nb.assist.stored_results import AssistResults

_RUN_COLUMNS = ("run", "started", "ended", "state", "labels", "images", *PHASES, "threshold", "bound", "error")


@dataclass(frozen=True)
class AssistStatus:
    """State of the background training.

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


class Assist(NameHints):
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

    def __init__(self, place: Place, train_version: Callable[[str], Any]) -> None:
        self._place, self._train_version = place, train_version
        self._training, self._results = BackgroundTraining(place), LatestResults()
        self._counts: tuple[AssistResults | None, dict[str, Any]] = (None, {})
        if self.on:
            self._training.watch()

    def __repr__(self) -> str:
        return f"Assist({self.status})"

    # -- settings -----------------------------------------------------------------------------------
    @property
    def on(self) -> bool:
        """True if models are trained in the background."""
        return bool(self._training.settings["on"])

    @property
    def test(self) -> bool:
        """True if predictions are shown for test images, which can make metrics too optimistic."""
        return bool(self._training.settings["test"])

    def start(self, *, target: float = 0.95, budget: str | float | None = "2min", test: bool = False) -> AssistStatus:
        """Train in the background from now on, in this kernel or in one that is training already.

        Return the status, which says what happens now.

        Parameters
        ----------
        target : float
            Minimum precision of the shown predictions, between 0.5 and 0.999. They are shown once the 95 % confidence
            bound on check images reaches it.
        budget : str or float
            Time limit for training a detector, such as "2min" or seconds.
        test : bool
            Show predictions for test images as well. Metrics on test images that were labelled with their help are too
            optimistic.

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
        self._training.change_settings("start assist", on=True, target=float(target), budget=budget, test=bool(test))
        self._training.checks()
        self._training.watch()
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
            self._training.change_settings("stop assist", on=False)
        self._training.stop(wait=wait)

    # -- training -----------------------------------------------------------------------------------
    def train(self, *, progress: bool = True, events: Events | Listener | None = None) -> dict[str, Any]:
        """Train now, wait until the training has ended, and return its facts as a dict.

        ``steps`` has the duration of each phase, ``promise`` the guarantee or None, ``needed`` the number of labels
        until there is one, and ``advice`` whether to label more.

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
        self._training.is_closed = False
        with progress_bars(events, show=progress) as stream:
            return self._training.run(stream)

    @property
    def status(self) -> AssistStatus:
        """State, phase and progress, and a sentence. Printed, it reads like "waiting: Trains after 4 more labels."."""
        summary = self.summary()
        is_about_boxes = (self._training.latest() or {}).get("task") == "boxes"
        units = ("more box", "more boxes") if is_about_boxes else ("more label",)
        running, after = summary["running"], f"after {counted(summary['next'], *units)}" if summary["next"] else "soon"
        note = f" {summary['note']}" if summary["note"] else ""
        if running is not None:
            phase, done, total = running["phase"], running["done"], running["total"]
            stage = phase if total is None else f"{phase}, {done:,} of {total:,}"
            if running["stopping"]:
                return AssistStatus("stopping", phase, done, total, f"The training ({stage}) was asked to stop.")
            return AssistStatus("running", phase, done, total, f"{stage}.")
        rules = [
            (summary["read_only"], "read-only", "The project is read-only, so nothing can be trained or stored."),
            (not summary["on"], "off", "project.assist.start() orders, groups and prelabels the training images."),
            (summary["error"], "failed", summary["error"]),
            (summary["elsewhere"], "elsewhere", f"Another kernel trains {after}.{note}"),
            (True, "waiting", f"Trains {after}.{note}"),
        ]
        state, text = next((state, text) for applies, state, text in rules if applies)
        return AssistStatus(state, None, None, None, text)

    @property
    def next_training(self) -> int:
        """Number of labels until the next training. For boxes, the number of boxes."""
        return self._training.until_next().remaining

    @property
    def runs(self) -> pd.DataFrame:
        """Table of trainings, oldest first: times, state, labels, images, seconds of the phases, threshold, bound.

        ``threshold`` is the confidence from which predictions are shown, and ``bound`` the lower 95 % confidence bound
        of their precision.
        """
        rows = []
        for run in (run for run in self._training.runs() if run["state"] != "running"):
            seconds = {step["phase"]: step["seconds"] for step in run["steps"]}
            rows.append({**run, **seconds, **(run["promise"] or {})})
        return pd.DataFrame(rows, columns=list(_RUN_COLUMNS))

    def keep(self, name: str) -> Any:
        """Train a model version like ``project.train(name)``, on the labels that the background training uses.

        The models that are trained in the background are simple and replaced often, so they are not stored.

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
        self._training.close()

    # -- results ------------------------------------------------------------------------------------
    @property
    def results(self) -> AssistResults | None:
        """Results of the latest training, or None. They leave out labels that no longer exist."""
        return self._results.read(self._place.root, self._place.store)

    @property
    def queue(self) -> pd.DataFrame:
        """Table of the images to label, in the recommended order: image, kind, cluster, label, confidence.

        ``kind`` is "check" for random check images, "typical", "uncertain", "rare", or "copy" of another image.
        ``label`` and ``confidence`` are those of a prediction that can be trusted.
        """
        results = self.results
        if results is None:
            return pd.DataFrame(columns=list(QUEUE_COLUMNS))
        return results.queue_table(waiting_images(self._place.store.images(), test=self.test))

    def suspects(self) -> pd.DataFrame:
        """Return probably wrong labels and boxes: image, annotation, kind, given, suggested, score, model and box.

        Images that were reviewed since, or whose label was changed, are left out. Nothing is changed by itself.
        ``annotation`` is the index of the row in ``project.train_set.annotations``. The labels are compared in each
        training of assist. Before the first one, the table is empty, and a line says so.

        Examples
        --------
        >>> project.assist.suspects().columns[:5].tolist()
        No label was checked yet. project.assist.train() does it now.
        ['image', 'annotation', 'kind', 'given', 'suggested']
        """
        from customlabels_nb.assist.suspects import COLUMNS

        results = self.results
        if results is None:
            say("No label was checked yet. project.assist.train() does it now.")
            return pd.DataFrame(columns=list(COLUMNS))
        return results.suspects_left(self._place.store)

    @property
    def advice(self) -> list[str]:
        """Sentences that say how far predictions can be trusted, and whether more labels are worth the time."""
        last = self._training.latest("done")
        if last is None:
            return ["Nothing was trained yet. project.assist.train() does it now."]
        unlabelled = self._count()["left"]
        outlook = last["advice"]["text"] if last["advice"] and unlabelled != 0 else ""
        trust = trust_text(last, unlabelled)
        return [text for text in (last["note"], trust, outlook) if text]

    def summary(self) -> dict[str, Any]:
        """Return the state for the dashboard as a JSON object.

        Examples
        --------
        >>> project.assist.summary()["queues"]
        {'manual': 0, 'clustered': 0, 'prelabelled': 0, 'suspect': 0}
        """
        chosen, last, latest = self._training.settings, self._training.latest("done") or {}, self._training.latest()
        progress = self._training.until_next()
        return {
            **chosen, "read_only": self._place.store.read_only,
            "error": latest["error"] if latest and latest["state"] == "failed" else self._training.error,
            "elsewhere": self._training.runner.is_elsewhere, "running": self.running,
            "next": progress.remaining, "every": progress.every, "new": progress.new,
            "ended": last.get("ended"), "steps": last.get("steps", []), "promise": last.get("promise"),
            "needed": last.get("needed"), "missing": last.get("missing", []), "advice": last.get("advice"),
            "evidence": last.get("evidence"), "note": last.get("note", ""),
            **self._count(),
        }  # fmt: skip

    @property
    def running(self) -> dict[str, Any] | None:
        """Progress of the running training in any kernel: phase, done, total and stopping. None if no training runs."""
        return self._training.running

    @property
    def guarantee(self) -> dict[str, Any]:
        """Guarantee of the latest training as a dict: run, target, promise, evidence and needed.

        ``promise`` is None if predictions cannot be trusted at the ``target`` yet. Then ``needed`` is the estimated
        number of labels until they can, and ``evidence`` counts the check images and right predictions so far.
        """
        last = self._training.latest("done") or {}
        return {name: last.get(name) for name in ("run", "target", "promise", "evidence", "needed")}

    def _count(self) -> dict[str, Any]:
        """Count as :meth:`.AssistResults.count` does, again only when something was changed."""
        results = self.results
        if results is None:  # a large project opens without reading all its images
            queues = dict.fromkeys(("manual", "clustered", "prelabelled", "suspect"), 0)
            return {"accepted": 0, "corrected": 0, "queues": queues, "left": None}
        if self._counts[0] is not results:
            self._counts = results, results.count(self._place.store, test=self.test)
        return self._counts[1]

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
            Minimum share of labels that are right. By default that of :meth:`start`.
        dry_run : bool
            Change nothing. ``.apply()`` of the returned object labels the images.

        Examples
        --------
        >>> labels = project.assist.auto_label(0.95, dry_run=True)  # doctest: +SKIP
        >>> labels.frame.head()  # doctest: +SKIP
        """
        from customlabels_nb.assist.guarantee import fewest_items

        target = self._training.settings["target"] if target is None else target
        fewest_items(target)
        images = self._place.store.images(t.TRAIN)
        images = images[images["status"] == "unlabelled"]
        revisions = dict(zip(images["image"], images["revision"].tolist(), strict=True))
        self._training.is_closed = False
        with progress_bars(events, show=progress) as stream:
            labels = AutoLabels(self._place, self._training.run(stream, target=target), revisions)
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
        queue alternates between the proposed labels. Proposals become prelabels when their precision on check images is
        guaranteed, unless a model trained on your labels already has this guarantee. They replace those of the previous
        call.

        Boxes take seconds to a minute for each image. The time is estimated on three images first. If stopped, the
        proposals so far are stored, and the same call continues.

        Parameters
        ----------
        prompts : dict of str to str
            Description of each label. Missing labels are added to the project.
        model : str, optional
            "siglip2", the default for labels, "owlv2", the default for boxes, "mm-grounding-dino-tiny", the folder of
            such a model, or ``"hf://user/name@revision"``. It is downloaded if it is not on this machine.
        masks : bool
            Outline the object in each box with the model of ``settings.outline_engine``, by default SAM 2.
        threshold : float, optional
            Minimum confidence. By default 0.2 for boxes of OWLv2, 0.3 for those of Grounding DINO, 0.5 for images with
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

        if self._place.store.read_only:
            raise NotAllowedError("The project is read-only, so assist cannot store anything. Copy it to your folder.")
        self._training.is_closed = False
        with progress_bars(events, show=progress) as stream:
            proposals = propose(
                self._place.store, self._place.root, prompts, model=model, masks=masks, threshold=threshold,
                workers=workers, test=self.test, reserved=self._training.checks()["reserved"], events=stream,
            )  # fmt: skip
            change_signal.notify(self._place.root)
            if not proposals.remaining:
                with contextlib.suppress(Cancelled, NotAllowedError):  # another kernel trains
                    self._training.run(stream)
        return proposals
