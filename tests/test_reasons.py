"""Why an answer and not another, in numbers and words; where the heads that count listened."""

from __future__ import annotations

import numpy as np
import pytest

from calm_core.reasons import Reasons, listening, reasons


def test_reasons_sum_to_the_lead_and_say_what_would_turn_it() -> None:
    parts = np.zeros((2, 3, 3), dtype=np.float32)
    parts[0, 1, 0], parts[1, 2, 0], parts[1, 0, 1], parts[0, 0, 2] = 0.5, 0.3, 0.6, 0.1
    found = reasons(parts)
    assert (found.best, found.rival) == (0, 1)
    assert found.total == pytest.approx(0.2)
    assert [(layer, head) for layer, head, _ in found.strongest(5)] == [(0, 1), (1, 2)]
    assert found.strongest(5, against=True) == [(1, 0, pytest.approx(-0.6))]
    assert found.to_change == 1
    assert found.share_of_five == pytest.approx(1.0)
    said = found.in_words(["dog", "owl", "rain"])
    assert said == (
        "Loudest for ‘dog’ against ‘owl’: layer 1 head 2, layer 2 head 3. Loudest for ‘owl’: layer 2 head 1. "
        "With its loudest head silent it would be ‘owl’."
    )
    assert reasons(parts, 0, 2).in_words(["dog", "owl", "rain"]).count("‘rain’") == 3
    assert reasons(parts, best=2).to_change == 0  # the rival is ahead as it is


def test_reasons_that_rest_on_many_heads_say_so() -> None:
    lead = np.full((2, 5), 0.1, dtype=np.float32)
    assert "; together 50 % of what was said for it. No head spoke for ‘b’." in Reasons(0, 1, lead).in_words(["a", "b"])
    lead[1] = -0.03
    assert Reasons(0, 1, lead).in_words(["a", "b"]).endswith("With the 4 loudest heads silent it would be ‘b’.")
    lead[1] = [0.1, 0.1, 0.1, 0.1, -0.05]
    assert Reasons(0, 1, lead).in_words(["a", "b"]).endswith("With half of all heads silent the answer would be the same.")


def test_listening_is_the_reliable_heads_share() -> None:
    attention = np.zeros((1, 2, 4), dtype=np.float32)
    attention[0, 0, 1], attention[0, 1, 3] = 0.5, 0.5
    np.testing.assert_allclose(listening(attention, np.array([[0.75, 0.25]])), [0, 0.75, 0, 0.25])
    np.testing.assert_allclose(listening(np.zeros((1, 2, 4), np.float32), np.ones((1, 2))), [0.25] * 4)
