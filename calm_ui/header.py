"""The top of the page: what this is, which backbone listens, on what device, and what has been used so far."""

from __future__ import annotations

import gradio as gr

from calm_core.backbones import BackboneRow, backbone_row, offered, resolve_device

from . import words
from .page import VIEW, Page
from .session import Desk, Session

SMALL_GB = 2  # what a server without a GPU can hold beside its visitors, and what no visitor minds it downloading

_NAME = """
<div class="calm-name"><h1>CALM Studio</h1>
<p>Teach it sounds: drop a few recordings of each kind, press one button, and it tells new ones apart and shows its reasons.</p></div>
"""


def build_backbone(default: str) -> gr.Dropdown:
    """The name of the page and the choice of the backbone."""
    device = resolve_device()
    with_gpu = "a larger model hears more and is downloaded first"
    larger = "larger ones, which hear more, appear here on a machine with a graphics processor" if device == "cpu" else with_gpu
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            gr.HTML(_NAME, elem_id="calm-name")
        with gr.Column(min_width=300):
            return gr.Dropdown(
                choices=[(_choice(row), row.id) for row in choices(default, device)],
                value=default,
                label="The model that listens (backbone)",
                info=f"Pocket comes with this page and runs anywhere; {larger}.",
                filterable=False,
                elem_id="backbone",
            )


def choices(default: str, device: str) -> tuple[BackboneRow, ...]:
    """The backbones that this server can hold, and `default` in any case."""
    fitting = tuple(row for row in offered() if row.memory_gb <= SMALL_GB or device != "cpu")
    return fitting if default in {row.id for row in fitting} else (*fitting, backbone_row(default))


def build_status(forgets: bool) -> gr.HTML:
    """The line that is always in sight; forgets: projects are deleted some hours after the last step."""
    return gr.HTML(words.status_line(resolve_device(), Session(), forgets), elem_id="status-line")


def follow_status(status: gr.HTML, page: Page, demo: gr.Blocks, forgets: bool) -> None:
    """Keeps the line up to date with the visitor's desk."""

    def show(desk: Desk) -> str:
        return words.status_line(resolve_device(), desk.session, forgets)

    gr.on([demo.load, page.desk.change], show, page.desk, status, **VIEW)


def _choice(row: BackboneRow) -> str:
    memory = f", {row.memory_gb:g} GB of memory" if row.memory_gb else ""
    return f"{row.title}{memory}"
