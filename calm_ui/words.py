"""What the page says: results as sentences, table rows and bits of HTML. Pure; every name that a visitor chose is escaped here."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from calm_core.audio import ClipStatus
from calm_core.backbones import BackboneRow, backbone_row
from calm_core.confidence import COVERAGE, Proportion
from calm_core.dataset import Clip, ClipCheck
from calm_core.errors import BackboneError, CalmError, Cancelled
from calm_core.labelling import Acceptance, Added
from calm_core.library import CurvePoint, Entry, ProjectInfo
from calm_core.options import FitOptions
from calm_core.studio import ClipPrediction, Doubt, Learned, Workspace

from .bench import Bench
from .jobs import Step
from .session import KEEP_HOURS, Answers, Current, Session

CLIP_HEADERS = ["#", "file", "class", "status", "seconds", "rate (Hz)", "channels", "reason"]
PREDICTION_HEADERS = ["#", "file", "answer", "what fits (90 %)", "confidence", "next best", "note"]
HEAD_HEADERS = ["class", "layer", "head", "reliability", "weight", "chance"]
LADDER_HEADERS = ["method", "accuracy", "95 % interval"]
DOUBT_HEADERS = ["#", "file", "your label", "sounds like", "chance that your label is right"]
CALIBRATION_HEADERS = ["how sure", "clips", "right", "95 % interval"]
CLASS_HEADERS = ["class", "recognised", "accuracy", "95 % interval", "most often taken for"]

LADDER_CAPTION = (
    "Every method learned from the same clips and was judged in the same way, on clips it had not heard. "
    "Where the intervals overlap widely, your clips are too few to tell the methods apart."
)
BUNDLE_CAPTION = (
    "The file holds what was learned and your class names, not your recordings. "
    "Opened here or on another computer, it answers at once, with the same backbone on the same kind of device."
)

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
LONG_NAME = 60
FEW_LABELS = 10  # per class: of fewer, that a clip is unlike them says little
CLOSE = 0.05  # confidence and accuracy nearer than this are called the same


def esc(text: object) -> str:
    return html.escape(str(text))


def count(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def duration(seconds: float) -> str:
    """'3 s' or '2 min 10 s'."""
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


# ---- progress --------------------------------------------------------------------------------------------------------------


def step_text(step: Step) -> str:
    """'12/24 clips, class owl, about 8 s left'"""
    if step.done == 0:
        return f"{step.what} …"
    left = f", about {duration(step.seconds_left)} left" if step.seconds_left is not None else ""
    if step.what.startswith(("comparing", "testing")):  # counts methods or tests, not clips
        return f"{step.what} ({step.done}/{step.total}){left}"
    return f"{step.done}/{count(step.total, 'clip')}, {step.what}{left}"


def checking_text(step: Step) -> str:
    """'checking 12/40 clips'"""
    return f"checking {step.done}/{count(step.total, 'clip')}"


def progress(text: str) -> str:
    return f'<p role="status">{esc(capital(text))}</p>' if text else ""


def capital(text: str) -> str:
    """As a sentence begins; a file's name stays as it is."""
    return text if "." in text.split(" ", 1)[0] else text[:1].upper() + text[1:]


def notice(text: str, kind: str = "info") -> str:
    """A box with one sentence; kind: info, warning or empty (what stands where nothing is yet)."""
    return f'<div class="calm-notice calm-{kind}">{esc(text)}</div>' if text else ""


def bullets(lines: Iterable[str], kind: str = "info") -> str:
    items = "".join(f"<li>{esc(capital(line))}</li>" for line in lines)
    return f'<ul class="calm-notice calm-{kind}">{items}</ul>' if items else ""


# ---- header ----------------------------------------------------------------------------------------------------------------


