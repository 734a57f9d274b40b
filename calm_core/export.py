"""Labels in the formats of other tools, and back: CSV, Hugging Face audiofolder, Audacity, Raven, Label Studio.

Every writer has a reader, and what was written here is read back as the same clips, labels and states. Audacity and Raven know places in
a recording and labels, nothing else, so only these come back from them. Takes clips and opinions as they are; knows no model, no torch.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from xml.sax.saxutils import quoteattr

import pandas as pd

from .archive import leads_out
from .errors import DataError, ProjectError
from .library.records import Entry, Judgement, NewClip
from .tables import LABEL_COLUMNS

Layout = Literal["folders", "metadata"]

AUDIO_KEY, NAME_KEY, TO_NAME = "audio", "label", "audio"  # as the Label Studio config calls them
_SCORE = "score: "
_KEPT = ("name", "state", "judge", "judge_confidence", "fold", "group", "recording", "start_s", "end_s")  # what only we write
_RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]')


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a classifier says about a clip: its label, calibrated confidence or None, and a score per class."""

    label: str
    confidence: float | None
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def margin(self) -> float | None:
        """The lead of the best score over the second."""
        best = sorted(self.scores.values(), reverse=True)
        return best[0] - best[1] if len(best) > 1 else None


@dataclass(frozen=True, slots=True)
class Region:
    """A labelled stretch of a recording, in seconds. recording: its file name, "" where the format doesn't say."""

    start_s: float
    end_s: float
    label: str
    recording: str = ""


# ---- tables: labels CSV and audiofolder --------------------------------------------------------------------------------------


def table(
    entries: Sequence[Entry], files: Mapping[int, str], opinions: Mapping[int, Opinion] | None = None, *, file_column: str = "path"
) -> pd.DataFrame:
    """One row per clip: file, label, predicted, confidence, margin, a score per class, the reviewer's state, and where it is from.

    files: what to write as each clip's file, by id.
    """
    opinions = opinions or {}
    classes = list(dict.fromkeys(name for opinion in opinions.values() for name in opinion.scores))
    rows = []
    for entry in entries:
        said, opinion = entry.judgement, opinions.get(entry.id)
        row: dict[str, Any] = {file_column: files[entry.id], "label": said.label}
        row |= {"predicted": opinion.label if opinion else None, "confidence": opinion.confidence if opinion else None}
        row |= {"margin": opinion.margin if opinion else None}
        row |= {_SCORE + name: opinion.scores.get(name) if opinion else None for name in classes}
        row |= {"name": entry.name, "state": said.state, "judge": said.judge, "judge_confidence": said.confidence}
        row |= {"fold": entry.fold, "group": entry.group, "recording": entry.recording}
        rows.append(row | {"start_s": entry.start_s, "end_s": entry.end_s, "seconds": entry.seconds, "sha256": entry.sha256})
    columns = [file_column, "label", "predicted", "confidence", "margin", *(_SCORE + name for name in classes), *_KEPT, "seconds", "sha256"]
    return pd.DataFrame(rows, columns=columns)


def write_csv(entries: Sequence[Entry], into: Path, opinions: Mapping[int, Opinion] | None = None) -> None:
    """The labels CSV; `path` is the clip's own name, as it came. Beside the audio `read_table` reads it; `match_labels` needs none."""
    table(entries, {e.id: e.name for e in entries}, opinions).to_csv(into, index=False)


def write_audiofolder(entries: Sequence[Entry], into: Path, layout: Layout = "metadata") -> None:
    """Copies clips into the new or empty folder `into` as a Hugging Face audiofolder.

    folders: train/<class>/x.wav, of the clips that have a class and aren't excluded; metadata: train/x.wav and train/metadata.csv with
    file_name, label and everything else, of all clips. Raises DataError for a folder that isn't empty.
    """
    _new_folder(into)
    chosen = list(entries) if layout == "metadata" else [e for e in entries if e.state == "positive"]
    files = _file_names(chosen)
    if layout == "folders":
        folders = _distinct({name: _safe(name) for name in sorted({str(e.label) for e in chosen})})
        files = {e.id: f"{folders[str(e.label)]}/{files[e.id]}" for e in chosen}
    for entry in chosen:
        _copy(entry, into / "train" / files[entry.id])
    if layout == "metadata":
        (into / "train").mkdir(exist_ok=True)
        table(chosen, files, file_column="file_name").to_csv(into / "train" / "metadata.csv", index=False)


