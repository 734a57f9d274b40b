"""What goes out comes back the same, and other tools' own readers take it: pandas, `datasets`, Label Studio's, an XML parser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from calm_core import export, readers
from calm_core.errors import DataError
from calm_core.export import Opinion, Region
from calm_core.export.files import safe_name
from calm_core.export.labels_table import Layout
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
    assert sorted(str(clip.label) for clip in found.clips) == sorted(safe_name(str(e.label)) for e in labelled)


READERS = Path(sys.prefix) / "readers"  # other tools' own, away from what users have; see readers-requirements.txt
has_readers = pytest.mark.skipif(not READERS.is_dir(), reason="other tools' own readers aren't there; `make test` installs them")


def told(reader: str, *arguments: Path) -> list[Any]:
    """What another tool's reader, a program, prints: lines of JSON."""
    printed = subprocess.run(
        [sys.executable, "-c", reader, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(READERS), "HF_HUB_OFFLINE": "1", "HF_HOME": str(arguments[-1])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return [json.loads(line) for line in printed.splitlines()]


OPENED = """
import datasets, json, sys, types
# For a file's name alone `datasets` wants torchcodec, which opens sounds and needs FFmpeg; names are all that is asked for here.
sys.modules |= {name: types.ModuleType(name) for name in ("torchcodec", "torchcodec.encoders")}
sys.modules["torchcodec.encoders"].AudioEncoder = None
found = datasets.load_dataset("audiofolder", data_dir=sys.argv[1], split="train", cache_dir=sys.argv[2])
classes = getattr(found.features["label"], "names", None)
for row in found.cast_column("audio", datasets.Audio(decode=False)):
    print(json.dumps([row["audio"]["path"], classes[row["label"]] if classes else row["label"]]))
"""


@has_readers
@pytest.mark.parametrize("layout", get_args(Layout))
def test_datasets_opens_the_audiofolder(project: Project, tmp_path: Path, layout: Layout) -> None:
    entries = project.snapshot().entries
    export.write_audiofolder(entries, tmp_path / "out", layout)
    opened = [(Path(path).read_bytes(), label) for path, label in told(OPENED, tmp_path / "out", tmp_path / "cache")]
    if layout == "folders":
        kept = [(e.path.read_bytes(), safe_name(str(e.label))) for e in entries if e.state == "positive"]
    else:
        kept = [(e.path.read_bytes(), e.label) for e in entries]
    assert sorted(opened, key=str) == sorted(kept, key=str)


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


FAULTS = """
import json, pathlib, sys
from label_studio_sdk.label_interface import LabelInterface
folder = pathlib.Path(sys.argv[1])
config = LabelInterface((folder / "config.xml").read_text())
config.validate()
for task in json.loads((folder / "tasks.json").read_text()):
    missing = [tag.value_name for tag in config.objects if tag.value_name not in task["data"]]
    said = task.get("annotations", []) + task.get("predictions", [])
    print(json.dumps(missing + [fault for one in said for fault in config.validate_prediction(one, return_errors=True)]))
"""


@has_readers
def test_label_studios_own_schema_has_nothing_against_it(project: Project, tmp_path: Path) -> None:
    now, out = project.snapshot(), tmp_path / "out"
    export.write_label_studio(now.entries, now.class_names, out, opinions(now.entries))
    assert told(FAULTS, out) == [[]] * len(now.entries)
    tasks = (out / "tasks.json").read_text()
    (out / "tasks.json").write_text(tasks.replace('"owl, barn"', '"owl"'))
    assert any(told(FAULTS, out))  # it would have said so


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
