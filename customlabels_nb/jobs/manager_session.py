"""Read what the manager's dashboard of a labelling job shows, and store what managers decide there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import and_, exists, func, select

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.arrays import IntArray
from customlabels_nb.jobs.agreement import FEWEST_COMMON, FEWEST_MIXED, measure_agreement
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.job_results import newest_change, usable_gold
from customlabels_nb.jobs.leases import other_letter
from customlabels_nb.jobs.open_images import ACTIONS, RULES, THERE, VERDICT, ImageGroup
from customlabels_nb.labeling.image_table import short_name
from customlabels_nb.labeling.jobs import Job
from customlabels_nb.labeling.progress import microseconds
from customlabels_nb.store import SqlStore, schema
from customlabels_nb.store.expressions import database_now

#: States of an image in the dashboard, in order.
STATES = ("done", "review", "working", "waiting", "skipped")
#: Keys that :meth:`ManagerSession.images` accepts.
LINKS = ("state", "person", "skipped_by", "verdict", "label", "image", "mixed")
_MEMBER, _SKIP, _TASK = schema.job_members.c, schema.job_skips.c, schema.job_tasks.c
_COUNT_SECONDS = 10.0  # after which the states are counted again, because leases expire
_REST = 10  # after work, wait this many times as long as it took
_MOST_POINTS, _MOST_MIXED = 10, 2
_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000  # in microseconds
_RECENT, _PAUSE, _LONG = 15 * _MINUTE, 10 * _MINUTE, 3 * _HOUR
_UNITS = {"minute": (_MINUTE, 90 * _MINUTE), "hour": (_HOUR, 36 * _HOUR), "day": (_DAY, np.inf)}


class ManagerSession:
    """Numbers of a labelling job for its managers, the images behind them, and what a manager decides. Thread-safe.

    ``changes`` is a number that grows with every change of :attr:`figures`. People, agreement and hints are measured in
    the background by ``measuring``, again when there are new answers, and only for a small part of the time. ``clock``
    returns seconds.
    """

    def __init__(
        self, store: SqlStore, root: Path, job: LabellingJob, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.root, self.job, self._store, self.clock = root, job, store, clock
        self.measuring: Job[None] = Job()
        self.changes = 0
        self._lock = threading.RLock()
        self._counts: dict[str, Any] = {}
        self._measured: dict[str, Any] = {}
        self._answers = pd.DataFrame()
        self._times: IntArray = np.empty(0, dtype=np.int64)
        self._counted_key: object = None
        self._measured_key: object = None
        self._count_after = self._measure_after = self._counted = 0.0
        self.refresh()

    @property
    def figures(self) -> dict[str, Any]:
        """Numbers of the dashboard as JSON, in microseconds since 1970, at first without measured ones."""
        with self._lock:
            counts = self._counts
            pace = describe_pace(self._times, counts["now"], counts["coming"]) if self._measured else None
            error = self.measuring.state.error
            return {"changes": self.changes, **counts, **self._measured, "pace": pace, "error": error}

    # -- following the job --------------------------------------------------------------------------
    def refresh(self) -> None:
        """Follow the job: count its images, and measure in the background, if there is something new."""
        with self._lock:
            now = self.clock()
            if now < self._count_after:
                return
            with self._store.reading() as connection:
                seen = connection.scalar(select(func.max(_MEMBER.seen)).where(_MEMBER.job == self.job._id))
                key = (self._store.last_action(), newest_change(connection), seen)
            if key != self._counted_key or now >= self._counted + _COUNT_SECONDS:
                self._counts, self._counted_key, self._counted = self._count(), key, now
                self.changes += 1
            self._count_after = now + _REST * (self.clock() - now)
            state = self.measuring.state.name
            if (key != self._measured_key or state == "failed") and state != "running" and now >= self._measure_after:
                self._measured_key = key
                self.measuring.start(lambda _: self._measure(now))

    def _count(self) -> dict[str, Any]:
        job, progress, labels = self.job, self.job.progress, self._store.labels()
        colors = labels.set_index("label")["color"].to_dict()
        with self._store.reading() as connection:
            now = connection.scalar(select(database_now()))
        states = {state: sum(group.images for group in progress.waiting if group.state == state) for state in STATES}
        states |= {"done": progress.done - progress.review, "skipped": progress.skipped}
        return {
            "name": job.name, "state": job.state, "images": progress.images, "left": progress.left,
            "answers": progress.answers, "held": progress.held, "now": now, "settings": job.settings,
            "states": states, "waiting": self._waiting(progress.waiting),
            "coming": sum(group.left for group in progress.waiting if not group.actions),
            "labels": [{"label": label, "color": colors.get(label)} for label in job.labels],
        }  # fmt: skip

    def _measure(self, start: float) -> None:
        self._measure_after = start + _COUNT_SECONDS  # after a failure
        answers = self.job.answers
        answers = answers[answers["counted"]].reset_index(drop=True)
        agreement, people = self.job.agreement, self._people()
        images = self._labelled(answers).groupby("label")["image"].nunique()
        measured = {
            "people": people,
            "agreement": _plain([agreement.value, agreement.low, agreement.high]),
            "metric": agreement.metric,
            "per_label": [
                [row.label, int(images.get(row.label, 0)), *_plain([row.value, row.low, row.high])]
                for row in agreement.labels.itertuples()
                if isinstance(row.label, str)
            ],
            "course": self._course(answers),
            "hints": [*self._warnings(answers, people), *self._mixed_up(answers, agreement.frequent)],
        }
        with self._lock:
            self._measured, self._answers = measured, answers
            self._times = np.sort(np.array(microseconds(answers.loc[~answers["gold"], "submitted"]), dtype=np.int64))
            self.changes += 1
            self._measure_after = self.clock() + _REST * (self.clock() - start)

    def _people(self) -> list[dict[str, Any]]:
        """Describe the labelers by name, and other members who have answered or skipped something."""
        labelers, members = self.job.people.set_index("person"), self.job.members.set_index("person")
        invited = members[(members["role"] == "labeler") & (members["state"] != "removed")].index
        table = labelers.reindex(labelers.index.union(invited).sort_values())
        facts = table.astype(object).where(table.notna(), None).to_dict("index")
        return [
            {
                "person": name, "done": row["done"] or 0, "skipped": row["skipped"] or 0, "seconds": row["seconds"],
                "agreement": row["agreement"], "confusion": row["confusion"], "known": int(row["gold_answers"] or 0),
                "right": round((row["gold"] or 0) * (row["gold_answers"] or 0)),
                "seen": None if row["last_seen"] is None else microseconds(pd.Series([row["last_seen"]]))[0],
                "state": members["state"].get(name, "removed"), "reason": members["reason"].get(name, ""),
            }
            for name, row in facts.items()
            if row["done"] or row["skipped"] or name in invited
        ]  # fmt: skip

    def _course(self, answers: pd.DataFrame) -> list[list[Any]]:
        """Measure the agreement over time: of groups of images with several answers, by the time of the last one."""
        rows = answers[~answers["gold"]]
        rows = rows[rows.groupby("task")["task"].transform("size") > 1]
        last = rows.groupby("task")["submitted"].max().sort_values(kind="stable")
        number = min(_MOST_POINTS, len(last) // FEWEST_COMMON)
        points = []
        for part in np.array_split(np.arange(len(last)), number) if number else []:
            group = rows[rows["task"].isin(last.index[part])]
            agreement = measure_agreement(group, self.job.task, self.job.labels)
            until = microseconds(last.iloc[part[-1:]])[0]
            points.append([until, *_plain([agreement.value, agreement.low, agreement.high])])
        return points

    # -- hints --------------------------------------------------------------------------------------
    def _waiting(self, groups: Iterable[ImageGroup]) -> list[dict[str, Any]]:
        """Describe why images have no result yet, and what the manager can do."""
        return [
            _hint(
                [group.sentence], {"verdict": group.verdict}, f"Show {group.images:,}",
                *[(action, ACTIONS[action][0]) for action in group.actions if ACTIONS[action][0]],
            )
            for group in groups
        ]  # fmt: skip

    def _warnings(self, answers: pd.DataFrame, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Describe what the manager should look at: stopped people, similar names and wrong known answers."""
        hints = []
        for row in people:
            if row["state"] == "stopped":
                kept = counted(row["done"], "answer still counts", "answers still count")
                kept = f" gets no more tasks: {row['reason']}. {kept}."
                link = {"person": row["person"]}
                hints.append(_hint([link, kept], link, f"Show {row['done']:,}", ("trust", "Let them go on")))
        for first, *others in self.job.similar_names:
            for name in others:
                letter = other_letter(name, first)
                which = f" (the second has a {letter})" if letter else ""
                text = f" have similar names{which}, but count as two people. Are they one person?"
                parts = [{"person": first}, " and ", {"person": name}, text]
                hints.append(_hint(parts, {"person": name}, "Show answers", ("merge", "Merge…")))
        gold = self.job.gold
        usable = usable_gold(answers, self.job.task, gold, self.job.labels)
        for image in gold.loc[~gold["image"].isin(usable["image"]), "image"]:
            text = f"The known answer of {short_name(image)} is probably wrong. It is not used any more."
            hints.append(_hint([text], {"image": image}, "Show it"))
        return hints

    def _mixed_up(self, answers: pd.DataFrame, pairs: pd.DataFrame) -> list[dict[str, Any]]:
        """Describe which labels are mixed up, by pairs of people, and by all of them if images have one label."""
        hints, single = [], self.job.task == t.TASKS[0]
        for row in pairs.head(_MOST_MIXED).itertuples():
            first, second = (_label(label) for label in (row.label, row.other_label))
            who = [{"person": row.person}, " and ", {"person": row.other}]
            parts = [*who, " mix up ", first, " and ", second, f" ({row.times:,} of {row.of:,})."]
            link = {"mixed": [first["label"], second["label"], row.person, row.other]} if single else None
            hints.append(_hint(parts, link, f"Show {row.times:,}"))
        if not single:
            return hints
        labelled = self._labelled(answers).drop_duplicates(["image", "label"])
        of_label = labelled.groupby("label")["image"].agg(set)
        both = labelled.merge(labelled, on="image")
        both = both[both["label_x"] < both["label_y"]].groupby(["label_x", "label_y"]).size()
        for labels, times in both[both >= FEWEST_MIXED].nlargest(_MOST_MIXED).items():
            first, second = map(_label, labels)
            many = counted(len(set.union(*of_label[list(labels)])), "image")
            parts = ["Answers differ between ", first, " and ", second, f" on {times:,} of {many} with one of them."]
            link = {"mixed": [first["label"], second["label"], None, None]}
            hints.append(_hint(parts, link, f"Show {times:,}"))
        return hints

    def _labelled(self, answers: pd.DataFrame) -> pd.DataFrame:
        """Return image, person and each label of the answers, "" for nothing."""
        if self.job.task in t.TASKS[2:]:
            names = answers["boxes"].map(lambda boxes: [box["label"] for box in boxes])
        else:
            names = answers["label" if self.job.task == t.TASKS[0] else "labels"].astype(object)
        return answers[["image", "person"]].assign(label=names).explode("label").fillna({"label": ""})

    # -- images behind a number ---------------------------------------------------------------------
    def images(self, link: Mapping[str, Any]) -> list[str]:
        """Return the images that a number of the dashboard counts.

        ``link`` has one key: ``state``, which is "done", "review", "working", "waiting" or "skipped". ``person``, whose
        answers count. ``skipped_by``, a person. ``verdict``, as in ``job.progress.waiting``. ``label`` that somebody
        gave. ``image``. ``mixed``, two labels (None for nothing) that different people gave, and these people (None for
        anybody). InputError is raised for another key, or several.
        """
        kind = next(iter(link), "")
        value: Any = link.get(kind)
        if len(link) != 1 or kind not in LINKS:
            raise InputError(f"link={dict(link)!r} must have exactly one of the keys {LINKS!r}.")
        if kind == "image":
            return [str(value)]
        if kind in ("state", "verdict", "skipped_by"):
            skipped = exists().where(_SKIP.task == _TASK.id, _SKIP.who == value)
            verdicts = [rule.verdict for rule in RULES if getattr(rule, kind, None) == value]
            chosen = skipped if kind == "skipped_by" else and_(_TASK.gold.is_(None), VERDICT.in_(verdicts))
            with self._store.reading() as connection:
                return list(connection.scalars(select(_TASK.image).where(_TASK.job == self.job._id, THERE, chosen)))
        if not self._measured:
            self.measuring.wait()
        labelled = self._labelled(self._answers)
        if kind != "mixed":
            return list(dict.fromkeys(labelled.loc[labelled[kind] == value, "image"]))
        label, other, *people = value
        labelled = labelled[labelled["label"].isin([label or "", other or ""])]
        labelled = labelled[labelled["person"].isin(people)] if all(people) else labelled
        different = labelled.groupby("image")["label"].nunique() == 2
        return list(different.index[different])

    def datasets_of(self, images: Iterable[str]) -> list[str]:
        """Return the dataset of each image, twice for one that is in both."""
        wanted = set(images)
        return [split for split in t.SPLITS for image in self._store.images(split)["image"] if image in wanted]

    # -- decisions ----------------------------------------------------------------------------------
    def act(self, action: str, person: str = "") -> None:
        """Pause, resume or close the job, trust a person, merge one into a similar name, or settle skipped images."""
        actions: dict[str, Callable[[], object]] = {
            "pause": self.job.pause, "resume": self.job.resume, "close": self.job.close,
            "trust": lambda: self.job.trust(person), "merge": lambda: self._merge(person),
            "accept": lambda: self.job.accept_skipped(self.images({"verdict": "skipped"})),
            "return": lambda: self.job.return_skipped(self.images({"verdict": "skipped"})),
        }  # fmt: skip
        if action not in actions:
            raise InputError(f"action={action!r} must be one of {tuple(actions)!r}.")
        actions[action]()
        with self._lock:
            self._count_after = self._measure_after = 0.0
        self.refresh()

    def _merge(self, person: str) -> None:
        first = next((names[0] for names in self.job.similar_names if person in names), person)
        self.job.merge_people(person, into=first)


