"""Average a classifier's confidences over several views of an image.

A view is the image or its centre, mirrored or not. Each view takes as long as the image itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from customlabels_nb.errors import InputError
from customlabels_nb.models.transforms import Pixels

_CENTRE = 0.8  # share of each side


def check_views(views: object, *, detector: bool) -> None:
    """Raise InputError unless ``views`` is a number of views that :func:`views_of` can make, or is 1 for a detector."""
    if isinstance(views, bool) or views not in (1, 2, 4):
        raise InputError(f"views={views!r} must be 1, 2 (the image and its mirror image) or 4 (also of its centre).")
    if detector and views != 1:
        raise InputError(f"views={views!r} must be 1 for a detector. Only classifiers average several views.")


def views_of(pixels: Sequence[Pixels], views: int) -> Iterator[list[Pixels]]:
    """Yield each view of all images, as uint8 arrays of the images' shape (3, side, side)."""
    for whole in (True, False)[: max(1, views // 2)]:
        shown = list(pixels) if whole else [_centre(one) for one in pixels]
        yield shown
        if views > 1:
            yield [np.ascontiguousarray(one[:, :, ::-1]) for one in shown]


def _centre(pixels: Pixels) -> Pixels:
    side = pixels.shape[-1]
    edge = side * (1 - _CENTRE) / 2
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    box = (edge, edge, side - edge, side - edge)
    centre = image.resize((side, side), Image.Resampling.BICUBIC, box=box)
    return np.ascontiguousarray(np.asarray(centre).transpose(2, 0, 1))
