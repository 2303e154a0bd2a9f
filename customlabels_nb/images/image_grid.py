"""Several pictures side by side, each with boxes or labels of its own."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageDraw

from customlabels_nb._utils.text import escaped, one_line
from customlabels_nb.images.box_drawing import BoxPicture, LabelledBox, plain_font

#: Of a tile on the screen in pixels.
SIDE = 240

_GAP, _LINE, _FONT_SIZE = 8, 20, 12
_MOST_CAPTIONS = 4
_TEXT = "var(--jp-ui-font-color1, CanvasText)"
_GREY = "var(--jp-ui-font-color2, GrayText)"


@dataclass(frozen=True)
class Tile:
    """One picture.

    Attributes
    ----------
    image : PIL.Image.Image
        Mode RGB.
    boxes : list of LabelledBox
        In its pixels.
    labels : list of (str, str)
        Of the whole picture, each with its colour (#rrggbb).
    """

    image: Image.Image
    boxes: list[LabelledBox] = field(default_factory=list)
    labels: list[tuple[str, str]] = field(default_factory=list)


class ContactSheet:
    """Pictures side by side and one sentence on them; in a notebook it shows itself.

    Parameters
    ----------
    tiles : sequence of Tile
    words : str
        The sentence below.
    """

    def __init__(self, tiles: Sequence[Tile], words: str) -> None:
        self.tiles = list(tiles)
        self.words = one_line(words)

    def __len__(self) -> int:
        return len(self.tiles)

    def draw(self, side: int = SIDE) -> Image.Image:
        """The sheet on white, as a picture.

        Parameters
        ----------
        side : int
            Longest side of each of its pictures, in pixels.
        """
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
        return f"{len(self.tiles)} pictures. {self.words}"

    def _repr_html_(self) -> str:
        tiles = "".join(self._tile_html(tile) for tile in self.tiles)
        return (
            f'<div style="color:{_TEXT};font:13px/1.5 var(--jp-ui-font-family, system-ui, sans-serif)">'
            f'<div style="display:flex;flex-wrap:wrap;gap:{_GAP}px;align-items:flex-end;'
            f'max-width:{self._widest()}px">{tiles}</div>'
            f'<div style="color:{_GREY};margin-top:4px;overflow-wrap:anywhere">{escaped(self.words)}</div></div>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        buffer = io.BytesIO()
        self.draw().save(buffer, "JPEG", quality=82)
        return {"text/plain": repr(self), "text/html": self._repr_html_(), "image/jpeg": buffer.getvalue()}

    def _widest(self) -> int:
        return max(3, math.ceil(math.sqrt(len(self.tiles)))) * (SIDE + _GAP) - _GAP

    def _picture(self, tile: Tile) -> BoxPicture:
        return BoxPicture(tile.image, tile.boxes, side=SIDE)

    def _tile_html(self, tile: Tile) -> str:
        picture = self._picture(tile)
        width, height = picture.size
        named = [box.label for box in tile.boxes] or [label for label, _ in tile.labels]
        chips = "".join(
            f'<span style="overflow-wrap:anywhere"><span style="color:{escaped(colour)}">●</span> '
            f"<bdi>{escaped(label)}</bdi></span>"
            for label, colour in tile.labels[:_MOST_CAPTIONS]
        )
        if len(tile.labels) > _MOST_CAPTIONS:
            chips += f'<span style="color:{_GREY}">and {len(tile.labels) - _MOST_CAPTIONS} more</span>'
        caption = f'<figcaption style="display:flex;flex-wrap:wrap;gap:0 10px">{chips}</figcaption>' if chips else ""
        return (
            f'<figure style="margin:0;width:{width}px;max-width:100%">'
            f'<img src="{picture.to_url()}" alt="{escaped(", ".join(named) or "nothing")}" width="{width}" '
            f'height="{height}" style="display:block;max-width:100%;height:auto;border-radius:4px">{caption}</figure>'
        )
