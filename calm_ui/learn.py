"""The tab Learn: one button, its settings, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from calm_core import figures, report
from calm_core.backbones import backbone_row
from calm_core.classifier import CalmClassifier
from calm_core.errors import BundleError, CalmError
from calm_core.evaluation import MethodResult
from calm_core.options import NEUTRAL_PROMPT, ExtractOptions, FitOptions, listed_prompt
from calm_core.studio import Learned
from calm_core.workspace import Workspace

from . import head_words, learn_words, words
from .doubts import build_doubts
from .jobs import Cancel, Progress
from .messages import told
from .page import AT_ONCE, COMPARE, COMPUTE, LIGHT, TO_THE_TOP, VIEW, Figure, Page, computing, stop
from .session import KEEP_HOURS, Answers, Current, Desk

_SCHEMES = [
    ("lead, never below 0 (paper)", "margin_clamped"),
    ("lead, may be negative", "margin"),
    ("probability of its class", "probability"),
    ("Brier score", "brier"),
]
_SOURCES = [
    ("clips it has not seen", "leave_one_out"),
    ("its own clips (flatters it)", "resubstitution"),
]
_POOLINGS = [("their sum (paper)", "linear"), ("their product", "log")]
_OPTION_FIELDS = ("auto", "tau", "tau_w", "scheme", "reliability", "top_k", "shrinkage", "pooling", "trust", "centre", "whiten")
Learning = Iterator[tuple[Any, Any, str]]
Comparing = Iterator[tuple[Any, Any, str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What became of comparing simpler methods with a classifier: the ladder, empty where it was stopped."""

    by: Current
    ladder: tuple[MethodResult, ...] = ()


@dataclass(frozen=True, slots=True)
class LearnTab:
    """What other tabs need to learn again: the handler (desk, backbone, *settings) -> (desk, current, progress), and its settings."""

    learn: Callable[..., Learning]
    settings: tuple[gr.components.Component, ...]


