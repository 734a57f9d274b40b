"""The tab Review without a browser: the place in the queue, undo of skips, stale tabs, exports and their way back, strangers on a Space."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

import app
from calm_core import figures, readers
from calm_core.errors import DataError, ProjectError
from calm_core.importing import checked, cut, read_clips, read_pool
from calm_core.labelling import Labelling
from calm_core.library.project import Project
from calm_core.library.records import CurvePoint
from calm_core.library.shelf import open_project, projects
from calm_core.pseudo_labels import Vote
from calm_core.studio import Studio
from calm_ui import review_jobs, review_words, words
from calm_ui.bench import Bench, Said
from calm_ui.exporting import FORMATS, Exporting, exported
from calm_ui.intake import for_project, from_class, from_labels
from calm_ui.session import Desk, Session

from .conftest import TONES_HZ, tone

Write = Callable[..., Path]


@pytest.fixture
def pool(tmp_path: Path, write_wav: Write) -> Path:
    for name, hz in TONES_HZ.items():
        for i in range(3):
            write_wav(tmp_path / "pool" / f"{name}-{i}.wav", tone(hz * (1 + 0.02 * i), seed=900 + i + round(hz)))
    return tmp_path / "pool"


@pytest.fixture
def bench(tmp_path: Path, studio: Studio, class_folders: Path, pool: Path) -> Iterator[Bench]:
    """3 x 4 labelled clips and a pool of 9, the first on show."""
    (tmp_path / "visitors").mkdir()
    bench = Bench(tmp_path / "projects", tmp_path / "visitors")
    work = Labelling(Project.create(bench.root), studio, "fake")
    work.add(readers.read(class_folders))
    work.add_checked(read_pool([pool]))
    work.prepare()
    bench.put(work)
    yield bench
    bench.close()


def name(bench: Bench) -> str:
    return bench.suggestion.entry.name if bench.suggestion else ""


def test_answers_skips_and_the_way_back(bench: Bench) -> None:
    first, clip = name(bench), bench.clip
    bench.act("accept", clip)
    assert bench.said == Said("label", first, first.split("-")[0])
    second, skipped = name(bench), bench.clip
    bench.act("skip", skipped)
    third = name(bench)
    assert len({first, second, third}) == 3
    bench.act("uncertain", bench.clip)
    bench.act("undo")
    assert (bench.said.what, name(bench)) == ("undo", third)
    bench.act("undo")
    assert (bench.said, name(bench)) == (Said("unskip", second), second)
    bench.act("undo")
    assert name(bench) == first
    bench.act("redo")
    bench.act("redo")
    assert bench.said == Said("skip", second)
    bench.act("redo")
    assert "1 clip uncertain" in review_words.said_sentence(bench)
    assert [e.state for e in bench.require().now.entries].count("uncertain") == 1


def test_a_skipped_clip_comes_last_and_the_last_answer_can_be_undone(bench: Bench) -> None:
    skipped = name(bench)
    bench.act("skip", bench.clip)
    for _ in range(bench.left() - 1):
        assert name(bench) != skipped
        bench.act("exclude", bench.clip)
    assert name(bench) == skipped
    bench.act("exclude", bench.clip)
    assert bench.clip is None
    assert "every clip has an answer" in review_words.review_head(bench)
    bench.act("undo")
    assert name(bench) == skipped


def test_an_answer_about_a_clip_that_is_gone_changes_nothing(bench: Bench) -> None:
    clip = bench.clip
    bench.act("exclude", clip)
    revision = bench.require().project.revision
    bench.act("label", clip, "low")  # a key pressed twice
    assert bench.said == Said("gone")
    assert bench.require().project.revision == revision
    with pytest.raises(ProjectError):
        bench.act("show", 999)


def test_a_stale_tab_reloads_and_says_so(bench: Bench) -> None:
    clip = bench.clip
    with open_project(bench.root, bench.require().project.id) as other:
        other.label([clip or 0], "low")
    bench.act("exclude", clip)
    assert bench.said == Said("stale")
    assert bench.clip != clip
    assert bench.require().now.entry(clip or 0).label == "low"
    assert "nothing was overwritten" in review_words.review_answers(bench)


def test_accepted_labels_are_marked_until_confirmed(bench: Bench) -> None:
    found = bench.require().preview_accept(0.5)
    said = review_words.acceptance(found)
    assert f"This labels {len(found.clips)} clips" in said
    assert "teach nothing until you confirm them" in said
    bench.accept_above(0.5)
    assert len(bench.machine_made()) == len(found.clips)
    sure = [e.judgement.confidence or 0 for e in bench.machine_made()]
    assert sure == sorted(sure)
    one = bench.machine_made()[0]
    bench.act("show", one.id)
    assert "Press Enter to confirm it" in review_words.review_head(bench)
    bench.act("accept", one.id)
    assert bench.require().now.entry(one.id).learnable
    bench.confirm()
    assert bench.machine_made() == []
    assert "machine-made" not in review_words.project_line(bench)


@pytest.mark.parametrize("format", list(FORMATS))
def test_exports_come_back(bench: Bench, format: str, tmp_path: Path) -> None:
    assert review_words.READERS[format].startswith("Read by ")
    bench.act("exclude", bench.clip)
    bench.accept_above(0.9)
    bench.confirm()
    file = exported(bench, format)
    work = bench.require()
    said = {e.sha256: e.label for e in work.now.entries if e.state == "positive"}
    if file.suffix == ".zip" and format != "audacity":
        good, bad = checked(read_clips(file, tmp_path))
        assert bad == ()
        assert {clip.judgement.label for clip in good} >= set(TONES_HZ)
        with Project.create(tmp_path / "again") as again:
            again.add(good)
            assert {e.sha256: e.label for e in again.snapshot().entries if e.state == "positive"} == said
        return
    if format == "audacity":
        shutil.unpack_archive(file, tmp_path / "tracks")
        file = next(path for path in (tmp_path / "tracks").iterdir() if path.stem.startswith("mid-"))
    before = {e.id: e.label for e in work.now.entries}
    assert work.take_labels(file) >= 1
    assert {e.id: e.label for e in work.now.entries} == before


def test_an_export_that_brings_in_another_tabs_labels_shows_them(bench: Bench) -> None:
    clip, turn = bench.clip, bench.turn
    exported(bench, "csv")
    assert bench.turn == turn  # nothing to show
    with open_project(bench.root, bench.require().project.id) as other:
        other.label([clip or 0], "low")
    assert "low" in exported(bench, "csv").read_text()
    assert bench.turn != turn
    assert bench.said == Said("stale")
    assert bench.clip != clip
    bench.act("exclude", clip)  # a key about what was on show before
    assert bench.said == Said("gone")
    assert bench.require().now.entry(clip or 0).label == "low"


def test_a_damaged_project_is_listed_with_its_reason(bench: Bench) -> None:
    (bench.root / "lost").mkdir()
    (bench.root / "lost" / "project.db").write_bytes(b"nothing that SQLite knows" * 100)
    said = [review_words.project_choice(info) for info in bench.projects()]
    assert [text for text in said if text.startswith("Project 'lost' is damaged (")]


def test_a_project_of_a_stranger_has_limits(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(review_jobs, "MAX_VISITOR_CLIPS", 24)
    entries = bench.require().now.entries
    pieces = cut(entries[0].path, 0.1, tmp_path)
    assert len(pieces) == 5
    review_jobs.require_room(False, entries, pieces)
    review_jobs.require_room(True, entries, pieces[:3])
    with pytest.raises(DataError, match="would make 26 clips"):
        review_jobs.require_room(True, entries, pieces)


def test_nothing_to_export_is_a_sentence(tmp_path: Path, studio: Studio) -> None:
    bench = Bench(tmp_path / "projects", tmp_path)
    bench.put(Labelling(Project.create(bench.root), studio, "fake"))
    assert "The project is empty" in review_words.review_head(bench)
    with pytest.raises(DataError, match="no clips"):
        exported(bench, "csv")


def test_on_a_space_nobody_sees_the_projects_of_others(bench: Bench, tmp_path: Path) -> None:
    assert [info.id for info in bench.projects()] == [bench.require().project.id]
    public = Bench(bench.root, tmp_path, public=True)
    assert public.projects() == ()
    with pytest.raises(ProjectError, match="is no project"):
        open_project(public.root, "../projects")
    assert "deleted" in review_words.where_kept(public=True)
    assert "until you delete them" in review_words.where_kept(public=False)


def test_only_a_space_sweeps_projects(monkeypatch: pytest.MonkeyPatch, calm_home: Path) -> None:
    swept: list[Path] = []
    monkeypatch.setattr(app, "keep_swept", lambda root, *_: swept.append(root))
    app.build_demo(backbone="fake")
    assert calm_home / "projects" not in swept
    monkeypatch.setenv("SPACE_ID", "someone/calm")
    app.build_demo(backbone="fake")
    assert calm_home / "projects" in swept
    assert projects(calm_home / "projects") == ()


@pytest.mark.parametrize(
    ("host", "share", "others"),
    [
        *[(host, False, False) for host in ("127.0.0.1", "localhost", "::1", "[::1]")],
        *[(host, False, True) for host in ("0.0.0.0", "192.168.1.7", "::", "my-host")],
        ("127.0.0.1", True, True),
    ],
)
def test_who_can_open_the_page(host: str, share: bool, others: bool) -> None:
    assert app.reaches_others(host, share) is others


def test_a_shared_page_hides_projects_and_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    for shared in (False, True):
        blocks = app.build_demo(backbone="fake", shared=shared).blocks.values()
        (found,) = (block.value for block in blocks if isinstance(block, gr.State) and isinstance(block.value, Bench))
        assert (found.public, found.forgets) == (shared, False)
    assert "deleted" not in review_words.where_kept(public=True, forgets=False)


def test_a_clip_like_none_of_the_classes_is_not_called_sure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = replace(bench.suggestion, label="<b>", confidence=0.97, fits=())
    monkeypatch.setattr(Bench, "suggestion", odd)
    said = review_words.review_head(bench)
    assert "Perhaps <b>‘&lt;b&gt;’</b>" in said  # four labels per class: being unlike them says little
    assert "97\u202f%" not in said
    monkeypatch.setattr(review_words, "FEW_LABELS", 4)
    said = review_words.review_head(bench)
    assert "None of your classes?</b> The closest is ‘&lt;b&gt;’" in said
    assert "97\u202f%" not in said
    found = replace(bench.require().preview_accept(0.5), unlike=2)
    assert "2 more clips as sure fit none of your classes" in review_words.acceptance(found)
    assert "fits none of your classes" in review_words.acceptance(replace(found, clips=(), unlike=1))


def test_a_projects_labels_go_to_the_other_tabs(bench: Bench, tmp_path: Path) -> None:
    bench.act("label", bench.clip, "high")
    assert review_words.learn_from(bench) == "Learn from these 13 labels"
    entries = bench.require().now.entries
    desk = Desk(tmp_path / "visitors")
    desk.add(lambda into: from_class("owl", [entries[0].path], None, into), Studio().add)
    desk.add(lambda into: from_labels(entries, into), Studio().add, instead=True)
    workspace = desk.session.workspace
    assert sum(workspace.class_counts.values()) == 13
    assert {(c.clip.name, c.clip.label) for c in workspace.usable} == {(e.name, e.label) for e in entries if e.learnable}
    assert not workspace.left_out
    out = next(entry for entry in entries if entry.learnable)
    bench.require().judge([out.id], state="excluded")
    desk.add(lambda into: from_labels(bench.require().now.entries, into), Studio().add, instead=True)
    assert [check.clip.name for check in desk.session.workspace.left_out] == [out.name]
    assert len(for_project(desk.session.workspace)) == 13
    desk.clear()
    assert all(entry.path.is_file() for entry in entries)  # the project's own files stay
    bench.require().merge_classes(["high", "low", "mid"], "all")
    assert review_words.learn_from(bench) == ""  # one class teaches nothing


def carrying(desk: Desk, bench: Bench) -> Iterator[tuple[Any, Any, str]]:
    """What a press on “Learn from these labels” runs, with the settings that the page begins with."""
    (found,) = (fn for fn in app.build_demo(backbone="fake").fns.values() if fn.fn is not None and fn.fn.__name__ == "carry")
    return found.fn(desk, bench, "fake", *(setting.value for setting in found.inputs[3:]))


def test_taking_labels_along_shows_its_progress(bench: Bench, tmp_path: Path) -> None:
    desk, said = Desk(tmp_path / "visitors"), []
    job = carrying(desk, bench)
    while not desk.session.workspace.checks:
        said.append(next(job)[2])
    said.append(next(job)[2])
    job.close()
    assert "12/12 clips, checking" in "".join(said)
    assert not desk.session.earlier[-1].checks


def test_clips_that_are_left_out_need_room_too(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries, needed = [entry for entry in bench.require().now.entries if entry.learnable], []
    bench.require().judge([entries[0].id], state="excluded")
    monkeypatch.setattr(Desk, "add", lambda _desk, _read, _check, needs, **_: needed.append(needs))
    with pytest.raises(gr.Error, match="no clips to learn from"):
        list(carrying(Desk(tmp_path / "visitors"), bench))
    assert needed == [sum(entry.path.stat().st_size for entry in entries)]


def test_taking_labels_along_can_be_cancelled(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path / "visitors")
    source = bench.require().now.entries[0].path
    desk.add(lambda into: from_class("owl", [source], None, into), Studio().add)
    before, add = desk.session, Studio.add

    def cancelled_meanwhile(*args: Any, **kwargs: Any) -> Any:
        desk.jobs.cancel()
        return add(*args, **kwargs)

    monkeypatch.setattr(Studio, "add", cancelled_meanwhile)
    with pytest.raises(gr.Error):
        list(carrying(desk, bench))
    assert (desk.session.workspace, desk.session.earlier) == (before.workspace, before.earlier)
    assert len(list(desk.session.folder.rglob("*.wav"))) == 1


def test_nothing_waiting_is_not_called_done(bench: Bench) -> None:
    bench.require().judge([entry.id for entry in bench.require().now.entries if entry.state == "unlabelled"], "low")
    bench.look()
    said = review_words.review_head(bench)
    assert "Add clips without labels below" in said
    assert "Done" not in said


def test_what_a_deletion_loses_is_said(bench: Bench) -> None:
    (info,) = bench.projects()
    said = review_words.deletion(replace(info, name="<b>"))
    assert "“&lt;b&gt;”? Its 21 clips, 12 labels by you and the whole history go for good" in said
    assert "can't be opened? Project 'x' is damaged" in html.unescape(review_words.deletion(replace(info, error="project 'x' is damaged")))
    for forgets in (False, True):
        said = words.status_line("cpu", Session(), forgets)
        assert ("projects in Review stay until you delete them" in said) is not forgets


def test_names_are_escaped(bench: Bench) -> None:
    bench.act("label", bench.clip, '<img src=x onerror="1">')
    for text in (review_words.review_answers(bench), review_words.review_head(bench), review_words.project_line(bench)):
        assert "<img" not in text


def test_each_page_has_a_bench_of_its_own(tmp_path: Path) -> None:
    from copy import deepcopy

    first = Bench(tmp_path, tmp_path, public=True)
    second = deepcopy(first)
    assert second is not first
    assert (second.root, second.public) == (tmp_path, True)
    assert hash(first.touched()) == 1
    assert hash(second) == 0


def test_the_curve_and_its_words() -> None:
    points = [CurvePoint(4, 3, 4), CurvePoint(5, 5, 5), CurvePoint(4, 4, 4)]
    figure = figures.accuracy_curve([4, 5, 4], [0.75, 1, 1], [0.3, 0.57, 0.51], [0.95, 1, 1])
    np.testing.assert_allclose(figure.data[1].x, [4, 5])
    np.testing.assert_allclose(figure.data[1].y, [1, 1])  # the last word on four labels
    assert figures.accuracy_curve(None, None, None, None).layout.annotations[0].text.startswith("After your first answers")
    with pytest.raises(ValueError, match="differ in length"):
        figures.accuracy_curve([1, 2], [1], [1], [1])
    assert "With 4 labelled clips" in review_words.curve_text(points)
    assert review_words.curve_rows(points)[0][:3] == [4, "3 of 4", "75\u202f%"]
    assert "by the others alone" in review_words.curve_text([])


def test_a_damaged_event_is_refused(tmp_path: Path) -> None:
    bench = gr.State(Bench(tmp_path, tmp_path)).value
    with pytest.raises(ProjectError, match="no project is open"):
        bench.act("label", 1, "owl")


def test_a_correction_is_the_projects_too(bench: Bench, tmp_path: Path, write_wav: Write) -> None:
    clip = write_wav(tmp_path / "new.wav", tone(2900.0, seed=77))
    with open_project(bench.root, bench.require().project.id) as other:
        other.label([bench.clip or 0], "low")  # another window's answer isn't lost, and doesn't stop it
    assert bench.correct(clip, "new.wav", "high") == "My sounds"
    assert review_words.said_sentence(bench) == "Saved: new.wav is ‘high’."
    assert bench.require().unheard == 1
    handlers = [fn.fn for fn in app.build_demo(backbone="fake").fns.values() if fn.fn is not None]
    (listens,) = (handler for handler in handlers if handler.__name__ == "listen_for_project")
    list(listens(Desk(tmp_path / "visitors"), bench))
    assert bench.require().unheard == 0
    bench.act("undo")
    assert not [e for e in bench.require().now.entries if e.name == "new.wav"]
    (first, *_), turn = bench.require().now.entries, bench.turn
    bench.act("show", first.id)
    assert bench.correct(clip, "new.wav", "high", add=False) == ""  # another tab's clip, none of the project's
    assert (bench.clip, bench.turn) == (first.id, turn + 1)
    with pytest.raises(DataError, match="add it again"):
        bench.correct(tmp_path / "swept.wav", "swept.wav", "high", add=False)
    (known,) = (e for e in bench.require().now.entries if e.name == "low/0.wav")
    assert bench.correct(known.path, "low/0.wav", "high", add=False) == "My sounds"
    assert bench.require().now.entry(known.id).label == "high"
    bench.close()
    assert bench.correct(clip, "new.wav", "high") == ""


def test_an_answer_can_be_looked_at_again(bench: Bench) -> None:
    work, doubtful = bench.require(), bench.require().now.entries[0]
    assert doubtful.label == "high"
    unsure, waiting = bench.clip, bench.left()
    bench.act("uncertain", unsure)
    work.answer(doubtful.id, "low")  # wrong
    assert review_words.answered_note(work.answered("excluded"), "excluded") == "No clip is excluded."
    assert [row[:3] for row in review_words.answered_rows(work.answered("uncertain"))] == [
        [unsure, work.now.entry(unsure).name, "uncertain"]
    ]
    found = work.answered("labelled")
    assert len(found) == 12
    assert review_words.answered_rows(found)[0] == [doubtful.id, doubtful.name, "low", f"✗ ‘high’ {words.percent(found[0].confidence)}"]
    assert all(row[3].startswith("✓") for row in review_words.answered_rows(found)[1:])
    bench.act("show", doubtful.id)
    assert "You called it <b>‘low’</b></p><p>The other clips make it ‘high’" in review_words.review_head(bench)
    bench.act("accept", doubtful.id)  # Enter keeps it
    assert (work.now.entry(doubtful.id).label, bench.left()) == ("low", waiting - 1)
    bench.act("show", unsure)
    assert "You called it uncertain." in review_words.review_head(bench)
    bench.act("skip", unsure)
    assert review_words.said_sentence(bench) == f"{work.now.entry(unsure).name} is left as it was."
    bench.act("show", unsure)
    bench.act("label", unsure, "mid")
    assert work.answered("uncertain") == ()


def test_a_file_is_offered_as_long_as_it_is_true(bench: Bench) -> None:
    project = bench.require().project
    made_at = (project.id, project.revision)
    assert Exporting.outdated(bench, made_at) == Exporting.outdated(bench, None) == [gr.skip()] * 3
    bench.act("exclude", bench.clip)
    hidden, said, now = Exporting.outdated(bench, made_at)
    assert (hidden["visible"], now) == (False, None)
    assert "export it again" in said
    assert Exporting.outdated(bench, ("another project", project.revision))[1] == ""
    bench.close()
    assert Exporting.outdated(bench, None)[1] == ""


def test_the_chosen_project_stays_chosen_while_it_is_there(bench: Bench, tmp_path: Path) -> None:
    older = bench.require().project.id
    bench.close()
    Project.create(bench.root).close()
    demo, desk = app.build_demo(backbone="fake"), Desk(tmp_path / "visitors")
    (shows,) = (fn for fn in demo.fns.values() if "review-projects" in [out.elem_id for out in fn.outputs])
    place = [out.elem_id for out in shows.outputs].index("review-projects")
    assert "value" not in shows.fn(bench, desk, older)[place]
    newest = bench.projects()[0].id
    assert [shows.fn(bench, desk, gone)[place]["value"] for gone in (None, "gone")] == [newest, newest]


def test_the_models_own_answers_are_said_as_such(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    work = bench.require()
    bench.add_classes(["owl", "band 3"])
    assert review_words.said_sentence(bench) == "Saved: owl, band 3 are classes of this project."
    votes = {e.id: Vote(e.name.split("-")[0], 0.75) for e in work.now.entries if not e.learnable}
    monkeypatch.setattr(Labelling, "votes", votes)
    said = review_words.acceptance(work.preview_accept(0.5, "words"))
    assert "This labels 9 clips: 3 ‘high’" in said
    assert "answers that agree may all be wrong" in said
    assert "teach nothing until you confirm them" in said
    votes |= {e.id: Vote("low", 0.75) for e in work.now.entries if e.learnable}
    assert "as sure about 12, and right about 4 of those" in review_words.acceptance(work.preview_accept(0.5, "words"))
    assert "For no clip do 90\u202f%" in review_words.acceptance(work.preview_accept(0.9, "words"))
    bench.accept_above(0.5, "words")
    assert bench.said == Said("accepted", count=9)
    assert review_words.ask_about(work) == "It was asked about every clip"
    bench.act("undo")
    assert bench.machine_made() == []


def test_another_backbone_chosen_on_the_page_is_told(bench: Bench) -> None:
    assert review_words.other_backbone(bench, "fake") == ""
    said = review_words.other_backbone(bench, "pocket")
    assert "goes on with “Fake (tests)”" in said
    assert "would listen to all 21 clips anew" in said
    bench.close()
    assert review_words.other_backbone(bench, "pocket") == ""


def test_a_curve_that_falls_is_explained() -> None:
    said = review_words.curve_text([CurvePoint(100, 90, 100), CurvePoint(200, 140, 200)])
    assert "It has fallen: with 100 it was 90\u202f%." in said
    assert "later clips are often the hard ones" in said
    said = review_words.curve_text([CurvePoint(100, 70, 100), CurvePoint(200, 190, 200)])
    assert "It has risen: with 100 it was 70\u202f%." in said
    assert "hard ones" not in said
    said = review_words.curve_text([CurvePoint(10, 9, 10), CurvePoint(20, 16, 20)])
    assert "too few to tell a change: with 10 it was 90\u202f%." in said


def test_each_backbone_has_a_curve_of_its_own() -> None:
    points = [
        CurvePoint(10, 9, 10, "pocket"),
        CurvePoint(11, 10, 11, "pocket"),
        CurvePoint(11, 5, 11, "fake"),
        CurvePoint(12, 6, 12, "fake"),
    ]
    said = review_words.curve_text(points)
    assert "That is with “Fake (tests)”" in said
    assert f"a change: with 11 it was {words.percent(5 / 11)}." in said
    assert [row[-1] for row in review_words.curve_rows(points)][1:3] == [words.backbone_title("pocket"), "Fake (tests)"]
    figure = figures.accuracy_curve([10, 11, 11, 12], [0.9, 0.91, 0.45, 0.5], [0.6] * 4, [1.0] * 4, ["pocket", "pocket", "fake", "fake"])
    lines = [trace for trace in figure.data if trace.name]
    assert [(line.name, list(line.x)) for line in lines] == [("pocket", [10, 11]), ("fake", [11, 12])]
    assert figure.layout.showlegend
    assert not figures.accuracy_curve([4], [0.75], [0.3], [0.95], ["pocket"]).layout.showlegend
