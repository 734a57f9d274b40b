"""A figure of maps whose cells can be clicked: gr.Plot tells Python nothing of a click.

`click_map()` is the component; its browser half, click_map.js, draws with the plotly.js that this page's own server hands out, when
the component first comes into sight. Its value is `drawing(figure)`; listen to its `select` event, read with `clicked`.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from calm_core import figures

_HTML = '<div class="click-map" role="img"></div>'
_CSS = """
.click-map { width: 100%; }
.click-map .nsewdrag { cursor: pointer; }
"""
_JS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def click_map(*, label: str, elem_id: str) -> gr.HTML:
    """label: what a screen reader says of it; the numbers themselves belong in a table beside it."""
    return gr.HTML(
        html_template=_HTML,
        css_template=_CSS,
        js_on_load=_JS,
        apply_default_css=False,
        elem_id=elem_id,
        script=f"/gradio_api/file={figures.SCRIPT}",
        label_text=label,
    )


def drawing(figure: Any) -> str:
    """A figure as the component's value."""
    return str(figure.to_json())


def clicked(event: gr.EventData) -> tuple[int, int, int]:
    """The cell (map, layer, head) that was clicked, counted from 0; raises ValueError where the browser sent something else."""
    data = event._data if isinstance(event._data, dict) else {}
    cell = tuple(data.get(name) for name in ("map", "layer", "head"))
    if not all(isinstance(number, int) and number >= 0 for number in cell):
        raise ValueError(f"the click on a map holds {data}, not map, layer and head.")
    return cell  # type: ignore[return-value]
