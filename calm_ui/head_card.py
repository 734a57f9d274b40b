"""The card of one head, in the tab Heads: what it knows, its vote on every clip with the sound, the clips as it hears them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core import figures
from calm_core.inspection import HeadCard, layer_profile

from . import head_words
from .click_map import OUTLINE
from .page import LIGHT, VIEW, Page
from .session import Current

# After a click on a map, which may lie far above: the card comes into sight, and the next Tab goes on from it.
SHOW_CARD = """() => {
  const title = document.querySelector("#head-title");
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
  title.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
}"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The head in question: its class (a name), layer and head (counted from 1), as lists to choose from."""

    class_name: gr.Dropdown
    layer: gr.Dropdown
    head: gr.Dropdown

    @property
    def inputs(self) -> list[gr.Dropdown]:
        return [self.class_name, self.layer, self.head]


def build_head_card(page: Page, demo: gr.Blocks) -> Chosen:
    """Builds the card inside the current context; returns the lists, for the maps to set."""
    gr.Markdown("### One head: click a cell of a map, or choose it here")
    with gr.Row():
        class_name = gr.Dropdown([], label="Class", min_width=160, elem_id="head-class")
        layer = gr.Dropdown([], label="Layer", min_width=120, elem_id="head-layer")
        head = gr.Dropdown([], label="Head", min_width=120, elem_id="head-number")
    chosen = Chosen(class_name, layer, head)
    title = gr.HTML(elem_id="head-title", elem_classes="calm-headline")
    with gr.Column(visible=False, elem_id="head-card") as card:
        with gr.Row():
            with gr.Column(min_width=320):
                gr.Markdown("#### Its reliability for every class, with 95\u202f% intervals")
                reliable = gr.Plot(show_label=False, elem_id="head-reliability")
            with gr.Column(min_width=320):
                gr.Markdown("#### What it takes for what, clip by clip")
                confusion = gr.Plot(show_label=False, elem_id="head-confusion")
        near = gr.HTML(elem_id="head-near")
        with gr.Row():
            with gr.Column(min_width=320):
                votes = gr.Dataframe(
                    headers=head_words.VOTE_HEADERS,
                    interactive=False,
                    wrap=True,
                    max_height=360,
                    column_widths=["40px", "150px", "90px", "130px", "80px", "80px"],
                    label="Its vote on every clip; choose a row to hear it",
                    elem_id="head-votes",
                )
                player = gr.Audio(label="Listen", interactive=False, buttons=["download"], elem_id="head-player")
                gr.HTML(f'<p class="calm-caption">{head_words.VOTES_CAPTION}</p>')
            with gr.Column(min_width=320):
                clips = gr.Plot(show_label=False, elem_id="head-clips")
                gr.HTML(f'<p class="calm-caption">{head_words.MAP_CAPTION}</p>')
    gr.Markdown("### Heads and layers in order")
    with gr.Row():
        ranks = gr.Plot(show_label=False, elem_id="heads-ranks")
        layers = gr.Plot(show_label=False, elem_id="heads-layers")
    gr.HTML(f'<p class="calm-caption">{head_words.PROFILE_CAPTION}</p>')

    def offer(current: Current | None) -> list[Any]:
        """The lists of a new classifier, and its most reliable head to begin with."""
        if current is None:
            return [gr.update(choices=[], value=None)] * 3
        model = current.learned.model
        L, H, C = model.reliability.shape
        best = int(model.reliability.argmax())
        (at, c), names = divmod(best, C), list(model.class_names)
        lists = ((names, names[c]), (list(range(1, L + 1)), at // H + 1), (list(range(1, H + 1)), at % H + 1))
        return [gr.update(choices=choices, value=value) for choices, value in lists]

    def show(current: Current | None, name: str | None, layer: int | None, head: int | None) -> list[Any]:
        if current is None or name not in current.learned.model.class_names or layer is None or head is None:
            return ["", gr.update(visible=False), *[gr.skip()] * 8]
        model, bench, at = current.learned.model, current.learned.bench, (int(layer) - 1, int(head) - 1)
        c = model.class_names.index(name)
        r = model.reliability[:, :, c].numpy()
        orders = [figures.sorted_reliability(r, name, float(model.chance[c])), figures.layer_profile(*layer_profile(r), name)]
        if bench is None:
            return [head_words.head_title_without_clips(model, *at, name), gr.update(visible=False), *[gr.skip()] * 6, *orders]
        found, names = bench.card(*at), [clip.name for clip in current.learned.clips]
        return [head_words.head_title(found, name), gr.update(visible=True), *_pictures(found, name, names), None, *orders]

    def listen(current: Current, event: gr.SelectData) -> Any:
        path = current.learned.clips[int(event.row_value[0]) - 1].path
        return gr.update(value=str(path) if Path(path).is_file() else None)

    # One after the other: the lists must offer what is chosen before anybody reads it.
    offered = gr.on([demo.load, page.current.change], offer, page.current, chosen.inputs, **VIEW)
    shown = [title, card, reliable, confusion, near, votes, clips, player, ranks, layers]
    offered.then(show, [page.current, *chosen.inputs], shown, **LIGHT)
    changed = [each.change for each in chosen.inputs]
    gr.on(changed, show, [page.current, *chosen.inputs], shown, **VIEW)
    gr.on(changed, None, chosen.inputs, None, js=OUTLINE)
    votes.select(listen, page.current, player, **LIGHT)
    return chosen


def _pictures(card: HeadCard, name: str, clips: Sequence[str]) -> list[Any]:
    """Reliability, confusion, nearest clips, votes and map of a card."""
    c = card.class_names.index(name)
    return [
        figures.head_reliability(card.class_names, card.reliability, card.low, card.high, c),
        figures.confusion_matrix(card.confusion, card.class_names),
        head_words.extremes(card, name, clips),
        head_words.vote_rows(card, name, clips),
        figures.clip_map(card.map, card.explained, card.truth.tolist(), card.class_names, clips),
    ]
