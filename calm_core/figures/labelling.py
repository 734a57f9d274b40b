"""How well the classifier did as the labels grew."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from .base import ACCENT, PERCENT_TICKS, empty, grid_axis, new_figure
from .text import as_array, clips_text, compact, percent_text, require

BAND = "rgba(59,130,196,0.22)"  # ACCENT, seen through


def accuracy_curve(labels: ArrayLike | None, accuracy: ArrayLike | None, lows: ArrayLike | None, highs: ArrayLike | None) -> go.Figure:
    """Held-out accuracy against the number of labels, with its 95 % interval as a band; all arrays (n,), in the order they were noted.

    Labels may go down again where some were taken back or excluded; the last point of each number counts.
    """
    x, y, low, high = (as_array(given) for given in (labels, accuracy, lows, highs))
    if not x.size:
        return empty("After your first answers this shows how the accuracy grows with the labels.")
    require(len({array.shape for array in (x, y, low, high)}) == 1, "labels, accuracy, lows and highs differ in length.")
    last = sorted({int(n): i for i, n in enumerate(x)}.values(), key=lambda i: x[i])
    x, y, low, high = x[last], y[last], low[last], high[last]
    hover = [
        f"With {clips_text(n)} labelled, {percent_text(v)} are recognised by the others<br>"
        f"(95% interval {percent_text(a)} to {percent_text(b)})."
        for n, v, a, b in zip(x, y, low, high, strict=True)
    ]
    band = go.Scatter(
        x=compact(np.concatenate([x, x[::-1]])),
        y=compact(np.concatenate([high, low[::-1]])),
        fill="toself",
        fillcolor=BAND,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
    )
    line = go.Scatter(
        x=compact(x),
        y=compact(y),
        mode="lines+markers",
        line={"color": ACCENT, "width": 2},
        marker={"color": ACCENT, "size": 7},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )
    figure = new_figure([band, line], height=260, margin={"l": 12, "r": 20, "t": 16, "b": 52})
    reach = max(float(x[-1] - x[0]), 4.0)  # labels
    ends = [float(x[0]) - 0.03 * reach, max(float(x[-1]), float(x[0]) + 4) + 0.03 * reach]
    figure.update_xaxes(grid_axis("labelled clips") | {"range": ends, "nticks": 8, "tickformat": "d"})
    figure.update_yaxes(grid_axis("recognised by the others") | PERCENT_TICKS | {"range": [0, 1.02]})
    return figure
