"""Pictures of results: confidence, confusion, accuracy of classes and of methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from .base import (
    ACCENT,
    COLOUR_BAR_PX,
    HALVES,
    INK,
    PERCENT_TICKS,
    QUIET,
    SEQUENTIAL,
    add_colour_axis,
    axis_title,
    empty,
    grid_axis,
    name_axis,
    new_figure,
)
from .text import Array, as_array, clips_text, compact, escaped, percent_text, require, score_text, short_text, shortened, unlike, wrapped

MAX_BARS = 12

Kind = Literal["confidence", "score"]


def confidence_bars(class_names: Sequence[str], values: ArrayLike | None, *, kind: Kind, highlight: int) -> go.Figure:
    """Horizontal bars of values (C,), largest on top, the class `highlight` in colour and bold.

    kind: "confidence" draws calibrated probabilities on a fixed axis from 0 to 100%, "score" votes on an axis from 0. At most
    12 bars, the highlighted class always among them; a note under the axis sums up the rest.
    """
    v = as_array(values)
    if not v.size or not np.isfinite(v).any():
        return empty("No prediction yet. Drop a clip or record one, and its classes show here.")
    require(v.shape == (len(class_names),), f"{len(class_names)} class names for values of shape {v.shape}; give one for each.")
    require(0 <= highlight < len(v), f"highlight is {highlight}; it must be the index of one of {len(v)} classes.")
    v = np.where(np.isfinite(v), v, 0.0)
    order = np.argsort(-v, kind="stable")
    shown = order[:MAX_BARS]
    if highlight not in shown:
        shown = np.append(shown[:-1], highlight)
    rest = np.setdiff1d(order, shown)
    percent = kind == "confidence"
    lengths = compact(v[shown])
    text = [percent_text(v[c]) if percent else score_text(v[c]) for c in shown]
    told = "This clip is <b>{}</b><br>with a confidence of {}." if percent else "<b>{}</b> has the score {},<br>which is no probability."
    hover = [told.format(wrapped(class_names[c], 40), amount) for c, amount in zip(shown, text, strict=True)]
    colours = [ACCENT if c == highlight else QUIET for c in shown]
    bars = go.Bar(
        orientation="h",
        x=lengths,
        y=list(range(len(shown))),
        text=[f"<b>{t}</b>" if c == highlight else t for c, t in zip(shown, text, strict=True)],
        textposition="outside",
        textfont_color=INK,
        textangle=0,
        cliponaxis=False,
        marker={"color": colours, "line_width": 0},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    margin = {"l": 8, "r": 48, "t": 8, "b": 48 + (16 if len(rest) else 0)}
    figure = new_figure([bars], height=30 * len(shown) + margin["t"] + margin["b"], margin=margin, bargap=0.3)
    top = 1.0 if percent else max(lengths) or 1.0
    title = "confidence" if percent else "score (not a probability)"
    if len(rest):
        amount = f"share {percent_text(v[rest].sum())}" if percent else f"score {score_text(v[rest].max())} at most"
        title += f"<br>{len(rest)} more {'class' if len(rest) == 1 else 'classes'} {amount}"
    figure.update_xaxes(grid_axis(title), range=[min(0.0, float(v.min())), top])
    figure.update_xaxes(PERCENT_TICKS if percent else {"nticks": 4, "tickangle": 0})
    labels = [f"<b>{short_text(class_names[c], 20)}</b>" if c == highlight else short_text(class_names[c], 20) for c in shown]
    figure.update_yaxes(name_axis(labels))
    return figure


def confusion_matrix(counts: ArrayLike | None, class_names: Sequence[str]) -> go.Figure:
    """Counts (C, C) of held-out clips: truth in rows from the first class at the top, prediction in columns.

    The number is the count (blank for none); the colour is its share of the row's clips, from 0 to 100%. The row of a class
    without a held-out clip is left bare.
    """
    n = as_array(counts)
    if not n.size or not n.sum() > 0:
        return empty("No clip could be judged by the others yet. With two clips per class, the mix-ups between classes show here.")
    C = len(class_names)
    require(n.shape == (C, C), f"counts have shape {n.shape} for {C} class names; they must be ({C}, {C}).")
    of_row = n.sum(1, keepdims=True)
    share = np.divide(n, of_row, out=np.full_like(n, np.nan), where=of_row > 0)
    full = [escaped(name) for name in class_names]
    hover = [
        [
            f"{n[t, p]:.0f} of {clips_text(of_row[t, 0])} of ‘{full[t]}’<br>{'was' if n[t, p] == 1 else 'were'} "
            + ("recognised." if t == p else f"taken for ‘{full[p]}’.")
            for p in range(C)
        ]
        for t in range(C)
    ]
    # Categories, not numbers: only they let plotly leave out the labels that have no room on a phone.
    labels = unlike([short_text(name, 11 if C <= 4 else 16 if C <= 12 else 12) for name in class_names])
    trace = go.Heatmap(
        z=compact(share, 3),
        x=labels,
        y=labels,
        text=[[f"{count:.0f}" if count else "" for count in row] for row in n],
        texttemplate="%{text}",
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
    )
    cell_px = 44 if C <= 6 else 30 if C <= 12 else 20 if C <= 25 else 15
    tick_px = 12 if cell_px >= 20 else 10
    label_px = 16 if C <= 4 else int(0.58 * tick_px * max(map(len, labels)))
    margin = {"l": 12, "r": 12, "t": COLOUR_BAR_PX, "b": 34 + label_px}
    figure = new_figure([trace], height=C * cell_px + margin["t"] + margin["b"], margin=margin)
    scale = {"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1}
    add_colour_axis(figure, scale, "share of the true class's clips", C * cell_px, **HALVES)
    axis = {
        "type": "category",
        "tickfont_size": tick_px,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "ticks": "",
        "ticklabelstandoff": 4,
    }
    figure.update_xaxes(axis | {"title": axis_title("predicted"), "tickangle": 0 if C <= 4 else -90, "range": [-0.5, C - 0.5]})
    figure.update_yaxes(axis | {"title": axis_title("true"), "range": [C - 0.5, -0.5], "automargin": True})
    return figure


def ladder_chart(rows: pd.DataFrame | None, chance: float) -> go.Figure:
    """Methods as dots with their 95 % intervals, first row on top, CALM as a coloured diamond, chance as a dashed line.

    rows: columns method, title, accuracy, ci_low, ci_high, all shares from 0 to 1; the axis is 0 to 100%.
    """
    if rows is None or rows.empty:
        return empty("Nothing to compare yet. Learn from some clips, and CALM stands here beside simpler methods.")
    titles = [str(title) for title in rows["title"]]
    values, lows, highs = (as_array(rows[column]) for column in ("accuracy", "ci_low", "ci_high"))
    hover = [
        f"<b>{wrapped(title, 40)}</b><br>is right on {percent_text(value)} of the clips<br>"
        f"(95\u202f% interval {percent_text(low)} to {percent_text(high)};<br>chance {percent_text(chance)})."
        for title, value, low, high in zip(titles, values, lows, highs, strict=True)
    ]
    calm = np.array([method == "calm" for method in rows["method"]], dtype=bool)
    labels = [wrapped(shortened(title, 46), 24) for title in titles]
    figure = interval_rows(labels, values, lows, highs, hover, calm, [percent_text(value) for value in values])
    if math.isfinite(chance):
        figure.add_vline(x=chance, line={"color": INK, "dash": "dash", "width": 1.5})
        side = "left" if chance < 0.5 else "right"
        above = {"x": chance, "xref": "x", "xanchor": side, "y": 1, "yref": "paper", "yanchor": "bottom"}
        figure.add_annotation(text=f"chance {percent_text(chance)}", showarrow=False, **above)
    return figure


def class_accuracy(
    class_names: Sequence[str], values: ArrayLike | None, lows: ArrayLike | None, highs: ArrayLike | None, counts: ArrayLike | None
) -> go.Figure:
    """Held-out accuracy per class with 95 % intervals, first class on top, axis 0 to 100%; all arrays (C,).

    counts: how many clips of each class were tested; a class with 0, or with NaN as its value, says "not tested".
    """
    v, low, high, n = (as_array(given) for given in (values, lows, highs, counts))
    if not v.size:
        return empty("No clip could be judged by the others yet. With two clips per class, the accuracy of every class shows here.")
    shapes = {len(class_names), *(array.size for array in (v, low, high, n))}
    require(len(shapes) == 1, f"names, values, lows, highs and counts have lengths {sorted(shapes)}; give one of each per class.")
    v = np.where(n > 0, v, np.nan)
    hover, notes = [], []
    for c, name in enumerate(class_names):
        tested = bool(np.isfinite(v[c]))
        notes.append(f"{v[c] * n[c]:.0f} of {n[c]:.0f}" if tested else "not tested")
        hover.append(
            f"{v[c] * n[c]:.0f} of {clips_text(n[c])} of<br><b>{wrapped(name, 40)}</b><br>recognised: {percent_text(v[c])}<br>"
            f"(95\u202f% interval {percent_text(low[c])} to {percent_text(high[c])})."
            if tested
            else ""
        )
    labels = [short_text(name, 20) for name in class_names]
    return interval_rows(labels, v, low, high, hover, np.ones(len(v), dtype=bool), notes, right_px=86, row_px=30)


def interval_rows(
    labels: list[str],
    values: Array,
    lows: Array,
    highs: Array,
    hover: list[str],
    highlight: NDArray[np.bool_],
    notes: list[str],
    right_px: int = 64,
    row_px: int = 36,
) -> go.Figure:
    """Rows of dot and interval on an axis from 0 to 100%, first row on top; a note at the right end of every row."""
    y = np.arange(len(values))
    traces = []
    some = highlight.any() and not highlight.all()
    for chosen, colour, symbol, size in ((highlight, ACCENT, "diamond" if some else "circle", 11), (~highlight, INK, "circle", 9)):
        at = np.flatnonzero(chosen & np.isfinite(values))
        if not len(at):
            continue
        reach = {"array": compact(highs[at] - values[at]), "arrayminus": compact(values[at] - lows[at])}
        traces.append(
            go.Scatter(
                x=compact(values[at]),
                y=y[at].tolist(),
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": size},
                error_x={"type": "data", "symmetric": False, **reach, "color": colour, "thickness": 2, "width": 4},
                hovertext=[hover[i] for i in at],
                hovertemplate="%{hovertext}<extra></extra>",
                cliponaxis=False,
            )
        )
    margin = {"l": 8, "r": right_px, "t": 28, "b": 48}
    figure = new_figure(traces, height=row_px * len(values) + margin["t"] + margin["b"], margin=margin)
    figure.update_xaxes(grid_axis("accuracy"), range=[0, 1], **PERCENT_TICKS)
    figure.update_yaxes(name_axis([f"<b>{t}</b>" if some and h else t for t, h in zip(labels, highlight, strict=True)]))
    for row, note in enumerate(notes):
        text = f"<b>{note}</b>" if some and highlight[row] else note
        right = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 12, "y": row, "yref": "y"}
        figure.add_annotation(text=text, showarrow=False, **right)
    return figure
