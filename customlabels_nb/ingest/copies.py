"""Name and write copies of images in the project's folder ``images``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from customlabels_nb._utils.files import replacing, why_not_written
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.remote.memory_budget import image_memory

_CONTENT = re.compile(r"-[0-9a-f]{8}(?=[0-9a-f]{8}(\.[0-9a-z]+)?$)")  # in the name of a copy, see name_of_copy


def name_of_copy(image: str, sha256: str) -> str:
    """Return the path of an image's copy in the project, unique by hashes of its content and origin."""
    if not is_remote(image) and not to_path(image).is_absolute():
        return image  # already in the project
    plain = unquote(image.partition("?")[0]) if is_remote(image) else os.fspath(to_path(image))
    stem, suffix = os.path.splitext(os.path.basename(plain))
    if not (suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 6):
        suffix = ""
    safe = re.sub(r"[^\w-]+", "_", stem)[:40].strip("_") or "image"
    origin = hashlib.sha256(image.encode()).hexdigest()
    return f"images/{safe}-{sha256[:8]}{origin[:8]}{suffix.lower()}"


def find_copies(images: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Map images to their copies among ``names``, even if the images have changed since then. The last one counts."""
    copies = {_CONTENT.sub("-", name): name for name in names}
    return {image: copies[name] for image in images if (name := name_of_copy(image, "")) != image and name in copies}


def copy_image(image: str, name: str, root: Path, *, via: Path, replace: bool = False) -> str:
    """Copy an image to ``name``, relative to ``root``, and return the name. Existing files stay, unless ``replace``.

    The copy is written in the folder ``via`` first.
    """
    target = root / name
    if name == image or (target.exists() and not replace):
        return name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target, durable=False, via=via) as file, image_memory.share() as hold:
            file.write(read_bytes(image, root, hold=hold))
    except OSError as error:
        raise InputError(f"copy=True: cannot copy {image!r} to {str(target)!r}: {why_not_written(error)}.") from error
    return name
