"""What one open page has of the tab Review: the project, the clip on show, and what was done last. Knows no components, no sentences.

The labels themselves are the project's (`calm_core.labelling`): saved before an act returns. Only what is no label lives here and dies with
the page: the place in the queue, and which clips were skipped.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from calm_core.active import DEFAULT_ORDER, Order
from calm_core.errors import CalmError, ProjectError, StaleError
from calm_core.labelling import Labelling, Source, Suggestion
from calm_core.library.records import Entry, Snapshot
from calm_core.library.shelf import ProjectInfo, open_project, projects

Act = Literal["label", "accept", "uncertain", "exclude", "skip", "undo", "redo", "show"]
ACTS: tuple[Act, ...] = get_args(Act)
_OF_THE_CLIP = ("label", "accept", "uncertain", "exclude", "skip")


def is_public() -> bool:
    """Whether the page is a Hugging Face Space: its visitors are strangers to each other, and its disk forgets."""
    return bool(os.environ.get("SPACE_ID"))


@dataclass(frozen=True, slots=True)
class Said:
    """What came of the latest act. what: an `Act`, or "accepted", "confirmed", "added", "class", "imported", "left", "stale", "gone",
    "nothing" for what changed nothing; name: the clip, or the act that was undone; label: the class."""

    what: str = ""
    name: str = ""
    label: str = ""
    count: int = 0

    @property
    def saved(self) -> bool:
        return self.what not in ("", "skip", "unskip", "left", "show", "stale", "gone", "nothing")


class Bench:
    """A page's view of a project. As `Desk`, one object that the page's state holds: its hash is a version."""

    def __init__(self, root: Path, visitors: Path, public: bool = False, forgets: bool = False) -> None:
        """root: where projects lie; visitors: a folder of temporary files, which the page may hand out; public: strangers to each other
        use the page; forgets: projects are deleted some hours after the last step."""
        self.root, self.public, self.forgets = root, public, forgets
        self.labelling: Labelling | None = None
        self.order: Order = DEFAULT_ORDER
        self.clip: int | None = None  # on show
        self.said = Said()
        self.turn = 0  # counts acts: the page tells by it whether its latest key was heard
        self._visitors, self._home = visitors, Path()
        self._skipped: list[int] = []
        self._trail: list[int | None] = []  # acts since the project was opened: a skipped clip, or None for an act of the project's
        self._ahead: list[int | None] = []  # those undone
        self._lock = threading.RLock()
        self._version = 0

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return type(self)(self.root, self._visitors, self.public, self.forgets)

    def __hash__(self) -> int:
        return self._version

    def __eq__(self, other: object) -> bool:
        return self is other

    def touched(self) -> Self:
        """This bench, as an output of a handler: the views look at it again."""
        self._version += 1
        return self

    # ---- the project -----------------------------------------------------------------------------------------------------

    def projects(self) -> tuple[ProjectInfo, ...]:
        """What can be opened here; nothing on a public server, where one visitor's projects are no business of the next."""
        return () if self.public else projects(self.root)

    def open(self, id: str, make: Callable[[Any], Labelling]) -> Labelling:
        """Opens a project of this server by its id, `make` turning it into a labelling. Raises ProjectError where there is none."""
        return self.put(make(open_project(self.root, id)))

    def put(self, labelling: Labelling) -> Labelling:
        """Works on this project from now on."""
        with self._lock:
            self.close()
            self.labelling, self.turn = labelling, self.turn + 1
            self.look()
            return labelling

    def close(self) -> None:
        """Gradio's delete callback too: nobody comes back to this bench. The project stays."""
        with self._lock:
            if self.labelling is not None:
                self.labelling.project.close()
            self.labelling, self.clip, self.said = None, None, Said()
            self._skipped, self._trail, self._ahead = [], [], []
            self.turn += 1
            if self._home.name:
                shutil.rmtree(self._home, ignore_errors=True)
            self._home = Path()

    def require(self) -> Labelling:
        if self.labelling is None:
            raise ProjectError("no project is open; start or open one first.")
        return self.labelling

    @property
    def now(self) -> Snapshot | None:
        return self.labelling.now if self.labelling else None

    @property
    def suggestion(self) -> Suggestion | None:
        """The clip on show, and what the classifier says."""
        with self._lock:
            return None if self.labelling is None or self.clip is None else self.labelling.suggestion(self.clip)

    def left(self) -> int:
        return sum(entry.state == "unlabelled" for entry in self.now.entries) if self.now else 0

    def machine_made(self) -> list[Entry]:
        """Labels that no person has confirmed, the least sure first."""
        made = [e for e in self.now.entries if e.state == "positive" and e.judgement.judge == "machine"] if self.now else []
        return sorted(made, key=lambda entry: entry.judgement.confidence or 0.0)

    def shelf(self, entry: Entry) -> Path:
        """The clip where the page may hand it out: the projects' folder itself is nobody's to read."""
        target = self.folder() / f"{entry.sha256}{entry.path.suffix}"
        if not target.is_file():
            try:
                os.link(entry.path, target)
            except OSError:  # another disk
                shutil.copyfile(entry.path, target)
        return target

    def folder(self) -> Path:
        """This page's own temporary folder."""
        if not self._home.name or not self._home.is_dir():
            self._home = Path(tempfile.mkdtemp(prefix="review-", dir=self._visitors))
        os.utime(self._home)  # the visitors' sweep counts from here
        return self._home

    # ---- acts ------------------------------------------------------------------------------------------------------------

    def act(self, what: Act, clip: int | None = None, label: str = "") -> None:
        """One key or button. An answer about a clip that isn't on show any more changes nothing, nor does one from a stale view."""
        with self._lock:
            self.require()
            self.turn += 1
            if what in _OF_THE_CLIP and (clip is None or clip != self.clip):
                self.said = Said("gone")
                return
            self._guarded(lambda work: self._do(work, what, clip, label))

    def accept_above(self, confidence: float, source: Source = "classifier") -> None:
        self.whole(lambda work: Said("accepted", count=work.accept_above(confidence, source)))

    def add_classes(self, names: Sequence[str]) -> None:
        """Classes without a clip yet."""

        def add(work: Labelling) -> Said:
            work.add_classes(names)
            return Said("class", label=", ".join(names), count=len(names))

        self.whole(add)

    def correct(self, path: Path, name: str, label: str, *, add: bool = True) -> str:
        """What another tab's visitor says about a sound reaches the open project, where add also a sound that isn't there; the project's
        name, "" where nothing was to be done. `turn` tells whether the page must look again."""
        if self.labelling is None or not (add or self.labelling.copies(path)):
            return ""

        def correct(work: Labelling) -> Said:
            work.correct(path, name, label)
            return Said("label", name, label)

        self.reload()  # what another window did goes before
        self.whole(correct)
        return self.labelling.now.name if self.said.what == "label" else ""

    def confirm(self) -> None:
        """A person vouches for all machine-made labels."""

        def confirm(work: Labelling) -> Said:
            count = len(self.machine_made())
            work.confirm()
            return Said("confirmed", count=count)

        self.whole(confirm)

    def whole(self, act: Callable[[Labelling], Said]) -> None:
        """An act that is about no single clip; the place stays. It may take long: keys go on meanwhile."""
        work = self.require()
        revision = work.project.revision
        try:
            said = act(work)
        except StaleError:
            with self._lock:
                self._stale(work)
            return
        with self._lock:
            if work is self.labelling:
                self.turn, self.said = self.turn + 1, said
                self._noted(work, revision)
                self.look()

    def reload(self) -> None:
        """Sees what other tabs did, the place kept."""
        with self._lock:
            if self.labelling is not None and self.labelling.project.changed_elsewhere():
                self._stale(self.labelling)

    def look(self, afresh: bool = False) -> None:
        """Keeps the clip on show where it still waits, else, or if asked to look afresh, shows the best one."""
        with self._lock:
            now = self.now
            waiting = {entry.id for entry in now.entries if entry.state == "unlabelled"} if now else set()
            self._skipped = [clip for clip in self._skipped if clip in waiting]
            if afresh or self.clip not in waiting:
                self._next()

    def reorder(self, order: Order) -> None:
        with self._lock:
            self.order, self.said, self.turn = order, Said(), self.turn + 1
            self.look(afresh=True)

    def _guarded(self, act: Callable[[Labelling], Said]) -> None:
        work = self.require()
        try:
            self.said = act(work)
        except StaleError:
            self._stale(work)
        except CalmError:
            self.said = Said("nothing")
            raise

    def _stale(self, work: Labelling) -> None:
        work.reload()
        self._trail, self._ahead, self.said = [], [], Said("stale")
        self.turn += 1
        self.look()

    def _do(self, work: Labelling, what: Act, clip: int | None, label: str) -> Said:
        if what in ("undo", "redo"):
            return self._back(work) if what == "undo" else self._forth(work)
        if clip is None:
            return Said("nothing")
        entry, revision = work.now.entry(clip), work.project.revision
        if what == "show":
            self.clip = clip
            return Said()
        if what == "skip" and entry.state != "unlabelled":  # it was looked at again
            self._next()
            return Said("left", entry.name)
        if what == "skip":
            self._skip(clip)
            self._trail.append(clip)
            self._ahead.clear()
            return Said("skip", entry.name)
        if what == "accept":
            label = (entry.label if entry.state == "positive" and entry.label else work.suggestion(clip).label) or ""
            if not label:
                return Said("nothing")
        if what in ("label", "accept"):
            work.answer(clip, label)
        else:
            work.answer(clip, state="uncertain" if what == "uncertain" else "excluded")
        self._noted(work, revision)
        self._next()
        return Said("label" if what == "accept" else what, entry.name, label)

    def _noted(self, work: Labelling, revision: int) -> None:
        if work.project.revision != revision:
            self._trail.append(None)
            self._ahead.clear()

    def _back(self, work: Labelling) -> Said:
        if self._trail and (clip := self._trail[-1]) is not None:
            self._trail.pop()
            self._ahead.append(clip)
            self._skipped = [other for other in self._skipped if other != clip]
            self.clip = clip
            return Said("unskip", work.now.entry(clip).name)
        return self._swap(work, work.undo, "undo", self._trail, self._ahead)

    def _forth(self, work: Labelling) -> Said:
        if self._ahead and (clip := self._ahead[-1]) is not None:
            self._ahead.pop()
            self._trail.append(clip)
            self._skip(clip)
            return Said("skip", work.now.entry(clip).name)
        return self._swap(work, work.redo, "redo", self._ahead, self._trail)

    def _swap(self, work: Labelling, swap: Callable[[], str], what: str, here: list[int | None], there: list[int | None]) -> Said:
        before = {entry.id: entry.judgement for entry in work.now.entries}
        text = swap()
        if not text:
            return Said("nothing", what)
        if here:
            here.pop()
        there.append(None)
        changed = [entry for entry in work.now.entries if before.get(entry.id, entry.judgement) != entry.judgement]
        if what == "undo" and len(changed) == 1:  # back to the clip, to answer it otherwise
            self.clip = changed[0].id
        else:
            self.look()
        return Said(what, text)

    @property
    def can_undo_skip(self) -> bool:
        return bool(self._trail) and self._trail[-1] is not None

    @property
    def can_redo_skip(self) -> bool:
        return bool(self._ahead) and self._ahead[-1] is not None

    def _skip(self, clip: int) -> None:
        self._skipped = [other for other in self._skipped if other != clip] + [clip]
        self._next()

    def _next(self) -> None:
        """The best clip that wasn't skipped; when only skipped ones are left, the one skipped first."""
        if (work := self.labelling) is None:
            self.clip = None
            return
        self._skipped = [clip for clip in self._skipped if work.now.entry(clip).state == "unlabelled"]
        queue = [s.entry.id for s in work.queue(self.order, len(self._skipped) + 1)]
        fresh = [clip for clip in queue if clip not in self._skipped]
        self.clip = next(iter(fresh + self._skipped), None)
