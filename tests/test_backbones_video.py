"""Videos for a backbone that sees: against transformers' own processor and forward pass, alone and in a batch, and never beside the sound
alone under one key."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Qwen2_5OmniProcessor, Qwen2VLImageProcessorPil, Qwen3OmniMoeProcessor

from calm_core.backbones import Seeing, offered
from calm_core.backbones.omni import OmniBackbone, Qwen25OmniBackbone
from calm_core.dataset import Clip, preflight
from calm_core.errors import AudioError, BackboneError, BundleError
from calm_core.extraction import extract, origin_of
from calm_core.options import NEUTRAL_PROMPT, ExtractOptions
from calm_core.studio import Studio
from calm_core.timeline import timeline
from calm_core.vectors import VectorStore
from calm_core.workspace import Workspace

from . import tiny_models
from .conftest import tone
from .test_audio import film
from .test_backbones import TOLERANCE

SEEING = ExtractOptions(video=True)


@pytest.fixture(scope="module", params=[tiny_models.qwen2_5_omni, tiny_models.qwen3_omni], ids=lambda made: made.__name__)
def backbone(request: pytest.FixtureRequest) -> OmniBackbone:
    return request.param()


def shown(backbone: OmniBackbone, n: int, seed: int = 0) -> np.ndarray:
    height, width = 2 * backbone.side_step, 3 * backbone.side_step
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def whole(backbone: OmniBackbone, waveform: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """The inputs of the projections at the last token in transformers' own full forward pass, (L, H, D)."""
    rows: list[torch.Tensor] = []
    hooks = [p.register_forward_pre_hook(lambda _, args: rows.append(args[0][0, -1])) for p in backbone._projections]
    prepared = backbone.prepare_video(waveform, pictures, NEUTRAL_PROMPT)
    inputs = {name: value for name, value in prepared.features.items() if name != "positions"}
    mask, second_per_grid = torch.ones_like(prepared.ids)[None], torch.tensor([1.0])
    with torch.inference_mode():
        backbone.model(prepared.ids[None], attention_mask=mask, use_audio_in_video=True, video_second_per_grid=second_per_grid, **inputs)
    for hook in hooks:
        hook.remove()
    return torch.stack(rows).view(backbone.shape.layers, backbone.shape.heads, -1).numpy()


@pytest.mark.parametrize(("seconds", "n"), [(3.0, 6), (0.4, 1), (2.3, 5), (1.0, 9)])
def test_vectors_are_those_of_transformers_own_forward_pass(backbone: OmniBackbone, seconds: float, n: int) -> None:
    waveform = tone(300, seconds)
    expected = whole(backbone, waveform, shown(backbone, n))
    found = backbone.read([backbone.prepare_video(waveform, shown(backbone, n), NEUTRAL_PROMPT)])[0]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max())


def test_patches_are_those_of_transformers_own_processor(backbone: OmniBackbone) -> None:
    mean, deviation = backbone.levels
    sizes = {"patch_size": backbone.model.config.vision_config.patch_size, "image_mean": mean, "image_std": deviation}
    processor = Qwen2VLImageProcessorPil(do_resize=False, **sizes)
    theirs = processor(shown(backbone, 1)[0], return_tensors="pt", input_data_format="channels_last")
    patches, grid = backbone._patches(shown(backbone, 1))
    torch.testing.assert_close(patches, theirs["pixel_values"], atol=1e-5, rtol=0)
    assert grid.tolist() == theirs["image_grid_thw"][0].tolist() == [1, 4, 6]


def test_the_prompt_is_the_one_of_transformers_own_processor(backbone: OmniBackbone) -> None:
    """Sound and pictures by turns."""
    processor_class = Qwen2_5OmniProcessor if isinstance(backbone, Qwen25OmniBackbone) else Qwen3OmniMoeProcessor
    config, (before, place, behind) = backbone.model.config, backbone.audio_marks
    prepared = backbone.prepare_video(tone(300, 5.0), shown(backbone, 11), NEUTRAL_PROMPT)
    sound = int((prepared.ids == backbone._audio_token).sum())
    opening, video, closing = backbone.processor.tokenizer.convert_ids_to_tokens(
        [config.vision_start_token_id, config.video_token_id, config.vision_end_token_id]
    )
    marks = {"audio_bos_token": before, "audio_token": place, "audio_eos_token": behind, "video_token": video}
    chunked = {"get_chunked_index": lambda *given: Qwen2_5OmniProcessor.get_chunked_index(None, *given)}
    processor = SimpleNamespace(**marks, **chunked, video_processor=SimpleNamespace(merge_size=2))
    shape = {"video_grid_thw": prepared.features["video_grid_thw"].numpy(), "video_second_per_grid": [1.0]}
    times = {"position_id_per_seconds": config.position_id_per_seconds, "seconds_per_chunk": 2.0}
    told = processor_class.replace_video_with_audio_token(processor, shape, 0, {"num_audio_tokens": [sound]}, 0, **times)
    said = backbone.processor.tokenizer.decode(prepared.ids)
    assert f"<|im_start|>user\n{opening}{told}{closing}{NEUTRAL_PROMPT}<|im_end|>" in said


