"""Arrays -> plotly figures. Knows numpy, pandas and plotly; knows no model, no audio file and no page.

Every figure stands on a transparent ground, in light and dark themes, from 390 to 1280 px wide: text is one mid-grey, class
names are shortened in ticks and whole in hover texts, the height is stated in px, and nothing drags, so that a finger
scrolls the page. Layers and heads are counted from 1 wherever a person reads them; arrays keep their order (L, H, C).
Input that is None or holds no value gives `empty` with what to do next; input of contradicting shapes raises ValueError.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

Array = NDArray[np.float64]
Kind = Literal["confidence", "score"]

# One ink for both themes: contrast 4.3 on white and 4.5 on #0b0f19. No single colour has 4.5 on both (the best is 4.37), so a
# page that knows its theme may repaint the text by CSS: `.js-plotly-plot :is([class$="tick"], .infolayer, .barlayer) text`.
INK = "#747b85"
ACCENT = "#3b82c4"  # 4.1 on white, 4.7 on #0b0f19; also told from INK by shape or weight, never by hue alone
QUIET = "#878f99"  # bars that are not the answer: 3.3 on white
GRID = "rgba(125,133,144,0.28)"
SEQUENTIAL = "Cividis"
SPECTRAL = "Viridis"
DIVERGING = "PuOr_r"  # orange: for, purple: against; told apart with any common colour blindness

MAX_CELLS_WITH_TEXT = 64  # a layer x head map of at most this many cells carries its numbers
SUBTITLE_PX = 20
MAX_BARS = 12
MAX_FRAMES = 400
MAX_SPECTROGRAM_CELLS = 40_000  # at about 6 characters a cell the JSON stays below 300 kB
COLOUR_BAR_PX = 60  # the horizontal colour bar above a map: one line of title, bar, ticks, gap
FREQUENCY_TICKS_HZ = (100, 250, 500, 1000, 2000, 4000, 8000, 16000)
TICK_ROOM_PX = 15  # least distance of two ticks' texts


def empty(message: str) -> go.Figure:
    """No axes, one centred sentence: what stands where a figure will be, and what to do for it."""
    figure = _figure([], height=180, margin={"l": 16, "r": 16, "t": 16, "b": 16})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    text = _wrapped(message, 42)
    figure.add_annotation(text=text, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font_size=14)
    return figure


def reliability_maps(
    reliability: ArrayLike | None,
    class_names: Sequence[str],
    *,
    columns: int | None = None,
    judged: ArrayLike | None = None,
    scale_title: str = "reliability (mean margin)",
) -> go.Figure:
    """One layer x head map per class, all on one colour scale, from reliability (L, H, C).

    Head 1 is at the left, layer 1 at the bottom; trace c holds class c's values (L, H). The scale runs from 0 to the largest
    value, or symmetrically about 0 where a value is negative. judged: how many clips judged each class (C,); a class with 0,
    or with NaN on every head, says "not judged" in place of its map. columns: maps beside each other, by default 2 or 3.
    """
    r = _array(reliability)
    if not r.size or not np.isfinite(r).any():
        return empty("No head has been judged yet. Learn from at least two clips per class, and every class gets its map here.")
    _require(r.ndim == 3, f"reliability has shape {r.shape}; it must be (layers, heads, classes).")
    L, H, C = r.shape
    _require(len(class_names) == C, f"{len(class_names)} class names for {C} classes of reliability; give one for each.")
    clips = None if judged is None else _array(judged)
    if clips is not None:
        _require(clips.shape == (C,), f"judged has shape {clips.shape}; it must hold one count for each of {C} classes.")
        r = np.where(clips > 0, r, np.nan)
    columns = min(columns or _columns(C), C)
    _require(columns >= 1, f"columns is {columns}; it must be at least 1.")
    rows = math.ceil(C / columns)
    panel_px, gap_px = _panel_px(L), 40
    inner_px = rows * panel_px + (rows - 1) * gap_px
    names_at_most = {1: 40, 2: 20, 3: 14}.get(columns, 9)
    titles = [f"<b>{_short(name, names_at_most)}</b>" for name in class_names]
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles,
        specs=[[{} if row * columns + column < C else None for column in range(columns)] for row in range(rows)],
        horizontal_spacing=0.05 if columns > 1 else 0.0,
        vertical_spacing=gap_px / inner_px,
    )
    margin = {"l": 44, "r": 12, "t": COLOUR_BAR_PX + SUBTITLE_PX, "b": 44}
    figure.update_layout(_layout(inner_px + margin["t"] + margin["b"], margin))
    figure.update_annotations(font_size=12 if columns <= 2 else 11, yshift=2)
    _add_colour_axis(figure, _scale(r), scale_title, inner_px, lift_px=SUBTITLE_PX)
    for c, name in enumerate(class_names):
        row, column = divmod(c, columns)
        full = _wrapped(name, 40)
        by = "" if clips is None else f"<br>Judged by {_clips(clips[c])}."
        figure.add_trace(
            _map(
                r[:, :, c],
                hovertemplate="Head %{x} of layer %{y} has<br>reliability %{z:.3g} for<br><b>%{meta}</b>." + by + "<extra></extra>",
                name=name,
                meta=full,
            ),
            row=row + 1,
            col=column + 1,
        )
        lowest = c + columns >= C
        at = {"row": row + 1, "col": column + 1}
        figure.update_xaxes(_count_axis(H, "head" if lowest else None, 8 if columns <= 2 else 4), showticklabels=lowest, **at)
        figure.update_yaxes(_count_axis(L, "layer" if column == 0 else None), showticklabels=column == 0, **at)
        if not np.isfinite(r[:, :, c]).any():
            text = "not judged:<br>too few clips"
            middle = {"x": (H + 1) / 2, "y": (L + 1) / 2}
            figure.add_annotation(text=text, **middle, showarrow=False, font_size=11, row=row + 1, col=column + 1)
    return figure


def contribution_map(contribution: ArrayLike | None, title: str) -> go.Figure:
    """One layer x head map of contribution (L, H): how much every head added to a score. Head 1 left, layer 1 bottom.

    title: what the numbers are; it stands over the colour bar. Colours are centred at 0 (orange for, purple against) where a
    value is negative, else they run from 0 up.
    """
    values = _array(contribution)
    if not values.size or not np.isfinite(values).any():
        return empty("Choose a clip, and the heads that decided on it show here.")
    _require(values.ndim == 2, f"contribution has shape {values.shape}; it must be (layers, heads).")
    L, H = values.shape
    trace = _map(values, hovertemplate="Head %{x} of layer %{y}<br>contributes %{z:+.3g}.<extra></extra>")
    heading = _wrapped(title, 46)
    inner_px = _panel_px(L, cell_px=28, at_most_px=360)
    margin = {"l": 44, "r": 12, "t": COLOUR_BAR_PX + 16 * heading.count("<br>"), "b": 44}
    figure = _figure([trace], height=inner_px + margin["t"] + margin["b"], margin=margin)
    _add_colour_axis(figure, _scale(values), heading, inner_px)
    figure.update_xaxes(_count_axis(H, "head"))
    figure.update_yaxes(_count_axis(L, "layer"))
    return figure


def confidence_bars(class_names: Sequence[str], values: ArrayLike | None, *, kind: Kind, highlight: int) -> go.Figure:
    """Horizontal bars of values (C,), largest on top, the class `highlight` in colour and bold.

    kind: "confidence" draws calibrated probabilities on a fixed axis from 0 to 100%, "score" votes on an axis from 0. At most
    12 bars, the highlighted class always among them; a note under the axis sums up the rest.
    """
    v = _array(values)
    if not v.size or not np.isfinite(v).any():
        return empty("No prediction yet. Drop a clip or record one, and its classes show here.")
    _require(v.shape == (len(class_names),), f"{len(class_names)} class names for values of shape {v.shape}; give one for each.")
    _require(0 <= highlight < len(v), f"highlight is {highlight}; it must be the index of one of {len(v)} classes.")
    v = np.where(np.isfinite(v), v, 0.0)
    order = np.argsort(-v, kind="stable")
    shown = order[:MAX_BARS]
    if highlight not in shown:
        shown = np.append(shown[:-1], highlight)
    rest = np.setdiff1d(order, shown)
    percent = kind == "confidence"
    lengths = _compact(v[shown])
    text = [_percent(v[c]) if percent else _score(v[c]) for c in shown]
    told = "This clip is <b>{}</b><br>with a confidence of {}." if percent else "<b>{}</b> has the score {},<br>which is no probability."
    hover = [told.format(_wrapped(class_names[c], 40), amount) for c, amount in zip(shown, text, strict=True)]
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
    figure = _figure([bars], height=30 * len(shown) + margin["t"] + margin["b"], margin=margin, bargap=0.3)
    top = 1.0 if percent else max(lengths) or 1.0
    title = "confidence" if percent else "score (not a probability)"
    if len(rest):
        amount = f"share {_percent(v[rest].sum())}" if percent else f"score {_score(v[rest].max())} at most"
        title += f"<br>{len(rest)} more {'class' if len(rest) == 1 else 'classes'} {amount}"
    figure.update_xaxes(_grid_axis(title), range=[min(0.0, float(v.min())), top])
    figure.update_xaxes(_PERCENT_TICKS if percent else {"nticks": 4, "tickangle": 0})
    labels = [f"<b>{_short(class_names[c], 20)}</b>" if c == highlight else _short(class_names[c], 20) for c in shown]
    figure.update_yaxes(_name_axis(labels))
    return figure


def confusion_matrix(counts: ArrayLike | None, class_names: Sequence[str]) -> go.Figure:
    """Counts (C, C) of held-out clips: truth in rows from the first class at the top, prediction in columns.

    The number is the count (blank for none); the colour is its share of the row's clips, from 0 to 100%. The row of a class
    without a held-out clip is left bare.
    """
    n = _array(counts)
    if not n.size or not n.sum() > 0:
        return empty("No clip has been held out yet. With two clips per class, the mix-ups between classes show here.")
    C = len(class_names)
    _require(n.shape == (C, C), f"counts have shape {n.shape} for {C} class names; they must be ({C}, {C}).")
    of_row = n.sum(1, keepdims=True)
    share = np.divide(n, of_row, out=np.full_like(n, np.nan), where=of_row > 0)
    full = [_escaped(name) for name in class_names]
    hover = [
        [
            f"{n[t, p]:.0f} of {_clips(of_row[t, 0])} of '{full[t]}'<br>{'was' if n[t, p] == 1 else 'were'} "
            + ("recognised." if t == p else f"taken for '{full[p]}'.")
            for p in range(C)
        ]
        for t in range(C)
    ]
    # Categories, not numbers: only they let plotly leave out the labels that have no room on a phone.
    labels = _unlike([_short(name, 11 if C <= 4 else 16 if C <= 12 else 12) for name in class_names])
    trace = go.Heatmap(
        z=_compact(share, 3),
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
    figure = _figure([trace], height=C * cell_px + margin["t"] + margin["b"], margin=margin)
    scale = {"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1}
    _add_colour_axis(figure, scale, "share of the true class's clips", C * cell_px, tickformat=".0%", tickvals=[0, 0.5, 1])
    axis = {
        "type": "category",
        "tickfont_size": tick_px,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "ticks": "",
        "ticklabelstandoff": 4,
    }
    figure.update_xaxes(axis | {"title": _axis_title("predicted"), "tickangle": 0 if C <= 4 else -90, "range": [-0.5, C - 0.5]})
    figure.update_yaxes(axis | {"title": _axis_title("true"), "range": [C - 0.5, -0.5], "automargin": True})
    return figure


def ladder_chart(rows: pd.DataFrame | None, chance: float) -> go.Figure:
    """Methods as dots with their 95 % intervals, first row on top, CALM as a coloured diamond, chance as a dashed line.

    rows: columns method, title, accuracy, ci_low, ci_high, all shares from 0 to 1; the axis is 0 to 100%.
    """
    if rows is None or rows.empty:
        return empty("Nothing to compare yet. Learn from some clips, and CALM stands here beside simpler methods.")
    titles = [str(title) for title in rows["title"]]
    values, lows, highs = (_array(rows[column]) for column in ("accuracy", "ci_low", "ci_high"))
    hover = [
        f"<b>{_wrapped(title, 40)}</b><br>is right on {_percent(value)} of the clips<br>"
        f"(95% interval {_percent(low)} to {_percent(high)};<br>chance {_percent(chance)})."
        for title, value, low, high in zip(titles, values, lows, highs, strict=True)
    ]
    calm = np.array([method == "calm" for method in rows["method"]], dtype=bool)
    labels = [_wrapped(_shortened(title, 46), 24) for title in titles]
    figure = _intervals(labels, values, lows, highs, hover, calm, [_percent(value) for value in values])
    if math.isfinite(chance):
        figure.add_vline(x=chance, line={"color": INK, "dash": "dash", "width": 1.5})
        side = "left" if chance < 0.5 else "right"
        above = {"x": chance, "xref": "x", "xanchor": side, "y": 1, "yref": "paper", "yanchor": "bottom"}
        figure.add_annotation(text=f"chance {_percent(chance)}", showarrow=False, **above)
    return figure


def class_accuracy(
    class_names: Sequence[str], values: ArrayLike | None, lows: ArrayLike | None, highs: ArrayLike | None, counts: ArrayLike | None
) -> go.Figure:
    """Held-out accuracy per class with 95 % intervals, first class on top, axis 0 to 100%; all arrays (C,).

    counts: how many clips of each class were tested; a class with 0, or with NaN as its value, says "not tested".
    """
    v, low, high, n = (_array(given) for given in (values, lows, highs, counts))
    if not v.size:
        return empty("No clip has been held out yet. With two clips per class, the accuracy of every class shows here.")
    shapes = {len(class_names), *(array.size for array in (v, low, high, n))}
    _require(len(shapes) == 1, f"names, values, lows, highs and counts have lengths {sorted(shapes)}; give one of each per class.")
    v = np.where(n > 0, v, np.nan)
    hover, notes = [], []
    for c, name in enumerate(class_names):
        tested = bool(np.isfinite(v[c]))
        notes.append(f"{v[c] * n[c]:.0f} of {n[c]:.0f}" if tested else "not tested")
        hover.append(
            f"{v[c] * n[c]:.0f} of {_clips(n[c])} of<br><b>{_wrapped(name, 40)}</b><br>recognised: {_percent(v[c])}<br>"
            f"(95% interval {_percent(low[c])} to {_percent(high[c])})."
            if tested
            else ""
        )
    labels = [_short(name, 20) for name in class_names]
    return _intervals(labels, v, low, high, hover, np.ones(len(v), dtype=bool), notes, right_px=86, row_px=30)


def spectrogram(mel_db: ArrayLike | None, seconds: float, frequencies_hz: ArrayLike | None) -> go.Figure:
    """Level over time and frequency from mel_db (bands, frames), lasting `seconds`, with band centres frequencies_hz (bands,).

    Bands are equally high (the mel scale), their ticks stand at true Hz. More than 400 frames, or 40,000 cells, are pooled by
    their maximum, so that a short click stays visible. The colours run from the lowest to the highest level shown, in dB.
    """
    mel, hz = _array(mel_db), _array(frequencies_hz)
    if not mel.size or not np.isfinite(mel).any():
        return empty("Choose a clip to see its spectrogram.")
    _require(mel.ndim == 2 and hz.shape == (len(mel),), f"mel_db has shape {mel.shape} and frequencies {hz.shape}; the bands must agree.")
    frames = mel.shape[1]
    bins = min(frames, MAX_FRAMES, max(1, MAX_SPECTROGRAM_CELLS // len(mel)))
    edges = np.arange(bins) * frames // bins
    pooled = np.fmax.reduceat(mel, edges, axis=1)
    centres_s = (edges + np.append(edges[1:], frames)) / 2 * seconds / frames
    inner_px = 220
    # One category per band: equally high rows whose hover text still tells the true frequency.
    bands = [f"{value:,.0f} Hz" for value in hz]
    if len(set(bands)) < len(bands):
        bands = [f"{value:,.3f} Hz" for value in hz]
    nearest: dict[int, int] = {}
    for tick in reversed(FREQUENCY_TICKS_HZ):  # from above: where low ones crowd, the lower goes
        band = int(np.abs(hz - tick).argmin())
        if hz.min() <= tick <= hz.max() and all(abs(band - other) * inner_px >= TICK_ROOM_PX * len(hz) for other in nearest):
            nearest[band] = tick
    nearest = dict(sorted(nearest.items()))
    trace = go.Heatmap(
        z=_listed(np.asarray(np.round(pooled, 1), dtype=np.float64)),
        x=_compact(centres_s, 5),
        y=bands,
        coloraxis="coloraxis",
        hovertemplate="At %{x:.2f} s and %{y}<br>the level is %{z:.1f} dB.<extra></extra>",
    )
    margin = {"l": 60, "r": 12, "t": COLOUR_BAR_PX, "b": 44}
    figure = _figure([trace], height=inner_px + margin["t"] + margin["b"], margin=margin)
    levels = pooled[np.isfinite(pooled)]
    low, high = round(float(levels.min()), 1), round(float(levels.max()), 1)
    _add_colour_axis(figure, {"colorscale": SPECTRAL, "cmin": low, "cmax": max(high, low + 1)}, "level (dB)", inner_px)
    figure.update_xaxes(_framed_axis("time (s)"), nticks=8, range=[0, seconds])
    ticks = [f"{tick // 1000} kHz" if tick >= 1000 else f"{tick} Hz" for tick in nearest.values()]
    figure.update_yaxes(_framed_axis(None), type="category", range=[-0.5, len(bands) - 0.5])
    figure.update_yaxes(tickvals=[bands[b] for b in nearest], ticktext=ticks)
    return figure


def reliability_table(reliability: ArrayLike | None, weights: ArrayLike | None, class_names: Sequence[str], top: int = 10) -> pd.DataFrame:
    """The `top` most reliable heads of every class in words: columns class, layer, head, reliability, weight.

    From reliability and weights (L, H, C); classes in their order, heads from the most reliable down (ties: lower layer, then
    lower head), layer and head counted from 1. Heads without a finite reliability are left out.
    """
    r, w = _array(reliability), _array(weights)
    columns = {"class": "str", "layer": "int64", "head": "int64", "reliability": "float64", "weight": "float64"}
    found: list[tuple[str, int, int, float, float]] = []
    if r.size:
        _require(
            r.shape == w.shape and r.ndim == 3 and r.shape[2] == len(class_names),
            f"reliability has shape {r.shape}, weights {w.shape}, and there are {len(class_names)} class names; all need (L, H, C).",
        )
        for c, name in enumerate(class_names):
            column = r[:, :, c].ravel()
            best = [i for i in np.argsort(-column, kind="stable") if np.isfinite(column[i])][:top]
            for i in best:
                layer, head = divmod(int(i), r.shape[1])
                found.append((name, layer + 1, head + 1, _significant(column[i]), _significant(w[layer, head, c])))
    return pd.DataFrame(found, columns=list(columns)).astype(columns)


# Lines at the quarters, words at the halves only: five words have no room on a phone.
_PERCENT_TICKS = {"tickvals": [0, 0.25, 0.5, 0.75, 1], "ticktext": ["0%", "", "50%", "", "100%"], "tickangle": 0}


# Parts of figures ----------------------------------------------------------------------------------------------------------


def _layout(height: int, margin: dict[str, int], **more: Any) -> dict[str, Any]:
    return {
        "template": "none",
        "height": height,
        "margin": margin | {"pad": 2},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12, "color": INK},
        "hoverlabel": {"bgcolor": "#1f2933", "bordercolor": "#1f2933", "font": {"color": "#ffffff", "size": 13}, "align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": ACCENT},
        "dragmode": False,
        "showlegend": False,
        **more,
    }


def _figure(traces: list[Any], *, height: int, margin: dict[str, int], **more: Any) -> go.Figure:
    return go.Figure(traces, layout=_layout(height, margin, **more))


def _map(values: Array, **more: Any) -> go.Heatmap:
    """A layer x head heatmap of values (L, H) on the shared colour axis; small maps carry their numbers."""
    L, H = values.shape
    texts: dict[str, Any] = {}
    if values.size <= MAX_CELLS_WITH_TEXT:
        texts = {"text": _cell_texts(values), "texttemplate": "%{text}"}
    gap = 1 if values.size <= 4 * MAX_CELLS_WITH_TEXT else 0
    axes = {"x": list(range(1, H + 1)), "y": list(range(1, L + 1))}
    return go.Heatmap(z=_compact(values, 3), **axes, coloraxis="coloraxis", hoverongaps=False, xgap=gap, ygap=gap, **texts, **more)


def _intervals(
    labels: list[str],
    values: Array,
    lows: Array,
    highs: Array,
    hover: list[str],
    highlight: NDArray[np.bool_],
    notes: list[str],
    right_px: int = 52,
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
        reach = {"array": _compact(highs[at] - values[at]), "arrayminus": _compact(values[at] - lows[at])}
        traces.append(
            go.Scatter(
                x=_compact(values[at]),
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
    figure = _figure(traces, height=row_px * len(values) + margin["t"] + margin["b"], margin=margin)
    figure.update_xaxes(_grid_axis("accuracy on held-out clips"), range=[0, 1], **_PERCENT_TICKS)
    figure.update_yaxes(_name_axis([f"<b>{t}</b>" if some and h else t for t, h in zip(labels, highlight, strict=True)]))
    for row, note in enumerate(notes):
        text = f"<b>{note}</b>" if some and highlight[row] else note
        right = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 12, "y": row, "yref": "y"}
        figure.add_annotation(text=text, showarrow=False, **right)
    return figure


def _axis_title(text: str | None, standoff: int = 18) -> dict[str, Any]:
    return {"text": text, "standoff": standoff, "font_size": 12}


def _framed_axis(title: str | None) -> dict[str, Any]:
    frame = {"showline": True, "mirror": True, "linecolor": GRID, "ticks": "", "showgrid": False, "zeroline": False}
    return {"title": _axis_title(title), "ticklabelstandoff": 4, "fixedrange": True, "automargin": True, **frame}


def _count_axis(n: int, title: str | None, ticks_at_most: int = 8) -> dict[str, Any]:
    """An axis of n cells counted from 1: ticks at 1 and at the multiples of a power of two."""
    step = 1
    while n > ticks_at_most * step:
        step *= 2
    ticks = [i for i in range(1, n + 1) if i == 1 or (i % step == 0 and i > 1 + step / 2)]
    return {**_framed_axis(title), "tickvals": ticks, "tickangle": 0, "range": [0.5, n + 0.5]}


def _grid_axis(title: str) -> dict[str, Any]:
    return {
        "title": _axis_title(title, standoff=8),
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
    }


def _name_axis(labels: list[str]) -> dict[str, Any]:
    """A y axis with one label per row, the first on top; rows are numbers, so that equal or numeric names stay apart."""
    n = len(labels)
    ticks = {"tickvals": list(range(n)), "ticktext": labels, "range": [n - 0.5, -0.5]}
    return {**ticks, "ticks": "", "ticklabelstandoff": 8, "showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True}


def _scale(values: Array) -> dict[str, Any]:
    """0 to the largest value, or symmetric about 0 where one is negative."""
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=0.0))
    reach = _significant(max(high, -low)) or 1.0
    diverging = low < 0
    return {"colorscale": DIVERGING if diverging else SEQUENTIAL, "cmin": -reach if diverging else 0.0, "cmax": reach}


def _add_colour_axis(figure: go.Figure, scale: dict[str, Any], title: str, inner_px: int, lift_px: int = 0, **ticks: Any) -> None:
    """One colour axis, its bar above the plot at the left, so that it takes no width on a phone; title over the bar.

    inner_px: the height between the margins; lift_px: how much stands between plot and bar.
    """
    place = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1 + (lift_px + 12) / inner_px, "yanchor": "bottom", "xpad": 0, "ypad": 0}
    size = {"lenmode": "pixels", "len": 150, "thickness": 10, "outlinewidth": 0, "nticks": 5}
    figure.update_layout(coloraxis=scale | {"colorbar": place | size | ticks})
    above = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": lift_px + 37}
    figure.add_annotation(text=title, align="left", showarrow=False, **above)


def _panel_px(layers: int, cell_px: int = 24, at_most_px: int = 220) -> int:
    return min(max(layers * cell_px, 72), at_most_px)


def _columns(classes: int) -> int:
    return 2 if classes <= 6 else 3


# Numbers and words ---------------------------------------------------------------------------------------------------------


def _array(values: ArrayLike | None) -> Array:
    return np.zeros(0) if values is None else np.asarray(values, dtype=np.float64)


def _significant(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")


def _compact(values: Array, digits: int = 4) -> list[Any]:
    """Nested lists rounded to significant digits, with None for what is not finite: small and valid as JSON."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
    power = np.where(np.isfinite(power), power, 1.0)
    return _listed(np.round(values * power) / power)


