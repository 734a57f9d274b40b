"""What the tab Review says: the clip on show, the answers, counts, exports. Pure; every name that a visitor chose is escaped here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from calm_core.confidence import Proportion
from calm_core.export import has_place
from calm_core.labelling import Acceptance, Added, Answered, Labelling, Source, Suggestion
from calm_core.library.records import CurvePoint, Entry
from calm_core.library.shelf import ProjectInfo
from calm_core.pseudo_labels import SAMPLES
from calm_core.workspace import Workspace

from .bench import Bench
from .session import KEEP_HOURS
from .words import LONG_NAME, attribute, backbone_title, capital, caption, count, esc, notice, percent

FEW_LABELS = 10  # per class: of fewer, that a clip is unlike them says little
ORDER_CHOICES = [
    ("most useful next", "useful"),
    ("most uncertain first", "uncertain"),
    ("most uncertain over all classes", "entropy"),
    ("most unlike what is labelled", "diverse"),
    ("most confident first", "confident"),
    ("classes with few labels first", "balanced"),
    ("random", "random"),
]
ANSWERED_CHOICES = [("called uncertain", "uncertain"), ("excluded", "excluded"), ("labelled, the most doubtful first", "labelled")]
ANSWERED_HEADERS = ["clip", "file", "your answer", "the other clips say"]
EXPORT_AGAIN = "The project has changed since it was exported; export it again."
NONE_LEFT = "Every clip has an answer: there is nothing to accept."
MOST_ANSWERED = 100  # rows
MACHINE_HEADERS = ["clip", "file", "label", "confidence"]
CURVE_HEADERS = ["labelled clips", "recognised", "accuracy", "95 % interval", "backbone"]
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
REVIEW_INTRO = (
    "Here you label many clips quickly: each comes with a suggestion, you answer with one key, and the suggestions get better with every "
    "answer. Every answer is saved at once and can be undone."
)
BEGINS_EMPTY = "It begins empty. To begin with labelled clips, add them in the tab Clips first; or name the classes as you go."
SOURCE_CHOICES = [("the classifier that learns from your labels", "classifier"), ("the model's own words, without labels", "words")]
AT_LEAST: dict[Source, str] = {"classifier": "Confidence at least (%)", "words": "Of its answers, at least so many agree (%)"}
BEGIN_AT: dict[Source, int] = {"classifier": 90, "words": 50}  # %; from half of the answers on, as in the CALM paper
ASKING = (
    f"The model is asked {SAMPLES} times what it hears in each clip, with the names of your classes to choose from; the class that most of "
    "its answers name is its suggestion. It needs names but no labels. It knows only sounds that it was made for, under their usual names."
)
REVIEW_METHOD = (
    "Suggestions come from your own labels with the settings of the CALM paper, so that every answer can be learned from at once; the "
    "settings of the tab Learn don't change them. “Learn from these labels” puts the labelled clips into the tab Clips, in place of those "
    "there (Undo brings them back), and learns from them with the settings of the tab Learn."
)


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
        f'<p class="calm-link calm-caption" data-project="{id}">Private link to this project: <a href="?project={id}">?project={id}</a><br>'
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
    elif entry.state == "positive":
        lines.append(f'<p class="calm-big">You called it <b>‘{esc(entry.label)}’</b></p>')
        sure = "" if suggestion.confidence is None else f", {percent(suggestion.confidence)} sure"
        others = f"The other clips make it ‘{esc(suggestion.label)}’{sure}. " if suggestion.label else ""
        lines.append(f"<p>{others}Press Enter to keep it, or answer anew.</p>")
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
        attributes = f'class="calm-key{best}" data-act="label" data-label="{attribute(name)}" {digit} {off}'
        classes.append(f'<button type="button" {attributes}>{key}{esc(name)}</button>')
    own = suggestion and suggestion.entry.state == "positive" and suggestion.entry.label
    accept = own or (suggestion.label if suggestion else "")
    undo = "the skip" if bench.can_undo_skip else now.undo
    redo = "the skip" if bench.can_redo_skip else now.redo
    acts = [  # each keeps its place: what it is about stands in the title
        ("accept", "Enter", f"‘{accept}’" if accept else "", "" if accept else "disabled"),
        ("uncertain", "U", "", off),
        ("exclude", "X", "", off),
        ("skip", "S", "", off),
        ("undo", "Z", undo, "" if undo else "disabled"),
        ("redo", "Y", redo, "" if redo else "disabled"),
    ]
    rest = "".join(
        f'<button type="button" class="calm-key" data-act="{act}" title="{esc(about)}" {state}><kbd>{key}</kbd> {act.capitalize()}</button>'
        for act, key, about, state in acts
    )
    return (
        f'<div class="calm-answering" data-turn="{bench.turn}" data-clip="{clip}" data-revision="{now.revision}">'
        f'<div class="calm-answers" role="group" aria-label="Classes">{"".join(classes)}</div>'
        f'<div class="calm-answers calm-acts" role="group" aria-label="Other answers">{rest}</div>'
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
        "left": f"{said.name} is left as it was.",
        "undo": f"Saved: “{said.name}” is taken back.",
        "redo": f"Saved: “{said.name}” is done again.",
        "accepted": f"Saved: {count(said.count, 'suggestion')} accepted, marked as machine-made until you confirm them.",
        "confirmed": f"Saved: {count(said.count, 'label')} confirmed.",
        "added": f"Saved: {said.name}",
        "imported": f"Saved: {said.name}",
        "class": f"Saved: {said.label} {'is a class' if said.count == 1 else 'are classes'} of this project.",
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
    each = listed_counts(found.per_class)
    right, n = found.held_out
    if found.source == "words":
        return _acceptance_of_words(found, each)
    if not found.clips:
        return f"No suggestion is {percent(found.confidence)} sure or more. Lower the confidence, or label some more by hand.{unlike}"
    wrong = found.expected_wrong or 0.0
    expect = "fewer than one of them" if wrong < 1 else f"about {wrong:.0f} of them"
    proof = (
        f"Of your own labelled clips, {n} got such a confidence from the others alone, and {right} of those were right."
        if n
        else "None of your own labelled clips got such a confidence from the others alone, so nothing stands behind this."
    )
    return (
        f"This labels {count(len(found.clips), 'clip')}: {each}. If the confidence is right, expect {expect} to be wrong. {proof} "
        f"They are marked as machine-made, and teach nothing until you confirm them.{unlike}"
    )


def _acceptance_of_words(found: Acceptance, each: str) -> str:
    silent = f" For {count(found.unlike, 'more clip')} no class is ahead in its answers: these wait for you." if found.unlike else ""
    if not found.clips:
        return f"For no clip do {percent(found.confidence)} of its answers agree. Lower the share, or label by hand.{silent}"
    right, n = found.held_out
    proof = (
        f"Of the clips that you labelled, it is as sure about {n}, and right about {right} of those."
        if n
        else "How often it is right can't be known yet: answers that agree may all be wrong. Label a few clips, and ask again."
    )
    return (
        f"This labels {count(len(found.clips), 'clip')}: {each}. {proof} "
        f"They are marked as machine-made, and teach nothing until you confirm them.{silent}"
    )


def listed_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} ‘{name}’" for name, n in sorted(counts.items(), key=lambda item: -item[1]))


def machine_rows(entries: Sequence[Entry]) -> list[list[Any]]:
    return [[e.id, e.name, e.label, "" if e.judgement.confidence is None else percent(e.judgement.confidence)] for e in entries]


def answered_rows(found: Sequence[Suggestion]) -> list[list[Any]]:
    """The first MOST_ANSWERED, each with what a classifier without it says."""
    rows = []
    for each in found[:MOST_ANSWERED]:
        entry, said = each.entry, "none of these" if each.fits == () else _quoted([(each.label, each.confidence)])[0] if each.label else ""
        if entry.state == "positive" and said:
            said = f"{'✓' if each.label == entry.label else '✗'} {said}"
        rows.append([entry.id, entry.name, entry.label if entry.state == "positive" else entry.state, said])
    return rows


def answered_note(found: Sequence[Suggestion], kind: Answered) -> str:
    if not found:
        return {"uncertain": "You called no clip uncertain.", "excluded": "No clip is excluded.", "labelled": "You labelled no clip yet."}[
            kind
        ]
    cut = f" The first {MOST_ANSWERED} of {len(found)} are shown." if len(found) > MOST_ANSWERED else ""
    return f"Choose a row to hear the clip above and to answer anew; nothing changes before you do.{cut}"


def curve_text(points: Sequence[CurvePoint]) -> str:
    """The curve as a sentence."""
    asked = [point for point in points if point.n]
    if not asked:
        return caption("Each labelled clip in turn is recognised by the others alone; the share that is right grows with the labels.")
    last = asked[-1]
    first = next(point for point in asked if point.backbone == last.backbone)
    now = Proportion(last.hits, last.n)
    text = f"With {count(last.labels, 'labelled clip')}, {now} are recognised, each by the others alone."
    if len({point.backbone for point in asked}) > 1:
        text += f" That is with “{backbone_title(last.backbone)}”; what another backbone heard is a line of its own."
    if last.labels > first.labels:
        earlier = Proportion(first.hits, first.n)
        (low, high), (low_before, high_before) = now.interval, earlier.interval
        fallen, unclear = high < low_before, "These clips are too few to tell a change"
        moved = "It has risen" if low > high_before else "It has fallen" if fallen else unclear
        text += f" {moved}: with {first.labels} it was {percent(earlier.value)}."
        if fallen:
            text += (
                " That need not mean that the suggestions got worse: later clips are often the hard ones, and each counts in this number."
            )
    return caption(f"{text} It is the accuracy on what you labelled, not on the whole pool.")


def curve_rows(points: Sequence[CurvePoint]) -> list[list[Any]]:
    rows = []
    for point in points:
        if point.n:
            low, high = Proportion(point.hits, point.n).interval
            share = percent(point.hits / point.n)
            heard = backbone_title(point.backbone)
            rows.append([point.labels, f"{point.hits} of {point.n}", share, f"{percent(low)} to {percent(high)}", heard])
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


def begin_with(workspace: Workspace) -> str:
    """The tick that lets a new project begin with the visitor's clips."""
    classes = count(len(set(workspace.labels)), "class", "classes")
    return f"Begin with my {count(len(workspace.usable), 'clip')} of {classes} from the tab Clips"


