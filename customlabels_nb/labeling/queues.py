"""What assist found for the images of a session, without what was answered or put aside meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb.assist.trust import few_images_text, trust_text
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import CORRECTED, PRELABELLED, REJECTED

if TYPE_CHECKING:
    from customlabels_nb.assist.stored_results import AssistResults

#: Label, box, confidence and polygon.
Prelabel: TypeAlias = tuple[str, tuple[float, ...], float, Any]
_Answer = list[tuple[str, tuple[float, ...]]]  # labels with their boxes, which are missing for image-level labels


class Suspect(NamedTuple):
    """Suspected label error. ``given`` and ``suggested`` are None where there is no such label."""

    kind: str
    given: str | None
    suggested: str | None
    drawn: bool


_ANSWERED = {
    "clustered": "All clustered images are labelled or skipped.",
    "prelabelled": "All predictions that can be trusted are answered.",
    "suspect": "No labels are suspected to be wrong, or all suspects are reviewed.",
}

#: Check images that follow a cluster page, as a share of the labels that it got.
CHECK_SHARE = 0.25


class Queues:
    """Latest results of assist for one session, and what was put aside in it.

    Prelabels are tuples of label, box, confidence and polygon or None. ``checks`` are the next check images, which are
    labelled without predictions. ``cluster`` has the shown page's ``number``, ``of`` and ``alike``, or only ``check``
    if it has check images.
    """

    def __init__(self, assist: Any = None) -> None:
        self.assist = assist
        self.results: AssistResults | None = None
        self.version = 0
        self._guarantee: dict[str, Any] = {}
        self.prelabels: dict[str, list[Prelabel]] = {}
        self.suspects: dict[str, list[Suspect]] = {}
        self.checks: frozenset[str] = frozenset()
        self.cluster: dict[str, Any] | None = None
        self._page: list[str] = []
        self._page_marks: set[str] = set()  # an image of each cluster page that was labelled
        self._due = 0.0  # check images to show after the labels that cluster pages got
        self._taken_out: set[str] = set()
        self._passed: Counter[str] = Counter()

    def renew(self) -> bool:
        """Take the latest results. Return True if they are new."""
        results = None if self.assist is None else self.assist.results
        if (results and results.images) is (self.results and self.results.images):  # after each run an array of its own
            return False
        self.results = results
        self.version += 1
        self.prelabels = {}
        self.suspects = {}
        self.checks = frozenset(() if results is None else results.check_images)
        for row in () if results is None else results.suspects.itertuples(index=False):
            given, suggested = (None if pd.isna(label) else label for label in (row.given, row.suggested))
            self.suspects.setdefault(row.image, []).append(Suspect(row.kind, given, suggested, not pd.isna(row.left)))
        return True

    @property
    def guarantee(self) -> dict[str, Any]:
        """Guarantee of the run that the results are from, as in :attr:`.Assist.guarantee`, empty if it is unknown."""
        run = None if self.results is None else self.results.run
        if run is not None and self._guarantee.get("run") != run:
            self._guarantee = self.assist.guarantee
        return self._guarantee if run is not None and self._guarantee.get("run") == run else {}

    def lacks_checks(self, left: int) -> bool:
        """Return True if predictions can be trusted once more check images are labelled, and enough are left."""
        evidence, needed = self.guarantee.get("evidence"), self.guarantee.get("needed") or 1
        is_short = evidence and not self.guarantee["promise"] and evidence["items"] < evidence["wanted"]
        return bool(is_short and needed <= left)

    def why_empty(self, queue: str, images: int, left: int) -> str:
        """Say why a queue shows nothing. It may have ``images`` in all, and ``left`` of them have no label."""
        evidence, assist = self.guarantee.get("evidence"), self.assist
        few = few_images_text(images, evidence) if queue == "prelabelled" else ""
        if not left and queue != "suspect":
            which = "image" if self.may_help(t.TEST) else "train image"
            return f"No {which} is left to label, so this queue is empty."
        if self.results is not None:
            if queue != "prelabelled" or not evidence or self.guarantee["promise"]:
                return _ANSWERED.get(queue, "All images of this queue are labelled or skipped.")
            target = self.guarantee["target"]
            return f"No prediction can be trusted at {target:.0%} yet. {trust_text(self.guarantee, left)}{few}"
        if assist is None or not assist.on:
            return f"Assist has not trained yet. project.assist.start() turns it on.{few}"
        return f"This queue appears here after the first training{_progress_text(assist.running)}.{few}"

    def may_help(self, split: str) -> bool:
        """Return True if predictions may be shown for unlabelled images of this dataset."""
        return split == t.TRAIN or (self.assist is not None and self.assist.test)

    def helps(self, split: str) -> bool:
        """Return True if prelabels are shown for images of this dataset."""
        return self.results is not None and self.may_help(split)

    def offer(self, split: str, labels: Collection[str]) -> pd.DataFrame | None:
        """Return the predictions to show, of images that have only these ``labels``, or None if there are none."""
        if self.results is None or not self.helps(split):
            return None
        self.prelabels = {}
        table = self.results.prelabels
        unknown = table.loc[~table["label"].isin(labels), "image"]
        table = table[~table["image"].isin(unknown)].assign(polygon=table.get("polygon"))
        boxes = table[[*t.BOX_COLUMNS]].astype("float64").itertuples(index=False, name=None)
        columns = (table[name] for name in ("image", "label", "confidence", "polygon"))
        for box, image, label, confidence, polygon in zip(boxes, *columns, strict=True):
            self.prelabels.setdefault(image, []).append((label, box, float(confidence), polygon))
        return table

    def offered(self, image: str, split: str, *, drawn: bool = False) -> list[Prelabel]:
        """Return the prelabels of an image: labels of the image, or of boxes."""
        if image not in self.prelabels or not self.helps(split):
            return []
        return [offer for offer in self.prelabels[image] if np.isnan(offer[1][0]) != drawn]

    def names(self, queue: str, waiting: Collection[str], rejected: Collection[str] = ()) -> list[str]:
        """Return the ``waiting`` images of a queue, in its order. The ``rejected`` ones count as not prelabelled."""
        if self.results is None:
            return []
        offered = self.prelabels.keys() - set(rejected)
        if queue == "manual":  # with the rejected ones
            return [name for name in self.results.names("assist", waiting) if name not in offered]
        names = self.results.names(queue, waiting)
        return [name for name in names if name in offered] if queue == "prelabelled" else names

    def cluster_page(self, waiting: Collection[str], most: int, near: str | None) -> list[str]:
        """Return the images of the next cluster page, or of the page with the image ``near``, at most ``most``.

        Labels given to clusters are no evidence for a guarantee. Each page is therefore followed by a page of check
        images, :data:`CHECK_SHARE` of the labels that it got.
        """
        self._settle_page(waiting)
        if self.results is None:
            return []
        pages = self.results.cluster_pages(waiting, self._taken_out)
        checks = [name for name in self.results.check_images if name in waiting]
        count = 1 if near in checks else 0 if near is not None else int(self._due)
        if count and checks:
            self.cluster = {"check": True}
            self._page = sorted(checks, key=lambda name: name != near)[: min(count, most)]
            return self._page
        if pages.empty:
            return []
        passed = pages["image"].map(lambda name: self._passed[name]).groupby(pages["page"]).transform("min")
        around = pages.index[pages["image"] == near]
        number = pages["page"].loc[around[0] if len(around) else passed.idxmin()]
        page = pages[pages["page"] == number]
        passed_by_page = passed.groupby(pages["page"]).first()
        done = len(self._page_marks.difference(waiting))  # less after an undo
        self.cluster = {
            "number": done + int((passed_by_page > passed_by_page.min()).sum()) + 1,
            "of": done + len(passed_by_page),
            "alike": float(page["alike"].iloc[0]),
        }
        self._page = page["image"].head(most).tolist()
        return self._page

    def _settle_page(self, waiting: Collection[str]) -> None:
        """Count what was labelled on the page that is left."""
        if self.cluster is not None:
            check = "check" in self.cluster
            labelled = [name for name in self._page if name not in waiting]
            done = len(self._page if check else labelled)
            self._page_marks.update([] if check else labelled[:1])
            self._due = max(0.0, self._due + (-done if check else CHECK_SHARE * done))
        self.cluster, self._page = None, []

    def put_aside(self, taken_out: Iterable[str], passed: Iterable[str]) -> None:
        """Let images come back alone (``taken_out``), and others with their page after all pages (``passed``)."""
        self._taken_out.update(taken_out)
        self._passed.update(passed)


def _progress_text(running: Mapping[str, Any] | None) -> str:
    if running is None:
        return ""
    phase = "reading the images" if running["phase"] == "featurization" else running["phase"]
    total = running["total"]
    return f" ({phase}, {running['done']:,} of {total:,})" if total else f" ({phase})"


def tag_answers(
    images: pd.DataFrame, annotations: pd.DataFrame, before: pd.DataFrame, prelabels: Mapping[str, Any]
) -> pd.DataFrame:
    """Tag the images of an edit whose prelabels were accepted or corrected. ``before`` are the earlier annotations."""
    names, tags = images["image"].tolist(), images["tags"].tolist()
    if not any(name in prelabels or PRELABELLED in image_tags for name, image_tags in zip(names, tags, strict=True)):
        return images
    answers, earlier = _answers(annotations), _answers(before)
    new_tags = []
    for name, image_tags, status in zip(names, tags, images["status"], strict=True):
        offered = [mark[:2] for mark in prelabels.get(name, ())] or (PRELABELLED in image_tags and earlier.get(name))
        offered = REJECTED not in image_tags and offered
        if offered:
            image_tags = [tag for tag in image_tags if tag not in (PRELABELLED, CORRECTED)]
            if status == "labelled":
                image_tags.append(PRELABELLED if _same(answers.get(name, []), offered) else CORRECTED)
        new_tags.append(image_tags)
    return images.assign(tags=pd.Series(new_tags, index=images.index, dtype=object))


def _answers(annotations: pd.DataFrame) -> dict[str, _Answer]:
    boxes = annotations[[*t.BOX_COLUMNS]].itertuples(index=False, name=None)
    answers: dict[str, _Answer] = {}
    for image, label, box in zip(annotations["image"], annotations["label"], boxes, strict=True):
        answers.setdefault(image, []).append((label, box))
    return answers


def _same(first: _Answer, second: _Answer) -> bool:
    """Return True if these are the same labels, with boxes that differ by at most a pixel."""
    first, second = sorted(first), sorted(second)
    if [label for label, _ in first] != [label for label, _ in second]:
        return False
    return np.allclose([box for _, box in first], [box for _, box in second], rtol=0, atol=1, equal_nan=True)
