"""One open project: what it holds, the acts on it, and their history.

Every act is one transaction and durable when the call returns. An act is stored as what each clip was before and after it, so
that undo and redo are one swap, themselves durable, and work across restarts. Two tabs are two `Project` objects: each remembers the
revision that it last read, and an act on an older one raises StaleError instead of overwriting what the other tab did.

Knows what an act changes; how a project lies on disk is `storage`'s business.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal, Self

from ..dataset import require_class_name
from ..errors import ProjectError, StaleError
from . import storage
from .records import Act, CurvePoint, Entry, Judgement, NewClip, Snapshot, State, count_clips
from .storage import clip_file, keep_clip, telling, transaction

log = logging.getLogger(__name__)

_ENTRY = "id, sha256, suffix, name, seconds, rate_hz, fold, grp, recording, start_s, end_s, label, state, judge, confidence"  # as in Entry
_INSERT = (
    "INSERT INTO clip (sha256, suffix, name, seconds, rate_hz, fold, grp, recording, start_s, end_s, state, present) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'unlabelled', 0) ON CONFLICT DO NOTHING RETURNING id"
)
_SAME = "SELECT id FROM clip WHERE sha256 = ? AND coalesce(recording, '') = coalesce(?, '') AND coalesce(start_s, -1) = coalesce(?, -1)"


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
        self._db = storage.opened(folder)
        try:
            with telling(folder):
                self.revision: int = self._db.execute("SELECT revision FROM project").fetchone()[0]
            self.seen()
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def create(cls, root: Path, name: str = "My sounds") -> Self:
        """A new project in a folder of its own under `root`; its id can't be guessed, so that a link to it is private."""
        folder = root / secrets.token_urlsafe(16).replace("-", "_")
        storage.create(folder, name.strip() or "My sounds")
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
        with self._lock, transaction(self._db, self.folder, "DEFERRED"):
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
        with self._lock, transaction(self._db, self.folder, "DEFERRED"):
            rows = self._db.execute("SELECT id, at, kind, text, undone FROM act ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return tuple(Act(id, at, kind, text, bool(undone)) for id, at, kind, text, undone in rows)

    def changed_elsewhere(self) -> bool:
        """Whether another view has changed the project since this one read it."""
        with self._lock, telling(self.folder):
            return bool(self._db.execute("SELECT revision FROM project").fetchone()[0] != self.revision)

    def seen(self) -> None:
        """Notes that somebody is here: `shelf.sweep` counts from now. Opening a project and every act note it too.

        Raises ProjectError where the project was deleted.
        """
        storage.mark_seen(self.folder)

    # ---- acts ------------------------------------------------------------------------------------------------------------

    def add(self, clips: Sequence[NewClip]) -> tuple[int, ...]:
        """Copies files into the project and adds them as one act; the new clips' ids. Audio that is already here, of the same place
        in the same recording, is not added again; where it is unlabelled there and has a label now, or has a machine's label there and a
        person's now, it gets that in the same act (`records.newly_judged` counts). Raises DataError where a file can't be read."""
        self.seen()  # first: no file may come into the folder of a deleted project
        stored: list[tuple[str, str]] = []
        ids: list[int] = []
        told: set[int] = set()

        def change(draft: _Draft) -> None:
            for clip, (sha256, suffix) in zip(clips, stored, strict=True):
                if not clip_file(self.folder, sha256, suffix).is_file():  # another tab just forgot the same audio
                    keep_clip(clip.path, self.folder)
                columns = (sha256, suffix, clip.name, clip.seconds, clip.rate_hz, clip.fold, clip.group)
                place = (clip.recording, clip.start_s, clip.end_s)
                row = self._db.execute(_INSERT, (*columns, *place)).fetchone()
                if row is not None:
                    draft.before[row[0]], draft.after[row[0]] = (Judgement(), False), (Judgement(), True)
                    draft.judge(row[0], clip.judgement)
                    ids.append(row[0])
                elif clip.judgement.label is not None:
                    (here,) = self._db.execute(_SAME, (sha256, clip.recording, clip.start_s)).fetchone()
                    said = draft.after[here][0]
                    if said.state == "unlabelled" or (said.waiting and clip.judgement.judge == "person"):
                        draft.judge(here, clip.judgement)
                        told.add(here)

        def text() -> str:
            labelled = f"labels of {count_clips(len(told - {*ids}))} that were here" if told - {*ids} else ""
            return " and ".join(filter(None, [f"added {count_clips(len(ids))}" if ids or not labelled else "", labelled]))

        try:
            stored.extend(keep_clip(clip.path, self.folder) for clip in clips)  # first: a clip without a file must never be seen
            self._act("add", text, change)
        finally:
            self._forget_files(stored)  # of an act that failed, or audio that is here under another ending
        return tuple(ids)

    def judge(self, judgements: Mapping[int, Judgement], text: str = "") -> None:
        """Sets what is said about some clips, as one act; a class that isn't there yet is made."""

        def change(draft: _Draft) -> None:
            for clip, judgement in judgements.items():
                draft.judge(clip, judgement)

        self._act("judge", lambda: text or f"judged {count_clips(len(judgements))}", change)

    def label(self, clips: Collection[int], label: str) -> None:
        """A person puts clips into a class: labelling, relabelling, and moving between classes are the same act."""
        told = f"{count_clips(len(clips))} to {label!r}"
        self.judge(dict.fromkeys(clips, Judgement(label, "positive", "person")), told)

    def set_state(self, clips: Collection[int], state: State) -> None:
        """A person sets the state; the class stays beside it, so that an excluded clip can come back to it. "unlabelled" forgets it."""

        def change(draft: _Draft) -> None:
            for clip in clips:
                label = draft.after[clip][0].label if clip in draft.after and state != "unlabelled" else None
                draft.judge(clip, Judgement(label, state, None if state == "unlabelled" else "person"))

        self._act("state", lambda: f"{count_clips(len(clips))} {state}", change)

    def confirm(self, clips: Collection[int]) -> None:
        """A person vouches for labels that a machine gave. Clips that a person judged already stay as they are."""

        def change(draft: _Draft) -> None:
            for clip in clips:
                judgement = draft.after[clip][0] if clip in draft.after else Judgement()
                if judgement.judge != "person":
                    draft.judge(clip, Judgement(judgement.label, "positive", "person"))

        self._act("confirm", lambda: f"confirmed {count_clips(len(clips))}", change)

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
        with self._lock, transaction(self._db, self.folder, "IMMEDIATE"):
            act = self._db.execute("SELECT id FROM act WHERE NOT undone ORDER BY id DESC LIMIT 1").fetchone()
            if act is not None:
                self._db.execute("INSERT INTO curve (act, labels, hits, n, backbone) VALUES (?, ?, ?, ?, ?)", (act[0], *astuple(point)))

    # ---- how -------------------------------------------------------------------------------------------------------------

    def _act(self, kind: str, text: Callable[[], str], change: Callable[[_Draft], None]) -> None:
        """One act in one transaction: all of it or, where `change` raises, nothing. An act that changes nothing leaves no trace."""
        with self._lock:
            self.seen()
            with transaction(self._db, self.folder, "IMMEDIATE"):
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
            with transaction(self._db, self.folder, "IMMEDIATE"):
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
        """Deletes those of the files (sha256, suffix) that no clip needs; nobody can add one of them meanwhile. Where that fails they only
        take room: what was done stays done."""
        try:
            with self._lock, transaction(self._db, self.folder, "IMMEDIATE"):
                kept = set(self._db.execute("SELECT sha256, suffix FROM clip").fetchall())
                for sha256, suffix in set(files) - kept:
                    clip_file(self.folder, sha256, suffix).unlink(missing_ok=True)
        except (ProjectError, OSError):
            log.exception("files that no clip needs stay in %s", self.folder)

    def _entry(self, row: Sequence) -> Entry:
        id, sha256, suffix, name, seconds, rate_hz, fold, group, recording, start_s, end_s, *said = row
        path = clip_file(self.folder, sha256, suffix)
        return Entry(id, path, sha256, name, seconds, rate_hz, fold, group, recording, start_s, end_s, Judgement(*said))


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
