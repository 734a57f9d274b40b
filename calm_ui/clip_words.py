"""What the tab Clips says: class cards, tiles, table rows. Pure; every name that a visitor chose is escaped here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from calm_core.audio import ClipStatus
from calm_core.dataset import Clip, ClipCheck
from calm_core.workspace import Workspace

from .words import attribute, count, esc, notice

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
    ClipStatus.EXCLUDED: "left out: by you",
}
DIGITS = 9  # classes that a key moves clips to
KEYS = """
<details><summary>Keys for many clips at once</summary><dl class="calm-keys">
<div><dt><kbd>1</kbd> to <kbd>9</kbd></dt><dd>the ticked clips, or the one in focus, go to that class</dd></div>
<div><dt><kbd>X</kbd></dt><dd>leave them out of learning, or take them back in</dd></div>
<div><dt><kbd>Delete</kbd></dt><dd>remove them</dd></div>
<div><dt><kbd>A</kbd></dt><dd>tick all, or none</dd></div>
<div><dt><kbd>Z</kbd></dt><dd>undo</dd></div>
<div><dt>Arrows</dt><dd>from clip to clip; with <kbd>Shift</kbd> they tick</dd></div>
<div><dt><kbd>Space</kbd></dt><dd>tick the one in focus</dd></div>
<div><dt><kbd>Shift</kbd> + click</dt><dd>tick all between two boxes</dd></div>
<div><dt>Drag</dt><dd>the ticked clips onto the card of their class</dd></div></dl></details>
"""


def class_cards(workspace: Workspace, pictures: int, thumbnail: Callable[[Path], str]) -> str:
    """One card per class, to be opened: its name, how many of its clips can be used, and a few small pictures of them."""
    cells = []
    for name, usable in workspace.class_counts.items():
        given = workspace.of_class(name)
        amount = (count(usable, "clip") if usable == len(given) else f"{usable} of {count(len(given), 'clip')}") + _by_hand(given)
        sounding = [check for check in given if check.content_id and check.status is not ClipStatus.EXCLUDED]
        shown = "".join(_thumbnail(thumbnail(check.clip.path)) for check in sounding[:pictures])
        shown += f"<small>+{more}</small>" if (more := len(sounding) - pictures) > 0 else ""
        few = "" if usable > 1 else " calm-few"
        cells.append(
            f'<li><button type="button" class="calm-card{few}" data-pick="{attribute(name)}" title="Open this class">'
            f'<span><b>{esc(name)}</b> <small>{amount}</small></span><span class="calm-strip">{shown}</span></button></li>'
        )
    return f'<ul class="calm-cards" aria-label="Classes">{"".join(cells)}</ul>' if cells else ""


def class_title(name: str, members: Sequence[ClipCheck]) -> str:
    bad = sum(not check.usable and check.status is not ClipStatus.EXCLUDED for check in members)
    aside = (f", {bad} of them can't be used" if bad else "") + _by_hand(members)
    return f'<p class="calm-big"><b>‘{esc(name)}’</b>: {count(len(members), "clip")}{aside}</p>'


def _by_hand(members: Sequence[ClipCheck]) -> str:
    out = sum(check.status is ClipStatus.EXCLUDED for check in members)
    return f", {out} left out by you" if out else ""


def tiles(found: Sequence[ClipCheck], first: int, at_a_time: int, thumbnail: Callable[[Path], str], others: Sequence[str] = ()) -> str:
    """Some clips of the open class, each with a box to tick and a button that plays it; others: the classes that they can go to."""
    if not found:
        return notice("No clip of this class has that in its name.", "empty")
    shown = found[first : first + at_a_time]
    cells = []
    for check in shown:
        name = esc(check.clip.name.removeprefix(f"{check.clip.label}/"))
        why = "" if check.usable else f" <small>{STATUS_WORDS[check.status]}</small>"
        key, out = clip_key(check.clip), " data-out" if check.clip.excluded else ""
        cells.append(
            f'<li class="calm-tile" draggable="true"{out}><input type="checkbox" class="calm-tick" value="{key}" aria-label="tick {name}">'
            f'<span class="calm-grip" data-pick="{key}">{_thumbnail(thumbnail(check.clip.path))}</span>'  # Firefox drags no button
            f'<button type="button" data-pick="{key}" title="Listen">{name}{why}</button></li>'
        )
    which = "all" if len(shown) == len(found) else f"these {len(shown)} of {len(found)}"
    return (
        f'<p class="calm-caption calm-tick-all"><label><input type="checkbox" class="calm-all"> tick {which}</label>'
        '<span class="calm-ticked" role="status"></span></p>'
        f"{_tools(any(check.clip.excluded for check in shown), others)}"
        f'<ul class="calm-tiles" aria-label="Clips of this class">{"".join(cells)}</ul>'
    )


def _tools(some_out: bool, others: Sequence[str]) -> str:
    """What can be done with the ticked clips; classes.js hears the presses. some_out: clips on show were left out."""
    taking_in = [("take-in", "X", "Take back in")] if some_out else []
    acts = [("leave-out", "X", "Leave out"), *taking_in, ("remove-ticked", "Delete", "Remove")]
    buttons = [f'data-press="clips-{act}"><kbd>{key}</kbd> {name}' for act, key, name in acts]
    targets = [
        f'data-into="{attribute(other)}" data-digit="{digit}"><kbd>{digit}</kbd> {esc(other)}'
        for digit, other in enumerate(others[:DIGITS], start=1)
    ]
    tools, into = ("".join(f'<button type="button" class="calm-key" {each}</button>' for each in some) for some in (buttons, targets))
    moving = f"<span>Move to</span>{into}" if into else ""
    return f'<div class="calm-answers calm-tools" role="group" aria-label="For the ticked clips">{tools}{moving}</div>'


def clip_key(clip: Clip) -> str:
    """What tells a clip from the others, also from itself in another class."""
    return hashlib.blake2s(f"{clip.path}\0{clip.label}".encode(), digest_size=8).hexdigest()


def _thumbnail(address: str) -> str:
    return f'<img src="{address}" alt="" draggable="false">' if address else '<span class="calm-blank"></span>'


def change(before: Workspace, after: Workspace) -> str:
    """What became of the clips from one workspace to the next: "3 clips moved to ‘bat’"; "" where nothing did."""
    old, new = ({(check.clip.path, check.clip.name): check.clip for check in workspace.checks} for workspace in (before, after))
    kept = [(old[place], clip) for place, clip in new.items() if place in old]
    moved = [(was, clip) for was, clip in kept if was.label != clip.label]
    parts = [
        (len(new.keys() - old.keys()), "added"),
        (sum(clip.excluded > was.excluded for was, clip in kept), "left out of learning"),
        (sum(clip.excluded < was.excluded for was, clip in kept), "taken back into learning"),
    ]
    said = [f"{count(n, 'clip')} {what}" for n, what in parts if n]
    if gone := [clip for place, clip in old.items() if place not in new]:
        said.append(_removed(gone, after))
    if moved:
        said.append(_moved(moved, before, after))
    return ", ".join(said)


def done(before: Workspace, after: Workspace) -> str:
    """`change` as a sentence."""
    return f"{said}." if (said := change(before, after)) else ""


def exclusion(excluded: bool) -> str:
    return "Take this clip back in" if excluded else "Leave this clip out"


def _removed(gone: Sequence[Clip], after: Workspace) -> str:
    label, amount = gone[0].label, count(len(gone), "clip")
    one_class = {clip.label for clip in gone} == {label} and label not in after.class_counts
    return f"‘{label}’ deleted, with {amount}" if one_class else f"{amount} removed"


def _moved(moved: Sequence[tuple[Clip, Clip]], before: Workspace, after: Workspace) -> str:
    amount = count(len(moved), "clip")
    froms, tos = ({pair[i].label for pair in moved} for i in (0, 1))
    if len(tos) > 1:
        return f"{amount} moved to other classes"
    (old, *more), (new,) = froms, tos
    if more or old in after.class_counts:
        return f"{amount} moved to ‘{new}’"
    return f"‘{old}’ merged into ‘{new}’: {amount}" if new in before.class_counts else f"‘{old}’ renamed to ‘{new}’"


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
    return 0 if not check.usable else 1 if check.reason else 2


def added(before: Workspace, after: Workspace, repeated: int = 0) -> str:
    here = f"{count(repeated, 'clip')} {'was' if repeated == 1 else 'were'} already here" if repeated else ""
    new = after.checks[len(before.checks) :]
    out = sum(check.status is ClipStatus.EXCLUDED for check in new)
    bad = sum(not check.usable for check in new) - out
    aside = len(after.ignored) - len(before.ignored)
    text = f"Added {count(len(new), 'clip')}" if new or not here else here
    if bad:
        text += f"; {bad} can't be used, see the first rows of the table"
    if out:
        text += f"; {out} left out, as the table says"
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
