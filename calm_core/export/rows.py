"""What a row says of a clip, in any of the formats: read as a judgement or a clip, and held against what is allowed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from ..archive import leads_out
from ..errors import DataError, ProjectError
from ..library.records import Entry, Judgement, NewClip

KEPT = ("name", "state", "judge", "judge_confidence", "fold", "group", "recording", "start_s", "end_s")  # what only we write


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


def has_place(entry: Entry, format: str) -> bool:
    """Whether the clip is written: tables take all, places in recordings those with a class, class folders those that nobody is
    uncertain about."""
    if format in ("audacity", "raven"):
        return entry.label is not None and entry.state in ("positive", "uncertain")
    return format != "class-folders" or entry.state == "positive"


def read_csv(path: Path, separator: str = ",", rows: int | None = None) -> pd.DataFrame:
    """All cells as text. Raises DataError for what is no table."""
    try:
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", nrows=rows)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path.name!r} can't be read as a table ({error}); save it again as UTF-8 text.") from error


def judgement(label: str, state: str, judge: str, confidence: str, where: str) -> Judgement:
    """What a row says. A label where the state is still "unlabelled", or there is none, was written into the table by a person."""
    if state in ("", "unlabelled"):
        return Judgement(label, "positive", "person") if label else Judgement()
    sure = number(confidence, where)
    try:
        return Judgement(label or None, state, judge or None, sure)  # type: ignore[arg-type]
    except ProjectError as error:
        raise DataError(f"{where!r} has a row that makes no sense: {error}") from error


def number(text: str, where: str) -> float | None:
    """A cell's number, None for an empty one."""
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise DataError(f"{where!r} has {text[:20]!r} where a number belongs; write it with a point, such as 2.5.")
    return value


def new_clip(file: Path, name: str, said: Judgement, row: Mapping[Any, str], where: str) -> NewClip:
    """A row's clip, said of it what `judgement` read."""
    place = {key: number(row[key], where) for key in ("start_s", "end_s")}
    kept = {key: row[key] or None for key in ("fold", "group", "recording")}
    return NewClip(file, name, said, **kept, **place)  # type: ignore[arg-type]


def file_inside(root: Path, name: str, where: str) -> Path:
    """The file called `name` below `root`: a table may come from a stranger, and must not fetch this machine's own files."""
    relative = PurePosixPath(name.replace("\\", "/"))
    if leads_out(relative):
        raise DataError(f"{where!r} names the file {name!r}, which leads out of the folder; only names inside it are allowed.")
    file = root / relative
    if not os.path.isfile(file):  # which takes a name that is too long for one that isn't there
        raise DataError(f"{where!r} names the file {name!r}, which isn't in {str(root)!r}; put the audio beside it.")
    return file
