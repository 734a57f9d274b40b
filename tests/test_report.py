"""The report: one file, whole without a network, its numbers those of the model, its names escaped."""

from __future__ import annotations

import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from calm_core import report
from calm_core.classifier import CalmClassifier
from calm_core.cli import main
from calm_core.dataset import Clip
from calm_core.errors import BundleError
from calm_core.figures import SCRIPT
from calm_core.reasons import reasons
from calm_core.studio import ClipPrediction, Learned
from calm_core.vectors import HeadVectors


@pytest.fixture(scope="module")
def learned() -> Learned:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 2, 4, 8)).astype(np.float32)
    x[:6, 1, 2, 0] += 6
    return Learned(CalmClassifier.fit(x, ["<b>owl</b>"] * 6 + ["bat"] * 6))


def without_script(text: str) -> str:
    return text.replace(SCRIPT.read_text(encoding="utf-8"), "")


def test_the_report_stands_alone(learned: Learned, tmp_path: Path) -> None:
    report.write(tmp_path / "a.html", learned)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.count(SCRIPT.read_text(encoding="utf-8")) == 1
    own = without_script(text)
    assert not re.findall(r"(?:src|href)\s*=|https?://|@import|url\(", own)
    assert "<b>owl</b>" not in re.sub(r"<script.*?</script>", "", own, flags=re.DOTALL)
    assert str(learned.accuracy).replace(" %", "\u202f%") in own
    assert "Settings and versions" in own


def test_examples_come_with_their_reasons(learned: Learned) -> None:
    vectors = np.random.default_rng(1).normal(size=(1, 2, 4, 8)).astype(np.float32)
    vectors[0, 1, 2, 0] += 6
    heads = HeadVectors(vectors, np.zeros(1, dtype=np.int64))
    row = ClipPrediction("q.wav", Path("q.wav"), label="<b>owl</b>", heads=heads, model=learned.model)
    bad = ClipPrediction("bad.wav", Path("bad.wav"), error="it is silent.")
    text = without_script(report.render(learned, [row, bad]))
    why = reasons(row.contributions)
    layer, head, _ = why.strongest(1)[0]
    assert f"against ‘bat’: layer {layer + 1} head {head + 1}" in text
    assert "it is silent." in text


def test_a_clip_of_each_class_can_be_heard(learned: Learned, tmp_path: Path) -> None:
    rng, here = np.random.default_rng(0), tmp_path / "long.wav"
    sf.write(here, 0.1 * rng.normal(size=(6 * 44_100, 2)), 44_100)
    clips = (Clip(here, "long.wav", "bat"), Clip(tmp_path / "gone.wav", "gone.wav", "<b>owl</b>"), Clip(here, "second.wav", "bat"))
    text = without_script(report.render(replace(learned, clips=clips)))
    assert "second.wav" not in text
    assert "gone.wav" in text
    (source,) = re.findall(r'src="([^"]*)"', text)
    kind, data = source.split(",")
    assert kind == "data:audio/mpeg;base64"
    samples, rate = sf.read(io.BytesIO(base64.b64decode(data)))
    assert (samples.ndim, rate) == (1, report.SOUND_RATE_HZ)
    assert len(samples) / rate == pytest.approx(report.SOUND_S, abs=0.1)
    assert len(data) < 60_000
    assert "end after 4 s" in text


def test_a_folder_that_is_missing_is_said(learned: Learned, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="can't write the report"):
        report.write(tmp_path / "none" / "a.html", learned)


def test_the_command_line_writes_reports(
    class_folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, first, second = tmp_path / "m.safetensors", tmp_path / "a.html", tmp_path / "b.html"
    assert main(["fit", str(class_folders), "-o", str(model), "--backbone", "fake", "--report", str(first)]) == 0
    assert "Beside simpler methods" in first.read_text(encoding="utf-8")
    assert main(["report", str(model), str(class_folders / "low"), "-o", str(second)]) == 0
    assert "Loudest for ‘" in second.read_text(encoding="utf-8")
    assert "wrote" in capsys.readouterr().out

    (code,) = re.findall(r"Using it from Python</h2><pre>(.*?)</pre>", second.read_text(encoding="utf-8"), re.DOTALL)
    (class_folders / "low").rename(tmp_path / "new clips")
    monkeypatch.chdir(tmp_path)
    exec(html.unescape(code), {})  # what is printed there for others to copy has to run
    assert len(re.findall(r"^\d\.wav low ", capsys.readouterr().out, re.MULTILINE)) == 4