def status_line(row: BackboneRow, device: str, session: Session, forgets: bool) -> str:
    """forgets: the projects of the tab Review are deleted like all else."""
    kept = f"stay on this server, deleted at most {KEEP_HOURS} hours after your last step"
    used = f"{session.compute_s:.1f} s"
    parts = [
        ("Device", {"cpu": "this server's processor (CPU)", "cuda": "graphics processor (GPU)"}.get(device.split(":")[0], device)),
        ("Memory needed", f"about {row.memory_gb:g} GB"),
        ("Heads", f"{row.heads.replace(' x ', ' layers × ')} heads"),
        ("Computing time used", used),
        ("Your clips", kept if forgets else f"{kept}; projects in Review stay until you delete them"),
    ]
    return '<dl class="calm-status">' + "".join(f"<div><dt>{k}</dt><dd>{esc(v)}</dd></div>" for k, v in parts) + "</dl>"


def backbone_title(id: str | None) -> str:
    try:
        return backbone_row(id or "").title
    except BackboneError:
        return id or "an unknown backbone"


def wrong_backbone(current: Current | None, backbone: str) -> str:
    """Why the classifier in use can't answer with the chosen backbone; empty where it can."""
    if current is None or current.backbone in (backbone, None):
        return ""
    return (
        f"This classifier was learned with “{backbone_title(current.backbone)}”, but “{backbone_title(backbone)}” is chosen above. "
        "Learn again with it, or choose the other one again; the two hear differently, so one can't answer for the other."
    )


# ---- clips -----------------------------------------------------------------------------------------------------------------


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


# ---- learning --------------------------------------------------------------------------------------------------------------


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


def how_measured(learned: Learned) -> str:
    return capital(learned.model.held_out.how)


