"""Where a project lies on disk: its database with the schema, its clips' files by content, and what to say when either fails.

Knows no acts and no labels: what is written is `project`'s business, which projects there are `shelf`'s.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from ..errors import DataError, ProjectError

DATABASE = "project.db"
CLIPS = "clips"
SEEN = "seen"  # an empty file: its time says when somebody was here; SQLite changes the times of its own files for reasons of its own
APPLICATION_ID = 0x43414C4D  # "CALM": tells our databases from other programs'
FORMAT_VERSION = 1
BUSY_TIMEOUT_MS = 10_000  # an act takes milliseconds; who waits this long waits for something that hangs
COPY_BYTES = 1024**2

_SCHEMA = """
CREATE TABLE project (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,
    created REAL NOT NULL,
    revision INTEGER NOT NULL,
    classes TEXT NOT NULL
);
CREATE TABLE clip (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- no number twice: who holds vectors by number would take a new clip for one that is gone
    sha256 TEXT NOT NULL,
    suffix TEXT NOT NULL,
    name TEXT NOT NULL,
    seconds REAL,
    rate_hz INTEGER,
    fold TEXT,
    grp TEXT,
    recording TEXT,
    start_s REAL,
    end_s REAL,
    label TEXT,
    state TEXT NOT NULL CHECK (state IN ('unlabelled', 'positive', 'uncertain', 'excluded')),
    judge TEXT CHECK (judge IN ('person', 'machine')),
    confidence REAL CHECK (confidence BETWEEN 0 AND 1),
    present INTEGER NOT NULL CHECK (present IN (0, 1)),
    CHECK (state != 'positive' OR label IS NOT NULL)
);
CREATE UNIQUE INDEX clip_content ON clip (sha256, coalesce(recording, ''), coalesce(start_s, -1));
CREATE TABLE act (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    changes TEXT NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1))
);
CREATE TABLE curve (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    act INTEGER NOT NULL REFERENCES act (id) ON DELETE CASCADE,
    labels INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    n INTEGER NOT NULL,
    backbone TEXT NOT NULL DEFAULT ''
);
"""


def create(folder: Path, name: str) -> None:
    """An empty project in a new folder. Raises ProjectError, and leaves nothing behind, where the disk refuses."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ProjectError(f"no project can be started here ({error.strerror or error}); check the folder and the free space.") from error
    try:
        with telling(folder), closing(_connect(folder / DATABASE, "rwc")) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            db.execute("INSERT INTO project VALUES (1, ?, ?, 1, '[]')", (name, time.time()))
            db.execute("COMMIT")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # else it would be listed as a damaged project
        raise


def opened(folder: Path, *, thorough: bool = True) -> sqlite3.Connection:
    """A connection to a project's database, for the caller to close; thorough: to work in it, so that every page is looked at.

    Raises ProjectError where there is none, or it is busy, damaged, foreign or of another format version.
    """
    if not holds_project(folder):
        raise gone(folder)
    with telling(folder):
        db = _connect(folder / DATABASE, "rw")
        try:
            _require_ours(db, folder)
            if thorough:
                _require_sound(db, folder)
                _number_anew(db, folder)
                _note_backbones(db, folder)
        except BaseException:
            db.close()
            raise
        return db


def holds_project(folder: Path) -> bool:
    return (folder / DATABASE).is_file()


