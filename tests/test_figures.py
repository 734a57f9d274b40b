"""The figures: planted cells land at the right layer and head, scales are shared, empty states speak, the JSON stays small."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image
from playwright.sync_api import Browser

from calm_core import figures

from .browsing import skip_without_chromium

LIMIT_BYTES = 300_000
LONG = "Tawny owl, territorial male call, faraway"  # 41 characters


def texts(figure: go.Figure) -> str:
    return " | ".join(str(note.text) for note in figure.layout.annotations)


def z(figure: go.Figure, trace: int = 0) -> np.ndarray:
    return np.array(figure.data[trace].z, dtype=float)


def ladder_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": ["uniform", "calm", "mfcc"],
            "title": ["All heads, equal votes", "CALM", "MFCC + logistic regression (no network)"],
            "accuracy": [0.7, 0.9, 0.5],
            "ci_low": [0.6, 0.8, 0.4],
            "ci_high": [0.8, 0.95, 0.6],
        }
    )


ALL: dict[str, Callable[[], go.Figure]] = {
    "empty": lambda: figures.empty("Nothing here yet."),
    "reliability": lambda: figures.reliability_maps(np.random.default_rng(0).random((4, 8, 3)), ["a", LONG, "c"], judged=[5, 0, 1]),
    "above chance": lambda: figures.reliability_maps(np.eye(4)[:, :, None] / 2, [LONG], above=np.eye(4)[:, :, None]),
    "difference": lambda: figures.difference_map(np.random.default_rng(0).random((4, 8, 2)), ["a", LONG], 0, 1),
    "ranks": lambda: figures.sorted_reliability(np.random.default_rng(0).random((4, 8)), LONG, 0.5),
    "layers": lambda: figures.layer_profile([0.1, 0.2], [0.0, np.nan], [0.2, np.nan], LONG),
    "similarity": lambda: figures.class_similarity([[1, 0.2], [0.2, 1]], ["a", LONG], [1, 0]),
    "head": lambda: figures.head_reliability(["a", LONG], [0.3, 0.7], [0.1, np.nan], [0.5, np.nan], 1),
    "clips": lambda: figures.clip_map([[0, 1], [1, 0]], [0.6, 0.3], [0, 1], ["a", LONG], ["a.wav", "b.wav"]),
    "ablation": lambda: figures.ablation_curve([8, 4, 1], [0.9, 0.5, 0.3], [0.9, 0.9, 0.8], [0.9, 0.7, 0.5], 0.5),
    "contribution": lambda: figures.contribution_map(np.random.default_rng(0).normal(size=(4, 8)), "For 'a' against the rest"),
    "bars": lambda: figures.confidence_bars(["a", LONG], [0.3, 0.7], kind="confidence", highlight=1),
    "confusion": lambda: figures.confusion_matrix([[3, 1], [0, 4]], ["a", LONG]),
    "ladder": lambda: figures.ladder_chart(ladder_rows(), 0.25),
    "classes": lambda: figures.class_accuracy(["a", LONG], [0.5, 1.0], [0.2, 0.6], [0.8, 1.0], [4, 6]),
    "listening": lambda: figures.listening_map(np.ones((8, 90)), 3.0, np.linspace(50, 7500, 8), [0, 1, 2], [0.2, 0.5, 0.3], 1 / 3),
    "curves": lambda: figures.class_curves([0, 1, 2, 4], [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], ["a", LONG], 0.8, [True, False, True]),
    "curves, all fit": lambda: figures.class_curves([0, 1, 2], [[0.9, 0.1], [0.2, 0.8]], ["a", LONG], 0.8, [False, False]),
    "spectrogram": lambda: figures.spectrogram(np.random.default_rng(0).normal(size=(32, 90)), 3.0, np.linspace(50, 7500, 32)),
}


@pytest.mark.parametrize("name", ALL)
def test_every_figure_is_clear_sized_and_valid_json(name: str) -> None:
    figure = ALL[name]()
    layout = figure.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color == figures.INK
    assert 100 <= layout.height <= 700
    assert layout.title.text is None  # gr.Plot widens the top margin to 100 px for figures with a title
    assert layout.dragmode is False
    assert layout.margin.l + layout.margin.r <= 100  # of 390 px on a phone

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(figure.to_json(), parse_constant=refuse)["data"] is not None
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        assert axis.fixedrange or axis.visible is False  # a finger scrolls the page, not the plot


@pytest.mark.browser
@skip_without_chromium
def test_plotly_js_draws_every_figure(browser: Browser) -> None:
    draw = "async ([id, text]) => { const f = JSON.parse(text); await Plotly.newPlot(id, f.data, f.layout); }"
    with browser.new_context() as context:
        page = context.new_page()
        page.set_content('<div id="here"></div>')
        page.add_script_tag(path=figures.SCRIPT)
        for name, make in ALL.items():
            page.evaluate(draw, ["here", make().to_json()])  # raises what plotly.js throws
            assert page.locator("#here .main-svg").count(), name
            if name.startswith("curves"):
                named = figures.sounds.NONE_OF_THESE in str(page.locator("#here .yaxislayer-above").text_content())
                assert named == (name == "curves")


@pytest.mark.parametrize("name", [name for name in ALL if name != "empty"])
def test_every_mark_has_a_hover_sentence(name: str) -> None:
    for trace in ALL[name]().data:
        if trace.hoverinfo == "skip":  # a mark on a cell that has its own sentence
            continue
        assert trace.hovertemplate.endswith(".<extra></extra>") or all(
            text.endswith(".") for text in np.ravel(np.array(trace.hovertext, dtype=object))
        )


def test_a_layer_with_gaps_leaves_their_words_to_what_lies_below() -> None:
    _, none = ALL["curves"]().data
    assert none.hoverongaps is False


@pytest.mark.parametrize("name", ["reliability", "bars", "confusion", "classes", "similarity", "head", "clips"])
def test_long_names_are_short_in_ticks_and_whole_in_hover(name: str) -> None:
    figure = ALL[name]()
    ticks = [str(text) for axis in figure.select_yaxes() for text in axis.ticktext or ()]
    ticks += [str(text) for trace in figure.data if trace.type == "heatmap" for text in trace.y or ()]
    assert LONG not in texts(figure) + " ".join(ticks)
    hover = " ".join(str(trace.hovertext) + str(trace.meta) + str(trace.customdata) for trace in figure.data).replace("<br>", " ")
    assert LONG in hover


@pytest.mark.parametrize(
    "figure",
    [
        figures.reliability_maps(None, []),
        figures.reliability_maps(np.zeros((4, 8, 0)), []),
        figures.reliability_maps(np.full((2, 2, 1), np.nan), ["a"]),
        figures.contribution_map(None, "x"),
        figures.difference_map(None, [], 0, 1),
        figures.sorted_reliability(np.full((2, 2), np.nan), "a"),
        figures.layer_profile(None, None, None, "a"),
        figures.class_similarity(None, [], []),
        figures.head_reliability([], None, None, None, 0),
        figures.clip_map(None, [], [], [], []),
        figures.ablation_curve(None, None, None, None, 0.5),
        figures.confidence_bars([], None, kind="score", highlight=0),
        figures.confusion_matrix(None, []),
        figures.confusion_matrix(np.zeros((2, 2)), ["a", "b"]),
        figures.ladder_chart(None, 0.5),
        figures.ladder_chart(pd.DataFrame(), 0.5),
        figures.class_accuracy([], None, None, None, None),
        figures.spectrogram(None, 0.0, None),
    ],
)
def test_nothing_to_show_says_what_to_do(figure: go.Figure) -> None:
    assert not figure.data
    assert figure.layout.xaxis.visible is False
    assert len(figure.layout.annotations) == 1
    assert texts(figure).endswith(".")


# Reliability maps ----------------------------------------------------------------------------------------------------------


def test_hot_cell_lands_at_its_class_layer_and_head() -> None:
    r = np.full((4, 8, 3), 0.1)
    r[2, 5, 1] = 0.77
    figure = figures.reliability_maps(r, ["dog", "owl", "rain"], judged=[4, 5, 1])
    hot = figure.data[1]
    assert z(figure, 1).shape == (4, 8)
    assert np.unravel_index(z(figure, 1).argmax(), (4, 8)) == (2, 5)
    assert (hot.y[2], hot.x[5]) == (3, 6)  # counted from 1
    assert hot.meta == hot.name == "owl"
    assert hot.hovertemplate.startswith("Head %{x} of layer %{y}")
    assert "Judged by 5 clips" in hot.hovertemplate
    assert "Judged by 1 clip." in figure.data[2].hovertemplate
    assert hot.text[2][5] == ".77"
    assert list(figure.layout[hot.yaxis.replace("y", "yaxis")].range) == [0.5, 4.5]  # layer 1 at the bottom


@pytest.mark.parametrize("shape", [(4, 8), (32, 32)])
def test_cells_above_chance_carry_a_dot_and_say_so(shape: tuple[int, int]) -> None:
    above = np.zeros((*shape, 2), dtype=bool)
    above[2, 5, 1] = above[0, 0, 0] = True
    figure = figures.reliability_maps(np.full((*shape, 2), 0.2), ["dog", "owl"], above=above)
    dots = figure.data[3]
    assert (round(dots.x[0]), round(dots.y[0]), len(dots.x)) == (6, 3, 1)
    assert dots.xaxis == figure.data[1].xaxis
    assert figure.data[1].customdata[2][5] == "above"
    assert figure.data[1].customdata[0][0] == "could be"
    table = figures.reliability_table(np.full((*shape, 2), 0.2), above * 0.5, ["dog", "owl"], above=above)
    assert table["chance"].tolist() == ["above"] + ["could be"] * 19


def test_a_class_that_was_not_judged_has_no_dots() -> None:
    figure = figures.reliability_maps(np.ones((2, 2, 2)), ["a", "b"], judged=[0, 3], above=np.ones((2, 2, 2)))
    assert [len(trace.x) for trace in figure.data[2:]] == [0, 4]


def test_all_classes_share_one_colour_range_from_zero() -> None:
    r = np.random.default_rng(1).random((4, 8, 7)) * 0.5
    r[0, 0, 6] = 0.8125
    figure = figures.reliability_maps(r, list("abcdefg"))
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 0.8125)
    assert "reliability (mean margin)" in texts(figure)


def test_negative_reliability_gets_a_scale_centred_at_zero() -> None:
    axis = figures.reliability_maps([[[-0.4], [0.1]]], ["a"], scale_title="reliability (margin)").layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-0.4, 0.4)


def test_reliability_of_zero_everywhere_still_has_a_scale() -> None:
    assert figures.reliability_maps(np.zeros((2, 2, 2)), ["a", "b"]).layout.coloraxis.cmax == 1


@pytest.mark.parametrize("by", ["judged", "nan"])
def test_class_that_no_clip_judged_says_so(by: str) -> None:
    r = np.ones((2, 3, 2)) * 0.5
    r[:, :, 1] = 9 if by == "judged" else np.nan
    figure = figures.reliability_maps(r, ["a", "b"], judged=[3, 0] if by == "judged" else None)
    assert np.isnan(z(figure, 1)).all()
    assert texts(figure).count("not judged") == 1
    note = next(a for a in figure.layout.annotations if "not judged" in a.text)
    assert (note.xref, note.x, note.y) == ("x2", 2, 1.5)
    assert figure.layout.coloraxis.cmax == 0.5  # what was not judged does not stretch the scale


def test_a_model_of_a_single_head() -> None:
    figure = figures.reliability_maps(np.array([[[0.2, 0.4]]]), ["a", "b"])
    assert [z(figure, c).tolist() for c in range(2)] == [[[0.2]], [[0.4]]]
    assert figure.layout.xaxis.tickvals == (1,)


@pytest.mark.parametrize(("heads", "ticks"), [(4, (1, 2, 3, 4)), (16, (1, 4, 8, 12, 16)), (32, (1, 8, 16, 24, 32))])
def test_ticks_of_heads_are_even(heads: int, ticks: tuple[int, ...]) -> None:
    figure = figures.reliability_maps(np.full((2, heads, 2), 0.5), ["a", "b"])
    assert figure.layout.xaxis.tickvals == ticks


def test_a_dot_stands_clear_of_the_number_in_its_cell() -> None:
    figure = figures.reliability_maps(np.full((4, 16, 1), 0.5), ["a"], above=np.ones((4, 16, 1), dtype=bool))
    inner_px = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    over_px = (figure.data[1].y[0] - 1) * inner_px / 4
    assert over_px >= 6 + figure.data[1].marker.size / 2  # half of a line of 12 px, half of the dot


@pytest.mark.parametrize(("classes", "columns"), [(1, 1), (2, 2), (6, 2), (7, 3), (50, 3)])
def test_columns_and_height_follow_the_classes(classes: int, columns: int) -> None:
    r = np.random.default_rng(0).random((4, 4, classes))
    figure = figures.reliability_maps(r, [f"class {c}" for c in range(classes)])
    lefts = {axis.domain[0] for axis in figure.select_xaxes()}
    assert len(lefts) == columns
    assert len(figure.data) == classes
    rows = -(-classes // columns)
    assert 100 + 100 * rows <= figure.layout.height <= 150 + 140 * rows
    labelled = [axis for axis in figure.select_xaxes() if axis.showticklabels]
    assert len(labelled) == columns  # heads are named once per column, at its lowest map


def test_columns_can_be_chosen() -> None:
    figure = figures.reliability_maps(np.ones((2, 2, 4)), list("abcd"), columns=4)
    assert len({axis.domain[0] for axis in figure.select_xaxes()}) == 4


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_json_of_a_large_model_stays_small(scale: float) -> None:
    r = np.random.default_rng(0).random((32, 32, 10)) * scale
    figure = figures.reliability_maps(r, [LONG + str(c) for c in range(10)], above=r >= 0)
    assert len(figure.to_json()) < LIMIT_BYTES
    assert figure.data[0].text is None  # 1024 numbers are no text
    np.testing.assert_allclose(z(figure, 3), r[:, :, 3], rtol=0.006)


@pytest.mark.parametrize(("r", "names"), [(np.ones((2, 2)), ["a"]), (np.ones((2, 2, 2)), ["a"])])
def test_contradicting_shapes_raise(r: np.ndarray, names: list[str]) -> None:
    with pytest.raises(ValueError, match="reliability"):
        figures.reliability_maps(r, names)


# Contribution --------------------------------------------------------------------------------------------------------------


def test_contribution_is_centred_at_zero_with_or_without_negatives() -> None:
    values = np.array([[0.02, -0.05, 0.0], [0.01, 0.03, 0.0]])
    both = figures.contribution_map(values, "For 'owl' & co").layout
    assert (both.coloraxis.cmin, both.coloraxis.cmax) == (-0.05, 0.05)
    assert "For 'owl' &amp; co" in both.annotations[0].text
    up = figures.contribution_map(np.abs(values), "x").layout.coloraxis
    assert (up.cmin, up.cmax) == (-0.05, 0.05)
    assert up.colorscale == both.coloraxis.colorscale
    np.testing.assert_array_equal(z(figures.contribution_map(values, "x")), values)


@pytest.mark.parametrize(("value", "text"), [(0.5, ".50"), (-0.5, "-.50"), (0.012, ".012"), (1.0, "1.00"), (10.5, "10.50"), (0.0, "0")])
def test_cell_texts_are_narrow(value: float, text: str) -> None:
    assert figures.contribution_map([[value]], "x").data[0].text[0][0] == text


def test_cell_texts_know_no_negative_zero() -> None:
    assert figures.contribution_map([[-1e-9, 0.5]], "x").data[0].text[0][0] == ".00"


# Bars ----------------------------------------------------------------------------------------------------------------------


def test_bars_are_sorted_and_the_highlight_stands_out() -> None:
    figure = figures.confidence_bars(["a", "b", "c"], [0.2, 0.001, 0.799], kind="confidence", highlight=2)
    bars = figure.data[0]
    assert list(bars.x) == [0.799, 0.2, 0.001]
    assert list(figure.layout.yaxis.ticktext) == ["<b>c</b>", "a", "b"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first on top
    assert list(figure.layout.xaxis.range) == [0, 1]
    assert list(bars.text) == ["<b>80\u202f%</b>", "20\u202f%", "&lt;1\u202f%"]
    assert bars.marker.color[0] == figures.ACCENT
    assert figures.ACCENT not in bars.marker.color[1:]


@pytest.mark.parametrize("kind", ["confidence", "score"])
def test_many_classes_are_summed_up(kind: Any) -> None:
    values = np.arange(50, 0, -1) / (50 * 51 / 2)
    figure = figures.confidence_bars([f"c{i}" for i in range(50)], values, kind=kind, highlight=40)
    assert len(figure.data[0].x) == figures.MAX_BARS
    assert figure.layout.yaxis.ticktext[-1] == "<b>c40</b>"
    rest = np.r_[11:40, 41:50]
    title = figure.layout.xaxis.title.text
    assert f"{len(rest)} more classes" in title
    assert (f"{values[rest].sum():.0%}".replace("%", "\u202f%") if kind == "confidence" else f"{values[11]:.3g} at most") in title


def test_scores_are_not_called_a_probability_and_may_be_zero() -> None:
    figure = figures.confidence_bars(["a", "b"], [0.0, 0.0], kind="score", highlight=0)
    assert "not a probability" in figure.layout.xaxis.title.text
    assert figure.layout.xaxis.tickformat is None
    assert list(figure.layout.xaxis.range) == [0, 1]


# Confusion -----------------------------------------------------------------------------------------------------------------


def test_confusion_has_truth_in_rows_from_the_top() -> None:
    figure = figures.confusion_matrix([[3, 1, 0], [0, 0, 0], [0, 5, 5]], ["1", "2", "<i>"])
    trace = figure.data[0]
    np.testing.assert_allclose(z(figure), [[0.75, 0.25, 0], [np.nan] * 3, [0, 0.5, 0.5]])
    assert trace.text[0][0] == "3"
    assert trace.text[0][2] == ""
    assert trace.hovertext[0][1] == "1 of 4 clips of ‘1’<br>was taken for ‘2’."
    assert trace.hovertext[2][2] == "5 of 10 clips of ‘&lt;i&gt;’<br>were recognised."
    assert list(figure.layout.yaxis.range) == [2.5, -0.5]
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("predicted", "true")
    assert figure.layout.yaxis.type == figure.layout.xaxis.type == "category"
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)


def test_names_that_shorten_to_the_same_stay_two_classes() -> None:
    names = ["owl number one of the great wood", "owl number two of the great wood"]
    trace = figures.confusion_matrix([[1, 0], [0, 1]], names).data[0]
    assert len(set(trace.x)) == 2
    assert trace.x[0] == trace.x[1].strip("\u200b")


def test_fifty_classes_of_confusion_stay_small() -> None:
    counts = np.random.default_rng(0).integers(0, 3, (50, 50))
    assert len(figures.confusion_matrix(counts, [f"species number {c}" for c in range(50)]).to_json()) < LIMIT_BYTES


# A closer look -------------------------------------------------------------------------------------------------------------


def test_a_difference_is_the_first_class_less_the_second() -> None:
    r = np.zeros((4, 8, 3))
    r[2, 5, 2], r[1, 1, 0] = 0.5, 0.25
    figure = figures.difference_map(r, ["a", "b", "c"], 2, 0)
    assert z(figure)[2, 5] == 0.5
    assert z(figure)[1, 1] == -0.25
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-0.5, 0.5)


def test_ranks_name_the_heads_and_count_those_above_chance() -> None:
    r = np.array([[0.1, 0.9], [0.4, 0.2]])
    figure = figures.sorted_reliability(r, "a", 0.3)
    assert list(figure.data[0].y) == [0.9, 0.4, 0.2, 0.1]
    assert figure.data[0].text[1] == "Layer 2, head 1"
    assert "2 of 4 heads above" in texts(figure)
    assert "chance" not in texts(figures.sorted_reliability(r, "a", float("nan")))


def test_similar_classes_stand_in_the_given_order() -> None:
    figure = figures.class_similarity([[1, 0.1, 0.9], [0.1, 1, 0.2], [0.9, 0.2, 1]], ["a", "b", "c"], [1, 0, 2])
    assert list(figure.data[0].x) == ["b", "a", "c"]
    np.testing.assert_allclose(z(figure)[1], [0.1, 1, 0.9])


def test_many_classes_share_one_colour_in_the_map_of_clips() -> None:
    names = [f"class {i}" for i in range(50)]
    figure = figures.clip_map(np.random.default_rng(0).normal(size=(100, 2)), [0.5, 0.2], [i % 50 for i in range(100)], names, ["x"] * 100)
    assert len({trace.marker.color for trace in figure.data}) == 1
    assert not figure.layout.showlegend


@pytest.mark.parametrize("figure", ["ranks", "similarity"])
def test_a_closer_look_at_a_large_model_stays_small(figure: str) -> None:
    rng = np.random.default_rng(0)
    if figure == "ranks":
        found = figures.sorted_reliability(rng.random((32, 32)), "a", 0.5)
    else:
        found = figures.class_similarity(rng.random((50, 50)), [f"species number {c}" for c in range(50)], range(50))
    assert len(found.to_json()) < LIMIT_BYTES


# Intervals -----------------------------------------------------------------------------------------------------------------


def test_ladder_keeps_its_order_and_marks_calm_and_chance() -> None:
    figure = figures.ladder_chart(ladder_rows(), 0.25)
    calm, others = figure.data
    assert (list(calm.x), list(calm.y)) == ([0.9], [1])
    assert (list(others.x), list(others.y)) == ([0.7, 0.5], [0, 2])
    assert calm.marker.color != others.marker.color
    assert calm.marker.symbol != others.marker.symbol  # not by colour alone
    np.testing.assert_allclose(others.error_x.array, [0.1, 0.1])
    np.testing.assert_allclose(calm.error_x.arrayminus, [0.1])
    assert list(figure.layout.yaxis.range) == [2.5, -0.5]
    assert list(figure.layout.xaxis.range) == [0, 1]
    assert [shape.x0 for shape in figure.layout.shapes] == [0.25]
    assert "chance 25\u202f%" in texts(figure)
    assert "<b>90\u202f%</b>" in texts(figure)


def test_class_accuracy_tells_hits_and_what_was_not_tested() -> None:
    figure = figures.class_accuracy(["a", "b", "c"], [0.75, 0.0, 0.0], [0.4, 0.0, 0.0], [0.9, 0.4, 1.0], [8, 6, 0])
    assert list(figure.data[0].y) == [0, 1]
    assert [note.text for note in figure.layout.annotations] == ["6 of 8", "0 of 6", "not tested"]
    assert figure.data[0].hovertext[0].startswith("6 of 8 clips of<br><b>a</b>")


# Spectrogram ---------------------------------------------------------------------------------------------------------------


def test_click_survives_pooling_at_its_time_and_band() -> None:
    hz = np.geomspace(60, 9000, 128)
    mel = np.full((128, 5000), -80.0)
    mel[100, 2500] = -3.14
    figure = figures.spectrogram(mel, 10.0, hz)
    shown = z(figure)
    assert shown.shape[0] == 128
    assert shown.shape[1] <= figures.MAX_FRAMES
    band, frame = np.unravel_index(shown.argmax(), shown.shape)
    assert (band, shown[band, frame]) == (100, -3.1)
    assert figure.data[0].x[frame] == pytest.approx(5.0, abs=0.02)
    assert figure.data[0].y[band] == f"{hz[100]:,.0f} Hz"
    assert len(figure.to_json()) < LIMIT_BYTES
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-80, -3.1)
    assert "level (dB)" in texts(figure)


def test_frequency_ticks_stand_at_the_bands_nearest_to_them() -> None:
    hz = np.linspace(50, 7950, 80)  # every 100 Hz: 50, 150, ...
    axis = figures.spectrogram(np.zeros((80, 10)), 1.0, hz).layout.yaxis
    assert list(axis.ticktext) == ["250 Hz", "1 kHz", "2 kHz", "4 kHz"]  # 100 and 500 Hz would stand on their neighbours
    for value, tick in zip(axis.tickvals, (250, 1000, 2000, 4000), strict=True):
        assert abs(float(value.removesuffix(" Hz").replace(",", "")) - tick) <= 50
    assert list(axis.range) == [-0.5, 79.5]


def test_short_sound_keeps_its_frames() -> None:
    figure = figures.spectrogram(np.zeros((4, 7)), 0.7, [100, 200, 300, 400])
    np.testing.assert_allclose(figure.data[0].x, np.arange(7) / 10 + 0.05)
    assert figure.layout.coloraxis.cmax > figure.layout.coloraxis.cmin  # silence still has a scale


# Table ---------------------------------------------------------------------------------------------------------------------


def test_table_is_the_maps_in_words() -> None:
    r = np.zeros((2, 3, 2))
    r[1, 2, 0], r[0, 1, 0], r[0, 0, 1] = 0.9, 0.5, 0.123456
    w = r / 2
    table = figures.reliability_table(r, w, ["owl", "ant"], top=2)
    assert table.columns.tolist() == ["class", "layer", "head", "reliability", "weight"]
    assert table.to_numpy().tolist() == [
        ["owl", 2, 3, 0.9, 0.45],
        ["owl", 1, 2, 0.5, 0.25],
        ["ant", 1, 1, 0.1235, 0.06173],
        ["ant", 1, 2, 0.0, 0.0],  # ties in order of layer and head
    ]


def test_table_leaves_out_what_was_not_judged() -> None:
    r = np.array([[[0.3, np.nan]]])
    assert figures.reliability_table(r, np.ones_like(r), ["a", "b"])["class"].tolist() == ["a"]
    assert figures.reliability_table(None, None, []).empty
    with pytest.raises(ValueError, match="weights"):
        figures.reliability_table(r, np.ones((2, 1, 2)), ["a", "b"])


def test_calibration_chart_puts_promise_beside_truth() -> None:
    nan = np.nan
    figure = figures.calibration_chart([nan, 0.4, 0.9], [nan, 0.5, 1.0], [0, 0.1, 0.6], [1, 0.9, 1.0], [0, 2, 6])
    diagonal, dots, bars = figure.data
    assert (list(diagonal.x), list(diagonal.y)) == ([0, 1], [0, 1])
    assert (list(dots.x), list(dots.y), list(bars.text)) == ([0.4, 0.9], [0.5, 1.0], ["2", "6"])
    np.testing.assert_allclose(dots.error_y.arrayminus, [0.4, 0.4])
    assert "6 clips, 90\u202f% sure" in dots.hovertext[1]
    with pytest.raises(ValueError, match="differ in length"):
        figures.calibration_chart([0.4], [0.5, 1], [0.1], [0.9], [2])
    assert "ten clips" in figures.calibration_chart(None, None, None, None, None).layout.annotations[0].text.replace("<br>", " ")


def test_a_thumbnail_is_a_picture_of_the_spectrogram() -> None:
    mel = np.full((64, 500), -80.0)
    mel[:2, :250] = 0.0  # low, and in the first half
    address = figures.thumbnail(mel)
    picture = Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))).convert("RGB")
    assert picture.size == (56, 32)
    assert picture.getpixel((0, 31)) == (253, 231, 37)  # the ends of the spectrogram's scale
    assert picture.getpixel((55, 31)) == picture.getpixel((0, 0)) == (68, 1, 84)
    assert len(figures.thumbnail(np.random.default_rng(0).normal(size=(64, 500)))) < 2500
    assert figures.thumbnail(np.zeros((3, 1))).startswith("data:image/png")
    assert figures.thumbnail(None) == figures.thumbnail(np.full((2, 2), np.nan)) == ""
