"""A labelling session end to end on the fake backbone: add, answer, undo, accept, confirm, across restarts and between tabs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from calm_core import export, readers
from calm_core.backbones.fake import FakeBackbone
from calm_core.dataset import Clip, Dataset
from calm_core.errors import AudioError, BackboneError, Cancelled, DataError, OptionError, StaleError
from calm_core.importing import checked, cut, read_clips
from calm_core.labelling import Labelling, simulate
from calm_core.library.project import Project
from calm_core.library.records import Judgement
from calm_core.options import FitOptions
from calm_core.pseudo_labels import Vote
from calm_core.studio import Studio

from .conftest import RATE_HZ, TONES_HZ, tone

Write = Callable[..., Path]


@pytest.fixture
def fake_backbone(studio: Studio) -> FakeBackbone:
    """The one that the studio gives to those who ask for it."""
    found = studio.backbone("fake")
    assert isinstance(found, FakeBackbone)
    return found


@pytest.fixture
def pool(tmp_path: Path, write_wav: Write) -> Dataset:
    """Six unlabelled clips of each tone, named after it."""
    clips = []
    for name, hz in TONES_HZ.items():
        for i in range(6):
            path = write_wav(tmp_path / "pool" / f"{name}-{i}.wav", tone(hz * (1 + 0.02 * i), seed=900 + i + round(hz)))
            clips.append(Clip(path, path.name, None))
    return Dataset(tuple(clips))


@pytest.fixture
def labelling(tmp_path: Path, studio: Studio, class_folders: Path, pool: Dataset) -> Iterator[Labelling]:
    with Project.create(tmp_path / "projects") as project:
        labelling = Labelling(project, studio, "fake")
        labelling.add(readers.read(class_folders))
        labelling.add(pool)
        labelling.prepare()
        yield labelling


def right(name: str) -> str:
    return name.split("-")[0]


def test_a_session(labelling: Labelling, fake_backbone: FakeBackbone) -> None:
    seen = fake_backbone.windows_seen
    assert labelling.now.class_counts == dict.fromkeys(sorted(TONES_HZ), 4)
    queue = labelling.queue()
    assert len(queue) == 18
    assert sum(s.label == right(s.entry.name) for s in queue) == 18
    assert all(s.confidence is not None and s.chances[0] == (s.label, s.confidence) for s in queue)

    for _ in range(5):
        first = labelling.queue(count=1)[0]
        labelling.get_ready(first.entry.id)
        labelling.answer(first.entry.id, right(first.entry.name))
        assert first.entry.id not in [s.entry.id for s in labelling.queue()]
    labelling.answer(labelling.queue()[0].entry.id, state="uncertain")
    assert labelling.undo() == "1 clip uncertain"
    assert labelling.redo() == "1 clip uncertain"
    assert len(labelling.queue()) == 12
    labelling.undo()
    assert labelling.undo().startswith("1 clip to ")
    assert [point.labels for point in labelling.curve] == [13, 14, 15, 16]
    labelling.redo()
    labelling.redo()
    assert [point.labels for point in labelling.curve] == [13, 14, 15, 16, 17]
    assert all(point.hits == point.n == point.labels for point in labelling.curve)

    preview = labelling.preview_accept(0.5)
    assert preview.per_class == {name: sum(right(s.entry.name) == name for s in labelling.queue()) for name in preview.per_class}
    assert 0 <= preview.expected_wrong < 6
    assert preview.held_out[0] == preview.held_out[1] <= 17
    count = len(labelling.now.class_counts)
    before = labelling.learned
    assert labelling.accept_above(0.5) == len(preview.clips)
    assert labelling.learned is before  # what a machine said teaches nothing
    machine = [e for e in labelling.now.entries if e.judgement.judge == "machine"]
    assert [e.id for e in machine] == sorted(preview.clips)
    assert all(e.label == right(e.name) and e.waiting and (e.judgement.confidence or 0) >= 0.5 for e in machine)
    labelling.confirm()
    assert not [e for e in labelling.now.entries if e.judgement.judge == "machine"]
    assert sum(labelling.now.class_counts.values()) == 17 + len(machine)
    assert count == 3
    assert fake_backbone.windows_seen == seen  # not one forward pass


def test_it_goes_on_where_it_was(labelling: Labelling, studio: Studio, fake_backbone: FakeBackbone) -> None:
    for suggestion in labelling.queue(count=3):
        labelling.answer(suggestion.entry.id, right(suggestion.entry.name))
    expected = [(s.entry.id, s.label) for s in labelling.queue()]
    seen = fake_backbone.windows_seen
    labelling.project.close()
    with Project(labelling.project.folder) as project:
        again = Labelling(project, studio, "fake")
        again.prepare()
        assert [(s.entry.id, s.label) for s in again.queue()] == expected
        assert again.undo().startswith("1 clip to ")
        assert len(again.queue()) == len(expected) + 1
    assert fake_backbone.windows_seen == seen


def test_what_fits_no_class_is_not_accepted_unheard(labelling: Labelling) -> None:
    assert labelling.learned is not None
    assert labelling.learned.p_values is not None
    clips = labelling.preview_accept(0.0).clips
    odd = clips[0]
    p_values = np.ones_like(labelling.learned.p_values)
    p_values[labelling._place[odd]] = 0.05
    labelling.learned = replace(labelling.learned, p_values=p_values)
    assert labelling.suggestion(odd).fits == ()
    assert labelling.suggestion(clips[1]).fits == labelling.learned.class_names
    found = labelling.preview_accept(0.0)
    assert (found.clips, found.unlike) == (clips[1:], 1)
    assert labelling.accept_above(0.0) == len(clips) - 1
    assert labelling.now.entry(odd).state == "unlabelled"


def test_every_order_queues_every_clip(labelling: Labelling) -> None:
    everything = {s.entry.id for s in labelling.queue()}
    for order in ("useful", "uncertain", "entropy", "diverse", "confident", "balanced", "random"):
        assert {s.entry.id for s in labelling.queue(order, seed=3)} == everything  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="no order"):
        labelling.queue("best")  # type: ignore[arg-type]


def test_from_nothing_labelled(tmp_path: Path, studio: Studio, pool: Dataset) -> None:
    """The first clips on show are unlike each other, and nothing is suggested before there are two classes."""
    with Project.create(tmp_path / "projects") as project:
        labelling = Labelling(project, studio, "fake")
        assert labelling.queue() == ()
        labelling.add(pool)
        assert len(labelling.queue()) == 18  # before there are vectors, in the order they came
        labelling.prepare()
        for _ in range(3):
            first = labelling.queue(count=1)[0]
            labelling.answer(first.entry.id, right(first.entry.name))
        assert set(labelling.now.class_counts) == set(TONES_HZ)
        assert labelling.suggestion(labelling.now.entries[0].id).confidence is None
        assert labelling.queue()[0].label != ""
        with pytest.raises(DataError, match="at least 10 labelled clips"):
            labelling.preview_accept(0.9)


def test_classes_change_without_relearning_the_sound(labelling: Labelling) -> None:
    labelling.rename_class("low", "hum")
    assert "hum" in {s.label for s in labelling.queue()}
    labelling.merge_classes(["hum", "mid"], "deep")
    assert {s.label for s in labelling.queue()} == {"deep", "high"}
    labelling.delete_class("high")
    assert labelling.learned is None
    assert labelling.undo() == "class 'high' deleted"
    assert {s.label for s in labelling.queue()} == {"deep", "high"}
    clip = labelling.now.entries[0].id
    labelling.judge([clip], state="excluded")
    assert not labelling.now.entry(clip).learnable


def test_a_stale_tab_reloads_and_goes_on(labelling: Labelling, studio: Studio) -> None:
    with Project(labelling.project.folder) as project:
        other = Labelling(project, studio, "fake")
        other.prepare()
        clip = other.queue()[0].entry.id
        other.answer(clip, "low")
        with pytest.raises(StaleError):
            labelling.answer(clip, "high")
        assert labelling.reload().entry(clip).label == "low"
        labelling.answer(clip, "high")
        assert other.reload().entry(clip).label == "high"
        assert [s.label for s in other.queue()] == [s.label for s in labelling.queue()]


def test_bad_clips_are_named_and_long_recordings_cut(labelling: Labelling, tmp_path: Path, write_wav: Write) -> None:
    silent = write_wav(tmp_path / "silent.wav", np.zeros(RATE_HZ, np.float32))
    added = labelling.add(Dataset((Clip(silent, "silent.wav", None), *(Clip(e.path, e.name, None) for e in labelling.now.entries[:2]))))
    assert (added.ids, added.repeated, [check.clip.name for check in added.unusable]) == ((), 2, ["silent.wav"])

    field = np.concatenate([tone(200, 2.0), np.zeros(2 * RATE_HZ, np.float32), tone(3000, 1.5, seed=1)])
    added = labelling.add_checked(*checked(cut(write_wav(tmp_path / "field.wav", field), 2.0, tmp_path)))
    entries = [labelling.now.entry(clip) for clip in added.ids]
    assert [(e.recording, e.start_s, e.end_s) for e in entries] == [("field.wav", 0.0, 2.0), ("field.wav", 4.0, 5.5)]
    assert entries[0].group == entries[1].group is not None
    assert len(added.unusable) == 1
    labelling.prepare()
    assert [labelling.suggestion(e.id).label for e in entries] == ["low", "high"]
    with pytest.raises(AudioError, match="at most 5 s"):
        cut(tmp_path / "field.wav", 2.0, tmp_path, max_seconds=5)


def test_a_label_for_a_clip_that_waits_here_is_kept(labelling: Labelling) -> None:
    """A pool first, then class folders with some of the same sounds: what stands there about them teaches."""
    waiting = [e for e in labelling.now.entries if e.waiting][:2]
    labelled = next(e for e in labelling.now.entries if e.label == "low")
    again = [Clip(e.path, e.name, label) for e, label in zip((*waiting, labelled), ("low", "new", "new"), strict=True)]
    added = labelling.add(Dataset(tuple(again)))
    assert (added.ids, added.repeated, added.labelled) == ((), 3, 2)
    assert [labelling.now.entry(e.id).judgement for e in waiting] == [Judgement(name, "positive", "person") for name in ("low", "new")]
    assert labelling.now.entry(labelled.id).label == "low"
    assert labelling.undo() == "labels of 2 clips that were here"
    assert labelling.now.entry(waiting[0].id).label is None
    assert labelling.add(Dataset((Clip(waiting[0].path, "0.wav", None),))).labelled == 0


def test_what_was_left_out_is_left_out_in_a_project_and_in_its_export(
    tmp_path: Path, studio: Studio, fake_backbone: FakeBackbone, class_folders: Path
) -> None:
    clips = [replace(clip, excluded=clip.name == "high/0.wav") for clip in readers.read(class_folders).clips]
    with Project.create(tmp_path / "projects") as project:
        labelling = Labelling(project, studio, fake_backbone)
        assert labelling.add(Dataset(tuple(clips))).unusable == ()
        (out,) = (entry for entry in labelling.now.entries if entry.name == "high/0.wav")
        assert out.judgement == Judgement("high", "excluded", "person")
        export.write_audiofolder(labelling.now.entries, tmp_path / "export")
    again = readers.read(tmp_path / "export")
    assert sorted((clip.label, clip.excluded) for clip in again.clips) == sorted((clip.label, clip.excluded) for clip in clips)
    for label in ("low", "high"):  # the same audio, kept where it belongs; or a copy about which nobody said anything
        with Project.create(tmp_path / "projects") as project:
            copy = Clip(clips[0].path, f"{label}/copy.wav", label)
            assert Labelling(project, studio, fake_backbone).add(Dataset((clips[0], copy))).repeated == 1
            assert [(entry.name, entry.state) for entry in project.snapshot().entries] == [(f"{label}/copy.wav", "positive")]


def test_options_that_choose_themselves_are_refused(labelling: Labelling) -> None:
    with pytest.raises(OptionError, match="fixed options"):
        Labelling(labelling.project, labelling.studio, labelling.backbone, options=FitOptions(auto=True))


def test_simulate_uses_folds_where_all_clips_have_one(studio: Studio, fake_backbone: FakeBackbone, class_folders: Path) -> None:
    rows = [f"{path.relative_to(class_folders)},{path.parent.name},{i % 2}" for i, path in enumerate(sorted(class_folders.glob("*/*.wav")))]
    (class_folders / "metadata.csv").write_text("file_name,label,fold\n" + "\n".join(rows))
    found, left_out = simulate(studio, readers.read(class_folders), fake_backbone, orders=["useful", "random"], start=1, budget=6, seeds=2)
    assert (found.n_clips, left_out, found.curves[0].labels) == (12, (), (3, 4, 5, 6))
    assert "another fold" in found.protocol


def test_a_zipped_export_resumes_the_project(labelling: Labelling, tmp_path: Path) -> None:
    """On a server that forgets, this file is the project."""
    labelling.answer(labelling.queue(count=1)[0].entry.id, state="uncertain")
    labelling.accept_above(0.6)
    export.write_audiofolder(labelling.now.entries, tmp_path / "out")
    archive = shutil.make_archive(str(tmp_path / "project"), "zip", tmp_path / "out")
    clips, unusable = checked(read_clips(Path(archive), tmp_path))
    with Project.create(tmp_path / "projects") as project:
        project.add(clips)
        found = [(e.sha256, e.name, e.judgement) for e in project.snapshot().entries]
    assert found == [(e.sha256, e.name, e.judgement) for e in labelling.now.entries]
    assert unusable == ()


def test_the_backbones_own_answers_label_a_pool(labelling: Labelling, fake_backbone: FakeBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine-made like any other: previewed, accepted as one act, undone, confirmed; the labelled clips say how often it is right."""
    heard = {2: "high", 1: "low", 0: "none of them"}
    silent = [e for e in labelling.now.entries if e.name == "mid-0.wav"]

    def sample_answers(windows, prompt, samples):
        assert prompt.endswith(f"{', '.join(sorted(TONES_HZ))}.")
        peak_hz = np.abs(np.fft.rfft(windows[0])).argmax() * RATE_HZ / len(windows[0])
        said = "Low." if peak_hz < 500 else "It is high-pitched" if peak_hz > 2000 else heard[0]
        return [[said] * (samples - 2) + ["", "mid"]]

    monkeypatch.setattr(fake_backbone, "sample_answers", sample_answers)
    assert labelling.answers
    assert labelling.unasked == len(labelling.now.entries)
    with pytest.raises(DataError, match="ask it first"):
        labelling.preview_accept(0.5, "words")
    with pytest.raises(Cancelled, match="after 5 of 30"):
        labelling.ask(cancelled=lambda: len(labelling.votes) == 5)
    labelling.ask()
    assert (labelling.unasked, len(labelling.votes)) == (0, 30)
    assert labelling.votes[silent[0].id] == Vote("mid", 1 / 8)

    found = labelling.preview_accept(0.5, "words")
    assert (found.per_class, found.expected_wrong, found.held_out, found.unlike) == ({"low": 6, "high": 6}, None, (8, 8), 0)
    assert labelling.preview_accept(0.8, "words").clips == ()
    assert labelling.accept_above(0.5, "words") == 12
    machine = [e for e in labelling.now.entries if e.judgement.judge == "machine"]
    assert all(e.judgement == Judgement(right(e.name), "positive", "machine", 0.75) for e in machine)
    assert labelling.now.undo == "accepted 12 of the model's own answers from 50 %"
    labelling.undo()
    assert not [e for e in labelling.now.entries if e.judgement.judge == "machine"]
    labelling.add_classes(["owl", "bat"])
    assert labelling.votes == {}  # it was asked about other classes
    labelling.undo()
    assert len(labelling.votes) == 30


