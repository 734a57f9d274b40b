"""Arrays -> plotly figures. Knows numpy, pandas and plotly; knows no model, no audio file and no page.

Every figure stands on a transparent ground, in light and dark themes, from 390 to 1280 px wide: text is one mid-grey, class
names are shortened in ticks and whole in hover texts, the height is stated in px, and nothing drags, so that a finger
scrolls the page. Layers and heads are counted from 1 wherever a person reads them; arrays keep their order (L, H, C).
Input that is None or holds no value gives `empty` with what to do next; input of contradicting shapes raises ValueError.
"""

from .base import ACCENT, INK, SCRIPT, as_html, empty
from .calibration import calibration_chart
from .heads import contribution_map, reliability_maps, reliability_table
from .inside import (
    ablation_curve,
    class_similarity,
    clip_map,
    difference_map,
    head_reliability,
    layer_profile,
    sorted_reliability,
)
from .labelling import accuracy_curve
from .results import MAX_BARS, class_accuracy, confidence_bars, confusion_matrix, ladder_chart
from .sounds import MAX_FRAMES, class_curves, listening_map, spectrogram, thumbnail

__all__ = [
    "ACCENT",
    "INK",
    "MAX_BARS",
    "MAX_FRAMES",
    "SCRIPT",
    "ablation_curve",
    "accuracy_curve",
    "as_html",
    "calibration_chart",
    "class_accuracy",
    "class_curves",
    "class_similarity",
    "clip_map",
    "confidence_bars",
    "confusion_matrix",
    "contribution_map",
    "difference_map",
    "empty",
    "head_reliability",
    "ladder_chart",
    "layer_profile",
    "listening_map",
    "reliability_maps",
    "reliability_table",
    "sorted_reliability",
    "spectrogram",
    "thumbnail",
]
