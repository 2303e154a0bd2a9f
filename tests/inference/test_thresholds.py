from typing import Any

import numpy as np
import pytest

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.inference.thresholds import check_max_results, choose, resolve_thresholds
from tests.facts import facts
from tests.inference.configs import CONFIG

ROW = (0.3, 0.5, 0.89, 0.5)


def chosen(threshold: Any = None, max_results: Any = None) -> str:
    """Return the chosen labels as a string."""
    check_max_results(max_results)
    kept = choose(np.arange(4), np.array(ROW), resolve_thresholds(CONFIG, threshold), max_results)
    return "".join(CONFIG.labels[i] for i in kept)


def test_a_confidence_equal_to_the_threshold_counts() -> None:
    assert chosen() == "bda"  # own thresholds, with ties in the labels' order
    assert chosen(0.5) == "cbd"
    assert chosen(np.nextafter(0.5, 1)) == "c"


def test_thresholds_for_all_and_for_some() -> None:
    assert chosen(0) == "cbda"
    assert chosen(1) == ""
    assert chosen(np.float32(0.25)) == "cbda"
    assert chosen({}) == chosen(None) == "bda"
    assert chosen({"c": 0.5, "b": 0.6}) == "cda"


def test_max_results_cuts_after_sorting() -> None:
    assert chosen(0, 1) == "c"
    assert chosen(0, np.int64(2)) == "cb"
    assert chosen(0, 99) == "cbda"
    for wrong in (0, -1, 1.5, True, "3"):
        with pytest.raises(InputError, match="max_results"):
            chosen(0, wrong)


def test_invalid_thresholds_are_refused() -> None:
    with pytest.raises(InputError, match=r"threshold=80 .*Did you mean 0\.8\?"):
        chosen(80)
    with pytest.raises(InputError, match=r"threshold\['a'\]=1\.5"):
        chosen({"a": 1.5})
    for wrong in (-0.1, float("nan"), True, np.True_, "0.5", [0.5]):
        with pytest.raises(InputError, match="threshold="):
            chosen(wrong)
    with pytest.raises(LabelError, match=facts("'pear'", "['a', 'b', 'c', 'd']")):
        chosen({"pear": 0.5})


def test_boxes_use_the_threshold_of_their_label() -> None:
    labels, confidences = np.array([2, 0, 0, 1]), np.array([0.95, 0.29, 0.31, 0.5])
    kept = choose(labels, confidences, resolve_thresholds(CONFIG, None))
    assert kept.tolist() == [0, 3, 2]
