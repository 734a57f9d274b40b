"""How well the classifier did as the labels grew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from .base import ACCENT, PERCENT_TICKS, QUIET, empty, grid_axis, new_figure
from .text import Array, as_array, clips_text, compact, percent_text, require

BAND = "rgba(59,130,196,0.22)"  # ACCENT, seen through
OLD_BAND = "rgba(135,143,153,0.16)"  # QUIET, the same


def accuracy_curve(
    labels: ArrayLike | None, accuracy: ArrayLike | None, lows: ArrayLike | None, highs: ArrayLike | None, of: Sequence[str] = ()
) -> go.Figure:
    """Held-out accuracy against the number of labels, with its 95 % interval as a band; all arrays (n,), in the order they were noted.

    of: the backbone behind each point; every one has a line of its own, the latest in colour. Labels may go down again where some were
    taken back or excluded; the last point of each number counts.
    """
    x, y, low, high = (as_array(given) for given in (labels, accuracy, lows, highs))
    if not x.size:
        return empty("After your first answers this shows how the accuracy grows with the labels.")
    names = list(of) or [""] * x.size
    require(
        len({array.shape for array in (x, y, low, high)} | {(len(names),)}) == 1, "labels, accuracy, lows, highs and of differ in length."
    )
    order = [name for name in dict.fromkeys(names) if name != names[-1]] + [names[-1]]
    traces: list[Any] = []
    for name in order:
        last = sorted({int(n): i for i, n in enumerate(x) if names[i] == name}.values(), key=lambda i: x[i])
        traces += _line(x[last], y[last], low[last], high[last], name, *((ACCENT, BAND) if name == names[-1] else (QUIET, OLD_BAND)))
    several = len(order) > 1
    legend = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
    figure = new_figure(traces, height=260, margin={"l": 12, "r": 20, "t": 40 if several else 16, "b": 52})
    figure.update_layout(showlegend=several, legend=legend)
    begin, end = float(x.min()), float(x.max())
    reach = max(end - begin, 4.0)  # labels
    ends = [begin - 0.03 * reach, max(end, begin + 4) + 0.03 * reach]
    figure.update_xaxes(grid_axis("labelled clips") | {"range": ends, "nticks": 8, "tickformat": "d"})
    figure.update_yaxes(grid_axis("recognised by the others") | PERCENT_TICKS | {"range": [0, 1.02]})
    return figure


def _line(x: Array, y: Array, low: Array, high: Array, name: str, colour: str, band_colour: str) -> list[Any]:
    hover = [
        f"With {clips_text(n)} labelled, {percent_text(v)} are recognised by the others<br>"
        f"(95% interval {percent_text(a)} to {percent_text(b)})."
        for n, v, a, b in zip(x, y, low, high, strict=True)
    ]
    band = go.Scatter(
        x=compact(np.concatenate([x, x[::-1]])),
        y=compact(np.concatenate([high, low[::-1]])),
        fill="toself",
        fillcolor=band_colour,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )
    line = go.Scatter(
        x=compact(x),
        y=compact(y),
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"color": colour, "size": 7},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )
    return [band, line]
