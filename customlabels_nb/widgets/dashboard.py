"""Dashboard widget: labelling progress, checks and export of a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

import anywidget
import ipywidgets
import traitlets

from customlabels_nb.assist.auto_labels import AutoLabels
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.formats import FORMATS
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.labeling.dashboard import DashboardCheck, DashboardSession, DashboardTotals, LastVersion
from customlabels_nb.labeling.exporting import DashboardExport
from customlabels_nb.labeling.jobs import Job
from customlabels_nb.labeling.progress import UNITS, microseconds
from customlabels_nb.labeling.view import Query
from customlabels_nb.widgets._base import STATIC, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.history import history_handlers
from customlabels_nb.widgets.static_fallback import display_with_fallback, still_html

if TYPE_CHECKING:
    import pandas as pd

    from customlabels_nb.widgets.annotator import Annotator
    from customlabels_nb.widgets.gallery import Gallery
    from customlabels_nb.widgets.review import Review

_MOST_ISSUES = 50
_PATIENCE = 0.3  # seconds to wait before the page shows partial totals
_LARGEST_OFFSET = 15 * 60  # minutes
_Place: TypeAlias = tuple[str, str | None]  # dataset and queue
_STATUS_WORDS = {"labelled": "labelled", "needs_review": "to review", "skipped": "skipped", "unlabelled": "unlabelled"}


class _Link(TypedDict, total=False):
    """A number of the page, see :meth:`.DashboardSession.query`."""

    show: str
    label: str
    annotator: str
    queue: str
    work: tuple[int, str]
    since: int
    finding: int
    boxes: int
    action: int


class Dashboard(MessageHandler, anywidget.AnyWidget):
    """Widget that shows labelling progress, created by :meth:`customlabels_nb.project.project.Project.dashboard`.

    A click on a bar or a number opens a gallery below with exactly the images that it counts. Other cells can read and
    control the widget with ``totals``, ``show_images``, ``gallery`` and ``observe``.

    Attributes
    ----------
    seen : int
        The id of the latest action that the shown totals include. ``observe(handler, "seen")`` calls ``handler`` when
        it changes.
    """

    _esm = join_modules(STATIC / "dashboard.js")
    _css = join_styles("shared/base.css", "history/history.css", "dashboard.css")

    seen = traitlets.Int(0)

    def __init__(
        self,
        session: DashboardSession,
        gallery: Callable[[str, Query], Gallery | Annotator | Review],
        crops: Callable[[pd.DataFrame, t.Split], Gallery],
    ) -> None:
        super().__init__()
        self.session = session
        self._new_gallery, self._new_crops = gallery, crops
        self._galleries: dict[_Place, Gallery | Annotator | Review] = {}
        self._shown: _Place | None = None
        self._unit, self._offset = "hour", timedelta()
        self._box = ipywidgets.VBox([self])
        self._watch = session.watch(self._push)
        for job in (session.checking, session.exporting):
            job.on_end = self._push_jobs
        session.assisting.on_end = self._push_assist
        self.handlers = {
            "hello": self._hello,
            "follow": self._follow,
            "unit": self._set_unit,
            "open": self._open,
            "close": self._close,
            "check": self._check,
            "export": self._export,
            "stop": self._stop,
            "assist": self._change_assist,
            "assist rest": self._find_rest,
            "assist apply": self._label_rest,
            **history_handlers(session.actions),
        }
        self.on_msg(self.answer)

    @property
    def totals(self) -> DashboardTotals:
        """Current totals, as tables.

        Examples
        --------
        >>> totals = project.dashboard().totals
        >>> totals.statuses.query("images > 0")
           split    status  images
        1  train  labelled      12
        5   test  labelled       6
        """
        return self.session.totals(self._unit, offset=self._offset)

    @property
    def gallery(self) -> Gallery | Annotator | Review | None:
        """Gallery that is open below, or None. For a queue, it may be an annotator or a review."""
        return None if self._shown is None else self._galleries[self._shown]

    def show_images(self, split: t.Split = t.TRAIN, **link: Any) -> Gallery | Annotator | Review:
        """Open a gallery below with the images that a number of the dashboard counts.

        The queues of ``project.assist`` open as in :meth:`.Project.label`, :meth:`.Project.annotate` for boxes, and
        :meth:`.Project.review` for "suspect".

        Parameters
        ----------
        split : {"train", "test"}
            Dataset of the images.
        **link
            One of ``show``, ``label``, ``annotator``, ``queue``, ``work``, ``since``, ``finding`` and ``action``, see
            :meth:`customlabels_nb.labeling.dashboard.DashboardSession.query`. Without any, all images are shown.
            ``boxes``, the number of a finding, shows its boxes as crops.

        Examples
        --------
        >>> gallery = project.dashboard().show_images("test", label="garden")
        >>> gallery.session.split
        'test'
        """
        shows_boxes = list(link) == ["boxes"]
        query = Query() if shows_boxes else self.session.query(split, link)
        key = (split, "boxes" if shows_boxes else query.queue)
        gallery = self._galleries.get(key)
        if shows_boxes:
            boxes = self.session.boxes(split, link["boxes"])
            if gallery is not None:
                gallery.close()  # its boxes are fixed
            gallery = self._galleries[key] = self._new_crops(boxes, split)
        elif gallery is None:
            gallery = self._galleries[key] = self._new_gallery(split, query)
        else:
            gallery.session.open(split)
            gallery.session.follow()
            gallery.set_filter(**{field.name: getattr(query, field.name) for field in fields(query)})
        self._shown = key
        self._box.children = (self, gallery._outermost())
        return gallery

    def close(self) -> None:
        """Close the dashboard and the galleries that it opened.

        Examples
        --------
        >>> dashboard = project.dashboard()
        >>> dashboard.close()
        """
        self._watch.stop()
        self.session.assisting.stop()
        for gallery in self._galleries.values():
            gallery.close()
        self._galleries.clear()
        self._box.close()
        super().close()

    def _ipython_display_(self) -> None:
        display_with_fallback(self._box, self._fallback())

    def _fallback(self) -> str:
        totals = self.session.totals(wait=0)
        lines = []
        for split in t.SPLITS:
            counts = totals.statuses[totals.statuses["split"] == split].set_index("status")["images"]
            summary = ", ".join(
                f"{counts[status]:,} {words}" for status, words in _STATUS_WORDS.items() if counts[status]
            )
            lines.append(f"{split}: {summary or 'no images'}")
        lines.append(f"{self.session.project}: labelling progress. Run this cell to see the current state.")
        return still_html(*lines)

    def _hello(self, offset: int = 0) -> Any:
        if abs(offset) > _LARGEST_OFFSET:
            raise InputError(f"offset={offset!r} is not a valid time zone offset in minutes.")
        self._offset = timedelta(minutes=offset)
        return {**self._follow(), "formats": list(FORMATS)}

    def _follow(self, seen: int | None = None, jobs: int | None = None, assist: Any = None) -> Any:
        """Return changes that the page does not know yet: totals and the state of jobs."""
        self._watch.awake()
        changes: dict[str, Any] = {}
        if seen != self.session.last_action():
            changes["figures"] = self._totals()
        if jobs != self._job_changes():
            changes["jobs"] = self._jobs()
        if assist != (now := self._assist()):
            changes["assist"] = now
        if changes:
            changes["next"] = self._next()
        return changes

    def _totals(self) -> dict[str, Any]:
        totals = self.session.totals(self._unit, offset=self._offset, wait=_PATIENCE)
        if totals.complete:
            self.seen = totals.seen
        else:
            self.session.when_complete(self._push)
        return totals_as_json(totals) | {
            "project": self.session.project,
            "task": self.session.task,
            "read_only": self.session.read_only,
            "unit": self._unit,
        }

    def _next(self) -> dict[str, Any] | None:
        step = self.session.next_step()
        return None if step is None else asdict(step)

    def _push(self) -> None:
        news = {"figures": self._totals(), "assist": self._assist(), "next": self._next()}
        self.send({"push": "news", "news": news})

    def _push_jobs(self) -> None:
        self.send({"push": "news", "news": {"jobs": self._jobs()}})

    def _push_assist(self) -> None:
        state = self.session.assisting.state
        rest = _rest_as_json(state.result) if isinstance(state.result, AutoLabels) else None
        ended = {"error": state.error, "rest": rest}
        self.send({"push": "news", "news": {"assist": self._assist(), "next": self._next(), "ended": ended}})

    def _assist(self) -> dict[str, Any] | None:
        assist = self.session.assist
        return None if assist is None else assist.summary()

    def _change_assist(
        self, do: Literal["start", "stop", "train"], target: float = 0.95, budget: Any = "2min", test: bool = False
    ) -> Any:
        """Switch the assistance on or off, change its settings, or train now."""
        if do == "train":
            self.session.train()
        elif do == "stop":
            self.session.assisting.stop()
            self.session.assist.stop(wait=False)
        else:
            self.session.assist.start(target=target, budget=budget, test=test)
        return {"assist": self._assist()}

    def _find_rest(self) -> Any:
        self.session.find_rest()
        return {"assist": self._assist()}

    def _label_rest(self) -> Any:
        rest = self.session.assisting.state.result
        if not isinstance(rest, AutoLabels):
            raise NotAllowedError("The model was trained again in the meantime. Open “Label the rest…” again.")
        images = rest.apply()
        return {"images": images, "action": self.session.last_action(), "assist": self._assist()}

    def _job_changes(self) -> int:
        return self.session.checking.changes + self.session.exporting.changes

    def _jobs(self) -> dict[str, Any]:
        changes = self._job_changes()
        check = _job_as_json(self.session.checking, _checked_as_json)
        return {"changes": changes, "check": check, "export": _job_as_json(self.session.exporting, _exported_as_json)}

    def _set_unit(self, unit: str) -> Any:
        if unit not in UNITS:
            raise InputError(f"unit={unit!r} is not a unit of time. Choose one of {tuple(UNITS)!r}.")
        self._unit = unit
        return {"figures": self._totals()}

    def _open(self, split: t.Split, link: _Link) -> Any:
        total = len(self.show_images(split, **link).session.view)
        return {"total": total} | ({"unit": ["box", "boxes"]} if "boxes" in link else {})

    def _close(self) -> Any:
        self._shown = None
        self._box.children = (self,)
        return {}

    def _check(self) -> Any:
        self.session.check()
        return {"jobs": self._jobs()}

    def _export(self, folder: str, format: str, splits: list[str], include: list[str], copy_images: bool) -> Any:
        self.session.export(folder, format, splits=splits, include=include, copy_images=copy_images)
        return {"jobs": self._jobs()}

    def _stop(self, job: Literal["check", "export"]) -> Any:
        running: Job[Any] = self.session.checking if job == "check" else self.session.exporting
        running.stop()
        return {}


def totals_as_json(totals: DashboardTotals) -> dict[str, Any]:
    """Convert totals to JSON for the page, with times in microseconds since 1970."""
    statuses: dict[str, dict[str, int]] = {split: {} for split in t.SPLITS}
    for split, status, images in totals.statuses.itertuples(index=False, name=None):
        statuses[split][status] = images
    pace = totals.annotators["images_per_hour"]
    people = totals.annotators.assign(images_per_hour=pace.astype(object).where(pace.notna(), None))
    starts = microseconds(totals.work["start"])
    counts = totals.work[list(t.SPLITS)].itertuples(index=False, name=None)
    return {
        "seen": totals.seen,
        "statuses": statuses,
        "labels": totals.labels.to_numpy(dtype=object).tolist(),
        "annotators": people.to_numpy(dtype=object).tolist(),
        "work": [[start, *values] for start, values in zip(starts, counts, strict=True)],
        "queue": {kind: values for kind, *values in totals.queue.itertuples(index=False, name=None)},
        "usable": totals.usable,
        "complete": totals.complete,
        "version": None if totals.version is None else _version_as_json(totals.version),
    }


def _rest_as_json(rest: AutoLabels) -> dict[str, Any]:
    counts = rest.frame.groupby("label")["image"].nunique()
    images = int(rest.frame["image"].nunique())
    limit = " One training looks for boxes in at most 500 images." if rest.frame["left"].notna().any() else ""
    labels = [[name, int(count)] for name, count in counts.items()]
    return {"text": rest.text + limit, "images": images, "labels": labels}


def _version_as_json(version: LastVersion) -> dict[str, Any]:
    created, changed = microseconds([version.created, version.changed_at or version.created])
    return asdict(version) | {"created": created, "changed_at": changed if version.changes else None}


def _job_as_json(job: Job[Any], result_as_json: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    state = job.state
    now = state.progress
    return {
        "state": state.name,
        "error": state.error,
        "progress": None if now is None else {"phase": now.phase, "done": now.done, "total": now.total},
        "result": None if state.result is None else result_as_json(state.result),
    }


def _checked_as_json(checked: DashboardCheck) -> dict[str, Any]:
    report = checked.report
    rows = report.issues[["code", "severity", "images", "message", "advice"]].to_dict("records")
    for number, row in enumerate(rows):
        row["splits"] = {split: count for split in t.SPLITS if (count := len(report.images_of(number, split)))}
        row["boxes"] = {split: len(report.boxes_with(row["code"], split)) for split in row["splits"]}
    return {"seen": checked.seen, "findings": rows, "plan": list(checked.plan)}


def _exported_as_json(exported: DashboardExport) -> dict[str, Any]:
    issues = exported.issues
    return {
        "folder": str(exported.folder),
        "images": exported.images,
        "files": len(exported.files),
        "issues": issues["message"].head(_MOST_ISSUES).tolist(),
        "more": max(0, len(issues) - _MOST_ISSUES),
    }
