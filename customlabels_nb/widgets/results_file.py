"""The results screen as one file that opens offline."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from markupsafe import Markup

from customlabels_nb._utils.files import write_whole
from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation.exploring import Exploration, Filter
from customlabels_nb.evaluation.exploring.packing import as_buffers, pack
from customlabels_nb.evaluation.exploring.payload import advice_as_json, comparison_as_json, summary_as_json
from customlabels_nb.evaluation.exploring.test_images import SIZES, TestPictures
from customlabels_nb.widgets._base import STATIC, join_modules, join_styles
from customlabels_nb.widgets.results import About


def write_results_file(
    path: str | os.PathLike[str], exploration: Exploration, about: About, *, images: int = 100, pixels: int = 320
) -> Path:
    """Write the screen with its data, its code and the pictures of the worst images to one file.

    Parameters
    ----------
    path : path
        A file of that name is replaced, whole or not at all.
    exploration : Exploration
    about : About
    images : int
        How many pictures; the most confident mistakes come first.
    pixels : int
        Their longest side, rounded up to one of 160, 320 and 640.

    Raises
    ------
    InputError
        If ``images`` or ``pixels`` can't be, or ``path`` is a folder.
    """
    for name, value, most in (("images", images, 100_000), ("pixels", pixels, SIZES[-1])):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise InputError(f"{name}={value!r} is no whole number from 0 to {most:,}.")
    target = Path(path)
    if target.is_dir():
        raise InputError(f"path={str(path)!r} is a folder; name a file in it, such as 'results.html'.")
    text = render(
        "results.html",
        title=about.name,
        styles=Markup(join_styles("shared/base.css", "shared/tiles.css", "results.css")),
        content=Markup(_as_script(_content(exploration, about, images, pixels))),
        code=Markup(join_modules(STATIC / "results" / "page.js")),
    )
    write_whole(target, text.encode("utf-8"))
    return target


def _content(exploration: Exploration, about: About, images: int, pixels: int) -> dict[str, object]:
    facts, arrays = pack(exploration)
    described, buffers = as_buffers(arrays)
    facts |= {
        **summary_as_json(exploration, about.project, about.details, {}),
        "can": [],
        "writes": {},
        "project_labels": [],
        "position": exploration.position.to_dict(),
        "filter": exploration.filter.to_dict(),
        "selection": [],
        "comparison": comparison_as_json(exploration),
    }
    training = about.training() if about.training is not None else None
    suspects = exploration.groups["suspects"].nonzero()[0].tolist()
    return {
        "facts": facts,
        "arrays": described,
        "buffers": [_base64(buffer) for buffer in buffers],
        "training": None if training is None else dict(training),
        "advice": {"items": advice_as_json(exploration), "suspects": suspects},
        "pictures": _pictures(exploration, about, images, pixels),
    }


def _pictures(exploration: Exploration, about: About, images: int, pixels: int) -> list[list[object]]:
    """Position, picture as a data URI, and size of the images that come first, as far as they can be read."""
    known = TestPictures(exploration.evaluation.images, about.root)
    worst = exploration.choose(Filter("all"))[:images].tolist()
    found = known.thumbnails(worst, pixels)
    return [
        [at, data_url(data), known.size(at)] for at, data in zip(worst, found, strict=True) if isinstance(data, bytes)
    ]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _as_script(content: object) -> str:
    """JSON that can't end the element it stands in, whatever names hold."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
