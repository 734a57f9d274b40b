"""Clips as files of an export: a new folder, names that every system takes, copies."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import DataError
from ..library.records import Entry

_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]')


def require_new_folder(into: Path) -> None:
    """Raises DataError for a file, and for a folder that isn't empty."""
    if into.exists() and not into.is_dir():
        raise DataError(f"{str(into)!r} is a file; this format needs a new folder.")
    if into.is_dir() and any(into.iterdir()):
        raise DataError(f"the folder {str(into)!r} isn't empty; export into a new one.")


def new_folder(into: Path) -> None:
    """Makes it. Raises DataError as `require_new_folder` does."""
    require_new_folder(into)
    into.mkdir(parents=True, exist_ok=True)


def file_names(entries: Sequence[Entry]) -> dict[int, str]:
    """A file name for each clip by id: its own where nobody else has it."""
    wanted = {}
    for entry in entries:
        own = PurePosixPath(entry.name).name
        wanted[entry.id] = safe_name(own if own.lower().endswith(entry.path.suffix) else own + entry.path.suffix)
    return distinct(wanted)


def distinct(wanted: Mapping[Any, str]) -> dict[Any, str]:
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


def safe_name(name: str) -> str:
    """A name that every system takes as one file or folder."""
    return _UNSAFE.sub("_", name).strip(" .") or "_"


def copy_clip(entry: Entry, target: Path) -> None:
    """Raises DataError where the disk refuses."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.path, target)
    except OSError as error:
        raise DataError(f"clip {entry.name!r} can't be copied ({error.strerror}); check the project and the free space.") from error
