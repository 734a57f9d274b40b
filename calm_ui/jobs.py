"""The bridge between a long job and the page: the job runs in a thread of its own, the page's generator yields its steps.

    with Job(lambda progress, cancelled: studio.learn(..., progress=progress, cancelled=cancelled)) as job:
        for step in job:
            yield text_of(step)
        result = job.result()

Leaving the `with` sets the cancel flag: a page that is closed, whose generator Python then closes, stops its job.
Knows nothing of clips, models and components.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from calm_core.errors import Cancelled, DataError

T = TypeVar("T")
Progress = Callable[[int, int, str], None]
Cancel = Callable[[], bool]
Work = Callable[[Progress, Cancel], T]

POLL_S = 0.1  # at most this often a new step
HEARTBEAT_S = 1.0  # at least this often a step, so that the time left moves and a closed page is noticed


@dataclass(frozen=True, slots=True)
class Step:
    """How far a job is: done of total, what it works on, and the seconds since counting began (the last call with done = 0)."""

    done: int
    total: int
    what: str
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the pace so far; None before the first and after the last."""
        return self.seconds / self.done * (self.total - self.done) if 0 < self.done < self.total else None


class Job(Generic[T]):
    """One run of `work(progress, cancelled)`; iterate over its steps, then ask for its result."""

    def __init__(self, work: Work[T], slot: Slot | None = None) -> None:
        self._work, self._slot = work, slot
        self._cancel = threading.Event()
        self._future: Future[T] = Future()
        self._latest: tuple[int, int, str] | None = None
        self._begun = self._since = time.monotonic()

    def __enter__(self) -> Self:
        if self._slot is not None:
            self._cancel = self._slot.take()
        threading.Thread(target=self._run, name="calm-job", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._cancel.set()

    def __iter__(self) -> Iterator[Step]:
        """The newest step whenever there is one, and the same one again every HEARTBEAT_S; ends with the job."""
        shown, shown_at, ended = None, 0.0, False
        while not ended:
            ended = bool(wait([self._future], timeout=POLL_S).done)
            latest, now = self._latest, time.monotonic()
            if latest is not None and (latest is not shown or now - shown_at > HEARTBEAT_S) and not (ended and latest is shown):
                shown, shown_at = latest, now
                yield Step(*latest, now - self._since)

    def result(self) -> T:
        """What the work returned; raises what it raised. Waits for its end."""
        return self._future.result()

    @property
    def seconds(self) -> float:
        """Since the job was made."""
        return time.monotonic() - self._begun

    def _progress(self, done: int, total: int, what: str) -> None:
        if self._cancel.is_set():  # work that only reports progress can be stopped too
            raise Cancelled(f"stopped after {done} of {total}; what was finished is kept.")
        if done == 0:
            self._since = time.monotonic()
        self._latest = (done, total, what)

    def _run(self) -> None:
        try:
            result = self._work(self._progress, self._cancel.is_set)
        except BaseException as error:  # noqa: BLE001 - `result` raises it in the caller's thread
            self._free()
            self._future.set_exception(error)
        else:
            self._free()
            self._future.set_result(result)

    def _free(self) -> None:
        if self._slot is not None:
            self._slot.free()


class Slot:
    """Room for one job at a time, and the button that stops it, also while it still waits for its turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._busy = False

    @property
    def busy(self) -> bool:
        return self._busy

    def announce(self) -> None:
        """A job was asked for and waits: forgets earlier cancels, so that a cancel from now on is meant for it."""
        with self._lock:
            if not self._busy:
                self._cancel = threading.Event()

    def take(self) -> threading.Event:
        """The cancel flag of a job that begins. Raises DataError where one is running, Cancelled where it was cancelled waiting."""
        with self._lock:
            if self._busy:
                raise DataError("a job of yours is still running; wait for it or cancel it first.")
            flag, self._cancel = self._cancel, threading.Event()
            if flag.is_set():
                raise Cancelled("stopped before it began.")
            self._busy, self._cancel = True, flag
            return flag

    def free(self) -> None:
        with self._lock:
            self._busy, self._cancel = False, threading.Event()

    def cancel(self) -> None:
        self._cancel.set()
