"""A part of the tab Clips: a card for every class, and one class opened: to rename, merge or delete it, to move or remove its clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core.dataset import Clip, ClipCheck
from calm_core.errors import DataError

from . import clip_words, words
from .messages import told
from .page import AT_ONCE, LIGHT, VIEW, Page, thumbnail
from .session import Desk

AT_A_GLANCE = 20  # clips of a class; more of them can be searched by name
AT_A_TIME = 100  # clips of the open class on show, each with its picture
PER_CARD = 4  # pictures on a card

# What is pressed in a card or a tile, as an event.
_PICK_JS = """
element.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-pick]");
  if (pressed) trigger("select", { pick: pressed.dataset.pick });
});
"""
_MANY_JS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
# The ticks live in the browser: they are read when a button asks for them.
_TICKED_JS = """(desk, _, ...more) => [
  desk, [...document.querySelectorAll('#clips-tiles .calm-tick:checked')].map(box => box.value).join(' '), ...more]"""

_UNTICK_JS = "() => document.dispatchEvent(new Event('calm-acted'))"


def build_classes(page: Page, status: gr.HTML, undo: gr.Button, demo: gr.Blocks) -> gr.HTML:
    """Builds the part inside the current context; returns the tiles, whose `select` event names a clip (`picked`)."""
    desk = page.desk
    cards = gr.HTML(clip_words.no_clips(), js_on_load=_PICK_JS, apply_default_css=False, elem_id="clips-classes")
    with gr.Column(visible=False, elem_id="clips-class") as panel:
        with gr.Row():
            title = gr.HTML(elem_id="clips-class-title")
            close = gr.Button("Close", size="sm", scale=0, min_width=90, elem_id="clips-class-close")
        with gr.Row(elem_classes="calm-low"):
            other = gr.Dropdown(
                [],
                allow_custom_value=True,
                label="Another name, or the class to merge it into",
                min_width=200,
                scale=3,
                elem_id="clips-class-other",
            )
            rename = gr.Button("Rename or merge", min_width=120, elem_id="clips-class-rename")
            delete = gr.Button("Delete this class", min_width=120, elem_id="clips-class-delete")
        search = gr.Textbox(label="Find a clip of this class by its name", max_lines=1, elem_id="clips-class-search")
        tiles = gr.HTML(js_on_load=_PICK_JS + _MANY_JS, apply_default_css=False, elem_id="clips-tiles")
        with gr.Row():
            back = gr.Button("Earlier clips", size="sm", elem_id="clips-class-back")
            on = gr.Button("More clips", size="sm", elem_id="clips-class-on")
        with gr.Row(elem_classes="calm-low", elem_id="clips-ticked"):  # shown while a box is ticked, by CSS: the ticks are the browser's
            target = gr.Dropdown(
                [], allow_custom_value=True, label="Any class for the ticked clips, or a new one", min_width=200, elem_id="clips-move-to"
            )
            move = gr.Button("Move them there", min_width=120, elem_id="clips-move")
        gr.HTML(clip_words.KEYS, elem_id="clips-keys")
        ticked = gr.Textbox(visible=False)  # filled by _TICKED_JS
        with gr.Row(elem_classes="calm-unseen"):  # pressed by classes.js, for the buttons over the tiles and for the keys
            leave_out = gr.Button("Leave out", elem_id="clips-leave-out")
            take_in = gr.Button("Take back in", elem_id="clips-take-in")
            remove = gr.Button("Remove", elem_id="clips-remove-ticked")
    opened, first = gr.State(None), gr.State(0)

    def draw(desk: Desk) -> tuple[str, Any]:
        before, now = desk.session.earlier[-1:], desk.session.workspace
        undone = gr.update(value=f"Undo: {clip_words.change(before[0], now)}" if before else "Undo", visible=bool(before))
        return _cards(desk, make=False), undone

    def draw_pictures(desk: Desk) -> str:
        return _cards(desk, make=True)

    def show(desk: Desk, name: str | None, query: str, first: int) -> list[Any]:
        members = desk.session.workspace.of_class(name) if name is not None else ()
        if not members:
            return [gr.update(visible=False), *[gr.skip()] * 8]
        found = _found(members, query)
        asked, first = first, min(first, max(0, len(found) - 1) // AT_A_TIME * AT_A_TIME)
        others = _others(desk, name)
        return [
            gr.update(visible=True),
            clip_words.class_title(name or "", members),
            gr.update(choices=others),
            gr.update(choices=others),
            clip_words.tiles(found, first, AT_A_TIME, partial(thumbnail, desk, make=False), others),
            gr.update(visible=len(members) > AT_A_GLANCE),
            gr.update(visible=first > 0),
            gr.update(visible=first + AT_A_TIME < len(found)),
            gr.skip() if first == asked else first,  # only where it must: a press meanwhile counts
        ]

    def show_pictures(desk: Desk, name: str | None, query: str, first: int) -> Any:
        if name is None:
            return gr.skip()
        # Always: a picture that is there by now, made for its card, need not have been there when the tiles were drawn.
        found = _found(desk.session.workspace.of_class(name), query)
        return clip_words.tiles(found, first, AT_A_TIME, partial(thumbnail, desk), _others(desk, name))

    def open_class(name: str | None, event: gr.EventData) -> list[Any]:
        pressed = _pick(event)
        return [None if pressed == name else pressed, "", 0, None, None]

    def chosen(desk: Desk, keys: str) -> list[Clip]:
        ticked = set(keys.split())
        found = [check.clip for check in desk.session.workspace.checks if clip_words.clip_key(check.clip) in ticked]
        if not found:
            raise DataError("no clip is ticked: tick the boxes of those that are meant.")
        return found

    def acted(desk: Desk, act: Callable[[], Desk]) -> tuple[Desk, str]:
        before = desk.session.workspace
        after = act().session.workspace
        return desk.touched(), words.progress(clip_words.done(before, after))

    @told
    def rename_class(desk: Desk, name: str, label: str | None) -> tuple[Desk, str, str, None]:
        label = (label or "").strip()
        members = [check.clip for check in desk.session.workspace.of_class(name)]
        return *acted(desk, lambda: desk.relabel(members, label)), label, None

    @told
    def delete_class(desk: Desk, name: str) -> tuple[Desk, str, None]:
        members = [check.clip for check in desk.session.workspace.of_class(name)]
        return *acted(desk, lambda: desk.remove(members)), None

    @told
    def move_clips(desk: Desk, keys: str, label: str | None) -> tuple[Desk, str]:
        return acted(desk, lambda: desk.relabel(chosen(desk, keys), (label or "").strip()))

    @told
    def drop_clips(desk: Desk, event: gr.EventData) -> tuple[Desk, str]:
        data = _data(event)
        return move_clips(desk, str(data.get("clips")), str(data.get("into")))

    @told
    def exclude_clips(desk: Desk, keys: str) -> tuple[Desk, str]:
        return acted(desk, lambda: desk.exclude(chosen(desk, keys)))

    @told
    def take_in_clips(desk: Desk, keys: str) -> tuple[Desk, str]:
        return acted(desk, lambda: desk.exclude(chosen(desk, keys), False))

    @told
    def remove_clips(desk: Desk, keys: str) -> tuple[Desk, str]:
        return acted(desk, lambda: desk.remove(chosen(desk, keys)))

    def take_back(desk: Desk) -> tuple[Desk, str]:
        after = desk.session.workspace
        before = desk.undo().session.workspace
        return desk.touched(), words.progress(f"Taken back: {clip_words.done(before, after)}")

    changed = [desk, status]
    # Cards and tiles at once, with the pictures that are there already; the others take a moment each.
    gr.on([demo.load, desk.change], draw, desk, [cards, undo], **VIEW).then(draw_pictures, desk, cards, **LIGHT)
    shown, asked = [panel, title, other, target, tiles, search, back, on, first], [desk, opened, search, first]
    # `change` of the search: Gradio tells `input` of keys that make a character, not of deleting, pasting or a phone's keyboard.
    seen = gr.on([demo.load, desk.change, opened.change, search.change, first.change], show, asked, shown, **VIEW)
    seen.then(show_pictures, asked, tiles, **LIGHT)
    # The names are emptied by what the visitor does, never by what follows on a change: that would take them from under the typing.
    cards.select(open_class, opened, [opened, search, first, other, target], **LIGHT)
    excluded = leave_out.click(exclude_clips, [desk, ticked], changed, js=_TICKED_JS, **LIGHT)
    included = take_in.click(take_in_clips, [desk, ticked], changed, js=_TICKED_JS, **LIGHT)
    for done in (excluded, included):
        done.success(None, js=_UNTICK_JS)  # the clips stay on show; those of the other acts leave with their ticks
    for done in (
        excluded,
        included,
        rename.click(rename_class, [desk, opened, other], [*changed, opened, other], **LIGHT),
        delete.click(delete_class, [desk, opened], [*changed, opened], **LIGHT),
        tiles.submit(drop_clips, desk, changed, **LIGHT),
        move.click(move_clips, [desk, ticked, target], changed, js=_TICKED_JS, **LIGHT),
        remove.click(remove_clips, [desk, ticked], changed, js=_TICKED_JS, **LIGHT),
        undo.click(take_back, desk, changed, **LIGHT),
    ):
        done.failure(lambda: "", None, status, **AT_ONCE)  # the message box says why; what stood there is of an earlier act
    close.click(lambda: None, None, opened, **AT_ONCE)
    back.click(lambda first: max(0, first - AT_A_TIME), first, first, **AT_ONCE)
    on.click(lambda first: first + AT_A_TIME, first, first, **AT_ONCE)
    search.change(lambda: 0, None, first, **AT_ONCE)
    return tiles


def picked(desk: Desk, event: gr.EventData) -> ClipCheck:
    """The clip whose tile was pressed. Raises DataError where it is gone."""
    return keyed(desk, _pick(event))


def keyed(desk: Desk, key: str) -> ClipCheck:
    """The clip with this `clip_words.clip_key`. Raises DataError where it is gone, or in another class by now."""
    if check := find(desk, key):
        return check
    raise DataError("this clip isn't here any more, or its class was changed; look at the class again.")


def find(desk: Desk, key: str) -> ClipCheck | None:
    """As `keyed`, or None."""
    return next((check for check in desk.session.workspace.checks if clip_words.clip_key(check.clip) == key), None)


def _cards(desk: Desk, make: bool) -> str:
    return clip_words.class_cards(desk.session.workspace, PER_CARD, partial(thumbnail, desk, make=make)) or clip_words.no_clips()


def _found(members: Sequence[ClipCheck], query: str) -> list[ClipCheck]:
    return [check for check in members if query.strip().casefold() in check.clip.name.casefold()]


def _others(desk: Desk, name: str | None) -> list[str]:
    return [label for label in desk.session.workspace.class_counts if label != name]


def _pick(event: gr.EventData) -> str:
    return str(_data(event).get("pick"))


def _data(event: gr.EventData) -> dict[str, Any]:
    return event._data if isinstance(event._data, dict) else {}
