"""Run notebooks, check them and write their outputs: ``python -m tests.notebooks [01 05 …]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat

from tests.notebooks.cleaning import MOST_BYTES, clean
from tests.notebooks.comparing import settle
from tests.notebooks.picturing import put_screens, shooting, widget_screens
from tests.notebooks.running import CHECKS, NotebookFailedError, execute, notebook_path, numbers


def main() -> int:
    """Refresh the notebooks and return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks", description=__doc__)
    parser.add_argument("numbers", nargs="*", metavar="NN", help="two digits each; all of them if none is given")
    failed = 0
    os.environ["CUSTOMLABELS_NB_USER"] = "you"  # like widgets do
    with shooting() as camera:
        for number in parser.parse_args().numbers or numbers():
            path = notebook_path(number)
            with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as own:
                try:
                    executed = execute(path, Path(own), CHECKS / f"{number}.py")
                except NotebookFailedError as error:
                    print(f"FAILED: {error}")
                    failed += 1
                    continue
                fresh = clean(executed, Path(own), camera.shoot)
            put_screens(fresh, widget_screens(path, camera.browser))
            settle(nbformat.read(path, as_version=4), fresh)
            nbformat.write(fresh, path)
            size = path.stat().st_size
            more = f", but {MOST_BYTES // 1000} are allowed: show smaller pictures" if size > MOST_BYTES else ""
            print(f"{path.name}: {size // 1000} KB{more}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
