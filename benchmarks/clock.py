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
    return wall() if torch.cuda.is_available() else time.process_time()


def wall() -> float:
    """Seconds by the wall's clock, which an idle machine is needed for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def timed(run: Callable[[], Any], by: Callable[[], float] = clock) -> float:
    """Seconds of one run."""
    start = by()
    run()
    return by() - start


def best(run: Callable[[], Any], rounds: int, by: Callable[[], float] = clock) -> float:
    """Seconds of the fastest of several runs, the first of which only warms up."""
    run()
    return min(timed(run, by) for _ in range(rounds))
