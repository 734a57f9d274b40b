"""Clips -> head vectors: decode, cut into windows, look up, batch by length, run the backbone, store. Knows no labels' meaning.

Files are decoded ahead in threads of their own, what the model takes is prepared and read in others, and what it gave is stored in
another. Windows run longest first in batches of a token budget: sorted by length, batches hold little padding, and a lack of memory shows
at once.

Every batch is stored while the next one runs, so a job that is stopped, dropped or killed goes on where it was. The store keeps float32
exactly, so a clip gives bit-equal vectors whenever it is asked about again, as long as it stays in the store.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import astuple, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from . import audio
from .backbones import Backbone, Seeing, check_layers, offered
from .errors import BackboneError, Cancelled, DataError
from .options import EACH_ITS_OWN, ExtractOptions
from .threads import cores
from .vectors import HeadVectors, Origin, VectorStore, vector_key

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Progress = Callable[[int, int, str], None]  # (clips done, clips in all, what is being done)
Cancel = Callable[[], bool]

CPU_TOKEN_BUDGET, TOKEN_BUDGET = 1024, 8192  # of one forward pass: about five 5-s clips on a CPU, forty on an accelerator
CPU_BATCH, BATCH = 8, 512  # windows of one forward pass, so that a CPU tells of its progress also where clips are short
CHARACTERS_PER_TOKEN = 3  # of a prompt, counted low: what a batch costs may be overestimated
TEMPLATE_TOKENS = 32  # around the prompt, about
WORKERS = min(8, os.cpu_count() or 1)  # threads that decode, and as many that prepare
AT_ONCE = 2  # forward passes under way
CHUNK_SECONDS = 1800.0  # of sound decoded at once: enough clips to sort by length, 115 MB at 16 kHz


@dataclass(frozen=True, slots=True)
class ClipSource:
    """One clip to extract: where it is, what to call it in messages, and what to say while it is being worked on.

    prompt: asked about this clip instead of the options' (`options.multiple_choice_prompt`); None asks the options'.
    """

    path: Path
    name: str
    note: str = ""
    prompt: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    clip: int
    name: str  # of the clip
    samples: Array
    pictures: NDArray[np.uint8] | None  # what a video shows meanwhile, where that is asked for
    prompt: str
    keys: tuple[str, ...]  # under the first its vectors are stored, under any they may be found

    @property
    def key(self) -> str:
        return self.keys[0]


def origin_of(backbone: Backbone, prompt: str, video: bool = False) -> Origin:
    """What the vectors of this backbone and prompt are known by, in keys and fitted models; video: whether it could see."""
    seen = f" {audio.PICTURING}" if video else ""
    return Origin(backbone.id, backbone.revision, prompt, f"{audio.PREPROCESSING}{seen} {backbone.preprocessing}")


def saw(origin: Origin | None) -> bool:
    """Whether vectors of this origin were shown the pictures of videos too."""
    return origin is not None and audio.PICTURING in origin.preprocessing


def extract(
    clips: Sequence[str | Path | ClipSource],
    backbone: Backbone,
    options: ExtractOptions | None = None,
    *,
    store: VectorStore | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
    layers: int | None = None,
) -> HeadVectors:
    """Head vectors of audio files, windows in the order of the clips; a clip longer than the backbone's window has several.

    layers: read only the first so many and leave the model there; the vectors behind them are zero. For predicting with a fitted
    classifier that needs no more (`CalmClassifier.layers`), never for fitting.
    Raises DataError for an empty list, AudioError naming the first clip that can't be used, BackboneError where not even one
    window fits the device or where video is asked for and the backbone doesn't see, Cancelled where `cancelled()` turned true: no forward
    pass begins any more, those under way end. All that progress was told of is in the store by then.
    """
    if not clips:
        raise DataError("there are no clips to extract; give at least one audio file.")
    options, store = options or ExtractOptions(), store or VectorStore()
    if options.video and not isinstance(backbone, Seeing):
        seeing = ", ".join(row.id for row in offered() if row.sees)
        raise BackboneError(f"backbone {backbone.id!r} hears, but sees no video; choose one of {seeing}, or use the sound alone.")
    sources = [c if isinstance(c, ClipSource) else ClipSource(Path(c), Path(c).name) for c in clips]
    prompts = {source.prompt or options.prompt for source in sources}
    origin = origin_of(backbone, prompts.pop() if len(prompts) == 1 else EACH_ITS_OWN, options.video)
    rows: list[Array] = []
    clip_of_row: list[int] = []

    stop: Cancel = cancelled or (lambda: False)

    def stopped(done: int) -> Cancelled:
        return Cancelled(f"stopped after {done} of {len(sources)} clips; what was finished is kept.")

    def stop_if_asked(done: int) -> None:
        if stop():
            raise stopped(done)

    read = check_layers(layers, backbone.shape)
    with _Passes(backbone, layers, options) as passes, _Storing(store) as storing:
        for chunk, windows in _chunks(sources, backbone, options, read, stop_if_asked):
            vectors: dict[str, Array] = {}
            for window in {window.key: window for window in windows}.values():
                if (vector := _stored(store, window)) is not None:
                    vectors[window.key] = vector[:read]
            missing = {window.key: window for window in windows if window.key not in vectors}.values()
            for batch, computed in passes.over(missing, stop):
                storing.wait()
                for window, vector in zip(batch, computed, strict=True):
                    if not np.isfinite(vector).all():
                        raise BackboneError(
                            f"{backbone.id} gives no finite head vectors for clip {window.name!r}; leave the clip out, "
                            "or run the backbone in float32 (device cpu)."
                        )
                    storing.put(window.key, vector)
                    vectors[window.key] = vector
                if progress:
                    progress(_clips_done(chunk, windows, vectors), len(sources), sources[batch[-1].clip].note)
            storing.wait()  # the next chunk may hold the same sound
            if (done := _clips_done(chunk, windows, vectors)) < chunk.stop:
                raise stopped(done)
            if progress:
                progress(chunk.stop, len(sources), sources[chunk[-1]].note)
            rows += [vectors[window.key] for window in windows]
            clip_of_row += [window.clip for window in windows]
    values = np.zeros((len(rows), *astuple(backbone.shape)), np.float32)
    values[:, :read] = rows
    return HeadVectors(values, np.array(clip_of_row, dtype=np.int64), origin, read)


class _Passes:
    """Forward passes over batches of a token budget, AT_ONCE of them under way in threads of their own.

    On an accelerator one runs while what the model takes is prepared for the next: it doesn't wait for mel spectrograms. On a CPU they run
    side by side, each on its part of the cores: a pass on all of them leaves some idle between its steps, a tenth of the time on two.
    """

    def __init__(self, backbone: Backbone, layers: int | None, options: ExtractOptions) -> None:
        self._backbone, self._layers = backbone, layers
        on_cpu, self._cores = backbone.device == "cpu", torch.get_num_threads()
        self._budget = options.token_budget or (CPU_TOKEN_BUDGET if on_cpu else TOKEN_BUDGET)
        self._batch_size = options.batch_size or (CPU_BATCH if on_cpu else BATCH)
        self._at_once = AT_ONCE
        self._side_by_side = AT_ONCE if on_cpu and self._cores % AT_ONCE == 0 else 1  # of an odd number one core would have nothing to do

    def __enter__(self) -> Self:
        self._preparing = ThreadPoolExecutor(WORKERS, "prepare")
        self._reading = ThreadPoolExecutor(self._side_by_side, "read")
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._preparing, self._reading):
            pool.shutdown(cancel_futures=True)

    def over(self, windows: Iterable[_Window], cancelled: Cancel) -> Iterator[tuple[list[_Window], Array]]:
        """Yields windows with their vectors, pass by pass as they end: all windows, or where `cancelled()` turned true those of the passes
        under way. Raises BackboneError where one doesn't fit the device."""
        waiting, under_way = _longest_first(windows), dict[Future[Array | None], tuple[list[_Window], int]]()
        while waiting or under_way:
            if cancelled():
                waiting = []
            while waiting and len(under_way) < self._at_once:
                batch = self._batch(waiting, max(1, self._side_by_side - len(under_way)))
                alone = len(batch) == len(waiting) and not under_way
                n_cores = self._cores // (1 if alone else self._side_by_side)
                del waiting[: len(batch)]
                prepared = [self._preparing.submit(self._prepare, window) for window in batch]
                under_way[self._reading.submit(self._read, prepared, n_cores)] = batch, n_cores
            wait(under_way, return_when=FIRST_COMPLETED)
            ended = next(each for each in under_way if each.done())
            batch, n_cores = under_way.pop(ended)
            if (vectors := ended.result()) is None:
                self._take_less(batch, alone=n_cores == self._cores)
                waiting = _longest_first([*waiting, *batch])
            else:
                yield batch, vectors

    def _batch(self, waiting: Sequence[_Window], free: int) -> list[_Window]:
        """The first of the windows waiting that make one forward pass: of one prompt, at least one, within size and budget, and no more
        than it takes for passes of about one size, a multiple of those that are free to run now."""
        of_prompt = list(takewhile(lambda window: window.prompt == waiting[0].prompt, waiting))
        most = max(1, min(self._batch_size, self._budget // _cost(waiting[0], self._backbone)))
        passes = math.ceil(len(of_prompt) / most / free) * free
        return of_prompt[: math.ceil(len(of_prompt) / passes)]

    def _prepare(self, window: _Window) -> Any:
        with cores(1):
            if window.pictures is not None and isinstance(self._backbone, Seeing):
                return self._backbone.prepare_video(window.samples, window.pictures, window.prompt)
            return self._backbone.prepare(window.samples, window.prompt)

    def _read(self, prepared: Sequence[Future[Any]], n_cores: int) -> Array | None:
        """None where memory ran out: the error would keep all that the pass held, while it is tried again with less."""
        try:
            with cores(n_cores):
                return self._backbone.read([each.result() for each in prepared], self._layers)
        except (torch.OutOfMemoryError, MemoryError) as error:
            log.warning("out of memory on %s: %s", self._backbone.device, str(error))
            return None

    def _take_less(self, batch: Sequence[_Window], *, alone: bool) -> None:
        """After a batch that memory didn't suffice for; alone: no other pass had a part of it."""
        cost = _cost(batch[0], self._backbone)
        if len(batch) == 1 and alone:
            raise BackboneError(f"clip {batch[0].name!r} doesn't fit the memory of {self._backbone.device}; choose a smaller backbone.")
        if self._side_by_side > 1:
            self._side_by_side = self._at_once = 1
        if len(batch) * cost <= self._budget:  # else it began before the budget was halved
            self._budget = max(1, len(batch) // 2) * cost


class _Storing:
    """Stores vectors in a thread of its own: the accelerator doesn't wait for the disk. Leaving it waits for the last ones."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._under_way: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(1, "store")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self.wait()

    def put(self, key: str, vectors: Array) -> None:
        self._under_way.append(self._pool.submit(self._store.put, key, vectors))

    def wait(self) -> None:
        """Until all is stored. Raises DataError where the disk refused some of it."""
        under_way, self._under_way = self._under_way, []
        for vectors in under_way:
            vectors.result()


def _longest_first(windows: Iterable[_Window]) -> list[_Window]:
    """Prompt by prompt."""
    return sorted(windows, key=lambda window: (window.prompt, -len(window.samples)))


def _cost(window: _Window, backbone: Backbone) -> int:
    seen = 0
    if window.pictures is not None and isinstance(backbone, Seeing):
        seen = math.ceil(window.pictures[..., 0].size / backbone.side_step**2)  # counted high: pictures may share tokens
    return tokens(len(window.samples), backbone, window.prompt) + seen


def _stored(store: VectorStore, window: _Window) -> Array | None:
    return next((vector for key in window.keys if (vector := store.get(key)) is not None), None)


def tokens(samples: int, backbone: Backbone, prompt: str) -> int:
    """About how many tokens one window with its prompt costs the backbone."""
    sound = math.ceil(samples / backbone.sample_rate_hz * backbone.tokens_per_s)
    return sound + len(prompt) // CHARACTERS_PER_TOKEN + TEMPLATE_TOKENS


def _chunks(
    sources: Sequence[ClipSource], backbone: Backbone, options: ExtractOptions, layers: int, before_clip: Callable[[int], None]
) -> Iterator[tuple[range, list[_Window]]]:
    """Yields (clips, their windows), about CHUNK_SECONDS of sound at a time; before_clip is told of every clip about to be used."""
    start, seconds, windows = 0, 0.0, list[_Window]()
    with ThreadPoolExecutor(WORKERS, "decode") as pool:
        ahead: deque[Future[tuple[audio.Recording, NDArray[np.uint8] | None]]] = deque()
        try:
            for clip in range(len(sources)):
                before_clip(start)
                for source in sources[clip + len(ahead) : clip + 2 * WORKERS]:
                    ahead.append(pool.submit(_decoded, source, backbone, options))
                recording, pictures = ahead.popleft().result()
                asked = sources[clip].prompt or options.prompt
                origins = [origin_of(backbone, asked, options.video)]
                if layers < backbone.shape.layers:
                    origins.insert(0, replace(origins[0], preprocessing=f"{origins[0].preprocessing}, first {layers} layers"))
                for i, piece in enumerate(audio.windows(recording.samples, backbone.sample_rate_hz, backbone.window_s)):
                    seen = _seen_during(i, pictures, backbone)
                    keys = tuple(_key(piece, seen, backbone, origin) for origin in origins)
                    windows.append(_Window(clip, sources[clip].name, piece, seen, asked, keys))
                seconds += recording.seconds
                if seconds > CHUNK_SECONDS or clip == len(sources) - 1:
                    yield range(start, clip + 1), windows
                    start, seconds, windows = clip + 1, 0.0, []
        finally:
            for waiting in ahead:  # of a job that was stopped
                waiting.cancel()


def _decoded(source: ClipSource, backbone: Backbone, options: ExtractOptions) -> tuple[audio.Recording, NDArray[np.uint8] | None]:
    recording = audio.load(source.path, backbone.sample_rate_hz, name=source.name)
    if not options.video or not isinstance(backbone, Seeing):
        return recording, None
    return recording, audio.pictures(source.path, backbone.side_step, recording.seconds, name=source.name)


def _seen_during(window: int, pictures: NDArray[np.uint8] | None, backbone: Backbone) -> NDArray[np.uint8] | None:
    """The pictures of one window's time; None where there are none any more."""
    if pictures is None:
        return None
    start, end = (round((window + i) * backbone.window_s * audio.PICTURES_PER_S) for i in (0, 1))
    return pictures[start:end] if start < len(pictures) else None


def _key(piece: Array, seen: NDArray[np.uint8] | None, backbone: Backbone, origin: Origin) -> str:
    if seen is not None:
        content = hashlib.sha256(repr(seen.shape).encode() + seen.tobytes()).hexdigest()
        origin = replace(origin, preprocessing=f"{origin.preprocessing} showing {content}")
    return vector_key(piece, backbone.sample_rate_hz, origin)


def _clips_done(chunk: range, windows: Sequence[_Window], vectors: Mapping[str, Array]) -> int:
    """How many clips, from the first, have all their vectors: those before the chunk and the finished ones in it."""
    return chunk.stop - len({window.clip for window in windows if window.key not in vectors})
