"""Combine answers with crowd-kit for ``consolidation.py``, in crowd-kit's own environment.

Called with the path of an ``.npz`` file (person, given: person and label of each answer, shape (runs, images, 3)).
Prints the label of each image in each run by each method as JSON.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene, MajorityVote, OneCoinDawidSkene


def main() -> None:
    """Read the answers and print the labels."""
    data = np.load(sys.argv[1])
    found: dict[str, list[list[int]]] = {}
    for person, given in zip(data["person"], data["given"], strict=True):
        task = np.repeat(np.arange(len(person)), person.shape[1])
        answers = pd.DataFrame({"task": task, "worker": person.ravel(), "label": given.ravel()})
        for method in (MajorityVote(), DawidSkene(n_iter=100), OneCoinDawidSkene(n_iter=100)):
            labels = method.fit_predict(answers).sort_index().tolist()
            found.setdefault(type(method).__name__, []).append(labels)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
