"""Pictures for a closer look at the heads: differences, ranks, layers, what classes share, one head's clips, and what if heads drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from .base import ACCENT, COLOUR_BAR_PX, DIVERGING, INK, PERCENT_TICKS, QUIET, add_colour_axis, axis_title, empty, grid_axis, new_figure
from .heads import single_map
from .results import interval_rows
from .text import as_array, compact, escaped, percent_text, require, short_text, unlike, wrapped

# Okabe and Ito's colours without the yellow, which white swallows; every class has a symbol of its own beside its colour.
CLASS_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
CLASS_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
LEAST_DIFFERENCE = 0.1  # that has the scale's full colours: less is chance, and would shine


def difference_map(reliability: ArrayLike | None, class_names: Sequence[str], first: int, second: int) -> go.Figure:
    """Which heads tell class `first` better than class `second`: one map (L, H) of the difference of reliability (L, H, C)."""
    r = as_array(reliability)
    if not r.size:
        return empty("Learn from at least two classes, and what sets their heads apart shows here.")
    require(r.ndim == 3 and r.shape[2] == len(class_names), f"reliability has shape {r.shape} for {len(class_names)} class names.")
    one, other = short_text(class_names[first], 24), short_text(class_names[second], 24)
    hover = "Head %{x} of layer %{y} tells<br>" + f"<b>{one}</b> by %{{z:+.3g}}<br>better than <b>{other}</b>.<extra></extra>"
    return single_map(
        r[:, :, first] - r[:, :, second],
        f"reliability for ‘{class_names[first]}’ less that for ‘{class_names[second]}’",
        hover,
        LEAST_DIFFERENCE,
    )


def sorted_reliability(reliability: ArrayLike | None, class_name: str, chance: float | None = None) -> go.Figure:
    """All heads from the most reliable down, from reliability (L, H) for one class; those above chance coloured, chance a dashed line."""
    r = as_array(reliability)
    if not r.size or not np.isfinite(r).any():
        return empty("No head has been judged for this class yet; give it a second clip.")
    require(r.ndim == 2, f"reliability has shape {r.shape}; it must be (layers, heads).")
    flat = r.ravel()
    order = np.argsort(-flat, kind="stable")
    level = float("nan") if chance is None else float(chance)
    known = bool(np.isfinite(level))
    hover = [f"Layer {i // r.shape[1] + 1}, head {i % r.shape[1] + 1}" for i in order.tolist()]
    above = flat[order] > level if known else np.ones(len(flat), dtype=bool)
    trace = go.Scatter(
        x=list(range(1, len(flat) + 1)),
        y=compact(flat[order], 3),
        mode="markers",
        marker={"color": np.where(above, ACCENT, QUIET).tolist(), "size": 7 if len(flat) <= 200 else 4},
        text=hover,
        hovertemplate="%{text}<br>is number %{x},<br>with reliability %{y:.3g}.<extra></extra>",
        cliponaxis=False,
    )
    figure = new_figure([trace], height=240, margin={"l": 52, "r": 12, "t": 28, "b": 48})
    figure.update_xaxes(grid_axis("heads, the most reliable first"), range=[0.5, len(flat) + 0.5], nticks=6, showgrid=False)
    figure.update_yaxes(grid_axis(f"for ‘{short_text(class_name, 16)}’"), rangemode="tozero", nticks=5)
    if known:
        figure.add_hline(y=level, line={"color": INK, "dash": "dash", "width": 1.5})
        text = f"chance {level:.2g}; {int(above.sum())} of {len(flat)} heads above"
        figure.add_annotation(text=text, x=1, xref="paper", xanchor="right", y=1, yref="paper", yanchor="bottom", showarrow=False)
    return figure


def layer_profile(mean: ArrayLike | None, low: ArrayLike | None, high: ArrayLike | None, class_name: str) -> go.Figure:
    """Mean reliability of each layer's heads (L,) with its interval, layer 1 at the left."""
    m, a, b = (as_array(given) for given in (mean, low, high))
    if not m.size or not np.isfinite(m).any():
        return empty("No head has been judged for this class yet; give it a second clip.")
    require(
        m.shape == a.shape == b.shape, f"mean, low and high have shapes {m.shape}, {a.shape} and {b.shape}; give one of each per layer."
    )
    trace = go.Scatter(
        x=list(range(1, len(m) + 1)),
        y=compact(m, 3),
        mode="lines+markers",
        line={"color": ACCENT, "width": 1.5},
        marker={"size": 7},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": compact(b - m, 3),
            "arrayminus": compact(m - a, 3),
            "color": ACCENT,
            "thickness": 1.5,
            "width": 3,
        },
        hovertemplate="The heads of layer %{x} have<br>a mean reliability of %{y:.3g}.<extra></extra>",
        cliponaxis=False,
    )
    figure = new_figure([trace], height=240, margin={"l": 52, "r": 12, "t": 28, "b": 48})
    figure.update_xaxes(grid_axis("layer"), range=[0.5, len(m) + 0.5], nticks=8, tickformat="d", showgrid=False)
    figure.update_yaxes(grid_axis(f"for ‘{short_text(class_name, 16)}’"), nticks=5, rangemode="tozero")
    return figure


