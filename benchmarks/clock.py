"""The clock of benchmarks that run on a CPU or an accelerator.

On a CPU it is the process's own computing time over all its threads, which other work on the machine doesn't stretch; with an
accelerator it is the wall's, read when the accelerator has done all that it was given.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch


def clock() -> float:
    """Seconds."""
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def timed(run: Callable[[], Any]) -> float:
    """Seconds of one run."""
    start = clock()
    run()
    return clock() - start


def best(run: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest of several runs, the first of which only warms up."""
    run()
    return min(timed(run) for _ in range(rounds))
