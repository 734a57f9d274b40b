"""Folders, ZIPs and tables of clips become a `Dataset`: what is a clip of which class, and why everything else is none.

Nothing is dropped in silence: what is no clip is listed with the reason, except the litter of operating systems (`archive.is_litter`).
Knows names, not sound: whether a clip can be used is `dataset.preflight`'s to say.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from .archive import is_litter, unpack, unpacked_bytes
from .audio import AUDIO_SUFFIXES
from .dataset import Clip, Dataset, Ignored, clip_name, require_class_name, tidy_label
from .errors import DataError
from .tables import TABLE_SUFFIXES, labels_table, read_rows

ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
SPLIT_NAMES = frozenset({"train", "training", "test", "validation", "valid", "val", "dev"})

_HOW_TO = "Put the clips of each class in a folder named after it (owl/01.wav, bat/01.wav), or add a metadata.csv with file_name,label."


def read(path: Path, workdir: Path | None = None) -> Dataset:
    """Read a folder, a .zip or a .csv/.tsv table of labelled clips.

    workdir: a ZIP is unpacked into a new folder in here, by default in the system's temporary folder. That folder is the caller's
        to delete once the clips are no longer needed. Raises DataError for anything else, and as the three readers do.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        return read_folder(path)
    if not path.exists():
        raise DataError(f"{path.name!r} doesn't exist; check the path {str(path)!r}.")
    if suffix in TABLE_SUFFIXES:
        return read_csv(path)
    if suffix == ".zip":
        into = Path(tempfile.mkdtemp(prefix="clips-", dir=workdir))
        try:
            return read_zip(path, into)
        except DataError:
            shutil.rmtree(into, ignore_errors=True)
            raise
    if suffix in AUDIO_SUFFIXES:
        raise DataError(f"{path.name!r} is a single recording without a class. {_HOW_TO}")
    raise DataError(f"{path.name!r} can't be read as clips; give a folder, a .zip or a .csv table. {_HOW_TO}")


def read_folder(root: Path, called: str | None = None, skipped: Sequence[Ignored] = ()) -> Dataset:
    """Read labelled clips from a folder, in a fixed order. Links to folders aren't followed. Three layouts:

    - a table: `metadata.csv`, or else the only .csv/.tsv with a file and a label column, directly in the root (see `read_csv`);
    - class folders: the class is the first-level folder, however deep the clip lies in it;
    - Hugging Face audiofolder: when the first-level folders are all called train, test, validation, valid, val or dev and one of them
      has folders or a table of its own, each is read as a root; a class found in several of them is one class.

    A root that holds a single folder and no audio is unwrapped, again and again, for a ZIP of a folder looks so. The exception is
    a folder with clips lying in it and fewer than two class folders beside them: that is one class. Class names are NFC-normalised
    and stripped. Raises DataError if there is no labelled clip, and for a class name that is too long.
    called: what messages call it; skipped: what is known to be no clip already, as `unpack_zip` tells it.
    """
    if not root.is_dir():
        raise DataError(f"{root.name!r} isn't a folder; choose a folder of clips. {_HOW_TO}")
    top = _unwrap(root)
    files, ignored = _walk(root)
    ignored += skipped
    clips: list[Clip] = []
    tables: list[Path] = []
    for part in _parts(top):
        if table := _labels_table(part):
            tables.append(table)
            found, bad_rows = read_rows(table, part, top)
            clips += found
            ignored += bad_rows
        else:
            clips += _class_folder_clips(part, top, files)
            ignored += [(clip_name(folder, top) + "/", "no audio in this class folder") for folder in _silent_folders(part, files)]

    used = {clip.path for clip in clips} | set(tables)
    ignored += [(clip_name(file, top), _why_no_clip(file, tables)) for file in files if file not in used]
    return _dataset(clips, ignored, called or root.resolve().name)


def read_csv(csv_path: Path, root: Path | None = None) -> Dataset:
    """Read labelled clips from a table with the columns file_name and label, in the order of its rows.

    The file column may also be called filename, file or path, the label column class or category; a column fold is kept, and a clip
    whose column state says "excluded" is left out, as in our own exports. UTF-8, with or without a byte-order mark; comma, semicolon or
    tab. File names are relative to `root`, by default the table's folder. A row without a label, whose file isn't there, or whose label
    nobody is sure of (state "uncertain", judge "machine") is ignored with a reason that names it. Raises DataError for a table without
    these columns, for a file name that leads out of `root`, for a class name that is too long, and if no row gives a clip.
    """
    root = csv_path.parent if root is None else root
    clips, ignored = read_rows(csv_path, root, root)
    return _dataset(clips, ignored, csv_path.name)


def read_unlabelled(paths: Sequence[Path], skipped: Sequence[Ignored] = ()) -> Dataset:
    """Clips without labels from files and folders, for prediction: a folder gives all audio in it, named relative to that folder.

    skipped: as for `read_folder`. Raises DataError for a path that doesn't exist, and if there is no audio at all.
    """
    clips: list[Clip] = []
    ignored: list[Ignored] = [*skipped]
    for path in paths:
        if not path.exists():
            raise DataError(f"{path.name!r} doesn't exist; check the path {str(path)!r}.")
        files, closed = _walk(path) if path.is_dir() else ([path], [])
        base = path if path.is_dir() else path.parent
        clips += [Clip(file, clip_name(file, base), None) for file in files if _is_audio(file)]
        ignored += closed + [(clip_name(file, base), _why_no_clip(file, [])) for file in files if not _is_audio(file)]
    if not clips:
        raise DataError(f"there is no audio in what was given.{_first_ignored(ignored)} Add WAV, FLAC, MP3, M4A or other recordings.")
    return Dataset(tuple(clips), tuple(ignored))


