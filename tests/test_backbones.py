"""Head capture and the Qwen2-Audio family on the real architecture: the embedded pocket, and a random one of other proportions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from calm_core.backbones import BACKBONES, Backbone, load_backbone, offered, resolve_device
from calm_core.backbones.base import find_projections, one_out_of_memory
from calm_core.backbones.chat import ChatBackbone
from calm_core.backbones.fake import FakeBackbone
from calm_core.backbones.trimmed import Qwen2AudioBackbone
from calm_core.errors import BackboneError
from calm_core.hooks import capture_heads
from calm_core.options import NEUTRAL_PROMPT

from . import tiny_models
from .conftest import tone

TOLERANCE = 1e-4
LENGTHS_S = (5.0, 0.1, 2.3, 0.8)


@pytest.fixture(scope="module")
def pocket() -> Backbone:
    return load_backbone("pocket", "cpu")


@pytest.fixture(scope="module")
def tiny() -> Qwen2AudioBackbone:
    return tiny_models.qwen2_audio()


@pytest.fixture(params=["pocket", "tiny"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return request.getfixturevalue(request.param)


def sounds(backbone: Backbone) -> list[np.ndarray]:
    lengths = [min(s, backbone.window_s) for s in LENGTHS_S]
    return [tone(200.0 * (i + 1), s, seed=i) for i, s in enumerate(lengths)]


def whole_vectors(backbone: ChatBackbone, waveform: np.ndarray) -> torch.Tensor:
    """The inputs of the projections at the last token in transformers' own full forward pass, (L, H, D)."""
    seen: list[torch.Tensor] = []
    hooks = [p.register_forward_pre_hook(lambda _, args: seen.append(args[0][0, -1])) for p in backbone._projections]
    with torch.inference_mode():
        backbone.model(**tiny_models.whole_inputs(backbone, waveform, NEUTRAL_PROMPT))
    for hook in hooks:
        hook.remove()
    return torch.stack(seen).view(backbone.shape.layers, backbone.shape.heads, -1)


def test_shapes_come_from_the_projections(pocket: Backbone, tiny: Backbone) -> None:
    assert (tiny.shape.layers, tiny.shape.heads, tiny.shape.head_dim) == (3, 4, 12)
    assert f"{pocket.shape.layers} x {pocket.shape.heads}" == BACKBONES[0].heads
    assert pocket.window_s == BACKBONES[0].window_s


def test_alone_equals_in_a_mixed_batch(backbone: Backbone) -> None:
    waveforms = sounds(backbone)
    together = backbone.extract(waveforms, NEUTRAL_PROMPT)
    assert together.shape == (len(waveforms), backbone.shape.layers, backbone.shape.heads, backbone.shape.head_dim)
    assert together.dtype == np.float32
    for i, waveform in enumerate(waveforms):
        alone = backbone.extract([waveform], NEUTRAL_PROMPT)[0]
        np.testing.assert_allclose(together[i], alone, atol=TOLERANCE * np.abs(alone).max())


def test_the_vectors_are_the_last_valid_tokens_projection_inputs(backbone: Qwen2AudioBackbone) -> None:
    """Against transformers' own full forward pass of one clip, with its mask and its language-model head."""
    for waveform in sounds(backbone):
        expected = whole_vectors(backbone, waveform)
        np.testing.assert_allclose(backbone.extract([waveform], NEUTRAL_PROMPT)[0], expected, atol=TOLERANCE * float(expected.abs().max()))


def test_sound_and_prompt_both_matter(backbone: Backbone) -> None:
    a, b = sounds(backbone)[2:]
    first = backbone.extract([a], NEUTRAL_PROMPT)
    assert np.abs(first - backbone.extract([b], NEUTRAL_PROMPT)).max() > 1e-3
    assert np.abs(first - backbone.extract([a], "How loud is it?")).max() > 1e-4


def test_no_hook_stays_behind(backbone: Qwen2AudioBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def residual() -> int:
        return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in backbone.model.modules())

    backbone.extract(sounds(backbone)[:1], NEUTRAL_PROMPT)
    assert residual() == 0

    def fail(**_: object) -> None:
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(backbone._decoder, "forward", fail)
    with pytest.raises(torch.OutOfMemoryError):
        backbone.extract(sounds(backbone)[:1], NEUTRAL_PROMPT)
    assert residual() == 0


def test_two_threads_do_not_hear_each_other(backbone: Backbone) -> None:
    waveforms = sounds(backbone)
    alone = [backbone.extract([w], NEUTRAL_PROMPT) for w in waveforms]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: backbone.extract([waveforms[i % 4]], NEUTRAL_PROMPT), range(24)))
    for i, found in enumerate(together):
        np.testing.assert_array_equal(found, alone[i % 4])


