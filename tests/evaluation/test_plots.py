"""Tests of all plots. The other test_plots files test the content of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_hex, to_rgb
from matplotlib_inline.backend_inline import _fetch_figure_metadata

from customlabels_nb._utils.plotting import fonts
from customlabels_nb._utils.plotting.style import INK, INK_LIGHT, plain
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.evaluation import Evaluation, evaluate
from customlabels_nb.evaluation.comparison.comparing import Comparison
from customlabels_nb.evaluation.plots.bars import plot_box_sizes, plot_per_label, plot_support
from customlabels_nb.evaluation.plots.confidence import plot_calibration, plot_confidences
from customlabels_nb.evaluation.plots.curves import plot_curves, plot_precision_recall, plot_roc
from customlabels_nb.evaluation.plots.overview import plot_overview
from customlabels_nb.project.report import Report
from tests.evaluation.cases import HOSTILE, random_tables
from tests.evaluation.drawing import (
    assert_apart,
    classified,
    compared,
    contrast,
    detected,
    drawn,
    legend_of,
    save_font,
    shown_texts,
)

pytestmark = pytest.mark.usefixtures("closed_figures")

STRANGE = (*HOSTILE, "\u68a8", "\U0001f34e")


def _of_first(plot: Callable[..., Axes], found: Evaluation, ax: Axes | None = None, **look: Any) -> Axes:
    return plot(found, ax, label=found.outcomes.labels[0], **look)


def _matrix(found: Evaluation, ax: Axes | None = None, normalize: str | None = None, **look: Any) -> Axes:
    return found.confusion_matrix.plot(ax, normalize, **look)


def _with_training(found: Evaluation, ax: Axes | None = None, **look: Any) -> Axes:
    return plot_support(found, ax, training=dict.fromkeys(found.outcomes.labels, 30), **look)


BOTH: dict[str, Callable[..., Axes]] = {
    "bars": plot_per_label,
    "curves": plot_curves,
    "curves of one": partial(_of_first, plot_curves),
    "precision and recall": plot_precision_recall,
    "precision and recall of one": partial(_of_first, plot_precision_recall),
    "matrix": _matrix,
    "shares": partial(_matrix, normalize="predicted"),
    "confidences": plot_confidences,
    "confidences of one": partial(_of_first, plot_confidences),
    "calibration": plot_calibration,
    "calibration of one": partial(_of_first, plot_calibration),
    "support": plot_support,
    "support and training": _with_training,
}
PLOTS = (
    {name: (classified, plot) for name, plot in BOTH.items()}
    | {f"{name} of a detector": (detected, plot) for name, plot in BOTH.items()}
    | {
        "ROC": (classified, plot_roc),
        "ROC of one": (classified, partial(_of_first, plot_roc)),
        "box sizes": (detected, plot_box_sizes),
        "box sizes of one": (detected, partial(_of_first, plot_box_sizes)),
        "comparison": (compared, Comparison.plot),
    }
)


@cache
def nothing(case: str) -> Evaluation:
    """Return an evaluation without truth, predictions, confidence or a common label."""
    truth, predictions = random_tables(6, ["a", "b"])
    if case == "no truth":
        return evaluate(truth.assign(label=None), predictions, task="single-label")
    if case == "no predictions":
        return evaluate(truth, predictions.iloc[:0])
    if case == "no confidence":
        return evaluate(truth, predictions.assign(confidence=0.0))
    return evaluate(truth[truth["label"] == "a"], predictions[predictions["label"] == "b"], truth["image"])


def plotted(name: str, count: int = 3, ax: Axes | None = None) -> Axes:
    make, plot = PLOTS[name]
    return plot(make(count), ax)


@pytest.mark.parametrize(
    ("name", "count"),
    [(name, 3) for name in PLOTS]
    + [(name, 1) for name in (*BOTH, "ROC")]
    + [pytest.param(name, 80, marks=pytest.mark.exhaustive) for name in [*BOTH, "ROC", "matrix of a detector"]],
)
def test_each_plot_at_each_size(name: str, count: int) -> None:
    ax = plotted(name, count)
    assert isinstance(ax, Axes)
    figure = drawn(ax)
    assert plt.get_fignums() == [figure.number]
    assert max(figure.get_size_inches()) <= 18
    for texts in ([*ax.get_xticklabels(), ax.xaxis.label], [*ax.get_yticklabels(), ax.yaxis.label], ax.texts):
        assert_apart(texts)
    assert min(text.get_fontsize() for text in shown_texts(figure)) >= 5

    # transparent, so that the notebook's white or black background shows
    assert figure.get_facecolor()[3] == ax.get_facecolor()[3] == 0
    assert _fetch_figure_metadata(figure) is None
    in_cells = set(ax.texts) if ax.get_xlabel() == "predicted" else set()
    for ink in {to_rgb(text.get_color()) for text in shown_texts(figure) if text not in in_cells}:
        assert contrast(ink, to_rgb("#fff")) > 3.9
        assert contrast(ink, to_rgb("#111")) > 3.9


@pytest.mark.parametrize("name", [name for name in PLOTS if "of a detector" not in name])
def test_an_axes_that_is_given_is_used(name: str) -> None:
    figure, axes = plt.subplots(1, 2)
    assert plotted(name, ax=axes[1]) is axes[1]
    assert len(plt.get_fignums()) == 1
    assert not axes[0].has_data()
    assert figure.patch.get_alpha() is None
    drawn(axes[1])
    legend = axes[1].get_legend()
    if legend is not None:  # inside the axes, where it covers no neighbour
        assert legend.get_window_extent().x1 <= axes[1].get_window_extent().x1


@pytest.mark.parametrize("name", [name for name in PLOTS if "detector" not in name])
def test_hostile_names_are_plain_text(name: str) -> None:
    make, plot = PLOTS[name]
    ax = plot(make(len(STRANGE), labels=STRANGE))
    for text in drawn(ax).findobj(plt.Text):
        assert not (is_math_text(text.get_text()) and text.get_parse_math() and not text.get_usetex())
    if name not in ("box sizes", "box sizes of one"):
        assert not any("\n" in text.get_text() for text in [*ax.get_xticklabels(), *ax.get_yticklabels()])


@pytest.mark.parametrize(
    "plot", [plot_curves, plot_precision_recall, plot_confidences, plot_calibration, plot_box_sizes]
)
def test_a_label_that_is_not_there_is_named_and_leaves_no_figure(plot: Callable[..., Axes]) -> None:
    with pytest.raises(LabelError, match="pear"):
        plot(detected(3), label="pear")
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("make", "count"), [(classified, 2), (detected, 5), pytest.param(classified, 100, marks=pytest.mark.thorough)]
)
def test_one_figure_has_bars_matrix_and_curves(make: Callable[..., Evaluation], count: int) -> None:
    axes = Report(make(count)).plot()
    figure = drawn(axes[0])
    assert plt.get_fignums() == [figure.number]
    assert figure.axes == [*axes]
    assert [ax.get_title() for ax in axes] == ["F1 per label", "Confusion matrix", "Precision and recall"]
    assert max(figure.get_size_inches()) <= 24
    for ax in axes:
        for texts in (ax.get_xticklabels(), ax.get_yticklabels(), ax.texts):
            assert_apart(texts)
    bars, _, curves = axes
    assert len(bars.get_yticks()) == count
    assert curves.get_legend().get_window_extent().x0 >= curves.get_window_extent().x1
    assert figure.get_facecolor()[3] == curves.get_facecolor()[3] == 0


def test_the_one_figure_is_black_on_white_on_paper() -> None:
    axes = plot_overview(detected(3, labels=("a" * 60, "b", "c")), theme="paper")
    assert {ax.get_facecolor() for ax in axes} == {drawn(axes[0]).get_facecolor()} == {(1, 1, 1, 1)}
    assert not {to_hex(text.get_color()) for text in shown_texts(drawn(axes[0]))} & {INK, INK_LIGHT}
    plt.close("all")
    with pytest.raises(InputError, match=r"dark.*paper"):
        plot_overview(detected(3), theme="dark")  # type: ignore[arg-type]
    assert not plt.get_fignums()


def test_report_has_every_plot() -> None:
    found = detected(3)
    report, classifier = Report(found, training=found), Report(classified(3))
    for name, plot in vars(Report).items():
        if name.startswith("plot_") and name != "plot_by":  # needs a column of the images
            drawn(plot(classifier if name == "plot_roc" else report))
    with pytest.raises(InputError, match=r"ROC curves are for classifiers.*'boxes'"):
        report.plot_roc()
    assert legend_of(report.plot_support()) == ["training", "test"]
    assert not hasattr(Report(found).plot_support().get_legend(), "get_texts")


@pytest.mark.parametrize("name", [*BOTH, "ROC", "ROC of one"])
@pytest.mark.parametrize("case", ["no truth", "no predictions", "no confidence", "other labels"])
def test_plots_without_truth_or_predictions(name: str, case: str) -> None:
    texts = [text.get_text() for text in shown_texts(drawn(PLOTS[name][1](nothing(case))))]
    assert texts
    assert not any("nan" in text.split() for text in texts)


def test_missing_glyphs_come_from_another_font_or_are_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "caf\u00e9 \u1d81"  # a letter in STIX, but not in matplotlib's default font
    monkeypatch.setattr(fonts, "FURTHER_FONTS", ())
    assert plain(name, 20) == "caf\u00e9 \u25a1"
    monkeypatch.setattr(fonts, "FURTHER_FONTS", ("Nowhere Sans", "STIXGeneral"))
    assert plain(name, 20) == name
    ax = plot_per_label(evaluate(*random_tables(20, [name, "pear"])))
    assert name in [text.get_text() for text in ax.get_yticklabels()]
    assert "STIXGeneral" not in plt.rcParams["font.family"]
    drawn(ax)


@pytest.mark.parametrize("weight", [400, 500])
@pytest.mark.parametrize("installed", [True, False])
def test_a_further_font_is_for_texts_that_need_it_in_whichever_weights_it_has(
    weight: int, installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    family = f"Fallback {weight} {installed}"
    monkeypatch.setattr(fonts, "FURTHER_FONTS", (family,))
    monkeypatch.setattr(font_manager.fontManager, "ttflist", font_manager.fontManager.ttflist[:])
    if installed:
        font_manager.fontManager.addfont(save_font(tmp_path / "fallback.ttf", family, weight, "\u68a8"))
    ax = plot_per_label(evaluate(*random_tables(20, ["\u68a8", "pear"])))
    title = ax.set_title("\u68a8" if installed else "\u25a1", weight="bold")
    fonts.add_further_fonts(ax)
    drawn(ax)
    families = {text.get_text(): text.get_fontfamily() for text in shown_texts(ax.figure)}
    assert not caplog.records
    assert families["pear"] == families["F1"] == plt.rcParams["font.family"]
    assert ("\u68a8" in families) == installed
    assert not installed or families["\u68a8"] != plt.rcParams["font.family"]
    last = font_manager.FontProperties(family=title.get_fontfamily()[-1:], weight=title.get_fontweight())
    assert font_manager.findfont(last).endswith("fallback.ttf") == installed


def test_names_are_shortened_and_stay_in_legends() -> None:
    assert plain("short", 10) == "short"
    assert plain("a name of many words", 10) == "a name of…"
    assert plain("price in $", 20) == r"price in \$"
    assert set(legend_of(plot_curves(evaluate(*random_tables(20, ["_hidden", "seen"]))))) == {"_hidden", "seen"}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["bars", "support and training", "matrix"])
def test_many_labels_are_thinned_on_the_axis(name: str) -> None:
    ax = plotted(name, 260)
    figure = drawn(ax)
    assert figure.get_size_inches().max() <= 41
    assert 80 < len(ax.get_yticks()) <= 260
    for texts in (ax.get_xticklabels(), ax.get_yticklabels(), ax.texts):
        assert_apart(texts)
    known = classified(260).outcomes.labels
    assert {text.get_text() for text in ax.get_yticklabels()} <= set(known)


@pytest.mark.parametrize("name", [*(name for name in BOTH), "box sizes", "comparison"])
def test_each_plot_has_a_title_and_named_axes_and_is_black_on_white_on_paper(name: str) -> None:
    make, plot = PLOTS[name]
    grey, paper = plot(make(10)), plot(make(10), theme="paper")
    for ax in (grey, paper):
        assert all((ax.get_title(), ax.get_xlabel(), ax.get_ylabel()))
    assert grey.figure.get_facecolor()[3] == 0
    figure = drawn(paper)  # a warning about fonts is an error
    assert figure.get_facecolor() == paper.get_facecolor() == (1, 1, 1, 1)
    ink = {to_hex(text.get_color()) for text in shown_texts(figure)}
    assert "#000000" in ink
    assert not ink & {INK, INK_LIGHT}
    with pytest.raises(InputError, match=r"dark.*paper"):
        plot(make(3), theme="dark")


def test_ten_labels_have_lines_that_differ() -> None:
    for plot in (plot_curves, plot_precision_recall, plot_roc):
        lines = plot(classified(10)).get_legend().get_lines()
        assert len({(line.get_marker(), line.get_color()) for line in lines}) == 10
