"""A project's database on disk: busy, damaged, foreign, or on a disk that refuses."""

from __future__ import annotations

import errno
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from calm_core.errors import DataError, ProjectError
from calm_core.library import storage
from calm_core.library.project import Project
from calm_core.library.records import NewClip
from calm_core.library.shelf import projects
from calm_core.library.storage import DATABASE

from .conftest import new_clips


def test_a_busy_project_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_MS", 20)
    with Project(project.folder) as late:
        project._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProjectError, match="was busy"):
            late.label([1], "owl")
        project._db.execute("ROLLBACK")


def test_damage_and_strangers_are_refused(project: Project) -> None:
    project.close()
    with sqlite3.connect(project.folder / DATABASE) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(ProjectError, match="format version 7"):
        Project(project.folder)
    (project.folder / DATABASE).write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(ProjectError, match="damaged"):
        Project(project.folder)


def test_a_busy_project_is_not_called_damaged(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_MS", 20)
    project.close()
    with closing(sqlite3.connect(project.folder / DATABASE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProjectError, match="was busy"):
            Project(project.folder)
        assert "was busy" in projects(project.folder.parent)[0].error
        other.execute("ROLLBACK")


@pytest.mark.parametrize("statement", ["DROP TABLE curve", "DELETE FROM project", "PRAGMA user_version = 7"])
def test_what_cannot_be_opened_is_listed_with_the_reason_that_opening_gives(statement: str, project: Project) -> None:
    project.close()
    with closing(sqlite3.connect(project.folder / DATABASE, isolation_level=None)) as db:
        db.execute(statement)
    with pytest.raises(ProjectError, match=r"damaged|format version 7") as caught:
        Project(project.folder)
    assert projects(project.folder.parent)[0].error == str(caught.value)


def test_a_project_of_an_earlier_version_gives_no_number_twice_either(project: Project, tmp_path: Path) -> None:
    project.label([1], "owl")
    before = project.snapshot()
    project.close()
    with closing(sqlite3.connect(project.folder / DATABASE)) as db:
        table, index = (sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'clip' ORDER BY type DESC"))
        db.executescript(f"DROP INDEX clip_content; ALTER TABLE clip RENAME TO now; {table.replace(' AUTOINCREMENT', '')};")
        db.executescript(f"INSERT INTO clip SELECT * FROM now; DROP TABLE now; {index}")
    with Project(project.folder) as again, Project(project.folder) as other:
        assert again.snapshot() == other.snapshot() == before
        assert (again.undo(), again.undo()) == ("1 clip to 'owl'", "added 6 clips")
        again.add_classes(["owl"])
        assert min(again.add(new_clips(tmp_path / "new", 7))) > 6


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("cached_pages", [2000, 10])  # the disk refuses when the act ends, or in its middle
def test_a_full_disk_is_named_and_harms_nothing(cached_pages: int, project: Project, tmp_path: Path) -> None:
    project.add(new_clips(tmp_path / "more", 300, start=100))
    before = project.snapshot()
    clips = [entry.id for entry in before.entries]
    project._db.execute(f"PRAGMA cache_size = {cached_pages}")
    with full_disk((project.folder / f"{DATABASE}-wal").stat().st_size), pytest.raises(ProjectError, match=r"disk I/O error|disk is full"):
        project.label(clips, "owl")
    assert project.snapshot() == before
    project.label(clips, "owl")
    assert project.snapshot().class_counts == {"owl": 306}


def test_a_disk_that_refuses_to_note_a_visit_is_named(
    project: Project, tmp_path: Path, write_wav: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    wav = write_wav(tmp_path / "new.wav", np.ones(100, np.float32))
    monkeypatch.setattr(Path, "touch", full)
    for act in (lambda: project.label([1], "owl"), lambda: Project(project.folder)):
        with pytest.raises(ProjectError, match="No space left on device"):
            act()
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises((ProjectError, DataError), match="No space left on device"):
        project.add([NewClip(wav, "new.wav")])


def test_a_project_that_finds_no_room_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "projects"
    with full_disk(5000), pytest.raises(ProjectError, match="free some space"):
        Project.create(root)
    assert list(root.iterdir()) == []
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ProjectError, match="no project can be started here"):
        Project.create(tmp_path / "file")


def test_a_project_that_is_deleted_this_moment_is_not_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "holds_project", lambda _: True)
    with pytest.raises(ProjectError, match="unable to open"):
        Project(tmp_path / "gone")
    (tmp_path / "half").mkdir()
    with pytest.raises(ProjectError, match="unable to open"):
        Project(tmp_path / "half")
    assert list((tmp_path / "half").iterdir()) == []
