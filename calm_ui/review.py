"""The tab Review: a pool of clips without labels, one at a time, with a suggestion that learns from every answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core import figures
from calm_core.active import Order
from calm_core.audio import AUDIO_SUFFIXES
from calm_core.confidence import Proportion
from calm_core.dataset import Clip, Dataset
from calm_core.errors import DataError
from calm_core.labelling import MAX_RECORDING_S, Labelling, Source, checked, cut, read_clips, read_pool
from calm_core.library import Entry, NewClip, Project, delete_project, open_project, project_info

from . import intake, review_words, words
from .bench import ACTS, Bench, Said
from .exporting import build_exporting
from .folder_drop import folder_drop, place, received_files
from .jobs import Cancel, Progress
from .learn import Learning, LearnTab
from .messages import told
from .page import AT_ONCE, AUDIO_TYPES, COMPUTE, LIGHT, VIEW, Figure, Page, computing, picture, stop
from .session import MAX_VISITOR_BYTES, MAX_VISITOR_CLIPS, MAX_VISITOR_RECORDING_S, Desk

_KEYS_JS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
WINDOW_S = 5.0  # of a long recording; what most bird and machine tools use lies between 3 and 10
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
Working = Iterator[tuple[Any, str]]


def build_review(page: Page, bench: gr.State, tab: LearnTab, demo: gr.Blocks) -> None:
    """Builds the tab inside the current context; bench: a `Bench`."""
    desk = page.desk
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
        brought = build_exporting(bench)
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

    # ---- the long jobs: opening, adding ----

    def labelling(project: Project, backbone: str) -> Labelling:
        return Labelling(project, page.studio, backbone)

    def listening(bench: Bench, progress: Progress, cancelled: Cancel, afresh: bool) -> None:
        work = bench.require()
        if work.unheard:
            progress(0, work.unheard, f"listening to {words.count(work.unheard, 'clip')}")
        work.prepare(progress=progress, cancelled=cancelled)
        bench.look(afresh)

    def working(desk: Desk, work: Callable[[Progress, Cancel], None]) -> Working:
        for shown, _, text in computing(desk, work):
            yield shown, text

    def opening(
        desk: Desk, bench: Bench, backbone: str, project: Callable[[], Project], fill: Callable[[Labelling], Said] | None = None
    ) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            progress(0, 1, f"opening the project with the backbone “{words.backbone_title(backbone)}”")
            bench.put(labelling(project(), backbone))
            if fill is not None:
                bench.whole(fill)
            listening(bench, progress, cancelled, afresh=True)

        yield from working(desk, run)

    def adding(desk: Desk, bench: Bench, read: Callable[[Path], Sequence[NewClip]], paths: Sequence[Path] = ()) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            afresh = bench.clip is None
            with desk.new_folder(intake.bytes_needed(paths)) as into:
                progress(0, 1, "reading")
                new = read(into)
                require_room(bench.public, bench.require().now.entries, new)
                good, bad = checked(new, progress=lambda done, total, _: progress(done, total, "checking"))
                bench.whole(lambda work: Said("added", review_words.clips_added(work.add_checked(good, bad))))
                shutil.rmtree(into, ignore_errors=True)  # the project has its own copies
            listening(bench, progress, cancelled, afresh)

        yield from working(desk, run)

    @told
    def start_project(desk: Desk, bench: Bench, backbone: str, name: str, begins: bool) -> Working:
        def fill(work: Labelling) -> Said:
            clips = intake.for_project(desk.session.workspace) if begins else ()
            require_room(bench.public, (), clips)
            return Said("added", review_words.clips_added(work.add(Dataset(clips)))) if clips else Said()

        yield from opening(desk, bench, backbone, lambda: Project.create(bench.root, name or ""), fill)

    @told
    def open_listed(desk: Desk, bench: Bench, backbone: str, id: str | None) -> Working:
        if not id or bench.public:
            raise DataError("no project is chosen; choose one from the list.")
        yield from opening(desk, bench, backbone, lambda: open_project(bench.root, id))

    @told
    def open_link(desk: Desk, bench: Bench, backbone: str, request: gr.Request) -> Iterator[tuple[Any, str, Any]]:
        id = request.query_params.get("project") if request else None
        if id and bench.labelling is None:
            for shown, text in opening(desk, bench, backbone, lambda: open_project(bench.root, id)):
                yield shown, text, gr.Tabs(selected="review")
        else:
            yield gr.skip(), gr.skip(), gr.skip()

    @told
    def bring_back(desk: Desk, bench: Bench, backbone: str, path: str) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            with desk.new_folder(intake.bytes_needed([Path(path)])) as into:
                progress(0, 1, "reading the project")
                new = read_clips(Path(path), into)
                require_room(bench.public, (), new)
                good, bad = checked(new, progress=lambda done, total, _: progress(done, total, "checking"))
                if not good:
                    raise DataError(f"{Path(path).name!r} holds no clip that can be used; choose a ZIP that was exported here.")
                bench.put(labelling(Project.create(bench.root, review_words.project_name(Path(path).stem)), backbone))
                bench.whole(lambda work: Said("imported", review_words.clips_added(work.add_checked(good, bad))))
                shutil.rmtree(into, ignore_errors=True)
            listening(bench, progress, cancelled, afresh=True)

        yield from working(desk, run)

    @told
    def bring_in(desk: Desk, bench: Bench, path: str) -> Working:
        source = Path(path)
        if source.suffix.lower() == ".zip":
            yield from adding(desk, bench, lambda into: read_clips(source, into), [source])
            return
        bench.whole(lambda work: Said("imported", f"labels of {words.count(work.take_labels(source), 'clip')} from {source.name}."))
        yield gr.skip(), ""

    @told
    def add_files(desk: Desk, bench: Bench, paths: list[str]) -> Working:
        given = [Path(path) for path in paths]
        yield from adding(desk, bench, lambda into: read_pool(given, into), given)

    @told
    def add_folder(desk: Desk, bench: Bench, value: Any) -> Working:
        yield from adding(desk, bench, lambda into: read_pool([place(received_files(value), into)]))

    @told
    def add_recording(desk: Desk, bench: Bench, path: str, window_s: float | None) -> Working:
        longest = MAX_VISITOR_RECORDING_S if bench.public else MAX_RECORDING_S
        yield from adding(desk, bench, lambda into: cut(Path(path), window_s or WINDOW_S, into, max_seconds=longest), [Path(path)])

    @told
    def add_from_clips(desk: Desk, bench: Bench) -> Working:
        clips = intake.for_project(desk.session.workspace)
        if not clips:
            raise DataError("the tab Clips has no labelled clips; add some there first.")

        def run(progress: Progress, cancelled: Cancel) -> None:
            require_room(bench.public, bench.require().now.entries, clips)
            bench.whole(lambda work: Said("added", review_words.clips_added(work.add(Dataset(clips)))))
            listening(bench, progress, cancelled, afresh=False)

        yield from working(desk, run)

    @told
    def carry(desk: Desk, bench: Bench, backbone: str, *settings: Any) -> Learning:
        entries = bench.require().now.entries

        def run(progress: Progress, _: Cancel) -> None:
            progress(0, 1, "taking the labelled clips to the tab Clips")
            needs = sum(path.stat().st_size for path in {entry.path for entry in intake.labelled(entries)})
            check = partial(page.studio.add, progress=lambda done, total, _: progress(done, total, "checking"))
            desk.add(lambda into: intake.from_labels(entries, into), check, needs, instead=True)

        for shown, text in working(desk, run):
            yield shown, gr.skip(), text
        yield from tab.learn(desk, backbone, *settings)

    @told
    def listen_again(desk: Desk, bench: Bench) -> Working:
        yield from working(desk, lambda progress, cancelled: listening(bench, progress, cancelled, afresh=True))

    @told
    def listen_with(desk: Desk, bench: Bench, backbone: str) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            progress(0, 1, f"loading the backbone “{words.backbone_title(backbone)}”")
            page.studio.backbone(backbone)  # first: where it can't be had, the project stays with the other one
            bench.require().listen_with(backbone)
            listening(bench, progress, cancelled, afresh=True)

        yield from working(desk, run)

    @told
    def ask_model(desk: Desk, bench: Bench) -> Working:
        yield from working(desk, lambda progress, cancelled: bench.require().ask(progress=progress, cancelled=cancelled))

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

    def show(bench: Bench, desk: Desk) -> list[Any]:
        open_, found = bench.now is not None, bench.projects() if bench.now is None else ()
        # What can't be opened comes last, with the reason.
        choices = [(review_words.project_choice(info), info.id) for info in sorted(found, key=lambda info: bool(info.error))]
        some = bool(desk.session.workspace.usable)
        return [
            gr.update(visible=not open_),
            gr.update(visible=open_),
            gr.update(choices=choices, value=choices[0][1] if choices else None),
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

    def details(bench: Bench, percent: float, source: Source) -> list[Any]:
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
            found = work.preview_accept(percent / 100, source)
        except DataError as error:
            return [words.caption(words.capital(str(error))), gr.update(value="Accept them", interactive=False), *asks]
        accepted = gr.update(value=f"Accept {words.count(len(found.clips), 'suggestion')}", interactive=bool(found.clips))
        return [words.caption(review_words.acceptance(found)), accepted, *asks]

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
        return after(bench, lambda: bench.accept_above(percent / 100, source))

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
    detailed = [*ahead, source, machine, made, confirm, curve_text, curve, curve_table, teach]
    follow = {"fn": details, "inputs": [bench, confidence, source], "outputs": detailed} | VIEW
    keys.submit(press, bench, seen, trigger_mode="multiple", **AT_ONCE).then(**follow)
    new_class.submit(name_class, [bench, new_class, on_page], [*seen, new_class], js=CLIP_ON_PAGE, **LIGHT).then(**follow)
    order.input(reorder, [bench, order], seen, **LIGHT)
    accept.click(accept_all, [bench, confidence, source], seen, **LIGHT).then(**follow)
    confirm.click(confirm_all, bench, seen, **LIGHT).then(**follow)
    made.select(choose, bench, seen, **LIGHT)
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
        (create.click, start_project, [*basic, page.backbone, name, begins]),
        (name.submit, start_project, [*basic, page.backbone, name, begins]),
        (reopen.click, open_listed, [*basic, page.backbone, listed]),
        (returned.upload, bring_back, [*basic, page.backbone, returned]),
        (brought.upload, bring_in, [*basic, brought]),
        (files.upload, add_files, [*basic, files]),
        (folder.upload, add_folder, [*basic, folder]),
        (recording.upload, add_recording, [*basic, recording, window]),
        (from_clips.click, add_from_clips, basic),
        (listen.click, listen_again, basic),
        (relisten.click, listen_with, [*basic, page.backbone]),
        (ask.click, ask_model, basic),
    ):
        asked = trigger(announce, desk, [cancel, status], **AT_ONCE)
        done = asked.then(handler, inputs, outputs, **COMPUTE)
        done.then(**touch)
        done.failure(**touch)
        if inputs[-1] in (returned, brought, files):
            free(done, inputs[-1])
        if recording in inputs:
            free(done, recording)
    asked = teach.click(announce, desk, [cancel, status], **AT_ONCE)
    taught = asked.then(carry, [*basic, page.backbone, *tab.settings], [desk, page.current, status], **COMPUTE)
    taught.then(**touch)
    taught.failure(**touch)
    taught.success(lambda: gr.update(selected="learn"), None, page.tabs, **AT_ONCE)
    linked = demo.load(open_link, [*basic, page.backbone], [*outputs, page.tabs], **COMPUTE)
    linked.then(**touch)
    linked.failure(**touch)
    cancel.click(stop, desk, cancel, **AT_ONCE)
    leave.click(close, bench, bench, **LIGHT)
    for asks in (delete_listed, delete_open):
        asks.click(doom, [bench, listed], [doomed_id, loss, doomed], **LIGHT)
    delete.click(delete_doomed, [bench, doomed_id], [bench, status], **LIGHT).failure(**touch)
    gr.on([keep.click, bench.change], lambda: gr.update(visible=False), None, doomed, **AT_ONCE)
    overview = [start, work, listed, known, begins, empty, kept, cancel, from_clips, listen, add_box, order]
    shown = gr.on([demo.load, bench.change, desk.change], show, [bench, desk], [*overview, *seen], **VIEW)
    shown.then(**follow)
    gr.on([bench.change, page.backbone.change], compare_backbones, [bench, page.backbone], [other, differs, relisten], **VIEW)
    bench.change(review_words.private_link, bench, link, **VIEW).then(None, link, None, js=REMEMBER_LINK)
    curve_box.expand(None, js="() => requestAnimationFrame(() => window.dispatchEvent(new Event('resize')))")


def require_room(public: bool, here: Sequence[Entry], new: Sequence[NewClip | Clip]) -> None:
    """Raises DataError where a visitor's project would grow too large; a person's own disk is their own business."""
    if not public:
        return
    used = sum(entry.path.stat().st_size for entry in here) + sum(clip.path.stat().st_size for clip in new if clip.path.is_file())
    if len(here) + len(new) > MAX_VISITOR_CLIPS or used > MAX_VISITOR_BYTES:
        raise DataError(
            f"that would make {len(here) + len(new)} clips of {used / 1024**3:.1f} GiB; at most {MAX_VISITOR_CLIPS} clips of "
            f"{MAX_VISITOR_BYTES / 1024**3:.0f} GiB fit into a project here. Add fewer, or run CALM Studio on your own computer."
        )


def _curve_figure(points: Sequence[Any]) -> Figure:
    found = [(point.labels, Proportion(point.hits, point.n)) for point in points if point.n]
    if not found:
        return figures.accuracy_curve(None, None, None, None)
    lows, highs = zip(*(share.interval for _, share in found), strict=True)
    of = [words.backbone_title(point.backbone) for point in points if point.n]
    return figures.accuracy_curve([labels for labels, _ in found], [share.value for _, share in found], lows, highs, of)
