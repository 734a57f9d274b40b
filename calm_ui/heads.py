"""The tab Heads: which attention heads can be relied on for which class, what each of them knows, and what if some were off."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from calm_core import figures
from calm_core.classifier import CalmClassifier
from calm_core.inspection import class_similarity

from . import head_words
from .click_map import click_map, clicked, drawing
from .head_card import SHOW_CARD, Chosen, build_head_card
from .page import AT_ONCE, VIEW, Figure, Page
from .session import Current
from .what_if import build_what_if

MAPS_AT_FIRST = 12  # classes shown before anybody chooses
FILTER_FROM = 5  # classes from which on the filter is worth its place


def build_heads(page: Page, demo: gr.Blocks) -> None:
    """Builds the tab inside the current context."""
    model = gr.HTML(elem_id="heads-model")
    caption = gr.HTML(head_words.heads_caption(None), elem_id="heads-caption")
    shown = gr.Dropdown([], multiselect=True, label="Classes shown", visible=False, elem_id="heads-classes")
    maps = click_map(
        label="One map of layers and heads for each class; the table of the most reliable heads says the same.", elem_id="heads-maps"
    )
    with gr.Accordion("The most reliable heads as a table", open=False, elem_id="heads-table-box"):
        table = gr.Dataframe(headers=head_words.HEAD_HEADERS, interactive=False, max_height=420, show_label=False, elem_id="heads-table")
        link = gr.HTML(elem_id="heads-csv")
    chosen = build_head_card(page, demo)
    build_what_if(page, chosen, demo)
    _build_compare(page, chosen, demo)

    def show(current: Current | None) -> list[Any]:
        if current is None:
            nothing = drawing(figures.reliability_maps(None, []))
            return [head_words.which_heads(None), head_words.heads_caption(None), gr.update(visible=False), nothing, [], ""]
        names = current.learned.model.class_names
        first = list(names[:MAPS_AT_FIRST])
        choice = gr.update(choices=list(names), value=first, visible=len(names) >= FILTER_FROM)
        return [head_words.which_heads(current), head_words.heads_caption(current), choice, *_of_classes(current.learned.model, first)]

    def narrow(current: Current | None, classes: list[str]) -> list[Any]:
        return [gr.skip()] * 3 if current is None else list(_of_classes(current.learned.model, classes))

    def open_head(current: Current, classes: list[str], event: gr.EventData) -> list[Any]:
        at, layer, head = clicked(event)
        names = [name for name in current.learned.model.class_names if name in classes]
        return [names[at], layer + 1, head + 1]

    gr.on([demo.load, page.current.change], show, page.current, [model, caption, shown, maps, table, link], **VIEW)
    shown.input(narrow, [page.current, shown], [maps, table, link], **VIEW)
    maps.select(open_head, [page.current, shown], chosen.inputs, **AT_ONCE).then(None, js=SHOW_CARD)


def _build_compare(page: Page, chosen: Chosen, demo: gr.Blocks) -> None:
    gr.Markdown("### Classes beside each other")
    with gr.Row():
        first = gr.Dropdown([], label="First class", min_width=160, elem_id="heads-first")
        second = gr.Dropdown([], label="Second class", min_width=160, elem_id="heads-second")
    with gr.Row():
        with gr.Column(min_width=320):
            difference = click_map(label="Difference of two classes' maps.", elem_id="heads-difference")
        with gr.Column(min_width=320):
            similarity = gr.Plot(show_label=False, elem_id="heads-similarity")
    gr.HTML(f'<p class="calm-caption">{head_words.COMPARE_CAPTION}</p>')

    def offer(current: Current | None) -> list[Any]:
        if current is None:
            return [gr.update(choices=[], value=None)] * 2 + [
                drawing(figures.difference_map(None, [], 0, 1)),
                figures.class_similarity(None, [], []),
            ]
        model, names = current.learned.model, list(current.learned.model.class_names)
        found, order = class_similarity(model.weights.numpy())
        lists = [gr.update(choices=names, value=names[i]) for i in (0, 1)]
        return [*lists, compare(current, *names[:2]), figures.class_similarity(found, names, order)]

    def compare(current: Current | None, one: str | None, other: str | None) -> Any:
        names = current.learned.model.class_names if current else ()
        if current is None or one not in names or other not in names:
            return gr.skip()
        return drawing(figures.difference_map(current.learned.model.reliability, names, names.index(one), names.index(other)))

    def open_head(one: str, event: gr.EventData) -> list[Any]:
        _, layer, head = clicked(event)
        return [one, layer + 1, head + 1]

    gr.on([demo.load, page.current.change], offer, page.current, [first, second, difference, similarity], **VIEW)
    gr.on([first.input, second.input], compare, [page.current, first, second], difference, **VIEW)
    difference.select(open_head, first, chosen.inputs, **AT_ONCE).then(None, js=SHOW_CARD)


def _of_classes(model: CalmClassifier, classes: list[str]) -> tuple[str, pd.DataFrame, str]:
    """Maps, table, and the table as a file, of some classes in the model's order."""
    at = [i for i, name in enumerate(model.class_names) if name in classes]
    if not at:
        return (
            drawing(figures.empty("Choose at least one class above to see its heads.")),
            pd.DataFrame(columns=head_words.HEAD_HEADERS),
            "",
        )
    names, reliability = [model.class_names[i] for i in at], model.reliability[:, :, at]
    above = model.above_chance[:, :, at] if np.isfinite(model.chance).all() else None
    maps: Figure = figures.reliability_maps(reliability, names, judged=model.judged[at], above=above)
    table = figures.reliability_table(reliability, model.weights[:, :, at], names, above=above)
    return drawing(maps), table, head_words.csv_link(table, "reliable heads.csv")
