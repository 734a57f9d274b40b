"""The use-cases of the labelling app over one open project: add, learn on kept vectors, what to label next, answer, undo, accept.

A room of its own at the layer of `studio`, which holds the use-cases without a project: both are called by page and command line alike.
Every act is saved by `library` before the call returns; only then is the classifier asked again, so what the page shows as saved is.
Knows no components and no numerics (`relearning`, `active`).

Learns with the paper's options, whatever was chosen for the tab Learn: that was chosen on other clips or fewer labels, and may hold a
whitening, which is another one after every answer; options that change on the way would make the curve tell of them, not of the labels.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import active, pseudo_labels, simulation
from .active import DEFAULT_ORDER, Order
from .backbones import DEFAULT_BACKBONE, Answering, Backbone
from .dataset import Clip, ClipCheck, Dataset, preflight
from .errors import BackboneError, Cancelled, DataError, OptionError
from .export import Opinion
from .extraction import Cancel, Progress
from .importing import as_new_clips, checked, read_labels
from .library.project import Project
from .library.records import CurvePoint, Entry, Judgement, NewClip, Snapshot, State, count_clips, newly_judged
from .options import ExtractOptions, FitOptions
from .pseudo_labels import Vote
from .relearning import Relearned, Relearner
from .simulation import Simulation
from .studio import Studio

Array = NDArray[np.float32]
T = TypeVar("T")
Answered = Literal["uncertain", "excluded", "labelled"]  # by a person
Source = Literal["classifier", "words"]  # of machine-made labels: the classifier of the labels, or the backbone's own answers


@dataclass(frozen=True, slots=True)
class Added:
    """What became of clips that were handed in: ids of the new ones, how many were here already, and those that can't be used.

    labelled: of those that were here, how many had no label, or a machine's, and got theirs.
    """

    ids: tuple[int, ...]
    repeated: int
    unusable: tuple[ClipCheck, ...]
    labelled: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """A clip to label. label: what the classifier would say, "" while there is none; confidence: calibrated, None while there are too
    few labels; chances: class names with the classifier's weights between them, best first (probabilities where calibrated); fits: of an
    unlabelled clip, the classes that can't be ruled out at confidence.COVERAGE, empty for none of them; None while labels are too few.
    """

    entry: Entry
    label: str = ""
    confidence: float | None = None
    chances: tuple[tuple[str, float], ...] = ()
    fits: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What accepting all suggestions from a confidence on would mean; of the backbone's own answers the confidence is their agreement.

    clips: ids; per_class: how many of each class; expected_wrong: how many of them would be wrong if the confidence is right, None where
    it is no probability; held_out: of the labelled clips of which a classifier without them, or the backbone, is as sure, the share that is
    right, as (right, of so many); unlike: how many more aren't accepted, for they are as sure but fit no class, or the answers name none.
    """

    source: Source
    confidence: float
    clips: tuple[int, ...]
    per_class: dict[str, int]
    expected_wrong: float | None
    held_out: tuple[int, int]
    unlike: int


