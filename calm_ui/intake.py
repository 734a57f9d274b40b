"""The ways in: what a visitor hands over is laid out as files of theirs and read as a data set. Knows no components."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from calm_core.dataset import Clip, Dataset, require_class_name
from calm_core.errors import DataError
from calm_core.library.records import Entry
from calm_core.readers import read_csv, read_folder, read_unlabelled, read_zip, zip_bytes
from calm_core.tables import TABLE_SUFFIXES
from calm_core.workspace import Workspace

from .folder_drop import ReceivedFile, ReceivedFolder, place, received_files

EXAMPLES = Path(__file__).resolve().parents[1] / "assets" / "examples"
EXAMPLE_SUPPORT = EXAMPLES / "support"  # class folders
EXAMPLE_QUERIES = EXAMPLES / "queries"
EXAMPLE_MODEL = EXAMPLES / "example.safetensors"


def from_folders(value: object, into: Path) -> Dataset:
    """Class folders from the drop zone; what stayed in the browser is listed as ignored."""
    received = received_files(value)
    aside = [(name, "not an audio file") for name in received.skipped] + [
        (name, "the upload failed; drop it again") for name in received.failed
    ]
    if not received.files:
        raise DataError("there is no audio in that folder. Drop folders of WAV, FLAC, MP3, M4A or other recordings, one per class.")
    found = read_folder(place(received, into))
    return Dataset(found.clips, (*found.ignored, *aside))


def from_files(paths: Sequence[Path], into: Path) -> Dataset:
    """ZIPs of class folders, and loose audio with its table (file_name,label), in any mix."""
    parts = [read_zip(path, into / f"zip{i}") for i, path in enumerate(paths) if path.suffix.lower() == ".zip"]
    loose = [path for path in paths if path.suffix.lower() != ".zip"]
    if loose:
        parts.append(_loose(loose, into / "these files"))  # its name may stand in a sentence
    return Dataset(tuple(clip for part in parts for clip in part.clips), tuple(entry for part in parts for entry in part.ignored))


def _loose(paths: Sequence[Path], into: Path) -> Dataset:
    """Audio files with the table that gives their classes."""
    tables = [path.name for path in paths if path.suffix.lower() in TABLE_SUFFIXES]
    if not tables:
        one = f"{paths[0].name!r} comes" if len(paths) == 1 else f"these {len(paths)} clips come"
        raise DataError(
            f"{one} without a class: choose the table (file_name,label) together with the clips, or add them below, one class at a time."
        )
    folder = keep(paths, into)
    if len(tables) > 1:
        return read_folder(folder)
    found = read_csv(folder / tables[0])
    used = {folder / tables[0], *(clip.path for clip in found.clips)}
    aside = [(file.name, f"not listed with a label in {tables[0]}") for file in sorted(folder.iterdir()) if file not in used]
    return Dataset(found.clips, (*found.ignored, *aside))


def bytes_needed(paths: Sequence[Path]) -> int:
    """The room that `from_files` and `from_class` need for uploads, ZIPs as unpacked. Raises DataError for a ZIP that isn't whole."""
    return sum(zip_bytes(path) if path.suffix.lower() == ".zip" else path.stat().st_size for path in paths if path.is_file())


def from_class(label: str | None, paths: Sequence[Path], recording: Path | None, into: Path) -> Dataset:
    """Recordings of one class."""
    label = (label or "").strip()
    require_class_name(label)
    if not paths and recording is None:
        raise DataError(f"there is no clip of {label!r} yet: choose files or record one, then add.")
    found = read_unlabelled([keep(paths, into, recording)])
    return Dataset(tuple(Clip(clip.path, f"{label}/{clip.name}", label) for clip in found.clips), found.ignored)


def from_examples() -> Dataset:
    """The example clips that come with the program."""
    if not EXAMPLE_SUPPORT.is_dir():
        raise DataError("the example clips aren't part of this installation (assets/examples/support is missing); add clips of your own.")
    return read_folder(EXAMPLE_SUPPORT)


def labelled(entries: Sequence[Entry]) -> list[Entry]:
    """The clips of a project that a person labelled, those left out among them."""
    return [entry for entry in entries if entry.learnable or (entry.state == "excluded" and entry.label is not None)]


def from_labels(entries: Sequence[Entry], into: Path) -> Dataset:
    """The labelled clips of a project, those left out as such, as links or copies: the project keeps its own."""
    taught = labelled(entries)
    keep(list(dict.fromkeys(entry.path for entry in taught)), into)  # windows of one recording may share a file
    return Dataset(tuple(Clip(into / entry.path.name, entry.name, entry.label, entry.fold, not entry.learnable) for entry in taught))


def for_project(workspace: Workspace) -> tuple[Clip, ...]:
    """The clips that a labelling project begins with: the usable ones, and those left out, as such."""
    return tuple(check.clip for check in (*workspace.usable, *workspace.left_out))


def queries(paths: Sequence[Path], recording: Path | None, into: Path) -> Dataset:
    """Clips to predict."""
    if not paths and recording is None:
        raise DataError("there is nothing to predict yet: drop a clip or record one.")
    return read_unlabelled([keep(paths, into, recording)])


def example_queries() -> Dataset:
    """The example clips to predict."""
    if not EXAMPLE_QUERIES.is_dir():
        raise DataError("the example queries aren't part of this installation (assets/examples/queries is missing); drop a clip of yours.")
    return read_unlabelled([EXAMPLE_QUERIES])


def keep(paths: Sequence[Path], into: Path, recording: Path | None = None) -> Path:
    """Copies or links of uploaded files in `into`: uploads are deleted after a while, and the visitor's files when they are done.

    recording: from the microphone; browsers give all of them one name, so it's named after the time of day.
    """
    files = [ReceivedFile(path, PurePosixPath(path.name)) for path in paths]
    if recording is not None:
        files.append(ReceivedFile(recording, PurePosixPath(f"recording {datetime.now():%H.%M.%S}{recording.suffix}")))
    return place(ReceivedFolder(tuple(files)), into)
