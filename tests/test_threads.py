"""So many cores for a thread's own steps, and for no other's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch

from calm_core import threads
from calm_core.threads import cores


def test_other_threads_keep_their_cores() -> None:
    number = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ThreadPoolExecutor(1) as another, cores(1):
            assert torch.get_num_threads() == 1
            assert another.submit(torch.get_num_threads).result() == 3  # it begins inside, and takes torch's number then
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(number)


def test_a_function_of_one_core_leaves_the_thread_as_it_was() -> None:
    number = torch.get_num_threads()
    assert cores(1)(torch.get_num_threads)() == 1
    assert torch.get_num_threads() == number


def test_only_openmp_is_held() -> None:
    """What else has threads, as numpy's matrix products, has one number for the whole process."""
    assert {pool.user_api for pool in threads._pools.lib_controllers} == {"openmp"}