def build_learn(page: Page, bench: gr.State, demo: gr.Blocks) -> LearnTab:
    """Builds the tab inside the current context; bench: a `Bench`."""
    desk, current = page.desk, page.current
    notice = gr.HTML(elem_id="learn-notice")
    with gr.Row():
        button = gr.Button(learn_words.learn_label(Workspace()), variant="primary", interactive=False, scale=3, elem_id="learn-button")
        cancel = gr.Button("Cancel", visible=False, scale=1, elem_id="learn-cancel")
    hint = gr.HTML(words.notice(learn_words.learn_hint(Workspace())), elem_id="learn-hint")
    status = gr.HTML(elem_id="learn-progress", elem_classes="calm-progress")
    go_on = gr.Button("Go on to Predict", visible=False, elem_id="learn-next")
    settings = _build_settings(page.backbone)
    nothing = gr.HTML(
        words.notice("No classifier yet. When it has learned, its accuracy and its mix-ups show here.", "empty"), elem_id="learn-empty"
    )
    with gr.Column(visible=False, elem_id="learn-result") as result:
        headline = gr.HTML(elem_id="learn-headline")
        warnings = gr.HTML(elem_id="learn-warnings")
        build_doubts(page, bench, demo)
        with gr.Row():
            with gr.Column(min_width=320):
                gr.Markdown("### How often each class is recognised")
                by_class = gr.Plot(show_label=False, elem_id="learn-classes")
            with gr.Column(min_width=320):
                gr.Markdown("### Which classes are mixed up")
                mixups = gr.Plot(show_label=False, elem_id="learn-confusion")
        with gr.Row(equal_height=True):
            comparing = gr.HTML(elem_id="learn-comparing", elem_classes="calm-progress")
            verdict = gr.HTML(elem_id="learn-verdict")
            stop_comparing = gr.Button("Stop comparing", visible=False, size="sm", scale=0, min_width=150, elem_id="learn-compare-stop")
            again = gr.Button("Compare now", visible=False, size="sm", scale=0, min_width=150, elem_id="learn-compare")
        with gr.Accordion("Is it better than simpler methods?", open=False, elem_id="learn-ladder-box"):
            gr.HTML(f'<p class="calm-caption">{learn_words.LADDER_CAPTION}</p>')
            ladder = gr.Plot(show_label=False, elem_id="learn-ladder")
        with gr.Accordion("The same as tables", open=False, elem_id="learn-tables"):
            class_table = gr.Dataframe(
                headers=learn_words.CLASS_HEADERS,
                interactive=False,
                wrap=True,
                column_widths=["110px", "112px", "98px", "140px", "190px"],
                label="Classes",
                elem_id="learn-class-table",
            )
            ladder_table = gr.Dataframe(
                headers=learn_words.LADDER_HEADERS,
                interactive=False,
                wrap=True,
                column_widths=["180px", "98px", "140px"],
                label="Methods",
                elem_id="learn-ladder-table",
            )
        with gr.Accordion("Can its confidence be believed?", open=False, elem_id="learn-trust-box"):
            trust_text = gr.HTML(elem_id="learn-trust-text")
            trust = gr.Plot(show_label=False, elem_id="learn-trust")
            trust_table = gr.Dataframe(
                headers=learn_words.CALIBRATION_HEADERS,
                interactive=False,
                column_widths=["120px", "70px", "80px", "140px"],
                show_label=False,
                elem_id="learn-trust-table",
            )
    compared = gr.State(None, time_to_live=KEEP_HOURS * 3600)
    gr.Markdown("### Keep it, or bring one back")
    with gr.Row():
        download = gr.DownloadButton("Save this classifier as a file", visible=False, elem_id="learn-download")
        upload = gr.UploadButton("Open a saved classifier", file_types=[".safetensors"], elem_id="learn-upload")
        tell = gr.Button("Save a report", visible=False, elem_id="learn-tell")
        told_file = gr.DownloadButton(visible="hidden", elem_id="learn-report")
    gr.HTML(f'<p class="calm-caption">{learn_words.BUNDLE_CAPTION} {head_words.REPORT_CAPTION}</p>')

    def announce(desk: Desk) -> list[Any]:
        desk.jobs.announce()
        return [
            gr.update(interactive=False),
            gr.update(value="Cancel", visible=True, interactive=True),
            words.progress("waiting for its turn …"),
        ]

    @told
    def learn(desk: Desk, backbone: str, *settings: Any) -> Learning:
        def work(progress: Progress, cancelled: Cancel) -> Current:
            workspace, (prompt, listed, video, *fitting) = desk.session.workspace, settings
            question = listed_prompt(sorted(set(workspace.labels))) if listed else prompt
            asking = ExtractOptions(prompt=question, video=video and backbone_row(backbone).sees)
            options = _fit_options(*fitting)
            progress(0, len(workspace.usable), f"loading the backbone “{words.backbone_title(backbone)}”")
            model = page.studio.backbone(backbone)
            progress(0, len(workspace.usable), "listening to the first clips")
            found = page.studio.learn(
                workspace, model, options=options, extract_options=asking, ladder=False, progress=progress, cancelled=cancelled
            )
            file = desk.latest_file("classifier", learn_words.bundle_name(found))
            found.model.save(file)
            return Current(found, "clips", file)

        desk.comparing.cancel()  # with a classifier that makes way, and for the processor's sake
        yield from computing(desk, work)

    def compare(desk: Desk, current: Current | None) -> Comparing:
        """What the simpler methods make of the same clips: nobody waits for it, so it comes after the result."""
        if current is None or current.learned.bench is None:
            yield gr.skip(), gr.skip(), "", gr.update(visible=False)
            return

        def work(progress: Progress, cancelled: Cancel) -> Compared:
            progress(0, 1, "comparing with simpler methods")
            model = page.studio.backbone(str(current.backbone))
            return Compared(current, page.studio.compare(current.learned, model, progress=progress, cancelled=cancelled))

        try:
            for touched, found, text in computing(desk, work, desk.comparing):
                yield touched, found, text, gr.update(visible=not isinstance(found, Compared))
        except CalmError as error:  # said in its place: it was not asked for, so it needs no box
            yield gr.skip(), Compared(current), learn_words.not_compared(error), gr.update(visible=False)

    def controls(desk: Desk, current: Current | None, backbone: str) -> list[Any]:
        workspace, busy = desk.session.workspace, desk.jobs.busy
        return [
            gr.update(value=learn_words.learn_label(workspace), interactive=workspace.can_learn and not busy),
            gr.update(visible=busy),
            words.notice(learn_words.learn_hint(workspace)),
            words.notice(words.wrong_backbone(current, backbone) or learn_words.stale(current, workspace), "warning"),
        ]

    def show(current: Current | None) -> list[Any]:
        if current is None:
            return [
                gr.update(visible=True),
                gr.update(visible=False),
                *[gr.skip()] * 8,
                *[gr.update(visible=False)] * 3,
            ]
        learned = current.learned
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            learn_words.headline(current),
            words.bullets((*learned.model.warnings, *(learned.advice if current.source != "example" else ())), "warning"),
            _class_figure(learned),
            figures.confusion_matrix(learned.confusion, learned.model.class_names),
            learn_words.class_rows(learned),
            learn_words.calibration_text(learned),
            _calibration_figure(learned),
            gr.update(value=learn_words.calibration_rows(learned), visible=learned.calibration is not None),
            gr.update(value=current.file, visible=True) if current.file and current.file.is_file() else gr.update(visible=False),
            gr.update(visible=current.source != "example"),
            gr.update(visible=True),
        ]

    def show_ladder(current: Current | None, compared: Compared | None) -> list[Any]:
        if current is None:
            return [gr.skip()] * 4
        here = compared if compared and compared.by is current else None
        rungs = here.ladder if here else ()
        return [
            learn_words.verdict(current.learned, rungs),
            _ladder_figure(current, here),
            gr.update(value=learn_words.ladder_rows(rungs), visible=bool(rungs)),
            gr.update(visible=here is not None and not rungs),
        ]

    @told
    def open_file(path: str) -> Current:
        return saved(Path(path))

    @told
    def write_report(desk: Desk, current: Current, answers: Answers | None, compared: Compared | None) -> str:
        bundle = learn_words.bundle_name(current.learned)
        file = desk.latest_file("report", bundle).with_suffix(".html")
        learned = replace(current.learned, ladder=compared.ladder) if compared and compared.by is current else current.learned
        report.write(file, learned, answers.rows if answers and answers.by is current else (), bundle=bundle)
        return str(file)

    inputs = [desk, page.backbone, *settings]
    asked = button.click(announce, desk, [button, cancel, status], **AT_ONCE)
    done = asked.then(learn, inputs, [desk, current, status], **COMPUTE)
    enabled = [button, cancel, hint, notice]
    followed = [desk, current, page.backbone]
    gr.on([demo.load, desk.change, current.change, page.backbone.change], controls, followed, enabled, **VIEW)
    done.then(controls, followed, enabled, **LIGHT)
    cancel.click(stop, desk, cancel, **AT_ONCE)
    believed = [trust_text, trust, trust_table]
    shown = [nothing, result, headline, warnings, by_class, mixups, class_table, *believed, download, go_on, tell]
    gr.on([demo.load, current.change], show, current, shown, **VIEW)
    wanted = gr.on([current.change, again.click], lambda desk: desk.comparing.announce(), desk, None, **AT_ONCE)
    wanted.then(compare, [desk, current], [desk, compared, comparing, stop_comparing], **COMPARE)
    stop_comparing.click(lambda desk: desk.comparing.cancel(), desk, None, **AT_ONCE)
    rungs = [verdict, ladder, ladder_table, again]
    gr.on([demo.load, current.change, compared.change], show_ladder, [current, compared], rungs, **VIEW)
    upload.upload(open_file, upload, current, **LIGHT).success(lambda: words.progress("The classifier is loaded."), None, status, **AT_ONCE)
    writing = tell.click(lambda: gr.update(value="Writing the report …", interactive=False), None, tell, **AT_ONCE)
    written = writing.then(write_report, [desk, current, page.answers, compared], told_file, **LIGHT)
    for ended in (written.then, written.failure):
        ended(lambda: gr.update(value="Save a report", interactive=True), None, tell, **AT_ONCE)
    written.success(None, js="() => document.querySelector('#learn-report').click()")
    go_on.click(lambda: gr.update(selected="predict"), None, page.tabs, **AT_ONCE).then(None, js=TO_THE_TOP)
    return LearnTab(learn, settings)


