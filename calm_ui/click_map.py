"""A figure of maps whose cells can be clicked: gr.Plot tells Python nothing of a click.

`click_map()` is the component; its browser half, click_map.js, draws with the plotly.js that this page's own server hands out, when
the component first comes into sight. Its value is `drawing(figure)`; listen to its `select` event, read with `clicked`.
"""

import html
from typing import Any

import gradio as gr

from .drawing import drawing_component

_CSS = """
.click-map { width: 100%; }
.click-map[data-pick] .nsewdrag { cursor: pointer; }
"""


# For an event whose inputs are class, layer and head: the maps outline this head from now on.
OUTLINE = """(name, layer, head) => {
  window.calmHead = { name, layer: Number(layer), head: Number(head) };
  window.dispatchEvent(new Event("calm-head"));
}"""


def click_map(*, label: str, elem_id: str, pick: bool = True) -> gr.HTML:
    """label: what a screen reader says of it; the numbers themselves belong in a table beside it. pick: a click chooses a head, and the
    chosen one is outlined; off for a picture that only shares the rule for narrow cells."""
    place = f'<div class="click-map" role="img" aria-label="{html.escape(label)}"{" data-pick" * pick}></div>'
    return drawing_component(html=place, css=_CSS, js="click_map.js", elem_id=elem_id)


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
