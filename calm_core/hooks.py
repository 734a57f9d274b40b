"""Capture of head vectors: the input of each attention output projection at each row's last valid token, split by head.

Knows modules and positions only; knows no model family, no audio. Hooks live inside `with` and are gone after it, whatever
happened inside. They see the forward passes of their own thread only: others may use the same modules meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .errors import BackboneError


class HeadCapture:
    """What one forward pass left behind: `vectors()` is (batch, L, H, D) float32 on the CPU."""

    def __init__(self, layers: int, heads: int) -> None:
        self.heads = heads
        self._rows: list[Tensor | None] = [None] * layers

    def keep(self, layer: int, row: Tensor) -> None:
        self._rows[layer] = row

    def vectors(self) -> Tensor:
        """Raises BackboneError where a projection was never called: its attention doesn't go through the module hooked."""
        if missing := [i for i, row in enumerate(self._rows) if row is None]:
            raise BackboneError(
                f"the attention output projections of layers {missing} were never called in the forward pass; "
                "this model's heads can't be read, choose another backbone."
            )
        stacked = torch.stack([row for row in self._rows if row is not None], dim=1)  # (batch, L, H * D)
        return stacked.unflatten(-1, (self.heads, -1)).float().cpu()


class _Enough(Exception):  # noqa: N818 (nothing went wrong)
    """Leaves a forward pass whose last wanted layer was captured; never seen outside this module."""


@contextmanager
def capture_heads(projections: Sequence[nn.Module], heads: int, last: Tensor, *, then_stop: bool = False) -> Iterator[HeadCapture]:
    """While inside, every forward pass of this thread leaves its head vectors in the capture.

    projections: the L output projections in layer order; last: (batch,) index of each row's last VALID token, which is not
    position -1 where rows are padded on the right; on the model's device, for on another every layer would wait for its transfer.
    then_stop: the block ends as soon as the last projection is reached, so that whatever the model would compute behind it isn't; leave
    nothing behind the forward pass in the block then.
    """
    capture, here = HeadCapture(len(projections), heads), threading.get_ident()
    handles = []

    def hook_for(layer: int):  # type: ignore[no-untyped-def]
        def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
            if not torch.compiler.is_compiling() and threading.get_ident() != here:  # a graph can't ask for its thread
                return
            hidden = args[0].detach()  # (batch, tokens, H * D)
            # Indexing copies: a view would keep the whole layer's tensor alive.
            capture.keep(layer, hidden[torch.arange(len(hidden), device=hidden.device), last.to(hidden.device)])
            if then_stop and layer == len(projections) - 1:
                raise _Enough

        return hook

    try:
        for layer, projection in enumerate(projections):
            handles.append(projection.register_forward_pre_hook(hook_for(layer)))
        yield capture
    except _Enough:
        pass  # all that was wanted is captured
    finally:
        for handle in handles:
            handle.remove()
