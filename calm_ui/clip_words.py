"""What the tab Clips says: class cards, tiles, table rows. Pure; every name that a visitor chose is escaped here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from calm_core.audio import ClipStatus
from calm_core.dataset import Clip, ClipCheck
from calm_core.studio import Workspace

from .words import count, esc, notice

CLIP_HEADERS = ["#", "file", "class", "status", "seconds", "rate (Hz)", "channels", "reason"]
STATUS_WORDS = {
    ClipStatus.OK: "OK",
    ClipStatus.CLIPPED: "OK, but clipped",
    ClipStatus.EMPTY: "left out: empty",
    ClipStatus.TOO_SHORT: "left out: too short",
    ClipStatus.TOO_LONG: "left out: too long",
    ClipStatus.SILENT: "left out: silent",
    ClipStatus.NOT_FINITE: "left out: not numbers",
    ClipStatus.UNREADABLE: "left out: unreadable",
    ClipStatus.DUPLICATE: "left out: duplicate",
    ClipStatus.CONFLICT: "left out: in two classes",
}


def class_cards(workspace: Workspace, pictures: int, thumbnail: Callable[[Path], str]) -> str:
    """One card per class, to be opened: its name, how many of its clips can be used, and a few small pictures of them."""
    cells = []
    for name, usable in workspace.class_counts.items():
        given = workspace.of_class(name)
        amount = count(usable, "clip") if usable == len(given) else f"{usable} of {count(len(given), 'clip')}"
        shown = "".join(_thumbnail(thumbnail(check.clip.path)) for check in [c for c in given if c.content_id][:pictures])
        few = "" if usable > 1 else " calm-few"
        cells.append(
            f'<li><button type="button" class="calm-card{few}" data-pick="{esc(name)}" title="Open this class">'
            f'<span><b>{esc(name)}</b> <small>{amount}</small></span><span class="calm-strip">{shown}</span></button></li>'
        )
    return f'<ul class="calm-cards" aria-label="Classes">{"".join(cells)}</ul>' if cells else ""


def class_title(name: str, members: Sequence[ClipCheck]) -> str:
    bad = sum(not check.usable for check in members)
    aside = f", {bad} of them can't be used" if bad else ""
    return f'<p class="calm-big"><b>‘{esc(name)}’</b>: {count(len(members), "clip")}{aside}</p>'


def tiles(found: Sequence[ClipCheck], first: int, at_a_time: int, thumbnail: Callable[[Path], str]) -> str:
    """Some clips of the open class, each with a box to tick and a button that plays it."""
    if not found:
        return notice("No clip of this class has that in its name.", "empty")
    shown = found[first : first + at_a_time]
    cells = []
    for check in shown:
        name = esc(check.clip.name.removeprefix(f"{check.clip.label}/"))
        why = "" if check.usable else f" <small>{STATUS_WORDS[check.status]}</small>"
        cells.append(
            f'<li class="calm-tile"><input type="checkbox" class="calm-tick" value="{clip_key(check.clip)}" '
            f'aria-label="tick {name}"><button type="button" data-pick="{clip_key(check.clip)}" title="Listen">'
            f"{_thumbnail(thumbnail(check.clip.path))}<span>{name}{why}</span></button></li>"
        )
    which = "all" if len(shown) == len(found) else f"these {len(shown)} of {len(found)}"
    return (
        f'<label class="calm-caption calm-tick-all"><input type="checkbox" class="calm-all"> tick {which}</label>'
        f'<ul class="calm-tiles" aria-label="Clips of this class">{"".join(cells)}</ul>'
    )


def clip_key(clip: Clip) -> str:
    """What tells a clip from the others, also from itself in another class."""
    return hashlib.blake2s(f"{clip.path}\0{clip.label}".encode(), digest_size=8).hexdigest()


def _thumbnail(address: str) -> str:
    return f'<img src="{address}" alt="">' if address else '<span class="calm-blank"></span>'


def renamed(old: str, new: str, clips: int, merged: bool) -> str:
    return f"‘{old}’ is merged into ‘{new}’: {count(clips, 'clip')}." if merged else f"‘{old}’ is now called ‘{new}’."


def taken_back(workspace: Workspace) -> str:
    return f"Taken back: {count(len(workspace.checks), 'clip')} of {count(len(workspace.class_counts), 'class', 'classes')} now."


def no_clips() -> str:
    return notice("No clips yet. Add at least two classes with a few clips each; five or more per class is a good start.", "empty")


def clip_rows(workspace: Workspace) -> list[list[Any]]:
    """The preflight table: what needs attention first. The number in the first column is the clip's place in the workspace."""
    rows = []
    for number, check in sorted(enumerate(workspace.checks, start=1), key=lambda item: _attention(item[1])):
        seconds = "" if check.seconds is None else f"{check.seconds:.2f}"
        sizes = [seconds, check.sample_rate_hz or "", check.channels or ""]
        rows.append([number, check.clip.name, check.clip.label or "", STATUS_WORDS[check.status], *sizes, check.reason])
    return rows


def _attention(check: ClipCheck) -> int:
    return 0 if not check.usable else 1 if check.status is not ClipStatus.OK else 2


def added(before: Workspace, after: Workspace, repeated: int = 0) -> str:
    here = f"{count(repeated, 'clip')} {'was' if repeated == 1 else 'were'} already here" if repeated else ""
    new = after.checks[len(before.checks) :]
    bad = sum(not check.usable for check in new)
    aside = len(after.ignored) - len(before.ignored)
    text = f"Added {count(len(new), 'clip')}" if new or not here else here
    if bad:
        text += f"; {bad} can't be used, see the first rows of the table"
    if new and here:
        text += f"; {here}"
    if aside:
        text += f"; {count(aside, 'other file')} ignored, listed below"
    return text + "."


def clip_title(check: ClipCheck) -> str:
    sizes = "" if check.seconds is None else f", {check.seconds:.2f} s"
    reason = f"<br>{esc(check.reason)}" if check.reason else ""
    return f"<p><b>{esc(check.clip.name)}</b>: {STATUS_WORDS[check.status]}{sizes}{reason}</p>"


def ignored(entries: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{name}: {why}" for name, why in entries]
