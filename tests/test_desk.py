"""A visitor's desk: clips come, change and go, changes are taken back, and nothing outgrows its room."""

import copy
import os
import time
import zipfile
from pathlib import Path

import pytest

from calm_core.dataset import Dataset
from calm_core.errors import DataError
from calm_core.readers import read_folder
from calm_core.studio import Studio
from calm_ui import clip_words
from calm_ui.intake import bytes_needed, from_class, from_files
from calm_ui.page import thumbnail
from calm_ui.session import MAX_VISITOR_CLIPS, Desk, sweep

from .desks import clips_of, wav


def test_every_visitor_gets_a_desk_of_their_own(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    second = copy.deepcopy(first)  # as Gradio does with a state's initial value
    for hz in (300, 700):
        first.add(lambda into, hz=hz: from_class("owl", [wav(tmp_path / f"{hz}.wav", hz)], None, into), Studio().add)
    assert first.session.workspace.class_counts == {"owl": 2}
    assert second.session.workspace.checks == ()
    files = first.session.folder
    assert files is not None
    assert files.is_dir()
    first.close()
    assert not files.exists()


def test_a_failed_addition_leaves_the_clips_and_no_files(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add(lambda into: from_class("owl", [wav(tmp_path / "a.wav", 300)], None, into), Studio().add)
    with pytest.raises(DataError, match=r"'b\.wav' comes without a class"):
        desk.add(lambda into: from_files([wav(tmp_path / "b.wav", 500)], into), Studio().add)
    assert [check.clip.name for check in desk.session.workspace.checks] == ["owl/a.wav"]
    assert desk.session.folder is not None
    assert len(list(desk.session.folder.iterdir())) == 1


def test_a_desk_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_CLIPS", 0)
    assert MAX_VISITOR_CLIPS > 0
    with pytest.raises(DataError, match="at most 0"):
        Desk(tmp_path).add(lambda into: from_class("owl", [wav(tmp_path / "a.wav", 300)], None, into), Studio().add)


def test_a_sweep_deletes_whom_nobody_has_seen_for_long(tmp_path: Path) -> None:
    root = tmp_path / "visitors"
    root.mkdir()
    gone, here = Desk(root), Desk(root)
    for desk in (gone, here):
        clips_of(tmp_path, desk, 300)
    hours = 3600
    for desk in (gone, here):
        os.utime(desk.session.folder, (time.time() - 5 * hours,) * 2)
    here.touched()  # a step of the visitor's
    sweep(root, 4 * hours)
    assert list(root.iterdir()) == [here.session.folder]
    clips_of(tmp_path, gone, 500)  # who comes back all the same can go on
    assert [check.usable for check in gone.session.workspace.checks] == [False, True]


def test_a_removed_clip_comes_back_until_its_room_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    first, second = clips_of(tmp_path, desk, 300, 700)
    before = desk.session.workspace
    desk.remove([before.checks[0].clip])
    assert [check.clip.path for check in desk.session.workspace.checks] == [second]
    desk.undo()
    assert desk.session.workspace == before
    desk.remove([before.checks[0].clip])
    size = first.stat().st_size
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", 3 * size)

    def take(amount: int) -> None:
        with desk.new_folder(amount) as into:
            (into / "more").write_bytes(bytes(amount))

    with pytest.raises(DataError, match="remove others first"):
        take(3 * size)
    assert first.exists()  # what is refused costs nothing
    assert desk.undo().session.workspace == before
    desk.remove([before.checks[0].clip])
    take(2 * size)
    assert (first.exists(), second.exists()) == (False, True)
    assert desk.undo().session.workspace.checks[0].clip.path == second


@pytest.mark.parametrize("room", [1, 2, 3])
def test_clips_that_make_way_take_no_room(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    first, second = clips_of(tmp_path, desk, 300, 700)
    before, size = desk.session.workspace, first.stat().st_size
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", room * size)
    given = [wav(tmp_path / "other.wav", 1100)]
    desk.add(lambda into: from_class("frog", given, None, into), Studio().add, size, instead=True)
    assert desk.session.workspace.class_counts == {"frog": 1}
    fits = room == 3
    assert (first.exists(), second.exists()) == (fits, fits)
    assert (desk.undo().session.workspace == before) is fits  # they come back only where all have room
    with pytest.raises(DataError, match="remove others first"):
        desk.add(lambda into: from_class("frog", given, None, into), Studio().add, (room + 1) * size, instead=True)


def test_what_turns_out_too_large_leaves_the_clips_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    (first,) = clips_of(tmp_path, desk, 300)
    before = desk.session.workspace
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", first.stat().st_size)
    with pytest.raises(DataError, match="remove others first"):
        clips_of(tmp_path, desk, 700)
    assert desk.session.workspace == before
    assert first.exists()


def test_every_change_of_the_clips_can_be_taken_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    seen = [desk.session.workspace]
    paths = clips_of(tmp_path, desk, 300, 700, 900)
    seen.append(desk.session.workspace)
    clips = [check.clip for check in seen[-1].checks]
    desk.relabel(clips[:2], "bat")
    assert desk.session.workspace.class_counts == {"bat": 2, "owl": 1}
    seen.append(desk.session.workspace)
    desk.relabel([check.clip for check in desk.session.workspace.of_class("bat")], "wren")  # a class renamed
    assert desk.session.workspace.class_counts == {"owl": 1, "wren": 2}
    seen.append(desk.session.workspace)
    given = [wav(tmp_path / "other.wav", 1100)]
    desk.add(lambda into: from_class("frog", given, None, into), Studio().add, instead=True)
    assert desk.session.workspace.class_counts == {"frog": 1}
    for workspace in reversed(seen):
        assert desk.undo().session.workspace == workspace
    assert not any(path.exists() for path in paths)  # the addition itself was taken back
    assert desk.undo().session.workspace == seen[0]
    with pytest.raises(DataError, match="at most 60"):
        desk.relabel([], "o" * 61)


def test_what_is_left_out_stays_so_through_other_changes(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700, 900)
    before = desk.session.workspace
    desk.exclude([before.checks[0].clip])
    desk.relabel([check.clip for check in desk.session.workspace.checks[:2]], "bat")
    desk.remove([desk.session.workspace.checks[1].clip])
    clips_of(tmp_path, desk, 300, 1100)  # in the old class the same audio is another matter
    assert [(c.clip.name, c.clip.label, c.clip.excluded) for c in desk.session.workspace.checks] == [
        ("owl/300.wav", "bat", True),
        ("owl/900.wav", "owl", False),
        ("owl/1100.wav", "owl", False),
        ("owl/300.wav", "owl", False),
    ]
    assert "bat</b> <small>0 of 1 clip, 1 left out by you" in clip_words.class_cards(desk.session.workspace, 4, lambda _: "")
    for _ in range(4):
        desk.undo()
    assert desk.session.workspace == before
    assert desk.exclude([before.checks[0].clip]).exclude([desk.session.workspace.checks[0].clip], False).session.workspace == before


def test_a_copy_of_what_was_left_out_is_used_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    given = [wav(tmp_path / name, hz) for name, hz in (("a.wav", 300), ("b.wav", 300), ("c.wav", 700))]
    desk.add(lambda into: from_class("owl", given, None, into), Studio().add)
    desk.exclude([desk.session.workspace.checks[0].clip])
    rows = clip_words.clip_rows(desk.session.workspace)
    assert [(row[1], row[3]) for row in rows] == [("owl/a.wav", "left out: by you"), ("owl/b.wav", "OK"), ("owl/c.wav", "OK")]
    assert "'owl/b.wav' is used, and is the same audio as 'owl/a.wav', which was left out" in rows[1][-1]
    desk.undo()
    assert [check.usable for check in desk.session.workspace.checks] == [True, False, True]


def test_a_change_of_the_clips_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    said = []

    def act(change) -> None:
        before = desk.session.workspace
        change([check.clip for check in before.checks])
        said.append(clip_words.change(before, desk.session.workspace))

    act(lambda _: clips_of(tmp_path, desk, 300, 700, 900))
    act(lambda clips: desk.relabel(clips[:1], "bat"))
    act(lambda clips: desk.exclude(clips[:2]))
    act(lambda clips: desk.exclude(clips[:1], False))
    act(lambda clips: desk.relabel(clips[1:], "wren"))
    act(lambda clips: desk.relabel(clips[:1], "wren"))
    act(lambda clips: desk.relabel(clips, "wren"))
    act(lambda clips: desk.remove(clips[:1]))
    act(lambda clips: desk.remove(clips))
    assert said == [
        "3 clips added",
        "1 clip moved to ‘bat’",
        "2 clips left out of learning",
        "1 clip taken back into learning",
        "‘owl’ renamed to ‘wren’",
        "‘bat’ merged into ‘wren’: 1 clip",
        "",
        "1 clip removed",
        "‘wren’ deleted, with 2 clips",
    ]


def test_undo_forgets_what_is_long_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.UNDO_STEPS", 1)
    desk = Desk(tmp_path)
    first, second = clips_of(tmp_path, desk, 300, 700)
    desk.remove([desk.session.workspace.checks[0].clip])
    assert first.exists()
    desk.remove([desk.session.workspace.checks[0].clip])
    assert (first.exists(), second.exists()) == (False, True)


def test_removing_a_clip_spares_files_that_are_not_the_visitors(tmp_path: Path) -> None:
    mine = wav(tmp_path / "examples" / "owl" / "a.wav", 300)
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 700)
    desk.add(lambda _: read_folder(mine.parents[1]), Studio().add)
    desk.remove([desk.session.workspace.checks[-1].clip])
    desk.clear()
    assert mine.exists()


def test_a_zip_that_does_not_fit_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.MAX_VISITOR_BYTES", 20_000)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("owl/a.wav", bytes(30_000))
        file.writestr("owl/notes.txt", bytes(50_000))  # stays packed, so it doesn't count
        file.writestr("__MACOSX/owl/._a.wav", bytes(100))
    assert bytes_needed([archive]) == 30_000

    def read(_into: Path) -> Dataset:
        raise AssertionError("unpacked")

    with pytest.raises(DataError, match="remove others first"):
        Desk(tmp_path).add(read, Studio().add, bytes_needed([archive]))


def test_a_visitor_has_one_classifier_file_and_one_report(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first, report = desk.latest_file("classifier", "calm_bat.safetensors"), desk.latest_file("report", "calm_bat.html")
    first.write_bytes(b"1")
    report.write_bytes(b"2")
    assert desk.latest_file("classifier", "calm_owl.safetensors").parent == first.parent
    assert (first.exists(), report.exists()) == (False, True)
    desk.latest_file("report", "calm_owl.html")
    assert not report.exists()


def test_gradio_sees_a_touched_desk_as_changed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    before = hash(desk)
    assert hash(desk.touched()) != before


def test_loose_clips_with_a_table_are_read_together(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file_name,label\na.wav,owl\nb.wav,bat\n")
    found = from_files([wav(tmp_path / "a.wav", 300), wav(tmp_path / "b.wav", 500), table], tmp_path / "in")
    assert sorted((clip.name, clip.label) for clip in found.clips) == [("a.wav", "owl"), ("b.wav", "bat")]


@pytest.mark.parametrize(
    ("table", "with_clip", "said"),
    [
        ("name,kind\na.wav,owl\n", True, "no columns called file_name and label"),
        ("name,kind\na.wav,owl\n", False, "no columns called file_name and label"),
        ("file_name,label\nb.wav,owl\n", False, "1 entry was ignored: 'b.wav': 'labels.csv' line 2: file not found"),
    ],
)
def test_what_a_loose_table_lacks_is_said(table: str, with_clip: bool, said: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(table)
    given = [tmp_path / "labels.csv"] + ([wav(tmp_path / "a.wav", 300)] if with_clip else [])
    with pytest.raises(DataError, match=said) as caught:
        from_files(given, tmp_path / "in")
    assert "loose" not in str(caught.value)


def test_a_clip_that_the_table_leaves_out_is_ignored(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file_name,label\na.wav,owl\n")
    found = from_files([wav(tmp_path / "a.wav", 300), wav(tmp_path / "b.wav", 500), table], tmp_path / "in")
    assert found.ignored == (("b.wav", "not listed with a label in labels.csv"),)


def test_clips_that_are_already_here_are_not_added_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    (tmp_path / "home").mkdir()
    clips_of(tmp_path, desk, 300, 700)
    before = desk.session.workspace
    clips_of(tmp_path, desk, 300, 700)
    assert desk.session.workspace.checks == before.checks
    assert clip_words.added(before, desk.session.workspace, desk.session.repeated) == "2 clips were already here."
    assert len(list((tmp_path / "home").rglob("*.wav"))) == 2
    clips_of(tmp_path, desk, 300, 900)
    assert clip_words.added(before, desk.session.workspace, desk.session.repeated) == "Added 1 clip; 1 clip was already here."


def test_duplicates_within_one_upload_are_reported(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    given = [wav(tmp_path / "a.wav", 300), wav(tmp_path / "b.wav", 300)]
    desk.add(lambda into: from_class("owl", given, None, into), Studio().add)
    assert "'owl/b.wav' is the same audio as 'owl/a.wav'" in desk.session.workspace.checks[1].reason


@pytest.mark.parametrize("label", [None, "", "  ", "o" * 61])
def test_a_class_needs_a_name(label: str | None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no name|at most 60"):
        from_class(label, [wav(tmp_path / "a.wav", 300)], None, tmp_path / "in")


def test_thumbnails_go_with_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calm_ui.session.UNDO_STEPS", 1)
    desk = Desk(tmp_path)
    paths = clips_of(tmp_path, desk, 300, 700, 900)
    assert all(thumbnail(desk, path) for path in paths)
    for check in desk.session.workspace.checks[:2]:
        desk.remove([check.clip])
    assert list(desk.thumbnails) == paths[1:]  # the second can still come back
    desk.clear()
    assert not desk.thumbnails
