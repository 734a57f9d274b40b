"""The benchmarks measure the same answers: ours and the loop agree, on vectors small enough for a test."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import fit


def test_ours_and_the_loops_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LAYERS": 2, "HEADS": 3, "HEAD_DIM": 5, "LITERAL_HEADS": 2}.items():
        monkeypatch.setattr(fit, name, value)
    data = fit.vectors(3, 4, 6)
    laps: list[str] = []
    np.testing.assert_allclose(fit.ours(*data, laps.append), fit.per_head_loop(*data, laps.append), atol=1e-5)
    fit.literal_loop(*data, laps.append)
    assert laps == ["fit", "predict", "fit", "predict", "fit"]
