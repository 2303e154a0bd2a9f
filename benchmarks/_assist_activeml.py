"""Choose images to label with scikit-activeml for ``assist.py``, in scikit-activeml's own environment.

Called with the path of an ``.npz`` file (features, targets, page, most), a seed, and the names of strategies (all if
there are none). Prints the positions that these ask for, in order, and the seconds as JSON. Each starts without labels
and learns the true label of the images of a page before it chooses the next page.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import skactiveml
from _measure import Stopwatch
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, TypiClust, UncertaintySampling
from sklearn.linear_model import LogisticRegression


def ask(name: str, features: np.ndarray, targets: np.ndarray, page: int, most: int, random_state: int) -> list[int]:
    """Return the positions of the images in the order in which the strategy asks for them."""
    strategy = {
        "margin": lambda: UncertaintySampling(method="margin_sampling", random_state=random_state),
        "TypiClust": lambda: TypiClust(random_state=random_state),
        "BADGE": lambda: Badge(random_state=random_state),
    }[name]()
    known = np.full(len(targets), np.nan)
    asked: list[int] = []
    while len(asked) < most:
        arguments = {"X": features, "y": known, "batch_size": min(page, most - len(asked))}
        if name != "TypiClust":
            network = LogisticRegression(max_iter=500, tol=1e-3)
            arguments["clf"] = SklearnClassifier(
                network, classes=range(int(targets.max()) + 1), random_state=random_state
            )
        chosen = np.asarray(strategy.query(**arguments)).tolist()
        known[chosen] = targets[chosen]
        asked += chosen
    return asked


def main() -> None:
    """Run all strategies and print what they ask for."""
    warnings.simplefilter("ignore")
    data, random_state = np.load(sys.argv[1]), int(sys.argv[2])
    arguments = data["features"], data["targets"], int(data["page"]), int(data["most"]), random_state
    what = ", ".join([f"scikit-activeml {skactiveml.__version__}", *sys.argv[3:]])
    watch = Stopwatch()
    found = {name: ask(name, *arguments) for name in sys.argv[3:] or ("margin", "TypiClust", "BADGE")}
    print(json.dumps({"what": what, "asked": found, **watch.read()}))


if __name__ == "__main__":
    main()
