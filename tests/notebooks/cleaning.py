"""Clean an executed notebook for the repository, so that its outputs display without code and trust."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from copy import deepcopy
from html import escape
from pathlib import Path
from typing import Any, TypeAlias

from bs4 import BeautifulSoup
from PIL import Image

Shoot: TypeAlias = Callable[[str], tuple[bytes, tuple[int, int]]]
MOST_BYTES = 500_000
WIDTH = 900
WIDGET = "application/vnd.jupyter.widget-view+json"
#: HTML that hosting services remove: embedded images, drawings, and styles other than distances and line breaks.
_NEEDS_A_PICTURE = re.compile(
    r"<img|<svg|<video|<style(?! scoped)|style=\"(?!text-align|overflow-wrap|white-space|margin|padding)", re.IGNORECASE
)
_DATE = re.compile(r"\b20\d\d-\d\d-\d\d(?P<time>[T ]\d\d[:.]\d\d([:.]\d\d)?(\.\d+)?)?")


def clean(notebook: Any, folder: Path, shoot: Shoot | None = None) -> Any:
    """Return a cleaned copy of an executed notebook for the repository.

    Widgets are replaced by their still images. HTML that relies on styles or embeds images becomes an image of
    itself, with its text as plain text. Times become constant, and the working folder becomes ``~``.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Executed notebook.
    folder : Path
        Folder in which it ran.
    shoot : callable, optional
        Renders an HTML text as PNG with its width and height on the page. By default, a blank image.
    """
    copy = deepcopy(notebook)
    copy.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "sources": sources_hash(notebook),
    }
    for cell in copy.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags",) if key in cell.metadata}
        if cell.cell_type == "code":
            cell.outputs = joined(_clean_outputs(cell.outputs, folder, shoot or _blank))
    return copy


def _blank(_: str) -> tuple[bytes, tuple[int, int]]:
    """Return a blank image with its size."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue(), (1, 1)


def sources_hash(notebook: Any) -> str:
    """Return a digest of all cells' sources, which differs if a notebook was edited without running it."""
    text = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def joined(outputs: list[Any]) -> list[Any]:
    """Merge consecutive printed outputs, since a slow machine sends them in pieces."""
    whole: list[Any] = []
    for output in outputs:
        before = whole[-1] if whole else None
        if before is not None and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            whole.append(deepcopy(output))
    return whole


def visible_text(markup: str) -> str:
    """Extract the text of HTML, including alternative texts, with one line per row or block."""
    tree = BeautifulSoup(markup, "html.parser")
    for dropped in tree.find_all(["style", "script", "title", "template"]):
        dropped.decompose()
    for picture in tree.find_all("img"):
        picture.replace_with(f" {picture.get('alt', '')} ")
    for cell in tree.find_all(["td", "th", "span", "button"]):
        cell.append(" ")
    for block in tree.find_all(["div", "tr", "p", "li", "h1", "h2", "h3", "h4", "br", "details", "table", "summary"]):
        block.insert_before("\n")
        block.append("\n")
    lines = (re.sub(r"\s+", " ", line).strip() for line in tree.get_text().splitlines())
    return "\n".join(line for line in lines if line)


def shrink(output: Any) -> None:
    """Reduce the image of an output and keep its displayed size."""
    data = output.data
    kinds = [kind for kind in ("image/png", "image/jpeg") if kind in data]
    if not kinds:
        return
    shown = output.metadata.get(kinds[0])
    pictures = [base64.b64decode(data.pop(kind)) for kind in kinds]  # of the same image, if there are two
    kind, small = _small(pictures[0])
    data[kind] = base64.b64encode(small).decode()
    output.metadata = {} if shown is None else {kind: shown}


def _clean_outputs(outputs: list[Any], folder: Path, shoot: Shoot) -> list[Any]:
    """Clean the outputs of a cell."""
    cleaned: list[Any] = []
    only_widgets = all(WIDGET in output.get("data", {}) for output in outputs)
    for output in deepcopy(outputs):
        output.pop("transient", None)
        if output.output_type == "stream":
            output.text = _plain(output.text, folder)
            cleaned.append(output)
        elif "data" in output:
            if WIDGET in output.data and not only_widgets:
                continue  # its still image is another output, and a progress bar has none
            if output.data.pop(WIDGET, None) is not None:  # without a still image, text replaces it
                name = output.data.get("text/plain", "").split("(")[0]
                output.data["text/html"] = f'<p style="color:#666">{escape(name)}: run this cell to see it.</p>'
            output.metadata = {}
            _clean_data(output, folder, shoot)
            cleaned.append(output)
        elif output.output_type == "error":
            output.traceback = [_plain(line, folder) for line in output.traceback]
            cleaned.append(output)
    return cleaned


def _clean_data(output: Any, folder: Path, shoot: Shoot) -> None:
    """Clean the data of one output."""
    data = output.data
    for kind in ("text/plain", "text/html", "text/markdown"):
        if kind in data:
            data[kind] = _plain(data[kind], folder)
    markup = data.get("text/html")
    if markup is not None and _NEEDS_A_PICTURE.search(markup):
        del data["text/html"]
        data["text/plain"] = visible_text(markup) or data.get("text/plain", "")
        for kind in ("image/png", "image/jpeg", "image/svg+xml"):
            data.pop(kind, None)
        picture, (width, height) = shoot(markup)
        data["image/png"] = base64.b64encode(picture).decode()
        output.metadata = {"image/png": {"width": width, "height": height}}
    shrink(output)


def _plain(text: str, folder: Path) -> str:
    """Replace the folder and dates of a text."""
    for place in (folder.resolve().as_posix(), folder.as_posix(), str(folder)):
        text = text.replace(place, "~")
    return _DATE.sub(_fixed_date, text)


def _fixed_date(match: re.Match[str]) -> str:
    """Return a constant date of the same length, so that table columns keep their width."""
    time = re.sub(r"\d", "0", match["time"] or "")
    return "2026-01-01" + re.sub(r"^([T ])00", r"\g<1>12", time)


def _small(data: bytes) -> tuple[str, bytes]:
    """Compress an image: no wider than `WIDTH`, with few colors or as JPEG, whichever is smaller."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(ground, image).convert("RGB")
    if flat.width > 2 * WIDTH:
        flat = flat.resize((2 * WIDTH, round(flat.height * 2 * WIDTH / flat.width)), Image.Resampling.LANCZOS)
    few, photo = io.BytesIO(), io.BytesIO()
    flat.quantize(128, dither=Image.Dither.NONE).save(few, "PNG", optimize=True)
    flat.save(photo, "JPEG", quality=72, optimize=True)
    colors = flat.getcolors(4096)
    if colors is not None or few.tell() <= photo.tell():
        return "image/png", few.getvalue()
    return "image/jpeg", photo.getvalue()
