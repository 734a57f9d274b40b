"""The tab Heads: which attention heads can be relied on for which class."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from calm_core import figures
from calm_core.classifier import CalmClassifier

from . import words
from .page import VIEW, Figure, Page
from .session import Current

MAPS_AT_FIRST = 12  # classes shown before anybody chooses
FILTER_FROM = 5  # classes from which on the filter is worth its place


def build_heads(page: Page, demo: gr.Blocks) -> None:
    """Builds the tab inside the current context."""
    model = gr.HTML(elem_id="heads-model")
    caption = gr.HTML(words.heads_caption(None), elem_id="heads-caption")
    chosen = gr.Dropdown([], multiselect=True, label="Classes shown", visible=False, elem_id="heads-classes")
    maps = gr.Plot(show_label=False, elem_id="heads-maps")
    with gr.Accordion("The most reliable heads as a table", open=True, elem_id="heads-table-box"):
        table = gr.Dataframe(headers=words.HEAD_HEADERS, interactive=False, max_height=420, show_label=False, elem_id="heads-table")

    def show(current: Current | None) -> list[Any]:
        if current is None:
            return [words.which_heads(None), words.heads_caption(None), gr.update(visible=False), figures.reliability_maps(None, []), []]
        names = current.learned.model.class_names
        first = list(names[:MAPS_AT_FIRST])
        choice = gr.update(choices=list(names), value=first, visible=len(names) >= FILTER_FROM)
        return [words.which_heads(current), words.heads_caption(current), choice, *_of_classes(current.learned.model, first)]

    def narrow(current: Current | None, classes: list[str]) -> list[Any]:
        return [gr.skip(), gr.skip()] if current is None else list(_of_classes(current.learned.model, classes))

    gr.on([demo.load, page.current.change], show, page.current, [model, caption, chosen, maps, table], **VIEW)
    chosen.input(narrow, [page.current, chosen], [maps, table], **VIEW)


def _of_classes(model: CalmClassifier, classes: list[str]) -> tuple[Figure, pd.DataFrame]:
    """Maps and table of some classes, in the model's order."""
    at = [i for i, name in enumerate(model.class_names) if name in classes]
    if not at:
        return figures.empty("Choose at least one class above to see its heads."), pd.DataFrame(columns=words.HEAD_HEADERS)
    names, reliability = [model.class_names[i] for i in at], model.reliability[:, :, at]
    above = model.above_chance[:, :, at] if np.isfinite(model.chance).all() else None
    maps = figures.reliability_maps(reliability, names, judged=model.judged[at], above=above)
    return maps, figures.reliability_table(reliability, model.weights[:, :, at], names, above=above)
