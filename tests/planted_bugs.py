"""Check that the tests find bugs: ``python -m tests.planted_bugs [NAME ...]``.

Each bug of :data:`BUGS` is planted in a copy of the working tree, where the tests of one folder must fail that pass
without it. Prints a line for each bug, and exits with 1 if more than two are missed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests import provision

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "customlabels_nb"
MOST_MISSED = 2


@dataclass(frozen=True)
class Bug:
    """A change of one place, and the tests that must find it.

    Attributes
    ----------
    file : str
        Path in the package.
    before, after : str
        Text that occurs once in the file, and its replacement.
    tests : str
        Folder of the tests, or its JavaScript tests as ``js``.
    """

    file: str
    before: str
    after: str
    tests: str

    @property
    def name(self) -> str:
        """Name on the command line."""
        return self.file.removesuffix(".py").removesuffix(".js").replace("/", ".")

    def source(self) -> str:
        """Return the file with the bug."""
        text = (PACKAGE / self.file).read_text("utf-8")
        if text.count(self.before) != 1:
            raise SystemExit(f"{self.file} has {text.count(self.before)} times {self.before!r} instead of once.")
        return text.replace(self.before, self.after)


#: Bugs that were found by using and attacking the program.
FOUND = [
    Bug("inference/image_numbers.py", "finished[begin:end] = True", "finished[:end] = True", "inference"),
    Bug(
        "labeling/session.py",
        "on=self.assigns_one or not has or not all(has)",
        "on=not has or not all(has)",
        "labeling",
    ),
    Bug(
        "project/location.py",
        "            yield folder\n",
        "            root.mkdir()\n            yield root\n",
        "project",
    ),
    Bug("project/former_endpoints_file.py", "if image_id is None and alone:", "if image_id is None:", "project"),
    Bug("project/archive.py", "if interval(store) is not None:", "if False:", "project"),
    Bug("endpoints/rekognition/resource_names.py", r"[1-9]\d{{0,17}}", r"\d{{1,18}}", "endpoints/rekognition"),
    Bug("workers/ranks.py", "if hmac.compare_digest(tag, self._tag(head)):", "if self._tag(head):", "workers"),
    Bug("jobs/leases.py", "shown.casefold()", "shown", "jobs"),
    Bug("jobs/consolidation.py", '~tie & (per_task["majority"] != 0)', '~tie & (per_task["majority"] != 2)', "jobs"),
    Bug("jobs/job_results.py", " | apart.get(split, {})", "", "jobs"),
    Bug("jobs/reviewer_session.py", "if self._undo[-1:] != before:", "if False:", "jobs"),
    Bug(
        "store/snapshots.py", "insert_label(connection, label, color)", "insert_label(connection, label, None)", "store"
    ),
    Bug("store/suggestions.py", "[_START != REJECTED_BY] if any_suggested(connection) else []", "[]", "labeling"),
    Bug("labeling/session.py", "        if instructions != self.instructions:", "        if False:", "widgets"),
    Bug(
        "widgets/static/shared/overlay.js",
        "const matches = boxes.length\n",
        "const matches = guesses.length\n",
        "js",
    ),
    Bug("widgets/static/shared/sending.js", 'state === "saved" && this.storing', "false", "js"),
]

#: Small mistakes, at least one in each package.
MISTAKES = [
    Bug(
        "_utils/files.py",
        "path.lstat().st_mtime > _ABANDONED_SECONDS",
        "path.lstat().st_mtime < _ABANDONED_SECONDS",
        "_utils",
    ),
    Bug(
        "assist/background_training.py",
        "return NextTraining(max(EVERY - new, 0), EVERY, new)",
        "return NextTraining(EVERY, EVERY, new)",
        "assist",
    ),
    Bug("checks/image_rules.py", "long >= _VERY_LONG * short", "long > _VERY_LONG * short", "checks"),
    Bug(
        "workers/spreading.py",
        "if attempt.ends[outcome.state] < _ATTEMPTS",
        "if attempt.ends[outcome.state] <= _ATTEMPTS",
        "workers",
    ),
    Bug("core/tables.py", "if not 1 <= len(text) <= max_length:", "if not 1 <= len(text) < max_length:", "core"),
    Bug("datasets/splitting.py", "(on == 0) | (on == units_with)", "(on == 0)", "datasets"),
    Bug(
        "diagnostics/frontends.py", "if _parts(version, 2) < (6, 5):", "if _parts(version, 2) <= (6, 5):", "diagnostics"
    ),
    Bug(
        "endpoints/rekognition/stored_lines.py",
        "func.coalesce(_l.revision, -1) != _i.revision",
        "func.coalesce(_l.revision, -1) < 1",
        "endpoints/rekognition",
    ),
    Bug("evaluation/metrics.py", "here = (tp + fn) > 0", "here = (tp + fp) > 0", "evaluation"),
    Bug(
        "examples/_drawing.py",
        "int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top",
        "int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left",
        "examples",
    ),
    Bug(
        "images/decoding.py",
        "zlib.crc32(view[position + 4 : end]) != ",
        "zlib.crc32(view[position + 8 : end]) == ",
        "images",
    ),
    Bug("ingest/merging.py", '== ("model", "person")', '== ("person", "model")', "ingest"),
    Bug("jobs/agreement.py", "return 2 * common >= GOLD_F1 * total", "return common >= GOLD_F1 * total", "jobs"),
    Bug("models/artifact.py", 'content["format"] != FORMAT', 'content["format"] == "0.9"', "models"),
    Bug(
        "remote/content_cache.py",
        "for _, size, path in sorted(entries):",
        "for _, size, path in sorted(entries, reverse=True):",
        "remote",
    ),
    Bug(
        "store/undo.py",
        "update(schema.labels).where(c.position > position)",
        "update(schema.labels).where(c.position > position + 1)",
        "store",
    ),
    Bug("store/schema.py", "least <> most", "least < most - 1", "store"),
    Bug("store/schema.py", 'count(a."left") AS boxes', "count(a.polygon) AS boxes", "store"),
    Bug("store/counts.py", "several, boxed, outlined", "several, outlined, boxed", "store"),
    Bug("teaching/exercises.py", "and len(answer) == len(right) and all(found)", "and all(found)", "teaching"),
    Bug("training/classification.py", "if losses[-1] < best.loss:", "if losses[-1] <= losses[0]:", "training"),
    Bug("widgets/static/shared/pages.js", "Math.ceil(total / size) - 1", "Math.ceil(total / size)", "js"),
    Bug(
        "widgets/static/shared/geometry.js",
        "const [top, height] = /[ns]/.test(handle)",
        "const [top, height] = /[ew]/.test(handle)",
        "js",
    ),
    Bug("widgets/static/results/matching.js", "(known[half - 1] + known[half]) / 2", "known[half]", "js"),
    Bug(
        "widgets/static/shared/edits.js",
        "if (!waiting.length) return",
        "if (waiting.every((one) => this.sent.has(one))) return",
        "js",
    ),
]

BUGS = [*FOUND, *MISTAKES]


def failure_of(tree: Path, tests: str, node: str) -> str:
    """Run tests in the first tier until one fails, and return the output then."""
    if tests == "js":
        command = [node, "--test", *map(str, sorted(Path("tests/js").glob("*.test.js")))]
    else:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", f"tests/{tests}"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout if done.returncode else ""


def copy_tree(target: Path) -> None:
    """Copy the files that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def main() -> int:
    """Plant the chosen bugs, by default all, and return the exit status."""
    chosen = [bug for bug in BUGS if not sys.argv[1:] or bug.name in sys.argv[1:]]
    if not chosen:
        print(f"Choose from: {', '.join(bug.name for bug in BUGS)}", file=sys.stderr)
        return 2
    missed, passing = 0, set[str]()
    with ExitStack() as stack:
        tree = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ[provision.POSTGRES_VARIABLE] = stack.enter_context(provision.postgres())
        os.environ["PYTHONPATH"] = str(tree)
        copy_tree(tree)
        for bug in chosen:
            path = tree / "customlabels_nb" / bug.file
            path.write_text(bug.source(), "utf-8")
            start = time.monotonic()
            found = bool(failure_of(tree, bug.tests, provision.find_node()))
            shutil.copy2(PACKAGE / bug.file, path)
            if found and bug.tests not in passing and (said := failure_of(tree, bug.tests, provision.find_node())):
                raise SystemExit(f"The tests of {bug.tests} fail without a bug:\n{said}")
            passing |= {bug.tests} if found else set()
            missed += not found
            print(f"{bug.name:<40}{'found' if found else 'MISSED':<8}{time.monotonic() - start:>6.0f} s", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} found")
    return int(missed > MOST_MISSED)


if __name__ == "__main__":
    sys.exit(main())
