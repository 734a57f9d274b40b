"""What the tabs share: the visitor's three states, the backbone they chose, and the rules for events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core import figures
from calm_core.audio import AUDIO_SUFFIXES
from calm_core.errors import AudioError, CalmError
from calm_core.studio import Listening, Studio, spectrogram

from . import learn_words, words
from .jobs import Job, Slot, Work
from .session import Desk

Figure = Any  # a plotly figure: only calm_core.figures knows plotly

# With no component to show progress on, for else every message of every event makes the browser visit all outputs of all events so far,
# with all that lies within them: most of the page's time until this was here.
LIGHT: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
# Where a model computes: one job at a time for all visitors together; the others wait for their turn.
COMPUTE: dict[str, Any] = LIGHT | {"concurrency_id": "compute", "concurrency_limit": 1}
VIEW: dict[str, Any] = LIGHT | {"trigger_mode": "always_last"}  # else Gradio leaves out a change that comes while an earlier one is shown
COMPARE: dict[str, Any] = VIEW | {"concurrency_id": "compare", "concurrency_limit": 1}  # nobody waits for it: beside the others' models
AT_ONCE: dict[str, Any] = LIGHT | {"queue": False}

TO_THE_TOP = "() => window.scrollTo(0, 0)"  # a tab that is opened by a button begins at its beginning

AUDIO_TYPES = ["audio", "video", *sorted(AUDIO_SUFFIXES)]  # "audio" and "video" for the pickers of phones


@dataclass(frozen=True, slots=True)
class Page:
    """desk: a `Desk`; current: a `Current` or None; answers: `Answers` or None; tabs: to send the visitor to the next one."""

    studio: Studio
    backbone: gr.Dropdown
    desk: gr.State
    current: gr.State
    answers: gr.State
    tabs: gr.Tabs


def computing(desk: Desk, work: Work[Any], slot: Slot | None = None) -> Iterator[tuple[Any, Any, str]]:
    """Runs a job of the visitor's and yields (desk, result, progress) for the page; the last one has the result.

    slot: the desk's for jobs by default. An error leaves its sentence on the page and goes on to the caller.
    """
    job = Job(work, slot or desk.jobs)
    try:
        with job:
            for step in job:
                desk.seen()
                yield gr.skip(), gr.skip(), words.progress(words.step_text(step))
            result = job.result()
            yield desk.computed(job.seconds).touched(), result, ""
    except CalmError as error:
        yield desk.computed(job.seconds).touched(), gr.skip(), learn_words.ended(error)
        raise


def stop(desk: Desk) -> Any:
    """Cancels the visitor's job; the button says so until the batch that is being computed has ended."""
    desk.jobs.cancel()
    return gr.update(value="Stopping …", interactive=False)


def picture(path: Path) -> Figure:
    """The spectrogram of a file, or why there is none."""
    try:
        found = spectrogram(path)
    except AudioError as error:
        return figures.empty(words.capital(str(error)))
    return figures.spectrogram(found.decibels, found.seconds, found.frequencies_hz)


def thumbnail(desk: Desk, path: Path, make: bool = True) -> str:
    """A clip's small picture as an address that needs no request; "" where there is none, or none yet and `make` is off."""
    if path not in desk.thumbnails and make:
        try:
            desk.thumbnails[path] = figures.thumbnail(spectrogram(path).decibels)
        except AudioError:
            desk.thumbnails[path] = ""  # the preflight says why
    return desk.thumbnails.get(path, "")


def listening_picture(path: Path, found: Listening) -> Figure:
    """The spectrogram of a file with where the heads looked."""
    seen = spectrogram(path)
    even = 1 / len(found.share)
    return figures.listening_map(seen.decibels, seen.seconds, seen.frequencies_hz, found.begins_s, found.share, even)
