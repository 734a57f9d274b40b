"""The one table of backbones: the page's dropdown, the command line's choices, the README and error texts all read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import torch

from ..errors import BackboneError
from .attending import Attending
from .base import Answering, Backbone, HeadShape, Seeing, check_layers, device_memory_gb, free_memory, weights_gb
from .fake import FakeBackbone

POCKET_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "pocket"
DEFAULT_BACKBONE = "pocket"


HUB_PREFIX = "hub:"  # before the name of a model that the table doesn't list: hub:owner/name


@dataclass(frozen=True, slots=True)
class BackboneRow:
    """One backbone: the family picks the adapter (None: by the checkpoint), repo is a hub id (None: embedded).

    revision: a pinned commit; "main" becomes the commit that the hub reports when it is loaded (embedded: hash of weights).
    memory_gb: device memory for the weights in bfloat16 (the pocket: float32) and one batch; a CPU runs in float32 and needs twice that.
    heads: layers x heads, as text; hears: what it was trained on; needs: a package beside those of requirements.txt;
    sees: it also takes the pictures of a video (`ExtractOptions.video`).
    """

    id: str
    title: str
    family: str | None
    repo: str | None
    revision: str
    memory_gb: float
    window_s: int
    heads: str
    licence: str
    hears: str = "all sounds"
    needs: str = ""
    sees: bool = False
    hidden: bool = False  # for tests only: not offered in menus

    @property
    def lacks(self) -> str:
        """What has to be installed first, in a few words; empty where nothing has to."""
        if not self.needs or find_spec(self.needs.replace("-", "_")) is not None:
            return ""
        return f"needs the package {self.needs}: pip install {self.needs}"


BACKBONES: tuple[BackboneRow, ...] = (
    BackboneRow("pocket", "Pocket (built in)", "qwen2_audio", None, "of its weights", 0.5, 5, "4 x 16", "Apache-2.0"),
    BackboneRow(
        "qwen2-audio-7b-instruct",
        "Qwen2-Audio 7B Instruct",
        "qwen2_audio",
        "Qwen/Qwen2-Audio-7B-Instruct",
        "0a095220c30b7b31434169c3086508ef3ea5bf0a",
        18,
        30,
        "32 x 32",
        "Apache-2.0",
    ),
    BackboneRow(
        "qwen2-audio-7b",
        "Qwen2-Audio 7B",
        "qwen2_audio",
        "Qwen/Qwen2-Audio-7B",
        "dd84470756e6277a71d4d7188773a43cde92696e",
        18,
        30,
        "32 x 32",
        "Apache-2.0",
    ),
    BackboneRow(
        "qwen25-omni-7b",
        "Qwen2.5-Omni 7B",
        "qwen2_5_omni",
        "Qwen/Qwen2.5-Omni-7B",
        "ae9e1690543ffd5c0221dc27f79834d0294cba00",
        20,
        30,
        "28 x 28",
        "Apache-2.0",
        sees=True,
    ),
    BackboneRow(
        "qwen25-omni-3b",
        "Qwen2.5-Omni 3B",
        "qwen2_5_omni",
        "Qwen/Qwen2.5-Omni-3B",
        "f75b40e3da2003cdd6e1829b1f420ca70797c34e",
        11,
        30,
        "36 x 16",
        "qwen-research",
        sees=True,
    ),
    BackboneRow(
        "qwen3-omni-30b",
        "Qwen3-Omni 30B-A3B",
        "qwen3_omni",
        "Qwen/Qwen3-Omni-30B-A3B-Instruct",
        "26291f793822fb6be9555850f06dfe95f2d7e695",
        70,
        30,
        "48 x 32",
        "Apache-2.0",
        sees=True,
    ),
    BackboneRow(
        "audio-flamingo-3",
        "Audio Flamingo 3",
        "audioflamingo3",
        "nvidia/audio-flamingo-3-hf",
        "7d4bae64ee29878af6504ae6f6bb3e40492838ad",  # in float32: a download of 33 GB
        18,
        30,
        "28 x 28",
        "nvidia-noncommercial",
    ),
    BackboneRow(
        "music-flamingo",
        "Music Flamingo",
        "musicflamingo",
        "nvidia/music-flamingo-2601-hf",
        "6b5be086d52f65a1e204cb0faf70bf54e2741ecd",
        18,
        30,
        "28 x 28",
        "nvidia-noncommercial",
        "music",
    ),
    BackboneRow(
        "voxtral-mini-3b",
        "Voxtral Mini 3B",
        "voxtral",
        "mistralai/Voxtral-Mini-3B-2507",
        "3060fe34b35ba5d44202ce9ff3c097642914f8f3",
        11,
        30,
        "30 x 32",
        "Apache-2.0",
        "speech",
        "mistral-common",
    ),
    BackboneRow(
        "granite-speech-2b",
        "Granite Speech 3.3 2B",
        "granite_speech",
        "ibm-granite/granite-speech-3.3-2b",
        "main",
        7,
        30,
        "40 x 32",
        "Apache-2.0",
        "speech",
        "peft",
    ),
    BackboneRow(
        "phi-4-multimodal",
        "Phi-4 multimodal",
        "phi4_multimodal",
        "microsoft/Phi-4-multimodal-instruct",
        "refs/pr/70",  # main holds the weights for the code of the repository, this those for transformers' own
        12,
        30,
        "32 x 24",
        "MIT",
        "speech",
        "peft",
    ),
    BackboneRow(
        "qwen3-asr-2b",
        "Qwen3-ASR 1.7B",
        "qwen3_asr",
        "Qwen/Qwen3-ASR-1.7B-hf",
        "bcd2b5b7f32b480ab5790554cfa8347f246a14f3",
        5,
        30,
        "28 x 16",
        "Apache-2.0",
        "speech",
    ),
    BackboneRow(
        "glm-asr-nano",
        "GLM-ASR Nano",
        "chat",
        "zai-org/GLM-ASR-Nano-2512",
        "61ba4e0b3309b6656edea3e93e419f7bd5c61957",
        5,
        30,
        "28 x 16",
        "MIT",
        "speech",
    ),
    BackboneRow(
        "whisper-small",
        "Whisper small",
        "whisper",
        "openai/whisper-small",
        "973afd24965f72e36ca33b3055d56a652f456b4d",
        1,
        30,
        "24 x 12",
        "Apache-2.0",
        "speech",
    ),
    BackboneRow(
        "whisper-large-v3-turbo",
        "Whisper large v3 turbo",
        "whisper",
        "openai/whisper-large-v3-turbo",
        "41f01f3fe87f28c78e2fbf8b568835947dd65ed9",
        3,
        30,
        "8 x 20",
        "MIT",
        "speech",
    ),
    BackboneRow("fake", "Fake (tests)", "fake", None, "seed-0", 0.0, 5, "4 x 8", "Apache-2.0", hidden=True),
)


def offered() -> tuple[BackboneRow, ...]:
    """The backbones that menus offer."""
    return tuple(row for row in BACKBONES if not row.hidden)


def backbone_row(id: str) -> BackboneRow:
    """The row of a backbone; of a hub model that isn't listed (hub:owner/name) one is made. Raises BackboneError for an unknown id."""
    for row in BACKBONES:
        if row.id == id:
            return row
    if id.startswith(HUB_PREFIX) and id.count("/") == 1:
        repo = id.removeprefix(HUB_PREFIX)
        return BackboneRow(id, repo, None, repo, "main", 0, 30, "?", "see the hub", "see the hub")
    raise BackboneError(
        f"there is no backbone {id!r}; choose one of {', '.join(row.id for row in offered())}, or {HUB_PREFIX}OWNER/NAME of the model hub."
    )


