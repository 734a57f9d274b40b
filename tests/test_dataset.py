"""The preflight table, and the advice that follows from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from calm_core import dataset
from calm_core.audio import ClipStatus
from calm_core.dataset import Clip, ClipCheck, advice, preflight
from calm_core.errors import Cancelled
from calm_core.readers import read_folder

RATE_HZ = 8_000


def sound(path: Path, seed: int = 0, *, level: float = 0.1, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = level * np.random.default_rng(seed).standard_normal(round(RATE_HZ * seconds))
    sf.write(path, noise.clip(-1, 1), RATE_HZ)
    return path


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