def test_every_devices_lack_of_memory_is_one_error() -> None:
    with pytest.raises(torch.OutOfMemoryError), one_out_of_memory():
        torch.empty(2**60)
    with pytest.raises(RuntimeError, match="else"), one_out_of_memory():
        raise RuntimeError("something else")


def test_nested_captures_both_see_and_a_silent_projection_is_an_error() -> None:
    layers = [nn.Linear(6, 6), nn.Linear(6, 6)]
    last = torch.tensor([1, 0])
    x = torch.arange(24.0).view(2, 2, 6)
    with capture_heads(layers, 3, last) as outer, capture_heads(layers[:1], 2, last) as inner:
        layers[0](x)
    assert inner.vectors().shape == (2, 1, 2, 3)
    torch.testing.assert_close(inner.vectors().flatten(1), torch.stack([x[0, 1], x[1, 0]]))
    with pytest.raises(BackboneError, match="layers \\[1\\] were never called"):
        outer.vectors()
    assert not any(layer._forward_pre_hooks for layer in layers)


def test_a_capture_sees_its_own_threads_passes_only() -> None:
    layer, last = nn.Linear(6, 6), torch.tensor([0])
    with capture_heads([layer], 3, last) as capture, ThreadPoolExecutor(1) as another:
        layer(torch.ones(1, 2, 6))
        another.submit(layer, torch.zeros(1, 2, 6)).result()
    assert capture.vectors().min() == 1


def test_what_lies_behind_the_last_wanted_layer_is_not_computed() -> None:
    layers = [nn.Linear(6, 6), nn.Linear(6, 6)]
    reached = []
    with capture_heads(layers[:1], 3, torch.tensor([0]), then_stop=True) as capture:
        reached.append(layers[1](layers[0](torch.ones(1, 2, 6))))
    assert not reached
    assert capture.vectors().shape == (1, 1, 3, 2)
    assert not any(layer._forward_pre_hooks for layer in layers)


def test_captured_rows_do_not_keep_the_layer_alive() -> None:
    layer = nn.Linear(6, 6)
    with capture_heads([layer], 3, torch.tensor([4])) as capture:
        layer(torch.zeros(1, 1000, 6))
    assert capture._rows[0] is not None
    assert capture._rows[0].untyped_storage().nbytes() == 6 * 4


class _Block(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        self.self_attn = nn.ModuleDict(parts)


def decoder(*blocks: nn.Module) -> nn.Module:
    module = nn.Module()
    module.layers = nn.ModuleList(blocks)
    return module


def test_discovery_asserts_what_it_finds_and_lists_candidates() -> None:
    good = decoder(*[_Block(o_proj=nn.Linear(12, 8)) for _ in range(2)])
    projections, shape = find_projections(good, 2, 3)
    assert len(projections) == 2
    assert shape.head_dim == 4
    with pytest.raises(BackboneError, match="expected one list of 5 decoder layers"):
        find_projections(good, 5, 3)
    with pytest.raises(BackboneError, match=r"self_attn\.dense"):
        find_projections(decoder(_Block(dense=nn.Linear(12, 8))), 1, 3)
    with pytest.raises(BackboneError, match="has 2 attention output projections"):
        find_projections(decoder(_Block(o_proj=nn.Linear(12, 8), out_proj=nn.Linear(12, 8))), 1, 3)
    with pytest.raises(BackboneError, match="don't divide evenly"):
        find_projections(good, 2, 5)
    with pytest.raises(BackboneError, match="\\[12, 16\\] wide"):
        find_projections(decoder(_Block(o_proj=nn.Linear(12, 8)), _Block(o_proj=nn.Linear(16, 8))), 2, 4)


def test_the_registry_is_one_table() -> None:
    ids = [row.id for row in BACKBONES]
    assert len(set(ids)) == len(ids)
    assert "fake" not in [row.id for row in offered()]
    with pytest.raises(BackboneError, match="choose one of pocket, qwen2-audio-7b-instruct"):
        load_backbone("gpt-9")
    with pytest.raises(BackboneError, match="choose one of auto, cpu"):
        resolve_device("tpu")


def test_the_fake_is_deterministic_and_counts() -> None:
    first, second = FakeBackbone(), FakeBackbone()
    waveforms = [tone(200), tone(3000)]
    np.testing.assert_array_equal(first.extract(waveforms, "a"), second.extract(waveforms, "a"))
    assert (first.calls, first.windows_seen) == (1, 2)
    assert not np.allclose(first.extract(waveforms, "b"), second.extract(waveforms, "a"))
    assert replace(first.shape, heads=1).count == 4