def read_table(path: Path, root: Path | None = None) -> tuple[NewClip, ...]:
    """Clips of a labels CSV or of an audiofolder's metadata.csv that we wrote; files relative to `root`, by default the table's folder.

    Raises DataError for a table that isn't ours (`readers.read` takes those of others), or whose files aren't there.
    """
    rows = _read_csv(path)
    column = next((name for name in ("path", "file_name") if name in rows.columns), None)
    if column is None or not {"label", *_KEPT} <= set(rows.columns):
        raise DataError(f"{path.name!r} isn't a table that CALM Studio exported: it needs the columns path, label, {', '.join(_KEPT)}.")
    home = root or path.parent
    found = []
    for row in rows.to_dict("records"):
        file = _inside(home, row[column], path.name)
        said = _judgement(row["label"], row["state"], row["judge"], row["judge_confidence"], path.name)
        found.append(_clip(file, row["name"] or row[column], said, row, path.name))
    return tuple(found)


def is_our_table(path: Path) -> bool:
    """Whether `read_table` can read it; told by the first line, for tables of others may hold anything behind theirs."""
    return path.suffix.lower() == ".csv" and path.is_file() and set(_KEPT) <= set(_read_csv(path, rows=0).columns)


def match_labels(path: Path, entries: Sequence[Entry]) -> dict[int, Judgement]:
    """What a labels table says about clips that are here already, by audio where it has a column sha256, else by name; no file is read.

    Raises DataError for a table without labels, and where it speaks of none of the clips.
    """
    rows = _read_csv(path)
    label = next((name for name in LABEL_COLUMNS if name in rows.columns), None)
    key = next((name for name in ("sha256", "name", "file_name", "path", "file") if name in rows.columns), None)
    if label is None or key is None:
        raise DataError(f"{path.name!r} has no column of labels, or none of names; it needs label and one of name, file_name, path.")
    by_key: dict[Any, list[Entry]] = defaultdict(list)
    ours = "start_s" in rows.columns
    for entry in entries:
        by_key[(entry.sha256 if key == "sha256" else entry.name, _start(entry.start_s) if ours else None)].append(entry)
    found: dict[int, Judgement] = {}
    known = False
    for row in rows.to_dict("records"):
        there = by_key.get((row[key], _start(_number(row["start_s"], path.name)) if ours else None), [])
        known = known or bool(there)
        said = _judgement(row[label], row.get("state", ""), row.get("judge", ""), row.get("judge_confidence", ""), path.name)
        if said != Judgement():  # a row that nobody filled in takes nothing back
            found |= {entry.id: said for entry in there}
    if not known:
        raise DataError(f"{path.name!r} speaks of none of the project's {len(entries)} clips (compared by {key}); is it another project's?")
    if not found:
        raise DataError(f"{path.name!r} knows clips of the project, but has no label for them; fill in the column {label!r}.")
    return found


# ---- Audacity and Raven: places in recordings --------------------------------------------------------------------------------


def regions(entries: Sequence[Entry]) -> dict[str, list[tuple[Entry, Region]]]:
    """The labelled stretches of every recording, in time; a clip that is a recording of its own is one stretch, from 0 to its end.

    Excluded clips, and those without a class, aren't there. Recordings of the same name are one.
    """
    found: dict[str, list[tuple[Entry, Region]]] = defaultdict(list)
    for entry in entries:
        if entry.state in ("positive", "uncertain") and entry.label is not None:
            start, end = entry.start_s or 0.0, entry.end_s if entry.end_s is not None else (entry.seconds or 0.0)
            name = entry.recording or entry.name
            found[name].append((entry, Region(start, end, entry.label, name)))
    return {name: sorted(rows, key=lambda row: (row[1].start_s, row[1].end_s, row[1].label)) for name, rows in sorted(found.items())}


def audacity(entries: Sequence[Entry]) -> dict[str, str]:
    """An Audacity label track for every recording: lines of start, end (s) and label, tab-separated."""
    return {
        name: "".join(f"{r.start_s:.6f}\t{r.end_s:.6f}\t{_line(r.label)}\n" for _, r in rows) for name, rows in regions(entries).items()
    }


def audacity_track(found: Sequence[Region]) -> str:
    """One label track of regions that come from no project."""
    return "".join(f"{r.start_s:.6f}\t{r.end_s:.6f}\t{_line(r.label)}\n" for r in found)


