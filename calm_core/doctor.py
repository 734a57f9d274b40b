"""What works on this machine and what to install: versions, device, codecs, browser, disk. Changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import av
import soundfile
import torch

from .backbones import POCKET_FOLDER, fitting, offered, resolve_device
from .vectors import calm_home

PACKAGES = ("torch", "transformers", "gradio", "librosa", "soundfile", "av", "plotly", "pandas", "safetensors", "scikit-learn", "soxr")
SOUNDFILE_FORMATS = ("WAV", "FLAC", "OGG", "MP3", "AIFF")
AV_DECODERS = {"aac": "m4a, mp4", "opus": "webm"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LEAST_FREE_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. needed: False for what only tests or extras want; advice is empty where all is well."""

    name: str
    ok: bool
    value: str
    advice: str = ""
    needed: bool = True


def examine() -> tuple[Finding, ...]:
    """Looks at everything, in the order in which a newcomer would ask."""
    return tuple(_findings())


def _findings() -> Iterator[Finding]:
    right_python = sys.version_info >= (3, 11)
    yield Finding("python", right_python, platform.python_version(), "" if right_python else "install Python 3.11 or newer")
    for package in PACKAGES:
        try:
            yield Finding(package, True, version(package))
        except PackageNotFoundError:
            yield Finding(package, False, "not installed", "run: pip install -r requirements.txt")
    yield Finding("device", True, _device())
    yield Finding("backbones that fit it", True, ", ".join(row.id for row in fitting(resolve_device()) if not row.lacks))
    for row in offered():
        if row.needs:
            state, advice = ("missing", f"run: pip install {row.needs}") if row.lacks else ("there", "")
            yield Finding(row.id, not row.lacks, f"{row.needs} is {state}", advice, needed=False)
    formats = soundfile.available_formats()
    missing = [name for name in SOUNDFILE_FORMATS if name not in formats]
    yield Finding(
        "soundfile formats", not missing, ", ".join(SOUNDFILE_FORMATS), f"reinstall soundfile: it lacks {missing}" if missing else ""
    )
    for codec, files in AV_DECODERS.items():
        there = codec in av.codecs_available
        yield Finding(f"decoder {codec} ({files})", there, "there" if there else "missing", "" if there else "run: pip install -U av")
    pocket = (POCKET_FOLDER / "model.safetensors").is_file()
    yield Finding("pocket weights", pocket, "embedded" if pocket else "missing", "" if pocket else "check out assets/pocket/ again")
    yield _home()
    browser = browser_path()
    yield Finding(
        "chromium", browser is not None, str(browser or "not found"), "" if browser else "only tests: apt-get install chromium", False
    )


def _device() -> str:
    device = resolve_device()
    if device != "cuda":
        return f"{device}, {os.cpu_count()} cores"
    free, total = torch.cuda.mem_get_info()
    return f"cuda, {torch.cuda.get_device_name()}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free"


def _home() -> Finding:
    home = calm_home()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    ok = os.access(existing, os.W_OK) and free > LEAST_FREE_BYTES
    value = f"{home}, {free / 2**30:.0f} GiB free"
    return Finding("vector store", ok, value, "" if ok else "set CALM_HOME to a writable folder with at least 1 GiB free")


def browser_path() -> Path | None:
    """Where a chromium for the browser tests is, or None."""
    found = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    return Path(found) if found else None
