"""Tests of the confusion matrix plot."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection, PolyCollection
from matplotlib.colors import to_rgb

from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import ConfusionMatrix, evaluate
from tests.evaluation.cases import multi_label_tables
from tests.evaluation.drawing import classified, contrast, detected, drawn, words

pytestmark = pytest.mark.usefixtures("closed_figures")


def cells_of(ax: Axes) -> dict[tuple[int, int], tuple[float, tuple[float, ...]]]:
    """Return side length and color of the filled cells, by row and column."""
    cells = [part for part in ax.collections if isinstance(part, PatchCollection | PolyCollection)][-1]
    found = {}
    for path, color in zip(cells.get_paths(), cells.get_facecolor(), strict=True):
        extents = path.get_extents()
        row, column = round((extents.y0 + extents.y1) / 2), round((extents.x0 + extents.x1) / 2)
        found[row, column] = (extents.width, tuple(color[:3]))
    return found


@pytest.mark.parametrize("normalize", [None, "truth", "predicted"])
@pytest.mark.parametrize(("count", "thresholds"), [(3, None), (40, None), (5, 0.5)])
def test_cells_have_the_right_position_and_size(normalize: str | None, count: int, thresholds: float | None) -> None:
    matrix = classified(count, thresholds=thresholds).confusion_matrix
    ax = matrix.plot(normalize=normalize)
    cells, frame = cells_of(ax), matrix.to_frame(normalize)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (frame.columns.name, frame.index.name) == ("predicted", "ground truth")
    assert [text.get_text() for text in ax.get_xticklabels()] == list(frame.columns)
    assert [text.get_text() for text in ax.get_yticklabels()] == list(frame.index)
    assert set(cells) == {(int(g), int(p)) for g, p in np.argwhere(matrix.counts)}
    shares = matrix.values(normalize or "truth")
    for (g, p), (side, color) in cells.items():
        assert side == pytest.approx(0.46 + 0.48 * np.sqrt(min(shares[g, p], 1)), abs=1e-6)
        red, _, blue = color
        assert (blue > red) == (p == g)  # correct ones are blue, errors red


def test_rare_mistakes_differ_from_frequent_ones() -> None:
    counts = np.array([[87, 1, 12], [0, 100, 0], [0, 0, 100]])
    matrix = ConfusionMatrix(counts, ("a", "b", "c"), counts.sum(axis=1), counts.sum(axis=0))
    cells = cells_of(matrix.plot(normalize="truth"))
    (small, pale), (large, strong) = cells[0, 1], cells[0, 2]  # 0.01 and 0.12
    assert np.linalg.norm(np.subtract(pale, strong)) > 0.15
    assert large > 1.2 * small


def test_images_without_an_answer_are_behind_a_line() -> None:
    matrix = classified(5, thresholds=0.5).confusion_matrix
    ax = matrix.plot()
    assert ax.get_xticklabels()[-1].get_text() == "(no answer)"
    assert [text.get_style() for text in ax.get_xticklabels()] == ["normal"] * 5 + ["italic"]
    assert {text.get_style() for text in ax.get_yticklabels()} == {"normal"}
    (line,) = ax.lines
    assert set(line.get_xdata()) == {4.5}
    in_column = {round(text.get_position()[1]): text.get_text() for text in ax.texts if text.get_position()[0] == 5}
    assert in_column == {row: str(count) for row, count in enumerate(matrix.counts[:, 5]) if count}
    assert in_column


@pytest.mark.parametrize("normalize", [None, "truth"])
def test_numbers_are_those_of_the_matrix(normalize: str | None) -> None:
    matrix = classified(5).confusion_matrix
    ax = matrix.plot(normalize=normalize)
    values = matrix.values(normalize)
    for text in ax.texts:
        x, y = text.get_position()
        assert text.get_text() == f"{values[round(y), round(x)]:{'.0f' if normalize is None else '.2f'}}"
    assert len(ax.texts) == (matrix.counts > 0).sum()


def test_numbers_are_written_where_they_fit() -> None:
    matrix = classified(80).confusion_matrix
    ax = matrix.plot()
    assert len(ax.texts) == (matrix.counts > 0).sum()
    assert {"1", ".25"} <= set(words(matrix.plot(normalize="truth")))
    _, small = plt.subplots(figsize=(2, 2))
    assert not matrix.plot(small).texts


def test_large_matrix_shows_only_important_numbers() -> None:
    counts = np.full((40, 40), 3)
    np.fill_diagonal(counts, 1234)
    counts[5, 6] = 96
    totals = counts.sum(axis=1)
    matrix = ConfusionMatrix(counts, tuple(f"label {j}" for j in range(40)), totals, counts.sum(axis=0))
    ax = matrix.plot()
    assert words(ax) == [*["1k"] * 6, "96", *["1k"] * 34]
    assert len(cells_of(ax)) == 1600
    assert words(matrix.plot(normalize="truth"))[:7] == [*[".91"] * 5, ".85", ".07"]


def test_numbers_are_legible_on_their_cells_and_inside_them() -> None:
    rare = np.array([[8700, 100, 1200], [0, 100, 0], [300, 0, 9700]])
    few = ConfusionMatrix(rare, ("apple", "pear", "plum"), rare.sum(axis=1), rare.sum(axis=0))
    of_five, of_many = (classified(count).confusion_matrix for count in (5, 80))
    for ax in (of_five.plot(), of_many.plot(), few.plot(), few.plot(normalize="truth")):
        drawn(ax)
        cells = cells_of(ax)
        for text in ax.texts:
            x, y = text.get_position()
            side, color = cells[round(y), round(x)]
            assert contrast(color, to_rgb(text.get_color())) > 4
            pixels = abs(ax.transData.transform((side, 0))[0] - ax.transData.transform((0, 0))[0])
            assert text.get_window_extent().width <= 1.15 * pixels


def test_background_row_and_column_are_separated() -> None:
    matrix = detected(3).confusion_matrix
    assert matrix.background
    ax = matrix.plot()
    for names in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [text.get_style() for text in names] == ["normal"] * 3 + ["italic"]
        assert names[-1].get_text() == "background"
    assert len(ax.lines) == 2
    assert (3, 3) not in cells_of(ax)
    assert not classified(3).confusion_matrix.plot().lines


@pytest.mark.parametrize("given", [False, True])
def test_multi_label_matrix_is_drawn_as_2_by_2_tables(given: bool) -> None:
    has, confidence = np.random.default_rng(1).random((2, 50, 4))
    matrix = evaluate(*multi_label_tables(has < 0.4, confidence), task="multi-label").confusion_matrix
    ax = matrix.plot(plt.subplots()[1] if given else None, normalize="truth")
    heads = {tick.get_text(): round(tick.get_position()[0]) for tick in ax.get_xticklabels()}
    texts = {tuple(map(round, text.get_position())): text.get_text() for text in ax.texts}
    tables = matrix.one_vs_rest()
    for kind in ("tp", "fp", "fn", "tn"):
        assert [texts[heads[kind.upper()], row] for row in range(4)] == tables[kind].astype(str).tolist()
    assert set(cells_of(ax)) == {(int(g), int(p)) for g, p in np.argwhere(matrix.counts)}
    assert not {"TP", "TN"} & {tick.get_text() for tick in classified(3).confusion_matrix.plot().get_xticklabels()}


def test_an_unknown_share_is_refused_and_leaves_no_figure() -> None:
    with pytest.raises(InputError, match="normalize='all'"):
        classified(3).confusion_matrix.plot(normalize="all")
    with pytest.raises(InputError, match="'prediction' is now 'predicted'"):
        classified(3).confusion_matrix.plot(normalize="prediction")
    assert not plt.get_fignums()
