"""Labels as a table, and back: our labels CSV, and a Hugging Face audiofolder with the audio beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ..errors import DataError
from ..library.records import Entry, Judgement, NewClip
from ..tables import LABEL_COLUMNS
from .files import copy_clip, distinct, file_names, new_folder, safe_name
from .rows import KEPT, Opinion, file_inside, has_place, judgement, new_clip, number, read_csv

Layout = Literal["folders", "metadata"]

_SCORE = "score: "


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
    columns = [file_column, "label", "predicted", "confidence", "margin", *(_SCORE + name for name in classes), *KEPT, "seconds", "sha256"]
    return pd.DataFrame(rows, columns=columns)


def write_csv(entries: Sequence[Entry], into: Path, opinions: Mapping[int, Opinion] | None = None) -> None:
    """The labels CSV; `path` is the clip's own name, as it came. Beside the audio `read_table` reads it; `match_labels` needs none."""
    table(entries, {e.id: e.name for e in entries}, opinions).to_csv(into, index=False)


def write_audiofolder(entries: Sequence[Entry], into: Path, layout: Layout = "metadata") -> None:
    """Copies clips into the new or empty folder `into` as a Hugging Face audiofolder.

    folders: train/<class>/x.wav, of the clips that have a class and aren't excluded; metadata: train/x.wav and train/metadata.csv with
    file_name, label and everything else, of all clips. Raises DataError for a folder that isn't empty.
    """
    new_folder(into)
    chosen = list(entries) if layout == "metadata" else [e for e in entries if has_place(e, "class-folders")]
    files = file_names(chosen)
    if layout == "folders":
        folders = distinct({name: safe_name(name) for name in sorted({str(e.label) for e in chosen})})
        files = {e.id: f"{folders[str(e.label)]}/{files[e.id]}" for e in chosen}
    for entry in chosen:
        copy_clip(entry, into / "train" / files[entry.id])
    if layout == "metadata":
        (into / "train").mkdir(exist_ok=True)
        table(chosen, files, file_column="file_name").to_csv(into / "train" / "metadata.csv", index=False)


def read_table(path: Path, root: Path | None = None) -> tuple[NewClip, ...]:
    """Clips of a labels CSV or of an audiofolder's metadata.csv that we wrote; files relative to `root`, by default the table's folder.

    Raises DataError for a table that isn't ours (`readers.read` takes those of others), or whose files aren't there.
    """
    rows = read_csv(path)
    column = next((name for name in ("path", "file_name") if name in rows.columns), None)
    if column is None or not {"label", *KEPT} <= set(rows.columns):
        raise DataError(f"{path.name!r} isn't a table that CALM Studio exported: it needs the columns path, label, {', '.join(KEPT)}.")
    home = root or path.parent
    found = []
    for row in rows.to_dict("records"):
        file = file_inside(home, row[column], path.name)
        said = judgement(row["label"], row["state"], row["judge"], row["judge_confidence"], path.name)
        found.append(new_clip(file, row["name"] or row[column], said, row, path.name))
    return tuple(found)


def is_our_table(path: Path) -> bool:
    """Whether `read_table` can read it; told by the first line, for tables of others may hold anything behind theirs."""
    return path.suffix.lower() == ".csv" and path.is_file() and set(KEPT) <= set(read_csv(path, rows=0).columns)


def match_labels(path: Path, entries: Sequence[Entry]) -> dict[int, Judgement]:
    """What a labels table says about clips that are here already, by audio where it has a column sha256, else by name; no file is read.
    What a machine says takes nothing back that a person said.

    Raises DataError for a table without labels, and where it speaks of none of the clips.
    """
    rows = read_csv(path)
    label = next((name for name in LABEL_COLUMNS if name in rows.columns), None)
    key = next((name for name in ("sha256", "name", "file_name", "path", "file") if name in rows.columns), None)
    if label is None or key is None:
        raise DataError(f"{path.name!r} has no column of labels, or none of names; it needs label and one of name, file_name, path.")
    by_key: dict[Any, list[Entry]] = defaultdict(list)
    ours = "start_s" in rows.columns
    for entry in entries:
        by_key[(entry.sha256 if key == "sha256" else entry.name, _start(entry.start_s) if ours else None)].append(entry)
    found: dict[int, Judgement] = {}
    known = filled = False
    for row in rows.to_dict("records"):
        there = by_key.get((row[key], _start(number(row["start_s"], path.name)) if ours else None), [])
        known = known or bool(there)
        said = judgement(row[label], row.get("state", ""), row.get("judge", ""), row.get("judge_confidence", ""), path.name)
        if said != Judgement():  # a row that nobody filled in takes nothing back
            filled = filled or bool(there)
            found |= {entry.id: said for entry in there if said.judge == "person" or entry.judgement.judge != "person"}
    if not known:
        raise DataError(f"{path.name!r} speaks of none of the project's {len(entries)} clips (compared by {key}); is it another project's?")
    if not filled:
        raise DataError(f"{path.name!r} knows clips of the project, but has no label for them; fill in the column {label!r}.")
    return found


def _start(seconds: float | None) -> float | None:
    """To compare by: spreadsheets round."""
    return None if seconds is None else round(seconds, 3)
