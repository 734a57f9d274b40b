"""The benchmarks measure the same answers: ours and the loop agree, on vectors small enough for a test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import extraction, fit, limits, naive, relabel
from calm_core.extraction import tokens
from calm_core.options import NEUTRAL_PROMPT


def test_ours_and_the_loops_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LAYERS": 2, "HEADS": 3, "HEAD_DIM": 5, "LITERAL_HEADS": 2}.items():
        monkeypatch.setattr(fit, name, value)
    data = fit.vectors(3, 4, 6)
    laps: list[str] = []
    np.testing.assert_allclose(fit.ours(*data, laps.append), fit.per_head_loop(*data, laps.append), atol=1e-5)
    fit.literal_loop(*data, laps.append)
    assert laps == ["fit", "predict", "fit", "predict", "fit"]


def test_relabelling_is_measured_on_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LAYERS": 2, "HEADS": 3, "HEAD_DIM": 5, "LITERAL_HEADS": 2}.items():
        monkeypatch.setattr(fit, name, value)
    for name, value in {"CLASSES": 3, "PER_CLASS": 4, "REPEATS": 2}.items():
        monkeypatch.setattr(relabel, name, value)
    assert min(relabel.paper_size().values()) > 0
    assert relabel.with_pool(20)["clips"] == 32


def test_head_vectors_equal_the_released_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naive, "TRIALS", 2)
    found = extraction.measure("tiny", 2, 1.0, 1, "cpu", torch.float32)
    assert max(found["largest_difference"].values()) < 1e-4
    shares = extraction.profile("tiny", 2, 1.0, "cpu", torch.float32)
    assert sum(shares.values()) == pytest.approx(1)


def test_what_bounds_extraction_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIDES", {"cpu": 64})
    backbone, waveforms = extraction.build("tiny", "cpu", torch.float32), extraction.noise(2, 1.0)
    floor_s, rate = limits.floor_s(backbone, waveforms)
    assert min(floor_s, rate) > 0
    cost = tokens(len(waveforms[0]), backbone, NEUTRAL_PROMPT)
    batches = limits.budget_memory(backbone, waveforms[0], (1, 3 * cost))
    assert [clips for clips, _ in batches.values()] == [1, 3]
