"""Labels as places in recordings, and back: Audacity's label tracks and Raven's selection tables. They know no more than that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from ..errors import DataError
from ..library.records import Entry, Judgement
from .files import distinct, new_folder, safe_name
from .rows import has_place, read_csv

_RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")


@dataclass(frozen=True, slots=True)
class Region:
    """A labelled stretch of a recording, in seconds. recording: its file name, "" where the format doesn't say."""

    start_s: float
    end_s: float
    label: str
    recording: str = ""


def regions(entries: Sequence[Entry]) -> dict[str, list[tuple[Entry, Region]]]:
    """The labelled stretches of every recording, in time; a clip that is a recording of its own is one stretch, from 0 to its end.

    Excluded clips, and those without a class, aren't there. Recordings of the same name are one.
    """
    found: dict[str, list[tuple[Entry, Region]]] = defaultdict(list)
    for entry in entries:
        if has_place(entry, "raven"):
            start, end = entry.start_s or 0.0, entry.end_s if entry.end_s is not None else (entry.seconds or 0.0)
            name = entry.recording or entry.name
            found[name].append((entry, Region(start, end, str(entry.label), name)))
    return {name: sorted(rows, key=lambda row: (row[1].start_s, row[1].end_s, row[1].label)) for name, rows in sorted(found.items())}


def audacity(entries: Sequence[Entry]) -> dict[str, str]:
    """An Audacity label track for every recording: lines of start, end (s) and label, tab-separated."""
    return {name: audacity_track([region for _, region in rows]) for name, rows in regions(entries).items()}


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
    new_folder(into)
    for name, file in distinct({name: track_name(name) + ".txt" for name in tracks}).items():
        (into / file).write_text(tracks[name], encoding="utf-8")


def track_name(recording: str) -> str:
    """What the label track of a recording is called, without its ending; the folder stays in it: 'owl/03.wav' gives 'owl_03'."""
    path = PurePosixPath(recording)
    return safe_name(str(path.parent / path.stem))


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
    rows = read_csv(path, "\t")
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


def _line(label: str) -> str:
    return " ".join(label.split())