def read_zip(zip_path: Path, into: Path) -> Dataset:
    """Unpack the audio and tables of a ZIP into the new or empty folder `into`, then read it as `read_folder` does.

    Every other entry stays packed and is ignored with a reason, and so is an entry that is damaged. Raises DataError as
    `archive.unpack` and `read_folder` do.
    """
    return read_folder(into, zip_path.name, unpack_zip(zip_path, into))


def unpack_zip(zip_path: Path, into: Path, also: Collection[str] = ()) -> list[Ignored]:
    """Unpack the audio and tables of a ZIP, and files called as in `also`, into the new or empty folder `into`, without reading them.

    Returns what stays packed, with reasons.
    """
    return unpack(zip_path, into, lambda path: "" if path.name in also else _why_packed(path))


def zip_bytes(zip_path: Path) -> int:
    """The room that `read_zip` needs for what it unpacks. Raises DataError for a file that isn't a whole ZIP."""
    return unpacked_bytes(zip_path, _why_packed)


# ---- folders ---------------------------------------------------------------------------------------------------------------


def _is_audio(file: Path | PurePosixPath) -> bool:
    return file.suffix.lower() in AUDIO_SUFFIXES


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and not is_litter(name)


def _walk(root: Path) -> tuple[list[Path], list[Ignored]]:
    """All files under `root`, sorted, without litter; what is hidden, a link to a folder or a closed folder comes back as ignored."""
    files: list[Path] = []
    ignored: list[Ignored] = []

    def closed(error: OSError) -> None:
        ignored.append((clip_name(Path(error.filename), root), f"can't be opened ({error.strerror})"))

    for folder, subfolders, names in os.walk(root, onerror=closed):
        here = Path(folder)
        ignored += [(clip_name(here / name, root), "hidden") for name in subfolders + names if name.startswith(".") and not is_litter(name)]
        subfolders[:] = filter(_is_visible, subfolders)
        linked = [name for name in subfolders if (here / name).is_symlink()]  # os.walk lists them but doesn't enter
        ignored += [(clip_name(here / name, root), "a link to a folder; copy the folder itself") for name in linked]
        files += [here / name for name in filter(_is_visible, names)]
    return sorted(files, key=lambda file: file.relative_to(root).parts), sorted(ignored)


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The visible (folders, files) directly in `folder`, sorted; links to folders are neither."""
    _, folders, files = next(os.walk(folder), ("", [], []))  # a closed folder shows nothing; `_walk` says that it is closed
    inside = [[folder / name for name in sorted(names) if _is_visible(name)] for names in (folders, files)]
    return [entry for entry in inside[0] if not entry.is_symlink()], [entry for entry in inside[1] if entry.is_file()]


def _labels_table(folder: Path) -> Path | None:
    return labels_table(_entries(folder)[1])


def _holds_audio(folder: Path) -> bool:
    return any(_is_audio(file) for file in _walk(folder)[0])


def _unwrap(root: Path) -> Path:
    while True:
        folders, files = _entries(root)
        if len(folders) != 1 or any(map(_is_audio, files)) or _labels_table(root):
            return root
        inner_folders, inner_files = _entries(folders[0])
        is_one_class = any(map(_is_audio, inner_files)) and sum(map(_holds_audio, inner_folders)) < 2
        if is_one_class and not _labels_table(folders[0]):
            return root
        root = folders[0]


def _parts(top: Path) -> list[Path]:
    """The folders to read as roots: `top` itself, or its train, test, ... folders."""
    folders, files = _entries(top)
    named_so = bool(folders) and all(folder.name.casefold() in SPLIT_NAMES for folder in folders)
    if not named_so or any(map(_is_audio, files)) or _labels_table(top):
        return [top]
    return folders if any(_entries(folder)[0] or _labels_table(folder) for folder in folders) else [top]


def _class_folder_clips(part: Path, top: Path, files: Iterable[Path]) -> Iterator[Clip]:
    for file in files:
        inside = file.relative_to(part).parts if file.is_relative_to(part) else ()
        if len(inside) > 1 and _is_audio(file) and (label := tidy_label(inside[0])):
            yield Clip(file, clip_name(file, top), label)


def _silent_folders(part: Path, files: Iterable[Path]) -> list[Path]:
    heard = {part / file.relative_to(part).parts[0] for file in files if file.is_relative_to(part) and _is_audio(file)}
    return [folder for folder in _entries(part)[0] if folder not in heard]


def _why_no_clip(file: Path | PurePosixPath, tables: Sequence[Path]) -> str:
    suffix = file.suffix.lower()
    if suffix in ARCHIVE_SUFFIXES:
        return "an archive inside; unpack it first"
    if suffix not in AUDIO_SUFFIXES:
        return "not an audio file"
    table = next((table.name for table in tables if file.is_relative_to(table.parent)), None)
    return f"not listed with a label in {table}" if table else "not in a class folder"


def _why_packed(path: PurePosixPath) -> str:
    return "" if _is_audio(path) or path.suffix.lower() in TABLE_SUFFIXES else _why_no_clip(path, [])


def _first_ignored(ignored: Sequence[Ignored]) -> str:
    if not ignored:
        return ""
    many = "1 entry was ignored:" if len(ignored) == 1 else f"{len(ignored)} entries were ignored, the first is"
    return f" {many} {ignored[0][0]!r}: {ignored[0][1]}."


def _dataset(clips: Sequence[Clip], ignored: Sequence[Ignored], what: str) -> Dataset:
    if not clips:
        raise DataError(f"{what!r} holds no labelled clip.{_first_ignored(ignored)} {_HOW_TO}")
    for label in {clip.label for clip in clips if clip.label is not None}:
        require_class_name(label)
    return Dataset(tuple(clips), tuple(ignored))
