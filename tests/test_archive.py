"""Unpacking ZIPs from anywhere: what is left out and why, and the guards against hostile archives."""

import io
import stat
import zipfile
from pathlib import Path, PurePosixPath

import pytest

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


@pytest.mark.parametrize(
    "name", ["../evil.wav", "owl/../../evil.wav", "/evil.wav", "C:/evil.wav", "c:evil.wav", "owl\\evil.wav", "../notes.txt"]
)
def test_zip_entries_cannot_leave_the_folder(tmp_path, name):
    path = zipped(tmp_path / "my.zip", {"owl/1.wav": b"1", name: b"evil"})
    with pytest.raises(DataError, match="leads out of the folder") as caught:
        unpack(path, tmp_path / "a" / "out", only_wav)
    assert repr(name) in str(caught.value)
    assert not list(tmp_path.rglob("*.wav")), "nothing is written before all entries are looked at"


def test_zip_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("owl/link.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "my.zip", "w") as made:
        made.writestr(link, "/etc/hostname")
    with pytest.raises(DataError, match=r"'owl/link\.wav' is a link"):
        unpack(tmp_path / "my.zip", tmp_path / "out", only_wav)


def test_zip_passwords_are_refused(tmp_path):
    path = zipped(tmp_path / "my.zip", {"owl/1.wav": b"1"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag bit in the central directory
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"'owl/1\.wav' has a password"):
        unpack(path, tmp_path / "out", only_wav)


def test_zip_limits(tmp_path, monkeypatch):
    path = zipped(tmp_path / "my.zip", {f"owl/{i}.wav": bytes(1000) for i in range(5)})
    with monkeypatch.context() as patch:
        patch.setattr(archive, "MAX_ZIP_ENTRIES", 4)
        with pytest.raises(DataError, match="5 entries; at most 4"):
            unpack(path, tmp_path / "out", only_wav)
    monkeypatch.setattr(archive, "MAX_ZIP_BYTES", 4999)
    with pytest.raises(DataError, match=r"unpacks to .* GiB; at most"):
        unpack(path, tmp_path / "out", only_wav)
    monkeypatch.setattr(archive, "MAX_ZIP_BYTES", 5000)
    assert unpack(path, tmp_path / "out", only_wav) == []
    assert len(files(tmp_path / "out")) == 5


def test_zip_bombs_are_refused(tmp_path):
    bomb = zipped(tmp_path / "bomb.zip", {"owl/1.wav": bytes(1024**2 + 1)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"'owl/1\.wav' unpacks to \d+ times its size; at most 200"):
        unpack(bomb, tmp_path / "out", only_wav)
    small = zipped(tmp_path / "small.zip", {"owl/1.wav": bytes(1024**2)}, zipfile.ZIP_DEFLATED)
    assert unpack(small, tmp_path / "out", only_wav) == []


def test_what_is_written_is_counted_whatever_the_zip_claims(tmp_path, monkeypatch):
    path = zipped(tmp_path / "my.zip", {"owl/1.wav": b"1"})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: io.BytesIO(bytes(3 * 1024**2)))
    monkeypatch.setattr(archive, "MAX_ZIP_BYTES", 2 * 1024**2)
    with pytest.raises(DataError, match=r"'owl/1\.wav' takes the ZIP over"):
        unpack(path, tmp_path / "out", only_wav)
    assert (tmp_path / "out" / "owl" / "1.wav").stat().st_size <= 2 * 1024**2


@pytest.mark.parametrize("cut", [0, 10, -1, -30])
def test_a_cut_zip_is_refused(tmp_path, cut):
    path = zipped(tmp_path / "my.zip", {"owl/1.wav": b"1" * 1000})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"'my\.zip' isn't a whole ZIP file"):
        unpack(path, tmp_path / "out", only_wav)


def test_a_damaged_entry_costs_only_itself(tmp_path):
    path = zipped(tmp_path / "my.zip", {"owl/1.wav": b"hoo" * 50, "bat/1.wav": b"eek" * 50})
    path.write_bytes(path.read_bytes().replace(b"hoo", b"boo"))
    assert unpack(path, tmp_path / "out", only_wav) == [("owl/1.wav", "damaged inside the ZIP; make the ZIP again")]
    assert files(tmp_path / "out") == {"bat/1.wav": b"eek" * 50}


def test_the_second_entry_of_a_name_is_reported(tmp_path):
    with zipfile.ZipFile(tmp_path / "my.zip", "w") as made:
        made.writestr("owl/1.wav", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("owl/1.wav", b"second")
    absent = unpack(tmp_path / "my.zip", tmp_path / "out", only_wav)
    assert absent == [("owl/1.wav", "the ZIP has an entry of the same name before it")]
    assert files(tmp_path / "out") == {"owl/1.wav": b"first"}


@pytest.mark.parametrize(("stored", "flag"), [("Käuzchen".encode(), 0x800), ("Käuzchen".encode(), 0), ("Käuzchen".encode("cp437"), 0)])
def test_zip_names_in_any_encoding(tmp_path, stored, flag):
    """With the UTF-8 flag; UTF-8 without it, as Macs write; and the old DOS code page."""
    placeholder = b"K" * len(stored)
    path = zipped(tmp_path / "my.zip", {placeholder.decode() + "/1.wav": b"1"})
    data = bytearray(path.read_bytes().replace(placeholder, stored))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = flag.to_bytes(2, "little")
    path.write_bytes(data)
    unpack(path, tmp_path / "out", only_wav)
    assert files(tmp_path / "out") == {"Käuzchen/1.wav": b"1"}


def test_a_zip_is_unpacked_into_a_new_folder_only(tmp_path):
    (tmp_path / "out" / "owl").mkdir(parents=True)
    with pytest.raises(DataError, match="isn't empty"):
        unpack(zipped(tmp_path / "my.zip", {"owl/1.wav": b"1"}), tmp_path / "out", only_wav)
