"""The tab Clips: the ways in, the classes, the preflight table, and a look at one clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core.audio import AUDIO_SUFFIXES
from calm_core.dataset import ClipCheck, Dataset
from calm_core.errors import CalmError
from calm_core.tables import TABLE_SUFFIXES

from . import clip_words, intake, learn_words, words
from .classes import build_classes, find, keyed, picked
from .folder_drop import FORGET_DROP, folder_drop
from .jobs import Cancel, Job, Progress
from .messages import told
from .page import AT_ONCE, AUDIO_TYPES, LIGHT, TO_THE_TOP, VIEW, Page, picture
from .session import KEEP_HOURS, Desk

INTO_VIEW = "() => document.querySelector('#clips-chosen')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' })"


def build_clips(page: Page, demo: gr.Blocks) -> gr.Button:
    """Builds the tab inside the current context; returns the button that starts over, for other tabs to listen to."""
    desk = page.desk
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown("### Class folders")
            folders = folder_drop(suffixes=sorted(AUDIO_SUFFIXES | TABLE_SUFFIXES), elem_id="clips-folder")
        with gr.Column(min_width=320):
            gr.Markdown("### ZIP of class folders, or clips with a table")
            files = gr.File(
                label="ZIP, or clips + CSV (file_name,label)",
                file_count="multiple",
                file_types=[".zip", *sorted(TABLE_SUFFIXES), *AUDIO_TYPES],
                height=150,
                elem_id="clips-zip",
            )
    with gr.Accordion("One class at a time: choose files or record", open=False, elem_id="clips-one"), gr.Row():
        with gr.Column(min_width=280):
            name = gr.Dropdown(
                [], value=None, allow_custom_value=True, label="Class", info="Type a new name or choose one.", elem_id="clips-class-name"
            )
            one = gr.File(
                label="Clips of this class", file_count="multiple", file_types=AUDIO_TYPES, height=150, elem_id="clips-class-files"
            )
        with gr.Column(min_width=280):
            microphone = gr.Audio(sources=["microphone"], type="filepath", label="Or record one", elem_id="clips-microphone")
            add_one = gr.Button("Add to this class", elem_id="clips-class-add")
    with gr.Row():
        example = gr.Button("Load the example clips", elem_id="clips-example")
        undo = gr.Button("Undo", visible=False, elem_id="clips-undo")
        clear = gr.Button("Start over", visible=False, elem_id="clips-clear")
        go_on = gr.Button("Go on to Learn", variant="primary", visible=False, elem_id="clips-next")
    status = gr.HTML(elem_id="clips-progress", elem_classes="calm-progress")
    tiles = build_classes(page, status, undo, demo)
    with gr.Column(visible=False, elem_id="clips-chosen") as detail:
        title = gr.HTML(elem_id="clips-chosen-title")
        with gr.Row():
            with gr.Column(min_width=320):
                player = gr.Audio(label="Listen", interactive=False, buttons=["download"], elem_id="clips-player")
            with gr.Column(min_width=320):
                spectrum = gr.Plot(show_label=False, elem_id="clips-spectrogram")
        with gr.Row():
            exclude = gr.Button(size="sm", elem_id="clips-exclude")
            remove = gr.Button("Remove this clip", size="sm", elem_id="clips-remove")
    hints = gr.HTML(elem_id="clips-advice")
    table = gr.Dataframe(
        headers=clip_words.CLIP_HEADERS,
        interactive=False,
        visible=False,
        wrap=True,
        max_height=420,
        column_widths=["52px", "200px", "120px", "170px", "85px", "95px", "90px", "410px"],
        label="Every clip, checked",
        show_search="search",
        elem_id="clips-table",
    )
    with gr.Accordion("Ignored files", open=False, visible=False, elem_id="clips-ignored") as ignored:
        ignored_table = gr.Dataframe(headers=["file", "why"], interactive=False, wrap=True, max_height=300, show_label=False)
    chosen = gr.State("")  # a clip's key

    def adding(desk: Desk, read: Callable[[Path], Dataset], paths: Sequence[Path] = ()) -> Iterator[tuple[Any, str]]:
        before = desk.session.workspace
        yield gr.skip(), words.progress("reading the files …")
        try:

            def work(progress: Progress, _: Cancel) -> Desk:
                return desk.add(read, lambda old, new: page.studio.add(old, new, progress=progress), intake.bytes_needed(paths))

            with Job(work) as job:
                for step in job:
                    desk.seen()
                    yield gr.skip(), words.progress(words.checking_text(step))
                yield job.result().touched(), words.progress(clip_words.added(before, desk.session.workspace, desk.session.repeated))
        except CalmError as error:
            yield gr.skip(), learn_words.ended(error)
            raise

    @told
    def add_folders(desk: Desk, value: Any) -> Iterator[tuple[Any, str]]:
        yield from adding(desk, lambda into: intake.from_folders(value, into))

    @told
    def add_files(desk: Desk, paths: list[str]) -> Iterator[tuple[Any, str]]:
        given = [Path(path) for path in paths]
        yield from adding(desk, lambda into: intake.from_files(given, into), given)

    @told
    def add_class(desk: Desk, label: str | None, paths: list[str] | None, recording: str | None) -> Iterator[tuple[Any, str]]:
        given, recorded = [Path(path) for path in paths or []], Path(recording) if recording else None
        yield from adding(desk, lambda into: intake.from_class(label, given, recorded, into), given)

    @told
    def add_example(desk: Desk) -> Iterator[tuple[Any, str]]:
        yield from adding(desk, lambda _: intake.from_examples())

    def show(desk: Desk, key: str) -> list[Any]:
        workspace, looked_at = desk.session.workspace, find(desk, key)
        some = bool(workspace.checks)
        return [
            words.bullets(workspace.advice, "info" if workspace.can_learn else "warning"),
            gr.update(value=clip_words.clip_rows(workspace), visible=some),
            gr.update(label=f"Ignored files ({len(workspace.ignored)})", visible=bool(workspace.ignored)),
            [list(entry) for entry in workspace.ignored],
            gr.update(choices=list(workspace.class_counts)),
            gr.update(visible=not some),  # beside clips of one's own they would only be in the way
            gr.update(visible=some or bool(workspace.ignored)),
            gr.update(visible=workspace.can_learn),
            *([gr.skip(), *about(looked_at)] if looked_at else [gr.update(visible=False), gr.skip(), gr.skip()]),
        ]

    def select(desk: Desk, event: gr.SelectData) -> list[Any]:
        return look(desk.session.workspace.checks[int(event.row_value[0]) - 1])

    @told
    def pick(desk: Desk, event: gr.EventData) -> list[Any]:
        return look(picked(desk, event))

    def about(check: ClipCheck) -> list[str]:
        return [clip_words.clip_title(check), clip_words.exclusion(check.clip.excluded)]

    def look(check: ClipCheck) -> list[Any]:
        title = [clip_words.clip_key(check.clip), gr.update(visible=True), *about(check)]
        if check.content_id is None:
            return [*title, gr.update(visible=False), gr.update(visible=False)]
        sound, drawing = str(check.clip.path), picture(check.clip.path)
        return [*title, gr.update(value=sound, visible=True), gr.update(value=drawing, visible=True)]

    @told
    def remove_clip(desk: Desk, key: str) -> tuple[Desk, str]:
        clip = keyed(desk, key).clip
        return desk.remove([clip]).touched(), words.progress(f"Removed {clip.name}.")

    @told
    def exclude_clip(desk: Desk, key: str) -> tuple[Desk, str]:
        clip = keyed(desk, key).clip
        text = f"{clip.name} is taken back into learning." if clip.excluded else f"{clip.name} is left out of learning; its label is kept."
        return desk.exclude([clip], not clip.excluded).touched(), words.progress(text)

    def start_over(desk: Desk) -> tuple[Desk, str, None]:
        text = f"Your clips and answers are removed; temporary copies of what was uploaded are deleted within {KEEP_HOURS} hours."
        return desk.clear().touched(), words.progress(text), None

    def leave(event: gr.SelectData) -> Any:
        return gr.skip() if event.value == "Clips" else ""  # read by now; what is done elsewhere would make it stale

    outputs = [desk, status]
    # "multiple": what is dropped while something else is being checked waits for its turn; Gradio would leave it out without a word.
    folders.upload(add_folders, [desk, folders], outputs, trigger_mode="multiple", **LIGHT)
    files.upload(add_files, [desk, files], outputs, trigger_mode="multiple", **LIGHT)
    example.click(add_example, [desk], outputs, **LIGHT)
    added = add_one.click(add_class, [desk, name, one, microphone], outputs, **LIGHT)
    files.upload(lambda: None, None, files, **AT_ONCE)  # free for the next one while this one is checked
    added.success(lambda: (None, None), None, [one, microphone], **AT_ONCE)
    shown = [hints, table, ignored, ignored_table, name, example, clear, go_on, detail, title, exclude]
    gr.on([demo.load, desk.change], show, [desk, chosen], shown, **VIEW)
    looked = [chosen, detail, title, exclude, player, spectrum]
    for seen in (table.select(select, desk, looked, **VIEW), tiles.select(pick, desk, looked, **VIEW)):
        seen.then(None, js=INTO_VIEW)
    remove.click(remove_clip, [desk, chosen], outputs, **LIGHT)
    exclude.click(exclude_clip, [desk, chosen], outputs, **LIGHT)
    clear.click(start_over, desk, [*outputs, page.answers], **LIGHT)
    clear.click(lambda: (None, None), None, [one, microphone], js=FORGET_DROP, **AT_ONCE)
    opened = go_on.click(lambda: (gr.update(selected="learn"), ""), None, [page.tabs, status], **AT_ONCE)
    opened.then(None, js=TO_THE_TOP)
    page.tabs.select(leave, None, status, **AT_ONCE)
    return clear
