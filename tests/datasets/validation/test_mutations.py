"""Tests of thousands of corrupted lines: no crash, and each is valid, invalid with a code, or ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.core.issues import LINE_ERRORS, WARNINGS
from customlabels_nb.core.limits import LOCAL, REKOGNITION, Limits
from customlabels_nb.datasets.formats.manifest_lines import parse_line
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest
from customlabels_nb.datasets.validation.rules import check_manifests
from tests.datasets.validation.mutations import mutated_lines


def checked(path: Path, limits: Limits, lines: list[bytes]) -> CheckedManifest:
    """Check a manifest and the consistency of the result."""
    found = check_manifests(path, limits=limits, check_images=False).train
    assert found.total == len(lines) == found.valid + found.invalid + found.ignored
    states = {line.number: line.state for line in found.lines}
    assert list(states) == sorted(states)
    assert sum(state == "invalid" for state in states.values()) == found.invalid
    for line in found.lines:
        assert line.raw == lines[line.number - 1].removesuffix(b"\r")
        assert line.findings
        assert all(one.code in LINE_ERRORS or one.code in WARNINGS for one in line.findings)
        assert line.state != "invalid" or any(one.code.startswith("ERROR_") for one in line.findings)
    return found


def check_all(folder: Path, count: int, random_state: int) -> None:
    """Check corrupted lines with both profiles and compare the readers."""
    lines = list(mutated_lines(count, random_state))
    path = folder / "spoilt.manifest"
    path.write_bytes(b"\n".join(lines) + b"\n")
    results = {limits: checked(path, limits, lines) for limits in (LOCAL, REKOGNITION)}
    for limits, found in results.items():
        assert min(found.valid, found.invalid, found.ignored) > 0
        # the fast check of a manifest agrees with the exact one for each line
        seen = {line.number: line for line in found.lines}
        for number, raw in enumerate(lines, 1):
            alone = parse_line(raw, limits)
            line = seen.get(number)
            state = line.state if line else "valid"
            if line and any(one.detail.endswith("already has this image") for one in line.findings):
                continue
            if raw.strip():
                assert state == alone.state, raw[:400]
                assert (line.findings if line else []) == alone.findings, raw[:400]
    # the reader reads what the validator accepts, and keeps the other lines
    local = results[LOCAL]
    dataset = cl.read_dataset(path, "ground_truth")
    assert len(dataset) == sum(1 for raw in lines if raw.strip()) - local.invalid
    # lines that were not read completely are kept
    assert [number for _, number, _ in dataset.unread] == [line.number for line in local.lines]
    assert dataset.annotations["image"].isin(dataset.images["image"]).all()
    for name in ("image", "label", "job"):
        "".join(dataset.annotations[name].dropna()).encode()
    few = folder / "few.manifest"
    few.write_bytes(b"\n".join(lines[:3_000]) + b"\n")
    check_outputs(folder, few, min(len(lines), 3_000))


def check_outputs(folder: Path, path: Path, count: int) -> None:
    """Check the report and the repairs of a corrupted manifest."""
    report = cl.validate_manifest(path, check_images=False)
    repr(report), report._repr_html_()
    assert len(report.lines) > 0
    files = report.to(folder / "out")
    written = (folder / "out" / "training_manifest_with_validation.json").read_bytes().split(b"\n")
    assert len(written) == count + 1
    assert len(files) == 2
    again = cl.validate_manifest(folder / "out" / "training_manifest_with_validation.json", check_images=False)
    kept = report.lines[report.lines["code"] != "ERROR_INVALID_JSON_LINE"]
    assert len(again.lines[again.lines["code"] != "ERROR_MISSING_SOURCE_REF"]) <= len(kept)
    # after all suggested repairs, no issue is left
    fixed = report.fix(*[name for names in report.todo["repairs"] for name in names])
    fixed.to("ground_truth", folder / "fixed.manifest")
    repaired = cl.validate_manifest(folder / "fixed.manifest", check_images=False)
    assert repaired.lines.empty
    assert len(fixed) > report.summary["statistics"]["training"]["valid_json_lines"]


def test_mutated_lines_get_the_same_verdict_alone_and_together(tmp_path: Path) -> None:
    check_all(tmp_path, 3_000, random_state=1)


@pytest.mark.thorough
def test_mutated_manifests_never_raise(tmp_path: Path) -> None:
    check_all(tmp_path, 5_000, random_state=2)
