"""What the tabs share: the visitor's three states, the backbone they chose, and the rules for events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from calm_core import figures
from calm_core.errors import AudioError
from calm_core.studio import Studio, spectrogram

from .messages import sentence

# Where a model computes: one job at a time for all visitors together; the others wait for their turn.
COMPUTE: dict[str, Any] = {"concurrency_id": "compute", "concurrency_limit": 1, "show_progress": "hidden", "api_visibility": "private"}
LIGHT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE: dict[str, Any] = LIGHT | {"queue": False}

AUDIO_TYPES = ["audio", "video", ".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".caf", ".amr", ".wma", ".webm"]


@dataclass(frozen=True, slots=True)
class Page:
    """desk: a `Desk`; current: a `Current` or None; answers: `Answers` or None; tabs: to send the visitor to the next one."""

    studio: Studio
    backbone: gr.Dropdown
    desk: gr.State
    current: gr.State
    answers: gr.State
    tabs: gr.Tabs


def picture(path: Path) -> go.Figure:
    """The spectrogram of a file, or why there is none."""
    try:
        found = spectrogram(path)
    except AudioError as error:
        return figures.empty(sentence(error))
    return figures.spectrogram(found.decibels, found.seconds, found.frequencies_hz)
