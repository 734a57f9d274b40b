"""What goes out comes back the same, and other tools' own readers take it: pandas, `datasets` where it is installed, an XML parser."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from calm_core import export, readers
from calm_core.errors import DataError
from calm_core.export import Opinion, Region
from calm_core.library.project import Project
from calm_core.library.records import Entry, Judgement, NewClip

from .conftest import tone

CLASSES = ("owl, barn", 'say "hoo"', "Ünï/code")


@pytest.fixture
def project(tmp_path: Path, write_wav: Callable[..., Path]) -> Iterator[Project]:
    """Names and classes that tables, folders and XML might trip over; every state; two windows of a recording."""
    wavs = [write_wav(tmp_path / "in" / f"{i}.wav", tone(200 + 50 * i, 0.2, seed=i)) for i in range(9)]
    person = [Judgement(CLASSES[i % 3], "positive", "person") for i in range(3)]
    clips = [
        NewClip(wavs[0], "a/x.wav", person[0], 0.2, 16000, "1", "barn"),
        NewClip(wavs[1], "b/x.wav", person[1], 0.2, 16000),
        NewClip(wavs[2], "b/X.wav", person[2], 0.2, 16000),
        NewClip(wavs[3], "d.wav", Judgement(CLASSES[0], "positive", "machine", 0.93), 0.2, 16000),
        NewClip(wavs[4], "e.wav", Judgement(None, "uncertain", "person"), 0.2, 16000),
        NewClip(wavs[5], "f.wav", Judgement(CLASSES[1], "excluded", "person"), 0.2, 16000),
        NewClip(wavs[6], "g.wav", Judgement(), 0.2, 16000),
        NewClip(wavs[7], "field 0.0 s", person[0], 0.2, 16000, group="f", recording="field.wav", start_s=0.0, end_s=0.2),
        NewClip(wavs[8], "field 30.2 s", person[1], 0.2, 16000, group="f", recording="field.wav", start_s=30.2, end_s=30.4),
    ]
    with Project.create(tmp_path / "projects") as project:
        project.add(clips)
        yield project


def content(entries: tuple[Entry, ...]) -> list[tuple]:
    """All that makes a project's clips what they are."""
    return [(e.sha256, e.name, e.judgement, e.fold, e.group, e.recording, e.start_s, e.end_s) for e in entries]


def again(project: Project, clips: tuple[NewClip, ...]) -> list[tuple]:
    with Project.create(project.folder.parent) as other:
        other.add(clips)
        return content(other.snapshot().entries)


def opinions(entries: tuple[Entry, ...]) -> dict[int, Opinion]:
    return {e.id: Opinion(CLASSES[0], 0.75, {CLASSES[0]: 0.5, CLASSES[1]: 0.3, CLASSES[2]: 0.2}) for e in entries}


def test_labels_csv(project: Project, tmp_path: Path) -> None:
    now = project.snapshot()
    out = tmp_path / "labels.csv"
    export.write_csv(now.entries, out, opinions(now.entries))
    rows = pd.read_csv(out)
    assert len(rows) == 9
    assert list(rows.columns[:8]) == ["path", "label", "predicted", "confidence", "margin", *("score: " + name for name in CLASSES)]
    assert rows["state"].tolist()[4:7] == ["uncertain", "excluded", "unlabelled"]
    assert rows["margin"].iloc[0] == pytest.approx(0.2)

    project.judge(dict.fromkeys([e.id for e in now.entries], Judgement()))
    project.judge(export.match_labels(out, project.snapshot().entries))
    assert content(project.snapshot().entries) == content(now.entries)


def test_labels_filled_into_the_table_are_a_persons(project: Project, tmp_path: Path) -> None:
    """As a spreadsheet saves it: whole numbers without their point."""
    now = project.snapshot()
    owl = Judgement("owl", "positive", "person")
    project.judge(dict.fromkeys([e.id for e in now.entries], Judgement()))
    out = tmp_path / "labels.csv"
    export.write_csv(project.snapshot().entries, out)
    with pytest.raises(DataError, match="fill in the column 'label'"):
        export.match_labels(out, now.entries)
    rows = pd.read_csv(out, dtype=str)
    rows["start_s"] = rows["start_s"].replace("0.0", "0")
    rows.loc[[0, 7], "label"] = "owl"
    rows.to_csv(out, index=False)
    assert export.match_labels(out, now.entries) == {1: owl, 8: owl}  # the other rows take nothing back

    export.write_audiofolder(project.snapshot().entries, tmp_path / "out")
    table = tmp_path / "out" / "train" / "metadata.csv"
    rows = pd.read_csv(table, dtype=str)
    rows.loc[6, "label"] = "owl"
    rows.to_csv(table, index=False)
    assert [clip.judgement for clip in export.read_table(table)] == [*[Judgement()] * 6, owl, *[Judgement()] * 2]
    for number in ("2,5", "nan"):
        rows.loc[7, "start_s"] = number
        rows.to_csv(table, index=False)
        for read in (export.read_table, lambda table: export.match_labels(table, now.entries)):
            with pytest.raises(DataError, match=f"'{number}' where a number belongs"):
                read(table)