def raven_table(found: Sequence[Region], top_hz: float, confidences: Sequence[float]) -> pd.DataFrame:
    """A Raven selection table of regions that come from no project, over all frequencies up to top_hz."""
    rows = [
        (i, "Spectrogram 1", 1, round(r.start_s, 6), round(r.end_s, 6), 0, top_hz, r.recording, r.label, round(sure, 4))
        for i, (r, sure) in enumerate(zip(found, confidences, strict=True), start=1)
    ]
    return pd.DataFrame(rows, columns=[*_RAVEN, "Begin File", "Label", "Confidence"])


def write_audacity(entries: Sequence[Entry], into: Path) -> None:
    """One label track for each recording, called like it (`track_name`), in the new or empty folder `into`."""
    tracks = audacity(entries)
    _new_folder(into)
    for name, file in _distinct({name: track_name(name) + ".txt" for name in tracks}).items():
        (into / file).write_text(tracks[name], encoding="utf-8")


def track_name(recording: str) -> str:
    """What the label track of a recording is called, without its ending; the folder stays in it: 'owl/03.wav' gives 'owl_03'."""
    path = PurePosixPath(recording)
    return _safe(str(path.parent / path.stem))


def recording_of_track(stem: str, names: Sequence[str]) -> str:
    """The recording that a label track of this name belongs to, "" where there is none. Raises DataError where it may be several."""
    known = sorted(set(names))
    for called in (lambda n: (n,), lambda n: (track_name(n),), lambda n: (PurePosixPath(n).name, PurePosixPath(n).stem)):
        found = [name for name in known if stem in called(name)]
        if len(found) > 1:
            told = ", ".join(map(repr, found[:3])) + (" and others" if len(found) > 3 else "")
            raise DataError(f"the label track {stem!r} may be of {told}; call it like its recording, such as '{track_name(found[0])}.txt'.")
        if found:
            return found[0]
    return ""


def read_audacity(text: str, recording: str = "") -> tuple[Region, ...]:
    """The regions of a label track; the lines with frequencies that Audacity adds for spectral selections are passed over."""
    found = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        if line.startswith("\\") or not line.strip():
            continue
        cells = line.split("\t", 2)
        try:
            found.append(Region(float(cells[0]), float(cells[1]), cells[2].strip() if len(cells) > 2 else "", recording))
        except (ValueError, IndexError) as error:
            raise DataError(f"line {number} of the label track isn't 'start<tab>end<tab>label': {line[:60]!r}. Export it again.") from error
    return tuple(found)


def raven(entries: Sequence[Entry]) -> pd.DataFrame:
    """A Raven selection table over all recordings; frequencies from 0 to half the clip's rate, for labels here have no band."""
    rows: list[tuple] = []
    for name, found in regions(entries).items():
        for entry, region in found:
            place = (len(rows) + 1, "Spectrogram 1", 1, round(region.start_s, 6), round(region.end_s, 6), 0, (entry.rate_hz or 0) / 2)
            said = entry.judgement
            rows.append((*place, name, region.label, said.state, said.judge, said.confidence))
    return pd.DataFrame(rows, columns=[*_RAVEN, "Begin File", "Label", "State", "Judge", "Confidence"])


def write_raven(entries: Sequence[Entry], into: Path) -> None:
    """The selection table as a file."""
    raven(entries).to_csv(into, sep="\t", index=False)


def read_raven(path: Path) -> tuple[Region, ...]:
    """The regions of a selection table; the label is in a column Label, Annotation, Species or Common name. Rows of a waveform view that
    repeat a spectrogram's are passed over."""
    rows = _read_csv(path, "\t")
    label = next((name for name in rows.columns if name.casefold() in ("label", "annotation", "species", "common name")), None)
    if label is None or not set(_RAVEN[3:5]) <= set(rows.columns):
        raise DataError(f"{path.name!r} isn't a Raven selection table with labels: it needs Begin Time (s), End Time (s) and Label.")
    if "View" in rows.columns and rows["View"].str.startswith("Spectrogram").any():
        rows = rows[~rows["View"].str.startswith("Waveform")]
    files = rows["Begin File"] if "Begin File" in rows.columns else [""] * len(rows)
    try:
        times = zip(rows[_RAVEN[3]].astype(float), rows[_RAVEN[4]].astype(float), rows[label], files, strict=True)
        return tuple(Region(start, end, name, file) for start, end, name, file in times)
    except ValueError as error:
        raise DataError(f"{path.name!r} has a time that is no number ({error}); save the selection table again.") from error