def ask_about(work: Labelling) -> str:
    """The button that asks the model, or why it can't be pressed."""
    if len(work.now.class_names) < 2:
        return "Name two classes first"
    return f"Ask the model about {count(work.unasked, 'clip')}" if work.unasked else "It was asked about every clip"


def other_backbone(bench: Bench, backbone: str) -> str:
    """That the project listens with another backbone than the one chosen on the page; "" where it doesn't."""
    if bench.labelling is None or bench.labelling.backbone == backbone:
        return ""
    own, other = backbone_title(bench.labelling.backbone), backbone_title(backbone)
    return (
        f"This project goes on with “{own}”, which has listened to its clips; “{other}” is chosen above, for the other tabs. The two hear "
        f"differently and are never mixed: “{other}” would listen to all {len(bench.labelling.now.entries)} clips anew. Your labels stay."
    )


def file_stem(name: str) -> str:
    """A project's name as the beginning of a file's."""
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:LONG_NAME] or "project"


READERS = {
    "csv": "Read by spreadsheets, R and pandas; brought back here, it gives its labels to the same clips.",
    "audiofolder": "Read by the Python library `datasets` of Hugging Face, and here: it holds everything needed to go on elsewhere.",
    "class-folders": "Read by the tab Clips and by most tools that learn from sounds: one folder for each class.",
    "audacity": "Read by Audacity (File, Import, Labels): one label track for each recording.",
    "raven": "Read by Raven Lite and Raven Pro (File, Open Selection Table).",
    "label-studio": "Read by Label Studio: paste config.xml as the labelling interface, then import tasks.json.",
}


