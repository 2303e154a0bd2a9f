"""What of an executed notebook is committed: outputs worth seeing on a page that runs nothing and trusts nothing."""

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
#: What the front end of a service drops from HTML: pictures within, styles, drawings.
_NEEDS_A_PICTURE = re.compile(r"<img|<svg|<video|<style(?! scoped)|style=\"(?!text-align)", re.IGNORECASE)
_DATE = re.compile(r"\b20\d\d-\d\d-\d\d(?P<time>[T ]\d\d[:.]\d\d([:.]\d\d)?(\.\d+)?)?")


def clean(notebook: Any, folder: Path, shoot: Shoot | None = None) -> Any:
    """A copy of an executed notebook, as it is committed.

    Widgets go and leave their still pictures; HTML that relies on styles or holds pictures becomes a picture of it,
    with its words as plain text; times become the same ones each time; the folder that it ran in becomes ``~``.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    folder : Path
        Where it ran.
    shoot : callable, optional
        Gives a PNG of an HTML text and its width and height on the page; a blank one unless given.
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
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue(), (1, 1)


def sources_hash(notebook: Any) -> str:
    """A digest of all cells' sources: a notebook that was edited and not run again has another."""
    text = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def joined(outputs: list[Any]) -> list[Any]:
    """The outputs, with what was printed in a row as one: a slow machine sends it in pieces."""
    whole: list[Any] = []
    for output in outputs:
        before = whole[-1] if whole else None
        if before is not None and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            whole.append(deepcopy(output))
    return whole


def visible_text(markup: str) -> str:
    """The words of HTML, pictures' alternative texts included, a line for each row or block."""
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
    """Make the picture of an output small, keeping the size that it is shown in."""
    data = output.data
    kinds = [kind for kind in ("image/png", "image/jpeg") if kind in data]
    if not kinds:
        return
    shown = output.metadata.get(kinds[0])
    pictures = [base64.b64decode(data.pop(kind)) for kind in kinds]  # of the same, where there are two
    kind, small = _small(pictures[0])
    data[kind] = base64.b64encode(small).decode()
    output.metadata = {} if shown is None else {kind: shown}


def _clean_outputs(outputs: list[Any], folder: Path, shoot: Shoot) -> list[Any]:
    cleaned: list[Any] = []
    only_widgets = all(WIDGET in output.get("data", {}) for output in outputs)
    for output in deepcopy(outputs):
        output.pop("transient", None)
        if output.output_type == "stream":
            output.text = _plain(output.text, folder)
            cleaned.append(output)
        elif "data" in output:
            if WIDGET in output.data and not only_widgets:
                continue  # its still picture is another output, a progress bar has none
            if output.data.pop(WIDGET, None) is not None:  # one that leaves no still picture: words take its place
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
    for place in (folder.resolve().as_posix(), folder.as_posix(), str(folder)):
        text = text.replace(place, "~")
    return _DATE.sub(_fixed_date, text)


def _fixed_date(match: re.Match[str]) -> str:
    """The same date each time, as long as it was, so that tables keep their columns."""
    time = re.sub(r"\d", "0", match["time"] or "")
    return "2026-01-01" + re.sub(r"^([T ])00", r"\g<1>12", time)


def _small(data: bytes) -> tuple[str, bytes]:
    """A picture with fewer bytes: no wider than `WIDTH`, few colours or JPEG, whichever is smaller."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(ground, image).convert("RGB")
    if flat.width > 2 * WIDTH:
        flat = flat.resize((2 * WIDTH, round(flat.height * 2 * WIDTH / flat.width)), Image.Resampling.LANCZOS)
    few, photo = io.BytesIO(), io.BytesIO()
    flat.quantize(128, dither=Image.Dither.NONE).save(few, "PNG", optimize=True)
    flat.save(photo, "JPEG", quality=72, optimize=True)
    colours = flat.getcolors(4096)
    if colours is not None or few.tell() <= photo.tell():
        return "image/png", few.getvalue()
    return "image/jpeg", photo.getvalue()
