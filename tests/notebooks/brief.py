"""Make the notebooks of this kernel brief when imported: their cells run, but their detectors have learned nothing.

Detectors are trained for one step on images of 96 pixels. Photos of rooms have at most 160 × 120 pixels. Notebooks that
share a cache draw the same photos only once, and compute their features only once. What helper processes do is done in
this process, which has already imported everything.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from customlabels_nb import Project
from customlabels_nb.events import Events
from customlabels_nb.examples import circuit_boards, rooms
from customlabels_nb.examples._drawing import Picture
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.helper_process import HelperProcess

_train = Project.train


def train(project: Project, *args: Any, steps: int | None = None, input_size: int | None = None, **options: Any) -> Any:
    """Train for one step if the number of steps is given."""
    return _train(project, *args, steps=steps and 1, input_size=input_size and 96, **options)


def drawing_once(paint: Callable[..., Picture], most: tuple[int, int]) -> Callable[..., Picture]:
    """Return a function that draws photos of at most this size, and stores them in the cache."""

    def drawn(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        size = min(size, most)
        key = hashlib.sha256(f"{paint.__module__} {split} {size} {rng.bit_generator.state}".encode()).hexdigest()
        file = settings.cache_dir / "drawn" / key
        if file.exists():
            return pickle.loads(file.read_bytes())  # noqa: S301
        picture = paint(split, number, rng, size)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(picture))
        return picture

    return drawn


def run_here(_: HelperProcess, entry: str, arguments: Any, events: Events | None = None, pulse: Any = None) -> Any:
    """Run a helper's task in this process."""
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)(arguments, events or Events())


HelperProcess.run = run_here  # type: ignore[method-assign]
Project.train = train  # type: ignore[method-assign]
rooms.paint = drawing_once(rooms.paint, (160, 120))
circuit_boards.paint = drawing_once(circuit_boards.paint, (480, 360))
