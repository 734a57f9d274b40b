"""A project keeps every act that it acknowledged: undone, redone, across restarts, between two tabs, and when its process is killed."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from calm_core import library
from calm_core.errors import DataError, ProjectError, StaleError
from calm_core.library import (
    CurvePoint,
    Judgement,
    NewClip,
    Project,
    delete_project,
    move_from_cache,
    newly_judged,
    open_project,
    project_info,
    projects,
    projects_home,
    sweep,
)

LABELS = ("owl", "bat", "frog")


def new_clips(folder: Path, count: int, start: int = 0, **more: object) -> list[NewClip]:
    """Files that are told apart by their bytes: the library asks nothing else of them."""
    folder.mkdir(exist_ok=True)
    found = []
    for i in range(start, start + count):
        (folder / f"{i}.wav").write_bytes(f"sound {i}".encode())
        found.append(NewClip(folder / f"{i}.wav", f"{i}.wav", **more))  # type: ignore[arg-type]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "projects", "Night") as project:
        project.add(new_clips(tmp_path / "new", 6))
        yield project


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
    assert len(project.add(new_clips(tmp_path / "new", 6))) == 6
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


def test_a_busy_project_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "BUSY_TIMEOUT_MS", 20)
    with Project(project.folder) as late:
        project._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProjectError, match="was busy"):
            late.label([1], "owl")
        project._db.execute("ROLLBACK")


def test_a_project_of_an_earlier_version_notes_backbones_from_now_on(project: Project) -> None:
    project.label([1], "owl")
    project.note_accuracy(CurvePoint(2, 1, 2))
    project.close()
    with sqlite3.connect(project.folder / library.DATABASE) as db:
        db.execute("ALTER TABLE curve DROP COLUMN backbone")
    db.close()
    with Project(project.folder) as again:
        again.note_accuracy(CurvePoint(3, 2, 3, "pocket"))
        assert again.snapshot().curve == (CurvePoint(2, 1, 2, ""), CurvePoint(3, 2, 3, "pocket"))


def test_damage_and_strangers_are_refused(project: Project) -> None:
    root = project.folder.parent
    with pytest.raises(ProjectError, match="no project 'gone'"):
        open_project(root, "gone")
    for id in ("../new", "", "a/b"):
        with pytest.raises(ProjectError, match="is no project"):
            open_project(root, id)
    project.close()
    with sqlite3.connect(project.folder / library.DATABASE) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(ProjectError, match="format version 7"):
        open_project(root, project.id)
    (project.folder / library.DATABASE).write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(ProjectError, match="damaged"):
        open_project(root, project.id)
    assert "damaged" in projects(root)[0].error


def test_list_and_sweep(project: Project) -> None:
    root = project.folder.parent
    project.label([1, 2], "owl")
    with Project.create(root, "Old") as old:
        pass
    os.utime(old.folder / library.SEEN, (0, 0))
    assert [(info.name, info.clips, info.labelled) for info in projects(root)] == [("Night", 6, 2), ("Old", 0, 0)]
    assert sweep(root, 3600) == (old.id,)
    assert [info.id for info in projects(root)] == [project.id]
    assert projects(root / "nowhere") == ()
    assert sweep(root / "nowhere", 0) == ()
    (old.folder / "clips").mkdir(parents=True)  # an earlier sweep was cut off, or a visitor wrote into it meanwhile
    os.utime(old.folder, (0, 0))
    assert sweep(root, 3600) == (old.id,)
    assert not old.folder.exists()


def test_a_deleted_project_is_gone_for_every_tab(project: Project) -> None:
    root = project.folder.parent
    info = project_info(root, project.id)
    assert (info.name, info.clips) == ("Night", 6)
    delete_project(root, project.id)
    assert projects(root) == ()
    assert not project.folder.exists()
    for call in (lambda: project.label([1], "owl"), lambda: delete_project(root, project.id), lambda: project_info(root, project.id)):
        with pytest.raises(ProjectError, match="may have been deleted"):
            call()
    with pytest.raises(ProjectError, match="is no project"):
        delete_project(root, "../" + root.name)


@pytest.mark.parametrize(("code", "tries"), [(errno.ENOTEMPTY, 2), (errno.EACCES, 1)])
def test_a_deletion_that_the_disk_refuses_names_no_path(
    code: int, tries: int, project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def refused(folder: Path) -> None:
        tried.append(folder)
        raise OSError(code, os.strerror(code), str(folder))

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(ProjectError, match=os.strerror(code)) as caught:
        delete_project(project.folder.parent, project.id)
    assert tried == [project.folder] * tries
    assert repr(project.id) in str(caught.value)
    assert str(project.folder.parent) not in str(caught.value)
    assert str(project.folder) in caplog.text


def test_a_clip_that_comes_while_a_project_is_deleted_goes_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rmtree, late = shutil.rmtree, [OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))]

    def once_late(folder: Path) -> None:
        if late:
            raise late.pop()
        rmtree(folder)

    monkeypatch.setattr(shutil, "rmtree", once_late)
    delete_project(project.folder.parent, project.id)
    assert not project.folder.exists()


def test_a_damaged_project_can_be_deleted(project: Project) -> None:
    root = project.folder.parent
    project.close()
    (project.folder / library.DATABASE).write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    assert "damaged" in project_info(root, project.id).error
    delete_project(root, project.id)
    assert not project.folder.exists()


@pytest.mark.parametrize("across_disks", [False, True])
def test_projects_move_from_the_cache_to_the_data_folder(across_disks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALM_HOME")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    root = projects_home()
    assert root == tmp_path / "data" / "projects"
    assert move_from_cache(root) == ()
    with Project.create(tmp_path / "cache" / "projects", "Old") as old:
        old.add(new_clips(tmp_path, 2))
    if across_disks:
        rename = Path.rename

        def refused(path: Path, target: Path) -> Path:
            if path == old.folder:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", refused)
    assert move_from_cache(root) == (old.id,)
    assert move_from_cache(root) == ()
    assert not old.folder.exists()
    with open_project(root, old.id) as moved:
        assert all(entry.path.is_file() for entry in moved.snapshot().entries)
    assert [folder.name for folder in (tmp_path / "data").iterdir()] == ["projects"]


def test_what_cannot_be_moved_stays_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALM_HOME")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    Project.create(tmp_path / "cache" / "projects", "Old").close()
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ProjectError, match="move the folders yourself"):
        move_from_cache(tmp_path / "data" / "projects")
    assert [info.name for info in projects(tmp_path / "cache" / "projects")] == ["Old"]


def test_calm_home_holds_projects_too(calm_home: Path) -> None:
    assert projects_home() == calm_home / "projects"
    Project.create(projects_home()).close()
    assert move_from_cache(projects_home()) == ()


def test_a_closed_project_and_one_that_was_deleted_say_so(project: Project) -> None:
    with Project(project.folder) as late:
        project.close()
        for call in (project.snapshot, project.changed_elsewhere, project.undo, lambda: project.label([1], "owl")):
            with pytest.raises(ProjectError, match="was closed; open it again"):
                call()
        sweep(project.folder.parent, -1)
        for call in (late.seen, late.undo, late.redo, lambda: late.label([1], "owl")):
            with pytest.raises(ProjectError, match="may have been deleted"):
                call()
        assert not late.folder.exists()


def test_a_label_for_audio_that_is_here_unlabelled_is_kept(project: Project, tmp_path: Path) -> None:
    owl = Judgement("owl", "positive", "person")
    project.label([2], "bat")
    before = project.snapshot()
    assert project.add(new_clips(tmp_path / "new", 7, judgement=owl)) == (7,)
    assert [entry.label for entry in project.snapshot().entries] == ["owl", "bat", *["owl"] * 5]
    assert newly_judged(before, project.snapshot()) == 5
    assert project.undo() == "added 1 clip and labels of 5 clips that were here"
    assert project.snapshot().entries == before.entries
    window = NewClip(tmp_path / "new" / "0.wav", "w", recording="field.wav", start_s=5.0, end_s=10.0)
    (clip,) = project.add([window])
    assert project.add([replace(window, judgement=owl)]) == ()
    assert said(project)[clip] == owl
    assert said(project)[1] == Judgement()


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
    context.set_forkserver_preload(["tests.test_library"])
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
