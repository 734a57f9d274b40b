"""Reading folders, tables and ZIPs, the preflight table, and few-shot splits."""

import os
import unicodedata
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from calm_core import dataset
from calm_core.audio import ClipStatus
from calm_core.dataset import (
    Clip,
    ClipCheck,
    Dataset,
    advice,
    preflight,
    read,
    read_csv,
    read_folder,
    read_unlabelled,
    read_zip,
    split_support,
)
from calm_core.errors import Cancelled, DataError

from .test_archive import zipped

RATE_HZ = 8_000


def put(root: Path, *names: str) -> Path:
    """Make empty files: reading finds clips by their names, only the preflight opens them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def sound(path: Path, seed: int = 0, *, level: float = 0.1, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = level * np.random.default_rng(seed).standard_normal(round(RATE_HZ * seconds))
    sf.write(path, noise.clip(-1, 1), RATE_HZ)
    return path


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


# ---- tables ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("file_name,label,fold", '"a/é 1.wav",Käuzchen,3'),
        ("fold;category;filename", "3;Käuzchen;a/é 1.wav"),
        ("PATH\tClass\tFold", "a/é 1.wav\t Käuzchen \t3"),
        ("label_hint,file,class,fold", "x,a/é 1.wav,Käuzchen,3"),
        (' "file_name" , "label" , fold', ' "a/é 1.wav" , "Käuzchen" , 3'),
    ],
)
def test_table_dialects(tmp_path, header, row, end, encoding):
    put(tmp_path, "a/é 1.wav")
    (tmp_path / "my.csv").write_bytes(end.join([header, row, "", ""]).encode(encoding))
    found = read_csv(tmp_path / "my.csv")
    assert [(clip.name, clip.label, clip.fold) for clip in found.clips] == [("a/é 1.wav", "Käuzchen", "3")]
    assert found.ignored == ()


def test_table_rows_that_give_no_clip_are_named(tmp_path):
    put(tmp_path, "audio/1.wav", "audio/2.wav")
    table = tmp_path / "t.csv"
    table.write_text('file_name,label\n1.wav,owl\n2.wav,\ngone.wav,bat\n,bat\n"1.wav"\n')
    found = read_csv(table, tmp_path / "audio")
    assert labels(found) == {"1.wav": "owl"}
    assert found.clips[0].fold is None
    assert found.ignored == (
        ("2.wav", "'t.csv' line 3: no label"),
        ("gone.wav", "'t.csv' line 4: file not found"),
        ("'t.csv' line 5", "'t.csv' line 5: no file name"),
        ("1.wav", "'t.csv' line 6: no label"),
    )


def test_a_name_written_on_windows_or_on_a_mac_is_found(tmp_path):
    put(tmp_path, "owl/" + unicodedata.normalize("NFD", "é.wav"))
    (tmp_path / "t.csv").write_text("file_name,label\nowl\\é.wav,owl\n", encoding="utf-8")
    assert labels(read_csv(tmp_path / "t.csv")) == {"owl/é.wav": "owl"}


@pytest.mark.parametrize("name", ["../secret.wav", "owl/../../secret.wav", "/etc/secret.wav", "C:\\secret.wav", "..\\secret.wav"])
def test_a_table_cannot_name_files_outside(tmp_path, name):
    put(tmp_path, "secret.wav", "in/1.wav")
    (tmp_path / "in" / "t.csv").write_text(f"file_name,label\n1.wav,owl\n{name},bat\n")
    with pytest.raises(DataError, match=r"line 3: file name .* leads out of the folder"):
        read_csv(tmp_path / "in" / "t.csv")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no columns called file_name and label"),
        (b"name,label\n1.wav,owl\n", "no columns called file_name and label"),
        (b"file_name,label\ngone.wav,owl\n", r"no labelled clip.*'gone\.wav': 't\.csv' line 2"),
        ("file_name,label\n1.wav,Käuzchen\n".encode("cp1252"), "CSV UTF-8"),
        (b"file_name,label\n1.wav," + b"x" * 200_000, "isn't a table"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, content, reason):
    put(tmp_path, "1.wav")
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"'gone\.csv' can't be opened"):
        read_csv(tmp_path / "gone.csv")


def test_a_folder_with_metadata_is_read_by_it(tmp_path):
    put(tmp_path, "clips/1.wav", "clips/2.wav", "clips/notes.csv")
    (tmp_path / "metadata.csv").write_text("file_name,label\nclips/1.wav,owl\n")
    (tmp_path / "labels.csv").write_text("file_name,label\nclips/2.wav,bat\n")
    found = read_folder(tmp_path)
    assert labels(found) == {"clips/1.wav": "owl"}
    assert dict(found.ignored) == {
        "clips/2.wav": "not listed with a label in metadata.csv",
        "clips/notes.csv": "not an audio file",
        "labels.csv": "not an audio file",
    }


def test_any_single_table_of_labels_will_do_but_not_two(tmp_path):
    put(tmp_path, "1.wav", "2.wav")
    (tmp_path / "mine.tsv").write_text("path\tcategory\n1.wav\towl\n2.wav\tbat\n")
    (tmp_path / "weather.csv").write_text("day,rain\n1,2\n")
    assert labels(read_folder(tmp_path)) == {"1.wav": "owl", "2.wav": "bat"}
    (tmp_path / "yours.csv").write_text("path,label\n1.wav,newt\n")
    with pytest.raises(DataError, match=r"2 tables of labels \(mine\.tsv, yours\.csv\)"):
        read_folder(tmp_path)


def test_metadata_without_labels_leaves_the_class_folders(tmp_path):
    put(tmp_path, "owl/1.wav", "bat/1.wav")
    (tmp_path / "metadata.csv").write_bytes(b"file_name,text\nowl/1.wav,\xff\n")
    assert read_folder(tmp_path).class_names == ("bat", "owl")


def test_audiofolder_splits_may_have_tables(tmp_path):
    put(tmp_path, "train/1.wav", "test/1.wav")
    for split, label in (("train", "owl"), ("test", "bat")):
        (tmp_path / split / "metadata.csv").write_text(f"file_name,label\n1.wav,{label}\n")
    assert labels(read_folder(tmp_path)) == {"test/1.wav": "bat", "train/1.wav": "owl"}


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


# ---- preflight -------------------------------------------------------------------------------------------------------------


def test_preflight_judges_every_clip_once_and_never_stops(tmp_path):
    sound(tmp_path / "owl/1.wav", seed=1)
    sound(tmp_path / "owl/2.wav", seed=2, level=5.0)  # nearly all of it beyond full scale
    sound(tmp_path / "owl/3.wav", seed=3, seconds=0.02)
    sound(tmp_path / "bat/1.wav", seed=4, level=1e-6)
    (tmp_path / "bat/2.wav").write_bytes(b"no sound at all")
    found = read_folder(tmp_path)
    seen = []
    checks = preflight(found.clips, progress=lambda *step: seen.append(step))
    assert [check.clip for check in checks] == list(found.clips)
    assert seen == [(i, 5, clip.name) for i, clip in enumerate(found.clips, 1)]
    rows = {check.clip.name: check for check in checks}
    assert {name: row.status.value for name, row in rows.items()} == {
        "bat/1.wav": "silent",
        "bat/2.wav": "unreadable",
        "owl/1.wav": "ok",
        "owl/2.wav": "clipped",
        "owl/3.wav": "too_short",
    }
    assert [name for name, row in rows.items() if row.usable] == ["owl/1.wav", "owl/2.wav"]
    assert all(row.reason and ("'" + name + "'" in row.reason) for name, row in rows.items() if not row.usable)
    assert rows["owl/1.wav"].reason == ""
    assert rows["owl/2.wav"].reason.startswith("clipped: ")
    ok, short, junk = rows["owl/1.wav"], rows["owl/3.wav"], rows["bat/2.wav"]
    assert (ok.seconds, ok.sample_rate_hz, ok.channels) == (0.5, RATE_HZ, 1)
    assert (short.seconds, short.sample_rate_hz, short.channels) == (0.02, RATE_HZ, 1)
    assert (junk.seconds, junk.sample_rate_hz, junk.channels, junk.content_id) == (None, None, None, None)


def test_the_same_audio_in_one_class_is_a_duplicate(tmp_path):
    for name in ("a", "b", "c"):
        sound(tmp_path / f"owl/{name}.wav", seed=1)
    sf.write(tmp_path / "owl/d.flac", *sf.read(tmp_path / "owl/a.wav"))
    checks = preflight(read_folder(tmp_path).clips)
    assert [check.status.value for check in checks] == ["ok", "duplicate", "duplicate", "duplicate"]
    assert all("same audio as 'owl/a.wav'" in check.reason for check in checks[1:])


def test_the_same_audio_in_two_classes_is_a_conflict_everywhere(tmp_path):
    for name in ("owl/a", "owl/b", "bat/x"):
        sound(tmp_path / f"{name}.wav", seed=1)
    sound(tmp_path / "bat/fine.wav", seed=2)
    rows = {check.clip.name: check for check in preflight(read_folder(tmp_path).clips)}
    assert rows.pop("bat/fine.wav").usable
    assert {row.status for row in rows.values()} == {ClipStatus.CONFLICT}
    assert "also 'bat/x.wav' of class 'bat'" in rows["owl/a.wav"].reason
    assert "also 'bat/x.wav' of class 'bat'" in rows["owl/b.wav"].reason
    assert "also 'owl/a.wav' of class 'owl'" in rows["bat/x.wav"].reason


def test_unlabelled_copies_never_conflict(tmp_path):
    paths = [sound(tmp_path / f"{i}.wav", seed=1) for i in range(3)]
    clips = [Clip(paths[0], "0.wav", "owl"), Clip(paths[1], "1.wav", None), Clip(paths[2], "2.wav", None)]
    assert [check.status.value for check in preflight(clips)] == ["ok", "ok", "duplicate"]


def test_what_a_person_left_out_stays_with_its_label_and_settles_a_conflict(tmp_path):
    for name in ("owl/a", "owl/b", "bat/x"):
        sound(tmp_path / f"{name}.wav", seed=1)
    (tmp_path / "owl/broken.wav").write_bytes(b"RIFF")
    clips = [replace(clip, excluded=clip.label == "owl") for clip in read_folder(tmp_path).clips]
    checks = preflight(clips)
    assert [(check.clip.name, check.status.value) for check in checks] == [
        ("bat/x.wav", "ok"),
        ("owl/a.wav", "excluded"),
        ("owl/b.wav", "excluded"),
        ("owl/broken.wav", "unreadable"),  # nobody can take it back in
    ]
    assert not checks[1].usable
    assert "left out by a person" in checks[1].reason
    assert not any("'owl'" in line for line in advice(checks))  # left out on purpose
    once = preflight([replace(check.clip, label="bat", excluded=check.clip.name == "owl/a.wav") for check in checks[1:3]], known=checks)
    assert [check.status.value for check in once] == ["excluded", "ok"]  # nobody said anything about its copy
    assert "same audio as 'owl/a.wav', which was left out by a person" in once[1].reason
    other = preflight([replace(check.clip, label="bat", excluded=check.clip.name == "owl/b.wav") for check in checks[1:3]], known=checks)
    assert [check.status.value for check in other] == ["ok", "excluded"]  # whichever comes first
    both = preflight([replace(check.clip, excluded=True) for check in once], known=once)
    assert not any("is used" in check.reason for check in both)
    back = preflight([replace(check.clip, excluded=False) for check in checks], known=checks)
    assert [check.status.value for check in back] == ["conflict", "conflict", "conflict", "unreadable"]


def test_a_table_may_leave_clips_out(tmp_path):
    put(tmp_path, "a.wav", "b.wav", "c.wav")
    (tmp_path / "metadata.csv").write_text("file_name,state,label\na.wav,excluded,owl\nb.wav,positive,owl\nc.wav,,bat\n")
    assert [(clip.name, clip.excluded) for clip in read_folder(tmp_path).clips] == [("a.wav", True), ("b.wav", False), ("c.wav", False)]


def test_what_our_exports_are_not_sure_of_teaches_nothing(tmp_path):
    put(tmp_path, "a.wav", "b.wav", "c.wav")
    (tmp_path / "metadata.csv").write_text(
        "file_name,state,judge,label\na.wav,uncertain,person,owl\nb.wav,positive,machine,owl\nc.wav,positive,person,bat\n"
    )
    data = read_folder(tmp_path)
    assert [clip.name for clip in data.clips] == ["c.wav"]
    assert ("a.wav", "'metadata.csv' line 2: its label is uncertain") in data.ignored
    assert ("b.wav", "'metadata.csv' line 3: its label is not confirmed") in data.ignored


def test_what_is_known_is_judged_again_but_not_decoded_again(tmp_path, monkeypatch):
    sound(tmp_path / "owl/a.wav", seed=1, level=5.0)
    sound(tmp_path / "owl/b.wav", seed=1, level=5.0)
    sound(tmp_path / "bat/c.wav", seed=2)
    before = preflight(read_folder(tmp_path).clips)
    assert [check.status.value for check in before] == ["ok", "clipped", "duplicate"]
    moved = [replace(check.clip, label="bat") if check.clip.name == "owl/b.wav" else check.clip for check in before]
    expected = preflight(moved)
    assert [check.status.value for check in expected] == ["ok", "conflict", "conflict"]
    (tmp_path / "bat/c.wav").unlink()  # a file that is gone is no longer known
    decoded = []
    load = dataset.load
    monkeypatch.setattr(dataset, "load", lambda path, *args, **more: (decoded.append(path.name), load(path, *args, **more))[1])
    found = preflight(moved, known=before)
    assert found[1:] == expected[1:]
    assert [check.status.value for check in found] == ["unreadable", "conflict", "conflict"]
    assert decoded == ["c.wav"]
    assert preflight([check.clip for check in before], known=found)[1:] == before[1:]


def test_a_preflight_can_be_cancelled(tmp_path):
    def stop(*_: object) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        preflight([Clip(sound(tmp_path / "a.wav"), "a.wav", None)], progress=stop)


# ---- advice ----------------------------------------------------------------------------------------------------------------


def checks_of(**counts: int) -> list[ClipCheck]:
    """`counts` usable clips per class; a class of none gets one silent clip."""
    made = []
    for label, count in counts.items():
        clip = Clip(Path("x.wav"), "x.wav", label)
        made += [ClipCheck(clip, ClipStatus.OK, "")] * count or [ClipCheck(clip, ClipStatus.SILENT, "silent")]
    return made


@pytest.mark.parametrize(
    ("counts", "sentences"),
    [
        ({"owl": 5, "background_noise": 5}, []),
        ({"owl": 8, "Other": 2}, []),
        ({}, ["At least two classes are needed, no class has a usable clip"]),
        ({"noise": 5}, ["At least two classes are needed, only 'noise' has usable clips"]),
        ({"owl": 0, "noise": 5}, ["At least two classes", "No clip of 'owl' can be used"]),
        ({"owl": 1, "noise": 2}, ["'owl' has a single usable clip"]),
        ({"owl": 9, "noise": 2}, ["'owl' has 9 usable clips, 'noise' only 2"]),
        ({"Owl": 5, "owl": 5, "noise": 5}, ["'Owl' and 'owl' differ only in capitals"]),
        ({"owl": 5, "bat": 5}, ["Tip: add a class 'background'"]),
    ],
)
def test_advice(counts, sentences):
    lines = advice(checks_of(**counts))
    assert len(lines) == len(sentences)
    assert all(line.startswith(start) for line, start in zip(lines, sentences, strict=True))


# ---- splits ----------------------------------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(3, 8), min_size=2, max_size=4),
    per_group=st.integers(1, 3),
    shots=st.integers(1, 2),
    seed=st.integers(0, 2**32),
)
def test_a_split_has_the_shots_and_shares_no_group(sizes, per_group, shots, seed):
    names = [f"class {c}" for c, size in enumerate(sizes) for _ in range(size * per_group)]
    groups = [(c, i // per_group) for c, size in enumerate(sizes) for i in range(size * per_group)]
    support, rest = split_support(names, groups, shots, np.random.default_rng(seed))
    assert [names[i] for i in support] == [f"class {c}" for c in range(len(sizes)) for _ in range(shots)]
    assert len({groups[i] for i in support}) == shots * len(sizes), "one clip from each drawn group"
    assert not {groups[i] for i in support} & {groups[i] for i in rest}
    assert len(rest) == len(names) - shots * len(sizes) * per_group
    again = split_support(names, groups, shots, np.random.default_rng(seed))
    np.testing.assert_array_equal(again[0], support)
    np.testing.assert_array_equal(again[1], rest)


def test_every_clip_can_be_drawn():
    rng = np.random.default_rng(0)
    drawn = {tuple(split_support(["a"] * 3 + ["b"] * 3, range(6), 1, rng)[0]) for _ in range(200)}
    assert drawn == {(i, j) for i in range(3) for j in range(3, 6)}


def test_a_group_across_classes_stays_on_one_side():
    """One recording with an owl and a bat in it: whoever learns from it isn't tested on it."""
    names, groups = ["owl", "owl", "bat", "bat", "bat"], ["r1", "r1", "r1", "r2", "r3"]
    with pytest.raises(DataError, match="class 'owl' has 0 clips left for testing"):
        split_support(names, groups, 1, np.random.default_rng(0))
    support, rest = split_support(names, groups, 1, np.random.default_rng(0), min_rest=0)
    assert len(support) == 2
    assert "r1" not in {groups[i] for i in rest}


@pytest.mark.parametrize(
    ("shots", "min_rest", "reason"),
    [
        (0, 1, "0 clips per class"),
        (3, 1, "'bat' has 2 independent clips; 3 are needed"),
        (2, 1, "'bat' has 0 clips left"),
        (1, 2, "1 clips left"),
    ],
)
def test_too_few_clips_for_a_split_names_the_class(shots, min_rest, reason):
    with pytest.raises(DataError, match=reason):
        split_support(["owl"] * 9 + ["bat"] * 2, range(11), shots, np.random.default_rng(0), min_rest=min_rest)
