"""TensorBoard logging of metrics, messages and sample predictions, if the extra ``tensorboard`` is installed."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb.errors import MissingDependencyError
from customlabels_nb.events import Event, Message, Metrics, Sample, Samples

_TRUE, _PREDICTED = "#3a9a5b", "#c8553d"


class TensorBoardListener(NameHints):
    """Listener that writes training events to TensorBoard event files.

    Metrics are logged as scalars, messages as text, and samples as images with the ground truth in green and
    predictions in red.

    Parameters
    ----------
    folder : path
        Folder for the event files, created if it does not exist.

    Raises
    ------
    MissingDependencyError
        If TensorBoard is not installed.

    Examples
    --------
    >>> with cl.TensorBoardListener("runs/first") as listener:  # doctest: +SKIP
    ...     project.train(events=cl.Events(listener))
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError(
                f"TensorBoardListener needs the package tensorboard. Install it: {extra_command('tensorboard')}"
            ) from error
        self.folder = Path(folder)
        self._writer: Any = SummaryWriter(str(self.folder))
        self._step = 0
        self._message_count = 0

    def __call__(self, event: Event) -> None:
        """Write an event to the event files."""
        if isinstance(event, Metrics):
            self._step = event.step
            for name, value in event.values.items():
                if math.isfinite(value):
                    self._writer.add_scalar(name, value, event.step)
            self._writer.flush()
        elif isinstance(event, Message):
            # indented, so that TensorBoard does not interpret file and label names as Markdown
            text = "\n".join(f"    {line}" for line in event.text.splitlines())
            self._writer.add_text("messages", text, self._message_count)
            self._message_count += 1
        elif isinstance(event, Samples):
            for number, sample in enumerate(event.samples):
                self._writer.add_image(f"{event.of.split()[0]}/{number}", _drawn(sample), event.step, dataformats="HWC")

    def close(self) -> None:
        """Write remaining events and close the files.

        Examples
        --------
        >>> listener = cl.TensorBoardListener("runs/first")  # doctest: +SKIP
        >>> listener.close()  # doctest: +SKIP
        """
        self._writer.close()

    def __enter__(self) -> TensorBoardListener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _drawn(sample: Sample) -> np.ndarray:
    with Image.open(io.BytesIO(sample.picture)) as opened:
        image = opened.convert("RGB")
    pen = ImageDraw.Draw(image)
    scale = image.width / sample.size[0], image.height / sample.size[1]
    line = 0
    for boxes, color in ((sample.true, _TRUE), (sample.predicted, _PREDICTED)):
        for mark in boxes:
            words = mark.label if mark.confidence is None else f"{mark.label} {mark.confidence:.2f}"
            if mark.box is None:
                pen.text((4, 4 + 14 * line), words, fill=color, stroke_width=2, stroke_fill="white")
                line += 1
                continue
            left, top, width, height = (value * scale[axis % 2] for axis, value in enumerate(mark.box))
            pen.rectangle((left, top, left + max(1, width), top + max(1, height)), outline=color, width=2)
            pen.text((left + 3, top + 2), words, fill=color, stroke_width=2, stroke_fill="white")
    return np.asarray(image)
