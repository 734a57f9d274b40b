"""What the figures share: colours, the empty state, layout and axes. Knows nothing of what is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly
import plotly.graph_objects as go

from .text import Array, significant, wrapped

SCRIPT = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"  # what draws the figures in a browser

# One ink for both themes: contrast 4.3 on white and 4.5 on #0b0f19. No single colour has 4.5 on both (the best is 4.37), so a
# page that knows its theme may repaint the text by CSS: `.js-plotly-plot :is([class$="tick"], .infolayer, .barlayer) text`.
INK = "#747b85"
ACCENT = "#3b82c4"  # 4.1 on white, 4.7 on #0b0f19; also told from INK by shape or weight, never by hue alone
QUIET = "#878f99"  # bars that are not the answer: 3.3 on white
GRID = "rgba(125,133,144,0.28)"
SEQUENTIAL = "Cividis"
SPECTRAL = "Viridis"
MODEBAR_REMOVED = ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"]  # what stays saves a picture
DIVERGING = "PuOr_r"  # orange: for, purple: against; told apart with any common colour blindness

COLOUR_BAR_PX = 60  # the horizontal colour bar above a map: one line of title, bar, ticks, gap

# Lines at the quarters, words at the halves only: five words have no room on a phone.
PERCENT_TICKS = {"tickvals": [0, 0.25, 0.5, 0.75, 1], "ticktext": ["0\u202f%", "", "50\u202f%", "", "100\u202f%"], "tickangle": 0}
HALVES: dict[str, Any] = {"tickvals": [0, 0.5, 1], "ticktext": ["0\u202f%", "50\u202f%", "100\u202f%"]}  # of a colour bar


def empty(message: str) -> go.Figure:
    """No axes, one centred sentence: what stands where a figure will be, and what to do for it."""
    figure = new_figure([], height=180, margin={"l": 16, "r": 16, "t": 16, "b": 16})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    text = wrapped(message, 42)
    figure.add_annotation(text=text, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font_size=14)
    return figure


def as_html(figure: go.Figure) -> str:
    """A figure as a piece of an HTML page that holds SCRIPT once."""
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}))


def base_layout(height: int, margin: dict[str, int], **more: Any) -> dict[str, Any]:
    return {
        "template": "none",
        "height": height,
        "margin": margin | {"pad": 2},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12, "color": INK},
        "hoverlabel": {"bgcolor": "#1f2933", "bordercolor": "#1f2933", "font": {"color": "#ffffff", "size": 13}, "align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": ACCENT, "remove": MODEBAR_REMOVED},
        "dragmode": False,
        "showlegend": False,
        **more,
    }


def new_figure(traces: list[Any], *, height: int, margin: dict[str, int], **more: Any) -> go.Figure:
    return go.Figure(traces, layout=base_layout(height, margin, **more))


def axis_title(text: str | None, standoff: int = 18) -> dict[str, Any]:
    return {"text": text, "standoff": standoff, "font_size": 12}


def framed_axis(title: str | None) -> dict[str, Any]:
    frame = {"showline": True, "mirror": True, "linecolor": GRID, "ticks": "", "showgrid": False, "zeroline": False}
    return {"title": axis_title(title), "ticklabelstandoff": 4, "fixedrange": True, "automargin": True, **frame}


def count_axis(n: int, title: str | None, ticks_at_most: int = 8) -> dict[str, Any]:
    """An axis of n cells counted from 1: ticks at 1 and at the multiples of a power of two, but never of 2, which 1 would stand beside."""
    step = 1
    while n > ticks_at_most * step:
        step = max(4, 2 * step)
    ticks = [i for i in range(1, n + 1) if i == 1 or i % step == 0]
    return {**framed_axis(title), "tickvals": ticks, "tickangle": 0, "range": [0.5, n + 0.5]}


def grid_axis(title: str) -> dict[str, Any]:
    return {
        "title": axis_title(title, standoff=8),
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
    }


def name_axis(labels: list[str]) -> dict[str, Any]:
    """A y axis with one label per row, the first on top; rows are numbers, so that equal or numeric names stay apart."""
    n = len(labels)
    ticks = {"tickvals": list(range(n)), "ticktext": labels, "range": [n - 0.5, -0.5]}
    return {**ticks, "ticks": "", "ticklabelstandoff": 8, "showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True}


def colour_scale(values: Array, *, signed: bool = False) -> dict[str, Any]:
    """0 to the largest value, or symmetric about 0 where one is negative or, signed, could have been."""
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=0.0))
    reach = significant(max(high, -low)) or 1.0
    diverging = signed or low < 0
    return {"colorscale": DIVERGING if diverging else SEQUENTIAL, "cmin": -reach if diverging else 0.0, "cmax": reach}


def add_colour_axis(figure: go.Figure, scale: dict[str, Any], title: str, inner_px: int, lift_px: int = 0, **ticks: Any) -> None:
    """One colour axis, its bar above the plot at the left, so that it takes no width on a phone; title over the bar.

    inner_px: the height between the margins; lift_px: how much stands between plot and bar.
    """
    place = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1 + (lift_px + 12) / inner_px, "yanchor": "bottom", "xpad": 0, "ypad": 0}
    size = {"lenmode": "pixels", "len": 150, "thickness": 10, "outlinewidth": 0, "nticks": 5, "tickangle": 0}
    if scale["cmin"] < 0:
        ticks = {"tickvals": [scale["cmin"], 0, scale["cmax"]], "tickformat": ".2~g"} | ticks
    figure.update_layout(coloraxis=scale | {"colorbar": place | size | ticks})
    above = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": lift_px + 37}
    figure.add_annotation(text=title, align="left", showarrow=False, **above)
