"""Tests of the messages between ranks: nothing is parsed unless rank 0 has sent it, as the next message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from customlabels_nb.errors import HelperError
from customlabels_nb.workers import ranks
from customlabels_nb.workers.ranks import KEY, RankChannel, RankTask

SECRET = "k" * 32


def sent(messages: list[bytes], key: str = SECRET, session: bytes = b"session") -> list[bytes]:
    """Return what rank 0 broadcasts for messages: a signed head and the content of each."""
    parts: list[bytes] = []

    def broadcast(data: bytes) -> bytes:
        parts.append(data)
        return data

    channel = RankChannel(key, session, broadcast)
    for message in messages:
        channel.send(message)
    return parts


def receiver(parts: list[bytes]) -> RankChannel:
    """Return the channel of another rank that receives these parts."""
    left = iter(parts)
    return RankChannel(SECRET, b"session", lambda data: next(left)[: len(data)].ljust(len(data), b"\0"))


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5))
def test_messages_are_received_as_sent(messages: list[bytes]) -> None:
    channel = receiver(sent(messages))
    assert [channel.receive() for _ in messages] == messages


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=2, max_size=4, unique=True), st.data())
def test_changed_replayed_and_reordered_messages_are_refused(messages: list[bytes], data: st.DataObject) -> None:
    parts = sent(messages)
    pairs = [parts[start : start + 2] for start in range(0, len(parts), 2)]
    order = data.draw(st.lists(st.sampled_from(range(len(pairs))), min_size=1, max_size=len(pairs)))
    got = [part for number in order for part in pairs[number]]
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(got) - 1))
        byte = data.draw(st.integers(0, len(got[place]) - 1))
        changed = bytearray(got[place])
        changed[byte] ^= data.draw(st.integers(1, 255))
        got[place] = bytes(changed)
    untouched = next((n for n in range(len(order)) if got[2 * n : 2 * n + 2] != pairs[n]), len(order))
    channel = receiver(got)
    assert [channel.receive() for _ in range(untouched)] == messages[:untouched]
    if untouched < len(order):
        with pytest.raises(HelperError, match="A message was refused"):
            channel.receive()


@pytest.mark.parametrize("forged", [{"key": "j" * 32}, {"session": b"earlier"}])
def test_a_message_with_another_key_or_of_another_session_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch, forged: dict[str, Any]
) -> None:
    message = save({"message": torch.frombuffer(bytearray(b'{"function": "end", "facts": {}}'), dtype=torch.uint8)})
    monkeypatch.setattr(ranks, "_channels", [receiver(sent([message]))])
    assert ranks._received() == RankTask("end", {})
    for parser in ("json.loads", "safetensors.torch.load"):
        monkeypatch.setattr(parser, lambda data: pytest.fail("the message was parsed"))
    monkeypatch.setattr(ranks, "_channels", [receiver(sent([message], **forged))])
    with pytest.raises(HelperError, match=f"set {KEY} to the same key"):
        ranks._received()


@pytest.mark.parametrize("function", ["os:system", "end", "__main__:exit"])
def test_only_functions_of_the_table_can_be_named(function: str) -> None:
    with pytest.raises(HelperError, match=r"only \['detector', 'classifier'\] can run"):
        ranks.work_of(RankTask(function, {}), 0)


PROGRAM = """
import json, os, psutil
from customlabels_nb.workers import ranks

rank = int(os.environ["RANK"])
os.environ[ranks.KEY] = json.loads(os.environ["KEYS"])[rank]
if rank == 0:
    with ranks.ranks(2, version="v7"):
        pass
else:
    found = ranks.follow()
    own = [one for one in psutil.Process().net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    print(found, sorted({one.laddr.ip.removeprefix("::ffff:") for one in own} - {"127.0.0.1", "::1"}), flush=True)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("keys", [[SECRET, SECRET], [SECRET, "j" * 32]])
def test_processes_of_torchrun_need_the_same_key_and_listen_on_loopback(tmp_path: Path, keys: list[str]) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "KEYS": json.dumps(keys)}
    command = [*launch, "--nproc-per-node=2", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    if keys[0] == keys[1]:
        assert "v7 []" in done.stdout, done.stdout + done.stderr
    else:
        assert "HelperError: A message was refused" in done.stderr, done.stdout + done.stderr
        assert "v7" not in done.stdout