def match_regions(found: Sequence[Region], entries: Sequence[Entry], recording: str = "") -> dict[int, Judgement]:
    """What regions say about clips: a clip gets the label of the region that covers most of it, if that is at least half of it.

    recording: for regions that don't name theirs. Raises DataError where they fit none of the clips.
    """
    by_recording: dict[str, list[Region]] = defaultdict(list)
    for region in found:
        by_recording[region.recording or recording].append(region)
    judged = {}
    for entry in entries:
        start, end = entry.start_s or 0.0, entry.end_s if entry.end_s is not None else (entry.seconds or 0.0)
        covers = [
            (min(end, r.end_s) - max(start, r.start_s), r.label) for r in by_recording.get(entry.recording or entry.name, []) if r.label
        ]
        best, label = max(covers, default=(0.0, ""))
        if label and best >= (end - start) / 2:
            judged[entry.id] = Judgement(label, "positive", "person")
    if not judged:
        known = ", ".join(sorted({repr(e.recording or e.name) for e in entries})[:3])
        raise DataError(
            f"none of the {len(found)} regions fits a clip; they must name a recording of the project, such as {known or 'none yet'}."
        )
    return judged


# ---- Label Studio ------------------------------------------------------------------------------------------------------------


def label_studio(
    entries: Sequence[Entry], files: Mapping[int, str], opinions: Mapping[int, Opinion] | None = None, *, model_version: str = "calm"
) -> list[dict[str, Any]]:
    """Label Studio tasks: a person's labels as annotations, a machine's as predictions. files: each clip's address in `data.audio`."""
    tasks = []
    for entry in entries:
        said, opinion = entry.judgement, (opinions or {}).get(entry.id)
        kept = {"name": entry.name, "state": said.state, "judge": said.judge, "label": said.label, "judge_confidence": said.confidence}
        kept |= {"fold": entry.fold, "group": entry.group, "recording": entry.recording, "start_s": entry.start_s, "end_s": entry.end_s}
        task: dict[str, Any] = {"data": {AUDIO_KEY: files[entry.id], **{"calm_" + key: v for key, v in kept.items() if v is not None}}}
        if said.state == "positive" and said.judge == "person":
            task["annotations"] = [{"result": [_choice(str(said.label))]}]
        guesses = [(str(said.label), said.confidence)] if said.state == "positive" and said.judge == "machine" else []
        guesses += [(opinion.label, opinion.confidence)] if opinion and not guesses else []
        if guesses:
            task["predictions"] = [
                {"model_version": model_version, **({} if sure is None else {"score": sure}), "result": [_choice(label)]}
                for label, sure in guesses
            ]
        tasks.append(task)
    return tasks


def label_studio_config(class_names: Sequence[str]) -> str:
    """The labelling interface that the tasks are made for, as XML."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in class_names)
    return (
        f'<View>\n  <Audio name="{TO_NAME}" value="${AUDIO_KEY}"/>\n'
        f'  <Choices name="{NAME_KEY}" toName="{TO_NAME}" choice="single" showInline="true">\n{choices}\n  </Choices>\n</View>\n'
    )


def read_label_studio(path: Path, root: Path | None = None) -> tuple[NewClip, ...]:
    """Clips of tasks that we wrote, or that Label Studio exported as JSON from them: an annotation made there goes before ours.

    Files are those named in data.audio below `root`, by default the file's folder. Raises DataError for anything else.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        found = [(task["data"][AUDIO_KEY], task["data"], task.get("annotations") or []) for task in tasks]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError, KeyError) as error:
        raise DataError(f"{path.name!r} isn't a list of Label Studio audio tasks ({error}); export it as JSON.") from error
    clips = []
    for address, data, answers in found:
        file = _inside(root or path.parent, str(address), path.name)
        kept = {key: _text(data.get("calm_" + key)) for key in (*_KEPT, "label")}
        said = _judgement(kept["label"], kept["state"], kept["judge"], kept["judge_confidence"], path.name)
        chosen = [r["value"]["choices"][0] for a in answers for r in a.get("result", []) if r.get("type") == "choices"]
        if chosen and not (said.state == "positive" and said.label == chosen[-1]):
            said = Judgement(str(chosen[-1]), "positive", "person")
        clips.append(_clip(file, kept["name"] or PurePosixPath(str(address)).name, said, kept, path.name))
    return tuple(clips)


