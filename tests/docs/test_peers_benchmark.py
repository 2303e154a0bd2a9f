"""Check the options of ``benchmarks/peers.py``, and its table when a peer fails."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import peers

    return peers


def test_options_are_read(peers: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    options = peers.parse(["--only", "formats", "--only", "queues", "--repeats", "2", "--threads", "1"])
    assert (options.only, options.repeats, options.threads, options.quick) == (["formats", "queues"], 2, 1, False)
    assert peers.parse([]).repeats == 5
    with pytest.raises(SystemExit):
        peers.parse(["--only", "nothing"])
    assert "near-duplicates" in capsys.readouterr().err


def test_a_peer_that_fails_is_a_row_with_the_reason(peers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(contender: Any, task: str) -> dict[str, Any]:
        ran.append(f"{contender.name} {task}")
        if contender.name == "broken":
            raise SystemExit("uv failed with 1:\nTraceback …\nValueError: no | wheel\n")
        slow = contender.name == "slow"
        return {"what": f"{contender.name} 1.2", "seconds": 3.0 if slow else 1.0 + int(task), "cpu": 4.0, "boxes": 7}

    monkeypatch.setattr(peers.Contender, "run", run)
    ours, slow, broken = (peers.Contender(name, ("worker.py",)) for name in ("ours", "slow", "broken"))
    work = peers.Work("Read boxes", str, ours, (slow, broken), lambda task, answer: {"boxes": answer["boxes"]})
    rows = peers.compare(work, 2)
    assert ran == ["ours 0", "slow 0", "broken 0", "ours 1", "slow 1"]  # in turn, and a failed one not again
    assert peers.table(rows).splitlines()[2:] == [
        "| Read boxes | boxes 7.000, 1.5 s | slow 1.2 | boxes 7.000, 3 s | 2.25 × (1.5 to 3) | 1 × (1 to 1) |",
        "| Read boxes | boxes 7.000, 1.5 s | broken | did not run: ValueError: no \\| wheel | – | – |",
    ]