@contextmanager
def transaction(db: sqlite3.Connection, folder: Path, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """All of what is done in it or, where that raises, nothing; a savepoint `start` stands at its beginning."""
    with telling(folder):
        db.execute(f"BEGIN {kind}")
        try:
            db.execute("SAVEPOINT start")
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a disk that refuses has ended it already, and it is the disk's complaint that people need
                db.execute("ROLLBACK")
            raise


def _connect(database: Path, mode: Literal["rw", "rwc"]) -> sqlite3.Connection:
    """mode: rwc makes the file; rw doesn't, for the project may be deleted this moment."""
    where = f"{database.absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(where, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False, uri=True)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = FULL")  # in WAL mode NORMAL may lose the last acts when the power fails
    return db


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """SQLite's own complaints as errors that people can act on."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            seconds = BUSY_TIMEOUT_MS // 1000
            raise ProjectError(f"project {folder.name!r} was busy for {seconds} s; nothing was changed. Try again.") from error
        raise _unusable(folder, error) from error
    except sqlite3.ProgrammingError as error:
        if "closed" not in str(error):  # a fault of ours
            raise
        raise ProjectError(f"project {folder.name!r} was closed; open it again.") from error
    except sqlite3.DatabaseError as error:
        raise damaged(folder, error) from error


def gone(folder: Path) -> ProjectError:
    return ProjectError(f"there is no project {folder.name!r}; it may have been deleted, or its time was over. Start a new one.")


def _unusable(folder: Path, why: object) -> ProjectError:
    return ProjectError(f"project {folder.name!r} can't be used ({why}); free some space, check the folder, try again.")


def damaged(folder: Path, why: object) -> ProjectError:
    return ProjectError(f"project {folder.name!r} is damaged ({why}); start a new one, or bring back a copy of its {DATABASE}.")


def _require_ours(db: sqlite3.Connection, folder: Path) -> None:
    """Raises ProjectError for a database of another program or version, or one that lacks what ours have."""
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ProjectError(f"{folder.name!r} holds no CALM project; choose a folder that this program made.")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT_VERSION:
        raise ProjectError(
            f"project {folder.name!r} has the format version {version}, this program reads {FORMAT_VERSION}; "
            "open it with the CALM Studio version that wrote it, and export it there."
        )
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"project", "clip", "act", "curve"} <= tables or db.execute("SELECT 1 FROM project").fetchone() is None:
        raise damaged(folder, "it holds no whole project")


def _require_sound(db: sqlite3.Connection, folder: Path) -> None:
    """Raises ProjectError for a database that fails SQLite's own check."""
    complaints = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    complaints += [f"table {row[0]} points to nothing" for row in db.execute("PRAGMA foreign_key_check")]
    if complaints:
        raise damaged(folder, complaints[0])


def _number_anew(db: sqlite3.Connection, folder: Path) -> None:
    """Lets a project of an earlier version, too, give no clip's number twice; that version can go on reading it."""

    def outdated() -> bool:
        return "AUTOINCREMENT" not in db.execute("SELECT sql FROM sqlite_master WHERE name = 'clip'").fetchone()[0]

    if outdated():
        with transaction(db, folder, "IMMEDIATE"):
            if outdated():  # another view may have been quicker
                db.execute("DROP INDEX clip_content")
                db.execute("ALTER TABLE clip RENAME TO clip_before")
                for statement in (each for each in _SCHEMA.split(";\n") if " clip (" in each):
                    db.execute(statement)
                db.execute("INSERT INTO clip SELECT * FROM clip_before")
                db.execute("DROP TABLE clip_before")


def _note_backbones(db: sqlite3.Connection, folder: Path) -> None:
    """Lets the curve of a project of an earlier version name its backbones from now on; that version can go on reading it."""

    def lacking() -> bool:
        return "backbone" not in {row[1] for row in db.execute("PRAGMA table_info(curve)")}

    if lacking():
        with transaction(db, folder, "IMMEDIATE"):
            if lacking():  # another view may have been quicker
                db.execute("ALTER TABLE curve ADD COLUMN backbone TEXT NOT NULL DEFAULT ''")


def mark_seen(folder: Path) -> None:
    """Notes that somebody is here. Raises ProjectError where the project was deleted: SQLite would go on writing into a file that nobody
    can open again."""
    try:
        if holds_project(folder):
            (folder / SEEN).touch()
            return
    except FileNotFoundError:  # it went this moment
        pass
    except OSError as error:
        raise _unusable(folder, error.strerror or error) from error
    raise gone(folder)


def last_seen(folder: Path) -> float:
    """When somebody was here last, in seconds since 1970."""
    mark = folder / SEEN
    return (mark if mark.is_file() else folder).stat().st_mtime


def clip_file(folder: Path, sha256: str, suffix: str) -> Path:
    return folder / CLIPS / sha256[:2] / f"{sha256}{suffix}"


def keep_clip(path: Path, folder: Path) -> tuple[str, str]:
    """Copies a file to its place by content, durably and whole or not at all; (sha256, suffix). Raises DataError where it can't."""
    digest, into = hashlib.sha256(), folder / CLIPS
    try:
        into.mkdir(exist_ok=True)
        with path.open("rb") as source, tempfile.NamedTemporaryFile(dir=into, delete=False) as copy:
            try:
                while block := source.read(COPY_BYTES):
                    digest.update(block)
                    copy.write(block)
                copy.flush()
                os.fsync(copy.fileno())
                sha256, suffix = digest.hexdigest(), path.suffix.lower()
                target = clip_file(folder, sha256, suffix)
                target.parent.mkdir(exist_ok=True)
                os.replace(copy.name, target)
            except BaseException:
                os.unlink(copy.name)
                raise
        for made in (target.parent, into):
            _sync_folder(made)
    except OSError as error:
        raise DataError(f"clip {path.name!r} can't be kept ({error.strerror or error}); check the file and the free space.") from error
    return sha256, suffix


def _sync_folder(folder: Path) -> None:
    """Makes a rename in it durable, where the system lets folders be opened (Windows doesn't)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