def write_label_studio(
    entries: Sequence[Entry], class_names: Sequence[str], into: Path, opinions: Mapping[int, Opinion] | None = None
) -> None:
    """tasks.json, config.xml and the clips, in the new or empty folder `into`: to be served to Label Studio as local files."""
    _new_folder(into)
    files = {clip: f"audio/{name}" for clip, name in _file_names(entries).items()}
    for entry in entries:
        _copy(entry, into / files[entry.id])
    tasks = json.dumps(label_studio(entries, files, opinions), ensure_ascii=False, indent=1)
    (into / "tasks.json").write_text(tasks, encoding="utf-8")
    (into / "config.xml").write_text(label_studio_config(class_names), encoding="utf-8")


# ---- how ---------------------------------------------------------------------------------------------------------------------


def _choice(label: str) -> dict[str, Any]:
    return {"from_name": NAME_KEY, "to_name": TO_NAME, "type": "choices", "value": {"choices": [label]}}


def _read_csv(path: Path, separator: str = ",", rows: int | None = None) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", nrows=rows)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path.name!r} can't be read as a table ({error}); save it again as UTF-8 text.") from error


def _judgement(label: str, state: str, judge: str, confidence: str, where: str) -> Judgement:
    """What a row says. A label where the state is still "unlabelled", or there is none, was written into the table by a person."""
    if state in ("", "unlabelled"):
        return Judgement(label, "positive", "person") if label else Judgement()
    sure = _number(confidence, where)
    try:
        return Judgement(label or None, state, judge or None, sure)  # type: ignore[arg-type]
    except ProjectError as error:
        raise DataError(f"{where!r} has a row that makes no sense: {error}") from error


def _number(text: str, where: str) -> float | None:
    """A cell's number, None for an empty one."""
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise DataError(f"{where!r} has {text[:20]!r} where a number belongs; write it with a point, such as 2.5.")
    return value


def _start(seconds: float | None) -> float | None:
    """To compare by: spreadsheets round."""
    return None if seconds is None else round(seconds, 3)


def _clip(file: Path, name: str, said: Judgement, row: Mapping[Any, str], where: str) -> NewClip:
    place = {key: _number(row[key], where) for key in ("start_s", "end_s")}
    kept = {key: row[key] or None for key in ("fold", "group", "recording")}
    return NewClip(file, name, said, **kept, **place)  # type: ignore[arg-type]


def _inside(root: Path, name: str, where: str) -> Path:
    """The file called `name` below `root`: a table may come from a stranger, and must not fetch this machine's own files."""
    relative = PurePosixPath(name.replace("\\", "/"))
    if leads_out(relative):
        raise DataError(f"{where!r} names the file {name!r}, which leads out of the folder; only names inside it are allowed.")
    file = root / relative
    if not os.path.isfile(file):  # which takes a name that is too long for one that isn't there
        raise DataError(f"{where!r} names the file {name!r}, which isn't in {str(root)!r}; put the audio beside it.")
    return file


def _file_names(entries: Sequence[Entry]) -> dict[int, str]:
    """A file name for each clip by id: its own where nobody else has it."""
    wanted = {}
    for entry in entries:
        own = PurePosixPath(entry.name).name
        wanted[entry.id] = _safe(own if own.lower().endswith(entry.path.suffix) else own + entry.path.suffix)
    return _distinct(wanted)


def _distinct(wanted: Mapping[Any, str]) -> dict[Any, str]:
    """The same names with a number before the ending where several want one; compared without capitals, as some disks do."""
    taken, found = set[str](), {}
    for key, name in wanted.items():
        path, chosen = PurePosixPath(name), name
        for number in count(2):
            if chosen.casefold() not in taken:
                break
            chosen = f"{path.stem} ({number}){path.suffix}"
        taken.add(chosen.casefold())
        found[key] = chosen
    return found


def _safe(name: str) -> str:
    """A name that every system takes as one file or folder."""
    return _UNSAFE.sub("_", name).strip(" .") or "_"


def require_new_folder(into: Path) -> None:
    """Raises DataError for a file, and for a folder that isn't empty."""
    if into.exists() and not into.is_dir():
        raise DataError(f"{str(into)!r} is a file; this format needs a new folder.")
    if into.is_dir() and any(into.iterdir()):
        raise DataError(f"the folder {str(into)!r} isn't empty; export into a new one.")


def _new_folder(into: Path) -> None:
    require_new_folder(into)
    into.mkdir(parents=True, exist_ok=True)


def _copy(entry: Entry, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.path, target)
    except OSError as error:
        raise DataError(f"clip {entry.name!r} can't be copied ({error.strerror}); check the project and the free space.") from error


def _line(label: str) -> str:
    return " ".join(label.split())


def _text(value: Any) -> str:
    return "" if value is None else str(value)
