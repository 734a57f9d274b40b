"""What if some heads were off: accuracy and present answers at once, and the curve of dropping ever more. In the tab Heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from calm_core import figures
from calm_core.errors import DataError

from . import head_words, words
from .head_card import Chosen
from .jobs import Job
from .messages import told
from .page import AT_ONCE, VIEW, Page
from .session import Answers, Current

ANSWERS_SHOWN = 50
TAUS = (0.01, 0.5)


def build_what_if(page: Page, chosen: Chosen, demo: gr.Blocks) -> None:
    """Builds the switches inside the current context; chosen: the head that the button switches off."""
    gr.Markdown("### What if?")
    gr.HTML(f'<p class="calm-caption">{head_words.WHAT_IF_CAPTION}</p>')
    with gr.Row():
        switch = gr.Button("Switch the head above off or on", elem_id="if-switch")
        reset = gr.Button("All on again", elem_id="if-reset")
    with gr.Row():
        heads = gr.Dropdown([], multiselect=True, label="Heads that are off", min_width=260, elem_id="if-heads")
        layers = gr.Dropdown([], multiselect=True, label="Layers that are off", min_width=260, elem_id="if-layers")
    with gr.Row():
        top_k = gr.Slider(1, 2, value=2, step=1, label="Heads that vote for each class, at most", min_width=260, elem_id="if-top-k")
        tau = gr.Slider(*TAUS, value=0.07, step=0.01, label="Sharpness τ of a head's vote", min_width=260, elem_id="if-tau")
    status = gr.HTML(elem_id="if-progress", elem_classes="calm-progress")
    result = gr.HTML(elem_id="if-result")
    answers = gr.Dataframe(
        headers=head_words.WHAT_IF_HEADERS,
        interactive=False,
        wrap=True,
        visible=False,
        max_height=260,
        label="Present answers",
        elem_id="if-answers",
    )
    ablate = gr.Button("Draw the curve of dropping heads", elem_id="if-ablate")
    curve = gr.Plot(figures.ablation_curve(None, None, None, None, 0.5), show_label=False, elem_id="if-curve")
    told_curve = gr.HTML(words.caption(head_words.ABLATION_CAPTION), elem_id="if-curve-text")

    def offer(current: Current | None) -> list[Any]:
        """Everything on, for a new classifier."""
        bench = current.learned.bench if current else None
        if current is None or bench is None:
            off = [gr.update(value=[], interactive=False)] * 2 + [gr.update(visible=False)] * 2 + [gr.update(interactive=False)] * 3
            return [*off, words.notice(head_words.NO_CLIPS) if current else "", gr.update(visible=False), *_no_curve()]
        L, H, _ = current.learned.model.weights.shape
        options = current.learned.model.options
        names = [(head_words.head_name(i // H, i % H), i) for i in range(L * H)]
        lists = [gr.update(choices=names, value=[], interactive=True), gr.update(choices=list(range(1, L + 1)), value=[], interactive=True)]
        sliders = [gr.update(maximum=L * H, value=options.top_k or L * H, visible=True), gr.update(value=options.tau, visible=True)]
        return [*lists, *sliders, *[gr.update(interactive=True)] * 3, "", gr.update(visible=False), *_no_curve()]

    def toggle(current: Current, off: list[int], layer: int, head: int) -> list[int]:
        number = (int(layer) - 1) * current.learned.model.weights.shape[1] + int(head) - 1
        return [i for i in off if i != number] if number in off else [*off, number]

    @told
    def vote(current: Current | None, given: Answers | None, off: list[int], layers: list[int], k: int, tau: float) -> Iterator[list[Any]]:
        bench = current.learned.bench if current else None
        if current is None or bench is None:
            yield [gr.skip()] * 3  # a generator that ends without a word would empty them
            return
        options = current.learned.model.options
        total = current.learned.model.weights[:, :, 0].numel()
        # The slider's steps are coarser than a chosen tau may be: left where it was, it stands for the model's own.
        options = replace(options, top_k=None if k >= total else int(k), tau=options.tau if abs(tau - options.tau) < 0.005 else tau)
        on = _mask(current, off, layers)
        with Job(lambda progress, _: bench.with_heads(on, options, progress)) as job:
            for step in job:  # only another sharpness takes long enough for one
                yield [words.progress(words.step_text(step)), gr.skip(), gr.skip()]
            model = job.result()
        rows = [row for row in given.rows if row.heads is not None][:ANSWERS_SHOWN] if given and given.by is current else []
        asked = [(row, row.heads) for row in rows if row.heads is not None and row.heads.holds(model.layers)]
        table = head_words.what_if_rows([row for row, _ in asked], [model.predict(heads) for _, heads in asked])
        accuracy = replace(current.learned, model=model).accuracy
        said = head_words.what_if(model, current.learned, int(on.sum()), accuracy) + head_words.too_shallow(rows, model)
        yield ["", said, gr.update(value=table, visible=bool(table))]

    @told
    def ablation(current: Current) -> list[Any]:
        if (bench := current.learned.bench) is None:
            raise DataError(head_words.NO_CLIPS)
        found, chance = bench.ablation(), 1 / len(current.learned.model.class_names)
        curve = figures.ablation_curve(found.kept, found.best_first, found.worst_first, found.random, chance)
        return [curve, words.caption(f"{head_words.dropped(found)} {head_words.ABLATION_CAPTION}")]

    everything = [heads, layers, top_k, tau, switch, reset, ablate, result, answers, curve, told_curve]
    gr.on([demo.load, page.current.change, reset.click], offer, page.current, everything, **VIEW)
    switch.click(toggle, [page.current, heads, chosen.layer, chosen.head], heads, **AT_ONCE)
    inputs = [page.current, page.answers, heads, layers, top_k, tau]
    gr.on([heads.change, layers.input, top_k.release, tau.release, page.answers.change], vote, inputs, [status, result, answers], **VIEW)
    ablate.click(ablation, page.current, [curve, told_curve], **VIEW)


def _mask(current: Current, off: list[int], layers: list[int]) -> Any:
    L, H, _ = current.learned.model.weights.shape
    on = np.ones((L, H), dtype=bool)
    on[[int(layer) - 1 for layer in layers]] = False
    on.ravel()[[int(number) for number in off]] = False
    return on


def _no_curve() -> list[Any]:
    return [figures.ablation_curve(None, None, None, None, 0.5), words.caption(head_words.ABLATION_CAPTION)]
