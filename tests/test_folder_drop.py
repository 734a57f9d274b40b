"""The Python half of the folder drop: what a browser may claim, and where the files end up. (The browser half: tests of the page.)"""

from pathlib import Path, PurePosixPath

import pytest

from calm_core.errors import DataError
from calm_ui.folder_drop import MAX_FILES, ReceivedFile, ReceivedFolder, folder_drop, place, received_files


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    root = tmp_path / "gradio"
    for name in ("one", "two"):
        (root / name).mkdir(parents=True)
        (root / name / "03.wav").write_bytes(name.encode())
    (tmp_path / "secret.wav").write_bytes(b"secret")
    return root


def claim(path: object, relpath: object = "owl/03.wav") -> dict[str, object]:
    return {"files": [{"path": str(path) if isinstance(path, Path) else path, "relpath": relpath}], "skipped": [], "failed": []}


def test_a_drop_keeps_its_folder_names(uploads: Path) -> None:
    value = claim(uploads / "one" / "03.wav", "Frog é/03.wav") | {"skipped": ["Frog é/notes.txt"], "failed": ["owl/big.wav"]}
    expected = ReceivedFile((uploads / "one" / "03.wav").resolve(), PurePosixPath("Frog é/03.wav"))
    assert received_files(value, uploads) == ReceivedFolder((expected,), ("Frog é/notes.txt",), ("owl/big.wav",))


def test_the_root_defaults_to_gradios_upload_folder(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    assert len(received_files(claim(uploads / "one" / "03.wav")).files) == 1
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads / "two"))
    with pytest.raises(DataError, match="not among the files uploaded here"):
        received_files(claim(uploads / "one" / "03.wav"))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{root}/../secret.wav", "{root}/one", "{root}", "{root}/none.wav", "{root}/link.wav", "03.wav", "a\0b", ""]
)
def test_a_path_that_is_no_upload_is_refused(uploads: Path, path: str) -> None:
    (uploads / "link.wav").symlink_to(uploads.parent / "secret.wav")
    with pytest.raises(DataError, match=r"'owl/03\.wav' is not among the files uploaded here"):
        received_files(claim(path.format(root=uploads)), uploads)


@pytest.mark.parametrize(
    "relpath",
    [
        *("", ".", "/owl/03.wav", "../03.wav", "owl/../../03.wav"),
        *("owl\\..\\..\\03.wav", "\\\\host\\share\\03.wav", "C:/owl/03.wav", "c:03.wav"),
        *("owl/\0.wav", "owl/\n.wav", "owl/\ud800.wav"),
        *("owl/" + "x" * 300, "é" * 200 + "/03.wav", "owl/" * 300 + "03.wav"),
    ],
)
def test_a_relpath_that_leaves_its_folder_is_refused(uploads: Path, relpath: str) -> None:
    with pytest.raises(DataError, match="can't be the name of a clip"):
        received_files(claim(uploads / "one" / "03.wav", relpath), uploads)


@pytest.mark.parametrize(
    "value", [None, "", {}, [], "text", 7, [1], {"files": None}, {"files": "abc"}, {"files": ["a.wav"]}, {"files": [{}]}]
)
def test_wrong_types_are_a_data_error(uploads: Path, value: object) -> None:
    with pytest.raises(DataError):
        received_files(value, uploads)


@pytest.mark.parametrize("extra", [{"skipped": "notes.txt"}, {"skipped": [1]}, {"failed": None}, {"files": [{"path": 1, "relpath": "a"}]}])
def test_wrong_types_inside_are_a_data_error(uploads: Path, extra: dict[str, object]) -> None:
    with pytest.raises(DataError):
        received_files(claim(uploads / "one" / "03.wav") | extra, uploads)


@pytest.mark.parametrize("relpath", [None, 3, ["owl"]])
def test_a_relpath_must_be_text(uploads: Path, relpath: object) -> None:
    with pytest.raises(DataError):
        received_files(claim(uploads / "one" / "03.wav", relpath), uploads)


def test_too_many_files_are_refused(uploads: Path) -> None:
    with pytest.raises(DataError, match=str(MAX_FILES)):
        received_files({"files": [{}] * (MAX_FILES + 1)}, uploads)


def lay_out(uploads: Path, into: Path, *pairs: tuple[str, str]) -> dict[str, bytes]:
    """Place (upload, relpath) pairs; returns what lies under `into`."""
    root = place(ReceivedFolder(tuple(ReceivedFile(uploads / name / "03.wav", PurePosixPath(relpath)) for name, relpath in pairs)), into)
    assert root == into
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_place_lays_out_the_folder(uploads: Path, tmp_path: Path) -> None:
    placed = lay_out(uploads, tmp_path / "in", ("one", "calls/owl/03.wav"), ("two", "calls/frog/03.wav"))
    assert placed == {"calls/owl/03.wav": b"one", "calls/frog/03.wav": b"two"}


def test_two_clips_of_one_name_are_both_kept_and_one_twice_only_once(uploads: Path, tmp_path: Path) -> None:
    placed = lay_out(uploads, tmp_path / "in", ("one", "owl/03.wav"), ("two", "owl/03.wav"), ("one", "owl/03.wav"))
    assert placed == {"owl/03.wav": b"one", "owl/03 (2).wav": b"two"}


def test_a_file_gives_way_to_a_folder_of_its_name(uploads: Path, tmp_path: Path) -> None:
    placed = lay_out(uploads, tmp_path / "in", ("one", "owl.wav"), ("two", "owl.wav/03.wav"))
    assert placed == {"owl (2).wav": b"one", "owl.wav/03.wav": b"two"}


def test_place_copies_where_links_are_refused(uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    assert lay_out(uploads, tmp_path / "in", ("one", "owl/03.wav")) == {"owl/03.wav": b"one"}


def test_an_upload_that_is_gone_is_a_sentence(uploads: Path, tmp_path: Path) -> None:
    (uploads / "one" / "03.wav").unlink()
    with pytest.raises(DataError, match=r"'owl/03\.wav' is no longer on this server"):
        lay_out(uploads, tmp_path / "in", ("one", "owl/03.wav"))


def test_the_zone_offers_the_upload_event_and_its_options() -> None:
    zone = folder_drop(suffixes=[".wav"], max_files=5, elem_id="folders")
    assert zone.props == {"suffixes": [".wav"], "max_files": 5}
    assert callable(zone.upload)
    assert "webkitdirectory" in zone.html_template
