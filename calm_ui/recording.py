"""A long recording over time, in the tab Predict: class curves, events above a confidence, labels for Audacity and Raven."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from calm_core import export, figures
from calm_core.errors import BundleError, DataError
from calm_core.timeline import CONFIDENCE, Timeline, timeline

from . import head_words, predict_words, words
from .jobs import Cancel, Progress
from .messages import told
from .page import AT_ONCE, AUDIO_TYPES, COMPUTE, VIEW, Page, computing
from .session import KEEP_HOURS, Current, Desk
from .sound_map import sound_map, sounding

HEADERS = ["from (s)", "to (s)", "class", "confidence"]
TOP_HZ = 8000.0  # of the labels' band in Raven: what backbones hear

NOTHING = "Choose a long recording, and its classes over time show here."

Heard = tuple[Path, Timeline]  # the recording, and what was heard


def build_recording(page: Page) -> None:
    """Builds the panel inside the current context."""
    with gr.Accordion("A long recording, over time", open=False, elem_id="recording"):
        with gr.Row():
            file = gr.File(label="Recording of up to an hour", file_types=AUDIO_TYPES, height=150, elem_id="recording-file")
            with gr.Column(min_width=280):
                sure = gr.Slider(
                    30, 99, round(100 * CONFIDENCE), step=1, label="An event has at least this confidence (%)", elem_id="recording-sure"
                )
                unlike = gr.Checkbox(
                    False, label="Also what is unlike all classes", info="“None of these” by the rule of 90 %.", elem_id="recording-unlike"
                )
                with gr.Row():
                    button = gr.Button("Find events", variant="primary", elem_id="recording-button")
                    cancel = gr.Button("Cancel", elem_id="recording-cancel")
        status = gr.HTML(elem_id="recording-progress", elem_classes="calm-progress")
        nothing = gr.HTML(words.notice(NOTHING, "empty"))
        with gr.Column(visible=False) as result:
            curves = sound_map(label=head_words.SOUND_LABEL, elem_id="recording-curves")
            gr.HTML(words.caption(head_words.SOUND_CAPTION))
            note = gr.HTML(elem_id="recording-note")
            table = gr.Dataframe(headers=HEADERS, interactive=False, max_height=300, label="Events", elem_id="recording-events")
            links = gr.HTML(elem_id="recording-links")
    heard = gr.State(None, time_to_live=KEEP_HOURS * 3600)

    def announce(desk: Desk) -> list[Any]:
        desk.jobs.announce()  # else a Cancel pressed while nothing ran would stop this job
        return [gr.update(interactive=False), words.progress("waiting for its turn …")]

    @told
    def hear(desk: Desk, current: Current | None, backbone: str, path: str | None) -> Iterator[tuple[Any, Any, str]]:
        def work(progress: Progress, cancelled: Cancel) -> Heard:
            if path is None:
                raise DataError("there is no recording yet: choose one first.")
            if current is None:
                raise DataError("there is no classifier yet: learn from clips in the tab Learn, or open a saved one there.")
            if why := words.wrong_backbone(current, backbone):
                raise BundleError(why)
            listener = page.studio.backbone(backbone)
            return Path(path), timeline(current.learned.model, Path(path), listener, progress=progress, cancelled=cancelled)

        yield from computing(desk, work)

    def show(heard: Heard | None, percent: float, unlike: bool) -> list[Any]:
        if heard is None:
            return [gr.skip()] * 6
        (path, line), confidence = heard, percent / 100
        events = line.events(confidence, unlike=unlike)
        chart = figures.class_curves(line.edges_s(), line.probabilities, line.class_names, confidence, ~line.fits)
        said = words.caption(predict_words.unlike_windows(line.unlike(confidence), confidence, unlike))
        rows = [[f"{e.start_s:.2f}", f"{e.end_s:.2f}", e.label, words.percent(e.confidence)] for e in events]
        regions = [export.Region(e.start_s, e.end_s, e.label, path.name) for e in events]
        raven = export.raven_table(regions, TOP_HZ, [e.confidence for e in events]).to_csv(sep="\t", index=False)
        links = _link("Audacity labels", f"{path.stem}.txt", export.audacity_track(regions)) + _link(
            "Raven table", f"{path.stem}.tsv", raven
        )
        return [gr.update(visible=False), gr.update(visible=True), sounding(chart, path), said, rows, links]

    asked = button.click(announce, page.desk, [button, status], **AT_ONCE)
    run = asked.then(hear, [page.desk, page.current, page.backbone, file], [page.desk, heard, status], **COMPUTE)
    run.then(lambda: gr.update(interactive=True), None, button, **AT_ONCE)
    cancel.click(lambda desk: desk.jobs.cancel(), page.desk, None, **AT_ONCE)
    shown = [nothing, result, curves, note, table, links]
    gr.on([heard.change, sure.release, unlike.change], show, [heard, sure, unlike], shown, **VIEW)


def _link(title: str, name: str, text: str) -> str:
    """A link that saves a text, made in the page itself: no file is written for it."""
    return f'<a class="calm-link" download="{words.esc(name)}" href="data:text/plain;charset=utf-8,{quote(text)}">Save {title}</a> '
