"""Run the benchmark of GPUs on the CPU, and check what it says on a machine without a GPU."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("supported", [True, False])
def test_gpus_without_bfloat16_are_measured_in_other_types(monkeypatch: pytest.MonkeyPatch, supported: bool) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import backbones
    import gpu

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert backbones.half_type("cuda") is (torch.bfloat16 if supported else torch.float16)
    engines: list[str] = []

    def parts(task: dict[str, Any]) -> dict[str, float]:
        engines.append(task["engine"])
        return {"decode": 1.0, "forward": 1.0, "together": 1.0}

    monkeypatch.setattr(gpu, "parts", parts)
    bench: Any = SimpleNamespace(models={"classifier": "folder"}, images=["a.jpg"])
    gpu.inference(bench, gpu.Sizes("cuda", images=1, steps=1, seeds=1, rounds=1))
    assert engines == (["torch", "bfloat16"] if supported else ["torch"])


def test_failing_section_does_not_stop_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    def fail(*arguments: object) -> None:
        raise ValueError("no such engine")

    ran: list[str] = []
    monkeypatch.setattr(gpu, "Bench", lambda *arguments: None)
    monkeypatch.setattr(gpu, "draw_photos", lambda folder, count: folder.mkdir())
    monkeypatch.setattr(gpu.settings, "threads", gpu.settings.threads)
    monkeypatch.setattr(gpu, "inference", fail)
    others = ["nvjpeg", "training", "transformers_detectors", "outlines"]
    for name in others:
        monkeypatch.setattr(gpu, name, lambda *arguments, name=name: ran.append(name))
    assert gpu.main(["--tiny"]) == 1
    assert ran == others
    said = capsys.readouterr().out
    assert "inference: ValueError: no such engine" in said
    assert "bound ≤ 480 s" in said


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_on_a_gpu_the_threads_of_detect_many_are_warmed_up_untimed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import _inference_worker as worker

    order: list[str] = []

    def timed(work: Any) -> float:
        order.append("clock")
        work()
        return 1.0

    (tmp_path / "a.jpg").write_bytes(b"jpeg")
    predictor = SimpleNamespace(engine="torch")
    postprocessor = SimpleNamespace(predictor=predictor, prepare=lambda data, name: data, ask=lambda images: None)
    monkeypatch.setattr(worker, "_timed", timed)
    monkeypatch.setattr(worker, "_postprocessor", lambda task: postprocessor)
    monkeypatch.setattr(worker, "detect_many", lambda predictor, images: order.append("detect_many"))
    worker.parts({"device": device, "images": [str(tmp_path / "a.jpg")], "threads": 1})
    assert order[:2] == (["detect_many", "clock"] if device == "cuda" else ["clock", "detect_many"])


def test_one_time_allocations_of_threads_are_not_counted_as_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import _inference_worker as worker

    kept = 0

    def detect_many(predictor: object, images: Sequence[str]) -> None:
        nonlocal kept
        kept = 8_000_000  # workspaces of cuBLAS

    monkeypatch.setattr(worker, "Predictor", lambda folder: SimpleNamespace(start=lambda device: None, stop=int))
    monkeypatch.setattr(worker, "detect_many", detect_many)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: kept)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: kept + 1)
    found = worker.given_back({"model": str(tmp_path), "images": ["a.jpg"]})
    assert found["before"] == found["after"]


@pytest.mark.exhaustive
def test_the_benchmark_of_gpus_runs_on_a_cpu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert gpu.main(["--tiny"]) == 0
    finally:
        torch.set_num_threads(threads)
    said = capsys.readouterr().out
    for part in (
        "detect_many, classifier",
        "detect_many, detector",
        "difference in confidence",
        "mean AP on",
        "rf_detr",
        "IoU",
        "time",
    ):
        assert part in said
    if not torch.cuda.is_available():
        assert gpu.main([]) == 0
        assert "no NVIDIA GPU" in capsys.readouterr().out
