"""The report: what was learned as one HTML file that opens from a disk with no network. Takes results, knows no page and no model code.

plotly.js stands in the file once, and the beginning of a few clips as sound; nothing else is fetched. Every figure has its numbers beside
it as a table or a sentence.
"""

from __future__ import annotations

import base64
import html
import io
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile as sf

from . import __version__, audio, figures
from .errors import AudioError, BundleError
from .inspection import class_similarity
from .reasons import reasons
from .studio import ClipPrediction, Learned

MAX_MAPS = 24  # classes whose maps are drawn; all stand in the table
MAX_REASONS = 6  # clips whose heads are drawn
MAX_SOUNDS = 12  # classes of which one clip is to be heard
SOUND_S, SOUND_RATE_HZ = 4.0, 16_000  # of a clip that is to be heard: its beginning, mono, as MP3 of about 20 kB
TOP_HEADS = 5
PACKAGES = ("torch", "transformers", "numpy", "plotly")

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2937; --soft: #5b6472; --line: #d6dae0; --ground: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3abb7; --line: #333c4a; --ground: #0b0f19; } }
body { margin: 0 auto; max-width: 1060px; padding: 1rem; font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif;
  color: var(--ink); background: var(--ground); overflow-wrap: anywhere; }
h1 { margin: 0 0 0.2rem; } h2 { margin: 2.2rem 0 0.4rem; } p { margin: 0.3rem 0; max-width: 46rem; } .soft { color: var(--soft); }
.big { font-size: 1.3rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.6rem 0; font-size: 0.92rem; }
th, td { border-bottom: 1px solid var(--line); padding: 0.25rem 0.7rem 0.25rem 0; text-align: left; vertical-align: top;
  overflow-wrap: break-word; }
audio { height: 36px; max-width: 100%; } td audio { min-width: 220px; vertical-align: middle; }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: 0.7rem; font-size: 0.85rem; }
.js-plotly-plot :is([class$="tick"], .infolayer) text { fill: var(--ink) !important; }
"""


def write(path: Path, learned: Learned, answers: Sequence[ClipPrediction] = (), *, bundle: str = "model.safetensors") -> None:
    """Writes `render(...)` to a file. Raises BundleError where it can't be written."""
    try:
        path.write_text(render(learned, answers, bundle=bundle), encoding="utf-8")
    except OSError as error:
        raise BundleError(f"can't write the report to {path} ({error}); choose a folder that exists and may be written.") from error


def render(learned: Learned, answers: Sequence[ClipPrediction] = (), *, bundle: str = "model.safetensors") -> str:
    """The report as HTML. answers: predictions to show as examples with their reasons; bundle: the classifier's file name, as it is
    quoted in the lines of Python that use it.
    """
    names = learned.model.class_names
    title = f"CALM report: {', '.join(names[:6])}{' and more' if len(names) > 6 else ''}"
    sections = [*_accuracy(learned), *_heads(learned), *_sounds(learned), *_examples(answers, names), *_settings(learned, bundle)]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_esc(title)}</title><style>{_STYLE}</style>"
        f"<script>{figures.SCRIPT.read_text(encoding='utf-8')}</script></head><body><h1>{_esc(title)}</h1>{''.join(sections)}</body></html>"
    )


def _accuracy(learned: Learned) -> Iterable[str]:
    model, names = learned.model, learned.model.class_names
    found = learned.class_accuracy
    yield f'<p class="big">Accuracy on clips it had not heard <b>{_esc(learned.accuracy)}</b></p>'
    judged = f"Each clip was judged by classifiers that had not heard it ({model.held_out.how})."
    yield _text(f"{judged} Guessing would be right {1 / len(names):.0%} of the time.")
    yield from (_text(f"Note: {warning}") for warning in model.warnings)
    rows = [
        [name, f"{p.hits} of {p.n}", f"{p.value:.0%}" if p.n else "not tested", f"{p.interval[0]:.0%} to {p.interval[1]:.0%}"]
        for name, p in found.items()
    ]
    yield "<h2>Classes</h2>" + _table(["class", "recognised", "accuracy", "95 % interval"], rows)
    yield "<h2>What is taken for what</h2>" + figures.as_html(figures.confusion_matrix(learned.confusion, names))
    yield _table(["true \\ predicted", *names], [[name, *row] for name, row in zip(names, learned.confusion.tolist(), strict=True)])
    if learned.ladder:
        frame = pd.DataFrame([asdict(rung) for rung in learned.ladder])
        yield "<h2>Beside simpler methods, on the same clips</h2>" + figures.as_html(figures.ladder_chart(frame, 1 / len(names)))
        yield _table(
            ["method", "accuracy", "95 % interval"],
            [[r.title, f"{r.accuracy:.0%}", f"{r.ci_low:.0%} to {r.ci_high:.0%}"] for r in learned.ladder],
        )


