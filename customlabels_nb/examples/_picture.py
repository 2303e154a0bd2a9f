"""What an example draws: a picture and what is to be seen on it."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Box:
    """A labelled box in pixels of the picture; the label's object ends where the box does."""

    label: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Picture:
    """A picture of mode RGB, the labels it has as a whole, and the boxes on it."""

    image: Image.Image
    labels: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """Every label that is to be seen, each once."""
        return tuple(dict.fromkeys([*self.labels, *(box.label for box in self.boxes)]))
