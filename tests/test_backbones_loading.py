"""Loading: the general adapter on a checkpoint that nobody listed, and one clear sentence for every way in which loading fails."""

from __future__ import annotations

import errno
import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from calm_core import backbones, studio
from calm_core.backbones import Backbone, backbone_row, load_backbone, loading, offered
from calm_core.backbones.chat import ChatBackbone
from calm_core.backbones.fake import FakeBackbone
from calm_core.backbones.trimmed import AudioFlamingoBackbone, Qwen2AudioBackbone
from calm_core.errors import BackboneError
from calm_core.options import NEUTRAL_PROMPT

from . import tiny_models
from .conftest import tone

ANSWER = httpx.Response(403, request=httpx.Request("GET", "https://hub.invalid"))


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders serve as repositories, of which the hub itself knows nothing."""
    monkeypatch.setattr(loading, "model_info", lambda *_, **__: SimpleNamespace(siblings=[]))


def saved(backbone: ChatBackbone, folder: Path) -> Path:
    backbone.model.save_pretrained(folder)
    backbone.processor.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("family", "adapter"), [("audioflamingo3", AudioFlamingoBackbone), ("glmasr", ChatBackbone)])
def test_an_unlisted_checkpoint_gets_its_family_or_the_general_adapter(tmp_path: Path, family: str, adapter: type) -> None:
    tiny = tiny_models.FAMILIES[family]()
    folder = saved(tiny, tmp_path / "model")
    loaded = loading.from_hub("hub:some/one", None, str(folder), "main", "cpu", torch.float32, 0)
    assert type(loaded) is adapter
    waveform = tone(440, 1.0)
    np.testing.assert_allclose(loaded.extract([waveform], NEUTRAL_PROMPT), tiny.extract([waveform], NEUTRAL_PROMPT), atol=1e-5)


def test_dtype_and_attention_are_part_of_the_key() -> None:
    tiny = tiny_models.glm_asr()
    assert tiny.preprocessing == "chat/1 float32 sdpa"
    half = ChatBackbone("tiny", "0", tiny.model.to(torch.bfloat16), tiny.processor, "cpu")
    assert half.preprocessing == "chat/1 bfloat16 sdpa"
    assert np.isfinite(half.extract([tone(440)], NEUTRAL_PROMPT)).all()


def test_a_checkpoint_without_what_it_takes_says_what_is_missing(tmp_path: Path) -> None:
    tiny = tiny_models.glm_asr()
    tiny.processor.chat_template = None
    with pytest.raises(BackboneError, match="no chat template"):
        ChatBackbone("x", "0", tiny.model, tiny.processor, "cpu")
    with pytest.raises(BackboneError, match="no part for audio"):
        ChatBackbone("x", "0", tiny.model, tiny.processor.tokenizer, "cpu")
    whisper = tiny_models.whisper()
    whisper.model.save_pretrained(tmp_path)
    whisper.processor.save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="WhisperForConditionalGeneration, and it has no get_audio_features"):
        loading.from_folder("x", "chat", tmp_path, "0", "cpu", torch.float32)


@pytest.mark.parametrize(("family", "model_type"), [("qwen2_5_omni", "qwen2_5_omni"), ("qwen3_omni", "qwen3_omni_moe")])
def test_a_thinker_is_read_out_of_its_whole_checkpoint(tmp_path: Path, family: str, model_type: str) -> None:
    """The hub's omni checkpoints hold thinker, talker and voice; the processor's parts are read one by one."""
    tiny = tiny_models.FAMILIES[family]()
    tiny.model.save_pretrained(tmp_path)
    tiny.processor.feature_extractor.save_pretrained(tmp_path)
    tiny.processor.tokenizer.save_pretrained(tmp_path)
    weights = {f"thinker.{name}": tensor.clone() for name, tensor in load_file(tmp_path / "model.safetensors").items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = {"model_type": model_type, "thinker_config": json.loads((tmp_path / "config.json").read_text())}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = loading.from_hub("hub:some/one", None, str(tmp_path), "main", "cpu", torch.float32, 0)
    assert type(loaded) is type(tiny)
    np.testing.assert_array_equal(loaded.extract([tone(440)], NEUTRAL_PROMPT), tiny.extract([tone(440)], NEUTRAL_PROMPT))


def test_a_checkpoint_that_lacks_weights_is_never_filled_with_random_ones(tmp_path: Path) -> None:
    folder = saved(tiny_models.glm_asr(), tmp_path)
    weights = load_file(folder / "model.safetensors")
    gone = next(name for name in weights if name.endswith("o_proj.weight"))
    del weights[gone]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=r"1 of the model's weights, .*o_proj.weight first, aren't in"):
        loading.from_folder("x", "chat", folder, "0", "cpu", torch.float32)


def test_a_network_that_goes_before_the_weights_come_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("no route")

    folder = saved(tiny_models.FAMILIES["glmasr"](), tmp_path / "model")
    monkeypatch.setattr(loading, "model_info", fail)
    with pytest.raises(BackboneError, match="the model hub can't be reached"):
        loading.from_hub("hub:some/one", None, str(folder), "main", "cpu", torch.float32, 0)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (GatedRepoError("gated", response=ANSWER), "accept the terms at https://huggingface.co/Qwen"),
        (RepositoryNotFoundError("not there", response=ANSWER), "no such model"),
        (LocalEntryNotFoundError("not cached"), "can't be reached"),
        (httpx.ConnectError("no route"), "can't be reached"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (ImportError("needs torchaudio"), "a package is missing"),
        (ValueError("odd config."), "odd config; check"),
    ],
)
def test_every_failure_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, cause: Exception, said: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        if isinstance(cause, ValueError):
            raise cause
        raise OSError("something went wrong\nwith many lines") from cause

    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", fail)
    monkeypatch.setattr(loading, "device_memory_gb", lambda _: 100)
    with pytest.raises(BackboneError) as found:
        load_backbone("qwen2-audio-7b", "cpu")
    assert said in str(found.value)
    assert "built-in backbone 'pocket'" in str(found.value)
    assert "\n" not in str(found.value)


def test_a_model_that_does_not_fit_is_refused_before_any_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", lambda *_, **__: pytest.fail("asked the hub"))
    monkeypatch.setattr(loading, "device_memory_gb", lambda _: 24)
    with pytest.raises(BackboneError, match="needs about 36 GB of memory on cpu, which has 24 GB"):
        load_backbone("qwen2-audio-7b", "cpu")  # float32 on a CPU: twice the 18 GB of bfloat16


def test_a_chat_template_that_drops_the_question_is_told() -> None:
    """As the one of Qwen3-ASR, whose own adapter asks in the system's message."""
    tiny = tiny_models.qwen3_asr()
    general = ChatBackbone("tiny", "0", tiny.model, tiny.processor, "cpu")
    with pytest.raises(BackboneError, match="its chat template leaves the question out"):
        general.extract([tone(440, 1.0)], NEUTRAL_PROMPT)


