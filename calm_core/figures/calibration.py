"""How far a confidence can be believed: what was promised beside what came true."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from .base import ACCENT, INK, PERCENT_TICKS, QUIET, base_layout, empty, grid_axis
from .text import as_array, clips_text, compact, percent_text, require

CHART_PX, COUNTS_PX, GAP_PX = 240, 64, 16


def calibration_chart(
    confidence: ArrayLike | None, accuracy: ArrayLike | None, lows: ArrayLike | None, highs: ArrayLike | None, counts: ArrayLike | None
) -> go.Figure:
    """Confidence against accuracy as dots with 95 % intervals, all arrays (B,), one entry per equal bin of confidence; the dashed
    diagonal is where promises come true. Under it how many clips stand behind each dot; a bin with none has no dot.
    """
    x, y, low, high, n = (as_array(given) for given in (confidence, accuracy, lows, highs, counts))
    if not n.sum() > 0:
        return empty("With at least ten clips that can be judged by the others, this shows whether the confidence keeps its promise.")
    require(len({array.shape for array in (x, y, low, high, n)}) == 1, "confidence, accuracy, lows, highs and counts differ in length.")
    at = np.flatnonzero(n > 0)
    hover = [
        f"{clips_text(n[i])}, {percent_text(x[i])} sure on average:<br>{percent_text(y[i])} right "
        f"(95\u202f% interval {percent_text(low[i])} to {percent_text(high[i])})."
        for i in at
    ]
    inner_px = CHART_PX + GAP_PX + COUNTS_PX
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[CHART_PX, COUNTS_PX], vertical_spacing=GAP_PX / inner_px)
    figure.update_layout(base_layout(inner_px + 46 + 52, {"l": 12, "r": 20, "t": 46, "b": 52}))
    diagonal = {"color": INK, "dash": "dash", "width": 1.5}
    figure.add_trace(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=diagonal, hoverinfo="skip"), row=1, col=1)
    dots = go.Scatter(
        x=compact(x[at]),
        y=compact(y[at]),
        mode="markers",
        marker={"color": ACCENT, "size": 11},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": compact(high[at] - y[at]),
            "arrayminus": compact(y[at] - low[at]),
            "color": ACCENT,
            "thickness": 2,
            "width": 4,
        },
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )
    figure.add_trace(dots, row=1, col=1)
    bars = go.Bar(
        x=compact((at + 0.5) / len(n)),
        y=n[at].astype(int).tolist(),
        width=0.8 / len(n),
        marker={"color": QUIET},
        text=[f"{count:.0f}" for count in n[at]],
        textposition="outside",
        textangle=0,
        cliponaxis=False,
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    figure.add_trace(bars, row=2, col=1)
    # Over the plot: inside it, dots would lie on the words.
    sides = "above the line: promises too little<br>below the line: promises too much"
    figure.add_annotation(text=sides, x=0, xref="paper", y=1, yref="paper", yanchor="bottom", yshift=6, align="left", showarrow=False)
    figure.update_xaxes(grid_axis("how sure it was") | PERCENT_TICKS | {"range": [0, 1]}, row=2, col=1)
    figure.update_xaxes(grid_axis("") | PERCENT_TICKS | {"range": [0, 1], "showticklabels": False}, row=1, col=1)
    figure.update_yaxes(grid_axis("how often it was right") | PERCENT_TICKS | {"range": [0, 1]}, row=1, col=1)
    top = float(n.max()) * 1.45  # room for the numbers over the bars
    figure.update_yaxes(grid_axis("clips") | {"range": [0, top], "showticklabels": False, "showgrid": False}, row=2, col=1)
    return figure
