"""The tab Review: a pool of clips without labels, one at a time, with a suggestion that learns from every answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core import figures
from calm_core.active import Order
from calm_core.audio import AUDIO_SUFFIXES
from calm_core.confidence import Proportion
from calm_core.errors import DataError
from calm_core.labelling import Answered, Source
from calm_core.library.shelf import delete_project, project_info

from . import review_words, words
from .bench import ACTS, Bench
from .exporting import MadeAt, build_exporting
from .folder_drop import folder_drop
from .learn import LearnTab
from .messages import told
from .page import AT_ONCE, AUDIO_TYPES, COMPUTE, LIGHT, VIEW, Figure, Page, picture, stop
from .review_jobs import WINDOW_S, ReviewJobs
from .session import Desk

_KEYS_JS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
# The project's link goes into the address bar, so that loading the page again, or a bookmark, comes back to it.
REMEMBER_LINK = """(link) => {
  const id = /data-project="([^"]*)"/.exec(link)?.[1];
  const url = new URL(location.href);
  id ? url.searchParams.set('project', id) : url.searchParams.delete('project');
  history.replaceState(null, '', url);
  return [];
}"""
# The clip that the page shows as the class is named, as for the keys: by now the server may be at another one.
CLIP_ON_PAGE = """(bench, label) => {
  return [bench, label, Number(document.querySelector('#review-answers .calm-answering')?.dataset.clip) || null];
}"""

# From a table further down to the clip that its row opens.
TO_THE_CLIP = "() => document.querySelector('#review-head').scrollIntoView({block: 'start'})"


def build_review(page: Page, bench: gr.State, tab: LearnTab, demo: gr.Blocks) -> None:
    """Builds the tab inside the current context; bench: a `Bench`."""
    desk, jobs = page.desk, ReviewJobs(page, tab)
    with gr.Column(elem_id="review-start") as start:
        gr.HTML(words.notice(review_words.REVIEW_INTRO), elem_id="review-intro")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                name = gr.Textbox("My sounds", label="New project", max_lines=1, elem_id="review-name")
                begins = gr.Checkbox(True, label="Begin with my clips", container=False, elem_id="review-begins")
                empty = gr.HTML(elem_id="review-empty")
                create = gr.Button("Start this project", variant="primary", elem_id="review-create")
            with gr.Column(min_width=300) as known:
                listed = gr.Dropdown([], label="Go on with a project", elem_id="review-projects")
                with gr.Row():
                    reopen = gr.Button("Open it", elem_id="review-open")
                    delete_listed = gr.Button("Delete it …", elem_id="review-delete-listed")
            with gr.Column(min_width=300):
                returned = gr.File(label="Or bring back a project ZIP", file_types=[".zip"], height=130, elem_id="review-returned")
        kept = gr.HTML(elem_id="review-kept")
    with gr.Row():
        status = gr.HTML(elem_id="review-progress", elem_classes="calm-progress")
        cancel = gr.Button("Cancel", visible=False, size="sm", scale=0, elem_id="review-cancel")
    with gr.Column(visible=False, elem_id="review-bench") as work:
        line = gr.HTML(elem_id="review-line")
        with gr.Row(visible=False, elem_id="review-other-backbone") as other:
            differs = gr.HTML(elem_id="review-differs", min_width=300)
            relisten = gr.Button(min_width=200, scale=0, elem_id="review-relisten")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                head = gr.HTML(elem_id="review-head")
                player = gr.Audio(label="Listen", interactive=False, buttons=[], elem_id="review-player")
                answers = gr.HTML(elem_id="review-answers")
                with gr.Row(equal_height=False):
                    new_class = gr.Textbox(
                        label="It is another class",
                        placeholder="name it, then press Enter",
                        max_lines=1,
                        min_width=200,
                        elem_id="review-new-class",
                    )
                    on_page = gr.Number(None, precision=0, visible=False)  # filled by CLIP_ON_PAGE
                    order = gr.Dropdown(
                        review_words.ORDER_CHOICES,
                        value=Bench(Path(), Path()).order,
                        label="Order",
                        filterable=False,
                        min_width=200,
                        elem_id="review-order",
                    )
            with gr.Column(min_width=320):
                spectrum = gr.Plot(show_label=False, elem_id="review-spectrogram")
                keys = gr.HTML(review_words.KEYS, js_on_load=_KEYS_JS, apply_default_css=False, elem_id="review-keys")
        with gr.Accordion("Accept all suggestions above a confidence", open=False, elem_id="review-accept-box"):
            source = gr.Radio(review_words.SOURCE_CHOICES, value="classifier", label="Whose suggestions", elem_id="review-source")
            with gr.Column(visible=False, elem_id="review-asking") as asking:
                gr.HTML(words.caption(review_words.ASKING))
                with gr.Row(equal_height=False):
                    listen_for = gr.Textbox(
                        label="More classes to listen for",
                        placeholder="rain, dog bark",
                        info="Separated by commas; then press Enter.",
                        max_lines=1,
                        min_width=280,
                        elem_id="review-listen-for",
                    )
                    ask = gr.Button(min_width=280, elem_id="review-ask")
            confidence = gr.Slider(50, 100, 90, step=1, label=review_words.AT_LEAST["classifier"], elem_id="review-confidence")
            preview = gr.HTML(elem_id="review-preview")
            accept = gr.Button("Accept them", interactive=False, elem_id="review-accept")
        with gr.Column(visible=False, elem_id="review-machine") as machine:
            gr.Markdown("### Machine-made labels, to be confirmed")
            made = gr.Dataframe(
                headers=review_words.MACHINE_HEADERS,
                interactive=False,
                wrap=True,
                max_height=260,
                column_widths=["52px", "150px", "92px", "104px"],
                label="The least sure first; choose a row to hear it",
                elem_id="review-machine-table",
            )
            confirm = gr.Button("Confirm them", elem_id="review-confirm")
        with gr.Accordion("Look at an answer again", open=False, elem_id="review-again-box"):
            kind = gr.Dropdown(
                review_words.ANSWERED_CHOICES, value="uncertain", label="Clips", filterable=False, elem_id="review-again-kind"
            )
            again_note = gr.HTML(elem_id="review-again-note")
            again = gr.Dataframe(
                headers=review_words.ANSWERED_HEADERS,
                interactive=False,
                wrap=True,
                max_height=260,
                column_widths=["48px", "120px", "96px", "190px"],
                show_label=False,
                elem_id="review-again-table",
            )
        with gr.Accordion("Accuracy by number of labels", open=False, elem_id="review-curve-box") as curve_box:
            curve_text = gr.HTML(elem_id="review-curve-text")
            curve = gr.Plot(show_label=False, elem_id="review-curve")
            curve_table = gr.Dataframe(
                headers=review_words.CURVE_HEADERS,
                interactive=False,
                max_height=260,
                column_widths=["120px", "120px", "100px", "150px", "210px"],
                label="The same as a table",
                elem_id="review-curve-table",
            )
        with gr.Accordion("Add clips", open=True, elem_id="review-add") as add_box:
            with gr.Row(equal_height=False):
                with gr.Column(min_width=280):
                    files = gr.File(
                        label="Clips without labels, or a ZIP of them",
                        file_count="multiple",
                        file_types=[".zip", *AUDIO_TYPES],
                        height=150,
                        elem_id="review-files",
                    )
                with gr.Column(min_width=280):
                    folder = folder_drop(suffixes=sorted(AUDIO_SUFFIXES), elem_id="review-folder", pool=True)
            with gr.Row(equal_height=False):
                with gr.Column(min_width=280):
                    recording = gr.File(label="A long recording, to be cut", file_types=AUDIO_TYPES, height=150, elem_id="review-recording")
                with gr.Column(min_width=280):
                    window = gr.Number(
                        WINDOW_S,
                        label="Length of the pieces (s)",
                        minimum=0.5,
                        maximum=60,
                        info="Silent pieces are left out.",
                        elem_id="review-window",
                    )
            from_clips = gr.Button("Add the labelled clips of the tab Clips", elem_id="review-from-clips")
            listen = gr.Button("Listen to the clips that are still unheard", visible=False, elem_id="review-listen")
        teach = gr.Button("Learn from these labels", visible=False, elem_id="review-teach")
        gr.HTML(words.caption(review_words.REVIEW_METHOD), elem_id="review-method")
        exporting = build_exporting(bench)
        link = gr.HTML(elem_id="review-link")
        with gr.Row():
            leave = gr.Button("Close this project", size="sm", elem_id="review-leave")
            delete_open = gr.Button("Delete this project …", size="sm", elem_id="review-delete-open")
    with gr.Column(visible=False, elem_id="review-doomed") as doomed:
        loss = gr.HTML(elem_id="review-loss")
        with gr.Row():
            keep = gr.Button("Keep it", elem_id="review-keep")
            delete = gr.Button("Delete it for good", variant="stop", elem_id="review-delete")
    doomed_id = gr.State("")

    def announce(desk: Desk) -> list[Any]:
        desk.jobs.announce()
        return [gr.update(value="Cancel", visible=True, interactive=True), words.progress("waiting for its turn …")]

    # ---- looking ----

    def sight(bench: Bench, again: bool = True) -> list[Any]:
        """What changes with every answer. The sound and its picture stay where the clip does."""
        suggestion = bench.suggestion
        texts = [review_words.review_head(bench), review_words.review_answers(bench), review_words.project_line(bench)]
        if suggestion is None:
            return [*texts, gr.update(value=None, visible=False), gr.update(visible=False)]
        if not again:
            return [*texts, gr.skip(), gr.skip()]
        path = suggestion.entry.path
        return [*texts, gr.update(value=str(bench.shelf(suggestion.entry)), visible=True), gr.update(value=picture(path), visible=True)]

    def show(bench: Bench, desk: Desk, chosen: str | None) -> list[Any]:
        open_, found = bench.now is not None, bench.projects() if bench.now is None else ()
        # What can't be opened comes last, with the reason.
        choices = [(review_words.project_choice(info), info.id) for info in sorted(found, key=lambda info: bool(info.error))]
        some = bool(desk.session.workspace.usable)
        stays = chosen in {info.id for info in found}  # what the visitor chose is only taken away where it's gone
        return [
            gr.update(visible=not open_),
            gr.update(visible=open_),
            gr.update(choices=choices) if stays else gr.update(choices=choices, value=choices[0][1] if choices else None),
            gr.update(visible=bool(choices)),
            gr.update(label=review_words.begin_with(desk.session.workspace), visible=some),
            words.caption("" if some else review_words.BEGINS_EMPTY),
            words.caption(review_words.where_kept(bench.public, bench.forgets)),
            gr.update(visible=desk.jobs.busy),
            gr.update(visible=some),
            gr.update(visible=bool(bench.labelling and bench.labelling.unheard)),
            gr.update(open=not bench.left()),
            bench.order,
            *sight(bench),
        ]

    def compare_backbones(bench: Bench, backbone: str) -> list[Any]:
        why = review_words.other_backbone(bench, backbone)
        return [gr.update(visible=bool(why)), words.notice(why, "warning"), f"Listen again with {words.backbone_title(backbone)}"]

    def answered(bench: Bench, kind: Answered) -> list[Any]:
        found = bench.labelling.answered(kind) if bench.labelling else ()
        return [
            words.caption(review_words.answered_note(found, kind)),
            gr.update(value=review_words.answered_rows(found), visible=bool(found)),
        ]

    def details(bench: Bench, percent: float, source: Source, kind: Answered, made_at: MadeAt | None) -> list[Any]:
        """What may follow a moment after an answer."""
        made = bench.machine_made()
        points = bench.labelling.curve if bench.labelling else ()
        answers = bench.labelling is not None and bench.labelling.answers
        if bench.labelling is not None and bench.clip is not None:
            bench.labelling.get_ready(bench.clip)
        return [
            *look_ahead(bench, percent, source if answers else "classifier"),
            gr.update(visible=answers) if answers else gr.update(value="classifier", visible=False),
            gr.update(visible=bool(made)),
            review_words.machine_rows(made),
            gr.update(value=f"Confirm {'it' if len(made) == 1 else f'all {len(made)}'}"),
            review_words.curve_text(points),
            _curve_figure(points),
            review_words.curve_rows(points),
            gr.update(value=review_words.learn_from(bench), visible=bool(review_words.learn_from(bench))),
            *answered(bench, kind),
            *exporting.outdated(bench, made_at),
        ]

    def look_ahead(bench: Bench, percent: float, source: Source) -> list[Any]:
        work = bench.labelling
        if work is None:
            return ["", gr.update(interactive=False), gr.update(visible=False), gr.skip()]
        n = work.unasked if source == "words" else 0
        asks = [
            gr.update(visible=source == "words"),
            gr.update(value=review_words.ask_about(work), interactive=n > 0 and len(work.now.class_names) > 1),
        ]
        try:
            found = work.preview_accept(at_least(percent), source)
        except DataError as error:
            return [words.caption(words.capital(str(error))), gr.update(value="Accept them", interactive=False), *asks]
        accepted = gr.update(value=f"Accept {words.count(len(found.clips), 'suggestion')}", interactive=bool(found.clips))
        return [words.caption(review_words.acceptance(found) if bench.left() else review_words.NONE_LEFT), accepted, *asks]

    def choose_source(bench: Bench, source: Source) -> list[Any]:
        percent = review_words.BEGIN_AT[source]
        return [gr.update(value=percent, label=review_words.AT_LEAST[source]), *look_ahead(bench, percent, source)]

    # ---- answering: at once, for the label is on the disk when the handler returns ----

    def after(bench: Bench, act: Callable[[], None]) -> list[Any]:
        before = bench.clip
        act()
        return sight(bench, again=bench.clip != before)

    @told
    def press(bench: Bench, event: gr.EventData) -> list[Any]:
        data = event._data if isinstance(event._data, dict) else {}
        what, clip, label = data.get("act"), data.get("clip"), data.get("label")
        if what not in ACTS:
            raise DataError(f"{str(what)[:20]!r} is no answer; reload the page.")
        return after(bench, lambda: bench.act(what, clip if isinstance(clip, int) else None, label if isinstance(label, str) else ""))

    @told
    def name_class(bench: Bench, label: str, clip: int | None) -> list[Any]:
        if not label.strip():
            raise DataError("the class has no name: write what is heard, for example 'owl'.")
        return [*after(bench, lambda: bench.act("label", clip, label.strip())), ""]

    @told
    def name_classes(bench: Bench, text: str) -> list[Any]:
        names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        if not names:
            raise DataError("there is no name in it: write the classes to listen for, for example 'rain, dog bark'.")
        return [*after(bench, lambda: bench.add_classes(names)), ""]

    @told
    def accept_all(bench: Bench, percent: float, source: Source) -> list[Any]:
        return after(bench, lambda: bench.accept_above(at_least(percent), source))

    @told
    def confirm_all(bench: Bench) -> list[Any]:
        return after(bench, bench.confirm)

    @told
    def choose(bench: Bench, event: gr.SelectData) -> list[Any]:
        return after(bench, lambda: bench.act("show", int(event.row_value[0])))

    def reorder(bench: Bench, order: Order) -> list[Any]:
        return after(bench, lambda: bench.reorder(order))

    def close(bench: Bench) -> Bench:
        bench.close()
        return bench.touched()

    # ---- deleting: asked for, then confirmed ----

    @told
    def doom(bench: Bench, id: str | None) -> list[Any]:
        id = bench.labelling.project.id if bench.labelling else id
        if not id:
            raise DataError("no project is chosen; choose one from the list.")
        return [id, review_words.deletion(project_info(bench.root, id)), gr.update(visible=True)]

    @told
    def delete_doomed(bench: Bench, id: str) -> tuple[Bench, str]:
        name = project_info(bench.root, id).name
        bench.close()
        delete_project(bench.root, id)
        return bench.touched(), words.progress(f"“{name}” is deleted.")

    seen = [head, answers, line, player, spectrum]
    ahead = [preview, accept, asking, ask]
    detailed = [*ahead, source, machine, made, confirm, curve_text, curve, curve_table, teach, again_note, again, *exporting.offered]
    follow = {"fn": details, "inputs": [bench, confidence, source, kind, exporting.made_at], "outputs": detailed} | VIEW
    keys.submit(press, bench, seen, trigger_mode="multiple", **AT_ONCE).then(**follow)
    new_class.submit(name_class, [bench, new_class, on_page], [*seen, new_class], js=CLIP_ON_PAGE, **LIGHT).then(**follow)
    order.input(reorder, [bench, order], seen, **LIGHT)
    accept.click(accept_all, [bench, confidence, source], seen, **LIGHT).then(**follow)
    confirm.click(confirm_all, bench, seen, **LIGHT).then(**follow)
    for table in (made, again):
        table.select(choose, bench, seen, **LIGHT).then(None, js=TO_THE_CLIP)
    kind.input(answered, [bench, kind], [again_note, again], **VIEW)
    confidence.input(look_ahead, [bench, confidence, source], ahead, **VIEW)
    source.change(choose_source, [bench, source], [confidence, *ahead], **VIEW)
    listen_for.submit(name_classes, [bench, listen_for], [*seen, listen_for], **LIGHT).then(**follow)

    def free(done: Any, box: gr.File) -> None:
        """Empties a box for the next file, once the job has read it."""
        done.then(lambda: None, None, box, **AT_ONCE)
        done.failure(lambda: None, None, box, **AT_ONCE)

    basic, outputs = [desk, bench], [desk, status]
    touch = {"fn": lambda bench: bench.touched(), "inputs": bench, "outputs": bench} | LIGHT
    for trigger, handler, inputs in (
        (create.click, jobs.start_project, [*basic, page.backbone, name, begins]),
        (name.submit, jobs.start_project, [*basic, page.backbone, name, begins]),
        (reopen.click, jobs.open_listed, [*basic, page.backbone, listed]),
        (returned.upload, jobs.bring_back, [*basic, page.backbone, returned]),
        (exporting.brought.upload, jobs.bring_in, [*basic, exporting.brought]),
        (files.upload, jobs.add_files, [*basic, files]),
        (folder.upload, jobs.add_folder, [*basic, folder]),
        (recording.upload, jobs.add_recording, [*basic, recording, window]),
        (from_clips.click, jobs.add_from_clips, basic),
        (listen.click, jobs.listen_again, basic),
        (relisten.click, jobs.listen_with, [*basic, page.backbone]),
        (ask.click, jobs.ask_model, basic),
    ):
        asked = trigger(announce, desk, [cancel, status], **AT_ONCE)
        done = asked.then(handler, inputs, outputs, **COMPUTE)
        done.then(**touch)
        done.failure(**touch)
        if inputs[-1] in (returned, exporting.brought, files):
            free(done, inputs[-1])
        if recording in inputs:
            free(done, recording)
    asked = teach.click(announce, desk, [cancel, status], **AT_ONCE)
    taught = asked.then(jobs.carry, [*basic, page.backbone, *tab.settings], [desk, page.current, status], **COMPUTE)
    taught.then(**touch)
    taught.failure(**touch)
    taught.success(lambda: gr.update(selected="learn"), None, page.tabs, **AT_ONCE)
    linked = demo.load(jobs.open_link, [*basic, page.backbone], [*outputs, page.tabs], **COMPUTE)
    linked.then(**touch)
    linked.failure(**touch)
    cancel.click(stop, desk, cancel, **AT_ONCE)
    leave.click(close, bench, bench, **LIGHT)
    for asks in (delete_listed, delete_open):
        asks.click(doom, [bench, listed], [doomed_id, loss, doomed], **LIGHT)
    delete.click(delete_doomed, [bench, doomed_id], [bench, status], **LIGHT).failure(**touch)
    gr.on([keep.click, bench.change], lambda: gr.update(visible=False), None, doomed, **AT_ONCE)
    overview = [start, work, listed, known, begins, empty, kept, cancel, from_clips, listen, add_box, order]
    shown = gr.on([demo.load, bench.change, desk.change], show, [bench, desk, listed], [*overview, *seen], **VIEW)
    shown.then(**follow)
    gr.on([bench.change, page.backbone.change], compare_backbones, [bench, page.backbone], [other, differs, relisten], **VIEW)
    bench.change(review_words.private_link, bench, link, **VIEW).then(None, link, None, js=REMEMBER_LINK)
    curve_box.expand(None, js="() => requestAnimationFrame(() => window.dispatchEvent(new Event('resize')))")


def at_least(percent: float) -> float:
    """The least confidence that the page shows as so many per cent."""
    return max(0.0, percent - 0.5) / 100


def _curve_figure(points: Sequence[Any]) -> Figure:
    found = [(point.labels, Proportion(point.hits, point.n)) for point in points if point.n]
    if not found:
        return figures.accuracy_curve(None, None, None, None)
    lows, highs = zip(*(share.interval for _, share in found), strict=True)
    of = [words.backbone_title(point.backbone) for point in points if point.n]
    return figures.accuracy_curve([labels for labels, _ in found], [share.value for _, share in found], lows, highs, of)
