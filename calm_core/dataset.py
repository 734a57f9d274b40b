"""Folders, ZIPs and tables of clips become a list of labelled clips; a preflight tells, before any model runs, which can be used.

Nothing is dropped in silence: what is no clip is listed with the reason, except the litter of operating systems
(`archive.is_litter`). This room knows no tensors and no model.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import tempfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from .archive import is_litter, leads_out, unpack, unpacked_bytes
from .audio import AUDIO_SUFFIXES, ClipError, ClipStatus, load
from .errors import DataError

MAX_HEADER_CHARS = 65_536  # of a table's first line: a stray file called .csv may be one endless line
IMBALANCE_RATIO = 4  # largest class to smallest, in clips
MAX_CLASS_NAME_CHARS = 60  # longer ones burst every table and figure

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
FILE_COLUMNS = ("file_name", "filename", "file", "path")
LABEL_COLUMNS = ("label", "class", "category")
EXCLUDED = "excluded"  # in a column state: left out by a person, who keeps its label
SPLIT_NAMES = frozenset({"train", "training", "test", "validation", "valid", "val", "dev"})
BACKGROUND_WORDS = frozenset({"background", "noise", "other", "silence", "none", "nothing", "negative", "unknown", "ambient"})

_HOW_TO = "Put the clips of each class in a folder named after it (owl/01.wav, bat/01.wav), or add a metadata.csv with file_name,label."

Ignored = tuple[str, str]  # name, why
Progress = Callable[[int, int, str], object]  # done, total, what


@dataclass(frozen=True, slots=True)
class Clip:
    """One file of sound. `name` is what people see, relative to the root ("owl/03.wav"); `label` is None where nobody gave one.

    excluded: a person left it out: nothing is learned from it, and it keeps its label.
    """

    path: Path
    name: str
    label: str | None
    fold: str | None = None
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a folder, ZIP or table holds: its clips, and the (name, why) of everything that isn't one."""

    clips: tuple[Clip, ...]
    ignored: tuple[Ignored, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The labels that occur, sorted; a label's index is its place here."""
        return tuple(sorted({clip.label for clip in self.clips if clip.label is not None}))


@dataclass(frozen=True, slots=True)
class ClipCheck:
    """One row of the preflight table. `reason` is "" where there is nothing to say; the sizes are None where the file couldn't be read so
    far.

    alone: status and reason of the clip by itself, None where neither other clips nor a person changed them.
    """

    clip: Clip
    status: ClipStatus
    reason: str
    seconds: float | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    content_id: str | None = None
    alone: tuple[ClipStatus, str] | None = None

    @property
    def usable(self) -> bool:
        return self.status in (ClipStatus.OK, ClipStatus.CLIPPED)


# ---- reading ---------------------------------------------------------------------------------------------------------------


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


def read_folder(root: Path) -> Dataset:
    """Read labelled clips from a folder, in a fixed order. Links to folders aren't followed. Three layouts:

    - a table: `metadata.csv`, or else the only .csv/.tsv with a file and a label column, directly in the root (see `read_csv`);
    - class folders: the class is the first-level folder, however deep the clip lies in it;
    - Hugging Face audiofolder: when the first-level folders are all called train, test, validation, valid, val or dev and one of them
      has folders or a table of its own, each is read as a root; a class found in several of them is one class.

    A root that holds a single folder and no audio is unwrapped, again and again, for a ZIP of a folder looks so. The exception is
    a folder with clips lying in it and fewer than two class folders beside them: that is one class. Class names are NFC-normalised
    and stripped. Raises DataError if there is no labelled clip, and for a class name that is too long.
    """
    if not root.is_dir():
        raise DataError(f"{root.name!r} isn't a folder; choose a folder of clips. {_HOW_TO}")
    return _read_tree(root, root.resolve().name, ())


def read_csv(csv_path: Path, root: Path | None = None) -> Dataset:
    """Read labelled clips from a table with the columns file_name and label, in the order of its rows.

    The file column may also be called filename, file or path, the label column class or category; a column fold is kept, and a clip
    whose column state says "excluded" is left out, as in our own exports. UTF-8, with or without a byte-order mark; comma, semicolon or
    tab. File names are relative to `root`, by default the table's folder. A row without a label, whose file isn't there, or whose label
    nobody is sure of (state "uncertain", judge "machine") is ignored with a reason that names it. Raises DataError for a table without
    these columns, for a file name that leads out of `root`, for a class name that is too long, and if no row gives a clip.
    """
    root = csv_path.parent if root is None else root
    clips, ignored = _read_rows(csv_path, root, root)
    return _dataset(clips, ignored, csv_path.name)


def read_unlabelled(paths: Sequence[Path]) -> Dataset:
    """Clips without labels from files and folders, for prediction: a folder gives all audio in it, named relative to that folder.

    Raises DataError for a path that doesn't exist, and if there is no audio at all.
    """
    clips: list[Clip] = []
    ignored: list[Ignored] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path.name!r} doesn't exist; check the path {str(path)!r}.")
        files, skipped = _walk(path) if path.is_dir() else ([path], [])
        base = path if path.is_dir() else path.parent
        clips += [Clip(file, _name(file, base), None) for file in files if _is_audio(file)]
        ignored += skipped + [(_name(file, base), _why_no_clip(file, [])) for file in files if not _is_audio(file)]
    if not clips:
        raise DataError(f"there is no audio in what was given.{_first_ignored(ignored)} Add WAV, FLAC, MP3, M4A or other recordings.")
    return Dataset(tuple(clips), tuple(ignored))


