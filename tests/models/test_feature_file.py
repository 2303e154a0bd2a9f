"""Tests of the packed feature file: several processes, killed writers, damaged records and its size limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from customlabels_nb.models.feature_file import FeatureFile, feature_key

WIDTH = 64
HEADER = 256
RECORD = 16 + 4 + 2 * WIDTH

# adds one record at a time, all of its own number, until it is killed or has added ``count``
WRITER = """
import sys
from pathlib import Path
import numpy as np
from customlabels_nb.models.feature_file import FeatureFile, feature_key
path, number, count, batch = Path(sys.argv[1]), *map(int, sys.argv[2:])
file = FeatureFile(path, "x", 64, 2**30)
print("ready", flush=True)
for start in range(0, count, batch):
    keys = [feature_key(f"{number}-{at}") for at in range(start, start + batch)]
    file.add(keys, np.full((batch, 64), number, dtype=np.float32))
"""


def file_at(path: Path, limit_bytes: int = 2**30, name: str = "x", width: int = WIDTH) -> FeatureFile:
    return FeatureFile(path, name, width, limit_bytes)


def rows_of(numbers: list[int], width: int = WIDTH) -> np.ndarray:
    return np.stack([np.random.default_rng(number).normal(size=width) for number in numbers]).astype(np.float32)


def keys_of(numbers: list[int]) -> list[bytes]:
    return [feature_key(f"{number}") for number in numbers]


def read(file: FeatureFile, keys: list[bytes]) -> tuple[np.ndarray, list[bool]]:
    into = np.full((len(keys), file.width), np.nan, dtype=np.float32)
    return into, file.read(keys, into).tolist()


def start(path: Path, number: int, count: int, batch: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(number), str(count), str(batch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_features_come_back_in_any_order_in_float16(tmp_path: Path) -> None:
    file, given = file_at(tmp_path / "deep" / "x.features"), rows_of([1, 2, 3])
    assert read(file, keys_of([1]))[1] == [False]
    assert file.lookup([])[1].shape == (0, WIDTH)
    file.add(keys_of([1, 2]), given[:2])
    file.add(keys_of([3]), given[2:])
    for again in (file, file_at(file.path)):
        found, known = read(again, [*keys_of([3, 1, 9]), None, *keys_of([2])])
        assert known == [True, True, False, False, True]
        assert (found[known] == given[[2, 0, 1]].astype(np.float16)).all()
        assert np.isnan(found[[2, 3]]).all()
        assert again.lookup([])[1].dtype == np.float16
        places, rows = again.lookup(keys_of([2, 9]))
        assert (rows[places[0]] == given[1].astype(np.float16)).all()
        assert places[1] == -1
    assert file.path.stat().st_size == HEADER + 3 * RECORD
    assert {path.name for path in file.path.parent.iterdir()} == {"x.features", "CACHEDIR.TAG"}


def test_deleted_folder_is_not_recreated(tmp_path: Path) -> None:
    file = file_at(tmp_path / "project" / "cache" / "features" / "x")
    file.add(keys_of([1]), rows_of([1]))
    assert not (tmp_path / "project").exists()
    (tmp_path / "project").mkdir()
    file.add(keys_of([1]), rows_of([1]))
    assert read(file, keys_of([1]))[1] == [True]


def test_nothing_is_stored_twice(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x")
    for key, number in ((7, 1), (8, 2), (7, 3)):
        file.add(keys_of([key]), rows_of([number]))
    assert len(file.lookup([])[1]) == 2
    found, _ = read(file, keys_of([7, 8]))
    assert (found == rows_of([1, 2]).astype(np.float16)).all()


def test_values_that_float16_cannot_represent_are_not_stored(tmp_path: Path) -> None:
    file, rows = file_at(tmp_path / "x"), rows_of([1, 2, 3])
    rows[0, 5], rows[1, 5] = 1e6, np.nan
    file.add(keys_of([1, 2, 3]), rows)
    assert read(file, keys_of([1, 2, 3]))[1] == [False, False, True]


@pytest.mark.parametrize("cut", [1, 20, RECORD - 1, RECORD + 7])
def test_a_torn_record_is_ignored_and_later_records_are_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x"
    file_at(path).add(keys_of([1, 2, 3]), rows_of([1, 2, 3]))
    os.truncate(path, path.stat().st_size - cut)
    file, left = file_at(path), 3 - -(-cut // RECORD)
    assert read(file, keys_of([1, 2, 3]))[1] == [at < left for at in range(3)]
    file.add(keys_of([4, 5]), rows_of([4, 5]))
    for again in (file, file_at(path)):
        found, known = read(again, keys_of([1, 2, 3, 4, 5]))
        assert known == [*(at < left for at in range(3)), True, True]
        assert (found[3:] == rows_of([4, 5]).astype(np.float16)).all()


def test_zeros_after_a_power_failure_and_flipped_bits_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x"
    file_at(path).add(keys_of([1, 2]), rows_of([1, 2]))
    data = bytearray(path.read_bytes())
    data[HEADER + 40] ^= 1
    path.write_bytes(bytes(data) + bytes(2 * RECORD))
    file = file_at(path)
    assert read(file, keys_of([1, 2]))[1] == [False, True]
    assert file.lookup([bytes(16)])[0].tolist() == [-1]


def test_misaligned_records_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x"
    file_at(path).add(keys_of([1, 2, 3]), rows_of([1, 2, 3]))
    data = path.read_bytes()  # as where a file system has no locks and a writer is killed
    path.write_bytes(data[: HEADER + RECORD] + b"torn" + data[HEADER + RECORD :])
    file = file_at(path)
    assert read(file, keys_of([1, 2, 3]))[1] == [True, False, False]
    file.add(keys_of([2, 3]), rows_of([2, 3]))
    assert (read(file, keys_of([1, 2, 3]))[0] == rows_of([1, 2, 3]).astype(np.float16)).all()


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 1000, None])
def test_a_file_of_something_else_is_replaced(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x"
    if content is None:
        file_at(path, name="other").add(keys_of([1]), rows_of([1]))
    else:
        path.write_bytes(content)
    file = file_at(path)
    assert read(file, keys_of([1]))[1] == [False]
    file.add(keys_of([1]), rows_of([9]))
    for again in (file, file_at(path)):
        assert (read(again, keys_of([1]))[0] == rows_of([9]).astype(np.float16)).all()


def test_the_newest_features_stay_within_the_limit(tmp_path: Path) -> None:
    limit, path = HEADER + 10 * RECORD, tmp_path / "x"
    file, reader = file_at(path, limit), file_at(path, limit)
    for number in range(40):
        file.add(keys_of([number]), rows_of([number]))
        assert read(reader, keys_of([number]))[1] == [True]  # although the file is replaced now and then
        assert path.stat().st_size <= limit
    assert 5 <= sum(read(file, keys_of(list(range(40))))[1]) <= 10
    file.add(keys_of(list(range(100, 130))), rows_of(list(range(100, 130))))
    assert path.stat().st_size <= limit
    assert read(file, keys_of([129]))[1] == [True]
    file_at(path, 100).add(keys_of([200]), rows_of([200]))
    assert path.stat().st_size == HEADER


def test_a_folder_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = file_at(tmp_path / "file" / "x")
    file.add(keys_of([1]), rows_of([1]))
    assert read(file, keys_of([1]))[1] == [False]


def test_a_full_disk_leaves_the_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, real = file_at(tmp_path / "x"), os.write
    file.add(keys_of([1]), rows_of([1]))

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < RECORD:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: len(data) - 50])

    monkeypatch.setattr("customlabels_nb.models.feature_file.os.write", half)
    file.add(keys_of([2]), rows_of([2]))
    monkeypatch.undo()
    assert file.path.stat().st_size == HEADER + RECORD
    file.add(keys_of([3]), rows_of([3]))
    assert read(file, keys_of([1, 2, 3]))[1] == [True, False, True]


@pytest.mark.storing
def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path, count = tmp_path / "x", 300
    writers = [start(path, number, count) for number in (1, 2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert path.stat().st_size == HEADER + 2 * count * RECORD
    keys = [feature_key(f"{number}-{at}") for number in (1, 2) for at in range(count)]
    found, known = read(file_at(path), keys)
    assert all(known)
    assert (found == np.repeat([1, 2], count)[:, None]).all()


@pytest.mark.storing
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05])
def test_killed_writer_leaves_valid_records(tmp_path: Path, seconds: float) -> None:
    path, other, most = tmp_path / "x", file_at(tmp_path / "x"), 200_000
    writer = start(path, 3, most, 50)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    for number in range(10):
        other.add(keys_of([number]), rows_of([number]))
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    assert writer.wait(10) == -signal.SIGKILL
    other.add(keys_of([10]), rows_of([10]))
    file = file_at(path)
    found, known = read(file, keys_of(list(range(11))))
    assert all(known)
    assert (found == rows_of(list(range(11))).astype(np.float16)).all()
    found, known = read(file, [feature_key(f"3-{at}") for at in range(most)])
    assert (found[known] == 3).all()
    assert sum(known) == len(file.lookup([])[1]) - 11
