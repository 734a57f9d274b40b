"""Loads a family's processor and weights, from a folder or the model hub, and says in one sentence why that can't be.

Whether a model fits is asked before anything large is downloaded. Weights are read as safetensors only, and no code of a repository runs.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import constants, model_info
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoProcessor,
    AutoTokenizer,
    GraniteSpeechProcessor,
    Phi4MultimodalFeatureExtractor,
    WhisperFeatureExtractor,
)
from transformers.utils.logging import disable_progress_bar

from ..errors import BackboneError
from .base import Backbone, device_memory_gb, one_out_of_memory
from .chat import ChatBackbone, SoundProcessor
from .granite import GraniteSounds, GraniteSpeechBackbone
from .omni import Qwen3OmniBackbone, Qwen25OmniBackbone
from .phi4 import Phi4MultimodalBackbone
from .qwen3_asr import Qwen3AsrBackbone
from .trimmed import AudioFlamingoBackbone, MusicFlamingoBackbone, Qwen2AudioBackbone
from .voxtral import VoxtralBackbone
from .whisper import WhisperBackbone

WHOLE, PARTS = "model.safetensors", "model-*-of-*.safetensors"  # what transformers downloads of a repository: the second without the first
ELSE_POCKET = "or use the built-in backbone 'pocket'."


def _whole_processor(source: str, **where: Any) -> Any:
    return AutoProcessor.from_pretrained(source, trust_remote_code=False, **where)


def _tokenizer(source: str, **where: Any) -> Any:
    return AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)


def _whisper_sounds(source: str, **where: Any) -> SoundProcessor:
    return SoundProcessor(WhisperFeatureExtractor.from_pretrained(source, **where), _tokenizer(source, **where))


def _phi4_sounds(source: str, **where: Any) -> SoundProcessor:
    return SoundProcessor(Phi4MultimodalFeatureExtractor.from_pretrained(source, **where), _tokenizer(source, **where))


def _granite_processor(source: str, **where: Any) -> Any:
    tokenizer = _tokenizer(source, **where)
    return GraniteSpeechProcessor(GraniteSounds.from_pretrained(source, **where), tokenizer, chat_template=tokenizer.chat_template)


@dataclass(frozen=True, slots=True)
class Family:
    """How one family is loaded: its adapter, the name of its transformers class (None: what the checkpoint names), its processor.

    lora: the checkpoint's folder ("" for its root) with the LoRA weights through which the language model hears; None: it has none.
    """

    adapter: Callable[[str, str, Any, Any, str], Backbone]
    model_class: str | None
    processor: Callable[..., Any] = _whole_processor
    lora: str | None = None


FAMILIES: dict[str, Family] = {
    "qwen2_audio": Family(Qwen2AudioBackbone, "Qwen2AudioForConditionalGeneration"),
    "qwen2_5_omni": Family(Qwen25OmniBackbone, "Qwen2_5OmniThinkerForConditionalGeneration", _whisper_sounds),
    "qwen3_omni": Family(Qwen3OmniBackbone, "Qwen3OmniMoeThinkerForConditionalGeneration", _whisper_sounds),
    "audioflamingo3": Family(AudioFlamingoBackbone, "AudioFlamingo3ForConditionalGeneration"),
    "musicflamingo": Family(MusicFlamingoBackbone, "MusicFlamingoForConditionalGeneration"),
    "voxtral": Family(VoxtralBackbone, "VoxtralForConditionalGeneration"),
    "granite_speech": Family(GraniteSpeechBackbone, "GraniteSpeechForConditionalGeneration", _granite_processor, ""),
    "phi4_multimodal": Family(Phi4MultimodalBackbone, "Phi4MultimodalForCausalLM", _phi4_sounds, "speech-lora"),
    "qwen3_asr": Family(Qwen3AsrBackbone, "Qwen3ASRForConditionalGeneration"),
    "whisper": Family(WhisperBackbone, "WhisperForConditionalGeneration"),
    "chat": Family(ChatBackbone, None),
}
# Adapters by the model_type of a hub model that nobody listed; all others get the general one.
FAMILY_OF_TYPE = {
    "qwen2_audio": "qwen2_audio",
    "qwen2_5_omni": "qwen2_5_omni",
    "qwen3_omni_moe": "qwen3_omni",
    "audioflamingo3": "audioflamingo3",
    "musicflamingo": "musicflamingo",
    "voxtral": "voxtral",
    "granite_speech": "granite_speech",
    "phi4_multimodal": "phi4_multimodal",
    "qwen3_asr": "qwen3_asr",
    "whisper": "whisper",
}


def from_folder(id: str, family: str, folder: Path, revision: str, device: str, dtype: torch.dtype) -> Backbone:
    """A backbone from a folder on this machine. Raises BackboneError with what to do where that fails."""
    disable_progress_bar()  # of a load that takes milliseconds
    return _load(id, family, str(folder), revision, device, dtype, {"local_files_only": True})


def from_hub(
    id: str,
    family: str | None,
    repo: str,
    revision: str,
    device: str,
    dtype: torch.dtype,
    memory_gb: float,
    make_room: Callable[[], None] = lambda: None,
) -> Backbone:
    """A backbone from the model hub. revision: a commit, or a branch, which becomes the commit that the hub reports.

    family None: by the checkpoint's own model type. memory_gb: needed on the device, 0 where unknown. make_room: called when
    nothing cheap can fail any more, before the weights are loaded.
    Raises BackboneError, before anything large is downloaded, where the model doesn't fit; and with what to do where loading fails.
    """
    check_memory(id, memory_gb, device)
    with _one_sentence(id, repo):
        config = AutoConfig.from_pretrained(repo, revision=revision, trust_remote_code=False)
    family = family or FAMILY_OF_TYPE.get(config.model_type, "chat")
    commit = getattr(config, "_commit_hash", None) or revision
    with _one_sentence(id, repo):
        check_disk(id, repo, commit)
    make_room()
    return _load(id, family, repo, commit, device, dtype, {"revision": commit})


def _load(id: str, family: str, source: str, revision: str, device: str, dtype: torch.dtype, where: dict[str, Any]) -> Backbone:
    found = FAMILIES[family]
    with _one_sentence(id, source):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, **where)
        lora = found.lora if getattr(config, "has_lora_adapter", True) else None
        if lora is not None and find_spec("peft") is None:
            raise BackboneError(f"{id}: it hears through LoRA weights, which need the package peft: pip install peft, {ELSE_POCKET}")
        processor = found.processor(source, **where)
        model_class = _model_class(id, found.model_class, source, where)
        model, read = model_class.from_pretrained(
            source,
            dtype=dtype,
            attn_implementation="sdpa",
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            # Loaded along, LoRA weights would hide which of the model's own are missing.
            adapter_kwargs={"subfolder": "none"},
            **where,
        )
        lacking = _lacking(read)
        if lora is not None:
            lacking += _lacking(model.load_adapter(source, adapter_kwargs={"subfolder": lora, **where}).to_dict())
    if lacking:
        # transformers would go on with random weights in their place.
        raise BackboneError(
            f"{id}: {len(lacking)} of the model's weights, {lacking[0]} first, aren't in {source} or have another shape; "
            f"download it again, {ELSE_POCKET}"
        )
    try:
        with one_out_of_memory():
            return found.adapter(id, revision, model, processor, device)
    except torch.OutOfMemoryError as error:
        size_gb = sum(p.numel() * p.element_size() for p in model.parameters()) / 1e9
        raise BackboneError(
            f"backbone {id!r} has {size_gb:.2f} GB of weights, too much beside what else is on {device}, which has "
            f"{device_memory_gb(device):.0f} GB; wait for running jobs, close other programs, choose a smaller one, {ELSE_POCKET}"
        ) from error


def _lacking(read: dict[str, Any]) -> list[str]:
    """The weights that a checkpoint lacks or has in another shape, by transformers' report of loading it."""
    return sorted({*read["missing_keys"], *(key for key, *_ in read["mismatched_keys"])})