def _heads(learned: Learned) -> Iterable[str]:
    model, names = learned.model, learned.model.class_names
    above = model.above_chance if np.isfinite(model.chance).all() else None
    shown = slice(0, MAX_MAPS)
    maps = figures.reliability_maps(
        model.reliability[:, :, shown],
        names[shown],
        judged=model.judged[shown],
        above=None if above is None else above[:, :, shown],
    )
    yield "<h2>Which heads know which class</h2>"
    yield _text(
        "Each cell is one attention head of the backbone; a bright one tells this class from the others reliably. A dot marks what luck "
        "alone would reach in at most one cell of twenty; a cell without a dot could be chance."
    )
    yield figures.as_html(maps)
    yield _frame(figures.reliability_table(model.reliability, model.weights, names, TOP_HEADS, above=above))
    similarity, order = class_similarity(model.weights.numpy())
    yield "<h2>Classes that rest on the same heads</h2>" + figures.as_html(figures.class_similarity(similarity, names, order))
    yield _text(f"1: the very same heads, 0: nothing in common. {_closest(similarity, names)}")


def _closest(similarity: Any, names: Sequence[str]) -> str:
    off = np.where(np.eye(len(names), dtype=bool), -np.inf, similarity)
    one, other = divmod(int(off.argmax()), len(names))
    return f"Most alike: ‘{names[one]}’ and ‘{names[other]}’, {off[one, other]:+.2f}."


def _sounds(learned: Learned) -> Iterable[str]:
    first = {str(clip.label): clip for clip in reversed(learned.clips)}
    if not first:
        return
    shown = [(name, first[name]) for name in learned.model.class_names[:MAX_SOUNDS] if name in first]
    rows = "".join(f"<tr><td>{_esc(name)}</td><td>{_esc(clip.name)}</td><td>{_sound(clip.path)}</td></tr>" for name, clip in shown)
    yield "<h2>What it learned from</h2>"
    heard = f"One clip each of {len(shown)} of {len(learned.model.class_names)} classes"
    yield _text(f"{heard}; in this file sounds are mono, {SOUND_RATE_HZ // 1000} kHz, and end after {SOUND_S:g} s.")
    yield f'<div class="wide"><table><thead><tr><th>class</th><th>clip</th><th>sound</th></tr></thead><tbody>{rows}</tbody></table></div>'


def _sound(path: Path) -> str:
    """A player with the beginning of a clip in it, or why there is none."""
    try:
        samples = audio.load(path, SOUND_RATE_HZ).samples[: round(SOUND_S * SOUND_RATE_HZ)]
    except AudioError as error:
        return f'<span class="soft">{_esc(error)}</span>'
    file = io.BytesIO()
    sf.write(file, samples, SOUND_RATE_HZ, format="MP3")
    return f'<audio controls src="data:audio/mpeg;base64,{base64.b64encode(file.getvalue()).decode()}"></audio>'


def _examples(answers: Sequence[ClipPrediction], names: Sequence[str]) -> Iterable[str]:
    if not answers:
        return
    rows = [
        [row.name, row.label or "no answer", "" if row.confidence is None else f"{row.confidence:.0%}", row.error or row.note]
        for row in answers
    ]
    yield "<h2>Answers</h2>" + _table(["clip", "answer", "confidence", "note"], rows)
    told = [row for row in answers if not row.error]
    if len(told) > MAX_REASONS:
        yield _text(f"Sounds and reasons of the first {MAX_REASONS} of {len(told)} follow.")
    for row in told[:MAX_REASONS]:
        why = reasons(row.contributions)
        yield f"<h3>{_esc(row.name)}: {_esc(row.label)}</h3>{_sound(row.path)}" + _text(why.in_words(names))
        yield figures.as_html(
            figures.contribution_map(why.lead, f"what each head said for ‘{names[why.best]}’ against ‘{names[why.rival]}’")
        )


def _settings(learned: Learned, bundle: str) -> Iterable[str]:
    model = learned.model
    L, H, C = model.weights.shape
    rows: list[list[Any]] = [
        ["classes", C],
        ["heads", f"{L} layers of {H}"],
        *([name, value] for name, value in model.options.to_dict().items()),
    ]
    rows += [[name, value] for name, value in (asdict(model.origin) if model.origin else {}).items()]
    rows += [
        ["support clips", len(model.held_out.truth)],
        ["calibration temperature", f"{model.temperature:.3g}" if model.temperature else "none: too few clips"],
    ]
    rows += [["calm-studio", __version__], ["Python", platform.python_version()], *([name, version(name)] for name in PACKAGES)]
    yield "<h2>Settings and versions</h2>" + _table(["setting", "value"], rows)
    code = (
        "from pathlib import Path\n\n"
        "from calm_core import CalmClassifier, readers\n"
        "from calm_core.studio import Studio\n\n"
        f"model, studio = CalmClassifier.load({bundle!r}), Studio()\n"
        "clips = readers.read_unlabelled([Path('new clips')]).clips\n"
        "for row in studio.predict(model, clips, studio.backbone(model.origin.backbone)):\n"
        "    print(row.name, row.label, row.confidence, row.error)"
    )
    yield f"<h2>Using it from Python</h2><pre>{_esc(code)}</pre>"


def _frame(table: pd.DataFrame) -> str:
    return _table([str(column) for column in table.columns], table.to_numpy().tolist())


def _table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{_esc(header)}</th>" for header in headers)
    body = "".join("<tr>" + "".join(f"<td>{_esc(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(sentence: str) -> str:
    return f'<p class="soft">{_esc(sentence)}</p>'


def _esc(text: object) -> str:
    return re.sub(r"(?<=\d) ?%", "\u202f%", html.escape(str(text)))  # stays on the line of its number
