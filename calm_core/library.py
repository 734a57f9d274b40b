"""A labelling project on disk: clips, labels, states, classes and history, in SQLite beside content-addressed audio files.

    ROOT/<project id>/project.db            ROOT/<project id>/clips/ab/ab12....wav          ROOT: `projects_home`

Every act is one transaction and durable when the call returns. An act is stored as what each clip was before and after it, so
that undo and redo are one swap, themselves durable, and work across restarts. Two tabs are two `Project` objects: each remembers the
revision that it last read, and an act on an older one raises StaleError instead of overwriting what the other tab did.

Knows files and labels; knows no sound, no model and no page. Deciding what to label is `active`, what a label means `labelling`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal, Self, get_args

import platformdirs

from .dataset import require_class_name
from .errors import DataError, ProjectError, StaleError
from .vectors import calm_home

log = logging.getLogger(__name__)

State = Literal["unlabelled", "positive", "uncertain", "excluded"]
Judge = Literal["person", "machine"]

DATABASE = "project.db"
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
    id INTEGER PRIMARY KEY,
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


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said about a clip, by whom; confidence 0 to 1 where a machine says it. Raises ProjectError for what makes no sense."""

    label: str | None = None
    state: State = "unlabelled"
    judge: Judge | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.state not in get_args(State):
            raise ProjectError(f"{self.state!r} is no state of a clip; choose one of {', '.join(get_args(State))}.")
        if self.state == "positive" and not self.label:
            raise ProjectError("a clip can't be positive without a class; give it one, or leave it unlabelled.")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise ProjectError(f"the confidence {self.confidence} isn't between 0 and 1; give a probability.")


@dataclass(frozen=True, slots=True)
class NewClip:
    """A file to add. name: what people see ("owl/03.wav"); seconds, rate_hz: as far as known; group: clips of one recording, bird or
    speaker share it; recording, start_s, end_s: where the clip was cut from, None for a recording of its own."""

    path: Path
    name: str
    judgement: Judgement = Judgement()
    seconds: float | None = None
    rate_hz: int | None = None
    fold: str | None = None
    group: str | None = None
    recording: str | None = None
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a project as it is now; `path` is its file inside the project."""

    id: int
    path: Path
    sha256: str
    name: str
    seconds: float | None
    rate_hz: int | None
    fold: str | None
    group: str | None
    recording: str | None
    start_s: float | None
    end_s: float | None
    judgement: Judgement

    @property
    def label(self) -> str | None:
        return self.judgement.label

    @property
    def state(self) -> State:
        return self.judgement.state

    @property
    def learnable(self) -> bool:
        """Whether a person vouches for the label: only such clips teach."""
        return self.state == "positive" and self.judgement.judge == "person"

    @property
    def waiting(self) -> bool:
        """Whether a person has not decided yet."""
        return self.state == "unlabelled" or (self.state == "positive" and self.judgement.judge == "machine")


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Held-out hits out of n, when so many clips were labelled; backbone: the id of the one that listened, "" where nobody noted it."""

    labels: int
    hits: int
    n: int
    backbone: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """One act of the history, as people read it; at: seconds since 1970."""

    id: int
    at: float
    kind: str
    text: str
    undone: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A project at one revision. undo, redo: the act that the button would undo or redo, "" where there is none."""

    revision: int
    name: str
    class_names: tuple[str, ...]
    entries: tuple[Entry, ...]
    undo: str
    redo: str
    curve: tuple[CurvePoint, ...]

    def entry(self, clip: int) -> Entry:
        """Raises ProjectError for a clip that isn't there."""
        for entry in self.entries:
            if entry.id == clip:
                return entry
        raise ProjectError(f"the project has no clip number {clip}; it may have been taken back. Reload the project.")

    @property
    def class_counts(self) -> dict[str, int]:
        """Clips that a person vouches for, per class in the project's order; 0 for a class without any."""
        counts = dict.fromkeys(self.class_names, 0)
        for entry in self.entries:
            if entry.learnable and entry.label is not None:
                counts[entry.label] += 1
        return counts


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """A line in the list of projects. changed: seconds since 1970; error: why it can't be opened, "" where it can."""

    id: str
    folder: Path
    name: str
    clips: int
    labelled: int
    changed: float
    error: str = ""