def read_zip(zip_path: Path, into: Path) -> Dataset:
    """Unpack the audio and tables of a ZIP into the new or empty folder `into`, then read it as `read_folder` does.

    Every other entry stays packed and is ignored with a reason, and so is an entry that is damaged. Raises DataError as
    `archive.unpack` and `read_folder` do.
    """
    ignored = unpack(zip_path, into, _why_packed)
    return _read_tree(into, zip_path.name, ignored)


def unpack_zip(zip_path: Path, into: Path, also: Collection[str] = ()) -> None:
    """Unpack the audio and tables of a ZIP, and files called as in `also`, into the new or empty folder `into`, without reading them."""
    unpack(zip_path, into, lambda path: "" if path.name in also else _why_packed(path))


def zip_bytes(zip_path: Path) -> int:
    """The room that `read_zip` needs for what it unpacks. Raises DataError for a file that isn't a whole ZIP."""
    return unpacked_bytes(zip_path, _why_packed)


def require_class_name(label: str) -> None:
    """Raises DataError for no name, and for one that is too long to be shown."""
    if not label:
        raise DataError("the class has no name: write what is heard in its clips, for example 'owl'.")
    if len(label) > MAX_CLASS_NAME_CHARS:
        raise DataError(
            f"the class name '{label[:MAX_CLASS_NAME_CHARS]}…' has {len(label)} characters; at most {MAX_CLASS_NAME_CHARS} are allowed. "
            "Shorten it."
        )


# ---- checking --------------------------------------------------------------------------------------------------------------


def preflight(clips: Sequence[Clip], *, known: Sequence[ClipCheck] = (), progress: Progress | None = None) -> tuple[ClipCheck, ...]:
    """Decode every clip once and judge it, alone and against the others; one row per clip, in order. Never stops at a bad clip.

    The same audio under two labels is a CONFLICT in all its copies, for nobody but the user knows which label is right. The same audio
    again under one label is a DUPLICATE in all copies but the first. A clip that a person left out is EXCLUDED; it conflicts with none and
    makes none a duplicate, but a copy that is used in its place says so. Only readable, otherwise usable clips are compared.
    known: earlier checks; a clip of the same file and name isn't decoded again, whatever its label is now.
    progress: called as progress(done, total, clip name) after each clip; whatever it raises (Cancelled) ends the preflight.
    """
    before = {(check.clip.path, check.clip.name): check for check in known}
    checks = []
    for done, clip in enumerate(clips, start=1):
        earlier = before.get((clip.path, clip.name))
        checks.append(_check(clip) if earlier is None or not clip.path.is_file() else _check_again(earlier, clip))
        if progress is not None:
            progress(done, len(clips), clip.name)

    copies: dict[str, list[Clip]] = defaultdict(list)
    for check in checks:
        if check.content_id is not None:
            copies[check.content_id].append(check.clip)
    return tuple(check if check.content_id is None else _compare(check, copies[check.content_id]) for check in checks)


