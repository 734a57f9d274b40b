"""What a backbone is (`Backbone`), and how its attention output projections are found: by structure, then asserted.

Backbones receive waveforms, never paths. They know nothing of labels, classes or the CALM method.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import BackboneError

Array = NDArray[np.float32]

PROJECTION_NAMES = ("o_proj", "out_proj")  # what decoder layers call their attention output projection


@dataclass(frozen=True, slots=True)
class HeadShape:
    layers: int
    heads: int
    head_dim: int

    @property
    def count(self) -> int:
        return self.layers * self.heads


class Backbone(Protocol):
    """An audio-language model whose heads can be read.

    id and revision name it; preprocessing names everything else that the vectors depend on (processor, dtype, attention).
    Windows longer than window_s must be cut before. tokens_per_s: what a second of sound costs at most, for batches that fit the memory.
    """

    id: str
    revision: str
    preprocessing: str
    device: str
    shape: HeadShape
    sample_rate_hz: int
    window_s: float
    tokens_per_s: float

    def prepare(self, waveform: Array, prompt: str) -> Any:
        """A mono waveform (n,) at sample_rate_hz and the prompt as the model takes them, on the CPU. Threads may do it side by side."""
        ...

    def read(self, prepared: Sequence[Any], layers: int | None = None) -> Array:
        """Head vectors (N, L, H, D) float32 on the CPU of N waveforms that `prepare` has prepared, all with one prompt.

        layers: only those of the first so many layers, (N, layers, H, D); the model is left there, which is what a fitted classifier
        that uses few heads needs.

        The vectors of a clip are the same alone or in a batch, within 1e-4 in float32. Threads may do it side by side; an accelerator takes
        one batch at a time. Raises torch.OutOfMemoryError where the batch is too large for the device; nothing is left behind then.
        """
        ...

    def extract(self, waveforms: Sequence[Array], prompt: str, layers: int | None = None) -> Array:
        """`read` of waveforms that `prepare` prepares here and now."""
        ...


@runtime_checkable
class Seeing(Backbone, Protocol):
    """A backbone that can also see a video's pictures; `isinstance(backbone, Seeing)` tells.

    side_step: both sides of a picture, in pixels, are multiples of it.
    """

    side_step: int

    def prepare_video(self, waveform: Array, pictures: NDArray[np.uint8], prompt: str) -> Any:
        """As `prepare`, with the pictures (n, height, width, 3) that the video shows meanwhile, `audio.PICTURES_PER_S`."""
        ...


@runtime_checkable
class Answering(Backbone, Protocol):
    """A backbone that can also answer in words; `isinstance(backbone, Answering)` tells.

    An answer is the same for a clip alone or in a batch, as long as no two tokens are equally likely within rounding. Every method
    raises torch.OutOfMemoryError as extract does.
    """

    def answer(self, waveforms: Sequence[Array], prompt: str) -> list[str]:
        """What the model says about each waveform when it takes the likeliest token every time; "" where it says nothing."""
        ...

    def sample_answers(self, waveforms: Sequence[Array], prompt: str, samples: int = 8, seed: int = 0) -> list[list[str]]:
        """Per waveform `samples` answers drawn from the model's distribution (temperature 1); the same for the same seed."""
        ...

    def answer_likelihoods(self, waveforms: Sequence[Array], prompt: str, answers: Sequence[str]) -> Array:
        """(N, len(answers)) float32: mean log-likelihood per token of each text as the model's whole answer, its end included.

        Raises BackboneError where there are no answers or one is empty.
        """
        ...


def device_memory_gb(device: str) -> float:
    """All memory of a device in GB; a Mac's accelerator shares the machine's."""
    if device.split(":")[0] == "cuda":
        return torch.cuda.get_device_properties(torch.device(device)).total_memory / 1e9
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def weights_gb(backbone: Backbone) -> float:
    """Memory that a backbone's weights take, in GB; 0 for one without a model."""
    model = getattr(backbone, "model", None)
    return 0.0 if model is None else sum(p.numel() * p.element_size() for p in model.parameters()) / 1e9


def free_memory(device: str) -> None:
    """Gives back to the device what nothing refers to any more: models hold cycles, and torch keeps freed memory for itself."""
    gc.collect()
    if device.split(":")[0] == "cuda":
        torch.cuda.empty_cache()


def turns(device: str) -> AbstractContextManager[object]:
    """What threads enter before they use a model: one after the other on an accelerator, whose memory holds one batch; freely on a CPU."""
    return nullcontext() if device == "cpu" else threading.Lock()


@contextmanager
def one_out_of_memory() -> Iterator[None]:
    """Every device's way of saying that memory ran out becomes torch.OutOfMemoryError; only CUDA raises that by itself."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if "allocate memory" in str(error) or "out of memory" in str(error):
            raise torch.OutOfMemoryError(str(error)) from error
        raise


def check_layers(layers: int | None, shape: HeadShape) -> int:
    """How many layers to read. Raises BackboneError for a number that the model doesn't have."""
    if layers is not None and not 1 <= layers <= shape.layers:
        raise BackboneError(f"layers is {layers}; the backbone has 1 to {shape.layers}, or None for all.")
    return layers or shape.layers


def check_answers(answers: Sequence[str]) -> None:
    """Raises BackboneError where there are no candidate answers or one of them is blank."""
    if not answers or not all(answer.strip() for answer in answers):
        raise BackboneError(f"the answers to compare are {list(answers)}; give at least one, none of them blank.")


def find_projections(decoder: nn.Module, layers: int, heads: int) -> tuple[list[nn.Linear], HeadShape]:
    """The decoder's attention output projections in layer order, and the shape of its heads.

    Looks at structure, not at paths, which change between transformers releases: the one list of `layers` equal blocks,
    and in each block the one projection under a module whose name holds 'attn'. head_dim = o_proj.in_features / heads, which is
    right where hidden size / heads isn't. Raises BackboneError with the candidates where anything but one per layer is found.
    """
    stacks = [(name, m) for name, m in decoder.named_modules() if isinstance(m, nn.ModuleList) and len(m) == layers]
    if len(stacks) != 1:
        found = [f"{name} ({len(m)})" for name, m in decoder.named_modules() if isinstance(m, nn.ModuleList)]
        raise BackboneError(
            f"expected one list of {layers} decoder layers in {type(decoder).__name__}; it has {', '.join(found) or 'none'}."
        )
    projections: list[nn.Linear] = []
    for i, layer in enumerate(stacks[0][1]):
        found_here = {
            name: m
            for name, m in layer.named_modules()
            # What a LoRA adapter wraps keeps its name on the wrapper.
            if isinstance(m, nn.Linear) and name.removesuffix(".base_layer").split(".")[-1] in PROJECTION_NAMES and "attn" in name
        }
        if len(found_here) != 1:
            linear = [name for name, m in layer.named_modules() if isinstance(m, nn.Linear)]
            raise BackboneError(
                f"decoder layer {i} has {len(found_here)} attention output projections, needed is one called "
                f"{' or '.join(PROJECTION_NAMES)}; its linear modules are {', '.join(linear) or 'none'}."
            )
        projections.append(next(iter(found_here.values())))
    widths = {p.in_features for p in projections}
    if len(widths) != 1 or next(iter(widths)) % heads:
        raise BackboneError(f"the attention output projections are {sorted(widths)} wide, which {heads} heads don't divide evenly.")
    return projections, HeadShape(layers, heads, next(iter(widths)) // heads)
