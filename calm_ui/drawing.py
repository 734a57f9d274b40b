"""What click_map and sound_map share: an HTML component that draws a figure with the plotly.js that this page's own server hands out."""

import json
from pathlib import Path

import gradio as gr

from calm_core import figures

_HERE = Path(__file__).parent


def drawing_component(*, html: str, css: str, js: str, elem_id: str) -> gr.HTML:
    """A gr.HTML whose browser half is drawing.js and then the file `js` beside it."""
    # Where plotly.js lies stands in the script, for a component in a place that is hidden at first never sees its props.
    where = f"const SCRIPT_PATH = {json.dumps(f'/gradio_api/file={figures.SCRIPT}')};\n"
    scripts = [(_HERE / name).read_text(encoding="utf-8") for name in ("drawing.js", js)]
    return gr.HTML(html_template=html, css_template=css, js_on_load="".join([where, *scripts]), apply_default_css=False, elem_id=elem_id)