def resolve_device(device: str = "auto") -> str:
    """'auto' becomes cuda, mps or cpu, whichever is there. Raises BackboneError for a device this machine doesn't have."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = device.split(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(kind, False):
        raise BackboneError(f"device {device!r} isn't available here; choose one of auto, {', '.join(k for k, v in there.items() if v)}.")
    return device


def needed_gb(row: BackboneRow, device: str) -> float:
    """Memory that a backbone needs on a device: a CPU runs in float32, twice the bfloat16 of the table; 0 where unknown."""
    return row.memory_gb * (2 if device == "cpu" and row.repo is not None else 1)


def fitting(device: str) -> tuple[BackboneRow, ...]:
    """The offered backbones that a device can hold."""
    there_gb = device_memory_gb(device)
    return tuple(row for row in offered() if needed_gb(row, device) <= there_gb)


def load_backbone(id: str = DEFAULT_BACKBONE, device: str = "auto", *, make_room: Callable[[], None] = lambda: None) -> Backbone:
    """Loads a backbone by its id in the table: float32 on a CPU and for the pocket, bfloat16 for the big ones elsewhere.

    make_room: called before the weights of one from the model hub are loaded, when nothing cheap can refuse it any more.
    Raises BackboneError for an unknown id, a missing device or package, a model larger than the device's memory (before anything large is
    downloaded), weights that can't be had, or a model whose heads can't be read.
    """
    row = backbone_row(id)
    device = resolve_device(device)
    if row.family == "fake":
        return FakeBackbone()
    if row.lacks:
        raise BackboneError(f"backbone {id!r} {row.lacks}, or use the built-in backbone {DEFAULT_BACKBONE!r}.")
    # transformers takes seconds to import, so only who loads a real model pays for it.
    from . import loading

    if row.repo is None:
        # The weights name their own revision, so that vectors and classifiers of a retrained pocket never meet older ones.
        weights = (POCKET_FOLDER / "model.safetensors").read_bytes()
        return loading.from_folder(row.id, "qwen2_audio", POCKET_FOLDER, sha256(weights).hexdigest()[:12], device, torch.float32)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    return loading.from_hub(row.id, row.family, row.repo, row.revision, device, dtype, needed_gb(row, device), make_room)


__all__ = [
    "BACKBONES",
    "DEFAULT_BACKBONE",
    "HUB_PREFIX",
    "Answering",
    "Attending",
    "Backbone",
    "BackboneRow",
    "HeadShape",
    "Seeing",
    "backbone_row",
    "check_layers",
    "fitting",
    "free_memory",
    "load_backbone",
    "needed_gb",
    "offered",
    "resolve_device",
    "weights_gb",
]