def saved(path: Path) -> Current:
    """A classifier from a file. Raises BundleError for what is none, and for one that can't be asked about audio."""
    model = CalmClassifier.load(path)
    if model.origin is None:
        raise BundleError(
            f"{path.name!r} doesn't say which backbone its vectors are from, so it can't be asked about audio; "
            "open a classifier that was learned from clips."
        )
    return Current(Learned(model), "file", path)


def _build_settings(backbone: gr.Dropdown) -> tuple[gr.components.Component, ...]:
    """The prompt, whether to list the classes instead, whether to look at videos, then FitOptions as in `_OPTION_FIELDS`."""
    default = FitOptions()
    with gr.Accordion("Settings (the defaults are a good start)", open=False, elem_id="learn-settings"):
        prompt = gr.Textbox(
            NEUTRAL_PROMPT, label="Question asked about every clip", info="The model listens with this question in mind.", lines=2
        )
        listed = gr.Checkbox(
            False,
            label="List my class names in the question",
            info="Asks “What sound is this? Answer with one of these: …” in place of a question of yours.",
            elem_id="learn-listed",
        )
        listed.input(lambda on: gr.update(visible=not on), listed, prompt, **AT_ONCE)
        video = gr.Checkbox(
            False,
            label="Look at the pictures of videos too",
            info="This backbone sees: two small pictures a second, beside the sound. A classifier that saw makes no timelines.",
            visible=backbone_row(backbone.value).sees,
            elem_id="learn-video",
        )
        backbone.change(lambda id: gr.update(visible=backbone_row(id).sees), backbone, video, **LIGHT)
        auto = gr.Checkbox(
            False,
            label=learn_words.CHOOSE,
            info="By how well clips not heard before are recognised. It pays from about ten clips a class on, and takes several times as "
            "long. Unticked, the values below count; they stand as in the CALM paper.",
            elem_id="learn-auto",
        )
        with gr.Row():
            tau = gr.Number(
                default.tau, label="Sharpness of each head's vote (τ) *", info="Smaller: a head decides more firmly.", step=0.01
            )
            tau_w = gr.Number(
                default.tau_w, label="Equality of the heads (τ_w) *", info="Smaller: the best heads count for more.", step=0.1
            )
            top_k = gr.Number(0, label="Heads kept per class (K)", info="0 keeps all heads.", precision=0, minimum=0)
            shrinkage = gr.Number(
                default.shrinkage,
                label="Caution with few clips (α)",
                info="Larger: heads of a small class are treated more alike.",
                step=0.1,
            )
        with gr.Row():
            trust = gr.Slider(
                0, 1, default.trust, step=0.05, label="Trust in the learned weights *", info="0: all heads count the same.", min_width=260
            )
            whiten = gr.Number(
                0,
                label="Divide out how clips of a class differ *",
                info="0: don't; 0.2 helps from five clips a class on.",
                step=0.1,
                min_width=260,
            )
        with gr.Row():
            pooling = gr.Dropdown(_POOLINGS, value=default.pooling, label="How the heads' votes are joined *", filterable=False)
            scheme = gr.Dropdown(_SCHEMES, value=default.scheme, label="What makes a head reliable on a clip (r)", filterable=False)
            source = gr.Dropdown(_SOURCES, value=default.reliability, label="Which clips judge a head", filterable=False)
        # Not in a row: on a phone it would be squeezed beside its neighbour.
        centre = gr.Checkbox(default.centre, label="Take away what all clips share *", info="Subtracts the mean of your clips' vectors.")
    return prompt, listed, video, auto, tau, tau_w, scheme, source, top_k, shrinkage, pooling, trust, centre, whiten


