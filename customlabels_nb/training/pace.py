"""Pace of a training run: how many steps fit into its budget, when it validates, and when it ends."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import torch

from customlabels_nb._utils.text import counted
from customlabels_nb.models.compute_threads import fastest_threads
from customlabels_nb.training.budget import Budget
from customlabels_nb.training.checkpoints import LoopState

#: Number of steps after which a time budget is converted to a number of steps. The first few are not timed.
PROBE = 10
#: Number of steps below which a model has learnt hardly anything.
FEW_STEPS = 20
#: Number of steps of a training run whose number of steps is not known yet.
ANY = 10**9

_PATIENCE = 0.3  # early stopping: share of all steps without improvement on held-out images
_LEAST_PATIENCE = 8  # epochs
_LOOK = 0.1  # share of a budget; a longer validation only runs at the end
_SLOW_PROBE = 0.25  # share of a budget after which three steps are enough to estimate the time per step
_LATE = 0.9  # share of the planned steps that must still fit into the budget
_STALL = 3.0  # slowdown factor at which the number of threads is chosen again


class Pace:
    """Decisions of a training run that depend on the time its steps take.

    ``times`` are the seconds of each step, ``state`` is the progress of the run, and ``epoch_steps`` the number
    of steps between two validations that take up little of the budget.
    """

    def __init__(self, state: LoopState, budget: Budget, epoch_steps: int, clock: Callable[[], float]) -> None:
        self.state, self.clock = state, clock
        self.times: list[float] = []
        self._limit, self._epoch_steps = budget.seconds or math.inf, epoch_steps
        self._since = clock()

    def seconds(self) -> float:
        """Return the seconds that the run has taken, and store them in its state."""
        now = self.clock()
        self.state.seconds += now - self._since
        self._since = now
        return self.state.seconds

    @property
    def epoch_steps(self) -> int:
        """Number of steps between two validations, or of all steps if a validation takes up much of the budget."""
        return (self.state.total or ANY) if self.state.look_seconds > _LOOK * self._limit else self._epoch_steps

    def is_epoch_end(self) -> bool:
        return self.state.step % self.epoch_steps == 0 or self.state.step == self.state.total

    def next_stop(self) -> int:
        """Return the step at which the next validation or decision is due."""
        state = self.state
        stops = [(state.step // self.epoch_steps + 1) * self.epoch_steps, state.total or ANY]
        return min([*stops, PROBE] if state.step < PROBE else stops)

    def is_finished(self) -> bool:
        """Check whether all steps are done, or held-out images have shown no improvement for long."""
        state = self.state
        if state.total is None or state.step >= state.total:
            return state.total is not None
        patience = max(_LEAST_PATIENCE * self._epoch_steps, int(_PATIENCE * state.total))
        return state.best_step is not None and state.step - state.best_step >= patience

    def is_probed(self) -> bool:
        """Check whether enough steps have run to know the time per step. If steps are slow, fewer are enough."""
        if self.state.total is not None or not self.times:
            return False
        slow = len(self.times) >= 3 and sum(self.times) > _SLOW_PROBE * self._limit
        return self.state.step >= PROBE or slow or self.seconds() >= self._limit

    def probed_seconds(self) -> float:
        """Return the time per step, without the first steps if there are more."""
        return statistics.median(self.times[2:] or self.times)

    def plan(self) -> str:
        """Convert the time budget to a number of steps, and return a message about it."""
        state = self.state
        state.total = max(state.step, self._affordable())
        if state.total >= FEW_STEPS:
            return f"{state.total:,} steps of {state.step_seconds:.2f} s each fit into {self._limit:g} s."
        state.notes.append(
            f"The budget of {self._limit:g} s is only enough for {counted(state.total, 'step')}, too few to learn "
            f"much. A step takes about {state.step_seconds:.2g} s. Pass a longer budget."
        )
        return state.notes[-1]

    def adapt(self, *, cuda: bool) -> str | None:
        """Adapt to a slowdown by choosing torch's threads again or planning fewer steps, and return a message."""
        state, threads = self.state, torch.get_num_threads()
        if len(self.times) < PROBE:
            return None
        latest, usual = statistics.median(self.times[-3:]), statistics.median(self.times[-50:-3])
        if latest > _STALL * usual and threads > 1 and not cuda:
            torch.set_num_threads(fastest_threads())
            self.times.clear()
            slow = f"Steps take {latest:.2f} s instead of {usual:.2f} s"
            return f"{slow}: torch now uses {torch.get_num_threads()} of {threads} threads."
        if state.total is None or math.isinf(self._limit):
            return None
        planned, fitting = state.total, max(state.step, self._affordable())
        if fitting >= _LATE * planned:
            return None
        state.total = fitting
        return f"Steps take longer than before: {fitting:,} instead of {planned:,} fit into the budget."

    def _affordable(self) -> int:
        """Return the total number of steps that fit into the budget at the current pace."""
        state, pace = self.state, statistics.median(self.times[max(2, len(self.times) - PROBE) :] or self.times)
        remaining = self._limit - self.seconds() - state.look_seconds - state.after_seconds
        return state.step + math.floor(remaining / (pace + state.look_seconds / self.epoch_steps))