class Labelling:
    """One view of a project (a tab), and the classifier that follows its labels. Calls from several threads wait for each other.

    now: the project as this view last saw it; learned: the classifier's opinions, None while fewer than two classes have a label or
    the vectors aren't there yet (`prepare`); backbone: the id of the model that listens, which each job asks for anew, so that an open
    project keeps none in memory; answers: whether it answers in words, known from the first `prepare` on.
    An act on a view that is no longer up to date raises StaleError: call `reload` and show it.
    """

    def __init__(
        self,
        project: Project,
        studio: Studio,
        backbone: str = DEFAULT_BACKBONE,
        *,
        device: str = "auto",
        options: FitOptions | None = None,
        extract_options: ExtractOptions | None = None,
    ) -> None:
        self.project, self.studio, self.backbone, self.answers = project, studio, backbone, False
        self._device = device
        self.options, self.extract_options = options or FitOptions(), extract_options or ExtractOptions()
        if self.options.auto or self.options.whiten is not None:  # a whitening is another one after every answer
            raise OptionError("relearning after every answer needs fixed options and no whitening; take the paper's, FitOptions().paper.")
        self.now: Snapshot = project.snapshot()
        self.learned: Relearned | None = None
        self._lock = threading.RLock()
        self._place: dict[int, int] = {}  # of the clips whose vectors are held: id -> place among them, in order
        self._relearner: Relearner | None = None
        self._sketches: Array = np.zeros((0, 0, 0), np.float32)
        self._typical: Array = np.zeros(0, np.float32)
        self._votes: dict[tuple[str, frozenset[str]], dict[int, Vote]] = {}  # by backbone and classes, for the question names them

    # ---- clips -----------------------------------------------------------------------------------------------------------

    def add(self, data: Dataset, *, progress: Progress | None = None) -> Added:
        """Adds the usable clips of a data set; their labels are a person's. `prepare` then makes their vectors."""
        return self.add_checked(*checked(as_new_clips(data), progress=progress))

    def add_checked(self, clips: Sequence[NewClip], unusable: tuple[ClipCheck, ...] = ()) -> Added:
        """Adds clips as `importing.checked` gives them, with all that is said about them."""
        with self._lock:
            before, ids = self.now, self.project.add(clips)
            self._refresh()
            return Added(ids, len(clips) - len(ids), unusable, newly_judged(before, self.now))

    def copies(self, path: Path) -> list[int]:
        """The clips that are this sound, by id. Raises DataError for a file that can't be read."""
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"clip {path.name!r} can't be read any more ({error.strerror}); add it again.") from error
        return [entry.id for entry in self.now.entries if entry.sha256 == sha256]

    def correct(self, path: Path, name: str, label: str) -> None:
        """A person's word about a sound that may or may not be among the clips: it is labelled here, or added with the label; one act."""
        with self._lock:
            if here := self.copies(path):
                self.judge(here, label)
            else:
                self.add_checked(*checked([NewClip(path, name, Judgement(label, "positive", "person"))]))

    def take_labels(self, source: Path, recording: str = "") -> int:
        """Takes over what a file of labels says about clips that are here (`read_labels`), as one act; about how many."""
        with self._lock:
            said = read_labels(source, self.now.entries, recording)
            self._act(lambda: self.project.judge(said, f"labels of {count_clips(len(said))} from {source.name}"))
            return len(said)

    def prepare(self, *, progress: Progress | None = None, cancelled: Cancel | None = None) -> None:
        """Head vectors of all clips, from the store where they are known, and the classifier of the present labels.

        The only long job here: after it, no answer needs the backbone. Raises as `extraction.extract` does.
        """
        with self._lock:
            entries, chosen = self.now.entries, self.backbone
            place = {entry.id: i for i, entry in enumerate(entries)}
            if not entries or place == self._place:
                return
        backbone = self.studio.backbone(chosen, self._device)
        clips = [Clip(entry.path, entry.name, None) for entry in entries]
        heads = self.studio.vectors(clips, backbone, self.extract_options, progress=progress, cancelled=cancelled)
        relearner, sketches = Relearner(heads, self.options), active.sketch(heads.values, heads.clip_of_row)
        typical = active.typicality(sketches)
        with self._lock:
            if self.backbone != chosen:  # another one listens by now: these are not its vectors
                return
            self._place, self._relearner, self._sketches, self._typical = place, relearner, sketches, typical
            self.answers = isinstance(backbone, Answering)
            self._learn()

    def listen_with(self, backbone: str) -> None:
        """Lets another backbone listen from now on: nothing of the old one's stays, so all clips wait for `prepare`."""
        with self._lock:
            self.backbone, self._place, self._relearner, self.learned = backbone, {}, None, None

    def ask(self, *, progress: Progress | None = None, cancelled: Cancel | None = None) -> None:
        """Asks the backbone in words which class each clip is, those without a label and those that a person labelled, into `votes`.

        Raises BackboneError for one that can't answer, OptionError for fewer than two classes, Cancelled; what was answered is kept.
        """
        with self._lock:
            chosen, votes, names, waiting = self.backbone, self.votes, self.now.class_names, self._unasked()
        backbone = self.studio.backbone(chosen, self._device)
        if not isinstance(backbone, Answering):
            raise BackboneError(f"the backbone {backbone.id!r} doesn't answer in words; choose another one, or label by hand.")
        for done, entry in enumerate(waiting):
            if cancelled and cancelled():
                raise Cancelled(f"stopped after {done} of {len(waiting)} clips; what was answered is kept.")
            if progress:
                progress(done, len(waiting), "asking the model")
            votes[entry.id] = pseudo_labels.vote(Clip(entry.path, entry.name, None), backbone, names)

    # ---- looking ---------------------------------------------------------------------------------------------------------

    def reload(self) -> Snapshot:
        """Sees what other tabs did."""
        with self._lock:
            self._refresh()
            return self.now

    def suggestion(self, clip: int) -> Suggestion:
        """What the classifier says about one clip; about a labelled one, what a classifier without it says."""
        with self._lock:
            return self._suggest(self.now.entry(clip))

    def queue(self, order: Order = DEFAULT_ORDER, count: int | None = None, *, seed: int = 0) -> tuple[Suggestion, ...]:
        """The clips that nobody judged, the one to label next first. Without a classifier: typical and unlike each other."""
        with self._lock:
            waiting = [entry for entry in self.now.entries if entry.state == "unlabelled"]
            entries = {self._place[entry.id]: entry for entry in waiting if entry.id in self._place}
            if not entries:
                return tuple(map(Suggestion, waiting[:count]))
            pool = np.array(list(entries), dtype=np.int64)
            labelled = np.array([self._place[e.id] for e in self.now.entries if e.learnable and e.id in self._place], dtype=np.int64)
            typical = self._typical[pool]
            if self.learned is not None:
                ranked = self.learned.queue(order, self._sketches, pool, labelled, typical=typical, seed=seed)
            else:
                features = self._sketches.reshape(len(self._sketches), -1)
                ranked = pool[np.argsort(-typical * active.novelty(features[pool], features[labelled]), kind="stable")]
            return tuple(self._suggest(entries[place]) for place in ranked[:count].tolist())

    def answered(self, kind: Answered) -> tuple[Suggestion, ...]:
        """Clips that a person answered so, as a classifier without them hears them; of the labelled ones those first whose label it
        doubts most."""
        with self._lock:
            if kind != "labelled":
                return tuple(self._suggest(entry) for entry in self.now.entries if entry.state == kind)
            found = [self._suggest(entry) for entry in self.now.entries if entry.learnable]
            return tuple(sorted(found, key=lambda s: dict(s.chances).get(str(s.entry.label), 1.0)))

    def get_ready(self, clip: int) -> None:
        """Does ahead what an answer about this clip will need: to be called once the page shows it."""
        with self._lock:
            if self._relearner is not None and clip in self._place:
                self._relearner.prepare(self._place[clip])

    def preview_accept(self, confidence: float, source: Source = "classifier") -> Acceptance:
        """What `accept_above` would do, and raises what it raises."""
        with self._lock:
            sure = self._sure(confidence, source)
            chosen = [s for s in sure if s.fits != ()]
            if source == "words":
                expected = None
                unlike = sum(e.id in self.votes and not self.votes[e.id].label for e in self.now.entries if e.state == "unlabelled")
                told = [self.votes[e.id].label == e.label for e in self.now.entries if e.learnable and self._says(e, confidence)]
            else:
                expected, unlike = float(sum(1 - (s.confidence or 0) for s in chosen)), len(sure) - len(chosen)
                told = self._held_out_above(confidence)
            per_class = dict(Counter(s.label for s in chosen))
            return Acceptance(source, confidence, tuple(s.entry.id for s in chosen), per_class, expected, (sum(told), len(told)), unlike)

    def opinions(self) -> dict[int, Opinion]:
        """What the classifier says about every clip, for an export; about a labelled clip, what a classifier without it says."""
        with self._lock:
            said = [self._suggest(entry) for entry in self.now.entries]
            return {s.entry.id: Opinion(s.label, s.confidence, dict(s.chances)) for s in said if s.label}

    @property
    def unheard(self) -> int:
        """Clips whose vectors aren't there yet: they wait for `prepare`."""
        with self._lock:
            return sum(entry.id not in self._place for entry in self.now.entries)

    @property
    def votes(self) -> dict[int, Vote]:
        """What the backbone's own answers say about clips, by id, as far as it was asked with the present classes."""
        with self._lock:
            return self._votes.setdefault((self.backbone, frozenset(self.now.class_names)), {})

    @property
    def unasked(self) -> int:
        """Clips that `ask` would ask about."""
        with self._lock:
            return len(self._unasked())

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Held-out accuracy against the number of labels, as the work went."""
        return self.now.curve

    # ---- acts: saved when the call returns, then learned from ----------------------------------------------------------------

    def answer(self, clip: int, label: str | None = None, state: State = "positive") -> None:
        """A person's answer about one clip: a class, or the state uncertain, excluded or unlabelled."""
        self.judge([clip], label, state)

    def judge(self, clips: Collection[int], label: str | None = None, state: State = "positive") -> None:
        """The same answer about many clips, as one act: relabelling and moving between classes too."""
        if state == "positive" and label is not None:
            self._act(lambda: self.project.label(clips, label))
        else:
            self._act(lambda: self.project.set_state(clips, state))

    def accept_above(self, confidence: float, source: Source = "classifier") -> int:
        """Takes over all suggestions of at least this confidence, marked as machine-made, as one act; how many.

        They don't teach until a person confirms them. What fits no class is left out: a confidence is shared among the known classes, so
        it says nothing there. Raises DataError where the confidence isn't calibrated yet, or the backbone wasn't asked.
        """
        with self._lock:
            chosen = [s for s in self._sure(confidence, source) if s.fits != ()]
            said = {s.entry.id: Judgement(s.label, "positive", "machine", s.confidence) for s in chosen}
            what = "suggestions" if source == "classifier" else "of the model's own answers"
            self._act(lambda: self.project.judge(said, f"accepted {len(said)} {what} from {100 * confidence:.0f} %"))
            return len(said)

    def confirm(self, clips: Collection[int] | None = None) -> None:
        """A person vouches for machine-made labels, by default for all of them."""
        with self._lock:
            machine = [e.id for e in self.now.entries if e.judgement.judge == "machine"] if clips is None else clips
            self._act(lambda: self.project.confirm(machine))

    def add_classes(self, names: Sequence[str]) -> None:
        self._act(lambda: self.project.add_classes(names))

    def rename_class(self, old: str, new: str) -> None:
        self._act(lambda: self.project.rename_class(old, new))

    def merge_classes(self, names: Sequence[str], into: str) -> None:
        self._act(lambda: self.project.merge_classes(names, into))

    def delete_class(self, name: str) -> None:
        self._act(lambda: self.project.delete_class(name))

    def undo(self) -> str:
        """What was taken back, "" where there was nothing."""
        return self._act(self.project.undo, note=False)

    def redo(self) -> str:
        return self._act(self.project.redo, note=False)

    # ---- how -------------------------------------------------------------------------------------------------------------

    def _act(self, act: Callable[[], T], note: bool = True) -> T:
        with self._lock:
            revision = self.project.revision
            done = act()
            if self.project.revision != revision:
                self._refresh(note)
            return done

    def _refresh(self, note: bool = False) -> None:
        """Reads the project again, and learns where its labels are others; note: write the accuracy down."""
        before = [(entry.id, entry.label if entry.learnable else None) for entry in self.now.entries]
        self.now = self.project.snapshot()
        if [(entry.id, entry.label if entry.learnable else None) for entry in self.now.entries] == before:
            return
        self._learn()
        if note and self.learned is not None:
            hits, n = self.learned.hits
            self.project.note_accuracy(CurvePoint(len(self.learned.held_out.truth), hits, n, self.backbone))
            self.now = self.project.snapshot()

    def _unasked(self) -> list[Entry]:
        return [e for e in self.now.entries if (e.state == "unlabelled" or e.learnable) and e.id not in self.votes]

    def _learn(self) -> None:
        said = {entry.id: entry.label for entry in self.now.entries if entry.learnable}
        labels = [said.get(clip) for clip in self._place]
        self.learned = self._relearner.relearn(labels) if self._relearner and len({*labels} - {None}) > 1 else None

    def _suggest(self, entry: Entry) -> Suggestion:
        if self.learned is None or entry.id not in self._place:
            return Suggestion(entry)
        chances = self.learned.chances[self._place[entry.id]]
        if not np.isfinite(chances).all():  # the only clip of its class
            return Suggestion(entry)
        ranked = [(self.learned.class_names[i], float(chances[i])) for i in np.argsort(-chances, kind="stable").tolist()]
        sure = ranked[0][1] if self.learned.calibrated else None
        return Suggestion(entry, ranked[0][0], sure, tuple(ranked), self.learned.fits(self._place[entry.id]))

    def _sure(self, confidence: float, source: Source) -> list[Suggestion]:
        """The suggestions about unlabelled clips that are at least so sure."""
        waiting = [entry for entry in self.now.entries if entry.state == "unlabelled"]
        if source == "classifier":
            self._require_calibrated()
            return [s for s in map(self._suggest, waiting) if s.confidence is not None and s.confidence >= confidence]
        if not self.votes:
            raise DataError("the model wasn't asked yet what it hears; ask it first.")
        return [Suggestion(e, self.votes[e.id].label, self.votes[e.id].share) for e in waiting if self._says(e, confidence)]

    def _held_out_above(self, confidence: float) -> list[bool]:
        """Of the labelled clips of which a classifier without them is so sure, whether it is right."""
        learned = self._require_calibrated()
        held = learned.chances[sorted(self._place[e.id] for e in self.now.entries if e.learnable and e.id in self._place)]
        sure = held[np.isfinite(held).all(1)].max(1) >= confidence
        return learned.held_out.correct[sure].tolist()

    def _says(self, entry: Entry, share: float) -> bool:
        """Whether the backbone's answers agree on a class so far."""
        return entry.id in self.votes and bool(self.votes[entry.id].label) and self.votes[entry.id].share >= share

    def _require_calibrated(self) -> Relearned:
        if self.learned is None or not self.learned.calibrated:
            raise DataError(
                "there is no calibrated confidence yet: it takes two classes and at least 10 labelled clips. Label some more by hand."
            )
        return self.learned


def simulate(
    studio: Studio,
    data: Dataset,
    backbone: Backbone,
    *,
    orders: Sequence[Order],
    start: int,
    budget: int,
    seeds: int,
    options: FitOptions | None = None,
    extract_options: ExtractOptions | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> tuple[Simulation, tuple[ClipCheck, ...]]:
    """What orders of labelling are worth on a labelled data set, by its folds where all clips have one; and the clips left out."""
    checks = preflight(data.clips)
    clips = [check.clip for check in checks if check.usable and check.clip.label is not None]
    if not clips:
        raise DataError(f"none of the {len(checks)} clips can be used; the first: {checks[0].reason}")
    heads = studio.vectors(clips, backbone, extract_options or ExtractOptions(), progress=progress, cancelled=cancelled)
    folds = [clip.fold for clip in clips if clip.fold is not None]
    found = simulation.simulate(
        heads,
        [str(clip.label) for clip in clips],
        orders=orders,
        start=start,
        budget=budget,
        seeds=seeds,
        folds=folds if len(folds) == len(clips) else None,
        options=options,
        progress=progress,
        cancelled=cancelled,
    )
    return found, tuple(check for check in checks if not check.usable)
