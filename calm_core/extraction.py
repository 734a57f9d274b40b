"""Clips -> head vectors: decode, cut into windows, look up, batch by length, run the backbone, store. Knows no labels' meaning.

Files are decoded ahead in threads of their own, what the model takes is prepared in others, one batch ahead, and what it gave is stored in
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from . import audio
from .backbones import Backbone, Seeing, check_layers, offered
from .errors import BackboneError, Cancelled, DataError
from .options import EACH_ITS_OWN, ExtractOptions
from .threads import one_core
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
    window fits the device or where video is asked for and the backbone doesn't see, Cancelled where `cancelled()` turned true. All that
    was finished is in the store by then.
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
    on_cpu = backbone.device == "cpu"
    budget = options.token_budget or (CPU_TOKEN_BUDGET if on_cpu else TOKEN_BUDGET)
    batch_size = options.batch_size or (CPU_BATCH if on_cpu else BATCH)
    rows: list[Array] = []
    clip_of_row: list[int] = []

    def stop_if_asked(done: int) -> None:
        if cancelled and cancelled():
            raise Cancelled(f"stopped after {done} of {len(sources)} clips; what was finished is kept.")

    read = check_layers(layers, backbone.shape)
    with _Preparing(backbone) as preparing, _Storing(store) as storing:
        for chunk, windows in _chunks(sources, backbone, options, read, stop_if_asked):
            vectors: dict[str, Array] = {}
            for window in {window.key: window for window in windows}.values():
                if (vector := _stored(store, window)) is not None:
                    vectors[window.key] = vector[:read]
            unique = {window.key: window for window in windows if window.key not in vectors}
            waiting = sorted(unique.values(), key=lambda window: (window.prompt, -len(window.samples)))
            while waiting:
                stop_if_asked(_clips_done(chunk, windows, vectors))
                batch = _batch(waiting, backbone, batch_size, budget)
                try:
                    prepared = preparing.now(batch, then=_batch(waiting[len(batch) :], backbone, batch_size, budget))
                    computed = backbone.read(prepared, layers)
                except (torch.OutOfMemoryError, MemoryError) as error:
                    if len(batch) == 1:
                        raise BackboneError(
                            f"clip {sources[batch[0].clip].name!r} doesn't fit the memory of {backbone.device}; choose a smaller backbone."
                        ) from error
                    budget = len(batch) // 2 * _cost(batch[0], backbone)
                    log.warning("out of memory on %s: going on with %d tokens at once", backbone.device, budget)
                    continue
                preparing.done(batch)
                storing.wait()
                for window, vector in zip(batch, computed, strict=True):
                    if not np.isfinite(vector).all():
                        raise BackboneError(
                            f"{backbone.id} gives no finite head vectors for clip {sources[window.clip].name!r}; leave the clip out, "
                            "or run the backbone in float32 (device cpu)."
                        )
                    storing.put(window.key, vector)
                    vectors[window.key] = vector
                waiting = waiting[len(batch) :]
                if progress:
                    progress(_clips_done(chunk, windows, vectors), len(sources), sources[batch[-1].clip].note)
            storing.wait()  # the next chunk may hold the same sound
            if progress:
                progress(chunk.stop, len(sources), sources[chunk[-1]].note)
            rows += [vectors[window.key] for window in windows]
            clip_of_row += [window.clip for window in windows]
    values = np.zeros((len(rows), *astuple(backbone.shape)), np.float32)
    values[:, :read] = rows
    return HeadVectors(values, np.array(clip_of_row, dtype=np.int64), origin, read)


class _Preparing:
    """Prepares windows in threads of their own, one batch ahead of the forward pass: the accelerator doesn't wait for mel spectrograms.

    Holds two batches at most, and each window until it is done: one that has to be run again isn't prepared again. Every window keeps to
    one core: side by side they use all of them, and a forward pass on the CPU took a fifth longer beside one that used two.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._ahead: dict[str, Future[Any]] = {}

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(WORKERS, "prepare")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def now(self, batch: Sequence[_Window], then: Sequence[_Window]) -> list[Any]:
        """What the backbone reads of a batch; `then`, the next one, follows in the background. Raises what preparing raised."""
        for window in (*batch, *then):
            ahead = self._ahead.get(window.key)
            if ahead is None or (ahead.done() and ahead.exception()):  # a smaller batch may have room for what failed
                self._ahead[window.key] = self._pool.submit(self._prepare, window)
        return [self._ahead[window.key].result() for window in batch]

    def _prepare(self, window: _Window) -> Any:
        with one_core():
            if window.pictures is not None and isinstance(self._backbone, Seeing):
                return self._backbone.prepare_video(window.samples, window.pictures, window.prompt)
            return self._backbone.prepare(window.samples, window.prompt)

    def done(self, batch: Sequence[_Window]) -> None:
        for window in batch:
            del self._ahead[window.key]


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


def _batch(waiting: Sequence[_Window], backbone: Backbone, batch_size: int, budget: int) -> list[_Window]:
    """The first of the windows waiting, longest first, that make one forward pass: of one prompt, at least one, within size and budget."""
    if not waiting:
        return []
    most = max(1, min(batch_size, budget // _cost(waiting[0], backbone)))
    return [window for window in waiting[:most] if window.prompt == waiting[0].prompt]


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
                    windows.append(_Window(clip, piece, seen, asked, keys))
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