def _fit_options(*values: Any) -> FitOptions:
    """From the fields of `_build_settings`, an empty one meaning its default. Raises OptionError outside a domain."""
    given = {name: value for name, value in zip(_OPTION_FIELDS, values, strict=True) if value is not None}
    # 0 means all heads, and no whitening: an empty number field comes as 0.
    return FitOptions(**given | {"top_k": given.get("top_k") or None, "whiten": given.get("whiten") or None})


def _class_figure(learned: Learned) -> Figure:
    names, found = learned.model.class_names, learned.class_accuracy
    rows = [(found[name].value, *found[name].interval, found[name].n) for name in names]
    values, lows, highs, counts = zip(*rows, strict=True)
    return figures.class_accuracy(names, values, lows, highs, counts)


def _ladder_figure(current: Current, compared: Compared | None) -> Figure:
    if current.learned.bench is None:
        return figures.empty(learn_words.NO_LADDER)
    if compared is None or not compared.ladder:
        return figures.empty(learn_words.LADDER_STOPPED if compared else learn_words.LADDER_TO_COME)
    return figures.ladder_chart(pd.DataFrame([asdict(rung) for rung in compared.ladder]), 1 / len(current.learned.model.class_names))


def _calibration_figure(learned: Learned) -> Figure:
    found = learned.calibration
    if found is None:
        return figures.calibration_chart(None, None, None, None, None)
    accuracy, (lows, highs) = (
        [right.value for right in found.proportions],
        zip(*(right.interval for right in found.proportions), strict=True),
    )
    return figures.calibration_chart(found.confidence, accuracy, lows, highs, found.counts)
