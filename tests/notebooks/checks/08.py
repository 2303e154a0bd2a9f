"""Checks of the teaching lab and of the feedback on its exercises."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.display import DisplayHandle

from tests.notebooks.answering import check_lab, check_saved
from tests.notebooks.running import pictures_of, tagged, text_of

#: Right answers as a student would round or write them.
ALSO_RIGHT: dict[int, Any] = {1: [5, 0, 3], 2: 0.62, 3: 0.89, 5: 0.67, 6: [0.97, 0.49], 7: 0.15, 9: 0.81, 10: 0.33}
#: Wrong answers of students, and a word of the hint.
WRONG: dict[int, list[tuple[Any, str]]] = {
    1: [((5, 3, 0), "swapped"), ((5, 0, 0), "How many of the eight"), ((8, 0, 3), "accept at 0.8")],
    2: [(1.0, "precision"), (0.25, "number of kitchens"), (3 / 8, "missed")],
    3: [(1.0, "recall"), (0.11, "false alarms"), (0.4, "*accepts*")],
    4: [
        (0.4, "a higher threshold"),
        (0.44, "equal to the threshold counts"),
        (0.46, "is missed"),
        (0.55, "false alarm"),
    ],
    5: [(0.75, "ordinary mean"), (0.5, "Double"), (1.0, "divide")],
    6: [((0.95, 0.475), "precision of the cups"), ((0.97, 0.97), "weight"), ((0.974, 0.926), "once")],
    7: [(70 / 234, "column"), (70 / 624, "classified as caps"), (2 / 166, "reverse"), (388 / 458, "really are caps")],
    8: [(0.83, "plot")],
    9: [(0.7, "three kitchens"), (0.6, "everything is accepted"), (2.42, "number of kitchens")],
    10: [(0.5, "*either*"), (0.25, "twice"), (12, "Divide")],
}


def after_photos(ns: dict[str, Any]) -> None:
    photos = ns["photos"]
    assert len(photos) == 20
    assert photos["is_kitchen"].sum() == 8
    assert photos["confidence"].is_monotonic_decreasing
    assert [file.parent.name == "kitchen" for file in photos["file"]] == photos["is_kitchen"].tolist()
    assert photos["file"].is_unique


def after_check_2(ns: dict[str, Any]) -> None:
    assert ns["row"][["tp", "fp", "fn"]].tolist() == [5, 0, 3]
    assert ns["row"].recall == pytest.approx(0.625)


def after_check_3(ns: dict[str, Any]) -> None:
    assert ns["row"][["tp", "fp", "fn"]].tolist() == [8, 1, 0]
    assert ns["row"].precision == pytest.approx(8 / 9)


def after_slider(ns: dict[str, Any]) -> None:
    """Check that moving a slider redraws the plot at its value."""
    drawn = _drawn_by(ns["threshold"], 0.3)
    assert drawn == ["threshold 0.30"], drawn


def after_curves(ns: dict[str, Any]) -> None:
    curve = ns["report"].evaluation.curve("kitchen")
    assert curve["recall"].is_monotonic_decreasing, "recall can only fall as the threshold rises"
    rises = curve["precision"].dropna().diff().dropna()
    assert (rises > 0).sum() > (rises < 0).sum() > 0, "precision mostly rises, with dents"


def after_f1_table(ns: dict[str, Any]) -> None:
    assert ns["pairs"]["F1"].tolist() == pytest.approx([0.947, 0.46, 0.33], abs=0.005)


def after_middle(ns: dict[str, Any]) -> None:
    assert ns["line"] == pytest.approx((0.45 + 0.38) / 2)


def after_by_hand(ns: dict[str, Any]) -> None:
    table = ns["two"].per_label.set_index("label")
    assert table["threshold"].tolist() == pytest.approx([0.98795, 0.01445], abs=1e-5)
    assert table[["tp", "fp", "fn"]].to_numpy().tolist() == [[381, 7, 9], [227, 9, 7]]
    for figure in ("precision", "recall", "f1"):
        by_hand = ns["hand"].loc[["CAP", "WATCH"], figure].tolist()
        assert by_hand == pytest.approx(table[figure].tolist()), f"{figure} by hand equals the library's"
    assert ns["hand"].loc["mean"].tolist()[3:] == pytest.approx([0.97191, 0.97350, 0.97270], abs=1e-5)
    summary = ns["two"].summary.set_index("figure")["value"]
    assert summary[["precision", "recall", "f1"]].tolist() == pytest.approx(ns["hand"].loc["mean"].tolist()[3:])


def after_lazy(ns: dict[str, Any]) -> None:
    summary = ns["lazy_report"].summary.set_index("figure")["value"]
    assert summary["accuracy"] == pytest.approx(0.95)
    assert summary["f1"] == pytest.approx(0.487, abs=0.001)


def after_shares(ns: dict[str, Any]) -> None:
    assert ns["matrix"].loc["CAP"].tolist() == [388, 70]
    assert ns["matrix"].loc["WATCH"].tolist() == [2, 164]
    assert ns["shares"].to_numpy().ravel().tolist() == pytest.approx([388 / 390, 70 / 234, 2 / 390, 164 / 234])
    assert ns["shares"].sum().tolist() == pytest.approx([1, 1])


def after_flattering(ns: dict[str, Any]) -> None:
    means = ns["rounds"].mean()
    assert len(ns["rounds"]) == 40
    assert round(means["on the same photos"], 2) == 0.83, "as stated in exercise 8"
    assert round(means["cross-validated"], 2) == 0.75, "as stated in exercise 8"
    assert means["on the same photos"] > means["on new photos"] + 0.05, "it is optimistic"
    assert abs(means["cross-validated"] - means["on new photos"]) < 0.03, "they agree with the metrics on new data"
    spread = ns["rounds"].std()
    assert spread["cross-validated"] > spread["on new photos"], "each single value is unreliable"


def after_overlaps(ns: dict[str, Any]) -> None:
    rows = ns["ious"].to_dict("list")
    assert rows["iou"] == pytest.approx([0.455, 0.714], abs=0.001)
    assert [*zip(rows["tp"], rows["fp"], rows["fn"], strict=True)] == [(0, 1, 1), (1, 0, 0)]


def after_box_sliders(ns: dict[str, Any]) -> None:
    assert _drawn_by(ns["left"], 4) == ["IoU 0.33"]
    assert _drawn_by(ns["top"], 5) == ["IoU 0.12"]


def at_end(ns: dict[str, Any]) -> None:
    """Check the feedback on correct, wrong and missing answers of every exercise."""
    check_lab(ns, "08", wrong=WRONG, also_right=ALSO_RIGHT)


def outputs(notebook: Any) -> None:
    """Check that the saved notebook asks its questions and shows images."""
    check_saved(notebook, len(WRONG))
    pictures = (
        "show_high",
        "show_low",
        "slider",
        "curves",
        "matrix",
        "flattering",
        "precision_recall",
        "boxes",
        "closer",
    )
    for tag in (*pictures, "box_sliders"):
        assert pictures_of(tagged(notebook, tag)) == 1, f"{tag}: one plot"
    assert text_of(tagged(notebook, "middle")).startswith("0.415 is the midpoint of 0.45 and 0.38")


def _drawn_by(slider: Any, value: float) -> list[str]:
    """Return the titles of the plots drawn after moving a slider, which is reset afterwards."""
    before, update, drawn = slider.value, DisplayHandle.update, []

    def note(_: DisplayHandle, figure: Any, **__: Any) -> None:
        drawn.append(figure.get_suptitle() or figure.axes[0].get_title())

    DisplayHandle.update = note  # type: ignore[method-assign]
    try:
        slider.value = value
        return list(drawn)
    finally:
        slider.value = before
        DisplayHandle.update = update  # type: ignore[method-assign]