def test_classes_without_a_label_are_enough_for_the_backbones_answers(tmp_path: Path, studio: Studio, pool: Dataset) -> None:
    with Project.create(tmp_path / "projects") as project:
        labelling = Labelling(project, studio, "fake")
        labelling.add(pool)
        labelling.prepare()
        with pytest.raises(OptionError, match="at least two"):
            labelling.ask()
        labelling.add_classes(["band 0", "band 1"])
        labelling.ask()
        found = labelling.preview_accept(0.5, "words")
        assert set(found.per_class) <= {"band 0", "band 1"}
        assert len(found.clips) + found.unlike <= 18
        assert found.held_out == (0, 0)


def test_another_backbone_listens_anew(labelling: Labelling, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(id="silent", device="cpu")
    monkeypatch.setattr(studio, "backbone", lambda id, *_: silent if id == "silent" else FakeBackbone(seed=1))
    labelling.listen_with("silent")
    assert (labelling.unheard, labelling.learned) == (30, None)
    assert labelling.queue(count=1)[0].label == ""
    with pytest.raises(BackboneError, match="doesn't answer in words"):
        labelling.ask()
    labelling.listen_with("fake")
    labelling.prepare()
    clip = labelling.queue(count=1)[0].entry
    labelling.answer(clip.id, right(clip.name))
    assert labelling.curve[-1].backbone == "fake"
    assert labelling.unheard == 0
    assert labelling.learned is not None


def test_vectors_of_a_backbone_that_was_left_meanwhile_are_not_taken(labelling: Labelling, tmp_path: Path, write_wav: Write) -> None:
    new = Clip(write_wav(tmp_path / "new.wav", tone(2900.0, seed=77)), "new.wav", None)
    labelling.add(Dataset((new,)))
    labelling.prepare(progress=lambda *_: labelling.listen_with("pocket"))
    assert (labelling.backbone, labelling.unheard, labelling.learned) == ("pocket", 31, None)
    labelling.listen_with("fake")
    labelling.prepare()
    assert labelling.unheard == 0


def test_a_correction_from_elsewhere_joins_the_labels(labelling: Labelling, tmp_path: Path, write_wav: Write) -> None:
    new = write_wav(tmp_path / "new.wav", tone(2900.0, seed=77))
    labelling.correct(new, "new.wav", "high")
    (added,) = (entry for entry in labelling.now.entries if entry.name == "new.wav")
    assert (added.learnable, added.label, labelling.unheard) == (True, "high", 1)
    labelling.correct(new, "new.wav", "owl")  # it is here now: another label, not another clip
    assert [e.label for e in labelling.now.entries if e.name == "new.wav"] == ["owl"]
    assert labelling.undo() == "1 clip to 'owl'"
    assert labelling.undo() == "added 1 clip"


def test_a_clip_that_takes_the_place_of_one_taken_back_is_heard_itself(labelling: Labelling, tmp_path: Path, write_wav: Write) -> None:
    labelling.add(Dataset((Clip(write_wav(tmp_path / "first.wav", tone(200.0, seed=50)), "first.wav", None),)))
    labelling.prepare()
    labelling.undo()
    added = labelling.add(Dataset((Clip(write_wav(tmp_path / "second.wav", tone(3000.0, seed=51)), "second.wav", None),)))
    assert labelling.unheard == 1
    labelling.prepare()
    assert labelling.suggestion(added.ids[0]).label == "high"