def headline(current: Current) -> str:
    learned = current.learned
    found, classes = learned.accuracy, len(learned.model.class_names)
    backbone = backbone_title(current.backbone)
    source = {
        "clips": f"Learned from {count(len(learned.clips), 'clip')} in {duration(learned.seconds)} with “{backbone}”.",
        "file": f"Loaded from a file; it was learned with “{backbone}”.",
        "example": "This is the example classifier that the page opens with, not one of yours.",
    }[current.source]
    meaning = (
        f"Each clip was judged by classifiers that had not heard it. Guessing among {count(classes, 'class', 'classes')} "
        f"would be right {percent(1 / classes)} of the time."
    )
    return (
        f'<div class="calm-headline"><p class="calm-big">{how_measured(learned)} accuracy <b>{esc(found)}</b></p>'
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


def classes_of(current: Current) -> str:
    names = current.learned.model.class_names
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return {"clips": "your classifier", "file": "the classifier you loaded", "example": "the example classifier"}[
        current.source
    ] + f" of {shown}"


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


def ladder_rows(learned: Learned) -> list[list[str]]:
    return [[rung.title, percent(rung.accuracy), f"{percent(rung.ci_low)} to {percent(rung.ci_high)}"] for rung in learned.ladder]


def calibration_text(learned: Learned) -> str:
    """Whether the confidence kept its promise on left-out clips, in words."""
    found = learned.calibration
    if found is None:
        return f'<p class="calm-caption">{esc(capital(learned.model.calibration_note))}</p>'
    sure, right = found.overall
    n = int(found.counts.sum())
    verdict = (
        "it promises about what it keeps"
        if abs(sure - right) < CLOSE
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
    return percent(share) if share >= 0.01 else "below 1 %"


def doubt_question(doubt: Doubt) -> str:
    return (
        f"<p><b>{esc(doubt.clip.name)}</b>: you call it ‘{esc(doubt.given)}’; without your label the other clips make it "
        f"‘{esc(doubt.predicted)}’. What do you hear?</p>"
    )


def decided(what: str, doubt: Doubt, left: int) -> str:
    """What was done about a doubt, and what comes next; what: relabelled, removed or confirmed."""
    done = {
        "relabelled": f"{doubt.clip.name} is now one of your ‘{doubt.predicted}’ clips.",
        "removed": f"{doubt.clip.name} is removed from your clips.",
        "confirmed": f"{doubt.clip.name} stays ‘{doubt.given}’.",
    }[what]
    return progress(f"{done} {f'{left} to go.' if left else 'That was the last one.'}")


def bundle_name(learned: Learned) -> str:
    """A file name from the classes: 'calm_bat_owl.safetensors'."""
    names = [re.sub(r"[^\w-]+", "-", name).strip("-") for name in learned.model.class_names]
    joined = "_".join(name for name in names if name)
    return f"calm_{joined[:LONG_NAME].rstrip('_-') or 'classifier'}.safetensors"


# ---- predictions -----------------------------------------------------------------------------------------------------------


def ranked(row: ClipPrediction, class_names: Sequence[str]) -> list[tuple[str, float | None]]:
    """The classes from best to worst, with their confidence where there is one."""
    values = row.scores if row.probabilities is None else row.probabilities
    order = sorted(range(len(values)), key=lambda c: -float(row.scores[c]))
    return [(class_names[c], None if row.probabilities is None else float(row.probabilities[c])) for c in order]


def prediction_rows(
    rows: Sequence[ClipPrediction], class_names: Sequence[str], learned: Mapping[int | None, str] | None = None
) -> list[list[Any]]:
    """learned: the classes under which some rows, by their place, were added to the clips."""
    found = []
    for number, row in enumerate(rows, start=1):
        if row.error:
            found.append([number, row.name, "no answer", "", "", row.error])
            continue
        second, unlike = _named(ranked(row, class_names)[1:2]), row.prediction_set == ()
        # A confidence shares 100 % among the known classes: beside "none of these" it would say that noise is surely one of them.
        sure, second = ("", "") if unlike else ("" if row.confidence is None else percent(row.confidence), second)
        found.append([number, row.name, row.label + "?" * unlike, set_in_short(row, class_names), sure, second, ""])
        if given := (learned or {}).get(number - 1):
            found[-1][-1] = f"you said {given}; now one of your clips, so this answer is no test"
    return found


def set_in_short(row: ClipPrediction, class_names: Sequence[str]) -> str:
    """The 90 % set for a table cell: 'only owl', 'owl, wren', 'any of them' or 'none of these'; empty where there is none."""
    if row.prediction_set is None:
        return ""
    if not row.prediction_set:
        return "none of these"
    if len(row.prediction_set) == len(class_names):
        return "any of them"
    return ("only " if len(row.prediction_set) == 1 else "") + ", ".join(row.prediction_set)


def set_in_words(row: ClipPrediction, class_names: Sequence[str]) -> str:
    """The 90 % set as a sentence under the answer; empty where there is none."""
    if row.prediction_set is None:
        return ""
    # No "90 % sure": beside a confidence of 40 % it would contradict itself. Confidence weighs the classes against each other, what
    # fits is a test of each on its own.
    if not row.prediction_set:
        return (
            "Unlike everything it learned from. Listen to it: about one clip in ten that does belong to a class sounds odd enough for this."
        )
    if row.label not in row.prediction_set:  # ahead of the others, and yet odd for its own class
        return f"Odd for ‘{row.label}’, though closest to it; it fits {listed(row.prediction_set, 'or')}."
    if len(row.prediction_set) == 1:
        return f"Of your classes only ‘{row.label}’ fits."
    if len(row.prediction_set) == len(class_names):
        return "It could be any of your classes: none can be ruled out."
    return f"It fits {listed(row.prediction_set, 'or')}; in nine cases of ten the right class is among those that fit."


def listed(names: Sequence[str], last: str = "and") -> str:
    """'‘bat’, ‘owl’ and ‘wren’'"""
    quoted = [f"‘{name}’" for name in names]
    return f" {last} ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def about_answers(answers: Answers | None) -> str:
    """What the columns of the answers mean, or why two of them are empty."""
    if answers is None or all(row.error for row in answers.rows):
        return ""
    if note := answers.by.learned.model.calibration_note:
        text = f"No confidence and no “what fits” yet: {note} Until then the answer is the class with most votes."
    else:
        text = (
            f"“What fits”: for {percent(COVERAGE)} of clips like the ones it learned from, the right class is among these; each class is "
            "tested on its own, while confidence weighs them against each other. “None of these”: too unlike all of them; the answer "
            "with a question mark is only the closest class."
        )
    return f'<p class="calm-caption">{esc(text)}</p>'


def _named(found: Sequence[tuple[str, float | None]]) -> str:
    return ", ".join(name if share is None else f"{name} {percent(share)}" for name, share in found)


def answer(row: ClipPrediction, class_names: Sequence[str]) -> str:
    """The answer in words: "'owl' with 84 % confidence; next: 'bat' 9 %", and under it what else it could be."""
    if row.error:
        return f'<div class="calm-headline"><p class="calm-big">No answer</p><p>{esc(row.error)}</p></div>'
    found = ranked(row, class_names)
    rest = f"; next: {_named([(f'‘{name}’', share) for name, share in found[1:2]])}" if len(found) > 1 else ""
    if row.prediction_set == ():
        text = f"<b>None of your classes?</b> The closest is ‘{esc(row.label)}’"
    elif row.confidence is None:
        text = f"<b>‘{esc(row.label)}’</b>{esc(rest)}"
    else:
        text = f"<b>‘{esc(row.label)}’</b> with {percent(row.confidence)} confidence{esc(rest)}"
    could_be = esc(set_in_words(row, class_names))
    return f'<div class="calm-headline"><p class="calm-big">{text}</p>{f"<p>{could_be}</p>" * bool(could_be)}<p>{esc(row.name)}</p></div>'


def asked(current: Current | None) -> str:
    """Which classifier is going to answer."""
    if current is None:
        return notice("There is no classifier to ask yet: learn from your clips in the tab Learn, or open a saved one there.")
    return f'<p class="calm-caption">Answers come from {esc(classes_of(current))}.</p>'


def older(answers: Answers | None, current: Current | None) -> str:
    if answers is None or answers.by is current:
        return ""
    return f"These answers are from an earlier classifier ({classes_of(answers.by)}). Press Predict to ask the present one."


def ignored(entries: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{name}: {why}" for name, why in entries]


def no_correction(current: Current | None, workspace: Workspace, row: ClipPrediction) -> str:
    """Why the row can't be corrected; empty where it can."""
    if current is None or current.source != "clips" or not workspace.can_learn:
        return "Corrections need the clips that the classifier was learned from: add them in the tab Clips and learn first."
    return "This clip has no answer, so there is nothing to correct." if row.error else ""


def corrected(answers: Answers, number: int) -> str:
    """That the row is now one of the visitor's clips; empty where it isn't."""
    if not answers.corrected or number != answers.chosen:
        return ""
    return f"Added as '{answers.corrected}'; learned again. This clip is now one of your clips."


def vote_caption(best: pd.DataFrame, label: str) -> str:
    """The heads that spoke loudest for a class, in words; best: rows of `figures.reliability_table` on the evidence."""
    heads = [f"head {row.head} of layer {row.layer} ({row.reliability:.3g})" for row in best.itertuples()]
    return (
        "Each head's vote counts by its weight; 0 means that it speaks for this class as much as for the others. "
        f"Loudest for ‘{esc(label)}’: {', '.join(heads)}."
    )


# ---- heads -----------------------------------------------------------------------------------------------------------------


def heads_caption(current: Current | None) -> str:
    judged = {
        "leave_one_out": "on clips it had not seen",
        "resubstitution": "on the clips it learned from, which flatters it",
    }["leave_one_out" if current is None else current.learned.model.options.reliability]
    return (
        '<p class="calm-caption">The backbone hears with many small parts called attention heads, arranged in layers; each cell is one '
        f"of them. A bright cell tells this class from the others reliably, {judged}; a dark cell does no better than guessing, and "
        "counts for little. A dot marks what luck alone would reach in at most one cell of twenty, measured by shuffling the labels; a "
        "cell without a dot could be chance.</p>"
    )


def which_heads(current: Current | None) -> str:
    if current is None:
        return ""
    return f'<p class="calm-big">Reliable heads of {esc(classes_of(current))}</p>'


# ---- review ----------------------------------------------------------------------------------------------------------------

ORDER_CHOICES = [
    ("most useful next", "useful"),
    ("most uncertain first", "uncertain"),
    ("most uncertain over all classes", "entropy"),
    ("most unlike what is labelled", "diverse"),
    ("most confident first", "confident"),
    ("classes with few labels first", "balanced"),
    ("random", "random"),
]
MACHINE_HEADERS = ["clip", "file", "label", "confidence"]
CURVE_HEADERS = ["labelled clips", "recognised", "accuracy", "95 % interval"]
DIGITS = "1234567890"
STATES = {"uncertain": "uncertain", "exclude": "excluded"}

KEYS = """
<details><summary>Keys <kbd>?</kbd></summary><dl class="calm-keys">
<div><dt><kbd>1</kbd> to <kbd>9</kbd>, <kbd>0</kbd></dt><dd>the class with that digit</dd></div>
<div><dt><kbd>Enter</kbd></dt><dd>accept the suggestion</dd></div>
<div><dt><kbd>U</kbd></dt><dd>uncertain: teaches nothing, is kept</dd></div>
<div><dt><kbd>X</kbd></dt><dd>exclude from the data</dd></div>
<div><dt><kbd>S</kbd></dt><dd>skip: comes back at the end</dd></div>
<div><dt><kbd>Z</kbd></dt><dd>undo, skips too; <kbd>Y</kbd> does it again</dd></div>
<div><dt><kbd>Space</kbd></dt><dd>play or pause</dd></div>
<div><dt><kbd>?</kbd></dt><dd>show or hide these</dd></div>
<div><dt><kbd>Esc</kbd></dt><dd>out of a text field, back to these keys</dd></div></dl></details>
"""


def project_choice(info: ProjectInfo) -> str:
    if info.error:
        return capital(info.error)
    when = datetime.fromtimestamp(info.changed).strftime("%d %b %H:%M")
    return f"{info.name}: {count(info.clips, 'clip')}, {info.labelled} labelled, {when}"


def where_kept(public: bool, forgets: bool = True) -> str:
    if public and not forgets:
        return "Your project stays on this server. Only who has your private link can open it: keep the link to go on later."
    if public:
        return (
            f"Your project stays on this server for {KEEP_HOURS} hours after your last step, and is then deleted with its recordings. Only "
            "who has your private link can open it. To keep it longer, export it as a project ZIP; bring that back here to go on."
        )
    return "Projects stay on this computer until you delete them. Every answer is saved at once; open the page again to go on."


def deletion(info: ProjectInfo) -> str:
    """What is lost with a project."""
    if info.error:
        return notice(f"Delete this project, which can't be opened? {capital(info.error)} Its recordings go with it, for good.", "warning")
    lost = f"{count(info.clips, 'clip')}, {count(info.labelled, 'label')} by you and the whole history"
    return notice(f"Delete “{info.name}”? Its {lost} go for good; nothing brings them back. What you exported stays.", "warning")


def project_line(bench: Bench) -> str:
    """The project in one line, and whether everything is saved."""
    now = bench.now
    if now is None:
        return ""
    tally = Counter(entry.state for entry in now.entries)
    mine = sum(entry.learnable for entry in now.entries)
    parts = [count(len(now.entries), "clip"), f"{mine} labelled by you"]
    parts += [f"{n} {what}" for what, n in (("machine-made", tally["positive"] - mine),) if n]
    parts += [f"{tally[state]} {state}" for state in ("uncertain", "excluded") if tally[state]]
    parts += [f"{tally['unlabelled']} to go", "all saved"]
    return f'<p class="calm-project"><b>{esc(now.name)}</b> <span>{esc(" · ".join(parts))}</span></p>'


def private_link(bench: Bench) -> str:
    """The project's address, for this page's own script to complete and put into the address bar."""
    if bench.labelling is None:
        return '<p class="calm-link" data-project=""></p>'
    id = esc(bench.labelling.project.id)
    return (
        f'<p class="calm-link calm-caption" data-project="{id}">Private link to this project: <a href="?project={id}">?project={id}</a>. '
        f"{esc(where_kept(bench.public, bench.forgets))}</p>"
    )


def review_head(bench: Bench) -> str:
    """The clip on show, how many are left, and what the classifier says."""
    suggestion = bench.suggestion
    if suggestion is None:
        return notice(_nothing_on_show(bench), "empty")
    entry, left = suggestion.entry, bench.left()
    where = f", from {entry.recording}" if entry.recording and entry.recording not in entry.name else ""
    length = f" {entry.seconds:.1f} s" if entry.seconds else ""
    lines = [f'<p class="calm-place"><b>{esc(entry.name)}</b> <span>{esc(length + where)} · {left} left</span></p>']
    if entry.state == "positive" and entry.judgement.judge == "machine":
        sure = f" at {percent(entry.judgement.confidence)}" if entry.judgement.confidence is not None else ""
        lines.append(f'<p class="calm-big">Machine-made{sure}: <b>‘{esc(entry.label)}’</b></p><p>Press Enter to confirm it.</p>')
    elif not suggestion.label:
        lines.append(f'<p class="calm-big">What is this?</p><p>{esc(_no_suggestion(bench))}</p>')
    elif suggestion.fits == ():  # no confidence beside it, as in the tab Predict
        label = f"‘{esc(suggestion.label)}’"
        if _few_labels(bench):
            first, unlike = f"Perhaps <b>{label}</b>", "the few clips you labelled so far, which says little yet"
        else:
            first, unlike = f"<b>None of your classes?</b> The closest is {label}", "what you labelled so far"
        lines.append(f'<p class="calm-big">{first}</p>')
        lines.append(f"<p>It is unlike {unlike}. If it is something else, name that below, or exclude it.</p>")
    else:
        sure = "" if suggestion.confidence is None else f", {percent(suggestion.confidence)} sure"
        lines.append(f'<p class="calm-big">Sounds like <b>‘{esc(suggestion.label)}’</b>{sure}</p>')
        second = [(name, None if suggestion.confidence is None else share) for name, share in suggestion.chances[1:2]]
        why = "" if suggestion.confidence is not None else " How sure it is can be said from about ten labelled clips on."
        lines.append(f"<p>Next best: {esc(', '.join(_quoted(second)))}.{why}</p>")
    if entry.state in ("uncertain", "excluded"):
        lines.append(f"<p>You called it {entry.state}.</p>")
    return f'<div class="calm-headline">{"".join(lines)}</div>'


def _quoted(found: Sequence[tuple[str, float | None]]) -> list[str]:
    return [f"‘{name}’" + ("" if share is None else f" {percent(share)}") for name, share in found]


def _few_labels(bench: Bench) -> bool:
    given = [n for n in bench.now.class_counts.values() if n] if bench.now else []
    return sum(given) < FEW_LABELS * len(given)


def _no_suggestion(bench: Bench) -> str:
    if bench.labelling is not None and bench.labelling.unheard:
        return "The model has not listened to these clips yet, so it suggests nothing."
    return "Suggestions begin as soon as two classes have a clip. Name a class below, or press its digit."


def _nothing_on_show(bench: Bench) -> str:
    if bench.now is None:
        return "No project is open."
    if not bench.now.entries:
        return "The project is empty. Add clips without labels below; then they come one at a time."
    if made := len(bench.machine_made()):
        return f"No clip is left to answer. {count(made, 'label')} made by the machine still wait for your word: see below."
    return (
        "No clip waits here: every clip has an answer. Add clips without labels below, and they come one at a time, with a suggestion; "
        "or learn from the labels, or export them."
    )


def review_answers(bench: Bench) -> str:
    """The buttons of the answers, and what came of the latest one; review.js reads the data- attributes."""
    now, suggestion = bench.now, bench.suggestion
    if now is None:
        return ""
    clip = "" if bench.clip is None else bench.clip
    off = "disabled" if suggestion is None else ""
    classes = []
    for i, name in enumerate(now.class_names):
        digit = f'data-digit="{DIGITS[i]}"' if i < len(DIGITS) else ""
        key = f"<kbd>{DIGITS[i]}</kbd> " if digit else ""
        best = " calm-best" if suggestion and suggestion.label == name and suggestion.fits != () else ""
        attributes = f'class="calm-key{best}" data-act="label" data-label="{esc(name)}" {digit} {off}'
        classes.append(f'<button type="button" {attributes}>{key}{esc(name)}</button>')
    machine = suggestion and suggestion.entry.state == "positive" and suggestion.entry.label
    accept = machine or (suggestion.label if suggestion else "")
    undo = "the skip" if bench.can_undo_skip else now.undo
    redo = "the skip" if bench.can_redo_skip else now.redo
    acts = [
        ("accept", "Enter", f"Accept ‘{accept}’" if accept else "Accept", "" if accept else "disabled"),
        ("uncertain", "U", "Uncertain", off),
        ("exclude", "X", "Exclude", off),
        ("skip", "S", "Skip", off),
        ("undo", "Z", f"Undo: {undo}" if undo else "Undo", "" if undo else "disabled"),
        ("redo", "Y", f"Redo: {redo}" if redo else "Redo", "" if redo else "disabled"),
    ]
    rest = "".join(
        f'<button type="button" class="calm-key" data-act="{act}" {state}><kbd>{key}</kbd> {esc(text)}</button>'
        for act, key, text, state in acts
    )
    return (
        f'<div class="calm-answering" data-turn="{bench.turn}" data-clip="{clip}" data-revision="{now.revision}">'
        f'<div class="calm-answers" role="group" aria-label="Classes">{"".join(classes)}</div>'
        f'<div class="calm-answers" role="group" aria-label="Other answers">{rest}</div>'
        f'<p class="calm-said" role="status">{esc(said_sentence(bench))}</p></div>'
    )


def said_sentence(bench: Bench) -> str:
    """What came of the latest act. A sentence that begins with "Saved" is shown only after the label is on the disk."""
    said = bench.said
    if said.what == "label":
        return f"Saved: {said.name} is ‘{said.label}’."
    if said.what in STATES:
        return f"Saved: {said.name} is {STATES[said.what]}."
    return {
        "skip": f"Skipped {said.name}; it comes back at the end.",
        "unskip": f"{said.name} is back.",
        "undo": f"Saved: taken back: {said.name}.",
        "redo": f"Saved: done again: {said.name}.",
        "accepted": f"Saved: {count(said.count, 'suggestion')} accepted, marked as machine-made until you confirm them.",
        "confirmed": f"Saved: {count(said.count, 'label')} confirmed.",
        "added": f"Saved: {said.name}",
        "imported": f"Saved: {said.name}",
        "class": f"Saved: class ‘{said.label}’ added.",
        "stale": "This project was changed in another tab. It is reloaded now; nothing was overwritten. Look, then answer again.",
        "gone": "That answer came for a clip that isn't on show any more; nothing was changed.",
        "nothing": f"There is nothing to {said.name}." if said.name in ("undo", "redo") else "Nothing was changed.",
    }.get(said.what, "")


def acceptance(found: Acceptance) -> str:
    """What accepting would mean, before it is done."""
    aside = (
        f" {count(found.unlike, 'more clip')} as sure {'fits' if found.unlike == 1 else 'fit'} none of your classes: these wait for you."
    )
    unlike = aside if found.unlike else ""
    if not found.clips:
        return f"No suggestion is {percent(found.confidence)} sure or more. Lower the confidence, or label some more by hand.{unlike}"
    each = listed_counts(found.per_class)
    wrong = found.expected_wrong
    expect = "fewer than one of them" if wrong < 1 else f"about {wrong:.0f} of them"
    right, n = found.held_out
    proof = (
        f"Of your own labelled clips, {n} got such a confidence when left out, and {right} of those were right."
        if n
        else "None of your own labelled clips got such a confidence when left out, so nothing stands behind this."
    )
    return (
        f"This labels {count(len(found.clips), 'clip')}: {each}. If the confidence is right, expect {expect} to be wrong. {proof} "
        f"They are marked as machine-made, and teach nothing until you confirm them.{unlike}"
    )


def listed_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} ‘{name}’" for name, n in sorted(counts.items(), key=lambda item: -item[1]))


def machine_rows(entries: Sequence[Entry]) -> list[list[Any]]:
    return [[e.id, e.name, e.label, "" if e.judgement.confidence is None else percent(e.judgement.confidence)] for e in entries]


def curve_text(points: Sequence[CurvePoint]) -> str:
    """The curve as a sentence."""
    asked = [point for point in points if point.n]
    if not asked:
        return caption(
            "Each labelled clip is left out in turn and recognised by the others; the share that is right grows with the labels."
        )
    first, last = asked[0], asked[-1]
    now = Proportion(last.hits, last.n)
    text = f"With {count(last.labels, 'labelled clip')}, {now} are recognised when they are left out."
    if last.labels > first.labels:
        text += f" With {first.labels} it was {percent(first.hits / first.n)}."
    return (
        f'<p class="calm-caption">{esc(text)} Clips chosen because they are hard pull this number down: it is the accuracy on what you '
        "labelled, not on the whole pool.</p>"
    )


def curve_rows(points: Sequence[CurvePoint]) -> list[list[Any]]:
    rows = []
    for point in points:
        if point.n:
            low, high = Proportion(point.hits, point.n).interval
            share = percent(point.hits / point.n)
            rows.append([point.labels, f"{point.hits} of {point.n}", share, f"{percent(low)} to {percent(high)}"])
    return rows


def clips_added(added: Added) -> str:
    text = f"{count(len(added.ids), 'clip')} added"
    if added.repeated:
        text += f"; {count(added.repeated, 'clip')} {'was' if added.repeated == 1 else 'were'} already here"
    if added.labelled:
        text += f", {added.labelled} of them without a label until now"
    if added.unusable:
        first = added.unusable[0]
        text += f"; {len(added.unusable)} can't be used, the first: {first.clip.name}, {first.reason}"
    return text.rstrip(".") + "."


def start_hint(workspace: Workspace) -> str:
    """What a new project begins with."""
    if n := len(workspace.usable):
        return f"It begins with your {count(n, 'clip')} of {count(len(set(workspace.labels)), 'class', 'classes')} from the tab Clips."
    return "It begins empty. To begin with labelled clips, add them in the tab Clips first; or name the classes as you go."


def caption(text: str) -> str:
    return f'<p class="calm-caption">{esc(text)}</p>' if text else ""


def file_stem(name: str) -> str:
    """A project's name as the beginning of a file's."""
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:LONG_NAME] or "project"


def export_note(bench: Bench, format: str) -> str:
    """What is in the file, and what isn't."""
    if bench.now is None:
        return ""
    entries = bench.now.entries
    machine = len(bench.machine_made())
    marked = f" {count(machine, 'label')} made by the machine {'is' if machine == 1 else 'are'} marked as such." if machine else ""
    if format in ("csv", "audiofolder", "label-studio"):
        return f"All {count(len(entries), 'clip')}, with labels and states.{marked}"
    given = sum(e.state == "positive" or (format != "class-folders" and e.state == "uncertain" and e.label is not None) for e in entries)
    plain = f" {machine} of the labels {'is' if machine == 1 else 'are'} machine-made, which this format can't tell." if machine else ""
    return f"{given} of {count(len(entries), 'clip')}: those with a class that aren't excluded.{plain if format != 'raven' else marked}"


REVIEW_INTRO = (
    "Here you label many clips quickly: each comes with a suggestion, you answer with one key, and the suggestions get better with every "
    "answer. Every answer is saved at once and can be undone."
)


def learn_from(bench: Bench) -> str:
    """The button that takes the project's labels to the tab Learn; "" where they teach nothing yet."""
    given = [n for n in bench.now.class_counts.values() if n] if bench.now else []
    return f"Learn from these {sum(given)} labels" if len(given) > 1 else ""


REVIEW_METHOD = (
    "Suggestions come from your own labels with the settings of the CALM paper, so that every answer can be learned from at once; the "
    "settings of the tab Learn don't change them. “Learn from these labels” puts the labelled clips into the tab Clips, in place of those "
    "there (Undo brings them back), and learns from them with the settings of the tab Learn."
)


def project_name(stem: str) -> str:
    """A project's name from the file that it was exported to."""
    return re.sub(r"_audiofolder$", "", stem).replace("-", " ").strip() or "My sounds"
