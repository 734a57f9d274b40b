"""How many of the machine's cores one thread's steps take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import ThreadpoolController

_pools = ThreadpoolController().select(user_api="openmp")  # other pools are the whole process's


@contextmanager
def cores(number: int) -> Iterator[None]:
    """Inside, this thread's steps in torch run on so many cores. For short steps, which would wait longer for a second core that is busy
    than that core could save them, and for what runs side by side, whose cores would wait for each other's.

    The number is this thread's own; `torch.set_num_threads` would give it to every thread that begins meanwhile. It holds as long as nobody
    calls that, which binds torch's matrix products in all threads; numpy's aren't meant.
    """
    torch.get_num_threads()  # torch gives a new thread its number at the first call, which must not come inside
    with _pools.limit(limits=number):
        yield
