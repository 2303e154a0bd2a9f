"""Models without a network that record their calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.inference.detection import Detection
from customlabels_nb.inference.inputs import load_encoded
from customlabels_nb.labeling.quick_test import Facts, QuickTestModel

COLORS = ("#c8553d", "#2f7fc1", "#d49b1a")

#: Label, confidence and box of a classifier and of a detector with the labels apple, pear and plum.
LABELS = [("apple", 0.55, None), ("pear", 0.3, None), ("plum", 0.15, None)]
BOXES = [
    ("pear", 0.9, (10.0, 8.0, 20.0, 12.0)), ("apple", 0.5, (2.0, 3.0, 8.0, 9.0)), ("pear", 0.2, (1.0, 1.0, 4.0, 4.0)),
]  # fmt: skip


@dataclass
class FakeModel:
    """Model that predicts the same for every readable image."""

    name: str = "fruit.1"
    answers: list[Any] = field(default_factory=lambda: list(LABELS))
    thresholds: tuple[float, ...] = (0.5, 0.4, 0.3)
    device: str | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def detects(self) -> bool:
        return self.answers[0][2] is not None

    def start(self) -> None:
        self.device = "cpu"

    def stop(self) -> None:
        self.device = None

    def ask(self, image: object) -> Detection:
        assert self.device is not None
        shown, _, name = load_encoded(image)
        self.asked.append(name)
        rows = [(label, confidence, *(box or (np.nan,) * 4)) for label, confidence, box in self.answers]
        table = pd.DataFrame(rows, columns=["label", "confidence", "left", "top", "width", "height"])
        colors = dict(zip(("apple", "pear", "plum"), COLORS, strict=True))
        return Detection(shown, name, table.astype({"label": "str"}), colors, ("apple", 0.5, 0.0), self.detects)

    def candidate(self) -> QuickTestModel:
        def facts() -> Facts:
            return Facts(("apple", "pear", "plum"), COLORS, self.thresholds, not self.detects)

        return QuickTestModel(self.name, "F1 0.900", self.start, self.stop, lambda: self.device, self.ask, facts)
