"""Command line interface ``customlabels-nb``: quickstart, lab, handout, label, fetch, doctor, serve."""

from __future__ import annotations

import argparse
import io
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from customlabels_nb import __version__
from customlabels_nb.errors import CustomLabelsError, InputError

_EXAMPLES = """examples:
  customlabels-nb quickstart                     train, evaluate and run a model on generated images
  customlabels-nb quickstart --images photos     use your own photos: photos/apple/*.jpg, photos/banana/*.jpg, …
  customlabels-nb lab                            open JupyterLab with the notebooks
  customlabels-nb handout course                 write the labs for students, and their solutions for you
  customlabels-nb label leaves-1 --project fruit serve the labelling screen of a job as a web page
  customlabels-nb fetch sam2                     download a pretrained model, for use without a network
  customlabels-nb doctor                         check the installation and whether widgets will render
  customlabels-nb serve --root projects          answer programs written for Rekognition Custom Labels or Custom Vision
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 for success, 1 for failure, 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a pipe of Windows may not have all characters of names
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except CustomLabelsError as error:
        print(f"customlabels-nb: {error}", file=sys.stderr)
        return 2
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
    handout = commands.add_parser(
        "handout",
        help="write the lab notebooks for students, and their solutions for teachers",
        description="Write a student's copy and a solution copy of the lab notebooks to a new folder, which is also a "
        "course of nbgrader.",
        epilog="example: customlabels-nb handout course",
    )
    handout.add_argument("out", metavar="OUT", help="folder to create")
    handout.add_argument(
        "notebooks", nargs="*", metavar="NOTEBOOK", help="lab notebooks of your own (default: the labs of this package)"
    )
    handout.set_defaults(run=_handout)
    label = commands.add_parser(
        "label",
        help="serve the labelling screen of a job as a web page",
        description="Serve the labelling screen of a job for people who write no code, until Ctrl+C. Every open page "
        "has a kernel of its own. JupyterHub can run this command as a service, or as the server of each user.",
        epilog="example: customlabels-nb label leaves-1 --project /srv/class --host 0.0.0.0",
    )
    label.add_argument("job", metavar="JOB", help="name of the job")
    label.add_argument("--project", default=".", metavar="DIR", help="folder of the project (default: this folder)")
    label.add_argument("--host", help="address to listen on (default: only this computer, or as JupyterHub asks)")
    label.add_argument("--port", type=int, help="port to listen on (default: 8866 or a free one near it)")
    label.add_argument(
        "--only-personal-links", action="store_true", help="admit only people with a link from job.invite(…)"
    )
    label.set_defaults(run=_label)
    fetch = commands.add_parser(
        "fetch",
        help="download pretrained models, for use without a network later",
        description="Download pretrained models to the cache of the Hugging Face Hub, and list them.",
        epilog="example: customlabels-nb fetch sam2",
    )
    fetch.add_argument(
        "names", nargs="+", metavar="NAME", help="sam2, siglip2, dfine-small …, or hf://user/name@revision"
    )
    fetch.set_defaults(run=_fetch)
    doctor = commands.add_parser(
        "doctor",
        help="check the installation, the device, and whether widgets will render",
        description="Check the installation, this machine, and whether widgets will render. Nothing is changed.",
        epilog="Exits with status 1 if something required is missing. In a notebook: customlabels_nb.doctor()",
    )
    doctor.add_argument("--json", action="store_true", help="print a JSON list of objects")
    doctor.set_defaults(run=_doctor)
    _add_serve(commands)
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="answer programs written for Amazon Rekognition Custom Labels or Azure Custom Vision",
        description="Serve the projects in a folder over HTTP, to boto3, the AWS command line and other clients of "
        "Amazon Rekognition Custom Labels, and to clients of Azure Custom Vision. Needs the extra "
        "customlabels-nb[rekognition], unless you choose --only custom-vision.",
        epilog="example: customlabels-nb serve --root projects --bucket photos=/data/photos",
    )
    serve.add_argument("--root", required=True, metavar="DIR", help="folder that holds the projects, or a new one")
    serve.add_argument("--port", type=int, metavar="N", help="port, 0 for any free one (default: 8766)")
    serve.add_argument(
        "--address", default="127.0.0.1", help="address to listen on (default: %(default)s, only this machine)"
    )
    serve.add_argument(
        "--only", choices=("rekognition", "custom-vision"), help="answer programs of one service only (default: both)"
    )
    serve.add_argument("--region", default="us-east-1", help="region in ARNs (default: %(default)s)")
    serve.add_argument(
        "--bucket", action="append", default=[], metavar="[ACCOUNT:]NAME=DIR", help="folder that acts as an S3 bucket"
    )
    serve.add_argument(
        "--account", action="append", default=[], metavar="ID=DIR", help="folder with the projects of another account"
    )
    serve.add_argument(
        "--key",
        metavar="ID:SECRET",
        help="only accept this access key, for tests on this machine. Custom Vision programs send SECRET",
    )
    serve.add_argument("--relaxed", action="store_true", help="lift the service's limits on the size of images")
    serve.add_argument("--quotas", action="store_true", help="refuse what exceeds the quotas of the services")
    serve.add_argument(
        "--budget",
        metavar="TIME",
        help='time limit of a training run, such as "2min" or "best". Starting its process and evaluating the model '
        "take additional time",
    )
    serve.add_argument("--engine", metavar="NAME", help="engine that runs models (default: the fastest)")
    serve.add_argument(
        "--hold", action="store_true", help="let descriptions of a version wait for its next status, for up to 20 s"
    )
    serve.add_argument("--certificate", metavar="FILE", help="certificate for HTTPS, in PEM format")
    serve.add_argument("--private-key", metavar="FILE", help="private key of the certificate")
    serve.set_defaults(run=_serve)


def _quickstart(options: argparse.Namespace) -> int:
    from customlabels_nb.project.projects import list_projects
    from customlabels_nb.quickstart import NotebookFailed, check_photos, run_quickstart

    issues = [] if options.images is None else check_photos(options.images)
    if issues:
        print(f"Not used: {len(issues)} of the files, for example {issues[0].where!r}. {issues[0].message}")
    out = _new_folder(options.out)
    print(f"Running the quickstart notebook in {out} …", flush=True)
    images = None if options.images is None else Path(options.images)
    try:
        outcome = run_quickstart(out, images, lambda line: print(f"  • {line}", flush=True))
    except NotebookFailed as error:
        print(f"customlabels-nb: {error}", file=sys.stderr)
        return 1
    for text in outcome.shown.values():
        print(f"\n{text}")
    print(f"\nDone in {outcome.seconds:.0f} s.")
    print(f"Executed notebook: {outcome.notebook}")
    print(f"Project: {', '.join(list_projects(out)['path'])}")
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
    print(f"Opening JupyterLab in {target.resolve()} …", flush=True)
    command = [sys.executable, "-m", "jupyterlab", str(target), *options.options]
    if os.name == "posix":
        os.execv(sys.executable, command)
    import subprocess

    return subprocess.call(command)


def _handout(options: argparse.Namespace) -> int:
    from customlabels_nb.teaching import write_handout

    labs = write_handout(options.out, options.notebooks)
    for lab in labs:
        print(lab)
    print(f"\nFor students:     {labs[0].student.parents[1]}")
    print(f"With solutions:   {labs[0].solution.parents[1]}")
    print(f"With nbgrader:    cd {shlex.quote(options.out)} && nbgrader generate_assignment {labs[0].name} --force")
    return 0


def _label(options: argparse.Namespace) -> int:
    from customlabels_nb.project.job_page import serve_job

    only_personal, announce = options.only_personal_links, partial(print, flush=True)
    serve_job(options.project, options.job, options.host, options.port, only_personal=only_personal, announce=announce)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from customlabels_nb.models.pretrained.weights import fetch_weights

    print(fetch_weights(*options.names).to_string(index=False))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from customlabels_nb.diagnostics import doctor

    checkup = doctor()
    print(checkup.to_json() if options.json else checkup)
    return 0 if checkup.ok else 1


def _serve(options: argparse.Namespace) -> int:
    from customlabels_nb.core.limits import REKOGNITION
    from customlabels_nb.endpoints.project_folders import HOSTED, RELAXED, Quotas, ServingOptions
    from customlabels_nb.endpoints.rekognition.access_keys import parse_key
    from customlabels_nb.endpoints.server import PORT, EndpointServer
    from customlabels_nb.user_settings import bucket_folder

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = EndpointServer(
        Path(options.root).expanduser(),
        port=PORT if options.port is None else options.port,
        address=options.address,
        key=None if options.key is None else parse_key(options.key),
        buckets=dict(bucket_folder(text, "--bucket") for text in options.bucket),
        options=ServingOptions(
            region=options.region,
            limits=RELAXED if options.relaxed else REKOGNITION,
            hold=20.0 if options.hold else 0.0,
            budget=options.budget,
            engine=options.engine,
            quotas=HOSTED if options.quotas else Quotas(),
            service_limits=options.quotas,
        ),
        accounts=dict(bucket_folder(text, "--account") for text in options.account),
        certificate=options.certificate,
        private_key=options.private_key,
        only=options.only,
    )
    with server:
        print(server.instructions(), flush=True)
        while True:
            time.sleep(3600)  # on Windows, Ctrl+C does not interrupt waiting for an event
    return 0


def _new_folder(name: str | None) -> Path:
    if name is not None:
        chosen = Path(name).absolute()
        if chosen.exists() and (not chosen.is_dir() or any(chosen.iterdir())):
            raise InputError(f"--out {name!r} already exists and is not empty. Choose a new folder.")
        return chosen
    stem = Path("customlabels-quickstart").absolute()
    candidates = [stem, *(stem.with_name(f"{stem.name}-{i}") for i in range(2, 1000))]
    return next(path for path in candidates if not path.exists())


if __name__ == "__main__":
    sys.exit(main())
