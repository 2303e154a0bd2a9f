"""Explain why images of a labelling job have no result yet, and what can be done about them.

The first rule of :data:`RULES` whose condition is true gives an image its verdict. The dashboard, the review and
``job.progress`` show the rule's sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, case, exists, func, select, true

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.jobs.consolidation import NEEDS_REVIEW, OPEN
from customlabels_nb.jobs.job_tasks import WANTED
from customlabels_nb.jobs.leases import ACCEPTED, LATE, REJECTED, SKIPPED
from customlabels_nb.store import schema
from customlabels_nb.store.expressions import constants, database_now

_ANSWER, _IMAGE, _JOB, _MEMBER = schema.job_answers.c, schema.images.c, schema.jobs.c, schema.job_members.c
_SKIP, _SLOT, _TASK = schema.job_skips.c, schema.job_slots.c, schema.job_tasks.c
_ANSWERED, _HELD_STATE, _ZERO = constants("answered", "held", 0)
_OF_BOTH = schema.job_tasks, schema.job_members
_FINAL = _ANSWER.reason.in_(("", LATE, REJECTED))  # answers after which a person is not asked again
_HAS_SKIPPED = exists().where(_SKIP.task == _TASK.id, _SKIP.who == _MEMBER.who).correlate(*_OF_BOTH)
_HAS_ANSWERED = exists().where(_ANSWER.task == _TASK.id, _ANSWER.who == _MEMBER.who, _FINAL).correlate(*_OF_BOTH)
# managers and reviewers can be asked if they have labelled
_MAY_ANSWER = exists().where(
    _MEMBER.job == _TASK.job, _MEMBER.state == "active", (_MEMBER.role == "labeler") | _MEMBER.seen.is_not(None),
    ~_HAS_SKIPPED, ~_HAS_ANSWERED,
)  # fmt: skip
#: Condition of slots: an answer is needed.
NEEDED = (_SLOT.state != _ANSWERED) & (_SLOT.slot > _ZERO)
_HELD = (_SLOT.state == _HELD_STATE) & (_SLOT.until >= database_now())
#: Condition of tasks: the image is in a dataset.
THERE = exists().where(_IMAGE.split.in_(constants(*t.SPLITS)), _IMAGE.image == _TASK.image)
_INVITED = exists().where(_JOB.id == _TASK.job, _JOB.members != "open")
#: Condition of tasks: no invited person can be asked.
ENDED = _INVITED & ~_MAY_ANSWER
SKIPS = select(func.count()).where(_SKIP.task == _TASK.id).correlate(schema.job_tasks).scalar_subquery()
_ANSWERS = select(func.count()).where(_ANSWER.task == _TASK.id, _FINAL).correlate(schema.job_tasks).scalar_subquery()
_ASKED = _ANSWERS + SKIPS  # number of people
_ENOUGH = exists().where(_JOB.id == _TASK.job, _JOB.annotators <= _ASKED, _JOB.most >= WANTED)
#: Condition of tasks: one more answer is needed, but nobody is left to ask. A job that everybody may join waits for
#: other people until ``annotators`` were asked, and if a reviewer has asked for one more.
ALONE = (_TASK.state == OPEN) & (_INVITED | _ENOUGH) & ~_MAY_ANSWER
#: Condition of tasks: they wait for the manager.
WAITING = _TASK.gold.is_(None) & ((_TASK.state == SKIPPED) | ALONE)


class Rule(NamedTuple):
    """Rule that gives images a verdict.

    ``state`` is that of the dashboard. ``condition`` is one of tasks. ``sentence`` names the ``actions``, which are
    keys of :data:`ACTIONS`. Without actions, people of the job give the answers.
    """

    verdict: str
    state: str
    condition: ColumnElement[bool]
    sentence: str = ""
    actions: tuple[str, ...] = ()


def _job_is(state: str) -> ColumnElement[bool]:
    return exists().where(_JOB.id == _TASK.job, _JOB.state == state)


#: Names of actions: the button that the dashboard shows beside the sentence, if its toolbar has none, and the call.
ACTIONS = {
    "review": ("", "job.review()"), "decide": ("Decide yourself", "job.review()"),
    "invite": ("Invite one…", "job.invite(…)"), "resume": ("", "job.resume()"),
    "return": ("Ask again", "job.return_skipped()"), "accept": ("Leave without result", "job.accept_skipped()"),
}  # fmt: skip
RULES = (
    Rule("review", "review", _TASK.state == NEEDS_REVIEW, "for the decision of a reviewer", ("review",)),
    Rule("skipped", "skipped", _TASK.state == SKIPPED, "for a decision, because people skipped {them}: ask again, "
            "or leave {them} without a result", ("return", "accept")),
    Rule("accepted", "skipped", _TASK.state == ACCEPTED),
    Rule("done", "done", _TASK.state != OPEN),
    Rule("closed", "waiting", _job_is("closed"), "for answers, but the job is closed: resume it", ("resume",)),
    Rule("working", "working", _TASK.id.in_(select(_SLOT.task).where(_HELD)), "for answers that are given now"),
    Rule("paused", "waiting", _job_is("paused"), "for answers, but the job is paused: resume it", ("resume",)),
    Rule("people", "waiting", _MAY_ANSWER, "for the people of the job"),
    Rule("alone", "waiting", _INVITED | _ENOUGH, "for {whom} person: invite one, or decide yourself",
         ("invite", "decide")),
    Rule("few", "waiting", true(), "for {whom} person: invite one", ("invite",)),
)  # fmt: skip
#: Expression of tasks: the verdict.
VERDICT = case(*((rule.condition, rule.verdict) for rule in RULES))
_RULES = {rule.verdict: rule for rule in RULES}
_ORDINALS = ("a first", "a second", "a third", "a fourth", "a fifth", "a sixth", "a seventh", "an eighth", "a ninth")


@dataclass(frozen=True)
class ImageGroup:
    """Images of a job with the same verdict.

    Attributes
    ----------
    verdict : str
        Why they have no result: "review", "skipped", "closed", "working", "paused", "people", "alone" or "few".
        Otherwise "done", or "accepted" for images that a manager left without a result.
    state : str
        State in the dashboard: "done", "review", "working", "waiting" or "skipped".
    images, left, held : int
        Images, answers that they need, and those of them that people have leased a task for.
    sentence : str
        Why they have no result. Empty if they are done.
    actions : tuple of str
        What can be done about them, as the sentence says: "review", "decide", "invite", "resume", "return" or "accept".
    """

    verdict: str
    state: str
    images: int
    left: int
    held: int
    sentence: str
    actions: tuple[str, ...]

    def __repr__(self) -> str:
        calls = dict.fromkeys(ACTIONS[action][1] for action in self.actions)
        return self.sentence.removesuffix(".") + (f" ({', '.join(calls)})" if calls else "")


def group_images(connection: Connection, job: int) -> list[ImageGroup]:
    """Return the images of a job by verdict, without gold images and removed ones."""
    slots = select(_SLOT.task, func.count().label("left"), func.count().filter(_HELD).label("held"))
    of_task = slots.where(_SLOT.job == job, NEEDED).group_by(_SLOT.task).subquery()
    numbers = (case((_TASK.state == OPEN, number)) for number in (_ASKED, of_task.c.left, of_task.c.held))
    tasks = select(VERDICT.label("verdict"), *map(ColumnElement.label, numbers, ("asked", "left", "held")))
    tasks = tasks.outerjoin(of_task, of_task.c.task == _TASK.id).where(_TASK.job == job, _TASK.gold.is_(None), THERE)
    # materialized, because SQLite would otherwise compute a verdict wherever it is used
    each = tasks.cte().prefix_with("MATERIALIZED").c
    people = case((each.verdict.in_(("alone", "few")), each.asked)).label("people")
    sums = (func.coalesce(func.sum(column), 0) for column in (each.left, each.held))
    groups = select(each.verdict, people, func.count(), *sums).group_by(each.verdict, "people").order_by("people")
    rows = connection.execute(groups).all()
    return [_group(*row) for row in sorted(rows, key=lambda row: [*_RULES].index(row.verdict))]


def _group(verdict: str, people: int | None, images: int, left: int, held: int) -> ImageGroup:
    rule = _RULES[verdict]
    whom = _ORDINALS[people] if people is not None and people < len(_ORDINALS) else "another"
    sentence = rule.sentence.format(whom=whom, them="it" if images == 1 else "them")
    sentence = sentence and f"{counted(images, 'image')} wait{'s' * (images == 1)} {sentence}."
    return ImageGroup(verdict, rule.state, images, int(left), int(held), sentence, rule.actions)
