import hashlib
import json
import math
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from customlabels_nb._utils.files import write_whole
from customlabels_nb.errors import ArtifactError, Cancelled, InputError, ModelError
from customlabels_nb.events import Event, Events, Message, Metrics, Progress
from customlabels_nb.training import checkpoints, pace
from customlabels_nb.training.budget import Budget, Clock, parse_budget
from customlabels_nb.training.checkpoints import STATE, Checkpoints, LoopState
from customlabels_nb.training.loop import LoopOptions, rate, train
from customlabels_nb.training.pace import FEW_STEPS, PROBE
from tests.facts import tells
from tests.fake_clock import FakeClock

BATCH = 8


class Toy:
    """Learner of a plane from points drawn again in each step, with noise from torch's own generator."""

    def __init__(
        self, *, validation: Sequence[float] = (), kill_at: int = -1, error: BaseException | None = None
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            self.network: nn.Module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
        self.identity: dict[str, Any] = {"toy": 1}
        self.validation, self.kill_at, self.error = list(validation), kill_at, error
        self.batch_size = BATCH
        self.sizes: list[int] = []
        self.looks = 0

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.network.parameters()), "lr": 0.05}]

    def batch(self, step: int, fraction: float, slots: Iterable[int] | None = None) -> list[torch.Tensor]:
        if step == self.kill_at and self.error is not None:
            raise self.error
        points = torch.Generator().manual_seed(step)
        return list(torch.randn(BATCH, 3, generator=points) * (1 + fraction))

    def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        self.sizes.append(len(items))
        x = torch.stack(list(items))
        noise = 0.1 * torch.randn(len(items), 1)
        found = self.network(x)
        return {"square": ((found - x.sum(dim=1, keepdim=True) - noise) ** 2).mean(), "size": 1e-3 * found.abs().mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        assert not network.training
        if not self.validation:
            return {}
        self.looks += 1
        return {"ap50": self.validation[min(self.looks, len(self.validation)) - 1]}


class Killed(BaseException):
    """Error that simulates a killed process, without any notification."""


def options(
    steps: int | None = 12, *, seconds: float | None = None, epoch: int = 4, random_state: int = 0
) -> LoopOptions:
    return LoopOptions(Budget(seconds, steps), best_steps=40, epoch_steps=epoch, random_state=random_state)


def weights(learner: Toy) -> list[torch.Tensor]:
    return [value.clone() for value in learner.network.state_dict().values()]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def trained(steps: int = 12, **how: Any) -> list[torch.Tensor]:
    """Train a toy learner and return its weights."""
    learner = Toy()
    train(learner, options(steps, **how), Events(), None)
    return weights(learner)


def heard(events: Events) -> list[Event]:
    """Return the list of all events from now on."""
    found: list[Event] = []
    events.subscribe(found.append)
    return found


class OneLoss(Toy):
    """Toy learner whose loss has one part."""

    def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"log_loss": torch.stack(list(super().losses(items).values())).sum()}


def test_one_loss_is_reported_once() -> None:
    events = Events()
    told = heard(events)
    state = train(OneLoss(), options(20, epoch=10), events, None)
    names = {name for event in told if isinstance(event, Metrics) for name in event.values}
    assert "loss" in names
    assert "log_loss" not in names
    assert {"loss", "log_loss"} <= state.history[0].keys()  # as stored by earlier releases


def test_it_learns_and_tells() -> None:
    learner, events = Toy(), Events()
    told = heard(events)
    state = train(learner, options(60, epoch=20), events, None)
    metrics = [event for event in told if isinstance(event, Metrics)]
    assert [event.step for event in metrics] == [20, 40, 60]
    assert metrics[-1].values["loss"] < 0.3 * metrics[0].values["loss"]
    assert metrics[0].values["loss"] == pytest.approx(metrics[0].values["square"] + metrics[0].values["size"])
    assert [e.done for e in told if isinstance(e, Progress)] == list(range(1, 61))
    assert (state.step, state.total, len(state.history)) == (60, 60, 3)
    assert not learner.network.training