def test_audiofolder_with_metadata_comes_back_the_same(project: Project, tmp_path: Path) -> None:
    now = project.snapshot()
    export.write_audiofolder(now.entries, tmp_path / "out")
    table = tmp_path / "out" / "train" / "metadata.csv"
    assert export.is_our_table(table)
    rows = pd.read_csv(table)
    assert all((table.parent / name).is_file() for name in rows["file_name"])
    assert rows["file_name"].tolist()[:3] == ["x.wav", "x (2).wav", "X (3).wav"]
    assert again(project, export.read_table(table)) == content(now.entries)
    plain = readers.read(tmp_path / "out")  # what knows nothing of our columns takes the labels
    assert [clip.label for clip in plain.clips][:2] == list(CLASSES[:2])
    with pytest.raises(DataError, match="isn't empty"):
        export.write_audiofolder(now.entries, tmp_path / "out")


def test_audiofolder_of_class_folders(project: Project, tmp_path: Path) -> None:
    now = project.snapshot()
    export.write_audiofolder(now.entries, tmp_path / "out", "folders")
    found = readers.read(tmp_path / "out")
    labelled = [e for e in now.entries if e.state == "positive"]
    assert sorted(str(clip.label) for clip in found.clips) == sorted(export._safe(str(e.label)) for e in labelled)


def test_datasets_opens_both_layouts(project: Project, tmp_path: Path) -> None:
    # Not among the extras: it brings pyarrow, 170 MB, and opens no sound without torchcodec, which needs FFmpeg.
    datasets = pytest.importorskip("datasets", reason="the Hugging Face library `datasets` isn't installed here")
    pytest.importorskip("torchcodec", reason="`datasets` opens sounds by the package torchcodec, which isn't installed here")
    for layout, count in (("folders", 6), ("metadata", 9)):
        export.write_audiofolder(project.snapshot().entries, tmp_path / layout, layout)  # type: ignore[arg-type]
        found = datasets.load_dataset("audiofolder", data_dir=str(tmp_path / layout), split="train", cache_dir=str(tmp_path / "cache"))
        assert (len(found), "label" in found.column_names) == (count, True)


def test_audacity_and_raven_know_the_places_in_a_recording(project: Project, tmp_path: Path) -> None:
    now = project.snapshot()
    tracks = export.audacity(now.entries)
    assert tracks["field.wav"] == '0.000000\t0.200000\towl, barn\n30.200000\t30.400000\tsay "hoo"\n'
    assert "f.wav" not in tracks
    table = tmp_path / "selections.txt"
    export.write_raven(now.entries, table)
    rows = pd.read_csv(table, sep="\t")
    assert list(rows.columns[:7]) == ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
    assert rows["High Freq (Hz)"].iloc[0] == 8000

    labelled = {e.id: e.label for e in now.entries if e.state == "positive"}
    found = [r for name, text in tracks.items() for r in export.read_audacity(text, name)]
    for read in (tuple(found), export.read_raven(table)):
        assert {clip: said.label for clip, said in export.match_regions(read, now.entries).items()} == labelled
    with pytest.raises(DataError, match="none of the 1 regions fits"):
        export.match_regions([Region(0, 1, "owl", "other.wav")], now.entries)


def test_audacity_tracks_of_others() -> None:
    text = "\ufeff1.5\t2.5\towl\n\\\t500.0\t4000.0\n3\t4\n\n"
    assert export.read_audacity(text, "a.wav") == (Region(1.5, 2.5, "owl", "a.wav"), Region(3, 4, "", "a.wav"))
    with pytest.raises(DataError, match="line 1"):
        export.read_audacity("owl\n")


