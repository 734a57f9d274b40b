"""Unpacking ZIPs from anywhere: what is left out and why, and the guards against hostile archives."""

import io
import stat
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_core import archive
from calm_core.archive import unpack
from calm_core.errors import DataError


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return path


def only_wav(path: PurePosixPath) -> str:
    return "" if path.suffix == ".wav" else "no sound"


def files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_wanted_files_and_empty_folders_come_out_and_litter_is_passed_over(tmp_path):
    entries = ["owl/1.wav", "owl/deep/2.wav", "owl/notes.txt", "__MACOSX/owl/._1.wav", "owl/.DS_Store", "owl/Thumbs.db"]
    path = zipped(tmp_path / "my.zip", {name: name.encode() for name in entries} | {"frog/": b"", "__MACOSX/": b""})
    out = tmp_path / "new" / "out"
    assert unpack(path, out, only_wav) == [("owl/notes.txt", "no sound")]
    assert files(out) == {"owl/1.wav": b"owl/1.wav", "owl/deep/2.wav": b"owl/deep/2.wav"}
    assert sorted(entry.name for entry in out.iterdir()) == ["frog", "owl"]
