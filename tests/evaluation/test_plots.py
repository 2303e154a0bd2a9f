from __future__ import annotations

import warnings
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib_inline.backend_inline import _fetch_figure_metadata

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation import Evaluation, evaluate, fonts
from customlabels_nb.evaluation.plots import plain, plot_confusion_matrix, plot_curves, plot_per_label
from tests.evaluation.cases import HOSTILE, random_tables

PLOTS = {
    "bars": plot_per_label,
    "curves": plot_curves,
    "curves of one": lambda found, ax=None: plot_curves(found, ax, label=found.scores.labels[0]),
    "matrix": lambda found, ax=None: plot_confusion_matrix(found.confusion_matrix, ax),
    "shares": lambda found, ax=None: plot_confusion_matrix(found.confusion_matrix, ax, normalize="prediction"),
}


@pytest.fixture(autouse=True)
def _no_figures_left() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


def found_for(count: int) -> Evaluation:
    return evaluate(*random_tables(max(20, 4 * count), [f"label {j:02d}" for j in range(count)]))


def drawn(ax: Axes) -> Figure:
    figure = ax.figure
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    return figure


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("count", [1, 3, 80])
def test_each_plot_at_each_size(plot: str, count: int) -> None:
    ax = PLOTS[plot](found_for(count))
    assert isinstance(ax, Axes)
    figure = drawn(ax)
    assert plt.get_fignums() == [figure.number]
    assert max(figure.get_size_inches()) <= 18


@pytest.mark.parametrize("plot", PLOTS)
def test_an_axes_that_is_given_is_used(plot: str) -> None:
    figure, axes = plt.subplots(1, 2)
    assert PLOTS[plot](found_for(3), axes[1]) is axes[1]
    assert len(plt.get_fignums()) == 1
    assert not axes[0].lines
    assert figure.patch.get_alpha() is None


@pytest.mark.parametrize("plot", PLOTS)
def test_no_ground_of_its_own_and_none_from_the_notebook(plot: str) -> None:
    figure = drawn(PLOTS[plot](found_for(3)))
    assert figure.get_facecolor()[3] == 0
    assert _fetch_figure_metadata(figure) is None  # else a notebook lays a white or black card under it


@pytest.mark.parametrize("plot", PLOTS)
def test_hostile_names_are_plain_text(plot: str) -> None:
    ax = PLOTS[plot](evaluate(*random_tables(60, [*HOSTILE, "\u68a8", "\U0001f34e"])))
    figure = drawn(ax)
    for text in figure.findobj(plt.Text):
        _, is_formula = text._preprocess_math(text.get_text())
        assert is_formula in (False, "TeX")
        assert "\n" not in text.get_text()


def test_what_no_font_has_is_a_square_and_what_another_has_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "caf\u00e9 \u1d81"  # a letter that STIX has, and matplotlib's own font hasn't
    monkeypatch.setattr(fonts, "FURTHER_FONTS", ())
    fonts._families.cache_clear()
    assert plain(name, 20) == "caf\u00e9 \u25a1"
    monkeypatch.setattr(fonts, "FURTHER_FONTS", ("Nowhere Sans", "STIXGeneral"))
    fonts._families.cache_clear()
    assert plain(name, 20) == name
    ax = plot_per_label(evaluate(*random_tables(20, [name, "pear"])))
    assert name in [text.get_text() for text in ax.get_yticklabels()]
    assert "STIXGeneral" not in plt.rcParams["font.family"]
    drawn(ax)
    fonts._families.cache_clear()


def test_names_are_shortened_and_stay_in_legends() -> None:
    assert plain("short", 10) == "short"
    assert plain("a name of many words", 10) == "a name of…"
    assert plain("price in $", 20) == r"price in \$"
    legend = plot_curves(evaluate(*random_tables(20, ["_hidden", "seen"]))).get_legend()
    assert legend is not None
    assert {text.get_text().strip("\u200b") for text in legend.get_texts()} == {"_hidden", "seen"}


def test_bars_are_sorted_and_show_the_figures() -> None:
    found = found_for(6)
    ax = plot_per_label(found)
    best_first = found.per_label.sort_values("f1", ascending=False, kind="stable")
    assert [text.get_text() for text in ax.get_yticklabels()] == best_first["label"].tolist()
    shown = {text.get_text() for text in ax.texts}
    for column in ("f1", "precision", "recall", "threshold"):
        assert {f"{value:.3f}" for value in best_first[column]} <= shown
    low, high = ax.get_ylim()
    assert low > high  # the first on top


def test_bars_of_labels_without_test_images_say_nothing() -> None:
    truth, predictions = random_tables(12, ["a", "b", "c"])
    ax = plot_per_label(
        evaluate(truth[truth["label"] != "c"], predictions, images=truth["image"][truth["label"] != "c"])
    )
    assert sum(text.get_text() == "—" for text in ax.texts) == 3


def test_curves_mark_the_threshold() -> None:
    found = found_for(3)
    ax = plot_curves(found, label="label 01")
    assert found.thresholds[1] in [line.get_xdata()[0] for line in ax.lines]
    dots = plot_curves(found).lines
    marked = sorted(float(line.get_xdata()[0]) for line in dots if line.get_marker() == "o")
    assert marked == pytest.approx(sorted(found.thresholds))


def test_of_many_labels_the_weakest_are_named() -> None:
    found = found_for(20)
    legend = plot_curves(found).get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[0] == "stronger labels: 12"
    assert set(texts[1:]) == set(found.per_label.sort_values("f1", kind="stable")["label"][:8])


def test_matrix_writes_numbers_where_they_fit() -> None:
    matrix = found_for(3).confusion_matrix
    texts = [text.get_text() for text in plot_confusion_matrix(matrix).texts]
    assert sorted(texts) == sorted(str(count) for count in matrix.counts.ravel() if count)
    _, ax = plt.subplots(figsize=(2, 2))
    assert not plot_confusion_matrix(found_for(80).confusion_matrix, ax).texts


def test_matrix_text_is_legible_on_its_cell() -> None:
    ax = plot_confusion_matrix(found_for(5).confusion_matrix)
    cells = np.asarray(ax.images[0].get_array())
    for text in ax.texts:
        x, y = text.get_position()
        ground = cells[round(y), round(x), :3]
        ink = np.array(to_rgb(text.get_color()))
        assert contrast(ground, ink) > 4


def contrast(first: np.ndarray, second: np.ndarray) -> float:
    """Of the Web Content Accessibility Guidelines, 1 to 21."""

    def luminance(colour: np.ndarray) -> float:
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_refusals_leave_no_figure() -> None:
    found = found_for(3)
    with pytest.raises(LabelError, match="pear"):
        plot_curves(found, label="pear")
    with pytest.raises(InputError, match="normalize='all'"):
        plot_confusion_matrix(found.confusion_matrix, normalize="all")
    assert not plt.get_fignums()
