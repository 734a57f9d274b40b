"""A drop zone for class folders that keeps their names: Gradio's own file box flattens a folder and doesn't walk a dropped one.

`folder_drop()` is the zone (its browser half is folder_drop.js); `received_files()` checks what it sent, because Gradio passes a
gr.HTML value to Python unread; `place()` lays the files out as the folder they were. Knows nothing of audio, classes or labels.
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import gradio as gr
from gradio.utils import get_upload_folder

from calm_core.errors import DataError

MAX_FILES = 2000  # clips in one drop
MAX_NAME_BYTES = 240  # of one path component: file systems allow 255, and a colliding name grows by " (2)"
MAX_RELPATH_BYTES = 1024

_HTML = """
<div class="folder-drop" role="group" aria-label="Class folders">
  <p class="invite"><strong>Drop class folders here</strong>, or
    <label class="pick"><input type="file" webkitdirectory multiple><span>choose a folder</span></label></p>
  <p class="hint">The folder's name is the class: <code>owl/03.wav</code> is a clip of “owl”.</p>
  <p class="status" role="status" aria-live="polite"></p>
  <ul class="failed" aria-label="Files that did not arrive"></ul>
</div>
"""

_CSS = """
.folder-drop {
  border: 2px dashed color-mix(in srgb, var(--body-text-color) 45%, transparent); /* --border-color-primary is too faint for an edge */
  border-radius: var(--radius-lg); background: var(--background-fill-secondary);
  color: var(--body-text-color); padding: var(--spacing-xl); text-align: center; overflow-wrap: anywhere; line-height: 1.6;
}
.folder-drop.over { border-color: var(--color-accent); background: var(--color-accent-soft); }
.folder-drop.over * { pointer-events: none; }
.folder-drop p { margin: var(--spacing-sm) 0; }
.folder-drop p:empty, .folder-drop ul:empty, .folder-drop.no-folders .hint { display: none; }
.hint { font-size: var(--text-sm); }
.hint code { font-family: var(--font-mono); }
.status { font-weight: 600; font-variant-numeric: tabular-nums; }
.failed { margin: 0; padding: 0; list-style: none; text-align: left; font-size: var(--text-sm); max-height: 10em; overflow-y: auto; }
.failed li::before { content: "✗ "; color: var(--error-icon-color, #dc2626); }
.pick { position: relative; display: inline-block; cursor: pointer; }
.pick input { position: absolute; inset: 0; width: 100%; opacity: 0; cursor: inherit; }
.pick span {
  display: inline-block; padding: var(--spacing-xs) var(--spacing-lg); border-radius: var(--button-large-radius, 6px);
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill);
  color: var(--button-secondary-text-color); white-space: nowrap;
}
.pick:hover span { background: var(--button-secondary-background-fill-hover); }
.pick input:focus-visible + span { outline: 2px solid var(--color-accent); outline-offset: 2px; }
[aria-busy="true"] .pick { opacity: 0.5; cursor: progress; }
"""

# What the zone said about the last drop is no longer true once its clips are removed. Takes and returns nothing.
FORGET_DROP = (
    "() => { for (const old of document.querySelectorAll('.folder-drop .status, .folder-drop .failed')) old.replaceChildren(); return []; }"
)

_JS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class ReceivedFile:
    """One uploaded file: where it lies, and where it stood in the visitor's folder ("owl/03.wav")."""

    path: Path
    relpath: PurePosixPath


@dataclass(frozen=True)
class ReceivedFolder:
    """What one drop brought: the checked files, the names left in the browser, the names whose upload failed."""

    files: tuple[ReceivedFile, ...]
    skipped: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


_POOL_HTML = re.sub(
    r'<p class="hint">.*?</p>',
    '<p class="hint">All recordings in it, wherever they lie, as clips without labels.</p>',
    _HTML.replace("Class folders", "Folder").replace("Drop class folders here", "Drop a folder of clips here"),
)


def folder_drop(
    *, suffixes: Iterable[str], max_files: int = MAX_FILES, elem_id: str | None = None, visible: bool = True, pool: bool = False
) -> gr.HTML:
    """The drop zone; files with other suffixes (lower case) stay in the browser. pool: the folders' names are no classes.

    Listen to its `upload` event: it fires once per drop, after the last file, also when nothing changed.
    """
    return gr.HTML(
        html_template=_POOL_HTML if pool else _HTML,
        css_template=_CSS,
        js_on_load=_JS,
        apply_default_css=False,
        elem_id=elem_id,
        visible=visible,
        suffixes=[*suffixes],
        max_files=max_files,
    )


def received_files(value: object, upload_root: Path | None = None) -> ReceivedFolder:
    """The zone's value, checked: every path is an upload of ours, every relpath stays inside its folder. Else a DataError."""
    if not value:
        raise DataError("No folder has arrived: drop class folders, or choose one.")
    if not isinstance(value, Mapping) or not isinstance(entries := value.get("files"), list):
        raise DataError("The dropped folder arrived damaged: reload the page and drop it again.")
    if len(entries) > MAX_FILES:
        raise DataError(f"{len(entries)} clips arrived in one drop; at most {MAX_FILES} are taken. Drop fewer folders at a time.")
    root = Path(upload_root or get_upload_folder()).resolve()
    return ReceivedFolder(
        files=tuple(_received_file(entry, root) for entry in entries),
        skipped=_names(value.get("skipped", [])),
        failed=_names(value.get("failed", [])),
    )


def place(received: ReceivedFolder, into: Path) -> Path:
    """Lay the files out as `into/relpath` and return `into`. Two files of one name are both kept: the later becomes "03 (2).wav"."""
    # Deepest first: a folder is made before a file of the same name, so that it's always the file that gives way.
    for file in sorted(dict.fromkeys(received.files), key=lambda f: -len(f.relpath.parts)):
        target = _free(into / file.relpath)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file.path, target)
        except FileNotFoundError as error:  # uploads are deleted after a while
            raise DataError(f"'{file.relpath}' is no longer on this server: choose or drop it again.") from error
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(file.path, target)
    return into


