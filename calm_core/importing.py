"""What comes into a project, from whatever holds it: clips with all that was said about them, pools, long recordings, files of labels.

The other way round is `export`. Reads and checks; what is read here is added by a `Labelling` or a `Project`. Knows no classifier.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import soundfile

from . import audio, export, readers
from .audio import ClipStatus
from .dataset import Clip, ClipCheck, Dataset, Ignored, Progress, preflight
from .errors import DataError
from .library.records import Entry, Judgement, NewClip

MAX_RECORDING_S = 4 * 3600.0  # of a recording that is cut into windows


def checked(clips: Sequence[NewClip], *, progress: Progress | None = None) -> tuple[list[NewClip], tuple[ClipCheck, ...]]:
    """The clips that can be used, or could if nobody had left them out, with their length and rate, and the checks of the others."""
    given = [Clip(clip.path, clip.name, clip.judgement.label, excluded=clip.judgement.state == "excluded") for clip in clips]
    checks = preflight(given, progress=progress)
    good, bad = list[NewClip](), list[ClipCheck]()
    for clip, check in zip(clips, checks, strict=True):
        # Windows of one recording may sound the same, and are clips of their own all the same.
        window = check.status is ClipStatus.DUPLICATE and clip.recording is not None
        if check.usable or check.status is ClipStatus.EXCLUDED or window:
            good.append(replace(clip, seconds=check.seconds, rate_hz=check.sample_rate_hz))
        else:
            bad.append(check)
    return good, tuple(bad)


def cut(path: Path, window_s: float, into: Path, *, name: str | None = None, max_seconds: float = MAX_RECORDING_S) -> tuple[NewClip, ...]:
    """A long recording as windows that remember where they are from, each a file in the folder `into`.

    Raises AudioError where the recording can't be read or is longer than max_seconds.
    """
    name = name or path.name
    recording = audio.load(path, None, name=name, max_seconds=max_seconds)
    rate = recording.source_rate_hz
    clips = []
    for i, piece in enumerate(audio.windows(recording.samples, rate, window_s)):
        start = i * round(window_s * rate) / rate
        place = into / f"{i}.wav"
        soundfile.write(place, piece, rate, subtype="FLOAT")
        new = NewClip(place, f"{name} {start:.1f} s", group=recording.content_id, recording=name, start_s=start)
        clips.append(replace(new, end_s=start + len(piece) / rate))
    return tuple(clips)


def read_clips(source: Path, workdir: Path | None = None) -> tuple[NewClip, ...]:
    """Clips of whatever holds audio: our own exports with all that was said about them, else what `readers.read` takes.

    workdir: where a ZIP is unpacked, by default in the system's temporary folder; the caller's to delete once the clips are added.
    Raises DataError as the readers do.
    """
    if source.suffix.lower() == ".json":
        return export.read_label_studio(source)
    if source.suffix.lower() == ".zip":
        into = Path(tempfile.mkdtemp(prefix="clips-", dir=workdir))
        try:
            packed = readers.unpack_zip(source, into, also=["tasks.json"])
            tables = [table for table in sorted(into.rglob("metadata.csv")) if export.is_our_table(table)]
            tasks = sorted(into.rglob("tasks.json"))
            if tables or tasks:
                return export.read_table(tables[0]) if tables else export.read_label_studio(tasks[0])
            return tuple(as_new_clips(readers.read_folder(into, source.name, packed)))
        except DataError:
            shutil.rmtree(into, ignore_errors=True)
            raise
    for table in (source, source / "metadata.csv", source / "train" / "metadata.csv"):
        if export.is_our_table(table):
            return export.read_table(table)
    if (source / "tasks.json").is_file():
        return export.read_label_studio(source / "tasks.json")
    return tuple(as_new_clips(readers.read(source, workdir)))


def read_pool(sources: Sequence[Path], workdir: Path | None = None) -> tuple[NewClip, ...]:
    """All audio of files, folders and ZIPs, without labels, wherever it lies in them. workdir: as for `read_clips`."""
    opened, packed = list[Path](), list[Ignored]()
    for source in sources:
        if source.suffix.lower() == ".zip" and source.is_file():
            into = Path(tempfile.mkdtemp(prefix="pool-", dir=workdir))
            packed += readers.unpack_zip(source, into)
            opened.append(into)
        else:
            opened.append(source)
    return tuple(as_new_clips(readers.read_unlabelled(opened, packed)))


def read_labels(source: Path, entries: Sequence[Entry], recording: str = "") -> dict[int, Judgement]:
    """What a table of labels, an Audacity label track or a Raven selection table says about clips that are in the project already.

    recording: which one a label track is of, by default the one that is called like the track. Raises DataError where nothing fits, or
    the track may be of several.
    """
    if source.suffix.lower() != ".txt":
        return export.match_labels(source, entries)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{source.name!r} can't be read as text ({error}); save it again as UTF-8.") from error
    if text.startswith("Selection\t"):
        return export.match_regions(export.read_raven(source), entries, recording)
    named = recording or export.recording_of_track(source.stem, [entry.recording or entry.name for entry in entries])
    return export.match_regions(export.read_audacity(text), entries, named)


def as_new_clips(data: Dataset) -> list[NewClip]:
    """A data set's clips as ones to add, with a person's label where they have one. Those left out come last: of audio that is in use
    elsewhere too, a project keeps what comes first."""

    def said(clip: Clip) -> Judgement:
        if clip.label is None and not clip.excluded:
            return Judgement()
        return Judgement(clip.label, "excluded" if clip.excluded else "positive", "person")

    ordered = sorted(data.clips, key=lambda clip: clip.excluded)
    return [NewClip(clip.path, clip.name, said(clip), fold=clip.fold) for clip in ordered]
