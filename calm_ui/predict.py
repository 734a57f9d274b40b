"""The tab Predict: new clips in, answers with their reasons out, and a way to say what was wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core import figures
from calm_core.dataset import Clip, Dataset
from calm_core.errors import BundleError, CalmError, DataError
from calm_core.workspace import Workspace

from . import clip_words, head_words, intake, learn_words, predict_words, words
from .bench import Bench
from .click_map import click_map, drawing
from .jobs import Cancel, Progress
from .learn import LearnTab
from .messages import told, warn
from .page import AT_ONCE, AUDIO_TYPES, COMPUTE, LIGHT, VIEW, Page, computing, listening_picture, picture, stop
from .session import Answers, Current, Desk
from .sound_map import sound_map, sounding

Predicting = Iterator[tuple[Any, Any, str]]


def build_predict(page: Page, bench: gr.State, tab: LearnTab, clear: gr.Button, demo: gr.Blocks) -> None:
    """Builds the tab inside the current context; bench: a `Bench`; clear: the button that starts over."""
    desk, current, answers = page.desk, page.current, page.answers
    model = gr.HTML(elem_id="predict-model")
    notice = gr.HTML(elem_id="predict-notice")
    with gr.Row():
        with gr.Column(min_width=300):
            files = gr.File(label="Clips to predict", file_count="multiple", file_types=AUDIO_TYPES, height=170, elem_id="predict-files")
        with gr.Column(min_width=300):
            microphone = gr.Audio(sources=["microphone"], type="filepath", label="Or record one", elem_id="predict-microphone")
    with gr.Row():
        button = gr.Button("Predict", variant="primary", interactive=False, elem_id="predict-button")
        examples = gr.Button("Try the example clips", interactive=False, elem_id="predict-examples")
        cancel = gr.Button("Cancel", visible=False, elem_id="predict-cancel")
    status = gr.HTML(elem_id="predict-progress", elem_classes="calm-progress")
    nothing = gr.HTML(words.notice("No answers yet. Drop clips or record one, then press Predict.", "empty"), elem_id="predict-empty")
    with gr.Column(visible=False, elem_id="predict-result") as result:
        older = gr.HTML(elem_id="predict-older")
        table = gr.Dataframe(
            headers=predict_words.PREDICTION_HEADERS,
            interactive=False,
            wrap=True,
            max_height=320,
            column_widths=["34px", "126px", "96px", "118px", "190px", "170px", "478px"],
            label="Answers; choose a row to see its reasons",
            elem_id="predict-table",
        )
        about = gr.HTML(elem_id="predict-about")
        ignored = gr.HTML(elem_id="predict-ignored")
        sentence = gr.HTML(elem_id="predict-sentence")
        with gr.Row():
            with gr.Column(min_width=320):
                sound = sound_map(label=head_words.SOUND_LABEL, elem_id="predict-sound")
                gr.HTML(f'<p class="calm-caption">{head_words.SOUND_CAPTION}</p>')
                ears = gr.Button("Where did it listen?", size="sm", elem_id="predict-listening")
                heard = gr.HTML(elem_id="predict-heard", elem_classes="calm-caption")
            with gr.Column(min_width=320):
                bars = gr.Plot(show_label=False, elem_id="predict-bars")
                which = gr.Dropdown([], label="Which heads spoke for the class", filterable=False, elem_id="predict-class")
                votes = click_map(label="What each head said; the sentence below says the same.", pick=False, elem_id="predict-heatmap")
                caption = gr.HTML(elem_id="predict-caption", elem_classes="calm-caption")
        with gr.Row(equal_height=False, elem_id="predict-correction"):
            right = gr.Dropdown(
                [],
                value=None,
                allow_custom_value=True,
                label="No, it is …",
                info="Adds this clip to yours under this class, and learns again from all of them.",
                elem_id="predict-right-class",
            )
            correct = gr.Button("Correct and learn again", elem_id="predict-correct")
        remark = gr.HTML(elem_id="predict-corrected", elem_classes="calm-caption")
    chosen, corrected, project = gr.State(0), gr.State(""), gr.State("")

    def announce(desk: Desk) -> list[Any]:
        desk.jobs.announce()
        return [
            *[gr.update(interactive=False)] * 3,
            gr.update(value="Cancel", visible=True, interactive=True),
            words.progress("waiting for its turn …"),
            None,
        ]

    def predicting(
        desk: Desk, current: Current | None, backbone: str, old: Answers | None, read: Callable[[Path], Dataset], folder: Path | None = None
    ) -> Predicting:
        """Predicts what `read(new folder)` gives; with `folder` given the clips lie there already."""

        def work(progress: Progress, cancelled: Cancel) -> Answers:
            if current is None:
                raise DataError("there is no classifier yet: learn from clips in the tab Learn, or open a saved one there.")
            if why := words.wrong_backbone(current, backbone):
                raise BundleError(why)
            progress(0, 1, f"loading the backbone “{words.backbone_title(backbone)}”")
            listener = page.studio.backbone(backbone)
            with nullcontext(folder) if folder else desk.new_folder() as into:
                dataset = read(into)
                progress(0, len(dataset.clips), "listening")
                model = current.learned.model
                rows = page.studio.predict(model, dataset.clips, listener, progress=progress, cancelled=cancelled)
            if old is not None and old.folder not in (None, into):
                shutil.rmtree(old.folder, ignore_errors=True)
            return Answers(current, rows, dataset.ignored, into)

        yield from computing(desk, work)

    @told
    def predict(
        desk: Desk, current: Current | None, backbone: str, old: Answers | None, paths: list[str] | None, recording: str | None
    ) -> Predicting:
        given, recorded = [Path(path) for path in paths or []], Path(recording) if recording else None
        yield from predicting(desk, current, backbone, old, lambda into: intake.queries(given, recorded, into))

    @told
    def predict_examples(desk: Desk, current: Current | None, backbone: str, old: Answers | None) -> Predicting:
        yield from predicting(desk, current, backbone, old, lambda _: intake.example_queries())

    @told
    def predict_again(
        desk: Desk, current: Current | None, backbone: str, old: Answers, number: int, label: str, project: str
    ) -> Predicting:
        clips = tuple(Clip(row.path, row.name, None) for row in old.rows)
        for found in predicting(desk, current, backbone, old, lambda _: Dataset(clips, old.ignored), old.folder):
            answers = found[1]
            if isinstance(answers, Answers):
                answers = replace(answers, chosen=number, corrected=label, project=project)
            yield found[0], answers, found[2]

    @told
    def add_correction(
        desk: Desk, bench: Bench, current: Current | None, answers: Answers, number: int, label: str | None
    ) -> tuple[Desk, Any, str, str, str]:
        if not label:
            raise DataError("choose what it is first, in the list beside the button, or write a new class there.")
        row = answers.rows[number]
        if why := predict_words.no_correction(current, desk.session.workspace, row):
            raise DataError(why)

        def check(old: Workspace, new: Dataset) -> Workspace:
            after = page.studio.add(old, new)
            if not (added := after.checks[-1]).usable:
                raise DataError(f"{added.reason} Change it in the tab Clips, then learn again.")
            return after

        desk.add(lambda into: intake.from_class(label, [row.path], None, into), check)
        name, turn = str(desk.session.workspace.checks[-1].clip.label), bench.turn
        try:
            project = bench.correct(row.path, row.name, name)
        except CalmError as error:  # the clip is added here all the same
            warn(error)
            project = ""
        return desk.touched(), bench.touched() if bench.turn != turn else gr.skip(), words.progress(f"added as ‘{name}’"), name, project

    @told
    def listen_for_project(desk: Desk, bench: Bench) -> Iterator[tuple[Any, Any, str]]:
        """The project's part of a correction: the clip's vectors, mostly known already, and its suggestions."""
        if (work := bench.labelling) is None:
            yield gr.skip(), gr.skip(), gr.skip()
            return
        for shown, _, text in computing(desk, lambda progress, cancelled: work.prepare(progress=progress, cancelled=cancelled)):
            yield shown, gr.skip(), text
        bench.look()
        yield gr.skip(), bench.touched(), ""

    def controls(desk: Desk, current: Current | None, backbone: str, answers: Answers | None, number: int) -> list[Any]:
        why, busy = words.wrong_backbone(current, backbone), desk.jobs.busy
        ready = current is not None and not why and not busy
        some = answers is not None and number < len(answers.rows)
        never = predict_words.no_correction(current, desk.session.workspace, answers.rows[number]) if answers and some else ""
        return [
            *[gr.update(interactive=ready)] * 2,
            gr.update(interactive=some and not never and not busy),
            gr.update(visible=busy),
            gr.update(interactive=some and not never),
            words.esc(never or (predict_words.corrected(answers, number) if answers else "")),
            predict_words.asked(current),
            words.notice(why or learn_words.stale(current, desk.session.workspace), "warning"),
            words.notice(predict_words.older(answers, current), "warning"),
        ]

    def show(answers: Answers | None) -> list[Any]:
        if answers is None:
            return [gr.update(visible=True), gr.update(visible=False), *[gr.skip()] * 4]
        first = answers.chosen if answers.chosen is not None else next((i for i, row in enumerate(answers.rows) if not row.error), 0)
        learned = {answers.chosen: answers.corrected} if answers.corrected else {}
        table = predict_words.prediction_rows(answers.rows, answers.class_names, learned)
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            table,
            predict_words.about_answers(answers),
            words.bullets(clip_words.ignored(answers.ignored)),
            first,
        ]

    def detail(answers: Answers | None, number: int) -> list[Any]:
        if answers is None:
            return [gr.skip()] * 6
        row, names = answers.rows[number], answers.class_names
        if row.error:
            gone, why = gr.update(visible=False), figures.empty("This clip can't be used, so there is no picture of it.")
            return [predict_words.answer(row, names), sounding(why, None), gone, gone, gone, ""]
        best = names.index(row.label)
        if row.probabilities is None:
            chart = figures.confidence_bars(names, row.scores, kind="score", highlight=best)
        else:
            chart = figures.confidence_bars(names, row.probabilities, kind="confidence", highlight=best)
        choice = gr.update(choices=list(names), value=row.label, visible=True)
        pictures = [gr.update(value=chart, visible=True), choice, *heads_of(answers, number, row.label)]
        return [predict_words.answer(row, names), sounding(picture(row.path), row.path), *pictures]

    def heads_of(answers: Answers, number: int, label: str) -> list[Any]:
        row, names = answers.rows[number], answers.class_names
        title = f"what each head said for or against ‘{label}’"
        figure = figures.contribution_map(row.evidence[:, :, names.index(label)], title)
        return [gr.update(value=drawing(figure), visible=True), predict_words.vote_caption(label) + head_words.why(row, names, label)]

    @told
    def listen(answers: Answers | None, number: int) -> list[Any]:
        if answers is None or answers.by.backbone is None:
            raise DataError("there is no answer to look into yet: predict a clip first.")
        row = answers.rows[number]
        found = page.studio.listening(row, page.studio.backbone(answers.by.backbone))
        return [sounding(listening_picture(row.path, found), row.path), head_words.listened(found, row.label)]

    def select(event: gr.SelectData) -> tuple[int, None]:
        return int(event.row_value[0]) - 1, None

    compute = [desk, answers, status]
    inputs = [desk, current, page.backbone, answers]
    buttons = [button, examples, correct, cancel]
    # The right class is emptied by what the visitor does, never by what follows on a change: that would take it from under the typing.
    announced = [*buttons, status, right]
    runs = []
    for pressed, handler, more in ((button, predict, [files, microphone]), (examples, predict_examples, [])):
        asked = pressed.click(announce, desk, announced, **AT_ONCE)
        runs.append(asked.then(handler, [*inputs, *more], compute, **COMPUTE))
    told_by = [desk, bench, current, answers, chosen, right]
    added = correct.click(add_correction, told_by, [desk, bench, status, corrected, project], **LIGHT)
    asked = added.success(announce, desk, announced, **AT_ONCE)
    runs.append(asked.success(tab.learn, [desk, page.backbone, *tab.settings], [desk, current, status], **COMPUTE))
    runs.append(runs[-1].success(predict_again, [*inputs, chosen, corrected, project], compute, **COMPUTE))
    # Not after a cancel: the tab Review offers to listen to what is still unheard.
    runs[-1].success(listen_for_project, [desk, bench], [desk, bench, status], **COMPUTE)
    enabled = [*buttons, right, remark, model, notice, older]
    for run in runs:
        run.then(controls, [*inputs, chosen], enabled, **LIGHT)
    followed = [demo.load, desk.change, current.change, answers.change, chosen.change, page.backbone.change]
    gr.on(followed, controls, [*inputs, chosen], enabled, **VIEW)
    clear.click(lambda: (None, None), None, [files, microphone], **AT_ONCE)
    cancel.click(stop, desk, cancel, **AT_ONCE)

    details = [sentence, sound, bars, which, votes, caption]
    listed = gr.on([demo.load, answers.change], show, answers, [nothing, result, table, about, ignored, chosen], **VIEW)
    listed.then(detail, [answers, chosen], details, **LIGHT)
    table.select(select, None, [chosen, right], **VIEW).then(detail, [answers, chosen], details, **LIGHT)
    ears.click(listen, [answers, chosen], [sound, heard], **COMPUTE)
    gr.on([answers.change, chosen.change], lambda: "", None, heard, **AT_ONCE)
    which.input(heads_of, [answers, chosen, which], [votes, caption], **VIEW)
    gr.on([desk.change, answers.change], words_for_correction, [desk, answers], right, **VIEW)


def words_for_correction(desk: Desk, answers: Answers | None) -> Any:
    """The classes that a correction may name: those of the clips and those of the classifier."""
    names = {*desk.session.workspace.class_counts, *(answers.class_names if answers else ())}
    return gr.update(choices=sorted(names))