def class_similarity(similarity: ArrayLike | None, class_names: Sequence[str], order: ArrayLike) -> go.Figure:
    """How far classes rest on the same heads: similarity (C, C) from -1 to 1, rows and columns in the given order."""
    s = as_array(similarity)
    if not s.size:
        return empty("Learn from at least two classes, and what their heads share shows here.")
    C = len(class_names)
    require(s.shape == (C, C), f"similarity has shape {s.shape} for {C} class names; it must be ({C}, {C}).")
    at = np.asarray(order, dtype=int)
    names = [escaped(class_names[i]) for i in at]
    labels = unlike([short_text(class_names[i], 11 if C <= 4 else 14) for i in at])
    shown = s[np.ix_(at, at)]
    said = "share their heads to"
    hover: dict[str, Any] = {"hovertemplate": f"<b>%{{y}}</b> and<br><b>%{{x}}</b><br>{said} %{{z:+.2f}}.<extra></extra>"}
    if C <= 20:  # whole names; for more classes they would weigh more than the numbers
        whole = [[f"<b>{one}</b> and<br><b>{other}</b>" for other in names] for one in names]
        hover = {"customdata": whole, "hovertemplate": f"%{{customdata}}<br>{said} %{{z:+.2f}}.<extra></extra>"}
    trace = go.Heatmap(
        z=compact(shown, 2),
        x=labels,
        y=labels,
        **hover,
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
        **({"text": [[f"{v:+.1f}" for v in row] for row in shown], "texttemplate": "%{text}"} if C <= 8 else {}),
    )
    cell_px = 44 if C <= 6 else 30 if C <= 12 else 20 if C <= 25 else 15
    tick_px = 12 if cell_px >= 20 else 10
    label_px = 16 if C <= 4 else int(0.58 * tick_px * max(map(len, labels)))
    margin = {"l": 12, "r": 12, "t": COLOUR_BAR_PX, "b": 20 + label_px}
    figure = new_figure([trace], height=C * cell_px + margin["t"] + margin["b"], margin=margin)
    scale = {"colorscale": DIVERGING, "cmin": -1, "cmax": 1}
    add_colour_axis(figure, scale, "shared heads (correlation of weights)", C * cell_px)
    axis = {"type": "category", "tickfont_size": tick_px, "showgrid": False, "zeroline": False, "fixedrange": True, "ticks": ""}
    figure.update_xaxes(axis | {"tickangle": 0 if C <= 4 else -90, "range": [-0.5, C - 0.5]})
    figure.update_yaxes(axis | {"range": [C - 0.5, -0.5], "automargin": True})
    return figure


def head_reliability(
    class_names: Sequence[str], values: ArrayLike | None, lows: ArrayLike | None, highs: ArrayLike | None, chosen: int
) -> go.Figure:
    """One head's reliability for every class with its interval, first class on top, `chosen` marked; all arrays (C,)."""
    v, low, high = (as_array(given) for given in (values, lows, highs))
    if not v.size:
        return empty("Choose a head, by a click on a map or in the lists above.")
    hover = [
        f"Reliability {value:.3g} for<br><b>{wrapped(name, 40)}</b>"
        + (f"<br>(95\u202f% interval {a:.2g} to {b:.2g})." if np.isfinite(a) else "<br>(too few clips for an interval).")
        for name, value, a, b in zip(class_names, v, low, high, strict=True)
    ]
    marked = np.arange(len(v)) == chosen
    low, high = np.where(np.isfinite(low), low, v), np.where(np.isfinite(high), high, v)
    labels = [short_text(name, 20) for name in class_names]
    figure = interval_rows(labels, v, low, high, hover, marked, [f"{value:.2f}" for value in v], row_px=30)
    # A little more than the highest: a dot that rounding puts beyond the axis isn't drawn.
    reach = [min(0.0, float(np.nanmin(low))), 1.01 * max(0.2, float(np.nanmax(high)))]
    figure.update_xaxes(
        title=axis_title("reliability (mean margin)", 8), range=reach, tickvals=None, ticktext=None, tickmode="auto", nticks=5
    )
    return figure