def _model_class(id: str, name: str | None, source: str, where: dict[str, Any]) -> Any:
    """The transformers class of a model, by default the one its checkpoint names. Raises BackboneError where that one can't be used."""
    if name is not None:
        return getattr(transformers, name)
    names = AutoConfig.from_pretrained(source, trust_remote_code=False, **where).architectures or ["(none named)"]
    found = getattr(transformers, names[0], None)
    if found is None or not hasattr(found, "get_audio_features"):
        lack = f"transformers {transformers.__version__} has no such class" if found is None else "it has no get_audio_features"
        raise BackboneError(f"{id}: its model class is {names[0]}, and {lack}; choose another audio-language model.")
    return found


def check_memory(id: str, needed_gb: float, device: str) -> None:
    """Raises BackboneError with the numbers where a model surely doesn't fit the device."""
    there_gb = device_memory_gb(device)
    if needed_gb > there_gb:
        raise BackboneError(
            f"backbone {id!r} needs about {needed_gb:.0f} GB of memory on {device}, which has {there_gb:.0f} GB; "
            f"choose a smaller one, another device, {ELSE_POCKET}"
        )


def check_disk(id: str, repo: str, commit: str) -> None:
    """Raises BackboneError with the numbers where the download doesn't fit the disk; what is there already isn't downloaded."""
    cache = Path(constants.HF_HUB_CACHE)
    if any((cache / f"models--{repo.replace('/', '--')}" / "snapshots" / commit).glob("*.safetensors")):
        return
    files = model_info(repo, revision=commit, files_metadata=True).siblings or []
    sizes = {file.rfilename: file.size or 0 for file in files}
    parts = [size for name, size in sizes.items() if fnmatch(name, PARTS)]
    needed_gb = sizes.get(WHOLE, sum(parts)) / 1e9
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    if needed_gb > free_gb:
        raise BackboneError(
            f"backbone {id!r} is a download of {needed_gb:.1f} GB and {cache} has {free_gb:.1f} GB free; "
            f"free some, set HF_HOME to another disk, {ELSE_POCKET}"
        )


