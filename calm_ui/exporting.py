"""A part of the tab Review: the labels in the formats of other tools, and back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core import export
from calm_core.errors import DataError
from calm_core.labelling import Labelling

from . import review_words, words
from .bench import Bench
from .messages import told
from .page import LIGHT

# name in the list, ending, and who writes it: into a folder where the ending is .zip, else into the file
FORMATS: dict[str, tuple[str, str, Callable[[Labelling, Path], None]]] = {
    "csv": ("labels as a table (CSV)", ".csv", lambda work, to: export.write_csv(work.now.entries, to, work.opinions())),
    "audiofolder": (
        "project ZIP: sounds, labels and states, to go on with later (Hugging Face audiofolder)",
        ".zip",
        lambda work, to: export.write_audiofolder(work.now.entries, to, "metadata"),
    ),
    "class-folders": ("class folders (ZIP)", ".zip", lambda work, to: export.write_audiofolder(work.now.entries, to, "folders")),
    "audacity": ("Audacity label tracks (ZIP)", ".zip", lambda work, to: export.write_audacity(work.now.entries, to)),
    "raven": ("Raven selection table", ".txt", lambda work, to: export.write_raven(work.now.entries, to)),
    "label-studio": (
        "Label Studio: tasks, configuration and sounds (ZIP)",
        ".zip",
        lambda work, to: export.write_label_studio(work.now.entries, work.now.class_names, to, work.opinions()),
    ),
}


MadeAt = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Exporting:
    """What the tab follows. brought: the box for files to bring in; made_at: project and revision that the offered file is of, None where
    none is offered; offered: the outputs of `outdated`."""

    brought: gr.File
    made_at: gr.State
    offered: tuple[gr.components.Component, ...]

    @staticmethod
    def outdated(bench: Bench, made_at: MadeAt | None) -> list[Any]:
        """A file is offered no longer than what it holds is the project as this page knows it."""
        if bench.labelling is None:
            return [gr.update(visible=False), "", None]
        if made_at is None or made_at == _at(bench.labelling):
            return [gr.skip()] * 3
        again = made_at[0] == bench.labelling.project.id
        return [gr.update(visible=False), words.caption(review_words.EXPORT_AGAIN) if again else "", None]


def build_exporting(bench: gr.State) -> Exporting:
    """Builds the part inside the current context."""
    with gr.Accordion("Export, and bring labels back in", open=False, elem_id="review-export"), gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            choice = gr.Dropdown(
                [(title, key) for key, (title, *_) in FORMATS.items()],
                value="csv",
                label="Format",
                filterable=False,
                elem_id="export-format",
            )
            readers = gr.HTML(words.caption(review_words.READERS["csv"]), elem_id="export-readers")
            button = gr.Button("Export", elem_id="export-button")
            file = gr.DownloadButton(visible=False, variant="primary", elem_id="export-file")
            note = gr.HTML(elem_id="export-note")
        with gr.Column(min_width=300):
            brought = gr.File(
                label="Project ZIP, CSV, Audacity or Raven",
                file_types=[".zip", ".csv", ".txt"],
                height=150,
                elem_id="export-import",
            )

    made_at = gr.State(None)

    @told
    def write(bench: Bench, format: str) -> list[Any]:
        turn = bench.turn
        bench.reload()  # what another tab labelled belongs to it
        made_at, note = _at(bench.require()), review_words.export_note(bench, format)
        made = exported(bench, format)
        seen = bench.touched() if bench.turn != turn else bench  # another tab's labels came in: the page must show them
        if made_at != _at(bench.require()):  # answers came meanwhile
            return [*Exporting.outdated(bench, made_at), seen]
        return [gr.update(value=str(made), label=f"Download {made.name}", visible=True), words.caption(note), made_at, seen]

    def explain(format: str) -> list[Any]:
        return [words.caption(review_words.READERS[format]), gr.update(visible=False), "", None]

    offered = (file, note, made_at)
    button.click(write, [bench, choice], [*offered, bench], **LIGHT)
    choice.input(explain, choice, [readers, *offered], **LIGHT)
    return Exporting(brought, made_at, offered)


def _at(work: Labelling) -> MadeAt:
    return work.project.id, work.project.revision


def exported(bench: Bench, format: str) -> Path:
    """The project's labels as a file that the page may hand out. Raises DataError where there is nothing to export."""
    work = bench.require()
    bench.reload()  # what another tab labelled belongs to it
    if not work.now.entries:
        raise DataError("there is nothing to export yet: the project has no clips.")
    _, ending, write = FORMATS[format]
    into = Path(tempfile.mkdtemp(dir=bench.folder()))
    kind = "" if ending == f".{format}" else f"_{format}"
    target = into / f"{review_words.file_stem(work.now.name)}{kind}{ending}"
    if ending != ".zip":
        write(work, target)
        return target
    write(work, into / "files")
    shutil.make_archive(str(target.with_suffix("")), "zip", into / "files")
    shutil.rmtree(into / "files")
    return target