def test_what_fits_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "device_memory_gb", lambda _: 3)
    assert [row.id for row in backbones.fitting("cpu")] == ["pocket", "whisper-small"]
    assert [row.id for row in backbones.fitting("cuda")] == ["pocket", "whisper-small", "whisper-large-v3-turbo"]
    monkeypatch.undo()
    assert loading.device_memory_gb("cpu") > 0


def test_a_full_disk_is_seen_before_the_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    parts = {"model-1-of-2.safetensors": 6 * 10**14, "model-2-of-2.safetensors": 4 * 10**14}
    sizes = {**parts, "consolidated.safetensors": 10**15, "model.fp32-1-of-2.safetensors": 10**15, "a/model.bin": 1}
    files = [SimpleNamespace(rfilename=name, size=size) for name, size in sizes.items()]
    monkeypatch.setattr(loading, "model_info", lambda *_, **__: SimpleNamespace(siblings=files))
    with pytest.raises(BackboneError, match=r"a download of 1000000\.0 GB and .*hub has [\d.]+ GB free"):
        loading.check_disk("x", "some/one", "abc")
    there = tmp_path / "hub" / "models--some--one" / "snapshots" / "abc"
    there.mkdir(parents=True)
    (there / "model.safetensors").touch()
    loading.check_disk("x", "some/one", "abc")


def test_a_folder_that_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="can't load backbone 'x' from"):
        loading.from_folder("x", "qwen2_audio", tmp_path, "1", "cpu", torch.float32)


def test_files_that_do_not_belong_together() -> None:
    tiny = tiny_models.qwen2_audio()
    tiny.processor.feature_extractor.nb_max_frames = 77
    with pytest.raises(BackboneError, match="makes 77 frames, the encoder takes 300"):
        Qwen2AudioBackbone("x", "0", tiny.model, tiny.processor, "cpu")
    other = tiny_models.audio_flamingo()
    other._audio_token = 3
    with pytest.raises(BackboneError, match="has 0 places for 12 audio embeddings"):
        other.extract([tone(440)], NEUTRAL_PROMPT)


def test_a_missing_package_is_named_before_any_download(monkeypatch: pytest.MonkeyPatch) -> None:
    row = backbone_row("voxtral-mini-3b")
    monkeypatch.setattr(backbones, "find_spec", lambda _: None)
    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(BackboneError, match="'voxtral-mini-3b' needs the package mistral-common: pip install mistral-common, or use"):
        load_backbone(row.id, "cpu")
    monkeypatch.setattr(backbones, "find_spec", lambda name: name == "mistral_common" or None)
    assert row.lacks == ""


