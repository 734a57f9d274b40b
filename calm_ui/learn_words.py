"""What the tab Learn says: the result as sentences and table rows. Pure; every name that a visitor chose is escaped here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from calm_core.confidence import Proportion
from calm_core.errors import CalmError, Cancelled
from calm_core.evaluation import MethodResult
from calm_core.options import FitOptions
from calm_core.studio import Doubt, Learned
from calm_core.workspace import Workspace

from .session import Current
from .words import ACCURACY, LONG_NAME, backbone_title, capital, caption, count, duration, esc, example_notice, percent, progress

LADDER_HEADERS = ["method", "accuracy", "95\u202f% interval"]
DOUBT_HEADERS = ["#", "file", "your label", "sounds like", "chance that your label is right"]
CALIBRATION_HEADERS = ["how sure", "clips", "right", "95\u202f% interval"]
CLASS_HEADERS = ["class", "recognised", "accuracy", "95\u202f% interval", "most often taken for"]
LADDER_CAPTION = (
    "Every method learned from the same clips and was judged in the same way, on clips it had not heard. "
    "Where the intervals overlap widely, your clips are too few to tell the methods apart."
)
CHOOSE = "Choose what is marked * from my clips"
NO_LADDER = "A saved classifier travels without its clips, so simpler methods can't be compared with it here."
LADDER_TO_COME = "Simpler methods are learning from the same clips. They stand here when they are done; you can go on meanwhile."
LADDER_STOPPED = "The comparison was stopped. Press “Compare now” to begin it again."
BUNDLE_CAPTION = (
    "The file holds what was learned and your class names, not your recordings. "
    "Opened here or on another computer, it answers at once, with the same backbone on the same kind of device."
)
NOT_SIMPLER = ("calm", "calm_auto", "random_reliability")  # rungs of the ladder: our own two, and the control
CLOSE = 0.05  # confidence and accuracy nearer than this are called the same


def learn_label(workspace: Workspace) -> str:
    classes = len(set(workspace.labels))
    if not classes:
        return "Learn"
    return f"Learn from {count(len(workspace.usable), 'clip')} of {count(classes, 'class', 'classes')}"


def learn_hint(workspace: Workspace) -> str:
    """Why the button is disabled; empty where it isn't."""
    if workspace.can_learn:
        return ""
    if not workspace.checks:
        return "Nothing to learn from yet: add clips of at least two classes in the tab Clips."
    return workspace.advice[0]


def headline(current: Current) -> str:
    learned = current.learned
    found, classes = learned.accuracy, len(learned.model.class_names)
    backbone = backbone_title(current.backbone)
    source = {
        "clips": f"Learned from {count(len(learned.clips), 'clip')} in {duration(learned.seconds)} with “{backbone}”.",
        "file": f"Loaded from a file; it was learned with “{backbone}”.",
        "example": "",
    }[current.source]
    meaning = (
        f"Each clip was judged by classifiers that had not heard it ({learned.model.held_out.how}). "
        f"Guessing among {count(classes, 'class', 'classes')} would be right {percent(1 / classes)} of the time."
    )
    return (
        f'{example_notice(current)}<div class="calm-headline"><p class="calm-big">{ACCURACY} <b>{esc(found)}</b></p>'
        f"<p>{esc(meaning)} {esc(source)} {esc(settings_in_words(learned.model.options))}</p></div>"
    )


def settings_in_words(options: FitOptions) -> str:
    """What was chosen on the clips; empty where nothing was."""
    if not options.auto:
        return ""
    joined = {"linear": "sum", "log": "product"}[options.pooling]
    trust = (
        "all heads count the same" if options.trust == 0 else f"learned weights trusted {percent(options.trust)} (τ_w {options.tau_w:g})"
    )
    seen = "; centred" if options.centre else "; whitened" if options.whiten is not None else ""
    kept = f"; {options.top_k} heads per class" if options.top_k else ""
    return f"Chosen on your clips: {trust}{kept}; {joined} of votes; sharpness τ {options.tau:g}{seen}."


def stale(current: Current | None, workspace: Workspace) -> str:
    if current is None or not current.clips_changed(workspace):
        return ""
    if not workspace.checks:
        return "The clips that this classifier was learned from are removed; it still answers, and you can save it."
    return "Your clips have changed since this classifier was learned. Learn again to include the change."


def ended(error: CalmError) -> str:
    """What stays on the page when a job ended without a result."""
    return progress(f"{error} Press the button again to go on from there." if isinstance(error, Cancelled) else str(error))


def class_rows(learned: Learned) -> list[list[str]]:
    names, confusion = learned.model.class_names, learned.confusion.tolist()
    rows = []
    for c, (name, found) in enumerate(learned.class_accuracy.items()):
        wrong = [(n, other) for other, n in enumerate(confusion[c]) if other != c and n]
        taken_for = f"{names[max(wrong)[1]]} ({max(wrong)[0]})" if wrong else ""
        low, high = found.interval
        measured = [percent(found.value), f"{percent(low)} to {percent(high)}"] if found.n else ["not tested", ""]
        rows.append([name, f"{found.hits} of {found.n}", *measured, taken_for])
    return rows


