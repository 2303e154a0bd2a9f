"""Command line interface ``customlabels-nb``: quickstart, lab, doctor."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from customlabels_nb import __version__
from customlabels_nb.errors import CustomLabelsError, InputError

_EXAMPLES = """examples:
  customlabels-nb quickstart                     train, evaluate and run a model on generated images
  customlabels-nb quickstart --images photos     use your own photos: photos/apple/*.jpg, photos/banana/*.jpg, …
  customlabels-nb lab                            open JupyterLab with the notebooks
  customlabels-nb doctor                         check the installation and whether widgets will render
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 for success, 1 for failure, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except CustomLabelsError as error:
        from customlabels_nb.quickstart import NotebookFailed

        print(f"customlabels-nb: {error}", file=sys.stderr)
        return 1 if isinstance(error, NotebookFailed) else 2
    except OSError as error:
        print(f"customlabels-nb: cannot use {error.filename or 'a file'}: {error.strerror or error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("customlabels-nb: stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="customlabels-nb",
        description="Label, train, evaluate and run custom image models inside a Jupyter notebook.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"customlabels-nb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    quickstart = commands.add_parser(
        "quickstart",
        help="train and evaluate a model on a folder of photos, then run it",
        description="Run the quickstart notebook and print its results.",
        epilog="example: customlabels-nb quickstart --images photos --out first-model",
    )
    quickstart.add_argument(
        "--images", metavar="DIR", help="your photos, one folder per label (default: generated images)"
    )
    quickstart.add_argument("--out", metavar="DIR", help="folder for the results (default: a new subfolder)")
    quickstart.set_defaults(run=_quickstart)
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab with the notebooks",
        description="Copy the notebooks to a folder, unless they are already there, and open JupyterLab in it.",
        epilog="example: customlabels-nb lab --dir lessons -- --no-browser --port 9000",
    )
    lab.add_argument(
        "--dir", default="customlabels-notebooks", metavar="DIR", help="folder for the notebooks (default: %(default)s)"
    )
    lab.add_argument("options", nargs="*", help="options after -- are passed to JupyterLab")
    lab.set_defaults(run=_lab)
    doctor = commands.add_parser(
        "doctor",
        help="check the installation, the device, and whether widgets will render",
        description="Check the installation, this machine, and whether widgets will render. Nothing is changed.",
        epilog="Exits with status 1 if something required is missing. In a notebook: customlabels_nb.doctor()",
    )
    doctor.add_argument("--json", action="store_true", help="print a JSON list of objects")
    doctor.set_defaults(run=_doctor)
    return parser


def _quickstart(options: argparse.Namespace) -> int:
    from customlabels_nb.quickstart import check_photos, run_quickstart

    if options.images is not None:
        check_photos(options.images)
    out = _new_folder(options.out)
    print(f"Running the quickstart notebook in {out} …", flush=True)
    images = None if options.images is None else Path(options.images)
    outcome = run_quickstart(out, images, lambda line: print(f"  • {line}", flush=True))
    for text in outcome.shown.values():
        print(f"\n{text}")
    print(f"\nDone in {outcome.seconds:.0f} s.")
    print(f"Executed notebook: {outcome.notebook}")
    print(f"Project: {_project_in(out)}")
    return 0


def _lab(options: argparse.Namespace) -> int:
    from customlabels_nb.quickstart import notebooks_folder

    target = Path(options.dir)
    if target.exists() and not target.is_dir():
        raise InputError(f"--dir {options.dir!r} is a file. Pass a folder.")
    target.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(notebooks_folder().glob("*.ipynb")):
        if not (target / notebook.name).exists():
            shutil.copyfile(notebook, target / notebook.name)
    sys.stdout.flush()
    command = [sys.executable, "-m", "jupyterlab", str(target), *options.options]
    if os.name == "posix":
        os.execv(sys.executable, command)
    import subprocess

    return subprocess.call(command)


def _doctor(options: argparse.Namespace) -> int:
    from customlabels_nb.diagnostics import doctor

    found = doctor()
    print(found.to_json() if options.json else found)
    return 0 if found.ok else 1


def _new_folder(name: str | None) -> Path:
    if name is not None:
        chosen = Path(name).absolute()
        if chosen.exists() and (not chosen.is_dir() or any(chosen.iterdir())):
            raise InputError(f"--out {name!r} already exists and is not empty. Choose a new folder.")
        return chosen
    stem = Path("customlabels-quickstart").absolute()
    candidates = [stem, *(stem.with_name(f"{stem.name}-{i}") for i in range(2, 1000))]
    return next(path for path in candidates if not path.exists())


def _project_in(out: Path) -> str:
    from customlabels_nb.project.projects import list_projects

    return ", ".join(list_projects(out)["path"])


if __name__ == "__main__":
    sys.exit(main())
