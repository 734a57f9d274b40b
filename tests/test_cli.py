"""The command line as a person or a script meets it: exit codes, one JSON object, errors of one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from calm_core import CalmClassifier, backbones
from calm_core.cli import main
from calm_core.evaluation import MethodResult
from calm_core.library.project import Project

from .conftest import TONES_HZ, tone


def run(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_fit_then_predict(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    model = tmp_path / "tones.safetensors"
    (class_folders / "low" / "broken.wav").write_bytes(b"RIFF")
    code, out, err = run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["classes"] == {"high": 4, "low": 4, "mid": 4}
    assert found["held_out"]["accuracy"] == 1.0
    assert found["options"]["auto"] is False
    assert found["left_out"][0]["file"] == "low/broken.wav"
    assert "low/broken.wav" in err

    code, out, err = run(capsys, "predict", model, class_folders / "low", "--json")
    assert code == 0
    rows = json.loads(out)["predictions"]
    assert [row["label"] for row in rows] == ["low"] * 4 + [None]
    assert "broken.wav" in rows[-1]["error"]
    assert sum(rows[0]["scores"].values()) > 0
    assert rows[0]["prediction_set"] == ["low"]
    assert json.loads(out)["coverage"] == 0.9

    code, out, _ = run(capsys, "predict", model, class_folders / "low" / "0.wav")
    assert (code, out.split("\t")[:2]) == (0, ["0.wav", "low"])
    assert out.rstrip("\n").split("\t")[3] == "90 %: low"


def test_too_few_clips_for_sets_are_said_once(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    for path in class_folders.glob("*/[23].wav"):
        path.unlink()
    model = tmp_path / "few.safetensors"
    run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake")
    code, out, err = run(capsys, "predict", model, class_folders / "low", "--json")
    assert (code, [row["prediction_set"] for row in json.loads(out)["predictions"]]) == (0, [None, None])
    assert err.count("needs at least 10") == 1
    _, out, _ = run(capsys, "predict", model, class_folders / "low" / "0.wav")
    assert out == "0.wav\tlow\tnot calibrated\n"


def test_fit_says_what_it_chose(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "fit", class_folders, "-o", tmp_path / "m.safetensors", "--backbone", "fake", "--auto", "--json")
    assert (code, json.loads(out)["options"]["auto"]) == (0, True)


def test_fit_with_the_classes_listed(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.safetensors"
    assert run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake", "--list-classes")[0] == 0
    origin = CalmClassifier.load(model).origin
    assert origin is not None
    assert origin.prompt == "What sound is this? Answer with one of these: high, low, mid."
    assert run(capsys, "predict", model, class_folders / "low")[0] == 0
    code, _, err = run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake", "--list-classes", "--prompt", "What?")
    assert (code, "leave out --prompt" in err) == (1, True)
    code, _, err = run(capsys, "predict", model, class_folders / "low", "--prompt", "What?")
    assert (code, "prompt: 'What sound is this? Answer with one of these: high, low, mid.' / 'What?'" in err) == (1, True)
    code, _, err = run(capsys, "evaluate", class_folders, "--backbone", "fake", "--list-classes", "--multiple-choice")
    assert (code, "leave out --prompt and --list-classes" in err) == (1, True)


def test_what_hears_alone_is_shown_no_videos(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    code, _, err = run(capsys, "fit", class_folders, "-o", tmp_path / "a.safetensors", "--backbone", "fake", "--video")
    assert code == 1
    assert "hears, but sees no video; choose one of qwen25-omni-7b" in err


def test_fit_names_the_label_that_the_others_contradict(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "low" / "0.wav").rename(class_folders / "high" / "wrong.wav")
    code, out, err = run(capsys, "fit", class_folders, "-o", tmp_path / "m.safetensors", "--backbone", "fake", "--json")
    (found,) = json.loads(out)["suspicious"]
    assert (code, found["file"], found["given"], found["predicted"]) == (0, "high/wrong.wav", "high", "low")
    assert "note: is high/wrong.wav labelled rightly?" in err
    assert "‘low’ (3 of 3 right, which fits anything from 44 % to 100 %)" in err
    assert any("Record more of ‘high’ first" in warning for warning in json.loads(out)["warnings"])


def test_evaluate_gives_every_rung(capsys: pytest.CaptureFixture, class_folders: Path) -> None:
    code, out, _ = run(capsys, "evaluate", class_folders, "--backbone", "fake", "--shots", 2, "--episodes", 3, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["n_test"] <= 12, found["episodes"]) == (True, 3)
    assert set(found["results"][0]) == set(MethodResult.__dataclass_fields__)
    methods = {row["method"] for row in found["results"]}
    assert {"calm", "uniform", "sav", "grw", "best_head", "concat", "probe", "mfcc", "random_reliability"} <= methods
    assert {(row["method"], row["shots"]) for row in found["trust"]} == {("calm_auto", 2), ("calm", 2)}


def test_zip_and_csv_work_like_folders(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "clips"), "zip", class_folders)
    rows = [f"{path.relative_to(class_folders)};{path.parent.name}" for path in sorted(class_folders.glob("*/*.wav"))]
    (class_folders / "labels.csv").write_text("file_name;label\n" + "\n".join(rows))
    for source in (archive, class_folders / "labels.csv"):
        code, out, _ = run(capsys, "fit", source, "-o", tmp_path / "m.safetensors", "--backbone", "fake", "--json")
        assert (code, sum(json.loads(out)["classes"].values())) == (0, 12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "gone", "-o", "x"], "'gone' doesn't exist"),
        (["predict", "gone.safetensors", "."], "no file gone.safetensors"),
        (["fit", ".", "-o", "x", "--backbone", "fake"], "no labelled clip"),
        (["evaluate", "gone", "--backbone", "fake"], "'gone' doesn't exist"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert re.search(message, err)
    assert len(err.strip().splitlines()) == 1


def test_a_setting_outside_its_domain_is_named(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    code, _, err = run(capsys, "fit", class_folders, "-o", tmp_path / "m.safetensors", "--backbone", "fake", "--tau", 0)
    assert (code, err) == (1, "error: tau is 0.0; it must be a finite number above 0, for example 0.07.\n")


def test_predicting_only_bad_clips_is_an_error(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    model = tmp_path / "tones.safetensors"
    run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake")
    (tmp_path / "bad.wav").write_bytes(b"no")
    code, out, err = run(capsys, "predict", model, tmp_path / "bad.wav")
    assert (code, out) == (1, "")
    assert "bad.wav" in err


def test_what_cannot_work_is_said_before_the_work(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    for output in (tmp_path, tmp_path / "gone" / "m.safetensors"):
        code, _, err = run(capsys, "fit", class_folders, "-o", output, "--backbone", "fake")
        assert (code, "in a folder that exists" in err) == (1, True)
    model = tmp_path / "m.safetensors"
    run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake")
    gone = tmp_path / "gone" / "a.txt"
    for asked in (["timeline", model, class_folders / "low" / "0.wav"], ["report", model], ["label", model, class_folders]):
        code, _, err = run(capsys, *asked, "-o", gone)
        assert (code, err) == (1, f"error: can't write {gone}; give a file name in a folder that exists.\n")
    code, _, err = run(capsys, "predict", model, class_folders, "--backbone", "pocket")
    assert (code, "was learned with the backbone 'fake'" in err) == (1, True)


def test_wrong_usage_exits_with_2() -> None:
    for arguments in ([], ["fit"], ["evaluate", "x", "--shots", "many"], ["backbones", "--backbone", "nope"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


def test_label_a_pool(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    model, out_file = tmp_path / "tones.safetensors", tmp_path / "labels.csv"
    run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake")
    (class_folders / "low" / "broken.wav").write_bytes(b"RIFF")
    code, out, err = run(capsys, "label", model, class_folders, "-o", out_file, "--json")
    assert (code, json.loads(out)) == (0, {"output": str(out_file), "clips": 13, "labelled": 12, "not_predicted": 1})
    assert "low/broken.wav" in err
    rows = pd.read_csv(out_file)
    good = rows[rows["label"].notna()]
    assert all(row.path.startswith(row.label + "/") and row.label == row.predicted for row in good.itertuples())
    assert set(good["judge"]) == {"machine"}
    code, out, _ = run(capsys, "label", model, class_folders, "-o", out_file, "--above", 1.0)
    assert (code, out) == (0, f"labelled 0 of 13 clips; wrote {out_file}\n")


def test_import_and_export_and_back(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "import", class_folders, "--json")
    project = Path(json.loads(out)["project"])
    assert (code, json.loads(out)["classes"]) == (0, {"high": 4, "low": 4, "mid": 4})
    for format in ("audiofolder", "label-studio", "class-folders"):
        code, out, _ = run(capsys, "export", project, "--format", format, "--backbone", "fake", "-o", tmp_path / format)
        predicted = ", 12 of them with a prediction" if format == "label-studio" else ""
        assert (code, out) == (0, f"wrote 12 clips as {format} to {tmp_path / format}{predicted}\n")
        code, out, _ = run(capsys, "import", tmp_path / format, "--json")
        assert (code, json.loads(out)["classes"]) == (0, {"high": 4, "low": 4, "mid": 4})
    for format, name in (("csv", "labels.csv"), ("raven", "selections.txt")):
        assert run(capsys, "export", project, "--format", format, "--backbone", "fake", "-o", tmp_path / name)[0] == 0
        code, out, _ = run(capsys, "import", tmp_path / name, "--project", project, "--json")
        assert (code, json.loads(out)["relabelled"], json.loads(out)["added"]) == (0, 12, 0)
    assert run(capsys, "export", project, "--format", "audacity", "-o", tmp_path / "tracks")[0] == 0
    assert (tmp_path / "tracks" / "high_0.txt").read_text() == "0.000000\t0.500000\thigh\n"
    code, out, _ = run(capsys, "import", class_folders, "--unlabelled", "--project", project, "--json")
    assert (code, json.loads(out)["added"], json.loads(out)["clips"]) == (0, 0, 12)
    for format in ("audiofolder", "label-studio"):  # before a model that isn't there is asked
        code, _, err = run(capsys, "export", project, "--format", format, "--backbone", "hub:no/one", "-o", tmp_path / "tracks")
        assert (code, "isn't empty" in err) == (1, True)


def test_labels_of_a_pool_are_imported_onto_its_project(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    model, labels = tmp_path / "tones.safetensors", tmp_path / "labels.csv"
    run(capsys, "fit", class_folders, "-o", model, "--backbone", "fake")
    project = json.loads(run(capsys, "import", class_folders / "low", "--unlabelled", "--json")[1])["project"]
    run(capsys, "label", model, class_folders / "low", "-o", labels)
    code, out, _ = run(capsys, "import", labels, "--project", project)
    assert (code, out) == (0, f"labels of 4 clips that were here; 4 clips, 4 with a label, in project {project}\n")
    with Project(Path(project)) as opened:  # what a person says stays, whatever a machine says later
        opened.label([opened.snapshot().entries[0].id], "mid")
    run(capsys, "import", labels, "--project", project)
    with Project(Path(project)) as opened:
        assert [entry.label for entry in opened.snapshot().entries] == ["mid", "low", "low", "low"]
    run(capsys, "import", class_folders / "high", "--unlabelled", "--project", project)
    code, out, _ = run(capsys, "export", project, "--format", "raven", "-o", tmp_path / "selections.txt")
    assert (code, out) == (0, f"wrote 4 clips as raven to {tmp_path / 'selections.txt'} (4 without a label that it takes)\n")
    assert len(pd.read_csv(tmp_path / "selections.txt", sep="\t")) == 4


def test_a_project_that_is_not_there_is_told_with_what_to_do(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    for arguments in (("import", class_folders, "--project", tmp_path / "new"), ("export", tmp_path / "new", "-o", tmp_path / "x.csv")):
        code, _, err = run(capsys, *arguments)
        assert (code, "there is no project in" in err, "without --project makes one" in err) == (1, True, True)


def test_an_exported_table_has_predictions_where_labels_teach_them(
    capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path
) -> None:
    project = Path(json.loads(run(capsys, "import", class_folders, "--json")[1])["project"])
    exporting = ["export", project, "--backbone", "fake", "-o", tmp_path / "labels.csv", "--json"]
    assert json.loads(run(capsys, *exporting)[1])["predicted"] == 12
    table = pd.read_csv(tmp_path / "labels.csv")
    assert (table["predicted"] == table["label"]).all()
    assert {"score: high", "score: low", "score: mid"} <= set(table.columns)
    assert json.loads(run(capsys, *exporting, "--labels-only")[1])["predicted"] == 0
    assert pd.read_csv(tmp_path / "labels.csv")["predicted"].isna().all()
    with Project(project) as opened:
        opened.merge_classes(["high", "low", "mid"], "all")
    assert json.loads(run(capsys, *exporting)[1])["predicted"] == 0


def test_simulate(capsys: pytest.CaptureFixture, class_folders: Path, write_wav: Callable[..., Path]) -> None:
    for i in range(4, 6):
        for name, hz in TONES_HZ.items():
            write_wav(class_folders / name / f"{i}.wav", tone(hz * (1 + 0.01 * i), seed=700 + i + round(hz)))
    arguments = ["simulate", class_folders, "--backbone", "fake", "--start", 1, "--labels", 8, "--seeds", 2]
    code, out, _ = run(capsys, *arguments, "--json")
    found = json.loads(out)
    assert (code, [curve["order"] for curve in found["curves"]], found["target"]) == (0, ["useful", "random"], 1.0)
    assert set(found["curves"][0]) >= {"labels", "accuracy", "ci_low", "ci_high", "labels_to_reach_target"}
    code, _, err = run(capsys, *arguments, "--order", "best")
    assert (code, "no order 'best'" in err) == (1, True)


def test_backbones_and_doctor(capsys: pytest.CaptureFixture) -> None:
    code, out, _ = run(capsys, "backbones", "--json")
    found = json.loads(out)
    assert code == 0
    assert [row["id"] for row in found["backbones"]] == [row.id for row in backbones.offered()]
    assert found["default"] == "pocket"
    assert {row["id"]: row["needs"] for row in found["backbones"] if row["needs"]} == {
        "voxtral-mini-3b": "mistral-common",
        "granite-speech-2b": "peft",
        "phi-4-multimodal": "peft",
    }
    _, out, _ = run(capsys, "backbones")
    assert "phi-4-multimodal" in out
    code, out, _ = run(capsys, "doctor", "--json")
    assert code == 0
    assert json.loads(out)["ok"] is True
    _, out, _ = run(capsys, "doctor")
    assert "soundfile formats" in out
    assert re.search("voxtral-mini-3b +mistral-common is (there|missing)", out)


def test_the_module_runs_and_keeps_stdout_clean(class_folders: Path, tmp_path: Path) -> None:
    """In a process of its own: nothing but the JSON object reaches stdout, whatever libraries print."""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "calm_core", "fit", class_folders, "-o", tmp_path / "m.safetensors", "--json"],
        cwd=root,
        env={**os.environ, "CALM_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["held_out"]["n"] == 12
