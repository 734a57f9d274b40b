"""The command line as a person or a script meets it: exit codes, one JSON object, errors of one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from calm_core import backbones
from calm_core.cli import main
from calm_core.evaluation import MethodResult


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

    code, out, _ = run(capsys, "predict", model, class_folders / "low" / "0.wav")
    assert (code, out.split("\t")[:2]) == (0, ["0.wav", "low"])


def test_fit_says_what_it_chose(capsys: pytest.CaptureFixture, class_folders: Path, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "fit", class_folders, "-o", tmp_path / "m.safetensors", "--backbone", "fake", "--auto", "--json")
    assert (code, json.loads(out)["options"]["auto"]) == (0, True)


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
    code, _, err = run(capsys, "predict", model, class_folders, "--backbone", "pocket")
    assert (code, "was learned with the backbone 'fake'" in err) == (1, True)


def test_wrong_usage_exits_with_2() -> None:
    for arguments in ([], ["fit"], ["evaluate", "x", "--shots", "many"], ["backbones", "--backbone", "nope"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


def test_backbones_and_doctor(capsys: pytest.CaptureFixture) -> None:
    code, out, _ = run(capsys, "backbones", "--json")
    found = json.loads(out)
    assert code == 0
    assert [row["id"] for row in found["backbones"]] == [row.id for row in backbones.offered()]
    assert found["default"] == "pocket"
    code, out, _ = run(capsys, "doctor", "--json")
    assert code == 0
    assert json.loads(out)["ok"] is True
    _, out, _ = run(capsys, "doctor")
    assert "soundfile formats" in out


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
