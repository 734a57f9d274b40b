"""Class names in a model's own answers, and the vote of several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from calm_core import load_backbone
from calm_core.backbones.fake import FakeBackbone
from calm_core.dataset import Clip
from calm_core.errors import BackboneError
from calm_core.pseudo_labels import SAMPLES, Vote, majority, named, vote
from tools import synth

NAMES = ["dog", "dog_bark", "Owl", "rain", "-"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", ""),
        ("I can't tell.", ""),
        ("Owl", "Owl"),
        ("The sound is an OWL, far away.", "Owl"),
        ("dog bark; medium; sparse", "dog_bark"),
        ("a dog in the rain", "dog"),
        ("rain, and a dog", "rain"),
        ("a train", ""),
        ("hot-dog", "dog"),
    ],
)
def test_the_class_that_is_named_first(answer: str, expected: str) -> None:
    assert named(answer, NAMES) == expected


def test_silence_and_other_words_count_against_a_majority() -> None:
    assert majority(["owl", "an owl", "", "thunder"], NAMES) == Vote("Owl", 0.5)
    assert majority(["owl", "rain", "", ""], NAMES) == Vote("", 0.0)
    assert majority(["", "thunder"], NAMES) == Vote("", 0.0)


def test_the_pocket_names_a_family_that_it_knows(tmp_path: Path, write_wav: Callable[..., Path]) -> None:
    pocket = load_backbone("pocket", "cpu")
    path = write_wav(tmp_path / "r.wav", synth.render("rain", np.random.default_rng(0), 6.0))  # two windows
    found = vote(Clip(path, "r.wav", None), pocket, ["owl_hoot", "rain", "siren"])  # type: ignore[arg-type]
    assert found.label == "rain"
    assert found.share >= 0.5
    assert found == vote(Clip(path, "r.wav", None), pocket, ["owl_hoot", "rain", "siren"])  # type: ignore[arg-type]


def test_a_clip_that_does_not_fit_is_named(tmp_path: Path, write_wav: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_):
        raise torch.OutOfMemoryError

    fake = FakeBackbone()
    monkeypatch.setattr(fake, "sample_answers", refuse)
    path = write_wav(tmp_path / "r.wav", np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10)
    with pytest.raises(BackboneError, match=f"{SAMPLES} answers about clip 'r.wav' don't fit the memory of cpu"):
        vote(Clip(path, "r.wav", None), fake, ["a", "b"])
