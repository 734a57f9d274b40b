"""What the tab Predict says: answers as sentences and table rows. Pure; every name that a visitor chose is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calm_core.confidence import COVERAGE
from calm_core.studio import ClipPrediction
from calm_core.workspace import Workspace

from .session import Answers, Current
from .words import classes_of, count, esc, example_notice, listed, notice, percent

PREDICTION_HEADERS = ["#", "file", "answer", "confidence", "what fits (90\u202f%)", "next best", "note"]


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
        found.append([number, row.name, row.label + "?" * unlike, sure, set_in_short(row, class_names), second, ""])
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
        return f"Of the known classes only ‘{row.label}’ fits."
    if len(row.prediction_set) == len(class_names):
        return "It could be any of the known classes: none can be ruled out."
    return f"It fits {listed(row.prediction_set, 'or')}; in nine cases of ten the right class is among those that fit."


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
    """The answer in words: "‘owl’ with 84 % confidence; next: ‘bat’ 9 %", and under it what else it could be."""
    if row.error:
        return f'<div class="calm-headline"><p class="calm-big">No answer</p><p>{esc(row.error)}</p></div>'
    found = ranked(row, class_names)
    rest = f"; next: {_named([(f'‘{name}’', share) for name, share in found[1:2]])}" if len(found) > 1 else ""
    if row.prediction_set == ():
        text = f"<b>None of the known classes?</b> The closest is ‘{esc(row.label)}’"
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
    return example_notice(current) or f'<p class="calm-caption">Answers come from {esc(classes_of(current))}.</p>'


def older(answers: Answers | None, current: Current | None) -> str:
    """Why the answers on show are not those of the visitor's present classifier; "" where they are."""
    if answers is None or answers.by is current:
        return "The example classifier gave these answers, not one of yours." if answers and answers.by.source == "example" else ""
    return f"These answers are from an earlier classifier ({classes_of(answers.by)}). Press Predict to ask the present one."


def no_correction(current: Current | None, workspace: Workspace, row: ClipPrediction) -> str:
    """Why the row can't be corrected; empty where it can."""
    if current is None or current.source != "clips" or not workspace.can_learn:
        return "Corrections need the clips that the classifier was learned from: add them in the tab Clips and learn first."
    return "This clip has no answer, so there is nothing to correct." if row.error else ""


def corrected(answers: Answers, number: int) -> str:
    """That the row is now one of the visitor's clips; empty where it isn't."""
    if not answers.corrected or number != answers.chosen:
        return ""
    joined = f" and in the project “{answers.project}”" if answers.project else ""
    tabs = "the tabs Clips and Review each take it back there" if answers.project else "the tab Clips takes it back"
    return f"Added as ‘{answers.corrected}’ to your clips{joined}; learned again. Undo: {tabs}."


def vote_caption(label: str) -> str:
    """How the map of the heads' votes is read."""
    return f"Orange heads spoke for ‘{esc(label)}’, purple ones for other classes, each by its weight."


def unlike_windows(n: int, confidence: float, counted: bool) -> str:
    """What became of the n windows of a recording that are sure enough for an event, but unlike all classes."""
    if not n:
        return "Where a stretch is unlike all classes, a last row (“none of these”) is dark."
    what = f"{count(n, 'piece')} of {percent(confidence)} or more {'is' if n == 1 else 'are'} unlike all classes"
    fate = "made an event all the same" if counted else "made no event; the tick above takes them in"
    return f"{what} (dark in the last row), and {fate}."
