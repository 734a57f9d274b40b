"""Answers in words: against the plain full forward pass of the real architecture, alone and in a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calm_core import load_backbone
from calm_core.backbones import Answering, Backbone
from calm_core.backbones.answering import _draw
from calm_core.backbones.fake import FakeBackbone
from calm_core.backbones.trimmed import Qwen2AudioBackbone
from calm_core.errors import BackboneError
from tools import synth

from . import tiny_models
from .conftest import tone

QUESTION = "What sound is this?"
ANSWERS = ["dog bark", "rain", "a church bell, far away"]


@pytest.fixture(scope="module")
def pocket() -> Backbone:
    return load_backbone("pocket", "cpu")


@pytest.fixture(scope="module")
def tiny() -> Qwen2AudioBackbone:
    return tiny_models.qwen2_audio()


@pytest.fixture(params=["pocket", "tiny"])
def backbone(request: pytest.FixtureRequest) -> Qwen2AudioBackbone:
    return request.getfixturevalue(request.param)


def sounds() -> list[np.ndarray]:
    return [tone(300.0 * (i + 1), seconds, seed=i) for i, seconds in enumerate((2.5, 0.1, 1.1))]


def logits_of(backbone: Qwen2AudioBackbone, waveform: np.ndarray, answer: list[int]) -> torch.Tensor:
    """transformers' own full forward pass over prompt and answer: logits of the answer's tokens and of its end, (tokens + 1, V)."""
    inputs = tiny_models.whole_inputs(backbone, waveform, QUESTION)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([answer], dtype=torch.long)], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.inference_mode():
        return backbone.model(**inputs).logits[0, -len(answer) - 1 :]


def test_likelihoods_are_those_of_the_full_forward_pass(backbone: Qwen2AudioBackbone) -> None:
    found = backbone.answer_likelihoods(sounds(), QUESTION, ANSWERS)
    assert found.shape == (3, 3)
    assert found.dtype == np.float32
    tokenizer = backbone.processor.tokenizer
    for waveform, row in zip(sounds(), found, strict=True):
        for answer, likelihood in zip(ANSWERS, row, strict=True):
            tokens = tokenizer(answer)["input_ids"]
            logs = logits_of(backbone, waveform, tokens).log_softmax(-1)
            expected = sum(float(logs[t, token]) for t, token in enumerate([*tokens, tokenizer.eos_token_id])) / (len(tokens) + 1)
            assert likelihood == pytest.approx(expected, abs=1e-4)


def test_the_end_of_an_answer_is_any_of_its_ends(backbone: Qwen2AudioBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    one = backbone.answer_likelihoods(sounds()[:1], QUESTION, ANSWERS)
    monkeypatch.setattr(backbone.model.generation_config, "eos_token_id", [7, backbone.processor.tokenizer.eos_token_id])
    assert (backbone.answer_likelihoods(sounds()[:1], QUESTION, ANSWERS) > one).all()


def test_more_candidates_than_one_pass_takes(tiny: Qwen2AudioBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny.answer_likelihoods(sounds(), QUESTION, ANSWERS)
    monkeypatch.setattr("calm_core.backbones.answering.MAX_CANDIDATES", 2)
    np.testing.assert_allclose(tiny.answer_likelihoods(sounds(), QUESTION, ANSWERS), whole, atol=1e-5)


def test_greedy_answers_are_the_likeliest_tokens_alone_and_in_a_batch(backbone: Qwen2AudioBackbone) -> None:
    together = backbone.answer(sounds(), QUESTION)
    assert together == [backbone.answer([w], QUESTION)[0] for w in sounds()]
    ends = backbone._ends
    for waveform, text in zip(sounds(), together, strict=True):
        said: list[int] = []
        while len(said) < 32 and (token := int(logits_of(backbone, waveform, said)[-1].argmax())) not in ends:
            said.append(token)
        assert text == backbone.processor.tokenizer.decode(said, skip_special_tokens=True).strip()


def test_the_pocket_says_its_caption(pocket: Backbone) -> None:
    assert isinstance(pocket, Answering)
    clip = synth.render("rain", np.random.default_rng(0), 4.0)
    assert pocket.answer([clip], QUESTION)[0].startswith("rain; ")


def test_sampled_answers_are_the_seeds_and_not_the_batches(backbone: Qwen2AudioBackbone) -> None:
    together = backbone.sample_answers(sounds(), QUESTION, samples=4, seed=1)
    assert [len(row) for row in together] == [4, 4, 4]
    assert together[1] == backbone.sample_answers(sounds()[1:2], QUESTION, samples=4, seed=1)[0]
    assert together != backbone.sample_answers(sounds(), QUESTION, samples=4, seed=2)
    assert len({text for row in together for text in row}) > 3


def test_drawn_tokens_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.1, 0.0, 0.6, 0.3])
    uniforms = torch.arange(1000) / 1000
    drawn = _draw(probabilities.log().expand(1000, 4), uniforms.double())
    assert torch.bincount(drawn, minlength=4).tolist() == pytest.approx([100, 0, 600, 300], abs=1)


def test_answers_that_cannot_be_compared_are_an_error(pocket: Backbone) -> None:
    for backbone in (pocket, FakeBackbone()):
        assert isinstance(backbone, Answering)
        with pytest.raises(BackboneError, match="give at least one"):
            backbone.answer_likelihoods(sounds(), QUESTION, [])
        with pytest.raises(BackboneError, match="none of them blank"):
            backbone.answer_likelihoods(sounds(), QUESTION, ["dog", " "])
    with pytest.raises(BackboneError, match="samples is 0"):
        pocket.sample_answers(sounds(), QUESTION, samples=0)  # type: ignore[attr-defined]


def test_the_fake_answers_deterministically() -> None:
    fake = FakeBackbone()
    answers = fake.answer(sounds(), QUESTION)
    assert answers == FakeBackbone().answer(sounds(), QUESTION)
    likelihoods = fake.answer_likelihoods(sounds(), QUESTION, ["dog", answers[1]])
    assert likelihoods.shape == (3, 2)
    assert likelihoods.argmax(1)[1] == 1
    assert {len(row) for row in fake.sample_answers(sounds(), QUESTION)} == {8}