def test_a_region_labels_the_windows_it_mostly_covers(project: Project) -> None:
    found = export.match_regions([Region(0.0, 0.11, "bat"), Region(30.35, 99, "frog")], project.snapshot().entries, "field.wav")
    assert [said.label for said in found.values()] == ["bat"]


def test_label_studio_comes_back_the_same(project: Project, tmp_path: Path) -> None:
    now = project.snapshot()
    export.write_label_studio(now.entries, now.class_names, tmp_path / "out", opinions(now.entries))
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    result = {"from_name": "label", "to_name": "audio", "type": "choices", "value": {"choices": ["owl, barn"]}}
    assert tasks[0]["annotations"] == [{"result": [result]}]
    assert tasks[0]["predictions"] == [{"model_version": "calm", "score": 0.75, "result": [result]}]
    assert tasks[3]["predictions"][0]["score"] == 0.93
    assert "annotations" not in tasks[3]

    config = ElementTree.fromstring((tmp_path / "out" / "config.xml").read_text())
    assert [choice.get("value") for choice in config.iter("Choice")] == list(now.class_names)
    for task in tasks:  # what the configuration calls things is what the tasks call them
        for result in [r for kind in ("annotations", "predictions") for one in task.get(kind, []) for r in one["result"]]:
            (choices,) = config.iter("Choices")
            assert (result["from_name"], result["to_name"]) == (choices.get("name"), choices.get("toName"))
            assert set(result["value"]["choices"]) <= {choice.get("value") for choice in config.iter("Choice")}
    assert again(project, export.read_label_studio(tmp_path / "out" / "tasks.json")) == content(now.entries)


def test_a_clip_that_cannot_be_copied_is_named(project: Project, tmp_path: Path) -> None:
    now = project.snapshot()
    now.entries[0].path.unlink()
    said = re.escape(f"clip {now.entries[0].name!r} can't be copied")
    with pytest.raises(DataError, match=said):
        export.write_audiofolder(now.entries, tmp_path / "a")
    with pytest.raises(DataError, match=said):
        export.write_label_studio(now.entries, now.class_names, tmp_path / "b")


def test_an_annotation_made_in_label_studio_is_taken_over(project: Project, tmp_path: Path) -> None:
    now = project.snapshot()
    export.write_label_studio(now.entries, now.class_names, tmp_path / "out")
    file = tmp_path / "out" / "tasks.json"
    tasks = json.loads(file.read_text())
    tasks[6]["annotations"] = [{"id": 1, "result": [{"type": "choices", "value": {"choices": ["new"]}}]}]
    file.write_text(json.dumps(tasks))
    assert export.read_label_studio(file)[6].judgement == Judgement("new", "positive", "person")
    file.write_text('{"not": "tasks"}')
    with pytest.raises(DataError, match="Label Studio"):
        export.read_label_studio(file)


def test_a_table_must_not_fetch_files_from_elsewhere(project: Project, tmp_path: Path) -> None:
    export.write_audiofolder(project.snapshot().entries, tmp_path / "out")
    table = tmp_path / "out" / "train" / "metadata.csv"
    rows = pd.read_csv(table)
    for name, message in (
        ("../../secret.wav", "leads out"),
        ("/etc/hostname", "leads out"),
        ("gone.wav", "which isn't in"),
        ("x" * 300, "which isn't in"),
    ):
        rows.loc[0, "file_name"] = name
        rows.to_csv(table, index=False)
        with pytest.raises(DataError, match=message):
            export.read_table(table)


def test_a_foreign_or_senseless_table_is_refused(project: Project, tmp_path: Path) -> None:
    entries = project.snapshot().entries
    bad = tmp_path / "bad.csv"
    for text, message in (("a,b\n1,2\n", "no column of labels"), ("label,name\nowl,elsewhere.wav\n", "none of the project's 9 clips")):
        bad.write_text(text)
        with pytest.raises(DataError, match=message):
            export.match_labels(bad, entries)
        with pytest.raises(DataError, match="isn't a table that CALM Studio exported"):
            export.read_table(bad)
    bad.write_text("label,name,state,judge,judge_confidence\nowl,g.wav,happy,person,\n")
    with pytest.raises(DataError, match="makes no sense"):
        export.match_labels(bad, entries)
    bad.write_text("label,name\nowl,g.wav\n")
    assert list(export.match_labels(bad, entries).values()) == [Judgement("owl", "positive", "person")]