def _received_file(entry: object, root: Path) -> ReceivedFile:
    if not isinstance(entry, Mapping) or not isinstance(path := entry.get("path"), str):
        raise DataError("The dropped folder arrived damaged: reload the page and drop it again.")
    relpath = _relpath(entry.get("relpath"))
    try:
        found = Path(path).resolve(strict=True)
        ours = found.is_relative_to(root) and found.is_file()
    except (OSError, ValueError, RuntimeError):  # missing; NUL in the path; a loop of links
        ours = False
    if not ours:  # one sentence for all causes: whether a foreign file exists is nobody's business
        raise DataError(f"'{relpath}' is not among the files uploaded here: drop the folder again.")
    return ReceivedFile(found, relpath)


def _relpath(text: object) -> PurePosixPath:
    if not isinstance(text, str):
        raise DataError("A file arrived without its place in the folder: reload the page and drop the folder again.")
    # The server may run on Windows, where a backslash parts folders too and "c:" is a drive.
    relpath, windows = PurePosixPath(text), PureWindowsPath(text)
    size = len(text.encode("utf-8", "replace"))
    sound = (
        relpath.parts
        and not relpath.is_absolute()
        and not windows.anchor
        and ".." not in {*relpath.parts, *windows.parts}
        and not any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in text)  # control characters, half characters
        and size <= MAX_RELPATH_BYTES
        and all(len(part.encode()) <= MAX_NAME_BYTES for part in relpath.parts)
    )
    if not sound:
        raise DataError(f"{text[:80]!r} can't be the name of a clip: it must read like 'owl/03.wav'. Rename it and drop the folder again.")
    return relpath


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError("The dropped folder arrived damaged: reload the page and drop it again.")
    return tuple(value)


def _free(target: Path) -> Path:
    candidate, n = target, 1
    while candidate.exists():
        n += 1
        candidate = target.with_name(f"{target.stem} ({n}){target.suffix}")
    return candidate
