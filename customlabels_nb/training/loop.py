"""Training loop of all networks, with progress reports, early stopping, checkpoints and exact resuming.

The random numbers, images and learning rate of a step depend only on the seed and the step number. On a CPU, a training
run that was killed and resumed therefore gives exactly the same weights as an uninterrupted run. Use ``steps`` to
repeat a run whose number of steps was derived from a time budget. The result is the same unless a slowdown reduced the
number of steps during that run.

See :mod:`.pace` for time budgets and :mod:`.checkpoints` for stored states.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from customlabels_nb._utils.device import is_out_of_memory, release_memory
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.errors import ArtifactError, Cancelled, HelperError, ModelError
from customlabels_nb.events import Events
from customlabels_nb.models.half_precision import half_type
from customlabels_nb.training.budget import Budget
from customlabels_nb.training.checkpoints import ADVICE, Checkpoints, Loaded, LoopState, Tensors
from customlabels_nb.training.data_parallel import Alone, Losses, Peers, usable_ranks
from customlabels_nb.training.pace import ANY, PROBE, Pace
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.ranks import LostRankError, Ranks, RankTask

#: Number of steps until the full learning rate, for new layers and for fine-tuning.
WARM_UP, TUNING_WARM_UP = 40, 20

_LOWEST_RATE = 0.01
_MOST_LOADERS = 8
_BETWEEN_LOSSES = 2.0  # seconds between two reports of the losses within an epoch
_BETWEEN_CHECKPOINTS = 300.0  # seconds between two checkpoints within an epoch
_MOST_LOST = 3  # processes that end one after the other without a step in between


class Learner(Protocol):
    """Interface between the training loop and a task. Runs resume only with the same ``identity``.

    Optional methods are ``preload()``, which decodes images that fit into memory before the first step, and
    ``samples()``, which returns samples from the last call of :meth:`validate` and a description of their images.
    """

    network: nn.Module
    identity: dict[str, Any]
    batch_size: int

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups for AdamW, each with its ``lr``."""

    def batch(self, step: int, fraction: float, slots: Iterable[int] | None = None) -> Sequence[Any]:
        """Return a batch or its ``slots``, which depend only on the arguments, as the share done."""

    def losses(self, items: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Compute the losses of all or part of a batch, each averaged over the items. Training minimises their sum."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Compute the metrics of a network in eval mode on held-out images, or an empty dict if there are none."""

    def for_ranks(self) -> RankTask:
        """Return the function that creates the learner in another process of the run, and its arguments."""


@dataclass(frozen=True)
class LoopOptions:
    """Options of the training loop.

    ``epoch_steps`` are those between two validations, each followed by a checkpoint. A long epoch also has checkpoints
    within. ``metric`` of ``validate`` selects the best state, higher is better. ``warm_up`` is the number of steps
    until the full learning rate, ``clip`` the largest norm of the gradient, ``average`` the decay of the moving average
    of the weights. ``spent`` are the seconds of the budget before the first step, for example to decode images.
    ``expect`` takes a network and estimates the seconds for a validation and for the work after training.
    ``best_steps`` is the most for the budget "best".
    """

    budget: Budget
    best_steps: int
    epoch_steps: int
    random_state: int = 0
    device: str = "cpu"
    metric: str = "ap50"
    warm_up: int = WARM_UP
    clip: float = 10.0
    average: float = 0.995
    spent: float = 0.0
    expect: Callable[[nn.Module], tuple[float, float]] | None = None
    ranks: Ranks | None = None


def rate(step: int, total: int | None, warm_up: int) -> float:
    """Compute the learning rate: linear warm-up, then cosine decay. :data:`PROBE` steps ignore ``total``."""
    if step < PROBE or total is None:
        return min(1.0, (step + 1) / warm_up)
    top = min(warm_up, max(PROBE, total // 4))
    if step < top:
        start = PROBE / warm_up
        return min(1.0, start + (1 - start) * (step + 1 - PROBE) / (top - PROBE))
    return max(_LOWEST_RATE, 0.5 * (1 + math.cos(math.pi * (step - top) / max(1, total - top))))


def train(
    learner: Learner,
    options: LoopOptions,
    events: Events,
    checkpoints: Path | None,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> LoopState:
    """Train until the budget is spent, then load the weights that performed best on held-out images, if any.

    It resumes from a checkpoint in ``checkpoints``, or raises ArtifactError if that is corrupted or of a different run.
    When the user stops (Cancelled, KeyboardInterrupt), a checkpoint is stored first. ModelError means that not even one
    image fits into memory, or that losses become NaN, and HelperError that training fails in another process.
    """
    kept = Checkpoints(checkpoints) if checkpoints is not None else None
    return _Loop(learner, options, events, kept, clock).go()


class OtherRank:
    """Work of the other processes of a run, see :data:`customlabels_nb.workers.ranks.FUNCTIONS`."""

    def __init__(self, learner: Learner, task: RankTask) -> None:
        options = task.facts["options"]
        self.learner = learner
        self.options = LoopOptions(**{**options, "budget": Budget(**options["budget"])})
        # names in the state begin with "network." and the like, those of the learner's arguments have no dot
        self.loaded = Loaded(task.facts["state"], {k: v for k, v in task.tensors.items() if "." in k})

    def prepare(self) -> None:
        getattr(self.learner, "preload", lambda: None)()

    def run(self, rank: int, size: int) -> None:
        """Take the steps that rank 0 announces."""
        loop = _Loop(self.learner, self.options, Events(), None)
        loop._restore(self.loaded)
        loop.follow(Peers(rank, size, self.learner.batch_size))


class _Loop:
    def __init__(
        self,
        learner: Learner,
        options: LoopOptions,
        events: Events,
        checkpoints: Checkpoints | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.clock = clock
        self.learner, self.options, self.events, self.checkpoints = learner, options, events, checkpoints
        self.network = learner.network
        self.cuda = options.device.startswith("cuda")
        self.optimizer = torch.optim.AdamW(learner.groups())
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.average = AveragedModel(self.network, multi_avg_fn=self._follow)
        self.half = half_type(options.device)
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.cuda and self.half is torch.float16)
        self.state = LoopState(total=options.budget.steps, seconds=options.spent)
        self.best: Tensors | None = None  # the best weights, if no checkpoint folder stores them
        self.whole = True  # False while the state changes, because a half-updated state must not be stored
        self.pace = Pace(self.state, options.budget, options.epoch_steps, clock)
        self.reported = _Reported(at=self.clock())
        self.kept = self.clock()
        self.peers: Peers | Alone = Alone(learner.batch_size)
        self.lost: list[int] = []  # the step of each loss of a process

    def go(self) -> LoopState:
        loaded = self.checkpoints.load() if self.checkpoints is not None else None
        if loaded is not None:
            try:
                self._restore(loaded)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:  # of another release or other packages
                raise ArtifactError(f"Cannot resume: the checkpoint does not fit the model. {ADVICE}") from error
        elif self.options.budget.seconds is None and self.state.total is None:
            self.state.total = self.options.best_steps
        try:
            if self._misses_validation():  # the run was stopped before or during it
                self._end_epoch()
            while not self.pace.is_finished():
                if self.options.ranks is not None and isinstance(self.peers, Alone):
                    self._start_ranks(self.options.ranks)
                elif self.pace.is_probed():
                    self._decide()
                else:
                    self._some_steps()
        except (KeyboardInterrupt, Cancelled) as error:
            if self.whole:
                self._keep()
            self._stopped(error)
        finally:
            self._end_ranks()
        self._take_best()
        self.network.eval()
        return self.state

    # -- steps --------------------------------------------------------------------------------------
    def _some_steps(self) -> None:
        """Run steps up to the next validation or decision, and report progress after each."""
        state, pace = self.state, self.pace
        self.network.train()
        with closing(self._batches(state.step, pace.next_stop())) as batches:
            ended = self.clock()
            for items in batches:
                try:
                    self.peers.announce(state.total, torch.get_num_threads())
                    self._step(items)
                except LostRankError:
                    assert self.options.ranks is not None
                    self.peers = Alone(self.learner.batch_size)
                    self._note_loss(self.options.ranks.reason())
                    return
                started, ended = ended, self.clock()
                pace.times.append(ended - started)  # includes the time to create the batch
                self.events.progress("training", state.step, state.total, unit="steps")
                total = state.total
                if (slowdown := pace.adapt(cuda=self.cuda)) is not None:
                    self.events.message(slowdown)
                is_within = not pace.is_epoch_end()
                if is_within and self.clock() - self.reported.at >= _BETWEEN_LOSSES:
                    self.events.metrics(state.step, **self._losses_since_report())
                if is_within and self.clock() - self.kept >= _BETWEEN_CHECKPOINTS:
                    self._keep()
                if pace.is_probed() or state.total != total:
                    break
        if pace.is_epoch_end():
            self._end_epoch()

    def _misses_validation(self) -> bool:
        step, history = self.state.step, self.state.history
        return step > 0 and self.pace.is_epoch_end() and (not history or history[-1]["step"] != step)

    def _batches(self, start: int, stop: int) -> Generator[Sequence[Any], None, None]:
        def make(step: int) -> Sequence[Any]:
            total = self.state.total
            fraction = 0.0 if step < PROBE or total is None else step / total
            return self.learner.batch(step, fraction, self.peers.slots)

        # on a CPU, creating batches takes only a few percent of the time, and more threads would compete with torch's
        workers = min(_MOST_LOADERS, settings.threads) if self.cuda else 1
        yield from map_bounded(make, range(start, stop), workers=workers)

    def _step(self, items: Sequence[Any]) -> None:
        state, share = self.state, rate(self.state.step, self.state.total, self.options.warm_up)
        for group, full in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = full * share
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        losses = self._gradients_of_all(items, parameters)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(parameters, self.options.clip)
        with self._undivided():
            # an enabled scaler skips infinite gradients itself
            if self.scaler.is_enabled() or bool(torch.isfinite(norm)):
                self.scaler.step(self.optimizer)
                self.scaler.update()
            self.average.update_parameters(self.network)
            for name, parts in losses.items():
                value = 0.0
                for part in parts.values():
                    value += part
                state.sums[name] = state.sums.get(name, 0.0) + value
            state.step += 1

    def _gradients_of_all(self, items: Sequence[Any], parameters: Sequence[Any]) -> Losses:
        """Compute the gradients and losses of a batch, in smaller parts if a process has not enough memory."""
        while True:
            losses: Losses | None = None
            try:
                losses = self._gradients(items)
            except (RuntimeError, MemoryError) as error:  # torch's out-of-memory error is a RuntimeError
                if not is_out_of_memory(error):
                    raise
            losses = self.peers.add(losses, parameters)
            if losses is not None:
                return losses
            self._halve(self.peers.images)

    def _gradients(self, items: Sequence[Any]) -> Losses:
        """Compute the gradients and losses of this process's share of a batch, split into parts if needed."""
        self.optimizer.zero_grad(set_to_none=True)
        losses: Losses = {}
        first, images = self.peers.slots.start, self.peers.images
        size = math.ceil(len(items) / math.ceil(self.state.parts / self.peers.size))
        for start in range(0, len(items), size):
            part = items[start : start + size]
            with _seeded(self._seed(first + start), self.options.device):
                with torch.autocast("cuda", dtype=self.half) if self.cuda else nullcontext():
                    part_losses = self.learner.losses(part)
                    values = torch.stack(list(part_losses.values())) * (len(part) / images)
                self.scaler.scale(values.sum()).backward()
            for name, value in zip(part_losses, values.tolist(), strict=True):
                losses.setdefault(name, {})[first + start] = value
        return losses

    def _seed(self, slot: int) -> int:
        """Return the random seed for the part of this step's batch that starts at ``slot``."""
        random_state, step = self.options.random_state, self.state.step
        if slot == 0:
            return random_state * 1_000_003 + step
        return int(np.random.SeedSequence([random_state, step, slot]).generate_state(1)[0])

    def _halve(self, images: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self.state.parts >= images:
            raise ModelError(
                "There is not enough memory to train on even one image at a time. "
                "Close other programs, or choose a smaller input_size."
            )
        release_memory(self.options.device)
        self.state.parts *= 2
        before, now = (math.ceil(images / parts) for parts in (self.state.parts // 2, self.state.parts))
        self.events.message(
            f"There was not enough memory for {before} images at once. They are now processed {now} at a time. "
            "The batch size stays the same."
        )

    def _follow(self, average: Any, current: Any, count: Any) -> None:
        weight = 1 - min(self.options.average, (1 + int(count)) / (20 + int(count)))
        torch._foreach_lerp_(list(average), list(current), weight)

    # -- several processes --------------------------------------------------------------------------
    def _start_ranks(self, ranks: Ranks) -> None:
        images = self.learner.batch_size
        size = usable_ranks(ranks.size, images)
        if size < ranks.size and not self.lost:
            self.events.message(f"{size} of {ranks.size} processes train, because a step has {images} images.")
        if not self.cuda:
            torch.set_num_threads(max(1, min(torch.get_num_threads(), ranks.threads)))
        self.state.parts = size * math.ceil(self.state.parts / size)
        recipe, state = self.learner.for_ranks(), self._snapshot()
        options = replace(self.options, expect=None, ranks=None)
        facts = {"learner": recipe.facts, "options": options, "state": state.facts}
        task = RankTask(recipe.function, facts, {**recipe.tensors, **state.tensors})
        shown = -1

        def report_ready(ready: int) -> None:
            nonlocal shown
            if ready != shown or self.events.is_cancelled:
                shown = ready
                self.events.progress("starting workers", ready, size - 1, unit="workers")

        try:
            ranks.start(task, size, report_ready)
            self.peers = Peers(0, size, images)
        except LostRankError as error:
            self._note_loss(str(error))

    def _note_loss(self, reason: str) -> None:
        """Let :meth:`go` start the other processes again, unless they keep ending at the same step."""
        self.lost.append(self.state.step)
        if self.lost[-_MOST_LOST:] == [self.state.step] * _MOST_LOST:
            raise HelperError(f"Training stopped because processes ended {_MOST_LOST} times in a row. {reason}")
        self.events.message(f"{reason} Training continues after step {self.state.step:,} with another process.")

    def _end_ranks(self) -> None:
        if self.options.ranks is not None:
            with suppress(LostRankError):
                self.peers.end()
            self.options.ranks.stop()

    def follow(self, peers: Peers) -> None:
        """Take the steps that rank 0 announces, as another rank."""
        self.peers = peers
        self.network.train()
        batches = self._batches(self.state.step, ANY)
        items = next(batches)
        while (announced := peers.receive()) is not None:
            total, threads = announced
            if total != self.state.total:
                self.state.total = total
                batches = self._batches(self.state.step, ANY)
                items = next(batches)
            torch.set_num_threads(threads)
            self._step(items)
            items = next(batches)  # while rank 0 creates its own

    # -- between steps ------------------------------------------------------------------------------
    def _time(self, work: Callable[[], object]) -> float:
        started = self.clock()
        work()
        return self.clock() - started

    def _decide(self) -> None:
        """Convert the time budget to a number of steps, after timing a checkpoint and a validation."""
        state = self.state
        state.step_seconds = state.step_seconds or self.pace.probed_seconds()
        self.average.eval()
        state.look_seconds = self._time(self._keep)
        if self.options.expect is None:
            state.look_seconds += self._time(lambda: self.learner.validate(self.average.module))
        else:
            look, state.after_seconds = self.options.expect(self.average.module)
            state.look_seconds += look
        note = self.pace.plan()
        self._keep()
        self.events.message(note)

    def _end_epoch(self) -> None:
        state = self.state
        count = state.step - int(state.history[-1]["step"] if state.history else 0)
        losses = {name: value / max(1, count) for name, value in state.sums.items()}
        if not all(math.isfinite(value) for value in losses.values()):
            raise ModelError("The losses are NaN or infinite, so training failed. Train again with a different seed.")
        self.average.eval()
        metrics = self.learner.validate(self.average.module)
        values = {"loss": sum(losses.values()), **losses, **metrics}
        latest = {**metrics, **self._losses_since_report()}
        metric = metrics.get(self.options.metric)
        best: Tensors | None = None
        with self._undivided():  # the best metric and the best weights belong together
            if metric is not None and (state.best is None or metric >= state.best):
                state.best, state.best_step = metric, state.step
                best = {key: value.detach().cpu().clone() for key, value in self.average.module.state_dict().items()}
            state.history.append({"step": state.step, "seconds": round(self.pace.seconds(), 3), **values})
            state.sums = {}
            self.reported = _Reported(state.step, at=self.clock())
            self._keep(best)
        self.events.metrics(state.step, **latest, learning_rate=self.optimizer.param_groups[-1]["lr"])
        samples, of = getattr(self.learner, "samples", lambda: ([], ""))()
        if samples:
            self.events.samples(state.step, samples, of=of)

    def _losses_since_report(self) -> dict[str, float]:
        """Compute the mean losses since the last report for the loss curves. The history has the means per epoch."""
        state, reported = self.state, self.reported
        count = max(1, state.step - max(reported.step, int(state.history[-1]["step"] if state.history else 0)))
        losses = {name: (value - reported.sums.get(name, 0.0)) / count for name, value in state.sums.items()}
        self.reported = _Reported(state.step, dict(state.sums), self.clock())
        return _of_one_loss(losses) if losses else {}

    @contextmanager
    def _undivided(self) -> Iterator[None]:
        """Run a block that changes the state. Ctrl-C takes effect after it, and a half-updated state is not stored."""
        self.whole = False
        with _deferred_interrupts():
            yield
            self.whole = True

    def _stopped(self, error: BaseException) -> None:
        total, epoch_steps = self.state.total, self.pace.epoch_steps
        epochs = self.state.step // epoch_steps
        of = "" if total is None else f" of {math.ceil(total / epoch_steps)}"
        text = f"Stopped by you after epoch {epochs}{of}."
        raise (Cancelled if isinstance(error, Cancelled) else KeyboardInterrupt)(text) from error

    # -- the state on disk --------------------------------------------------------------------------
    def _keep(self, best: Tensors | None = None) -> None:
        self.pace.seconds()
        if self.checkpoints is None:
            self.best = best or self.best
            return
        snapshot = self._snapshot()
        self.checkpoints.save(snapshot.facts, snapshot.tensors, best=best)
        self.kept = self.clock()

    def _snapshot(self) -> Loaded:
        self.state.threads = torch.get_num_threads()
        facts = {"identity": self.learner.identity, "scaler": self.scaler.state_dict(), **vars(self.state)}
        tensors = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.average.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
        return Loaded(facts, tensors)

    def _restore(self, loaded: Loaded) -> None:
        facts = dict(loaded.facts)
        identity, scaler = facts.pop("identity"), facts.pop("scaler")
        if identity != self.learner.identity:
            differing = [key for key, value in self.learner.identity.items() if identity.get(key) != value]
            raise ArtifactError(
                f"Cannot resume: the interrupted run has a different {' and '.join(differing) or 'configuration'}. "
                "Start a new training run."
            )
        self.state = self.pace.state = LoopState(**facts)
        if self.state.threads is not None and not self.cuda:
            torch.set_num_threads(min(self.state.threads, settings.threads))
        parts: dict[str, Tensors] = {"network": {}, "average": {}, "optimizer": {}}
        for key, value in loaded.tensors.items():
            part, _, rest = key.partition(".")
            parts[part][rest] = value
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {}
        for key, value in parts["optimizer"].items():
            index, _, name = key.partition(".")
            optimizer["state"].setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(optimizer)
        if scaler:  # the interrupted run may have used a device without a scaler
            self.scaler.load_state_dict(scaler)

    def _take_best(self) -> None:
        best = self.best
        if self.checkpoints is not None and self.state.best_step is not None:
            best = self.checkpoints.load_best()
        self.network.load_state_dict(best if best is not None else self.average.module.state_dict())


@dataclass(frozen=True)
class _Reported:
    """Last report of the losses: its step, the sums of the losses since the start of the epoch, and its time."""

    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    at: float = 0.0


@contextmanager
def _deferred_interrupts() -> Iterator[None]:
    """Handle Ctrl-C after the block. Only the main thread receives it."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[0])


@contextmanager
def _seeded(random_state: int, device: str) -> Iterator[None]:
    with torch.random.fork_rng(devices=[torch.device(device)] if device.startswith("cuda") else []):
        torch.manual_seed(random_state)
        yield


def _of_one_loss(losses: Mapping[str, float]) -> dict[str, float]:
    """Return the sum of the losses, and its parts if there are several."""
    return {"loss": sum(losses.values()), **(losses if len(losses) > 1 else {})}