def _listed(values: Array) -> list[Any]:
    listed = values.astype(object)
    listed[~np.isfinite(values)] = None
    return listed.tolist()


def _cell_texts(values: Array) -> list[list[str]]:
    """Values without the leading zero, to fit narrow cells (.41, -.07), with two digits of the largest."""
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    decimals = min(max(1 - math.floor(math.log10(largest)), 2), 4) if largest > 0 else 0
    texts = [[f"{round(value, decimals) + 0.0:.{decimals}f}" if np.isfinite(value) else "" for value in row] for row in values]
    return [[text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text for text in row] for row in texts]


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return "unknown"
    return "&lt;1%" if 0 < share < 0.005 else f"{share:.0%}"


def _score(value: float) -> str:
    return "&lt;0.0001" if 0 < value < 1e-4 else f"{value:.3g}"


def _clips(n: float) -> str:
    return "1 clip" if n == 1 else f"{n:.0f} clips"


def _shortened(name: str, at_most: int) -> str:
    """Long names lose their middle: names of one family often differ at the end only."""
    if len(name) <= at_most:
        return name
    tail = at_most // 3
    return f"{name[: at_most - 1 - tail].rstrip()}…{name[len(name) - tail :].lstrip()}"


def _escaped(text: str) -> str:
    """Plotly reads a little HTML in every text; a class named "<b>" must stay a name."""
    return html.escape(text, quote=False)


def _short(name: str, at_most: int) -> str:
    return _escaped(_shortened(name, at_most))


def _unlike(labels: list[str]) -> list[str]:
    """The same labels to the eye, with invisible marks where two would be equal: plotly would merge equal categories."""
    seen: dict[str, int] = {}
    marked = []
    for label in labels:
        marked.append(label + "\u200b" * seen.get(label, 0))
        seen[label] = seen.get(label, 0) + 1
    return marked


def _wrapped(text: str, width: int) -> str:
    return "<br>".join(map(_escaped, textwrap.wrap(text, width))) or "&nbsp;"


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
