"""A ZIP from anywhere is unpacked into a folder, or refused with the reason: nothing lands outside, and no more than is allowed.

The caller says which files are worth unpacking. This room knows nothing of labels, tables or sound.
"""

from __future__ import annotations

import lzma
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from .errors import DataError

MAX_ZIP_ENTRIES = 20_000
MAX_ZIP_BYTES = 4 * 1024**3  # unpacked
MAX_ZIP_RATIO = 200  # unpacked to packed bytes; sound packs 2:1 or so, only long digital silence or a bomb packs like this
RATIO_FREE_BYTES = 1024**2  # entries up to this size may have any ratio
COPY_BYTES = 1024**2

_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, UnicodeDecodeError)  # zipfile raises them all


def unpack(zip_path: Path, into: Path, why_not: Callable[[PurePosixPath], str]) -> list[tuple[str, str]]:
    """Unpack a ZIP into the new or empty folder `into`; return the (name, why) of every file that isn't there afterwards.

    why_not: called with the path of each file in the ZIP; "" to have it, else the reason why it stays packed. Litter is passed over
        in silence, and empty folders are kept.

    An entry that is damaged is left out: one bad file costs only itself. Raises DataError, before anything is written, for a file that
    isn't a whole ZIP, for more than MAX_ZIP_ENTRIES entries or MAX_ZIP_BYTES unpacked, and for an entry that leads out of the folder,
    is a link, has a password, or unpacks beyond MAX_ZIP_RATIO.
    """
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise DataError(f"the folder {str(into)!r} isn't empty; unpack the ZIP into a new one.")
    with _opened(zip_path) as archive:
        return _unpack(archive, into, why_not)


def unpacked_bytes(zip_path: Path, why_not: Callable[[PurePosixPath], str]) -> int:
    """How much `unpack` would write, by the ZIP's own account, which `unpack` never exceeds. Raises DataError for what isn't a whole ZIP
    and for the entries that `unpack` refuses by their names."""
    with _opened(zip_path) as archive:
        files = [(entry.file_size, _safe_path(entry)) for entry in archive.infolist() if not entry.is_dir()]
        return sum(size for size, path in files if not any(map(is_litter, path.parts)) and not why_not(path))


def is_litter(name: str) -> bool:
    """Whether a file or folder called so is only an operating system's own: .DS_Store, Thumbs.db, desktop.ini, __MACOSX, ._ files."""
    return name.casefold() in _LITTER or name.startswith("._")


def leads_out(path: PurePosixPath) -> bool:
    """Whether a relative path from a stranger would leave the folder that it is meant for."""
    return path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", str(path)) is not None


@contextmanager
def _opened(zip_path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(zip_path) as archive:
            yield archive
    except _DAMAGED as error:
        raise DataError(f"{zip_path.name!r} isn't a whole ZIP file; it may be cut short. Make it or upload it again.") from error
    except OSError as error:
        raise DataError(f"{zip_path.name!r} can't be unpacked ({error.strerror or error}); check the file and the free space.") from error


def _unpack(archive: zipfile.ZipFile, into: Path, why_not: Callable[[PurePosixPath], str]) -> list[tuple[str, str]]:
    entries = archive.infolist()
    if len(entries) > MAX_ZIP_ENTRIES:
        raise DataError(f"the ZIP has {len(entries)} entries; at most {MAX_ZIP_ENTRIES} are allowed. Split it.")
    wanted: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    absent: list[tuple[str, str]] = []
    for entry in entries:
        path = _safe_path(entry)
        if any(map(is_litter, path.parts)):
            continue
        if reason := "" if entry.is_dir() else why_not(path):
            absent.append((str(path), reason))
        else:
            wanted.append((entry, path))
    _require_modest_size([entry for entry, _ in wanted])

    budget = MAX_ZIP_BYTES
    for entry, path in wanted:
        target = into / path
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)  # so that an empty folder is noticed
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            absent.append((str(path), "the ZIP has an entry of the same name before it"))
            continue
        try:
            budget = _copy(archive, entry, target, budget)
        except _DAMAGED:
            target.unlink(missing_ok=True)
            absent.append((str(path), "damaged inside the ZIP; make the ZIP again"))
    return absent


def _safe_path(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where the entry goes, relative to the folder. Raises DataError for a path that leads out of it, a link, or a password."""
    name = entry.orig_filename
    if not entry.flag_bits & 0x800:  # without the UTF-8 flag zipfile decodes as cp437, though Macs and Linux write UTF-8 all the same
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    path = PurePosixPath(unicodedata.normalize("NFC", name))
    if leads_out(path) or "\\" in name or "\0" in name:
        raise DataError(f"ZIP entry {name!r} leads out of the folder; only plain relative paths with '/' are allowed. Make the ZIP again.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise DataError(f"ZIP entry {name!r} is a link; only files and folders are allowed. Put the file itself into the ZIP.")
    if entry.flag_bits & 0x1:
        raise DataError(f"ZIP entry {name!r} has a password; make the ZIP again without one.")
    return path


def _require_modest_size(entries: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    if total > MAX_ZIP_BYTES:
        raise DataError(f"the ZIP unpacks to {total / 1024**3:.1f} GiB; at most {MAX_ZIP_BYTES / 1024**3:.1f} GiB is allowed. Split it.")
    for entry in entries:
        if entry.file_size > RATIO_FREE_BYTES and entry.file_size > MAX_ZIP_RATIO * entry.compress_size:
            ratio = entry.file_size / max(entry.compress_size, 1)
            raise DataError(
                f"ZIP entry {entry.filename!r} unpacks to {ratio:.0f} times its size; at most {MAX_ZIP_RATIO} is allowed."
                " It is digital silence or a trap: leave it out."
            )


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, budget: int) -> int:
    """Unpack one entry and return what is left of `budget`, in bytes: counted as written, for the sizes in a ZIP are only claims."""
    with archive.open(entry) as packed, target.open("xb") as unpacked:
        while block := packed.read(COPY_BYTES):
            budget -= len(block)
            if budget < 0:
                raise DataError(f"ZIP entry {entry.filename!r} takes the ZIP over {MAX_ZIP_BYTES / 1024**3:.1f} GiB unpacked. Split it.")
            unpacked.write(block)
    return budget
