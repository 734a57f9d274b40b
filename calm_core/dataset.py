"""What a clip is, a data set of them, and the preflight that tells, before any model runs, which of them can be used.

How clips are read from folders, ZIPs and tables is `readers`' business. This room knows no tensors and no model.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .audio import ClipError, ClipStatus, load
from .errors import DataError

IMBALANCE_RATIO = 4  # largest class to smallest, in clips
MAX_CLASS_NAME_CHARS = 60  # longer ones burst every table and figure
BACKGROUND_WORDS = frozenset({"background", "noise", "other", "silence", "none", "nothing", "negative", "unknown", "ambient"})

Ignored = tuple[str, str]  # name, why
Progress = Callable[[int, int, str], object]  # done, total, what


@dataclass(frozen=True, slots=True)
class Clip:
    """One file of sound. `name` is what people see, relative to the root ("owl/03.wav"); `label` is None where nobody gave one.

    excluded: a person left it out: nothing is learned from it, and it keeps its label.
    """

    path: Path
    name: str
    label: str | None
    fold: str | None = None
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a folder, ZIP or table holds: its clips, and the (name, why) of everything that isn't one."""

    clips: tuple[Clip, ...]
    ignored: tuple[Ignored, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The labels that occur, sorted; a label's index is its place here."""
        return tuple(sorted({clip.label for clip in self.clips if clip.label is not None}))


@dataclass(frozen=True, slots=True)
class ClipCheck:
    """One row of the preflight table. `reason` is "" where there is nothing to say; the sizes are None where the file couldn't be read so
    far.

    alone: status and reason of the clip by itself, None where neither other clips nor a person changed them.
    """

    clip: Clip
    status: ClipStatus
    reason: str
    seconds: float | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    content_id: str | None = None
    alone: tuple[ClipStatus, str] | None = None

    @property
    def usable(self) -> bool:
        return self.status in (ClipStatus.OK, ClipStatus.CLIPPED)


def require_class_name(label: str) -> None:
    """Raises DataError for no name, and for one that is too long to be shown."""
    if not label:
        raise DataError("the class has no name: write what is heard in its clips, for example 'owl'.")
    if len(label) > MAX_CLASS_NAME_CHARS:
        raise DataError(
            f"the class name '{label[:MAX_CLASS_NAME_CHARS]}…' has {len(label)} characters; at most {MAX_CLASS_NAME_CHARS} are allowed. "
            "Shorten it."
        )


def clip_name(file: Path, base: Path) -> str:
    """What people see: the path below `base`; a file from elsewhere has its own name alone."""
    return unicodedata.normalize("NFC", (file.relative_to(base) if file.is_relative_to(base) else Path(file.name)).as_posix())


def tidy_label(label: str | None) -> str | None:
    """A label as it is compared, None for an empty one: a Mac writes é as two characters."""
    return unicodedata.normalize("NFC", label).strip() or None if label else None


# ---- checking --------------------------------------------------------------------------------------------------------------


def preflight(clips: Sequence[Clip], *, known: Sequence[ClipCheck] = (), progress: Progress | None = None) -> tuple[ClipCheck, ...]:
    """Decode every clip once and judge it, alone and against the others; one row per clip, in order. Never stops at a bad clip.

    The same audio under two labels is a CONFLICT in all its copies, for nobody but the user knows which label is right. The same audio
    again under one label is a DUPLICATE in all copies but the first. A clip that a person left out is EXCLUDED; it conflicts with none and
    makes none a duplicate, but a copy that is used in its place says so. Only readable, otherwise usable clips are compared.
    known: earlier checks; a clip of the same file and name isn't decoded again, whatever its label is now.
    progress: called as progress(done, total, clip name) after each clip; whatever it raises (Cancelled) ends the preflight.
    """
    before = {(check.clip.path, check.clip.name): check for check in known}
    checks = []
    for done, clip in enumerate(clips, start=1):
        earlier = before.get((clip.path, clip.name))
        checks.append(_check(clip) if earlier is None or not clip.path.is_file() else _check_again(earlier, clip))
        if progress is not None:
            progress(done, len(clips), clip.name)

    copies: dict[str, list[Clip]] = defaultdict(list)
    for check in checks:
        if check.content_id is not None:
            copies[check.content_id].append(check.clip)
    return tuple(check if check.content_id is None else _compare(check, copies[check.content_id]) for check in checks)


def advice(checks: Sequence[ClipCheck]) -> tuple[str, ...]:
    """What to do for a better classifier, one sentence or two each; nothing here forbids to go on. Unlabelled clips don't count."""
    usable = Counter(check.clip.label for check in checks if check.usable and check.clip.label is not None)
    names = sorted({check.clip.label for check in checks if check.clip.label is not None and not check.clip.excluded})
    lines = []
    if len(usable) < 2:
        have = f"only {next(iter(usable))!r} has usable clips" if usable else "no class has a usable clip"
        lines.append(f"At least two classes are needed, {have}: add clips of another sound.")
    lines += [f"No clip of {name!r} can be used: mend or replace them, or leave the class out." for name in names if not usable[name]]
    lines += [f"{name!r} has a single usable clip: record more of it." for name in names if usable[name] == 1]
    if len(usable) >= 2:
        (largest, most), (smallest, fewest) = usable.most_common()[0], usable.most_common()[-1]
        if fewest > 1 and most > IMBALANCE_RATIO * fewest:
            lines.append(f"{largest!r} has {most} usable clips, {smallest!r} only {fewest}: record more of {smallest!r}.")
    by_case: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_case[name.casefold()].append(name)
    lines += [f"{' and '.join(map(repr, same))} differ only in capitals: is it one class?" for same in by_case.values() if len(same) > 1]
    if names and not any(BACKGROUND_WORDS & set(re.findall(r"[^\W_]+", name.casefold())) for name in names):
        lines.append(
            "Tip: add a class 'background' with clips of nothing in particular, so that the classifier can tell your sounds from the rest."
        )
    return tuple(lines)


def _check(clip: Clip) -> ClipCheck:
    try:
        recording = load(clip.path, None, name=clip.name)
    except ClipError as error:
        return ClipCheck(clip, error.status, str(error), error.seconds, error.sample_rate_hz, error.channels)
    return ClipCheck(
        clip,
        recording.status,
        "; ".join(recording.warnings),
        recording.seconds,
        recording.source_rate_hz,
        recording.source_channels,
        recording.content_id,
    )


def _check_again(earlier: ClipCheck, clip: Clip) -> ClipCheck:
    status, reason = earlier.alone or (earlier.status, earlier.reason)
    return replace(earlier, clip=clip, status=status, reason=reason, alone=None)


def _compare(check: ClipCheck, copies: Sequence[Clip]) -> ClipCheck:
    """`check` in the light of all clips with the same audio, itself among them, in order."""
    clip, alone = check.clip, (check.status, check.reason)
    if clip.excluded:
        reason = f"clip {clip.name!r} was left out by a person; take it back in to learn from it."
        return replace(check, status=ClipStatus.EXCLUDED, reason=reason, alone=alone)
    if clip.label is not None:
        other = next((copy for copy in copies if copy.label not in (None, clip.label) and not copy.excluded), None)
        if other is not None:
            reason = f"clip {clip.name!r} is also {other.name!r} of class {other.label!r}: keep the audio in one class only."
            return replace(check, status=ClipStatus.CONFLICT, reason=reason, alone=alone)
    same = [copy for copy in copies if copy.label == clip.label]
    first = next(copy for copy in same if not copy.excluded)
    if first is not clip:
        reason = f"clip {clip.name!r} is the same audio as {first.name!r}; one of them is enough."
        return replace(check, status=ClipStatus.DUPLICATE, reason=reason, alone=alone)
    if out := next((copy for copy in same if copy.excluded), None):
        remark = f"clip {clip.name!r} is used, and is the same audio as {out.name!r}, which was left out by a person: leave it out too?"
        return replace(check, reason="; ".join(filter(None, (check.reason, remark))), alone=alone)
    return check
