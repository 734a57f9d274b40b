"""What comes into a project: clips and labels from files of many kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from calm_core import export
from calm_core.errors import DataError
from calm_core.importing import as_new_clips, checked, read_clips, read_labels, read_pool
from calm_core.library.project import Project
from calm_core.library.records import Judgement, NewClip
from calm_core.readers import read_unlabelled

from .conftest import tone
from .test_archive import zipped


def test_a_label_track_finds_its_recording_or_asks(tmp_path: Path) -> None:
    with Project.create(tmp_path / "projects") as project:
        for i, name in enumerate(("owl/03.wav", "tawny/03.wav", "field.wav")):
            (tmp_path / str(i)).write_bytes(name.encode())
            project.add([NewClip(tmp_path / str(i), name, Judgement("x", "positive", "person"), 1.0)])
        entries = project.snapshot().entries
    export.write_audacity(entries, tmp_path / "tracks")
    assert sorted(path.name for path in (tmp_path / "tracks").iterdir()) == ["field.txt", "owl_03.txt", "tawny_03.txt"]
    for clip, name in enumerate(("owl_03", "tawny_03", "field"), start=1):
        assert list(read_labels(tmp_path / "tracks" / f"{name}.txt", entries)) == [clip]
    track = (tmp_path / "tracks" / "owl_03.txt").rename(tmp_path / "03.txt")
    with pytest.raises(DataError, match=r"'owl/03.wav', 'tawny/03.wav'; .* 'owl_03.txt'"):
        read_labels(track, entries)
    assert list(read_labels(track, entries, "tawny/03.wav")) == [2]


def test_a_table_of_others_may_have_more_cells_in_some_rows(tmp_path: Path) -> None:
    for name in ("one.wav", "two, three.wav"):
        (tmp_path / name).touch()
    (tmp_path / "theirs.csv").write_text("file_name;label\none.wav;owl\ntwo, three.wav;bat\n")
    found = read_clips(tmp_path / "theirs.csv")
    assert [(clip.name, clip.judgement.label) for clip in found] == [("one.wav", "owl"), ("two, three.wav", "bat")]


def test_a_zip_of_class_folders_is_unpacked_once(tmp_path: Path) -> None:
    path = zipped(tmp_path / "my.zip", {"data/owl/1.wav": b"1", "data/bat/1.wav": b"2", "data/tasks.txt": b""})
    (tmp_path / "work").mkdir()
    assert [clip.name for clip in read_clips(path, tmp_path / "work")] == ["bat/1.wav", "owl/1.wav"]
    assert len([file for file in (tmp_path / "work").rglob("*") if file.is_file()]) == 2
    with pytest.raises(DataError, match=r"'loose\.zip' holds no labelled clip.*'1\.wav': not in a class folder"):
        read_clips(zipped(tmp_path / "loose.zip", {"1.wav": b"1"}), tmp_path / "work")


def test_what_stays_packed_in_a_zip_is_named(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"owl.zip": b"x", "bat.rar": b"x"})
    (work := tmp_path / "work").mkdir()
    with pytest.raises(DataError, match=r"'a\.zip' holds no labelled clip.*'bat\.rar'|'owl\.zip'"):
        read_clips(archive, work)
    assert not list(work.iterdir())
    with pytest.raises(DataError, match="an archive inside; unpack it first"):
        read_pool([archive], work)


def test_of_clips_that_are_named_alike_only_the_bad_one_is_named(tmp_path: Path, write_wav: Callable[..., Path]) -> None:
    good, bad = write_wav(tmp_path / "x" / "1.wav", tone(300)), tmp_path / "y" / "1.wav"
    bad.parent.mkdir()
    bad.write_bytes(b"no sound")
    kept, left_out = checked(as_new_clips(read_unlabelled([good, bad])))
    assert [clip.path for clip in kept] == [good]
    assert [check.clip.path for check in left_out] == [bad]