@contextmanager
def _one_sentence(id: str, source: str) -> Iterator[None]:
    """Every way in which a load can fail becomes a BackboneError of one sentence that says what to do."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError | ValueError | SafetensorError | ImportError) and not _no_network(error):
            raise
        raise BackboneError(f"can't load backbone {id!r} from {source}: {_reason(error, source)}, {ELSE_POCKET}") from error


def _no_network(error: BaseException) -> bool:
    """The hub's client gives errors of its own beside Python's: those of httpx, whichever version of it huggingface_hub brings."""
    return isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.startswith("httpx")


def _reason(error: BaseException, source: str) -> str:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for found in chain:
        if isinstance(found, GatedRepoError):
            return f"its owner asks for consent; accept the terms at https://huggingface.co/{source}, then run 'hf auth login'"
        if isinstance(found, RepositoryNotFoundError | RevisionNotFoundError):
            return "the model hub has no such model or revision, or it is private; check the name, then run 'hf auth login' if it is yours"
        if isinstance(found, OSError) and found.errno == errno.ENOSPC:
            return "the disk is full; free some space"
        if isinstance(found, LocalEntryNotFoundError) or _no_network(found):
            return "the model hub can't be reached and the files aren't on this machine; check the network"
        if isinstance(found, ImportError):
            return f"a package is missing ({str(found).strip().splitlines()[0]}); install it"
    return f"{str(error).strip().splitlines()[0].rstrip('.')}; check the network and free disk space"
