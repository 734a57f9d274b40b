"""What the tab Heads says: sentences and table rows about heads. Pure; layers and heads are counted from 1 here, from 0 in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import numpy as np
import pandas as pd

from calm_core.classifier import CalmClassifier, Prediction
from calm_core.inspection import Ablation, HeadCard
from calm_core.reasons import reasons
from calm_core.studio import ClipPrediction, Learned, Listening

from .session import Current
from .words import ACCURACY, attribute, classes_of, count, esc, example_notice, listed, notice, percent

HEAD_HEADERS = ["class", "layer", "head", "reliability", "weight", "chance"]
VOTE_HEADERS = ["#", "clip", "class", "the head says", "sure", "cosine"]
WHAT_IF_HEADERS = ["clip", "answer now", "confidence now", "answer of all heads"]

ALIKE = 0.05  # of reliability: heads this near each other can't be told apart on a few clips
NOTICEABLE = 0.05  # less of an accuracy is a clip or two

BACK = '<a class="calm-link" href="#heads-maps">Back to the maps</a>'
NO_CLIPS = (
    "A saved classifier travels without its clips, so what its heads make of each clip can't be shown. Load clips in the tab Clips and "
    "learn from them to look inside."
)
COMPARE_CAPTION = (
    "Left: the heads that tell the first class better (orange) or the second (purple). A click opens the head above. Classes that rest on "
    "the same heads stand together in the square picture: 1 means the very same heads, 0 nothing in common, below 0 opposites."
)
PROFILE_CAPTION = (
    "All heads in order, and the mean of every layer's heads with its 95\u202f% interval over these heads, both for the class chosen above."
)
VOTES_CAPTION = (
    "Every clip as this head alone hears it, judged without the clip itself; the most like the class first. "
    "Choose a row to hear the clip. The cosine is that with the class's mean direction, from −1 to 1."
)
MAP_CAPTION = (
    "Each point is a clip, placed by the two directions in which this head's vectors differ most. Classes that lie apart are heard as "
    "different; the directions themselves have no name."
)
REPORT_CAPTION = (
    "The report is one web page with all maps, numbers and settings, your present answers, and some sounds to hear: the beginnings of one "
    "clip each of up to 12 classes and of the first answers. It opens from your disk without the internet."
)
SOUND_LABEL = "Playback position in the picture of the sound: arrow keys move it, Enter plays or pauses"
SOUND_CAPTION = "A click in the picture plays from there; the line shows the moment that is heard."
WHAT_IF_CAPTION = (
    "Nothing is listened to again: the heads that remain vote anew, as if only they had been there when the classifier learned. "
    "The classifier itself stays as it is."
)
ABLATION_CAPTION = (
    "The curve shows the accuracy on clips not heard before as heads are silenced. Where it falls first without the best heads, the map "
    "is right about them. Which are best is judged without the clip in question."
)


def head_name(layer: int, head: int) -> str:
    """From indices counted from 0: 'layer 3, head 2'."""
    return f"layer {layer + 1}, head {head + 1}"


def head_title(card: HeadCard, class_name: str) -> str:
    c = card.class_names.index(class_name)
    right = int((card.voted[card.valid] == card.truth[card.valid]).sum())
    share = f"alone it recognises {right} of {count(int(card.valid.sum()), 'clip')}; of ‘{esc(class_name)}’ {esc(card.recognised(c))}"
    return f'<p class="calm-big">Layer {card.layer + 1}, head {card.head + 1}</p><p>On clips it had not heard, {share}. {BACK}</p>'


def head_title_without_clips(model: CalmClassifier, layer: int, head: int, class_name: str) -> str:
    value = float(model.reliability[layer, head, model.class_names.index(class_name)])
    text = f"Its reliability for ‘{esc(class_name)}’ is {value:.2f}."
    return f'<p class="calm-big">Layer {layer + 1}, head {head + 1}</p><p>{text} {BACK}</p>' + notice(NO_CLIPS)


def vote_rows(card: HeadCard, class_name: str, clips: Sequence[str]) -> list[list[object]]:
    """One row per clip, from the nearest to the class to the farthest; then those that could not be judged."""
    c = card.class_names.index(class_name)
    judged = card.nearest(c).tolist()
    rows: list[list[object]] = []
    for i in [*judged, *np.flatnonzero(~card.valid).tolist()]:
        truth = card.class_names[card.truth[i]]
        if not card.valid[i]:
            rows.append([i + 1, clips[i], truth, "not judged: the only clip of its class", "", ""])
            continue
        voted = int(card.voted[i])
        said = ("✓ " if voted == card.truth[i] else "✗ ") + card.class_names[voted]
        rows.append([i + 1, clips[i], truth, said, percent(float(card.votes[i, voted])), signed(float(card.similarity[i, c]))])
    return rows


def signed(value: float) -> str:
    """'+0.41' or '−0.07', with a true minus; what rounds to nothing is '0.00'."""
    text = f"{value:+.2f}".replace("-", "−")
    return text[1:] if text[1:] == "0.00" else text


def extremes(card: HeadCard, class_name: str, clips: Sequence[str]) -> str:
    """The nearest and the farthest clips in a sentence."""
    order = card.nearest(card.class_names.index(class_name)).tolist()
    if not order:
        return ""
    near, far = (", ".join(esc(clips[i]) for i in some) for some in (order[:3], order[:-4:-1]))
    return f'<p class="calm-caption">Most like ‘{esc(class_name)}’ in its ears: {near}. Least: {far}.</p>'


def dropped(found: Ablation) -> str:
    """What became of accuracy as the best heads were dropped, in a sentence."""
    whole, highest = float(found.best_first[0]), int(found.best_first.argmax())
    best, at = float(found.best_first[highest]), int(found.kept[highest])
    half = int(np.flatnonzero(2 * found.kept <= found.kept[0])[0])
    left = float(found.best_first[half])
    if best > whole:
        return (
            f"Without its best heads accuracy even rises, from {percent(whole)} to {percent(best)} with {count(at, 'head')} left: the map "
            "ranks heads that know about the same, and a clip or two decide."
        )
    if whole - left < NOTICEABLE:
        return (
            f"Without the best half of the heads accuracy is still {percent(left)} (with all {percent(whole)}): many heads know the same."
        )
    return f"Without the best half of the heads accuracy falls from {percent(whole)} to {percent(left)}."


def what_if(model: CalmClassifier, learned: Learned, n_on: int, accuracy: object) -> str:
    """The accuracy with the present choice beside that of the classifier itself."""
    total = model.weights.shape[0] * model.weights.shape[1]
    options = model.options
    k = "" if options.top_k is None or options.top_k >= n_on else f", the best {options.top_k} for each class"
    return (
        f'<div class="calm-headline"><p class="calm-big">{ACCURACY} <b>{esc(accuracy)}</b></p>'
        f"<p>with {n_on} of {count(total, 'head')}{k}, τ {options.tau:g}; the classifier itself: {esc(learned.accuracy)}.</p></div>"
    )


def what_if_rows(rows: Sequence[ClipPrediction], found: Sequence[Prediction]) -> list[list[str]]:
    """Present answers beside those of the whole classifier, those that changed first."""
    table = []
    for row, new in zip(rows, found, strict=True):
        label, sure = new.labels[0], new.confidence
        shown = "not calibrated" if sure is None else percent(float(sure[0]))
        table.append([row.name, label if label == row.label else f"{label} (changed)", shown, row.label])
    return sorted(table, key=lambda cells: not cells[1].endswith("(changed)"))


def too_shallow(rows: Sequence[ClipPrediction], model: CalmClassifier) -> str:
    """Says that present answers were read from fewer layers than these heads lie in; empty where none was."""
    read = [row.heads.layers for row in rows if row.heads is not None and not row.heads.holds(model.layers)]
    if not read:
        return ""
    return notice(
        f"The answers in the tab Predict come from the layers up to {read[0]}, for no deeper head has a vote in your classifier. The heads "
        f"chosen here go up to layer {model.layers}: to see their answers, keep more heads per class in the tab Learn and predict again."
    )


def why(row: ClipPrediction, class_names: Sequence[str], against: str) -> str:
    """Why a clip got its class and not the class `against`; where that is its own class, not the next best."""
    rival = None if against == row.label else class_names.index(against)
    found = reasons(row.contributions, class_names.index(row.label), rival)
    return f'<p class="calm-caption">{esc(found.in_words(class_names))} The heads can be looked at in the tab Heads.</p>'


def listened(found: Listening, label: str) -> str:
    """The stretch that the heads looked at most, in a sentence."""
    stretch = found.seconds / 4
    begin, end, share = found.densest(stretch)
    return (
        f"The heads that count for ‘{esc(label)}’ looked most at {begin:.1f} to {end:.1f} s: {percent(share)} of their attention to the "
        f"sound, where {percent((end - begin) / found.seconds)} would be even. The blue line shows it, the dashed one is even attention. "
        "Where they look is where the answer was read off, which need not be where the sound is."
    )


def csv_link(table: pd.DataFrame, name: str) -> str:
    """A link that saves the table, made in the page itself: no file is written for it."""
    text = quote(table.to_csv(index=False))
    return f'<a class="calm-link" download="{attribute(name)}" href="data:text/csv;charset=utf-8,{text}">Save this table as CSV</a>'


def heads_caption(current: Current | None) -> str:
    judged = {
        "leave_one_out": "on clips it had not seen",
        "resubstitution": "on the clips it learned from, which flatters it",
    }["leave_one_out" if current is None else current.learned.model.options.reliability]
    return (
        '<p class="calm-caption">The backbone hears with many small parts called attention heads, arranged in layers; each cell is one '
        f"of them. A bright cell tells this class from the others reliably, {judged}; a dark cell does no better than guessing, and "
        "counts for little. A dot marks what luck alone would reach in at most one cell of twenty, measured by shuffling the labels; a "
        f"cell without a dot could be chance.{_all_alike(current)}</p>"
    )


def _all_alike(current: Current | None) -> str:
    """A sentence on classes that every head knows as well as any other: there is nothing to find out about heads then."""
    if current is None:
        return ""
    model = current.learned.model
    best, worst = (found.tolist() for found in (model.reliability.amax((0, 1)), model.reliability.amin((0, 1))))
    alike = [name for name, top, low in zip(model.class_names, best, worst, strict=True) if top - low < ALIKE]
    if not alike:
        return ""
    return f" All heads know {esc(listed(alike))} about equally well: none of them stands out there."


def which_heads(current: Current | None) -> str:
    if current is None:
        return ""
    return f'{example_notice(current)}<p class="calm-big">Reliable heads of {esc(classes_of(current))}</p>'
