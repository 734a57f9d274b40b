"""The page's own machinery without a browser: jobs and their cancel, message boxes, pictures, and what is offered."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

import app
from calm_core import selection
from calm_core.audio import AUDIO_SUFFIXES
from calm_core.backbones import offered
from calm_core.classifier import CalmClassifier
from calm_core.errors import BundleError, Cancelled, DataError
from calm_core.studio import spectrogram
from calm_ui import clip_words, words
from calm_ui.classes import keyed
from calm_ui.header import choices
from calm_ui.jobs import Job, Slot, Step
from calm_ui.learn import saved
from calm_ui.messages import told
from calm_ui.page import AUDIO_TYPES, thumbnail
from calm_ui.session import Desk

from .desks import clips_of, wav

# ---- jobs ----


def test_a_job_yields_its_steps_and_then_its_result() -> None:
    seen, go_on = threading.Event(), threading.Event()

    def work(progress, cancelled) -> str:
        progress(1, 2, "class owl")
        assert go_on.wait(5)
        progress(2, 2, "class owl")
        return "done" if not cancelled() else "cancelled"

    steps = []
    with Job(work) as job:
        for step in job:
            steps.append(step)
            seen.set()
            go_on.set()
        assert job.result() == "done"
    assert [(step.done, step.total, step.what) for step in steps] == [(1, 2, "class owl"), (2, 2, "class owl")]


def test_what_the_job_raises_comes_out_of_result() -> None:
    def work(_progress, _cancelled) -> None:
        raise DataError("no clips")

    with Job(work) as job:
        assert list(job) == []
        with pytest.raises(DataError, match="no clips"):
            job.result()


def test_closing_the_pages_generator_cancels_the_job() -> None:
    noticed = threading.Event()

    def work(progress, cancelled) -> None:
        progress(0, 1, "waiting")
        while not cancelled():
            pass
        noticed.set()

    def handler() -> Iterator[str]:
        with Job(work) as job:
            for step in job:
                yield step.what

    page = handler()
    assert next(page) == "waiting"
    page.close()  # what happens to the generator of a visitor who leaves
    assert noticed.wait(5)


def test_work_that_only_reports_progress_is_cancelled_too() -> None:
    slot = Slot()

    def work(progress, _cancelled) -> None:
        while True:
            progress(1, 2, "clip")

    with Job(work, slot) as job:
        for _ in job:
            slot.cancel()
        with pytest.raises(Cancelled, match="what was finished is kept"):
            job.result()
    assert not slot.busy


def test_a_second_job_is_refused_while_one_runs_and_a_cancel_while_waiting_counts() -> None:
    slot = Slot()
    slot.take()
    with pytest.raises(DataError, match="still running"):
        slot.take()
    slot.announce()  # must not take the running job's cancel flag away
    slot.free()
    slot.announce()
    slot.cancel()
    with pytest.raises(Cancelled):
        slot.take()
    slot.take()  # the cancel counted once


def test_time_left_follows_the_pace() -> None:
    assert Step(6, 24, "class owl", 3.0).seconds_left == pytest.approx(9.0)
    assert Step(0, 24, "loading", 3.0).seconds_left is None
    assert words.step_text(Step(12, 24, "class owl", 8.0)) == "12/24 clips, class owl, about 8 s left"
    assert words.step_text(Step(3, 25, selection.CHOOSING, 8.0)) == "testing ways to weigh the heads (3/25)"


# ---- message boxes ----


@pytest.mark.parametrize("kind", ["function", "generator"])
def test_a_calm_error_becomes_a_message_box(kind: str) -> None:
    @told
    def function() -> None:
        raise DataError("clip '<b>.wav' is silent")

    @told
    def generator() -> Iterator[int]:
        yield 1
        raise DataError("clip '<b>.wav' is silent")

    with pytest.raises(gr.Error) as caught:
        function() if kind == "function" else list(generator())
    assert caught.value.message == "Clip '&lt;b&gt;.wav' is silent"
    assert not caught.value.print_exception


def test_a_cancelled_job_ends_the_chain_without_a_box() -> None:
    @told
    def handler() -> None:
        raise Cancelled("stopped after 1 of 2 clips.")

    with pytest.raises(gr.Error) as caught:
        handler()
    assert not caught.value.visible


def test_our_own_faults_stay_loud() -> None:
    @told
    def handler() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        handler()


# ---- the tab Clips ----


def test_a_thumbnail_is_made_once_and_none_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("calm_ui.page.spectrogram", lambda path: (made.append(path), spectrogram(path))[1])
    desk, path = Desk(tmp_path), wav(tmp_path / "a.wav", 300)
    assert thumbnail(desk, path, make=False) == ""
    assert thumbnail(desk, path).startswith("data:image/png;base64,")
    assert thumbnail(desk, path, make=False) == thumbnail(desk, path)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    assert thumbnail(desk, tmp_path / "broken.wav") == ""
    assert made == [path, tmp_path / "broken.wav"]
    assert thumbnail(Desk(tmp_path), path, make=False) == ""  # another visitor's


def test_a_clip_whose_class_was_changed_is_not_called_removed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300)
    clip = desk.session.workspace.checks[0].clip
    assert keyed(desk, clip_words.clip_key(clip)).clip == clip
    desk.relabel([clip], "bat")
    with pytest.raises(DataError, match="isn't here any more, or its class was changed"):
        keyed(desk, clip_words.clip_key(clip))


def test_earlier_clips_begin_where_the_last_ones_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.classes.AT_A_TIME", 1)
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700, 900)
    shows = [fn for fn in app.build_demo(backbone="fake").fns.values() if "clips-tiles" in [out.elem_id for out in fn.outputs]]
    (place,) = (i for i, out in enumerate(shows[0].outputs) if isinstance(out, gr.State))
    assert shows[0].fn(desk, "owl", "", 2)[place] == gr.skip()
    desk.remove([check.clip for check in desk.session.workspace.checks[1:]])
    assert shows[0].fn(desk, "owl", "", 2)[place] == 0


@pytest.mark.parametrize(
    ("handler", "given", "written"),
    [
        ("words_for_correction", (None,), ["predict-right-class"]),
        ("show", ("owl", "", 0), ["clips-class-other", "clips-move-to"]),
    ],
)
def test_what_a_visitor_wrote_is_not_emptied_by_a_change_elsewhere(
    handler: str, given: tuple[object, ...], written: list[str], tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700)
    demo = app.build_demo(backbone="fake")
    (found,) = (fn for fn in demo.fns.values() if fn.name == handler and written[0] in [out.elem_id for out in fn.outputs])
    updates = found.fn(desk, *given)
    for out, update in zip(found.outputs, updates if isinstance(updates, list) else [updates], strict=True):
        if out.elem_id in written:
            assert "value" not in update


def test_pictures_that_were_made_meanwhile_are_drawn(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    paths = clips_of(tmp_path, desk, 300, 700)
    (pictures,) = (fn.fn for fn in app.build_demo(backbone="fake").fns.values() if fn.name == "show_pictures")
    made = [thumbnail(desk, path) for path in paths]  # as for the card, after the tiles were drawn without them
    assert all(picture in pictures(desk, "owl", "", 0) for picture in made)
    assert pictures(desk, None, "", 0) == gr.skip()


def test_a_classifier_of_unknown_origin_is_not_opened(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(8, 2, 2, 4)).astype(np.float32)
    CalmClassifier.fit(vectors, ["owl", "bat"] * 4).save(tmp_path / "a.safetensors")
    with pytest.raises(BundleError, match="doesn't say which backbone"):
        saved(tmp_path / "a.safetensors")


def test_a_port_in_use_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("sys.argv", ["app.py", "--port", str(port)])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit, match=f"port {port} is in use"):
            app.main()


# ---- what is offered ----


def test_a_server_without_a_gpu_offers_no_big_backbone() -> None:
    assert [row.id for row in choices("pocket", "cpu")] == ["pocket", "whisper-small"]
    assert choices("pocket", "cuda") == offered()
    assert [row.id for row in choices("fake", "cpu")] == ["pocket", "whisper-small", "fake"]


def test_every_kind_of_audio_that_can_be_read_can_be_chosen() -> None:
    assert set(AUDIO_TYPES) >= AUDIO_SUFFIXES
