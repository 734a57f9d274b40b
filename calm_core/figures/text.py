"""Numbers and words of the figures: rounded, shortened, escaped. Knows no plotly."""

from __future__ import annotations

import html
import math
import textwrap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def as_array(values: ArrayLike | None) -> Array:
    return np.zeros(0) if values is None else np.asarray(values, dtype=np.float64)


def significant(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")


def compact(values: Array, digits: int = 4) -> list[Any]:
    """Nested lists rounded to significant digits, with None for what is not finite: small and valid as JSON."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
    power = np.where(np.isfinite(power), power, 1.0)
    return json_ready(np.round(values * power) / power)


def json_ready(values: Array) -> list[Any]:
    listed = values.astype(object)
    listed[~np.isfinite(values)] = None
    return listed.tolist()


def cell_texts(values: Array) -> list[list[str]]:
    """Values without the leading zero, to fit narrow cells (.41, -.07), with two digits of the largest."""
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    decimals = min(max(1 - math.floor(math.log10(largest)), 2), 4) if largest > 0 else 0
    texts = [[f"{round(value, decimals) + 0.0:.{decimals}f}" if np.isfinite(value) else "" for value in row] for row in values]
    return [[text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text for text in row] for row in texts]


def percent_text(share: float) -> str:
    if not math.isfinite(share):
        return "unknown"
    return ("&lt;1%" if 0 < share < 0.005 else f"{share:.0%}").replace("%", "\u202f%")


def score_text(value: float) -> str:
    return "&lt;0.0001" if 0 < value < 1e-4 else f"{value:.3g}"


def clips_text(n: float) -> str:
    return "1 clip" if n == 1 else f"{n:.0f} clips"


def shortened(name: str, at_most: int) -> str:
    """Long names lose their middle: names of one family often differ at the end only."""
    if len(name) <= at_most:
        return name
    tail = at_most // 3
    return f"{name[: at_most - 1 - tail].rstrip()}…{name[len(name) - tail :].lstrip()}"


def escaped(text: str) -> str:
    """Plotly reads a little HTML in every text; a class named "<b>" must stay a name."""
    return html.escape(text, quote=False)


def short_text(name: str, at_most: int) -> str:
    return escaped(shortened(name, at_most))


def unlike(labels: list[str]) -> list[str]:
    """The same labels to the eye, with invisible marks where two would be equal: plotly would merge equal categories."""
    seen: dict[str, int] = {}
    marked = []
    for label in labels:
        marked.append(label + "\u200b" * seen.get(label, 0))
        seen[label] = seen.get(label, 0) + 1
    return marked


def wrapped(text: str, width: int) -> str:
    return "<br>".join(map(escaped, textwrap.wrap(text, width))) or "&nbsp;"


def require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
