"""Run the quickstart notebook without a browser, and locate the notebooks folder."""

from __future__ import annotations

import math
import queue
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customlabels_nb._utils.text import counted
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import CustomLabelsError, InputError, NotEnoughDataError
from customlabels_nb.images.listing import read_folder

QUICKSTART = "01_quickstart.ipynb"
#: Tags of cells whose outputs the command line prints.
SHOWN_TAGS = ("report", "detections")
PARAMETERS_TAG = "parameters"
Say = Callable[[str], None]


class NotebookFailed(CustomLabelsError):
    """A cell of the notebook raised an error. The message names the error and the saved notebook."""


@dataclass(frozen=True)
class NotebookRun:
    """Path of an executed notebook, the output of its tagged cells, and the run time in seconds."""

    notebook: Path
    shown: dict[str, str]
    seconds: float


def notebooks_folder() -> Path:
    """Locate the notebooks folder: inside the installed package, or next to it in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / QUICKSTART).is_file():
            return folder
    raise CustomLabelsError(f"Cannot find the notebooks in or next to {str(package)!r}. Reinstall customlabels-nb.")


def check_photos(folder: str) -> list[Issue]:
    """Check that a folder contains enough photos and labels to train on, and return what cannot be read."""
    photos = read_folder(folder, labels_from="folders")
    counts = Counter(label for label in photos.labels if label is not None)
    layout = "Put the photos of each label in a separate folder, such as photos/apple and photos/banana."
    if not photos.images and photos.issues:
        issue = photos.issues[0]
        raise InputError(f"No photo in {folder!r} can be read, for example {issue.where!r}. {issue.message}")
    if not photos.images:
        raise InputError(f"There are no photos in {folder!r}. {layout}")
    if len(counts) < 2:
        have = f"one label, {next(iter(counts))!r}" if counts else "no label"
        raise NotEnoughDataError(
            f"{folder!r} has {counted(len(photos.images), 'photo')} with {have}. At least two labels are needed. "
            f"{layout}"
        )
    if max(counts.values()) < 2:
        raise NotEnoughDataError(
            f"Each label in {folder!r} has only one photo. Add more, so that some can be used for testing."
        )
    return photos.issues


def run_quickstart(out: Path, images: Path | None, say: Say) -> NotebookRun:
    """Run the quickstart notebook with the current Python, on the folder ``images`` with labels or on drawn images."""
    import nbformat

    notebook = nbformat.read(notebooks_folder() / QUICKSTART, as_version=4)
    _set_parameters(notebook, out, images)
    out.mkdir(parents=True, exist_ok=True)
    titles, target, started = _titles(notebook), out / QUICKSTART, time.perf_counter()
    try:
        run_cells(notebook, out, on_start=lambda index: say(titles[index]) if index in titles else None)
    except Exception as error:
        nbformat.write(notebook, target)
        name, value = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
        message = f"The notebook stopped with {name}: {value} The notebook was saved to {str(target)!r}."
        raise NotebookFailed(message) from error
    nbformat.write(notebook, target)
    shown = {tag: _printed(notebook, tag) for tag in SHOWN_TAGS}
    return NotebookRun(target, shown, time.perf_counter() - started)


def run_cells(
    notebook: Any,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    on_start: Callable[[int], None] | None = None,
    seconds: float = 3600,
) -> None:
    """Run a notebook's cells in place. ``environment`` is complete, ``on_start`` gets a cell's index."""
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from traitlets import Type, default

    async_channel: Any = AsyncKernelClient.shell_channel_class.klass  # has another name before jupyter_client 8

    class Channel(async_channel):
        """Channel that checks for replies every second.

        nbclient also uses the channel to send messages for Output widgets, which can swallow the notification of a
        reply. Without this check, the reply would not be noticed until the cell times out.
        """

        async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
            end = math.inf if timeout is None else time.monotonic() + timeout
            while True:
                try:
                    return await super().get_msg(timeout=max(0, min(1, end - time.monotonic())))
                except queue.Empty:
                    if time.monotonic() >= end:
                        raise

    class Client(AsyncKernelClient):
        shell_channel_class = Type(Channel)

    class ThisPython(AsyncKernelManager):
        """Kernel manager that always starts the current Python, regardless of the installed kernels."""

        client_factory = Type(Client)

        @default("kernel_spec_manager")
        def _native_only(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)

    def announce(cell: Any, cell_index: int) -> None:
        if on_start is not None:
            on_start(cell_index)

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        extra_arguments=["--log-level=40"],
        timeout=seconds,
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=announce,
    )
    client.execute(**({} if environment is None else {"env": dict(environment)}))


def _set_parameters(notebook: Any, out: Path, images: Path | None) -> None:
    for cell in notebook.cells:
        if PARAMETERS_TAG in cell.metadata.get("tags", ()):
            photos = None if images is None else str(images.absolute())
            cell.source = f"photos = {photos!r}\nout = {str(out.absolute())!r}"
            return
    raise CustomLabelsError(f"The notebook {QUICKSTART} has no cell tagged {PARAMETERS_TAG!r}.")


def _titles(notebook: Any) -> dict[int, str]:
    """Map the index of each code cell directly below a heading to that heading."""
    titles = {}
    for index, (above, cell) in enumerate(zip(notebook.cells, notebook.cells[1:], strict=False), 1):
        headings = [line for line in above.source.splitlines() if line.startswith("#")]
        is_step = PARAMETERS_TAG not in cell.metadata.get("tags", ())
        if above.cell_type == "markdown" and cell.cell_type == "code" and headings and is_step:
            titles[index] = headings[0].lstrip("# ")
    return titles


def _printed(notebook: Any, tag: str) -> str:
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and tag in cell.metadata.get("tags", ()):
            for output in cell.outputs:
                parts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(part.rstrip() for part in parts if part)
