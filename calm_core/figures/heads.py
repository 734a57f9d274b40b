"""Pictures of the heads: what each is worth for each class, and what it said of a clip. All arrays keep the order (L, H, C)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from .base import COLOUR_BAR_PX, add_colour_axis, base_layout, colour_scale, count_axis, empty, new_figure
from .text import Array, as_array, cell_texts, clips_text, compact, require, short_text, significant, wrapped

MAX_CELLS_WITH_TEXT = 64  # a layer x head map of at most this many cells carries its numbers
SUBTITLE_PX = 20


def reliability_maps(
    reliability: ArrayLike | None,
    class_names: Sequence[str],
    *,
    columns: int | None = None,
    judged: ArrayLike | None = None,
    above: ArrayLike | None = None,
    scale_title: str = "reliability (mean margin)",
) -> go.Figure:
    """One layer x head map per class, all on one colour scale, from reliability (L, H, C).

    Head 1 is at the left, layer 1 at the bottom; trace c holds class c's values (L, H). The scale runs from 0 to the largest
    value, or symmetrically about 0 where a value is negative. judged: how many clips judged each class (C,); a class with 0,
    or with NaN on every head, says "not judged" in place of its map. above: which cells (L, H, C) are more reliable than chance
    makes one cell in twenty; these carry a dot, the others say "could be chance" when pointed at; the dots are the traces from C
    on. columns: maps beside each other, by default 2 or 3.
    """
    r = as_array(reliability)
    if not r.size or not np.isfinite(r).any():
        return empty("No head has been judged yet. Learn from at least two clips per class, and every class gets its map here.")
    require(r.ndim == 3, f"reliability has shape {r.shape}; it must be (layers, heads, classes).")
    L, H, C = r.shape
    require(len(class_names) == C, f"{len(class_names)} class names for {C} classes of reliability; give one for each.")
    marked = None if above is None else np.asarray(above, dtype=bool)
    require(marked is None or marked.shape == r.shape, f"above has another shape than reliability {r.shape}; give one answer per cell.")
    clips = None if judged is None else as_array(judged)
    if clips is not None:
        require(clips.shape == (C,), f"judged has shape {clips.shape}; it must hold one count for each of {C} classes.")
        r = np.where(clips > 0, r, np.nan)
    columns = min(columns or _columns(C), C)
    require(columns >= 1, f"columns is {columns}; it must be at least 1.")
    rows = math.ceil(C / columns)
    # Where cells carry numbers, a dot has its room above them.
    panel_px, gap_px = _panel_px(L, 30 if marked is not None and L * H <= MAX_CELLS_WITH_TEXT else 24), 40
    inner_px = rows * panel_px + (rows - 1) * gap_px
    names_at_most = {1: 40, 2: 20, 3: 14}.get(columns, 9)
    titles = [f"<b>{short_text(name, names_at_most)}</b>" for name in class_names]
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles,
        specs=[[{} if row * columns + column < C else None for column in range(columns)] for row in range(rows)],
        horizontal_spacing=0.05 if columns > 1 else 0.0,
        vertical_spacing=gap_px / inner_px,
    )
    margin = {"l": 44, "r": 12, "t": COLOUR_BAR_PX + SUBTITLE_PX, "b": 44}
    figure.update_layout(base_layout(inner_px + margin["t"] + margin["b"], margin))
    figure.update_annotations(font_size=12 if columns <= 2 else 11, yshift=2)
    add_colour_axis(figure, colour_scale(r), scale_title, inner_px, lift_px=SUBTITLE_PX)
    told = "." if marked is None else ":<br>%{customdata} chance."
    for c, name in enumerate(class_names):
        row, column = divmod(c, columns)
        full = wrapped(name, 40)
        by = "" if clips is None else f"<br>Judged by {clips_text(clips[c])}."
        figure.add_trace(
            _map(
                r[:, :, c],
                hovertemplate="Head %{x} of layer %{y} has<br>reliability %{z:.3g} for<br><b>%{meta}</b>" + told + by + "<extra></extra>",
                name=name,
                meta=full,
                **({} if marked is None else {"customdata": np.where(marked[:, :, c], "above", "could be").tolist()}),
            ),
            row=row + 1,
            col=column + 1,
        )
        lowest = c + columns >= C
        at = {"row": row + 1, "col": column + 1}
        figure.update_xaxes(count_axis(H, "head" if lowest else None, 8 if columns == 1 else 4), showticklabels=lowest, **at)
        figure.update_yaxes(count_axis(L, "layer" if column == 0 else None), showticklabels=column == 0, **at)
        if not np.isfinite(r[:, :, c]).any():
            text = "not judged:<br>too few clips"
            middle = {"x": (H + 1) / 2, "y": (L + 1) / 2}
            figure.add_annotation(text=text, **middle, showarrow=False, font_size=11, row=row + 1, col=column + 1)
    if marked is not None:
        for c in range(C):
            figure.add_trace(_dots(marked[:, :, c] & np.isfinite(r[:, :, c])), row=c // columns + 1, col=c % columns + 1)
    return figure


def contribution_map(contribution: ArrayLike | None, title: str) -> go.Figure:
    """One layer x head map of contribution (L, H): how much every head added to a score. Head 1 left, layer 1 bottom.

    title: what the numbers are; it stands over the colour bar. Colours are centred at 0 (orange for, purple against).
    """
    values = as_array(contribution)
    if not values.size or not np.isfinite(values).any():
        return empty("Choose a clip, and the heads that decided on it show here.")
    require(values.ndim == 2, f"contribution has shape {values.shape}; it must be (layers, heads).")
    return single_map(values, title, "Head %{x} of layer %{y}<br>contributes %{z:+.3g}.<extra></extra>")


def single_map(values: Array, title: str, hover: str, least: float = 0.0) -> go.Figure:
    """One layer x head map of signed values (L, H) under its title, with a hover template; the scale reaches to `least` at least."""
    L, H = values.shape
    trace = _map(values, hovertemplate=hover)
    heading = wrapped(title, 46)
    inner_px = _panel_px(L, cell_px=28, at_most_px=360)
    margin = {"l": 44, "r": 12, "t": COLOUR_BAR_PX + 16 * heading.count("<br>"), "b": 44}
    figure = new_figure([trace], height=inner_px + margin["t"] + margin["b"], margin=margin)
    add_colour_axis(figure, colour_scale(np.append(values, least), signed=True), heading, inner_px)
    figure.update_xaxes(count_axis(H, "head"))
    figure.update_yaxes(count_axis(L, "layer"))
    return figure


def reliability_table(
    reliability: ArrayLike | None,
    weights: ArrayLike | None,
    class_names: Sequence[str],
    top: int | None = 10,
    *,
    above: ArrayLike | None = None,
) -> pd.DataFrame:
    """The `top` most reliable heads of every class in words: columns class, layer, head, reliability, weight.

    above (L, H, C): adds the column chance, "above" or "could be". top: None for all heads.
    From reliability and weights (L, H, C); classes in their order, heads from the most reliable down (ties: lower layer, then
    lower head), layer and head counted from 1. Heads without a finite reliability are left out.
    """
    r, w = as_array(reliability), as_array(weights)
    columns = {"class": "str", "layer": "int64", "head": "int64", "reliability": "float64", "weight": "float64"}
    found: list[tuple[str, int, int, float, float]] = []
    if r.size:
        require(
            r.shape == w.shape and r.ndim == 3 and r.shape[2] == len(class_names),
            f"reliability has shape {r.shape}, weights {w.shape}, and there are {len(class_names)} class names; all need (L, H, C).",
        )
        for c, name in enumerate(class_names):
            column = r[:, :, c].ravel()
            best = [i for i in np.argsort(-column, kind="stable") if np.isfinite(column[i])][:top]
            for i in best:
                layer, head = divmod(int(i), r.shape[1])
                found.append((name, layer + 1, head + 1, significant(column[i]), significant(w[layer, head, c])))
    table = pd.DataFrame(found, columns=list(columns)).astype(columns)
    if above is not None:
        index = {name: c for c, name in enumerate(class_names)}
        marked = np.asarray(above, dtype=bool)
        cells = zip(table["layer"], table["head"], table["class"], strict=True)
        table["chance"] = ["above" if marked[layer - 1, head - 1, index[name]] else "could be" for layer, head, name in cells]
    return table


def _map(values: Array, **more: Any) -> go.Heatmap:
    """A layer x head heatmap of values (L, H) on the shared colour axis; small maps carry their numbers."""
    L, H = values.shape
    texts: dict[str, Any] = {}
    if values.size <= MAX_CELLS_WITH_TEXT:
        texts = {"text": cell_texts(values), "texttemplate": "%{text}"}
    gap = 1 if values.size <= 4 * MAX_CELLS_WITH_TEXT else 0
    axes = {"x": list(range(1, H + 1)), "y": list(range(1, L + 1))}
    return go.Heatmap(z=compact(values, 3), **axes, coloraxis="coloraxis", hoverongaps=False, xgap=gap, ygap=gap, **texts, **more)


def _dots(marked: NDArray[np.bool_]) -> go.Scatter:
    """A dot on every marked cell (L, H): dark with a light rim, so that it is seen on every colour of the map, in both themes."""
    layers, heads = np.nonzero(marked)
    small = marked.size > 4 * MAX_CELLS_WITH_TEXT or marked.shape[1] > 8  # a cell may be 8 px wide on a phone
    up = 0.36 if marked.size <= MAX_CELLS_WITH_TEXT else 0.0  # over the number where the cell carries one
    marker = {"color": "#10151d", "size": 3 if small else 5, "line": {"color": "#ffffff", "width": 0.8 if small else 1.2}}
    return go.Scatter(
        x=(heads + 1).tolist(),
        y=np.round(layers + 1 + up, 2).tolist(),
        mode="markers",
        marker=marker,
        hoverinfo="skip",
    )


def _panel_px(layers: int, cell_px: int = 24, at_most_px: int = 220) -> int:
    return min(max(layers * cell_px, 72), at_most_px)


def _columns(classes: int) -> int:
    return 2 if classes <= 6 else 3
