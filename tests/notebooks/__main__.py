"""Run notebooks, check them and write their outputs: ``python -m tests.notebooks [01 05 …]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import nbformat

from tests.notebooks.cleaning import MOST_BYTES, clean
from tests.notebooks.comparing import settle, stale
from tests.notebooks.picturing import shooting
from tests.notebooks.running import (
    NotebookFailedError,
    checks_of,
    execute,
    notebook_path,
    numbers,
    outputs_check,
)
from tests.notebooks.screens import put_screens, widget_screens


def main() -> int:
    """Refresh the notebooks and return 1 if one failed or, with ``--check``, is stale."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks", description=__doc__)
    parser.add_argument("numbers", nargs="*", metavar="NN", help="two digits each; all of them if none is given")
    parser.add_argument("--check", action="store_true", help="write nothing, say what is stale")
    parser.add_argument("--stills", action="store_true", help="keep the widgets' still pictures: no JupyterLab is run")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="run in this folder and leave it there")
    chosen = parser.parse_args()
    failed = 0
    os.environ["CUSTOMLABELS_NB_USER"] = "you"  # like widgets do
    with ExitStack() as stack:
        camera = stack.enter_context(shooting())
        for number in chosen.numbers or numbers():
            path = notebook_path(number)
            with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as own:
                folder = chosen.keep / number if chosen.keep else Path(own)
                try:
                    run = execute(path, folder)
                    seen = outputs_check(checks_of(path))
                    if seen is not None:
                        seen(run.notebook)
                except (NotebookFailedError, AssertionError) as error:
                    print(f"{path.name} FAILED\n{error}")
                    failed += 1
                    continue
                fresh = clean(run.notebook, folder, camera.shoot)
                if not chosen.check and not chosen.stills:
                    put_screens(fresh, widget_screens(path, camera.browser))
            committed = nbformat.read(path, as_version=4)
            differences = stale(committed, fresh)
            print(f"{path.name}: {run.seconds:.0f} s" + "".join(f"\n  stale: {line}" for line in differences))
            if chosen.check:
                failed += bool(differences)
            else:
                _write(path, committed, fresh)
    return int(failed > 0)


def _write(path: Path, committed: nbformat.NotebookNode, fresh: nbformat.NotebookNode) -> None:
    """Write a refreshed notebook and warn if it is too large."""
    settle(committed, fresh)
    nbformat.write(fresh, path)
    size = path.stat().st_size
    if size > MOST_BYTES:
        print(f"  {path.name} has {size // 1000} KB; {MOST_BYTES // 1000} are allowed: show fewer or smaller pictures")


if __name__ == "__main__":
    sys.exit(main())