def export_note(bench: Bench, format: str) -> str:
    """What is in the file, and what isn't."""
    if bench.now is None:
        return ""
    entries = bench.now.entries
    machine = len(bench.machine_made())
    marked = f" {count(machine, 'label')} made by the machine {'is' if machine == 1 else 'are'} marked as such." if machine else ""
    if format in ("csv", "audiofolder", "label-studio"):
        columns = " In the columns: state (positive, uncertain, excluded), judge (person, machine)." if format == "csv" else ""
        return f"All {count(len(entries), 'clip')}, with labels and states.{columns}{marked}"
    given = sum(has_place(entry, format) for entry in entries)
    if format == "class-folders":
        kind = "those with a class, but for the uncertain and the excluded"
    else:
        kind = "those with a class that aren't excluded"
    plain = f" {machine} of the labels {'is' if machine == 1 else 'are'} machine-made, which this format can't tell." if machine else ""
    return f"{given} of {count(len(entries), 'clip')}: {kind}.{plain if format != 'raven' else marked}"


def learn_from(bench: Bench) -> str:
    """The button that takes the project's labels to the tab Learn; "" where they teach nothing yet."""
    given = [n for n in bench.now.class_counts.values() if n] if bench.now else []
    return f"Learn from these {sum(given)} labels" if len(given) > 1 else ""


def project_name(stem: str) -> str:
    """A project's name from the file that it was exported to."""
    return re.sub(r"_audiofolder$", "", stem).replace("-", " ").strip() or "My sounds"
