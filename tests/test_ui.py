"""The page's own machinery without a browser: jobs and their cancel, message boxes, a visitor's desk, and what the page says."""

import copy
import os
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import soundfile as sf

import app
from calm_core.audio import AUDIO_SUFFIXES
from calm_core.backbones import offered
from calm_core.classifier import CalmClassifier
from calm_core.confidence import HeldOut
from calm_core.dataset import Clip, Dataset, read_folder
from calm_core.errors import BundleError, Cancelled, DataError
from calm_core.evaluation import MethodResult
from calm_core.inspection import Ablation
from calm_core.options import FitOptions
from calm_core.studio import ClipPrediction, Doubt, Learned, Studio, spectrogram
from calm_core.vectors import HeadVectors
from calm_ui import clip_words, head_words, learn_words, predict_words, words
from calm_ui.classes import keyed
from calm_ui.header import choices
from calm_ui.intake import bytes_needed, from_class, from_files
from calm_ui.jobs import Job, Slot, Step
from calm_ui.learn import saved
from calm_ui.messages import told
from calm_ui.page import AUDIO_TYPES, thumbnail
from calm_ui.session import MAX_VISITOR_CLIPS, Answers, Current, Desk, sweep


def wav(path: Path, hz: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, 0.3 * np.sin(2 * np.pi * hz * np.arange(8000) / 16_000), 16_000)
    return path


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


# ---- a visitor's desk ----


