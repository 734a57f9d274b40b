"""Where a backbone looks: each head's attention from the last prompt token over the clip's audio tokens.

Computed beside the forward pass from the layer's own query and key projections, at the one row that is wanted: the fast attention
kernels keep no weights, and all rows of a large model wouldn't fit. Knows rotary positions and grouped keys, no model family.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import BackboneError
from .base import Backbone

Array = NDArray[np.float32]

NEEDED = ("q_proj", "k_proj", "head_dim", "scaling")


@runtime_checkable
class Attending(Backbone, Protocol):
    """A backbone that can say where it looked; `isinstance(backbone, Attending)` tells.

    audio_token_s: the seconds of sound that one audio token stands for, in the order of time.
    """

    audio_token_s: float

    def attention(self, waveforms: Sequence[Array], prompt: str) -> list[Array]:
        """Per waveform (L, H, T): the share of its attention that each head gives each audio token from the last prompt token.

        The rest of each head's attention goes to words. Raises torch.OutOfMemoryError as extract does.
        """
        ...


def attention_modules(decoder: nn.Module, projections: Sequence[nn.Module]) -> list[nn.Module]:
    """The attention module around each output projection. Raises BackboneError where one lacks what its weights are computed from."""
    parents = {id(child): module for module in decoder.modules() for child in module.children()}
    found = [parents[id(projection)] for projection in projections]
    for i, module in enumerate(found):
        if missing := [name for name in NEEDED if not hasattr(module, name)]:
            raise BackboneError(f"the attention of decoder layer {i} has no {', '.join(missing)}; where it looks can't be read.")
        if hasattr(module, "q_norm"):
            raise BackboneError(f"the attention of decoder layer {i} normalises its queries; where it looks can't be read yet.")
    return found


@contextmanager
def last_token_attention(modules: Sequence[nn.Module], last: Tensor) -> Iterator[list[Tensor]]:
    """While inside, a forward pass of this thread appends each layer's attention (batch, H, tokens) of row b's token last[b], in float32.

    last (batch,): index of each row's last valid token; what comes after it is padding and gets no attention.
    """
    found, here = list[Tensor](), threading.get_ident()

    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() != here:
            return
        hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        cos, sin = (part.expand(len(hidden), -1, -1) for part in kwargs["position_embeddings"])
        rows, at = torch.arange(len(hidden), device=hidden.device), last.to(hidden.device)
        q = module.q_proj(hidden[rows, at]).unflatten(-1, (-1, module.head_dim))  # (batch, H, D)
        k = module.k_proj(hidden).unflatten(-1, (-1, module.head_dim))  # (batch, tokens, H of keys, D)
        q = _turned(q.float(), cos[rows, at].unsqueeze(1).float(), sin[rows, at].unsqueeze(1).float())
        k = _turned(k.float(), cos.unsqueeze(2).float(), sin.unsqueeze(2).float())
        k = k.repeat_interleave(q.shape[1] // k.shape[2], dim=2)
        logits = torch.einsum("bhd,bthd->bht", q, k) * module.scaling
        after = torch.arange(hidden.shape[1], device=hidden.device) > at[:, None]
        found.append(logits.masked_fill(after[:, None], -torch.inf).softmax(-1))

    with ExitStack() as hooks:  # removes those that are there also where registering the next one fails
        for module in modules:
            hooks.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield found


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x with its rotary position."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