def clip_map(
    points: ArrayLike | None, explained: ArrayLike, truth: Sequence[int], class_names: Sequence[str], clips: Sequence[str]
) -> go.Figure:
    """Clips as one head hears them: points (N, 2) along its two principal axes, with their shares of the variance (2,).

    Up to six classes have a colour and a symbol each and stand in the legend; more are all drawn alike, and told by pointing.
    """
    xy, share = as_array(points), as_array(explained)
    if not xy.size:
        return empty("Choose a head, and the clips as it hears them show here.")
    require(xy.shape == (len(clips), 2), f"points have shape {xy.shape} for {len(clips)} clips; needed is (clips, 2).")
    labels = np.asarray(truth, dtype=int)
    few = len(class_names) <= len(CLASS_COLOURS)
    traces = []
    for c, name in enumerate(class_names):
        mine = np.flatnonzero(labels == c)
        if not len(mine):
            continue
        full = wrapped(name, 40)
        traces.append(
            go.Scatter(
                x=compact(xy[mine, 0], 3),
                y=compact(xy[mine, 1], 3),
                mode="markers",
                name=short_text(name, 18),
                marker={
                    "color": CLASS_COLOURS[c] if few else QUIET,
                    "symbol": CLASS_SYMBOLS[c] if few else "circle",
                    "size": 9,
                    "line": {"color": INK, "width": 0.5},
                },
                hovertext=[f"{wrapped(clips[i], 40)}<br>is of the class <b>{full}</b>." for i in mine.tolist()],
                hovertemplate="%{hovertext}<extra></extra>",
                cliponaxis=False,
            )
        )
    figure = new_figure(traces, height=320, margin={"l": 40, "r": 12, "t": 40 if few else 12, "b": 48}, hovermode="closest")
    if few:
        figure.update_layout(showlegend=True, legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "itemclick": False})
    for axes, part, direction in ((figure.update_xaxes, share[0], "first"), (figure.update_yaxes, share[1], "second")):
        axes(grid_axis(f"{direction} direction, {percent_text(float(part))} of the variance"), showticklabels=False)
    return figure


def ablation_curve(
    kept: ArrayLike | None,
    best_first: ArrayLike | None,
    worst_first: ArrayLike | None,
    random: ArrayLike | None,
    chance: float,
) -> go.Figure:
    """Held-out accuracy against how many heads still vote, (P,) each, all heads at the left, as the best, the worst or any are dropped."""
    n = as_array(kept)
    if not n.size:
        return empty("Press the button above to see how accuracy falls as heads are dropped.")
    # Told apart by dash and symbol as well as by colour.
    curves = (
        ("best dropped first", as_array(best_first), CLASS_COLOURS[1], "solid", "square"),
        ("worst dropped first", as_array(worst_first), CLASS_COLOURS[0], "dash", "circle"),
        ("any, mean of several orders", as_array(random), QUIET, "dot", "diamond"),
    )
    traces = [
        go.Scatter(
            x=n.astype(int).tolist(),
            y=compact(values, 4),
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 7},
            hovertemplate=f"With %{{x}} heads left ({name})<br>%{{y:.0%}} of the clips are recognised.<extra></extra>",
            cliponaxis=False,
        )
        for name, values, colour, dash, symbol in curves
    ]
    figure = new_figure(traces, height=320, margin={"l": 52, "r": 16, "t": 76, "b": 48}, showlegend=True)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "itemclick": False})
    ticks = sorted({int(n.max()), *(2**i for i in range(0, 12, 2) if 2**i < n.max() / 1.5)})
    high, low = np.log10(n.max()), 0.0
    figure.update_xaxes(grid_axis("heads that still vote"), type="log", range=[high, low], tickvals=ticks, ticktext=[str(t) for t in ticks])
    figure.update_yaxes(grid_axis("accuracy on clips not heard"), range=[0, 1], **PERCENT_TICKS)
    figure.add_hline(y=chance, line={"color": INK, "dash": "dash", "width": 1.5})
    figure.add_annotation(text="chance", x=1, xref="paper", xanchor="right", y=chance, yanchor="bottom", showarrow=False)
    return figure
