"""A sound and its picture over time: a line shows the second that is heard, a click on the picture plays from there.

`sound_map()` is the component; its browser half is sound_map.js. Its value is `sounding(figure, path)`. The picture is a slider for the
keyboard: arrows move the line, Enter or Space plays.
"""

import html
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from .drawing import drawing_component

_PLAYER = '<audio controls preload="metadata" aria-label="Listen" hidden></audio>'
_CSS = """
audio { width: 100%; height: 44px; }
.dark & audio { color-scheme: dark; }
.sound-picture { position: relative; cursor: pointer; }
.sound-picture:focus-visible { outline: 2px solid var(--color-accent); outline-offset: 2px; }
.sound-picture .nsewdrag { cursor: pointer; }
.sound-now { position: absolute; width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 0 1px #111; pointer-events: none; }
"""


def sound_map(*, label: str, elem_id: str) -> gr.HTML:
    """label: what a screen reader says of the picture."""
    slider = f'role="slider" tabindex="0" aria-label="{html.escape(label)}" aria-valuemin="0" aria-valuemax="0" aria-valuenow="0"'
    picture = f'<div class="sound-picture" {slider}><div class="sound-plot"></div><div class="sound-now" hidden></div></div>'
    return drawing_component(html=_PLAYER + picture, css=_CSS, js="sound_map.js", elem_id=elem_id)


def sounding(figure: Any, path: Path | None) -> dict[str, Any]:
    """A figure whose x axis runs from 0 to the sound's end in s, and the sound, as the component's value; None for a picture alone."""
    return {"figure": str(figure.to_json()), "audio": None if path is None else FileData(path=str(path)).model_dump()}
