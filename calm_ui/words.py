"""What the page says: results as sentences, table rows and bits of HTML. Pure; every name that a visitor chose is escaped here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from calm_core.audio import ClipStatus
from calm_core.backbones import BackboneRow, backbone_row
from calm_core.confidence import COVERAGE
from calm_core.dataset import ClipCheck
from calm_core.errors import BackboneError, CalmError, Cancelled
from calm_core.options import FitOptions
from calm_core.studio import ClipPrediction, Doubt, Learned, Workspace

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


def status_line(row: BackboneRow, device: str, session: Session) -> str:
    used = f"{session.compute_s:.1f} s"
    parts = [
        ("Device", {"cpu": "this server's processor (CPU)", "cuda": "graphics processor (GPU)"}.get(device.split(":")[0], device)),
        ("Memory needed", f"about {row.memory_gb:g} GB"),
        ("Heads", f"{row.heads.replace(' x ', ' layers × ')} heads"),
        ("Computing time used", used),
        ("Your clips", f"stay on this server, deleted at most {KEEP_HOURS} hours after your last step"),
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


def chips(workspace: Workspace) -> str:
    """One chip per class: its name and how many of its clips can be used."""
    given: dict[str, int] = {}
    for check in workspace.checks:
        if check.clip.label is not None:
            given[check.clip.label] = given.get(check.clip.label, 0) + 1
    cells = []
    for name, usable in workspace.class_counts.items():
        amount = count(usable, "clip") if usable == given[name] else f"{usable} of {count(given[name], 'clip')}"
        cells.append(f'<li class="calm-chip{"" if usable > 1 else " calm-few"}"><b>{esc(name)}</b> <span>{amount}</span></li>')
    return f'<ul class="calm-chips" aria-label="Classes">{"".join(cells)}</ul>' if cells else ""


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


def prediction_rows(rows: Sequence[ClipPrediction], class_names: Sequence[str]) -> list[list[Any]]:
    found = []
    for number, row in enumerate(rows, start=1):
        if row.error:
            found.append([number, row.name, "no answer", "", "", row.error])
            continue
        second, unlike = _named(ranked(row, class_names)[1:2]), row.prediction_set == ()
        # A confidence shares 100 % among the known classes: beside "none of these" it would say that noise is surely one of them.
        sure, second = ("", "") if unlike else ("" if row.confidence is None else percent(row.confidence), second)
        found.append([number, row.name, row.label + "?" * unlike, set_in_short(row, class_names), sure, second, ""])
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
