"""The one table of backbones: the page's dropdown, the command line's choices, the README and error texts all read it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch

from ..errors import BackboneError
from .attending import Attending
from .base import Answering, Backbone, HeadShape
from .fake import FakeBackbone

POCKET_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "pocket"
DEFAULT_BACKBONE = "pocket"


@dataclass(frozen=True, slots=True)
class BackboneRow:
    """One backbone: the family picks the adapter, repo is a hub id (None: embedded), revision is pinned (embedded: hash of weights).

    memory_gb: device memory in its own dtype for the weights and one batch; heads: layers x heads, as text.
    """

    id: str
    title: str
    family: Literal["qwen2_audio", "fake"]
    repo: str | None
    revision: str
    memory_gb: float
    window_s: int
    heads: str
    licence: str
    hidden: bool = False  # for tests only: not offered in menus


BACKBONES: tuple[BackboneRow, ...] = (
    BackboneRow("pocket", "Pocket (embedded, no download)", "qwen2_audio", None, "of its weights", 0.5, 5, "4 x 8", "Apache-2.0"),
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
    BackboneRow("fake", "Fake (tests)", "fake", None, "seed-0", 0.0, 5, "4 x 8", "Apache-2.0", hidden=True),
)


def offered() -> tuple[BackboneRow, ...]:
    """The backbones that menus offer."""
    return tuple(row for row in BACKBONES if not row.hidden)


def backbone_row(id: str) -> BackboneRow:
    """The row of a backbone. Raises BackboneError for an unknown id."""
    for row in BACKBONES:
        if row.id == id:
            return row
    raise BackboneError(f"there is no backbone {id!r}; choose one of {', '.join(row.id for row in offered())}.")


def resolve_device(device: str = "auto") -> str:
    """'auto' becomes cuda, mps or cpu, whichever is there. Raises BackboneError for a device this machine doesn't have."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = device.split(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(kind, False):
        raise BackboneError(f"device {device!r} isn't available here; choose one of auto, {', '.join(k for k, v in there.items() if v)}.")
    return device


def load_backbone(id: str = DEFAULT_BACKBONE, device: str = "auto") -> Backbone:
    """Loads a backbone by its id in the table: float32 on a CPU and for the pocket, bfloat16 for the big ones elsewhere.

    Raises BackboneError for an unknown id, a missing device, weights that can't be had, or a model whose heads can't be read.
    """
    row = backbone_row(id)
    device = resolve_device(device)
    if row.family == "fake":
        return FakeBackbone()
    # transformers takes seconds to import, so only who loads a real model pays for it.
    from .qwen2_audio import Qwen2AudioBackbone

    if row.repo is None:
        # The weights name their own revision, so that vectors and classifiers of a retrained pocket never meet older ones.
        weights = (POCKET_FOLDER / "model.safetensors").read_bytes()
        return Qwen2AudioBackbone.from_pretrained(row.id, POCKET_FOLDER, sha256(weights).hexdigest()[:12], device, torch.float32)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    return Qwen2AudioBackbone.from_pretrained(row.id, row.repo, row.revision, device, dtype, download=row.revision)


__all__ = [
    "BACKBONES",
    "DEFAULT_BACKBONE",
    "Answering",
    "Attending",
    "Backbone",
    "BackboneRow",
    "HeadShape",
    "backbone_row",
    "load_backbone",
    "offered",
    "resolve_device",
]
