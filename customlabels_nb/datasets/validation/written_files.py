"""Write the validation files: manifests with the findings of each line, and ``manifest_summary.json``.

File names, keys and structure follow the documentation of Amazon Rekognition Custom Labels ("Understanding the manifest
summary" and "Understanding training and testing validation result manifests"). The output is deterministic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from customlabels_nb._utils.files import replacing, write_whole
from customlabels_nb.datasets.formats.manifest_values import ADDED, SOURCE, LineFinding, Place, parsed
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine, CheckedManifest, CheckedManifests
from customlabels_nb.errors import InputError

SUMMARY_FILE = "manifest_summary.json"
TRAINING_FILE = "training_manifest_with_validation.json"
TESTING_FILE = "testing_manifest_with_validation.json"

_TRACES = tuple(f'{key}"'.encode() for key in ("errors", "warnings", "cl-metadata"))


def summary(checked: CheckedManifests) -> dict[str, Any]:
    """Return the content of ``manifest_summary.json``, with ``testing`` only if there is a test manifest."""
    sides = {"training": checked.train, "testing": checked.test}
    return {
        "statistics": {name: _statistics(side) for name, side in sides.items() if side is not None},
        "errors": _plain(checked.errors),
    }


def _statistics(manifest: CheckedManifest) -> dict[str, Any]:
    return {
        "use_case": manifest.use_case,
        "total_json_lines": manifest.total,
        "valid_json_lines": manifest.valid,
        "invalid_json_lines": manifest.invalid,
        "ignored_json_lines": manifest.ignored,
        "error_json_line_indices": [
            line.number for line in manifest.lines if any(not is_warning(error) for error in line.findings)
        ],
        "errors": _plain(manifest.errors),
    }


def paired_lines(manifest: CheckedManifest) -> Iterator[tuple[int, bytes, CheckedLine | None]]:
    """Yield the number, the bytes and the findings of each line, or raise InputError if the file has changed."""
    by_number = {line.number: line for line in manifest.lines}
    changed = f"{manifest.source!r} has changed since it was validated. Validate it again."
    count = 0
    for count, raw in manifest.raw_lines():
        line = by_number.get(count)
        if line is not None and line.raw != raw:
            raise InputError(changed)
        yield count, raw, line
    if count != manifest.total:
        raise InputError(changed)


def annotated_lines(manifest: CheckedManifest) -> Iterator[bytes]:
    """Yield the lines with new ``errors`` and ``warnings`` arrays in place of those of an earlier validation."""
    for _, raw, line in paired_lines(manifest):
        yield _cleaned(raw) if line is None else _annotated(raw, line.value, line.findings)


def listed_entries(manifest: CheckedManifest) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects as Rekognition lists entries, with ``cl-errors``, ``cl-warnings`` and ``cl-metadata``."""
    for _, raw, line in paired_lines(manifest):
        value = parsed(raw)
        if value is not None:
            labelled = len(value.keys() - {SOURCE, *ADDED}) > 0
            entry = with_findings(value, line.findings if line else (), prefix="cl-")
            entry["cl-metadata"] = {"is_labeled": labelled and (line is None or line.state == "valid")}
            yield entry


def with_findings(value: dict[str, Any], findings: Sequence[LineFinding], *, prefix: str = "") -> dict[str, Any]:
    """Replace the findings in a line's object in place, each at its location, in arrays named with ``prefix``."""
    without_findings(value)
    for finding in findings:
        target = _object_at(value, finding.place)
        key = prefix + ("warnings" if is_warning(finding) else "errors")
        target.setdefault(key, []).append({"code": finding.code, "message": finding.message})
    return value


def without_findings(value: dict[str, Any]) -> bool:
    """Remove the arrays of findings from a line's object, and return True if there were any."""
    objects = [value, *(part for part in value.values() if isinstance(part, dict))]
    for part in objects[1:]:
        boxes = part.get("annotations")
        objects += [box for box in boxes if isinstance(box, dict)] if isinstance(boxes, list) else []
    before = sum(map(len, objects))
    for part in objects:
        for key in ADDED & part.keys():
            del part[key]
    return sum(map(len, objects)) < before


def is_warning(finding: LineFinding) -> bool:
    """Check whether a finding is a warning, so that the line is ignored rather than invalid."""
    return finding.code.startswith("WARNING_")


def write_outputs(checked: CheckedManifests, folder: Path) -> list[Path]:
    """Write the summary and annotated manifests to ``folder``, each atomically, or nothing after a terminal error."""
    sides = [(checked.train, TRAINING_FILE), (checked.test, TESTING_FILE)]
    manifests = [(manifest, folder / name) for manifest, name in sides if manifest is not None]
    if any(manifest.terminal for manifest, _ in manifests):
        return []
    for manifest, path in manifests:
        with replacing(path) as file:
            file.writelines(line + b"\n" for line in annotated_lines(manifest))
    write_whole(folder / SUMMARY_FILE, (json.dumps(summary(checked), indent=2) + "\n").encode())
    return [path for _, path in manifests] + [folder / SUMMARY_FILE]


def dumped(value: dict[str, Any]) -> bytes:
    """Serialise a line's object to bytes. RecursionError if it is nested too deeply."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate can only be written as an escape in JSON
        return json.dumps(value).encode()


def _annotated(raw: bytes, value: dict[str, Any] | None, findings: Sequence[LineFinding]) -> bytes:
    if value is None or any(finding.code == "ERROR_INVALID_JSON_LINE" for finding in findings):
        return dumped(with_findings({}, [LineFinding(f.code, f.message) for f in findings]))
    try:
        return dumped(with_findings(value, findings))
    except RecursionError:  # some values can be parsed but are nested too deeply to be written
        added = with_findings({}, [LineFinding(f.code, f.message) for f in findings])
        return raw.rstrip()[:-1] + b", " + dumped(added)[1:]


def _cleaned(raw: bytes) -> bytes:
    raw = raw.rstrip(b"\r")
    if any(trace in raw for trace in _TRACES):
        value = parsed(raw)
        if value is not None and without_findings(value):
            return dumped(value)
    return raw


def _object_at(value: dict[str, Any], steps: Place) -> dict[str, Any]:
    """Return the object at ``steps``, or the innermost object around it, because only objects can store findings."""
    inner: Any = value
    nearest = value
    for step in steps:
        try:
            inner = inner[step]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(inner, dict):
            nearest = inner
    return nearest


def _plain(findings: Sequence[LineFinding]) -> list[dict[str, str]]:
    return [{"code": finding.code, "message": finding.message} for finding in findings]
