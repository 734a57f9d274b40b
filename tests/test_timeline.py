"""A recording built of known stretches: its events are found where they are, and travel as labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from calm_core import export
from calm_core.backbones.fake import FakeBackbone
from calm_core.classifier import CalmClassifier
from calm_core.cli import main
from calm_core.errors import Cancelled, DataError, OptionError
from calm_core.extraction import origin_of
from calm_core.options import NEUTRAL_PROMPT, FitOptions
from calm_core.timeline import Timeline, timeline
from calm_core.vectors import HeadVectors

RATE = 16_000


def sound(hz: float, seconds: float, seed: int) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    noise = 0.02 * np.random.default_rng(seed).normal(size=len(t))
    return (0.3 * np.sin(2 * np.pi * (hz + 5 * seed) * t) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def backbone() -> FakeBackbone:
    return FakeBackbone()


@pytest.fixture(scope="module")
def model(backbone: FakeBackbone) -> CalmClassifier:
    waves = [sound(hz, 1.0, i) for i in range(8) for hz in (400.0, 3000.0)]
    origin = origin_of(backbone, NEUTRAL_PROMPT)
    return CalmClassifier.fit(HeadVectors(backbone.extract(waves, NEUTRAL_PROMPT), np.arange(16), origin), ["low", "high"] * 8)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "night.wav"
    sf.write(path, np.concatenate([sound(400.0, 4.0, 20), sound(3000.0, 3.0, 21), sound(400.0, 3.0, 22)]), RATE)
    return path


def test_stretches_are_found_where_they_are(model: CalmClassifier, backbone: FakeBackbone, recording: Path) -> None:
    found = timeline(model, recording, backbone, window_s=1.0, hop_s=0.5)
    assert found.seconds == pytest.approx(10.0)
    assert found.begins_s[-1] + found.window_s == pytest.approx(10.0)
    events = [e for e in replace(found, fits=np.ones_like(found.fits)).events(0.5) if e.end_s - e.start_s > 1]
    assert [e.label for e in events] == ["low", "high", "low"]
    for event, (start, end) in zip(events, [(0, 4), (4, 7), (7, 10)], strict=True):
        assert abs(event.start_s - start) <= 0.8
        assert abs(event.end_s - end) <= 0.8


def test_events_merge_in_runs_and_leave_out_what_fits_nothing() -> None:
    p = np.array([[0.9, 0.1], [0.95, 0.05], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4]], dtype=np.float32)
    line = Timeline(("a", "b"), 6.0, 2.0, 1.0, np.arange(5.0), p, np.array([True, True, False, True, True]))
    first, second = line.events(0.8)
    assert (first.start_s, first.end_s, first.label) == (0.0, 2.5, "a")
    assert first.confidence == pytest.approx(0.95)
    assert (second.start_s, second.end_s, second.label) == (3.5, 4.5, "b")
    assert line.events(0.99) == ()
    assert (line.unlike(0.8), line.unlike(0.95)) == (1, 0)
    whole, _ = line.events(0.8, unlike=True)
    assert (whole.start_s, whole.end_s) == (0.0, 3.5)
    np.testing.assert_allclose(line.edges_s(), [0, 1.5, 2.5, 3.5, 4.5, 6])


def test_a_sparse_model_hears_no_deeper_than_its_heads(recording: Path) -> None:
    class Watched(FakeBackbone):
        def extract(self, waveforms, prompt, layers=None):  # type: ignore[no-untyped-def]
            asked.add(layers)
            return super().extract(waveforms, prompt, layers)

    asked: set[int | None] = set()
    backbone = Watched()
    backbone._projection[2:] = 0  # deaf
    waves = [sound(hz, 1.0, i) for i in range(8) for hz in (400.0, 3000.0)]
    vectors = HeadVectors(backbone.extract(waves, NEUTRAL_PROMPT), np.arange(16), origin_of(backbone, NEUTRAL_PROMPT))
    sparse = CalmClassifier.fit(vectors, ["low", "high"] * 8, options=FitOptions(top_k=2), null=False)
    assert sparse.layers <= 2
    asked.clear()
    found = timeline(sparse, recording, backbone)
    assert asked == {sparse.layers}
    whole = backbone.extract([sf.read(recording, dtype="float32")[0][:32_000]], NEUTRAL_PROMPT)
    np.testing.assert_allclose(found.probabilities[:1], sparse.predict(whole).probabilities, rtol=1e-5)


def test_a_clip_shorter_than_a_window_is_one_window(model: CalmClassifier, backbone: FakeBackbone, tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", sound(400.0, 0.7, 3), RATE)
    assert timeline(model, tmp_path / "a.wav", backbone).begins_s.tolist() == [0.0]


def test_what_cannot_be_is_said(model: CalmClassifier, backbone: FakeBackbone, recording: Path) -> None:
    with pytest.raises(OptionError, match="the hop is 3 s"):
        timeline(model, recording, backbone, window_s=2.0, hop_s=3.0)
    with pytest.raises(OptionError, match="the window is 60 s"):
        timeline(model, recording, backbone, window_s=60.0)
    with pytest.raises(DataError, match="needs calibrated confidence"):
        timeline(replace(model, temperature=None), recording, backbone)
    with pytest.raises(Cancelled, match="stopped after 0"):
        timeline(model, recording, backbone, cancelled=lambda: True)


def test_events_travel_as_labels(model: CalmClassifier, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model.save(tmp_path / "m.safetensors")
    asked = ["timeline", str(tmp_path / "m.safetensors"), str(recording), "--confidence", "0.5", "--window", "1"]
    for name in ("a.txt", "a.tsv"):
        assert main([*asked, "-o", str(tmp_path / name)]) == 0
    heard = export.read_audacity((tmp_path / "a.txt").read_text())
    assert {region.label for region in heard} <= {"low", "high"}
    assert [region.label for region in export.read_raven(tmp_path / "a.tsv")] == [region.label for region in heard]
    assert main([*asked, "-o", str(tmp_path / "a.doc")]) == 1
    assert "should end in .txt" in capsys.readouterr().err
