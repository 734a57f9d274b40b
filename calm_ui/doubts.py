"""A part of the tab Learn: labels that the other clips contradict, with their sound, and one press to settle each."""

from __future__ import annotations

from typing import Any, Literal

import gradio as gr

from calm_core.errors import CalmError
from calm_core.studio import Doubt

from . import learn_words
from .bench import Bench
from .messages import told, warn
from .page import LIGHT, VIEW, Page
from .session import Current, Desk

Decision = Literal["relabelled", "removed", "confirmed"]


def build_doubts(page: Page, bench: gr.State, demo: gr.Blocks) -> None:
    """Builds the part inside the current context; out of sight while no label is in doubt. bench: a `Bench`, whose open project is told
    of another label for a clip that it has."""
    desk, current = page.desk, page.current
    with gr.Column(visible=False, elem_id="doubts") as part:
        gr.Markdown("### Labels to look at again")
        intro = gr.HTML(elem_id="doubts-intro")
        table = gr.Dataframe(
            headers=learn_words.DOUBT_HEADERS,
            interactive=False,
            wrap=True,
            max_height=260,
            column_widths=["34px", "104px", "92px", "104px", "230px"],
            label="Choose a row to hear it",
            elem_id="doubts-table",
        )
        question = gr.HTML(elem_id="doubts-question")
        player = gr.Audio(label="Listen", interactive=False, buttons=[], elem_id="doubts-player")
        with gr.Row():
            relabel = gr.Button(elem_id="doubts-relabel")
            keep = gr.Button(elem_id="doubts-keep")
            remove = gr.Button("Remove this clip", elem_id="doubts-remove")
    status = gr.HTML(elem_id="doubts-status", elem_classes="calm-progress")
    chosen = gr.State(None)

    def show(desk: Desk, current: Current | None) -> list[Any]:
        doubts = current.doubts(desk.session) if current else ()
        return [
            gr.update(visible=bool(doubts)),
            learn_words.doubts_intro(doubts),
            learn_words.doubt_rows(doubts),
            *(asked(doubts[0]) if doubts else [None, *[gr.skip()] * 4]),
        ]

    def asked(doubt: Doubt) -> list[Any]:
        labels = [gr.update(value=f"It is ‘{doubt.predicted}’"), gr.update(value=f"It is ‘{doubt.given}’, as I said")]
        return [doubt, learn_words.doubt_question(doubt), str(doubt.clip.path), *labels]

    def select(desk: Desk, current: Current, event: gr.SelectData) -> list[Any]:
        return asked(current.doubts(desk.session)[int(event.row_value[0]) - 1])

    def decide(desk: Desk, bench: Bench, current: Current, doubt: Doubt | None, what: Decision) -> tuple[Desk, Any, str]:
        if doubt not in current.doubts(desk.session):  # pressed twice, or settled in the tab Clips
            return desk, gr.skip(), ""
        project, turn = "", bench.turn
        if what == "relabelled":
            desk.relabel([doubt.clip], doubt.predicted)
            try:
                project = bench.correct(doubt.clip.path, doubt.clip.name, doubt.predicted, add=False)
            except CalmError as error:  # the clip has its other label here all the same
                warn(error)
        elif what == "removed":
            desk.remove([doubt.clip])
        else:
            desk.confirm(doubt.clip)
        seen = bench.touched() if bench.turn != turn else gr.skip()
        return desk.touched(), seen, learn_words.decided(what, doubt, len(current.doubts(desk.session)), project)

    detail = [chosen, question, player, relabel, keep]
    gr.on([demo.load, desk.change, current.change], show, [desk, current], [part, intro, table, *detail], **VIEW)
    current.change(lambda: "", None, status, **LIGHT)
    table.select(select, [desk, current], detail, **VIEW)
    for button, what in ((relabel, "relabelled"), (keep, "confirmed"), (remove, "removed")):
        press = told(lambda desk, bench, current, doubt, what=what: decide(desk, bench, current, doubt, what))
        button.click(press, [desk, bench, current, chosen], [desk, bench, status], **LIGHT)