def test_alone_equals_in_a_batch_with_sound_alone(backbone: OmniBackbone) -> None:
    clips = [
        backbone.prepare_video(tone(300, 2.0), shown(backbone, 4), NEUTRAL_PROMPT),
        backbone.prepare(tone(500, 3.0), NEUTRAL_PROMPT),
        backbone.prepare_video(tone(400, 0.5), shown(backbone, 1, seed=1), NEUTRAL_PROMPT),
    ]
    together = backbone.read(clips)
    for found, clip in zip(together, clips, strict=True):
        alone = backbone.read([clip])[0]
        np.testing.assert_allclose(found, alone, atol=TOLERANCE * np.abs(alone).max())


def test_seeing_and_hearing_alone_never_meet(backbone: OmniBackbone, tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "vectors")
    dark, bright = film(tmp_path / "dark.mp4", [10, 20, 30]), film(tmp_path / "bright.mp4", [200, 220, 240])
    heard = extract([dark, bright], backbone, store=store)
    np.testing.assert_array_equal(heard.values[0], heard.values[1])
    seen = extract([dark, bright], backbone, SEEING, store=store)
    assert np.abs(seen.values[0] - seen.values[1]).max() > 1e-3
    assert np.abs(seen.values - heard.values).max() > 1e-3
    assert seen.origin == origin_of(backbone, NEUTRAL_PROMPT, video=True) != heard.origin
    np.testing.assert_array_equal(extract([dark, bright], backbone, SEEING, store=store).values, seen.values)
    np.testing.assert_array_equal(extract([dark, bright], backbone, store=store).values, heard.values)


def test_every_window_sees_its_own_time(backbone: OmniBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "window_s", 2.0)
    asked: list[float] = []
    prepare = backbone.prepare_video
    monkeypatch.setattr(backbone, "prepare_video", lambda w, p, text: (asked.append(round(p.mean(), -1)), prepare(w, p, text))[1])
    levels = [20] * 4 + [100] * 4 + [200] * 2
    assert len(extract([film(tmp_path / "a.mp4", levels)], backbone, SEEING, store=VectorStore(tmp_path / "v")).values) == 3
    assert sorted(asked) == [20, 100, 200]


def test_a_classifier_that_saw_sees_what_it_is_asked(backbone: OmniBackbone, tmp_path: Path, studio: Studio) -> None:
    films = {"dark": [20] * 2, "dark too": [20] * 3, "bright": [220] * 4, "bright too": [220] * 5}
    clips = [Clip(film(tmp_path / f"{name}.mp4", levels), name, name.split()[0]) for name, levels in films.items()]
    learned = studio.learn(Workspace(preflight(clips)), backbone, extract_options=SEEING)
    assert learned.model.origin == origin_of(backbone, NEUTRAL_PROMPT, video=True)
    assert {rung.method for rung in learned.ladder} >= {"calm", "uniform"}
    (row,) = studio.predict(learned.model, [Clip(film(tmp_path / "new.mp4", [220] * 6), "new", None)], backbone)
    assert not row.error
    np.testing.assert_array_equal(row.heads.values, extract([tmp_path / "new.mp4"], backbone, SEEING, store=studio.store).values)
    with pytest.raises(BundleError, match="a timeline is of sound alone"):
        timeline(learned.model, tmp_path / "new.mp4", backbone)


def test_what_cannot_be_seen(backbone: OmniBackbone, tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "vectors")
    sound = film(tmp_path / "a.mp4", [10])
    with pytest.raises(BackboneError, match="'tiny' hears, but sees no video; choose one of qwen25-omni-7b"):
        extract([sound], tiny_models.glm_asr(), SEEING, store=store)
    with pytest.raises(AudioError, match=r"'mute.mp4' has no sound track"):
        extract([film(tmp_path / "mute.mp4", [10], sound=False)], backbone, SEEING, store=store)
    assert isinstance(backbone, Seeing)
    assert {row.family for row in offered() if row.sees} == {"qwen2_5_omni", "qwen3_omni"}
