"""Where a backbone looks: the same weights as the model's own eager attention, alone or in a batch, and nothing left hooked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from calm_core.backbones import Backbone, load_backbone
from calm_core.backbones.attending import Attending
from calm_core.backbones.fake import FakeBackbone
from calm_core.backbones.trimmed import Qwen2AudioBackbone
from calm_core.dataset import Clip, Dataset
from calm_core.errors import BackboneError, DataError
from calm_core.studio import ClipPrediction, Studio
from calm_core.vectors import VectorStore
from calm_core.workspace import Workspace

from . import tiny_models

PROMPT = "What sound is this?"


@pytest.fixture(scope="module")
def tiny() -> Qwen2AudioBackbone:
    return tiny_models.qwen2_audio()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=round(seconds * 16_000)).astype(np.float32) * 0.1


def test_it_is_the_models_own_attention(tiny: Qwen2AudioBackbone) -> None:
    wave = noise(1.0)
    (found,) = tiny.attention([wave], PROMPT)
    clip = tiny.prepare(wave, PROMPT)
    tiny.model.set_attn_implementation("eager")
    with torch.inference_mode():
        embeddings, _, _ = tiny._embed([clip])
        own = tiny._decoder(inputs_embeds=embeddings, use_cache=False, output_attentions=True).attentions
    tiny.model.set_attn_implementation("sdpa")
    audio = (clip.ids == tiny._audio_token).numpy()
    assert found.shape == (3, 4, audio.sum()) == (3, 4, 25)
    np.testing.assert_allclose(found, torch.stack(own)[:, 0, :, -1].numpy()[..., audio], atol=1e-5)
    assert tiny.audio_token_s == pytest.approx(0.04)


def test_alone_equals_in_a_mixed_batch_and_no_hook_stays(tiny: Qwen2AudioBackbone) -> None:
    short, long = noise(0.5, 1), noise(2.0, 2)
    both = tiny.attention([short, long], PROMPT)
    for alone, found in zip((short, long), both, strict=True):
        np.testing.assert_allclose(tiny.attention([alone], PROMPT)[0], found, atol=1e-5)
    assert not any(module._forward_pre_hooks for module in tiny.model.modules())


def test_the_pocket_attends_and_the_fake_does_not() -> None:
    pocket: Backbone = load_backbone("pocket", "cpu")
    assert isinstance(pocket, Attending)
    assert not isinstance(FakeBackbone(), Attending)


def test_a_predicted_clip_says_where_its_answer_was_read(tmp_path: Path) -> None:
    """Windows follow one another in time, shares sum to one, and a backbone that can't look says so."""
    backbone, studio = load_backbone("pocket", "cpu"), Studio(VectorStore(tmp_path / "store"))
    clips = []
    for i, label in enumerate(["low", "high"] * 3):
        sf.write(path := tmp_path / f"{i}.wav", tone(300.0 if label == "low" else 3000.0, 7.0, i), 16_000)
        clips.append(Clip(path, path.name, label))
    model = studio.learn(studio.add(Workspace(), Dataset(tuple(clips))), backbone, ladder=False).model
    (row, *_) = studio.predict(model, clips[:1], backbone)
    found = studio.listening(row, backbone)
    assert found.seconds == pytest.approx(7.0)
    assert len(found.share) == len(found.begins_s) == pytest.approx(7.0 / backbone.audio_token_s, abs=2)
    assert (np.diff(found.begins_s) > 0).all()
    assert found.share.sum() == pytest.approx(1.0, abs=1e-5)
    begin, end, share = found.densest(2.0)
    assert end - begin == pytest.approx(2.0)
    assert share >= 2.0 / 7.0 - 0.02
    with pytest.raises(BackboneError, match="can't say where it looks"):
        studio.listening(row, FakeBackbone())
    with pytest.raises(DataError, match="was not predicted"):
        studio.listening(ClipPrediction("a.wav", tmp_path / "a.wav", error="silent."), backbone)


def tone(hz: float, seconds: float, seed: int) -> np.ndarray:
    t = np.arange(round(seconds * 16_000)) / 16_000
    return (0.3 * np.sin(2 * np.pi * (hz + 10 * seed) * t) + 0.1 * noise(seconds, seed)).astype(np.float32)