def advice(checks: Sequence[ClipCheck]) -> tuple[str, ...]:
    """What to do for a better classifier, one sentence or two each; nothing here forbids to go on. Unlabelled clips don't count."""
    usable = Counter(check.clip.label for check in checks if check.usable and check.clip.label is not None)
    names = sorted({check.clip.label for check in checks if check.clip.label is not None and not check.clip.excluded})
    lines = []
    if len(usable) < 2:
        have = f"only {next(iter(usable))!r} has usable clips" if usable else "no class has a usable clip"
        lines.append(f"At least two classes are needed, {have}: add clips of another sound.")
    lines += [f"No clip of {name!r} can be used: mend or replace them, or leave the class out." for name in names if not usable[name]]
    lines += [f"{name!r} has a single usable clip: record more of it." for name in names if usable[name] == 1]
    if len(usable) >= 2:
        (largest, most), (smallest, fewest) = usable.most_common()[0], usable.most_common()[-1]
        if most > IMBALANCE_RATIO * fewest:
            lines.append(f"{largest!r} has {most} usable clips, {smallest!r} only {fewest}: record more of {smallest!r}.")
    by_case: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_case[name.casefold()].append(name)
    lines += [f"{' and '.join(map(repr, same))} differ only in capitals: is it one class?" for same in by_case.values() if len(same) > 1]
    if names and not any(BACKGROUND_WORDS & set(re.findall(r"[^\W_]+", name.casefold())) for name in names):
        lines.append(
            "Tip: add a class 'background' with clips of nothing in particular, so that the classifier can tell your sounds from the rest."
        )
    return tuple(lines)


