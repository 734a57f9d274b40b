"""Tables of labels: their dialects, their rows that give no clip, and folders that are read by one."""

import unicodedata
from pathlib import Path

import pytest

from calm_core.errors import DataError
from calm_core.readers import read_csv, read_folder

from .test_readers import labels, put


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


@pytest.mark.parametrize("name", ["x" * 300, "a\0b.wav"])
def test_a_name_that_no_file_can_have_costs_only_its_row(tmp_path, name):
    put(tmp_path, "1.wav")
    (tmp_path / "t.csv").write_text(f"file_name,label\n1.wav,owl\n{name},bat\n")
    found = read_csv(tmp_path / "t.csv")
    assert labels(found) == {"1.wav": "owl"}
    assert found.ignored == ((name, "'t.csv' line 3: file not found"),)


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


def test_a_table_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    put(tmp_path, "owl/1.wav", "bat/1.wav", "stray.csv")

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(DataError, match=r"'stray\.csv' can't be opened \(Permission denied\)"):
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


def test_a_table_may_leave_clips_out(tmp_path):
    put(tmp_path, "a.wav", "b.wav", "c.wav")
    (tmp_path / "metadata.csv").write_text("file_name,state,label\na.wav,excluded,owl\nb.wav,positive,owl\nc.wav,,bat\n")
    assert [(clip.name, clip.excluded) for clip in read_folder(tmp_path).clips] == [("a.wav", True), ("b.wav", False), ("c.wav", False)]


def test_what_our_exports_are_not_sure_of_teaches_nothing(tmp_path):
    put(tmp_path, "a.wav", "b.wav", "c.wav")
    (tmp_path / "metadata.csv").write_text(
        "file_name,state,judge,label\na.wav,Uncertain ,person,owl\nb.wav,positive,machine,owl\nc.wav,positive,person,bat\n"
    )
    data = read_folder(tmp_path)
    assert [clip.name for clip in data.clips] == ["c.wav"]
    assert ("a.wav", "'metadata.csv' line 2: its label is uncertain") in data.ignored
    assert ("b.wav", "'metadata.csv' line 3: its label is not confirmed") in data.ignored
