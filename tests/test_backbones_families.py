"""Every family through its real config, processor and chat format, as a tiny random instance: no download."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import torch

from calm_core.backbones import BACKBONES, Answering, Backbone
from calm_core.backbones.chat import ChatBackbone
from calm_core.backbones.granite import GraniteSounds
from calm_core.backbones.loading import FAMILIES
from calm_core.errors import BackboneError
from calm_core.hooks import capture_heads
from calm_core.options import NEUTRAL_PROMPT

from . import tiny_models
from .conftest import tone
from .test_backbones import TOLERANCE, whole_vectors

LENGTHS_S = (3.0, 0.1, 2.3, 0.8, 0.8125, 1.0)  # the whole window, the shortest clip, whole and broken hops, chunk borders


@pytest.fixture(scope="module", params=list(tiny_models.FAMILIES))
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return tiny_models.FAMILIES[request.param]()


def sounds() -> list[np.ndarray]:
    return [tone(200.0 * (i + 1), seconds, seed=i) for i, seconds in enumerate(LENGTHS_S)]


def test_alone_equals_in_a_mixed_batch(backbone: Backbone) -> None:
    together = backbone.extract(sounds(), NEUTRAL_PROMPT)
    shape = backbone.shape
    assert together.shape == (len(LENGTHS_S), shape.layers, shape.heads, shape.head_dim)
    assert together.dtype == np.float32
    for found, waveform in zip(together, sounds(), strict=True):
        alone = backbone.extract([waveform], NEUTRAL_PROMPT)[0]
        np.testing.assert_allclose(found, alone, atol=TOLERANCE * np.abs(alone).max())
    back = backbone.extract(sounds()[::-1], NEUTRAL_PROMPT)[::-1]
    np.testing.assert_allclose(back, together, atol=TOLERANCE * np.abs(together).max())


def test_whisper_is_asked_for_an_english_transcript() -> None:
    whisper = tiny_models.whisper()
    _, ids = whisper.prepare(sounds()[1], NEUTRAL_PROMPT)
    start = whisper.processor.tokenizer.convert_ids_to_tokens(ids[0, -4:])
    assert start == ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    _, long = whisper.prepare(sounds()[1], NEUTRAL_PROMPT * 9)
    assert long.shape == (1, whisper.model.config.max_target_positions)


def test_threads_prepare_and_read_side_by_side(backbone: Backbone) -> None:
    expected = [backbone.extract([waveform], NEUTRAL_PROMPT) for waveform in sounds()]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda waveform: backbone.extract([waveform], NEUTRAL_PROMPT), sounds() * 4))
    np.testing.assert_allclose(found, expected * 4, atol=TOLERANCE * np.abs(expected).max())


def test_vectors_are_those_of_transformers_own_forward_pass(backbone: Backbone) -> None:
    if not isinstance(backbone, ChatBackbone):
        pytest.skip("Whisper runs transformers' own forward pass")
    for waveform in sounds():
        expected = whole_vectors(backbone, waveform)
        np.testing.assert_allclose(backbone.extract([waveform], NEUTRAL_PROMPT)[0], expected, atol=TOLERANCE * float(expected.abs().max()))


def test_the_first_layers_alone_are_the_same(backbone: Backbone) -> None:
    whole = backbone.extract(sounds(), NEUTRAL_PROMPT)
    np.testing.assert_allclose(backbone.extract(sounds(), NEUTRAL_PROMPT, 2), whole[:, :2], atol=TOLERANCE * np.abs(whole).max())
    np.testing.assert_allclose(backbone.extract(sounds(), NEUTRAL_PROMPT), whole, atol=TOLERANCE * np.abs(whole).max())
    with pytest.raises(BackboneError, match="layers is 99; the backbone has 1 to"):
        backbone.extract(sounds(), NEUTRAL_PROMPT, 99)


def test_the_language_model_compiles_as_one_graph(backbone: Backbone) -> None:
    """What merging the embeddings ourselves is for: transformers' own forward pass of the whole model breaks in two."""
    if not isinstance(backbone, ChatBackbone):
        pytest.skip("Whisper runs transformers' own forward pass")
    torch.compiler.reset()
    with torch.inference_mode():
        embeddings, lengths, beside = backbone._embed([backbone.prepare(sound, NEUTRAL_PROMPT) for sound in sounds()])
    with torch.no_grad(), capture_heads(backbone._projections, backbone.shape.heads, lengths - 1) as capture:
        compiled = torch.compile(backbone._decoder, fullgraph=True, dynamic=False, backend="eager")
        compiled(inputs_embeds=embeddings.clone(), attention_mask=None, use_cache=False, **beside)
    expected = backbone.extract(sounds(), NEUTRAL_PROMPT)
    np.testing.assert_allclose(capture.vectors(), expected, atol=TOLERANCE * np.abs(expected).max())


def test_sound_and_prompt_both_matter(backbone: Backbone) -> None:
    a, b = sounds()[2:4]
    first = backbone.extract([a], NEUTRAL_PROMPT)
    assert np.abs(first - backbone.extract([b], NEUTRAL_PROMPT)).max() > 1e-3
    assert np.abs(first - backbone.extract([a], "How loud is it?")).max() > 1e-3


def test_answers_are_the_same_alone_and_in_a_batch(backbone: Backbone) -> None:
    if not isinstance(backbone, Answering):
        pytest.skip("Whisper answers no questions")
    together = backbone.answer_likelihoods(sounds()[:3], NEUTRAL_PROMPT, ["dog", "a church bell"])
    alone = [backbone.answer_likelihoods([w], NEUTRAL_PROMPT, ["dog", "a church bell"])[0] for w in sounds()[:3]]
    np.testing.assert_allclose(together, alone, atol=TOLERANCE)
    assert backbone.answer(sounds()[:3], NEUTRAL_PROMPT) == [backbone.answer([w], NEUTRAL_PROMPT)[0] for w in sounds()[:3]]


def test_granites_spectrogram_is_the_one_of_torchaudio() -> None:
    """By librosa, set to torchaudio's conventions: torchaudio itself runs beside few builds of torch."""
    extractor, waveform = GraniteSounds(), tone(440, 0.513)
    sizes = {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 80}
    mel = librosa.feature.melspectrogram(y=waveform, sr=16_000, **sizes, htk=True, norm=None, pad_mode="reflect")
    level = np.log10(np.maximum(mel.T, 1e-10))
    level = np.maximum(level, level.max() - 8) / 4 + 1
    found = extractor([waveform])["input_features"]
    assert level.shape == (52, 80)
    np.testing.assert_allclose(found[0], level.reshape(26, 160), atol=1e-4)
    assert extractor([waveform[:-1100]])["input_features"].shape == (1, 22, 160)  # of 45 frames the odd one is left out


def test_granites_prompt_is_the_same_every_day() -> None:
    assert "Today's Date: December 19, 2024." in tiny_models.granite_speech()._text(NEUTRAL_PROMPT)


def test_every_listed_family_can_be_loaded_and_is_tried_here() -> None:
    families = {row.family for row in BACKBONES if row.repo is not None}
    assert families <= set(FAMILIES)
    assert families - {"chat"} <= set(tiny_models.FAMILIES)
