"""Reading folders and ZIPs: what is a clip of which class, and why everything else is none."""

import os
import unicodedata
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_core.dataset import Dataset
from calm_core.errors import DataError
from calm_core.readers import read, read_folder, read_unlabelled, read_zip

from .test_archive import zipped


def put(root: Path, *names: str) -> Path:
    """Make empty files: reading finds clips by their names, only the preflight opens them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def labels(found: Dataset) -> dict[str, str | None]:
    return {clip.name: clip.label for clip in found.clips}


# ---- folders ---------------------------------------------------------------------------------------------------------------


def test_the_class_is_the_first_level_folder(tmp_path):
    found = read_folder(put(tmp_path, "owl/b.WAV", "owl/a.flac", "owl/2023/may/c.m4a", "bat/z.Mp3"))
    assert labels(found) == {"bat/z.Mp3": "bat", "owl/2023/may/c.m4a": "owl", "owl/a.flac": "owl", "owl/b.WAV": "owl"}
    assert [clip.name for clip in found.clips] == sorted(labels(found))
    assert all(clip.path.is_file() for clip in found.clips)
    assert found.class_names == ("bat", "owl")
    assert found.ignored == ()


def test_strays_are_reported_and_litter_is_not(tmp_path):
    put(tmp_path, "owl/1.wav", "bat/1.wav", "notes.csv", "owl/photo.jpg", "loose.wav", "old.zip", ".git/config", "bat/.draft.wav")
    put(tmp_path, ".DS_Store", "owl/Thumbs.db", "bat/desktop.ini", "__MACOSX/owl/._1.wav", "owl/._1.wav")
    (tmp_path / "frog").mkdir()
    put(tmp_path, "newt/readme.txt")
    found = read_folder(tmp_path)
    assert found.class_names == ("bat", "owl"), "neither a stray CSV nor an empty folder is a class"
    assert dict(found.ignored) == {
        "notes.csv": "not an audio file",
        "owl/photo.jpg": "not an audio file",
        "newt/readme.txt": "not an audio file",
        "loose.wav": "not in a class folder",
        "old.zip": "an archive inside; unpack it first",
        ".git": "hidden",
        "bat/.draft.wav": "hidden",
        "frog/": "no audio in this class folder",
        "newt/": "no audio in this class folder",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["data/owl/1.wav", "data/bat/1.wav"], {"bat/1.wav": "bat", "owl/1.wav": "owl"}),
        (["x/y/owl/1.wav", "x/y/bat/1.wav", "x/readme.txt"], {"bat/1.wav": "bat", "owl/1.wav": "owl"}),
        (["data/owl/1.wav", "data/bat/1.wav", "data/loose.wav"], {"bat/1.wav": "bat", "owl/1.wav": "owl"}),
        (["owl/1.wav", "owl/2.wav"], {"owl/1.wav": "owl", "owl/2.wav": "owl"}),
        (["owl/1.wav", "owl/night/2.wav"], {"owl/1.wav": "owl", "owl/night/2.wav": "owl"}),
        (["data/owl/1.wav"], {"owl/1.wav": "owl"}),
    ],
)
def test_a_single_root_folder_is_unwrapped_unless_it_is_the_class(tmp_path, files, expected):
    assert labels(read_folder(put(tmp_path, *files))) == expected


@pytest.mark.parametrize("root", ["", "data/"])
def test_audiofolder_splits_are_joined(tmp_path, root):
    put(tmp_path, *(root + name for name in ["train/owl/1.wav", "train/bat/1.wav", "Test/owl/1.wav", "Test/loose.wav", "README.md"]))
    found = read_folder(tmp_path)
    assert labels(found) == {"Test/owl/1.wav": "owl", "train/bat/1.wav": "bat", "train/owl/1.wav": "owl"}
    assert dict(found.ignored) == {"README.md": "not an audio file", "Test/loose.wav": "not in a class folder"}


def test_folders_called_train_and_test_that_hold_the_clips_are_classes(tmp_path):
    assert read_folder(put(tmp_path, "train/1.wav", "test/1.wav")).class_names == ("test", "train")


def test_class_names_are_normalised(tmp_path):
    put(tmp_path, unicodedata.normalize("NFD", "Käuzchen") + "/1.wav", " owl /2.wav")
    assert read_folder(tmp_path).class_names == (unicodedata.normalize("NFC", "Käuzchen"), "owl")


def test_links_to_folders_are_not_followed(tmp_path):
    put(tmp_path, "owl/1.wav", "bat/1.wav")
    (tmp_path / "bat" / "loop").symlink_to(tmp_path)
    found = read_folder(tmp_path)
    assert len(found.clips) == 2
    assert dict(found.ignored) == {"bat/loop": "a link to a folder; copy the folder itself"}


def test_a_closed_folder_is_named(tmp_path, monkeypatch):
    put(tmp_path, "one/owl/1.wav")

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    for look in ("scandir", "listdir"):
        real = getattr(os, look)
        monkeypatch.setattr(os, look, lambda path, real=real: refused(path) if Path(path).name == "one" else real(path))
    with pytest.raises(DataError, match=r"no labelled clip.*'one': can't be opened \(Permission denied\)"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("files", "reason"), [([], "no labelled clip"), (["1.wav"], "'1.wav': not in a class folder"), (["owl/a.txt"], "not an audio file")]
)
def test_a_folder_without_labelled_clips_says_what_was_there_and_what_to_do(tmp_path, files, reason):
    with pytest.raises(DataError, match="Put the clips of each class in a folder") as caught:
        read_folder(put(tmp_path, *files))
    assert reason in str(caught.value)


def test_unlabelled_files_and_folders(tmp_path):
    put(tmp_path, "pool/b.wav", "pool/deep/a.ogg", "pool/notes.txt", "pool/.DS_Store", "one.MP3", "list.csv")
    found = read_unlabelled([tmp_path / "one.MP3", tmp_path / "pool", tmp_path / "list.csv"])
    assert labels(found) == {"one.MP3": None, "b.wav": None, "deep/a.ogg": None}
    assert dict(found.ignored) == {"notes.txt": "not an audio file", "list.csv": "not an audio file"}
    with pytest.raises(DataError, match=r"'gone\.wav' doesn't exist"):
        read_unlabelled([tmp_path / "gone.wav"])
    with pytest.raises(DataError, match=r"no audio.*'list\.csv'"):
        read_unlabelled([tmp_path / "list.csv"])


# ---- ZIP -------------------------------------------------------------------------------------------------------------------


def test_a_zip_of_a_folder(tmp_path):
    names = ["data/owl/1.WAV", "data/owl/2.wav", "data/bat/1.wav", "data/notes.txt", "data/more.zip", "data/frog/"]
    litter = ["__MACOSX/data/owl/._1.WAV", "data/.DS_Store"]
    path = zipped(tmp_path / "my.zip", {name: b"" if name.endswith("/") else name.encode() for name in names + litter})
    found = read_zip(path, tmp_path / "new" / "out")
    assert labels(found) == {"bat/1.wav": "bat", "owl/1.WAV": "owl", "owl/2.wav": "owl"}
    assert found.clips[0].path.read_bytes() == b"data/bat/1.wav"
    assert dict(found.ignored) == {
        "data/notes.txt": "not an audio file",
        "data/more.zip": "an archive inside; unpack it first",
        "frog/": "no audio in this class folder",
    }
    unpacked = {file.name for file in (tmp_path / "new" / "out").rglob("*") if file.is_file()}
    assert unpacked == {"1.WAV", "2.wav", "1.wav"}, "what is no clip stays packed"


def test_a_zip_with_a_table(tmp_path):
    path = zipped(tmp_path / "my.zip", {"a.wav": b"a", "metadata.csv": b"file_name,label\na.wav,owl\n"})
    assert labels(read_zip(path, tmp_path / "out")) == {"a.wav": "owl"}


@given(data=st.data())
def test_a_zip_with_any_damage_is_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("zip")
    path = zipped(folder / "my.zip", {"owl/1.wav": b"1" * 50, "bat/1.wav": b"2" * 50}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[at] = byte
    path.write_bytes(content)
    with suppress(DataError):
        read_zip(path, folder / "deep" / "out")
    assert {file.name for file in folder.iterdir()} <= {"my.zip", "deep"}
    assert {file.name for file in (folder / "deep").iterdir()} <= {"out"}


# ---- read ------------------------------------------------------------------------------------------------------------------


def test_read_knows_folders_zips_and_tables(tmp_path):
    put(tmp_path, "clips/owl/1.wav", "clips/bat/1.wav", "work/upload.tmp")
    (tmp_path / "clips" / "t.csv").write_text("file_name,label\nowl/1.wav,newt\n")
    assert read(tmp_path / "clips" / "t.csv").class_names == ("newt",)
    (tmp_path / "clips" / "t.csv").unlink()
    assert read(tmp_path / "clips").class_names == ("bat", "owl")
    path = zipped(tmp_path / "my.ZIP", {"owl/1.wav": b"1"})
    found = [read(path, tmp_path / "work") for _ in range(2)]
    assert [f.class_names for f in found] == [("owl",)] * 2
    assert found[0].clips[0].path != found[1].clips[0].path, "every reading unpacks into a folder of its own"
    assert found[0].clips[0].path.is_relative_to(tmp_path / "work")


def test_a_class_name_has_a_limit(tmp_path):
    put(tmp_path, f"{'o' * 60}/1.wav")
    assert read_folder(tmp_path).class_names == ("o" * 60,)
    put(tmp_path, f"{'b' * 61}/1.wav")
    with pytest.raises(DataError, match="has 61 characters; at most 60 are allowed"):
        read_folder(tmp_path)


def test_read_leaves_nothing_of_a_refused_zip(tmp_path):
    (tmp_path / "work").mkdir()
    with pytest.raises(DataError, match=r"'my\.zip' holds no labelled clip.*'loose\.wav': not in a class folder"):
        read(zipped(tmp_path / "my.zip", {"loose.wav": b"1"}), tmp_path / "work")
    assert not os.listdir(tmp_path / "work")


@pytest.mark.parametrize(
    ("name", "reason"), [("gone", "doesn't exist"), ("a.rar", "give a folder, a .zip or a .csv"), ("a.wav", "single recording")]
)
def test_read_refuses_the_rest_with_advice(tmp_path, name, reason):
    put(tmp_path, "a.rar", "a.wav")
    with pytest.raises(DataError, match=reason):
        read(tmp_path / name)