def test_losses_are_reported_within_an_epoch_and_stored_by_epoch() -> None:
    events = Events()
    told = heard(events)
    quiet = train(Toy(), options(20, epoch=10), events, None)
    assert [event.step for event in told if isinstance(event, Metrics)] == [10, 20]
    told.clear()
    state = train(Toy(), options(20, epoch=10), events, None, clock=count(0.0, 10.0).__next__)
    metrics = [event for event in told if isinstance(event, Metrics)]
    assert [event.step for event in metrics] == list(range(1, 21))
    for end, entry in zip((10, 20), state.history, strict=True):
        steps = [event.values["loss"] for event in metrics[end - 10 : end]]
        assert entry["loss"] == pytest.approx(sum(steps) / 10)
    assert [entry["loss"] for entry in state.history] == [entry["loss"] for entry in quiet.history]


def test_the_last_losses_are_reported_if_training_ends_within_an_epoch() -> None:
    events = Events()
    told = heard(events)
    train(Toy(), options(14, epoch=10), events, None, clock=count(0.0, 10.0).__next__)
    metrics = [event for event in told if isinstance(event, Metrics)]
    assert [event.step for event in metrics] == list(range(1, 15))
    assert all(event.values["loss"] > 0 for event in metrics)


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_own_numbers_alone() -> None:
    torch.manual_seed(1)
    first = trained()
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), after)
    torch.manual_seed(2)
    assert same(first, trained())
    assert not same(first, trained(random_state=1))