@dataclass(slots=True)
class _Draft:
    """What an act is about to change: clips by id as (judgement, present), and the class names."""

    before: dict[int, tuple[Judgement, bool]]
    after: dict[int, tuple[Judgement, bool]]
    classes: list[str]

    def judge(self, clip: int, judgement: Judgement) -> None:
        if clip not in self.after or not self.after[clip][1]:
            raise ProjectError(f"the project has no clip number {clip}; it may have been taken back. Reload the project.")
        if judgement.label is not None:
            self.name_class(judgement.label)
        self.after[clip] = (judgement, True)

    def name_class(self, label: str) -> None:
        if label not in self.classes:
            _require_label(label)
            self.classes.append(label)

    def members(self, label: str) -> list[int]:
        if label not in self.classes:
            raise ProjectError(f"the project has no class {label!r}; its classes are {', '.join(map(repr, self.classes)) or 'none yet'}.")
        return [clip for clip, (judgement, _) in self.after.items() if judgement.label == label]


class Project:
    """One view of a project: a connection and the revision that it last read. Close it, or use it in `with`.

    May be shared between threads; calls wait for each other. Two views of one project, in one process or several, are safe.
    """

    def __init__(self, folder: Path) -> None:
        """Opens a project. Raises ProjectError where there is none, or it is damaged, foreign or of another format version."""
        self.folder = folder
        self._lock = threading.RLock()
        if not (folder / DATABASE).is_file():
            raise _gone(folder)
        try:
            self._db = _connect(folder / DATABASE)
        except sqlite3.Error as error:
            raise _damaged(folder, error) from error
        try:
            _require_sound(self._db, folder)
            _note_backbones(self._db)
            self.revision: int = self._db.execute("SELECT revision FROM project").fetchone()[0]
        except sqlite3.Error as error:
            self._db.close()
            raise _damaged(folder, error) from error
        except ProjectError:
            self._db.close()
            raise
        self.seen()

    @classmethod
    def create(cls, root: Path, name: str = "My sounds") -> Self:
        """A new project in a folder of its own under `root`; its id can't be guessed, so that a link to it is private."""
        folder = root / secrets.token_urlsafe(16).replace("-", "_")
        folder.mkdir(parents=True)
        with _telling(folder), _connected(folder / DATABASE) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            db.execute("INSERT INTO project VALUES (1, ?, ?, 1, '[]')", (name.strip() or "My sounds", time.time()))
            db.execute("COMMIT")
        return cls(folder)

    @property
    def id(self) -> str:
        return self.folder.name

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- looking ---------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The project as it is now; acts are judged against this revision from here on."""
        with self._lock, self._transaction("DEFERRED"):
            revision, name, classes = self._db.execute("SELECT revision, name, classes FROM project").fetchone()
            entries = tuple(map(self._entry, self._db.execute(f"SELECT {_ENTRY} FROM clip WHERE present ORDER BY id")))
            undo = self._db.execute("SELECT text FROM act WHERE NOT undone ORDER BY id DESC LIMIT 1").fetchone()
            redo = self._db.execute("SELECT text FROM act WHERE undone ORDER BY id LIMIT 1").fetchone()
            points = "SELECT labels, hits, n, backbone FROM curve JOIN act ON act.id = act WHERE NOT undone ORDER BY curve.id"
            curve = tuple(CurvePoint(*row) for row in self._db.execute(points))
            self.revision = revision
        return Snapshot(revision, name, tuple(json.loads(classes)), entries, undo[0] if undo else "", redo[0] if redo else "", curve)

    def history(self, limit: int = 100) -> tuple[Act, ...]:
        """The latest acts, newest first; those undone come back with redo."""
        with self._lock, self._transaction("DEFERRED"):
            rows = self._db.execute("SELECT id, at, kind, text, undone FROM act ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return tuple(Act(id, at, kind, text, bool(undone)) for id, at, kind, text, undone in rows)

    def changed_elsewhere(self) -> bool:
        """Whether another view has changed the project since this one read it."""
        with self._lock, _telling(self.folder):
            return bool(self._db.execute("SELECT revision FROM project").fetchone()[0] != self.revision)

    def seen(self) -> None:
        """Notes that somebody is here: `sweep` counts from now. Opening a project and every act note it too.

        Raises ProjectError where the project was deleted: SQLite would go on writing into a file that nobody can open again.
        """
        with suppress(FileNotFoundError):  # it went this moment
            if (self.folder / DATABASE).is_file():
                (self.folder / SEEN).touch()
                return
        raise _gone(self.folder)

    # ---- acts ------------------------------------------------------------------------------------------------------------

    def add(self, clips: Sequence[NewClip]) -> tuple[int, ...]:
        """Copies files into the project and adds them as one act; the new clips' ids. Audio that is already here, of the same place
        in the same recording, is not added again; where it is unlabelled there and has a label now, it gets that in the same act
        (`newly_judged` counts). Raises DataError where a file can't be read."""
        stored = [_store(clip.path, self.folder / "clips") for clip in clips]  # files first: a clip without one must never be seen
        ids: list[int] = []
        told: set[int] = set()

        def change(draft: _Draft) -> None:
            for clip, (sha256, suffix) in zip(clips, stored, strict=True):
                if not (self.folder / "clips" / _file_name(sha256, suffix)).is_file():  # another tab just forgot the same audio
                    _store(clip.path, self.folder / "clips")
                columns = (sha256, suffix, clip.name, clip.seconds, clip.rate_hz, clip.fold, clip.group)
                place = (clip.recording, clip.start_s, clip.end_s)
                row = self._db.execute(_INSERT, (*columns, *place)).fetchone()
                if row is not None:
                    draft.before[row[0]], draft.after[row[0]] = (Judgement(), False), (Judgement(), True)
                    draft.judge(row[0], clip.judgement)
                    ids.append(row[0])
                elif clip.judgement.label is not None:
                    (here,) = self._db.execute(_SAME, (sha256, clip.recording, clip.start_s)).fetchone()
                    if draft.after[here][0].state == "unlabelled":
                        draft.judge(here, clip.judgement)
                        told.add(here)

        def text() -> str:
            labelled = f"labels of {_many(len(told - {*ids}))} that were here" if told - {*ids} else ""
            return " and ".join(filter(None, [f"added {_many(len(ids))}" if ids or not labelled else "", labelled]))

        self._act("add", text, change)
        return tuple(ids)

    def judge(self, judgements: Mapping[int, Judgement], text: str = "") -> None:
        """Sets what is said about some clips, as one act; a class that isn't there yet is made."""

        def change(draft: _Draft) -> None:
            for clip, judgement in judgements.items():
                draft.judge(clip, judgement)

        self._act("judge", lambda: text or f"judged {_many(len(judgements))}", change)

    def label(self, clips: Collection[int], label: str) -> None:
        """A person puts clips into a class: labelling, relabelling, and moving between classes are the same act."""
        told = f"{_many(len(clips))} to {label!r}"
        self.judge(dict.fromkeys(clips, Judgement(label, "positive", "person")), told)

    def set_state(self, clips: Collection[int], state: State) -> None:
        """A person sets the state; the class stays beside it, so that an excluded clip can come back to it. "unlabelled" forgets it."""

        def change(draft: _Draft) -> None:
            for clip in clips:
                label = draft.after[clip][0].label if clip in draft.after and state != "unlabelled" else None
                draft.judge(clip, Judgement(label, state, None if state == "unlabelled" else "person"))

        self._act("state", lambda: f"{_many(len(clips))} {state}", change)

    def confirm(self, clips: Collection[int]) -> None:
        """A person vouches for labels that a machine gave. Clips that a person judged already stay as they are."""

        def change(draft: _Draft) -> None:
            for clip in clips:
                judgement = draft.after[clip][0] if clip in draft.after else Judgement()
                if judgement.judge != "person":
                    draft.judge(clip, Judgement(judgement.label, "positive", "person"))

        self._act("confirm", lambda: f"confirmed {_many(len(clips))}", change)

    def add_classes(self, names: Sequence[str]) -> None:
        """Classes without clips yet; those that are there already stay."""

        def change(draft: _Draft) -> None:
            for name in names:
                draft.name_class(name)

        self._act("class", lambda: f"class{'es' * (len(names) > 1)} {', '.join(map(repr, names))} added", change)

    def rename_class(self, old: str, new: str) -> None:
        """Raises ProjectError where `new` is another class already: that would be a merge, which is asked for by name."""

        def change(draft: _Draft) -> None:
            members = draft.members(old)
            if new != old and new in draft.classes:
                raise ProjectError(f"there is a class {new!r} already; merge {old!r} into it, or choose another name.")
            _require_label(new)
            draft.classes[draft.classes.index(old)] = new
            _relabel(draft, members, new)

        self._act("class", lambda: f"class {old!r} renamed {new!r}", change)

    def merge_classes(self, names: Sequence[str], into: str) -> None:
        """All clips of `names` go to `into`, which may be one of them or new."""

        def change(draft: _Draft) -> None:
            for name in names:
                members = draft.members(name)
                draft.name_class(into)
                _relabel(draft, members, into)
                if name != into:
                    draft.classes.remove(name)

        self._act("class", lambda: f"merged {', '.join(map(repr, names))} into {into!r}", change)

    def delete_class(self, name: str) -> None:
        """The class goes; its clips stay, unlabelled."""

        def change(draft: _Draft) -> None:
            for clip in draft.members(name):
                judgement = draft.after[clip][0]
                state: State = judgement.state if judgement.state == "excluded" else "unlabelled"
                draft.after[clip] = (Judgement(None, state, judgement.judge if state == "excluded" else None), draft.after[clip][1])
            draft.classes.remove(name)

        self._act("class", lambda: f"class {name!r} deleted", change)

    def undo(self) -> str:
        """Takes back the latest act; what it was, "" where there is none."""
        return self._swap("SELECT id, text, changes FROM act WHERE NOT undone ORDER BY id DESC LIMIT 1", "before", 1)

    def redo(self) -> str:
        """Does the act again that was undone last; what it was, "" where there is none."""
        return self._swap("SELECT id, text, changes FROM act WHERE undone ORDER BY id LIMIT 1", "after", 0)

    def note_accuracy(self, point: CurvePoint) -> None:
        """Notes how well the classifier did after the latest act: a remark, no act, so it changes no revision. It goes with its act."""
        with self._lock, self._transaction("IMMEDIATE"):
            act = self._db.execute("SELECT id FROM act WHERE NOT undone ORDER BY id DESC LIMIT 1").fetchone()
            if act is not None:
                self._db.execute("INSERT INTO curve (act, labels, hits, n, backbone) VALUES (?, ?, ?, ?, ?)", (act[0], *astuple(point)))

    # ---- how -------------------------------------------------------------------------------------------------------------

    def _act(self, kind: str, text: Callable[[], str], change: Callable[[_Draft], None]) -> None:
        """One act in one transaction: all of it or, where `change` raises, nothing. An act that changes nothing leaves no trace."""
        with self._lock:
            self.seen()
            with self._transaction("IMMEDIATE"):
                revision, classes = self._require_fresh()
                # A new act ends the line that was undone: its acts go, and the clips that only they had added.
                self._db.execute("DELETE FROM act WHERE undone")
                gone = self._db.execute("DELETE FROM clip WHERE NOT present RETURNING sha256, suffix").fetchall()
                now = self._judgements()
                draft = _Draft(now, dict(now), list(classes))
                change(draft)
                changed = {clip: after for clip, after in draft.after.items() if after != draft.before[clip]}
                if not changed and draft.classes == classes:
                    self._db.execute("ROLLBACK TO start")
                    return
                changes = {
                    "before": {"clips": _rows({clip: draft.before[clip] for clip in changed}), "classes": classes},
                    "after": {"clips": _rows(changed), "classes": draft.classes},
                }
                self._write(changes["after"], revision + 1)
                row = (time.time(), kind, text(), json.dumps(changes, ensure_ascii=False))
                self._db.execute("INSERT INTO act (at, kind, text, changes) VALUES (?, ?, ?, ?)", row)
            self.revision = revision + 1
            if gone:
                self._forget_files(gone)

    def _swap(self, query: str, side: Literal["before", "after"], undone: int) -> str:
        with self._lock:
            self.seen()
            with self._transaction("IMMEDIATE"):
                revision, _ = self._require_fresh()
                row = self._db.execute(query).fetchone()
                if row is None:
                    return ""
                self._write(json.loads(row[2])[side], revision + 1)
                self._db.execute("UPDATE act SET undone = ? WHERE id = ?", (undone, row[0]))
            self.revision = revision + 1
            return str(row[1])

    def _require_fresh(self) -> tuple[int, list[str]]:
        revision, classes = self._db.execute("SELECT revision, classes FROM project").fetchone()
        if revision != self.revision:
            raise StaleError("this project was changed in another tab or window; nothing was overwritten. Reload it and try again.")
        return revision, json.loads(classes)

    def _judgements(self) -> dict[int, tuple[Judgement, bool]]:
        rows = self._db.execute("SELECT id, label, state, judge, confidence, present FROM clip ORDER BY id")
        return {id: (Judgement(*said), bool(present)) for id, *said, present in rows}

    def _write(self, side: Mapping[str, list], revision: int) -> None:
        update = "UPDATE clip SET label = ?, state = ?, judge = ?, confidence = ?, present = ? WHERE id = ?"
        self._db.executemany(update, [(*said, clip) for clip, *said in side["clips"]])
        classes = json.dumps(side["classes"], ensure_ascii=False)
        self._db.execute("UPDATE project SET classes = ?, revision = ?", (classes, revision))

    def _forget_files(self, files: Sequence[tuple[str, str]]) -> None:
        """Deletes those of the files (sha256, suffix) that no clip needs; nobody can add one of them meanwhile."""
        with self._transaction("IMMEDIATE"):
            kept = set(self._db.execute("SELECT sha256, suffix FROM clip").fetchall())
            for sha256, suffix in set(files) - kept:
                (self.folder / "clips" / _file_name(sha256, suffix)).unlink(missing_ok=True)

    def _entry(self, row: Sequence) -> Entry:
        id, sha256, suffix, name, seconds, rate_hz, fold, group, recording, start_s, end_s, *said = row
        path = self.folder / "clips" / _file_name(sha256, suffix)
        return Entry(id, path, sha256, name, seconds, rate_hz, fold, group, recording, start_s, end_s, Judgement(*said))

    @contextmanager
    def _transaction(self, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
        with _telling(self.folder):
            self._db.execute(f"BEGIN {kind}")
            self._db.execute("SAVEPOINT start")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def projects_home() -> Path:
    """Where projects lie: in the folder CALM_HOME, else in the user's data folder; they are work, which a cache may forget."""
    home = calm_home() if os.environ.get("CALM_HOME") else Path(platformdirs.user_data_dir("calm-studio", appauthor=False))
    return home / "projects"


def move_from_cache(root: Path) -> tuple[str, ...]:
    """Moves projects from the cache folder, where earlier versions kept them, to `root`; their ids. Raises ProjectError where the disk
    refuses: those that are left stay whole where they were."""
    old = calm_home() / "projects"
    found = [folder for folder in old.iterdir() if (folder / DATABASE).is_file()] if old != root and old.is_dir() else []
    try:
        for folder in found:
            _move(folder, root / folder.name)
    except OSError as error:
        raise ProjectError(
            f"the projects in {old} can't be moved to {root} ({error}); make room there, or move the folders yourself."
        ) from error
    return tuple(folder.name for folder in found)


def open_project(root: Path, id: str) -> Project:
    """The project of that id under `root`. Raises ProjectError where there is none, and for what is no id at all."""
    return Project(_folder(root, id))


def delete_project(root: Path, id: str) -> None:
    """Deletes a project with its audio, for good; who has it open is told at the next act. Raises ProjectError as `open_project`, and
    where the disk refuses."""
    folder = _folder(root, id)
    if not (folder / DATABASE).is_file():
        raise _gone(folder)
    try:
        (folder / DATABASE).unlink()  # first: half a project must not be listed
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            shutil.rmtree(folder)  # another tab added a clip meanwhile; without a database it adds no more
    except OSError as error:
        log.exception("%s can't be deleted whole", folder)  # the path is for who runs this, not for visitors
        raise ProjectError(
            f"project {id!r} can't be deleted whole ({error.strerror or error}); "
            "what is left is a folder of that name, which whoever runs this program can delete by hand."
        ) from error


def project_info(root: Path, id: str) -> ProjectInfo:
    """One line of `projects`. Raises ProjectError as `open_project`, but not for a damaged one."""
    folder = _folder(root, id)
    if not (folder / DATABASE).is_file():
        raise _gone(folder)
    return _info(folder)


def projects(root: Path) -> tuple[ProjectInfo, ...]:
    """All projects under `root`, the latest changed first; one that can't be opened is listed with the reason."""
    found = [_info(folder) for folder in (root.iterdir() if root.is_dir() else ()) if (folder / DATABASE).is_file()]
    return tuple(sorted(found, key=lambda info: (-info.changed, info.id)))


def sweep(root: Path, older_than_s: float) -> tuple[str, ...]:
    """Deletes projects under `root` in which nothing happened for that long, with their audio; their ids.

    All folders of `root` count, also one without a database: what an earlier sweep, or a start that failed, left over.
    """
    stale = []
    for folder in root.iterdir() if root.is_dir() else ():
        with suppress(FileNotFoundError):  # deleted meanwhile
            if folder.is_dir() and time.time() - _last_seen(folder) > older_than_s:
                stale.append(folder)
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)  # a visitor's file may vanish meanwhile; what is left goes the next time
    return tuple(folder.name for folder in stale)


