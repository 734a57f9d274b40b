"""A project keeps every act that it acknowledged: undone, redone, across restarts, between two tabs, and when its process is killed."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from calm_core.errors import DataError, ProjectError, StaleError
from calm_core.library.project import Project
from calm_core.library.records import CurvePoint, Judgement, NewClip, newly_judged
from calm_core.library.shelf import sweep
from calm_core.library.storage import DATABASE

from .conftest import new_clips

LABELS = ("owl", "bat", "frog")


def said(project: Project) -> dict[int, Judgement]:
    return {entry.id: entry.judgement for entry in project.snapshot().entries}


def reopened(project: Project) -> Project:
    project.close()
    return Project(project.folder)


def test_acts_are_there_after_a_restart(project: Project) -> None:
    project.label([1, 2], "owl")
    project.label([3], "bat")
    project.set_state([2], "excluded")
    project.set_state([4], "uncertain")
    project.judge({5: Judgement("owl", "positive", "machine", 0.9)})
    project.note_accuracy(CurvePoint(2, 1, 2))
    before = project.snapshot()
    with reopened(project) as again:
        assert again.snapshot() == before
        assert before.name == "Night"
        assert before.class_names == ("owl", "bat")
        assert before.class_counts == {"owl": 1, "bat": 1}
        assert [(e.label, e.state, e.judgement.judge) for e in before.entries[:5]] == [
            ("owl", "positive", "person"),
            ("owl", "excluded", "person"),
            ("bat", "positive", "person"),
            (None, "uncertain", "person"),
            ("owl", "positive", "machine"),
        ]
        assert [e.id for e in before.entries if e.waiting] == [5, 6]
        assert before.entries[0].path.read_bytes() == b"sound 0"
        assert before.curve == (CurvePoint(2, 1, 2),)


def test_undo_and_redo_go_all_the_way_across_restarts(project: Project) -> None:
    acts = [
        lambda: project.label([1, 2, 3], "owl"),
        lambda: project.add_classes(["frog"]),
        lambda: project.judge({4: Judgement("bat", "positive", "machine", 0.75)}),
        lambda: project.confirm([4]),
        lambda: project.rename_class("bat", "pipistrelle"),
        lambda: project.merge_classes(["owl", "pipistrelle"], "animal"),
        lambda: project.set_state([1], "excluded"),
        lambda: project.delete_class("animal"),
    ]
    states = [project.snapshot()]
    for act in acts:
        act()
        states.append(project.snapshot())
    assert states[-1].class_names == ("frog",)
    assert [entry.state for entry in states[-1].entries[:2]] == ["excluded", "unlabelled"]
    for state in reversed(states[:-1]):
        project = reopened(project)
        assert project.undo()
        now = project.snapshot()
        assert (now.entries, now.class_names) == (state.entries, state.class_names)
    assert project.undo() == "added 6 clips"
    assert project.snapshot().entries == ()
    assert project.undo() == ""
    assert project.redo() == "added 6 clips"
    for state in states[1:]:
        project = reopened(project)
        assert project.redo()
        now = project.snapshot()
        assert (now.entries, now.class_names) == (state.entries, state.class_names)
    assert project.redo() == ""
    project.close()


def test_a_new_act_ends_what_was_undone_and_its_files_go(project: Project, tmp_path: Path) -> None:
    (added,) = project.add(new_clips(tmp_path / "new", 1, start=50))
    file = project.snapshot().entry(added).path
    project.undo()
    assert file.is_file()  # redo may want it
    project.label([1], "owl")
    assert not file.exists()
    assert project.redo() == ""
    assert project.add(new_clips(tmp_path / "new", 1, start=50))
    assert [act.text for act in project.history()] == ["added 1 clip", "1 clip to 'owl'", "added 6 clips"]


def test_what_was_taken_back_can_be_added_again_at_once(project: Project, tmp_path: Path) -> None:
    project.undo()
    again = project.add(new_clips(tmp_path / "new", 6))
    assert len(again) == 6
    assert min(again) > 6  # a number means one clip for ever
    assert all(entry.path.is_file() for entry in project.snapshot().entries)


def test_the_same_audio_is_kept_once_but_windows_of_a_recording_each(project: Project, tmp_path: Path) -> None:
    again = new_clips(tmp_path / "new", 7)
    assert len(project.add(again)) == 1
    silence = again[0].path
    windows = [NewClip(silence, f"field {i}", recording="field.wav", start_s=5.0 * i, end_s=5.0 * i + 5) for i in range(3)]
    assert len(project.add(windows)) == 3
    entry = project.snapshot().entries[-1]
    assert (entry.recording, entry.start_s, entry.end_s) == ("field.wav", 10.0, 15.0)
    revision = project.revision
    assert project.add(windows) == ()
    assert project.revision == revision  # nothing happened, so there is nothing to undo


def test_a_stale_tab_must_look_again(project: Project) -> None:
    with Project(project.folder) as other:
        other.label([1], "bat")
        assert project.changed_elsewhere()
        for act in (lambda: project.label([1], "owl"), project.undo, project.redo, lambda: project.add_classes(["x"])):
            with pytest.raises(StaleError, match="another tab"):
                act()
        assert said(project)[1].label == "bat"
        project.label([1], "owl")
        assert said(other)[1].label == "owl"


def test_an_act_that_fails_leaves_no_files(project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def files() -> set[Path]:
        return {path for path in (project.folder / "clips").rglob("*") if path.is_file()}

    before, more = files(), new_clips(tmp_path / "new", 3, start=10)
    with pytest.raises(ProjectError, match="no name for a class"):
        project.add([*more, replace(more[0], judgement=Judgement(" owl", "positive", "person"))])
    with pytest.raises(DataError, match=r"'gone\.wav' can't be kept"):
        project.add([*more, NewClip(tmp_path / "gone.wav", "gone.wav")])
    with Project(project.folder) as other:
        other.label([1], "owl")
    with pytest.raises(StaleError):
        project.add(more)
    assert files() == before
    project.snapshot()
    renamed = (tmp_path / "new" / "0.wav").rename(tmp_path / "0.flac")
    assert project.add([NewClip(renamed, "0.flac")]) == ()
    assert files() == before
    assert len(project.add(more)) == 3
    assert len(files()) == len(before) + 3
    assert caplog.text == ""


def test_a_file_that_cannot_be_deleted_undoes_no_act(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    project.undo()
    monkeypatch.setattr(Path, "unlink", refused)
    project.add_classes(["owl"])
    assert project.snapshot().class_names == ("owl",)
    assert "files that no clip needs stay" in caplog.text


def test_two_tabs_at_once_lose_nothing(project: Project) -> None:
    """Each act is retried after a look, as a page does; all are in the history, and the last one stands."""

    def tab(clip: int) -> None:
        with Project(project.folder) as mine:
            for i in range(15):
                while True:
                    try:
                        mine.label([clip], LABELS[i % 3])
                        break
                    except StaleError:
                        mine.snapshot()

    with ThreadPoolExecutor() as pool:
        list(pool.map(tab, (1, 2)))
    assert len(project.history(1000)) == 31
    assert [said(project)[clip].label for clip in (1, 2)] == [LABELS[14 % 3]] * 2


def test_an_act_is_all_or_nothing(project: Project) -> None:
    before = project.snapshot()
    with pytest.raises(ProjectError, match="no clip number 99"):
        project.label([1, 99], "owl")
    with pytest.raises(ProjectError, match="without a class"):
        project.set_state([1], "positive")
    with pytest.raises(DataError):
        project.label([1], "x" * 61)
    with pytest.raises(ProjectError, match="no name for a class"):
        project.label([1], " owl")
    assert project.snapshot() == before
    project.label([1], "owl")
    project.label([2], "bat")
    with pytest.raises(ProjectError, match="merge"):
        project.rename_class("owl", "bat")
    with pytest.raises(ProjectError, match="no class 'crow'"):
        project.delete_class("crow")


def test_a_project_of_an_earlier_version_notes_backbones_from_now_on(project: Project) -> None:
    project.label([1], "owl")
    project.note_accuracy(CurvePoint(2, 1, 2))
    project.close()
    with sqlite3.connect(project.folder / DATABASE) as db:
        db.execute("ALTER TABLE curve DROP COLUMN backbone")
    db.close()
    with Project(project.folder) as again:
        again.note_accuracy(CurvePoint(3, 2, 3, "pocket"))
        assert again.snapshot().curve == (CurvePoint(2, 1, 2, ""), CurvePoint(3, 2, 3, "pocket"))


def test_a_closed_project_and_one_that_was_deleted_say_so(project: Project, tmp_path: Path) -> None:
    with Project(project.folder) as late:
        project.close()
        for call in (project.snapshot, project.changed_elsewhere, project.undo, lambda: project.label([1], "owl")):
            with pytest.raises(ProjectError, match="was closed; open it again"):
                call()
        sweep(project.folder.parent, -1)
        for call in (late.seen, late.undo, late.redo, lambda: late.label([1], "owl"), lambda: late.add(new_clips(tmp_path, 1))):
            with pytest.raises(ProjectError, match="may have been deleted"):
                call()
        assert not late.folder.exists()


def test_a_label_for_audio_that_is_here_unlabelled_is_kept(project: Project, tmp_path: Path) -> None:
    owl = Judgement("owl", "positive", "person")
    project.label([2], "bat")
    before = project.snapshot()
    assert len(project.add(new_clips(tmp_path / "new", 7, judgement=owl))) == 1
    assert [entry.label for entry in project.snapshot().entries] == ["owl", "bat", *["owl"] * 5]
    assert newly_judged(before, project.snapshot()) == 5
    assert project.undo() == "added 1 clip and labels of 5 clips that were here"
    assert project.snapshot().entries == before.entries
    window = NewClip(tmp_path / "new" / "0.wav", "w", recording="field.wav", start_s=5.0, end_s=10.0)
    (clip,) = project.add([window])
    assert project.add([replace(window, judgement=owl)]) == ()
    assert said(project)[clip] == owl
    assert said(project)[1] == Judgement()


def test_a_persons_label_is_kept_against_a_machines(project: Project, tmp_path: Path) -> None:
    guess, owl = Judgement("bat", "positive", "machine", 0.9), Judgement("owl", "positive", "person")
    project.judge({1: guess, 2: guess, 3: Judgement("bat", "positive", "person")})
    before = project.snapshot()
    assert project.add(new_clips(tmp_path / "new", 1, judgement=Judgement("frog", "positive", "machine", 0.6))) == ()
    assert said(project)[1] == guess  # a guess isn't better for being newer
    assert project.add(new_clips(tmp_path / "new", 3, judgement=owl)) == ()
    assert [entry.judgement for entry in project.snapshot().entries[:3]] == [owl, owl, Judgement("bat", "positive", "person")]
    assert newly_judged(before, project.snapshot()) == 2


# ---- kill -9 ---------------------------------------------------------------------------------------------------------------


def write_until_killed(folder: Path, seed: int, acknowledge: Connection) -> None:
    """Labels clips at random; tells of each act once the call has returned."""
    draw = random.Random(seed)
    project = Project(folder)
    while True:
        clip, label = draw.randint(1, 6), draw.choice(LABELS)
        project.label([clip], label)
        acknowledge.send((clip, label))


def test_kill_minus_9_at_random_moments_loses_nothing_that_was_acknowledged(project: Project) -> None:
    """From a server process that has imported the library already, so that 20 starts take no time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_library_project"])
    draw = random.Random(5)
    expected = dict.fromkeys(range(1, 7))
    total = 0
    for seed in range(20):
        project.close()
        ours, theirs = context.Pipe(duplex=False)
        writer = context.Process(target=write_until_killed, args=(project.folder, seed, theirs))
        writer.start()
        theirs.close()
        acknowledged = [ours.recv() for _ in range(draw.randint(1, 12))]
        for _ in range(draw.randint(0, 30_000)):  # some moment within the next acts
            pass
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        while ours.poll():
            try:
                acknowledged.append(ours.recv())
            except EOFError:
                break
        for clip, label in acknowledged:
            expected[clip] = label
        total += len(acknowledged)

        project = Project(project.folder)  # this checks the integrity too
        assert project._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = {clip: judgement.label for clip, judgement in said(project).items()}
        different = [clip for clip in expected if found[clip] != expected[clip]]
        assert len(different) <= 1  # the act that was on its way when the process died may be there as well
        expected = found
    assert len(project.history(10_000)) > 20
    assert total >= 20
    project.close()