def ladder_rows(ladder: Sequence[MethodResult]) -> list[list[str]]:
    return [[rung.title, percent(rung.accuracy), f"{percent(rung.ci_low)} to {percent(rung.ci_high)}"] for rung in ladder]


def verdict(learned: Learned, ladder: Sequence[MethodResult]) -> str:
    """Beside the best simpler method, in words; empty where none was tried."""
    simpler = [rung for rung in ladder if rung.method not in NOT_SIMPLER]
    if not simpler:
        return ""
    own, best = learned.accuracy, max(simpler, key=lambda rung: rung.accuracy)
    low, high = own.interval
    telling = "" if best.ci_high < low or high < best.ci_low else " Your clips are too few to tell the two apart."
    tuned = next((rung.accuracy for rung in ladder if rung.method == "calm_auto"), 0.0)
    better = f" With “{CHOOSE}” ticked in the settings it would be {percent(tuned)}." if tuned > own.value + CLOSE else ""
    return caption(
        f"Of {len(simpler)} simpler methods the best on these clips, ‘{best.title}’, recognises {percent(best.accuracy)}; "
        f"your classifier {percent(own.value)}.{telling}{better}"
    )


def not_compared(error: CalmError) -> str:
    """Why there is no comparison; the classifier stays."""
    return progress("the comparison was stopped; your classifier stays as it is." if isinstance(error, Cancelled) else str(error))


def calibration_text(learned: Learned) -> str:
    """Whether the confidence kept its promise on clips not heard before, in words."""
    found = learned.calibration
    if found is None:
        return f'<p class="calm-caption">{esc(capital(learned.model.calibration_note))}</p>'
    sure, right = found.overall
    n = int(found.counts.sum())
    low, high = Proportion(round(right * n), n).interval
    verdict = (
        "it promises about what it keeps"
        if abs(sure - right) < CLOSE
        else "so few clips can't tell whether it promises too much or too little"
        if low <= sure <= high
        else "it promises too much"
        if sure > right
        else "it promises too little: it is right more often than it says"
    )
    return (
        f'<p class="calm-caption">On {count(n, "clip")} that it had not heard it was {percent(sure)} sure on average, and right '
        f"{percent(right)} of the time: {verdict}. Taken by groups of equally sure answers, promise and truth are {100 * found.error:.0f} "
        "percentage points apart (the expected calibration error; 0 is perfect). A dot on the dashed line is a promise kept; the line "
        "through a dot shows how far luck alone may have moved it. One setting of the confidence was chosen on these same clips, so new "
        "ones may fare a little worse.</p>"
    )


def calibration_rows(learned: Learned) -> list[list[Any]]:
    """The chart of the confidence as a table, the surest answers first."""
    found = learned.calibration
    if found is None:
        return []
    groups = zip(found.edges[:-1], found.edges[1:], found.proportions, strict=True)
    return [
        [
            f"{percent(low)} to {percent(high)}",
            right.n,
            percent(right.value),
            f"{percent(right.interval[0])} to {percent(right.interval[1])}",
        ]
        for low, high, right in reversed(list(groups))
        if right.n
    ]


def doubts_intro(doubts: Sequence[Doubt]) -> str:
    if not doubts:
        return ""
    one = "This clip sounds" if len(doubts) == 1 else f"These {len(doubts)} clips sound"
    return f'<p class="calm-caption">{one} like another class than its label says. Wrong labels cost accuracy: listen, then decide.</p>'


def doubt_rows(doubts: Sequence[Doubt]) -> list[list[Any]]:
    return [[i, d.clip.name, d.given, d.predicted, at_least_one(d.probability)] for i, d in enumerate(doubts, start=1)]


def at_least_one(share: float) -> str:
    return percent(share) if share >= 0.01 else "below 1\u202f%"


def doubt_question(doubt: Doubt) -> str:
    return (
        f"<p><b>{esc(doubt.clip.name)}</b>: you call it ‘{esc(doubt.given)}’; without your label the other clips make it "
        f"‘{esc(doubt.predicted)}’. What do you hear?</p>"
    )


def decided(what: str, doubt: Doubt, left: int, project: str = "") -> str:
    """What was done about a doubt, and what comes next; what: relabelled, removed or confirmed; project: that was told of it too."""
    there = f", in the project “{project}” too" if project else ""
    done = {
        "relabelled": f"{doubt.clip.name} is now one of your ‘{doubt.predicted}’ clips{there}.",
        "removed": f"{doubt.clip.name} is removed from your clips.",
        "confirmed": f"{doubt.clip.name} stays ‘{doubt.given}’.",
    }[what]
    return progress(f"{done} {f'{left} to go.' if left else 'That was the last one.'}")


def bundle_name(learned: Learned) -> str:
    """A file name from the classes: 'calm_bat_owl.safetensors'."""
    names = [re.sub(r"[^\w-]+", "-", name).strip("-") for name in learned.model.class_names]
    joined = "_".join(name for name in names if name)
    return f"calm_{joined[:LONG_NAME].rstrip('_-') or 'classifier'}.safetensors"