def newly_judged(before: Snapshot, after: Snapshot) -> int:
    """How many clips were unlabelled before and aren't any more."""
    waiting = {entry.id for entry in before.entries if entry.state == "unlabelled"}
    return sum(entry.id in waiting and entry.state != "unlabelled" for entry in after.entries)


_ENTRY = "id, sha256, suffix, name, seconds, rate_hz, fold, grp, recording, start_s, end_s, label, state, judge, confidence"  # as in Entry
_INSERT = (
    "INSERT INTO clip (sha256, suffix, name, seconds, rate_hz, fold, grp, recording, start_s, end_s, state, present) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'unlabelled', 0) ON CONFLICT DO NOTHING RETURNING id"
)
_SAME = "SELECT id FROM clip WHERE sha256 = ? AND coalesce(recording, '') = coalesce(?, '') AND coalesce(start_s, -1) = coalesce(?, -1)"


def _connect(database: Path) -> sqlite3.Connection:
    db = sqlite3.connect(database, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = FULL")  # in WAL mode NORMAL may lose the last acts when the power fails
    return db


@contextmanager
def _connected(database: Path) -> Iterator[sqlite3.Connection]:
    db = _connect(database)
    try:
        yield db
    finally:
        db.close()


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """SQLite's own complaints as errors that people can act on."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            seconds = BUSY_TIMEOUT_MS // 1000
            raise ProjectError(f"project {folder.name!r} was busy for {seconds} s; nothing was changed. Try again.") from error
        raise ProjectError(f"project {folder.name!r} can't be written ({error}); free some space, check the folder, try again.") from error
    except sqlite3.ProgrammingError as error:
        if "closed" not in str(error):  # a fault of ours
            raise
        raise ProjectError(f"project {folder.name!r} was closed; open it again.") from error
    except sqlite3.DatabaseError as error:
        raise _damaged(folder, error) from error


def _folder(root: Path, id: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", id):
        raise ProjectError(f"{id[:40]!r} is no project; use the link as it was given.")
    return root / id


def _move(folder: Path, target: Path) -> None:
    """Across disks too; the target is whole or not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with tempfile.TemporaryDirectory(dir=target.parent.parent) as near:
            shutil.copytree(folder, copy := Path(near) / folder.name)
            copy.rename(target)
        shutil.rmtree(folder)


def _gone(folder: Path) -> ProjectError:
    return ProjectError(f"there is no project {folder.name!r}; it may have been deleted, or its time was over. Start a new one.")


def _damaged(folder: Path, why: object) -> ProjectError:
    return ProjectError(f"project {folder.name!r} is damaged ({why}); start a new one, or bring back a copy of its {DATABASE}.")


def _require_sound(db: sqlite3.Connection, folder: Path) -> None:
    """Raises ProjectError for a database of another program or version, or one that fails SQLite's own check."""
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ProjectError(f"{folder.name!r} holds no CALM project; choose a folder that this program made.")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT_VERSION:
        raise ProjectError(
            f"project {folder.name!r} has the format version {version}, this program reads {FORMAT_VERSION}; "
            "open it with the CALM Studio version that wrote it, and export it there."
        )
    complaints = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    complaints += [f"table {row[0]} points to nothing" for row in db.execute("PRAGMA foreign_key_check")]
    if complaints:
        raise _damaged(folder, complaints[0])


def _note_backbones(db: sqlite3.Connection) -> None:
    """Lets the curve of a project of an earlier version name its backbones from now on; that version can go on reading it."""

    def lacking() -> bool:
        return "backbone" not in {row[1] for row in db.execute("PRAGMA table_info(curve)")}

    if lacking():
        db.execute("BEGIN IMMEDIATE")
        if lacking():  # another view may have been quicker
            db.execute("ALTER TABLE curve ADD COLUMN backbone TEXT NOT NULL DEFAULT ''")
        db.execute("COMMIT")


def _last_seen(folder: Path) -> float:
    mark = folder / SEEN
    return (mark if mark.is_file() else folder).stat().st_mtime


def _info(folder: Path) -> ProjectInfo:
    changed = _last_seen(folder)
    try:
        with _connected(folder / DATABASE) as db:
            (name,) = db.execute("SELECT name FROM project").fetchone()
            learnable = "SELECT count(*), count(CASE WHEN state = 'positive' AND judge = 'person' THEN 1 END) FROM clip WHERE present"
            clips, labelled = db.execute(learnable).fetchone()
    except (sqlite3.Error, TypeError) as error:
        return ProjectInfo(folder.name, folder, folder.name, 0, 0, changed, str(_damaged(folder, error)))
    return ProjectInfo(folder.name, folder, name, clips, labelled, changed)


def _store(path: Path, into: Path) -> tuple[str, str]:
    """Copies a file to its place by content, durably and whole or not at all; (sha256, suffix)."""
    digest = hashlib.sha256()
    into.mkdir(exist_ok=True)
    try:
        with path.open("rb") as source, tempfile.NamedTemporaryFile(dir=into, delete=False) as copy:
            try:
                while block := source.read(COPY_BYTES):
                    digest.update(block)
                    copy.write(block)
                copy.flush()
                os.fsync(copy.fileno())
                sha256, suffix = digest.hexdigest(), path.suffix.lower()
                target = into / _file_name(sha256, suffix)
                target.parent.mkdir(exist_ok=True)
                os.replace(copy.name, target)
            except BaseException:
                os.unlink(copy.name)
                raise
        for folder in (target.parent, into):
            _sync_folder(folder)
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


def _file_name(sha256: str, suffix: str) -> str:
    return f"{sha256[:2]}/{sha256}{suffix}"


def _rows(judged: Mapping[int, tuple[Judgement, bool]]) -> list:
    return [[clip, *astuple(judgement), int(present)] for clip, (judgement, present) in judged.items()]


def _relabel(draft: _Draft, clips: Sequence[int], label: str) -> None:
    for clip in clips:
        judgement, present = draft.after[clip]
        draft.after[clip] = (replace(judgement, label=label), present)


def _require_label(label: str) -> None:
    if not label.strip() or label != label.strip():
        raise ProjectError(f"{label!r} is no name for a class; give it at least one letter, without spaces around it.")
    require_class_name(label)


def _many(count: int) -> str:
    return "1 clip" if count == 1 else f"{count} clips"