@pytest.mark.parametrize("killed", range(13))
def test_killed_at_any_step_and_resumed_it_is_the_training_that_was_not(tmp_path: Path, killed: int) -> None:
    learner = Toy(kill_at=killed, error=Killed())
    with pytest.raises(Killed) if killed < 12 else nullcontext():  # at 12 it is finished, and nothing is left to do
        train(learner, options(), Events(), tmp_path / "kept")
    again = Toy()
    state = train(again, options(), Events(), tmp_path / "kept")
    assert same(weights(again), trained())
    assert [entry["step"] for entry in state.history] == [4, 8, 12]
    lost = killed - 4 * (killed // 4)
    assert len(again.sizes) == 12 - killed + lost  # no more than the epoch in progress


@pytest.mark.parametrize("stopped", [0, 1, 5, 8, 11])
@pytest.mark.parametrize("error", [KeyboardInterrupt, Cancelled])
def test_stopped_it_loses_nothing_and_says_where_it_was(tmp_path: Path, stopped: int, error: type) -> None:
    learner = Toy(kill_at=stopped, error=error())
    with pytest.raises(error, match=rf"Stopped by you after epoch {stopped // 4} of 3\."):
        train(learner, options(), Events(), tmp_path)
    again = Toy()
    train(again, options(), Events(), tmp_path)
    assert len(again.sizes) == 12 - stopped
    assert same(weights(again), trained())


def test_a_request_to_stop_is_heard_between_steps(tmp_path: Path) -> None:
    events = Events()
    events.subscribe(lambda event: events.cancel() if isinstance(event, Progress) and event.done == 6 else None)
    with pytest.raises(Cancelled, match="after epoch 1 of 3"):
        train(Toy(), options(), events, tmp_path)
    again = Toy()
    train(again, options(), Events(), tmp_path)
    assert same(weights(again), trained())


def test_a_half_done_step_is_never_kept(tmp_path: Path) -> None:
    learner, calls = Toy(), 0

    def interrupt(*_: Any) -> None:  # the weights are updated, their average is not yet
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt

    hook = register_optimizer_step_post_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(learner, options(), Events(), tmp_path)
    finally:
        hook.remove()
    assert Checkpoints(tmp_path).load().facts["step"] == 4  # type: ignore[union-attr]
    again = Toy()
    train(again, options(), Events(), tmp_path)
    assert same(weights(again), trained())


def test_an_interrupt_during_a_step_loses_nothing(tmp_path: Path) -> None:
    calls = 0

    def interrupt(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 7:
            signal.raise_signal(signal.SIGINT)

    hook = register_optimizer_step_post_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt, match="Stopped by you after epoch 1 of 3"):
            train(Toy(), options(), Events(), tmp_path)
    finally:
        hook.remove()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert Checkpoints(tmp_path).load().facts["step"] == 7  # type: ignore[union-attr]
    again = Toy()
    train(again, options(), Events(), tmp_path)
    assert same(weights(again), trained())


def test_other_threads_train_without_a_handler_of_interrupts(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(train, Toy(), options(), Events(), tmp_path).result().step == 12


@pytest.mark.parametrize("name", ["best-8.safetensors", "last-8.safetensors", STATE])
def test_an_interrupt_while_the_best_weights_are_written_keeps_them_with_their_metric(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(path: Path, data: bytes) -> None:
        if path.name == name and (name != STATE or b'"best_step": 8' in data):
            monkeypatch.setattr(checkpoints, "write_whole", write_whole)
            signal.raise_signal(signal.SIGINT)
        write_whole(path, data)

    monkeypatch.setattr(checkpoints, "write_whole", interrupt)
    with pytest.raises(KeyboardInterrupt, match="after epoch 2 of 3"):
        train(Toy(validation=[0.1, 0.7]), options(), Events(), tmp_path)
    again, whole = Toy(validation=[0.2]), Toy(validation=[0.1, 0.7, 0.2])
    state = train(again, options(), Events(), tmp_path)
    train(whole, options(), Events(), None)
    assert (state.best, state.best_step) == (0.7, 8)
    assert same(weights(again), weights(whole))


@pytest.mark.parametrize(("step", "held_out"), [(4, [0.7, 0.2, 0.2]), (8, [0.7, 0.2]), (12, [0.7])])
@pytest.mark.parametrize("during", ["the last step", "validation"])
def test_a_validation_that_was_interrupted_is_made_up_for(
    tmp_path: Path, step: int, held_out: list[float], during: str
) -> None:
    class Stopped(Toy):
        def validate(self, network: nn.Module) -> dict[str, float]:
            if during == "validation" and self.looks == step // 4 - 1:
                raise KeyboardInterrupt
            return super().validate(network)

    def interrupt(event: Event) -> None:
        if during == "the last step" and isinstance(event, Progress) and event.done == step:
            raise KeyboardInterrupt

    events = Events()
    events.subscribe(interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(Stopped(validation=[0.1]), options(), events, tmp_path)
    again = Toy(validation=held_out)
    state = train(again, options(), Events(), tmp_path)
    assert [entry["step"] for entry in state.history] == [4, 8, 12]
    assert (state.best, state.best_step) == (0.7, step)
    whole = Toy(validation=[*[0.1] * (step // 4 - 1), *held_out])
    uninterrupted = train(whole, options(), Events(), None)
    assert same(weights(again), weights(whole))
    assert [entry["loss"] for entry in state.history] == [entry["loss"] for entry in uninterrupted.history]


def test_a_long_epoch_is_stored_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    with pytest.raises(Killed):
        train_timed(Timed(machine, 100.0, kill_at=8, error=Killed()), options(epoch=12), Events(), tmp_path)
    assert Checkpoints(tmp_path).load().facts["step"] == 6  # type: ignore[union-attr]
    again = Timed(machine, 100.0)
    train_timed(again, options(epoch=12), Events(), tmp_path)
    assert same(weights(again), trained(epoch=12))


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_process_that_is_killed_leaves_what_it_had(tmp_path: Path) -> None:
    program = f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from pathlib import Path
        from customlabels_nb.events import Events
        from tests.training.test_loop import Toy, options, train
        class Fatal(Toy):
            def batch(self, step, fraction, slots=None):
                if step == 10:
                    os.kill(os.getpid(), 9)
                return super().batch(step, fraction)
        train(Fatal(), options(), Events(), Path({str(tmp_path)!r}))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, timeout=300)
    assert done.returncode == -9, done.stderr.decode()
    again = Toy()
    train(again, options(), Events(), tmp_path)
    assert len(again.sizes) == 4
    assert same(weights(again), trained())


# -- budgets ---------------------------------------------------------------------------------------------
class Machine:
    """Clock that only steps, evaluations and trials advance, and torch's threads as they are set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, threads: int = 1) -> None:
        self.clock, self.threads, self.fastest = FakeClock(0.0), threads, 1
        monkeypatch.setattr(torch, "get_num_threads", lambda: self.threads)
        monkeypatch.setattr(torch, "set_num_threads", lambda threads: setattr(self, "threads", threads))
        monkeypatch.setattr(pace, "fastest_threads", lambda: self.fastest)


class Timed(Toy):
    """Learner whose steps have given durations."""

    def __init__(
        self, machine: Machine, seconds: float | Callable[[int], float], look: float = 0.0, **how: Any
    ) -> None:
        super().__init__(**how)
        self.machine, self.seconds, self.look, self.steps = machine, seconds, look, 0

    def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        self.machine.clock.advance(self.seconds if isinstance(self.seconds, float) else self.seconds(self.steps))
        self.steps += 1
        return super().losses(items)

    def validate(self, network: nn.Module) -> dict[str, float]:
        self.machine.clock.advance(self.look)
        return super().validate(network)


def train_timed(learner: Timed, options: LoopOptions, events: Events, checkpoints: Path | None) -> LoopState:
    """Train by the clock of the learner's machine."""
    return train(learner, options, events, checkpoints, clock=learner.machine.clock)


def test_a_budget_of_time_becomes_steps_that_repeat_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, events = Machine(monkeypatch), Events()
    learner = Timed(machine, 0.01)
    told = heard(events)
    state = train_timed(learner, options(None, seconds=1.0, epoch=10), events, tmp_path)
    assert state.total is not None
    assert PROBE < state.total <= 100
    assert machine.clock() <= 1.001
    assert any(isinstance(event, Message) and f"{state.total:,} steps" in event.text for event in told)
    assert same(weights(learner), trained(state.total, epoch=10))


def test_time_that_was_spent_before_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    whole, less = options(None, seconds=2.0, epoch=10), replace(options(None, seconds=2.0, epoch=10), spent=1.2)
    first, second = (train_timed(Timed(machine, 0.01), chosen, Events(), None) for chosen in (whole, less))
    assert first.total is not None
    assert second.total is not None
    assert second.total < 0.75 * first.total
    assert second.seconds > 1.2


def test_a_budget_that_is_resumed_keeps_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = Timed(Machine(monkeypatch), 0.01, kill_at=15, error=Killed())
    with pytest.raises(Killed):
        train_timed(learner, options(None, seconds=1.0), Events(), tmp_path)
    kept = Checkpoints(tmp_path).load()
    assert kept is not None
    again = Timed(learner.machine, 0.01)
    state = train_timed(again, options(None, seconds=1.0), Events(), tmp_path)
    assert state.total == kept.facts["total"]
    assert same(weights(again), trained(state.total))


def test_stopped_before_the_steps_were_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    killed = Timed(machine, 0.01, kill_at=6, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt, match=r"after epoch 1\."):
        train_timed(killed, options(None, seconds=1.0), Events(), tmp_path)
    again = Timed(machine, 0.01)
    state = train_timed(again, options(None, seconds=1.0), Events(), tmp_path)
    assert state.total is not None
    assert same(weights(again), trained(state.total))


def test_few_steps_within_the_budget_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    told = heard(events)
    state = train_timed(Timed(Machine(monkeypatch), 0.06), options(None, seconds=1.0), events, None)
    assert state.total is not None
    assert state.total < FEW_STEPS
    said = [event.text for event in told if isinstance(event, Message)]
    (note,) = state.notes
    assert note in said
    assert tells(note, "1 s", state.total, "0.06 s")
    assert not any("fit into" in text for text in said)


def test_a_budget_that_is_spent_before_the_training_leaves_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit holds, though the model is hardly trained, which the notes say."""
    machine = Machine(monkeypatch)
    late = replace(options(None, seconds=1.0), spent=1.0)
    state = train_timed(Timed(machine, 8.0), late, Events(), None)
    assert (state.step, state.total) == (1, 1)
    assert tells(state.notes[0], "1 s", "1 step", "8 s")
    assert train_timed(Timed(Machine(monkeypatch), 0.01), options(None, seconds=1.0), Events(), None).notes == []


def test_best_goes_on_until_held_out_images_say_enough() -> None:
    learner = Toy(validation=[0.1, 0.5, 0.4])
    state = train(learner, LoopOptions(Budget(), best_steps=400, epoch_steps=2), Events(), None)
    assert state.best_step == 4
    assert state.step == 4 + max(16, 120)
    assert state.total == 400


@pytest.mark.parametrize("kept", [True, False])
def test_the_best_weights_are_the_ones_that_remain(tmp_path: Path, kept: bool) -> None:
    learner = Toy(validation=[0.1, 0.7, 0.2])
    state = train(learner, options(12), Events(), tmp_path if kept else None)
    assert (state.best, state.best_step) == (0.7, 8)

    class Looking(Toy):
        def validate(self, network: nn.Module) -> dict[str, float]:
            seen.append([value.clone() for value in network.state_dict().values()])
            return {}

    seen: list[list[torch.Tensor]] = []
    train(Looking(), options(12), Events(), None)
    assert same(weights(learner), seen[1])


def test_the_best_survives_being_killed(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(Toy(validation=[0.1, 0.7, 0.2], kill_at=10, error=Killed()), options(12), Events(), tmp_path)
    again = Toy(validation=[0.2])
    state = train(again, options(12), Events(), tmp_path)
    assert (state.best, state.best_step) == (0.7, 8)
    whole = Toy(validation=[0.1, 0.7, 0.2])
    train(whole, options(12), Events(), None)
    assert same(weights(again), weights(whole))


@given(st.integers(1, 5000), st.integers(10, 100))
def test_the_learning_rate(total: int, warm_up: int) -> None:
    shares = [rate(step, total, warm_up) for step in range(total)]
    assert all(0 < share <= 1 for share in shares)
    assert shares[:PROBE] == [rate(step, None, warm_up) for step in range(min(total, PROBE))]
    top = min(warm_up, max(PROBE, total // 4))
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    assert total < 200 or shares[-1] == 0.01


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("90s", 90),
        ("2min", 120),
        ("2 min", 120),
        ("1h 30min", 5400),
        ("1.5 h", 5400),
        (" 45 ", 45),
        (7.5, 7.5),
        (60, 60),
    ],
)
def test_budgets_as_people_write_them(said: str | float, seconds: float) -> None:
    assert parse_budget(said) == Budget(seconds=seconds)


def test_other_budgets() -> None:
    assert parse_budget("Best") == Budget()
    assert parse_budget() == Budget(seconds=120)
    assert parse_budget(steps=5) == Budget(steps=5)
    assert [str(parse_budget(b)) for b in ("best", "2min")] == ["best", "120 s"]


@pytest.mark.parametrize(
    "said", ["", "soon", "2 weeks", "-5s", "0", "1e9", "nan", -1, 0.5, math.nan, math.inf, True, []]
)
def test_budgets_that_can_not_be(said: Any) -> None:
    with pytest.raises(InputError, match="budget="):
        parse_budget(said)


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "5", 10**9])
def test_steps_that_can_not_be(steps: Any) -> None:
    with pytest.raises(InputError, match="steps="):
        parse_budget(steps=steps)
    with pytest.raises(InputError, match=r"budget='2min' and steps=5"):
        parse_budget("2min", 5)


def test_time_for_the_final_stages_is_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    timed = replace(options(None, seconds=40.0, epoch=10), spent=5.0, expect=lambda network: (0.0, 10.0))
    state = train_timed(Timed(machine, 0.5), timed, Events(), None)
    assert state.seconds == pytest.approx(30.0, abs=1.0)
    assert state.total == pytest.approx(50, abs=2)  # in (40 - 5 - 10) s, of 0.5 s each


def test_a_machine_that_becomes_slower_makes_the_steps_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, events = Machine(monkeypatch), Events()
    told = heard(events)
    timed = options(None, seconds=60.0, epoch=10)
    state = train_timed(Timed(machine, lambda step: 0.2 if step < 100 else 1.0), timed, events, tmp_path)
    assert state.total == state.step
    assert state.step == pytest.approx(140, abs=5)  # 100 steps of 0.2 s, the others of 1 s
    assert machine.clock() < 1.1 * 60
    assert any(f"{state.total:,} instead of" in event.text for event in told if isinstance(event, Message))


def test_a_look_that_takes_much_of_the_budget_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    learner = Timed(machine, 0.2, look=6.0, validation=[0.5])
    timed = replace(options(None, seconds=40.0, epoch=10), expect=lambda network: (6.0, 0.0))
    state = train_timed(learner, timed, Events(), None)
    assert learner.looks == 2  # one before its duration was known
    assert machine.clock() < 1.1 * 40 + 6
    assert state.history[-1]["step"] == state.total


def test_slow_steps_are_known_to_be_slow_before_the_probe_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, events = Machine(monkeypatch), Events()
    told = heard(events)
    timed = options(None, seconds=40.0, epoch=10)
    state = train_timed(Timed(machine, 8.0), timed, events, None)
    assert state.total is not None
    assert state.total < PROBE
    assert machine.clock() <= 1.25 * 40
    said = [event.text for event in told if isinstance(event, Message)]
    assert any(tells(text, "40 s", state.total, "8 s") for text in said)


def test_after_a_stall_the_threads_are_chosen_again_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, events = Machine(monkeypatch, threads=2), Events()
    told = heard(events)
    learner = Timed(machine, lambda step: 0.2 if step < 30 or machine.threads == 1 else 2.0, kill_at=45, error=Killed())
    with pytest.raises(Killed):
        train_timed(learner, options(60, epoch=10), events, tmp_path)
    assert machine.threads == 1
    assert any("1 of 2 threads" in event.text for event in told if isinstance(event, Message))
    machine.threads = 2  # as in another process
    train_timed(Timed(machine, 0.2), options(60, epoch=10), Events(), tmp_path)
    assert machine.threads == 1


def test_a_single_slow_step_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, threads=2)
    train_timed(Timed(machine, lambda step: 0.2 if step != 30 else 5.0), options(60, epoch=10), Events(), None)
    assert machine.threads == 2


def test_a_resumed_budget_counts_the_seconds_of_both_sittings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    timed = options(None, seconds=60.0, epoch=10)
    with pytest.raises(Killed):
        train_timed(Timed(machine, 0.2, kill_at=205, error=Killed()), timed, Events(), tmp_path)
    machine.clock.seconds = 1000.0
    state = train_timed(Timed(machine, 1.0), timed, Events(), tmp_path)
    assert state.seconds == pytest.approx(60.0, rel=0.1)
    assert state.total == pytest.approx(220, abs=5)


# -- the clock of a budget -------------------------------------------------------------------------------
def _clock(seconds: float | None = 40.0, images: int = 120) -> tuple[Clock, FakeClock, Events]:
    """Return a budget's clock, its simulated time, and its events."""
    now, events = FakeClock(0.0), Events()
    return Clock(Budget(seconds), events, 0.0, [f"{i}.jpg" for i in range(images)], clock=now), now, events


@pytest.mark.parametrize(("each", "beyond"), [(0.01, None), (0.2, (120, "24 s"))])
def test_predictions_are_kept_free_or_announced(each: float, beyond: tuple[int, str] | None) -> None:
    clock, now, events = _clock()
    told = heard(events)

    def ask(few: Sequence[str]) -> None:
        assert len(few) <= 9
        now.advance(each * len(few))

    look, after = clock.predictions(ask, 10)
    assert look == pytest.approx(10 * each)
    assert after == (pytest.approx(120 * each) if beyond is None else 0)
    said = [event.text for event in told if isinstance(event, Message)]
    assert len(said) == (0 if beyond is None else 1)
    assert beyond is None or tells(said[0], *beyond, "40 s")


@pytest.mark.parametrize(("seconds", "each", "beyond"), [(40.0, 0.5, 59.0), (40.0, 0.05, 0.0), (None, 0.5, 0.0)])
def test_work_before_the_training_counts_or_is_announced(seconds: float | None, each: float, beyond: float) -> None:
    clock, now, events = _clock(seconds)
    told = heard(events)
    with clock.watching("features of train"):
        events.progress("features of train", 0, 120)
        now.advance(3.0)  # loads the network
        for done in range(2, 121, 2):
            events.progress("another phase", 1, 1)
            events.progress("features of train", done, 120)
            now.advance(2 * each)
    said = [event.text for event in told if isinstance(event, Message)]
    assert len(said) == (1 if beyond else 0)
    assert all("about 59 s, beyond the budget" in text for text in said)
    assert clock.spent() == pytest.approx(3.0 + 120 * each - beyond)


# -- memory, disk, invalid numbers -----------------------------------------------------------------------
class Hungry(Toy):
    """Learner that runs out of memory with more than ``most`` items per batch."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        if len(items) > self.most:
            torch.empty(2**58)
        return super().losses(items)


def test_out_of_memory_halves_the_batch_and_says_so(tmp_path: Path) -> None:
    learner, events = Hungry(2), Events()
    told = heard(events)
    state = train(learner, options(), events, tmp_path)
    assert state.parts == 4
    assert set(learner.sizes) == {2}
    # Another message may tell a slow machine.
    first, second = [e.text for e in told if isinstance(e, Message) and "memory" in e.text]
    assert tells(first, "memory", 8)
    assert tells(second, "memory", 4)
    assert Checkpoints(tmp_path).load().facts["parts"] == 4  # type: ignore[union-attr]


def test_parts_of_a_batch_make_the_same_step() -> None:
    class Even(Hungry):
        def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
            if len(items) > self.most:
                torch.empty(2**58)
            x = torch.stack(list(items))
            return {"square": ((self.network(x) - x.sum(dim=1, keepdim=True)) ** 2).mean()}

    found = []
    for most in (BATCH, 3):
        learner = Even(most)
        state = train(learner, options(), Events(), None)
        found.append((weights(learner), state.history[-1]["loss"]))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-4)


def test_not_even_one_image_fits() -> None:
    with pytest.raises(ModelError, match="not enough memory to train on even one image"):
        train(Hungry(0), options(), Events(), None)


def test_torchs_own_error_for_it_counts_and_others_do_not() -> None:
    class Failing(Toy):
        def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
            if len(items) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.")
            return super().losses(items)

    assert train(Failing(), options(), Events(), None).parts == 2

    class Wrong(Toy):
        def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"wrong": torch.ones(2, 3) @ torch.ones(2, 3)}

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(Wrong(), options(), Events(), None)


def test_losses_that_are_no_numbers() -> None:
    class Broken(Toy):
        def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"broken": super().losses(items)["square"] * math.nan}

    with pytest.raises(ModelError, match="NaN"):
        train(Broken(), options(), Events(), None)


def test_infinite_gradients_are_skipped() -> None:
    class Infinite(Toy):
        def losses(self, items: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
            first = next(self.network.parameters())
            return {"square": (first - first.detach()).sqrt().sum()}  # 0, with a slope of infinity

    learner = Infinite()
    before = weights(learner)
    assert train(learner, options(1), Events(), None).step == 1
    assert same(weights(learner), before)


def test_a_run_that_began_without_a_scaler_resumes_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Toy(kill_at=1, error=KeyboardInterrupt()), options(2), Events(), tmp_path)
    scaler = torch.amp.GradScaler("cpu")
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *_, **__: scaler)  # as with float16 on a GPU
    assert train(Toy(), options(2), Events(), tmp_path).step == 2
    kept = Checkpoints(tmp_path).load()
    assert kept is not None
    assert kept.facts["scaler"]["scale"] == scaler.state_dict()["scale"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes there")
def test_a_full_disk_leaves_the_former_state_whole(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Toy(kill_at=5, error=KeyboardInterrupt()), options(), Events(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(ArtifactError, match=r"Cannot write .*previous checkpoint is still valid"):
            train(Toy(), options(), Events(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    again = Toy()
    train(again, options(), Events(), tmp_path)
    assert same(weights(again), trained())


# -- checkpoints -----------------------------------------------------------------------------------------
@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a folder with an interrupted training and a user's file."""
    with pytest.raises(KeyboardInterrupt):
        train(Toy(validation=[0.5], kill_at=10, error=KeyboardInterrupt()), options(), Events(), tmp_path)
    (tmp_path / "mine.txt").write_text("stays")
    return tmp_path


def test_only_the_last_and_the_best_are_kept_and_never_as_a_pickle(kept: Path) -> None:
    assert sorted(path.name for path in kept.iterdir()) == [
        "best-8.safetensors",
        "last-10.safetensors",
        "mine.txt",
        STATE,
    ]
    assert not any(path.name.startswith(".") for path in kept.iterdir())


@pytest.mark.parametrize("name", ["last-10.safetensors", "best-8.safetensors", STATE])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_state_that_was_tampered_with_is_refused(kept: Path, name: str, damage: str) -> None:
    path = kept / name
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    if (name, damage) == (STATE, "gone"):
        train(Toy(), options(), Events(), kept)  # no state is available, so it starts again
        return
    with pytest.raises(ArtifactError, match=r"hash differs|Cannot read|corrupted"):
        train(Toy(validation=[0.1]), options(), Events(), kept)


def test_facts_can_not_be_changed_by_hand(kept: Path) -> None:
    content = json.loads((kept / STATE).read_text())
    content["facts"]["step"] = 0
    (kept / STATE).write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="hash differs"):
        train(Toy(), options(), Events(), kept)


def test_a_file_outside_of_the_folder_is_never_read(kept: Path) -> None:
    content = json.loads((kept / STATE).read_text())
    del content["sha256"]
    content["files"]["last"]["name"] = "../elsewhere.safetensors"
    data = json.dumps(content, sort_keys=True, indent=1).encode()
    content["sha256"] = hashlib.sha256(data).hexdigest()
    (kept / STATE).write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="hash differs"):
        Checkpoints(kept).load()


def test_another_training_is_not_gone_on_with(kept: Path) -> None:
    other = Toy()
    other.identity = {"toy": 2}
    with pytest.raises(ArtifactError, match="a different toy"):
        train(other, options(), Events(), kept)


@pytest.mark.parametrize("damage", ["unknown fact", "no identity", "other shapes", "other parts"])
def test_a_checkpoint_of_another_release_is_refused(kept: Path, damage: str) -> None:
    loaded = Checkpoints(kept).load()
    assert loaded is not None
    facts, tensors = loaded.facts, loaded.tensors
    if damage == "unknown fact":
        facts["new"] = 1
    elif damage == "no identity":
        del facts["identity"]
    elif damage == "other shapes":
        tensors = {name: torch.zeros(5) for name in tensors}
    else:
        tensors = {f"new.{name}": value for name, value in tensors.items()}
    Checkpoints(kept).save(facts, tensors)
    with pytest.raises(ArtifactError, match="the checkpoint does not fit the model"):
        train(Toy(), options(), Events(), kept)


def test_clearing_leaves_what_is_not_ours(kept: Path) -> None:
    Checkpoints(kept).clear()
    assert [path.name for path in kept.iterdir()] == ["mine.txt"]
    (kept / "mine.txt").unlink()
    Checkpoints(kept).clear()
    assert not kept.exists()
    Checkpoints(kept).clear()
    assert Checkpoints(kept).load() is None


def test_the_state_is_what_json_can_hold() -> None:
    state = LoopState(step=3, history=[{"step": 1, "loss": 0.5}])
    assert LoopState(**json.loads(json.dumps(vars(state)))) == state
