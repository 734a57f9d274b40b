"""Pictures of sound: the spectrogram, large and small."""

from __future__ import annotations

import base64
import functools
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.colors import sample_colorscale

from .base import ACCENT, COLOUR_BAR_PX, HALVES, INK, SEQUENTIAL, SPECTRAL, add_colour_axis, empty, framed_axis, new_figure
from .text import as_array, compact, json_ready, percent_text, require, short_text, unlike

MAX_FRAMES = 400
NONE_OF_THESE = "none of these"
MAX_SPECTROGRAM_CELLS = 40_000  # at about 6 characters a cell the JSON stays below 300 kB
FREQUENCY_TICKS_HZ = (100, 250, 500, 1000, 2000, 4000, 8000, 16000)
THUMBNAIL_PX = (56, 32)  # width, height
SHADES = 32  # of a thumbnail: a kilobyte or two
TICK_ROOM_PX = 15  # least distance of two ticks' texts


def spectrogram(mel_db: ArrayLike | None, seconds: float, frequencies_hz: ArrayLike | None) -> go.Figure:
    """Level over time and frequency from mel_db (bands, frames), lasting `seconds`, with band centres frequencies_hz (bands,).

    Bands are equally high (the mel scale), their ticks stand at true Hz. More than 400 frames, or 40,000 cells, are pooled by
    their maximum, so that a short click stays visible. The colours run from the lowest to the highest level shown, in dB.
    """
    mel, hz = as_array(mel_db), as_array(frequencies_hz)
    if not mel.size or not np.isfinite(mel).any():
        return empty("Choose a clip to see its spectrogram.")
    require(mel.ndim == 2 and hz.shape == (len(mel),), f"mel_db has shape {mel.shape} and frequencies {hz.shape}; the bands must agree.")
    frames = mel.shape[1]
    bins = min(frames, MAX_FRAMES, max(1, MAX_SPECTROGRAM_CELLS // len(mel)))
    edges = _edges(frames, bins)
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
        z=json_ready(np.asarray(np.round(pooled, 1), dtype=np.float64)),
        x=compact(centres_s, 5),
        y=bands,
        coloraxis="coloraxis",
        hovertemplate="At %{x:.2f} s and %{y}<br>the level is %{z:.1f} dB.<extra></extra>",
    )
    margin = {"l": 60, "r": 12, "t": COLOUR_BAR_PX, "b": 44}
    figure = new_figure([trace], height=inner_px + margin["t"] + margin["b"], margin=margin)
    levels = pooled[np.isfinite(pooled)]
    low, high = round(float(levels.min()), 1), round(float(levels.max()), 1)
    add_colour_axis(figure, {"colorscale": SPECTRAL, "cmin": low, "cmax": max(high, low + 1)}, "level (dB)", inner_px)
    figure.update_xaxes(framed_axis("time (s)"), nticks=8, range=[0, seconds])
    ticks = [f"{tick // 1000} kHz" if tick >= 1000 else f"{tick} Hz" for tick in nearest.values()]
    figure.update_yaxes(framed_axis(None), type="category", range=[-0.5, len(bands) - 0.5])
    figure.update_yaxes(tickvals=[bands[b] for b in nearest], ticktext=ticks)
    return figure


def thumbnail(mel_db: ArrayLike | None) -> str:
    """A small picture of mel_db (bands, frames) in the colours of `spectrogram`, as the address of a PNG that needs no request; "" for
    nothing to draw."""
    mel = as_array(mel_db)
    if not mel.size or not np.isfinite(mel).any():
        return ""
    height, width = min(THUMBNAIL_PX[1], len(mel)), min(THUMBNAIL_PX[0], mel.shape[1])
    small = np.fmax.reduceat(np.fmax.reduceat(mel, _edges(len(mel), height), axis=0), _edges(mel.shape[1], width), axis=1)
    low, high = np.nanmin(small), np.nanmax(small)
    shades = np.nan_to_num((small - low) / max(high - low, 1.0) * (SHADES - 1)).astype(np.uint8)[::-1]  # low frequencies at the bottom
    pixels = np.insert(shades, 0, 0, axis=1).tobytes()  # every line begins with its filter, none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, a palette
    parts = ((b"IHDR", header), (b"PLTE", _palette()), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _edges(n: int, bins: int) -> np.ndarray:
    """Where `bins` about equal stretches of n begin."""
    return np.arange(bins) * n // bins


@functools.cache
def _palette() -> bytes:
    """The colours of `spectrogram` in a few steps, as red, green and blue."""
    colours = sample_colorscale(SPECTRAL, np.linspace(0, 1, SHADES), colortype="tuple")
    return (255 * np.array(colours)).round().astype(np.uint8).tobytes()


def listening_map(
    mel_db: ArrayLike | None, seconds: float, frequencies_hz: ArrayLike | None, begins_s: ArrayLike, share: ArrayLike, even: float
) -> go.Figure:
    """The `spectrogram`, and above it on the same time axis where the heads looked: share (T,) of their attention from begins_s (T,) on.

    even: the share that each stretch would have if they looked everywhere alike, a dashed line.
    """
    figure = spectrogram(mel_db, seconds, frequencies_hz)
    if not figure.data:
        return figure
    times, shares = as_array(begins_s), as_array(share)
    require(times.shape == shares.shape, f"begins_s has shape {times.shape} and share {shares.shape}; give one share per begin.")
    figure.add_trace(
        go.Scatter(
            x=compact(np.append(times, seconds), 5),
            y=compact(np.append(shares, shares[-1]), 3),
            mode="lines",
            line={"color": ACCENT, "width": 1.5, "shape": "hv"},
            fill="tozeroy",
            yaxis="y2",
            hovertemplate="From %{x:.2f} s on<br>it has %{y:.1%} of the attention.<extra></extra>",
        )
    )
    figure.add_shape(type="line", x0=0, x1=seconds, y0=even, y1=even, yref="y2", line={"color": INK, "dash": "dash", "width": 1.5})
    extra_px = 90
    height = figure.layout.height + extra_px
    inner = height - figure.layout.margin.t - figure.layout.margin.b
    figure.update_layout(
        height=height,
        yaxis={"domain": [0, 1 - (extra_px + 6) / inner]},
        yaxis2={**framed_axis("looked here"), "domain": [1 - (extra_px - 12) / inner, 1], "showticklabels": False, "rangemode": "tozero"},
    )
    return figure


def class_curves(
    edges_s: ArrayLike | None,
    probabilities: ArrayLike | None,
    class_names: Sequence[str],
    confidence: float,
    unlike_all: ArrayLike | None = None,
) -> go.Figure:
    """Confidence over time: one row per class, from probabilities (W, C) of windows that meet at edges_s (W + 1,); 0 to 100%.

    confidence: from which on a window counts as an event; said in the title of the scale. unlike_all (W,): windows that fit no class,
    dark in a row of their own where there are any.
    """
    bounds, p = as_array(edges_s), as_array(probabilities)
    if not p.size:
        return empty("Choose a long recording, and its classes over time show here.")
    windows, C = len(bounds) - 1, len(class_names)
    require(p.shape == (windows, C), f"probabilities have shape {p.shape} for {windows} windows and {C} classes; they must agree.")
    bins = min(windows, MAX_FRAMES)
    first = np.arange(bins) * windows // bins
    shown = np.maximum.reduceat(p, first, axis=0)
    labels = unlike([*(short_text(name, 14) for name in class_names), NONE_OF_THESE])
    trace = go.Heatmap(
        z=compact(shown.T, 3),
        x=compact(bounds[[*first, -1]], 6),
        y=labels[:-1],
        coloraxis="coloraxis",
        hovertemplate="About %{x:.1f} s in,<br><b>%{y}</b> has a confidence<br>of %{z:.0%}.<extra></extra>",
    )
    traces, rows = [trace], C
    if unlike_all is not None and as_array(unlike_all).any():  # an empty row would go without its name
        rows += 1
        none = np.full((rows, bins), np.nan)
        none[-1, np.maximum.reduceat(as_array(unlike_all), first) > 0] = 1
        traces.append(
            go.Heatmap(
                z=compact(none, 3),
                x=trace.x,
                y=labels,  # all of them: plotly.js can't draw a heatmap of one row on an axis of names
                colorscale=[[0, INK], [1, INK]],
                showscale=False,
                hoverongaps=False,  # the rows of classes lie under its gaps
                hovertemplate="About %{x:.1f} s in,<br>it is unlike all classes.<extra></extra>",
            )
        )
    row_px = 32 if rows <= 12 else 16
    margin = {"l": 12, "r": 12, "t": COLOUR_BAR_PX, "b": 44}
    figure = new_figure(traces, height=row_px * rows + margin["t"] + margin["b"], margin=margin)
    scale = {"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1}
    title = f"confidence (events: ≥ {percent_text(confidence)})"
    add_colour_axis(figure, scale, title, row_px * rows, **HALVES)
    figure.update_xaxes(framed_axis("time (s)"), nticks=8, range=[0, float(bounds[-1])])
    figure.update_yaxes(framed_axis(None), type="category", range=[rows - 0.5, -0.5])
    return figure
