"""What an answer costs: learning again after one label, and the whole of the server's work with a pool of 2,000 clips.

    OMP_NUM_THREADS=1 python benchmarks/relabel.py
    OMP_NUM_THREADS=1 python benchmarks/relabel.py --json

1,024 heads of 128 dimensions, 10 classes x 20 labelled clips. `relearn` is what a person waits for where the page has called `prepare` for
the clip on show; "unprepared" adds the pass over the vectors that `prepare` does while the person listens. First fits of the same
labels to compare with, from benchmarks/fit.py: the per-head loop (the best a plain loop can do) and the literal loop, measured on a few
heads and scaled. The pool: 2,000 unlabelled clips beside the 200, the order "useful".
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import fit
from calm_core import active
from calm_core.relearning import Relearner
from calm_core.vectors import HeadVectors

CLASSES, PER_CLASS, POOL = 10, 20, 2000
REPEATS = 9


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()  # seconds of this process alone: with one thread, other work on the machine counts less
    work()
    return time.process_time() - start


def answers(relearner: Relearner, labels: list[str | None], clips: list[int]) -> tuple[float, float]:
    """Median seconds of (prepare, relearn) for labelling each of the clips, which have no label before and keep theirs after."""
    prepare, relearn = [], []
    for clip in clips:
        prepare.append(seconds(lambda clip=clip: relearner.prepare(clip)))  # type: ignore[misc]
        labels[clip] = str(clip % CLASSES)
        relearn.append(seconds(lambda: relearner.relearn(labels)))
    return float(np.median(prepare)), float(np.median(relearn))


def paper_size() -> dict[str, float]:
    """Relearning on 10 classes x 20 clips against a first fit of the same."""
    support, truth, queries = fit.vectors(CLASSES, PER_CLASS, 1)
    laps: dict[str, list[float]] = {}

    def timed(loop: Callable) -> float:
        found = []
        for _ in range(3):
            laps.clear()
            start = time.process_time()
            loop(support, truth, queries, lambda name: laps.setdefault(name, []).append(time.process_time()))
            found.append(laps["fit"][0] - start)
        return float(np.median(found))

    loop, literal = timed(fit.per_head_loop), timed(fit.literal_loop) * fit.LAYERS * fit.HEADS / fit.LITERAL_HEADS
    relearner = Relearner(HeadVectors(support, np.arange(len(support))))
    labels: list[str | None] = [str(c) for c in truth]
    answered = list(range(0, len(support), len(support) // REPEATS))[:REPEATS]
    for clip in answered:
        labels[clip] = None
    relearner.relearn(labels)
    prepare, relearn = answers(relearner, labels, answered)
    return {
        "per_head_loop_fit_s": loop,
        "literal_loop_fit_s": literal,
        "prepare_s": prepare,
        "relearn_s": relearn,
        "cheaper_than_per_head_loop": loop / relearn,
        "cheaper_than_per_head_loop_unprepared": loop / (relearn + prepare),
        "cheaper_than_literal_loop": literal / relearn,
    }


def with_pool(pool_size: int = POOL) -> dict[str, float]:
    """Seconds of each part of an answer with a pool beside the labelled clips."""
    rng = np.random.default_rng(1)
    support, truth, _ = fit.vectors(CLASSES, PER_CLASS, 1)
    pool = support[rng.integers(len(support), size=pool_size)]
    for start in range(0, pool_size, 100):  # in parts, for the noise of all of it would double the memory
        part = pool[start : start + 100]
        part += rng.standard_normal(part.shape, dtype=np.float32)
    values = np.concatenate([support, pool])
    del support, pool
    clips = np.arange(len(values))
    found = {"clips": float(len(values)), "sketch_s": seconds(lambda: active.sketch(values, clips))}
    sketches = active.sketch(values, clips)
    found["typicality_s"] = seconds(lambda: active.typicality(sketches))
    typical = active.typicality(sketches)
    labels: list[str | None] = [str(c) for c in truth] + [None] * pool_size
    relearner = Relearner(HeadVectors(values, clips))
    found["first_relearn_s"] = seconds(lambda: relearner.relearn(labels))
    answered = list(range(len(truth), len(truth) + REPEATS))
    found["prepare_s"], found["relearn_s"] = answers(relearner, labels, answered)
    learned = relearner.relearn(labels)
    labelled = np.array([i for i, label in enumerate(labels) if label])
    waiting = np.setdiff1d(clips, labelled)
    queue = [seconds(lambda: learned.queue("useful", sketches, waiting, labelled, typical=typical[waiting])) for _ in range(3)]
    found["queue_s"] = float(np.median(queue))
    found["answer_s"] = found["relearn_s"] + found["queue_s"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-pool", action="store_true", help="leave out the pool of 2,000 clips, which takes 4 GB")
    arguments = parser.parse_args()
    found = {"paper_size": paper_size()} | ({} if arguments.no_pool else {"pool": with_pool()})
    if arguments.json:
        print(json.dumps(found))
        return
    for part, values in found.items():
        print(part)
        for name, value in values.items():
            print(f"  {name:<40}{value:10.4f}" if name.endswith("_s") else f"  {name:<40}{value:10.1f}")


if __name__ == "__main__":
    main()
