"""Tables of labels (.csv, .tsv): which columns say what, and the clips that the rows name.

A row that gives no clip is listed with the reason. Knows no folders of classes, no ZIP and no sound.
"""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

from .archive import leads_out
from .dataset import Clip, Ignored, clip_name, tidy_label
from .errors import DataError

MAX_HEADER_CHARS = 65_536  # of a table's first line: a stray file called .csv may be one endless line

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
FILE_COLUMNS = ("file_name", "filename", "file", "path")
LABEL_COLUMNS = ("label", "class", "category")
EXCLUDED, UNCERTAIN = "excluded", "uncertain"  # in a column state: left out by a person, who keeps its label; of a label in doubt
MACHINE = "machine"  # in a column judge: nobody has confirmed the label


@dataclass(frozen=True, slots=True)
class _Columns:
    delimiter: str
    file: int
    label: int
    fold: int | None
    state: int | None
    judge: int | None


def _columns(header: str) -> _Columns | None:
    """Where the columns are in a table's first line, or None if it isn't a table of labels."""
    for delimiter in ",;\t":
        names = [name.strip().casefold() for name in next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])]
        file = next((names.index(name) for name in FILE_COLUMNS if name in names), None)
        label = next((names.index(name) for name in LABEL_COLUMNS if name in names), None)
        if file is not None and label is not None:
            return _Columns(delimiter, file, label, *(names.index(name) if name in names else None for name in ("fold", "state", "judge")))
    return None


def labels_table(files: Iterable[Path]) -> Path | None:
    """metadata.csv among a folder's files, else the only table of labels; None if there is none. Raises DataError if there are several."""
    tables = []
    for file in (file for file in files if file.suffix.lower() in TABLE_SUFFIXES):
        with _opened(file, errors="replace") as text:  # a stray table may be in any encoding; reading it is strict
            if _columns(text.readline(MAX_HEADER_CHARS)):
                tables.append(file)
    preferred = [file for file in tables if file.stem.casefold() == "metadata"]
    if preferred or len(tables) < 2:
        return next(iter(preferred + tables), None)
    raise DataError(f"there are {len(tables)} tables of labels ({', '.join(t.name for t in tables)}); keep one, as metadata.csv.")


def read_rows(table: Path, root: Path, base: Path) -> tuple[list[Clip], list[Ignored]]:
    """The clips of a table whose file names are relative to `root`, named relative to `base`, and the rows that give none."""
    clips: list[Clip] = []
    ignored: list[Ignored] = []
    try:
        with _opened(table) as text:
            columns = _columns(text.readline(MAX_HEADER_CHARS))
            if columns is None:
                raise DataError(f"{table.name!r} has no columns called file_name and label in its first line; add them.")
            rows = csv.reader(text, delimiter=columns.delimiter, skipinitialspace=True)
            for row in rows:
                if not any(cell.strip() for cell in row):
                    continue
                cells: dict[int | None, str] = dict(enumerate(row))
                cell = cells.get  # None for a column that isn't there
                where = f"{table.name!r} line {rows.line_num + 1}"
                name, label = (cell(columns.file) or "").strip(), tidy_label(cell(columns.label))
                file = _find(root, name, where) if name else None
                state, judge = ((tidy_label(cell(column)) or "").casefold() for column in (columns.state, columns.judge))
                if not name or label is None:
                    ignored.append((name or where, f"{where}: no {'label' if name else 'file name'}"))
                elif file is None:
                    ignored.append((name, f"{where}: file not found"))
                elif state == UNCERTAIN:
                    ignored.append((name, f"{where}: its label is uncertain"))
                elif judge == MACHINE:
                    ignored.append((name, f"{where}: its label is not confirmed"))
                else:
                    clips.append(Clip(file, clip_name(file, base), label, tidy_label(cell(columns.fold)), state == EXCLUDED))
    except UnicodeDecodeError as error:
        raise DataError(f"{table.name!r} isn't UTF-8 text; save it again, in Excel as 'CSV UTF-8'.") from error
    except csv.Error as error:
        raise DataError(f"{table.name!r} isn't a table that can be read ({error}); save it again as CSV.") from error
    return clips, ignored


@contextmanager
def _opened(table: Path, errors: str = "strict") -> Iterator[TextIO]:
    try:
        with table.open(encoding="utf-8-sig", errors=errors, newline="") as text:
            yield text
    except OSError as error:
        raise DataError(f"{table.name!r} can't be opened ({error.strerror or error}); check that it is there and may be read.") from error


def _find(root: Path, name: str, where: str) -> Path | None:
    """The file called `name` under `root`, or None. Raises DataError if the name leads out of `root`."""
    relative = PurePosixPath(name.replace("\\", "/"))  # tables made on Windows
    if leads_out(relative):
        raise DataError(f"{where}: file name {name!r} leads out of the folder; only names inside it are allowed.")
    # A Mac writes é as two characters into file names, a table usually has one.
    spellings = (str(relative), unicodedata.normalize("NFC", str(relative)), unicodedata.normalize("NFD", str(relative)))
    return next((file for file in (root / spelling for spelling in spellings) if os.path.isfile(file)), None)  # no name is too long for it