@pytest.fixture(params=[("granite_speech", ""), ("phi4_multimodal", "speech-lora")], ids=["granite_speech", "phi4_multimodal"])
def lora_checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ChatBackbone, Path, Path]:
    """A tiny backbone, its checkpoint as the hub has it, and the folder in it with the LoRA weights."""
    family, lora = request.param
    tiny = tiny_models.FAMILIES[family]()
    PreTrainedModel.save_pretrained(tiny.model, tmp_path / lora)
    weights = {name.replace(".base_layer", ""): w.clone() for name, w in tiny.model.state_dict().items() if "lora_" not in name}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    tiny.model.config.save_pretrained(tmp_path)
    tiny.processor.tokenizer.save_pretrained(tmp_path)
    tiny._extractor.save_pretrained(tmp_path)
    return tiny, tmp_path, tmp_path / lora


def test_lora_weights_are_loaded_with_their_model(lora_checkpoint: tuple[ChatBackbone, Path, Path]) -> None:
    tiny, folder, lora = lora_checkpoint
    loaded = loading.from_hub("hub:some/one", None, str(folder), "main", "cpu", torch.float32, 0)
    assert type(loaded) is type(tiny)
    found = loaded.extract([tone(440)], NEUTRAL_PROMPT)
    np.testing.assert_array_equal(found, tiny.extract([tone(440)], NEUTRAL_PROMPT))
    tiny.model.disable_adapters()
    assert np.abs(found - tiny.extract([tone(440)], NEUTRAL_PROMPT)).max() > 1e-3
    half = loading.from_hub("hub:some/one", None, str(folder), "main", "cpu", torch.bfloat16, 0)
    np.testing.assert_allclose(half.extract([tone(440)], NEUTRAL_PROMPT), found, atol=0.1 * np.abs(found).max())
    for file in (lora / "adapter_model.safetensors", folder / "model.safetensors"):  # the model's own: also beside whole LoRA weights
        whole = load_file(file)
        gone = next(name for name in whole if "layers.0.self_attn" in name and "audio" not in name)
        save_file({name: w for name, w in whole.items() if name != gone}, file, metadata={"format": "pt"})
        with pytest.raises(BackboneError, match=r"1 of the model's weights, .*self_attn.*, aren't in"):
            loading.from_hub("hub:some/one", None, str(folder), "main", "cpu", torch.float32, 0)
        save_file(whole, file, metadata={"format": "pt"})


def test_lora_weights_without_their_package_are_never_left_out(
    lora_checkpoint: tuple[ChatBackbone, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    with pytest.raises(BackboneError, match="hears through LoRA weights, which need the package peft: pip install peft, or use"):
        loading.from_hub("hub:some/one", None, str(lora_checkpoint[1]), "main", "cpu", torch.float32, 0)


def test_a_device_that_is_full_is_told_with_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tiny_models.glm_asr(), tmp_path)

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(ChatBackbone, "__init__", full)
    with pytest.raises(
        BackboneError, match=r"'x' has 0\.\d\d GB of weights, too much beside what else is on cpu, which has \d+ GB; wait for"
    ):
        loading.from_folder("x", "chat", folder, "0", "cpu", torch.float32)


def test_the_previous_large_backbone_is_released_and_a_job_on_it_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tiny = {"whisper-small": tiny_models.whisper, "glm-asr-nano": tiny_models.glm_asr, "pocket": FakeBackbone}

    def load(id: str, _: str, make_room: Callable[[], None]) -> Backbone:
        if id == "audio-flamingo-3":
            raise BackboneError("refused before its weights are loaded")
        if id != "pocket":
            make_room()
        return tiny[id]()

    monkeypatch.setattr(studio, "load_backbone", load)
    desk = studio.Studio()
    pocket = desk.backbone("pocket", "cpu")
    job = desk.backbone("glm-asr-nano", "cpu")
    with pytest.raises(BackboneError, match="refused"):
        desk.backbone("audio-flamingo-3", "cpu")
    assert desk.backbone("glm-asr-nano", "cpu") is job
    first = weakref.ref(job.model)  # type: ignore[attr-defined]
    with caplog.at_level("INFO"):
        desk.backbone("whisper-small", "cpu")
    assert "released backbone 'glm-asr-nano', 0.00 GB of cpu's memory, for 'whisper-small', which needs about 2 GB" in caplog.text
    assert job.extract([tone(440)], NEUTRAL_PROMPT).shape[0] == 1
    del job
    desk.backbone("glm-asr-nano", "cpu")
    gc.collect()
    assert first() is None
    assert desk.backbone("pocket", "cpu") is pocket
    assert len(desk._backbones) == 2


def test_rows_of_the_hub() -> None:
    assert backbone_row("hub:some/one").repo == "some/one"
    with pytest.raises(BackboneError, match="or hub:OWNER/NAME"):
        backbone_row("hub:someone")
    for row in offered():
        assert row.repo is None or row.revision in ("main", "refs/pr/70") or len(row.revision) == 40
