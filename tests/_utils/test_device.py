from collections.abc import Sequence

import pytest
import torch

from customlabels_nb._utils import device
from customlabels_nb._utils.device import BatchSize, is_out_of_memory, release_memory
from customlabels_nb.errors import ModelError
from customlabels_nb.events import Events, Message
from tests.facts import tells


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "MPS backend out of memory (MPS allocated: 9.00 GB)",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_errors_without_memory(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))


def test_other_errors() -> None:
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_BAD_PARAM"))


def test_freed_memory_returns_to_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    for name in ("cpu", "cuda:1", "mps"):
        release_memory(name)
    assert emptied == ["cuda", "mps"]


def test_a_batch_size_is_halved_until_batches_fit_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []
    monkeypatch.setattr(device, "release_memory", released.append)
    sizes: list[int] = []

    def double(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return [2 * one for one in batch]

    events, told = Events(), []
    events.subscribe(lambda event: told.append(event.text) if isinstance(event, Message) else None)
    batches = BatchSize(8, "cuda", events)
    assert batches.map(double, range(9)) == [2 * one for one in range(9)]
    assert batches.map(double, range(3)) == [0, 2, 4]
    assert sizes == [8, 4, 2, 2, 2, 2, 1, 2, 1]
    assert released == ["cuda"] * 2
    assert tells(told[0], "memory", 8, 4)
    assert tells(told[1], "memory", 4, 2)
    assert batches.map(double, []) == []


def test_a_batch_size_cannot_be_halved_below_one() -> None:
    def fail(batch: Sequence[int]) -> list[int]:
        raise error

    error: Exception = MemoryError()
    with pytest.raises(ModelError, match=r"memory on cpu for one image \(MemoryError\).*device='cpu'"):
        BatchSize(4, "cpu").map(fail, range(4))
    error = RuntimeError("shapes don't fit")
    with pytest.raises(RuntimeError, match="shapes"):
        BatchSize(4, "cpu").map(fail, range(4))
