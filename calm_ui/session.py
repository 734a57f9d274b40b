"""What one visitor has on the page: clips, the classifier in use, the answers. Each open page has its own; none sees another's.

Three `gr.State` hold it, so that every view listens to what it shows: `Desk` (clips and files), `Current` (the classifier) and
`Answers` (predictions). Knows no components and no sentences.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from calm_core.dataset import Clip, ClipCheck, Dataset, require_class_name
from calm_core.errors import DataError
from calm_core.studio import ClipPrediction, Doubt, Learned
from calm_core.workspace import Workspace

from .jobs import Slot

log = logging.getLogger(__name__)

KEEP_HOURS = 4  # files are deleted this long after the visitor's last step; the page says so
MAX_VISITOR_BYTES = 2 * 1024**3
MAX_VISITOR_CLIPS = 2000
UNDO_STEPS = 20  # changes of the clips that can be taken back; the files of removed clips stay as long, if there is room
MAX_VISITOR_RECORDING_S = 1800.0  # half an hour at 48 kHz is 350 MB in memory, twice that while it is read


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor's clips and the seconds that models have computed for them.

    folder: where their files lie, None before the first; repeated: how many clips of the latest addition were already here;
    confirmed: clips whose label the visitor has listened to and stands by, so that it is not doubted again; earlier: the workspaces that
    undo goes back to, the latest last.
    """

    folder: Path | None = None
    workspace: Workspace = field(default_factory=Workspace)
    compute_s: float = 0.0
    repeated: int = 0
    confirmed: frozenset[Clip] = frozenset()
    earlier: tuple[Workspace, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Current:
    """The classifier in use, and where it is from: learned here, a file, or the example that the page opens with.

    file: the classifier as a file, to be downloaded; it may be deleted before the visitor leaves.
    """

    learned: Learned
    source: Literal["clips", "file", "example"]
    file: Path | None = None

    @property
    def backbone(self) -> str | None:
        origin = self.learned.model.origin
        return origin.backbone if origin else None

    def clips_changed(self, workspace: Workspace) -> bool:
        """Whether the usable clips are others than those it was learned from; a classifier from elsewhere has none here."""
        return self.source == "clips" and set(self.learned.clips) != {check.clip for check in workspace.usable}

    def doubts(self, session: Session) -> tuple[Doubt, ...]:
        """The labels to look at again: not those of clips that were since relabelled, removed or confirmed."""
        present = {check.clip for check in session.workspace.usable} - session.confirmed
        return tuple(doubt for doubt in self.learned.doubts if doubt.clip in present)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Predictions, and the classifier that made them: it stays theirs when another one is learned.

    ignored: files that are no clips, and why; folder: where the clips lie, None where they are the program's own; chosen: the row to
    show first, None for the first that was predicted; corrected: the class under which that row was added to the clips; project: the
    labelling project that it joined, "" for none.
    """

    by: Current
    rows: tuple[ClipPrediction, ...]
    ignored: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None
    chosen: int | None = None
    corrected: str = ""
    project: str = ""

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.by.learned.model.class_names


class Desk:
    """A visitor's session over time. Reading it gives the latest; changes happen one after another, so that none is lost.

    A handler may run for minutes while another one adds clips: that's why the state holds this one object, not copies of a session.
    Gradio compares a state's hash before and after each step of a handler and tells the views when it differs; here the hash is a
    version, and a handler that changed something hands back `desk.touched()`.
    """

    def __init__(self, root: Path) -> None:
        self.session = Session()
        self.jobs = Slot()  # at most one learning or predicting job at a time
        self.comparing = Slot()  # beside them the comparison of methods, which nobody has to wait for
        self.thumbnails: dict[Path, str] = {}  # small pictures of the clips, as addresses; forgotten with their files
        self._root = root
        self._version = 0
        self._changing = threading.RLock()

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return type(self)(self._root)  # Gradio copies the initial value for every visitor: each gets a desk of their own

    def __hash__(self) -> int:
        return self._version

    def __eq__(self, other: object) -> bool:
        return self is other

    def change(self, change: Callable[[Session], Session]) -> Self:
        """Replaces the session by `change(session)`; others wait. An exception leaves it as it was."""
        with self._changing:
            self.session = change(self.session)
        return self

    def touched(self) -> Self:
        """This desk, as an output of a handler: the views look at it again. Only for the handler itself, not for a job's thread."""
        self._version += 1
        self.seen()
        return self

    def seen(self) -> None:
        """Notes that the visitor, or a job of theirs, is at work: `sweep` counts from here."""
        if self.session.folder is not None:
            with suppress(FileNotFoundError):
                os.utime(self.session.folder)

    def computed(self, seconds: float) -> Self:
        return self.change(lambda now: replace(now, compute_s=now.compute_s + seconds))

    @contextmanager
    def new_folder(self, needs: int = 0, *, instead: bool = False) -> Iterator[Path]:
        """A new folder among the visitor's files; it is removed again where the body fails or takes them over their limit.

        needs: bytes that the body is going to write, as far as they are known; refused before it begins where they don't fit;
        instead: the present clips are going to make way, so that only what is new counts.
        """
        with self._changing:
            home = self._home()
            self._require_room(home, needs, instead)
            into = Path(tempfile.mkdtemp(dir=home))
        try:
            yield into
            self._require_room(home, 0, instead)
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise
        self._make_room()

    def add(
        self,
        read: Callable[[Path], Dataset],
        check: Callable[[Workspace, Dataset], Workspace],
        needs: int = 0,
        *,
        instead: bool = False,
    ) -> Self:
        """Adds the clips that `read(new folder)` lays out and reads, as `check` judges them together with the present ones.

        A clip that is already here in the same class is not added again. needs, instead: as for `new_folder`.
        All or nothing: an exception, or more clips than fit, leaves the clips as they were.
        """
        with self._changing:
            present = Workspace() if instead else self.session.workspace
            old = len(present.checks)
            with self.new_folder(needs, instead=instead) as into:
                dataset = read(into)
                if (count := old + len(dataset.clips)) > MAX_VISITOR_CLIPS:
                    raise DataError(
                        f"that would make {count} clips; at most {MAX_VISITOR_CLIPS} fit here. Add fewer, or remove others first."
                    )
                after, repeats = _without_repeats(check(present, dataset), old)
                own = {repeat.clip.path for repeat in repeats if repeat.clip.path.is_relative_to(into)}
                for path in own - {kept.clip.path for kept in after.checks}:
                    path.unlink(missing_ok=True)
            self.change(lambda now: replace(now, repeated=len(repeats)))
            self._become(after)._make_room()
            return self

    def remove(self, clips: Collection[Clip]) -> Self:
        """Takes clips away; their files stay until it can't be undone any more."""
        with self._changing:
            return self._become(self.session.workspace.without(clips))

    def relabel(self, clips: Collection[Clip], label: str) -> Self:
        """Puts clips into another class. Raises DataError for a name that is too long, or none."""
        require_class_name(label)
        with self._changing:
            return self._become(self.session.workspace.relabelled(clips, label))

    def exclude(self, clips: Collection[Clip], excluded: bool = True) -> Self:
        """Leaves clips out of learning, or takes them back in; they stay here, with their labels."""
        with self._changing:
            return self._become(self.session.workspace.excluding(clips, excluded))

    def undo(self) -> Self:
        """Takes back the latest change of the clips, if there is one."""
        with self._changing:
            if self.session.earlier:
                *earlier, workspace = self.session.earlier
                self._settle(workspace, tuple(earlier))
            return self

    def confirm(self, clip: Clip) -> Self:
        """Notes that the visitor stands by a clip's label."""
        return self.change(lambda now: replace(now, confirmed=now.confirmed | {clip}))

    def latest_file(self, kind: Literal["classifier", "report"], name: str) -> Path:
        """Where to save the visitor's classifier, or the report on one. There is one file of a kind: an earlier one is deleted."""
        with self._changing:
            folder = self._home() / kind
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            return folder / name

    def clear(self) -> Self:
        """Forgets the clips and deletes the visitor's files."""
        self.comparing.cancel()  # it reads them
        folder = self.session.folder
        self.change(lambda now: Session(compute_s=now.compute_s))
        self.thumbnails.clear()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return self

    def close(self) -> None:
        """Gradio's delete callback: nobody comes back to this desk."""
        self.jobs.cancel()
        self.clear()

    def _become(self, workspace: Workspace) -> Self:
        before = self.session
        if workspace != before.workspace:
            self._settle(workspace, (*before.earlier, before.workspace)[-UNDO_STEPS:])
        return self

    def _settle(self, workspace: Workspace, earlier: tuple[Workspace, ...]) -> None:
        """These are the clips, and what undo goes back to, from now on; the visitor's files that neither needs are deleted."""
        before, home = self.session, self.session.folder
        now = self.change(lambda now: replace(now, workspace=workspace, earlier=earlier)).session
        for path in _files_of(*before.earlier, before.workspace) - _files_of(*now.earlier, now.workspace):
            self.thumbnails.pop(path, None)
            if home is not None and path.is_relative_to(home):
                path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Forgets what undo goes back to where the visitor's files are over their limit; only now, when nothing is refused any more."""
        with self._changing:
            home = self.session.folder
            if home is not None and _bytes_in(home) > MAX_VISITOR_BYTES:
                self._settle(self.session.workspace, ())

    def _require_room(self, home: Path, needs: int, instead: bool) -> None:
        """Raises DataError for what doesn't fit even beside the present clips alone, or with `instead` without them."""
        with self._changing:
            now = self.session
            kept = set() if instead else _files_of(now.workspace)
            spare = _files_of(*now.earlier, now.workspace) - kept
            if (used := _bytes_in(home, spare) + needs) > MAX_VISITOR_BYTES:
                raise DataError(
                    f"your files would take {used / 1024**3:.1f} GiB; at most {MAX_VISITOR_BYTES / 1024**3:.0f} GiB fit here. "
                    "Use fewer or shorter clips, or remove others first."
                )

    def _home(self) -> Path:
        """The visitor's folder, made where there is none yet or no longer one."""
        home = self.session.folder
        if home is None or not home.is_dir():
            home = Path(tempfile.mkdtemp(dir=self._root))
            self.session = replace(self.session, folder=home)
        return home


def _without_repeats(workspace: Workspace, old: int) -> tuple[Workspace, tuple[ClipCheck, ...]]:
    """The workspace without those of its clips after the first `old` that repeat one of these in the same class, and the repeats.

    The other judgements stay right: a repeat says nothing about its audio that the clip before it doesn't say.
    """

    def identity(check: ClipCheck) -> tuple[str | None, str]:
        return check.clip.label, check.content_id or f"{check.clip.name}: {check.reason}"  # what can't be decoded has no content id

    here = {identity(check) for check in workspace.checks[:old]}
    new = workspace.checks[old:]
    kept = (*workspace.checks[:old], *(check for check in new if identity(check) not in here))
    repeats = tuple(check for check in new if identity(check) in here)
    return Workspace(kept, tuple(dict.fromkeys(workspace.ignored))), repeats


def _files_of(*workspaces: Workspace) -> set[Path]:
    return {check.clip.path for workspace in workspaces for check in workspace.checks}


def _bytes_in(home: Path, spare: Collection[Path] = ()) -> int:
    """The bytes of all files in a folder but the spare ones."""
    return sum(file.stat().st_size for file in home.rglob("*") if file.is_file() and file not in spare)


# ---- forgetting ------------------------------------------------------------------------------------------------------------


def sweep(root: Path, keep_s: float) -> None:
    """Deletes the visitors' folders in `root` that nobody has worked with for `keep_s` seconds.

    Gradio's own delete callback isn't enough: it leaves out who comes after many others, and states that no handler ever returned.
    """
    for folder in root.iterdir():
        with suppress(FileNotFoundError):  # its visitor was quicker
            if time.time() - folder.stat().st_mtime > keep_s:
                shutil.rmtree(folder, ignore_errors=True)


def keep_swept(root: Path, keep_s: float, every_s: float, how: Callable[[Path, float], object] = sweep) -> None:
    """Sweeps in the background for as long as `root` is there; how: `sweep`, or the same for other folders."""

    def run() -> None:
        while root.is_dir():
            try:
                how(root, keep_s)
            except OSError:
                log.exception("the folders in %s couldn't be swept; trying again in %g s", root, every_s)
            time.sleep(every_s)

    threading.Thread(target=run, name="calm-sweeper", daemon=True).start()
