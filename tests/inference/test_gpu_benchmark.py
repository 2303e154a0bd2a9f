"""Run the benchmark of GPUs on the CPU, and check what it says on a machine without a GPU."""

from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_the_benchmark_of_gpus_runs_on_a_cpu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        gpu.main(["--tiny"])
    finally:
        torch.set_num_threads(threads)
    said = capsys.readouterr().out
    for part in ("detect_many, classifier", "detect_many, detector", "difference in confidence", "mean AP on"):
        assert part in said
    if not torch.cuda.is_available():
        gpu.main([])
        assert "no NVIDIA GPU" in capsys.readouterr().out