def split_support(
    labels: Sequence[str], groups: Sequence[Hashable], shots: int, rng: np.random.Generator, *, min_rest: int = 1
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw a few-shot split: (support, rest), sorted indices into `labels`; the same `rng` state gives the same split.

    From every class `shots` groups are drawn, and from each of them one clip. `groups` (one per clip) says which clips come from one
    recording, bird or speaker; all clips of a drawn group, of whatever class, are kept out of the rest, so that the rest never meets
    a voice it learned from. With one group per clip this is the plain k-shot split.

    Raises DataError if a class has fewer than `shots` groups, or fewer than `min_rest` clips would be left of it.
    """
    if shots < 1:
        raise DataError(f"{shots} clips per class were asked for; at least 1 is needed.")
    members: dict[str, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        members[label][group].append(i)

    support: list[int] = []
    for label in sorted(members):
        by_group = list(members[label].values())
        if len(by_group) < shots:
            raise DataError(f"class {label!r} has {len(by_group)} independent clips; {shots} are needed. Add clips or ask for fewer.")
        support += [int(rng.choice(by_group[g])) for g in rng.choice(len(by_group), size=shots, replace=False)]

    taken = {groups[i] for i in support}
    rest = [i for i, group in enumerate(groups) if group not in taken]
    left = Counter(labels[i] for i in rest)
    for label in sorted(members):
        if left[label] < min_rest:
            raise DataError(
                f"class {label!r} has {left[label]} clips left for testing after {shots} are taken to learn from;"
                f" at least {min_rest} must be left. Add clips or ask for fewer."
            )
    return np.array(sorted(support), dtype=np.intp), np.array(rest, dtype=np.intp)


def _check(clip: Clip) -> ClipCheck:
    try:
        recording = load(clip.path, None, name=clip.name)
    except ClipError as error:
        return ClipCheck(clip, error.status, str(error), error.seconds, error.sample_rate_hz, error.channels)
    return ClipCheck(
        clip,
        recording.status,
        "; ".join(recording.warnings),
        recording.seconds,
        recording.source_rate_hz,
        recording.source_channels,
        recording.content_id,
    )


def _check_again(earlier: ClipCheck, clip: Clip) -> ClipCheck:
    status, reason = earlier.alone or (earlier.status, earlier.reason)
    return replace(earlier, clip=clip, status=status, reason=reason, alone=None)


def _compare(check: ClipCheck, copies: Sequence[Clip]) -> ClipCheck:
    """`check` in the light of all clips with the same audio, itself among them, in order."""
    clip, alone = check.clip, (check.status, check.reason)
    if clip.excluded:
        reason = f"clip {clip.name!r} was left out by a person; take it back in to learn from it."
        return replace(check, status=ClipStatus.EXCLUDED, reason=reason, alone=alone)
    if clip.label is not None:
        other = next((copy for copy in copies if copy.label not in (None, clip.label) and not copy.excluded), None)
        if other is not None:
            reason = f"clip {clip.name!r} is also {other.name!r} of class {other.label!r}: keep the audio in one class only."
            return replace(check, status=ClipStatus.CONFLICT, reason=reason, alone=alone)
    same = [copy for copy in copies if copy.label == clip.label]
    first = next(copy for copy in same if not copy.excluded)
    if first is not clip:
        reason = f"clip {clip.name!r} is the same audio as {first.name!r}; one of them is enough."
        return replace(check, status=ClipStatus.DUPLICATE, reason=reason, alone=alone)
    if out := next((copy for copy in same if copy.excluded), None):
        remark = f"clip {clip.name!r} is used, and is the same audio as {out.name!r}, which was left out by a person: leave it out too?"
        return replace(check, reason="; ".join(filter(None, (check.reason, remark))), alone=alone)
    return check


# ---- folders ---------------------------------------------------------------------------------------------------------------


def _is_audio(file: Path | PurePosixPath) -> bool:
    return file.suffix.lower() in AUDIO_SUFFIXES


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and not is_litter(name)


def _name(file: Path, base: Path) -> str:
    return unicodedata.normalize("NFC", (file.relative_to(base) if file.is_relative_to(base) else Path(file.name)).as_posix())


def _tidy(label: str | None) -> str | None:
    return unicodedata.normalize("NFC", label).strip() or None if label else None


def _read_tree(root: Path, what: str, skipped: Sequence[Ignored]) -> Dataset:
    """`read_folder` for a folder that messages call `what`, and of which `skipped` is already known to be no clip."""
    top = _unwrap(root)
    files, ignored = _walk(root)
    ignored += skipped
    clips: list[Clip] = []
    tables: list[Path] = []
    for part in _parts(top):
        if table := _labels_table(part):
            tables.append(table)
            found, bad_rows = _read_rows(table, part, top)
            clips += found
            ignored += bad_rows
        else:
            clips += _class_folder_clips(part, top, files)
            ignored += [(_name(folder, top) + "/", "no audio in this class folder") for folder in _silent_folders(part, files)]

    used = {clip.path for clip in clips} | set(tables)
    ignored += [(_name(file, top), _why_no_clip(file, tables)) for file in files if file not in used]
    return _dataset(clips, ignored, what)


def _walk(root: Path) -> tuple[list[Path], list[Ignored]]:
    """All files under `root`, sorted, without litter; what is hidden, a link to a folder or a closed folder comes back as ignored."""
    files: list[Path] = []
    ignored: list[Ignored] = []

    def closed(error: OSError) -> None:
        ignored.append((_name(Path(error.filename), root), f"can't be opened ({error.strerror})"))

    for folder, subfolders, names in os.walk(root, onerror=closed):
        here = Path(folder)
        ignored += [(_name(here / name, root), "hidden") for name in subfolders + names if name.startswith(".") and not is_litter(name)]
        subfolders[:] = filter(_is_visible, subfolders)
        linked = [name for name in subfolders if (here / name).is_symlink()]  # os.walk lists them but doesn't enter
        ignored += [(_name(here / name, root), "a link to a folder; copy the folder itself") for name in linked]
        files += [here / name for name in filter(_is_visible, names)]
    return sorted(files, key=lambda file: file.relative_to(root).parts), sorted(ignored)


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The visible (folders, files) directly in `folder`, sorted; links to folders are neither."""
    visible = sorted(entry for entry in folder.iterdir() if _is_visible(entry.name))
    folders = [entry for entry in visible if entry.is_dir() and not entry.is_symlink()]
    return folders, [entry for entry in visible if entry.is_file()]


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
        if len(inside) > 1 and _is_audio(file) and (label := _tidy(inside[0])):
            yield Clip(file, _name(file, top), label)


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


# ---- tables ----------------------------------------------------------------------------------------------------------------


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


def _labels_table(folder: Path) -> Path | None:
    """metadata.csv in `folder`, else its only table of labels; None if there is none. Raises DataError if there are several."""
    candidates = [file for file in _entries(folder)[1] if file.suffix.lower() in TABLE_SUFFIXES]
    tables = []
    for file in candidates:
        with file.open(encoding="utf-8-sig", errors="replace") as text:  # a stray table may be in any encoding; reading it is strict
            if _columns(text.readline(MAX_HEADER_CHARS)):
                tables.append(file)
    preferred = [file for file in tables if file.stem.casefold() == "metadata"]
    if preferred or len(tables) < 2:
        return next(iter(preferred + tables), None)
    raise DataError(f"there are {len(tables)} tables of labels ({', '.join(t.name for t in tables)}); keep one, as metadata.csv.")


def _read_rows(table: Path, root: Path, base: Path) -> tuple[list[Clip], list[Ignored]]:
    """The clips of a table whose file names are relative to `root`, named relative to `base`, and the rows that give none."""
    clips: list[Clip] = []
    ignored: list[Ignored] = []
    try:
        with table.open(encoding="utf-8-sig", newline="") as text:
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
                name, label = (cell(columns.file) or "").strip(), _tidy(cell(columns.label))
                file = _find(root, name, where) if name else None
                if not name or label is None:
                    ignored.append((name or where, f"{where}: no {'label' if name else 'file name'}"))
                elif file is None:
                    ignored.append((name, f"{where}: file not found"))
                elif cell(columns.state) == "uncertain":
                    ignored.append((name, f"{where}: its label is uncertain"))
                elif cell(columns.judge) == "machine":
                    ignored.append((name, f"{where}: its label is not confirmed"))
                else:
                    excluded = _tidy(cell(columns.state)) == EXCLUDED
                    clips.append(Clip(file, _name(file, base), label, _tidy(cell(columns.fold)), excluded))
    except UnicodeDecodeError as error:
        raise DataError(f"{table.name!r} isn't UTF-8 text; save it again, in Excel as 'CSV UTF-8'.") from error
    except csv.Error as error:
        raise DataError(f"{table.name!r} isn't a table that can be read ({error}); save it again as CSV.") from error
    except OSError as error:
        raise DataError(f"{table.name!r} can't be opened ({error.strerror or error}); check that it is there and may be read.") from error
    return clips, ignored


def _find(root: Path, name: str, where: str) -> Path | None:
    """The file called `name` under `root`, or None. Raises DataError if the name leads out of `root`."""
    relative = PurePosixPath(name.replace("\\", "/"))  # tables made on Windows
    if leads_out(relative):
        raise DataError(f"{where}: file name {name!r} leads out of the folder; only names inside it are allowed.")
    # A Mac writes é as two characters into file names, a table usually has one.
    spellings = (str(relative), unicodedata.normalize("NFC", str(relative)), unicodedata.normalize("NFD", str(relative)))
    return next((file for file in (root / spelling for spelling in spellings) if file.is_file()), None)
