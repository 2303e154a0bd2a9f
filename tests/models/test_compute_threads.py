"""Tests of the number of threads used by torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from customlabels_nb.models import compute_threads
from customlabels_nb.models.compute_threads import fastest_threads, torch_threads
from customlabels_nb.user_settings import CpuShare, cpu_share, settings


@pytest.fixture(autouse=True)
def given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of threads that were set, starting with four."""
    numbers = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: numbers[-1])
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    monkeypatch.setattr(settings, "threads", CpuShare(4))
    return numbers


def machine(seconds: dict[int, float]) -> Callable[[int], float]:
    return lambda number: seconds[number]


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 0.010, 2: 0.0055, 4: 0.003}, 4),
        ({1: 0.010, 2: 0.0095, 4: 0.0094}, 1),
        ({1: 0.010, 2: 0.006, 4: 0.030}, 2),
        ({1: 0.040, 2: 0.200, 4: 0.500}, 1),
    ],
)
def test_fastest_thread_count_is_chosen(seconds: dict[int, float], best: int) -> None:
    assert fastest_threads(machine(seconds)) == best
    assert torch.get_num_threads() == 4


def test_given_thread_count_is_used(monkeypatch: pytest.MonkeyPatch, given: list[int]) -> None:
    def never(number: int) -> float:
        raise AssertionError

    monkeypatch.setattr(settings, "threads", 3)
    assert fastest_threads(never) == 3
    monkeypatch.setattr(settings, "threads", CpuShare(8))
    given.append(1)  # torch.set_num_threads(1)
    assert fastest_threads(never) == 1


def test_torch_random_state_is_unchanged() -> None:
    before = torch.get_rng_state()
    assert fastest_threads() in (1, 2, 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_more_threads_are_tried_than_the_process_has_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", CpuShare(2))
    tried: set[int] = set()
    fastest_threads(lambda number: tried.add(number) or 0.1)
    assert tried == {1, 2}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_torch_threads_are_restored(monkeypatch: pytest.MonkeyPatch, given: list[int], device: str) -> None:
    monkeypatch.setattr(compute_threads, "fastest_threads", lambda: 2)
    with suppress(KeyboardInterrupt), torch_threads(device):
        assert given[-1] == (2 if device == "cpu" else 4)
        raise KeyboardInterrupt
    assert given[-1] == 4


# -- number of available CPUs ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("files", "own", "share"),
    [
        ({}, "", 8),
        ({"cpu.max": "max 100000"}, "0::/", 8),
        ({"cpu.max": "150000 100000"}, "0::/", 2),
        ({"cpu.max": "20000 100000"}, "", 1),
        ({"a.slice/cpu.max": "300000 100000", "a.slice/b/cpu.max": "max 100000"}, "0::/a.slice/b", 3),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, "", 4),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "", 8),
        (
            {"cpu,cpuacct/d/cpu.cfs_quota_us": "200000", "cpu,cpuacct/d/cpu.cfs_period_us": "100000"},
            "4:memory:/x\n3:cpu,cpuacct:/d",
            2,
        ),
        ({"cpu.max": "nonsense"}, "0::/../..", 8),
        ({"cpu.max": "100000 0"}, "0::/", 8),
    ],
)
def test_cpu_share_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], own: str, share: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    for name, content in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    (tmp_path / "own").write_text(own)
    found = cpu_share(tmp_path / "cgroup", tmp_path / "own")
    assert found == share
    assert isinstance(found, CpuShare)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3}, raising=False)
    assert cpu_share(tmp_path / "cgroup", tmp_path / "own") == 1
