"""Find label errors with cleanlab for ``assist.py``, in cleanlab's own environment.

Called with the path of an ``.npz`` file (probabilities, given: positions of the labels or a mask of them). Prints the
positions of the suspected images as JSON, the most suspicious first, and the seconds. For several labels they are pairs
with the label.
"""

from __future__ import annotations

import json
import sys

import cleanlab
import numpy as np
from _measure import Stopwatch
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class


def main() -> None:
    """Read the labels and probabilities, and print the suspects."""
    data = np.load(sys.argv[1])
    probabilities, given = data["probabilities"], data["given"]
    suspects: list[object]
    watch = Stopwatch()
    if given.ndim == 1:
        suspects = find_label_issues(
            given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
        ).tolist()
    else:
        labels = [np.flatnonzero(row).tolist() for row in given]
        found = find_multilabel_issues_per_class(
            labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
        )[0]
        pairs = [(int(image), label) for label, images in enumerate(found) for image in images]
        doubt = [abs(float(given[pair]) - probabilities[pair]) for pair in pairs]
        suspects = [pairs[at] for at in np.argsort(doubt)[::-1]]
    print(json.dumps({"what": f"cleanlab {cleanlab.__version__}", "suspects": suspects, **watch.read()}))


if __name__ == "__main__":
    main()
