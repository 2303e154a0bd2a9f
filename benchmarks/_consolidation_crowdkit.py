"""Combine answers with crowd-kit for ``consolidation.py`` and ``peers.py``, in crowd-kit's own environment.

Called with the path of an ``.npz`` file (person, given: person and label of each answer, shape (runs, images, 3)), and
the names of methods (three if there are none). Prints the label of each image in each run by each method, and the
seconds, as JSON.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from _measure import Stopwatch
from crowdkit.aggregation import DawidSkene, MajorityVote, OneCoinDawidSkene

METHODS: dict[str, Any] = {
    "MajorityVote": MajorityVote,
    "DawidSkene": lambda: DawidSkene(n_iter=100),
    "OneCoinDawidSkene": lambda: OneCoinDawidSkene(n_iter=100),
}


def main() -> None:
    """Read the answers and print the labels."""
    data, names = np.load(sys.argv[1]), sys.argv[2:] or list(METHODS)
    found: dict[str, list[list[int]]] = {}
    runs = []
    for person, given in zip(data["person"], data["given"], strict=True):
        task = np.repeat(np.arange(len(person)), person.shape[1])
        runs.append(pd.DataFrame({"task": task, "worker": person.ravel(), "label": given.ravel()}))
    watch = Stopwatch()
    for name in names:
        found[name] = [METHODS[name]().fit_predict(answers).sort_index().tolist() for answers in runs]
    print(
        json.dumps({"what": f"crowd-kit {version('crowd-kit')}, {', '.join(names)}", "labels": found, **watch.read()})
    )


if __name__ == "__main__":
    main()
