"""What a project says about its clips, as values: judgements, clips to add, clips as they are, acts, a whole project at one revision.

Knows the rules that one value can tell by itself; knows no database and opens no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..errors import ProjectError

State = Literal["unlabelled", "positive", "uncertain", "excluded"]
Judge = Literal["person", "machine"]


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

    @property
    def waiting(self) -> bool:
        """Whether a person has not decided yet."""
        return self.state == "unlabelled" or (self.state == "positive" and self.judge == "machine")


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
        return self.judgement.waiting


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


def newly_judged(before: Snapshot, after: Snapshot) -> int:
    """How many of the clips that waited for a person are judged otherwise now."""
    waiting = {entry.id: entry.judgement for entry in before.entries if entry.waiting}
    return sum(entry.judgement != waiting.get(entry.id, entry.judgement) for entry in after.entries)


def count_clips(count: int) -> str:
    """For the texts of acts: '1 clip', '2 clips'."""
    return "1 clip" if count == 1 else f"{count} clips"