def describe_pace(submitted: IntArray, now: int, remaining: int) -> dict[str, str]:
    """Describe the rate of answers at these times, ascending, and how long those that are ``left`` take.

    Times are in microseconds. Return ``rate`` (a number) with its unit ``per``, and ``left`` (a duration) with ``more``
    about it. The rate is that of the last 15 minutes, from the last pause of 10 minutes on. If the rest takes long, the
    duration is that at the pace of the last 7 days, including nights.
    """
    if not len(submitted):
        return {"rate": "–", "per": "no answers yet", "left": "–", "more": ""}
    pauses, since = np.flatnonzero(np.diff(submitted) > _PAUSE), now - submitted[-1]
    start = max(now - _RECENT, submitted[pauses[-1] + 1 if len(pauses) else 0])
    recent, week = submitted[submitted >= start], submitted[submitted >= now - 7 * _DAY]
    pace = len(recent) / max(now - start, _MINUTE) if since <= _PAUSE else 0.0
    rate = {"rate": f"{pace * _HOUR:,.0f}", "per": "answers an hour"}
    if not pace:
        rate = {"rate": "–", "per": f"no answers for {_format_duration(since)}"}
    if not remaining:
        return {**rate, "left": "done", "more": "all answers are in"}
    exact, days = remaining / pace if pace else np.inf, (now - week[0]) / _DAY if len(week) else 0
    if days >= 1 and exact > _LONG:
        daily = len(week) / days
        return {**rate, "left": _format_duration(remaining / daily * _DAY), "more": f"at {daily:,.0f} answers a day"}
    if not pace:
        return {**rate, "left": "–", "more": ""}
    error = 2 / np.sqrt(len(recent))
    bounds = (
        [_format_duration(exact / (1 + error), exact), _format_duration(exact / (1 - error), exact)]
        if error < 1
        else []
    )
    between = f"{bounds[0].split()[0]} to {bounds[1]}" if len(set(bounds)) == 2 else ""
    return {**rate, "left": _format_duration(exact), "more": between}


def _format_duration(time_: float, like: float | None = None) -> str:
    """Format a duration in microseconds in the unit that fits ``like``, by default itself."""
    unit, size = next((unit, size) for unit, (size, most) in _UNITS.items() if (like or time_) < most)
    return counted(max(1, round(time_ / size)), unit)


def _hint(parts: list[Any], link: dict[str, Any] | None, show: str, *acts: tuple[str, str]) -> dict[str, Any]:
    """Return a hint as JSON: texts, names and labels, the link to its images, and what a manager can do."""
    return {"parts": parts, "link": link, "show": show, "acts": acts}


def _label(label: Any) -> dict[str, Any]:
    return {"label": label if isinstance(label, str) and label else None}


def _plain(values: Iterable[float]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
