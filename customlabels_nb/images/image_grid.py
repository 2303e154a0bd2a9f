"""Image grid (contact sheet) that shows several images, each with its boxes or labels."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageDraw

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, one_line
from customlabels_nb.images.box_drawing import BoxPicture, LabelledBox, plain_font

#: Longest side of a tile on the screen, in pixels.
SIDE = 240

_GAP, _LINE, _FONT_SIZE = 8, 20, 12


@dataclass(frozen=True)
class Tile:
    """Image in a grid, with boxes in its pixels, and image-level labels with their colors (#rrggbb)."""

    image: Image.Image
    boxes: list[LabelledBox] = field(default_factory=list)
    labels: list[tuple[str, str]] = field(default_factory=list)


class ContactSheet:
    """Image grid with a caption, which notebooks display."""

    def __init__(self, tiles: Sequence[Tile], words: str) -> None:
        self.tiles = list(tiles)
        self.words = one_line(words)

    def __len__(self) -> int:
        return len(self.tiles)

    def draw(self, side: int = SIDE) -> Image.Image:
        """Draw the grid on a white background, with ``side`` as the longest side of each image in pixels."""
        scale = side / SIDE
        pictures = [self._picture(tile).to_picture(scale) for tile in self.tiles]
        columns = math.ceil(math.sqrt(len(pictures))) or 1
        labelled = any(tile.labels for tile in self.tiles)
        gap, line = round(_GAP * scale), round(_LINE * scale) if labelled else 0
        rows = -(-len(pictures) // columns)
        page = Image.new(
            "RGB", (max(1, columns * (side + gap) - gap), max(1, rows * (side + line + gap) - gap)), "white"
        )
        pen, font = ImageDraw.Draw(page), plain_font(max(1, round(_FONT_SIZE * scale)))
        for index, (tile, picture) in enumerate(zip(self.tiles, pictures, strict=True)):
            left, top = (index % columns) * (side + gap), (index // columns) * (side + line + gap)
            page.paste(picture, (left, top + side - picture.height))
            if tile.labels:
                words = ", ".join(one_line(label) for label, _ in tile.labels)
                while words and font.getlength(words) > side:
                    words = f"{words[:-2]}…" if len(words) > 2 else ""
                pen.text((left, top + side + line / 2), words, fill="#1f2328", font=font, anchor="lm")
        return page

    def __repr__(self) -> str:
        return f"{counted(len(self.tiles), 'image')}. {self.words}"

    def _repr_html_(self) -> str:
        tiles = []
        for tile in self.tiles:
            picture = self._picture(tile)
            (width, height), source = picture.size, picture.to_url()
            names = [box.label for box in tile.boxes] or [label for label, _ in tile.labels]
            tiles.append({"source": source, "width": width, "height": height, "names": names, "labels": tile.labels})
        columns = max(3, math.ceil(math.sqrt(len(tiles))))
        return render(
            "contact_sheet.html", tiles=tiles, gap=_GAP, width=columns * (SIDE + _GAP) - _GAP, words=self.words
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        buffer = io.BytesIO()
        self.draw().save(buffer, "JPEG", quality=82)
        return {"text/plain": repr(self), "text/html": self._repr_html_(), "image/jpeg": buffer.getvalue()}

    def _picture(self, tile: Tile) -> BoxPicture:
        return BoxPicture(tile.image, tile.boxes, side=SIDE)
