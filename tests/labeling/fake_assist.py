"""Results of assist as a background training writes them, for tests of the screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.assist.stored_results import AssistResults
from customlabels_nb.assist.suspects import COLUMNS
from customlabels_nb.core.tables import BOX_COLUMNS


@dataclass
class FakeAssist:
    """What the screens read of ``project.assist``."""

    results: AssistResults | None = None
    on: bool = True
    test: bool = False
    running: dict[str, Any] | None = None
    promise: dict[str, Any] | None = None

    @property
    def guarantee(self) -> dict[str, Any]:
        """Guarantee of a run with 60 check images."""
        evidence = {"items": 60, "right": 60, "wanted": 59}
        run = self.results and self.results.run
        return {"run": run, "target": 0.95, "promise": self.promise, "evidence": evidence, "needed": None}

    def summary(self) -> dict[str, Any]:
        """Count the suspects only."""
        return {"queues": {"suspect": 0 if self.results is None else len(self.results.suspects)}}


def results(
    images: Sequence[str],
    *,
    pages: Sequence[Sequence[int]] = (),
    prelabels: Sequence[tuple[Any, ...]] = (),
    suspects: Sequence[Mapping[str, Any]] = (),
    checks: Sequence[int] = (),
    run: int = 1,
) -> AssistResults:
    """Create results in which the queue has the images in reverse order.

    ``checks`` are positions of check images, ``pages`` are positions, ``prelabels`` tuples of position, label,
    confidence and perhaps a box, ``suspects`` rows with a position as ``image``.
    """
    names = np.array(images)
    rows = [(at, page, page, -1, 0.96) for page, own in enumerate(pages) for at in own]
    said = [(images[at], label, sure, *(box or (np.nan,) * 4)) for at, label, sure, *box in prelabels]
    doubts = [
        {"model": "m", "score": 0.9, "annotation": None, **row, "image": images[row["image"]]} for row in suspects
    ]
    return AssistResults(
        run=run,
        images=names,
        queue=pd.DataFrame({"position": range(len(names))[::-1], "kind": "uncertain"}).assign(
            kind=lambda table: table["kind"].where(~table["position"].isin(checks), "check")
        ),
        pages=pd.DataFrame(rows, columns=["position", "cluster", "page", "label", "alike"]).astype(
            {"position": int, "page": int, "alike": float}
        ),
        prelabels=pd.DataFrame(said, columns=["image", "label", "confidence", *BOX_COLUMNS]),
        suspects=pd.DataFrame(doubts, columns=[*COLUMNS]),
    )