def test_every_visitor_gets_a_desk_of_their_own(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    second = copy.deepcopy(first)  # as Gradio does with a state's initial value
    for hz in (300, 700):
        first.add(lambda into, hz=hz: from_class("owl", [wav(tmp_path / f"{hz}.wav", hz)], None, into), Studio().add)
    assert first.session.workspace.class_counts == {"owl": 2}
    assert second.session.workspace.checks == ()
    files = first.session.folder
    assert files is not None
    assert files.is_dir()
    first.close()
    assert not files.exists()


def test_a_failed_addition_leaves_the_clips_and_no_files(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add(lambda into: from_class("owl", [wav(tmp_path / "a.wav", 300)], None, into), Studio().add)
    with pytest.raises(DataError, match=r"'b\.wav' comes without a class"):
        desk.add(lambda into: from_files([wav(tmp_path / "b.wav", 500)], into), Studio().add)
    assert [check.clip.name for check in desk.session.workspace.checks] == ["owl/a.wav"]
    assert desk.session.folder is not None
    assert len(list(desk.session.folder.iterdir())) == 1


def test_a_desk_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_CLIPS", 0)
    assert MAX_VISITOR_CLIPS > 0
    with pytest.raises(DataError, match="at most 0"):
        Desk(tmp_path).add(lambda into: from_class("owl", [wav(tmp_path / "a.wav", 300)], None, into), Studio().add)


def clips_of(tmp_path: Path, desk: Desk, *hz: float) -> list[Path]:
    """Adds a clip of 'owl' per frequency; returns where they lie."""
    given = [wav(tmp_path / f"{f:g}.wav", f) for f in hz]
    desk.add(lambda into: from_class("owl", given, None, into), Studio().add)
    return [check.clip.path for check in desk.session.workspace.checks]


def test_a_sweep_deletes_whom_nobody_has_seen_for_long(tmp_path: Path) -> None:
    root = tmp_path / "visitors"
    root.mkdir()
    gone, here = Desk(root), Desk(root)
    for desk in (gone, here):
        clips_of(tmp_path, desk, 300)
    hours = 3600
    for desk in (gone, here):
        os.utime(desk.session.folder, (time.time() - 5 * hours,) * 2)
    here.touched()  # a step of the visitor's
    sweep(root, 4 * hours)
    assert list(root.iterdir()) == [here.session.folder]
    clips_of(tmp_path, gone, 500)  # who comes back all the same can go on
    assert [check.usable for check in gone.session.workspace.checks] == [False, True]


def test_a_removed_clip_comes_back_until_its_room_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    first, second = clips_of(tmp_path, desk, 300, 700)
    before = desk.session.workspace
    desk.remove([before.checks[0].clip])
    assert [check.clip.path for check in desk.session.workspace.checks] == [second]
    desk.undo()
    assert desk.session.workspace == before
    desk.remove([before.checks[0].clip])
    size = first.stat().st_size
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", 3 * size)

    def take(amount: int) -> None:
        with desk.new_folder(amount) as into:
            (into / "more").write_bytes(bytes(amount))

    with pytest.raises(DataError, match="remove others first"):
        take(3 * size)
    assert first.exists()  # what is refused costs nothing
    assert desk.undo().session.workspace == before
    desk.remove([before.checks[0].clip])
    take(2 * size)
    assert (first.exists(), second.exists()) == (False, True)
    assert desk.undo().session.workspace.checks[0].clip.path == second


@pytest.mark.parametrize("room", [1, 2, 3])
def test_clips_that_make_way_take_no_room(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    first, second = clips_of(tmp_path, desk, 300, 700)
    before, size = desk.session.workspace, first.stat().st_size
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", room * size)
    given = [wav(tmp_path / "other.wav", 1100)]
    desk.add(lambda into: from_class("frog", given, None, into), Studio().add, size, instead=True)
    assert desk.session.workspace.class_counts == {"frog": 1}
    fits = room == 3
    assert (first.exists(), second.exists()) == (fits, fits)
    assert (desk.undo().session.workspace == before) is fits  # they come back only where all have room
    with pytest.raises(DataError, match="remove others first"):
        desk.add(lambda into: from_class("frog", given, None, into), Studio().add, (room + 1) * size, instead=True)


def test_what_turns_out_too_large_leaves_the_clips_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    (first,) = clips_of(tmp_path, desk, 300)
    before = desk.session.workspace
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", first.stat().st_size)
    with pytest.raises(DataError, match="remove others first"):
        clips_of(tmp_path, desk, 700)
    assert desk.session.workspace == before
    assert first.exists()


def test_every_change_of_the_clips_can_be_taken_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    seen = [desk.session.workspace]
    paths = clips_of(tmp_path, desk, 300, 700, 900)
    seen.append(desk.session.workspace)
    clips = [check.clip for check in seen[-1].checks]
    desk.relabel(clips[:2], "bat")
    assert desk.session.workspace.class_counts == {"bat": 2, "owl": 1}
    seen.append(desk.session.workspace)
    desk.relabel([check.clip for check in desk.session.workspace.of_class("bat")], "wren")  # a class renamed
    assert desk.session.workspace.class_counts == {"owl": 1, "wren": 2}
    seen.append(desk.session.workspace)
    given = [wav(tmp_path / "other.wav", 1100)]
    desk.add(lambda into: from_class("frog", given, None, into), Studio().add, instead=True)
    assert desk.session.workspace.class_counts == {"frog": 1}
    for workspace in reversed(seen):
        assert desk.undo().session.workspace == workspace
    assert not any(path.exists() for path in paths)  # the addition itself was taken back
    assert desk.undo().session.workspace == seen[0]
    with pytest.raises(DataError, match="at most 60"):
        desk.relabel([], "o" * 61)


def test_what_is_left_out_stays_so_through_other_changes(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700, 900)
    before = desk.session.workspace
    desk.exclude([before.checks[0].clip])
    desk.relabel([check.clip for check in desk.session.workspace.checks[:2]], "bat")
    desk.remove([desk.session.workspace.checks[1].clip])
    clips_of(tmp_path, desk, 300, 1100)  # in the old class the same audio is another matter
    assert [(c.clip.name, c.clip.label, c.clip.excluded) for c in desk.session.workspace.checks] == [
        ("owl/300.wav", "bat", True),
        ("owl/900.wav", "owl", False),
        ("owl/1100.wav", "owl", False),
        ("owl/300.wav", "owl", False),
    ]
    assert "bat</b> <small>0 of 1 clip, 1 left out by you" in clip_words.class_cards(desk.session.workspace, 4, lambda _: "")
    for _ in range(4):
        desk.undo()
    assert desk.session.workspace == before
    assert desk.exclude([before.checks[0].clip]).exclude([desk.session.workspace.checks[0].clip], False).session.workspace == before


def test_a_copy_of_what_was_left_out_is_used_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    given = [wav(tmp_path / name, hz) for name, hz in (("a.wav", 300), ("b.wav", 300), ("c.wav", 700))]
    desk.add(lambda into: from_class("owl", given, None, into), Studio().add)
    desk.exclude([desk.session.workspace.checks[0].clip])
    rows = clip_words.clip_rows(desk.session.workspace)
    assert [(row[1], row[3]) for row in rows] == [("owl/a.wav", "left out: by you"), ("owl/b.wav", "OK"), ("owl/c.wav", "OK")]
    assert "'owl/b.wav' is used, and is the same audio as 'owl/a.wav', which was left out" in rows[1][-1]
    desk.undo()
    assert [check.usable for check in desk.session.workspace.checks] == [True, False, True]


def test_a_change_of_the_clips_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    said = []

    def act(change) -> None:
        before = desk.session.workspace
        change([check.clip for check in before.checks])
        said.append(clip_words.change(before, desk.session.workspace))

    act(lambda _: clips_of(tmp_path, desk, 300, 700, 900))
    act(lambda clips: desk.relabel(clips[:1], "bat"))
    act(lambda clips: desk.exclude(clips[:2]))
    act(lambda clips: desk.exclude(clips[:1], False))
    act(lambda clips: desk.relabel(clips[1:], "wren"))
    act(lambda clips: desk.relabel(clips[:1], "wren"))
    act(lambda clips: desk.relabel(clips, "wren"))
    act(lambda clips: desk.remove(clips[:1]))
    act(lambda clips: desk.remove(clips))
    assert said == [
        "3 clips added",
        "1 clip moved to ‘bat’",
        "2 clips left out of learning",
        "1 clip taken back into learning",
        "‘owl’ renamed to ‘wren’",
        "‘bat’ merged into ‘wren’: 1 clip",
        "",
        "1 clip removed",
        "‘wren’ deleted, with 2 clips",
    ]


def test_undo_forgets_what_is_long_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.UNDO_STEPS", 1)
    desk = Desk(tmp_path)
    first, second = clips_of(tmp_path, desk, 300, 700)
    desk.remove([desk.session.workspace.checks[0].clip])
    assert first.exists()
    desk.remove([desk.session.workspace.checks[0].clip])
    assert (first.exists(), second.exists()) == (False, True)


def test_removing_a_clip_spares_files_that_are_not_the_visitors(tmp_path: Path) -> None:
    mine = wav(tmp_path / "examples" / "owl" / "a.wav", 300)
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 700)
    desk.add(lambda _: read_folder(mine.parents[1]), Studio().add)
    desk.remove([desk.session.workspace.checks[-1].clip])
    desk.clear()
    assert mine.exists()


def test_a_zip_that_does_not_fit_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", 20_000)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("owl/a.wav", bytes(30_000))
        file.writestr("owl/notes.txt", bytes(50_000))  # stays packed, so it doesn't count
        file.writestr("__MACOSX/owl/._a.wav", bytes(100))
    assert bytes_needed([archive]) == 30_000

    def read(_into: Path) -> Dataset:
        raise AssertionError("unpacked")

    with pytest.raises(DataError, match="remove others first"):
        Desk(tmp_path).add(read, Studio().add, bytes_needed([archive]))


def test_a_visitor_has_one_classifier_file_and_one_report(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first, report = desk.latest_file("classifier", "calm_bat.safetensors"), desk.latest_file("report", "calm_bat.html")
    first.write_bytes(b"1")
    report.write_bytes(b"2")
    assert desk.latest_file("classifier", "calm_owl.safetensors").parent == first.parent
    assert (first.exists(), report.exists()) == (False, True)
    desk.latest_file("report", "calm_owl.html")
    assert not report.exists()


def test_gradio_sees_a_touched_desk_as_changed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    before = hash(desk)
    assert hash(desk.touched()) != before


def test_loose_clips_with_a_table_are_read_together(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file_name,label\na.wav,owl\nb.wav,bat\n")
    found = from_files([wav(tmp_path / "a.wav", 300), wav(tmp_path / "b.wav", 500), table], tmp_path / "in")
    assert sorted((clip.name, clip.label) for clip in found.clips) == [("a.wav", "owl"), ("b.wav", "bat")]


@pytest.mark.parametrize(
    ("table", "with_clip", "said"),
    [
        ("name,kind\na.wav,owl\n", True, "no columns called file_name and label"),
        ("name,kind\na.wav,owl\n", False, "no columns called file_name and label"),
        ("file_name,label\nb.wav,owl\n", False, "1 entry was ignored: 'b.wav': 'labels.csv' line 2: file not found"),
    ],
)
def test_what_a_loose_table_lacks_is_said(table: str, with_clip: bool, said: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(table)
    given = [tmp_path / "labels.csv"] + ([wav(tmp_path / "a.wav", 300)] if with_clip else [])
    with pytest.raises(DataError, match=said) as caught:
        from_files(given, tmp_path / "in")
    assert "loose" not in str(caught.value)


def test_a_clip_that_the_table_leaves_out_is_ignored(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file_name,label\na.wav,owl\n")
    found = from_files([wav(tmp_path / "a.wav", 300), wav(tmp_path / "b.wav", 500), table], tmp_path / "in")
    assert found.ignored == (("b.wav", "not listed with a label in labels.csv"),)


def test_clips_that_are_already_here_are_not_added_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    (tmp_path / "home").mkdir()
    clips_of(tmp_path, desk, 300, 700)
    before = desk.session.workspace
    clips_of(tmp_path, desk, 300, 700)
    assert desk.session.workspace.checks == before.checks
    assert clip_words.added(before, desk.session.workspace, desk.session.repeated) == "2 clips were already here."
    assert len(list((tmp_path / "home").rglob("*.wav"))) == 2
    clips_of(tmp_path, desk, 300, 900)
    assert clip_words.added(before, desk.session.workspace, desk.session.repeated) == "Added 1 clip; 1 clip was already here."


def test_duplicates_within_one_upload_are_reported(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    given = [wav(tmp_path / "a.wav", 300), wav(tmp_path / "b.wav", 300)]
    desk.add(lambda into: from_class("owl", given, None, into), Studio().add)
    assert "'owl/b.wav' is the same audio as 'owl/a.wav'" in desk.session.workspace.checks[1].reason


@pytest.mark.parametrize("label", [None, "", "  ", "o" * 61])
def test_a_class_needs_a_name(label: str | None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no name|at most 60"):
        from_class(label, [wav(tmp_path / "a.wav", 300)], None, tmp_path / "in")


# ---- words ----


def test_names_are_escaped_in_html(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add(lambda into: from_class("<img src=x>", [wav(tmp_path / "a.wav", 300)], None, into), Studio().add)
    checks = desk.session.workspace.checks
    for said in (clip_words.class_cards(desk.session.workspace, 4, lambda _: ""), clip_words.class_title("<img src=x>", checks)):
        assert "<img" not in said
        assert "&lt;img" in said
    assert "<img" not in clip_words.tiles([replace(checks[0], clip=replace(checks[0].clip, name="<img>"))], 0, 24, lambda _: "")
    assert "<img" not in clip_words.clip_title(desk.session.workspace.checks[0])
    assert "<img" not in words.bullets(desk.session.workspace.advice)


def test_a_class_shows_some_of_its_clips_at_a_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700, 900)
    checks = desk.session.workspace.of_class("owl")
    shown = clip_words.tiles(checks, 2, 2, lambda path: f"picture of {path.name}")
    assert ("900.wav" in shown, "700.wav" in shown, "tick these 1 of 3" in shown) == (True, False, True)
    assert clip_words.clip_key(checks[2].clip) in shown
    assert "tick all" in clip_words.tiles(checks, 0, 24, lambda _: "")
    assert "No clip of this class" in clip_words.tiles([], 0, 24, lambda _: "")
    card = clip_words.class_cards(desk.session.workspace, 2, lambda path: f"picture of {path.name}")
    assert card.count("<img") == 2
    assert "+1</small>" in card
    assert "+" not in clip_words.class_cards(desk.session.workspace, 3, lambda _: "")
    assert len({clip_words.clip_key(check.clip) for check in checks}) == 3
    assert clip_words.clip_key(checks[0].clip) != clip_words.clip_key(replace(checks[0].clip, label="bat"))


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


def test_thumbnails_go_with_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.UNDO_STEPS", 1)
    desk = Desk(tmp_path)
    paths = clips_of(tmp_path, desk, 300, 700, 900)
    assert all(thumbnail(desk, path) for path in paths)
    for check in desk.session.workspace.checks[:2]:
        desk.remove([check.clip])
    assert list(desk.thumbnails) == paths[1:]  # the second can still come back
    desk.clear()
    assert not desk.thumbnails


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


def test_pictures_that_were_made_meanwhile_are_drawn(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    paths = clips_of(tmp_path, desk, 300, 700)
    (pictures,) = (fn.fn for fn in app.build_demo(backbone="fake").fns.values() if fn.name == "show_pictures")
    made = [thumbnail(desk, path) for path in paths]  # as for the card, after the tiles were drawn without them
    assert all(picture in pictures(desk, "owl", "", 0) for picture in made)
    assert pictures(desk, None, "", 0) == gr.skip()


def test_only_what_was_learned_from_clips_here_can_be_corrected(tmp_path: Path) -> None:
    desk, row = Desk(tmp_path), ClipPrediction("a.wav", tmp_path / "a.wav", label="owl")
    for label, hz in (("owl", 300), ("bat", 700)):
        desk.add(lambda into, hz=hz, label=label: from_class(label, [wav(tmp_path / f"{hz}.wav", hz)], None, into), Studio().add)
    here, there = Current(Learned(None), "clips"), Current(Learned(None), "example")
    assert predict_words.no_correction(here, desk.session.workspace, row) == ""
    assert "learn first" in predict_words.no_correction(there, desk.session.workspace, row)
    assert "nothing to correct" in predict_words.no_correction(here, desk.session.workspace, replace(row, error="silent"))
    desk.clear()
    assert "learn first" in predict_words.no_correction(here, desk.session.workspace, row)
    assert "Learn again" not in learn_words.stale(Current(Learned(None, clips=(row,)), "clips"), desk.session.workspace)


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


@pytest.mark.parametrize(("reliability", "said"), [("leave_one_out", "had not seen"), ("resubstitution", "it learned from")])
def test_the_heads_caption_says_which_clips_judged_them(reliability: str, said: str) -> None:
    class Model:
        options = FitOptions(auto=False, reliability=reliability)

    current = Current(Learned(Model()), "clips")
    assert said in head_words.heads_caption(current)
    assert "had not seen" in head_words.heads_caption(None)


# ---- what is offered ----


def test_a_server_without_a_gpu_offers_no_big_backbone() -> None:
    assert [row.id for row in choices("pocket", "cpu")] == ["pocket", "whisper-small"]
    assert choices("pocket", "cuda") == offered()
    assert [row.id for row in choices("fake", "cpu")] == ["pocket", "whisper-small", "fake"]


def test_every_kind_of_audio_that_can_be_read_can_be_chosen() -> None:
    assert set(AUDIO_TYPES) >= AUDIO_SUFFIXES


# ---- answers ----


NAMES = ("bat", "owl", "wren")


def answered(prediction_set: tuple[str, ...] | None, label: str = "owl") -> ClipPrediction:
    """An answer of 80 % 'owl', or of the label."""
    share = np.full(3, 0.1, np.float32)
    share[NAMES.index(label)] = 0.8
    few = prediction_set is None
    return ClipPrediction(
        "a.wav", Path("a.wav"), "", label, None if few else 0.8, share, None if few else share, prediction_set, "few" if few else ""
    )


@pytest.mark.parametrize(
    ("prediction_set", "cell", "sentence"),
    [
        (("owl",), "only owl", "Of the known classes only ‘owl’ fits."),
        (("owl", "wren"), "owl, wren", "It fits ‘owl’ or ‘wren’; in nine cases of ten the right class is among those that fit."),
        (("owl", "bat", "wren"), "any of them", "It could be any of the known classes: none can be ruled out."),
        (("wren", "bat"), "wren, bat", "Odd for ‘owl’, though closest to it; it fits ‘wren’ or ‘bat’."),
    ],
)
def test_what_else_a_clip_could_be(prediction_set: tuple[str, ...], cell: str, sentence: str) -> None:
    row = answered(prediction_set)
    assert predict_words.prediction_rows([row], NAMES)[0][2:5] == ["owl", cell, "80\u202f%"]
    assert "<b>‘owl’</b> with 80\u202f% confidence" in predict_words.answer(row, NAMES)
    assert sentence in predict_words.answer(row, NAMES)


def test_none_of_the_classes_promises_nothing() -> None:
    row = answered(())
    assert predict_words.prediction_rows([row], NAMES)[0][2:5] == ["owl?", "none of these", ""]  # no 80 % beside it
    said = predict_words.answer(row, NAMES)
    assert "None of the known classes?" in said
    assert "closest is ‘owl’" in said
    assert "80\u202f%" not in said


def test_without_a_calibration_the_reason_is_given_once() -> None:
    class Model:
        calibration_note = "only 6 clips can be tested"

    row = answered(None)
    assert predict_words.prediction_rows([row], NAMES)[0][2:5] == ["owl", "", ""]
    assert "you said wren; now one of your clips" in predict_words.prediction_rows([row], NAMES, {0: "wren"})[0][-1]
    assert "fits" not in predict_words.answer(row, NAMES)
    assert "few" not in predict_words.answer(row, NAMES)
    assert "only 6 clips" in predict_words.about_answers(Answers(Current(Learned(Model()), "file"), (row, row)))


def test_the_example_is_not_taken_for_the_visitors_own() -> None:
    example = app.example()
    assert example is not None
    own = replace(example, source="file")
    for say in (learn_words.headline, head_words.which_heads, predict_words.asked):
        assert "This is an example, not yours" in say(example)
        assert "add recordings in the tab Clips" in say(example)
        assert "an example" not in say(own)
    row = answered(("owl",))
    assert predict_words.older(Answers(example, (row,)), example) == "The example classifier gave these answers, not one of yours."
    assert predict_words.older(Answers(own, (row,)), own) == ""
    assert "Press Predict to ask the present one" in predict_words.older(Answers(example, (row,)), own)


def test_names_in_sets_are_escaped() -> None:
    row = replace(answered(("owl", "wren")), prediction_set=("owl", "<b>"))
    assert "&lt;b&gt;" in predict_words.answer(row, NAMES)


# ---- labels in doubt ----


def test_a_doubt_is_settled_by_relabelling_removing_or_confirming(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700, 900)
    clips = tuple(check.clip for check in desk.session.workspace.usable)

    class Doubtful(Learned):
        @property
        def doubts(self) -> tuple[Doubt, ...]:
            return tuple(Doubt(clip, "owl", "bat", 0.004) for clip in clips)

    current = Current(Doubtful(None, clips=clips), "clips")
    first, second, third = current.doubts(desk.session)
    assert learn_words.doubt_rows([first]) == [[1, "owl/300.wav", "owl", "bat", "below 1\u202f%"]]
    assert "you call it ‘owl’" in learn_words.doubt_question(first)

    desk.confirm(first.clip)
    assert not current.clips_changed(desk.session.workspace)
    desk.relabel([second.clip], "bat")
    assert desk.session.workspace.class_counts == {"bat": 1, "owl": 2}
    assert current.clips_changed(desk.session.workspace)
    assert "Learn again" in learn_words.stale(current, desk.session.workspace)
    desk.remove([third.clip])
    assert current.doubts(desk.session) == ()
    assert learn_words.decided("relabelled", second, 0) == words.progress(
        "owl/700.wav is now one of your ‘bat’ clips. That was the last one."
    )
    assert desk.clear().session.confirmed == frozenset()


def test_names_in_doubts_are_escaped() -> None:
    doubt = Doubt(Clip(Path("a.wav"), "<i>.wav", "<b>"), "<b>", "<u>", 0.01)
    for said in (learn_words.doubt_question(doubt), learn_words.decided("relabelled", doubt, 1)):
        assert "<i>" not in said
        assert "<u>" not in said


# ---- confidence beside the truth ----


def believed(probability: float, right: int, n: int) -> Learned:
    """What learning gives where each of n held-out clips got this probability, and the first ones were right."""
    scores = np.tile(np.array([probability, 1 - probability], np.float32), (n, 1))
    truth = np.array([0] * right + [1] * (n - right))

    class Model:
        class_names = ("bat", "owl")
        held_out = HeldOut(truth, scores, scores, n)
        temperature, options, calibration_note = 1.0, FitOptions(), ""

    return Learned(Model())


@pytest.mark.parametrize(("right", "said"), [(9, "about what it keeps"), (4, "promises too much"), (12, "promises too little")])
def test_whether_the_confidence_kept_its_promise(right: int, said: str) -> None:
    learned = believed(0.75, right, 12)
    text = learn_words.calibration_text(learned)
    assert said in text
    assert f"75\u202f% sure on average, and right {words.percent(right / 12)}" in text
    assert f"truth are {abs(75 - 100 * right / 12):.0f} percentage points apart" in text
    assert [row[:3] for row in learn_words.calibration_rows(learned)] == [["70\u202f% to 80\u202f%", 12, words.percent(right / 12)]]


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ([0.8, 0.9, 0.5], "even rises, from 80\u202f% to 90\u202f% with 2 heads left"),
        ([0.8, 0.78, 0.5], "is still 78\u202f% (with all 80\u202f%)"),
        ([0.8, 0.6, 0.5], "falls from 80\u202f% to 60\u202f%"),
    ],
)
def test_the_curve_of_dropping_heads_is_put_into_words(best: list[float], said: str) -> None:
    others = [np.array([0.8, 0.7, 0.5], np.float32)] * 4
    assert said in head_words.dropped(Ablation(np.array([4, 2, 1]), np.array(best, np.float32), *others))


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert [head_words.signed(value) for value in (-0.004, 0.004, -0.07, 0.41)] == ["0.00", "0.00", "−0.07", "+0.41"]


def test_the_best_simpler_method_is_named_beside_the_classifier() -> None:
    labels = [name for name in ("bat", "owl") for _ in range(6)]
    vectors = np.tile(np.eye(2, dtype=np.float32)[np.repeat([0, 1], 6)][:, None, None], (1, 1, 2, 1))
    learned = Learned(CalmClassifier.fit(vectors, labels, null=False))
    rungs = [
        MethodResult("calm", "CALM", None, 1.0, 0.8, 1.0),
        MethodResult("probe", "A probe", None, 0.75, 0.5, 0.9),
        MethodResult("mfcc", "MFCC", None, 0.5, 0.3, 0.7),
    ]
    said = learn_words.verdict(learned, rungs)
    assert "Of 2 simpler methods the best on these clips, ‘A probe’, recognises 75\u202f%; your classifier 100\u202f%." in said
    assert "too few" in said
    assert learn_words.CHOOSE not in said
    assert "too few" not in learn_words.verdict(learned, rungs[::2])
    assert learn_words.verdict(learned, ()) == ""


def test_what_is_not_calibrated_gets_the_reason_and_no_table() -> None:
    class Model:
        held_out, temperature, calibration_note = believed(0.75, 9, 12).model.held_out, None, "only 6 clips can be tested"

    assert "Only 6 clips" in learn_words.calibration_text(Learned(Model()))
    assert learn_words.calibration_rows(Learned(Model())) == []


def test_answers_read_from_fewer_layers_than_the_heads_asked_are_explained() -> None:
    class Model:
        layers = 7

    heads = HeadVectors(np.zeros((1, 8, 2, 2), np.float32), np.arange(1), layers=5)
    rows = [ClipPrediction("a.wav", Path("a.wav"), heads=heads)]
    assert "the layers up to 5" in head_words.too_shallow(rows, Model())
    assert "go up to layer 7" in head_words.too_shallow(rows, Model())
    assert head_words.too_shallow([replace(rows[0], heads=replace(heads, layers=7))], Model()) == ""
    assert head_words.too_shallow([replace(rows[0], heads=replace(heads, layers=None))], Model()) == ""
